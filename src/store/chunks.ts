// What heads and blocks have in common for whoever writes blocks: series in label order, each with its encoded chunks.
// Heads offer one source per shard, block readers one per block; compaction merges any number of them into one block.

import type { Labels } from '#model/labels.ts';
import type { TimeRange } from '#model/query.ts';

/** One encoded chunk; encodings are the CHUNK_* constants of model/query.ts. Bytes carry no length, encoding or checksum. */
export type EncodedChunk = {
  readonly encoding: number;
  /** Times of the first and the last sample. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly samples: number;
  readonly bytes: Uint8Array;
};

/**
 * A series with its chunks, in order of `minTime`; chunks may overlap (out-of-order heads). Samples inside `deleted` count as
 * absent. Chunks and their bytes are valid only until the iterator moves on, so that sources may reuse memory.
 */
export type ChunkedSeries = {
  readonly labels: Labels;
  readonly chunks: readonly EncodedChunk[];
  readonly deleted: readonly TimeRange[];
};

export interface SeriesChunkSource {
  /** Times of the first and last sample it may hold. */
  readonly range: TimeRange;
  /**
   * Series with at least one chunk that touches the range, in the order of `compareLabels`, each once. Chunks are whole: they may
   * reach beyond the range, the consumer cuts them.
   */
  series(range: TimeRange): Iterable<ChunkedSeries>;
}

/** A chunk of any encoding begins with its number of samples, 16 bits. */
export const samplesOf = (bytes: Uint8Array): number => (bytes[0]! << 8) | bytes[1]!;
