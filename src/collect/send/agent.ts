// The store of an agent: it keeps no samples, it only numbers series and sees that each goes forward in time. What it
// takes goes through the tee to the disk queues, which are the agent's log.

import {
  type Appender,
  type AppendResult,
  generationOfRef,
  labelSetsOf,
  type Rejection,
  type SampleBatch,
  type SeriesRef,
  seriesRef,
  slotOfRef,
} from '#model/batch.ts';
import { type Labels, labelsKey } from '#model/labels.ts';
import type { Registry } from '#model/registry.ts';

type AgentSeries = { readonly key: string; lastTime: number; lastSeen: number };

export class AgentStore implements Appender {
  readonly #shard: number;
  readonly #byKey = new Map<string, number>();
  readonly #series: (AgentSeries | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  readonly #outOfOrder: { add(amount?: number): void };
  #turn = 0;

  constructor(shard: number, registry: Registry) {
    this.#shard = shard;
    registry.collected(
      'prometheus_agent_active_series',
      'Number of active series being tracked by the WAL storage',
      'gauge',
      () => [{ value: this.#byKey.size }],
    );
    this.#outOfOrder = registry.counter(
      'prometheus_agent_out_of_order_samples_total',
      'Total number of out of order samples ingestion failed attempts.',
    );
  }

  /** Forgets series that brought nothing since the last but one call; for a timer. */
  turn(): void {
    this.#turn++;
    for (let slot = 0; slot < this.#series.length; slot++) {
      const series = this.#series[slot];
      if (!series || series.lastSeen >= this.#turn - 1) continue;
      this.#byKey.delete(series.key);
      this.#series[slot] = undefined;
      this.#generations[slot] = this.#generations[slot]! + 1;
      this.#free.push(slot);
    }
  }

  append(batch: SampleBatch): Promise<AppendResult> {
    const before = this.#byKey.size;
    const refs = Float64Array.from(labelSetsOf(batch), (labels) => this.#refOf(labels));
    const rejections: Rejection[] = [];
    const look = (kind: Rejection['kind'], index: number, given: SeriesRef, time: number) => {
      const ref = given < 0 ? refs[-given - 1]! : given;
      const slot = slotOfRef(ref);
      const series = this.#series[slot];
      if (!series || generationOfRef(ref) !== generationOfRef(this.#ref(slot))) {
        rejections.push({ kind, index, reason: 'unknownRef', detail: '' });
      } else if (kind !== 'exemplar' && time <= series.lastTime) {
        this.#outOfOrder.add();
        rejections.push({ kind, index, reason: 'outOfOrder', detail: '' });
      } else {
        if (kind !== 'exemplar') series.lastTime = time;
        series.lastSeen = this.#turn;
      }
    };
    for (let i = 0; i < batch.refs.length; i++) look('sample', i, batch.refs[i]!, batch.timestamps[i]!);
    batch.histograms?.forEach(({ ref, timestamp }, i) => {
      look('histogram', i, ref, timestamp);
    });
    batch.exemplars?.forEach(({ ref, exemplar }, i) => {
      look('exemplar', i, ref, exemplar.timestamp);
    });
    return Promise.resolve({ refs, rejections, created: this.#byKey.size - before });
  }

  #ref(slot: number): SeriesRef {
    return seriesRef(this.#shard, this.#generations[slot]!, slot);
  }

  #refOf(labels: Labels): SeriesRef {
    const key = labelsKey(labels);
    let slot = this.#byKey.get(key);
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.#series.length;
      this.#generations[slot] ??= 0;
      this.#series[slot] = { key, lastTime: Number.NEGATIVE_INFINITY, lastSeen: this.#turn };
      this.#byKey.set(key, slot);
    }
    return this.#ref(slot);
  }
}
