// What comes in while the log of earlier runs is being read: it is written to the log and acknowledged, but which of it is out
// of order or a duplicate only shows when the head is whole. Until then it is held here and appended afterwards.

import { type AppendResult, type Rejection, type SampleBatch, type SeriesRef, slotOfRef } from '#model/batch.ts';
import { KIND } from '../log/format.ts';
import type { ShardLog } from '../log/log.ts';
import { type Head, NO_MAX_TIME, REASONS } from './head.ts';
import { histogramProblem } from './histogram-check.ts';
import { MAX_ROWS } from './kernel.ts';

/** Batches that wait, oldest first. When they take this much, who comes next waits with them. */
const MAX_BYTES = 64 * 1024 * 1024;
const ROW_BYTES = 32;
const ENTRY_BYTES = 1024;

/** `segment` of the log has its samples. */
export type HeldBatch = { readonly batch: SampleBatch; readonly segment: number };

export class HeldBatches {
  readonly #head: Head;
  readonly #batches: HeldBatch[] = [];
  #bytes = 0;

  constructor(head: Head) {
    this.#head = head;
  }

  get isFull(): boolean {
    return this.#bytes >= MAX_BYTES;
  }

  next(): HeldBatch | undefined {
    return this.#batches.shift();
  }

  /** Writes a batch to the log's buffers and holds it. What no head would take is refused at once. */
  take(batch: SampleBatch, log: ShardLog): AppendResult {
    const { refs, refused, created } = this.#head.resolver.resolve(batch);
    const rejections: Rejection[] = [];
    const segment = log.samples.sequence;
    const resolve = (ref: SeriesRef) => (ref < 0 ? (refs[-ref - 1] ?? -1) : ref);
    const known = batch.refs.map(resolve);
    for (let i = 0; i < known.length; i++) {
      const problem = Number.isNaN(known[i]!) ? refused.get(-batch.refs[i]! - 1) : undefined;
      if (problem) rejections.push({ kind: 'sample', index: i, ...problem });
    }
    for (let from = 0; from < known.length; from += MAX_ROWS) this.#logRows(batch, known, from, rejections, log);
    const histograms = (batch.histograms ?? []).flatMap((entry, index) => {
      const ref = resolve(entry.ref);
      const rejection = this.#logHistogram({ ...entry, ref }, index, log, refused.get(-entry.ref - 1));
      if (rejection) rejections.push(rejection);
      return rejection ? [] : [{ ...entry, ref }];
    });
    const exemplars = (batch.exemplars ?? [])
      .map((entry) => ({ ...entry, ref: resolve(entry.ref) }))
      .filter(({ ref }) => this.#head.knows(ref));
    this.#logBeside(exemplars, batch.metadata ?? [], log);
    const kept: SampleBatch = {
      refs: known,
      timestamps: batch.timestamps.slice(),
      values: batch.values.slice(),
      ...(batch.starts ? { starts: batch.starts.slice() } : {}),
      series: [],
      histograms,
      exemplars,
      metadata: batch.metadata ?? [],
    };
    this.#batches.push({ batch: kept, segment });
    this.#bytes += known.length * ROW_BYTES + (histograms.length + exemplars.length) * ENTRY_BYTES;
    return { refs, rejections, created };
  }

  #logRows(batch: SampleBatch, known: Float64Array, from: number, rejections: Rejection[], log: ShardLog): void {
    const { memory, writer, highestTime } = this.#head;
    const { areas, kernel, shard } = memory;
    const to = Math.min(known.length, from + MAX_ROWS);
    const f64 = shard.f64;
    f64.set(known.subarray(from, to), areas.refs / 8);
    f64.set(batch.timestamps.subarray(from, to), areas.times / 8);
    f64.set(batch.values.subarray(from, to), areas.values / 8);
    if (batch.starts) f64.set(batch.starts.subarray(from, to), areas.starts / 8);
    const starts = batch.starts ? areas.starts : 0;
    kernel.logRows(
      to - from,
      areas.refs,
      areas.times,
      areas.values,
      starts,
      this.#lowestTime,
      highestTime,
      areas.out,
      areas.rejects,
      areas.fresh,
      areas.log,
    );
    const u32 = shard.u32;
    const out = areas.out >>> 2;
    const [refusals, fresh, bytes] = [u32[out + 1]!, u32[out + 3]!, u32[out + 4]!];
    for (let i = 0; i < refusals; i++) {
      const index = from + u32[(areas.rejects >>> 2) + i * 2]!;
      const reason = REASONS[u32[(areas.rejects >>> 2) + i * 2 + 1]!]!;
      rejections.push(this.#head.refusal('sample', index, reason, batch.timestamps[index]!));
      known[index] = Number.NaN;
    }
    const body = shard.u8.slice(areas.log, areas.log + bytes);
    if (fresh > 0) writer.series(u32.slice(areas.fresh >>> 2, (areas.fresh >>> 2) + fresh), log);
    if (bytes > 0) log.samples.add(KIND.held, body);
  }

  /** Whether an exemplar is new or a family's metadata another is seen when the head is whole; the log may have them twice. */
  #logBeside(
    exemplars: NonNullable<SampleBatch['exemplars']>,
    metadata: NonNullable<SampleBatch['metadata']>,
    log: ShardLog,
  ): void {
    const { writer, table, options } = this.#head;
    if (options.maxExemplars > 0) {
      for (const { ref, exemplar } of exemplars) writer.exemplar(table.labelsOf(slotOfRef(ref)), exemplar, log);
    }
    for (const { family, metadata: entry } of metadata) writer.metadata(family, entry, log);
  }

  #logHistogram(
    { ref, timestamp, value }: NonNullable<SampleBatch['histograms']>[number],
    index: number,
    log: ShardLog,
    refused: { readonly reason: Rejection['reason']; readonly detail: string } | undefined,
  ): Rejection | undefined {
    const head = this.#head;
    if (refused && Number.isNaN(ref)) return { kind: 'histogram', index, ...refused };
    if (!head.knows(ref)) return head.refusal('histogram', index, 'unknownRef', timestamp);
    const problem = histogramProblem(value);
    if (problem) {
      head.counters.invalid.with('histogram').add();
      return { kind: 'histogram', index, reason: 'invalidHistogram', detail: problem };
    }
    if (timestamp > head.highestTime) return head.refusal('histogram', index, 'tooFarInFuture', timestamp);
    if (!Number.isSafeInteger(timestamp) || timestamp < this.#lowestTime) {
      return head.refusal('histogram', index, 'outOfBounds', timestamp);
    }
    head.writer.histogram(ref % 2 ** 32, timestamp, value, log);
    return undefined;
  }

  /** What is in blocks is not taken in order. */
  get #lowestTime(): number {
    const { minValidTime, options } = this.#head;
    return options.outOfOrderWindowMs > 0 ? NO_MAX_TIME : minValidTime;
  }
}
