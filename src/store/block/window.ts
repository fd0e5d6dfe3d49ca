// Chunks of blocks in a shard's kernel memory. Files are read straight into regions lent from a pool; what a query finds
// there is decoded in place. A region belongs to one walk over one block until that walk ends.

import type { KernelMemory } from '#base/kernel.ts';
import type { TimeRange } from '#model/query.ts';
import { type EncodedChunk, samplesOf } from '../chunks.ts';
import { decodeChunk, encodeChunks, fromFileEncoding, isPlain } from '../codec/chunk.ts';
import { SampleColumns } from '../codec/samples.ts';
import { corrupt } from './bytes.ts';
import type { ChunkPlace } from './index-format.ts';
import { SEGMENT_SCALE } from './segment-format.ts';
import { type FoundChunk, frameBytes, parseChunk, type SegmentReader } from './segment-reader.ts';

type Region = { readonly address: number; readonly bytes: number };

const SMALLEST_BYTES = 64 * 1024;

/** Regions of kernel memory by size, in powers of two, lent and given back. The kernel memory itself never shrinks. */
export class RegionPool {
  readonly memory: KernelMemory;
  readonly #free = new Map<number, Region[]>();

  constructor(memory: KernelMemory) {
    this.memory = memory;
  }

  lend(atLeastBytes: number): Region {
    let bytes = SMALLEST_BYTES;
    while (bytes < atLeastBytes) bytes *= 2;
    return this.#free.get(bytes)?.pop() ?? { address: this.memory.region(bytes), bytes };
  }

  giveBack(region: Region): void {
    const free = this.#free.get(region.bytes);
    if (free) free.push(region);
    else this.#free.set(region.bytes, [region]);
  }
}

/** What is appended to: parallel lists of a series' chunks. */
export type ChunkList = {
  count: number;
  addresses: Uint32Array;
  lengths: Uint32Array;
  encodings: Uint8Array;
  minTimes: Float64Array;
  maxTimes: Float64Array;
};

export function newChunkList(capacity = 64): ChunkList {
  return {
    count: 0,
    addresses: new Uint32Array(capacity),
    lengths: new Uint32Array(capacity),
    encodings: new Uint8Array(capacity),
    minTimes: new Float64Array(capacity),
    maxTimes: new Float64Array(capacity),
  };
}

function push(list: ChunkList, address: number, length: number, encoding: number, minTime: number, maxTime: number) {
  const at = list.count++;
  if (at === list.addresses.length) {
    const grown = newChunkList(at * 2);
    grown.addresses.set(list.addresses);
    grown.lengths.set(list.lengths);
    grown.encodings.set(list.encodings);
    grown.minTimes.set(list.minTimes);
    grown.maxTimes.set(list.maxTimes);
    Object.assign(list, grown, { count: at + 1 });
  }
  list.addresses[at] = address;
  list.lengths[at] = length;
  list.encodings[at] = encoding;
  list.minTimes[at] = minTime;
  list.maxTimes[at] = maxTime;
}

/** How much is read beyond a series' last chunk, whose length is not known before; then more while walking forward. */
const LAST_CHUNK_GUESS = 2048;

/** One block's bytes in kernel memory while a query walks over it. */
export class KernelWindow {
  readonly #segments: SegmentReader;
  readonly #pool: RegionPool;
  #region: Region | undefined;
  /** What the region holds: bytes from this reference on. */
  #ref = -1;
  #filled = 0;
  #readAhead = SMALLEST_BYTES / 16;
  /** Chunks that had to be written anew for this series. */
  #rewritten: Region | undefined;
  #rewrittenUsed = 0;
  readonly #found: FoundChunk = { encoding: 0, start: 0, length: 0 };

  constructor(segments: SegmentReader, pool: RegionPool) {
    this.#segments = segments;
    this.#pool = pool;
  }

  /**
   * Brings chunks of a series, which are in order, into memory and appends them to the list. Chunks with deleted samples or in
   * encodings that kernels do not know are written anew, without these samples. Valid until the next call.
   */
  load(places: readonly ChunkPlace[], deleted: readonly TimeRange[], into: ChunkList): void {
    this.#rewrittenUsed = 0;
    const first = places[0]!.ref;
    const last = places[places.length - 1]!.ref;
    if (Math.floor(first / SEGMENT_SCALE) === Math.floor(last / SEGMENT_SCALE)) {
      this.#locate(first, last);
      for (const place of places) this.#append(place, deleted, into);
      return;
    }
    // A series across two segment files: rare enough to be copied.
    for (const place of places) {
      this.#locate(place.ref, place.ref);
      const { encoding, start, length } = this.#parse(place.ref);
      const bytes = this.#pool.memory.u8.slice(start, start + length);
      this.#appendCopy({ ...place, encoding, samples: samplesOf(bytes), bytes }, deleted, into);
    }
  }

  /** Makes the region hold everything from one chunk through another of the same segment. */
  #locate(first: number, last: number): void {
    const start = first - this.#ref;
    if (this.#ref >= 0 && start >= 0 && start < this.#filled && this.#holds(last)) {
      // Neighbours are asked for: it pays to read further ahead.
      this.#readAhead = Math.min(this.#readAhead * 2, SMALLEST_BYTES * 4);
      return;
    }
    let want = last - first + LAST_CHUNK_GUESS;
    for (;;) {
      const room = Math.max(want, this.#readAhead);
      if (!this.#region || this.#region.bytes < room) {
        if (this.#region) this.#pool.giveBack(this.#region);
        this.#region = this.#pool.lend(room);
      }
      const { address } = this.#region;
      this.#ref = first;
      this.#filled = this.#segments.readAt(first, this.#pool.memory.u8.subarray(address, address + room));
      if (this.#holds(last)) return;
      if (this.#filled < room) throw corrupt(`${this.#segments.pathOf(last)}: it ends within a chunk`);
      want = last - first + Math.max(want, this.#frame(last) + 16);
    }
  }

  #frame(ref: number): number {
    const { address } = this.#region!;
    return frameBytes(this.#pool.memory.u8, address + (ref - this.#ref), address + this.#filled);
  }

  #holds(ref: number): boolean {
    const offset = ref - this.#ref;
    return offset >= 0 && offset < this.#filled && offset + this.#frame(ref) <= this.#filled;
  }

  #parse(ref: number): FoundChunk {
    const start = this.#region!.address + (ref - this.#ref);
    parseChunk(this.#pool.memory.u8, start, this.#found, this.#segments.pathOf(ref));
    this.#found.encoding = fromFileEncoding(this.#found.encoding);
    return this.#found;
  }

  #append(place: ChunkPlace, deleted: readonly TimeRange[], into: ChunkList): void {
    const { encoding, start, length } = this.#parse(place.ref);
    const touched = deleted.some(({ min, max }) => min <= place.maxTime && max >= place.minTime);
    if (!touched && isPlain(encoding)) {
      push(into, start, length, encoding, place.minTime, place.maxTime);
      return;
    }
    const bytes = this.#pool.memory.u8.slice(start, start + length);
    this.#appendCopy({ ...place, encoding, samples: samplesOf(bytes), bytes }, deleted, into);
  }

  #appendCopy(chunk: EncodedChunk, deleted: readonly TimeRange[], into: ChunkList): void {
    const touching = deleted.filter(({ min, max }) => min <= chunk.maxTime && max >= chunk.minTime);
    if (touching.some(({ min, max }) => min <= chunk.minTime && max >= chunk.maxTime)) return;
    const chunks = touching.length === 0 && isPlain(chunk.encoding) ? [chunk] : rewrite(chunk, touching);
    for (const { bytes, encoding, minTime, maxTime } of chunks) {
      push(into, this.#keep(bytes), bytes.length, encoding, minTime, maxTime);
    }
  }

  /** Copies bytes into the region for rewritten chunks. */
  #keep(bytes: Uint8Array): number {
    const need = this.#rewrittenUsed + bytes.length;
    if (!this.#rewritten || this.#rewritten.bytes < need) {
      // Chunks already there stay valid: the smaller region is given back when the walk ends.
      if (this.#rewritten) this.#outgrown.push(this.#rewritten);
      this.#rewritten = this.#pool.lend(need * 2);
      this.#rewrittenUsed = 0;
    }
    const address = this.#rewritten.address + this.#rewrittenUsed;
    this.#pool.memory.u8.set(bytes, address);
    this.#rewrittenUsed += bytes.length;
    return address;
  }
  readonly #outgrown: Region[] = [];

  /** Gives the memory back. */
  close(): void {
    for (const region of [this.#region, this.#rewritten, ...this.#outgrown]) if (region) this.#pool.giveBack(region);
    this.#region = this.#rewritten = undefined;
    this.#outgrown.length = 0;
    this.#ref = -1;
  }
}

function rewrite(chunk: EncodedChunk, deleted: readonly TimeRange[]): EncodedChunk[] {
  const all = new SampleColumns(128);
  decodeChunk(chunk.encoding, chunk.bytes, all);
  const kept = new SampleColumns(all.length);
  for (let i = 0; i < all.length; i++) {
    const time = all.timestamps[i]!;
    if (!deleted.some(({ min, max }) => time >= min && time <= max)) kept.pushFrom(all, i);
  }
  return encodeChunks(kept);
}
