// Splits exposition text into tokens, one state machine per text format. The two differ in white space (free in the text
// format, exactly one space in OpenMetrics), in what ends a page, and in exemplars; errors need to name the token met.

export type Token =
  | 'INVALID'
  | 'EOF'
  | 'LINEBREAK'
  | 'WHITESPACE'
  | 'HELP'
  | 'TYPE'
  | 'UNIT'
  | 'EOFWORD'
  | 'TEXT'
  | 'COMMENT'
  | 'MNAME'
  | 'QSTRING'
  | 'BOPEN'
  | 'BCLOSE'
  | 'LNAME'
  | 'LVALUE'
  | 'COMMA'
  | 'EQUAL'
  | 'TIMESTAMP'
  | 'VALUE';

type State =
  | 'init'
  | 'comment'
  | 'meta1'
  | 'meta2'
  | 'labels'
  | 'labelValue'
  | 'value'
  | 'timestamp'
  | 'exemplar'
  | 'exemplarValue'
  | 'exemplarTimestamp';

const NEWLINE = 10;
const SPACE = 32;
const QUOTE = 34;
const HASH = 35;
const BACKSLASH = 92;

// What a byte may be: 1 blank, 2 starts a label name, 4 continues one, 8 starts a metric name, 16 continues one, 32 digit.
const CLASS = new Uint8Array(256);
for (let c = 0; c < 256; c++) {
  const isLetter = (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === 95;
  const isDigit = c >= 48 && c <= 57;
  CLASS[c] =
    (c === SPACE || c === 9 ? 1 : 0) |
    (isLetter ? 2 | 4 | 8 | 16 : 0) |
    (isDigit ? 4 | 16 | 32 : 0) |
    (c === 58 ? 8 | 16 : 0);
}

export class Lexer {
  bytes: Uint8Array = new Uint8Array(0);
  end = 0;
  /** The token met last is bytes[start, at). */
  start = 0;
  at = 0;
  state: State = 'init';
  readonly isOpenMetrics: boolean;

  constructor(isOpenMetrics: boolean) {
    this.isOpenMetrics = isOpenMetrics;
  }

  /** Text pages must end with a line break within [0, end). */
  reset(bytes: Uint8Array, end: number, at = 0): void {
    this.bytes = bytes;
    this.end = end;
    this.at = at;
    this.start = at;
    this.state = 'init';
  }

  next(): Token {
    this.start = this.at;
    if (this.at >= this.end) return 'EOF';
    return this.isOpenMetrics ? this.#openMetrics() : this.#text();
  }

  #text(): Token {
    const { bytes, end } = this;
    let c = bytes[this.at]!;
    if (CLASS[c]! & 1 && this.state !== 'meta2') {
      while (this.at < end && CLASS[bytes[this.at]!]! & 1) this.at++;
      return 'WHITESPACE';
    }
    switch (this.state) {
      case 'init':
        if (c === 0) return 'EOF';
        if (c === NEWLINE) return this.#take(1, 'init', 'LINEBREAK');
        if (c === HASH) {
          this.at++;
          if (this.at < end && CLASS[bytes[this.at]!]! & 1) {
            while (this.at < end && CLASS[bytes[this.at]!]! & 1) this.at++;
            const word = this.#keyword();
            if ((word === 'HELP' || word === 'TYPE') && CLASS[bytes[this.at + 4] ?? 0]! & 1) {
              this.at += 5;
              this.state = 'meta1';
              return word;
            }
          }
          while (this.at < end && bytes[this.at] !== NEWLINE) this.at++;
          return 'COMMENT';
        }
        if (CLASS[c]! & 8) return this.#name(16, 'value', 'MNAME');
        if (c === 123) return this.#take(1, 'labels', 'BOPEN');
        return 'INVALID';
      case 'meta1':
        if (c === QUOTE) return this.#quoted('meta2', 'MNAME', true);
        return CLASS[c]! & 8 ? this.#name(16, 'meta2', 'MNAME') : 'INVALID';
      case 'meta2':
        while (this.at < end && bytes[this.at] !== NEWLINE) this.at++;
        this.state = 'init';
        return 'TEXT';
      case 'labels':
        return this.#inBraces(c, 'value', 'labelValue');
      case 'labelValue':
        return c === QUOTE ? this.#quoted('labels', 'LVALUE', true) : 'INVALID';
      case 'value':
        if (c === 123) return this.#take(1, 'labels', 'BOPEN');
        if (c === NEWLINE) return 'INVALID';
        while (this.at < end && c !== NEWLINE && c !== 123 && !(CLASS[c]! & 1)) c = bytes[++this.at]!;
        this.state = 'timestamp';
        return 'VALUE';
      default:
        if (c === NEWLINE) return this.#take(1, 'init', 'LINEBREAK');
        if (!(CLASS[c]! & 32)) return 'INVALID';
        while (this.at < end && CLASS[bytes[this.at]!]! & 32) this.at++;
        return 'TIMESTAMP';
    }
  }

  #openMetrics(): Token {
    const { bytes, end } = this;
    const c = bytes[this.at]!;
    switch (this.state) {
      case 'init': {
        if (CLASS[c]! & 8) return this.#name(16, 'value', 'MNAME');
        if (c === 123) return this.#take(1, 'labels', 'BOPEN');
        if (c !== HASH || bytes[this.at + 1] !== SPACE) return 'INVALID';
        this.at += 2;
        const word = this.#keyword();
        if (word === undefined) return 'INVALID';
        if (word === 'EOFWORD') {
          this.at += this.at + 3 < end && bytes[this.at + 3] === NEWLINE ? 4 : 3;
          return 'EOFWORD';
        }
        if (bytes[this.at + 4] !== SPACE) return 'INVALID';
        this.at += 5;
        this.state = 'meta1';
        return word;
      }
      case 'meta1':
        if (c === QUOTE) return this.#quoted('meta2', 'MNAME', true);
        return CLASS[c]! & 8 ? this.#name(16, 'meta2', 'MNAME') : 'INVALID';
      case 'meta2': {
        if (c !== SPACE) return 'INVALID';
        const newline = bytes.indexOf(NEWLINE, this.at);
        if (newline < 0 || newline >= end) return 'INVALID';
        this.at = newline + 1;
        this.state = 'init';
        return 'TEXT';
      }
      case 'labels':
        return this.#inBraces(c, 'value', 'labelValue');
      case 'exemplar':
        return this.#inBraces(c, 'exemplarValue', 'exemplarValue');
      case 'labelValue':
        return c === QUOTE ? this.#quoted('labels', 'LVALUE', false) : 'INVALID';
      case 'value':
        return c === 123 ? this.#take(1, 'labels', 'BOPEN') : this.#word('timestamp', 'VALUE');
      case 'exemplarValue':
        return c === QUOTE ? this.#quoted('exemplar', 'LVALUE', false) : this.#word('exemplarTimestamp', 'VALUE');
      case 'timestamp':
        if (c === NEWLINE) return this.#take(1, 'init', 'LINEBREAK');
        if (c === SPACE && bytes[this.at + 1] === HASH && bytes[this.at + 2] === SPACE && bytes[this.at + 3] === 123)
          return this.#take(4, 'exemplar', 'COMMENT');
        return this.#word('timestamp', 'TIMESTAMP');
      default:
        if (c === NEWLINE) return this.#take(1, 'init', 'LINEBREAK');
        return this.#word('exemplarTimestamp', 'TIMESTAMP');
    }
  }

  #inBraces(c: number, afterBrace: State, afterEqual: State): Token {
    if (CLASS[c]! & 2) return this.#name(4, this.state, 'LNAME');
    if (c === QUOTE) return this.#quoted(this.state, 'QSTRING', this.state === 'labels');
    if (c === 125) return this.#take(1, afterBrace, 'BCLOSE');
    if (c === 61) return this.#take(1, afterEqual, 'EQUAL');
    return c === 44 ? this.#take(1, this.state, 'COMMA') : 'INVALID';
  }

  #take(length: number, state: State, token: Token): Token {
    this.at += length;
    this.state = state;
    return token;
  }

  #name(bit: number, state: State, token: Token): Token {
    while (this.at < this.end && CLASS[this.bytes[this.at]!]! & bit) this.at++;
    this.state = state;
    return token;
  }

  /** One space, then everything up to a blank or the end of the line. */
  #word(state: State, token: Token): Token {
    const { bytes, end } = this;
    if (bytes[this.at] !== SPACE) return 'INVALID';
    let at = this.at + 1;
    while (at < end && bytes[at] !== SPACE && bytes[at] !== NEWLINE) at++;
    if (at === this.at + 1) return 'INVALID';
    this.at = at;
    this.state = state;
    return token;
  }

  #quoted(state: State, token: Token, linebreaks: boolean): Token {
    const { bytes, end } = this;
    for (let at = this.at + 1; at < end; at++) {
      const c = bytes[at]!;
      if (c === QUOTE) {
        this.at = at + 1;
        this.state = state;
        return token;
      }
      if (c === BACKSLASH) {
        at++;
        if (bytes[at] === NEWLINE) return 'INVALID';
      } else if (c === NEWLINE && !linebreaks) return 'INVALID';
    }
    return 'INVALID';
  }

  #keyword(): 'HELP' | 'TYPE' | 'UNIT' | 'EOFWORD' | undefined {
    const { bytes, at } = this;
    const is = (word: string) => {
      for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return false;
      return at + word.length <= this.end;
    };
    if (is('HELP')) return 'HELP';
    if (is('TYPE')) return 'TYPE';
    if (!this.isOpenMetrics) return undefined;
    return is('UNIT') ? 'UNIT' : is('EOF') ? 'EOFWORD' : undefined;
  }
}
