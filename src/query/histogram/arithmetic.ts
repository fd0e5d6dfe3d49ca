// Arithmetic on native histograms as values: nothing here changes its arguments, and every result is compact. Operands
// of different resolution or zero threshold are brought to a common layout first; exponential and custom buckets do not
// mix (`undefined`).

import type { CounterReset, Histogram } from '#model/histogram.ts';
import { coarsen, exponentialBound, roll, type Side, unroll, usesCustomBuckets } from './buckets.ts';

export type Combined = {
  readonly value: Histogram;
  /** One side says "counter reset", the other "no counter reset". */
  readonly collision: boolean;
  /** Custom bounds differed and were reduced to the common ones. */
  readonly reconciled: boolean;
};

export function scale(h: Histogram, factor: number): Histogram {
  return scaled(h, (value) => value * factor, factor < 0);
}

export function divide(h: Histogram, divisor: number): Histogram {
  const result = scaled(h, (value) => value / divisor, divisor < 0);
  if (divisor !== 0) return result;
  const none = new Float64Array(0);
  return { ...result, positiveSpans: [], negativeSpans: [], positiveBuckets: none, negativeBuckets: none };
}

function scaled(h: Histogram, by: (value: number) => number, negative: boolean): Histogram {
  return {
    ...h,
    integer: false,
    zeroCount: by(h.zeroCount),
    count: by(h.count),
    sum: by(h.sum),
    positiveBuckets: h.positiveBuckets.map(by),
    negativeBuckets: h.negativeBuckets.map(by),
    counterReset: negative ? 'gauge' : h.counterReset,
  };
}

export const withHint = (h: Histogram, counterReset: CounterReset): Histogram =>
  h.counterReset === counterReset ? h : { ...h, counterReset };

export function compact(h: Histogram): Histogram {
  const positive = roll(unroll(h.positiveSpans, h.positiveBuckets));
  const negative = roll(unroll(h.negativeSpans, h.negativeBuckets));
  return {
    ...h,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
  };
}

export const addHistograms = (a: Histogram, b: Histogram): Combined | undefined => combine(a, b, 1);
export const subtractHistograms = (a: Histogram, b: Histogram): Combined | undefined => combine(a, b, -1);

function combine(a: Histogram, b: Histogram, sign: 1 | -1): Combined | undefined {
  if (usesCustomBuckets(a) !== usesCustomBuckets(b)) return undefined;
  const { hint, collision } = combineHints(a.counterReset, b.counterReset);
  const layout = commonLayout(a, b);
  const positive = roll(mergeSides(layout.a.positive, layout.b.positive, sign));
  const negative = roll(mergeSides(layout.a.negative, layout.b.negative, sign));
  const value: Histogram = {
    integer: false,
    schema: layout.schema,
    zeroThreshold: layout.zeroThreshold,
    zeroCount: layout.a.zeroCount + sign * layout.b.zeroCount,
    count: a.count + sign * b.count,
    sum: a.sum + sign * b.sum,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
    counterReset: hint,
    ...(layout.customValues ? { customValues: layout.customValues } : {}),
  };
  return { value, collision, reconciled: layout.reconciled };
}

export function combineHints(a: CounterReset, b: CounterReset): { hint: CounterReset; collision: boolean } {
  if (a === b || a === 'gauge') return { hint: a, collision: false };
  if (b === 'gauge') return { hint: 'gauge', collision: false };
  return { hint: 'unknown', collision: a !== 'unknown' && b !== 'unknown' };
}

export type Parts = { readonly zeroCount: number; readonly positive: Side; readonly negative: Side };
export type Layout = {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly customValues: Float64Array | undefined;
  readonly reconciled: boolean;
  readonly a: Parts;
  readonly b: Parts;
};

/** Both histograms in the finest layout that both can be brought to. */
export function commonLayout(a: Histogram, b: Histogram): Layout {
  if (usesCustomBuckets(a)) return customLayout(a, b);
  const zeroThreshold = commonZeroThreshold(a, b);
  const schema = Math.min(a.schema, b.schema);
  const parts = (h: Histogram): Parts => {
    const widened = widenZero(h, zeroThreshold);
    return {
      zeroCount: widened.zeroCount,
      positive: coarsen(widened.positive, h.schema, schema),
      negative: coarsen(widened.negative, h.schema, schema),
    };
  };
  return { schema, zeroThreshold, customValues: undefined, reconciled: false, a: parts(a), b: parts(b) };
}

function customLayout(a: Histogram, b: Histogram): Layout {
  const same = equalBounds(a.customValues, b.customValues);
  const bounds = same ? a.customValues : commonBounds(a.customValues, b.customValues);
  const parts = (h: Histogram): Parts => {
    const positive = unroll(h.positiveSpans, h.positiveBuckets);
    const negative = unroll(h.negativeSpans, h.negativeBuckets);
    return {
      zeroCount: h.zeroCount,
      positive: same ? positive : mapToBounds(positive, h.customValues, bounds!),
      negative,
    };
  };
  return {
    schema: a.schema,
    zeroThreshold: a.zeroThreshold,
    customValues: bounds,
    reconciled: !same,
    a: parts(a),
    b: parts(b),
  };
}

export function equalBounds(a: Float64Array | undefined, b: Float64Array | undefined): boolean {
  const length = a?.length ?? 0;
  if (length !== (b?.length ?? 0)) return false;
  for (let i = 0; i < length; i++) if (a![i] !== b![i]) return false;
  return true;
}

function commonBounds(a: Float64Array | undefined, b: Float64Array | undefined): Float64Array {
  const known = new Set(b);
  return (a ?? new Float64Array(0)).filter((bound) => known.has(bound));
}

/** Moves buckets to the smallest of the given bounds that holds them. */
function mapToBounds(side: Side, from: Float64Array | undefined, to: Float64Array): Side {
  const count = new Float64Array(to.length + 1);
  let target = 0;
  for (let i = 0; i < side.index.length; i++) {
    const index = side.index[i]!;
    if (from && index < from.length) while (target < to.length && to[target]! < from[index]!) target++;
    else target = to.length;
    count[target]! += side.count[i]!;
  }
  return { index: Int32Array.from(count, (_, i) => i), count };
}

/** The smallest threshold from both upwards that lies in no populated bucket of either. */
function commonZeroThreshold(a: Histogram, b: Histogram): number {
  let threshold = Math.max(a.zeroThreshold, b.zeroThreshold);
  for (;;) {
    const raised = Math.max(raiseThreshold(a, threshold), raiseThreshold(b, threshold));
    if (raised === threshold) return threshold;
    threshold = raised;
  }
}

/** `threshold`, or the outer bound of the populated bucket that it falls into. */
export function raiseThreshold(h: Histogram, threshold: number): number {
  if (threshold === h.zeroThreshold) return threshold;
  let raised = threshold;
  for (const side of [unroll(h.positiveSpans, h.positiveBuckets), unroll(h.negativeSpans, h.negativeBuckets)]) {
    for (let i = 0; i < side.index.length; i++) {
      const index = side.index[i]!;
      if (exponentialBound(index - 1, h.schema) >= raised) break;
      const upper = exponentialBound(index, h.schema);
      if (upper > raised && side.count[i] !== 0) raised = upper;
    }
  }
  return raised;
}

/** The histogram with everything up to `threshold` in its zero bucket. */
export function widenZero(h: Histogram, threshold: number): Parts {
  const positive = unroll(h.positiveSpans, h.positiveBuckets);
  const negative = unroll(h.negativeSpans, h.negativeBuckets);
  let zeroCount = h.zeroCount;
  const outside = (side: Side): Side => {
    let first = 0;
    while (first < side.index.length && exponentialBound(side.index[first]!, h.schema) <= threshold) {
      if (threshold !== h.zeroThreshold) zeroCount += side.count[first]!;
      first++;
    }
    return first === 0 ? side : { index: side.index.subarray(first), count: side.count.subarray(first) };
  };
  if (threshold === h.zeroThreshold) return { zeroCount, positive, negative };
  return { positive: outside(positive), negative: outside(negative), zeroCount };
}

/** Both sides added up (or the second subtracted) bucket by bucket. */
export function mergeSides(a: Side, b: Side, sign: 1 | -1): Side {
  const index = new Int32Array(a.index.length + b.index.length);
  const count = new Float64Array(index.length);
  let i = 0;
  let k = 0;
  let filled = 0;
  while (i < a.index.length || k < b.index.length) {
    const left = i < a.index.length ? a.index[i]! : Infinity;
    const right = k < b.index.length ? b.index[k]! : Infinity;
    index[filled] = Math.min(left, right);
    let total = 0;
    if (left <= right) total = a.count[i++]!;
    if (right <= left) total += sign * b.count[k++]!;
    count[filled++] = total;
  }
  return { index: index.subarray(0, filled), count: count.subarray(0, filled) };
}

/** The same histogram at a lower resolution. */
export function reduceSchema(h: Histogram, schema: number): Histogram {
  if (schema === h.schema) return h;
  const positive = roll(coarsen(unroll(h.positiveSpans, h.positiveBuckets), h.schema, schema));
  const negative = roll(coarsen(unroll(h.negativeSpans, h.negativeBuckets), h.schema, schema));
  return {
    ...h,
    schema,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
    counterReset: 'unknown',
  };
}

/** Equality of data: bit patterns of numbers, whatever the hint. Both must be compact. */
export function equalHistograms(a: Histogram, b: Histogram): boolean {
  const ca = compact(a);
  const cb = compact(b);
  return (
    ca.schema === cb.schema &&
    Object.is(ca.count, cb.count) &&
    Object.is(ca.sum, cb.sum) &&
    ca.zeroThreshold === cb.zeroThreshold &&
    Object.is(ca.zeroCount, cb.zeroCount) &&
    equalBounds(ca.customValues, cb.customValues) &&
    equalSpans(ca.positiveSpans, cb.positiveSpans) &&
    equalSpans(ca.negativeSpans, cb.negativeSpans) &&
    equalBounds(ca.positiveBuckets, cb.positiveBuckets) &&
    equalBounds(ca.negativeBuckets, cb.negativeBuckets)
  );
}

function equalSpans(a: Histogram['positiveSpans'], b: Histogram['positiveSpans']): boolean {
  return a.length === b.length && a.every((span, i) => span.offset === b[i]!.offset && span.length === b[i]!.length);
}
