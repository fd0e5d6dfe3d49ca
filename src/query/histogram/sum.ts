// Compensated sums and means of native histograms: every count and bucket carries its own compensation. A mean is the
// sum divided at the end unless the sum overflows; then it goes on as a running mean.

import type { Histogram } from '#model/histogram.ts';
import { addHistograms, combineHints, commonLayout, divide, scale } from './arithmetic.ts';
import { roll, type Side, usesCustomBuckets } from './buckets.ts';
import { kahanStep } from './kahan.ts';

/** What the annotations about a sum need. */
export type SumNotes = { resetSeen: boolean; notResetSeen: boolean; reconciled: boolean; incompatible: boolean };

export class HistogramSum {
  readonly notes: SumNotes = { resetSeen: false, notResetSeen: false, reconciled: false, incompatible: false };
  #value: Histogram;
  #compensation: Histogram | undefined;
  #mean = false;
  readonly #forMean: boolean;
  count = 1;

  constructor(first: Histogram, forMean: boolean) {
    this.#value = { ...first, integer: false };
    this.#forMean = forMean;
    this.#note(first);
  }

  #note(h: Histogram): void {
    if (h.counterReset === 'reset') this.notes.resetSeen = true;
    if (h.counterReset === 'notReset') this.notes.notResetSeen = true;
  }

  /** Adds one; after an incompatible one nothing is taken any more. */
  add(h: Histogram): void {
    if (this.notes.incompatible) return;
    this.#note(h);
    this.count++;
    if (!this.#mean) {
      const next = compensatedAdd(this.#value, h, this.#compensation);
      if (!next) {
        this.notes.incompatible = true;
        return;
      }
      if (!this.#forMean || !hasOverflow(next.value)) {
        this.#take(next);
        return;
      }
      if (next.reconciled) this.notes.reconciled = true;
      this.#mean = true;
      this.#value = divide(this.#value, this.count - 1);
      if (this.#compensation) this.#compensation = divide(this.#compensation, this.count - 1);
    }
    const weight = (this.count - 1) / this.count;
    const compensation = this.#compensation && scale(this.#compensation, weight);
    const next = compensatedAdd(scale(this.#value, weight), divide(h, this.count), compensation);
    if (next) this.#take(next);
    else this.notes.incompatible = true;
  }

  #take(next: Compensated): void {
    this.#value = next.value;
    this.#compensation = next.compensation;
    if (next.reconciled) this.notes.reconciled = true;
  }

  /** The sum, or the mean. */
  result(): Histogram {
    const divisor = this.#forMean && !this.#mean ? this.count : 1;
    const value = divisor === 1 ? this.#value : divide(this.#value, divisor);
    if (!this.#compensation) return addHistograms(value, emptyLike(value))!.value;
    return addHistograms(value, divide(this.#compensation, divisor))!.value;
  }
}

type Compensated = { readonly value: Histogram; readonly compensation: Histogram; readonly reconciled: boolean };

const NONE = new Float64Array(0);
const emptyLike = (h: Histogram): Histogram => ({
  ...h,
  zeroCount: 0,
  count: 0,
  sum: 0,
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: NONE,
  negativeBuckets: NONE,
});

function compensatedAdd(a: Histogram, b: Histogram, c: Histogram | undefined): Compensated | undefined {
  if (usesCustomBuckets(a) !== usesCustomBuckets(b)) return undefined;
  const layout = commonLayout(a, b);
  // The compensation has the layout of `a`, and is brought to the new one in the same way.
  const old = commonLayout(c ?? emptyLike(a), { ...emptyLike(b), ...layoutOf(layout) }).a;
  const positive = compensatedMerge(layout.a.positive, layout.b.positive, old.positive);
  const negative = compensatedMerge(layout.a.negative, layout.b.negative, old.negative);
  const shape = {
    ...layoutOf(layout),
    integer: false,
    counterReset: combineHints(a.counterReset, b.counterReset).hint,
  };
  const value: Histogram = {
    ...shape,
    zeroCount: layout.a.zeroCount + layout.b.zeroCount,
    count: a.count + b.count,
    sum: a.sum + b.sum,
    ...positive.total,
    ...renamed(negative.total),
  };
  const compensation: Histogram = {
    ...shape,
    zeroCount: kahanStep(layout.a.zeroCount, layout.b.zeroCount, old.zeroCount),
    count: kahanStep(a.count, b.count, c?.count ?? 0),
    sum: kahanStep(a.sum, b.sum, c?.sum ?? 0),
    ...positive.compensation,
    ...renamed(negative.compensation),
  };
  return { value, compensation, reconciled: layout.reconciled };
}

const layoutOf = (layout: { schema: number; zeroThreshold: number; customValues: Float64Array | undefined }) => ({
  schema: layout.schema,
  zeroThreshold: layout.zeroThreshold,
  ...(layout.customValues ? { customValues: layout.customValues } : {}),
});

type PositiveSide = Pick<Histogram, 'positiveSpans' | 'positiveBuckets'>;
const renamed = (side: PositiveSide) => ({ negativeSpans: side.positiveSpans, negativeBuckets: side.positiveBuckets });

function compensatedMerge(a: Side, b: Side, c: Side): { total: PositiveSide; compensation: PositiveSide } {
  const indexes = Int32Array.from(new Set([...a.index, ...b.index, ...c.index])).sort();
  const total = new Float64Array(indexes.length);
  const compensation = new Float64Array(indexes.length);
  const at = [0, 0, 0];
  const take = (side: Side, which: number, index: number): number => {
    const k = at[which]!;
    if (k >= side.index.length || side.index[k] !== index) return 0;
    at[which] = k + 1;
    return side.count[k]!;
  };
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i]!;
    const left = take(a, 0, index);
    const right = take(b, 1, index);
    compensation[i] = kahanStep(left, right, take(c, 2, index));
    total[i] = left + right;
  }
  const rolled = (count: Float64Array): PositiveSide => {
    const { spans, buckets } = roll({ index: indexes, count });
    return { positiveSpans: spans, positiveBuckets: buckets };
  };
  return { total: rolled(total), compensation: rolled(compensation) };
}

export function hasOverflow(h: Histogram): boolean {
  const infinite = (value: number) => value === Infinity || value === -Infinity;
  if (infinite(h.zeroCount) || infinite(h.count) || infinite(h.sum)) return true;
  return (
    h.positiveBuckets.some(infinite) || h.negativeBuckets.some(infinite) || (h.customValues?.some(infinite) ?? false)
  );
}
