// Whether a native histogram is one: Prometheus' rules for spans, buckets and counts.

import { CUSTOM_BUCKETS_SCHEMA, type Histogram, MAX_SCHEMA, MIN_SCHEMA, type Span } from '#model/histogram.ts';

/** Schemas above the highest that is used are reserved and can be reduced by who decodes them. */
const MAX_RESERVED_SCHEMA = 52;

/** What is wrong with a histogram, if anything. */
export function histogramProblem(h: Histogram): string | undefined {
  if (h.stale) return undefined;
  const custom = h.schema === CUSTOM_BUCKETS_SCHEMA;
  if (!custom && (h.schema < MIN_SCHEMA - 5 || h.schema > MAX_RESERVED_SCHEMA || !Number.isInteger(h.schema))) {
    return `unknown schema ${h.schema}, valid ones are ${MIN_SCHEMA} to ${MAX_SCHEMA} and ${CUSTOM_BUCKETS_SCHEMA}`;
  }
  const problem =
    (custom ? customProblem(h) : h.customValues?.length ? 'custom bounds with an exponential schema' : undefined) ??
    spansProblem('positive', h.positiveSpans, h.positiveBuckets) ??
    spansProblem('negative', h.negativeSpans, h.negativeBuckets);
  if (problem) return problem;
  if (!(h.zeroCount >= 0)) return `zero bucket has observation count of ${h.zeroCount}`;
  if (!(h.count >= 0)) return `observation count is ${h.count}`;
  if (!h.integer) return undefined;
  let total = h.zeroCount;
  for (const count of h.positiveBuckets) total += count;
  for (const count of h.negativeBuckets) total += count;
  // Observations of NaN are in no bucket.
  if (Number.isNaN(h.sum) ? total > h.count : total !== h.count) {
    return `${total} observations found in buckets, but the Count field is ${h.count}`;
  }
  return undefined;
}

function customProblem(h: Histogram): string | undefined {
  if (h.negativeSpans.length > 0 || h.negativeBuckets.length > 0) return 'custom buckets: must not have negative spans';
  if (h.zeroCount !== 0) return 'custom buckets: must have zero count of 0';
  if (h.zeroThreshold !== 0) return 'custom buckets: must have zero threshold of 0';
  const bounds = h.customValues ?? new Float64Array(0);
  for (let i = 0; i < bounds.length; i++) {
    if (!Number.isFinite(bounds[i])) return `custom buckets: bound ${bounds[i]} is not finite`;
    if (i > 0 && bounds[i]! <= bounds[i - 1]!) return 'custom buckets: bounds must be strictly increasing';
  }
  let last = -1;
  for (const { offset, length } of h.positiveSpans) last += offset + length;
  return last > bounds.length ? `custom buckets: only ${bounds.length} bounds for bucket ${last}` : undefined;
}

function spansProblem(side: string, spans: readonly Span[], buckets: Float64Array): string | undefined {
  let total = 0;
  for (const [i, { offset, length }] of spans.entries()) {
    if (!Number.isInteger(offset) || !Number.isInteger(length) || length < 0) return `${side} span ${i + 1} is invalid`;
    if (i > 0 && offset < 0) return `${side} side: span number ${i + 1} with offset ${offset}: negative offset`;
    total += length;
    if (total > 1_000_000) return `${side} side: too many buckets`;
  }
  if (total !== buckets.length) return `${side} side: spans need ${total} buckets, have ${buckets.length} buckets`;
  for (let i = 0; i < buckets.length; i++) {
    if (!(buckets[i]! >= 0)) return `${side} side: bucket number ${i + 1} has observation count of ${buckets[i]}`;
  }
  return undefined;
}
