// The operators </ and >/: a native histogram without the observations above or below a value. Buckets that contain the
// value are divided by interpolation; count and sum are estimated anew from what is left.

import type { Histogram } from '#model/histogram.ts';
import { compact } from './arithmetic.ts';
import { type Bucket, negativeBuckets, positiveBuckets, usesCustomBuckets } from './buckets.ts';
import { fractionBelow } from './quantile.ts';

type Kept = { readonly count: number; readonly middle: number };

export function trimHistogram(h: Histogram, at: number, keepBelow: boolean): Histogram {
  const linear = usesCustomBuckets(h);
  let count = 0;
  let sum = 0;
  let trimmed = false;
  const side = (buckets: Iterable<Bucket>, counts: Float64Array, positive: boolean) => {
    const left = counts.slice();
    let populated = false;
    let i = -1;
    for (const bucket of buckets) {
      i++;
      if (bucket.count === 0) continue;
      populated = true;
      const kept = keep(bucket, at, keepBelow, positive, linear);
      count += kept.count;
      sum += kept.count === 0 ? 0 : kept.middle * kept.count;
      if (kept.count !== bucket.count) {
        left[i] = kept.count;
        trimmed = true;
      }
    }
    return { left, populated };
  };
  const positive = side(positiveBuckets(h), h.positiveBuckets, true);
  const negative = side(negativeBuckets(h), h.negativeBuckets, false);
  let { zeroCount } = h;
  if (zeroCount > 0) {
    const kept = keepOfZero(h, at, keepBelow, negative.populated, positive.populated);
    if (kept.count !== zeroCount) trimmed = true;
    zeroCount = kept.count;
    count += kept.count;
    sum += kept.middle * kept.count;
  }
  if (!trimmed) return h;
  return compact({
    ...h,
    integer: false,
    zeroCount,
    count,
    sum,
    positiveBuckets: positive.left,
    negativeBuckets: negative.left,
  });
}

function keep(bucket: Bucket, at: number, keepBelow: boolean, positive: boolean, linear: boolean): Kept {
  const { lower, upper, count } = bucket;
  const whole = keepBelow ? upper <= at : lower >= at;
  if (whole) return { count, middle: midpoint(lower, upper, positive, linear) };
  const part = keepBelow ? lower < at : upper > at;
  if (!part) return { count: 0, middle: 0 };
  if (lower === -Infinity || upper === Infinity) return keepOfInfinite(bucket, at, keepBelow);
  const below = count * fractionBelow(bucket, at, linear);
  return keepBelow
    ? { count: below, middle: midpoint(lower, at, positive, linear) }
    : { count: count - below, middle: midpoint(at, upper, positive, linear) };
}

const zeroIfInfinite = (value: number) => (Number.isFinite(value) ? value : 0);

/** Within a bucket without end there is nothing to interpolate: it is kept or dropped, unless zero can serve as its bound. */
function keepOfInfinite({ lower, upper, count }: Bucket, at: number, keepBelow: boolean): Kept {
  if (lower === -Infinity) {
    if (keepBelow) {
      if (at >= upper) return { count, middle: 0 };
      if (at > 0 && upper > 0 && upper !== Infinity) return { count: (count * at) / upper, middle: at / 2 };
      return upper <= 0 ? { count, middle: at } : { count: 0, middle: zeroIfInfinite(upper) };
    }
    if (at <= lower) return { count, middle: 0 };
    if (at >= 0 && upper > at && upper !== Infinity)
      return { count: count * (1 - at / upper), middle: (at + upper) / 2 };
    return { count: 0, middle: zeroIfInfinite(upper) };
  }
  if (keepBelow) return { count: 0, middle: zeroIfInfinite(lower) };
  return at >= lower ? { count, middle: at } : { count: 0, middle: zeroIfInfinite(lower) };
}

function keepOfZero(h: Histogram, at: number, keepBelow: boolean, negative: boolean, positive: boolean): Kept {
  const lower = positive && !negative ? 0 : -h.zeroThreshold;
  const upper = negative && !positive ? 0 : h.zeroThreshold;
  const all = { count: h.zeroCount, middle: (lower + upper) / 2 };
  const none = { count: 0, middle: 0 };
  if (at <= lower) return keepBelow ? none : all;
  if (at >= upper) return keepBelow ? all : none;
  const below = (at - lower) / (upper - lower);
  return keepBelow
    ? { count: h.zeroCount * below, middle: (lower + at) / 2 }
    : { count: h.zeroCount * ((upper - at) / (upper - lower)), middle: (at + upper) / 2 };
}

function midpoint(lower: number, upper: number, positive: boolean, linear: boolean): number {
  if (!Number.isFinite(lower)) {
    if (!Number.isFinite(upper)) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (!Number.isFinite(upper)) return lower;
  if (linear) return (lower + upper) / 2;
  const geometric = Math.sqrt(Math.abs(lower * upper));
  return positive ? geometric : -geometric;
}
