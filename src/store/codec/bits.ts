// Streams of bits as chunks hold them, most significant first, and the numbers written in them: Prometheus' variable-width
// integers and XORed doubles. For chunks outside kernel memory: compaction, takeover, tools. Doubles keep their bits by
// travelling as two 32-bit words.

import { corrupt } from '../block/bytes.ts';

const HIGH = 2 ** 32;

export class BitWriter {
  bytes: Uint8Array;
  /** Bits written. */
  length = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  #reserve(bits: number): void {
    const end = this.length + bits;
    if (end <= this.bytes.length * 8) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, (end >>> 3) + 9));
    grown.set(this.bytes);
    this.bytes = grown;
  }

  /** The lower `count` bits of a value; at most 32. */
  bits(value: number, count: number): void {
    this.#reserve(count);
    while (count > 0) {
      const free = 8 - (this.length & 7);
      const take = Math.min(free, count);
      const part = (value >>> (count - take)) & ((1 << take) - 1);
      this.bytes[this.length >>> 3]! |= part << (free - take);
      this.length += take;
      count -= take;
    }
  }

  /** The lower `count` bits of a 64-bit word. */
  words(high: number, low: number, count: number): void {
    if (count > 32) {
      this.bits(high, count - 32);
      this.bits(low, 32);
    } else this.bits(low, count);
  }

  /** A whole number in two's complement. */
  integer(value: number, count: number): void {
    const high = Math.floor(value / HIGH);
    this.words(high | 0, value - high * HIGH, count);
  }

  uvarint(value: number): void {
    while (value >= 128) {
      this.bits((value % 128) | 0x80, 8);
      value = Math.floor(value / 128);
    }
    this.bits(value, 8);
  }

  varint(value: number): void {
    this.uvarint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  varbitInt(value: number): void {
    for (let i = 0; i < VARBIT_WIDTHS.length; i++) {
      const width = VARBIT_WIDTHS[i]!;
      const half = width === 0 ? 0 : 2 ** (width - 1);
      if (value > half || value < (width === 0 ? 0 : 1 - half)) continue;
      this.bits(VARBIT_PREFIXES[i]!, i + 1);
      if (width > 0) this.integer(value, width);
      return;
    }
    this.bits(0xff, 8);
    this.integer(value, 64);
  }

  varbitUint(value: number): void {
    for (let i = 0; i < VARBIT_WIDTHS.length; i++) {
      const width = VARBIT_WIDTHS[i]!;
      if (value >= 2 ** width) continue;
      this.bits(VARBIT_PREFIXES[i]!, i + 1);
      if (width > 0) this.integer(value, width);
      return;
    }
    this.bits(0xff, 8);
    this.integer(value, 64);
  }

  /** Bits [from, to) of other bytes, as they are. */
  copy(bytes: Uint8Array, from: number, to: number): void {
    const lead = Math.min(to - from, (8 - (this.length & 7)) & 7);
    for (let i = 0; i < lead; i++, from++) this.bits(bytes[from >>> 3]! >>> (7 - (from & 7)), 1);
    const whole = (to - from) >>> 3;
    this.#reserve(to - from);
    const shift = from & 7;
    let source = from >>> 3;
    let target = this.length >>> 3;
    for (let i = 0; i < whole; i++, source++, target++) {
      this.bytes[target] = (bytes[source]! << shift) | (shift > 0 ? bytes[source + 1]! >>> (8 - shift) : 0);
    }
    this.length += whole * 8;
    for (from += whole * 8; from < to; from++) this.bits(bytes[from >>> 3]! >>> (7 - (from & 7)), 1);
  }

  /** Whole bytes written so far. */
  finish(): Uint8Array {
    return this.bytes.slice(0, (this.length + 7) >>> 3);
  }
}

/** Data widths of the variable-width integers after prefixes 0, 10, 110 ...; 64 bits follow eight ones. */
const VARBIT_WIDTHS = [0, 3, 6, 9, 12, 18, 25, 56];
const VARBIT_PREFIXES = VARBIT_WIDTHS.map((_, i) => 2 ** (i + 1) - 2);

export class BitReader {
  readonly bytes: Uint8Array;
  /** The next bit. */
  at: number;
  readonly end: number;
  /** What `words` has read last. */
  high = 0;
  low = 0;

  constructor(bytes: Uint8Array, startByte: number) {
    this.bytes = bytes;
    this.at = startByte * 8;
    this.end = bytes.length * 8;
  }

  bit(): number {
    if (this.at >= this.end) throw corrupt('a chunk: it ends within a sample');
    const bit = (this.bytes[this.at >>> 3]! >>> (7 - (this.at & 7))) & 1;
    this.at++;
    return bit;
  }

  /** At most 32 bits, unsigned. */
  bits(count: number): number {
    if (this.at + count > this.end) throw corrupt('a chunk: it ends within a sample');
    let value = 0;
    while (count > 0) {
      const left = 8 - (this.at & 7);
      const take = Math.min(left, count);
      const part = (this.bytes[this.at >>> 3]! >>> (left - take)) & ((1 << take) - 1);
      value = value * (1 << take) + part;
      this.at += take;
      count -= take;
    }
    return value;
  }

  /** Up to 64 bits into `high` and `low`. */
  words(count: number): void {
    this.high = count > 32 ? this.bits(count - 32) : 0;
    this.low = this.bits(Math.min(32, count));
  }

  /** How many ones come before a zero, at most `limit`. */
  ones(limit: number): number {
    let count = 0;
    while (count < limit && this.bit() === 1) count++;
    return count;
  }

  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.bits(8);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw corrupt('a chunk: a varint is longer than ten bytes');
  }

  varint(): number {
    const value = this.uvarint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #unsigned(width: number): number {
    this.words(width);
    return this.high * HIGH + this.low;
  }

  /** A number of which `half` is the largest: Prometheus' widths reach one further up than down. */
  offsetInteger(width: number): number {
    const value = this.#unsigned(width);
    return value > 2 ** (width - 1) ? value - 2 ** width : value;
  }

  /** 64 bits in two's complement. */
  integer64(): number {
    this.words(64);
    return (this.high | 0) * HIGH + this.low;
  }

  varbitInt(): number {
    const prefix = this.ones(8);
    if (prefix === 0) return 0;
    return prefix === 8 ? this.integer64() : this.offsetInteger(VARBIT_WIDTHS[prefix]!);
  }

  varbitUint(): number {
    const prefix = this.ones(8);
    if (prefix === 0) return 0;
    return this.#unsigned(prefix === 8 ? 64 : VARBIT_WIDTHS[prefix]!);
  }
}

const scratch = () => new DataView(new ArrayBuffer(8));

/** A double in a sequence of which each is written as XOR with the one before. */
export class XorValue {
  high = 0;
  low = 0;
  #leading = 255;
  #trailing = 0;
  /** Values have been read with the window that is there before any is written: an encoder that went on after a restart. */
  usedInitialWindow = false;
  readonly #view = scratch();

  get value(): number {
    this.#view.setUint32(0, this.high);
    this.#view.setUint32(4, this.low);
    return this.#view.getFloat64(0);
  }

  set(value: number): void {
    this.#view.setFloat64(0, value);
    this.high = this.#view.getUint32(0);
    this.low = this.#view.getUint32(4);
  }

  /** The first of the sequence, whole. */
  writeFirst(out: BitWriter, high: number, low: number): void {
    this.high = high;
    this.low = low;
    out.words(high, low, 64);
  }

  readFirst(reader: BitReader): void {
    reader.words(64);
    this.high = reader.high;
    this.low = reader.low;
  }

  write(out: BitWriter, high: number, low: number): void {
    const deltaHigh = (high ^ this.high) >>> 0;
    const deltaLow = (low ^ this.low) >>> 0;
    this.high = high;
    this.low = low;
    if (deltaHigh === 0 && deltaLow === 0) {
      out.bits(0, 1);
      return;
    }
    const leading = Math.min(31, deltaHigh !== 0 ? Math.clz32(deltaHigh) : 32 + Math.clz32(deltaLow));
    const trailing = deltaLow !== 0 ? trailingZeros(deltaLow) : 32 + trailingZeros(deltaHigh);
    if (this.#leading !== 255 && leading >= this.#leading && trailing >= this.#trailing) out.bits(0b10, 2);
    else {
      this.#leading = leading;
      this.#trailing = trailing;
      out.bits(0b11, 2);
      out.bits(leading, 5);
      // 64 significant bits do not fit into six: they are written as 0, which never occurs otherwise.
      out.bits((64 - leading - trailing) & 63, 6);
    }
    const shift = this.#trailing;
    const shiftedHigh = shift >= 32 ? 0 : deltaHigh >>> shift;
    const shiftedLow =
      shift === 0
        ? deltaLow
        : shift >= 32
          ? deltaHigh >>> (shift - 32)
          : (deltaLow >>> shift) | (deltaHigh << (32 - shift));
    out.words(shiftedHigh, shiftedLow, 64 - this.#leading - shift);
  }

  read(reader: BitReader): void {
    if (reader.bit() === 0) return;
    if (reader.bit() === 1) this.readWindow(reader);
    this.readBits(reader);
  }

  /** A new pair of leading and trailing zeros. */
  readWindow(reader: BitReader): void {
    this.#leading = reader.bits(5);
    const significant = reader.bits(6) || 64;
    this.#trailing = 64 - this.#leading - significant;
    if (this.#trailing < 0) throw corrupt('a chunk: a value has more bits than 64');
  }

  /** The bits within the current window. */
  readBits(reader: BitReader): void {
    let leading = this.#leading;
    if (leading === 255) {
      leading = 0;
      this.usedInitialWindow = true;
    }
    reader.words(64 - leading - this.#trailing);
    const shift = this.#trailing;
    const { high, low } = reader;
    if (shift >= 32) this.high ^= low << (shift - 32);
    else if (shift > 0) {
      this.high ^= (high << shift) | (low >>> (32 - shift));
      this.low ^= low << shift;
    } else {
      this.high ^= high;
      this.low ^= low;
    }
    this.high >>>= 0;
    this.low >>>= 0;
  }
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}
