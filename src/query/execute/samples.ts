// A range selector as the whole query: samples within the times asked for, without stale markers; extended selectors get
// values at both ends of the window.

import type { Histogram } from '#model/histogram.ts';
import type { RawSeries, TimeRange } from '#model/query.ts';
import { isStale } from '#model/value.ts';
import { bounds, edgeValues } from '../functions/extended.ts';
import { executionError } from './errors.ts';

export function trimSamples(
  series: readonly RawSeries[],
  times: TimeRange,
  mode: 'anchored' | 'smoothed' | undefined,
): readonly RawSeries[] {
  const trimmed: RawSeries[] = [];
  for (const one of series) {
    const clean = withoutStale(one);
    const result = mode ? extended(clean, times, mode) : within(clean, times);
    if (result.timestamps.length > 0) trimmed.push(result);
  }
  return trimmed;
}

function withoutStale({ labels, timestamps, values, histograms }: RawSeries): RawSeries {
  const kept: number[] = [];
  for (let i = 0; i < timestamps.length; i++) {
    const histogram = histograms?.get(i);
    if (histogram ? !histogram.stale : !isStale(values, i)) kept.push(i);
  }
  return pick({ labels, timestamps, values, ...(histograms ? { histograms } : {}) }, kept);
}

function pick({ labels, timestamps, values, histograms }: RawSeries, kept: readonly number[]): RawSeries {
  const picked = new Map<number, Histogram>();
  kept.forEach((from, to) => {
    const histogram = histograms?.get(from);
    if (histogram) picked.set(to, histogram);
  });
  return {
    labels,
    timestamps: Float64Array.from(kept, (i) => timestamps[i]!),
    values: Float64Array.from(kept, (i) => values[i]!),
    ...(picked.size > 0 ? { histograms: picked } : {}),
  };
}

function within(series: RawSeries, { min, max }: TimeRange): RawSeries {
  const kept: number[] = [];
  series.timestamps.forEach((time, i) => {
    if (time >= min && time <= max) kept.push(i);
  });
  return pick(series, kept);
}

function extended(series: RawSeries, { min, max }: TimeRange, mode: 'anchored' | 'smoothed'): RawSeries {
  const { labels, timestamps, values, histograms } = series;
  if (histograms) throw executionError(`${mode} modifier is not supported with histograms`);
  const smoothed = mode === 'smoothed';
  const window = { start: min - 1, end: max };
  const none = { labels, timestamps: new Float64Array(0), values: new Float64Array(0) };
  if (timestamps.length === 0) return none;
  const range = bounds(timestamps, 0, timestamps.length, window, smoothed);
  if (!range) return none;
  const { left, right } = edgeValues(timestamps, values, range, 0, window, smoothed, false);
  const first = timestamps[range.first]! <= window.start ? range.first + 1 : range.first;
  const last = timestamps[range.last]! >= window.end ? range.last - 1 : range.last;
  return {
    labels,
    timestamps: Float64Array.of(window.start, ...timestamps.subarray(first, last + 1), window.end),
    values: Float64Array.of(left, ...values.subarray(first, last + 1), right),
  };
}
