// Delta to cumulative (feature otlp-deltatocumulative): adds up the differences that some SDKs send, by stream. A stream that
// is silent for long is forgotten and begins anew; what is older than the last point of its stream is left out.

import type {
  ExponentialBuckets,
  ExponentialPoint,
  HistogramPoint,
  MetricData,
  NumberPoint,
  OtlpMetric,
  ResourceMetrics,
  ScopeMetrics,
} from '#wire/otlp/model.ts';

const MAX_STALE_MS = 5 * 60_000;
const MAX_STREAMS = 1_000_000;

type AnyPoint = NumberPoint | HistogramPoint | ExponentialPoint;
type Stream = { point: AnyPoint; seenAt: number };

export class DeltaToCumulative {
  readonly #streams = new Map<string, Stream>();
  #sweptAt = 0;

  get streams(): number {
    return this.#streams.size;
  }

  /** The same metrics with every delta made cumulative. */
  convert(resources: readonly ResourceMetrics[], nowMs: number): ResourceMetrics[] {
    if (nowMs - this.#sweptAt > MAX_STALE_MS / 5) this.#sweep(nowMs);
    return resources.map((resource) => ({
      ...resource,
      scopes: resource.scopes.map((scope) => ({
        ...scope,
        metrics: scope.metrics.map((metric) => this.#metric(resource, scope, metric, nowMs)),
      })),
    }));
  }

  #metric(resource: ResourceMetrics, scope: ScopeMetrics, metric: OtlpMetric, nowMs: number): OtlpMetric {
    const { data } = metric;
    if (!('temporality' in data) || data.temporality !== 'delta') return metric;
    const stem = JSON.stringify([
      resource.attributes,
      scope.name,
      scope.version,
      scope.attributes,
      metric.name,
      metric.unit,
      data.kind,
    ]);
    const add = <P extends AnyPoint>(points: readonly P[], merge: (sum: P, more: P) => P): P[] =>
      points.flatMap((point) => {
        const sorted = [...point.attributes].sort(([a], [b]) => (a < b ? -1 : 1));
        const total = this.#accumulate(stem + JSON.stringify(sorted), point, merge, nowMs);
        return total ? [total] : [];
      });
    const cumulative = { temporality: 'cumulative' } as const;
    let next: MetricData;
    if (data.kind === 'sum') next = { ...data, ...cumulative, points: add(data.points, addNumbers) };
    else if (data.kind === 'histogram') next = { ...data, ...cumulative, points: add(data.points, addHistograms) };
    else next = { ...data, ...cumulative, points: add(data.points, addExponentials) };
    return { ...metric, data: next };
  }

  #accumulate<P extends AnyPoint>(key: string, point: P, merge: (sum: P, more: P) => P, nowMs: number): P | undefined {
    const stream = this.#streams.get(key);
    if (!stream) {
      if (this.#streams.size >= MAX_STREAMS) return undefined;
      this.#streams.set(key, { point, seenAt: nowMs });
      return point;
    }
    const sum = stream.point as P;
    if (point.timestamp <= sum.timestamp || (point.start !== 0 && point.start < sum.start)) return undefined;
    stream.seenAt = nowMs;
    if (point.noValue) return { ...sum, timestamp: point.timestamp, noValue: true, exemplars: [] };
    const merged = { ...merge(sum, point), start: sum.start, timestamp: point.timestamp, exemplars: point.exemplars };
    stream.point = merged;
    return merged;
  }

  #sweep(nowMs: number): void {
    this.#sweptAt = nowMs;
    for (const [key, stream] of this.#streams) if (nowMs - stream.seenAt > MAX_STALE_MS) this.#streams.delete(key);
  }
}

const addNumbers = (sum: NumberPoint, more: NumberPoint): NumberPoint => ({ ...sum, value: sum.value + more.value });

/** Other bounds than before begin a new count: the two cannot be added. */
function addHistograms(sum: HistogramPoint, more: HistogramPoint): HistogramPoint {
  const same =
    sum.bounds.length === more.bounds.length &&
    sum.bucketCounts.length === more.bucketCounts.length &&
    sum.bounds.every((bound, i) => bound === more.bounds[i]);
  if (!same) return more;
  return {
    ...sum,
    count: sum.count + more.count,
    sum: sum.sum === undefined || more.sum === undefined ? undefined : sum.sum + more.sum,
    bucketCounts: sum.bucketCounts.map((count, i) => count + more.bucketCounts[i]!),
  };
}

function addExponentials(sum: ExponentialPoint, more: ExponentialPoint): ExponentialPoint {
  const scale = Math.min(sum.scale, more.scale);
  const side = (which: 'positive' | 'negative') =>
    addBuckets(coarser(sum[which], sum.scale - scale), coarser(more[which], more.scale - scale));
  return {
    ...sum,
    count: sum.count + more.count,
    sum: sum.sum === undefined || more.sum === undefined ? undefined : sum.sum + more.sum,
    scale,
    zeroCount: sum.zeroCount + more.zeroCount,
    zeroThreshold: Math.max(sum.zeroThreshold, more.zeroThreshold),
    positive: side('positive'),
    negative: side('negative'),
  };
}

/** Fewer buckets: 2^steps neighbours become one. */
export function coarser({ offset, counts }: ExponentialBuckets, steps: number): ExponentialBuckets {
  if (steps === 0 || counts.length === 0) return { offset, counts };
  const first = Math.floor(offset / 2 ** steps);
  const merged: number[] = [];
  counts.forEach((count, i) => {
    const at = Math.floor((offset + i) / 2 ** steps) - first;
    merged[at] = (merged[at] ?? 0) + count;
  });
  return { offset: first, counts: merged };
}

function addBuckets(a: ExponentialBuckets, b: ExponentialBuckets): ExponentialBuckets {
  if (a.counts.length === 0) return b;
  if (b.counts.length === 0) return a;
  const offset = Math.min(a.offset, b.offset);
  const end = Math.max(a.offset + a.counts.length, b.offset + b.counts.length);
  const counts = Array.from(
    { length: end - offset },
    (_, i) => (a.counts[offset + i - a.offset] ?? 0) + (b.counts[offset + i - b.offset] ?? 0),
  );
  return { offset, counts };
}
