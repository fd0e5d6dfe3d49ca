// Native histograms that are finer than the store keeps (schemas 9 to 52 are reserved for that) are made coarser: each
// step down halves the number of buckets per power of two by adding neighbours.

import { type Histogram, MAX_SCHEMA, type Span } from '#model/histogram.ts';

const MAX_RESERVED_SCHEMA = 52;

export function reduceToStored(histogram: Histogram): Histogram {
  return histogram.schema > MAX_SCHEMA && histogram.schema <= MAX_RESERVED_SCHEMA
    ? reduceResolution(histogram, MAX_SCHEMA)
    : histogram;
}

export function reduceResolution(histogram: Histogram, schema: number): Histogram {
  const steps = histogram.schema - schema;
  const positive = merge(histogram.positiveSpans, histogram.positiveBuckets, steps);
  const negative = merge(histogram.negativeSpans, histogram.negativeBuckets, steps);
  return {
    ...histogram,
    schema,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
  };
}

function merge(spans: readonly Span[], buckets: Float64Array, steps: number): { spans: Span[]; buckets: Float64Array } {
  const counts = new Map<number, number>();
  let index = 0;
  let at = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++, index++, at++) {
      // Bucket i covers (base^(i-1), base^i]: the upper bound decides, hence the shift by one.
      const coarse = Math.ceil(index / 2 ** steps);
      counts.set(coarse, (counts.get(coarse) ?? 0) + (buckets[at] ?? 0));
    }
  }
  return spansOf([...counts].sort((a, b) => a[0] - b[0]));
}

/** Spans and counts from (index, count) pairs in the order of their indexes. */
export function spansOf(buckets: readonly (readonly [number, number])[]): { spans: Span[]; buckets: Float64Array } {
  const spans: { offset: number; length: number }[] = [];
  let next = 0;
  for (const [index] of buckets) {
    const last = spans.at(-1);
    if (last && index === next) last.length++;
    else spans.push({ offset: index - next, length: 1 });
    next = index + 1;
  }
  return { spans, buckets: Float64Array.from(buckets, ([, count]) => count) };
}
