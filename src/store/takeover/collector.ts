// Gathers the samples of series from a log's records, as chunks by series. It keeps what Prometheus' own replay would keep:
// of the in-order log only what moves a series forward, of the out-of-order log everything.

import type { Histogram } from '#model/histogram.ts';
import { compareLabels, type Labels, labelsKey } from '#model/labels.ts';
import type { TimeRange } from '#model/query.ts';
import { addRange } from '../block/tombstones.ts';
import type { ChunkedSeries, EncodedChunk, SeriesChunkSource } from '../chunks.ts';
import { encodeChunks, SAMPLES_PER_CHUNK } from '../codec/chunk.ts';
import { SampleColumns } from '../codec/samples.ts';
import { mergeSeries } from '../compact/series.ts';
import type { RecordSink } from './records.ts';

class Collected {
  readonly labels: Labels;
  readonly chunks: EncodedChunk[] = [];
  readonly outOfOrderChunks: EncodedChunk[] = [];
  /** Samples that are not a chunk yet, ascending. */
  open: SampleColumns | undefined;
  openOutOfOrder: SampleColumns | undefined;
  deleted: readonly TimeRange[] = [];
  /** The newest in-order sample seen, in the range or not. */
  lastTime = -Infinity;

  constructor(labels: Labels) {
    this.labels = labels;
  }
}

export class SeriesCollector {
  readonly #range: TimeRange;
  readonly #validFrom: number;
  readonly #byRef = new Map<number, Collected>();
  readonly #byLabels = new Map<string, Collected>();

  constructor(range: TimeRange, validFrom: number) {
    this.#range = range;
    this.#validFrom = validFrom;
  }

  /** Makes a series known; only those are collected. Several references may mean one series. */
  add(ref: number, labels: Labels): void {
    const key = labelsKey(labels);
    let series = this.#byLabels.get(key);
    if (!series) {
      series = new Collected(labels);
      this.#byLabels.set(key, series);
    }
    this.#byRef.set(ref, series);
  }

  chunk(ref: number, outOfOrder: boolean, chunk: EncodedChunk): void {
    const series = this.#byRef.get(ref);
    if (!series) return;
    if (!outOfOrder) series.lastTime = Math.max(series.lastTime, chunk.maxTime);
    if (chunk.maxTime < this.#range.min || chunk.minTime > this.#range.max) return;
    if (!outOfOrder && chunk.maxTime < this.#validFrom) return;
    (outOfOrder ? series.outOfOrderChunks : series.chunks).push({ ...chunk, bytes: chunk.bytes.slice() });
  }

  /** What an in-order log says. Its series are known already. */
  get inOrder(): RecordSink {
    return {
      sample: (ref, time, high, low) => {
        const series = this.#forward(ref, time);
        if (series) this.#room(series, time).pushBits(time, high, low);
      },
      histogram: (ref, time, histogram: Histogram) => {
        const series = this.#forward(ref, time);
        if (series) this.#room(series, time).pushHistogram(time, histogram);
      },
      deleted: (ref, min, max) => {
        const series = this.#byRef.get(ref);
        if (series) series.deleted = addRange(series.deleted, { min, max });
      },
    };
  }

  get outOfOrder(): RecordSink {
    return {
      sample: (ref, time, high, low) => {
        const series = this.#within(ref, time);
        if (series) this.#roomOutOfOrder(series, time).pushBits(time, high, low);
      },
      histogram: (ref, time, histogram: Histogram) => {
        const series = this.#within(ref, time);
        if (series) this.#roomOutOfOrder(series, time).pushHistogram(time, histogram);
      },
    };
  }

  /** The series if a sample moves it forward and belongs to the range. */
  #forward(ref: number, time: number): Collected | undefined {
    const series = this.#byRef.get(ref);
    if (!series || time <= series.lastTime) return undefined;
    series.lastTime = time;
    return time >= this.#range.min && time <= this.#range.max && time >= this.#validFrom ? series : undefined;
  }

  #within(ref: number, time: number): Collected | undefined {
    return time >= this.#range.min && time <= this.#range.max ? this.#byRef.get(ref) : undefined;
  }

  #room(series: Collected, time: number): SampleColumns {
    const open = series.open;
    if (open && isFull(open, time)) {
      series.chunks.push(...encodeChunks(open));
      open.clear();
    }
    series.open = open ?? new SampleColumns(8);
    return series.open;
  }

  #roomOutOfOrder(series: Collected, time: number): SampleColumns {
    const open = series.openOutOfOrder;
    if (open && isFull(open, time)) {
      series.outOfOrderChunks.push(...encodeChunks(open));
      open.clear();
    }
    series.openOutOfOrder = open ?? new SampleColumns(8);
    return series.openOutOfOrder;
  }

  /** All that was collected, as what a part is written from. Earlier samples win over out-of-order ones of equal time. */
  source(range: TimeRange): SeriesChunkSource {
    const validFrom = this.#validFrom;
    const all = [...this.#byLabels.values()].sort((a, b) => compareLabels(a.labels, b.labels));
    return {
      range,
      *series(wanted: TimeRange): Generator<ChunkedSeries> {
        for (const { labels, chunks, outOfOrderChunks, open, openOutOfOrder, deleted } of all) {
          const gone = validFrom > -Infinity ? addRange(deleted, { min: -(2 ** 53), max: validFrom - 1 }) : deleted;
          const merged = mergeSeries(
            [
              { labels, chunks: open ? [...chunks, ...encodeChunks(open)] : chunks, deleted: gone },
              {
                labels,
                chunks: openOutOfOrder ? [...outOfOrderChunks, ...encodeChunks(openOutOfOrder)] : outOfOrderChunks,
                deleted,
              },
            ],
            wanted,
          );
          if (merged.length > 0) yield { labels, chunks: merged, deleted: [] };
        }
      },
    };
  }
}

/** A chunk is full, or the next sample would go back in time. */
function isFull(open: SampleColumns, time: number): boolean {
  return open.length >= SAMPLES_PER_CHUNK || (open.length > 0 && time <= open.timestamps[open.length - 1]!);
}
