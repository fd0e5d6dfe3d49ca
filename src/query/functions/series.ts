// Works out one function over one series at every step of a grid: the plain path, for everything that the kernel does
// not do itself (histograms, start timestamps, rare functions), and for the results of subqueries.

import type { Histogram } from '#model/histogram.ts';
import { type Fragment, gridLength, type RawSeries } from '#model/query.ts';
import { isStale } from '#model/value.ts';
import type { Notes } from '../execute/annotations.ts';
import { ABSENT, FLOAT, HISTOGRAM } from '../execute/vector.ts';
import { withHint } from '../histogram/arithmetic.ts';
import { usesCustomBuckets } from '../histogram/buckets.ts';
import { detectReset } from '../histogram/reset.ts';
import { interpolate, interpolateHistograms } from './extended.ts';
import { NOTHING, type Points, WINDOW_FUNCTIONS, type Window } from './window.ts';

export type WindowSpec = Pick<Fragment, 'grid' | 'offset' | 'at' | 'window' | 'func' | 'args' | 'extend'> & {
  readonly useStarts: boolean;
  /** Drop the buckets of histograms once resets are known. */
  readonly statsOnly?: boolean;
};

/** Where the points of one row go. */
export type RowSink = {
  readonly values: Float64Array;
  readonly kinds: Uint8Array;
  /** Index of the row's first point. */
  readonly at: number;
  histogram(at: number, value: Histogram): void;
};

/** Functions of the newest sample in the lookback window rather than of all samples in it. */
export const isInstant = (func: string): boolean =>
  func === 'instant' || func === 'timestamp' || func === 'start_timestamp';

/** Returns how many samples were looked at. */
export function computeRow(spec: WindowSpec, full: RawSeries, metric: string, sink: RowSink, notes: Notes): number {
  const series = spec.statsOnly && full.histograms ? withoutBuckets(full) : full;
  if (spec.func === 'instant' && spec.extend?.mode === 'smoothed')
    return smoothedRow(spec, series, metric, sink, notes);
  return isInstant(spec.func) ? instantRow(spec, series, sink) : windowRow(spec, series, metric, sink, notes);
}

/** Counts and sums alone; whether a counter was reset is put into the hint, because it cannot be seen any more. */
function withoutBuckets(series: RawSeries): RawSeries {
  const histograms = new Map<number, Histogram>();
  let previous: Histogram | undefined;
  for (const [at, h] of [...series.histograms!].sort((a, b) => a[0] - b[0])) {
    let { counterReset } = h;
    if (h.stale) histograms.set(at, h);
    else {
      if (counterReset === 'unknown' && previous) counterReset = detectReset(h, previous) ? 'reset' : 'notReset';
      previous = h;
      histograms.set(at, {
        ...h,
        ...{ zeroThreshold: 0, zeroCount: 0, positiveSpans: [], negativeSpans: [], counterReset },
        ...{ positiveBuckets: NONE, negativeBuckets: NONE },
      });
    }
  }
  return { ...series, histograms };
}

function instantRow(spec: WindowSpec, series: RawSeries, sink: RowSink): number {
  const { grid, offset, at, window, func, useStarts } = spec;
  const { timestamps, values, histograms, starts } = series;
  if (func === 'start_timestamp' && !useStarts) return 0;
  const steps = gridLength(grid);
  let next = 0;
  let used = 0;
  for (let step = 0; step < steps; step++) {
    const time = (at ?? grid.start + step * grid.step) - offset;
    while (next < timestamps.length && timestamps[next]! <= time) next++;
    const i = next - 1;
    if (i < 0 || timestamps[i]! <= time - window || isStaleAt(series, i)) continue;
    used++;
    const target = sink.at + step;
    if (func === 'instant') {
      const histogram = histograms?.get(i);
      sink.kinds[target] = histogram ? HISTOGRAM : FLOAT;
      if (histogram) sink.histogram(target, histogram);
      else sink.values[target] = values[i]!;
      continue;
    }
    sink.kinds[target] = FLOAT;
    sink.values[target] = (func === 'timestamp' ? timestamps[i]! : (starts?.[i] ?? 0)) / 1000;
  }
  return used;
}

function isStaleAt({ values, histograms }: RawSeries, i: number): boolean {
  const histogram = histograms?.get(i);
  return histogram ? histogram.stale === true : isStale(values, i);
}

/** Splits samples into floats and histograms and leaves stale markers out. */
export function pointsOf(series: RawSeries, useStarts: boolean): Points {
  const { timestamps, values, histograms, starts } = series;
  const length = timestamps.length;
  const withStarts = useStarts ? (starts ?? new Float64Array(length)) : undefined;
  if (!histograms || histograms.size === 0) {
    let stale = false;
    for (let i = 0; i < length && !stale; i++) stale = isStale(values, i);
    if (!stale) {
      return {
        floatTimes: timestamps,
        floats: values,
        floatStarts: withStarts,
        histogramTimes: NONE,
        histograms: [],
        histogramStarts: withStarts && NONE,
      };
    }
  }
  const floatTimes = new Float64Array(length);
  const floats = new Float64Array(length);
  const floatStarts = withStarts && new Float64Array(length);
  const histogramTimes = new Float64Array(histograms?.size ?? 0);
  const histogramStarts = withStarts && new Float64Array(histogramTimes.length);
  const found: Histogram[] = [];
  let f = 0;
  for (let i = 0; i < length; i++) {
    const histogram = histograms?.get(i);
    if (histogram) {
      if (histogram.stale) continue;
      histogramTimes[found.length] = timestamps[i]!;
      if (histogramStarts) histogramStarts[found.length] = withStarts![i]!;
      found.push(histogram);
    } else if (!isStale(values, i)) {
      floatTimes[f] = timestamps[i]!;
      floats[f] = values[i]!;
      if (floatStarts) floatStarts[f] = withStarts![i]!;
      f++;
    }
  }
  return {
    floatTimes: floatTimes.subarray(0, f),
    floats: floats.subarray(0, f),
    floatStarts: floatStarts?.subarray(0, f),
    histogramTimes: histogramTimes.subarray(0, found.length),
    histograms: found,
    histogramStarts: histogramStarts?.subarray(0, found.length),
  };
}

const NONE = new Float64Array(0);

function windowRow(spec: WindowSpec, series: RawSeries, metric: string, sink: RowSink, notes: Notes): number {
  const { grid, offset, at, window, extend } = spec;
  const compute = WINDOW_FUNCTIONS[spec.func]!;
  const points = pointsOf(series, spec.useStarts);
  const { floatTimes, histogramTimes } = points;
  const steps = gridLength(grid);
  const parameters = parametersOf(spec.func, spec.args, steps);
  const args = new Float64Array(parameters.length);
  const mode = extend?.mode;
  const w: Window = {
    ...{ points, f0: 0, f1: 0, h0: 0, h1: 0, start: 0, end: 0, time: 0 },
    ...{ length: window, args, metric, notes, extend: mode, histogram: undefined },
  };
  const before = extend ? extend.lookback : 0;
  const behind = mode === 'smoothed' ? before : 0;
  let used = 0;
  for (let step = 0; step < steps; step++) {
    w.time = grid.start + step * grid.step;
    w.end = (at ?? w.time) - offset;
    w.start = w.end - window;
    while (w.f1 < floatTimes.length && floatTimes[w.f1]! <= w.end + behind) w.f1++;
    while (w.f0 < w.f1 && floatTimes[w.f0]! <= w.start - before) w.f0++;
    while (w.h1 < histogramTimes.length && histogramTimes[w.h1]! <= w.end + behind) w.h1++;
    while (w.h0 < w.h1 && histogramTimes[w.h0]! <= w.start - before) w.h0++;
    const count = w.f1 - w.f0 + w.h1 - w.h0;
    if (count === 0) continue;
    used += count;
    for (let i = 0; i < args.length; i++) args[i] = parameters[i]![step]!;
    const result = compute(w);
    const target = sink.at + step;
    if (result !== NOTHING) {
      sink.kinds[target] = FLOAT;
      sink.values[target] = result;
    } else if (w.histogram) {
      sink.kinds[target] = HISTOGRAM;
      sink.histogram(target, w.histogram);
      w.histogram = undefined;
    } else sink.kinds[target] = ABSENT;
  }
  return used;
}

/** How many scalars a function takes beside the range vector. */
const PARAMETERS: Readonly<Record<string, number>> = {
  quantile_over_time: 1,
  predict_linear: 1,
  double_exponential_smoothing: 2,
};

/** Each parameter's value at each step. */
function parametersOf(func: string, args: readonly number[], steps: number): Float64Array[] {
  const count = PARAMETERS[func] ?? 0;
  const constant = args.length === count;
  return Array.from({ length: count }, (_, i) =>
    Float64Array.from({ length: steps }, (_unused, step) => args[constant ? i : i * steps + step]!),
  );
}

/** A smoothed instant selector: linear between the neighbours of each step, the last value while there is no next. */
function smoothedRow(spec: WindowSpec, series: RawSeries, metric: string, sink: RowSink, notes: Notes): number {
  const { grid, offset, at, extend } = spec;
  const points = pointsOf(series, false);
  const { floatTimes, floats, histogramTimes, histograms } = points;
  const steps = gridLength(grid);
  const lookback = extend!.lookback;
  let used = 0;
  for (let step = 0; step < steps; step++) {
    const time = (at ?? grid.start + step * grid.step) - offset;
    const f = rangeOf(floatTimes, time - lookback, time + lookback);
    const h = rangeOf(histogramTimes, time - lookback, time + lookback);
    const target = sink.at + step;
    used += f.to - f.from + h.to - h.from;
    if (h.to > h.from && f.to > f.from) notes.add('mixed_floats_histograms', metric);
    else if (f.to > f.from) {
      const i = firstFrom(floatTimes, f.from, f.to, time);
      if (i === f.from && floatTimes[i]! > time) continue;
      sink.kinds[target] = FLOAT;
      if (i < f.to && floatTimes[i] === time) sink.values[target] = floats[i]!;
      else if (i === f.to) sink.values[target] = floats[i - 1]!;
      else {
        const [t1, v1, t2, v2] = [floatTimes[i - 1]!, floats[i - 1]!, floatTimes[i]!, floats[i]!];
        sink.values[target] = interpolate(t1, v1, t2, v2, time, false);
      }
    } else if (h.to > h.from) {
      const i = firstFrom(histogramTimes, h.from, h.to, time);
      if (i === h.from && histogramTimes[i]! > time) continue;
      const next = histograms[i];
      let value: Histogram | undefined;
      if (i < h.to && histogramTimes[i] === time) value = next;
      else if (i === h.to) value = withHint(histograms[i - 1]!, 'unknown');
      else {
        const previous = histograms[i - 1]!;
        const counter = previous.counterReset !== 'gauge' || next!.counterReset !== 'gauge';
        if (usesCustomBuckets(previous) === usesCustomBuckets(next!)) {
          const [t1, t2] = [histogramTimes[i - 1]!, histogramTimes[i]!];
          value = interpolateHistograms(previous, t1, next!, t2, time, counter, notes);
        }
      }
      if (!value) {
        notes.add('mixed_exponential_custom', metric);
        continue;
      }
      sink.kinds[target] = HISTOGRAM;
      sink.histogram(target, value);
    }
  }
  return used;
}

function rangeOf(times: Float64Array, after: number, until: number): { from: number; to: number } {
  return { from: firstFrom(times, 0, times.length, after, true), to: firstFrom(times, 0, times.length, until, true) };
}

/** The first index whose time is at least `time` (or, `above`, greater). */
function firstFrom(times: Float64Array, from: number, to: number, time: number, above = false): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (above ? times[middle]! <= time : times[middle]! < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
