// The store of one unit test: samples in memory and the query engine over them.

import type { Clock } from '#base/clock.ts';
import type { Appender, AppendResult, SampleBatch } from '#model/batch.ts';
import type { Labels } from '#model/labels.ts';
import { isStale } from '#model/value.ts';
import { QueryEngine } from '#query/engine.ts';
import { MemorySource } from '#query/memory-twin.ts';
import { ruleEngine } from '../rules/engine.ts';
import type { TestStorage } from './run.ts';

export function memoryStorage(clock: Clock, subqueryStepMs: number, features: readonly string[]): TestStorage {
  const source = new MemorySource();
  const engine = new QueryEngine({ source, clock, features, subqueryStepMs: () => subqueryStepMs });
  return { engine: ruleEngine(engine, source), appender: new MemoryAppender(source), source };
}

class MemoryAppender implements Appender {
  readonly #source: MemorySource;
  readonly #series: Labels[] = [];

  constructor(source: MemorySource) {
    this.#source = source;
  }

  async append(batch: SampleBatch): Promise<AppendResult> {
    const refs = Float64Array.from(batch.series, (labels) => this.#series.push(labels) - 1);
    const labelsAt = (ref: number) => this.#series[ref < 0 ? refs[-ref - 1]! : ref]!;
    batch.refs.forEach((ref, i) => {
      const value = isStale(batch.values, i) ? 'stale' : batch.values[i]!;
      this.#source.add(labelsAt(ref), batch.timestamps[i]!, value);
    });
    for (const { ref, timestamp, value } of batch.histograms ?? []) this.#source.add(labelsAt(ref), timestamp, value);
    return { refs, rejections: [], created: refs.length };
  }
}
