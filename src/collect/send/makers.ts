// Builds the requests of one lane, compressed, point by point or from templates, in both versions of the protocol.

import type { Metadata } from '#model/batch.ts';
import { ProtoWriter } from '#wire/protobuf.ts';
import { writeHistogram } from '#wire/remote/histogram.ts';
import type { SymbolTable } from '#wire/remote/symbols.ts';
import { writePairs } from '#wire/remote/write-v1.ts';
import { WriteV2Encoder } from '#wire/remote/write-v2.ts';
import { putLength, type SnappyEncoder, snappyMaxEncoded } from '#wire/snappy.ts';
import { metadataOfQueued, type QueuedBatch, type QueuedSeries, symbolsOfQueued } from './record.ts';
import { fill, type TemplatePart } from './template.ts';

export type Counts = { samples: number; histograms: number; exemplars: number };

/** A compressed request. */
export type Batch = { readonly body: Uint8Array; readonly counts: Counts; readonly highestTime: number };

export type BatchOptions = {
  readonly maxPoints: number;
  readonly metadata: ReadonlyMap<string, Metadata>;
  readonly symbols: SymbolTable;
  /** Shared by all lanes. */
  readonly snappy: SnappyEncoder;
};

export type ExemplarOf = QueuedBatch['exemplars'][number]['exemplar'];
type Exemplars = readonly ExemplarOf[];
type SentHistogramOf = QueuedBatch['histograms'][number]['histogram'];

export abstract class Maker {
  protected options: BatchOptions;
  #batches: Batch[] = [];
  #counts: Counts = { samples: 0, histograms: 0, exemplars: 0 };
  #points = 0;
  #highest = 0;

  constructor(options: BatchOptions) {
    this.options = options;
  }

  /** A new window. */
  begin(options: BatchOptions): void {
    this.options = options;
  }

  /** The requests of the window. */
  finish(): Batch[] {
    this.#end();
    const batches = this.#batches;
    this.#batches = [];
    return batches;
  }

  #end(): void {
    if (this.#points > 0) {
      this.#batches.push({ body: this.take(), counts: this.#counts, highestTime: this.#highest });
      this.#counts = { samples: 0, histograms: 0, exemplars: 0 };
      this.#points = 0;
      this.#highest = 0;
    }
  }

  /** Ends the request unless it has room for so many more points. */
  protected makeRoom(points: number): void {
    if (this.#points + points > this.options.maxPoints) this.#end();
  }

  protected count(kind: 'samples' | 'histograms', points: number, time: number, exemplars: number): void {
    this.#counts[kind] += points;
    this.#counts.exemplars += exemplars;
    if (time > this.#highest) this.#highest = time;
    this.#points += points + exemplars;
    if (this.#points >= this.options.maxPoints) this.#end();
  }

  /** The request so far, copied and compressed; the next begins. */
  protected abstract take(): Uint8Array;
  abstract sample(
    series: QueuedSeries,
    time: number,
    start: number,
    low: number,
    high: number,
    exemplars: Exemplars,
  ): void;
  abstract histogram(series: QueuedSeries, histogram: SentHistogramOf, exemplars: Exemplars): void;
  /** Rows of a record by their template. */
  abstract part(part: TemplatePart, values: Uint8Array, times: Float64Array, oneTime: boolean): void;
}

/** No length in front of a block takes more. */
const LENGTH_BYTES = 5;

/**
 * Version 1.0: label fields are copied from the queue as they are. A request is a run of elements of snappy: compressed pieces that
 * stand behind each other, of templates and of what was written in between.
 */
export class V1Maker extends Maker {
  readonly #writer = new ProtoWriter(1024);
  #elements = new Uint8Array(0);
  #at = 0;
  #plainBytes = 0;

  sample(series: QueuedSeries, time: number, _start: number, low: number, high: number, exemplars: Exemplars): void {
    const at = this.#begin(series);
    const sample = this.#writer.begin(2);
    this.#writer.words(1, low, high);
    this.#writer.varint(2, time);
    this.#writer.end(sample);
    this.#end(at, exemplars);
    this.count('samples', 1, time, exemplars.length);
  }

  histogram(series: QueuedSeries, histogram: SentHistogramOf, exemplars: Exemplars): void {
    const at = this.#begin(series);
    const message = this.#writer.begin(4);
    writeHistogram(this.#writer, { ...histogram, start: 0 });
    this.#writer.end(message);
    this.#end(at, exemplars);
    this.count('histograms', 1, histogram.timestamp, exemplars.length);
  }

  part(part: TemplatePart, values: Uint8Array, times: Float64Array, oneTime: boolean): void {
    this.makeRoom(part.rows);
    this.#compress();
    fill(part, values, times, oneTime);
    this.#reserve(part.elements.length);
    this.#elements.set(part.elements, this.#at);
    this.#at += part.elements.length;
    this.#plainBytes += part.plainBytes;
    this.count('samples', part.rows, lastTime(part, times, oneTime), 0);
  }

  protected take(): Uint8Array {
    this.#compress();
    const head = new Uint8Array(LENGTH_BYTES);
    const length = putLength(head, this.#plainBytes);
    const body = new Uint8Array(length + this.#at);
    body.set(head.subarray(0, length));
    body.set(this.#elements.subarray(0, this.#at), length);
    this.#at = 0;
    this.#plainBytes = 0;
    return body;
  }

  /** What was written joins the elements. */
  #compress(): void {
    const bytes = this.#writer.finish();
    if (bytes.length === 0) return;
    this.#reserve(snappyMaxEncoded(bytes.length));
    this.#at = this.options.snappy.append(bytes, this.#elements, this.#at);
    this.#plainBytes += bytes.length;
    this.#writer.reset();
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#elements.length) return;
    const larger = new Uint8Array(Math.max(this.#at + count, this.#elements.length * 2));
    larger.set(this.#elements.subarray(0, this.#at));
    this.#elements = larger;
  }

  #begin(series: QueuedSeries): number {
    const at = this.#writer.begin(1);
    this.#writer.raw(series.encoded);
    return at;
  }

  #end(at: number, exemplars: Exemplars): void {
    for (const { labels, value, timestamp } of exemplars) {
      const message = this.#writer.begin(3);
      writePairs(this.#writer, 1, labels);
      this.#writer.double(2, value);
      this.#writer.varint(3, timestamp);
      this.#writer.end(message);
    }
    this.#writer.end(at);
  }
}

const lastTime = ({ from, rows }: TemplatePart, times: Float64Array, oneTime: boolean): number =>
  oneTime ? times[0]! : times.subarray(from, from + rows).reduce((a, b) => (b > a ? b : a), 0);

/** Version 2.0: what comes point by point shares a request and its symbols; what fills a template is a request of its own. */
export class V2Maker extends Maker {
  readonly #encoder: WriteV2Encoder;
  #filled: Uint8Array | undefined;

  constructor(options: BatchOptions) {
    super(options);
    this.#encoder = new WriteV2Encoder(options.symbols);
  }

  sample(series: QueuedSeries, time: number, start: number, low: number, high: number, exemplars: Exemplars): void {
    this.#begin(series);
    this.#encoder.sample(time, start, low, high);
    this.#end(series, exemplars);
    this.count('samples', 1, time, exemplars.length);
  }

  histogram(series: QueuedSeries, histogram: SentHistogramOf, exemplars: Exemplars): void {
    this.#begin(series);
    this.#encoder.histogram(histogram);
    this.#end(series, exemplars);
    this.count('histograms', 1, histogram.timestamp, exemplars.length);
  }

  part(part: TemplatePart, values: Uint8Array, times: Float64Array, oneTime: boolean): void {
    const { maxPoints } = this.options;
    this.makeRoom(maxPoints);
    fill(part, values, times, oneTime);
    const head = new Uint8Array(LENGTH_BYTES);
    const length = putLength(head, part.plainBytes);
    const body = new Uint8Array(length + part.elements.length);
    body.set(head.subarray(0, length));
    body.set(part.elements, length);
    this.#filled = body;
    this.count('samples', part.rows, lastTime(part, times, oneTime), 0);
    this.makeRoom(maxPoints);
  }

  protected take(): Uint8Array {
    const filled = this.#filled;
    if (filled) {
      this.#filled = undefined;
      return filled;
    }
    const body = this.options.snappy.encode(this.#encoder.finish()).slice();
    this.#encoder.reset();
    return body;
  }

  #begin(series: QueuedSeries): void {
    this.#encoder.knownSeries(symbolsOfQueued(series, this.options.symbols));
  }

  #end(series: QueuedSeries, exemplars: Exemplars): void {
    for (const { labels, value, timestamp } of exemplars) this.#encoder.exemplar(labels, value, timestamp);
    const found = metadataOfQueued(series, this.options.metadata);
    if (found) this.#encoder.metadata(found);
  }
}
