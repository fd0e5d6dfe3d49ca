// The table of functions over range vectors, each for one window of one series. Floats and histograms lie in separate
// arrays; a window is a pair of index ranges into them. What a function cannot answer stays absent.

import type { Histogram } from '#model/histogram.ts';
import type { Notes } from '../execute/annotations.ts';
import { divide, equalHistograms, subtractHistograms, withHint } from '../histogram/arithmetic.ts';
import { KahanSum, kahanStep } from '../histogram/kahan.ts';
import { detectReset } from '../histogram/reset.ts';
import { HistogramSum } from '../histogram/sum.ts';
import { extendedRate } from './extended.ts';
import { quantileOf } from './quantile.ts';
import { isStartReset, rate } from './rate.ts';

/** The samples of one series without stale markers. */
export type Points = {
  readonly floatTimes: Float64Array;
  readonly floats: Float64Array;
  readonly floatStarts: Float64Array | undefined;
  readonly histogramTimes: Float64Array;
  readonly histograms: readonly Histogram[];
  readonly histogramStarts: Float64Array | undefined;
};

export type Window = {
  readonly points: Points;
  /** Floats f0 <= i < f1 and histograms h0 <= i < h1 are in the window. */
  f0: number;
  f1: number;
  h0: number;
  h1: number;
  /** The window is (start, end]. */
  start: number;
  end: number;
  /** When the result is for; differs from `end` by offset and @. */
  time: number;
  readonly length: number;
  readonly args: Float64Array;
  readonly metric: string;
  readonly notes: Notes;
  readonly extend: 'anchored' | 'smoothed' | undefined;
  /** Where results go: a number is returned, a histogram is left here. */
  histogram: Histogram | undefined;
};

/** Returned when there is no result, and when it is a histogram in `window.histogram`. */
export const NOTHING = Symbol('nothing');
export type WindowResult = number | typeof NOTHING;
export type WindowFunction = (w: Window) => WindowResult;

const withHistogram = (w: Window, h: Histogram): WindowResult => {
  w.histogram = h;
  return NOTHING;
};

/** Floats are used, histograms beside them noted and ignored. */
const onFloats =
  (least: number, compute: (w: Window) => number): WindowFunction =>
  (w) => {
    const floats = w.f1 - w.f0;
    if (floats === 0) return NOTHING;
    if (w.h1 > w.h0) w.notes.add('ignored_in_mixed_range', w.metric);
    return floats < least ? NOTHING : compute(w);
  };

const extreme = (better: (value: number, best: number) => boolean, wantTime: boolean): WindowFunction =>
  onFloats(1, ({ points, f0, f1 }) => {
    let best = points.floats[f0]!;
    let time = points.floatTimes[f0]!;
    for (let i = f0; i < f1; i++) {
      const value = points.floats[i]!;
      if (!better(value, best) && !Number.isNaN(best)) continue;
      best = value;
      time = points.floatTimes[i]!;
    }
    return wantTime ? time / 1000 : best;
  });

const sumOverTime: WindowFunction = (w) => {
  const { points, f0, f1, h0, h1, notes } = w;
  if (f1 > f0 && h1 > h0) {
    notes.add('mixed_floats_histograms', w.metric);
    return NOTHING;
  }
  if (h1 > h0) return histogramSum(w, false);
  const sum = new KahanSum();
  for (let i = f0; i < f1; i++) sum.add(points.floats[i]!);
  return Number.isFinite(sum.sum) || Number.isNaN(sum.sum) ? sum.value : sum.sum;
};

function histogramSum(w: Window, mean: boolean): WindowResult {
  const sum = new HistogramSum(w.points.histograms[w.h0]!, mean);
  for (let i = w.h0 + 1; i < w.h1; i++) sum.add(w.points.histograms[i]!);
  const { notes } = sum;
  if (notes.incompatible) {
    w.notes.add('mixed_exponential_custom', w.metric);
    return NOTHING;
  }
  if (notes.resetSeen && notes.notResetSeen) w.notes.add('reset_collision/aggregation', '');
  if (notes.reconciled) w.notes.add('mismatched_custom_buckets/aggregation', '');
  return withHistogram(w, sum.result());
}

const avgOverTime: WindowFunction = (w) => {
  const { points, f0, f1, h0, h1 } = w;
  if (f1 > f0 && h1 > h0) {
    w.notes.add('mixed_floats_histograms', w.metric);
    return NOTHING;
  }
  return h1 > h0 ? histogramSum(w, true) : meanOf(points.floats, f0, f1);
};

/** Compensated; goes over to a running mean where the sum would overflow. */
export function meanOf(values: Float64Array, from: number, to: number): number {
  let sum = values[from]!;
  let compensation = 0;
  let mean = 0;
  let running = false;
  for (let i = from + 1; i < to; i++) {
    const value = values[i]!;
    const count = i - from + 1;
    if (!running) {
      const next = sum + value;
      if (next !== Infinity && next !== -Infinity) {
        compensation = kahanStep(sum, value, compensation);
        sum = next;
        continue;
      }
      running = true;
      mean = sum / (count - 1);
      compensation /= count - 1;
    }
    const weight = (count - 1) / count;
    const scaled = weight * mean;
    compensation = kahanStep(scaled, value / count, weight * compensation);
    mean = scaled + value / count;
  }
  const count = to - from;
  return running ? mean + compensation : sum / count + compensation / count;
}

function variance({ points, f0, f1 }: Window): number {
  const mean = new KahanSum();
  const squares = new KahanSum();
  for (let i = f0; i < f1; i++) {
    const delta = points.floats[i]! - mean.value;
    mean.add(delta / (i - f0 + 1));
    squares.add(delta * (points.floats[i]! - mean.value));
  }
  return squares.value / (f1 - f0);
}

/** Slope and value at `origin` of the least-squares line. */
function regression({ points, f0, f1 }: Window, origin: number): { slope: number; intercept: number } {
  const [x, y, xy, xx] = [new KahanSum(), new KahanSum(), new KahanSum(), new KahanSum()];
  const first = points.floats[f0]!;
  let constant = true;
  for (let i = f0; i < f1; i++) {
    const value = points.floats[i]!;
    if (i > f0 && value !== first) constant = false;
    const seconds = (points.floatTimes[i]! - origin) / 1000;
    x.add(seconds);
    y.add(value);
    xy.add(seconds * value);
    xx.add(seconds * seconds);
  }
  if (constant) {
    const infinite = first === Infinity || first === -Infinity;
    return infinite ? { slope: Number.NaN, intercept: Number.NaN } : { slope: 0, intercept: first };
  }
  const n = f1 - f0;
  const slope = (xy.value - (x.value * y.value) / n) / (xx.value - (x.value * x.value) / n);
  return { slope, intercept: y.value / n - (slope * x.value) / n };
}

function smoothing({ points, f0, f1, args }: Window): number {
  const factor = args[0]!;
  const trendFactor = args[1]!;
  let before = 0;
  let smoothed = points.floats[f0]!;
  let trend = points.floats[f0 + 1]! - smoothed;
  for (let i = f0 + 1; i < f1; i++) {
    const scaled = factor * points.floats[i]!;
    if (i > f0 + 1) trend = trendFactor * (smoothed - before) + (1 - trendFactor) * trend;
    const next = scaled + (1 - factor) * (smoothed + trend);
    before = smoothed;
    smoothed = next;
  }
  return smoothed;
}

function medianDeviation({ points, f0, f1 }: Window): number {
  const values = points.floats.slice(f0, f1);
  if (values.some(Number.isNaN)) return Number.NaN;
  const median = quantileOf(0.5, values);
  return quantileOf(
    0.5,
    values.map((value) => Math.abs(value - median)),
  );
}

/** The two newest samples, whatever their kind. */
function instantValue(w: Window, isRate: boolean): WindowResult {
  const { points, f0, f1, h0, h1 } = w;
  if (f1 - f0 + h1 - h0 < 2) return NOTHING;
  let f = f1 - 1;
  let h = h1 - 1;
  const newest = (): { float: number } | { histogram: number } =>
    h < h0 || (f >= f0 && points.floatTimes[f]! >= points.histogramTimes[h]!) ? { float: f-- } : { histogram: h-- };
  const last = newest();
  const previous = newest();
  if ('float' in last && 'float' in previous) {
    const [a, b] = [points.floats[previous.float]!, points.floats[last.float]!];
    const [ta, tb] = [points.floatTimes[previous.float]!, points.floatTimes[last.float]!];
    if (ta === tb) return NOTHING;
    const starts = points.floatStarts;
    const reset = isRate && (b < a || (starts && isStartReset(starts[previous.float]!, ta, starts[last.float]!, tb)));
    const change = reset ? b : b - a;
    return isRate ? change / ((tb - ta) / 1000) : change;
  }
  if ('float' in last || 'float' in previous) {
    w.notes.add('mixed_floats_histograms', w.metric);
    return NOTHING;
  }
  return instantHistogram(w, previous.histogram, last.histogram, isRate);
}

function instantHistogram(w: Window, previous: number, last: number, isRate: boolean): WindowResult {
  const { points } = w;
  const [a, b] = [points.histograms[previous]!, points.histograms[last]!];
  const [ta, tb] = [points.histogramTimes[previous]!, points.histogramTimes[last]!];
  if (ta === tb) return NOTHING;
  const gauges = [a, b].filter((h) => h.counterReset === 'gauge').length;
  if (isRate && gauges > 0) w.notes.add('not_counter', w.metric);
  if (!isRate && gauges < 2) w.notes.add('not_gauge', w.metric);
  const starts = points.histogramStarts;
  let result = b;
  const reset = isRate && ((starts && isStartReset(starts[previous]!, ta, starts[last]!, tb)) || detectReset(b, a));
  if (!reset) {
    const difference = subtractHistograms(b, a);
    if (!difference) {
      w.notes.add('mixed_exponential_custom', w.metric);
      return NOTHING;
    }
    if (difference.reconciled) w.notes.add('mismatched_custom_buckets/subtraction', '');
    result = difference.value;
  }
  result = withHint(result, 'gauge');
  return withHistogram(w, isRate ? divide(result, (tb - ta) / 1000) : result);
}

/** Walks floats and histograms in time order and counts pairs of neighbours. */
function countPairs(w: Window, counts: (a: Side, b: Side) => boolean): WindowResult {
  const { points } = w;
  let { f0: f, h0: h } = w;
  if (w.extend === 'anchored') {
    const first = anchorOf(w);
    if (!first) return NOTHING;
    ({ f, h } = first);
  }
  let count = 0;
  let previous: Side | undefined;
  while (f < w.f1 || h < w.h1) {
    const isFloat = h >= w.h1 || (f < w.f1 && points.floatTimes[f]! <= points.histogramTimes[h]!);
    const side: Side = isFloat
      ? {
          time: points.floatTimes[f]!,
          start: points.floatStarts?.[f] ?? 0,
          float: points.floats[f++]!,
          histogram: undefined,
        }
      : {
          time: points.histogramTimes[h]!,
          start: points.histogramStarts?.[h] ?? 0,
          float: 0,
          histogram: points.histograms[h++]!,
        };
    if (previous && counts(previous, side)) count++;
    previous = side;
  }
  return previous ? count : NOTHING;
}

type Side = { time: number; start: number; float: number; histogram: Histogram | undefined };

/** Where counting starts for anchored windows: at the newest sample up to the window's start, if later ones follow. */
function anchorOf({ points, f0, f1, h0, h1, start }: Window): { f: number; h: number } | undefined {
  let f = f0;
  while (f < f1 && points.floatTimes[f]! <= start) f++;
  let h = h0;
  while (h < h1 && points.histogramTimes[h]! <= start) h++;
  if (f >= f1 && h >= h1) return undefined;
  const lastFloat = f > f0 ? points.floatTimes[f - 1]! : -Infinity;
  const lastHistogram = h > h0 ? points.histogramTimes[h - 1]! : -Infinity;
  if (lastFloat === -Infinity && lastHistogram === -Infinity) return { f: f0, h: h0 };
  return lastFloat >= lastHistogram ? { f: f - 1, h } : { f, h: h - 1 };
}

const isReset = (a: Side, b: Side): boolean => {
  if ((a.histogram === undefined) !== (b.histogram === undefined)) return true;
  if (isStartReset(a.start, a.time, b.start, b.time)) return true;
  return b.histogram && a.histogram ? detectReset(b.histogram, a.histogram) : b.float < a.float;
};

const isChange = (a: Side, b: Side): boolean => {
  if ((a.histogram === undefined) !== (b.histogram === undefined)) return true;
  if (b.histogram && a.histogram) return !equalHistograms(b.histogram, a.histogram);
  return b.float !== a.float && !(Number.isNaN(b.float) && Number.isNaN(a.float));
};

function edge(w: Window, last: boolean): WindowResult {
  const { points, f0, f1, h0, h1 } = w;
  const f = last ? f1 - 1 : f0;
  const h = last ? h1 - 1 : h0;
  const hasFloat = f1 > f0;
  if (h1 === h0) return points.floats[f]!;
  const floatFirst =
    hasFloat &&
    (last ? points.histogramTimes[h]! < points.floatTimes[f]! : points.floatTimes[f]! < points.histogramTimes[h]!);
  return floatFirst ? points.floats[f]! : withHistogram(w, points.histograms[h]!);
}

const edgeTime = ({ points, f0, f1, h0, h1 }: Window, last: boolean): number => {
  const missing = last ? -Infinity : Infinity;
  const float = f1 > f0 ? points.floatTimes[last ? f1 - 1 : f0]! : missing;
  const histogram = h1 > h0 ? points.histogramTimes[last ? h1 - 1 : h0]! : missing;
  return (last ? Math.max(float, histogram) : Math.min(float, histogram)) / 1000;
};

const rateLike =
  (isCounter: boolean, perSecond: boolean): WindowFunction =>
  (w) =>
    w.extend ? extendedRate(w, isCounter, perSecond) : rate(w, isCounter, perSecond);

export const WINDOW_FUNCTIONS: Readonly<Record<string, WindowFunction>> = {
  rate: rateLike(true, true),
  increase: rateLike(true, false),
  delta: rateLike(false, false),
  irate: (w) => instantValue(w, true),
  idelta: (w) => instantValue(w, false),
  sum_over_time: sumOverTime,
  avg_over_time: avgOverTime,
  min_over_time: extreme((value, best) => value < best, false),
  max_over_time: extreme((value, best) => value > best, false),
  ts_of_min_over_time: extreme((value, best) => value <= best, true),
  ts_of_max_over_time: extreme((value, best) => value >= best, true),
  count_over_time: (w) => w.f1 - w.f0 + w.h1 - w.h0,
  present_over_time: () => 1,
  absent_over_time: () => 1,
  first_over_time: (w) => edge(w, false),
  last_over_time: (w) => edge(w, true),
  ts_of_first_over_time: (w) => edgeTime(w, false),
  ts_of_last_over_time: (w) => edgeTime(w, true),
  stdvar_over_time: onFloats(1, variance),
  stddev_over_time: onFloats(1, (w) => Math.sqrt(variance(w))),
  mad_over_time: onFloats(1, medianDeviation),
  quantile_over_time: onFloats(1, ({ points, f0, f1, args }) => quantileOf(args[0]!, points.floats.slice(f0, f1))),
  deriv: onFloats(2, (w) => regression(w, w.points.floatTimes[w.f0]!).slope),
  predict_linear: onFloats(2, (w) => {
    const { slope, intercept } = regression(w, w.time);
    return slope * w.args[0]! + intercept;
  }),
  double_exponential_smoothing: onFloats(2, smoothing),
  resets: (w) => countPairs(w, isReset),
  changes: (w) => countPairs(w, isChange),
};

/** Functions that leave the metric what it is. */
export const keepsName = (func: string): boolean => func === 'last_over_time' || func === 'first_over_time';
