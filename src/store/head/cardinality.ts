// What the head's series are made of: the largest metrics, labels and pairs, what is created and forgotten fastest, and what no
// query has ever asked for.

import { METRIC_NAME } from '#model/labels.ts';
import type { Head } from './head.ts';
import { ROW } from './kernel.ts';
import type { Refusals } from './limits.ts';

export type Ranked = { readonly name: string; readonly value: number };

export type Cardinality = {
  readonly numSeries: number;
  readonly numLabelPairs: number;
  readonly chunkCount: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly seriesCountByMetricName: readonly Ranked[];
  readonly labelValueCountByLabelName: readonly Ranked[];
  readonly memoryInBytesByLabelName: readonly Ranked[];
  readonly seriesCountByLabelValuePair: readonly Ranked[];
  /** Series created since the start beyond those that are there: metrics whose series come and go. */
  readonly churnByMetricName: readonly Ranked[];
  /** Series that no query has read since they were created. */
  readonly unusedByMetricName: readonly Ranked[];
  readonly memoryBytes: number;
  /** Series that limits have refused since the start. */
  readonly refusals: readonly Refusals[];
};

export function cardinality(head: Head, limit: number): Cardinality {
  const { table } = head;
  const counts = table.counts();
  const metrics = new Top(limit);
  const labelValues = new Top(limit);
  const labelBytes = new Top(limit);
  const pairs = new Top(limit);
  const churn = new Top(limit);
  const unused = new Top(limit);
  for (const name of table.names()) {
    const text = table.nameOf(name);
    let values = 0;
    let bytes = 0;
    for (const pair of table.pairsOf(name)) {
      const series = table.seriesOfPair(pair);
      values++;
      bytes += table.valueBytes(pair) * series;
      pairs.offer(series, () => `${text}=${table.valueOf(pair)}`);
      if (text !== METRIC_NAME) continue;
      metrics.offer(series, () => table.valueOf(pair));
      churn.offer(table.createdWithPair(pair) - series, () => table.valueOf(pair));
      unused.offer(unusedOf(head, table.postings(pair)), () => table.valueOf(pair));
    }
    labelValues.offer(values, () => text);
    labelBytes.offer(bytes, () => text);
  }
  return {
    numSeries: counts.series,
    numLabelPairs: counts.pairs,
    chunkCount: counts.closedChunks + counts.openChunks + head.histograms.count,
    minTime: head.minTime,
    maxTime: head.maxTime,
    seriesCountByMetricName: metrics.list(),
    labelValueCountByLabelName: labelValues.list(),
    memoryInBytesByLabelName: labelBytes.list(),
    seriesCountByLabelValuePair: pairs.list(),
    churnByMetricName: churn.list(),
    unusedByMetricName: unused.list(),
    memoryBytes: counts.usedBytes,
    refusals: head.refusals.list(),
  };
}

/** Sorted hashes of the values of every label name, by which shards find out what they have in common. */
export function labelValueHashes(head: Head): Map<string, Float64Array> {
  const { table } = head;
  const hashes = new Map<string, Float64Array>();
  for (const name of table.names()) {
    const own: number[] = [];
    for (const pair of table.pairsOf(name)) own.push(table.valueHash(pair));
    hashes.set(table.nameOf(name), Float64Array.from(own).sort());
  }
  return hashes;
}

function unusedOf(head: Head, slots: Uint32Array): number {
  const { kernel, shard } = head.memory;
  const u32 = shard.u32;
  let count = 0;
  for (let i = 0; i < slots.length; i++) {
    if (u32[((kernel.rowOf(slots[i]!) >>> 0) + ROW.selected) >>> 2] === 0) count++;
  }
  return count;
}

/** The largest few of many; names are made only for those that get in. */
class Top {
  readonly #limit: number;
  #entries: Ranked[] = [];
  #least = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  offer(value: number, name: () => string): void {
    // Of equal ones the names decide, so they all have to be looked at.
    if (value <= 0 || value < this.#least || this.#limit === 0) return;
    this.#entries.push({ name: name(), value });
    if (this.#entries.length < this.#limit * 2) return;
    this.#entries = this.list();
    this.#least = this.#entries.at(-1)!.value;
  }

  list(): Ranked[] {
    return this.#entries.toSorted((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1)).slice(0, this.#limit);
  }
}

/** Cardinalities of several shards as one. Lists are merged by name, as far as they go. */
export function mergeCardinality(parts: readonly Cardinality[], limit: number): Cardinality {
  const sum = (value: (part: Cardinality) => number) => parts.reduce((total, part) => total + value(part), 0);
  const merged = (list: (part: Cardinality) => readonly Ranked[]) => {
    const totals = new Map<string, number>();
    for (const part of parts)
      for (const { name, value } of list(part)) totals.set(name, (totals.get(name) ?? 0) + value);
    const top = new Top(limit);
    for (const [name, value] of totals) top.offer(value, () => name);
    return top.list();
  };
  return {
    numSeries: sum((part) => part.numSeries),
    numLabelPairs: sum((part) => part.numLabelPairs),
    chunkCount: sum((part) => part.chunkCount),
    minTime: Math.min(...parts.map((part) => part.minTime)),
    maxTime: Math.max(...parts.map((part) => part.maxTime)),
    seriesCountByMetricName: merged((part) => part.seriesCountByMetricName),
    labelValueCountByLabelName: merged((part) => part.labelValueCountByLabelName),
    memoryInBytesByLabelName: merged((part) => part.memoryInBytesByLabelName),
    seriesCountByLabelValuePair: merged((part) => part.seriesCountByLabelValuePair),
    churnByMetricName: merged((part) => part.churnByMetricName),
    unusedByMetricName: merged((part) => part.unusedByMetricName),
    memoryBytes: sum((part) => part.memoryBytes),
    refusals: mergeRefusals(parts.flatMap((part) => part.refusals)),
  };
}

function mergeRefusals(all: readonly Refusals[]): Refusals[] {
  const byLimit = new Map<string, Refusals>();
  for (const entry of all) {
    const before = byLimit.get(entry.limit);
    byLimit.set(entry.limit, before ? { ...before, count: before.count + entry.count } : entry);
  }
  return [...byLimit.values()];
}
