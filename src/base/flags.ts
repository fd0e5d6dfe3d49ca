// The command line: a table of flags in, typed values out. Flags are written --name=value or --name value, booleans
// --name and --no-name; repeatable ones add up. Whatever is not in the table is refused with the nearest name that is.

import { UserError } from './errors.ts';
import { nearest } from './nearest.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts';

type Common = {
  readonly help: string;
  readonly hidden?: boolean;
  /** One letter: -q for --quiet. */
  readonly short?: string;
};
export type Flag = Common &
  (
    | {
        readonly kind: 'text';
        readonly default?: string;
        readonly values?: readonly string[];
        readonly placeholder?: string;
      }
    | { readonly kind: 'texts'; readonly default?: readonly string[]; readonly placeholder?: string }
    | { readonly kind: 'boolean'; readonly default?: boolean }
    | { readonly kind: 'integer' | 'number'; readonly default?: number; readonly min?: number }
    /** Milliseconds. */
    | { readonly kind: 'duration'; readonly default?: number }
    /** Bytes. */
    | { readonly kind: 'size'; readonly default?: number }
  );

export type FlagTable = Readonly<Record<string, Flag>>;

type ValueOf<F extends Flag> = F extends { kind: 'texts' }
  ? readonly string[]
  : F extends { kind: 'boolean' }
    ? boolean
    : F extends { kind: 'text' }
      ? F extends { default: string }
        ? string
        : string | undefined
      : F extends { default: number }
        ? number
        : number | undefined;

export type FlagValues<T extends FlagTable> = { readonly [K in keyof T]: ValueOf<T[K]> };

export type ParsedCommand<T extends FlagTable> = {
  readonly flags: FlagValues<T>;
  /** What is not a flag, in order. */
  readonly operands: readonly string[];
  /** Names of the flags that were given, as opposed to defaulted. */
  readonly given: ReadonlySet<string>;
};

export function parseFlags<const T extends FlagTable>(table: T, args: readonly string[]): ParsedCommand<T> {
  const values: Record<string, unknown> = {};
  const given = new Set<string>();
  const operands: string[] = [];
  const shorts = new Map(Object.entries(table).flatMap(([name, { short }]) => (short ? [[short, name] as const] : [])));
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--') {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      operands.push(arg);
      continue;
    }
    const equals = arg.indexOf('=');
    const plain = (equals < 0 ? arg : arg.slice(0, equals)).replace(/^--?/, '');
    const written = arg.startsWith('--') ? plain : (shorts.get(plain) ?? plain);
    const inline = equals < 0 ? undefined : arg.slice(equals + 1);
    const negated = !Object.hasOwn(table, written) && written.startsWith('no-');
    const name = negated ? written.slice(3) : written;
    const flag = Object.hasOwn(table, name) ? table[name] : undefined;
    if (!flag || (negated && flag.kind !== 'boolean')) throw unknownFlag(table, written);
    if (flag.kind === 'boolean') {
      if (given.has(name)) throw new UserError(`flag '${name}' cannot be repeated`);
      values[name] = negated ? rejectValue(written, inline) : inline === undefined ? true : readBoolean(name, inline);
      given.add(name);
      continue;
    }
    const text = inline ?? args[++i];
    if (text === undefined) throw new UserError(`expected a value after --${name}: ${expectation(flag)}`);
    const value = readValue(name, flag, text);
    if (flag.kind === 'texts') values[name] = [...((values[name] as string[]) ?? []), value];
    else if (given.has(name)) throw new UserError(`flag '${name}' cannot be repeated`);
    else values[name] = value;
    given.add(name);
  }
  for (const [name, flag] of Object.entries(table)) {
    if (!given.has(name))
      values[name] = flag.default ?? (flag.kind === 'texts' ? [] : flag.kind === 'boolean' ? false : undefined);
  }
  return { flags: values as FlagValues<T>, operands, given };
}

function unknownFlag(table: FlagTable, written: string): UserError {
  const names = Object.entries(table).flatMap(([name, flag]) =>
    flag.kind === 'boolean' ? [name, `no-${name}`] : [name],
  );
  const hint = nearest(written, names);
  return new UserError(`unknown flag --${written}${hint ? `, did you mean --${hint}?` : ''}`);
}

function rejectValue(name: string, value: string | undefined): false {
  if (value !== undefined) throw new UserError(`flag --${name} takes no value`);
  return false;
}

function readBoolean(name: string, text: string): boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw new UserError(`invalid value ${JSON.stringify(text)} of flag --${name}: expected true or false`);
}

function readValue(name: string, flag: Flag, text: string): unknown {
  const value = convert(flag, text);
  if (value === undefined)
    throw new UserError(`invalid value ${JSON.stringify(text)} of flag --${name}: expected ${expectation(flag)}`);
  return value;
}

function convert(flag: Flag, text: string): unknown {
  switch (flag.kind) {
    case 'text':
      return flag.values && !flag.values.includes(text) ? undefined : text;
    case 'texts':
      return text;
    case 'boolean':
      return text === 'true';
    case 'integer':
    case 'number': {
      const value = Number(text);
      const fits = text.trim() !== '' && (flag.kind === 'integer' ? Number.isInteger(value) : Number.isFinite(value));
      return fits && value >= (flag.min ?? -Infinity) ? value : undefined;
    }
    case 'duration':
      return parseDuration(text);
    case 'size':
      return parseSize(text);
  }
}

function expectation(flag: Flag): string {
  switch (flag.kind) {
    case 'text':
      return flag.values ? `one of ${flag.values.join(', ')}` : 'text';
    case 'texts':
      return 'text';
    case 'boolean':
      return 'true or false';
    case 'integer':
    case 'number': {
      const noun = flag.kind === 'integer' ? 'a whole number' : 'a number';
      return flag.min === undefined ? noun : `${noun} of ${flag.min} or more`;
    }
    case 'duration':
      return 'a duration such as 30s, 5m or 15d';
    case 'size':
      return 'a size such as 512MB';
  }
}

/** Values as Prometheus shows them of its own flags: durations and sizes with their units, lists with commas. */
export function flagTexts(table: FlagTable, values: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(table).map(([name, flag]) => {
      const value = values[name];
      switch (flag.kind) {
        case 'duration':
          return [name, formatDuration(Number(value ?? 0))];
        case 'size':
          return [name, formatSize(Number(value ?? 0))];
        case 'texts':
          return [name, ((value ?? []) as readonly string[]).join(',')];
        default:
          return [name, String(value ?? '')];
      }
    }),
  );
}

/** Arguments with every `@file` replaced by the lines of the file; lines that begin with # are left out. */
export function expandArguments(args: readonly string[], read: (file: string) => string): string[] {
  const end = args.indexOf('--');
  const own = end < 0 ? args : args.slice(0, end);
  const expanded = own.flatMap((arg) => {
    if (!arg.startsWith('@')) return [arg];
    const lines = read(arg.slice(1)).split(/\r?\n/);
    if (lines.at(-1) === '') lines.pop();
    return lines.filter((line) => !line.startsWith('#'));
  });
  return end < 0 ? expanded : [...expanded, ...args.slice(end)];
}

/** One entry a flag for --help: name, then text folded to the width. Hidden ones only when `all` are asked for. */
export function describeFlags(table: FlagTable, width: number, all = false): string {
  const lines: string[] = [];
  for (const [name, flag] of Object.entries(table)) {
    if (flag.hidden && !all) continue;
    lines.push(
      `  ${flag.short ? `-${flag.short}, ` : ''}--${flag.kind === 'boolean' ? `[no-]${name}` : `${name}=${defaultText(flag)}`}${flag.kind === 'texts' ? ' ...' : ''}`,
    );
    for (const line of fold(flag.help, width - 8)) lines.push(`        ${line}`);
  }
  return lines.join('\n');
}

function defaultText(flag: Flag): string {
  switch (flag.kind) {
    case 'text':
      return flag.default === undefined
        ? (flag.placeholder ?? (flag.values ? flag.values.join('|') : 'TEXT'))
        : JSON.stringify(flag.default);
    case 'texts':
      return flag.default?.join(',') ?? flag.placeholder ?? 'TEXT';
    case 'boolean':
      return String(flag.default ?? false);
    case 'integer':
    case 'number':
      return String(flag.default ?? 'N');
    case 'duration':
      return flag.default === undefined ? 'DURATION' : formatDuration(flag.default);
    case 'size':
      return flag.default === undefined ? 'SIZE' : formatSize(flag.default);
  }
}

function fold(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
