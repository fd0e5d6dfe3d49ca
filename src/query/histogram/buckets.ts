// The buckets of native histograms one by one: spans unrolled into (index, count) pairs and back, the bounds that an index
// stands for, and merging indexes into coarser schemas.

import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '#model/histogram.ts';

/** One half of a histogram: ascending bucket indexes and what each holds. */
export type Side = { readonly index: Int32Array; readonly count: Float64Array };

export const NO_BUCKETS: Side = { index: new Int32Array(0), count: new Float64Array(0) };

export const usesCustomBuckets = (h: { readonly schema: number }): boolean => h.schema === CUSTOM_BUCKETS_SCHEMA;

export function unroll(spans: readonly Span[], buckets: Float64Array): Side {
  if (buckets.length === 0) return NO_BUCKETS;
  const index = new Int32Array(buckets.length);
  let at = 0;
  let bucket = 0;
  for (const span of spans) {
    at += span.offset;
    for (let k = 0; k < span.length && bucket < index.length; k++) index[bucket++] = at++;
  }
  return { index: index.subarray(0, bucket), count: buckets.subarray(0, bucket) };
}

/** Spans and buckets without empty buckets: the compact form that every result has. */
export function roll(side: Side): { spans: Span[]; buckets: Float64Array } {
  const spans: { offset: number; length: number }[] = [];
  const buckets = new Float64Array(side.count.length);
  let filled = 0;
  let next = 0;
  for (let i = 0; i < side.index.length; i++) {
    const count = side.count[i]!;
    if (count === 0) continue;
    const index = side.index[i]!;
    const last = spans.at(-1);
    if (last && index === next) last.length++;
    else spans.push({ offset: index - next, length: 1 });
    next = index + 1;
    buckets[filled++] = count;
  }
  return { spans, buckets: buckets.slice(0, filled) };
}

/** Merges neighbours until the schema is `target`. */
export function coarsen(side: Side, schema: number, target: number): Side {
  if (schema === target || side.index.length === 0) return side;
  const shift = schema - target;
  const index = new Int32Array(side.index.length);
  const count = new Float64Array(side.index.length);
  let filled = 0;
  for (let i = 0; i < side.index.length; i++) {
    const merged = ((side.index[i]! - 1) >> shift) + 1;
    if (filled > 0 && index[filled - 1] === merged) count[filled - 1]! += side.count[i]!;
    else {
      index[filled] = merged;
      count[filled++] = side.count[i]!;
    }
  }
  return { index: index.subarray(0, filled), count: count.subarray(0, filled) };
}

/** The upper bound of bucket `index` in an exponential schema. */
export function exponentialBound(index: number, schema: number): number {
  const exponent = index * 2 ** -schema;
  // The last regular bucket ends at the largest number; what lies beyond is the bucket of infinities.
  if (exponent === 1024) return Number.MAX_VALUE;
  const whole = Math.floor(exponent);
  return 2 ** (exponent - whole) * 2 ** whole;
}

export function customBound(index: number, values: Float64Array | undefined): number {
  if (index < 0) return -Infinity;
  return values && index < values.length ? values[index]! : Infinity;
}

export function upperBound(index: number, h: Pick<Histogram, 'schema' | 'customValues'>): number {
  return usesCustomBuckets(h) ? customBound(index, h.customValues) : exponentialBound(index, h.schema);
}

export type Bucket = { lower: number; upper: number; readonly count: number; readonly index: number };

const bucketAt = (h: Histogram, index: number, count: number, positive: boolean): Bucket => {
  const upper = upperBound(index, h);
  const lower = upperBound(index - 1, h);
  return positive ? { lower, upper, count, index } : { lower: -upper, upper: -lower, count, index };
};

export function* positiveBuckets(h: Histogram): Generator<Bucket> {
  const { index, count } = unroll(h.positiveSpans, h.positiveBuckets);
  for (let i = 0; i < index.length; i++) yield bucketAt(h, index[i]!, count[i]!, true);
}

/** From zero downwards. */
export function* negativeBuckets(h: Histogram): Generator<Bucket> {
  const { index, count } = unroll(h.negativeSpans, h.negativeBuckets);
  for (let i = 0; i < index.length; i++) yield bucketAt(h, index[i]!, count[i]!, false);
}

/** All buckets from the lowest to the highest, cut where they overlap the zero bucket. */
export function allBuckets(h: Histogram): Bucket[] {
  const buckets = [...negativeBuckets(h)].reverse();
  for (const bucket of buckets)
    if (bucket.upper < 0 && bucket.upper > -h.zeroThreshold) bucket.upper = -h.zeroThreshold;
  if (h.zeroCount > 0) {
    buckets.push({ lower: -h.zeroThreshold, upper: h.zeroThreshold, count: h.zeroCount, index: 0 });
  }
  for (const bucket of positiveBuckets(h)) {
    if (bucket.lower > 0 && bucket.lower < h.zeroThreshold) bucket.lower = h.zeroThreshold;
    buckets.push(bucket);
  }
  return buckets;
}
