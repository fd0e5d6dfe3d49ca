// Values, times, label sets and histograms as texts of Prometheus' JSON. Numbers read as Go prints them.

import type { Histogram } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import { allBuckets, usesCustomBuckets } from '#query/histogram/buckets.ts';

/** A value in quotes: exponents below 1e-6 and from 1e21 on, of two digits at least. */
export function jsonValue(value: number): string {
  if (Number.isInteger(value) && value < 1e15 && value > -1e15) return Object.is(value, -0) ? '"-0"' : `"${value}"`;
  if (Number.isNaN(value)) return '"NaN"';
  if (value === Infinity) return '"+Inf"';
  if (value === -Infinity) return '"-Inf"';
  const text = String(value);
  return text.includes('e') ? `"${text.replace(/e([+-])(\d)$/, 'e$10$2')}"` : `"${text}"`;
}

/** Seconds with up to three decimals; none if there is nothing behind the point. */
export function jsonTime(ms: number): string {
  if (ms < 0) return `-${jsonTime(-ms)}`;
  const rest = ms % 1000;
  const seconds = (ms - rest) / 1000;
  return rest === 0 ? String(seconds) : `${seconds}.${String(Math.trunc(rest)).padStart(3, '0')}`;
}

const ODD = /["\\\u0000-\u001f\ud800-\udfff]/;

/** A text in quotes; most need nothing but them. */
const jsonText = (text: string): string => (ODD.test(text) ? JSON.stringify(text) : `"${text}"`);

export function jsonLabels(labels: Labels): string {
  let text = '{';
  for (let i = 0; i < labels.length; i += 2) {
    text += `${i > 0 ? ',' : ''}${jsonText(labels[i]!)}:${jsonText(labels[i + 1]!)}`;
  }
  return `${text}}`;
}

/** Buckets say which of their bounds belong to them: 0 upper, 1 lower, 2 neither, 3 both. */
export function jsonHistogram(h: Histogram): string {
  const custom = usesCustomBuckets(h);
  const buckets = allBuckets(h)
    .filter((bucket) => bucket.count !== 0)
    .map(({ lower, upper, count, index }) => {
      const lowerIn = custom ? index === 0 : lower < 0;
      const upperIn = custom || upper > 0;
      const bounds = lowerIn ? (upperIn ? 3 : 1) : upperIn ? 0 : 2;
      return `[${bounds},${jsonValue(lower)},${jsonValue(upper)},${jsonValue(count)}]`;
    });
  const shown = buckets.length > 0 ? `,"buckets":[${buckets.join(',')}]` : '';
  return `{"count":${jsonValue(h.count)},"sum":${jsonValue(h.sum)}${shown}}`;
}
