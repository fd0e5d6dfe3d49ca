// Chunks to samples and samples to chunks, for every encoding. What is written is what every Prometheus reads: XOR, integer
// and float histograms, 120 samples a chunk.

import { CHUNK_FLOAT_HISTOGRAM, CHUNK_HISTOGRAM, CHUNK_XOR, CHUNK_XOR_STARTS } from '#model/query.ts';
import { corrupt } from '../block/bytes.ts';
import type { EncodedChunk } from '../chunks.ts';
import { decodeHistograms, encodeHistograms } from './histogram.ts';
import { type ChunkStart, continues } from './histogram-layout.ts';
import type { SampleColumns } from './samples.ts';
import { decodeXor, decodeXor2, encodeXor } from './xor.ts';

export const SAMPLES_PER_CHUNK = 120;

/** Encodings that only Prometheus 3.x writes, as they stand in block files; in memory they are given these numbers. */
export const CHUNK_XOR2 = 64 + 4;
export const CHUNK_HISTOGRAM_STARTS = 64 + 5;
export const CHUNK_FLOAT_HISTOGRAM_STARTS = 64 + 6;

/** Number 4 of block files is not the head's number 4. */
export const fromFileEncoding = (encoding: number): number =>
  encoding > CHUNK_FLOAT_HISTOGRAM ? 64 + encoding : encoding;

/** Whether blocks may hold the encoding as it is. */
export const isPlain = (encoding: number): boolean => encoding >= CHUNK_XOR && encoding <= CHUNK_FLOAT_HISTOGRAM;

export function decodeChunk(encoding: number, bytes: Uint8Array, into: SampleColumns): void {
  if (bytes.length < 3) throw corrupt(`a chunk of ${bytes.length} bytes`);
  switch (encoding) {
    case CHUNK_XOR:
      decodeXor(bytes, into);
      break;
    case CHUNK_XOR_STARTS:
      decodeXor(bytes, into, true);
      break;
    case CHUNK_XOR2:
      decodeXor2(bytes, into);
      break;
    case CHUNK_HISTOGRAM:
    case CHUNK_HISTOGRAM_STARTS:
      decodeHistograms(bytes, true, into, encoding === CHUNK_HISTOGRAM_STARTS);
      break;
    case CHUNK_FLOAT_HISTOGRAM:
    case CHUNK_FLOAT_HISTOGRAM_STARTS:
      decodeHistograms(bytes, false, into, encoding === CHUNK_FLOAT_HISTOGRAM_STARTS);
      break;
    default:
      throw corrupt(`a chunk: its encoding ${encoding} is not known`);
  }
}

/** Samples in time order, each time once, as chunks. */
export function encodeChunks(samples: SampleColumns): EncodedChunk[] {
  const chunks: EncodedChunk[] = [];
  let start = 0;
  let header: ChunkStart = 'unknown';
  while (start < samples.length) {
    const first = samples.histograms?.[start];
    let end = start + 1;
    let next: ChunkStart = 'unknown';
    for (; end < samples.length; end++) {
      next = 'unknown';
      const candidate = samples.histograms?.[end];
      if (!first !== !candidate || first?.integer !== candidate?.integer) break;
      if (candidate) {
        next = continues(samples.histograms![end - 1]!, candidate);
        if (next !== 'same') break;
      }
      if (end - start === SAMPLES_PER_CHUNK) break;
    }
    const encoding = !first ? CHUNK_XOR : first.integer ? CHUNK_HISTOGRAM : CHUNK_FLOAT_HISTOGRAM;
    const reset = first?.counterReset === 'gauge' ? 'gauge' : header === 'same' ? 'notReset' : header;
    chunks.push({
      encoding,
      minTime: samples.timestamps[start]!,
      maxTime: samples.timestamps[end - 1]!,
      samples: end - start,
      bytes: first ? encodeHistograms(samples, start, end, reset) : encodeXor(samples, start, end),
    });
    start = end;
    header = next;
  }
  return chunks;
}
