// What tests and the simulator need around a shard's store: batches from label sets, and everything a store holds, decoded.

import { KernelMemory } from '#base/kernel.ts';
import { newSeries, type SampleBatch } from '#model/batch.ts';
import { formatLabels, type Labels } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { ShardSource, TimeRange } from '#model/query.ts';
import { decodeChunk } from './codec/chunk.ts';
import { SampleColumns } from './codec/samples.ts';

export type Row = { readonly labels: Labels; readonly time: number; readonly value: number; readonly start?: number };

/** A batch of rows with their labels, each label set once. */
export function batchOf(rows: readonly Row[]): SampleBatch {
  const index = new Map<string, number>();
  const series: Labels[] = [];
  const refs = new Float64Array(rows.length);
  for (const [i, { labels }] of rows.entries()) {
    const key = labels.join('\xff');
    let at = index.get(key);
    if (at === undefined) {
      at = series.push(labels) - 1;
      index.set(key, at);
    }
    refs[i] = newSeries(at);
  }
  return {
    refs,
    timestamps: Float64Array.from(rows, (row) => row.time),
    values: Float64Array.from(rows, (row) => row.value),
    series,
    ...(rows.some((row) => row.start) ? { starts: Float64Array.from(rows, (row) => row.start ?? 0) } : {}),
  };
}

export const ALL_TIME: TimeRange = { min: -(2 ** 52), max: 2 ** 52 };

/** Samples by series as "time value" lines; of equal times the first counts. Histograms are shown by their count and sum. */
export function contents(
  source: ShardSource,
  range: TimeRange = ALL_TIME,
  matchers: readonly Matcher[] = [],
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const series of source.select(matchers, range, true)) {
    const samples = new Map<number, string>();
    for (let i = 0; i < series.count; i++) {
      const address = series.addresses[i]!;
      const bytes = new Uint8Array(source.memory.buffer).slice(address, address + series.lengths[i]!);
      const columns = new SampleColumns();
      decodeChunk(series.encodings[i]!, bytes, columns);
      for (let k = 0; k < columns.length; k++) {
        const time = columns.timestamps[k]!;
        if (time < range.min || time > range.max || samples.has(time)) continue;
        if (series.deleted.some(({ min, max }) => time >= min && time <= max)) continue;
        const histogram = columns.histograms?.[k];
        const words = new Uint32Array(columns.values.buffer, k * 8, 2);
        const value = columns.values[k]!;
        const bits = Number.isNaN(value) ? `NaN:${words[1]!.toString(16)}:${words[0]!.toString(16)}` : String(value);
        samples.set(time, histogram ? `histogram ${histogram.count} ${histogram.sum}` : bits);
      }
    }
    const lines = [...samples].sort(([a], [b]) => a - b).map(([time, value]) => `${time} ${value}`);
    if (lines.length > 0) found.set(formatLabels(series.labels), lines);
  }
  return found;
}

export const newMemory = (): KernelMemory => new KernelMemory();
