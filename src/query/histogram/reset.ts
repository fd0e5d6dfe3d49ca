// Whether a native histogram shows that its counter was reset since an earlier one: any count smaller than before, or a
// layout that can only come from a restart.

import type { Histogram } from '#model/histogram.ts';
import { equalBounds, raiseThreshold, widenZero } from './arithmetic.ts';
import { coarsen, type Side, unroll, usesCustomBuckets } from './buckets.ts';

export function detectReset(current: Histogram, previous: Histogram): boolean {
  if (current.counterReset === 'reset') return true;
  if (current.counterReset === 'notReset') return false;
  if (current.count < previous.count) return true;
  if (usesCustomBuckets(current)) {
    if (!usesCustomBuckets(previous)) return true;
    if (!equalBounds(current.customValues, previous.customValues)) return customBoundsReset(current, previous);
  }
  if (current.schema > previous.schema) return true;
  if (usesCustomBuckets(current)) {
    return sideReset(
      unroll(current.positiveSpans, current.positiveBuckets),
      unroll(previous.positiveSpans, previous.positiveBuckets),
    );
  }
  if (current.zeroThreshold < previous.zeroThreshold) return true;
  if (raiseThreshold(previous, current.zeroThreshold) !== current.zeroThreshold) return true;
  const before = widenZero(previous, current.zeroThreshold);
  if (current.zeroCount < before.zeroCount) return true;
  const now = widenZero(current, current.zeroThreshold);
  return (
    sideReset(now.positive, coarsen(before.positive, previous.schema, current.schema)) ||
    sideReset(now.negative, coarsen(before.negative, previous.schema, current.schema))
  );
}

/** Whether a bucket holds less than before. */
function sideReset(now: Side, before: Side): boolean {
  let i = 0;
  for (let k = 0; k < before.index.length; k++) {
    const count = before.count[k]!;
    while (i < now.index.length && now.index[i]! < before.index[k]!) i++;
    const present = i < now.index.length && now.index[i] === before.index[k];
    if (present ? now.count[i]! < count : count !== 0) return true;
  }
  return false;
}

/** With different custom bounds: whether fewer observations lie between any two bounds that both have. */
function customBoundsReset(current: Histogram, previous: Histogram): boolean {
  const known = new Set(previous.customValues);
  const bounds = [...(current.customValues ?? []).filter((bound) => known.has(bound)), Infinity];
  const between = (h: Histogram): number[] => {
    const { index, count } = unroll(h.positiveSpans, h.positiveBuckets);
    const sums = bounds.map(() => 0);
    for (let i = 0; i < index.length; i++) {
      const upper = h.customValues?.[index[i]!] ?? Infinity;
      sums[bounds.findIndex((bound) => upper <= bound)]! += count[i]!;
    }
    return sums;
  };
  const before = between(previous);
  return between(current).some((sum, i) => sum < before[i]!);
}
