// Works out fragments in a shard: select series, decode, one function at every step, perhaps folded into groups. Long work is
// cut into slices, so that appends wait for milliseconds at most; a signal ends it between two slices.

import type { Clock } from '#base/clock.ts';
import type { KernelMemory } from '#base/kernel.ts';
import { compareLabels, labelsKey } from '#model/labels.ts';
import {
  type Columns,
  type Fragment,
  gridLength,
  type QueryLimits,
  type RawSeries,
  type SelectRequest,
  type SeriesChunks,
  type ShardSource,
  type TimeRange,
} from '#model/query.ts';
import { tooManyBytes, tooManySeries } from '../execute/errors.ts';
import { isInstant } from '../functions/series.ts';
import { HISTOGRAM_STATS } from '../plan/build.ts';
import { mergeSeries } from './beside.ts';
import { Collector } from './collect.ts';
import { type ChunkDecoder, decodeInKernel, decodePlain } from './decode.ts';
import { COUNT_BITS, HAS_STALE, KERNEL_FUNCTIONS, QueryKernel } from './kernel.ts';

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
      for (const series of await this.#together(fragment.matchers, range, signal, beside)) collector.addSeries(series);
    } else {
      await this.#each(fragment.matchers, range, false, signal, this.#compute(fragment, collector, range));
    }
    const isEmpty = collector.isEmpty && this.#parts.source.mayMatch?.(fragment.matchers, range.min) === false;
    const columns = collector.columns(clock.monotonic() - start);
    return isEmpty ? { ...columns, nothingMatches: true } : columns;
  }

  /** Decoded samples, stale markers included. */
  async select(
    { matchers, range }: SelectRequest,
    limits: QueryLimits,
    signal: AbortSignal,
    beside: readonly RawSeries[] = [],
  ): Promise<RawSeries[]> {
    if (beside.length > 0) return this.#together(matchers, range, signal, beside);
    const found: RawSeries[] = [];
    let samples = 0;
    await this.#each(matchers, range, true, signal, (series) => {
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
  async #together(
    matchers: Fragment['matchers'],
    range: TimeRange,
    signal: AbortSignal,
    beside: readonly RawSeries[],
  ): Promise<RawSeries[]> {
    const others = new Map(beside.map((series) => [labelsKey(series.labels), series]));
    const found: RawSeries[] = [];
    await this.#each(matchers, range, true, signal, (series) => {
      const own = decodePlain(this.#kernel, series, range, this.#parts.decoder);
      const key = labelsKey(own.labels);
      const other = others.get(key);
      others.delete(key);
      const both = other ? mergeSeries(own, other) : own;
      if (both.timestamps.length > 0) found.push(both);
    });
    return [...found, ...others.values()].sort((a, b) => compareLabels(a.labels, b.labels));
  }

  async #each(
    matchers: Fragment['matchers'],
    range: TimeRange,
    sorted: boolean,
    signal: AbortSignal,
    take: (series: SeriesChunks) => void,
  ): Promise<void> {
    const { source, clock } = this.#parts;
    signal.throwIfAborted();
    let sliceStart = clock.monotonic();
    let left = SERIES_PER_LOOK;
    for (const series of source.select(matchers, range, sorted)) {
      take(series);
      if (--left > 0) continue;
      left = SERIES_PER_LOOK;
      if (clock.monotonic() - sliceStart < SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      sliceStart = clock.monotonic();
    }
  }

  /** The kernel where it can, else the plain path. */
  #compute(fragment: Fragment, collector: Collector, range: TimeRange): (series: SeriesChunks) => void {
    const plain = (series: SeriesChunks): void =>
      collector.addSeries(decodePlain(this.#kernel, series, range, this.#parts.decoder));
    const func = KERNEL_FUNCTIONS[fragment.func];
    const usesStarts = collector.useStarts && !isInstant(fragment.func);
    if (func === undefined || fragment.extend || usesStarts) return plain;
    const { grid, offset, at, window } = fragment;
    const steps = gridLength(grid);
    const first = (at ?? grid.start) - offset;
    const step = at === undefined ? grid.step : 0;
    const instant = isInstant(fragment.func);
    const needsFalls = ['rate', 'increase', 'resets'].includes(fragment.func);
    const kernel = this.#kernel;
    return (series) => {
      const decoded = decodeInKernel(kernel, series, steps, range);
      if (decoded < 0) return plain(series);
      const { exports, times, values, falls, out, kinds } = kernel;
      let count = decoded & COUNT_BITS;
      collector.countSeries(count, bytesOf(series));
      let found: number;
      if (instant) found = exports.instant(func, times, values, count, first, step, steps, window, out, kinds);
      else {
        if (decoded & HAS_STALE) count = exports.dropStale(times, values, count);
        if (needsFalls) exports.countFalls(values, count, falls);
        found = exports.windows(func, times, values, count, falls, first, step, steps, window, out, kinds);
      }
      if (found === 0) return;
      const row = collector.row();
      row.values.set(kernel.f64.subarray(out / 8, out / 8 + steps), row.at);
      row.kinds.set(kernel.u8.subarray(kinds, kinds + steps), row.at);
      collector.endRow(series.labels);
    };
  }
}

function bytesOf({ count, lengths }: SeriesChunks): number {
  let bytes = 0;
  for (let i = 0; i < count; i++) bytes += lengths[i]!;
  return bytes;
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
