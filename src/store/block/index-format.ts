// The names of what lies in an index file of version 2; docs/format/block.md shows it. Reader and writer share this and
// nothing else.

export const INDEX_FILE = 'index';
export const INDEX_MAGIC = 0xbaaad700;
export const INDEX_VERSION = 2;
export const INDEX_HEADER_BYTES = 5;

/** Series entries begin at multiples of this; a series reference is its offset divided by it. */
export const SERIES_ALIGNMENT = 16;
/** Every n-th symbol and postings entry is remembered when a file is opened, those between are scanned for. */
export const SAMPLING = 32;

export const TOC_BYTES = 6 * 8 + 4;
/** Offsets of the sections. The label index is a relic that is neither written nor read. */
export type IndexToc = {
  readonly symbols: number;
  readonly series: number;
  readonly labelIndex: number;
  readonly labelIndexTable: number;
  readonly postings: number;
  readonly postingsTable: number;
};

/** Where a chunk lies and what times it covers, as the index tells. */
export type ChunkPlace = {
  /** Segment number in the upper 32 bits (from 0), offset in the segment file in the lower 32. */
  readonly ref: number;
  readonly minTime: number;
  readonly maxTime: number;
};

/** Hashes of label sets in the order of the series section, so that shards find their own series. */
export const SHARDS_FILE = 'shards';
export const SHARDS_MAGIC = 0x50485348;
export const SHARDS_HEADER_BYTES = 8;
