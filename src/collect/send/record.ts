// Records of the disk queue (docs/format/remote-queue.md): what one batch brings for one remote, with the labels of every
// series that the segment has not named yet. A record is a protobuf message whose label fields are those of remote write
// 1.0, so that they are copied into requests as they are.

import type { Exemplar, Metadata } from '#model/batch.ts';
import { type Labels, labelValue, METRIC_NAME } from '#model/labels.ts';
import { ProtoReader, ProtoWriter } from '#wire/protobuf.ts';
import { readHistogram, type SentHistogram, writeHistogram } from '#wire/remote/histogram.ts';
import type { SymbolTable } from '#wire/remote/symbols.ts';
import {
  readExemplarFields,
  readMetadataFields,
  readPairs,
  writeMetadataFields,
  writePairs,
} from '#wire/remote/write-v1.ts';

const SERIES = 1;
const IDS = 2;
const TIMES = 3;
const VALUES = 4;
const STARTS = 5;
const HISTOGRAM = 6;
const EXEMPLAR = 7;
const METADATA = 8;

export type Row = { readonly id: number; readonly timestamp: number; readonly start: number };

/** Builds one record; columns are gathered first and written by `finish`. */
export class RecordWriter {
  readonly #writer = new ProtoWriter(64 * 1024);
  #ids = new Uint32Array(1024);
  #times = new Float64Array(1024);
  #starts = new Float64Array(1024);
  #words = new Uint32Array(2048);
  #rows = 0;
  #hasStarts = false;
  #others = 0;

  reset(): void {
    this.#writer.reset();
    this.#rows = 0;
    this.#others = 0;
    this.#hasStarts = false;
  }

  /** Samples, histograms and exemplars so far. */
  get points(): number {
    return this.#rows + this.#others;
  }

  get isEmpty(): boolean {
    return this.points === 0 && this.#writer.pos === 0;
  }

  series(id: number, labels: Labels): void {
    const at = this.#writer.begin(SERIES);
    writePairs(this.#writer, 1, labels);
    this.#writer.tag(2, 0);
    this.#writer.rawVarint(id);
    this.#writer.end(at);
  }

  sample(id: number, timestamp: number, start: number, low: number, high: number): void {
    if (this.#rows === this.#ids.length) this.#grow();
    const row = this.#rows++;
    this.#ids[row] = id;
    this.#times[row] = timestamp;
    this.#starts[row] = start;
    this.#words[row * 2] = low;
    this.#words[row * 2 + 1] = high;
    if (start !== 0) this.#hasStarts = true;
  }

  histogram(id: number, histogram: SentHistogram): void {
    this.#others++;
    const at = this.#writer.begin(HISTOGRAM);
    this.#writer.varint(1, id);
    const inner = this.#writer.begin(2);
    writeHistogram(this.#writer, histogram);
    this.#writer.end(inner);
    this.#writer.end(at);
  }

  exemplar(id: number, exemplar: Exemplar): void {
    this.#others++;
    const at = this.#writer.begin(EXEMPLAR);
    this.#writer.varint(1, id);
    this.#writer.double(2, exemplar.value);
    this.#writer.varint(3, exemplar.timestamp);
    writePairs(this.#writer, 4, exemplar.labels);
    this.#writer.end(at);
  }

  metadata(family: string, metadata: Metadata): void {
    const at = this.#writer.begin(METADATA);
    writeMetadataFields(this.#writer, family, metadata);
    this.#writer.end(at);
  }

  /** The record; valid until `reset`. */
  finish(): Uint8Array {
    const writer = this.#writer;
    if (this.#rows > 0) {
      this.#deltas(IDS, this.#ids);
      this.#deltas(TIMES, this.#times);
      writer.tag(VALUES, 2);
      writer.rawVarint(this.#rows * 8);
      writer.raw(new Uint8Array(this.#words.buffer, 0, this.#rows * 8));
      if (this.#hasStarts) this.#deltas(STARTS, this.#starts);
    }
    return writer.finish();
  }

  #deltas(field: number, column: Uint32Array | Float64Array): void {
    const at = this.#writer.begin(field);
    let previous = 0;
    for (let i = 0; i < this.#rows; i++) {
      this.#writer.rawSint(column[i]! - previous);
      previous = column[i]!;
    }
    this.#writer.end(at);
  }

  #grow(): void {
    const size = this.#ids.length * 2;
    const copy = <T extends Uint32Array | Float64Array>(next: T, old: T): T => {
      next.set(old as never);
      return next;
    };
    this.#ids = copy(new Uint32Array(size), this.#ids);
    this.#times = copy(new Float64Array(size), this.#times);
    this.#starts = copy(new Float64Array(size), this.#starts);
    this.#words = copy(new Uint32Array(size * 2), this.#words);
  }
}

/** Series that have come in one record, and series of records that share one with them: they are sent by the same lane. */
export type SeriesGroup = { readonly number: number; joined: SeriesGroup | undefined };

export type QueuedSeries = {
  /** Label fields as remote write 1.0 has them in a TimeSeries. */
  readonly encoded: Uint8Array;
  labels: Labels | undefined;
  group: SeriesGroup | undefined;
  /** Of the labels, for lanes; 0 until it is asked for. */
  hash: number;
  /** Labels as numbers of the sender's symbols; version 2.0. */
  symbols: Uint32Array | undefined;
};

export const labelsOfQueued = (series: QueuedSeries): Labels => {
  series.labels ??= readPairs(new ProtoReader(series.encoded), 1);
  return series.labels;
};

export const symbolsOfQueued = (series: QueuedSeries, symbols: SymbolTable): Uint32Array => {
  series.symbols ??= symbols.numbersOf(labelsOfQueued(series));
  return series.symbols;
};

/** Of the family that the series' name says it belongs to. */
export function metadataOfQueued(series: QueuedSeries, metadata: ReadonlyMap<string, Metadata>): Metadata | undefined {
  if (metadata.size === 0) return undefined;
  const name = labelValue(labelsOfQueued(series), METRIC_NAME);
  return metadata.get(name) ?? metadata.get(name.replace(/_(bucket|count|sum|total|created|info)$/, ''));
}

/** A record read back. Columns are decoded only when they are asked for; they have `rows` entries. */
export type QueuedBatch = {
  readonly rows: number;
  /** Numbers of the series as they are packed: equal for records with the same series in the same order. */
  readonly idBytes: Uint8Array;
  /** 8 bytes for each row. */
  readonly valueBytes: Uint8Array;
  readonly hasStarts: boolean;
  /** The one time of all rows; undefined when they differ. */
  readonly time: number | undefined;
  columns(): QueuedColumns;
  readonly histograms: readonly { readonly id: number; readonly histogram: SentHistogram }[];
  readonly exemplars: readonly { readonly id: number; readonly exemplar: Exemplar }[];
  readonly metadata: readonly { readonly family: string; readonly metadata: Metadata }[];
};

export type QueuedColumns = {
  readonly ids: Float64Array;
  readonly times: Float64Array;
  readonly starts: Float64Array | undefined;
  /** Two words for each value, low first. */
  readonly words: Uint32Array;
};

/** Decodes a record; series that it names go into `series`. With `onlySeries` everything else is stepped over. */
export function readRecord(bytes: Uint8Array, series: Map<number, QueuedSeries>, onlySeries = false): QueuedBatch {
  const reader = new ProtoReader(bytes);
  let idBytes = NOTHING;
  let timeBytes = NOTHING;
  let valueBytes = NOTHING;
  let startBytes: Uint8Array | undefined;
  const histograms: { id: number; histogram: SentHistogram }[] = [];
  const exemplars: { id: number; exemplar: Exemplar }[] = [];
  const metadata: { family: string; metadata: Metadata }[] = [];
  while (reader.more()) {
    const tag = reader.tag();
    const field = tag >>> 3;
    if (field !== SERIES && onlySeries) {
      reader.skip(tag);
      continue;
    }
    switch (field) {
      case SERIES:
        readSeries(reader, series);
        break;
      case IDS:
        idBytes = reader.view();
        break;
      case TIMES:
        timeBytes = reader.view();
        break;
      case VALUES:
        valueBytes = reader.view();
        break;
      case STARTS:
        startBytes = reader.view();
        break;
      case HISTOGRAM:
        histograms.push(readQueuedHistogram(reader));
        break;
      case EXEMPLAR:
        exemplars.push(readExemplar(reader));
        break;
      case METADATA:
        metadata.push(readMetadata(reader));
        break;
      default:
        reader.skip(tag);
    }
  }
  const rows = valueBytes.length / 8;
  if (!Number.isInteger(rows)) reader.fail('a value is cut off');
  let decoded: QueuedColumns | undefined;
  return {
    rows,
    idBytes,
    valueBytes,
    hasStarts: startBytes !== undefined,
    time: onlyTime(timeBytes, rows),
    columns() {
      decoded ??= decodeColumns(rows, idBytes, timeBytes, startBytes, valueBytes);
      return decoded;
    },
    histograms,
    exemplars,
    metadata,
  };
}

const NOTHING: Uint8Array = new Uint8Array(0);

function decodeColumns(
  rows: number,
  idBytes: Uint8Array,
  timeBytes: Uint8Array,
  startBytes: Uint8Array | undefined,
  valueBytes: Uint8Array,
): QueuedColumns {
  const ids = deltas(idBytes);
  const times = deltas(timeBytes);
  const starts = startBytes && deltas(startBytes);
  if (ids.length !== rows || times.length !== rows || (starts && starts.length !== rows)) {
    new ProtoReader(idBytes).fail('columns of unequal length');
  }
  return { ids, times, starts, words: new Uint32Array(valueBytes.slice().buffer) };
}

/** Scrapes have one time: behind the first all differences are zero. */
function onlyTime(bytes: Uint8Array, rows: number): number | undefined {
  if (rows === 0) return undefined;
  const reader = new ProtoReader(bytes);
  const time = reader.sint64();
  if (bytes.length - reader.pos !== rows - 1) return undefined;
  for (let i = reader.pos; i < bytes.length; i++) if (bytes[i] !== 0) return undefined;
  return time;
}

function readSeries(reader: ProtoReader, series: Map<number, QueuedSeries>): void {
  const outer = reader.open();
  const start = reader.pos;
  let end = start;
  let id = 0;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 2) id = reader.uint32();
    else {
      reader.skip(tag);
      end = reader.pos;
    }
  }
  reader.close(outer);
  series.set(id, {
    encoded: reader.bytes.slice(start, end),
    labels: undefined,
    group: undefined,
    hash: 0,
    symbols: undefined,
  });
}

function deltas(bytes: Uint8Array): Float64Array {
  const reader = new ProtoReader(bytes);
  const values = new Float64Array(bytes.length);
  let count = 0;
  let value = 0;
  while (reader.more()) values[count++] = value += reader.sint64();
  return values.subarray(0, count);
}

function readQueuedHistogram(reader: ProtoReader): { id: number; histogram: SentHistogram } {
  const outer = reader.open();
  let id = 0;
  let histogram: SentHistogram | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) id = reader.uint32();
    else if (tag >>> 3 === 2) {
      const message = reader.open();
      histogram = readHistogram(reader);
      reader.close(message);
    } else reader.skip(tag);
  }
  reader.close(outer);
  return { id, histogram: histogram ?? reader.fail('a histogram record without histogram') };
}

function readExemplar(reader: ProtoReader): { id: number; exemplar: Exemplar } {
  const outer = reader.open();
  const start = reader.pos;
  let id = 0;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) id = reader.uint32();
    else reader.skip(tag);
  }
  reader.pos = start;
  const exemplar = readExemplarFields(reader, 4);
  reader.close(outer);
  return { id, exemplar };
}

function readMetadata(reader: ProtoReader): { family: string; metadata: Metadata } {
  const outer = reader.open();
  const read = readMetadataFields(reader);
  reader.close(outer);
  return read;
}
