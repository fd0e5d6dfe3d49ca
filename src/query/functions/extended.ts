// Range selectors that look beyond their window: `anchored` starts from the last sample before it, `smoothed` interpolates
// at both ends. Used by rate, increase and delta, and for smoothed instant selectors.

import type { Histogram } from '#model/histogram.ts';
import type { Notes } from '../execute/annotations.ts';
import { addHistograms, divide, scale, subtractHistograms, withHint } from '../histogram/arithmetic.ts';
import { usesCustomBuckets } from '../histogram/buckets.ts';
import { detectReset } from '../histogram/reset.ts';
import { NOTHING, type Window, type WindowResult } from './window.ts';

export function extendedRate(w: Window, isCounter: boolean, perSecond: boolean): WindowResult {
  if (w.f1 > w.f0 && w.h1 > w.h0) {
    w.notes.add('mixed_floats_histograms', w.metric);
    return NOTHING;
  }
  if (w.h1 > w.h0) return histogramRate(w, isCounter, perSecond);
  return w.f1 > w.f0 ? floatRate(w, isCounter, perSecond) : NOTHING;
}

/** First and last sample that matter for (start, end], or undefined if nothing lies behind the start. */
export function bounds(
  times: Float64Array,
  from: number,
  to: number,
  w: { start: number; end: number },
  smoothed: boolean,
) {
  let last = to - 1;
  let first = from;
  while (first < last && times[first]! <= w.start) first++;
  first = Math.max(from, first - 1);
  if (smoothed) {
    let at = from;
    while (at < last && times[at]! < w.end) at++;
    last = at;
  }
  if (times[last]! <= w.start || (smoothed && times[first]! > w.end)) return undefined;
  return { first, last };
}

export function interpolate(t1: number, v1: number, t2: number, v2: number, time: number, isCounter: boolean): number {
  const from = isCounter && v2 < v1 ? 0 : v1;
  return from + ((v2 - from) * (time - t1)) / (t2 - t1);
}

/** The values at both ends of the window. */
export function edgeValues(
  times: Float64Array,
  values: Float64Array,
  { first, last }: { first: number; last: number },
  from: number,
  w: { start: number; end: number },
  smoothed: boolean,
  isCounter: boolean,
): { left: number; right: number } {
  const between = (i: number, time: number) =>
    interpolate(times[i]!, values[i]!, times[i + 1]!, values[i + 1]!, time, isCounter);
  const left = smoothed && times[first]! < w.start ? between(first, w.start) : values[first]!;
  const right = smoothed && last > from && times[last]! > w.end ? between(last - 1, w.end) : values[last]!;
  return { left, right };
}

function floatRate(w: Window, isCounter: boolean, perSecond: boolean): WindowResult {
  const { floatTimes: times, floats } = w.points;
  const smoothed = w.extend === 'smoothed';
  const range = bounds(times, w.f0, w.f1, w, smoothed);
  if (!range) return NOTHING;
  const { left, right } = edgeValues(times, floats, range, w.f0, w, smoothed, isCounter);
  let result = right - left;
  if (isCounter) {
    const first = times[range.first]! <= w.start ? range.first + 1 : range.first;
    const last = times[range.last]! >= w.end ? range.last - 1 : range.last;
    let previous = left;
    for (let i = first; i <= last; i++) {
      if (floats[i]! < previous) result += previous;
      previous = floats[i]!;
    }
    if (right < previous) result += previous;
  }
  return perSecond ? result / (w.length / 1000) : result;
}

/** Undefined when the two cannot be combined. */
export function interpolateHistograms(
  h1: Histogram,
  t1: number,
  h2: Histogram,
  t2: number,
  time: number,
  isCounter: boolean,
  notes: Notes,
): Histogram | undefined {
  if (time === t1) return h1;
  if (time === t2) return h2;
  const fraction = (time - t1) / (t2 - t1);
  if (isCounter && detectReset(h2, h1)) return scale(h2, fraction);
  const difference = subtractHistograms(h2, h1);
  if (!difference) return undefined;
  if (difference.reconciled) notes.add('mismatched_custom_buckets/subtraction', '');
  const sum = addHistograms(scale(difference.value, fraction), h1);
  if (!sum) return undefined;
  if (sum.reconciled) notes.add('mismatched_custom_buckets/addition', '');
  return sum.value;
}

function histogramRate(w: Window, isCounter: boolean, perSecond: boolean): WindowResult {
  const { histogramTimes: times, histograms } = w.points;
  const { notes, metric } = w;
  const smoothed = w.extend === 'smoothed';
  const range = bounds(times, w.h0, w.h1, w, smoothed);
  if (!range) return NOTHING;
  const { first, last } = range;
  const fail = (): typeof NOTHING => {
    notes.add('mixed_exponential_custom', metric);
    return NOTHING;
  };
  const custom = usesCustomBuckets(histograms[first]!);
  for (let i = first; i <= last; i++) {
    if (usesCustomBuckets(histograms[i]!) !== custom) return fail();
    if (isCounter && histograms[i]!.counterReset === 'gauge') notes.add('not_counter', metric);
  }
  const between = (i: number, time: number) =>
    interpolateHistograms(histograms[i]!, times[i]!, histograms[i + 1]!, times[i + 1]!, time, isCounter, notes);
  const left = smoothed && times[first]! < w.start ? between(first, w.start) : histograms[first]!;
  const right = smoothed && last > w.h0 && times[last]! > w.end ? between(last - 1, w.end) : histograms[last]!;
  if (!left || !right) return fail();
  if (!isCounter && (left.counterReset !== 'gauge' || right.counterReset !== 'gauge')) notes.add('not_gauge', metric);
  const difference = subtractHistograms(right, left);
  if (!difference) return fail();
  if (difference.reconciled) notes.add('mismatched_custom_buckets/subtraction', '');
  let result = difference.value;
  for (const lost of isCounter ? lostToResets(w, range, left, right) : []) {
    const sum = addHistograms(result, lost);
    if (!sum) return fail();
    if (sum.reconciled) notes.add('mismatched_custom_buckets/addition', '');
    result = sum.value;
  }
  if (perSecond) result = divide(result, w.length / 1000);
  w.histogram = withHint(result, 'gauge');
  return NOTHING;
}

/** What the counter held before each of its resets between the window's ends. */
function lostToResets(
  w: Window,
  range: { first: number; last: number },
  left: Histogram,
  right: Histogram,
): Histogram[] {
  const { histogramTimes: times, histograms } = w.points;
  let first = range.first + 1;
  let previous = left;
  const interpolated = w.extend === 'smoothed' && times[range.first]! < w.start;
  if (interpolated && detectReset(histograms[range.first + 1]!, histograms[range.first]!)) {
    // The interpolation at the left end has already taken this reset into account.
    previous = histograms[range.first + 1]!;
    first++;
  }
  if (first > range.last) return [];
  const lost: Histogram[] = [];
  for (let i = first; i < range.last; i++) {
    if (detectReset(histograms[i]!, previous)) lost.push(previous);
    previous = histograms[i]!;
  }
  if (detectReset(right, previous)) lost.push(previous);
  return lost;
}
