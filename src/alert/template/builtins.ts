// The functions that every Go template has. `and` and `or` are not here: they do not evaluate what they do not need, so
// execute.ts has them.

import { formatPlain, sprint, sprintf, sprintln } from './print.ts';
import { goQuote, isPrintable } from './quote.ts';
import {
  basicOf,
  type GoFunction,
  GoMap,
  GoNamed,
  GoSlice,
  isFunction,
  isNil,
  isTrue,
  mapEntries,
  sliceItems,
  structFields,
  typeName,
  type Value,
} from './value.ts';

const ANY = 'interface {}';

export type FunctionTable = Readonly<Record<string, GoFunction>>;

export const BUILTINS: FunctionTable = {
  call: { params: [ANY, ANY], variadic: true, call: (fn, ...args) => call(fn, args) },
  html: { params: [ANY], variadic: true, call: (...args) => escapeHtml(joinArguments(args)) },
  index: { params: [ANY, ANY], variadic: true, call: (item, ...indexes) => index(item, indexes) },
  slice: { params: [ANY, ANY], variadic: true, call: (item, ...indexes) => slice(item, indexes) },
  js: { params: [ANY], variadic: true, call: (...args) => escapeJs(joinArguments(args)) },
  len: { params: [ANY], call: length },
  not: { params: [ANY], call: (value) => !isTrue(value) },
  print: { params: [ANY], variadic: true, call: (...args) => sprint(args) },
  printf: {
    params: ['string', ANY],
    variadic: true,
    call: (format, ...args) => sprintf(basicOf(format) as string, args),
  },
  println: { params: [ANY], variadic: true, call: (...args) => sprintln(args) },
  urlquery: { params: [ANY], variadic: true, call: (...args) => queryEscape(joinArguments(args)) },
  eq: { params: [ANY, ANY], variadic: true, call: (first, ...others) => equal(first, others) },
  ne: { params: [ANY, ANY], call: (a, b) => !equal(a, [b]) },
  lt: { params: [ANY, ANY], call: less },
  le: { params: [ANY, ANY], call: (a, b) => less(a, b) || equal(a, [b]) },
  gt: { params: [ANY, ANY], call: (a, b) => !(less(a, b) || equal(a, [b])) },
  ge: { params: [ANY, ANY], call: (a, b) => !less(a, b) },
};

const joinArguments = (args: readonly Value[]): string =>
  args.length === 1 && typeof args[0] === 'string'
    ? args[0]
    : sprint(args.map((arg) => (isNil(arg) ? '<no value>' : arg)));

// Elements.

function wholeIndex(value: Value, limit: number, inclusive: boolean): number {
  if (isNil(value)) throw new Error('cannot index slice/array with nil');
  const basic = basicOf(value);
  if (typeof basic !== 'bigint') throw new Error(`cannot index slice/array with type ${typeName(value)}`);
  if (basic < 0n || basic > BigInt(limit) || (!inclusive && basic === BigInt(limit))) {
    throw new Error(`index out of range: ${basic}`);
  }
  return Number(basic);
}

function index(item: Value, indexes: readonly Value[]): Value {
  if (isNil(item)) throw new Error('index of untyped nil');
  let current: Value = item;
  for (const key of indexes) {
    if (isNil(current)) throw new Error('index of nil pointer');
    const text = basicOf(current);
    const items = sliceItems(current);
    const entries = mapEntries(current);
    if (items) current = items[wholeIndex(key, items.length, false)];
    else if (typeof text === 'string') {
      const bytes = Buffer.from(text);
      current = new GoNamed('uint8', BigInt(bytes[wholeIndex(key, bytes.length, false)]!));
    } else if (entries) {
      const keyType = current instanceof GoMap ? current.keyType : 'string';
      const wanted = isNil(key) && keyType === 'string' ? '' : key;
      if (isNil(wanted)) throw new Error(`value is nil; should be ${keyType}`);
      if (keyType !== ANY && typeName(wanted) !== keyType) {
        throw new Error(`value has type ${typeName(wanted)}; should be ${keyType}`);
      }
      if (entries.has(wanted)) current = entries.get(wanted);
      else current = current instanceof GoMap ? current.zero : undefined;
    } else throw new Error(`can't index item of type ${typeName(current)}`);
  }
  return current;
}

function slice(item: Value, indexes: readonly Value[]): Value {
  if (isNil(item)) throw new Error('slice of untyped nil');
  if (indexes.length > 3) throw new Error(`too many slice indexes: ${indexes.length}`);
  const text = basicOf(item);
  const items = sliceItems(item);
  if (typeof text !== 'string' && !items) throw new Error(`can't slice item of type ${typeName(item)}`);
  if (typeof text === 'string' && indexes.length === 3) throw new Error('cannot 3-index slice a string');
  const bytes = typeof text === 'string' ? Buffer.from(text) : undefined;
  const size = bytes?.length ?? items!.length;
  const [from = 0, to = size, cap] = indexes.map((i) => wholeIndex(i, size, true));
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`);
  if (cap !== undefined && to > cap) throw new Error(`invalid slice index: ${to} > ${cap}`);
  if (bytes) return bytes.subarray(from, to).toString();
  const part = items!.slice(from, to);
  return item instanceof GoSlice ? new GoSlice(item.goType, part, {}, item.like) : part;
}

function length(item: Value): bigint {
  if (isNil(item)) throw new Error('reflect: call of reflect.Value.Type on zero Value');
  const text = basicOf(item);
  if (typeof text === 'string') return BigInt(Buffer.byteLength(text));
  const size = sliceItems(item)?.length ?? mapEntries(item)?.size;
  if (size === undefined) throw new Error(`len of type ${typeName(item)}`);
  return BigInt(size);
}

function call(fn: Value, args: readonly Value[]): Value {
  if (isNil(fn)) throw new Error('call of nil');
  if (!isFunction(fn)) throw new Error(`non-function of type ${typeName(fn)}`);
  const fixed = fn.variadic ? fn.params.length - 1 : fn.params.length;
  if (fn.variadic && args.length < fixed) {
    throw new Error(`wrong number of args: got ${args.length} want at least ${fixed}`);
  }
  if (!fn.variadic && args.length !== fixed) throw new Error(`wrong number of args: got ${args.length} want ${fixed}`);
  args.forEach((arg, i) => {
    const wanted = fn.params[Math.min(i, fn.params.length - 1)]!;
    if (!isAssignable(arg, wanted)) throw new Error(`arg ${i}: value has type ${typeName(arg)}; should be ${wanted}`);
  });
  return fn.call(...args);
}

/** Whether a value can be passed where a type is wanted. */
export function isAssignable(value: Value, wanted: string): boolean {
  if (wanted === ANY) return true;
  if (isNil(value)) return wanted.startsWith('[]') || wanted.startsWith('map[') || wanted.startsWith('*');
  const type = typeName(value);
  return type === wanted || (value instanceof GoSlice && value.like.includes(wanted));
}

// Comparisons: between equal kinds only; 1 and 1.0 do not compare.

const BAD_TYPE = 'invalid type for comparison';
const BAD_PAIR = 'incompatible types for comparison';

function equal(first: Value, others: readonly Value[]): boolean {
  if (others.length === 0) throw new Error('missing argument for comparison');
  for (const other of others) {
    if (isNil(first) || isNil(other)) {
      if (isNil(first) && isNil(other)) return true;
      continue;
    }
    const [a, b] = [basicOf(first), basicOf(other)];
    if (typeof a !== typeof b) throw new Error(BAD_PAIR);
    if (a === undefined) {
      if (sliceItems(first) || mapEntries(first) || isFunction(first)) {
        throw new Error(`non-comparable type ${formatPlain(first)}: ${typeName(first)}`);
      }
      if (sameStruct(first, other)) return true;
    } else if (a === b) return true;
  }
  return false;
}

function sameStruct(a: Value, b: Value): boolean {
  if (a === b) return true;
  const [x, y] = [structFields(a), structFields(b)];
  if (!x || !y || typeName(a) !== typeName(b)) return formatPlain(a) === formatPlain(b) && typeName(a) === typeName(b);
  return Object.keys(x).every((name) => basicOf(x[name]) !== undefined && basicOf(x[name]) === basicOf(y[name]));
}

function less(first: Value, second: Value): boolean {
  const [a, b] = [basicOf(first), basicOf(second)];
  if (a === undefined || b === undefined) throw new Error(BAD_TYPE);
  if (typeof a !== typeof b) throw new Error(BAD_PAIR);
  if (typeof a === 'boolean') throw new Error(BAD_TYPE);
  return typeof a === 'string' ? Buffer.compare(Buffer.from(a), Buffer.from(b as string)) < 0 : a < (b as typeof a);
}

// Escaping.

const HTML: Readonly<Record<string, string>> = {
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\0': '\ufffd',
};

export const escapeHtml = (text: string): string => text.replace(/["'&<>\0]/g, (char) => HTML[char]!);

const JS: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
};

export function escapeJs(text: string): string {
  let out = '';
  for (const rune of text) {
    const code = rune.codePointAt(0)!;
    if (JS[rune] !== undefined) out += JS[rune];
    else if (code < 0x20) out += `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`;
    else if (code < 0x80 || isPrintable(rune)) out += rune;
    else out += `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`;
  }
  return out;
}

/** url.QueryEscape: space is '+', only letters, digits and -_.~ stay. */
export function queryEscape(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** url.QueryUnescape. */
export function queryUnescape(text: string): string {
  const bad = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(text);
  if (bad) throw new Error(`invalid URL escape ${goQuote(bad[0])}`);
  const bytes = text.replaceAll('+', ' ').replace(/[^%]+/g, (run) => encodeURIComponent(run.toWellFormed()));
  return decodeBytes(bytes);
}

function decodeBytes(encoded: string): string {
  const bytes: number[] = [];
  for (let i = 0; i < encoded.length; i++) {
    if (encoded[i] === '%') {
      bytes.push(Number.parseInt(encoded.slice(i + 1, i + 3), 16));
      i += 2;
    } else bytes.push(encoded.charCodeAt(i));
  }
  return Buffer.from(bytes).toString();
}
