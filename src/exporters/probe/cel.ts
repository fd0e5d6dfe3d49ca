// CEL expressions over a JSON body, for fail_if_body_json_matches_cel: operators, fields and indexes, lists and maps, the string
// functions, has, size, conversions, and the macros all, exists, exists_one, filter and map. Compiled to closures when the
// configuration is loaded, so that what is not known is refused there. Times, durations and unsigned numbers are not part of JSON.

import { re2 } from '#base/regex/engine.ts';

export type CelValue = null | boolean | number | string | readonly CelValue[] | { readonly [key: string]: CelValue };
type Scope = ReadonlyMap<string, CelValue>;
type Evaluate = (scope: Scope) => CelValue;

type Token = { readonly kind: 'name' | 'number' | 'text' | 'sign' | 'end'; readonly text: string; readonly at: number };

/** Blanks and remarks. */
const BETWEEN = /(?:\s|\/\/[^\n]*)*/y;
const TOKEN =
  /([A-Za-z_]\w*)|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(&&|\|\||[=!<>]=|[-+*/%<>!?:.,()[\]{}])/y;
const MAX_DEPTH = 100;

/** Whether an expression is true of a body. Throws, saying where, when the expression is none. */
export function compileCel(source: string): (body: CelValue) => boolean {
  const evaluate = new Parser(source).parse();
  return (body) => {
    const value = evaluate(new Map([['body', body]]));
    if (typeof value !== 'boolean') throw new Error(`the CEL expression gives ${typeName(value)}, not true or false`);
    return value;
  };
}

function tokens(source: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  for (;;) {
    BETWEEN.lastIndex = at;
    BETWEEN.exec(source);
    at = BETWEEN.lastIndex;
    if (at >= source.length) break;
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(source);
    if (!match) throw new Error(`CEL: unexpected character at ${at + 1}`);
    const [, name, number, quoted, sign] = match;
    const kind = name ? 'name' : number ? 'number' : quoted ? 'text' : 'sign';
    found.push({ kind, text: name ?? number ?? quoted ?? sign ?? '', at });
    at = TOKEN.lastIndex;
  }
  return [...found, { kind: 'end', text: 'the end', at: source.length }];
}

const RELATIONS = new Set(['==', '!=', '<', '<=', '>', '>=', 'in']);

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;
  readonly #variables = new Set(['body']);

  constructor(source: string) {
    this.#tokens = tokens(source);
  }

  parse(): Evaluate {
    const whole = this.#expression();
    if (this.#peek.kind !== 'end') this.#fail();
    return whole;
  }

  get #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #fail(what = `unexpected ${this.#peek.text}`): never {
    throw new Error(`CEL: ${what} at ${this.#peek.at + 1}`);
  }

  #take(text: string): boolean {
    const { kind } = this.#peek;
    if (this.#peek.text !== text || kind === 'text' || kind === 'end') return false;
    this.#next++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) this.#fail(`expected ${text} before ${this.#peek.text}`);
  }

  #expression(): Evaluate {
    if (++this.#depth > MAX_DEPTH) this.#fail('too deep');
    const condition = this.#or();
    this.#depth--;
    if (!this.#take('?')) return condition;
    const yes = this.#or();
    this.#expect(':');
    const no = this.#expression();
    return (scope) => (truth(condition(scope)) ? yes(scope) : no(scope));
  }

  #or(): Evaluate {
    let left = this.#and();
    while (this.#take('||')) {
      const [a, b] = [left, this.#and()];
      left = (scope) => truth(a(scope)) || truth(b(scope));
    }
    return left;
  }

  #and(): Evaluate {
    let left = this.#relation();
    while (this.#take('&&')) {
      const [a, b] = [left, this.#relation()];
      left = (scope) => truth(a(scope)) && truth(b(scope));
    }
    return left;
  }

  #relation(): Evaluate {
    let left = this.#sum();
    while (RELATIONS.has(this.#peek.text) && this.#peek.kind !== 'text') {
      const operator = this.#peek.text;
      this.#next++;
      const [a, b] = [left, this.#sum()];
      left = (scope) => compare(operator, a(scope), b(scope));
    }
    return left;
  }

  #sum(): Evaluate {
    let left = this.#product();
    for (;;) {
      const operator = this.#take('+') ? '+' : this.#take('-') ? '-' : undefined;
      if (operator === undefined) return left;
      const [a, b] = [left, this.#product()];
      left = (scope) => calculate(operator, a(scope), b(scope));
    }
  }

  #product(): Evaluate {
    let left = this.#unary();
    for (;;) {
      const operator = ['*', '/', '%'].find((sign) => this.#take(sign));
      if (operator === undefined) return left;
      const [a, b] = [left, this.#unary()];
      left = (scope) => calculate(operator, a(scope), b(scope));
    }
  }

  #unary(): Evaluate {
    if (this.#take('!')) {
      const inner = this.#unary();
      return (scope) => !truth(inner(scope));
    }
    if (this.#take('-')) {
      const inner = this.#unary();
      return (scope) => calculate('-', 0, inner(scope));
    }
    return this.#member();
  }

  #member(): Evaluate {
    let value = this.#primary();
    for (;;) {
      if (this.#take('[')) {
        const [from, index] = [value, this.#expression()];
        this.#expect(']');
        value = (scope) => select(from(scope), index(scope));
      } else if (this.#take('.')) {
        const name = this.#peek.text;
        if (this.#peek.kind !== 'name') this.#fail();
        this.#next++;
        const from = value;
        if (this.#take('(')) value = this.#method(from, name);
        else value = (scope) => select(from(scope), name);
      } else return value;
    }
  }

  #method(from: Evaluate, name: string): Evaluate {
    const macro = MACROS[name];
    if (macro) return this.#macro(from, macro);
    const method = METHODS[name];
    if (!method) this.#fail(`unknown function ${name}`);
    const values = this.#list(')');
    return (scope) => method(from(scope), ...values.map((value) => value(scope)));
  }

  /** list.all(x, condition): the variable is known inside only. */
  #macro(
    from: Evaluate,
    macro: (items: readonly CelValue[], body: (item: CelValue) => CelValue) => CelValue,
  ): Evaluate {
    const variable = this.#peek.text;
    if (this.#peek.kind !== 'name') this.#fail();
    this.#next++;
    this.#expect(',');
    const isNew = !this.#variables.has(variable);
    this.#variables.add(variable);
    const body = this.#expression();
    if (isNew) this.#variables.delete(variable);
    this.#expect(')');
    return (scope) => {
      const list = from(scope);
      const items = Array.isArray(list) ? list : isMap(list) ? Object.keys(list) : wrong('a list', list);
      return macro(items, (item) => body(new Map([...scope, [variable, item]])));
    };
  }

  #primary(): Evaluate {
    const { kind, text } = this.#peek;
    if (this.#take('(')) {
      const inner = this.#expression();
      this.#expect(')');
      return inner;
    }
    if (this.#take('[')) {
      const items = this.#list(']');
      return (scope) => items.map((item) => item(scope));
    }
    if (this.#take('{')) return this.#map();
    this.#next++;
    if (kind === 'number') return () => Number(text);
    if (kind === 'text') {
      const value = unquote(text);
      return () => value;
    }
    if (kind !== 'name') {
      this.#next--;
      this.#fail();
    }
    if (text === 'true' || text === 'false') return () => text === 'true';
    if (text === 'null') return () => null;
    if (this.#take('(')) return this.#call(text);
    if (!this.#variables.has(text)) throw new Error(`CEL: unknown name ${text}; the body is "body"`);
    return (scope) => scope.get(text)!;
  }

  #call(name: string): Evaluate {
    const values = this.#list(')');
    const [value] = values;
    if (values.length !== 1 || !value) this.#fail(`${name} takes one argument`);
    if (name === 'has')
      return (scope) => {
        try {
          value(scope);
          return true;
        } catch (error) {
          if (error instanceof NoSuchKey) return false;
          throw error;
        }
      };
    const call = FUNCTIONS[name];
    if (!call) this.#fail(`unknown function ${name}`);
    return (scope) => call(value(scope));
  }

  #list(end: string): Evaluate[] {
    const items: Evaluate[] = [];
    while (!this.#take(end)) {
      if (items.length > 0) this.#expect(',');
      items.push(this.#expression());
    }
    return items;
  }

  #map(): Evaluate {
    const entries: (readonly [Evaluate, Evaluate])[] = [];
    while (!this.#take('}')) {
      if (entries.length > 0) this.#expect(',');
      const key = this.#expression();
      this.#expect(':');
      entries.push([key, this.#expression()]);
    }
    return (scope) => Object.fromEntries(entries.map(([key, value]) => [String(key(scope)), value(scope)]));
  }
}

class NoSuchKey extends Error {}

const isMap = (value: CelValue): value is { readonly [key: string]: CelValue } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const typeName = (value: CelValue): string =>
  value === null ? 'null' : Array.isArray(value) ? 'a list' : isMap(value) ? 'a map' : `a ${typeof value}`;

function wrong(expected: string, value: CelValue): never {
  throw new Error(`the CEL expression needs ${expected}, not ${typeName(value)}`);
}

const truth = (value: CelValue): boolean => (typeof value === 'boolean' ? value : wrong('true or false', value));
const textOf = (value: CelValue | undefined): string =>
  typeof value === 'string' ? value : wrong('text', value ?? null);

function select(from: CelValue, key: CelValue): CelValue {
  if (Array.isArray(from) && typeof key === 'number') {
    const item = (from as readonly CelValue[])[key];
    if (item === undefined) throw new NoSuchKey(`there is no item ${key}`);
    return item;
  }
  if (!isMap(from)) return wrong('a map', from);
  if (!Object.hasOwn(from, String(key))) throw new NoSuchKey(`there is no key ${String(key)}`);
  return from[String(key)]!;
}

function isEqual(a: CelValue, b: CelValue): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => isEqual(item, b[i]));
  if (isMap(a) && isMap(b)) {
    const keys = Object.keys(a);
    return (
      keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isEqual(a[key]!, b[key]!))
    );
  }
  return a === b;
}

function compare(operator: string, a: CelValue, b: CelValue): boolean {
  if (operator === '==') return isEqual(a, b);
  if (operator === '!=') return !isEqual(a, b);
  if (operator === 'in') {
    if (Array.isArray(b)) return b.some((item) => isEqual(a, item));
    return isMap(b) ? Object.hasOwn(b, String(a)) : wrong('a list or a map', b);
  }
  if (typeof a !== typeof b || (typeof a !== 'number' && typeof a !== 'string')) wrong('two numbers or two texts', b);
  const [x, y] = [a as number, b as number];
  return operator === '<' ? x < y : operator === '<=' ? x <= y : operator === '>' ? x > y : x >= y;
}

function calculate(operator: string, a: CelValue, b: CelValue): CelValue {
  if (operator === '+' && typeof a === 'string' && typeof b === 'string') return a + b;
  if (operator === '+' && Array.isArray(a) && Array.isArray(b)) return [...a, ...b];
  if (typeof a !== 'number' || typeof b !== 'number') return wrong('numbers', typeof a === 'number' ? b : a);
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    default:
      return a % b;
  }
}

function sizeOf(value: CelValue): number {
  if (typeof value === 'string') return [...value].length;
  if (Array.isArray(value)) return value.length;
  return isMap(value) ? Object.keys(value).length : wrong('text, a list or a map', value);
}

const METHODS: Readonly<Record<string, (from: CelValue, ...values: CelValue[]) => CelValue>> = {
  startsWith: (from, text) => textOf(from).startsWith(textOf(text)),
  endsWith: (from, text) => textOf(from).endsWith(textOf(text)),
  contains: (from, text) => textOf(from).includes(textOf(text)),
  matches: (from, pattern) => re2().compile(textOf(pattern)).matcher(textOf(from)).find(),
  size: (from) => sizeOf(from),
};

const FUNCTIONS: Readonly<Record<string, (value: CelValue) => CelValue>> = {
  size: sizeOf,
  string: (value) => (typeof value === 'object' ? wrong('a simple value', value) : String(value)),
  double: (value) => numberOf(value),
  int: (value) => Math.trunc(numberOf(value)),
};

function numberOf(value: CelValue): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && !Number.isNaN(number) ? number : wrong('a number', value);
}

type Macro = (items: readonly CelValue[], body: (item: CelValue) => CelValue) => CelValue;
const MACROS: Readonly<Record<string, Macro>> = {
  all: (items, body) => items.every((item) => truth(body(item))),
  exists: (items, body) => items.some((item) => truth(body(item))),
  exists_one: (items, body) => items.filter((item) => truth(body(item))).length === 1,
  filter: (items, body) => items.filter((item) => truth(body(item))),
  map: (items, body) => items.map(body),
};

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

const unquote = (quoted: string): string =>
  quoted
    .slice(1, -1)
    .replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, hex: string | undefined, char: string) =>
      hex === undefined ? (ESCAPES[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
    );
