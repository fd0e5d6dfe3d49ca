// From queued records to requests: a window of records is dealt out to lanes by series, each lane becomes requests of at
// most so many points. A series stays in its lane, so its samples arrive in order although lanes run side by side.

import type { Metadata } from '#model/batch.ts';
import { CUSTOM_BUCKETS_SCHEMA } from '#model/histogram.ts';
import { labelValue, METRIC_NAME } from '#model/labels.ts';
import { ProtoWriter } from '#wire/protobuf.ts';
import { writeHistogram } from '#wire/remote/histogram.ts';
import { writePairs } from '#wire/remote/write-v1.ts';
import { WriteV2Encoder } from '#wire/remote/write-v2.ts';
import { labelsOfQueued, type QueuedBatch, type QueuedSeries } from './record.ts';

export type WriteVersion = 1 | 2;

export type Counts = { samples: number; histograms: number; exemplars: number };

/** An encoded request that is not yet compressed. */
export type Batch = { readonly body: Uint8Array; readonly counts: Counts; readonly highestTime: number };

export type BatchOptions = {
  readonly version: WriteVersion;
  readonly maxPoints: number;
  /** Points before this time are left out; 0: none. */
  readonly oldest: number;
  /** Metadata by family, for version 2.0. */
  readonly metadata: ReadonlyMap<string, Metadata>;
};

export type Dropped = { tooOld: Counts; unsupported: number };

/** Requests of each lane, in the order in which they have to be sent. */
export function makeBatches(
  records: readonly { readonly record: QueuedBatch; readonly series: ReadonlyMap<number, QueuedSeries> }[],
  lanes: number,
  options: BatchOptions,
): { readonly lanes: Batch[][]; readonly dropped: Dropped } {
  const makers = Array.from({ length: lanes }, () =>
    options.version === 1 ? new V1Maker(options) : new V2Maker(options),
  );
  const dropped: Dropped = { tooOld: { samples: 0, histograms: 0, exemplars: 0 }, unsupported: 0 };
  for (const { record, series } of records) {
    const exemplars = exemplarsById(record, options.oldest, dropped);
    for (let i = 0; i < record.rows; i++) {
      const id = record.ids[i]!;
      const one = series.get(id);
      const time = record.times[i]!;
      if (!one) continue;
      if (time < options.oldest) dropped.tooOld.samples++;
      else {
        const start = record.starts ? record.starts[i]! : 0;
        const low = record.words[i * 2]!;
        makers[laneOf(one, lanes)]!.sample(one, time, start, low, record.words[i * 2 + 1]!, take(exemplars, id));
      }
    }
    for (const { id, histogram } of record.histograms) {
      const one = series.get(id);
      if (!one) continue;
      if (histogram.timestamp < options.oldest) dropped.tooOld.histograms++;
      else if (options.version === 1 && histogram.value.schema === CUSTOM_BUCKETS_SCHEMA) dropped.unsupported++;
      else makers[laneOf(one, lanes)]!.histogram(one, histogram, take(exemplars, id));
    }
  }
  return { lanes: makers.map((maker) => maker.finish()), dropped };
}

type ExemplarOf = QueuedBatch['exemplars'][number]['exemplar'];
type Exemplars = readonly ExemplarOf[];
const NONE: Exemplars = [];

/** Exemplars travel with the first sample or histogram of their series: alone they would be no valid series. */
function exemplarsById(record: QueuedBatch, oldest: number, dropped: Dropped): Map<number, ExemplarOf[]> {
  const byId = new Map<number, ExemplarOf[]>();
  for (const { id, exemplar } of record.exemplars) {
    if (exemplar.timestamp < oldest) dropped.tooOld.exemplars++;
    else byId.set(id, [...(byId.get(id) ?? []), exemplar]);
  }
  return byId;
}

function take(exemplars: Map<number, ExemplarOf[]>, id: number): Exemplars {
  const found = exemplars.size > 0 ? exemplars.get(id) : undefined;
  if (!found) return NONE;
  exemplars.delete(id);
  return found;
}

/** By the labels, so that a series keeps its lane when a new segment gives it another number. */
function laneOf(series: QueuedSeries, lanes: number): number {
  if (lanes === 1) return 0;
  let hash = 0x811c9dc5;
  for (const byte of series.encoded) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % lanes;
}

type SentHistogramOf = QueuedBatch['histograms'][number]['histogram'];

abstract class Maker {
  protected readonly options: BatchOptions;
  readonly #batches: Batch[] = [];
  #counts: Counts = { samples: 0, histograms: 0, exemplars: 0 };
  #points = 0;
  #highest = 0;

  constructor(options: BatchOptions) {
    this.options = options;
  }

  finish(): Batch[] {
    if (this.#points > 0) {
      this.#batches.push({ body: this.take(), counts: this.#counts, highestTime: this.#highest });
      this.#counts = { samples: 0, histograms: 0, exemplars: 0 };
      this.#points = 0;
    }
    return this.#batches;
  }

  protected count(kind: 'samples' | 'histograms', time: number, exemplars: number): void {
    this.#counts[kind]++;
    this.#counts.exemplars += exemplars;
    if (time > this.#highest) this.#highest = time;
    this.#points += 1 + exemplars;
    if (this.#points >= this.options.maxPoints) this.finish();
  }

  /** The request so far, copied; the next begins. */
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
}

/** Version 1.0: label fields are copied from the queue as they are. */
class V1Maker extends Maker {
  readonly #writer = new ProtoWriter(64 * 1024);

  sample(series: QueuedSeries, time: number, _start: number, low: number, high: number, exemplars: Exemplars): void {
    const at = this.#begin(series);
    const sample = this.#writer.begin(2);
    this.#writer.words(1, low, high);
    this.#writer.varint(2, time);
    this.#writer.end(sample);
    this.#end(at, exemplars);
    this.count('samples', time, exemplars.length);
  }

  histogram(series: QueuedSeries, histogram: SentHistogramOf, exemplars: Exemplars): void {
    const at = this.#begin(series);
    const message = this.#writer.begin(4);
    writeHistogram(this.#writer, { ...histogram, start: 0 });
    this.#writer.end(message);
    this.#end(at, exemplars);
    this.count('histograms', histogram.timestamp, exemplars.length);
  }

  protected take(): Uint8Array {
    const body = this.#writer.finish().slice();
    this.#writer.reset();
    return body;
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

class V2Maker extends Maker {
  readonly #encoder = new WriteV2Encoder();

  sample(series: QueuedSeries, time: number, start: number, low: number, high: number, exemplars: Exemplars): void {
    this.#encoder.series(labelsOfQueued(series));
    this.#encoder.sample(time, start, low, high);
    this.#end(series, exemplars);
    this.count('samples', time, exemplars.length);
  }

  histogram(series: QueuedSeries, histogram: SentHistogramOf, exemplars: Exemplars): void {
    this.#encoder.series(labelsOfQueued(series));
    this.#encoder.histogram(histogram);
    this.#end(series, exemplars);
    this.count('histograms', histogram.timestamp, exemplars.length);
  }

  protected take(): Uint8Array {
    const body = this.#encoder.finish().slice();
    this.#encoder.reset();
    return body;
  }

  #end(series: QueuedSeries, exemplars: Exemplars): void {
    for (const { labels, value, timestamp } of exemplars) this.#encoder.exemplar(labels, value, timestamp);
    const name = labelValue(labelsOfQueued(series), METRIC_NAME);
    const { metadata } = this.options;
    const found = metadata.get(name) ?? metadata.get(name.replace(/_(bucket|count|sum|total|created|info)$/, ''));
    if (found) this.#encoder.metadata(found);
  }
}
