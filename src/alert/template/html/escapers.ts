// How a value is written into each place of an HTML document. The escaper appends these to pipelines; text that is known
// to be safe for its place (SafeText) goes through.

import { escapeHtml, type FunctionTable } from '../builtins.ts';
import { goJson } from '../json.ts';
import { sprint } from '../print.ts';
import { type GoFunction, GoObject, isNil, type SafeKind, SafeText, type Value } from '../value.ts';
import { attrType } from './attributes.ts';
import { decodeCss, escapeCss, isSafeCssValue } from './css.ts';
import { stripTags } from './strip.ts';

/** What stands where a value would have been dangerous. */
const FAILSAFE = 'ZgotmplZ';

/** What would begin or end a placeholder of a template literal. */
const TEMPLATE_LITERAL = '{$}';

function stringify(args: readonly Value[]): { text: string; safe: SafeKind | undefined } {
  if (args.length === 1) {
    const [only] = args;
    if (typeof only === 'string') return { text: only, safe: undefined };
    if (only instanceof SafeText) return { text: only.content, safe: only.kind };
  }
  return { text: sprint(args.filter((arg) => !isNil(arg))), safe: undefined };
}

const escaper = (call: (text: string, safe: SafeKind | undefined) => string): GoFunction => ({
  params: ['interface {}'],
  variadic: true,
  call: (...args) => {
    const { text, safe } = stringify(args);
    return call(text, safe);
  },
});

export const HTML_FUNCTIONS: FunctionTable = {
  _html_template_htmlescaper: escaper((text, safe) => (safe === 'HTML' ? text : replaceHtml(text))),
  _html_template_rcdataescaper: escaper((text, safe) => (safe === 'HTML' ? normalizeHtml(text) : replaceHtml(text))),
  _html_template_attrescaper: escaper((text, safe) =>
    safe === 'HTML' ? normalizeHtml(stripTags(text)) : replaceHtml(text),
  ),
  _html_template_nospaceescaper: escaper((text, safe) => {
    if (text === '') return FAILSAFE;
    return safe === 'HTML' ? nospaceHtml(stripTags(text), false) : nospaceHtml(text, true);
  }),
  _html_template_commentescaper: escaper(() => ''),
  _html_template_htmlnamefilter: escaper(filterName),
  _html_template_cssescaper: escaper(escapeCss),
  _html_template_cssvaluefilter: escaper((text, safe) => {
    if (safe === 'CSS') return text;
    const decoded = decodeCss(text);
    return isSafeCssValue(decoded) ? decoded : FAILSAFE;
  }),
  _html_template_jsvalescaper: { params: ['interface {}'], variadic: true, call: (...args) => jsValue(args) },
  _html_template_jsstrescaper: escaper((text, safe) => replaceJs(text, safe !== 'JSStr', '')),
  _html_template_jstmpllitescaper: escaper((text) => replaceJs(text, true, TEMPLATE_LITERAL)),
  _html_template_jsregexpescaper: escaper((text) => (text === '' ? '(?:)' : replaceJsRegexp(text))),
  _html_template_urlescaper: escaper((text, safe) => encodeUrl(text, safe === 'URL')),
  _html_template_urlnormalizer: escaper((text) => encodeUrl(text, true)),
  _html_template_urlfilter: escaper((text, safe) => (safe === 'URL' || isSafeUrl(text) ? text : `#${FAILSAFE}`)),
  _html_template_srcsetescaper: escaper(srcset),
  _eval_args_: { params: ['interface {}'], variadic: true, call: (...args) => sprint(args) },
};

// HTML.

const replaceHtml = (text: string): string => escapeHtml(text).replaceAll('+', '&#43;');

/** As `replaceHtml`, but what is escaped already stays. */
const normalizeHtml = (text: string): string =>
  text.replace(/["'+<>\0]/g, (char) => (char === '\0' ? '\ufffd' : char === '+' ? '&#43;' : escapeHtml(char)));

/** For values without quotes. */
function nospaceHtml(text: string, ampersand: boolean): string {
  return text.replace(/[\0\t\n\v\f\r "&'+<=>`\ufdd0-\ufdef\ufff0-\uffff]/g, (char) => {
    if (char === '&' && !ampersand) return char;
    if (char === '\0') return '&#xfffd;';
    if (char > '\x7f') return `&#x${char.charCodeAt(0).toString(16)};`;
    if (char === '&' || char === '<' || char === '>') return escapeHtml(char);
    return `&#${char.charCodeAt(0)};`;
  });
}

function filterName(text: string, safe: SafeKind | undefined): string {
  if (safe === 'HTMLAttr') return text;
  const name = text.toLowerCase();
  return /^[a-z0-9]+$/.test(name) && attrType(name) === 'plain' ? name : FAILSAFE;
}

// JavaScript.

function jsValue(args: readonly Value[]): string {
  let value: Value = args.length === 1 ? args[0] : sprint(args);
  if (value instanceof SafeText) {
    if (value.kind === 'JS') return value.content;
    if (value.kind === 'JSStr') return `"${value.content}"`;
    value = value.content;
  } else if (value instanceof GoObject && value.goType !== 'time.Time') value = value.text() ?? value;
  let json: string;
  try {
    json = goJson(value);
  } catch (error) {
    return ` /* ${(error as Error).message.replaceAll('*/', '* /')} */null `;
  }
  // A name or number must not run into a keyword beside it.
  const identifier = /[$\w]/;
  return identifier.test(json[0]!) || identifier.test(json.at(-1)!) ? ` ${json} ` : json;
}

const JS_NAMED: Readonly<Record<string, string>> = {
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
  '\0': '\\u0000',
  '\v': '\\u000b',
  '/': '\\/',
  '\\': '\\\\',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};
const jsHex = (char: string): string => `\\u00${char.charCodeAt(0).toString(16).padStart(2, '0')}`;

function replaceJs(text: string, backslash: boolean, more: string): string {
  return text.replace(/[\0\t\n\v\f\r"&'+/<>\\`${}\u2028\u2029]/g, (char) => {
    if (char === '\\' && !backslash) return char;
    if (TEMPLATE_LITERAL.includes(char) && !more.includes(char)) return char;
    return JS_NAMED[char] ?? jsHex(char);
  });
}

function replaceJsRegexp(text: string): string {
  return text.replace(/[\0\t\n\v\f\r"$&'()*+\-./<>?[\\\]^{|}\u2028\u2029]/g, (char) => {
    if ('"&\'+<>'.includes(char)) return jsHex(char);
    return JS_NAMED[char] ?? `\\${char}`;
  });
}

// URLs.

function isSafeUrl(text: string): boolean {
  const protocol = /^([^:/]*):/.exec(text)?.[1];
  return protocol === undefined || /^(https?|mailto)$/i.test(protocol);
}

/** Percent-encodes; `keep` leaves what has a meaning in URLs, and escapes that are there already. */
function encodeUrl(text: string, keep: boolean): string {
  const bytes = Buffer.from(text);
  let out = '';
  for (let i = 0; i < bytes.length; i++) {
    const char = String.fromCharCode(bytes[i]!);
    if (/[-.\w~]/.test(char)) out += char;
    else if (keep && '!#$&*+,/:;=?@[]'.includes(char)) out += char;
    else if (keep && char === '%' && /^[0-9a-fA-F]{2}/.test(bytes.toString('latin1', i + 1, i + 3))) out += char;
    else out += `%${bytes[i]!.toString(16).padStart(2, '0')}`;
  }
  return out;
}

function srcset(text: string, safe: SafeKind | undefined): string {
  if (safe === 'Srcset') return text;
  if (safe === 'URL') return encodeUrl(text, true).replaceAll(',', '%2c');
  const image = /^([\t\n\f\r ]*)([^\t\n\f\r ]*)([\t\n\f\r a-zA-Z0-9]*)$/;
  return text
    .split(',')
    .map((part) => {
      const match = image.exec(part);
      if (!match || !isSafeUrl(match[2]!)) return `#${FAILSAFE}`;
      return match[1]! + encodeUrl(match[2]!, true) + match[3]!;
    })
    .join(',');
}
