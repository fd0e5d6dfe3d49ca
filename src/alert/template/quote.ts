// Go's string literals, both ways.

const SHORT: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
};
const PRINTABLE = /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

export const isPrintable = (rune: string): boolean => PRINTABLE.test(rune);

/** `"..."` with what cannot be printed escaped; `asciiOnly` escapes everything above ASCII too. */
export function goQuote(text: string, mark = '"', asciiOnly = false): string {
  let out = mark;
  for (const rune of text) {
    const code = rune.codePointAt(0)!;
    if (rune === mark) out += `\\${mark}`;
    else if (SHORT[rune] !== undefined) out += SHORT[rune];
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (code < 0x7f || (!asciiOnly && isPrintable(rune))) out += rune;
    else if (code > 0xffff) out += `\\U${code.toString(16).padStart(8, '0')}`;
    else out += `\\u${code.toString(16).padStart(4, '0')}`;
  }
  return out + mark;
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

/** The value of a literal in double, single or back quotes; undefined when it is none. */
export function unquote(literal: string): string | undefined {
  const mark = literal[0];
  const body = literal.slice(1, -1);
  if (literal.length < 2 || literal.at(-1) !== mark) return undefined;
  if (mark === '`') return body.includes('`') ? undefined : body.replaceAll('\r', '');
  if (mark !== '"' && mark !== "'") return undefined;
  if (!body.includes('\\')) return body;
  const bytes: number[] = [];
  const pattern = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(["'abfnrtv\\]))|[^\\]+/gy;
  let at = 0;
  while (at < body.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(body);
    if (!match) return undefined;
    const [all, hex, short, long, octal, simple] = match;
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (octal !== undefined) {
      if (Number.parseInt(octal, 8) > 255) return undefined;
      bytes.push(Number.parseInt(octal, 8));
    } else if (short !== undefined || long !== undefined) {
      const code = Number.parseInt((short ?? long)!, 16);
      if (code > 0x10ffff) return undefined;
      bytes.push(...Buffer.from(String.fromCodePoint(code)));
    } else if (simple !== undefined) {
      if ((simple === '"' || simple === "'") && simple !== mark) return undefined;
      bytes.push(...Buffer.from(ESCAPES[simple] ?? simple));
    } else bytes.push(...Buffer.from(all));
    at = pattern.lastIndex;
  }
  return Buffer.from(bytes).toString();
}
