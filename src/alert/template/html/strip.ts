// The text of HTML without its tags and comments: what of trusted HTML may stand in an attribute.

import { type Context, TEXT } from './context.ts';
import { TRANSITIONS } from './transition.ts';

const IN_TAG = new Set(['stateTag', 'stateAttrName', 'stateAfterName', 'stateBeforeValue', 'stateAttr']);
const DELIM_END = { delimDoubleQuote: /"/, delimSingleQuote: /'/, delimSpaceOrTagEnd: /[ \t\n\f\r>]/ };

export function stripTags(html: string): string {
  let c: Context = TEXT;
  let rest = html;
  let out = '';
  while (rest !== '') {
    if (c.delim === 'delimNone') {
      const state = c.element !== 'elementNone' && !IN_TAG.has(c.state) ? 'stateRCDATA' : c.state;
      const [next, consumed] = TRANSITIONS[state](c, rest);
      if (c.state === 'stateText' || c.state === 'stateRCDATA' || state === 'stateRCDATA') {
        const piece = rest.slice(0, consumed);
        const tagStart = next.state === c.state ? -1 : piece.lastIndexOf('<');
        out += tagStart < 0 ? piece : piece.slice(0, tagStart);
      }
      rest = rest.slice(consumed);
      c = next;
    } else {
      const end = rest.search(DELIM_END[c.delim]);
      if (end < 0) break;
      rest = rest.slice(c.delim === 'delimSpaceOrTagEnd' ? end : end + 1);
      c = { ...TEXT, state: 'stateTag', element: c.element };
    }
  }
  return out;
}
