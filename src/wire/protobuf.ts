// A small reader and writer of protobuf's wire format. Readers check every length against the message they are in; 64-bit
// numbers come out as doubles, exact up to 2^53, which covers every timestamp and count that has a meaning here.

import { isUtf8 } from 'node:buffer';
import { OperatingError } from '#base/errors.ts';

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

/** The tag of a field as it stands before its value. */
export const tagOf = (field: number, wireType: number): number => (field << 3) | wireType;

const MAX_DEPTH = 64;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Reads fields one after the other. A nested message: `const outer = reader.open(); while (reader.more()) ...;
 * reader.close(outer)`.
 */
export class ProtoReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  pos: number;
  /** Where the message being read ends. */
  limit: number;
  #depth = 0;
  // The number read last.
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.pos = start;
    this.limit = end;
  }

  more(): boolean {
    return this.pos < this.limit;
  }

  /** Field number and wire type, as `tagOf` packs them. */
  tag(): number {
    const tag = this.uint32();
    if (tag >>> 3 === 0) this.fail('field number 0');
    return tag;
  }

  uint32(): number {
    this.#varint();
    return this.#low >>> 0;
  }

  /** An enum or an int32: negative numbers are sent as ten bytes. */
  int32(): number {
    this.#varint();
    return this.#low | 0;
  }

  uint64(): number {
    this.#varint();
    return (this.#high >>> 0) * 2 ** 32 + (this.#low >>> 0);
  }

  int64(): number {
    this.#varint();
    return (this.#high | 0) * 2 ** 32 + (this.#low >>> 0);
  }

  sint32(): number {
    const value = this.uint32();
    return (value >>> 1) ^ -(value & 1);
  }

  sint64(): number {
    this.#varint();
    const half = (this.#high >>> 1) * 2 ** 32 + (((this.#low >>> 1) | (this.#high << 31)) >>> 0);
    return this.#low & 1 ? -half - 1 : half;
  }

  bool(): boolean {
    return this.uint64() !== 0;
  }

  double(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  float(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }

  fixed32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  fixed64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** fixed64 as a double, exact up to 2^53. */
  fixed64Number(): number {
    const at = this.#take(8);
    return this.#view.getUint32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  sfixed64Number(): number {
    const at = this.#take(8);
    return this.#view.getInt32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  /** The two halves of a double, for values whose NaN bits matter. */
  words(target: Uint32Array, index: number): void {
    const at = this.#take(8);
    target[index] = this.#view.getUint32(at, true);
    target[index + 1] = this.#view.getUint32(at + 4, true);
  }

  /** What is not UTF-8 comes as text that is not well-formed (`isWellFormed`), so that it can be refused by name. */
  string(): string {
    const { start, end } = this.span();
    // Short ASCII strings, which most are, without the price of a call into the decoder.
    if (end - start <= 24) {
      let text = '';
      let i = start;
      for (; i < end; i++) {
        const byte = this.bytes[i]!;
        if (byte > 127) break;
        text += String.fromCharCode(byte);
      }
      if (i === end) return text;
    }
    const bytes = this.bytes.subarray(start, end);
    const text = decoder.decode(bytes);
    return text.includes('\ufffd') && !isUtf8(bytes) ? `${text}\udfff` : text;
  }

  /** A view of the field's bytes, not a copy. */
  view(): Uint8Array {
    const { start, end } = this.span();
    return this.bytes.subarray(start, end);
  }

  /** The place of a length-delimited field, which is stepped over. */
  span(): { readonly start: number; readonly end: number } {
    const length = this.uint64();
    const start = this.pos;
    if (length > this.limit - start) this.fail(`a field of ${length} bytes runs over its message`);
    this.pos = start + length;
    return { start, end: this.pos };
  }

  /** Enters a nested message; the result goes to `close`. */
  open(): number {
    const outer = this.limit;
    const { start, end } = this.span();
    if (++this.#depth > MAX_DEPTH) this.fail(`messages are nested deeper than ${MAX_DEPTH}`);
    this.pos = start;
    this.limit = end;
    return outer;
  }

  close(outer: number): void {
    this.#depth--;
    this.pos = this.limit;
    this.limit = outer;
  }

  /** Enters each message in a field up to the limit; everything else is stepped over. */
  messages(field: number, read: () => void): void {
    while (this.more()) {
      const tag = this.tag();
      if (tag !== tagOf(field, BYTES)) {
        this.skip(tag);
        continue;
      }
      const outer = this.open();
      read();
      this.close(outer);
    }
  }

  /** Numbers of a repeated field, packed or not: calls `read` for each. */
  repeated(tag: number, read: () => void): void {
    if ((tag & 7) !== BYTES) {
      read();
      return;
    }
    const outer = this.open();
    while (this.more()) read();
    this.close(outer);
  }

  /** Steps over the value of an unknown field. */
  skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.uint64();
        return;
      case FIXED64:
        this.#take(8);
        return;
      case BYTES:
        this.span();
        return;
      case FIXED32:
        this.#take(4);
        return;
      case 3:
        this.#skipGroup(tag >>> 3);
        return;
      default:
        this.fail(`wire type ${tag & 7} of field ${tag >>> 3}`);
    }
  }

  #skipGroup(field: number): void {
    if (++this.#depth > MAX_DEPTH) this.fail(`messages are nested deeper than ${MAX_DEPTH}`);
    for (;;) {
      const tag = this.tag();
      if ((tag & 7) === 4) {
        if (tag >>> 3 !== field) this.fail(`group ${field} ends as group ${tag >>> 3}`);
        break;
      }
      this.skip(tag);
    }
    this.#depth--;
  }

  fail(cause: string): never {
    throw new OperatingError('protobuf_corrupt', `cannot decode protobuf message: ${cause} at byte ${this.pos}`);
  }

  #take(length: number): number {
    const at = this.pos;
    if (length > this.limit - at) this.fail(`${length} bytes are missing`);
    this.pos = at + length;
    return at;
  }

  #varint(): void {
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      if (this.pos >= this.limit) this.fail('a number is cut off');
      const byte = this.bytes[this.pos++]!;
      const bits = byte & 0x7f;
      if (i < 4) low |= bits << (7 * i);
      else if (i === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * i - 32);
      if (byte < 0x80) {
        this.#low = low;
        this.#high = high;
        return;
      }
    }
    this.fail('a number longer than ten bytes');
  }
}

const encoder = new TextEncoder();

/** Appends fields to a buffer that grows. Fields that hold their default value are left out unless said otherwise. */
export class ProtoWriter {
  bytes: Uint8Array;
  pos = 0;
  #view: DataView;

  constructor(sizeBytes = 1024) {
    this.bytes = new Uint8Array(sizeBytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** What has been written; valid until the next write or `reset`. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.pos);
  }

  reset(): void {
    this.pos = 0;
  }

  reserve(count: number): void {
    if (this.pos + count <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.pos + count, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.pos));
    this.bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  /** A bare varint: a length or an element of a packed field. Negative numbers become ten bytes, as int64 asks for. */
  rawVarint(value: number): void {
    this.#words(value >>> 0, Math.floor(value / 2 ** 32) >>> 0);
  }

  rawSint(value: number): void {
    const half = value < 0 ? -value - 1 : value;
    const low = half >>> 0;
    this.#words(((low << 1) | (value < 0 ? 1 : 0)) >>> 0, ((Math.floor(half / 2 ** 32) << 1) | (low >>> 31)) >>> 0);
  }

  #words(low: number, high: number): void {
    this.reserve(10);
    while (high !== 0 || low > 0x7f) {
      this.bytes[this.pos++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.bytes[this.pos++] = low;
  }

  rawDouble(value: number): void {
    this.reserve(8);
    this.#view.setFloat64(this.pos, value, true);
    this.pos += 8;
  }

  tag(field: number, wireType: number): void {
    this.rawVarint(tagOf(field, wireType));
  }

  varint(field: number, value: number): void {
    if (value === 0) return;
    this.tag(field, VARINT);
    this.rawVarint(value);
  }

  sint(field: number, value: number): void {
    if (value === 0) return;
    this.tag(field, VARINT);
    this.rawSint(value);
  }

  bool(field: number, value: boolean): void {
    if (value) this.varint(field, 1);
  }

  double(field: number, value: number): void {
    if (Object.is(value, 0)) return;
    this.tag(field, FIXED64);
    this.rawDouble(value);
  }

  /** A double by its two halves, so that NaN bits stay; left out when all bits are 0. */
  words(field: number, low: number, high: number): void {
    if (low === 0 && high === 0) return;
    this.tag(field, FIXED64);
    this.reserve(8);
    this.#view.setUint32(this.pos, low, true);
    this.#view.setUint32(this.pos + 4, high, true);
    this.pos += 8;
  }

  string(field: number, text: string): void {
    if (text !== '') this.text(field, text);
  }

  /** A string that is written even when empty, as elements of repeated fields are. */
  text(field: number, text: string): void {
    this.tag(field, BYTES);
    const length = text.length;
    this.reserve(length * 3 + 10);
    if (length < 64) {
      // Most strings are short ASCII; what is not starts over below.
      const start = this.pos + 1;
      const bytes = this.bytes;
      let i = 0;
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 127) break;
        bytes[start + i] = code;
      }
      if (i === length) {
        bytes[this.pos] = length;
        this.pos = start + length;
        return;
      }
    }
    const encoded = encoder.encode(text);
    this.rawVarint(encoded.length);
    this.reserve(encoded.length);
    this.bytes.set(encoded, this.pos);
    this.pos += encoded.length;
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.pos);
    this.pos += bytes.length;
  }

  blob(field: number, bytes: Uint8Array): void {
    this.tag(field, BYTES);
    this.rawVarint(bytes.length);
    this.raw(bytes);
  }

  /** Begins a nested message or packed field; the result goes to `end`. */
  begin(field: number): number {
    this.tag(field, BYTES);
    this.reserve(1);
    return ++this.pos;
  }

  /** Fills in the length; content of more than 127 bytes moves to make room for it. */
  end(start: number): void {
    const length = this.pos - start;
    if (length < 0x80) {
      this.bytes[start - 1] = length;
      return;
    }
    let extra = 0;
    for (let rest = length; rest > 0x7f; rest = Math.floor(rest / 128)) extra++;
    this.reserve(extra);
    this.bytes.copyWithin(start + extra, start, this.pos);
    const end = this.pos + extra;
    this.pos = start - 1;
    this.rawVarint(length);
    this.pos = end;
  }
}
