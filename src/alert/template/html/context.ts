// Where in an HTML document a template's text stands: inside a tag, an attribute, a script, a style, a URL. The escaper
// follows it through the text and chooses from it how the next value must be written.

export type State =
  | 'stateText'
  | 'stateTag'
  | 'stateAttrName'
  | 'stateAfterName'
  | 'stateBeforeValue'
  | 'stateHTMLCmt'
  | 'stateRCDATA'
  | 'stateAttr'
  | 'stateURL'
  | 'stateSrcset'
  | 'stateJS'
  | 'stateJSDqStr'
  | 'stateJSSqStr'
  | 'stateJSTmplLit'
  | 'stateJSRegexp'
  | 'stateJSBlockCmt'
  | 'stateJSLineCmt'
  | 'stateJSHTMLOpenCmt'
  | 'stateJSHTMLCloseCmt'
  | 'stateCSS'
  | 'stateCSSDqStr'
  | 'stateCSSSqStr'
  | 'stateCSSDqURL'
  | 'stateCSSSqURL'
  | 'stateCSSURL'
  | 'stateCSSBlockCmt'
  | 'stateCSSLineCmt'
  | 'stateError'
  | 'stateDead';

export type Delim = 'delimNone' | 'delimDoubleQuote' | 'delimSingleQuote' | 'delimSpaceOrTagEnd';
export type UrlPart = 'urlPartNone' | 'urlPartPreQuery' | 'urlPartQueryOrFrag' | 'urlPartUnknown';
/** What a slash would begin. */
export type JsContext = 'jsCtxRegexp' | 'jsCtxDivOp' | 'jsCtxUnknown';
export type Attr = 'attrNone' | 'attrScript' | 'attrScriptType' | 'attrStyle' | 'attrURL' | 'attrSrcset';
export type Element = 'elementNone' | 'elementScript' | 'elementStyle' | 'elementTextarea' | 'elementTitle';

/** Why a template cannot be escaped; `position` is filled in where the node is known. */
export type EscapeProblem = { readonly reason: string; readonly position?: string };

export type Context = {
  readonly state: State;
  readonly delim: Delim;
  readonly urlPart: UrlPart;
  readonly jsContext: JsContext;
  /** Open braces in each `${...}` of nested JavaScript template literals, as digits separated by commas. */
  readonly jsBraces: string;
  readonly attr: Attr;
  readonly element: Element;
  readonly problem?: EscapeProblem;
};

export const TEXT: Context = {
  state: 'stateText',
  delim: 'delimNone',
  urlPart: 'urlPartNone',
  jsContext: 'jsCtxRegexp',
  jsBraces: '',
  attr: 'attrNone',
  element: 'elementNone',
};

export const DEAD: Context = { ...TEXT, state: 'stateDead' };

export const failed = (reason: string, position?: string): Context => ({
  ...TEXT,
  state: 'stateError',
  problem: position === undefined ? { reason } : { reason, position },
});

/** The same for equal contexts; also what names the copy of a template that starts in this context. */
export const contextKey = (c: Context): string =>
  [c.state, c.delim, c.urlPart, c.jsContext, c.jsBraces, c.attr, c.element].join('_');

export const sameContext = (a: Context, b: Context): boolean =>
  contextKey(a) === contextKey(b) && a.problem === b.problem;

export const formatContext = (c: Context): string =>
  `{${c.state} ${c.delim} ${c.urlPart} ${c.jsContext} ${c.attr} ${c.element} <nil>}`;

export const isComment = (state: State): boolean => state.endsWith('Cmt');

export const ATTR_START: Readonly<Record<Attr, State>> = {
  attrNone: 'stateAttr',
  attrScript: 'stateJS',
  attrScriptType: 'stateAttr',
  attrStyle: 'stateCSS',
  attrURL: 'stateURL',
  attrSrcset: 'stateSrcset',
};

/** The context after what takes no text: `<a href=` is before a value, the value that follows is inside it. */
export function nudge(c: Context): Context {
  switch (c.state) {
    case 'stateTag':
      return { ...c, state: 'stateAttrName' };
    case 'stateBeforeValue':
      return { ...c, state: ATTR_START[c.attr], delim: 'delimSpaceOrTagEnd', attr: 'attrNone' };
    case 'stateAfterName':
      return { ...c, state: 'stateAttrName', attr: 'attrNone' };
    default:
      return c;
  }
}

/** One context for two branches, or an error when they end in places too different. */
export function join(a: Context, b: Context, what: string, position: string): Context {
  if (a.state === 'stateError') return a;
  if (b.state === 'stateError') return b;
  if (a.state === 'stateDead') return b;
  if (b.state === 'stateDead') return a;
  if (sameContext(a, b)) return a;
  if (sameContext({ ...a, urlPart: b.urlPart }, b)) return { ...a, urlPart: 'urlPartUnknown' };
  if (sameContext({ ...a, jsContext: b.jsContext }, b)) return { ...a, jsContext: 'jsCtxUnknown' };
  const [c, d] = [nudge(a), nudge(b)];
  if (!(sameContext(a, c) && sameContext(b, d))) {
    const joined = join(c, d, what, position);
    if (joined.state !== 'stateError') return joined;
  }
  const reason = `{{${what}}} branches end in different contexts: ${formatContext(a)}, ${formatContext(b)}`;
  return failed(reason, position);
}
