// From a series' chunks to its samples: floats by the kernel, everything else by the store's decoder. Chunks may overlap and
// ranges may be deleted; both are rare and handled here, off the straight path.

import type { Histogram } from '#model/histogram.ts';
import { CHUNK_XOR, CHUNK_XOR_STARTS, type RawSeries, type SeriesChunks, type TimeRange } from '#model/query.ts';
import { executionError } from '../execute/errors.ts';
import type { QueryKernel } from './kernel.ts';

/** Samples of one chunk; what the store's codec makes of encodings that the kernel does not read. */
export type DecodedChunk = {
  readonly length: number;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly starts?: Float64Array | undefined;
  readonly histograms?: readonly (Histogram | undefined)[] | undefined;
};
export type ChunkDecoder = (encoding: number, bytes: Uint8Array) => DecodedChunk;

const isXor = (encoding: number): boolean => encoding === CHUNK_XOR || encoding === CHUNK_XOR_STARTS;

/** All samples in the range, in time order, each time once. */
export function decodePlain(
  kernel: QueryKernel,
  series: SeriesChunks,
  range: TimeRange,
  decoder: ChunkDecoder,
): RawSeries {
  const chunks: DecodedChunk[] = [];
  let overlapping = false;
  let end = -Infinity;
  let length = 0;
  for (let i = 0; i < series.count; i++) {
    if (series.maxTimes[i]! < range.min || series.minTimes[i]! > range.max) continue;
    const chunk = decodeChunk(kernel, series, i, decoder);
    if (series.minTimes[i]! <= end) overlapping = true;
    end = Math.max(end, series.maxTimes[i]!);
    chunks.push(chunk);
    length += chunk.length;
  }
  const order = overlapping ? mergedOrder(chunks) : undefined;
  return assemble(series, chunks, length, range, order);
}

function decodeChunk(kernel: QueryKernel, series: SeriesChunks, i: number, decoder: ChunkDecoder): DecodedChunk {
  const address = series.addresses[i]!;
  const bytes = series.lengths[i]!;
  const encoding = series.encodings[i]!;
  if (!isXor(encoding)) return decoder(encoding, kernel.u8.slice(address, address + bytes));
  kernel.reserveSamples((kernel.u8[address]! << 8) | kernel.u8[address + 1]!);
  const starts = encoding === CHUNK_XOR_STARTS ? kernel.starts : 0;
  const length = kernel.exports.xorDecode(address, bytes, kernel.times, kernel.values, starts, 0);
  if (length < 0) throw executionError('cannot read a chunk: it ends early');
  const column = (from: number) => kernel.f64.slice(from / 8, from / 8 + length);
  return {
    length,
    timestamps: column(kernel.times),
    values: column(kernel.values),
    starts: starts ? column(kernel.starts) : undefined,
  };
}

type Place = { readonly chunk: number; readonly at: number; readonly time: number };

/** Overlapping chunks in time order; of equal times the earlier chunk's sample counts. */
function mergedOrder(chunks: readonly DecodedChunk[]): Place[] {
  const places = chunks.flatMap(({ timestamps, length }, chunk) =>
    Array.from({ length }, (_, at) => ({ chunk, at, time: timestamps[at]! })),
  );
  places.sort((a, b) => a.time - b.time || a.chunk - b.chunk);
  return places.filter((place, i) => i === 0 || place.time !== places[i - 1]!.time);
}

function assemble(
  { labels, deleted }: SeriesChunks,
  chunks: readonly DecodedChunk[],
  length: number,
  range: TimeRange,
  order: readonly Place[] | undefined,
): RawSeries {
  const timestamps = new Float64Array(length);
  const values = new Float64Array(length);
  const starts = new Float64Array(length);
  const histograms = new Map<number, Histogram>();
  let filled = 0;
  const take = (chunk: DecodedChunk, at: number): void => {
    const time = chunk.timestamps[at]!;
    if (time < range.min || time > range.max) return;
    if (deleted.length > 0 && deleted.some(({ min, max }) => time >= min && time <= max)) return;
    timestamps[filled] = time;
    // Copied as a block of bytes: a stale marker must keep its bits.
    values.set(chunk.values.subarray(at, at + 1), filled);
    starts[filled] = chunk.starts?.[at] ?? 0;
    const histogram = chunk.histograms?.[at];
    if (histogram) histograms.set(filled, histogram);
    filled++;
  };
  if (order) for (const { chunk, at } of order) take(chunks[chunk]!, at);
  else for (const chunk of chunks) for (let at = 0; at < chunk.length; at++) take(chunk, at);
  return {
    labels,
    timestamps: timestamps.subarray(0, filled),
    values: values.subarray(0, filled),
    starts: starts.subarray(0, filled),
    ...(histograms.size > 0 ? { histograms } : {}),
  };
}
