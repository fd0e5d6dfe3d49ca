// Quantiles and fractions of classic histograms: cumulative counts by upper bound, interpolated linearly. Counts that
// fall although bounds rise are evened out first, and the caller learns about it.

export type ClassicBucket = { readonly upper: number; count: number };

export type Forced = { readonly minBucket: number; readonly maxBucket: number; readonly maxDiff: number };

const SMALL_DELTA = 1e-12;
const MIN_NORMAL = 2.2250738585072014e-308;

/** Buckets must be sorted by bound; they may be changed. */
export function bucketQuantile(q: number, sorted: ClassicBucket[]): { value: number; forced: Forced | undefined } {
  const plain = (value: number) => ({ value, forced: undefined });
  if (Number.isNaN(q)) return plain(Number.NaN);
  if (q < 0) return plain(-Infinity);
  if (q > 1) return plain(Infinity);
  if (sorted.at(-1)?.upper !== Infinity) return plain(Number.NaN);
  const buckets = coalesce(sorted);
  const forced = ensureMonotonic(buckets);
  const last = buckets.length - 1;
  const observations = buckets[last]!.count;
  if (buckets.length < 2 || observations === 0) return { value: Number.NaN, forced };
  let rank = q * observations;
  let at = 0;
  while (at < last && !(buckets[at]!.count >= rank)) at++;
  if (at === last) return { value: buckets[last - 1]!.upper, forced };
  const { upper } = buckets[at]!;
  if (at === 0 && upper <= 0) return { value: upper, forced };
  let start = 0;
  let { count } = buckets[at]!;
  if (at > 0) {
    start = buckets[at - 1]!.upper;
    count -= buckets[at - 1]!.count;
    rank -= buckets[at - 1]!.count;
  }
  return { value: start + (upper - start) * (rank / count), forced };
}

export function bucketFraction(from: number, to: number, sorted: ClassicBucket[]): number {
  if (sorted.at(-1)?.upper !== Infinity) return Number.NaN;
  const buckets = coalesce(sorted);
  const { count } = buckets.at(-1)!;
  if (count === 0 || Number.isNaN(from) || Number.isNaN(to)) return Number.NaN;
  if (from >= to) return 0;
  let rank = 0;
  let fromRank: number | undefined;
  let toRank: number | undefined;
  let lower = buckets[0]!.upper <= 0 ? -Infinity : 0;
  for (const bucket of buckets) {
    const rankOf = (value: number): number | undefined => {
      if (lower >= value) return rank;
      if (bucket.upper <= value) return undefined;
      if (lower === -Infinity) return bucket.count;
      return rank + ((bucket.count - rank) * (value - lower)) / (bucket.upper - lower);
    };
    fromRank ??= rankOf(from);
    toRank ??= rankOf(to);
    rank = bucket.count;
    lower = bucket.upper;
  }
  const clamped = (value: number | undefined) => (value === undefined || value > count ? count : value);
  return (clamped(toRank) - clamped(fromRank)) / count;
}

function coalesce(buckets: readonly ClassicBucket[]): ClassicBucket[] {
  const merged: ClassicBucket[] = [];
  for (const bucket of buckets) {
    const last = merged.at(-1);
    if (last && last.upper === bucket.upper) last.count += bucket.count;
    else merged.push({ ...bucket });
  }
  return merged;
}

function ensureMonotonic(buckets: ClassicBucket[]): Forced | undefined {
  let minBucket = Infinity;
  let maxBucket = -Infinity;
  let maxDiff = 0;
  let previous = buckets[0]!.count;
  for (let i = 1; i < buckets.length; i++) {
    const bucket = buckets[i]!;
    const { count } = bucket;
    if (count === previous) continue;
    if (almostEqual(previous, count, SMALL_DELTA)) bucket.count = previous;
    else if (count < previous) {
      bucket.count = previous;
      minBucket = Math.min(minBucket, bucket.upper);
      maxBucket = Math.max(maxBucket, bucket.upper);
      maxDiff = Math.max(maxDiff, previous - count);
    } else previous = count;
  }
  return minBucket === Infinity && maxBucket === -Infinity ? undefined : { minBucket, maxBucket, maxDiff };
}

/** Equal up to a relative error; NaN equals NaN. */
export function almostEqual(a: number, b: number, epsilon: number): boolean {
  if (Number.isNaN(a) && Number.isNaN(b)) return true;
  if (a === b) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < epsilon * MIN_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < epsilon;
}
