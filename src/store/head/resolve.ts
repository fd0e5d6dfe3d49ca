// From label sets to refs: the series of a batch, found or made. Label sets that come as bytes go through the kernel many at a
// time, within the limits; those that it leaves, and those that come as strings, are looked at one by one.

import { newSeriesCount, type RejectReason, type SampleBatch, type SeriesRef, seriesRef } from '#model/batch.ts';
import type { Labels } from '#model/labels.ts';
import { labelsAt, type PackedSeries, recordEnd, wordsOf } from '#model/packed.ts';
import { type HeadMemory, MAX_LABELS, MAX_ROWS, MAX_SERIES_BYTES } from './kernel.ts';
import { labelsProblem } from './labels.ts';
import { checkLimits, type HeadLimits, type LimitHit, type RefusalBook } from './limits.ts';
import type { HeadCounters } from './metrics.ts';
import { type SeriesTable, sizeProblem } from './table.ts';

export type SeriesProblem = { readonly reason: RejectReason; readonly detail: string };
/** A ref for each label set, NaN where there is a problem. */
export type Resolved = {
  readonly refs: Float64Array;
  readonly refused: ReadonlyMap<number, SeriesProblem>;
  readonly created: number;
};

/** Between two looks at how much memory is in use. */
const MAX_NEW_AT_ONCE = 1024;

export class SeriesResolver {
  readonly #memory: HeadMemory;
  readonly #table: SeriesTable;
  readonly #counters: HeadCounters;
  readonly #refusals: RefusalBook;
  readonly #options: () => { readonly shard: number; readonly limits: HeadLimits };

  constructor(
    memory: HeadMemory,
    table: SeriesTable,
    counters: HeadCounters,
    refusals: RefusalBook,
    options: () => { readonly shard: number; readonly limits: HeadLimits },
  ) {
    this.#memory = memory;
    this.#table = table;
    this.#counters = counters;
    this.#refusals = refusals;
    this.#options = options;
  }

  resolve(batch: SampleBatch): Resolved {
    const refs = new Float64Array(newSeriesCount(batch));
    const refused = new Map<number, SeriesProblem>();
    if (refs.length === 0) return { refs, refused, created: 0 };
    const before = this.#table.counts().series;
    if (batch.packed) this.#packed(batch.packed, refs, refused);
    else for (const [i, labels] of batch.series.entries()) this.#single(labels, i, refs, refused);
    const created = this.#table.counts().series - before;
    this.#counters.created.add(created);
    return { refs, refused, created };
  }

  #single(labels: Labels, index: number, refs: Float64Array, refused: Map<number, SeriesProblem>): void {
    const outcome = this.refOf(labels);
    if (typeof outcome === 'number') refs[index] = outcome;
    else {
      refs[index] = Number.NaN;
      refused.set(index, outcome);
    }
  }

  /** The ref of a label set, whose series is made if need be. */
  refOf(labels: Labels): SeriesRef | SeriesProblem {
    const problem = labelsProblem(labels) ?? this.#table.stage(labels);
    if (problem !== undefined) {
      this.#counters.invalid.with('labels').add();
      return { reason: 'invalidLabels', detail: problem };
    }
    const count = labels.length / 2;
    let slot = this.#table.find(count);
    if (slot < 0) {
      const hit = this.#limitHit(labels);
      if (hit) {
        this.#counters.limits[hit.limit].add();
        this.#refusals.note(hit);
        return { reason: 'seriesLimit', detail: hit.detail };
      }
      slot = this.#table.create(count);
    }
    return seriesRef(this.#options().shard, this.#table.generationOf(slot), slot);
  }

  #limitHit(labels: Labels): LimitHit | undefined {
    const { series, usedBytes } = this.#table.counts();
    const countOfPair = (index: number) => this.#table.countOfPair(index);
    return checkLimits(this.#options().limits, labels, { series, usedBytes, countOfPair });
  }

  #packed({ count, bytes }: PackedSeries, refs: Float64Array, refused: Map<number, SeriesProblem>): void {
    const words = wordsOf(bytes);
    const room = this.#memory.recordRoom;
    for (let done = 0, at = 0; done < count; ) {
      let end = at;
      let some = 0;
      while (done + some < count && some < MAX_ROWS) {
        const next = recordEnd(words, end);
        if (next - at > room) break;
        end = next;
        some++;
      }
      const taken = some > 0 ? this.#run(bytes.subarray(at, end), some, refs.subarray(done)) : { count: 0, bytes: 0 };
      done += taken.count;
      at += taken.bytes;
      if (taken.count > 0 || done === count) continue;
      const problem = sizeProblem(words[at / 4 + 1]!, words[at / 4 + 2]!);
      if (problem === undefined) this.#single(labelsAt(words, bytes, at), done, refs, refused);
      else {
        this.#counters.invalid.with('labels').add();
        refs[done] = Number.NaN;
        refused.set(done, { reason: 'invalidLabels', detail: problem });
      }
      at = recordEnd(words, at);
      done++;
    }
  }

  /** One kernel call. How many of the records, and how many of their bytes, are done. */
  #run(records: Uint8Array, count: number, refs: Float64Array): { readonly count: number; readonly bytes: number } {
    const { kernel, areas } = this.#memory;
    const maxNew = this.#mayCreate();
    this.#table.reserve(records.length * 2 + Math.min(count, maxNew) * 256);
    const { shard } = this.#memory;
    shard.u8.set(records, areas.record);
    const done = kernel.resolveRecords(
      areas.record,
      count,
      areas.refs,
      this.#options().shard,
      maxNew,
      MAX_LABELS,
      MAX_SERIES_BYTES,
    );
    refs.set(shard.f64.subarray(areas.refs / 8, areas.refs / 8 + done));
    return { count: done, bytes: (kernel.resolvedEnd() >>> 0) - areas.record };
  }

  /** How many series may be made without looking at each. */
  #mayCreate(): number {
    const { limits } = this.#options();
    if (limits.seriesPerMetric > 0 || limits.seriesPerTarget > 0) return 0;
    if (limits.series === 0 && limits.memoryBytes === 0) return MAX_NEW_AT_ONCE;
    const { series, usedBytes } = this.#table.counts();
    if (limits.memoryBytes > 0 && usedBytes >= limits.memoryBytes) return 0;
    return limits.series > 0 ? Math.max(0, Math.min(MAX_NEW_AT_ONCE, limits.series - series)) : MAX_NEW_AT_ONCE;
  }
}
