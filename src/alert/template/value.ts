// Go values as JavaScript ones: string, boolean, number (float64), bigint (int), null and undefined (nil), arrays
// ([]interface {}), and the classes below for what needs a type's name, methods or a key's default. Templates see only these.

import { compareText, type Labels } from '#model/labels.ts';

export type Value = unknown;

/** A function's parameter by Go's name of its type; 'interface {}' takes everything. */
export type GoFunction = {
  readonly params: readonly string[];
  /** The last parameter takes any number of arguments. */
  readonly variadic?: boolean;
  readonly call: (...args: Value[]) => Value;
};

/** What has a type of its own. */
export abstract class GoObject {
  abstract readonly goType: string;
  /** The value of the basic kind below the type: a duration is an integer, HTML a string. */
  get basic(): string | bigint | number | boolean | undefined {
    return undefined;
  }
  method(_name: string): GoFunction | undefined {
    return undefined;
  }
  /** What its String method gives. */
  text(): string | undefined {
    return undefined;
  }
  /** What encoding/json makes of it. */
  toJSON(): unknown {
    return this.text() ?? this.basic;
  }
}

type Methods = Readonly<Record<string, GoFunction>>;

/** A map; absent keys have the value `zero`. Templates range over it in the order of its keys. */
export class GoMap extends GoObject {
  readonly goType: string;
  readonly entries: ReadonlyMap<Value, Value>;
  readonly zero: Value;
  readonly #methods: Methods;
  readonly #text: ((map: GoMap) => string) | undefined;
  constructor(
    goType: string,
    entries: ReadonlyMap<Value, Value>,
    zero: Value,
    methods: Methods = {},
    text?: (map: GoMap) => string,
  ) {
    super();
    this.goType = goType;
    this.entries = entries;
    this.zero = zero;
    this.#methods = methods;
    this.#text = text;
  }
  get keyType(): string {
    return /^map\[(.*?)\]/.exec(this.goType)?.[1] ?? 'string';
  }
  override method(name: string): GoFunction | undefined {
    return Object.hasOwn(this.#methods, name) ? this.#methods[name] : undefined;
  }
  override text(): string | undefined {
    return this.#text?.(this);
  }
  override toJSON(): unknown {
    return Object.fromEntries(sortedKeys(this.entries).map((key) => [String(key), this.entries.get(key)]));
  }
}

/** A slice with a type: `[]string`, or a named one with methods. `like` are other types it can be passed as. */
export class GoSlice extends GoObject {
  readonly goType: string;
  readonly items: readonly Value[];
  readonly like: readonly string[];
  readonly #methods: Methods;
  readonly #text: string | undefined;
  constructor(
    goType: string,
    items: readonly Value[],
    methods: Methods = {},
    like: readonly string[] = [],
    text?: string,
  ) {
    super();
    this.goType = goType;
    this.items = items;
    this.like = like;
    this.#methods = methods;
    this.#text = text;
  }
  override method(name: string): GoFunction | undefined {
    return Object.hasOwn(this.#methods, name) ? this.#methods[name] : undefined;
  }
  override text(): string | undefined {
    return this.#text;
  }
  override toJSON(): unknown {
    return this.items;
  }
}

/** A struct: a field that it lacks is an error, not an empty value. `json` names the fields where JSON differs. */
export class GoStruct extends GoObject {
  readonly goType: string;
  readonly fields: Readonly<Record<string, Value>>;
  readonly #methods: Methods;
  readonly #json: Readonly<Record<string, string>>;
  constructor(
    goType: string,
    fields: Readonly<Record<string, Value>>,
    methods: Methods = {},
    json: Readonly<Record<string, string>> = {},
  ) {
    super();
    this.goType = goType;
    this.fields = fields;
    this.#methods = methods;
    this.#json = json;
  }
  override method(name: string): GoFunction | undefined {
    return Object.hasOwn(this.#methods, name) ? this.#methods[name] : undefined;
  }
  override toJSON(): unknown {
    return Object.fromEntries(Object.entries(this.fields).map(([name, value]) => [this.#json[name] ?? name, value]));
  }
}

/** A value of a basic kind under a name of its own: bytes, months, weekdays. */
export class GoNamed extends GoObject {
  readonly goType: string;
  readonly #basic: string | bigint | number | boolean;
  readonly #text: string | undefined;
  constructor(goType: string, basic: string | bigint | number | boolean, text?: string) {
    super();
    this.goType = goType;
    this.#basic = basic;
    this.#text = text;
  }
  override get basic(): string | bigint | number | boolean {
    return this.#basic;
  }
  override text(): string | undefined {
    return this.#text;
  }
  override toJSON(): unknown {
    return typeof this.#basic === 'bigint' ? Number(this.#basic) : this.#basic;
  }
}

/** What html/template lets through where it belongs: text that is known to be HTML, a URL, a script ... */
export type SafeKind = 'CSS' | 'HTML' | 'HTMLAttr' | 'JS' | 'JSStr' | 'Srcset' | 'URL';

export class SafeText extends GoObject {
  readonly kind: SafeKind;
  readonly content: string;
  constructor(kind: SafeKind, content: string) {
    super();
    this.kind = kind;
    this.content = content;
  }
  get goType(): string {
    return `template.${this.kind}`;
  }
  override get basic(): string {
    return this.content;
  }
}

export const stringSlice = (items: readonly string[]): GoSlice => new GoSlice('[]string', items);

/** A map[string]string of a record. */
export const stringMap = (record: Readonly<Record<string, string>>): GoMap =>
  new GoMap('map[string]string', new Map(Object.entries(record)), '');

/** A map[string]string of labels. */
export function labelMap(labels: Labels): GoMap {
  const entries = new Map<string, string>();
  for (let i = 0; i < labels.length; i += 2) entries.set(labels[i]!, labels[i + 1]!);
  return new GoMap('map[string]string', entries, '');
}

export const isNil = (value: Value): value is null | undefined => value === null || value === undefined;

export function typeName(value: Value): string {
  if (isNil(value)) return '<nil>';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'function':
      return 'func()';
  }
  if (value instanceof GoObject) return value.goType;
  if (Array.isArray(value)) return '[]interface {}';
  if (value instanceof Map) return 'map[string]interface {}';
  return isFunction(value) ? `func(${value.params.join(', ')}) interface {}` : 'struct {}';
}

export const isFunction = (value: Value): value is GoFunction =>
  typeof value === 'object' && value !== null && 'params' in value && 'call' in value;

/** The items of a slice, or undefined for anything else. */
export function sliceItems(value: Value): readonly Value[] | undefined {
  if (Array.isArray(value)) return value;
  return value instanceof GoSlice ? value.items : undefined;
}

/** The entries of a map, or undefined for anything else. */
export function mapEntries(value: Value): ReadonlyMap<Value, Value> | undefined {
  if (value instanceof Map) return value;
  return value instanceof GoMap ? value.entries : undefined;
}

export function structFields(value: Value): Readonly<Record<string, Value>> | undefined {
  if (value instanceof GoStruct) return value.fields;
  if (typeof value !== 'object' || value === null || value instanceof GoObject) return undefined;
  if (Array.isArray(value) || value instanceof Map || isFunction(value)) return undefined;
  return value as Record<string, Value>;
}

/** The value of a basic kind in or below a value. */
export function basicOf(value: Value): string | bigint | number | boolean | undefined {
  if (value instanceof GoObject) return value.basic;
  return typeof value === 'string' ||
    typeof value === 'bigint' ||
    typeof value === 'number' ||
    typeof value === 'boolean'
    ? value
    : undefined;
}

/** What `if` and its kin make of a value: false is the zero of a type, a struct never. */
export function isTrue(value: Value): boolean {
  if (isNil(value)) return false;
  const basic = basicOf(value);
  if (typeof basic === 'string') return basic.length > 0;
  if (basic !== undefined) return Boolean(basic) || Number.isNaN(basic);
  const items = sliceItems(value);
  if (items) return items.length > 0;
  const entries = mapEntries(value);
  return entries ? entries.size > 0 : true;
}

export function sortedKeys(entries: ReadonlyMap<Value, Value>): Value[] {
  return [...entries.keys()].sort((a, b) => {
    if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
    const [x, y] = [basicOf(a), basicOf(b)];
    return x === y ? 0 : x !== undefined && y !== undefined && x < y ? -1 : 1;
  });
}
