// How text moves the context: each function consumes a piece from the front of a text in one state and gives the
// context after it.

import { goQuote } from '../quote.ts';
import { attrType } from './attributes.ts';
import {
  ATTR_START,
  type Attr,
  type Context,
  type Element,
  failed,
  type JsContext,
  type State,
  TEXT,
} from './context.ts';
import { decodeCss, endsWithCssKeyword } from './css.ts';

/** The context after `consumed` characters. */
export type Step = readonly [context: Context, consumed: number];

type Transition = (c: Context, s: string) => Step;

export const TRANSITIONS: Readonly<Record<State, Transition>> = {
  stateText: text,
  stateTag: tag,
  stateAttrName: attrName,
  stateAfterName: afterName,
  stateBeforeValue: beforeValue,
  stateHTMLCmt: (c, s) => {
    const end = s.indexOf('-->');
    return end < 0 ? [c, s.length] : [TEXT, end + 3];
  },
  stateRCDATA: specialTagEnd,
  stateAttr: (c, s) => [c, s.length],
  stateURL: url,
  stateSrcset: url,
  stateJS: js,
  stateJSDqStr: (c, s) => jsDelimited(c, s, /[\\"]/g),
  stateJSSqStr: (c, s) => jsDelimited(c, s, /[\\']/g),
  stateJSTmplLit: jsTemplate,
  stateJSRegexp: (c, s) => jsDelimited(c, s, /[\\/[\]]/g),
  stateJSBlockCmt: (c, s) => blockComment(c, s, 'stateJS'),
  stateJSLineCmt: (c, s) => lineComment(c, s, /[\n\r\u2028\u2029]/, 'stateJS'),
  stateJSHTMLOpenCmt: (c, s) => lineComment(c, s, /[\n\r\u2028\u2029]/, 'stateJS'),
  stateJSHTMLCloseCmt: (c, s) => lineComment(c, s, /[\n\r\u2028\u2029]/, 'stateJS'),
  stateCSS: css,
  stateCSSDqStr: (c, s) => cssString(c, s, /[\\"]/g),
  stateCSSSqStr: (c, s) => cssString(c, s, /[\\']/g),
  stateCSSDqURL: (c, s) => cssString(c, s, /[\\"]/g),
  stateCSSSqURL: (c, s) => cssString(c, s, /[\\']/g),
  stateCSSURL: (c, s) => cssString(c, s, /[\\\t\n\f\r )]/g),
  stateCSSBlockCmt: (c, s) => blockComment(c, s, 'stateCSS'),
  stateCSSLineCmt: (c, s) => lineComment(c, s, /[\n\f\r]/, 'stateCSS'),
  stateError: (c, s) => [c, s.length],
  stateDead: (c, s) => [c, s.length],
};

const search = (pattern: RegExp, s: string, from: number): number => {
  pattern.lastIndex = from;
  return pattern.exec(s)?.index ?? -1;
};

const ELEMENTS: Readonly<Record<string, Element>> = {
  script: 'elementScript',
  style: 'elementStyle',
  textarea: 'elementTextarea',
  title: 'elementTitle',
};
const ELEMENT_CONTENT: Readonly<Record<Element, State>> = {
  elementNone: 'stateText',
  elementScript: 'stateJS',
  elementStyle: 'stateCSS',
  elementTextarea: 'stateRCDATA',
  elementTitle: 'stateRCDATA',
};

// Markup.

function text(c: Context, s: string): Step {
  let from = 0;
  for (;;) {
    let i = s.indexOf('<', from);
    if (i < 0 || i + 1 === s.length) return [c, s.length];
    if (s.startsWith('<!--', i)) return [{ ...TEXT, state: 'stateHTMLCmt' }, i + 4];
    i++;
    let end = false;
    if (s[i] === '/') {
      if (i + 1 === s.length) return [c, s.length];
      end = true;
      i++;
    }
    const name = /^[a-zA-Z][a-zA-Z0-9]*(?:[:-][a-zA-Z0-9]+)*/.exec(s.slice(i))?.[0] ?? '';
    if (name !== '') {
      const element = end ? 'elementNone' : (ELEMENTS[name.toLowerCase()] ?? 'elementNone');
      return [{ ...TEXT, state: 'stateTag', element }, i + name.length];
    }
    from = i;
  }
}

const skipSpace = (s: string): number => /^[ \t\n\f\r]*/.exec(s)![0].length;

/** The length of the attribute name that a text begins with, or why it begins with none. */
function eatAttrName(all: string, from: number): number | string {
  const s = all.slice(from);
  const end = s.search(/[ \t\n\f\r=>'"<]/);
  if (end < 0) return s.length;
  if (!`'"<`.includes(s[end]!)) return end;
  return `${goQuote(s[end]!)} in attribute name: ${goQuote(all.slice(0, 32))}`;
}

const ATTRS: Readonly<Record<string, Attr>> = {
  url: 'attrURL',
  css: 'attrStyle',
  js: 'attrScript',
  srcset: 'attrSrcset',
};

function tag(c: Context, s: string): Step {
  const i = skipSpace(s);
  if (i === s.length) return [c, s.length];
  if (s[i] === '>') return [{ ...TEXT, state: ELEMENT_CONTENT[c.element], element: c.element }, i + 1];
  const length = eatAttrName(s, i);
  if (typeof length === 'string') return [failed(length), s.length];
  if (length === 0) {
    return [failed(`expected space, attr name, or end of tag, but got ${goQuote(s.slice(i))}`), s.length];
  }
  const end = i + length;
  const name = s.slice(i, end).toLowerCase();
  const attr =
    c.element === 'elementScript' && name === 'type' ? 'attrScriptType' : (ATTRS[attrType(name)] ?? 'attrNone');
  const state = end === s.length ? 'stateAttrName' : 'stateAfterName';
  return [{ ...TEXT, state, element: c.element, attr }, end];
}

function attrName(c: Context, s: string): Step {
  const length = eatAttrName(s, 0);
  if (typeof length === 'string') return [failed(length), s.length];
  return [length === s.length ? c : { ...c, state: 'stateAfterName' }, length];
}

function afterName(c: Context, s: string): Step {
  const i = skipSpace(s);
  if (i === s.length) return [c, s.length];
  return s[i] === '=' ? [{ ...c, state: 'stateBeforeValue' }, i + 1] : [{ ...c, state: 'stateTag' }, i];
}

function beforeValue(c: Context, s: string): Step {
  const i = skipSpace(s);
  if (i === s.length) return [c, s.length];
  const state = ATTR_START[c.attr];
  if (s[i] === "'") return [{ ...c, state, delim: 'delimSingleQuote' }, i + 1];
  if (s[i] === '"') return [{ ...c, state, delim: 'delimDoubleQuote' }, i + 1];
  return [{ ...c, state, delim: 'delimSpaceOrTagEnd' }, i];
}

const TAG_END: Readonly<Record<Element, RegExp | undefined>> = {
  elementNone: undefined,
  elementScript: /<\/script[> \t\n\f/]/i,
  elementStyle: /<\/style[> \t\n\f/]/i,
  elementTextarea: /<\/textarea[> \t\n\f/]/i,
  elementTitle: /<\/title[> \t\n\f/]/i,
};

/** Up to the tag that closes a script, style, textarea or title. */
export function specialTagEnd(c: Context, s: string): Step {
  const end = TAG_END[c.element];
  // A "</script" inside a string or comment of the script ends it too.
  const at = end ? s.search(end) : -1;
  return at < 0 ? [c, s.length] : [TEXT, at];
}

// URLs.

function url(c: Context, s: string): Step {
  if (/[#?]/.test(s)) return [{ ...c, urlPart: 'urlPartQueryOrFrag' }, s.length];
  if (skipSpace(s) !== s.length && c.urlPart === 'urlPartNone') return [{ ...c, urlPart: 'urlPartPreQuery' }, s.length];
  return [c, s.length];
}

// JavaScript.

const REGEXP_KEYWORDS =
  /(?:^|[^$\w])(?:break|case|continue|delete|do|else|finally|in|instanceof|return|throw|try|typeof|void)$/;

/** What a slash would begin after a run of tokens. */
function jsContextAfter(s: string, before: JsContext): JsContext {
  const tokens = s.replace(/[\t\n\f\r \u2028\u2029]+$/, '');
  if (tokens === '') return before;
  const last = tokens.at(-1)!;
  if (last === '+' || last === '-') {
    const run = /(\++|-+)$/.exec(tokens)![0].length;
    return run % 2 === 1 ? 'jsCtxRegexp' : 'jsCtxDivOp';
  }
  if (last === '.') return /[0-9]\.$/.test(tokens) ? 'jsCtxDivOp' : 'jsCtxRegexp';
  if (',<>=*%&|^?!~([:;{}'.includes(last)) return 'jsCtxRegexp';
  return REGEXP_KEYWORDS.test(tokens) ? 'jsCtxRegexp' : 'jsCtxDivOp';
}

function js(c: Context, s: string): Step {
  const i = s.search(/["`'/{}<\-#]/);
  if (i < 0) return [{ ...c, jsContext: jsContextAfter(s, c.jsContext) }, s.length];
  const jsContext = jsContextAfter(s.slice(0, i), c.jsContext);
  const here = { ...c, jsContext };
  const into = (state: State, consumed = 1): Step => [{ ...here, state }, i + consumed];
  switch (s[i]) {
    case '"':
      return [{ ...c, state: 'stateJSDqStr', jsContext: 'jsCtxRegexp' }, i + 1];
    case "'":
      return [{ ...c, state: 'stateJSSqStr', jsContext: 'jsCtxRegexp' }, i + 1];
    case '`':
      return [{ ...c, state: 'stateJSTmplLit', jsContext: 'jsCtxRegexp' }, i + 1];
    case '/':
      if (s[i + 1] === '/') return into('stateJSLineCmt', 2);
      if (s[i + 1] === '*') return into('stateJSBlockCmt', 2);
      if (jsContext === 'jsCtxRegexp') return into('stateJSRegexp');
      if (jsContext === 'jsCtxDivOp') return [{ ...c, jsContext: 'jsCtxRegexp' }, i + 1];
      return [failed(`'/' could start a division or regexp: ${goQuote(s.slice(i, i + 32))}`), s.length];
    case '<':
      if (s.startsWith('<!--', i)) return into('stateJSHTMLOpenCmt', 4);
      break;
    case '-':
      if (s.startsWith('-->', i)) return into('stateJSHTMLCloseCmt', 3);
      break;
    case '#':
      if (s[i + 1] === '!') return into('stateJSLineCmt', 2);
      break;
    case '{':
    case '}':
      return jsBrace(here, s[i]!, i + 1);
  }
  return [{ ...here, jsContext: jsContextAfter(s.slice(0, i + 1), jsContext) }, i + 1];
}

/** Braces count only inside `${...}` of a template literal; the one too many closes it. */
function jsBrace(c: Context, brace: string, consumed: number): Step {
  const after: Context = { ...c, jsContext: 'jsCtxRegexp' };
  if (c.jsBraces === '') return [after, consumed];
  const depths = c.jsBraces.split(',').map(Number);
  const depth = depths.pop()! + (brace === '{' ? 1 : -1);
  if (depth < 0) return [{ ...c, state: 'stateJSTmplLit', jsBraces: depths.join(',') }, consumed];
  return [{ ...after, jsBraces: [...depths, depth].join(',') }, consumed];
}

function jsTemplate(c: Context, s: string): Step {
  let from = 0;
  for (;;) {
    const i = search(/[`\\$]/g, s, from);
    if (i < 0) return [c, s.length];
    from = i + 1;
    if (s[i] === '`') return [{ ...c, state: 'stateJS', jsContext: 'jsCtxDivOp' }, i + 1];
    if (s[i] === '\\') {
      from++;
      if (i + 1 === s.length) return [failed(`unfinished escape sequence in JS string: ${goQuote(s)}`), s.length];
    } else if (s[i + 1] === '{') {
      const jsBraces = c.jsBraces === '' ? '0' : `${c.jsBraces},0`;
      return [{ ...c, state: 'stateJS', jsContext: 'jsCtxRegexp', jsBraces }, i + 2];
    }
  }
}

function jsDelimited(c: Context, s: string, specials: RegExp): Step {
  let from = 0;
  let inCharset = false;
  for (;;) {
    const i = search(specials, s, from);
    if (i < 0) break;
    from = i + 1;
    if (s[i] === '\\') {
      from++;
      if (i + 1 === s.length) return [failed(`unfinished escape sequence in JS string: ${goQuote(s)}`), s.length];
    } else if (s[i] === '[') inCharset = true;
    else if (s[i] === ']') inCharset = false;
    else if (!inCharset) return [{ ...c, state: 'stateJS', jsContext: 'jsCtxDivOp' }, i + 1];
  }
  if (inCharset) return [failed(`unfinished JS regexp charset: ${goQuote(s)}`), s.length];
  return [c, s.length];
}

function blockComment(c: Context, s: string, after: State): Step {
  const end = s.indexOf('*/');
  return end < 0 ? [c, s.length] : [{ ...c, state: after }, end + 2];
}

function lineComment(c: Context, s: string, ends: RegExp, after: State): Step {
  const end = s.search(ends);
  return end < 0 ? [c, s.length] : [{ ...c, state: after }, end];
}

// CSS.

function css(c: Context, s: string): Step {
  let from = 0;
  for (;;) {
    const i = search(/[("'/]/g, s, from);
    if (i < 0) return [c, s.length];
    from = i + 1;
    switch (s[i]) {
      case '(':
        if (endsWithCssKeyword(s.slice(0, i).replace(/[\t\n\f\r ]+$/, ''), 'url')) {
          const start = i + 1 + skipSpace(s.slice(i + 1));
          if (s[start] === '"') return [{ ...c, state: 'stateCSSDqURL' }, start + 1];
          if (s[start] === "'") return [{ ...c, state: 'stateCSSSqURL' }, start + 1];
          return [{ ...c, state: 'stateCSSURL' }, start];
        }
        break;
      case '/':
        if (s[i + 1] === '/') return [{ ...c, state: 'stateCSSLineCmt' }, i + 2];
        if (s[i + 1] === '*') return [{ ...c, state: 'stateCSSBlockCmt' }, i + 2];
        break;
      case '"':
        return [{ ...c, state: 'stateCSSDqStr' }, i + 1];
      case "'":
        return [{ ...c, state: 'stateCSSSqStr' }, i + 1];
    }
  }
}

function cssString(c: Context, s: string, specials: RegExp): Step {
  let context = c;
  let from = 0;
  for (;;) {
    const i = search(specials, s, from);
    if (i < 0) return [url(context, decodeCss(s.slice(from)))[0], s.length];
    from = i + 1;
    if (s[i] !== '\\') return [{ ...context, state: 'stateCSS' }, i + 1];
    from++;
    if (i + 1 === s.length) return [failed(`unfinished escape sequence in CSS string: ${goQuote(s)}`), s.length];
    context = url(context, decodeCss(s.slice(0, from)))[0];
  }
}
