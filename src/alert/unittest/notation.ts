// What unit tests expect, in the notation of series: metrics and native histograms, read and written.

import type { CounterReset, Histogram, Span } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import { compact } from '#query/histogram/arithmetic.ts';
import { parseMetric as parseSeriesMetric, parseValues } from '#query/script/series-notation.ts';
import { formatFloat } from '../template/float.ts';

/** `metric{a="b"}`; `{}` is a series without labels. */
export const parseMetric = (text: string): Labels => (/^\s*\{\s*\}\s*$/.test(text) ? [] : parseSeriesMetric(text));

/** One histogram in double braces. */
export function parseHistogram(text: string): Histogram {
  const values = parseValues(text);
  const [only] = values;
  if (values.length !== 1 || only?.kind !== 'histogram') throw new Error(`expected one histogram, got ${text}`);
  return only.value;
}

const short = (value: number): string => formatFloat(value, 'g', -1);
const HINTS: Readonly<Record<CounterReset, string>> = {
  unknown: '',
  reset: 'reset',
  notReset: 'not_reset',
  gauge: 'gauge',
};

export function formatHistogram(input: Histogram): string {
  const h = compact(input);
  const parts: string[] = [];
  const add = (name: string, value: number) => {
    if (value !== 0) parts.push(`${name}:${short(value)}`);
  };
  add('schema', h.schema);
  add('count', h.count);
  add('sum', h.sum);
  add('z_bucket', h.zeroCount);
  add('z_bucket_w', h.zeroThreshold);
  if (h.customValues) parts.push(`custom_values:[${[...h.customValues].map(short).join(' ')}]`);
  if (HINTS[h.counterReset] !== '') parts.push(`counter_reset_hint:${HINTS[h.counterReset]}`);
  const side = (name: string, offsetName: string, spans: readonly Span[], buckets: Float64Array) => {
    const { offset, counts } = dense(spans, buckets);
    add(offsetName, offset);
    if (counts.length > 0) parts.push(`${name}:[${counts.map(short).join(' ')}]`);
  };
  side('buckets', 'offset', h.positiveSpans, h.positiveBuckets);
  side('n_buckets', 'n_offset', h.negativeSpans, h.negativeBuckets);
  return `{{${parts.join(' ')}}}`;
}

/** Spans as one, gaps filled with empty buckets. */
function dense(spans: readonly Span[], buckets: Float64Array): { offset: number; counts: number[] } {
  const counts: number[] = [];
  let next = 0;
  spans.forEach((span, i) => {
    if (i > 0) for (let gap = 0; gap < span.offset; gap++) counts.push(0);
    for (let k = 0; k < span.length; k++) counts.push(buckets[next++]!);
  });
  return { offset: spans[0]?.offset ?? 0, counts };
}
