// Reading and writing the integers and strings of Prometheus' binary files: big-endian words, unsigned and zigzag varints,
// length-prefixed UTF-8. 64-bit integers are doubles here, exact up to 2^53.

import { OperatingError } from '#base/errors.ts';

const utf8 = new TextEncoder();
const decoder = new TextDecoder();
const HIGH = 2 ** 32;

export const corrupt = (what: string): OperatingError => new OperatingError('corrupt', `cannot read ${what}`);

/** Grows as needed; `view` is what has been written since the last reset. */
export class ByteWriter {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  reset(): void {
    this.length = 0;
  }

  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  be32(value: number): void {
    this.reserve(4);
    putBe32(this.bytes, this.length, value);
    this.length += 4;
  }

  be64(value: number): void {
    const high = Math.floor(value / HIGH);
    this.be32(high >>> 0);
    this.be32((value - high * HIGH) >>> 0);
  }

  uvarint(value: number): void {
    this.reserve(10);
    while (value >= HIGH / 2) {
      this.bytes[this.length++] = (value % 128) | 0x80;
      value = Math.floor(value / 128);
    }
    let rest = value | 0;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.length++] = rest;
  }

  varint(value: number): void {
    this.uvarint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Length as uvarint, then the bytes. */
  text(text: string): void {
    this.reserve(text.length * 3 + 5);
    // Short text: assume a one-byte length, which is right unless there are more than 127 bytes.
    const { written } = utf8.encodeInto(text, this.bytes.subarray(this.length + 1));
    if (written < 0x80) {
      this.bytes[this.length] = written;
      this.length += written + 1;
      return;
    }
    this.uvarint(written);
    utf8.encodeInto(text, this.bytes.subarray(this.length));
    this.length += written;
  }
}

export function putBe32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function be32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Walks over bytes in memory; running over the end is an operating error `corrupt`. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  #take(count: number): number {
    const at = this.at;
    if (count < 0 || at + count > this.end) throw corrupt(`${count} bytes: only ${this.end - at} are left`);
    this.at = at + count;
    return at;
  }

  u8(): number {
    return this.bytes[this.#take(1)]!;
  }

  be16(): number {
    const at = this.#take(2);
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  be32(): number {
    return be32At(this.bytes, this.#take(4));
  }

  /** As signed 64-bit integer. */
  be64(): number {
    const high = this.be32() | 0;
    return high * HIGH + this.be32();
  }

  /** The eight bytes of a big-endian double into a slot, bits unchanged. */
  f64Into(target: Float64Array, index: number): void {
    const at = this.#take(8);
    const words = new Uint32Array(target.buffer, target.byteOffset + index * 8, 2);
    words[1] = be32At(this.bytes, at);
    words[0] = be32At(this.bytes, at + 4);
  }

  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.bytes[this.#take(1)]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw corrupt('varint: longer than ten bytes');
  }

  varint(): number {
    const value = this.uvarint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return this.bytes.subarray(at, at + count);
  }

  text(): string {
    const length = this.uvarint();
    const at = this.#take(length);
    return decodeText(this.bytes, at, at + length);
  }
}

/** UTF-8 bytes as a string; short ASCII, which nearly all labels are, without the decoder's overhead. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= 24) {
    let text = '';
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (byte >= 0x80) return decoder.decode(bytes.subarray(start, end));
      text += String.fromCharCode(byte);
    }
    return text;
  }
  return decoder.decode(bytes.subarray(start, end));
}
