// Matchers as Alertmanager's users write them: `severity=~"warn.*"`, `{a="b", "ü" != c}`. The grammar allows any UTF-8 name;
// what it refuses but the older grammar takes (`foo=`, a value with an unescaped quote inside braces) is read by the older one, as
// upstream does while both are in use.

import { UserError } from '#base/errors.ts';
import { compileRegex } from '#base/regex/regex.ts';
import type { Matcher, MatchType } from '#model/matcher.ts';

/** Which grammar counts: the newer one with the older one behind it, or only one of them. */
export type MatcherMode = 'fallback' | 'utf8-strict' | 'classic';

/** One or more matchers, braces optional. Throws with upstream's wording. */
export const parseMatchers = (input: string, mode: MatcherMode = 'fallback'): Matcher[] =>
  parseIn(input, mode, parseModern, parseClassic);

/** Exactly one matcher, without braces. */
export function parseMatcher(input: string, mode: MatcherMode = 'fallback'): Matcher {
  if (mode !== 'classic' && (input.startsWith('{') || input.endsWith('}')))
    throw new UserError(`unexpected open or close brace: ${input}`);
  const parseOne = (text: string): Matcher[] => {
    const matchers = parseModern(text);
    if (matchers.length === 1) return matchers;
    throw new UserError(matchers.length === 0 ? 'no matchers' : `expected 1 matcher, found ${matchers.length}`);
  };
  return parseIn(input, mode, parseOne, (text) => [classicMatcher(text)])[0]!;
}

type Parse = (input: string) => Matcher[];

/** Where both grammars count, the older one has the last word on what both take, and its error is shown for what neither does. */
function parseIn(input: string, mode: MatcherMode, modern: Parse, classic: Parse): Matcher[] {
  if (mode === 'classic') return checked(classic(input));
  if (mode === 'utf8-strict') return checked(modern(input));
  let found: Matcher[] | undefined;
  try {
    found = checked(modern(input));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  try {
    return checked(classic(input));
  } catch (error) {
    if (found && error instanceof UserError) return found;
    throw error;
  }
}

function checked(matchers: Matcher[]): Matcher[] {
  for (const { type, value } of matchers) if (type === '=~' || type === '!~') compileRegex(value);
  return matchers;
}

/** Whether a label may have this name. */
export const isLabelName = (name: string, mode: MatcherMode): boolean =>
  mode === 'classic' ? CLASSIC_NAME.test(name) : name !== '' && name.isWellFormed();

export const CLASSIC_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

type TokenKind = 'open' | 'close' | 'comma' | 'operator' | 'quoted' | 'plain';
type Token = { readonly kind: TokenKind; readonly text: string; readonly from: number; readonly to: number };

const RESERVED = /[\s{}!=~,\\'"`]/;

/** Columns count code points, as upstream's messages do. */
function tokenize(input: string): Token[] {
  const points = [...input];
  const tokens: Token[] = [];
  let at = 0;
  const take = (kind: TokenKind, length: number) => {
    tokens.push({ kind, text: points.slice(at, at + length).join(''), from: at, to: at + length });
    at += length;
  };
  while (at < points.length) {
    const point = points[at]!;
    if (/\s/.test(point)) at++;
    else if (point === '{') take('open', 1);
    else if (point === '}') take('close', 1);
    else if (point === ',') take('comma', 1);
    else if (point === '=') take('operator', points[at + 1] === '~' ? 2 : 1);
    else if (point === '!') {
      if (points[at + 1] !== '=' && points[at + 1] !== '~') {
        const next = points[at + 1];
        throw new UserError(
          next === undefined
            ? `${at}:${at + 1}: unexpected end of input, expected one of '=~'`
            : `${at}:${at + 1}: !: expected one of '=~'`,
        );
      }
      take('operator', 2);
    } else if (point === '"') {
      let end = at + 1;
      while (end < points.length && points[end] !== '"') end += points[end] === '\\' ? 2 : 1;
      if (end >= points.length)
        throw new UserError(`${at}:${points.length}: ${points.slice(at).join('')}: missing end "`);
      take('quoted', end + 1 - at);
    } else if (!RESERVED.test(point)) {
      let end = at;
      while (end < points.length && !RESERVED.test(points[end]!)) end++;
      take('plain', end - at);
    } else throw new UserError(`${at}:${at + 1}: ${point}: invalid input`);
  }
  return tokens;
}

function parseModern(input: string): Matcher[] {
  const tokens = tokenize(input);
  const matchers: Matcher[] = [];
  let at = 0;
  const expect = (kinds: readonly TokenKind[], otherwise: string): Token => {
    const token = tokens[at];
    if (!token) throw new UserError(`end of input: ${otherwise}`);
    if (!kinds.includes(token.kind))
      throw new UserError(`${token.from}:${token.to}: unexpected ${token.text}: ${otherwise}`);
    at++;
    return token;
  };
  const hasOpen = tokens[0]?.kind === 'open';
  if (hasOpen) at++;
  while (at < tokens.length && tokens[at]!.kind !== 'close') {
    const name = unquote(expect(['quoted', 'plain'], 'expected label name'));
    const operator = expect(['operator'], "expected an operator such as '=', '!=', '=~' or '!~'").text as MatchType;
    const value = unquote(expect(['quoted', 'plain'], 'expected label value'));
    matchers.push({ type: operator, name, value });
    if (at === tokens.length || tokens[at]!.kind === 'close') break;
    expect(['comma'], 'expected a comma or close brace');
  }
  const close = tokens[at];
  if (hasOpen) expect(['close'], 'expected close brace');
  else if (close) throw new UserError(`0:${close.to}: }: expected opening brace`);
  const rest = tokens[at];
  if (rest) throw new UserError(`${rest.from}:${rest.to}: ${rest.text}: expected end of input`);
  return matchers;
}

function unquote(token: Token): string {
  if (token.kind === 'plain') return token.text;
  try {
    return unescapeGo(token.text.slice(1, -1));
  } catch {
    throw new UserError(`${token.from}:${token.to}: ${token.text}: invalid input`);
  }
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

/** The escapes of a Go string literal. */
function unescapeGo(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.|$)/gs, (_, code: string) => {
    const simple = SIMPLE_ESCAPES[code];
    if (simple !== undefined) return simple;
    if (/^[xuU]./.test(code)) return String.fromCodePoint(Number.parseInt(code.slice(1), 16));
    if (/^[0-7]{3}$/.test(code)) return String.fromCodePoint(Number.parseInt(code, 8));
    throw new UserError('invalid escape');
  });
}

const CLASSIC = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!~|!=|=)\s*([\s\S]*?)\s*$/;

const parseClassic = (input: string): Matcher[] => splitClassic(input.trim()).map(classicMatcher);

function classicMatcher(text: string): Matcher {
  const match = CLASSIC.exec(text);
  if (!match) throw new UserError(`bad matcher format: ${text}`);
  return { type: match[2] as MatchType, name: match[1]!, value: classicValue(match[3]!) };
}

function splitClassic(text: string): string[] {
  const inner = text.replace(/^\{/, '').replace(/\}$/, '');
  const parts: string[] = [];
  let current = '';
  let isQuoted = false;
  for (let i = 0; i < inner.length; i++) {
    const character = inner[i]!;
    if (character === '\\' && i + 1 < inner.length) {
      current += character + inner[++i]!;
      continue;
    }
    if (character === '"') isQuoted = !isQuoted;
    if (character === ',' && !isQuoted) {
      parts.push(current);
      current = '';
    } else current += character;
  }
  return current.trim() === '' ? parts : [...parts, current];
}

function classicValue(raw: string): string {
  const isQuoted = raw.startsWith('"');
  const refuse = () => new UserError(`matcher value contains unescaped double quote: ${raw}`);
  if (isQuoted && (raw.length < 2 || !raw.endsWith('"') || /(?<!\\)(?:\\\\)*\\"$/.test(raw))) throw refuse();
  const body = isQuoted ? raw.slice(1, -1) : raw;
  if (/(?<!\\)(?:\\\\)*"/.test(body)) throw refuse();
  return body.replace(/\\([n"\\])/g, (_, code: string) => (code === 'n' ? '\n' : code));
}
