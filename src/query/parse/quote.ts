// Go's string and character literals, both ways: how Prometheus' messages quote text, and what the quoted strings of a
// PromQL expression mean.

import { quote } from '#model/labels.ts';

/** A Go string literal; bytes that are no UTF-8 (see unquote) as \xNN. */
export const goQuote = (text: string): string => quote(text).replace(/\\udc([89a-f][0-9a-f])/g, '\\x$1');

/** A character as Go's %q prints it. */
export function goChar(c: string): string {
  if (c === "'") return "'\\''";
  if (c === '"') return `'"'`;
  return `'${goQuote(c).slice(1, -1)}'`;
}

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Bytes that are no UTF-8 become lone surrogates U+DC80..U+DCFF, so that they are told apart and can be shown. */
function decode(bytes: readonly number[]): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch {
    return bytes.map((byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)).join('');
  }
}

/** Whether a name is UTF-8 and not empty. */
export const isValidLabelName = (name: string): boolean => name !== '' && name.isWellFormed();

/** The value of a quoted string whose escapes the lexer has checked. Bytes given one by one form UTF-8. */
export function unquote(literal: string): string {
  const body = literal.slice(1, -1);
  if (literal[0] === '`' || !body.includes('\\')) return body;
  const bytes: number[] = [];
  let text = '';
  const flush = () => {
    if (bytes.length > 0) text += decode(bytes);
    bytes.length = 0;
  };
  for (let i = 0; i < body.length; i++) {
    const c = body[i]!;
    if (c !== '\\') {
      flush();
      text += c;
      continue;
    }
    const kind = body[++i]!;
    if (kind === 'x') {
      bytes.push(Number.parseInt(body.slice(i + 1, i + 3), 16));
      i += 2;
    } else if (kind >= '0' && kind <= '7') {
      bytes.push(Number.parseInt(body.slice(i, i + 3), 8));
      i += 2;
    } else {
      flush();
      if (kind === 'u' || kind === 'U') {
        const length = kind === 'u' ? 4 : 8;
        text += String.fromCodePoint(Number.parseInt(body.slice(i + 1, i + 1 + length), 16));
        i += length;
      } else text += SIMPLE[kind] ?? kind;
    }
  }
  flush();
  return text;
}
