// CSS as the escaper needs it: names, escapes, and which values are harmless.

const isNameChar = (char: string): boolean => /[-\w]/.test(char) || char.charCodeAt(0) >= 0x80;

/** Whether a text ends with a keyword that is not the tail of a longer name. */
export function endsWithCssKeyword(text: string, keyword: string): boolean {
  const at = text.length - keyword.length;
  if (at < 0 || text.slice(at).toLowerCase() !== keyword) return false;
  return at === 0 || !isNameChar(text[at - 1]!);
}

/** A text without CSS escapes. */
export function decodeCss(text: string): string {
  return text.replace(/\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[\t\n\f\r ])?|([\s\S])|$)/g, (_, hex?: string, char?: string) => {
    if (hex === undefined) return char ?? '';
    const code = Number.parseInt(hex, 16);
    return code > 0x10ffff ? String.fromCodePoint(code >> 4) + (code & 15).toString(16) : String.fromCodePoint(code);
  });
}

/** Whether a text is a value of CSS that can neither end the declaration nor run code. */
export function isSafeCssValue(text: string): boolean {
  if (/["'()/;@[\\\]`{}<>\0]|--/.test(text)) return false;
  const name = text
    .replace(/[^-\w]/g, '')
    .toLowerCase()
    .replaceAll('-', '');
  return !name.includes('expression') && !name.includes('mozbinding');
}

const ESCAPED = /[\0\t\n\f\r"&'()+/:;<>\\{}]/g;

export function escapeCss(text: string): string {
  return text.replace(ESCAPED, (char, at: number) => {
    if (char === '\\') return '\\\\';
    // A hex digit or space after the escape would be read as a part of it.
    const next = text[at + 1];
    const separate = next === undefined || /[0-9a-fA-F\t\n\f\r ]/.test(next);
    return `\\${char.charCodeAt(0).toString(16)}${separate ? ' ' : ''}`;
  });
}
