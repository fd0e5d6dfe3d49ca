// Snappy's block format: what remote write, remote read and Prometheus' log are compressed with. Decoding checks every
// length before it writes and refuses blocks that announce more than the caller allows, so hostile input costs nothing.

import { OperatingError } from '#base/errors.ts';

const corrupt = (cause: string) => new OperatingError('snappy_corrupt', `cannot decode snappy block: ${cause}`);

/** The length that a block announces for its content, and where the content's tags begin. */
export function snappyHeader(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): { readonly length: number; readonly next: number } {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    if (start + i >= end) throw corrupt('the length is cut off');
    const byte = bytes[start + i]!;
    if (i === 4 && byte > 15) throw corrupt('the length does not fit into 32 bits');
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { length, next: start + i + 1 };
  }
  throw corrupt('the length does not fit into 32 bits');
}

/** Decodes the block in bytes[start, end). Blocks that announce more than `maxBytes` are refused. */
export function snappyDecode(bytes: Uint8Array, maxBytes: number, start = 0, end = bytes.length): Uint8Array {
  const { length, next } = snappyHeader(bytes, start, end);
  if (length > maxBytes) {
    throw new OperatingError(
      'too_large',
      `cannot decode snappy block: it announces ${length} bytes, allowed are ${maxBytes}`,
    );
  }
  // A copy of two bytes or three makes at most 64: what announces more lies, and gets no memory.
  if (length > (end - next) * 64) throw corrupt(`it announces ${length} bytes, which ${end - start} bytes cannot hold`);
  const out = new Uint8Array(length);
  decodeTags(bytes, next, end, out);
  return out;
}

function decodeTags(bytes: Uint8Array, start: number, end: number, out: Uint8Array): void {
  const size = out.length;
  let from = start;
  let to = 0;
  while (from < end) {
    const tag = bytes[from++]!;
    let length: number;
    let distance: number;
    if ((tag & 3) === 0) {
      length = (tag >>> 2) + 1;
      if (length > 60) {
        const extra = length - 60;
        if (from + extra > end) throw corrupt(`a literal's length at byte ${from} is cut off`);
        length = 1;
        for (let i = 0; i < extra; i++) length += bytes[from + i]! * 2 ** (8 * i);
        from += extra;
      }
      if (length > end - from) throw corrupt(`a literal at byte ${from} is cut off`);
      if (length > size - to) throw corrupt(`a literal at byte ${from} runs over the announced ${size} bytes`);
      if (length <= 16) for (let i = 0; i < length; i++) out[to + i] = bytes[from + i]!;
      else out.set(bytes.subarray(from, from + length), to);
      from += length;
      to += length;
      continue;
    }
    switch (tag & 3) {
      case 1:
        if (from + 1 > end) throw corrupt(`a copy at byte ${from} is cut off`);
        length = 4 + ((tag >>> 2) & 7);
        distance = ((tag & 0xe0) << 3) | bytes[from]!;
        from += 1;
        break;
      case 2:
        if (from + 2 > end) throw corrupt(`a copy at byte ${from} is cut off`);
        length = (tag >>> 2) + 1;
        distance = bytes[from]! | (bytes[from + 1]! << 8);
        from += 2;
        break;
      default:
        if (from + 4 > end) throw corrupt(`a copy at byte ${from} is cut off`);
        length = (tag >>> 2) + 1;
        distance = (bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24)) >>> 0;
        from += 4;
    }
    if (distance === 0 || distance > to)
      throw corrupt(`a copy before byte ${from} reaches back ${distance} of ${to} bytes`);
    if (length > size - to) throw corrupt(`a copy before byte ${from} runs over the announced ${size} bytes`);
    // Overlapping copies repeat what they write, so the order of single bytes matters.
    if (distance >= length && length > 24) out.copyWithin(to, to - distance, to - distance + length);
    else for (let i = 0; i < length; i++) out[to + i] = out[to - distance + i]!;
    to += length;
  }
  if (to !== size) throw corrupt(`it announces ${size} bytes and holds ${to}`);
}

/** No more than this comes out of encoding `length` bytes. */
export const snappyMaxEncoded = (length: number): number => 32 + length + Math.floor(length / 6);

const WINDOW_BYTES = 65_536;
const TABLE_BITS = 14;
const HASH = 0x1e35a7bd;

/** Compresses; greedy matching through a table of 4-byte hashes, 64 KiB at a time as all encoders of the format do. */
export class SnappyEncoder {
  readonly #table = new Uint16Array(1 << TABLE_BITS);
  #out = new Uint8Array(0);

  /** The result is a view that the next call overwrites; copy what must stay. */
  encode(bytes: Uint8Array): Uint8Array {
    const limit = snappyMaxEncoded(bytes.length);
    if (this.#out.length < limit) this.#out = new Uint8Array(limit);
    return this.#out.subarray(0, this.append(bytes, this.#out, putLength(this.#out, bytes.length)));
  }

  /** Writes the elements without the length; the target has room for them. The result is where they end. */
  append(bytes: Uint8Array, out: Uint8Array, at: number): number {
    for (let start = 0; start < bytes.length; start += WINDOW_BYTES) {
      at = encodeWindow(bytes, start, Math.min(bytes.length, start + WINDOW_BYTES), out, at, this.#table);
    }
    return at;
  }
}

/** The length in front of a block; the result is where it ends. */
export function putLength(out: Uint8Array, length: number): number {
  let at = 0;
  let rest = length;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) out[at++] = (rest & 0x7f) | 0x80;
  out[at++] = rest;
  return at;
}

export function snappyEncode(bytes: Uint8Array): Uint8Array {
  return new SnappyEncoder().encode(bytes);
}

function encodeWindow(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
  table: Uint16Array,
): number {
  let literal = start;
  const last = end - 4;
  if (end - start >= 16) {
    table.fill(0);
    let from = start + 1;
    let misses = 32;
    while (from <= last) {
      const word = load32(bytes, from);
      const slot = Math.imul(word, HASH) >>> (32 - TABLE_BITS);
      const candidate = start + table[slot]!;
      table[slot] = from - start;
      if (candidate >= from || load32(bytes, candidate) !== word) {
        // Data that does not repeat is stepped over faster and faster.
        from += misses++ >>> 5;
        continue;
      }
      misses = 32;
      if (from > literal) at = putLiteral(bytes, literal, from, out, at);
      let length = 4;
      while (from + length < end && bytes[candidate + length] === bytes[from + length]) length++;
      at = putCopy(out, at, from - candidate, length);
      from += length;
      literal = from;
      if (from - 1 <= last) table[Math.imul(load32(bytes, from - 1), HASH) >>> (32 - TABLE_BITS)] = from - 1 - start;
    }
  }
  return literal < end ? putLiteral(bytes, literal, end, out, at) : at;
}

const load32 = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);

function putLiteral(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  const n = end - start - 1;
  if (n < 60) out[at++] = n << 2;
  else if (n < 256) {
    out[at++] = 60 << 2;
    out[at++] = n;
  } else {
    out[at++] = 61 << 2;
    out[at++] = n & 0xff;
    out[at++] = n >>> 8;
  }
  if (n < 32) for (let i = start; i < end; i++) out[at++] = bytes[i]!;
  else {
    out.set(bytes.subarray(start, end), at);
    at += n + 1;
  }
  return at;
}

function putCopy(out: Uint8Array, at: number, distance: number, length: number): number {
  while (length > 0) {
    // Never leave a rest below four bytes: short copies hold four to eleven.
    const part = length > 67 ? 64 : length > 64 ? 60 : length;
    if (part >= 4 && part <= 11 && distance < 2048) {
      out[at++] = 1 | ((part - 4) << 2) | ((distance >>> 8) << 5);
      out[at++] = distance & 0xff;
    } else {
      out[at++] = 2 | ((part - 1) << 2);
      out[at++] = distance & 0xff;
      out[at++] = distance >>> 8;
    }
    length -= part;
  }
  return at;
}
