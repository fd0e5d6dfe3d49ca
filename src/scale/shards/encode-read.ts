// What remote read gives, encoded where the samples are: a shard's thread makes bytes of each series, and whoever answers
// only puts series of all shards in order.

import { compareLabels, compareText, type Labels } from '#model/labels.ts';
import type { QueryLimits, RawSeries, SelectRequest } from '#model/query.ts';
import { encodeChunks } from '#store/codec/chunk.ts';
import { SampleColumns } from '#store/codec/samples.ts';
import { chunkFrames, encodeReadSeries } from '#wire/remote/read.ts';

export type EncodeRead = {
  readonly select: SelectRequest;
  readonly limits: QueryLimits;
  /** Added to series that do not have them. */
  readonly external: Labels;
  readonly form:
    | { readonly kind: 'samples' }
    | { readonly kind: 'chunks'; readonly query: number; readonly maxFrameBytes: number };
};

/** Series one behind the other: `ends[i]` is where the bytes of series i end. */
export type EncodedSeries = {
  readonly labels: readonly Labels[];
  readonly samples: number;
  readonly ends: Float64Array;
  readonly bytes: Uint8Array;
};

export function encodeForRead(series: readonly RawSeries[], { external, form }: EncodeRead): EncodedSeries {
  const labels: Labels[] = [];
  const ends = new Float64Array(series.length);
  let bytes = new Uint8Array(64 * 1024);
  let at = 0;
  let samples = 0;
  const add = (part: Uint8Array) => {
    if (at + part.length > bytes.length) {
      const larger = new Uint8Array(Math.max(at + part.length, bytes.length * 2));
      larger.set(bytes.subarray(0, at));
      bytes = larger;
    }
    bytes.set(part, at);
    at += part.length;
  };
  series.forEach((one, i) => {
    const named = { ...one, labels: mergeLabels(one.labels, external) };
    labels.push(named.labels);
    samples += one.timestamps.length;
    if (form.kind === 'samples') add(encodeReadSeries(named));
    else {
      const chunks = encodeChunks(columnsOf(one));
      for (const frame of chunkFrames(form.query, named.labels, chunks, form.maxFrameBytes)) add(frame);
    }
    ends[i] = at;
  });
  return { labels, samples, ends, bytes: bytes.subarray(0, at) };
}

/** The bytes of all series, in label order. */
export function* inLabelOrder(parts: readonly EncodedSeries[]): Iterable<Uint8Array> {
  const places = parts.flatMap((part) => part.labels.map((labels, index) => ({ labels, part, index })));
  places.sort((a, b) => compareLabels(a.labels, b.labels));
  for (const { part, index } of places)
    yield part.bytes.subarray(index > 0 ? part.ends[index - 1] : 0, part.ends[index]);
}

function columnsOf({ timestamps, values, histograms }: RawSeries): SampleColumns {
  const columns = new SampleColumns(0);
  columns.timestamps = timestamps;
  columns.values = values;
  columns.length = timestamps.length;
  if (histograms && histograms.size > 0) {
    columns.histograms = [];
    for (const [row, histogram] of histograms) columns.histograms[row] = histogram;
  }
  return columns;
}

function mergeLabels(own: Labels, external: Labels): Labels {
  if (external.length === 0) return own;
  const flat: string[] = [];
  let k = 0;
  for (let i = 0; i < own.length; i += 2) {
    for (; k < external.length && compareText(external[k]!, own[i]!) < 0; k += 2)
      flat.push(external[k]!, external[k + 1]!);
    if (external[k] === own[i]) k += 2;
    flat.push(own[i]!, own[i + 1]!);
  }
  for (; k < external.length; k += 2) flat.push(external[k]!, external[k + 1]!);
  return flat;
}
