// One remote as samples come in: relabels each series once, remembers which series its segment has named, and appends
// what is left of a batch to the disk queue.

import type { SampleBatch, SeriesRef } from '#model/batch.ts';
import { compareText, type Labels } from '#model/labels.ts';
import type { Relabel } from '../relabel/relabel.ts';
import type { DiskQueue } from './queue.ts';
import { RecordWriter } from './record.ts';

export type OutletOptions = {
  readonly externalLabels: Labels;
  readonly relabel: Relabel;
  readonly sendExemplars: boolean;
  readonly sendHistograms: boolean;
};

/** What the tee knows of a series; each outlet keeps its own view at its index. */
export type TeeSeries = {
  readonly ref: SeriesRef;
  readonly labels: Labels;
  readonly outlets: (Outgoing | undefined)[];
};
type Outgoing = { readonly labels: Labels | undefined; segment: number; id: number };

export class Outlet {
  readonly queue: DiskQueue;
  /** Samples, histograms, exemplars that relabeling dropped. */
  readonly dropped = { samples: 0, histograms: 0, exemplars: 0 };
  highestTimestamp = 0;
  readonly #options: OutletOptions;
  readonly #record = new RecordWriter();
  readonly #wake: () => void;
  #segment = 0;
  #nextId = 0;

  constructor(queue: DiskQueue, options: OutletOptions, wake: () => void) {
    this.queue = queue;
    this.#options = options;
    this.#wake = wake;
  }

  /** `series[i]` belongs to row i, undefined for rows that are not to be sent; likewise for histograms and exemplars. */
  append(
    index: number,
    batch: SampleBatch,
    series: readonly (TeeSeries | undefined)[],
    histogramSeries: readonly (TeeSeries | undefined)[],
    exemplarSeries: readonly (TeeSeries | undefined)[],
  ): void {
    const record = this.#record;
    record.reset();
    const { writingSegment } = this.queue;
    if (writingSegment !== this.#segment) {
      this.#segment = writingSegment;
      this.#nextId = 0;
    }
    const { timestamps, values, starts } = batch;
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
    for (let i = 0; i < series.length; i++) {
      const one = series[i];
      if (!one) continue;
      const id = this.#idOf(index, one);
      if (id < 0) {
        this.dropped.samples++;
        continue;
      }
      const timestamp = timestamps[i]!;
      if (timestamp > this.highestTimestamp) this.highestTimestamp = timestamp;
      record.sample(id, timestamp, starts ? starts[i]! : 0, words[i * 2]!, words[i * 2 + 1]!);
    }
    if (this.#options.sendHistograms) {
      histogramSeries.forEach((one, i) => {
        const { timestamp, start = 0, value } = batch.histograms![i]!;
        const id = one ? this.#idOf(index, one) : undefined;
        if (id === undefined) return;
        if (id < 0) this.dropped.histograms++;
        else record.histogram(id, { timestamp, start, value });
      });
    }
    if (this.#options.sendExemplars) {
      exemplarSeries.forEach((one, i) => {
        const id = one ? this.#idOf(index, one) : undefined;
        if (id === undefined) return;
        if (id < 0) this.dropped.exemplars++;
        else record.exemplar(id, batch.exemplars![i]!.exemplar);
      });
    }
    for (const { family, metadata } of batch.metadata ?? []) record.metadata(family, metadata);
    if (record.isEmpty && record.points === 0) return;
    this.queue.append(record.finish(), record.points);
    this.#wake();
  }

  /** The series' number in the segment being written; -1 when it is not sent. */
  #idOf(index: number, series: TeeSeries): number {
    let outgoing = series.outlets[index];
    if (!outgoing) {
      outgoing = { labels: this.#outgoingLabels(series.labels), segment: 0, id: 0 };
      series.outlets[index] = outgoing;
    }
    if (outgoing.labels === undefined) return -1;
    if (outgoing.segment !== this.#segment) {
      outgoing.segment = this.#segment;
      outgoing.id = this.#nextId++;
      this.#record.series(outgoing.id, outgoing.labels);
    }
    return outgoing.id;
  }

  #outgoingLabels(labels: Labels): Labels | undefined {
    const relabeled = this.#options.relabel(withExternal(labels, this.#options.externalLabels));
    return relabeled && relabeled.length > 0 ? relabeled : undefined;
  }
}

/** External labels where the series has none of that name. */
export function withExternal(labels: Labels, external: Labels): Labels {
  if (external.length === 0) return labels;
  const merged: string[] = [];
  let k = 0;
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!;
    for (; k < external.length && compareText(external[k]!, name) < 0; k += 2)
      merged.push(external[k]!, external[k + 1]!);
    if (external[k] === name) k += 2;
    merged.push(name, labels[i + 1]!);
  }
  for (; k < external.length; k += 2) merged.push(external[k]!, external[k + 1]!);
  return merged;
}
