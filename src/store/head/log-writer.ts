// What the head puts into the log, as record bodies. Floats are written by the kernel while it appends them; everything else goes
// through here.

import type { Exemplar, Metadata } from '#model/batch.ts';
import type { Histogram, Span } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import type { TimeRange } from '#model/query.ts';
import { FieldWriter } from '../log/fields.ts';
import { KIND } from '../log/format.ts';
import type { ShardLog } from '../log/log.ts';
import { type HeadMemory, MAX_RECORD_BYTES, MAX_RECORD_PAIRS, MAX_ROWS, ROW } from './kernel.ts';
import type { SeriesTable } from './table.ts';

const MAX_CHUNK_BYTES = 128 * 1024;

export class HeadWriter {
  readonly #memory: HeadMemory;
  readonly #table: SeriesTable;
  readonly #fields = new FieldWriter();

  constructor(memory: HeadMemory, table: SeriesTable) {
    this.#memory = memory;
    this.#table = table;
  }

  #emit(kind: number, end: number, log: ShardLog): void {
    const { areas, shard } = this.#memory;
    if (end > areas.record) log.keep.add(kind, shard.u8.subarray(areas.record, end));
  }

  /** Series that have just got their number in the log. */
  series(slots: Uint32Array, log: ShardLog): void {
    const { kernel, areas, shard } = this.#memory;
    for (let done = 0; done < slots.length; ) {
      const part = slots.subarray(done, done + MAX_ROWS);
      shard.u32.set(part, areas.fresh >>> 2);
      // One fewer than may be read: the kernel keeps a pair's number in 16 bits.
      const pairs = MAX_RECORD_PAIRS - 1;
      const end = kernel.putManySeries(areas.record, areas.fresh, part.length, MAX_RECORD_BYTES, pairs);
      this.#emit(KIND.series, end >>> 0, log);
      done += kernel.seriesWritten();
    }
  }

  /** The number of a series in the log; the series is written if it has none. */
  logId(slot: number, log: ShardLog): number {
    if (this.#memory.kernel.logIdOf(slot)) this.series(Uint32Array.of(slot), log);
    const { kernel, shard } = this.#memory;
    return shard.u32[((kernel.rowOf(slot) >>> 0) + ROW.logId) >>> 2]!;
  }

  /** Chunks in the head's memory, as (slot, address) pairs. */
  closedChunks(chunks: Uint32Array, log: ShardLog): void {
    const { kernel, areas } = this.#memory;
    let at = areas.record;
    for (let i = 0; i < chunks.length; i += 2) {
      if (at - areas.record > MAX_RECORD_BYTES - MAX_CHUNK_BYTES) {
        this.#emit(KIND.chunks, at, log);
        at = areas.record;
      }
      at = kernel.putClosedChunk(at, chunks[i]!, chunks[i + 1]!) >>> 0;
    }
    this.#emit(KIND.chunks, at, log);
  }

  /** Open chunks as they are now. */
  openChunks(slots: Uint32Array, log: ShardLog): void {
    const { kernel, areas } = this.#memory;
    let at = areas.record;
    for (const slot of slots) {
      if (at - areas.record > MAX_RECORD_BYTES - MAX_CHUNK_BYTES) {
        this.#emit(KIND.chunks, at, log);
        at = areas.record;
      }
      at = kernel.putOpenChunk(at, slot) >>> 0;
    }
    this.#emit(KIND.chunks, at, log);
  }

  histogram(slot: number, timestamp: number, histogram: Histogram, log: ShardLog): void {
    const id = this.logId(slot, log);
    const out = this.#fields;
    out.unsigned(id);
    out.signed(timestamp);
    writeHistogram(out, histogram);
    log.samples.add(KIND.histograms, out.take());
  }

  exemplar(labels: Labels, exemplar: Exemplar, log: ShardLog): void {
    const out = this.#fields;
    writeLabels(out, labels);
    writeLabels(out, exemplar.labels);
    out.number(exemplar.value);
    out.signed(exemplar.timestamp);
    log.keep.add(KIND.exemplars, out.take());
  }

  metadata(family: string, metadata: Metadata, log: ShardLog): void {
    const out = this.#fields;
    for (const text of [family, metadata.type, metadata.help, metadata.unit]) out.text(text);
    log.keep.add(KIND.metadata, out.take());
  }

  deleted(slot: number, ranges: readonly TimeRange[], log: ShardLog): void {
    const id = this.logId(slot, log);
    const out = this.#fields;
    out.unsigned(id);
    out.unsigned(ranges.length);
    for (const { min, max } of ranges) {
      out.signed(min);
      out.signed(max);
    }
    log.keep.add(KIND.deleted, out.take());
  }

  get table(): SeriesTable {
    return this.#table;
  }
}

function writeLabels(out: FieldWriter, labels: Labels): void {
  out.unsigned(labels.length);
  for (const text of labels) out.text(text);
}

const RESETS = ['unknown', 'reset', 'notReset', 'gauge'] as const;

function writeHistogram(out: FieldWriter, h: Histogram): void {
  out.unsigned((h.integer ? 1 : 0) | (h.stale ? 2 : 0) | (RESETS.indexOf(h.counterReset) << 2));
  out.signed(h.schema);
  for (const value of [h.zeroThreshold, h.zeroCount, h.count, h.sum]) out.number(value);
  const spans = (list: readonly Span[]) => {
    out.unsigned(list.length);
    for (const { offset, length } of list) {
      out.signed(offset);
      out.unsigned(length);
    }
  };
  const doubles = (list: Float64Array) => {
    out.unsigned(list.length);
    for (let i = 0; i < list.length; i++) out.double(list, i);
  };
  spans(h.positiveSpans);
  spans(h.negativeSpans);
  doubles(h.positiveBuckets);
  doubles(h.negativeBuckets);
  doubles(h.customValues ?? new Float64Array(0));
}
