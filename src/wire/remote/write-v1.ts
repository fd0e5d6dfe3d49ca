// Remote write 1.0: prometheus.WriteRequest. The decoder is the reference for kernel/remote.ts, which does the same without
// building strings, and takes over whenever that meets something unusual.

import type { Exemplar, Metadata } from '#model/batch.ts';
import type { Labels } from '#model/labels.ts';
import { ProtoReader, ProtoWriter } from '../protobuf.ts';
import { readHistogram, type SentHistogram, writeHistogram } from './histogram.ts';
import { METRIC_TYPES, type WriteSink } from './sink.ts';

export function decodeWriteV1(bytes: Uint8Array, sink: WriteSink): void {
  const reader = new ProtoReader(bytes);
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1: {
        const outer = reader.open();
        readSeries(reader, sink);
        reader.close(outer);
        break;
      }
      case 3: {
        const outer = reader.open();
        readMetadata(reader, sink);
        reader.close(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
}

/** Fields may come in any order, so labels are gathered first and the rest is read in a second pass. */
function readSeries(reader: ProtoReader, sink: WriteSink): void {
  const start = reader.pos;
  sink.series(readPairs(reader, 1));
  reader.pos = start;
  readPoints(reader, sink);
}

/** What belongs to a series beside its labels: samples, exemplars, histograms. */
function readPoints(reader: ProtoReader, sink: WriteSink): void {
  const words = new Uint32Array(2);
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 2: {
        const outer = reader.open();
        words.fill(0);
        let timestamp = 0;
        while (reader.more()) {
          const inner = reader.tag();
          if (inner >>> 3 === 1) reader.words(words, 0);
          else if (inner >>> 3 === 2) timestamp = reader.int64();
          else reader.skip(inner);
        }
        reader.close(outer);
        sink.sample(timestamp, 0, words[0]!, words[1]!);
        break;
      }
      case 3: {
        const outer = reader.open();
        readExemplar(reader, sink);
        reader.close(outer);
        break;
      }
      case 4: {
        const outer = reader.open();
        sink.histogram(readHistogram(reader));
        reader.close(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
}

/** Only exemplars and histograms of the series message in bytes[start, end): the kernel has taken its samples. */
export function decodeExtrasV1(bytes: Uint8Array, start: number, end: number, sink: WriteSink): void {
  const reader = new ProtoReader(bytes, start, end);
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 !== 3 && tag >>> 3 !== 4) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.open();
    if (tag >>> 3 === 3) readExemplar(reader, sink);
    else sink.histogram(readHistogram(reader));
    reader.close(outer);
  }
}

/** The labels of a run of label fields in bytes[start, end). */
export function decodeLabelsV1(bytes: Uint8Array, start: number, end: number): string[] {
  return readPairs(new ProtoReader(bytes, start, end), 1);
}

/** One MetricMetadata message in bytes[start, end). */
export function decodeMetadataV1(bytes: Uint8Array, start: number, end: number, sink: WriteSink): void {
  readMetadata(new ProtoReader(bytes, start, end), sink);
}

/** Flat pairs from the repeated Label field; everything else is stepped over. */
export function readPairs(reader: ProtoReader, field: number): string[] {
  const pairs: string[] = [];
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 !== field) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.open();
    let name = '';
    let value = '';
    while (reader.more()) {
      const inner = reader.tag();
      if (inner >>> 3 === 1) name = reader.string();
      else if (inner >>> 3 === 2) value = reader.string();
      else reader.skip(inner);
    }
    reader.close(outer);
    pairs.push(name, value);
  }
  return pairs;
}

function readExemplar(reader: ProtoReader, sink: WriteSink): void {
  sink.exemplar(readExemplarFields(reader, 1));
}

/** An exemplar whose labels are in a field of this number; the caller has opened its message. */
export function readExemplarFields(reader: ProtoReader, labelsField: number): Exemplar {
  const start = reader.pos;
  const labels = readPairs(reader, labelsField);
  reader.pos = start;
  let value = 0;
  let timestamp = 0;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 2) value = reader.double();
    else if (tag >>> 3 === 3) timestamp = reader.int64();
    else reader.skip(tag);
  }
  return { labels, value, timestamp };
}

function readMetadata(reader: ProtoReader, sink: WriteSink): void {
  const { family, metadata } = readMetadataFields(reader);
  sink.metadata(family, metadata);
}

/** The fields of a MetricMetadata; the caller has opened the message. */
export function readMetadataFields(reader: ProtoReader): { readonly family: string; readonly metadata: Metadata } {
  let type = 0;
  let family = '';
  let help = '';
  let unit = '';
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) type = reader.int32();
    else if (tag >>> 3 === 2) family = reader.string();
    else if (tag >>> 3 === 4) help = reader.string();
    else if (tag >>> 3 === 5) unit = reader.string();
    else reader.skip(tag);
  }
  return { family, metadata: { type: METRIC_TYPES[type] ?? 'unknown', help, unit } };
}

export function writeMetadataFields(writer: ProtoWriter, family: string, metadata: Metadata): void {
  writer.varint(1, METRIC_TYPES.indexOf(metadata.type));
  writer.string(2, family);
  writer.string(4, metadata.help);
  writer.string(5, metadata.unit);
}

/** Builds requests of version 1.0, a series at a time. */
export class WriteV1Encoder {
  readonly #writer = new ProtoWriter(64 * 1024);
  #open = -1;

  reset(): void {
    this.#writer.reset();
    this.#open = -1;
  }

  series(labels: Labels): void {
    this.#close();
    this.#open = this.#writer.begin(1);
    writePairs(this.#writer, 1, labels);
  }

  sample(timestamp: number, low: number, high: number): void {
    const at = this.#writer.begin(2);
    this.#writer.words(1, low, high);
    this.#writer.varint(2, timestamp);
    this.#writer.end(at);
  }

  exemplar(labels: Labels, value: number, timestamp: number): void {
    const at = this.#writer.begin(3);
    writePairs(this.#writer, 1, labels);
    this.#writer.double(2, value);
    this.#writer.varint(3, timestamp);
    this.#writer.end(at);
  }

  histogram(histogram: SentHistogram): void {
    const at = this.#writer.begin(4);
    // Version 1.0 has no start timestamps.
    writeHistogram(this.#writer, { ...histogram, start: 0 });
    this.#writer.end(at);
  }

  metadata(family: string, metadata: Metadata): void {
    this.#close();
    const at = this.#writer.begin(3);
    writeMetadataFields(this.#writer, family, metadata);
    this.#writer.end(at);
  }

  /** The request; valid until the next `reset`. */
  finish(): Uint8Array {
    this.#close();
    return this.#writer.finish();
  }

  #close(): void {
    if (this.#open >= 0) this.#writer.end(this.#open);
    this.#open = -1;
  }
}

export function writePairs(writer: ProtoWriter, field: number, labels: Labels): void {
  for (let i = 0; i < labels.length; i += 2) {
    const at = writer.begin(field);
    writer.string(1, labels[i]!);
    writer.string(2, labels[i + 1]!);
    writer.end(at);
  }
}
