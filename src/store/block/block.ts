// A block on disk, opened for reading. Files are opened when they are first needed, so that a thousand blocks cost nothing
// at the start; tombstones and meta.json are small and kept.

import type { Disk } from '#base/disk/disk.ts';
import { errorCode } from '#base/errors.ts';
import type { Labels } from '#model/labels.ts';
import type { TimeRange } from '#model/query.ts';
import { type ChunkedSeries, type EncodedChunk, type SeriesChunkSource, samplesOf } from '../chunks.ts';
import { fromFileEncoding } from '../codec/chunk.ts';
import type { PageCache } from './files.ts';
import { openHashes, type SeriesHashes } from './hashes.ts';
import type { ChunkPlace } from './index-format.ts';
import { IndexReader } from './index-reader.ts';
import { type BlockMeta, readMeta, writeMeta } from './meta.ts';
import { CHUNKS_FOLDER } from './segment-format.ts';
import { ChunkWindow, SegmentReader } from './segment-reader.ts';
import { countTombstones, readTombstones, type Tombstones, writeTombstones } from './tombstones.ts';

const NO_RANGES: readonly TimeRange[] = [];

export class Block implements SeriesChunkSource {
  readonly #disk: Disk;
  readonly #cache: PageCache;
  readonly folder: string;
  #meta: BlockMeta;
  #tombstones: Tombstones | undefined;
  #index: IndexReader | undefined;
  #segments: SegmentReader | undefined;
  #hashes: SeriesHashes | undefined;
  #hashesOpened = false;

  constructor(disk: Disk, folder: string, cache: PageCache) {
    this.#disk = disk;
    this.#cache = cache;
    this.folder = folder;
    this.#meta = readMeta(disk, folder);
  }

  get meta(): BlockMeta {
    return this.#meta;
  }

  /** Both ends included. */
  get range(): TimeRange {
    return { min: this.#meta.minTime, max: this.#meta.maxTime - 1 };
  }

  get index(): IndexReader {
    this.#index ??= new IndexReader(this.#disk, this.folder, this.#cache);
    return this.#index;
  }

  get segments(): SegmentReader {
    this.#segments ??= new SegmentReader(this.#disk, this.folder);
    return this.#segments;
  }

  /** Undefined for blocks that others wrote. */
  get hashes(): SeriesHashes | undefined {
    if (!this.#hashesOpened) this.#hashes = openHashes(this.#disk, this.folder, this.index, this.#cache);
    this.#hashesOpened = true;
    return this.#hashes;
  }

  get tombstones(): Tombstones {
    this.#tombstones ??= readTombstones(this.#disk, this.folder);
    return this.#tombstones;
  }

  deletedOf(ref: number): readonly TimeRange[] {
    return this.tombstones.get(ref) ?? NO_RANGES;
  }

  /** Replaces the tombstones, on disk first. */
  setTombstones(tombstones: Tombstones): void {
    writeTombstones(this.#disk, this.folder, tombstones);
    const numTombstones = countTombstones(tombstones);
    const { numTombstones: _, ...stats } = this.#meta.stats;
    const meta: BlockMeta = { ...this.#meta, stats: { ...stats, ...(numTombstones > 0 ? { numTombstones } : {}) } };
    writeMeta(this.#disk, this.folder, meta);
    this.#tombstones = tombstones;
    this.#meta = meta;
  }

  /** Looks again at what another thread may have changed. */
  refresh(): void {
    this.#meta = readMeta(this.#disk, this.folder);
    this.#tombstones = undefined;
  }

  *series(range: TimeRange): Generator<ChunkedSeries> {
    const window = new ChunkWindow(this.segments);
    for (const ref of this.index.allPostings) {
      const { labels, chunks } = this.index.series(ref, range);
      if (chunks.length > 0) yield { labels, chunks: readChunks(window, chunks), deleted: this.deletedOf(ref) };
    }
  }

  /** Labels of all series, in order. */
  *labels(): Generator<Labels> {
    for (const ref of this.index.allPostings) yield this.index.labels(ref);
  }

  get sizeBytes(): number {
    return folderBytes(this.#disk, this.folder);
  }

  /** Opens every file, so that reading goes on when the block's folder is removed meanwhile. */
  hold(): void {
    // Asking for the hashes opens the index as well.
    this.#hashes = this.hashes;
    this.#tombstones = this.tombstones;
    this.segments.hold();
  }

  close(): void {
    this.#index?.close();
    this.#segments?.close();
    this.#hashes?.close();
    this.#index = undefined;
    this.#segments = undefined;
    this.#hashes = undefined;
    this.#hashesOpened = false;
  }
}

/** Chunks as they are in the file; encodings of newer Prometheus versions under the numbers of codec/chunk.ts. */
export function readChunks(window: ChunkWindow, places: readonly ChunkPlace[]): EncodedChunk[] {
  return places.map(({ ref, minTime, maxTime }) => {
    const { encoding, bytes } = window.read(ref);
    const known = fromFileEncoding(encoding);
    const samples = known === encoding ? samplesOf(bytes) : samplesOf(bytes) & 0x3fff;
    return { encoding: known, minTime, maxTime, samples, bytes };
  });
}

/** What a block takes on disk: every file below its folder. */
export function folderBytes(disk: Disk, folder: string): number {
  let bytes = 0;
  for (const { name, isFolder } of disk.list(folder)) {
    if (isFolder) bytes += name === CHUNKS_FOLDER ? folderBytes(disk, `${folder}/${name}`) : 0;
    else {
      try {
        bytes += disk.size(`${folder}/${name}`);
      } catch (error) {
        // Removed meanwhile, as temporary files are.
        if (errorCode(error) !== 'ENOENT') throw error;
      }
    }
  }
  return bytes;
}
