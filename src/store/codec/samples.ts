// Samples of one series out of their chunks, as columns in time order: what merging, deleting and taking over work on.

import type { Histogram } from '#model/histogram.ts';

/** Row i has a value unless `histograms` has an entry for it. */
export class SampleColumns {
  length = 0;
  timestamps: Float64Array;
  values: Float64Array;
  histograms: (Histogram | undefined)[] | undefined;
  /** The values as words, low before high. */
  #words: Uint32Array;

  constructor(capacity = 128) {
    this.timestamps = new Float64Array(capacity);
    this.values = new Float64Array(capacity);
    this.#words = new Uint32Array(this.values.buffer);
  }

  reserve(count: number): void {
    const want = this.length + count;
    if (want <= this.timestamps.length) return;
    const capacity = Math.max(want, this.timestamps.length * 2);
    const timestamps = new Float64Array(capacity);
    timestamps.set(this.timestamps);
    this.timestamps = timestamps;
    const values = new Float64Array(capacity);
    values.set(this.values);
    this.values = values;
    this.#words = new Uint32Array(values.buffer);
  }

  push(timestamp: number, value: number): void {
    this.reserve(1);
    this.timestamps[this.length] = timestamp;
    this.values[this.length++] = value;
  }

  /** A value by its bits. */
  pushBits(timestamp: number, high: number, low: number): void {
    this.reserve(1);
    this.timestamps[this.length] = timestamp;
    this.#words[this.length * 2] = low;
    this.#words[this.length * 2 + 1] = high;
    this.length++;
  }

  pushHistogram(timestamp: number, histogram: Histogram): void {
    this.reserve(1);
    this.histograms ??= [];
    this.histograms[this.length] = histogram;
    this.timestamps[this.length++] = timestamp;
  }

  /** Row `index` of another column set, bits unchanged. */
  pushFrom(other: SampleColumns, index: number): void {
    const histogram = other.histograms?.[index];
    if (histogram) {
      this.pushHistogram(other.timestamps[index]!, histogram);
      return;
    }
    this.reserve(1);
    this.timestamps[this.length] = other.timestamps[index]!;
    this.values.set(other.values.subarray(index, index + 1), this.length++);
  }

  clear(): void {
    this.length = 0;
    this.histograms = undefined;
  }
}
