// A small schema language for configuration files. A schema turns a YAML node into a typed value or reports, at the node's
// position, what was expected. Unknown fields are errors that name the nearest known one. Rooms declare the schema of their
// own section next to the type it yields; every problem of a file is reported, not only the first.

import type * as yaml from 'yaml';
import type { Node } from 'yaml';
import type { Position } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { parseDuration, parseSize } from '../units.ts';

/** Collects problems while a document is read. */
export interface Reading {
  problem(node: Node | null | undefined, path: string, message: string): void;
  /** Notes a node whose value must never be displayed; `shown` stands in its place. */
  secret(node: Node, shown: string): void;
  /** Follows YAML aliases. */
  resolve(node: Node | null | undefined): Node | null | undefined;
  positionOf(node: Node | null | undefined): Position;
  /** What a node is. Asked here, so that threads which only declare schemas do without the YAML library. */
  readonly kinds: Pick<typeof yaml, 'isAlias' | 'isMap' | 'isScalar' | 'isSeq'>;
}

export interface Schema<T> {
  /** What is expected, for messages: "a duration such as 30s". */
  readonly expected: string;
  /** The value when the field is absent; undefined: the field may stay undefined only if `optional`. */
  readonly fallback?: () => T;
  readonly optional?: boolean;
  /** Reads a node; on a problem reports it and returns undefined. */
  read(node: Node, path: string, reading: Reading): T | undefined;
}

export type Infer<S> = S extends Schema<infer T> ? T : never;

function scalar<T>(expected: string, convert: (value: unknown, source: string) => T | undefined): Schema<T> {
  return {
    expected,
    read(node, path, reading) {
      if (reading.kinds.isScalar(node)) {
        if (isBinary(node, reading)) {
          const text = binaryText(node.source ?? String(node.value));
          if (text === undefined) {
            reading.problem(node, path, '!!binary value is not base64 of UTF-8 text');
            return undefined;
          }
          const value = convert(text, text);
          if (value !== undefined) return value;
        }
        const source = typeof node.source === 'string' ? node.source : String(node.value);
        const value = convert(node.value, source);
        if (value !== undefined) return value;
      }
      reading.problem(node, path, `expected ${expected}, got ${describe(node, reading)}`);
      return undefined;
    },
  };
}

const isBinary = (node: Node, { kinds }: Reading): boolean =>
  kinds.isScalar(node) && node.tag === 'tag:yaml.org,2002:binary';

/** Text that is written as base64; undefined when it is no base64 or no UTF-8. */
function binaryText(source: string): string | undefined {
  const base64 = source.replace(/\s/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}

/** Text. Numbers and booleans written without quotes are taken as they are written; null is the empty text, as in Go's YAML. */
export const string = (): Schema<string> =>
  scalar('text', (value, source) => (typeof value === 'string' ? value : value === null ? '' : source));

export const integer = (min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): Schema<number> =>
  scalar(
    min >= 0 && max === Number.MAX_SAFE_INTEGER ? `a whole number of ${min} or more` : 'a whole number',
    (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined,
  );

export const number = (): Schema<number> =>
  scalar('a number', (value) => (typeof value === 'number' ? value : undefined));

export const boolean = (): Schema<boolean> =>
  scalar('true or false', (value, source) =>
    typeof value === 'boolean'
      ? value
      : /^(yes|on)$/i.test(source)
        ? true
        : /^(no|off)$/i.test(source)
          ? false
          : undefined,
  );

/** Milliseconds, written as Prometheus writes durations. */
export const duration = (): Schema<number> =>
  scalar('a duration such as 30s or 1h30m', (_, source) => parseDuration(source));

/** Bytes, written as "512KB", "10MiB" or a plain number. */
export const size = (): Schema<number> => scalar('a size such as 512KB or 10MB', (_, source) => parseSize(source));

/** Bytes with their unit, as Prometheus' own fields want them; only 0 goes without. */
export const sizeWithUnit = (): Schema<number> =>
  scalar('a size with its unit such as 512KB or 10MB', (_, source) =>
    /[A-Za-z]\s*$/.test(source) || /^\s*0\s*$/.test(source) ? parseSize(source) : undefined,
  );

export const oneOf = <const T extends string>(...values: readonly T[]): Schema<T> =>
  scalar(`one of ${values.join(', ')}`, (_, source) => values.find((value) => value === source));

/** Never shown again: prints as <secret> wherever a configuration is displayed. */
/** `show` may keep what is no secret, such as the host of a URL. */
export const secret = (show: (value: string) => string = () => '<secret>'): Schema<string> => {
  const text = string();
  return {
    ...text,
    read(node, path, reading) {
      const value = text.read(node, path, reading);
      reading.secret(node, value === undefined ? '<secret>' : show(value));
      return value;
    },
  };
};

export const list = <T>(item: Schema<T>): Schema<readonly T[]> => ({
  expected: `a list, each item ${item.expected}`,
  fallback: () => [],
  read(node, path, reading) {
    if (reading.kinds.isScalar(node) && node.value === null) return [];
    if (!reading.kinds.isSeq(node)) {
      reading.problem(node, path, `expected a list, got ${describe(node, reading)}`);
      return undefined;
    }
    const values: T[] = [];
    node.items.forEach((raw, index) => {
      const child = reading.resolve(raw as Node);
      if (!child) return;
      if (item.expected === 'a mapping' && reading.kinds.isScalar(child) && child.value === null) {
        const field = path.split('.').at(-1)!;
        reading.problem(child, `${path}[${index}]`, `empty or null section in ${field}`);
        return;
      }
      const value = item.read(child, `${path}[${index}]`, reading);
      if (value !== undefined) values.push(value);
    });
    return values;
  },
});

/** A mapping with free keys. */
export const record = <T>(item: Schema<T>): Schema<Readonly<Record<string, T>>> => ({
  expected: 'a mapping',
  fallback: () => ({}),
  read(node, path, reading) {
    if (reading.kinds.isScalar(node) && node.value === null) return {};
    if (!reading.kinds.isMap(node)) {
      reading.problem(node, path, `expected a mapping, got ${describe(node, reading)}`);
      return undefined;
    }
    const values: Record<string, T> = {};
    for (const pair of node.items) {
      const key = keyOf(pair.key, reading);
      if (isBinary(pair.key as Node, reading) && binaryText(key) === undefined) {
        reading.problem(pair.key as Node, path, '!!binary key is not base64 of UTF-8 text');
        continue;
      }
      const child = reading.resolve(pair.value as Node);
      const value = child && item.read(child, joinPath(path, key), reading);
      if (value !== undefined && value !== null) values[key] = value;
    }
    return values;
  },
});

type Fields = Readonly<Record<string, Schema<unknown>>>;
/** A field is optional in the result when its schema says so. */
export type ObjectOf<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends { readonly optional: true } ? Infer<F[K]> | undefined : Infer<F[K]>;
};

export type ObjectSchema<F extends Fields, T = ObjectOf<F>> = Schema<T> & { readonly fields: F };

/** A mapping with known fields. `check` looks at the whole and reports what single fields cannot know. */
export function object<F extends Fields>(
  fields: F,
  check?: (value: ObjectOf<F>, report: (field: string, message: string) => void) => void,
): ObjectSchema<F> {
  return {
    expected: 'a mapping',
    fields,
    read(node, path, reading) {
      const isEmpty = reading.kinds.isScalar(node) && node.value === null;
      if (!reading.kinds.isMap(node) && !isEmpty) {
        reading.problem(node, path, `expected a mapping, got ${describe(node, reading)}`);
        return undefined;
      }
      const found = new Map<string, { key: Node; value: Node | null | undefined }>();
      if (reading.kinds.isMap(node)) {
        for (const pair of node.items) {
          const key = keyOf(pair.key, reading);
          if (key === '<<') continue;
          if (!Object.hasOwn(fields, key)) {
            const hint = nearest(key, Object.keys(fields));
            const where = path === '' ? 'the top level' : path;
            reading.problem(
              pair.key as Node,
              path,
              `field ${key} is not known in ${where}${hint ? `, did you mean ${hint}?` : ''}`,
            );
            continue;
          }
          found.set(key, { key: pair.key as Node, value: reading.resolve(pair.value as Node | null) });
        }
      }
      const result: Record<string, unknown> = {};
      let complete = true;
      for (const [name, schema] of Object.entries(fields)) {
        const entry = found.get(name);
        const child = entry?.value;
        const absent = !child || (reading.kinds.isScalar(child) && child.value === null && schema.expected !== 'text');
        if (!absent) {
          const value = schema.read(child, joinPath(path, name), reading);
          if (value === undefined) complete = false;
          result[name] = value;
        } else if (schema.fallback) result[name] = schema.fallback();
        else if (schema.optional) result[name] = undefined;
        else {
          reading.problem(
            entry?.key ?? node,
            joinPath(path, name),
            `field ${name} is required: expected ${schema.expected}`,
          );
          complete = false;
        }
      }
      if (complete && check) {
        check(result as ObjectOf<F>, (field, message) => {
          const entry = found.get(field);
          reading.problem(entry?.value ?? entry?.key ?? node, joinPath(path, field), message);
          complete = false;
        });
      }
      return complete ? (result as ObjectOf<F>) : undefined;
    },
  };
}

/** The field may be absent. */
export const optional = <T>(schema: Schema<T>): Schema<T> & { readonly optional: true } => {
  const { fallback: _, ...rest } = schema;
  return { ...rest, read: (node, path, reading) => schema.read(node, path, reading), optional: true };
};

export const withDefault = <T>(schema: Schema<T>, value: T): Schema<T> => ({ ...schema, fallback: () => value });

/** A value worked out from what was read; `convert` throws an Error whose message is reported at the node. */
export const map = <A, B>(schema: Schema<A>, convert: (value: A) => B, expected = schema.expected): Schema<B> => ({
  expected,
  read(node, path, reading) {
    const value = schema.read(node, path, reading);
    if (value === undefined) return undefined;
    try {
      return convert(value);
    } catch (error) {
      reading.problem(node, path, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  },
});

/** The value together with where it stands. */
export const positioned = <T>(schema: Schema<T>): Schema<{ readonly value: T; readonly position: Position }> => ({
  expected: schema.expected,
  read(node, path, reading) {
    const value = schema.read(node, path, reading);
    return value === undefined ? undefined : { value, position: reading.positionOf(node) };
  },
});

/** For recursive structures: the schema is made on first use. */
export const lazy = <T>(make: () => Schema<T>): Schema<T> => {
  let schema: Schema<T> | undefined;
  return {
    expected: 'a mapping',
    read(node, path, reading) {
      schema ??= make();
      return schema.read(node, path, reading);
    },
  };
};

/** Any YAML as plain data. */
export const anything = (): Schema<unknown> => ({
  expected: 'anything',
  read: (node) => node.toJSON() as unknown,
});

export function describe(node: Node | null | undefined, { kinds }: Reading): string {
  if (kinds.isMap(node)) return 'a mapping';
  if (kinds.isSeq(node)) return 'a list';
  if (kinds.isAlias(node)) return `alias ${node.source}`;
  if (!kinds.isScalar(node) || node.value === null) return 'nothing';
  const text = typeof node.source === 'string' ? node.source : String(node.value);
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}

const keyOf = (key: unknown, { kinds }: Reading): string =>
  kinds.isScalar(key) ? (typeof key.source === 'string' ? key.source : String(key.value)) : String(key);
const joinPath = (path: string, field: string): string => (path === '' ? field : `${path}.${field}`);
