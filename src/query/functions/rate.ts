// rate(), increase() and delta(): the change between the first and the last sample of a window, counter resets added
// back, extrapolated to the window's ends where samples come close enough to them.

import type { Histogram } from '#model/histogram.ts';
import { addHistograms, reduceSchema, scale, subtractHistograms, withHint } from '../histogram/arithmetic.ts';
import { usesCustomBuckets } from '../histogram/buckets.ts';
import { detectReset } from '../histogram/reset.ts';
import { NOTHING, type Window, type WindowResult } from './window.ts';

/** Whether a start timestamp shows that a counter began anew between two samples. */
export function isStartReset(previousStart: number, previousTime: number, start: number, time: number): boolean {
  if (start === 0 || start >= time || start < previousTime) return false;
  if (start > previousTime) return true;
  // Starting exactly at the sample before: a reset for deltas, none where the start before is unknown.
  if (previousStart > previousTime) return false;
  return previousStart !== 0 && previousStart !== previousTime;
}

const overlaps = (previousStart: number, previousTime: number, start: number): boolean =>
  start !== 0 && start < previousTime && start !== previousStart;

export function rate(w: Window, isCounter: boolean, perSecond: boolean): WindowResult {
  const { points, f0, f1, h0, h1 } = w;
  if (h1 > h0 && f1 > f0) {
    w.notes.add('mixed_floats_histograms', w.metric);
    return NOTHING;
  }
  const ofHistograms = h1 > h0;
  const times = ofHistograms ? points.histogramTimes : points.floatTimes;
  const starts = isCounter || ofHistograms ? (ofHistograms ? points.histogramStarts : points.floatStarts) : undefined;
  const from = ofHistograms ? h0 : f0;
  const to = ofHistograms ? h1 : f1;
  const gaps = to - from - 1;
  if (gaps < 0) return NOTHING;
  let change = 0;
  let histogram: Histogram | undefined;
  if (ofHistograms) {
    if (gaps > 0) {
      histogram = histogramChange(w, starts, isCounter);
      if (!histogram) return NOTHING;
    }
  } else change = floatChange(w, starts, isCounter);

  const first = times[from]!;
  const last = times[to - 1]!;
  let toStart = (first - w.start) / 1000;
  let toEnd = (w.end - last) / 1000;
  let sampled = (last - first) / 1000;
  const average = gaps > 0 ? sampled / gaps : 0;
  const threshold = average * 1.1;
  const begun = isCounter && starts ? starts[from]! : 0;
  if (begun !== 0 && begun > w.start && begun < first) {
    // The counter began inside the window: it was zero then, so there is nothing to extrapolate on that side.
    toStart = 0;
    sampled = (last - begun) / 1000;
    if (!ofHistograms) change += points.floats[from]!;
    else if (!histogram) histogram = points.histograms[from]!;
    else {
      const sum = addHistograms(histogram, points.histograms[from]!);
      if (!sum) {
        w.notes.add('mixed_exponential_custom', w.metric);
        return NOTHING;
      }
      if (sum.reconciled) w.notes.add('mismatched_custom_buckets/addition', '');
      histogram = sum.value;
    }
  } else if (gaps === 0) return NOTHING;
  else {
    if (toStart >= threshold) toStart = average / 2;
    if (isCounter) toStart = Math.min(toStart, untilZero(w, change, histogram, sampled, toStart));
  }
  if (toEnd >= threshold) toEnd = average / 2;
  let factor = sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled;
  if (perSecond) factor /= w.length / 1000;
  if (!histogram) return change * factor;
  w.histogram = scale(histogram, factor);
  return NOTHING;
}

/** How far back the counter would have been zero, if it grew at its average pace. */
function untilZero(w: Window, change: number, histogram: Histogram | undefined, sampled: number, none: number): number {
  if (change > 0 && w.f1 > w.f0) {
    const first = w.points.floats[w.f0]!;
    return first >= 0 ? sampled * (first / change) : none;
  }
  if (histogram && histogram.count > 0) {
    const first = w.points.histograms[w.h0]!;
    return first.count >= 0 ? sampled * (first.count / histogram.count) : none;
  }
  return none;
}

function floatChange(w: Window, starts: Float64Array | undefined, isCounter: boolean): number {
  const { points, f0, f1 } = w;
  const { floats, floatTimes } = points;
  let change = floats[f1 - 1]! - floats[f0]!;
  if (!isCounter) return change;
  let overlap = false;
  for (let i = f0 + 1; i < f1; i++) {
    const previous = floats[i - 1]!;
    if (starts && !overlap && overlaps(starts[i - 1]!, floatTimes[i - 1]!, starts[i]!)) {
      w.notes.add('start_overlap', w.metric);
      overlap = true;
    }
    const reset = starts !== undefined && isStartReset(starts[i - 1]!, floatTimes[i - 1]!, starts[i]!, floatTimes[i]!);
    if (floats[i]! < previous || reset) change += previous;
  }
  return change;
}

function histogramChange(w: Window, starts: Float64Array | undefined, isCounter: boolean): Histogram | undefined {
  const { points, h0, h1, notes } = w;
  const { histograms, histogramTimes: times } = points;
  const mixed = (): undefined => {
    notes.add('mixed_exponential_custom', w.metric);
    return undefined;
  };
  const startReset = (i: number) =>
    starts !== undefined && isStartReset(starts[i - 1]!, times[i - 1]!, starts[i]!, times[i]!);
  const last = histograms[h1 - 1]!;
  let first: Histogram = histograms[h0]!;
  if (isCounter) {
    if (first.counterReset === 'gauge' || last.counterReset === 'gauge') notes.add('not_counter', w.metric);
    // A first sample that the second one resets counts for nothing, its layout included.
    const second = histograms[h0 + 1]!;
    if (startReset(h0 + 1) || detectReset(second, first)) first = emptyWithLayoutOf(second);
  }
  const custom = usesCustomBuckets(first);
  if (usesCustomBuckets(last) !== custom) return mixed();
  let schema = Math.min(last.schema, first.schema);
  for (let i = h0 + 1; isCounter && i < h1 - 1; i++) {
    const h = histograms[i]!;
    if (h.counterReset === 'gauge') notes.add('not_counter', w.metric);
    schema = Math.min(schema, h.schema);
    if (usesCustomBuckets(h) !== custom) return mixed();
  }
  const difference = subtractHistograms(reduceSchema(last, schema), first);
  if (!difference) return mixed();
  let result = difference.value;
  if (difference.reconciled) notes.add('mismatched_custom_buckets/subtraction', '');
  if (isCounter) {
    let overlap = false;
    let previous = first;
    for (let i = h0 + 1; i < h1; i++) {
      const h = histograms[i]!;
      if (starts && !overlap && overlaps(starts[i - 1]!, times[i - 1]!, starts[i]!)) {
        notes.add('start_overlap', w.metric);
        overlap = true;
      }
      if (startReset(i) || detectReset(h, previous)) {
        const sum = addHistograms(result, previous);
        if (!sum) return mixed();
        if (sum.reconciled) notes.add('mismatched_custom_buckets/addition', '');
        result = sum.value;
      }
      previous = h;
    }
  } else if (histograms[h0]!.counterReset !== 'gauge' || last.counterReset !== 'gauge') {
    notes.add('not_gauge', w.metric);
  }
  return withHint(result, 'gauge');
}

function emptyWithLayoutOf(h: Histogram): Histogram {
  const none = new Float64Array(0);
  return {
    integer: false,
    schema: h.schema,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: none,
    negativeBuckets: none,
    counterReset: 'unknown',
    ...(h.customValues ? { customValues: h.customValues } : {}),
  };
}
