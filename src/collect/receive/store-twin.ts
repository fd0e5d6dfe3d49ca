// The store's twin for tests of receivers: keeps every sample bit for bit by label set, refuses what goes back in time, and
// forgets series on command.

import {
  type Appender,
  type AppendResult,
  labelSetsOf,
  type Metadata,
  type Rejection,
  type SampleBatch,
  type SplitAppender,
  type SplitRows,
  seriesRef,
  shardOfRef,
} from '#model/batch.ts';
import type { Histogram } from '#model/histogram.ts';
import { formatLabels, type Labels, labelsKey } from '#model/labels.ts';
import { isStale } from '#model/value.ts';

type Stored = {
  readonly labels: Labels;
  readonly points: { t: number; bits: bigint; start: number }[];
  readonly histograms: { t: number; value: Histogram; start: number }[];
  readonly exemplars: unknown[];
};

export class StoreTwin implements Appender {
  readonly #series = new Map<string, { stored: Stored; ref: number }>();
  readonly #refs = new Map<number, Stored>();
  readonly metadata = new Map<string, Metadata>();
  #slots = 0;
  /** Batches taken. */
  batches = 0;
  /** Label sets that came with batches: how much was sent as strings. */
  labelSets = 0;
  readOnly = false;

  append(batch: SampleBatch): Promise<AppendResult> {
    this.batches++;
    const series = labelSetsOf(batch);
    this.labelSets += series.length;
    const rejections: Rejection[] = [];
    const refs = Float64Array.from(series, (labels) => this.#refOf(labels));
    const find = (ref: number) => this.#refs.get(ref < 0 ? refs[-ref - 1]! : ref);
    const bits = new BigUint64Array(batch.values.slice().buffer);
    for (let i = 0; i < batch.refs.length; i++) {
      const stored = find(batch.refs[i]!);
      const t = batch.timestamps[i]!;
      const last = stored?.points.at(-1);
      const reject = (reason: Rejection['reason']) => rejections.push({ kind: 'sample', index: i, reason, detail: '' });
      if (this.readOnly) reject('readOnly');
      else if (!stored) reject('unknownRef');
      else if (last && t < last.t) reject('outOfOrder');
      else if (last && t === last.t && last.bits !== bits[i]) reject('duplicate');
      else if (last?.t !== t) stored.points.push({ t, bits: bits[i]!, start: batch.starts?.[i] ?? 0 });
    }
    batch.histograms?.forEach(({ ref, timestamp, value, start = 0 }, index) => {
      const stored = find(ref);
      if (!stored) rejections.push({ kind: 'histogram', index, reason: 'unknownRef', detail: '' });
      else stored.histograms.push({ t: timestamp, value, start });
    });
    batch.exemplars?.forEach(({ ref, exemplar }, index) => {
      const stored = find(ref);
      if (!stored) rejections.push({ kind: 'exemplar', index, reason: 'unknownRef', detail: '' });
      else stored.exemplars.push(exemplar);
    });
    for (const { family, metadata } of batch.metadata ?? []) this.metadata.set(family, metadata);
    return Promise.resolve({ refs, rejections, created: series.length });
  }

  /** As after a truncation: data stays for looking at, refs are void. */
  forgetRefs(): void {
    this.#refs.clear();
    for (const entry of this.#series.values()) entry.ref = -1;
  }

  /** `series -> "value@time ..."` lines, for comparing; times are shown as they are. */
  dump(): Record<string, string> {
    const lines: Record<string, string> = {};
    for (const { stored } of this.#series.values()) {
      const points = stored.points.map(({ t, bits, start }) => `${show(bits)}@${t}${start ? `^${start}` : ''}`);
      const histograms = stored.histograms.map(({ t, value }) => `{count:${value.count} sum:${value.sum}}@${t}`);
      const exemplars = stored.exemplars.map((e) => JSON.stringify(e));
      lines[formatLabels(stored.labels)] = [...points, ...histograms, ...exemplars].join(' ');
    }
    return Object.fromEntries(Object.entries(lines).sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  histograms(series: string): readonly { t: number; value: Histogram; start: number }[] {
    for (const { stored } of this.#series.values())
      if (formatLabels(stored.labels) === series) return stored.histograms;
    return [];
  }

  protected newRef(slot: number): number {
    return seriesRef(0, 0, slot);
  }

  #refOf(labels: Labels): number {
    const key = labelsKey(labels);
    let entry = this.#series.get(key);
    if (!entry) {
      entry = { stored: { labels, points: [], histograms: [], exemplars: [] }, ref: -1 };
      this.#series.set(key, entry);
    }
    if (entry.ref < 0) {
      entry.ref = this.newRef(this.#slots++);
      this.#refs.set(entry.ref, entry.stored);
    }
    return entry.ref;
  }
}

/** The twin as several shards, for who splits rows itself. */
export class SplitStoreTwin extends StoreTwin implements SplitAppender {
  readonly shards = 3;
  /** Rows that came split. */
  splitRows = 0;

  async appendSplit({ shardOf, parts }: SplitRows): Promise<AppendResult> {
    const rejections: Rejection[] = [];
    for (const { shard, bytes } of parts) {
      const all = new Float64Array(bytes.slice().buffer);
      const rows = all.length / 3;
      const [refs, timestamps, values] = [0, 1, 2].map((i) => all.slice(i * rows, (i + 1) * rows));
      if (refs!.some((ref) => shardOfRef(ref) !== shard)) throw new Error(`a row of another shard came to ${shard}`);
      this.splitRows += rows;
      const whole = [...shardOf.keys()].filter((i) => shardOf[i] === shard);
      const result = await this.append({ refs: refs!, timestamps: timestamps!, values: values!, series: [] });
      const inWhole = (index: number) => (parts.length > 1 ? whole[index]! : index);
      rejections.push(...result.rejections.map((r) => ({ ...r, index: inWhole(r.index) })));
    }
    rejections.sort((a, b) => a.index - b.index);
    return { refs: new Float64Array(0), rejections, created: 0 };
  }

  protected override newRef(slot: number): number {
    return seriesRef(slot % this.shards, 0, slot);
  }
}

function show(bits: bigint): string {
  const value = new Float64Array(BigUint64Array.of(bits).buffer);
  return isStale(value, 0) ? 'stale' : Number.isNaN(value[0]) ? `NaN:${bits.toString(16)}` : String(value[0]);
}
