// What a shard refuses to grow beyond: series in all, per metric, per target, and memory. A limit of 0 is none. Limits of
// the whole program are given as each shard's share.

import { type Labels, labelValue, METRIC_NAME } from '#model/labels.ts';

export type HeadLimits = {
  readonly series: number;
  readonly seriesPerMetric: number;
  readonly seriesPerTarget: number;
  /** The label that names a target. */
  readonly targetLabel: string;
  /** Memory of the shard above which no series is made. */
  readonly memoryBytes: number;
};

export const NO_LIMITS: HeadLimits = {
  series: 0,
  seriesPerMetric: 0,
  seriesPerTarget: 0,
  targetLabel: 'instance',
  memoryBytes: 0,
};

export const LIMIT_NAMES = ['series', 'seriesPerMetric', 'seriesPerTarget', 'memory'] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];
export type LimitHit = { readonly limit: LimitName; readonly detail: string };

export type LimitState = {
  readonly series: number;
  readonly usedBytes: number;
  /** How many series have pair `index` of the new labels. */
  countOfPair(index: number): number;
};

/** Why one more series with these labels is refused, if it is. */
export function checkLimits(limits: HeadLimits, labels: Labels, state: LimitState): LimitHit | undefined {
  if (limits.series > 0 && state.series >= limits.series) {
    return { limit: 'series', detail: `the limit of ${limits.series} series is reached` };
  }
  if (limits.memoryBytes > 0 && state.usedBytes >= limits.memoryBytes) {
    return { limit: 'memory', detail: `${state.usedBytes} bytes are in use, the watermark is ${limits.memoryBytes}` };
  }
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!;
    const perMetric = name === METRIC_NAME ? limits.seriesPerMetric : 0;
    const perTarget = name === limits.targetLabel ? limits.seriesPerTarget : 0;
    if (perMetric > 0 && state.countOfPair(i / 2) >= perMetric) {
      const detail = `metric ${labels[i + 1]} has reached the limit of ${perMetric} series`;
      return { limit: 'seriesPerMetric', detail };
    }
    if (perTarget > 0 && state.countOfPair(i / 2) >= perTarget) {
      const metric = labelValue(labels, METRIC_NAME);
      const detail = `target ${labels[i + 1]} has reached the limit of ${perTarget} series at metric ${metric}`;
      return { limit: 'seriesPerTarget', detail };
    }
  }
  return undefined;
}

export type Refusals = { readonly limit: LimitName; readonly count: number; readonly last: string };

const REPORT_INTERVAL_MS = 60_000;

/** What has been refused since the start, and what of it has not been reported yet. */
export class RefusalBook {
  readonly #counts = new Map<LimitName, { count: number; last: string; reported: number }>();
  #reportedAt = Number.NEGATIVE_INFINITY;

  note({ limit, detail }: LimitHit): void {
    const entry = this.#counts.get(limit);
    if (!entry) this.#counts.set(limit, { count: 1, last: detail, reported: 0 });
    else {
      entry.count++;
      entry.last = detail;
    }
  }

  list(): Refusals[] {
    return [...this.#counts].map(([limit, { count, last }]) => ({ limit, count, last }));
  }

  /** What is new, at most once a minute. */
  due(nowMs: number): Refusals[] {
    if (this.#counts.size === 0 || nowMs - this.#reportedAt < REPORT_INTERVAL_MS) return [];
    const fresh: Refusals[] = [];
    for (const [limit, entry] of this.#counts) {
      if (entry.count === entry.reported) continue;
      fresh.push({ limit, count: entry.count - entry.reported, last: entry.last });
      entry.reported = entry.count;
    }
    if (fresh.length > 0) this.#reportedAt = nowMs;
    return fresh;
  }
}
