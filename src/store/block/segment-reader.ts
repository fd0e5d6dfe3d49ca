// Reads chunks from segment files through a window of bytes, which may lie in a shard's kernel memory: what is found there
// is used in place. Neighbouring chunks cost one read.

import { crc32c } from '#base/crc32c.ts';
import type { Disk, DiskFile } from '#base/disk/disk.ts';
import { be32At, corrupt } from './bytes.ts';
import {
  CHUNKS_FOLDER,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  SEGMENT_SCALE,
  SEGMENT_VERSION,
} from './segment-format.ts';

type Segment = { readonly path: string; file: DiskFile | undefined; size: number };

/** A chunk found in the window: `bytes[start, start + length)` is its data. */
export type FoundChunk = { encoding: number; start: number; length: number };

/** The longest frame around a chunk's data: five bytes of length, encoding, checksum. */
const FRAME_BYTES = 10;

export class SegmentReader {
  readonly #disk: Disk;
  readonly #segments: Segment[];

  constructor(disk: Disk, blockFolder: string) {
    this.#disk = disk;
    const folder = `${blockFolder}/${CHUNKS_FOLDER}`;
    this.#segments = disk
      .list(folder)
      .filter(({ name, isFolder }) => !isFolder && /^\d+$/.test(name))
      .map(({ name }) => ({ path: `${folder}/${name}`, file: undefined, size: 0 }));
  }

  #open(number: number): Segment {
    const segment = this.#segments[number];
    if (!segment) throw corrupt(`chunks: segment ${number + 1} does not exist beside ${this.#segments.length} others`);
    if (!segment.file) {
      const file = this.#disk.open(segment.path, 'read');
      const header = new Uint8Array(SEGMENT_HEADER_BYTES);
      const size = file.read(header, 0);
      if (size < header.length || be32At(header, 0) !== SEGMENT_MAGIC || header[4] !== SEGMENT_VERSION) {
        file.close();
        throw corrupt(`${segment.path}: it does not begin as a segment of version ${SEGMENT_VERSION}`);
      }
      segment.file = file;
      segment.size = file.size();
    }
    return segment;
  }

  /** Opens all segments. */
  hold(): void {
    for (let i = 0; i < this.#segments.length; i++) this.#open(i);
  }

  pathOf(ref: number): string {
    return this.#segments[Math.floor(ref / SEGMENT_SCALE)]?.path ?? 'chunks';
  }

  /** Fills the target from a chunk's reference on; the number of bytes read. */
  readAt(ref: number, target: Uint8Array): number {
    const number = Math.floor(ref / SEGMENT_SCALE);
    const segment = this.#open(number);
    const offset = ref - number * SEGMENT_SCALE;
    const length = Math.min(target.length, segment.size - offset);
    if (offset < SEGMENT_HEADER_BYTES || length <= 0)
      throw corrupt(`${segment.path} at ${offset}: no chunk begins there`);
    return segment.file!.read(length === target.length ? target : target.subarray(0, length), offset);
  }

  close(): void {
    for (const segment of this.#segments) {
      segment.file?.close();
      segment.file = undefined;
    }
  }
}

/** Bytes that a chunk takes from `start` on in its file, or what must be read at least to know. */
export function frameBytes(bytes: Uint8Array, start: number, end: number): number {
  let length = 0;
  let shift = 1;
  for (let i = start; i < Math.min(end, start + 5); i++) {
    length += (bytes[i]! & 0x7f) * shift;
    if (bytes[i]! < 0x80) return i - start + 1 + 1 + length + 4;
    shift *= 128;
  }
  return FRAME_BYTES;
}

/** Parses the chunk at `start`, which must be whole; checks its checksum. */
export function parseChunk(bytes: Uint8Array, start: number, found: FoundChunk, path: string): void {
  let at = start;
  let length = 0;
  let shift = 1;
  for (;;) {
    const byte = bytes[at++]!;
    length += (byte & 0x7f) * shift;
    if (byte < 0x80) break;
    shift *= 128;
  }
  const end = at + 1 + length;
  if (crc32c(bytes, at, end) !== be32At(bytes, end)) throw corrupt(`${path}: the checksum of a chunk does not match`);
  found.encoding = bytes[at]!;
  found.start = at + 1;
  found.length = length;
}

/** A window onto segments for reading forward into ordinary memory. */
export class ChunkWindow {
  readonly #reader: SegmentReader;
  #bytes: Uint8Array;
  #ref = -1;
  #filled = 0;
  readonly #found: FoundChunk = { encoding: 0, start: 0, length: 0 };

  constructor(reader: SegmentReader, windowBytes = 256 * 1024) {
    this.#reader = reader;
    this.#bytes = new Uint8Array(windowBytes);
  }

  /** The chunk's encoding and a copy of its data. */
  read(ref: number): { encoding: number; bytes: Uint8Array } {
    const start = this.#locate(ref);
    parseChunk(this.#bytes, start, this.#found, this.#reader.pathOf(ref));
    const { encoding, start: from, length } = this.#found;
    return { encoding, bytes: this.#bytes.slice(from, from + length) };
  }

  #locate(ref: number): number {
    let start = ref - this.#ref;
    if (this.#ref >= 0 && start >= 0 && start < this.#filled) {
      if (start + frameBytes(this.#bytes, start, this.#filled) <= this.#filled) return start;
    }
    this.#ref = ref;
    this.#filled = this.#reader.readAt(ref, this.#bytes);
    start = 0;
    const need = frameBytes(this.#bytes, 0, this.#filled);
    if (need > this.#bytes.length) {
      this.#bytes = new Uint8Array(need);
      this.#filled = this.#reader.readAt(ref, this.#bytes);
    }
    if (need > this.#filled) throw corrupt(`${this.#reader.pathOf(ref)}: it ends within a chunk`);
    return start;
  }
}
