// The series of a shard, host side: label sets in and out of the kernel's table. Nothing is kept per series in JavaScript;
// strings of label pairs are decoded on demand through a bounded cache.

import { OperatingError } from '#base/errors.ts';
import type { Labels } from '#model/labels.ts';
import { FLAG_ALIVE, type HeadMemory, MAX_LABELS, MAX_SERIES_BYTES, NAME, PAIR, ROW, UNSORTED } from './kernel.ts';
import { MatcherMemory } from './postings.ts';

const CACHED_STRINGS = 100_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export type TableCounts = {
  readonly series: number;
  readonly slots: number;
  readonly pairs: number;
  readonly names: number;
  readonly closedChunks: number;
  readonly openChunks: number;
  readonly chunksCreated: number;
  readonly usedBytes: number;
};

export class SeriesTable {
  readonly #memory: HeadMemory;
  readonly #strings = new Map<number, string>();
  /** What matchers have been found to select. */
  readonly matchers = new MatcherMemory();
  /** Counts removals of series: slots found before one may be another series' now. */
  removals = 0;
  /** Lists may still name series that have died. */
  #isRemoving = false;

  constructor(memory: HeadMemory) {
    this.#memory = memory;
  }

  counts(): TableCounts {
    const { kernel, shard, areas } = this.#memory;
    kernel.counts(areas.out);
    const [series, slots, pairs, names, closedChunks, openChunks, chunksCreated, usedBytes] = shard.f64.subarray(
      areas.out / 8,
      areas.out / 8 + 8,
    ) as unknown as number[];
    return {
      series: series!,
      slots: slots!,
      pairs: pairs!,
      names: names!,
      closedChunks: closedChunks!,
      openChunks: openChunks!,
      chunksCreated: chunksCreated!,
      usedBytes: usedBytes!,
    };
  }

  /**
   * Brings a label set where the kernel reads it. Why it cannot be a series, if it cannot. Labels must be in order, without empty names
   * and values.
   */
  stage(labels: Labels): string | undefined {
    const { shard, areas } = this.#memory;
    const problem = sizeProblem(labels.length / 2, 0);
    if (problem !== undefined) return problem;
    const u8 = shard.u8;
    const u32 = shard.u32;
    let lengthAt = areas.lengths >>> 2;
    let at = areas.bytes;
    const end = areas.bytes + MAX_SERIES_BYTES;
    for (let i = 0; i < labels.length; i++) {
      const text = labels[i]!;
      const length = text.length;
      if (length > end - at) return tooLong(labels);
      let k = 0;
      for (; k < length; k++) {
        const code = text.charCodeAt(k);
        if (code > 127) break;
        u8[at + k] = code;
      }
      if (k < length) {
        const { read, written } = encoder.encodeInto(text, u8.subarray(at, end));
        if (read < length) return tooLong(labels);
        k = written;
      }
      u32[lengthAt++] = k;
      at += k;
    }
    return undefined;
  }

  /** The slot of the staged label set, or -1. */
  find(count: number): number {
    const { kernel, areas } = this.#memory;
    return kernel.seriesFind(areas.lengths, areas.bytes, count);
  }

  /** How many series have label `index` of the staged set, which `find` has just not found. */
  countOfPair(index: number): number {
    const { kernel, shard, areas } = this.#memory;
    const u32 = shard.u32;
    let at = areas.bytes;
    for (let i = 0; i < index * 2; i++) at += u32[(areas.lengths >>> 2) + i]!;
    const lengths = (areas.lengths >>> 2) + index * 2;
    const pair = kernel.pairOfLast(index, at, u32[lengths]!, u32[lengths + 1]!) >>> 0;
    return pair === 0 ? 0 : u32[(pair + PAIR.count) >>> 2]!;
  }

  /** Makes the staged series, which `find` has just not found. */
  create(count: number): number {
    const { kernel, areas } = this.#memory;
    this.reserve();
    const slot = kernel.seriesCreate(areas.lengths, areas.bytes, count);
    if (slot < 0) throw new OperatingError('memory_full', 'cannot create series: the shard has no slot left');
    return slot;
  }

  /** Room for series that the kernel makes, one or, with the bytes they bring, several. */
  reserve(moreBytes = 0): void {
    // Bucket arrays double, the longest postings grow by a quarter, a page of rows is made: all in one creation, at worst.
    const { series, pairs } = this.counts();
    this.#memory.ahead(MAX_SERIES_BYTES * 2 + series * 16 + pairs * 8 + 512 * 1024 + moreBytes);
  }

  isAlive(slot: number): boolean {
    const { kernel, shard } = this.#memory;
    return (shard.u8[(kernel.rowOf(slot) >>> 0) + ROW.flags]! & FLAG_ALIVE) !== 0;
  }

  generationOf(slot: number): number {
    const { kernel, shard } = this.#memory;
    const at = (kernel.rowOf(slot) >>> 0) + ROW.generation;
    return shard.u8[at]! | (shard.u8[at + 1]! << 8);
  }

  labelCountOf(slot: number): number {
    const { kernel, shard } = this.#memory;
    const at = (kernel.rowOf(slot) >>> 0) + ROW.labelCount;
    return shard.u8[at]! | (shard.u8[at + 1]! << 8);
  }

  labelsOf(slot: number): Labels {
    const { kernel, shard } = this.#memory;
    const u32 = shard.u32;
    const row = kernel.rowOf(slot) >>> 0;
    const count = this.labelCountOf(slot);
    const list = u32[(row + ROW.labels) >>> 2]! >>> 2;
    const labels: string[] = new Array(count * 2);
    for (let i = 0; i < count; i++) {
      const pair = u32[list + i]!;
      labels[i * 2] = this.nameOf(u32[(pair + PAIR.name) >>> 2]!);
      labels[i * 2 + 1] = this.valueOf(pair);
    }
    return labels;
  }

  nameOf(name: number): string {
    return this.#text(name, this.#memory.shard.u32[(name + NAME.length) >>> 2]!, name + NAME.bytes);
  }

  valueOf(pair: number): string {
    return this.#text(pair, this.#memory.shard.u32[(pair + PAIR.length) >>> 2]!, pair + PAIR.bytes);
  }

  #text(key: number, length: number, address: number): string {
    let text = this.#strings.get(key);
    if (text === undefined) {
      text = decoder.decode(this.#memory.shard.u8.subarray(address, address + length));
      if (this.#strings.size >= CACHED_STRINGS) this.#strings.clear();
      this.#strings.set(key, text);
    }
    return text;
  }

  /** Addresses of all names. */
  *names(): Iterable<number> {
    const { kernel } = this.#memory;
    for (let name = kernel.nameAfter(0) >>> 0; name !== 0; name = kernel.nameAfter(name) >>> 0) yield name;
  }

  /** Address of a name, 0 if no series has it. */
  findName(text: string): number {
    const { kernel, shard, areas } = this.#memory;
    const bytes = encoder.encode(text);
    if (bytes.length > MAX_SERIES_BYTES) return 0;
    shard.u8.set(bytes, areas.bytes);
    return kernel.nameFind(areas.bytes, bytes.length) >>> 0;
  }

  /** Address of a label pair, 0 if no series has it. */
  findPair(name: string, value: string): number {
    const { kernel, shard, areas } = this.#memory;
    const nameBytes = encoder.encode(name);
    const valueBytes = encoder.encode(value);
    if (nameBytes.length + valueBytes.length > MAX_SERIES_BYTES) return 0;
    shard.u8.set(nameBytes, areas.bytes);
    shard.u8.set(valueBytes, areas.bytes + nameBytes.length);
    const hash = kernel.pairHash(areas.bytes, nameBytes.length, valueBytes.length);
    return kernel.pairFind(areas.bytes, nameBytes.length, valueBytes.length, hash) >>> 0;
  }

  /** Addresses of the pairs of a name. */
  *pairsOf(name: number): Iterable<number> {
    const u32 = this.#memory.shard.u32;
    for (let pair = u32[(name + NAME.first) >>> 2]!; pair !== 0; pair = u32[(pair + PAIR.sibling) >>> 2]!) yield pair;
  }

  /** Slots of the series with a pair, ascending. A view that is valid until the next series is made. */
  postings(pair: number): Uint32Array {
    const slots = this.#postings(pair);
    return this.#isRemoving ? slots.filter((slot) => this.isAlive(slot)) : slots;
  }

  #postings(pair: number): Uint32Array {
    const u32 = this.#memory.shard.u32;
    const count = u32[(pair + PAIR.count) >>> 2]!;
    if (u32[(pair + PAIR.room) >>> 2] === 0)
      return u32.subarray((pair + PAIR.postings) >>> 2, ((pair + PAIR.postings) >>> 2) + 1);
    const list = u32[(pair + PAIR.postings) >>> 2]! >>> 2;
    const slots = u32.subarray(list, list + count);
    const room = u32[(pair + PAIR.room) >>> 2]!;
    if (room >= UNSORTED) {
      slots.sort();
      u32[(pair + PAIR.room) >>> 2] = room - UNSORTED;
    }
    return slots;
  }

  seriesOfPair(pair: number): number {
    return this.#memory.shard.u32[(pair + PAIR.count) >>> 2]!;
  }

  valueBytes(pair: number): number {
    return this.#memory.shard.u32[(pair + PAIR.length) >>> 2]!;
  }

  /** A hash of 53 bits. */
  valueHash(pair: number): number {
    const { u8, u32 } = this.#memory.shard;
    const end = pair + PAIR.bytes + u32[(pair + PAIR.length) >>> 2]!;
    let a = 0x811c9dc5;
    let b = 0x9747b28c;
    for (let i = pair + PAIR.bytes; i < end; i++) {
      a = Math.imul(a ^ u8[i]!, 0x01000193);
      b = Math.imul(b + u8[i]!, 0x5bd1e995);
      b ^= b >>> 15;
    }
    return (a >>> 0) * 2 ** 21 + (b >>> 11);
  }

  createdWithPair(pair: number): number {
    return this.#memory.shard.u32[(pair + PAIR.created) >>> 2]!;
  }

  /** Sorts slots by their labels, in the kernel. */
  sort(slots: Uint32Array): Uint32Array {
    const { kernel } = this.#memory;
    const count = slots.length;
    const bytes = Math.max(4, count * 4);
    this.#memory.ahead(bytes * 4);
    let from = kernel.slabAlloc(bytes) >>> 0;
    let to = kernel.slabAlloc(bytes) >>> 0;
    this.#memory.shard.u32.set(slots, from >>> 2);
    for (let run = 1; run < count; run *= 2) {
      kernel.mergeRuns(from, to, count, run);
      [from, to] = [to, from];
    }
    const sorted = this.#memory.shard.u32.slice(from >>> 2, (from >>> 2) + count);
    kernel.slabRelease(from, bytes);
    kernel.slabRelease(to, bytes);
    return sorted;
  }

  /** Series have died or their lists have been swept: refs to them, and what was found before, are void. */
  noteRemoval(isUnderWay: boolean): void {
    this.#isRemoving = isUnderWay;
    this.#strings.clear();
    this.removals++;
  }
}

const tooLong = (labels: Labels): string =>
  tooManyBytes(labels.reduce((total, text) => total + encoder.encode(text).length, 0));

const tooManyBytes = (bytes: number): string => `${bytes} bytes of labels, the limit is ${MAX_SERIES_BYTES}`;

/** Whether a label set is too large to be a series. */
export function sizeProblem(count: number, bytes: number): string | undefined {
  if (count > MAX_LABELS) return `${count} labels, the limit is ${MAX_LABELS}`;
  return bytes > MAX_SERIES_BYTES ? tooManyBytes(bytes) : undefined;
}
