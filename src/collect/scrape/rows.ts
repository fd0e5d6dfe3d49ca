// The samples of one scrape as they are read: growing columns that one worker uses again for every scrape. What is appended
// is a copy of exact size, because the worker goes on to the next target while the store takes the batch.

import type { Exemplar, Metadata, SampleBatch, SeriesRef } from '#model/batch.ts';
import type { Histogram } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import { NAN_HIGH, NAN_LOW, STALE_HIGH, STALE_LOW } from '#model/value.ts';

export type HistogramRow = { ref: SeriesRef; timestamp: number; start?: number; value: Histogram };
export type ExemplarRow = { ref: SeriesRef; exemplar: Exemplar };

export class Rows {
  length = 0;
  refs = new Float64Array(1024);
  timestamps = new Float64Array(1024);
  values = new Float64Array(1024);
  starts = new Float64Array(1024);
  #words = new Uint32Array(this.values.buffer);
  hasStarts = false;
  series: Labels[] = [];
  histograms: HistogramRow[] = [];
  exemplars: ExemplarRow[] = [];
  metadata: { family: string; metadata: Metadata }[] = [];

  reset(): void {
    this.length = 0;
    this.hasStarts = false;
    this.series = [];
    this.histograms = [];
    this.exemplars = [];
    this.metadata = [];
  }

  /** Makes room for `count` more rows. */
  reserve(count: number): void {
    if (this.length + count <= this.refs.length) return;
    const size = Math.max(this.length + count, this.refs.length * 2);
    const grow = (old: Float64Array<ArrayBuffer>) => {
      const larger = new Float64Array(size);
      larger.set(old.subarray(0, this.length));
      return larger;
    };
    // Columns hold stale markers: `set` between Float64Arrays copies bits.
    this.refs = grow(this.refs);
    this.timestamps = grow(this.timestamps);
    this.values = grow(this.values);
    this.starts = grow(this.starts);
    this.#words = new Uint32Array(this.values.buffer);
  }

  push(ref: SeriesRef, timestamp: number, value: number, start = 0): void {
    if (this.length === this.refs.length) this.reserve(1);
    const row = this.length++;
    this.refs[row] = ref;
    this.timestamps[row] = timestamp;
    this.starts[row] = start;
    if (start !== 0) this.hasStarts = true;
    if (!Number.isNaN(value)) this.values[row] = value;
    else {
      this.#words[row * 2] = NAN_LOW;
      this.#words[row * 2 + 1] = NAN_HIGH;
    }
  }

  pushStale(ref: SeriesRef, timestamp: number): void {
    this.push(ref, timestamp, 0);
    const row = this.length - 1;
    this.#words[row * 2] = STALE_LOW;
    this.#words[row * 2 + 1] = STALE_HIGH;
  }

  batch(): SampleBatch {
    const { length } = this;
    return {
      refs: this.refs.slice(0, length),
      timestamps: this.timestamps.slice(0, length),
      values: this.values.slice(0, length),
      ...(this.hasStarts ? { starts: this.starts.slice(0, length) } : {}),
      series: this.series,
      ...(this.histograms.length > 0 ? { histograms: this.histograms } : {}),
      ...(this.exemplars.length > 0 ? { exemplars: this.exemplars } : {}),
      ...(this.metadata.length > 0 ? { metadata: this.metadata } : {}),
    };
  }
}
