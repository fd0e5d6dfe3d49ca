// How long the parts of queries take, as Prometheus' summary with quantiles over the last ten minutes.

import type { Clock } from '#base/clock.ts';
import type { Registry } from '#model/registry.ts';
import type { EndedQuery } from '#query/desk.ts';

const QUANTILES = [0.5, 0.9, 0.99];
const WINDOW_MS = 10 * 60_000;
/** Of more queries in the window the latest count. */
const KEPT = 1024;

class Slice {
  readonly #seconds = new Float64Array(KEPT);
  readonly #times = new Float64Array(KEPT).fill(Number.NEGATIVE_INFINITY);
  count = 0;
  sum = 0;

  observe(seconds: number, now: number): void {
    const at = this.count % KEPT;
    this.#seconds[at] = seconds;
    this.#times[at] = now;
    this.count++;
    this.sum += seconds;
  }

  /** NaN without queries in the window. */
  quantiles(now: number): readonly number[] {
    const recent = this.#seconds.filter((_, i) => this.#times[i]! > now - WINDOW_MS).sort();
    return QUANTILES.map((q) => recent[Math.ceil(q * recent.length) - 1] ?? Number.NaN);
  }
}

/** Registers the summary; the result is told of every query that ends. */
export function queryTimings(registry: Registry, clock: Clock): (ended: EndedQuery) => void {
  const slices = { queue_time: new Slice(), prepare_time: new Slice(), inner_eval: new Slice() };
  registry.collected('prometheus_engine_query_duration_seconds', 'Query timings.', 'summary', function* () {
    const now = clock.monotonic();
    for (const [name, slice] of Object.entries(slices)) {
      const labels = ['slice', name];
      for (const [i, value] of slice.quantiles(now).entries()) {
        yield { labels: [...labels, 'quantile', String(QUANTILES[i])], value };
      }
      yield { suffix: '_sum', labels, value: slice.sum };
      yield { suffix: '_count', labels, value: slice.count };
    }
  });
  return ({ waitedMs, stats }) => {
    const now = clock.monotonic();
    slices.queue_time.observe(waitedMs / 1000, now);
    if (!stats) return;
    slices.prepare_time.observe((stats.timings.parseMs + stats.timings.planMs) / 1000, now);
    slices.inner_eval.observe(stats.timings.evalMs / 1000, now);
  };
}
