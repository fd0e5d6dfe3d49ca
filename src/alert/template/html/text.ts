// One step of a context through a template's text, attribute values included: those are decoded before the rules of what
// they contain apply.

import { goQuote } from '../quote.ts';
import { type Context, failed, TEXT } from './context.ts';
import { type Step, specialTagEnd, TRANSITIONS } from './transition.ts';

const VALUE_END = { delimDoubleQuote: /"/, delimSingleQuote: /'/, delimSpaceOrTagEnd: /[ \t\n\f\r>]/ };

export function contextAfterText(c: Context, s: string): Step {
  if (c.delim === 'delimNone') {
    const [after, end] = specialTagEnd(c, s);
    if (end === 0) return [after, 0];
    return TRANSITIONS[c.state](c, s.slice(0, end));
  }
  const found = s.search(VALUE_END[c.delim]);
  const end = found < 0 ? s.length : found;
  if (c.delim === 'delimSpaceOrTagEnd') {
    const bad = s.slice(0, end).search(/["'<=`]/);
    if (bad >= 0) return [failed(`${goQuote(s[bad]!)} in unquoted attr: ${goQuote(s.slice(0, end))}`), s.length];
  }
  if (end === s.length) {
    let context = c;
    for (let rest = decodeEntities(s); rest !== ''; ) {
      const [next, consumed] = TRANSITIONS[context.state](context, rest);
      context = next;
      rest = rest.slice(consumed);
    }
    return [context, s.length];
  }
  const otherScript = c.state === 'stateAttr' && c.element === 'elementScript' && c.attr === 'attrScriptType';
  const element = otherScript && !isJsType(s.slice(0, end)) ? 'elementNone' : c.element;
  return [{ ...TEXT, state: 'stateTag', element }, c.delim === 'delimSpaceOrTagEnd' ? end : end + 1];
}

const JS_TYPES = new Set([
  'application/ecmascript',
  'application/javascript',
  'application/json',
  'application/ld+json',
  'application/x-ecmascript',
  'application/x-javascript',
  'module',
  'text/ecmascript',
  'text/javascript',
  'text/javascript1.0',
  'text/javascript1.1',
  'text/javascript1.2',
  'text/javascript1.3',
  'text/javascript1.4',
  'text/javascript1.5',
  'text/jscript',
  'text/livescript',
  'text/x-ecmascript',
  'text/x-javascript',
]);

const isJsType = (mimeType: string): boolean => JS_TYPES.has(mimeType.toLowerCase().split(';')[0]!.trim());

/** Names of entities that stand for ASCII, which alone can end a string or a comment. */
const ENTITIES: Readonly<Record<string, string>> = {
  Tab: '\t',
  NewLine: '\n',
  excl: '!',
  quot: '"',
  QUOT: '"',
  num: '#',
  dollar: '$',
  percnt: '%',
  amp: '&',
  AMP: '&',
  apos: "'",
  lpar: '(',
  rpar: ')',
  ast: '*',
  midast: '*',
  plus: '+',
  comma: ',',
  period: '.',
  sol: '/',
  colon: ':',
  semi: ';',
  lt: '<',
  LT: '<',
  equals: '=',
  gt: '>',
  GT: '>',
  quest: '?',
  commat: '@',
  lsqb: '[',
  lbrack: '[',
  bsol: '\\',
  rsqb: ']',
  rbrack: ']',
  Hat: '^',
  lowbar: '_',
  UnderBar: '_',
  grave: '`',
  DiacriticalGrave: '`',
  lcub: '{',
  lbrace: '{',
  verbar: '|',
  vert: '|',
  VerticalLine: '|',
  rcub: '}',
  rbrace: '}',
};

function decodeEntities(text: string): string {
  return text.replace(
    /&(?:#(\d+)|#[xX]([0-9a-fA-F]+)|(\w+));?/g,
    (all, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name]! : all;
      const code = decimal === undefined ? Number.parseInt(hex!, 16) : Number(decimal);
      return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) ? String.fromCodePoint(code) : '\ufffd';
    },
  );
}
