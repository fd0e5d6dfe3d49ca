// The parser's view of the tokens: one ahead, a second one on demand, and the context in which an unexpected token is
// reported ("unexpected X in <context>, expected <what>").

import type { Range } from './ast.ts';
import { ParseError } from './errors.ts';
import { describeToken, LexError, Lexer, type Token, type TokenKind } from './lexer.ts';
import { unquote } from './quote.ts';

export class TokenStream {
  readonly #query: string;
  readonly #lexer: Lexer;
  readonly #contexts: { readonly context: string; readonly expected: string }[] = [];
  #current: Token;
  #ahead: Token | undefined;
  #lastEnd = 0;

  constructor(query: string) {
    this.#query = query;
    this.#lexer = new Lexer(query);
    this.#current = this.#read();
  }

  get current(): Token {
    return this.#current;
  }
  /** Where the token before the current one ends. */
  get lastEnd(): number {
    return this.#lastEnd;
  }

  advance(): void {
    this.#lastEnd = this.#current.end;
    this.#current = this.#ahead ?? this.#read();
    this.#ahead = undefined;
  }

  /** The token behind the current one. */
  peek(): Token {
    this.#ahead ??= this.#read();
    return this.#ahead;
  }

  is(kind: TokenKind): boolean {
    return this.#current.kind === kind;
  }

  /** Whether the current token is this punctuation or operator. */
  at(text: string): boolean {
    const { kind } = this.#current;
    return (kind === 'punctuation' || kind === 'operator') && this.#current.text === text;
  }

  take(text: string): boolean {
    if (!this.at(text)) return false;
    this.advance();
    return true;
  }

  takeWord(word: string): boolean {
    if (this.#current.kind !== 'keyword' || this.#current.word !== word) return false;
    this.advance();
    return true;
  }

  expect(text: string): Range {
    if (!this.at(text)) this.unexpected();
    const { start, end } = this.#current;
    this.advance();
    return { start, end };
  }

  /** The meaning of the current string literal, which is passed. */
  stringValue(): string {
    const { text } = this.#current;
    this.advance();
    return unquote(text);
  }

  /** Runs `parse`; tokens it does not expect are reported in this context. */
  within<T>(context: string, expected: string, parse: () => T): T {
    this.#contexts.push({ context, expected });
    const result = parse();
    this.#contexts.pop();
    return result;
  }

  unexpected(context?: string, expected?: string): never {
    const around = this.#contexts.at(-1);
    const where = context ?? around?.context ?? '';
    const wanted = context === undefined ? (around?.expected ?? '') : (expected ?? '');
    const message = `unexpected ${describeToken(this.#current)}${where && ` in ${where}`}${wanted && `, expected ${wanted}`}`;
    throw new ParseError(message, this.#query, this.#current);
  }

  #read(): Token {
    try {
      return this.#lexer.next();
    } catch (error) {
      if (error instanceof LexError) {
        throw new ParseError(error.message, this.#query, { start: error.at, end: this.#query.length });
      }
      throw error;
    }
  }
}
