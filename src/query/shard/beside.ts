// Two views of one series as one: what the store has and what came from elsewhere, in time order.

import type { Histogram } from '#model/histogram.ts';
import type { RawSeries } from '#model/query.ts';

/** Of equal times the first series' sample counts. */
export function mergeSeries(first: RawSeries, second: RawSeries): RawSeries {
  const [a, b] = [first.timestamps, second.timestamps];
  if (b.length === 0) return first;
  const timestamps = new Float64Array(a.length + b.length);
  const values = new Float64Array(timestamps.length);
  const starts = new Float64Array(timestamps.length);
  const histograms = new Map<number, Histogram>();
  let count = 0;
  const take = (from: RawSeries, at: number): void => {
    timestamps[count] = from.timestamps[at]!;
    // Copied as a block of bytes: a stale marker must keep its bits.
    values.set(from.values.subarray(at, at + 1), count);
    starts[count] = from.starts?.[at] ?? 0;
    const histogram = from.histograms?.get(at);
    if (histogram) histograms.set(count, histogram);
    count++;
  };
  for (let i = 0, k = 0; i < a.length || k < b.length; ) {
    if (k === b.length || (i < a.length && a[i]! <= b[k]!)) {
      if (k < b.length && a[i] === b[k]) k++;
      take(first, i++);
    } else take(second, k++);
  }
  return {
    labels: first.labels,
    timestamps: timestamps.subarray(0, count),
    values: values.subarray(0, count),
    ...(first.starts || second.starts ? { starts: starts.subarray(0, count) } : {}),
    ...(histograms.size > 0 ? { histograms } : {}),
  };
}
