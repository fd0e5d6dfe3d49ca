// What the SQL sources share: Grafana's macros for each dialect, the guard that lets only reading statements through, the
// tables a statement names (for allow-lists), and rows made into frames.

import { OperatingError, UserError } from '#base/errors.ts';
import { type Cell, type Field, type Frame, kindOf } from '../frame.ts';
import { MAX_ROWS, type Source, type SourceQuery } from './source.ts';

export type SqlDialect = 'mysql' | 'postgres' | 'clickhouse';

type Span = { readonly fromMs: number; readonly toMs: number; readonly intervalMs: number };

const iso = (ms: number) => new Date(Math.floor(ms)).toISOString();
const seconds = (ms: number) => String(Math.floor(ms / 1000));

function literal(dialect: SqlDialect, ms: number): string {
  switch (dialect) {
    case 'mysql':
      return `FROM_UNIXTIME(${seconds(ms)})`;
    case 'postgres':
      return `'${iso(ms)}'`;
    case 'clickhouse':
      return `toDateTime(${seconds(ms)})`;
  }
}

function toEpoch(dialect: SqlDialect, column: string): string {
  return {
    mysql: `UNIX_TIMESTAMP(${column})`,
    postgres: `extract(epoch from ${column})`,
    clickhouse: `toUnixTimestamp(${column})`,
  }[dialect];
}

function group(dialect: SqlDialect, column: string, step: number): string {
  switch (dialect) {
    case 'mysql':
      return `UNIX_TIMESTAMP(${column}) DIV ${step} * ${step}`;
    case 'postgres':
      return `floor(extract(epoch from ${column})/${step})*${step}`;
    case 'clickhouse':
      return `toStartOfInterval(toDateTime(${column}), INTERVAL ${step} second)`;
  }
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  M: 2_592_000,
  y: 31_536_000,
};

function stepOf(text: string | undefined, span: Span): number {
  const bare = (text ?? '').trim().replace(/^'|'$/g, '');
  const match = /^(\d+(?:\.\d+)?)(ms|[smhdwMy])$/.exec(bare);
  if (match) return Math.max(1, Math.round(Number(match[1]) * UNITS[match[2]!]!));
  return Math.max(1, Math.round(span.intervalMs / 1000));
}

type Macro = (args: readonly string[], dialect: SqlDialect, span: Span) => string;
const column = (args: readonly string[], name: string): string => {
  if (!args[0]) throw new UserError(`cannot run the query: ${name} needs a column`);
  return args[0];
};

const MACROS: Readonly<Record<string, Macro>> = {
  __time: (args, dialect) =>
    dialect === 'mysql'
      ? `UNIX_TIMESTAMP(${column(args, '$__time')}) as time_sec`
      : `${column(args, '$__time')} AS "time"`,
  __timeEpoch: (args, dialect) =>
    `${toEpoch(dialect, column(args, '$__timeEpoch'))} as ${dialect === 'mysql' ? 'time_sec' : '"time"'}`,
  __timeFilter: (args, dialect, span) =>
    `${column(args, '$__timeFilter')} BETWEEN ${literal(dialect, span.fromMs)} AND ${literal(dialect, span.toMs)}`,
  __timeFrom: (_, dialect, span) => literal(dialect, span.fromMs),
  __timeTo: (_, dialect, span) => literal(dialect, span.toMs),
  __fromTime: (_, dialect, span) => literal(dialect, span.fromMs),
  __toTime: (_, dialect, span) => literal(dialect, span.toMs),
  __timeGroup: (args, dialect, span) => group(dialect, column(args, '$__timeGroup'), stepOf(args[1], span)),
  __timeGroupAlias: (args, dialect, span) =>
    `${group(dialect, column(args, '$__timeGroupAlias'), stepOf(args[1], span))} AS "time"`,
  __timeInterval: (args, dialect, span) => group(dialect, column(args, '$__timeInterval'), stepOf(undefined, span)),
  __interval_s: (_, __, span) => String(stepOf(undefined, span)),
  __unixEpochFilter: (args, _, span) =>
    `${column(args, '$__unixEpochFilter')} >= ${seconds(span.fromMs)} AND ${args[0]} <= ${seconds(span.toMs)}`,
  __unixEpochNanoFilter: (args, _, span) =>
    `${column(args, '$__unixEpochNanoFilter')} >= ${seconds(span.fromMs)}000000000 AND ${args[0]} <= ${seconds(span.toMs)}000000000`,
  __unixEpochFrom: (_, __, span) => seconds(span.fromMs),
  __unixEpochTo: (_, __, span) => seconds(span.toMs),
  __unixEpochGroup: (args, dialect, span) =>
    epochGroup(column(args, '$__unixEpochGroup'), dialect, stepOf(args[1], span)),
  __unixEpochGroupAlias: (args, dialect, span) =>
    `${epochGroup(column(args, '$__unixEpochGroupAlias'), dialect, stepOf(args[1], span))} AS "time"`,
};

const epochGroup = (name: string, dialect: SqlDialect, step: number) =>
  dialect === 'mysql' ? `${name} DIV ${step} * ${step}` : `floor((${name})/${step})*${step}`;

/** Replaces every `$__macro(...)`; parentheses inside arguments are respected. */
export function expandMacros(sql: string, dialect: SqlDialect, span: Span): string {
  let out = '';
  let at = 0;
  for (const match of sql.matchAll(/\$(__\w+)/g)) {
    if (match.index < at) continue;
    const macro = MACROS[match[1]!];
    if (!macro) continue;
    const end = match.index + match[0].length;
    const args = sql[end] === '(' ? argumentsAt(sql, end) : { list: [], end };
    out += sql.slice(at, match.index) + macro(args.list, dialect, span);
    at = args.end;
  }
  return out + sql.slice(at);
}

function argumentsAt(sql: string, open: number): { list: string[]; end: number } {
  const list: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let i = open; i < sql.length; i++) {
    const char = sql[i];
    if (char === '(') depth++;
    else if (char === ')' && --depth === 0) {
      const last = sql.slice(from, i).trim();
      if (last !== '' || list.length > 0) list.push(last);
      return { list, end: i + 1 };
    } else if (char === ',' && depth === 1) {
      list.push(sql.slice(from, i).trim());
      from = i + 1;
    }
  }
  throw new UserError('cannot run the query: a macro lacks its closing parenthesis');
}

/** SQL without comments and with the inside of literals blanked, for looking at its words. */
function skeleton(sql: string): string {
  return sql.replace(/\/\*[\s\S]*?\*\/|--[^\n]*|#[^\n]*|'(?:[^'\\]|\\.|'')*'|\$(\w*)\$[\s\S]*?\$\1\$/g, (part) =>
    part.startsWith("'") || part.startsWith('$') ? "''" : ' ',
  );
}

const READING = /^\s*\(*\s*(select|with|show|describe|desc|explain|table|values)\b/i;
const WRITING =
  /\b(insert|update|delete|drop|alter|create|truncate|grant|revoke|replace|merge|call|exec|execute|copy|attach|detach|optimize|rename|kill|lock|unlock|set|into\s+(?:out|dump)file)\b(?!\s*[=<>,.()])/i;
const DANGEROUS =
  /\b(load_file|pg_read_file|pg_read_binary_file|pg_ls_dir|pg_sleep|sleep|benchmark|lo_import|lo_export|dblink|file|url|remote|s3|mysql|postgresql)\s*\(/i;

/** Refuses anything that is not one reading statement. The databases are told to read only as well. */
export function guardReading(sql: string): string {
  const bare = skeleton(sql)
    .replace(/"(?:[^"\\]|\\.)*"|`[^`]*`/g, '""')
    .trim()
    .replace(/;+\s*$/, '');
  if (bare === '') throw new UserError('cannot run the query: it is empty');
  if (bare.includes(';')) throw new UserError('cannot run the query: only one statement is allowed');
  if (!READING.test(bare))
    throw new UserError(
      'cannot run the query: only statements that read are allowed (SELECT, WITH, SHOW, DESCRIBE, EXPLAIN)',
    );
  const writing = WRITING.exec(bare) ?? DANGEROUS.exec(bare);
  if (writing) throw new UserError(`cannot run the query: "${writing[1]}" is not allowed in a statement that reads`);
  return sql.trim().replace(/;+\s*$/, '');
}

/** Names after FROM and JOIN, without quotes; common table expressions are not tables. */
export function tablesOf(sql: string): string[] {
  const bare = skeleton(sql);
  const own = new Set(
    [...bare.matchAll(/(?:\bwith|,)\s+(?:recursive\s+)?(\w+)\s+as\s*\(/gi)].map((match) => match[1]!.toLowerCase()),
  );
  const found = new Set<string>();
  for (const match of bare.matchAll(
    /\b(?:from|join)\s+((?:[`"]?[\w$-]+[`"]?\.)*[`"]?[\w$-]+[`"]?(?:\s*(?:as\s+)?\w*\s*,\s*(?:[`"]?[\w$-]+[`"]?\.)*[`"]?[\w$-]+[`"]?)*)/gi,
  )) {
    for (const part of match[1]!.split(',')) {
      const name = part.trim().split(/\s+/)[0]!.replace(/[`"]/g, '').toLowerCase();
      if (name !== '' && !own.has(name)) found.add(name);
    }
  }
  return [...found];
}

export function guardTables(source: Source, sql: string): void {
  if (!source.allow) return;
  const allowed = source.allow.map((one) => one.toLowerCase());
  for (const table of tablesOf(sql)) {
    if (!allowed.includes(table) && !allowed.includes(table.split('.').at(-1)!))
      throw new UserError(
        `cannot run the query: table "${table}" is not among those that data source "${source.name}" allows`,
      );
  }
}

export const prepare = (source: Source, query: SourceQuery, dialect: SqlDialect): string => {
  const sql = guardReading(expandMacros(query.expr, dialect, query));
  guardTables(source, sql);
  return sql;
};

function cell(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Date) return value.getTime();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  return JSON.stringify(value);
}

/** Columns of an answer; texts that databases use for exact numbers become numbers. */
export function toFrame(
  ref: string,
  names: readonly string[],
  rows: readonly (readonly unknown[])[],
  isNumber: (column: number) => boolean,
): Frame {
  if (rows.length > MAX_ROWS)
    throw new OperatingError(
      'too_many_rows',
      `cannot show the answer: it has more than ${MAX_ROWS} rows; narrow or aggregate the query`,
    );
  const fields = names.map((name, index): Field => {
    const isTime = rows.some((row) => row[index] instanceof Date);
    const values = rows.map((row) => {
      const value = cell(row[index]);
      return isNumber(index) && typeof value === 'string' && value !== '' ? Number(value) : value;
    });
    const kind = isTime ? 'time' : kindOf(values);
    const isEpoch = kind === 'number' && /^(time|time_sec)$/i.test(name);
    return isEpoch ? { name, kind: 'time', values: values.map(epochMs) } : { name, kind, values };
  });
  return { ref, fields };
}

/** Seconds become milliseconds; numbers of that size are no milliseconds of our century. */
const epochMs = (value: Cell): Cell => (typeof value === 'number' && Math.abs(value) < 1e11 ? value * 1000 : value);

/** One frame per combination of text columns: the long form of time series made into series. */
export function toSeries(frame: Frame): Frame[] {
  const time = frame.fields.find((field) => field.kind === 'time');
  const texts = frame.fields.filter((field) => field.kind === 'string');
  const numbers = frame.fields.filter((field) => field.kind === 'number');
  if (!time || numbers.length === 0) return [frame];
  const groups = new Map<string, number[]>();
  const order = [...time.values.keys()]
    .filter((row) => typeof time.values[row] === 'number')
    .sort((a, b) => Number(time.values[a]) - Number(time.values[b]));
  for (const row of order) {
    const key = JSON.stringify(texts.map((field) => field.values[row]));
    const rows = groups.get(key);
    if (rows) rows.push(row);
    else groups.set(key, [row]);
  }
  return [...groups].flatMap(([key, rows]) => {
    const labels = Object.fromEntries(
      (JSON.parse(key) as (string | null)[]).map((value, index) => [texts[index]!.name, String(value ?? '')]),
    );
    return numbers.map((field): Frame => {
      const legend =
        Object.keys(labels).length > 0
          ? [Object.values(labels).join(' '), ...(numbers.length > 1 ? [field.name] : [])].join(' ')
          : field.name;
      return {
        ref: frame.ref,
        fields: [
          { ...time, values: rows.map((row) => time.values[row]!) },
          { ...field, labels, legend, values: rows.map((row) => field.values[row] ?? null) },
        ],
      };
    });
  });
}
