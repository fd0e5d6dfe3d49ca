// Splits a PromQL expression into tokens. What a word means depends on where it stands (in braces every word is an
// identifier, in brackets only durations and their functions are known), so the lexer tracks braces and brackets.

import { AGGREGATORS, type Range } from './ast.ts';
import { goChar, goQuote } from './quote.ts';

export type TokenKind =
  | 'identifier'
  | 'metric'
  | 'string'
  | 'number'
  | 'duration'
  | 'punctuation'
  | 'operator'
  | 'aggregator'
  | 'keyword'
  | 'preprocessor'
  | 'end';

export type Token = Range & {
  readonly kind: TokenKind;
  /** As written; for words that the language knows see `word`. */
  readonly text: string;
  /** Lower-cased keyword, operator or punctuation; '' for names and literals. */
  readonly word: string;
};

export const WORD_OPERATORS = ['and', 'or', 'unless', 'atan2'];
const KEYWORDS = [
  'offset',
  'smoothed',
  'anchored',
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'fill',
  'fill_left',
  'fill_right',
  'bool',
];
const PREPROCESSORS = ['start', 'end', 'step', 'range', 'max_of', 'min_of'];
const DURATION_FUNCTIONS = ['step', 'range', 'max_of', 'min_of'];

const WORDS: ReadonlyMap<string, TokenKind> = new Map<string, TokenKind>([
  ...WORD_OPERATORS.map((word) => [word, 'operator'] as const),
  ...AGGREGATORS.map((word) => [word, 'aggregator'] as const),
  ...KEYWORDS.map((word) => [word, 'keyword'] as const),
  ...PREPROCESSORS.map((word) => [word, 'preprocessor'] as const),
  ['inf', 'number'],
  ['nan', 'number'],
]);

/** The message shown for an unexpected token. */
export function describeToken(token: Token): string {
  const { kind, text } = token;
  const shown = text.length > 10 ? `${goQuote([...text].slice(0, 10).join(''))}...` : goQuote(text);
  switch (kind) {
    case 'end':
      return 'end of input';
    case 'identifier':
      return `identifier ${goQuote(text)}`;
    case 'metric':
      return `metric identifier ${goQuote(text)}`;
    case 'string':
    case 'number':
    case 'duration':
      return `${kind} ${shown}`;
    case 'keyword':
      return `<${text}>`;
    case 'operator':
      return `<op:${text}>`;
    case 'aggregator':
      return `<aggr:${text}>`;
    case 'punctuation':
    case 'preprocessor':
      return shown;
  }
}

/** Thrown at the first thing that is no token. */
export class LexError extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const isSpace = (c: string) => c === ' ' || c === '\t' || c === '\n' || c === '\r';
const isDigit = (c: string) => c >= '0' && c <= '9' && c.length === 1;
const isAlpha = (c: string) => c === '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
const isAlphaNumeric = (c: string) => c !== '' && (isAlpha(c) || isDigit(c));
const startsDurationFunction = (c: string) => c !== '' && 'srm'.includes(c.toLowerCase());

const SIMPLE_OPERATORS = '*/%+-^@';

export class Lexer {
  readonly #input: string;
  #at = 0;
  #parens = 0;
  #brace = false;
  #bracket = false;
  /** Within brackets, before the first number: only what may start a duration expression is read. */
  #strictDuration = false;
  #colon = false;
  #sawDuration = false;

  constructor(input: string) {
    this.#input = input;
  }

  next(): Token {
    this.#skipSpaceAndComments();
    if (this.#brace) return this.#inBraces();
    if (this.#strictDuration) return this.#inDuration();
    return this.#inStatement();
  }

  /** How far has been read. */
  get position(): number {
    return this.#at;
  }

  #peek(ahead = 0): string {
    return this.#input[this.#at + ahead] ?? '';
  }

  #skipSpaceAndComments(): void {
    for (;;) {
      while (isSpace(this.#peek())) this.#at++;
      if (this.#peek() !== '#' || this.#strictDuration) return;
      while (this.#at < this.#input.length && this.#peek() !== '\n' && this.#peek() !== '\r') this.#at++;
    }
  }

  #token(kind: TokenKind, start: number, known = true): Token {
    const text = this.#input.slice(start, this.#at);
    const literal = kind === 'identifier' || kind === 'metric' || kind === 'string' || kind === 'number';
    return { kind, text, word: known && !literal ? text.toLowerCase() : '', start, end: this.#at };
  }

  #take(length: number, kind: TokenKind): Token {
    const start = this.#at;
    this.#at += length;
    return this.#token(kind, start);
  }

  #fail(message: string, at = this.#at): never {
    throw new LexError(message, at);
  }

  #char(ahead = 0): string {
    const code = this.#input.codePointAt(this.#at + ahead);
    return code === undefined ? '\ufffd' : String.fromCodePoint(code);
  }

  #inStatement(): Token {
    const c = this.#peek();
    const after = this.#peek(1);
    if (c === '') {
      if (this.#parens !== 0) this.#fail('unclosed left parenthesis');
      if (this.#bracket) this.#fail('unclosed left bracket');
      return this.#take(0, 'end');
    }
    if (c === ',') return this.#take(1, 'punctuation');
    if (SIMPLE_OPERATORS.includes(c)) return this.#take(1, 'operator');
    if (c === '=') {
      if (after === '=') return this.#take(2, 'operator');
      if (after === '~') this.#fail(`unexpected character after '=': '~'`);
      return this.#take(1, 'punctuation');
    }
    if (c === '!') {
      if (after !== '=') this.#fail(`unexpected character after '!': ${goChar(this.#char(1))}`);
      return this.#take(2, 'operator');
    }
    if (c === '<' || c === '>') return this.#take(after === '=' || after === '/' ? 2 : 1, 'operator');
    if (isDigit(c) || (c === '.' && isDigit(after))) return this.#numberOrDuration();
    if (c === '"' || c === "'") return this.#string(c);
    if (c === '`') return this.#rawString();
    if (isAlpha(c) || c === ':') {
      if (!this.#bracket) return this.#word();
      if (c === ':') {
        if (this.#colon) this.#fail("unexpected colon ':'");
        this.#colon = true;
        return this.#take(1, 'punctuation');
      }
      const token = startsDurationFunction(c) ? this.#durationFunction() : undefined;
      return token ?? this.#fail(`unexpected character: ${goChar(c)}, expected ':'`);
    }
    switch (c) {
      case '(':
        this.#parens++;
        return this.#take(1, 'punctuation');
      case ')':
        if (--this.#parens < 0) this.#fail("unexpected right parenthesis ')'", this.#at + 1);
        return this.#take(1, 'punctuation');
      case '{':
        this.#brace = true;
        return this.#take(1, 'punctuation');
      case '[':
        if (this.#bracket) this.#fail("unexpected left bracket '['");
        this.#bracket = true;
        this.#strictDuration = true;
        this.#colon = false;
        this.#sawDuration = false;
        return this.#take(1, 'punctuation');
      case ']':
        if (!this.#bracket) this.#fail("unexpected right bracket ']'");
        this.#bracket = false;
        return this.#take(1, 'punctuation');
      default:
        return this.#fail(`unexpected character: ${goChar(this.#char())}`);
    }
  }

  /** Directly behind '[' and behind operators in it, until a number or duration has been read. */
  #inDuration(): Token {
    const c = this.#peek();
    if (c === '') this.#fail('unexpected end of input in duration expression');
    if ('+-*/%^'.includes(c)) return this.#take(1, 'operator');
    if (c === ',') return this.#take(1, 'punctuation');
    switch (c) {
      case ']':
        this.#bracket = false;
        this.#strictDuration = false;
        return this.#take(1, 'punctuation');
      case ':':
        if (!this.#sawDuration) this.#fail('unexpected colon before duration in duration expression', this.#at + 1);
        if (this.#colon) this.#fail('unexpected repeated colon in duration expression', this.#at + 1);
        this.#colon = true;
        return this.#take(1, 'punctuation');
      case '(':
        this.#parens++;
        return this.#take(1, 'punctuation');
      case ')':
        if (--this.#parens < 0) this.#fail("unexpected right parenthesis ')'", this.#at + 1);
        return this.#take(1, 'punctuation');
    }
    if (startsDurationFunction(c)) {
      const token = this.#durationFunction();
      if (token) return token;
    } else if (isDigit(c) || (c === '.' && isDigit(this.#peek(1)))) {
      this.#sawDuration = true;
      this.#strictDuration = false;
      return this.#numberOrDuration();
    }
    return this.#fail(`unexpected character in duration expression: ${goChar(this.#char())}`);
  }

  #durationFunction(): Token | undefined {
    const start = this.#at;
    let end = start;
    while (isAlpha(this.#input[end] ?? '')) end++;
    if (!DURATION_FUNCTIONS.includes(this.#input.slice(start, end).toLowerCase())) return undefined;
    this.#at = end;
    return this.#token('preprocessor', start);
  }

  #inBraces(): Token {
    const c = this.#peek();
    const after = this.#peek(1);
    if (c === '') this.#fail('unexpected end of input inside braces');
    if (isAlpha(c)) {
      const start = this.#at;
      while (isAlphaNumeric(this.#peek())) this.#at++;
      return this.#token('identifier', start);
    }
    switch (c) {
      case ',':
        return this.#take(1, 'punctuation');
      case '"':
      case "'":
        return this.#string(c);
      case '`':
        return this.#rawString();
      case '=':
        return after === '~' ? this.#take(2, 'operator') : this.#take(1, 'punctuation');
      case '!':
        if (after === '~' || after === '=') return this.#take(2, 'operator');
        return this.#fail(`unexpected character after '!' inside braces: ${goChar(this.#char(1))}`);
      case '{':
        return this.#fail("unexpected left brace '{'");
      case '}':
        this.#brace = false;
        return this.#take(1, 'punctuation');
      default:
        return this.#fail(`unexpected character inside braces: ${goChar(this.#char())}`);
    }
  }

  #word(): Token {
    const start = this.#at;
    while (isAlphaNumeric(this.#peek()) || this.#peek() === ':') this.#at++;
    const text = this.#input.slice(start, this.#at);
    const kind = WORDS.get(text.toLowerCase());
    if (kind !== undefined) {
      // The fill modifiers came late: where no value follows, the word is a metric's name as before.
      if (/^fill(_left|_right)?$/i.test(text) && !this.#parenFollows()) return this.#token('identifier', start);
      return this.#token(kind, start);
    }
    return this.#token(text.includes(':') ? 'metric' : 'identifier', start);
  }

  #parenFollows(): boolean {
    let at = this.#at;
    while (isSpace(this.#input[at] ?? '')) at++;
    return this.#input[at] === '(';
  }

  #string(quote: string): Token {
    const start = this.#at++;
    for (;;) {
      const c = this.#peek();
      if (c === '' || c === '\n') this.#fail('unterminated quoted string', start);
      this.#at++;
      if (c === quote) return this.#token('string', start);
      if (c === '\\') this.#escape(quote, start);
    }
  }

  /** Checks the escape whose backslash has been read. */
  #escape(quote: string, start: number): void {
    const c = this.#char();
    if (this.#peek() === '') this.#fail('escape sequence not terminated', start);
    if (`abfnrtv\\${quote}`.includes(c)) {
      this.#at++;
      return;
    }
    let digits: number;
    let base = 16;
    let max = 0x10ffff;
    if (c >= '0' && c <= '7') [digits, base, max] = [3, 8, 255];
    else if (c === 'x') [digits, max] = [2, 255];
    else if (c === 'u') digits = 4;
    else if (c === 'U') digits = 8;
    else this.#fail(`unknown escape sequence ${unicodeName(c)}`, start);
    if (base === 16) this.#at++;
    let value = 0;
    for (let i = 0; i < digits; i++) {
      const digit = this.#char();
      if (this.#peek() === '') this.#fail('escape sequence not terminated', start);
      const number = /^[0-9a-fA-F]$/.test(digit) ? Number.parseInt(digit, 16) : 16;
      if (number >= base) this.#fail(`illegal character ${unicodeName(digit)} in escape sequence`, start);
      value = value * base + number;
      this.#at++;
    }
    if (value > max || (value >= 0xd800 && value < 0xe000)) {
      this.#fail('escape sequence is an invalid Unicode code point', start);
    }
  }

  #rawString(): Token {
    const start = this.#at;
    const end = this.#input.indexOf('`', start + 1);
    if (end < 0) this.#fail('unterminated raw string', start);
    this.#at = end + 1;
    return this.#token('string', start);
  }

  #numberOrDuration(): Token {
    const start = this.#at;
    if (this.#scanNumber()) return this.#token('number', start);
    if (this.#scanDurationRest()) return this.#token('duration', start);
    // What is shown includes the character that broke the rule.
    const shown = this.#input.slice(start, this.#at);
    return this.#fail(`bad number or duration syntax: ${goQuote(shown)}`, start);
  }

  #accept(set: string): boolean {
    const c = this.#peek();
    if (c === '' || !set.includes(c)) return false;
    this.#at++;
    return true;
  }

  /** Units and further numbers, behind the first number of a duration. */
  #scanDurationRest(): boolean {
    if (!this.#accept('smhdwy')) return false;
    this.#accept('s');
    while (this.#accept('0123456789')) {
      while (this.#accept('0123456789'));
      if (!this.#accept('smhdw')) return false;
      this.#accept('s');
    }
    if (!isAlphaNumeric(this.#peek())) return true;
    this.#at++;
    return false;
  }

  #scanNumber(): boolean {
    let digits = '0123456789';
    const start = this.#at;
    if (this.#accept('0') && this.#accept('xX')) {
      this.#accept('_');
      digits = '0123456789abcdefABCDEF';
    }
    this.#accept('.');
    this.#accept(digits);
    let dot = false;
    let exponent = false;
    while (this.#peek() !== '' && `${digits}._eE`.includes(this.#peek())) {
      const c = this.#peek();
      if (c === '.') {
        this.#at++;
        if (dot) return false;
        dot = true;
        if (this.#accept('_.') || digits.length > 10) return false;
      } else if (c === 'e' || c === 'E') {
        this.#at++;
        if (exponent) return false;
        exponent = true;
        this.#accept('+-');
        if (this.#accept('._eE') || this.#peek() === '') return false;
      } else if (c === '_') {
        this.#at++;
        if (this.#accept('._eE') || this.#peek() === '') return false;
      } else {
        while (this.#accept(digits));
      }
    }
    return this.#at > start && !isAlphaNumeric(this.#peek());
  }
}

function unicodeName(c: string): string {
  return `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')} '${c}'`;
}
