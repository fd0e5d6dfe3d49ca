// The fast way of a remote write 1.0 request: kernel/remote.ts turns the body into columns of (ref, time, value) without
// label strings. This class owns the kernel's memory: the table of series fingerprints and the buffers of one walk, which
// grow to what requests need. Only labels of series seen for the first time become strings.

import { KernelMemory, loadKernel } from '#base/kernel.ts';
import type { Random } from '#base/random.ts';
import { snappyHeader } from '#wire/snappy.ts';

type Kernel = {
  setTable(entries: number, buckets: number, bucketCount: number, count: number, seed1: bigint, seed2: bigint): void;
  tableCount(): number;
  unsnap(from: number, end: number, to: number, size: number): number;
  learn(finger: number, ref: number, length: number, epoch: number): void;
  keepSince(oldest: number, target: number): number;
  rehash(): void;
  setResults(
    refs: number,
    times: number,
    values: number,
    series: number,
    maxRows: number,
    unknown: number,
    maxUnknown: number,
    extra: number,
    maxExtra: number,
  ): void;
  rowCount(): number;
  unknownCount(): number;
  extraCount(): number;
  entryRef(entry: number): number;
  walk(from: number, end: number, epoch: number): number;
  forget(row: number): void;
};

const ENTRY_BYTES = 40;
const FINGER_BYTES = 16;
const UNKNOWN_BYTES = 32;
const EXTRA_BYTES = 16;
const INITIAL_ENTRIES = 4096;
const MAX_ROWS = 1024 * 1024;
const FULL = -2;
const UNKNOWN = 0x8000_0000;
const EPOCH_MS = 60_000;
/** Series not seen for so many epochs make room when the table is full. */
const IDLE_EPOCHS = 10;

/** A series whose fingerprint was not in the table: where its labels are in `Walked.body`, and what to learn it by. */
export type UnknownSeries = { readonly start: number; readonly length: number; readonly finger: Uint8Array };
/** A message with exemplars or histograms, or metadata. `ref` of its series; below 0: unknown series -ref - 1. */
export type Extra = {
  readonly kind: 'series' | 'metadata';
  readonly start: number;
  readonly end: number;
  readonly ref: number;
};

export type Walked = {
  /** The decoded request: a view that is valid until the next call. */
  readonly body: Uint8Array;
  /** Copies of the columns; refs below 0 stand for unknown series -ref - 1. */
  readonly refs: Float64Array;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly unknown: readonly UnknownSeries[];
  readonly extras: readonly Extra[];
};

export class PredictedWrite {
  readonly #memory = new KernelMemory();
  readonly #kernel = loadKernel<Kernel>('remote', this.#memory);
  readonly #seeds: readonly [bigint, bigint];
  readonly #maxEntries: number;
  #entries = 0;
  #buckets = 0;
  #capacity = 0;
  #input = { address: 0, bytes: 0 };
  #output = { address: 0, bytes: 0 };
  #results = { address: 0, rows: 0 };
  readonly #finger = this.#memory.region(FINGER_BYTES);

  /** `random` keeps senders from making two series look the same. */
  constructor(random: Random, maxEntries = 16 * 1024 * 1024) {
    const seeds = new BigUint64Array(random.bytes(16).slice().buffer);
    this.#seeds = [seeds[0]!, seeds[1]!];
    this.#maxEntries = maxEntries;
    this.#place(INITIAL_ENTRIES, 0);
    this.#growResults(4096);
  }

  /** Series in the table. */
  get size(): number {
    return this.#kernel.tableCount();
  }

  /** Undefined when the request is unusual or broken: the reference decoder then decodes it or says what is wrong. */
  walk(compressed: Uint8Array, maxBytes: number, nowMs: number): Walked | undefined {
    const length = this.#run(compressed, maxBytes, nowMs);
    return length === undefined ? undefined : this.#collect(this.#output.address, length);
  }

  /** Forgets the series of some rows of a request that was walked before: the store has dropped them. */
  forget(compressed: Uint8Array, rows: readonly number[], maxBytes: number, nowMs: number): void {
    if (this.#run(compressed, maxBytes, nowMs) === undefined) return;
    for (const row of rows) if (row < this.#kernel.rowCount()) this.#kernel.forget(row);
  }

  /** Only decompresses: a view that is valid until the next call, or undefined when the reference decoder has to look. */
  decode(compressed: Uint8Array, maxBytes: number): Uint8Array | undefined {
    const length = this.#unsnap(compressed, maxBytes);
    const { address } = this.#output;
    return length === undefined ? undefined : this.#memory.u8.subarray(address, address + length);
  }

  /** Decodes and walks; the decoded length, or undefined when the reference decoder has to look. */
  #run(compressed: Uint8Array, maxBytes: number, nowMs: number): number | undefined {
    const length = this.#unsnap(compressed, maxBytes);
    if (length === undefined) return undefined;
    const { address: to } = this.#output;
    const epoch = Math.floor(nowMs / EPOCH_MS) >>> 0;
    for (;;) {
      const code = this.#kernel.walk(to, to + length, epoch);
      if (code === FULL && this.#results.rows < MAX_ROWS) {
        this.#growResults(this.#results.rows * 4);
        continue;
      }
      return code === 0 ? length : undefined;
    }
  }

  /** Enters series with the refs that the store gave them. */
  learn(
    series: readonly { readonly finger: Uint8Array; readonly ref: number; readonly length: number }[],
    nowMs: number,
  ): void {
    const epoch = Math.floor(nowMs / EPOCH_MS) >>> 0;
    for (const { finger, ref, length } of series) {
      if (Number.isNaN(ref)) continue;
      if (this.#kernel.tableCount() >= this.#capacity) this.#makeRoom(epoch);
      this.#memory.u8.set(finger, this.#finger);
      this.#kernel.learn(this.#finger, ref, length, epoch);
    }
  }

  #unsnap(compressed: Uint8Array, maxBytes: number): number | undefined {
    const { length, next } = snappyHeader(compressed);
    if (length > maxBytes || length > compressed.length * 64) return undefined;
    this.#fit(this.#input, compressed.length);
    this.#fit(this.#output, length);
    const { address: from } = this.#input;
    const { address: to } = this.#output;
    this.#memory.u8.set(compressed, from);
    return this.#kernel.unsnap(from + next, from + compressed.length, to, length) === 0 ? length : undefined;
  }

  #collect(body: number, length: number): Walked {
    const rows = this.#kernel.rowCount();
    const unknownCount = this.#kernel.unknownCount();
    const extraCount = this.#kernel.extraCount();
    const layout = resultLayout(this.#results.address, this.#results.rows);
    const f64 = this.#memory.f64;
    const column = (address: number) => f64.slice(address / 8, address / 8 + rows);
    const u8 = this.#memory.u8;
    const u32 = this.#memory.u32;
    const unknown: UnknownSeries[] = [];
    for (let i = 0; i < unknownCount; i++) {
      const at = layout.unknown + i * UNKNOWN_BYTES;
      unknown.push({
        start: u32[at / 4 + 4]! - body,
        length: u32[at / 4 + 5]!,
        finger: u8.slice(at, at + FINGER_BYTES),
      });
    }
    const extras: Extra[] = [];
    for (let i = 0; i < extraCount; i++) {
      const at = (layout.extra + i * EXTRA_BYTES) / 4;
      const series = u32[at + 3]!;
      extras.push({
        kind: u32[at] === 0 ? 'series' : 'metadata',
        start: u32[at + 1]! - body,
        end: u32[at + 2]! - body,
        ref: series >= UNKNOWN ? -(series - UNKNOWN) - 1 : u32[at] === 0 ? this.#kernel.entryRef(series) : 0,
      });
    }
    return {
      body: u8.subarray(body, body + length),
      refs: column(layout.refs),
      timestamps: column(layout.times),
      values: column(layout.values),
      unknown,
      extras,
    };
  }

  /** Forgets idle series; doubles the table when that does not free half of it, up to its limit. */
  #makeRoom(epoch: number): void {
    const kept = this.#kernel.keepSince(Math.max(0, epoch - IDLE_EPOCHS), this.#entries);
    if (kept <= this.#capacity / 2) {
      this.#memory.u8.fill(0, this.#buckets, this.#buckets + this.#capacity * 8);
      this.#set(kept);
    } else if (this.#capacity * 2 <= this.#maxEntries) this.#place(this.#capacity * 2, kept);
    else {
      // What is left is used and full: start over, which costs one slow request of each sender.
      this.#memory.u8.fill(0, this.#buckets, this.#buckets + this.#capacity * 8);
      this.#set(0);
    }
  }

  #place(capacity: number, kept: number): void {
    const entries = this.#memory.region(capacity * ENTRY_BYTES);
    const buckets = this.#memory.region(capacity * 8);
    if (kept > 0) this.#memory.u8.copyWithin(entries, this.#entries, this.#entries + kept * ENTRY_BYTES);
    this.#entries = entries;
    this.#buckets = buckets;
    this.#capacity = capacity;
    this.#set(kept);
  }

  /** Two buckets of 4 bytes for each entry keep chains short. */
  #set(count: number): void {
    this.#kernel.setTable(this.#entries, this.#buckets, this.#capacity * 2, count, this.#seeds[0], this.#seeds[1]);
    this.#kernel.rehash();
  }

  #fit(buffer: { address: number; bytes: number }, bytes: number): void {
    if (bytes <= buffer.bytes) return;
    buffer.bytes = Math.max(bytes, buffer.bytes * 2, 64 * 1024);
    buffer.address = this.#memory.region(buffer.bytes + 16);
  }

  #growResults(rows: number): void {
    const layout = resultLayout(this.#memory.region(resultLayout(0, rows).end), rows);
    this.#results = { address: layout.refs, rows };
    this.#kernel.setResults(
      layout.refs,
      layout.times,
      layout.values,
      layout.series,
      rows,
      layout.unknown,
      rows,
      layout.extra,
      rows,
    );
  }
}

function resultLayout(address: number, rows: number) {
  const times = address + rows * 8;
  const values = times + rows * 8;
  const series = values + rows * 8;
  const unknown = series + rows * 4;
  const extra = unknown + rows * UNKNOWN_BYTES;
  return { refs: address, times, values, series, unknown, extra, end: extra + rows * EXTRA_BYTES };
}
