// Bucket layouts of native histograms: spans as bucket indexes and back, and whether one histogram can follow another in a
// chunk of counters. Buckets that are absent count as zero.

import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '#model/histogram.ts';

/** The indexes of all buckets that spans describe, in order. */
export function bucketIndexes(spans: readonly Span[]): number[] {
  const indexes: number[] = [];
  let next = 0;
  for (const { offset, length } of spans) {
    next += offset;
    for (let i = 0; i < length; i++) indexes.push(next++);
  }
  return indexes;
}

export function spansOf(indexes: readonly number[]): Span[] {
  const spans: { offset: number; length: number }[] = [];
  let next = 0;
  for (const index of indexes) {
    const last = spans.at(-1);
    if (last && index === next) last.length++;
    else spans.push({ offset: index - next, length: 1 });
    next = index + 1;
  }
  return spans;
}

export function equalSpans(a: readonly Span[], b: readonly Span[]): boolean {
  return a.length === b.length && a.every((span, i) => span.offset === b[i]!.offset && span.length === b[i]!.length);
}

/** The indexes of both, in order. */
export function unionIndexes(a: readonly number[], b: readonly number[]): number[] {
  return [...new Set([...a, ...b])].sort((x, y) => x - y);
}

/** Counts of buckets at `from` laid out for the buckets at `to`, of which they are a part. */
export function spread(buckets: Float64Array, from: readonly number[], to: readonly number[]): Float64Array {
  const spreadOut = new Float64Array(to.length);
  let at = 0;
  for (let i = 0; i < from.length; i++) {
    while (to[at] !== from[i]) at++;
    spreadOut[at] = buckets[i]!;
  }
  return spreadOut;
}

/** Whether every bucket of `before` is at most what it is in `after`. */
function hasGrown(
  beforeSpans: readonly Span[],
  before: Float64Array,
  afterSpans: readonly Span[],
  after: Float64Array,
) {
  if (equalSpans(beforeSpans, afterSpans)) return before.every((count, i) => count <= after[i]!);
  const counts = new Map(bucketIndexes(afterSpans).map((index, i) => [index, after[i]!]));
  return bucketIndexes(beforeSpans).every((index, i) => before[i]! <= (counts.get(index) ?? 0));
}

export type ChunkStart = 'same' | 'unknown' | 'reset' | 'notReset' | 'gauge';

/**
 * Whether a histogram continues the chunk that ends with `last` ('same'), or what the header of a chunk that begins with it
 * says.
 */
export function continues(last: Histogram, next: Histogram): ChunkStart {
  const gauge = next.counterReset === 'gauge';
  if ((last.counterReset === 'gauge') !== gauge) return gauge ? 'gauge' : 'unknown';
  if (next.counterReset === 'reset') return 'reset';
  if (next.stale) return 'same';
  const other: ChunkStart = gauge ? 'gauge' : 'unknown';
  if (last.stale) return other;
  if (!gauge && next.count < last.count) return 'reset';
  if (next.schema !== last.schema || next.zeroThreshold !== last.zeroThreshold) return other;
  if (next.schema === CUSTOM_BUCKETS_SCHEMA && !equalValues(next.customValues, last.customValues)) {
    return gauge ? 'gauge' : 'reset';
  }
  if (gauge) return 'same';
  const grown =
    next.zeroCount >= last.zeroCount &&
    hasGrown(last.positiveSpans, last.positiveBuckets, next.positiveSpans, next.positiveBuckets) &&
    hasGrown(last.negativeSpans, last.negativeBuckets, next.negativeSpans, next.negativeBuckets);
  return grown ? 'same' : 'reset';
}

function equalValues(a: Float64Array | undefined, b: Float64Array | undefined): boolean {
  const [x, y] = [a ?? new Float64Array(0), b ?? new Float64Array(0)];
  return x.length === y.length && x.every((value, i) => value === y[i]);
}
