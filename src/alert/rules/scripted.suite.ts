// An engine and a store for tests of rules: the engine answers what a script says, the store keeps what is appended and
// refuses as the real one does.

import type { Appender, AppendResult, Rejection, SampleBatch } from '#model/batch.ts';
import { formatLabels, type Labels } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import type { RawSeries, TimeRange } from '#model/query.ts';
import { isStale } from '#model/value.ts';
import type { RuleEngine, VectorSample } from './contract.ts';

export type Script = (expression: string, timeMs: number) => readonly VectorSample[];

export class MemoryStore implements Appender {
  readonly series: { labels: Labels; timestamps: number[]; values: Float64Array }[] = [];
  /** Pretends that it has been restarted: numbers given before mean nothing. */
  epoch = 0;

  async append(batch: SampleBatch): Promise<AppendResult> {
    const rejections: Rejection[] = [];
    const refs = Float64Array.from(batch.series, (labels) => this.#find(labels) + this.epoch * 1e6);
    for (let i = 0; i < batch.refs.length; i++) {
      const ref = batch.refs[i]!;
      const slot = (ref < 0 ? refs[-ref - 1]! : ref) - this.epoch * 1e6;
      const series = this.series[slot];
      if (!series) {
        rejections.push({ kind: 'sample', index: i, reason: 'unknownRef', detail: '' });
        continue;
      }
      const last = series.timestamps.at(-1);
      if (last !== undefined && batch.timestamps[i]! <= last) {
        const reason = batch.timestamps[i] === last ? 'duplicate' : 'outOfOrder';
        rejections.push({ kind: 'sample', index: i, reason, detail: reason });
        continue;
      }
      series.timestamps.push(batch.timestamps[i]!);
      const values = new Float64Array(series.values.length + 1);
      values.set(series.values);
      values.set(batch.values.subarray(i, i + 1), series.values.length);
      series.values = values;
    }
    return { refs, rejections, created: 0 };
  }

  #find(labels: Labels): number {
    const name = formatLabels(labels);
    const slot = this.series.findIndex((series) => formatLabels(series.labels) === name);
    return slot >= 0 ? slot : this.series.push({ labels, timestamps: [], values: new Float64Array(0) }) - 1;
  }

  /** `name{...} = value@seconds value@seconds`, a line for each series. */
  dump(): string[] {
    return this.series
      .map(({ labels, timestamps, values }) => {
        const points = timestamps.map((t, i) => `${isStale(values, i) ? 'stale' : values[i]}@${t / 1000}`);
        return `${formatLabels(labels)} = ${points.join(' ')}`;
      })
      .sort();
  }

  select(matchers: readonly Matcher[], range: TimeRange): RawSeries[] {
    const test = compileMatchers(matchers);
    return this.series
      .filter(({ labels, timestamps }) => test(labels) && timestamps.some((t) => t >= range.min && t <= range.max))
      .map(({ labels, timestamps, values }) => ({ labels, timestamps: Float64Array.from(timestamps), values }));
  }
}

export const scriptedEngine = (store: MemoryStore, script: Script): RuleEngine => ({
  evaluate: async (expression, timeMs) => script(expression, timeMs),
  select: async (matchers, range) => store.select(matchers, range),
  exists: async (matchers, range) => store.select(matchers, range).length > 0,
});
