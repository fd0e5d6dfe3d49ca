// Native histograms of the head. They are few and large, so their open chunks stay as values in JavaScript and are encoded when
// they are closed or read; closed chunks lie in the shard's memory beside those of floats.

import type { RejectReason, SampleBatch } from '#model/batch.ts';
import type { Histogram } from '#model/histogram.ts';
import { CHUNK_FLOAT_HISTOGRAM, CHUNK_HISTOGRAM } from '#model/query.ts';
import { encodeHistograms } from '../codec/histogram.ts';
import { type ChunkStart, continues, equalSpans } from '../codec/histogram-layout.ts';
import { SampleColumns } from '../codec/samples.ts';
import type { ShardLog } from '../log/log.ts';
import type { Head } from './head.ts';
import { histogramProblem } from './histogram-check.ts';
import type { HeadMemory } from './kernel.ts';

const MAX_SAMPLES = 120;
/** Buckets of all samples of a chunk: about the kilobyte at which Prometheus cuts. */
const MAX_BUCKETS = 2000;
const MIN_SAMPLES = 10;

type Open = {
  readonly columns: SampleColumns;
  readonly integer: boolean;
  readonly header: ChunkStart;
  readonly endsAt: number;
  buckets: number;
  bytes: Uint8Array | undefined;
};
type Entry = NonNullable<SampleBatch['histograms']>[number];
type Refusal = { readonly reason: RejectReason; readonly detail: string };
export type OpenHistogramChunk = {
  readonly encoding: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly bytes: Uint8Array;
};

export class OpenHistograms {
  readonly #memory: HeadMemory;
  readonly #open = new Map<number, Open>();
  /** The newest histogram of a series whose chunk has just been closed: decides how the next one begins. */
  readonly #last = new Map<number, { readonly time: number; readonly histogram: Histogram }>();

  constructor(memory: HeadMemory) {
    this.#memory = memory;
  }

  get count(): number {
    return this.#open.size;
  }

  slots(): Iterable<number> {
    return this.#open.keys();
  }

  /** Appends; the record goes to the log if there is one (there is none while the log is read). */
  append(
    slot: number,
    entry: Omit<Entry, 'ref'>,
    head: Head,
    log: ShardLog | undefined,
    segment = log?.samples.sequence ?? 0,
  ): Refusal | undefined {
    const { timestamp, value } = entry;
    const problem = histogramProblem(value);
    if (problem) return { reason: 'invalidHistogram', detail: problem };
    if (!Number.isSafeInteger(timestamp)) return { reason: 'outOfBounds', detail: `time ${timestamp}` };
    const { kernel, areas, shard } = this.#memory;
    if (timestamp > shard.f64[areas.limits / 8 + 3]!) return { reason: 'tooFarInFuture', detail: `${timestamp}` };
    const verdict = kernel.judgeHistogram(slot, timestamp, areas.limits);
    if (verdict === 2) {
      const last = this.#last.get(slot);
      return last?.time === timestamp && sameHistogram(last.histogram, value)
        ? undefined
        : { reason: 'duplicate', detail: `${timestamp}` };
    }
    const reasons: Readonly<Record<number, RejectReason>> = { 3: 'outOfOrder', 4: 'outOfBounds', 5: 'tooOld' };
    if (verdict > 2) return { reason: reasons[verdict]!, detail: `${timestamp}` };
    if (verdict === 1) {
      this.#appendLate(slot, timestamp, value, head, log);
      return undefined;
    }
    if (log) head.writer.histogram(slot, timestamp, value, log);
    this.#appendInOrder(slot, timestamp, value, head, log, segment);
    head.sawTimes(timestamp, timestamp, false);
    return undefined;
  }

  #appendInOrder(
    slot: number,
    time: number,
    value: Histogram,
    head: Head,
    log: ShardLog | undefined,
    segment: number,
  ): void {
    let open = this.#open.get(slot);
    const last = this.#last.get(slot)?.histogram;
    let start: ChunkStart = last ? continues(last, value) : 'unknown';
    const full =
      open !== undefined &&
      (time >= open.endsAt ||
        open.columns.length >= MAX_SAMPLES ||
        (open.buckets >= MAX_BUCKETS && open.columns.length >= MIN_SAMPLES));
    if (open && (full || start !== 'same' || open.integer !== value.integer)) {
      this.close(slot, head, log);
      open = undefined;
    }
    if (!open) {
      const chunk = this.#memory.kernel.closeChunk(slot) >>> 0;
      if (chunk !== 0 && log) head.writer.closedChunks(Uint32Array.of(slot, chunk), log);
      if (start === 'same') start = 'notReset';
      const range = head.options.chunkRangeMs;
      open = {
        columns: new SampleColumns(16),
        integer: value.integer,
        header: value.counterReset === 'gauge' ? 'gauge' : start,
        endsAt: Math.trunc(time / range) * range + range,
        buckets: 0,
        bytes: undefined,
      };
      this.#open.set(slot, open);
    }
    open.columns.pushHistogram(time, value);
    open.buckets += value.positiveBuckets.length + value.negativeBuckets.length;
    open.bytes = undefined;
    this.#last.set(slot, { time, histogram: value });
    const encoding = value.integer ? CHUNK_HISTOGRAM : CHUNK_FLOAT_HISTOGRAM;
    this.#memory.kernel.setHistogram(slot, encoding, open.columns.timestamps[0]!, time, segment);
  }

  /** Out of order: a chunk of its own, which compaction merges. */
  #appendLate(slot: number, time: number, value: Histogram, head: Head, log: ShardLog | undefined): void {
    const columns = new SampleColumns(1);
    columns.pushHistogram(time, value);
    const bytes = encodeHistograms(columns, 0, 1, value.counterReset === 'gauge' ? 'gauge' : 'unknown');
    if (log) head.writer.logId(slot, log);
    const chunk = this.#store(slot, bytes, value.integer ? CHUNK_HISTOGRAM : CHUNK_FLOAT_HISTOGRAM, time, time, true);
    if (log) head.writer.closedChunks(Uint32Array.of(slot, chunk), log);
    head.sawTimes(time, time, true);
    head.counters.outOfOrderAppended.add();
  }

  #store(slot: number, bytes: Uint8Array, encoding: number, min: number, max: number, late: boolean): number {
    const { kernel } = this.#memory;
    this.#memory.ahead(bytes.length * 4);
    const scratch = kernel.slabAlloc(bytes.length) >>> 0;
    this.#memory.shard.u8.set(bytes, scratch);
    const chunk = kernel.addClosedChunk(slot, scratch, bytes.length, encoding, min, max, late ? 1 : 0) >>> 0;
    kernel.slabRelease(scratch, bytes.length);
    return chunk;
  }

  /** The open chunk of a series as bytes. */
  chunk(slot: number): OpenHistogramChunk | undefined {
    const open = this.#open.get(slot);
    if (!open) return undefined;
    const { columns } = open;
    const header = open.header === 'same' ? 'notReset' : open.header;
    open.bytes ??= encodeHistograms(columns, 0, columns.length, header);
    return {
      encoding: open.integer ? CHUNK_HISTOGRAM : CHUNK_FLOAT_HISTOGRAM,
      minTime: columns.timestamps[0]!,
      maxTime: columns.timestamps[columns.length - 1]!,
      bytes: open.bytes,
    };
  }

  /** Makes the open chunk of a series a closed one. */
  close(slot: number, head: Head, log: ShardLog | undefined): void {
    const chunk = this.chunk(slot);
    if (!chunk) return;
    this.#open.delete(slot);
    if (log) head.writer.logId(slot, log);
    const address = this.#store(slot, chunk.bytes, chunk.encoding, chunk.minTime, chunk.maxTime, false);
    this.#memory.kernel.setHistogram(slot, 0, 0, 0, 0);
    if (log) head.writer.closedChunks(Uint32Array.of(slot, address), log);
  }

  /** Drops open chunks that end before `min`, and what is remembered of series that are gone. */
  truncate(min: number, isAlive: (slot: number) => boolean): void {
    for (const [slot, open] of this.#open) {
      if (open.columns.timestamps[open.columns.length - 1]! >= min) continue;
      this.#open.delete(slot);
      this.#memory.kernel.setHistogram(slot, 0, 0, 0, 0);
    }
    for (const [slot, last] of this.#last) if (last.time < min || !isAlive(slot)) this.#last.delete(slot);
  }
}

function sameHistogram(a: Histogram, b: Histogram): boolean {
  if (a.stale || b.stale) return a.stale === b.stale;
  const sameValues = (x: Float64Array | undefined, y: Float64Array | undefined) =>
    (x?.length ?? 0) === (y?.length ?? 0) && (x ?? []).every((value, i) => Object.is(value, y![i]));
  return (
    a.integer === b.integer &&
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    a.zeroCount === b.zeroCount &&
    a.count === b.count &&
    Object.is(a.sum, b.sum) &&
    equalSpans(a.positiveSpans, b.positiveSpans) &&
    equalSpans(a.negativeSpans, b.negativeSpans) &&
    sameValues(a.positiveBuckets, b.positiveBuckets) &&
    sameValues(a.negativeBuckets, b.negativeBuckets) &&
    sameValues(a.customValues, b.customValues)
  );
}
