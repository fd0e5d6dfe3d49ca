// The samples of scrapes as they are read, one scrape behind the other: columns in kernel memory that one worker fills again and
// again. What is appended is a copy of exact size, because the worker goes on to the next target while the store takes the batch.

import { type Exemplar, type Metadata, newSeries, type SampleBatch, type SeriesRef } from '#model/batch.ts';
import { ColumnBuffers } from '#model/columns.ts';
import type { Histogram } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import { type PackedSeries, packSeries } from '#model/packed.ts';
import { NAN_HIGH, NAN_LOW, STALE_HIGH, STALE_LOW } from '#model/value.ts';
import { GrowingBlock, type Slab } from './slab.ts';

export type HistogramRow = { ref: SeriesRef; timestamp: number; start?: number; value: Histogram };
export type ExemplarRow = { ref: SeriesRef; exemplar: Exemplar };

/** A place in the rows: what one scrape adds lies between two of them. */
export type RowMark = {
  readonly sample: number;
  readonly series: number;
  readonly labelBytes: number;
  readonly histogram: number;
  readonly exemplar: number;
  readonly metadata: number;
};

const FIRST_CAPACITY = 4096;
/** Records of labels that the memory is kept for; a flood of new series is an exception. */
const USUAL_LABEL_BYTES = 64 * 1024;

export class Rows {
  length = 0;
  /** Label sets of new series, and the bytes of their records. */
  seriesCount = 0;
  labelBytes = 0;
  histograms: HistogramRow[] = [];
  exemplars: ExemplarRow[] = [];
  metadata: { family: string; metadata: Metadata }[] = [];
  readonly #slab: Slab;
  readonly #refs: GrowingBlock;
  readonly #timestamps: GrowingBlock;
  readonly #values: GrowingBlock;
  readonly #labels: GrowingBlock;
  /** Start timestamps, from the first row that has one. */
  #starts: Float64Array | undefined;

  constructor(slab: Slab, capacity = FIRST_CAPACITY) {
    this.#slab = slab;
    this.#refs = new GrowingBlock(slab, capacity * 8);
    this.#timestamps = new GrowingBlock(slab, capacity * 8);
    this.#values = new GrowingBlock(slab, capacity * 8);
    this.#labels = new GrowingBlock(slab, capacity);
  }

  /** Gives the memory back; the rows cannot be used any more. */
  release(): void {
    for (const block of [this.#refs, this.#timestamps, this.#values, this.#labels])
      this.#slab.release(block.address, block.bytes);
  }

  get capacity(): number {
    return this.#refs.bytes / 8;
  }
  get refsAddress(): number {
    return this.#refs.address;
  }
  get timestampsAddress(): number {
    return this.#timestamps.address;
  }
  get valuesAddress(): number {
    return this.#values.address;
  }

  reset(): void {
    this.length = 0;
    this.seriesCount = 0;
    this.labelBytes = 0;
    this.#labels.shrink(USUAL_LABEL_BYTES);
    this.histograms = [];
    this.exemplars = [];
    this.metadata = [];
    this.#starts = undefined;
  }

  mark(): RowMark {
    return {
      sample: this.length,
      series: this.seriesCount,
      labelBytes: this.labelBytes,
      histogram: this.histograms.length,
      exemplar: this.exemplars.length,
      metadata: this.metadata.length,
    };
  }

  /** Takes back all that was added since. */
  rollback(mark: RowMark): void {
    this.#starts?.fill(0, mark.sample);
    this.length = mark.sample;
    this.seriesCount = mark.series;
    this.labelBytes = mark.labelBytes;
    this.histograms.length = mark.histogram;
    this.exemplars.length = mark.exemplar;
    this.metadata.length = mark.metadata;
  }

  /** Makes room for `count` more rows. */
  reserve(count: number): void {
    if (this.length + count <= this.capacity) return;
    for (const column of [this.#refs, this.#timestamps, this.#values]) {
      column.grow((this.length + count) * 8, this.length * 8);
    }
  }

  /** Where the kernel puts records of labels: from `labelsAt` up to `labelsEnd`. */
  get labelsAt(): number {
    return this.#labels.address + this.labelBytes;
  }
  get labelsEnd(): number {
    return this.#labels.address + this.#labels.bytes;
  }

  /** The kernel has put records up to there. */
  tookLabels(count: number, end: number): void {
    this.seriesCount = count;
    this.labelBytes = end - this.#labels.address;
  }

  reserveLabels(bytes: number): void {
    this.#labels.grow(this.labelBytes + bytes, this.labelBytes);
  }

  /** The label set of a new series; what stands for its number until the store gives one. */
  addSeries(labels: Labels): SeriesRef {
    const { bytes } = packSeries([labels]);
    this.reserveLabels(bytes.length);
    this.#slab.memory.u8.set(bytes, this.labelsAt);
    this.labelBytes += bytes.length;
    return newSeries(this.seriesCount++);
  }

  push(ref: SeriesRef, timestamp: number, value: number, start = 0): void {
    this.reserve(1);
    const row = this.length++;
    const { f64 } = this.#slab.memory;
    f64[this.#refs.address / 8 + row] = ref;
    f64[this.#timestamps.address / 8 + row] = timestamp;
    if (Number.isNaN(value)) this.#setBits(row, NAN_LOW, NAN_HIGH);
    else f64[this.#values.address / 8 + row] = value;
    if (start !== 0) this.#setStart(row, start);
  }

  pushStale(ref: SeriesRef, timestamp: number): void {
    this.push(ref, timestamp, 0);
    this.#setBits(this.length - 1, STALE_LOW, STALE_HIGH);
  }

  /** Start timestamps since a mark are not wanted. */
  dropStarts(mark: RowMark): void {
    this.#starts?.fill(0, mark.sample);
    for (const row of this.histograms.slice(mark.histogram)) delete row.start;
  }

  /** A copy, in memory of `buffers`. */
  batch(buffers = new ColumnBuffers()): SampleBatch {
    const { length } = this;
    const { f64 } = this.#slab.memory;
    const copy = buffers.take(length * 3);
    const column = (block: GrowingBlock, number: number) => {
      const target = copy.subarray(number * length, (number + 1) * length);
      target.set(f64.subarray(block.address / 8, block.address / 8 + length));
      return target;
    };
    const starts = this.#starts;
    if (starts && starts.length < length) this.#setStart(length - 1, 0);
    return {
      refs: column(this.#refs, 0),
      timestamps: column(this.#timestamps, 1),
      values: column(this.#values, 2),
      ...(this.#hasStarts() ? { starts: this.#starts!.slice(0, length) } : {}),
      series: [],
      ...(this.seriesCount > 0 ? { packed: this.#packed() } : {}),
      ...(this.histograms.length > 0 ? { histograms: this.histograms } : {}),
      ...(this.exemplars.length > 0 ? { exemplars: this.exemplars } : {}),
      ...(this.metadata.length > 0 ? { metadata: this.metadata } : {}),
    };
  }

  #packed(): PackedSeries {
    const { address } = this.#labels;
    return { count: this.seriesCount, bytes: this.#slab.memory.u8.slice(address, address + this.labelBytes) };
  }

  /** Those that were put in may have been taken back. */
  #hasStarts(): boolean {
    return this.#starts?.subarray(0, this.length).some((start) => start !== 0) ?? false;
  }

  #setBits(row: number, low: number, high: number): void {
    const { u32 } = this.#slab.memory;
    const at = this.#values.address / 4 + row * 2;
    u32[at] = low;
    u32[at + 1] = high;
  }

  #setStart(row: number, start: number): void {
    if (!this.#starts || this.#starts.length <= row) {
      const larger = new Float64Array(Math.max(this.capacity, row + 1));
      if (this.#starts) larger.set(this.#starts);
      this.#starts = larger;
    }
    this.#starts[row] = start;
  }
}
