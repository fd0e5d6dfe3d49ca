// The fast way of a remote write 1.0 request: kernel/remote.ts turns the body into columns of (ref, time, value), and the labels
// of series seen for the first time into records of bytes; none become strings. This class owns the kernel's memory: the
// table of series fingerprints and the buffers of one walk, which grow to what requests need.

import { KernelMemory, loadKernel } from '#base/kernel.ts';
import type { Random } from '#base/random.ts';
import { MAX_SHARDS, type SplitRows } from '#model/batch.ts';
import type { PackedSeries } from '#model/packed.ts';
import { snappyHeader } from '#wire/snappy.ts';

type Kernel = {
  setTable(pages: number, buckets: number, bucketCount: number, count: number, seed1: bigint, seed2: bigint): void;
  tableCount(): number;
  unsnap(from: number, end: number, to: number, size: number): number;
  learn(unknown: number, refs: number, count: number, epoch: number): void;
  keepSince(oldest: number): number;
  rehash(): void;
  setPacked(address: number, bytes: number): void;
  packedBytes(): number;
  newestTime(): number;
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
  spread(shards: number, out: number, counts: number, places: number): void;
  forget(row: number): void;
};

const ENTRY_BYTES = 28;
const PAGE_ENTRIES = 4096;
const PAGE_BYTES = PAGE_ENTRIES * ENTRY_BYTES;
const UNKNOWN_BYTES = 32;
const EXTRA_BYTES = 16;
const INITIAL_PACKED_BYTES = 64 * 1024;
const MAX_ROWS = 1024 * 1024;
const FULL = -2;
const PACKED_FULL = -3;
const UNKNOWN = 0x8000_0000;
const EPOCH_MS = 60_000;
/** Series not seen for so many epochs make room when the table is full. */
const IDLE_EPOCHS = 10;
const NO_PLACES = new Uint8Array(0);

/** Series whose fingerprints were not in the table, as records of the kernel; to be learned when they have refs. */
export type UnknownSeries = { readonly count: number; readonly records: Uint8Array };
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
  /** The highest of the timestamps; far below any if there is none. */
  readonly newest: number;
  readonly unknown: UnknownSeries;
  /** Labels of the unknown series; undefined when those of one need a closer look. */
  readonly packed: PackedSeries | undefined;
  readonly extras: readonly Extra[];
};

export class PredictedWrite {
  readonly #memory = new KernelMemory();
  readonly #kernel = loadKernel<Kernel>('remote', this.#memory);
  readonly #seeds: readonly [bigint, bigint];
  readonly #pages: number;
  readonly #maxPages: number;
  #pageCount = 0;
  #buckets = { address: 0, count: 0 };
  /** Room for pages that a smaller table of buckets has left. */
  readonly #spare: number[] = [];
  #capacity = 0;
  #input = { address: 0, bytes: 0 };
  #output = { address: 0, bytes: 0 };
  #packed = { address: 0, bytes: 0 };
  #results = { address: 0, rows: 0 };
  /** Of the request decoded last. */
  #length = 0;

  /** `random` keeps senders from making two series look the same. */
  constructor(random: Random, maxEntries = 16 * 1024 * 1024) {
    const seeds = new BigUint64Array(random.bytes(16).slice().buffer);
    this.#seeds = [seeds[0]!, seeds[1]!];
    this.#maxPages = Math.max(1, Math.ceil(maxEntries / PAGE_ENTRIES));
    this.#pages = this.#memory.region(this.#maxPages * 4);
    this.#addPages(1, 0);
    this.#growResults(4096);
  }

  /** Series in the table. */
  get size(): number {
    return this.#kernel.tableCount();
  }

  /** Undefined when the request is unusual or broken: the reference decoder then decodes it or says what is wrong. */
  walk(compressed: Uint8Array, maxBytes: number, nowMs: number): Walked | undefined {
    return this.run(compressed, maxBytes, nowMs) ? this.collect() : undefined;
  }

  /** What the request of the last run holds, when that is samples of known series up to `maxTime` only. */
  split(shards: number, maxTime: number): SplitRows | undefined {
    const kernel = this.#kernel;
    if (kernel.unknownCount() + kernel.extraCount() > 0 || kernel.newestTime() > maxTime) return undefined;
    const rows = kernel.rowCount();
    const { parts: out, counts, places } = resultLayout(this.#results.address, this.#results.rows);
    kernel.spread(shards, out, counts, places);
    const { u8, u32 } = this.#memory;
    const parts: { readonly shard: number; readonly bytes: Uint8Array }[] = [];
    for (let shard = 0, at = out; shard < shards; shard++) {
      const bytes = u32[counts / 4 + shard]! * 24;
      if (bytes > 0) parts.push({ shard, bytes: u8.subarray(at, at + bytes) });
      at += bytes;
    }
    return { shardOf: parts.length > 1 ? u8.slice(places, places + rows) : NO_PLACES, parts };
  }

  /** Forgets the series of some rows of a request that was walked before: the store has dropped them. */
  forget(compressed: Uint8Array, rows: readonly number[], maxBytes: number, nowMs: number): void {
    if (!this.run(compressed, maxBytes, nowMs)) return;
    for (const row of rows) if (row < this.#kernel.rowCount()) this.#kernel.forget(row);
  }

  /** Only decompresses: a view that is valid until the next call, or undefined when the reference decoder has to look. */
  decode(compressed: Uint8Array, maxBytes: number): Uint8Array | undefined {
    const length = this.#unsnap(compressed, maxBytes);
    const { address } = this.#output;
    return length === undefined ? undefined : this.#memory.u8.subarray(address, address + length);
  }

  /** Decodes and walks; false when the reference decoder has to look. `split` and `collect` tell what was found. */
  run(compressed: Uint8Array, maxBytes: number, nowMs: number): boolean {
    const length = this.#unsnap(compressed, maxBytes);
    if (length === undefined) return false;
    this.#length = length;
    const { address: to } = this.#output;
    const epoch = Math.floor(nowMs / EPOCH_MS) >>> 0;
    for (;;) {
      const code = this.#kernel.walk(to, to + length, epoch);
      if (code === FULL && this.#results.rows < MAX_ROWS) {
        this.#growResults(this.#results.rows * 4);
        continue;
      }
      if (code === PACKED_FULL) {
        // A record takes less than three times what its labels take in the message.
        this.#fit(this.#packed, Math.min(length * 3, Math.max(INITIAL_PACKED_BYTES, this.#packed.bytes * 2)));
        this.#kernel.setPacked(this.#packed.address, this.#packed.bytes);
        continue;
      }
      return code === 0;
    }
  }

  /** Enters series with the refs that the store gave them; NaN for those it refused. */
  learn({ count, records }: UnknownSeries, refs: Float64Array, nowMs: number): void {
    if (count === 0) return;
    const epoch = Math.floor(nowMs / EPOCH_MS) >>> 0;
    const layout = resultLayout(this.#results.address, this.#results.rows);
    // Where a walk leaves them; this one's rows are not needed any more.
    for (let done = 0; done < count; ) {
      const free = this.#freeFor(count - done, epoch);
      const { u8, f64 } = this.#memory;
      u8.set(records.subarray(done * UNKNOWN_BYTES, (done + free) * UNKNOWN_BYTES), layout.unknown);
      f64.set(refs.subarray(done, done + free), layout.refs / 8);
      this.#kernel.learn(layout.unknown, layout.refs, free, epoch);
      done += free;
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

  /** Everything that the last run found. */
  collect(): Walked {
    const body = this.#output.address;
    const length = this.#length;
    const rows = this.#kernel.rowCount();
    const unknownCount = this.#kernel.unknownCount();
    const extraCount = this.#kernel.extraCount();
    const layout = resultLayout(this.#results.address, this.#results.rows);
    const f64 = this.#memory.f64;
    const column = (address: number) => f64.slice(address / 8, address / 8 + rows);
    const u8 = this.#memory.u8;
    const u32 = this.#memory.u32;
    const records = u8.slice(layout.unknown, layout.unknown + unknownCount * UNKNOWN_BYTES);
    // From here on they say where in the body the labels are.
    const words = new Uint32Array(records.buffer);
    for (let i = 0; i < unknownCount; i++) words[(i * UNKNOWN_BYTES) / 4 + 4]! -= body;
    const packedBytes = this.#kernel.packedBytes();
    const packed =
      packedBytes >= 0
        ? { count: unknownCount, bytes: u8.slice(this.#packed.address, this.#packed.address + packedBytes) }
        : undefined;
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
      newest: this.#kernel.newestTime(),
      unknown: { count: unknownCount, records },
      packed,
      extras,
    };
  }

  /** For how many more series there is room, up to `wanted`, when idle ones and, at the limit, all have made way. */
  #freeFor(wanted: number, epoch: number): number {
    if (this.#kernel.tableCount() >= this.#capacity) {
      const kept = this.#kernel.keepSince(Math.max(0, epoch - IDLE_EPOCHS));
      const isUseful = kept <= this.#capacity / 2;
      // What is left is used and full: starting over costs one slow request of each sender.
      if (!isUseful && this.#pageCount < this.#maxPages) this.#addPages(Math.max(1, this.#pageCount >> 1), kept);
      else this.#set(isUseful ? kept : 0);
    }
    return Math.min(wanted, this.#results.rows, this.#capacity - this.#kernel.tableCount());
  }

  #addPages(count: number, kept: number): void {
    const pages = Math.min(this.#maxPages, this.#pageCount + count);
    this.#capacity = pages * PAGE_ENTRIES;
    let buckets = PAGE_ENTRIES * 4;
    while (buckets < this.#capacity * 1.5) buckets *= 2;
    if (buckets > this.#buckets.count) {
      // The table that becomes too small makes pages of entries.
      const { address, count } = this.#buckets;
      for (let at = 0; at + PAGE_BYTES <= count * 4; at += PAGE_BYTES) this.#spare.push(address + at);
      this.#buckets = { address: this.#memory.region(buckets * 4), count: buckets };
    }
    for (; this.#pageCount < pages; this.#pageCount++) {
      const address = this.#spare.pop() ?? this.#memory.region(PAGE_BYTES);
      this.#memory.u32[this.#pages / 4 + this.#pageCount] = address;
    }
    this.#set(kept);
  }

  #set(count: number): void {
    const { address, count: buckets } = this.#buckets;
    this.#memory.u8.fill(0, address, address + buckets * 4);
    this.#kernel.setTable(this.#pages, address, buckets, count, this.#seeds[0], this.#seeds[1]);
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
  const parts = extra + rows * EXTRA_BYTES;
  const counts = parts + rows * 24;
  const places = counts + MAX_SHARDS * 4;
  return { refs: address, times, values, series, unknown, extra, parts, counts, places, end: places + rows };
}
