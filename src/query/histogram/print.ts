// Native histograms as text: as count_values labels them and errors show them.

import type { Histogram } from '#model/histogram.ts';
import { negativeBuckets, positiveBuckets, usesCustomBuckets } from './buckets.ts';

/** Go's %g of a double: the shortest digits, with an exponent below 1e-4 and from 1e6 on. */
export function formatG(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e6)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  return String(value);
}

export function printHistogram(h: Histogram): string {
  const custom = usesCustomBuckets(h);
  const parts = [`count:${formatG(h.count)}`, `sum:${formatG(h.sum)}`];
  const negative = [...negativeBuckets(h)].filter((bucket) => bucket.count !== 0).reverse();
  for (const { lower, upper, count } of negative) parts.push(`[${formatG(lower)},${formatG(upper)}):${formatG(count)}`);
  if (h.zeroCount !== 0) {
    parts.push(`[${formatG(-h.zeroThreshold)},${formatG(h.zeroThreshold)}]:${formatG(h.zeroCount)}`);
  }
  for (const { lower, upper, count, index } of positiveBuckets(h)) {
    if (count === 0) continue;
    const open = custom && index === 0 ? '[' : '(';
    parts.push(`${open}${formatG(lower)},${formatG(upper)}]:${formatG(count)}`);
  }
  return `{${parts.join(', ')}}`;
}
