// What one group of one rule gathers in an interval. Folds of the same group from several shards add up to the fold of all;
// they are plain data, so that they cross threads and are written to disk. Distributions are exponential buckets,
// 32 to a power of two, as native histograms of schema 5 have them: quantiles are exact to about one per cent.

import type { Histogram } from '#model/histogram.ts';
import { spansOf } from '../receive/resolution.ts';

export const SKETCH_SCHEMA = 5;
const PER_DOUBLING = 2 ** SKETCH_SCHEMA;

export type Fold = {
  /** Over the last values of the series. */
  sum: number;
  count: number;
  /** Over all samples. */
  min: number;
  max: number;
  increase: number;
  samples: number;
  total: number;
  zeros: number;
  /** Bucket index to count; upper bound 2^(index/32). */
  readonly positive: Map<number, number>;
  readonly negative: Map<number, number>;
};

export const newFold = (): Fold => ({
  sum: 0,
  count: 0,
  min: Infinity,
  max: -Infinity,
  increase: 0,
  samples: 0,
  total: 0,
  zeros: 0,
  positive: new Map(),
  negative: new Map(),
});

/** Takes one sample into the parts that look at all samples. */
export function observe(fold: Fold, value: number, sketch: boolean): void {
  if (value < fold.min) fold.min = value;
  if (value > fold.max) fold.max = value;
  fold.samples++;
  fold.total += value;
  if (!sketch) return;
  if (value === 0) fold.zeros++;
  else {
    const side = value > 0 ? fold.positive : fold.negative;
    const size = Math.abs(value);
    const index = Number.isFinite(size) ? Math.ceil(Math.log2(size) * PER_DOUBLING) : 1024 * PER_DOUBLING;
    side.set(index, (side.get(index) ?? 0) + 1);
  }
}

export function addFold(into: Fold, more: Fold): void {
  into.sum += more.sum;
  into.count += more.count;
  into.min = Math.min(into.min, more.min);
  into.max = Math.max(into.max, more.max);
  into.increase += more.increase;
  into.samples += more.samples;
  into.total += more.total;
  into.zeros += more.zeros;
  for (const side of ['positive', 'negative'] as const) {
    for (const [index, count] of more[side]) into[side].set(index, (into[side].get(index) ?? 0) + count);
  }
}

/** The value below which the fraction `q` of the samples lies; NaN without samples. */
export function quantileOf(fold: Fold, q: number): number {
  if (fold.samples === 0) return Number.NaN;
  if (q <= 0) return fold.min;
  if (q >= 1) return fold.max;
  let rank = q * fold.samples;
  const middle = (index: number) => 2 ** ((index - 0.5) / PER_DOUBLING);
  const clamp = (value: number) => Math.min(fold.max, Math.max(fold.min, value));
  for (const [index, count] of [...fold.negative].sort(([a], [b]) => b - a)) {
    rank -= count;
    if (rank <= 0) return clamp(-middle(index));
  }
  rank -= fold.zeros;
  if (rank <= 0) return clamp(0);
  for (const [index, count] of [...fold.positive].sort(([a], [b]) => a - b)) {
    rank -= count;
    if (rank <= 0) return clamp(middle(index));
  }
  return fold.max;
}

/** The distribution of the interval's samples as a native histogram. */
export function histogramOf(fold: Fold): Histogram {
  const side = (buckets: ReadonlyMap<number, number>) => spansOf([...buckets].sort(([a], [b]) => a - b));
  const positive = side(fold.positive);
  const negative = side(fold.negative);
  return {
    integer: true,
    schema: SKETCH_SCHEMA,
    zeroThreshold: 0,
    zeroCount: fold.zeros,
    count: fold.samples,
    sum: fold.total,
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    positiveBuckets: positive.buckets,
    negativeBuckets: negative.buckets,
    counterReset: 'gauge',
  };
}
