// Quantiles and fractions of native histograms: interpolated on a logarithmic scale within exponential buckets, linearly
// within custom buckets and the zero bucket. Observations of NaN count but lie in no bucket.

import type { Histogram } from '#model/histogram.ts';
import { allBuckets, type Bucket, usesCustomBuckets } from './buckets.ts';

export type QuantileNote = 'nan_result' | 'nan_skew' | undefined;

export function histogramQuantile(q: number, h: Histogram): { value: number; note: QuantileNote } {
  if (q < 0) return { value: -Infinity, note: undefined };
  if (q > 1) return { value: Infinity, note: undefined };
  if (h.count === 0 || Number.isNaN(q)) return { value: Number.NaN, note: undefined };
  const custom = usesCustomBuckets(h);
  const hasNaN = Number.isNaN(h.sum);
  const forward = hasNaN || q < 0.5;
  const buckets = allBuckets(h);
  if (!forward) buckets.reverse();
  let rank = forward ? q * h.count : (1 - q) * h.count;
  let count = 0;
  let at = 0;
  let bucket: Bucket = { lower: 0, upper: 0, count: 0, index: 0 };
  for (; at < buckets.length; at++) {
    bucket = buckets[at]!;
    if (bucket.count === 0) continue;
    count += bucket.count;
    if (count >= rank) break;
  }
  let { lower, upper } = bucket;
  if (custom) {
    if (lower === -Infinity) {
      if (upper <= 0) return { value: upper, note: undefined };
      lower = 0;
    } else if (upper === Infinity) return { value: lower, note: undefined };
  } else if (lower < 0 && upper > 0) {
    if (h.negativeBuckets.length === 0 && h.positiveBuckets.length > 0) lower = 0;
    else if (h.positiveBuckets.length === 0 && h.negativeBuckets.length > 0) upper = 0;
  }
  if (count > h.count) count = h.count;
  if (count < rank) return hasNaN ? { value: Number.NaN, note: 'nan_result' } : { value: upper, note: undefined };
  rank = forward ? rank - (count - bucket.count) : count - rank;
  let note: QuantileNote;
  if (hasNaN) {
    for (const rest of buckets.slice(at + 1)) count += rest.count;
    if (count < h.count) note = 'nan_skew';
  }
  const fraction = rank / bucket.count;
  if (custom || (lower <= 0 && upper >= 0)) return { value: lower + (upper - lower) * fraction, note };
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  if (lower > 0) return { value: 2 ** (logLower + (logUpper - logLower) * fraction), note };
  return { value: -(2 ** (logUpper + (logLower - logUpper) * (1 - fraction))), note };
}

/** How much of a bucket lies below `value`, which is inside it. */
export function fractionBelow(bucket: Bucket, value: number, linear: boolean): number {
  if (linear) return (value - bucket.lower) / (bucket.upper - bucket.lower);
  const lower = Math.log2(Math.abs(bucket.lower));
  const upper = Math.log2(Math.abs(bucket.upper));
  const at = Math.log2(Math.abs(value));
  return value > 0 ? (at - lower) / (upper - lower) : 1 - (at - upper) / (lower - upper);
}

export function histogramFraction(from: number, to: number, h: Histogram): { value: number; excludesNaN: boolean } {
  if (h.count === 0 || Number.isNaN(from) || Number.isNaN(to)) return { value: Number.NaN, excludesNaN: false };
  if (from >= to) return { value: 0, excludesNaN: false };
  const custom = usesCustomBuckets(h);
  let rank = 0;
  let total = 0;
  let fromRank: number | undefined;
  let toRank: number | undefined;
  for (const bucket of allBuckets(h)) {
    total += bucket.count;
    if (fromRank !== undefined && toRank !== undefined) continue;
    const zero = bucket.lower <= 0 && bucket.upper >= 0;
    if (zero && h.negativeBuckets.length === 0 && h.positiveBuckets.length > 0) bucket.lower = 0;
    else if (zero && h.positiveBuckets.length === 0 && h.negativeBuckets.length > 0) bucket.upper = 0;
    const linear = custom || zero;
    const rankOf = (value: number): number | undefined => {
      if (bucket.lower >= value) return rank;
      if (bucket.upper <= value) return undefined;
      if (linear && bucket.lower === -Infinity) return bucket.count;
      return rank + bucket.count * fractionBelow(bucket, value, linear);
    };
    fromRank ??= rankOf(from);
    toRank ??= rankOf(to);
    rank += bucket.count;
  }
  const hasNaN = Number.isNaN(h.sum);
  const count = hasNaN ? total : h.count;
  const clamped = (value: number | undefined) => (value === undefined || value > count ? count : value);
  return { value: (clamped(toRank) - clamped(fromRank)) / h.count, excludesNaN: hasNaN && total < h.count };
}

/** The spread of observations, each taken to lie in the middle of its bucket. */
export function histogramVariance(h: Histogram): number {
  const mean = h.sum / h.count;
  const custom = usesCustomBuckets(h);
  let sum = 0;
  let compensation = 0;
  for (const { lower, upper, count } of allBuckets(h)) {
    if (count === 0) continue;
    let middle: number;
    if (custom) middle = (upper + lower) / 2;
    else if (lower <= 0 && upper >= 0) middle = 0;
    else middle = upper < 0 ? -Math.sqrt(upper * lower) : Math.sqrt(upper * lower);
    const term = count * (middle - mean) * (middle - mean);
    const total = sum + term;
    if (!Number.isFinite(total) && !Number.isNaN(total)) compensation = 0;
    else compensation += Math.abs(sum) >= Math.abs(term) ? sum - total + term : term - total + sum;
    sum = total;
  }
  return (sum + compensation) / h.count;
}
