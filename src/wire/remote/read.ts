// Remote read, both sides: requests and answers, the latter in both forms: one message with samples, or a stream of frames with
// chunks. A frame is its message's length as a varint, the message's CRC-32C big-endian, the message.

import { crc32c } from '#base/crc32c.ts';
import { OperatingError } from '#base/errors.ts';
import type { Histogram } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import type { Matcher, MatchType } from '#model/matcher.ts';
import { setStale } from '#model/value.ts';
import { BYTES, ProtoReader, ProtoWriter } from '../protobuf.ts';
import { readHistogram, type SentHistogram, writeHistogram } from './histogram.ts';
import { readPairs, writePairs } from './write-v1.ts';

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

/** A request of one query that takes streamed chunks and, failing that, samples. */
export function encodeReadRequest(query: ReadQuery): Uint8Array {
  const writer = new ProtoWriter(256);
  const at = writer.begin(1);
  writer.varint(1, query.start);
  writer.varint(2, query.end);
  for (const { type, name, value } of query.matchers) {
    const matcher = writer.begin(3);
    writer.varint(1, MATCH_TYPES.indexOf(type));
    writer.string(2, name);
    writer.string(3, value);
    writer.end(matcher);
  }
  const hints = writer.begin(4);
  writer.varint(3, query.start);
  writer.varint(4, query.end);
  writer.end(hints);
  writer.end(at);
  writer.tag(2, 0);
  writer.rawVarint(STREAMED_XOR_CHUNKS);
  writer.tag(2, 0);
  writer.rawVarint(SAMPLES);
  return writer.finish();
}

export type ReadSeries = {
  readonly labels: Labels;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly histograms?: ReadonlyMap<number, Histogram>;
};

/** One series of a query's result in the samples form, with its tag. */
export function encodeReadSeries(series: ReadSeries): Uint8Array {
  const writer = new ProtoWriter(64 + series.timestamps.length * 20);
  const at = writer.begin(1);
  writeSeries(writer, series);
  writer.end(at);
  return writer.finish();
}

/** The answer of the samples form from its encoded series; one entry for each query. */
export function joinReadResponse(results: readonly (readonly Uint8Array[])[]): Uint8Array {
  const writer = new ProtoWriter(results.flat().reduce((sum, { length }) => sum + length, 64));
  for (const series of results) {
    writer.tag(1, BYTES);
    writer.rawVarint(series.reduce((sum, { length }) => sum + length, 0));
    for (const one of series) writer.raw(one);
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

/** The series of an answer in the samples form, of all its queries. */
export function decodeReadResponse(bytes: Uint8Array): ReadSeries[] {
  const reader = new ProtoReader(bytes);
  const series: ReadSeries[] = [];
  reader.messages(1, () => reader.messages(1, () => series.push(readSampledSeries(reader))));
  return series;
}

function readSampledSeries(reader: ProtoReader): ReadSeries {
  const start = reader.pos;
  const labels = readPairs(reader, 1);
  reader.pos = start;
  const times: number[] = [];
  const words: number[] = [];
  const histograms: SentHistogram[] = [];
  const pair = new Uint32Array(2);
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 !== 2 && tag >>> 3 !== 4) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.open();
    if (tag >>> 3 === 4) histograms.push(readHistogram(reader));
    else {
      pair.fill(0);
      let time = 0;
      while (reader.more()) {
        const inner = reader.tag();
        if (inner >>> 3 === 1) reader.words(pair, 0);
        else if (inner >>> 3 === 2) time = reader.int64();
        else reader.skip(inner);
      }
      times.push(time);
      words.push(pair[0]!, pair[1]!);
    }
    reader.close(outer);
  }
  return joined(labels, times, words, histograms);
}

/** Floats and histograms of one series come apart; together they are in time order. */
function joined(
  labels: Labels,
  times: readonly number[],
  words: readonly number[],
  histograms: readonly SentHistogram[],
): ReadSeries {
  const count = times.length + histograms.length;
  const timestamps = new Float64Array(count);
  const values = new Float64Array(count);
  const bits = new Uint32Array(values.buffer);
  const placed = new Map<number, Histogram>();
  let k = 0;
  let i = 0;
  for (let row = 0; row < count; row++) {
    const histogram = histograms[k];
    if (histogram && (i === times.length || histogram.timestamp <= times[i]!)) {
      timestamps[row] = histogram.timestamp;
      values[row] = histogram.value.sum;
      if (histogram.value.stale) setStale(values, row);
      placed.set(row, histogram.value);
      k++;
    } else {
      timestamps[row] = times[i]!;
      bits[row * 2] = words[i * 2]!;
      bits[row * 2 + 1] = words[i * 2 + 1]!;
      i++;
    }
  }
  return { labels, timestamps, values, ...(placed.size > 0 ? { histograms: placed } : {}) };
}

export type ChunkedSeries = { readonly labels: Labels; readonly chunks: readonly ReadChunk[] };

/** The series of one frame's message. */
export function decodeChunkFrame(message: Uint8Array): ChunkedSeries[] {
  const reader = new ProtoReader(message);
  const series: ChunkedSeries[] = [];
  reader.messages(1, () => {
    const start = reader.pos;
    const labels = readPairs(reader, 1);
    reader.pos = start;
    const chunks: ReadChunk[] = [];
    reader.messages(2, () => chunks.push(readChunk(reader)));
    series.push({ labels, chunks });
  });
  return series;
}

function readChunk(reader: ProtoReader): ReadChunk {
  let minTime = 0;
  let maxTime = 0;
  let encoding = 0;
  let bytes = new Uint8Array(0);
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) minTime = reader.int64();
    else if (tag >>> 3 === 2) maxTime = reader.int64();
    else if (tag >>> 3 === 3) encoding = reader.int32();
    else if (tag >>> 3 === 4) bytes = reader.view().slice();
    else reader.skip(tag);
  }
  return { encoding, minTime, maxTime, bytes };
}

/** Cuts a stream into the messages of its frames, each checked against its checksum. */
export async function* readFrames(stream: AsyncIterable<Uint8Array>, maxBytes: number): AsyncIterable<Uint8Array> {
  let pending: Uint8Array = new Uint8Array(0);
  for await (const part of stream) {
    const joined = new Uint8Array(pending.length + part.length);
    joined.set(pending);
    joined.set(part, pending.length);
    pending = joined;
    for (;;) {
      const head = frameHead(pending, maxBytes);
      if (!head || pending.length < head.end) break;
      const message = pending.subarray(head.start, head.end);
      const view = new DataView(pending.buffer, pending.byteOffset + head.start - 4, 4);
      if (view.getUint32(0) !== crc32c(message)) {
        throw new OperatingError('remote_read', 'a frame of the answer does not have its checksum');
      }
      yield message;
      pending = pending.subarray(head.end);
    }
  }
  if (pending.length > 0) throw new OperatingError('remote_read', 'the answer ends within a frame');
}

/** Where the message of the first frame lies; undefined when its length has not come whole. */
function frameHead(bytes: Uint8Array, maxBytes: number): { readonly start: number; readonly end: number } | undefined {
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    length += (bytes[i]! & 0x7f) * 2 ** (7 * i);
    if (length > maxBytes) {
      throw new OperatingError(
        'remote_read',
        `a frame of the answer is larger than chunked_read_limit (${maxBytes} bytes)`,
      );
    }
    if (bytes[i]! < 0x80) return { start: i + 5, end: i + 5 + length };
    if (i === 9) throw new OperatingError('remote_read', 'the answer is no stream of frames');
  }
  return undefined;
}
