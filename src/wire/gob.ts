// Reads values in Go's gob encoding, as far as a stream describes itself: structs become records, maps Maps, types that encode
// themselves (times, messages) their bytes. Pushgateway keeps its state in this form.

import { OperatingError } from '#base/errors.ts';

export type GobValue =
  | boolean
  | number
  | string
  | Uint8Array
  | readonly GobValue[]
  | Map<GobValue, GobValue>
  | { readonly [field: string]: GobValue };

type Type =
  | { readonly kind: 'list'; readonly element: number }
  | { readonly kind: 'struct'; readonly fields: readonly { readonly name: string; readonly type: number }[] }
  | { readonly kind: 'map'; readonly key: number; readonly element: number }
  | { readonly kind: 'bytes' };

/** Built-in types by their ids. */
const BOOL = 1;
const INT = 2;
const UINT = 3;
const FLOAT = 4;
const BYTES = 5;
const STRING = 6;
/** Deeper values are no state of any program, but an attempt to exhaust the stack. */
const MAX_DEPTH = 64;

/** The first value of a stream. */
export function decodeGob(bytes: Uint8Array): GobValue {
  return new GobReader(bytes).read();
}

class GobReader {
  readonly #bytes: Buffer;
  readonly #types = new Map<number, Type>();
  #at = 0;
  #end = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Messages: definitions of types have negative ids, the value comes after them. */
  read(): GobValue {
    for (;;) {
      this.#end = this.#bytes.length;
      const length = this.#uint();
      this.#end = this.#at + length;
      if (length === 0 || this.#end > this.#bytes.length) this.#fail('a message does not fit');
      const id = this.#int();
      if (id >= 0) {
        // What is no struct comes after a zero.
        const isStruct = this.#types.get(id)?.kind === 'struct';
        if (!isStruct && this.#uint() !== 0) this.#fail('a value does not begin with 0');
        return this.#value(id, 0);
      }
      this.#types.set(-id, this.#definition());
      this.#at = this.#end;
    }
  }

  #fail(what: string): never {
    throw new OperatingError('gob', `cannot read gob at byte ${this.#at}: ${what}`);
  }

  #byte(): number {
    if (this.#at >= this.#end) this.#fail('unexpected end');
    return this.#bytes[this.#at++]!;
  }

  /** Below 128 one byte; else how many bytes follow, as a negative byte, and these. */
  #uint(): number {
    return Number(this.#wide());
  }

  #wide(): bigint {
    const first = this.#byte();
    if (first < 0x80) return BigInt(first);
    const count = 256 - first;
    if (count > 8) this.#fail('a number is longer than 8 bytes');
    let value = 0n;
    for (let i = 0; i < count; i++) value = (value << 8n) | BigInt(this.#byte());
    return value;
  }

  /** The lowest bit says that the others are inverted. */
  #int(): number {
    const wide = this.#wide();
    return Number(wide & 1n ? ~(wide >> 1n) : wide >> 1n);
  }

  #slice(): Buffer {
    const length = this.#uint();
    if (length > this.#end - this.#at) this.#fail(`${length} bytes do not fit`);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** The fields of a struct: how far each is from the one before, and its value; 0 ends it. */
  #fields(visit: (field: number) => void): void {
    let field = -1;
    for (;;) {
      const delta = this.#uint();
      if (delta === 0) return;
      field += delta;
      visit(field);
    }
  }

  #definition(): Type {
    let type: Type | undefined;
    // The kinds of types: array, slice, struct, map, and three that encode themselves.
    this.#fields((kind) => {
      if (kind < 0 || kind > 6) this.#fail(`unknown kind of type ${kind}`);
      let [element, key] = [0, 0];
      const fields: { name: string; type: number }[] = [];
      this.#fields((field) => {
        if (field === 0) this.#common();
        else if (kind === 2) this.#structFields(fields);
        else if (kind === 3 && field === 1) key = this.#int();
        else if (field <= 2) {
          // The length of an array is its second field; values carry their own.
          const number = this.#int();
          if (kind === 3 || field === 1) element = number;
        } else this.#fail(`unknown field ${field} of a type`);
      });
      if (kind <= 1) type = { kind: 'list', element };
      else if (kind === 2) type = { kind: 'struct', fields };
      else if (kind === 3) type = { kind: 'map', key, element };
      else type = { kind: 'bytes' };
    });
    return type ?? this.#fail('an empty type');
  }

  /** Name and id of a type. */
  #common(): void {
    this.#fields((field) => {
      if (field === 0) this.#slice();
      else this.#int();
    });
  }

  #structFields(fields: { name: string; type: number }[]): void {
    const count = this.#uint();
    for (let i = 0; i < count; i++) {
      let [name, type] = ['', 0];
      this.#fields((field) => {
        if (field === 0) name = this.#slice().toString('utf8');
        else type = this.#int();
      });
      fields.push({ name, type });
    }
  }

  #value(id: number, depth: number): GobValue {
    if (depth > MAX_DEPTH) this.#fail('too deep');
    switch (id) {
      case BOOL:
        return this.#uint() !== 0;
      case INT:
        return this.#int();
      case UINT:
        return this.#uint();
      case FLOAT:
        return this.#float();
      case BYTES:
        return this.#slice();
      case STRING:
        return this.#slice().toString('utf8');
    }
    const type = this.#types.get(id);
    switch (type?.kind) {
      case undefined:
        return this.#fail(`type ${id} is not described`);
      case 'bytes':
        return this.#slice();
      case 'list':
        return Array.from({ length: this.#count() }, () => this.#value(type.element, depth + 1));
      case 'map': {
        const map = new Map<GobValue, GobValue>();
        for (let left = this.#count(); left > 0; left--) {
          const key = this.#value(type.key, depth + 1);
          map.set(key, this.#value(type.element, depth + 1));
        }
        return map;
      }
      case 'struct': {
        const record: Record<string, GobValue> = {};
        this.#fields((field) => {
          const known = type.fields[field] ?? this.#fail(`a struct has no field ${field}`);
          record[known.name] = this.#value(known.type, depth + 1);
        });
        return record;
      }
    }
  }

  /** How many elements follow; each takes a byte at least. */
  #count(): number {
    const count = this.#uint();
    if (count > this.#end - this.#at) this.#fail(`${count} elements do not fit`);
    return count;
  }

  /** The bytes of a double, the least significant first, as a number. */
  #float(): number {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(this.#wide());
    return bytes.readDoubleBE();
  }
}
