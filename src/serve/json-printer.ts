// Rows of query results as bytes of JSON, printed by a kernel: numbers as Go prints them, label sets printed once for as long as
// they are the same objects. Memory is as large as the largest row needs.

import { KernelMemory, loadKernel } from '#base/kernel.ts';
import type { Labels } from '#model/labels.ts';
import { jsonLabels } from './json-text.ts';

type Kernel = {
  init(table: number): void;
  printPoint(value: number, time: number, out: number): number;
  printRow(values: number, kinds: number, steps: number, times: number, out: number): number;
};

/** Powers of ten that doubles need: see kernel/print.ts. */
const FIRST_POWER = -324;
const LAST_POWER = 292;
const TIME_BYTES = 32;
/** What a point takes at most: a time, a number, and what is around them. */
const POINT_BYTES = 64;
const PIECE_BYTES = 512 * 1024;

export class JsonPrinter {
  readonly #memory = new KernelMemory();
  readonly #kernel = loadKernel<Kernel>('print', this.#memory);
  readonly #printed = new WeakMap<Labels, Uint8Array>();
  readonly #encoder = new TextEncoder();
  #out = 0;
  #room = 0;
  #steps = 0;
  #values = 0;
  #kinds = 0;
  #times = 0;
  /** Where the next byte goes. */
  #at = 0;
  #open = 0;
  #timesAre: readonly string[] | undefined;

  constructor() {
    const table = this.#memory.region((LAST_POWER - FIRST_POWER + 1) * 16);
    const words = new BigUint64Array(this.#memory.memory.buffer);
    for (let k = FIRST_POWER; k <= LAST_POWER; k++) {
      const power = scaledPower(-k);
      const at = table / 8 + (k - FIRST_POWER) * 2;
      words[at] = power >> 63n;
      words[at + 1] = power & (2n ** 63n - 1n);
    }
    this.#kernel.init(table);
  }

  /** Begins a piece of an answer whose rows have points at these times, as texts of seconds; the first row follows `open`. */
  begin(times: readonly string[], open: '[' | ','): void {
    this.#reserve(PIECE_BYTES);
    this.#at = this.#out;
    this.#open = open.charCodeAt(0);
    if (this.#timesAre === times) return;
    this.#timesAre = times;
    if (times.length > this.#steps) {
      this.#steps = Math.max(16, 2 ** Math.ceil(Math.log2(times.length)));
      this.#values = this.#memory.region(this.#steps * 8);
      this.#kinds = this.#memory.region(this.#steps);
      this.#times = this.#memory.region(this.#steps * TIME_BYTES);
    }
    const { u8 } = this.#memory;
    for (let step = 0; step < times.length; step++) {
      const text = `[${times[step]},"`;
      const at = this.#times + step * TIME_BYTES;
      u8[at] = text.length;
      for (let i = 0; i < text.length; i++) u8[at + 1 + i] = text.charCodeAt(i);
    }
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#room) return;
    const room = 2 ** Math.ceil(Math.log2(bytes));
    const out = this.#memory.region(room);
    this.#memory.u8.copyWithin(out, this.#out, this.#at);
    this.#at = out + (this.#at - this.#out);
    this.#out = out;
    this.#room = room;
  }

  /** Whether it is time to take what is there. */
  get isFull(): boolean {
    return this.#at - this.#out >= PIECE_BYTES;
  }

  take(): Buffer {
    const bytes = Buffer.from(this.#memory.u8.subarray(this.#out, this.#at));
    this.#at = this.#out;
    return bytes;
  }

  /** The last piece: it closes the list. */
  end(): Buffer {
    this.#memory.u8[this.#at++] = 0x5d;
    return this.take();
  }

  /** A comma and the beginning of a row, up to the word "value". */
  #begin(labels: Labels): void {
    let bytes = this.#printed.get(labels);
    if (!bytes) {
      bytes = this.#encoder.encode(`,{"metric":${jsonLabels(labels)},"value`);
      this.#printed.set(labels, bytes);
    }
    this.#reserve(this.#at - this.#out + bytes.length + POINT_BYTES);
    const { u8 } = this.#memory;
    u8.set(bytes, this.#at);
    if (this.#at === this.#out) u8[this.#at] = this.#open;
    this.#at += bytes.length;
  }

  /** A row of a vector. */
  instant(labels: Labels, value: number): void {
    this.#begin(labels);
    this.#at = this.#kernel.printPoint(value, this.#times, this.#at) >>> 0;
  }

  /** A row of a matrix: those of its points that are floats. */
  row(labels: Labels, values: Float64Array, kinds: Uint8Array, from: number, steps: number): void {
    this.#begin(labels);
    this.#reserve(this.#at - this.#out + (steps + 1) * POINT_BYTES);
    this.#memory.f64.set(values.subarray(from, from + steps), this.#values / 8);
    this.#memory.u8.set(kinds.subarray(from, from + steps), this.#kinds);
    this.#at = this.#kernel.printRow(this.#values, this.#kinds, steps, this.#times, this.#at) >>> 0;
  }
}

/** 10^power, scaled to 126 bits, cut off and one more. */
function scaledPower(power: number): bigint {
  const numerator = power >= 0 ? 10n ** BigInt(power) : 1n;
  const denominator = power >= 0 ? 1n : 10n ** BigInt(-power);
  // As many places as make 2^125 <= result < 2^126.
  const shift = 125n - BigInt(Number((BigInt(power) * 913_124_641_741n) >> 38n));
  const scaled = shift >= 0n ? (numerator << shift) / denominator : numerator / (denominator << -shift);
  return scaled + 1n;
}
