// The head of a shard: the newest samples of every series, in memory. Floats go through the kernel in one call per batch, which
// also writes the body of the log record; this file prepares the columns, turns verdicts into answers and keeps the times.

import type { Clock } from '#base/clock.ts';
import type { KernelMemory } from '#base/kernel.ts';
import type { AppendResult, Metadata, Rejection, RejectReason, SampleBatch, SeriesRef } from '#model/batch.ts';
import { hashLabels, type Labels, shardOf } from '#model/labels.ts';
import { KIND } from '../log/format.ts';
import type { ShardLog } from '../log/log.ts';
import { Deletions } from './deletions.ts';
import { ExemplarRing } from './exemplars.ts';
import { OpenHistograms } from './histograms.ts';
import { HeadMemory, MAX_ROWS } from './kernel.ts';
import { type HeadLimits, RefusalBook } from './limits.ts';
import { HeadWriter } from './log-writer.ts';
import { MetadataTable } from './metadata.ts';
import type { HeadCounters } from './metrics.ts';
import { type SeriesProblem, SeriesResolver } from './resolve.ts';
import { SeriesTable } from './table.ts';

export type HeadOptions = {
  readonly shard: number;
  readonly chunkRangeMs: number;
  readonly outOfOrderWindowMs: number;
  /** Samples further ahead of the clock are refused; 0 lets all in. */
  readonly maxAheadMs: number;
  readonly maxExemplars: number;
  readonly limits: HeadLimits;
};

/** Times that stand for "none yet"; whole numbers, so that the kernel can calculate with them. */
export const NO_MIN_TIME = 2 ** 52;
export const NO_MAX_TIME = -(2 ** 52);

/** Reasons of refusal by the kernel's codes. */
export const REASONS: Readonly<Record<number, RejectReason>> = {
  3: 'outOfOrder',
  4: 'outOfBounds',
  5: 'tooOld',
  6: 'tooFarInFuture',
  7: 'duplicate',
  8: 'unknownRef',
};
const DETAILS: Readonly<Record<string, string>> = {
  outOfOrder: 'out of order sample',
  outOfBounds: 'out of bounds',
  tooOld: 'too old sample',
  tooFarInFuture: 'timestamp is too far in the future',
  duplicate: 'duplicate sample for timestamp',
  unknownRef: 'unknown series',
};
const NEEDS_HOST = 9;
/** What one sample can at most take from the allocator. */
const ROW_AHEAD_BYTES = 3072;

export class Head {
  readonly memory: HeadMemory;
  readonly table: SeriesTable;
  readonly histograms: OpenHistograms;
  readonly exemplars: ExemplarRing;
  readonly metadata = new MetadataTable();
  readonly deletions = new Deletions();
  readonly writer: HeadWriter;
  readonly counters: HeadCounters;
  readonly refusals = new RefusalBook();
  readonly resolver: SeriesResolver;
  readonly #clock: Clock;
  #options: HeadOptions;
  /** First and last sample; NO_* while there is none. */
  minTime = NO_MIN_TIME;
  maxTime = NO_MAX_TIME;
  /** Nothing older is taken in order: it is in blocks. */
  minValidTime = NO_MAX_TIME;
  /** Oldest out-of-order sample, NO_MIN_TIME if none. */
  minOutOfOrderTime = NO_MIN_TIME;
  maxOutOfOrderTime = NO_MAX_TIME;
  /** Of what the batch being appended, or the last one, brought: the earliest time; Infinity if nothing was taken. */
  touched = Infinity;

  constructor(memory: KernelMemory, options: HeadOptions, counters: HeadCounters, clock: Clock) {
    this.memory = new HeadMemory(memory);
    this.#options = options;
    this.counters = counters;
    this.#clock = clock;
    this.table = new SeriesTable(this.memory);
    this.memory.kernel.setFirstGeneration(Math.floor(clock.now()) % 2 ** 15);
    this.resolver = new SeriesResolver(this.memory, this.table, counters, this.refusals, () => this.#options);
    this.writer = new HeadWriter(this.memory, this.table);
    this.histograms = new OpenHistograms(this.memory);
    this.exemplars = new ExemplarRing(options.maxExemplars);
  }

  get options(): HeadOptions {
    return this.#options;
  }
  /** Limits, window and the like take effect from the next batch on. */
  configure(options: HeadOptions): void {
    this.#options = options;
    this.exemplars.resize(options.maxExemplars);
  }

  get second(): number {
    return Math.floor(this.#clock.now() / 1000);
  }

  /** The oldest time that is taken in order now. */
  get appendableFrom(): number {
    return Math.max(this.minValidTime, this.maxTime - Math.floor(this.#options.chunkRangeMs / 2));
  }

  /**
   * Takes a batch and leaves its records in the log's buffers. `segment` is where its samples are in the log first. Throws `memory_full` if the shard's memory is.
   */
  append(batch: SampleBatch, log: ShardLog, segment = log.samples.sequence): AppendResult {
    const rejections: Rejection[] = [];
    const { refs, refused, created } = this.resolver.resolve(batch);
    this.touched = Infinity;
    this.setLimits();
    for (let start = 0; start < batch.refs.length; start += MAX_ROWS) {
      this.#appendRows(
        batch,
        start,
        Math.min(batch.refs.length, start + MAX_ROWS),
        refs,
        refused,
        rejections,
        log,
        segment,
      );
    }
    const target = (ref: SeriesRef) => (ref < 0 ? refs[-ref - 1]! : this.knows(ref) ? ref : -1);
    if (batch.histograms) this.#appendHistograms(batch.histograms, target, refused, rejections, log, segment);
    if (batch.exemplars) this.#appendExemplars(batch.exemplars, target, rejections, log);
    if (batch.metadata) this.#setMetadata(batch.metadata, log);
    return { refs, rejections, created };
  }

  /** Times above this are refused now. */
  get highestTime(): number {
    const { maxAheadMs } = this.#options;
    return maxAheadMs > 0 ? this.#clock.now() + maxAheadMs : Number.MAX_SAFE_INTEGER;
  }

  /** Whether a label set belongs to this shard of `shards`. */
  owns(labels: Labels, shards: number): boolean {
    return shardOf(hashLabels(labels), shards) === this.#options.shard;
  }

  /** Whether a ref is of a series that is there. */
  knows(ref: SeriesRef): boolean {
    const slot = ref % 2 ** 32;
    return (
      slot < this.table.counts().slots &&
      this.table.isAlive(slot) &&
      this.table.generationOf(slot) === Math.floor(ref / 2 ** 32) % 2 ** 15
    );
  }

  /** Puts the times that verdicts depend on where the kernel reads them; once per batch, as Prometheus does. */
  setLimits(): void {
    const { outOfOrderWindowMs, chunkRangeMs } = this.#options;
    const f64 = this.memory.shard.f64;
    const at = this.memory.areas.limits / 8;
    f64[at] = this.appendableFrom;
    f64[at + 1] = this.maxTime;
    f64[at + 2] = outOfOrderWindowMs;
    f64[at + 3] = this.highestTime;
    f64[at + 4] = chunkRangeMs;
  }

  #appendRows(
    batch: SampleBatch,
    start: number,
    end: number,
    refs: Float64Array,
    refused: ReadonlyMap<number, SeriesProblem>,
    rejections: Rejection[],
    log: ShardLog,
    segment: number,
  ): void {
    const count = end - start;
    this.memory.ahead(count * ROW_AHEAD_BYTES);
    const { areas, shard } = this.memory;
    const f64 = shard.f64;
    f64.set(batch.refs.subarray(start, end), areas.refs / 8);
    f64.set(batch.timestamps.subarray(start, end), areas.times / 8);
    f64.set(batch.values.subarray(start, end), areas.values / 8);
    if (batch.starts) f64.set(batch.starts.subarray(start, end), areas.starts / 8);
    if (refs.length > 0) {
      for (let i = start; i < end; i++) {
        const ref = batch.refs[i]!;
        if (!(ref < 0)) continue;
        const resolved = refs[-ref - 1];
        const problem = refused.get(-ref - 1);
        if (problem) rejections.push({ kind: 'sample', index: i, ...problem });
        f64[areas.refs / 8 + i - start] = resolved ?? -1;
      }
    }
    const retry = this.#run(count, batch.starts !== undefined, start, batch, rejections, log, segment);
    for (const index of retry) {
      // The open chunk was a histogram's: the float begins a new one.
      const slot = f64AsSlot(shard.f64, areas.refs / 8 + index - start);
      this.histograms.close(slot, this, log);
    }
    if (retry.length > 0) {
      const kept = new Set(retry.map((index) => index - start));
      const again = shard.f64;
      for (let i = 0; i < count; i++) if (!kept.has(i)) again[areas.refs / 8 + i] = Number.NaN;
      this.#run(count, batch.starts !== undefined, start, batch, rejections, log, segment);
    }
  }

  /** One kernel call. Returns the rows that have to be tried again when the host has made way. */
  #run(
    count: number,
    withStarts: boolean,
    start: number,
    batch: SampleBatch,
    rejections: Rejection[],
    log: ShardLog,
    segment: number,
  ): number[] {
    const { kernel, areas, shard } = this.memory;
    kernel.append(
      count,
      areas.refs,
      areas.times,
      areas.values,
      withStarts ? areas.starts : 0,
      areas.limits,
      segment,
      areas.out,
      areas.rejects,
      areas.closed,
      areas.fresh,
      areas.log,
      areas.oooLog,
      areas.late,
    );
    const u32 = shard.u32;
    const [taken, refusals, closed, fresh, logBytes, lateBytes, lateTaken] = u32.subarray(
      areas.out >>> 2,
      (areas.out >>> 2) + 7,
    ) as unknown as number[];
    const times = { min: shard.f64[areas.out / 8 + 4]!, max: shard.f64[areas.out / 8 + 5]! };
    if (taken! + lateTaken! > 0) this.sawTimes(times.min, times.max, lateTaken! > 0);
    this.counters.appended.float.add(taken! + lateTaken!);
    this.counters.outOfOrderAppended.add(lateTaken!);
    if (fresh! > 0) this.writer.series(u32.slice(areas.fresh >>> 2, (areas.fresh >>> 2) + fresh!), log);
    if (closed! > 0) this.writer.closedChunks(u32.slice(areas.closed >>> 2, (areas.closed >>> 2) + closed! * 2), log);
    const u8 = shard.u8;
    if (logBytes! > 0) log.samples.add(KIND.samples, u8.subarray(areas.log, areas.log + logBytes!));
    if (lateBytes! > 0) log.samples.add(KIND.late, u8.subarray(areas.oooLog, areas.oooLog + lateBytes!));
    const retry: number[] = [];
    for (let i = 0; i < refusals!; i++) {
      const index = start + u32[(areas.rejects >>> 2) + i * 2]!;
      const code = u32[(areas.rejects >>> 2) + i * 2 + 1]!;
      if (code === NEEDS_HOST) retry.push(index);
      else rejections.push(this.refusal('sample', index, REASONS[code]!, batch.timestamps[index]!));
    }
    return retry;
  }

  sawTimes(min: number, max: number, outOfOrder: boolean): void {
    this.minTime = Math.min(this.minTime, min);
    this.maxTime = Math.max(this.maxTime, max);
    this.touched = Math.min(this.touched, min);
    if (!outOfOrder) return;
    this.minOutOfOrderTime = Math.min(this.minOutOfOrderTime, min);
    this.maxOutOfOrderTime = Math.max(this.maxOutOfOrderTime, max);
  }

  /** Counts what is refused and words it. */
  refusal(kind: 'sample' | 'histogram', index: number, reason: RejectReason, time: number): Rejection {
    const type = kind === 'sample' ? 'float' : 'histogram';
    if (reason === 'outOfOrder') this.counters.outOfOrder[type].add();
    else if (reason === 'outOfBounds') this.counters.outOfBounds[type].add();
    else if (reason === 'tooOld') this.counters.tooOld[type].add();
    else if (reason === 'tooFarInFuture') this.counters.tooFarInFuture.add();
    else if (reason === 'duplicate') this.counters.duplicates.add();
    else if (reason === 'unknownRef') this.counters.notFound.add();
    return { kind, index, reason, detail: `${DETAILS[reason]}${reason === 'unknownRef' ? '' : ` ${time}`}` };
  }

  #appendHistograms(
    histograms: NonNullable<SampleBatch['histograms']>,
    target: (ref: SeriesRef) => number,
    refused: ReadonlyMap<number, SeriesProblem>,
    rejections: Rejection[],
    log: ShardLog,
    segment: number,
  ): void {
    for (const [index, entry] of histograms.entries()) {
      const ref = target(entry.ref);
      if (!(ref >= 0)) {
        const problem = entry.ref < 0 ? refused.get(-entry.ref - 1) : undefined;
        if (problem) rejections.push({ kind: 'histogram', index, ...problem });
        else rejections.push(this.refusal('histogram', index, 'unknownRef', entry.timestamp));
        continue;
      }
      this.memory.ahead(256 * 1024);
      const outcome = this.histograms.append(ref % 2 ** 32, entry, this, log, segment);
      if (outcome === undefined) this.counters.appended.histogram.add();
      else if (outcome.reason === 'invalidHistogram') {
        this.counters.invalid.with('histogram').add();
        rejections.push({ kind: 'histogram', index, ...outcome });
      } else rejections.push(this.refusal('histogram', index, outcome.reason, entry.timestamp));
    }
  }

  #appendExemplars(
    exemplars: NonNullable<SampleBatch['exemplars']>,
    target: (ref: SeriesRef) => number,
    rejections: Rejection[],
    log: ShardLog,
  ): void {
    for (const [index, { ref, exemplar }] of exemplars.entries()) {
      const known = target(ref);
      if (!(known >= 0)) continue; // Its sample has been answered for already.
      const slot = known % 2 ** 32;
      const labels = this.table.labelsOf(slot);
      const outcome = this.exemplars.add(labels, exemplar);
      if (outcome === 'added') {
        this.counters.exemplars.add();
        this.writer.exemplar(labels, exemplar, log);
      } else if (outcome === 'outOfOrder') {
        this.counters.exemplarsOutOfOrder.add();
        rejections.push({ kind: 'exemplar', index, reason: 'exemplarOutOfOrder', detail: 'out of order exemplar' });
      }
    }
  }

  #setMetadata(entries: readonly { family: string; metadata: Metadata }[], log: ShardLog): void {
    for (const { family, metadata } of entries) {
      if (this.metadata.set(family, metadata)) this.writer.metadata(family, metadata, log);
    }
  }
}

function f64AsSlot(f64: Float64Array, index: number): number {
  return f64[index]! % 2 ** 32;
}
