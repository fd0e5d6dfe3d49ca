// D-Bus messages: values by their signature, and the header around them. Always written little-endian, read in either order.
// Integers of 64 bits are bigints, arrays of dictionary entries arrays of pairs, variants their value alone.

import { assert } from '#base/assert.ts';
import { OperatingError } from '#base/errors.ts';

export type DbusValue = number | bigint | string | boolean | readonly DbusValue[] | Variant;
/** A value that says its own type; needed for writing only. */
export type Variant = { readonly signature: string; readonly value: DbusValue };

export const MessageType = { call: 1, reply: 2, error: 3, signal: 4 } as const;

export type Message = {
  readonly type: number;
  readonly serial: number;
  readonly flags?: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly sender?: string;
  readonly signature: string;
  readonly body: readonly DbusValue[];
};

const PROTOCOL_VERSION = 1;
const FIXED_HEADER_BYTES = 16;
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const MAX_DEPTH = 64;
const LARGEST_NUMBER_BYTES = 8;

/** Header fields by their code, with the type of each. */
const FIELDS = [
  [1, 'path', 'o'],
  [2, 'interface', 's'],
  [3, 'member', 's'],
  [4, 'errorName', 's'],
  [5, 'replySerial', 'u'],
  [6, 'destination', 's'],
  [7, 'sender', 's'],
  [8, 'signature', 'g'],
] as const;

const ALIGNMENT: Readonly<Record<string, number>> = {
  y: 1,
  b: 4,
  n: 2,
  q: 2,
  i: 4,
  u: 4,
  h: 4,
  x: 8,
  t: 8,
  d: 8,
  s: 4,
  o: 4,
  g: 1,
  a: 4,
  v: 1,
  '(': 8,
  '{': 8,
};

const malformed = (what: string) => new OperatingError('dbus', `cannot read a D-Bus message: ${what}`);

/** The complete types of a signature: `a{sv}u` is `a{sv}` and `u`. */
export function typesOf(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at, 0);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

function endOfType(signature: string, at: number, depth: number): number {
  const code = signature[at];
  if (code === undefined || depth > MAX_DEPTH || ALIGNMENT[code] === undefined)
    throw malformed(`the signature ${JSON.stringify(signature)}`);
  if (code === 'a') return endOfType(signature, at + 1, depth + 1);
  if (code !== '(' && code !== '{') return at + 1;
  const close = code === '(' ? ')' : '}';
  let next = at + 1;
  while (signature[next] !== close) next = endOfType(signature, next, depth + 1);
  return next + 1;
}

class Writer {
  #buffer = Buffer.alloc(256);
  length = 0;

  align(size: number): void {
    const end = Math.ceil(this.length / size) * size;
    this.#room(end - this.length);
    this.#buffer.fill(0, this.length, end);
    this.length = end;
  }

  write(type: string, value: DbusValue): void {
    const code = type[0]!;
    this.align(ALIGNMENT[code]!);
    this.#grow(LARGEST_NUMBER_BYTES);
    switch (code) {
      case 'y':
        this.#buffer.writeUInt8(Number(value), this.#room(1));
        return;
      case 'n':
        this.#buffer.writeInt16LE(Number(value), this.#room(2));
        return;
      case 'q':
        this.#buffer.writeUInt16LE(Number(value), this.#room(2));
        return;
      case 'i':
        this.#buffer.writeInt32LE(Number(value), this.#room(4));
        return;
      case 'b':
      case 'u':
      case 'h':
        this.uint32(Number(value));
        return;
      case 'x':
        this.#buffer.writeBigInt64LE(BigInt(value as bigint), this.#room(8));
        return;
      case 't':
        this.#buffer.writeBigUInt64LE(BigInt(value as bigint), this.#room(8));
        return;
      case 'd':
        this.#buffer.writeDoubleLE(Number(value), this.#room(8));
        return;
      case 's':
      case 'o':
        this.uint32(Buffer.byteLength(String(value)));
        this.#text(String(value));
        return;
      case 'g':
        this.#buffer.writeUInt8(String(value).length, this.#room(1));
        this.#text(String(value));
        return;
      case 'v': {
        const { signature, value: inner } = value as Variant;
        this.write('g', signature);
        this.write(signature, inner);
        return;
      }
      case 'a': {
        const at = this.#room(4);
        this.align(ALIGNMENT[type[1]!]!);
        const start = this.length;
        for (const element of value as readonly DbusValue[]) this.write(type.slice(1), element);
        this.#buffer.writeUInt32LE(this.length - start, at);
        return;
      }
      default: {
        const values = value as readonly DbusValue[];
        typesOf(type.slice(1, -1)).forEach((inner, i) => {
          this.write(inner, values[i]!);
        });
      }
    }
  }

  uint32(value: number): void {
    this.#grow(LARGEST_NUMBER_BYTES);
    this.#buffer.writeUInt32LE(value, this.#room(4));
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  #text(text: string): void {
    const size = Buffer.byteLength(text);
    const at = this.#room(size + 1);
    this.#buffer.write(text, at);
    this.#buffer[at + size] = 0;
  }

  /** Where the next bytes go. */
  #room(size: number): number {
    this.#grow(size);
    const at = this.length;
    this.length += size;
    return at;
  }

  /** Makes room for so many bytes more. */
  #grow(size: number): void {
    if (this.length + size <= this.#buffer.length) return;
    const larger = Buffer.alloc(Math.max(this.length + size, this.#buffer.length * 2));
    this.#buffer.copy(larger);
    this.#buffer = larger;
  }
}

class Reader {
  readonly #buffer: Buffer;
  readonly #little: boolean;
  at: number;

  constructor(buffer: Buffer, little: boolean, at: number) {
    this.#buffer = buffer;
    this.#little = little;
    this.at = at;
  }

  align(size: number): void {
    this.at = Math.ceil(this.at / size) * size;
  }

  read(type: string, depth = 0): DbusValue {
    if (depth > MAX_DEPTH) throw malformed('values nested too deep');
    const code = type[0]!;
    this.align(ALIGNMENT[code]!);
    const buffer = this.#buffer;
    switch (code) {
      case 'y':
        return buffer.readUInt8(this.#take(1));
      case 'n':
        return this.#little ? buffer.readInt16LE(this.#take(2)) : buffer.readInt16BE(this.#take(2));
      case 'q':
        return this.#little ? buffer.readUInt16LE(this.#take(2)) : buffer.readUInt16BE(this.#take(2));
      case 'i':
        return this.#little ? buffer.readInt32LE(this.#take(4)) : buffer.readInt32BE(this.#take(4));
      case 'b':
        return this.uint32() !== 0;
      case 'u':
      case 'h':
        return this.uint32();
      case 'x':
        return this.#little ? buffer.readBigInt64LE(this.#take(8)) : buffer.readBigInt64BE(this.#take(8));
      case 't':
        return this.#little ? buffer.readBigUInt64LE(this.#take(8)) : buffer.readBigUInt64BE(this.#take(8));
      case 'd':
        return this.#little ? buffer.readDoubleLE(this.#take(8)) : buffer.readDoubleBE(this.#take(8));
      case 's':
      case 'o':
        return this.#text(this.uint32());
      case 'g':
        return this.#text(buffer.readUInt8(this.#take(1)));
      case 'v': {
        const signature = this.#text(buffer.readUInt8(this.#take(1)));
        if (typesOf(signature).length !== 1) throw malformed(`a variant of type ${JSON.stringify(signature)}`);
        return this.read(signature, depth + 1);
      }
      case 'a': {
        const size = this.uint32();
        const element = type.slice(1);
        this.align(ALIGNMENT[element[0]!]!);
        const end = this.at + size;
        if (end > buffer.length) throw malformed('an array that ends after the message');
        const values: DbusValue[] = [];
        while (this.at < end) values.push(this.read(element, depth + 1));
        return values;
      }
      default:
        return typesOf(type.slice(1, -1)).map((inner) => this.read(inner, depth + 1));
    }
  }

  uint32(): number {
    return this.#little ? this.#buffer.readUInt32LE(this.#take(4)) : this.#buffer.readUInt32BE(this.#take(4));
  }

  #text(size: number): string {
    const at = this.#take(size + 1);
    return this.#buffer.toString('utf8', at, at + size);
  }

  #take(size: number): number {
    const at = this.at;
    this.at += size;
    if (this.at > this.#buffer.length) throw malformed('it ends within a value');
    return at;
  }
}

export function writeMessage(message: Message): Buffer {
  const body = new Writer();
  const types = typesOf(message.signature);
  assert(types.length === message.body.length, `${message.body.length} values for ${message.signature}`);
  types.forEach((type, i) => {
    body.write(type, message.body[i]!);
  });
  const fields: DbusValue[] = [];
  for (const [code, name, signature] of FIELDS) {
    const value = message[name];
    if (value !== undefined && value !== '') fields.push([code, { signature, value }]);
  }
  const head = new Writer();
  head.write('y', 'l'.charCodeAt(0));
  head.write('y', message.type);
  head.write('y', message.flags ?? 0);
  head.write('y', PROTOCOL_VERSION);
  head.uint32(body.length);
  head.uint32(message.serial);
  head.write('a(yv)', fields);
  head.align(8);
  return Buffer.concat([head.bytes(), body.bytes()]);
}

/** The first message of the bytes and how many it takes; undefined while it is not complete. */
export function readMessage(bytes: Buffer): { readonly message: Message; readonly size: number } | undefined {
  if (bytes.length < FIXED_HEADER_BYTES) return undefined;
  const order = String.fromCharCode(bytes[0]!);
  if (order !== 'l' && order !== 'B') throw malformed(`the byte order ${bytes[0]}`);
  const sizes = new Reader(bytes, order === 'l', 4);
  const [bodyBytes, serial, fieldBytes] = [sizes.uint32(), sizes.uint32(), sizes.uint32()];
  const bodyStart = Math.ceil((FIXED_HEADER_BYTES + fieldBytes) / 8) * 8;
  const size = bodyStart + bodyBytes;
  if (size > MAX_MESSAGE_BYTES) throw malformed(`it is larger than ${MAX_MESSAGE_BYTES} bytes`);
  if (bytes.length < size) return undefined;
  const own = bytes.subarray(0, size);
  const found: Record<string, DbusValue> = {};
  const fields = new Reader(own, order === 'l', 12).read('a(yv)') as readonly (readonly [number, DbusValue])[];
  for (const [code, value] of fields) {
    const field = FIELDS.find(([one]) => one === code);
    if (field) found[field[1]] = value;
  }
  const signature = String(found['signature'] ?? '');
  const reader = new Reader(own, order === 'l', bodyStart);
  const body = typesOf(signature).map((type) => reader.read(type));
  const head = found as Partial<Message>;
  return { message: { ...head, type: bytes[1]!, serial, flags: bytes[2]!, signature, body }, size };
}
