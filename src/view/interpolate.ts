// Variables in queries, titles and links: `$name`, `${name:format}`, `[[name]]`, with all of Grafana's formats and the
// built-in ones ($__interval, $__rate_interval, $__range, $__from ...). Portable.

export type Value = {
  readonly values: readonly string[];
  readonly texts?: readonly string[];
  readonly isAll?: boolean;
  readonly allValue?: string;
  readonly multi?: boolean;
  /** One of the values that a panel or row is repeated over. */
  readonly repeated?: boolean;
};
export type Scope = Readonly<Record<string, Value>>;

/** How a variable without a format is written, by where it stands. */
export type Dialect = 'prometheus' | 'sql' | 'lucene' | 'text';

const NAME = /\$(\w+)|\$\{(\w+)(?:\.([\w.]+))?(?::([^}]+))?\}|\[\[(\w+)(?::(\w+))?\]\]/g;

export function interpolate(template: string, scope: Scope, dialect: Dialect = 'text'): string {
  return template.replace(NAME, (whole, plain, braced, path, format, bracketed, oldFormat) => {
    const value = scope[plain ?? braced ?? bracketed];
    if (!value) return whole;
    if (path !== undefined) return value.values[0] ?? '';
    return formatVariable(value, format ?? oldFormat, dialect, plain ?? braced ?? bracketed);
  });
}

export function usesVariable(template: string, name: string): boolean {
  for (const match of template.matchAll(NAME)) if ((match[1] ?? match[2] ?? match[5]) === name) return true;
  return false;
}

export const escapeRegex = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
/** A regex inside a PromQL string literal: every backslash twice. */
const promRegex = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\\\$&');
const promQuote = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
const sqlQuote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const lucene = (text: string): string => text.replace(/([!*+\-=<>&|()[\]{}^~?:\\/"])/g, '\\$1');

export function formatVariable(value: Value, format: string | undefined, dialect: Dialect, name: string): string {
  if (value.isAll && value.allValue !== undefined && value.allValue !== '' && format !== 'text') return value.allValue;
  const { values } = value;
  const many = values.length > 1;
  const first = values[0] ?? '';
  switch (format) {
    case undefined:
      return byDialect(value, dialect);
    case 'raw':
    case 'csv':
      return values.join(',');
    case 'distributed':
      return values.map((one, index) => (index === 0 ? one : `${name}=${one}`)).join(',');
    case 'doublequote':
      return values.map((one) => `"${one.replaceAll('"', '\\"')}"`).join(',');
    case 'singlequote':
      return values.map((one) => `'${one.replaceAll("'", "\\'")}'`).join(',');
    case 'sqlstring':
      return values.map(sqlQuote).join(',');
    case 'glob':
      return many ? `{${values.join(',')}}` : first;
    case 'json':
      return JSON.stringify(many ? values : first);
    case 'lucene':
      return many ? `(${values.map((one) => `"${lucene(one)}"`).join(' OR ')})` : lucene(first);
    case 'percentencode':
      return encodeURIComponent(many ? `{${values.join(',')}}` : first);
    case 'queryparam':
      return values.map((one) => `var-${name}=${encodeURIComponent(one)}`).join('&');
    case 'pipe':
      return values.join('|');
    case 'regex':
      return many ? `(${values.map(escapeRegex).join('|')})` : escapeRegex(first);
    case 'text':
      return (value.texts ?? values).join(' + ');
    default:
      if (format.startsWith('date')) return formatDate(first, format.slice(5));
      return byDialect(value, dialect);
  }
}

function byDialect(value: Value, dialect: Dialect): string {
  const { values } = value;
  const first = values[0] ?? '';
  if (values.length === 0) return dialect === 'sql' && value.multi ? "''" : '';
  switch (dialect) {
    case 'prometheus':
      if (!value.multi && values.length <= 1) return promQuote(first);
      return values.length === 1 ? promRegex(first) : `(${values.map(promRegex).join('|')})`;
    case 'sql':
      return value.multi || values.length > 1 ? values.map(sqlQuote).join(',') : first.replaceAll("'", "''");
    case 'lucene':
      return values.length > 1 ? `(${values.map((one) => `"${lucene(one)}"`).join(' OR ')})` : first;
    default:
      return values.join(',');
  }
}

function formatDate(text: string, format: string): string {
  const ms = Number(text);
  if (!Number.isFinite(ms)) return text;
  const date = new Date(ms);
  if (format === 'seconds') return String(Math.floor(ms / 1000));
  if (format === '' || format === 'iso') return date.toISOString();
  const two = (n: number) => String(n).padStart(2, '0');
  const parts: Record<string, string> = {
    YYYY: String(date.getFullYear()),
    YY: two(date.getFullYear() % 100),
    MM: two(date.getMonth() + 1),
    DD: two(date.getDate()),
    HH: two(date.getHours()),
    mm: two(date.getMinutes()),
    ss: two(date.getSeconds()),
    SSS: String(date.getMilliseconds()).padStart(3, '0'),
  };
  return format.replace(/YYYY|SSS|YY|MM|DD|HH|mm|ss/g, (part) => parts[part]!);
}

export type Moment = {
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalMs: number;
  /** The scrape interval the rate interval is built on. */
  readonly scrapeMs: number;
};

/** The built-in variables for one query. */
export function builtIns(moment: Moment, extra: Readonly<Record<string, string>> = {}): Scope {
  const rangeMs = moment.toMs - moment.fromMs;
  const rateMs = Math.max(moment.intervalMs + moment.scrapeMs, 4 * moment.scrapeMs);
  const texts: Record<string, string> = {
    __interval: span(moment.intervalMs),
    __interval_ms: String(Math.round(moment.intervalMs)),
    interval: span(moment.intervalMs),
    __rate_interval: span(rateMs),
    __rate_interval_ms: String(Math.round(rateMs)),
    __range: `${Math.max(1, Math.round(rangeMs / 1000))}s`,
    __range_s: String(Math.max(1, Math.round(rangeMs / 1000))),
    __range_ms: String(Math.round(rangeMs)),
    __from: String(Math.round(moment.fromMs)),
    __to: String(Math.round(moment.toMs)),
    ...extra,
  };
  return Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, { values: [value] }]));
}

/** Whole units where they fit: 90000 is '90s', 60000 is '1m'. */
function span(ms: number): string {
  const whole = Math.max(1, Math.round(ms));
  if (whole % 1000 !== 0) return `${whole}ms`;
  const seconds = whole / 1000;
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const)
    if (seconds % size === 0) return `${seconds / size}${unit}`;
  return `${seconds}s`;
}

/** A regex of a variable as Grafana reads it: plain or `/pattern/flags`; groups `text` and `value` name parts. */
export function applyVariableRegex(
  found: readonly string[],
  regex: string | undefined,
): { text: string; value: string }[] {
  if (regex === undefined || regex === '') return found.map((one) => ({ text: one, value: one }));
  const slashed = /^\/(.*)\/([gimsuy]*)$/s.exec(regex);
  let pattern: RegExp;
  try {
    pattern = new RegExp(slashed ? slashed[1]! : `^(?:${regex})$`, slashed ? slashed[2]!.replace('g', '') : '');
  } catch {
    return found.map((one) => ({ text: one, value: one }));
  }
  return found.flatMap((one) => {
    const match = pattern.exec(one);
    if (!match) return [];
    const value = match.groups?.value ?? match.groups?.text ?? match[1] ?? one;
    return [{ text: match.groups?.text ?? value, value }];
  });
}
