// The part of the grammar that stands for durations: in brackets and behind `offset`. Numbers and durations mean the same
// (seconds); arithmetic on them, step(), range(), min_of() and max_of() make a duration expression.

import type { DurationExpr, DurationOp, DurationOperand, NumberLiteral, Range } from './ast.ts';
import { ParseError } from './errors.ts';
import { MAX_DURATION_SECONDS, parseDurationText, parseNumber, secondsToMs } from './numbers.ts';
import { goQuote } from './quote.ts';
import type { TokenStream } from './tokens.ts';

export type Duration = { readonly ms: number; readonly expr?: DurationExpr };

const PRECEDENCE: Readonly<Record<string, number>> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': 3 };
const SIGN_PRECEDENCE = 2;
const MAX_NESTING = 200;

export class DurationParser {
  readonly #query: string;
  readonly #tokens: TokenStream;
  readonly #expressions: boolean;
  #nesting = 0;

  constructor(query: string, tokens: TokenStream, expressions: boolean) {
    this.#query = query;
    this.#tokens = tokens;
    this.#expressions = expressions;
  }

  /** A number or a duration, in seconds. */
  literal(): NumberLiteral {
    const token = this.#tokens.current;
    const range = { start: token.start, end: token.end };
    this.#tokens.advance();
    if (token.kind === 'duration') {
      const ms = parseDurationText(token.text);
      if (typeof ms === 'string') this.#fail(ms, range);
      return { kind: 'number', value: ms / 1000, duration: true, range };
    }
    const value = parseNumber(token.text);
    if (value === undefined) {
      const cause = /e\+?\d{3,}$/i.test(token.text) ? 'value out of range' : 'invalid syntax';
      this.#fail(`error parsing number: strconv.ParseFloat: parsing ${goQuote(token.text)}: ${cause}`, range);
    }
    return { kind: 'number', value, duration: false, range };
  }

  /** What may stand in brackets. */
  positive(): Duration {
    const parsed = this.#binary(0);
    if (parsed.kind === 'number' && parsed.value <= 0) this.#fail('duration must be greater than 0', parsed.range);
    return toDuration(parsed);
  }

  /**
   * What may stand behind `offset`: only a literal, a function or something in parentheses, each with an optional sign, binds
   * to it; "foo offset 1m + 1m" adds to the selected values. After parentheses without a sign arithmetic goes on.
   */
  offset(): Duration {
    const tokens = this.#tokens;
    const sign = tokens.at('-') || tokens.at('+') ? tokens.current : undefined;
    if (!sign) return toDuration(tokens.at('(') ? this.#binary(0) : this.#primary());
    tokens.advance();
    if (tokens.at('-') || tokens.at('+')) {
      const inner = this.#signed(sign.word as '+' | '-', this.#binary(SIGN_PRECEDENCE + 1), sign);
      return toDuration(this.#binaryFrom(inner, 0));
    }
    const operand = this.#primary();
    if (operand.kind === 'number' || operand.wrapped)
      return toDuration(this.#signed(sign.word as '+' | '-', operand, sign));
    const range = { start: sign.start, end: operand.range.end };
    return toDuration({ kind: 'duration', op: sign.word as '+' | '-', right: operand, wrapped: false, range });
  }

  #fail(message: string, range: Range): never {
    throw new ParseError(message, this.#query, range);
  }

  #binary(minPrecedence: number): DurationOperand {
    if (++this.#nesting > MAX_NESTING) {
      this.#fail(`duration is nested more than ${MAX_NESTING} levels deep`, this.#tokens.current);
    }
    const result = this.#binaryFrom(this.#unary(), minPrecedence);
    this.#nesting--;
    return result;
  }

  #binaryFrom(left: DurationOperand, minPrecedence: number): DurationOperand {
    for (;;) {
      const { kind, word, start, end } = this.#tokens.current;
      const precedence = kind === 'operator' ? PRECEDENCE[word] : undefined;
      if (precedence === undefined || precedence < minPrecedence) return left;
      this.#tokens.advance();
      const right = this.#binary(word === '^' ? precedence : precedence + 1);
      this.#requireExpressions(left.range);
      if (right.kind === 'number' && right.value === 0) {
        if (word === '/') this.#fail('division by zero', { start, end });
        if (word === '%') this.#fail('modulo by zero', { start, end });
      }
      const range = { start: left.range.start, end: right.range.end };
      left = { kind: 'duration', op: word as DurationOp, left, right, wrapped: false, range };
    }
  }

  #unary(): DurationOperand {
    const token = this.#tokens.current;
    if (!this.#tokens.at('-') && !this.#tokens.at('+')) return this.#primary();
    this.#tokens.advance();
    return this.#signed(token.word as '+' | '-', this.#binary(SIGN_PRECEDENCE + 1), token);
  }

  #signed(sign: '+' | '-', operand: DurationOperand, token: Range): DurationOperand {
    const range = { start: token.start, end: operand.range.end };
    if (operand.kind === 'duration') {
      return sign === '-' ? { kind: 'duration', op: '-', right: operand, wrapped: false, range } : operand;
    }
    return { ...operand, value: sign === '-' ? -operand.value : operand.value, range };
  }

  #primary(): DurationOperand {
    const tokens = this.#tokens;
    const token = tokens.current;
    if (token.kind === 'number' || token.kind === 'duration') {
      const literal = this.literal();
      if (!(Math.abs(literal.value) <= MAX_DURATION_SECONDS)) this.#fail('duration out of range', literal.range);
      return literal;
    }
    if (tokens.take('(')) {
      const inner = this.#binary(0);
      const range = { start: token.start, end: tokens.expect(')').end };
      this.#requireExpressions(inner.range);
      if (inner.kind === 'duration') return { ...inner, wrapped: true };
      return { kind: 'duration', op: '+', right: inner, wrapped: true, range };
    }
    if (token.kind !== 'preprocessor' || token.word === 'start' || token.word === 'end') tokens.unexpected();
    const op = token.word as DurationOp;
    tokens.advance();
    tokens.expect('(');
    let operands = {};
    if (op === 'min_of' || op === 'max_of') {
      const left = this.#binary(0);
      tokens.expect(',');
      operands = { left, right: this.#binary(0) };
    }
    const range = { start: token.start, end: tokens.expect(')').end };
    this.#requireExpressions(range);
    return { kind: 'duration', op, ...operands, wrapped: false, range };
  }

  #requireExpressions(range: Range): void {
    if (!this.#expressions) this.#fail('experimental duration expression is not enabled', range);
  }
}

function toDuration(parsed: DurationOperand): Duration {
  return parsed.kind === 'number' ? { ms: secondsToMs(parsed.value) } : { ms: 0, expr: parsed };
}
