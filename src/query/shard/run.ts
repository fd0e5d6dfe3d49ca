// Works out fragments in a shard: select series, decode, one function at every step, perhaps folded into groups. Long work is
// cut into slices, so that appends wait for milliseconds at most; a signal ends it between two slices.

import type { Clock } from '#base/clock.ts';
import type { KernelMemory } from '#base/kernel.ts';
import { compareLabels, isMetadataLabel, labelsKey, METADATA_LABELS, METRIC_NAME } from '#model/labels.ts';
import {
  type Columns,
  type Fragment,
  gridLength,
  type QueryLimits,
  type RawSeries,
  type SelectRequest,
  type SeriesBook,
  type SeriesChunks,
  type ShardSource,
  type TimeRange,
} from '#model/query.ts';
import { tooManyBytes, tooManySeries } from '../execute/errors.ts';
import { isInstant } from '../functions/series.ts';
import { HISTOGRAM_STATS } from '../plan/build.ts';
import { mergeSeries } from './beside.ts';
import { Collector } from './collect.ts';
import { type ChunkDecoder, decodePlain } from './decode.ts';
import { Evaluator, type NumberedGroups } from './evaluator.ts';
import { QueryKernel } from './kernel.ts';

/** Longest stretch of work without giving way to appends. */
const SLICE_MS = 4;
/** Series between two looks at the clock. */
const SERIES_PER_LOOK = 16;

export type ShardQueryParts = {
  readonly source: ShardSource;
  readonly memory: KernelMemory;
  readonly clock: Clock;
  /** Reads the chunks that are not plain floats. */
  readonly decoder: ChunkDecoder;
};

export class ShardQueries {
  readonly #parts: ShardQueryParts;
  readonly #kernel: QueryKernel;

  constructor(parts: ShardQueryParts) {
    this.#parts = parts;
    this.#kernel = new QueryKernel(parts.memory);
  }

  /** The shard's part of a fragment's answer, to be put together by mergeColumns. */
  async run(
    fragment: Fragment,
    limits: QueryLimits,
    signal: AbortSignal,
    beside: readonly RawSeries[] = [],
  ): Promise<Columns> {
    const { clock } = this.#parts;
    const start = clock.monotonic();
    const collector = new Collector(fragment, limits);
    const range = timesOf(fragment);
    if (beside.length > 0) {
      for (const series of await this.#together({ ...fragment, range }, signal, beside)) collector.addSeries(series);
    } else if (!Evaluator.can(fragment, collector.useStarts)) {
      await this.#each({ ...fragment, range }, false, signal, (series) => this.#plain(series, collector, range));
    } else {
      const evaluator = new Evaluator(this.#kernel, collector);
      try {
        await this.#evaluate(evaluator, collector, range, signal);
        evaluator.finish();
      } finally {
        evaluator.close();
      }
    }
    const isEmpty = collector.isEmpty && this.#parts.source.mayMatch?.(fragment.matchers, range.min) === false;
    const columns = collector.columns(clock.monotonic() - start);
    return isEmpty ? { ...columns, nothingMatches: true } : columns;
  }

  /** Decoded samples, stale markers included. */
  async select(
    request: SelectRequest,
    limits: QueryLimits,
    signal: AbortSignal,
    beside: readonly RawSeries[] = [],
  ): Promise<RawSeries[]> {
    const { range } = request;
    if (beside.length > 0) return this.#together(request, signal, beside);
    const found: RawSeries[] = [];
    let samples = 0;
    await this.#each(request, true, signal, (series) => {
      const raw = decodePlain(this.#kernel, series, range, this.#parts.decoder);
      if (raw.timestamps.length === 0) return;
      found.push(raw);
      samples += raw.timestamps.length;
      if (found.length > limits.maxSeries) throw tooManySeries(limits.maxSeries);
      if (samples * 16 > limits.maxBytes) throw tooManyBytes(limits.maxBytes);
    });
    return found;
  }

  /** Own series, each with what came of it from elsewhere, and the others. */
  async #together(request: SelectRequest, signal: AbortSignal, beside: readonly RawSeries[]): Promise<RawSeries[]> {
    const others = new Map(beside.map((series) => [labelsKey(series.labels), series]));
    const found: RawSeries[] = [];
    await this.#each(request, true, signal, (series) => {
      const own = decodePlain(this.#kernel, series, request.range, this.#parts.decoder);
      const key = labelsKey(own.labels);
      const other = others.get(key);
      others.delete(key);
      const both = other ? mergeSeries(own, other) : own;
      if (both.timestamps.length > 0) found.push(both);
    });
    return [...found, ...others.values()].sort((a, b) => compareLabels(a.labels, b.labels));
  }

  async #each(
    { matchers, range, unnoticed }: SelectRequest,
    sorted: boolean,
    signal: AbortSignal,
    take: (series: SeriesChunks) => void,
  ): Promise<void> {
    const { source, clock } = this.#parts;
    signal.throwIfAborted();
    let sliceStart = clock.monotonic();
    let left = SERIES_PER_LOOK;
    for (const series of source.select(matchers, range, sorted, unnoticed)) {
      take(series);
      if (--left > 0) continue;
      left = SERIES_PER_LOOK;
      if (clock.monotonic() - sliceStart < SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      sliceStart = clock.monotonic();
    }
  }

  #plain(series: SeriesChunks, collector: Collector, range: TimeRange): void {
    collector.addSeries(decodePlain(this.#kernel, series, range, this.#parts.decoder));
  }

  /** By tables where the head has all that is needed, else series by series; in the kernel where it can. */
  async #evaluate(evaluator: Evaluator, collector: Collector, range: TimeRange, signal: AbortSignal): Promise<void> {
    const book = this.#parts.source.book?.(range);
    if (book) await this.#evaluateTables(book, evaluator, collector, range, signal);
    else {
      await this.#each({ ...collector.fragment, range }, false, signal, (series) => {
        if (!evaluator.one(series, range)) this.#plain(series, collector, range);
      });
    }
  }

  async #evaluateTables(
    book: SeriesBook,
    evaluator: Evaluator,
    collector: Collector,
    range: TimeRange,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#parts;
    const { matchers, unnoticed = false } = collector.fragment;
    signal.throwIfAborted();
    let numbers = book.match(matchers);
    let version = book.version;
    let groups = groupsOf(book, collector);
    try {
      let sliceStart = clock.monotonic();
      for (let at = 0; at < numbers.length; ) {
        const table = book.table(numbers, at, Math.min(numbers.length, at + evaluator.tableSeries), range, unnoticed);
        const first = at;
        const plain = (index: number) => {
          const chunks = book.chunks(numbers[first + index]!, range);
          if (!chunks) return;
          try {
            this.#plain(chunks.series, collector, range);
          } finally {
            chunks.release();
          }
        };
        if (table.count === 0) plain(0);
        else evaluator.run(table, (index) => book.name(numbers[first + index]!), groups, plain);
        at += Math.max(1, table.count);
        if (clock.monotonic() - sliceStart < SLICE_MS) continue;
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
        sliceStart = clock.monotonic();
        if (book.version === version) continue;
        // A truncation meanwhile: numbers may be other series' now.
        numbers = book.recheck(numbers.subarray(at), matchers);
        at = 0;
        version = book.version;
        groups?.groups.close();
        groups = groupsOf(book, collector);
      }
    } finally {
      groups?.groups.close();
    }
  }
}

/** Groups of a book's series by the labels that a fragment aggregates by, if it has to find out at all. */
function groupsOf(book: SeriesBook, { fragment, dropsNames }: Collector): NumberedGroups | undefined {
  if (!fragment.aggregate) return undefined;
  const { by, labels } = fragment.aggregate;
  if (by && labels.length === 0) return undefined;
  const names = by
    ? labels.filter((name) => !(dropsNames && isMetadataLabel(name)))
    : [...labels, METRIC_NAME, ...(dropsNames ? METADATA_LABELS : [])];
  return { groups: book.groups(by, names), numbers: [], name: (number) => book.name(number) };
}

/** The first and last time of any sample that the fragment can use. */
export function timesOf(fragment: Fragment): TimeRange {
  const { grid, offset, at, window, extend } = fragment;
  const steps = gridLength(grid);
  const first = (at ?? grid.start) - offset;
  const last = (at ?? grid.start + (steps - 1) * grid.step) - offset;
  const instant = isInstant(fragment.func);
  const before = instant && extend ? extend.lookback : window + (extend?.lookback ?? 0);
  const behind = extend?.mode === 'smoothed' ? extend.lookback : 0;
  // Resets of histograms without their buckets are told from the sample before the window as well.
  const more = fragment.features?.includes(HISTOGRAM_STATS) ? window : 0;
  return { min: first - before - more + 1, max: last + behind };
}
