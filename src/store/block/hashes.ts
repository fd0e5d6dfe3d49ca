// The hashes of a block's series by which shards know their own, read by page from the `shards` file. Blocks that others
// wrote have none; then the labels are hashed as they are read, until compaction adds the file.

import { crc32c } from '#base/crc32c.ts';
import type { Disk } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { hashLabels } from '#model/labels.ts';
import type { Block } from './block.ts';
import { ByteWriter, be32At, corrupt } from './bytes.ts';
import { type PageCache, PagedFile } from './files.ts';
import { SHARDS_FILE, SHARDS_HEADER_BYTES, SHARDS_MAGIC } from './index-format.ts';
import type { IndexReader } from './index-reader.ts';

export class SeriesHashes {
  readonly #file: PagedFile;
  readonly #index: IndexReader;
  readonly #count: number;
  /** Where the last look-up ended: references are mostly asked for in order. */
  #last = 0;

  constructor(file: PagedFile, index: IndexReader) {
    this.#file = file;
    this.#index = index;
    const head = file.slice(0, SHARDS_HEADER_BYTES);
    if (head.length < SHARDS_HEADER_BYTES || be32At(head, 0) !== SHARDS_MAGIC) {
      throw corrupt(`${file.name}: it does not begin as a list of hashes`);
    }
    this.#count = be32At(head, 4);
    if (this.#count !== index.seriesCount || file.size !== SHARDS_HEADER_BYTES + this.#count * 4 + 4) {
      throw corrupt(`${file.name}: it has ${this.#count} hashes for ${index.seriesCount} series`);
    }
  }

  hashOf(ref: number): number {
    const position = this.#position(ref);
    return be32At(this.#file.slice(SHARDS_HEADER_BYTES + position * 4, 4), 0);
  }

  /** The place of a reference in the list of all series. */
  #position(ref: number): number {
    const index = this.#index;
    let low = this.#last < this.#count && index.refAt(this.#last) <= ref ? this.#last : 0;
    let step = 1;
    while (low + step < this.#count && index.refAt(low + step) <= ref) {
      low += step;
      step *= 2;
    }
    let high = Math.min(this.#count, low + step);
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (index.refAt(middle) <= ref) low = middle;
      else high = middle;
    }
    if (index.refAt(low) !== ref) throw corrupt(`${this.#file.name}: series ${ref} is not in the index`);
    this.#last = low;
    return low;
  }

  close(): void {
    this.#file.close();
  }
}

/** Undefined when the block has no such file. */
export function openHashes(disk: Disk, folder: string, index: IndexReader, cache: PageCache): SeriesHashes | undefined {
  const path = `${folder}/${SHARDS_FILE}`;
  if (!disk.exists(path)) return undefined;
  const file = new PagedFile(disk.open(path, 'read'), path, cache);
  try {
    return new SeriesHashes(file, index);
  } catch (error) {
    file.close();
    throw error;
  }
}

export function encodeHashes(hashes: Uint32Array, count: number): Uint8Array {
  const out = new ByteWriter(SHARDS_HEADER_BYTES + count * 4 + 4);
  out.be32(SHARDS_MAGIC);
  out.be32(count);
  for (let i = 0; i < count; i++) out.be32(hashes[i]!);
  out.be32(crc32c(out.bytes, 0, out.length));
  return out.view();
}

/** Gives a block the file that it lacks, as blocks written by Prometheus do. */
export function addHashes(disk: Disk, block: Block): void {
  const count = block.index.seriesCount;
  const hashes = new Uint32Array(count);
  let at = 0;
  for (const labels of block.labels()) hashes[at++] = hashLabels(labels);
  replaceFile(disk, `${block.folder}/${SHARDS_FILE}`, encodeHashes(hashes, count));
}
