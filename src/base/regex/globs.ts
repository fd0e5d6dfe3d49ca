// Regular expressions that are a few sequences of plain text, single characters and wildcards, as nearly all label matchers are:
// "(a|b)-.*", "5..", "/api/(items|u.+)". They are spelled out into such sequences, which are matched without an engine.

const STAR = { star: true } as const;
/** Plain text, one character (of a set, where there is one), or any number of them. */
type Piece = { readonly text: string } | { readonly one: ((code: number) => boolean) | undefined } | typeof STAR;

export type Glob = readonly Piece[];

/** More alternatives than this are left to the engine. */
const MAX_GLOBS = 200;
const SPECIAL = /[.+*?()|[\]{}^$\\]/;
const ESCAPED_PLAIN = /[^a-zA-Z0-9]/;

/** All sequences that a pattern stands for, or undefined if it is more than that. The pattern must be valid. */
export function globsOf(pattern: string): readonly Glob[] | undefined {
  const parser = new Parser(pattern);
  const globs = parser.alternatives();
  return globs && parser.isAtEnd ? globs.map(joinTexts) : undefined;
}

class Parser {
  readonly #pattern: string;
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#pattern.length;
  }

  alternatives(): Glob[] | undefined {
    const all: Glob[] = [];
    for (;;) {
      const some = this.#sequence();
      if (!some) return undefined;
      all.push(...some);
      if (all.length > MAX_GLOBS) return undefined;
      if (this.#pattern[this.#at] !== '|') return all;
      this.#at++;
    }
  }

  #sequence(): Glob[] | undefined {
    let all: Glob[] = [[]];
    while (!this.isAtEnd && this.#pattern[this.#at] !== '|' && this.#pattern[this.#at] !== ')') {
      const next = this.#item();
      if (!next || all.length * next.length > MAX_GLOBS) return undefined;
      all = all.flatMap((before) => next.map((behind) => [...before, ...behind]));
    }
    return all;
  }

  /** Something with what may stand behind it. */
  #item(): Glob[] | undefined {
    const pattern = this.#pattern;
    const char = pattern[this.#at]!;
    let item: Glob[] | undefined;
    if (char === '(') item = this.#group();
    else if (char === '[') item = this.#set();
    else if (char === '\\') item = this.#escape();
    else if (char === '.') {
      this.#at++;
      item = [[{ one: undefined }]];
    } else if (!SPECIAL.test(char)) {
      const code = pattern.codePointAt(this.#at)!;
      const text = String.fromCodePoint(code);
      this.#at += text.length;
      item = [[{ text }]];
    }
    if (!item) return undefined;
    const behind = pattern[this.#at];
    if (behind === undefined || !'*+?{'.includes(behind)) return item;
    this.#at++;
    // "??", "+?" and the like match the same texts; "++" is an error.
    if (pattern[this.#at] === '?') this.#at++;
    if (behind === '?') return [...item, []];
    if (char !== '.' || behind === '{') return undefined;
    return behind === '*' ? [[STAR]] : [[{ one: undefined }, STAR]];
  }

  #group(): Glob[] | undefined {
    this.#at++;
    if (this.#pattern[this.#at] === '?') {
      if (this.#pattern[this.#at + 1] !== ':') return undefined;
      this.#at += 2;
    }
    const inner = this.alternatives();
    if (!inner || this.#pattern[this.#at] !== ')') return undefined;
    this.#at++;
    return inner;
  }

  #escape(): Glob[] | undefined {
    const char = this.#pattern[this.#at + 1];
    if (char === 'd') {
      this.#at += 2;
      return [[{ one: isDigit }]];
    }
    if (char === undefined || !ESCAPED_PLAIN.test(char) || char.charCodeAt(0) > 126) return undefined;
    this.#at += 2;
    return [[{ text: char }]];
  }

  /** A set of ASCII characters and ranges of them. */
  #set(): Glob[] | undefined {
    const match = /^\[(\^?)((?:[a-zA-Z0-9_ ./:,;@%&=~]|[a-zA-Z0-9]-[a-zA-Z0-9])+)(-?)\]/.exec(
      this.#pattern.slice(this.#at),
    );
    if (!match) return undefined;
    this.#at += match[0].length;
    const ranges: (readonly [number, number])[] = match[3] ? [[45, 45]] : [];
    const inner = match[2]!;
    for (let i = 0; i < inner.length; i++) {
      const from = inner.charCodeAt(i);
      const isRange = inner[i + 1] === '-' && i + 2 < inner.length;
      ranges.push([from, isRange ? inner.charCodeAt(i + 2) : from]);
      if (isRange) i += 2;
    }
    const isIn = (code: number) => ranges.some(([from, to]) => code >= from && code <= to);
    return [[{ one: match[1] ? (code: number) => !isIn(code) : isIn }]];
  }
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

function joinTexts(glob: Glob): Glob {
  const joined: Piece[] = [];
  for (const piece of glob) {
    const before = joined.at(-1);
    if ('text' in piece && before && 'text' in before) joined[joined.length - 1] = { text: before.text + piece.text };
    else if (!('star' in piece && before && 'star' in before)) joined.push(piece);
  }
  return joined;
}

/** The only text that a sequence matches. */
export const literalOf = (glob: Glob): string | undefined =>
  glob.length === 0 ? '' : glob.length === 1 && 'text' in glob[0]! ? glob[0].text : undefined;

/** What every match starts with. */
export const prefixOf = (glob: Glob): string => (glob[0] && 'text' in glob[0] ? glob[0].text : '');

/** Whether the whole text matches. Time is at most the product of both lengths. */
export function matchesGlob(glob: Glob, text: string): boolean {
  let piece = 0;
  let at = 0;
  /** Behind the last star, and how far it has taken the text. */
  let afterStar = -1;
  let taken = 0;
  for (;;) {
    const current = glob[piece];
    if (current === undefined && at === text.length) return true;
    if (current !== undefined && 'star' in current) {
      afterStar = ++piece;
      taken = at;
      if (piece === glob.length) return true;
      continue;
    }
    const length = current === undefined ? 0 : lengthAt(current, text, at);
    if (length > 0) {
      at += length;
      piece++;
      continue;
    }
    if (afterStar < 0 || taken >= text.length) return false;
    taken++;
    at = taken;
    piece = afterStar;
  }
}

/** How much of the text one piece takes; 0 if it does not match there. */
function lengthAt(piece: Exclude<Piece, typeof STAR>, text: string, at: number): number {
  if ('text' in piece) return text.startsWith(piece.text, at) ? piece.text.length : 0;
  const code = text.codePointAt(at);
  if (code === undefined || (piece.one && !piece.one(code))) return 0;
  return code > 0xffff ? 2 : 1;
}
