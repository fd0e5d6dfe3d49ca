// Tokens of Go's template language. Text outside of actions is one token; trim markers have already eaten the space they
// trim; an error is a token too, so that the parser reports it where it gets to it.

export type TokenKind =
  | 'error'
  | 'bool'
  | 'char'
  | 'charConstant'
  | 'assign'
  | 'declare'
  | 'eof'
  | 'field'
  | 'identifier'
  | 'leftDelim'
  | 'leftParen'
  | 'number'
  | 'pipe'
  | 'rawString'
  | 'rightDelim'
  | 'rightParen'
  | 'space'
  | 'string'
  | 'text'
  | 'variable'
  | 'dot'
  | 'keyword'
  | 'nil';

/** `position` counts UTF-16 units from the start of the text, `line` from 1. */
export type Token = {
  readonly kind: TokenKind;
  readonly text: string;
  readonly position: number;
  readonly line: number;
};

const KEYWORDS = new Set(['block', 'break', 'continue', 'define', 'else', 'end', 'if', 'range', 'template', 'with']);
const SPACE = ' \t\r\n';
const ALPHANUMERIC = /[\p{L}\p{Nd}_]/u;

/** `U+002B '+'`, as Go writes a rune in messages. */
export function describeRune(text: string): string {
  const code = text.codePointAt(0);
  if (code === undefined) return 'U+FFFFFFFFFFFFFFFF';
  const hex = code.toString(16).toUpperCase().padStart(4, '0');
  return code < 32 || code === 127 ? `U+${hex}` : `U+${hex} '${String.fromCodePoint(code)}'`;
}

export function tokenize(input: string): Token[] {
  const lexer = new Lexer(input);
  lexer.run();
  return lexer.tokens;
}

class Lexer {
  readonly tokens: Token[] = [];
  readonly #input: string;
  #at = 0;
  #start = 0;
  #line = 1;
  #countedTo = 0;
  #parens = 0;
  #failed = false;

  constructor(input: string) {
    this.#input = input;
  }

  run(): void {
    while (!this.#failed && this.#text()) while (!this.#failed && this.#insideAction());
    if (!this.#failed) this.#emit('eof');
  }

  #emit(kind: TokenKind, text = this.#input.slice(this.#start, this.#at)): void {
    this.tokens.push({ kind, text, position: this.#start, line: this.#lineAt(this.#start) });
    this.#start = this.#at;
  }

  #fail(message: string): false {
    this.tokens.push({ kind: 'error', text: message, position: this.#start, line: this.#lineAt(this.#start) });
    this.#failed = true;
    return false;
  }

  #lineAt(position: number): number {
    while (this.#countedTo < position) if (this.#input[this.#countedTo++] === '\n') this.#line++;
    return this.#line;
  }

  #peek(): string {
    const code = this.#input.codePointAt(this.#at);
    return code === undefined ? '' : String.fromCodePoint(code);
  }

  /** Text up to the next action. True when an action was opened. */
  #text(): boolean {
    const open = this.#input.indexOf('{{', this.#at);
    const end = open < 0 ? this.#input.length : open;
    const trimLeft = open >= 0 && this.#input[open + 2] === '-' && isSpace(this.#input[open + 3]);
    let stop = end;
    if (trimLeft) while (stop > this.#start && isSpace(this.#input[stop - 1])) stop--;
    this.#at = stop;
    if (stop > this.#start) this.#emit('text');
    this.#at = end;
    this.#start = end;
    if (open < 0) return false;
    const afterMarker = open + 2 + (trimLeft ? 2 : 0);
    if (this.#input.startsWith('/*', afterMarker)) return this.#comment(afterMarker) && this.#text();
    this.#at = open + 2;
    this.#emit('leftDelim');
    this.#at = this.#start = afterMarker;
    this.#parens = 0;
    return true;
  }

  #comment(from: number): boolean {
    const close = this.#input.indexOf('*/', from + 2);
    if (close < 0) return this.#fail('unclosed comment');
    this.#at = close + 2;
    const trim = this.#atTrimRight();
    if (trim) this.#at += 2;
    if (!this.#input.startsWith('}}', this.#at)) return this.#fail('comment ends before closing delimiter');
    this.#at += 2;
    if (trim) this.#skipSpace();
    this.#start = this.#at;
    return true;
  }

  #atTrimRight(): boolean {
    return isSpace(this.#input[this.#at]) && this.#input.startsWith('-}}', this.#at + 1);
  }

  #skipSpace(): void {
    while (isSpace(this.#input[this.#at])) this.#at++;
  }

  /** One token of an action. False when the action is closed or broken. */
  #insideAction(): boolean {
    const trim = this.#atTrimRight();
    if (trim || this.#input.startsWith('}}', this.#at)) {
      if (this.#parens > 0) return this.#fail('unclosed left paren');
      if (trim) this.#at = this.#start = this.#at + 2;
      this.#at += 2;
      this.#emit('rightDelim');
      if (trim) this.#skipSpace();
      this.#start = this.#at;
      return false;
    }
    const rune = this.#peek();
    if (rune === '') return this.#fail('unclosed action');
    if (isSpace(rune)) return this.#spaces();
    this.#at += rune.length;
    switch (rune) {
      case '=':
        return this.#done('assign');
      case ':':
        if (this.#peek() !== '=') return this.#fail('expected :=');
        this.#at++;
        return this.#done('declare');
      case '|':
        return this.#done('pipe');
      case '"':
        return this.#quoted('"', 'string', 'unterminated quoted string');
      case "'":
        return this.#quoted("'", 'charConstant', 'unterminated character constant');
      case '`': {
        const close = this.#input.indexOf('`', this.#at);
        if (close < 0) return this.#fail('unterminated raw quoted string');
        this.#at = close + 1;
        return this.#done('rawString');
      }
      case '$':
        return this.#word('variable', 'variable');
      case '(':
        this.#parens++;
        return this.#done('leftParen');
      case ')':
        if (--this.#parens < 0) return this.#fail('unexpected right paren');
        return this.#done('rightParen');
    }
    if (rune === '.' && !/[0-9]/.test(this.#input[this.#at] ?? '')) return this.#word('field', 'dot');
    if (/[0-9.+-]/.test(rune)) {
      this.#at -= rune.length;
      return this.#number();
    }
    if (ALPHANUMERIC.test(rune)) {
      this.#at -= rune.length;
      return this.#identifier();
    }
    if (rune >= ' ' && rune <= '~') return this.#done('char');
    return this.#fail(`unrecognized character in action: ${describeRune(rune)}`);
  }

  #done(kind: TokenKind): true {
    this.#emit(kind);
    return true;
  }

  #spaces(): boolean {
    // The space before a right trim marker belongs to the marker.
    while (isSpace(this.#input[this.#at]) && !this.#atTrimRight()) this.#at++;
    if (this.#at > this.#start) this.#emit('space');
    return true;
  }

  #quoted(close: string, kind: TokenKind, problem: string): boolean {
    for (;;) {
      const char = this.#input[this.#at++];
      if (char === close) return this.#done(kind);
      if (char === undefined || char === '\n') return this.#fail(problem);
      if (char === '\\') {
        const escaped = this.#input[this.#at++];
        if (escaped === undefined || escaped === '\n') return this.#fail(problem);
      }
    }
  }

  #alphanumerics(): void {
    for (;;) {
      const rune = this.#peek();
      if (rune === '' || !ALPHANUMERIC.test(rune)) return;
      this.#at += rune.length;
    }
  }

  #word(kind: TokenKind, alone: TokenKind): boolean {
    if (this.#atTerminator()) return this.#done(alone);
    this.#alphanumerics();
    return this.#atTerminator() ? this.#done(kind) : this.#fail(`bad character ${describeRune(this.#peek())}`);
  }

  #identifier(): boolean {
    this.#alphanumerics();
    if (!this.#atTerminator()) return this.#fail(`bad character ${describeRune(this.#peek())}`);
    const word = this.#input.slice(this.#start, this.#at);
    if (KEYWORDS.has(word)) return this.#done('keyword');
    if (word === 'nil') return this.#done('nil');
    return this.#done(word === 'true' || word === 'false' ? 'bool' : 'identifier');
  }

  #atTerminator(): boolean {
    const char = this.#input[this.#at];
    return char === undefined || isSpace(char) || '.,|:)(}='.includes(char) || this.#input.startsWith('}}', this.#at);
  }

  #number(): boolean {
    const pattern =
      /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[bB][01_]*|0[oO][0-7_]*|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?/y;
    pattern.lastIndex = this.#at;
    this.#at += pattern.exec(this.#input)?.[0].length ?? 0;
    // A complex constant in one piece, so that its refusal can name it.
    const imaginary = /[+-][0-9][0-9_.eE]*i/y;
    imaginary.lastIndex = this.#at;
    this.#at += imaginary.exec(this.#input)?.[0].length ?? 0;
    if (ALPHANUMERIC.test(this.#peek() || ' ') || this.#at === this.#start) {
      this.#at += this.#peek().length;
      return this.#fail(`bad number syntax: ${JSON.stringify(this.#input.slice(this.#start, this.#at))}`);
    }
    return this.#done('number');
  }
}

function isSpace(char: string | undefined): boolean {
  return char !== undefined && char !== '' && SPACE.includes(char);
}
