// Remote read: requests decoded, answers encoded in both forms: one message with samples, or a stream of frames with chunks.
// A frame is its message's length as a varint, the message's CRC-32C big-endian, the message.

import { crc32c } from '#base/crc32c.ts';
import type { Histogram } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import type { Matcher, MatchType } from '#model/matcher.ts';
import { ProtoReader, ProtoWriter } from '../protobuf.ts';
import { writeHistogram } from './histogram.ts';
import { writePairs } from './write-v1.ts';

export type ReadQuery = { readonly start: number; readonly end: number; readonly matchers: readonly Matcher[] };
/** As the request's enum numbers them; unknown numbers stay in the list. */
export const SAMPLES = 0;
export const STREAMED_XOR_CHUNKS = 1;
export type ReadRequest = { readonly queries: readonly ReadQuery[]; readonly accepted: readonly number[] };

const MATCH_TYPES: readonly MatchType[] = ['=', '!=', '=~', '!~'];

export function decodeReadRequest(bytes: Uint8Array): ReadRequest {
  const reader = new ProtoReader(bytes);
  const queries: ReadQuery[] = [];
  const accepted: number[] = [];
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) {
      const outer = reader.open();
      queries.push(readQuery(reader));
      reader.close(outer);
    } else if (tag >>> 3 === 2) reader.repeated(tag, () => accepted.push(reader.int32()));
    else reader.skip(tag);
  }
  return { queries, accepted };
}

function readQuery(reader: ProtoReader): ReadQuery {
  let start = 0;
  let end = 0;
  const matchers: Matcher[] = [];
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) start = reader.int64();
    else if (tag >>> 3 === 2) end = reader.int64();
    else if (tag >>> 3 === 3) {
      const outer = reader.open();
      matchers.push(readMatcher(reader));
      reader.close(outer);
    } else reader.skip(tag);
  }
  return { start, end, matchers };
}

function readMatcher(reader: ProtoReader): Matcher {
  let type = 0;
  let name = '';
  let value = '';
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) type = reader.int32();
    else if (tag >>> 3 === 2) name = reader.string();
    else if (tag >>> 3 === 3) value = reader.string();
    else reader.skip(tag);
  }
  const known = MATCH_TYPES[type];
  if (!known) reader.fail(`invalid matcher type ${type}`);
  return { type: known, name, value };
}

export type ReadSeries = {
  readonly labels: Labels;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly histograms?: ReadonlyMap<number, Histogram>;
};

/** The answer of the samples form; one entry for each query. */
export function encodeReadResponse(results: readonly (readonly ReadSeries[])[]): Uint8Array {
  const writer = new ProtoWriter(64 * 1024);
  for (const series of results) {
    const result = writer.begin(1);
    for (const one of series) {
      const at = writer.begin(1);
      writeSeries(writer, one);
      writer.end(at);
    }
    writer.end(result);
  }
  return writer.finish();
}

function writeSeries(writer: ProtoWriter, { labels, timestamps, values, histograms }: ReadSeries): void {
  writePairs(writer, 1, labels);
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  for (let i = 0; i < timestamps.length; i++) {
    if (histograms?.has(i)) continue;
    const at = writer.begin(2);
    writer.words(1, words[i * 2]!, words[i * 2 + 1]!);
    writer.varint(2, timestamps[i]!);
    writer.end(at);
  }
  for (const [i, value] of histograms ?? []) {
    const at = writer.begin(4);
    writeHistogram(writer, { timestamp: timestamps[i]!, start: 0, value });
    writer.end(at);
  }
}

export type ReadChunk = {
  readonly encoding: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly bytes: Uint8Array;
};

/** Frames of one series: as many as keep each near `maxBytes`, each with the labels. */
export function* chunkFrames(
  query: number,
  labels: Labels,
  chunks: readonly ReadChunk[],
  maxBytes: number,
): Iterable<Uint8Array> {
  for (let next = 0; next < chunks.length; ) {
    const writer = new ProtoWriter(4096);
    const series = writer.begin(1);
    writePairs(writer, 1, labels);
    do {
      const chunk = chunks[next++]!;
      const at = writer.begin(2);
      writer.varint(1, chunk.minTime);
      writer.varint(2, chunk.maxTime);
      writer.varint(3, chunk.encoding);
      writer.blob(4, chunk.bytes);
      writer.end(at);
    } while (next < chunks.length && writer.pos + chunks[next]!.bytes.length < maxBytes);
    writer.end(series);
    writer.varint(2, query);
    yield frame(writer.finish());
  }
}

function frame(message: Uint8Array): Uint8Array {
  const writer = new ProtoWriter(message.length + 16);
  writer.rawVarint(message.length);
  const crc = crc32c(message);
  writer.raw(Uint8Array.of(crc >>> 24, crc >>> 16, crc >>> 8, crc));
  writer.raw(message);
  return writer.finish();
}
