// Reading the head: series that match, with their chunks where they lie; and the whole head in label order for who writes
// blocks.

import { OperatingError } from '#base/errors.ts';
import { compareLabels, equalLabels, type Labels } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import type { SeriesChunks, TimeRange } from '#model/query.ts';
import { newChunkList } from '../block/window.ts';
import { type ChunkedSeries, type EncodedChunk, type SeriesChunkSource, samplesOf } from '../chunks.ts';
import { inSlices } from '../slices.ts';
import type { Head } from './head.ts';
import { CHUNK_ENTRIES, ROW } from './kernel.ts';
import { matchSlots } from './postings.ts';

/** Above this many series the kernel sorts. */
const SORT_IN_KERNEL = 2000;

type Reading = SeriesChunks & { labels: Labels; deleted: readonly TimeRange[] };

/**
 * Series that match and have chunks in the range. What is yielded is valid until the next one is asked for or the thread turns to
 * something else; between two series it may do that.
 */
export function* selectHead(
  head: Head,
  matchers: readonly Matcher[],
  range: TimeRange,
  sorted: boolean,
  unnoticed = false,
): Generator<SeriesChunks> {
  const slots = matchSlots(head.table, matchers);
  const second = head.second;
  const series: Reading = Object.assign(newChunkList(), { labels: [] as Labels, deleted: [] as readonly TimeRange[] });
  const { removals } = head.table;
  let matches: ((labels: Labels) => boolean) | undefined;
  for (const { slot, labels } of inOrder(head, slots, sorted)) {
    if (!head.table.isAlive(slot)) continue;
    if (head.table.removals !== removals) {
      // A truncation meanwhile: the slot may be another series' now.
      const now = head.table.labelsOf(slot);
      matches ??= compileMatchers(matchers);
      if (labels ? !equalLabels(now, labels) : !matches(now)) continue;
    }
    if (!unnoticed) head.memory.shard.u32[((head.memory.kernel.rowOf(slot) >>> 0) + ROW.selected) >>> 2] = second;
    const room = loadChunks(head, slot, range, series);
    if (series.count > 0) {
      series.labels = labels ?? head.table.labelsOf(slot);
      series.deleted = head.deletions.of(slot);
      yield series;
    }
    if (room) head.memory.kernel.slabRelease(room.address, room.bytes);
  }
}

/** Chunks of one series; undefined if none touches the range. */
export function chunksOfSlot(
  head: Head,
  slot: number,
  range: TimeRange,
): { series: SeriesChunks; release(): void } | undefined {
  const series: Reading = Object.assign(newChunkList(), {
    labels: head.table.labelsOf(slot),
    deleted: head.deletions.of(slot),
  });
  const room = loadChunks(head, slot, range, series);
  const release = () => {
    if (room) head.memory.kernel.slabRelease(room.address, room.bytes);
  };
  if (series.count > 0) return { series, release };
  release();
  return undefined;
}

function* inOrder(
  head: Head,
  slots: Uint32Array,
  sorted: boolean,
): Generator<{ readonly slot: number; readonly labels: Labels | undefined }> {
  if (sorted && slots.length <= SORT_IN_KERNEL) {
    const named = Array.from(slots, (slot) => ({ slot, labels: head.table.labelsOf(slot) }));
    yield* named.sort((a, b) => compareLabels(a.labels, b.labels));
    return;
  }
  const order = sorted ? head.table.sort(slots) : slots;
  for (const slot of order) yield { slot, labels: undefined };
}

/** Fills the lists; an open histogram chunk is put into memory that the caller gives back. */
function loadChunks(
  head: Head,
  slot: number,
  range: TimeRange,
  into: Reading,
  onlyLate = false,
): { address: number; bytes: number } | undefined {
  const { kernel } = head.memory;
  const { list, count, room } = chunksIn(head, slot, range, onlyLate);
  if (count + 1 > into.addresses.length) Object.assign(into, newChunkList((count + 1) * 2));
  let { u32, f64 } = head.memory.shard;
  for (let i = 0; i < count; i++) {
    const at = list + i * 32;
    into.addresses[i] = u32[at >>> 2]!;
    into.lengths[i] = u32[(at >>> 2) + 1]!;
    into.encodings[i] = u32[(at >>> 2) + 2]!;
    into.minTimes[i] = f64[at / 8 + 2]!;
    into.maxTimes[i] = f64[at / 8 + 3]!;
  }
  if (room > 0) kernel.slabRelease(list, room);
  into.count = count;
  const open = head.histograms.count > 0 && !onlyLate ? head.histograms.chunk(slot) : undefined;
  if (!open || open.minTime > range.max || open.maxTime < range.min) return undefined;
  head.memory.ahead(open.bytes.length * 2);
  const address = kernel.slabAlloc(open.bytes.length) >>> 0;
  ({ u32, f64 } = head.memory.shard);
  head.memory.shard.u8.set(open.bytes, address);
  insert(into, address, open.bytes.length, open.encoding, open.minTime, open.maxTime);
  return { address, bytes: open.bytes.length };
}

/** The kernel's list of a series' chunks; one that is too long for the fixed area is in a block of `room` bytes to be released. */
function chunksIn(
  head: Head,
  slot: number,
  range: TimeRange,
  onlyLate: boolean,
): { list: number; count: number; room: number } {
  const { kernel, areas } = head.memory;
  const find = (list: number, entries: number) =>
    kernel.chunksOf(slot, range.min, range.max, list, entries, areas.state, areas.lateChunk, onlyLate ? 1 : 0);
  let count = find(areas.chunks, CHUNK_ENTRIES);
  if (count >= 0) return { list: areas.chunks, count, room: 0 };
  for (let entries = CHUNK_ENTRIES * 4; ; entries *= 4) {
    const room = entries * 32;
    head.memory.ahead(room * 2);
    const list = kernel.slabAlloc(room) >>> 0;
    count = find(list, entries);
    if (count >= 0) return { list, count, room };
    kernel.slabRelease(list, room);
  }
}

function insert(into: Reading, address: number, length: number, encoding: number, min: number, max: number): void {
  let at = into.count++;
  for (; at > 0 && into.minTimes[at - 1]! > min; at--) {
    for (const list of [into.addresses, into.lengths, into.encodings, into.minTimes, into.maxTimes]) {
      list[at] = list[at - 1]!;
    }
  }
  into.addresses[at] = address;
  into.lengths[at] = length;
  into.encodings[at] = encoding;
  into.minTimes[at] = min;
  into.maxTimes[at] = max;
}

/** Slots that are sorted in one go. */
const RUN_SLOTS = 4096;

/** The head as a source of chunks for blocks. Bytes are copied, so that the consumer may take its time. */
export class HeadSource implements SeriesChunkSource {
  readonly #head: Head;
  readonly #runs: readonly Uint32Array[];
  readonly #removals: number;
  readonly #onlyLate: boolean;

  private constructor(head: Head, runs: readonly Uint32Array[], onlyLate: boolean) {
    this.#head = head;
    this.#onlyLate = onlyLate;
    this.#runs = runs;
    this.#removals = head.table.removals;
  }

  /**
   * Fixes the series and sorts them, in slices; samples that come into the range later are seen nonetheless. With `onlyLate` only
   * chunks of out-of-order samples are there.
   */
  static async create(head: Head, onlyLate = false): Promise<HeadSource> {
    const runs: Uint32Array[] = [];
    await inSlices(head.table.counts().slots, RUN_SLOTS, (from, to) => {
      const slots: number[] = [];
      for (let slot = from; slot < to; slot++) if (head.table.isAlive(slot)) slots.push(slot);
      if (slots.length > 0) runs.push(head.table.sort(Uint32Array.from(slots)));
    });
    return new HeadSource(head, runs, onlyLate);
  }

  get range(): TimeRange {
    const { minTime, maxTime, minOutOfOrderTime, maxOutOfOrderTime } = this.#head;
    return { min: Math.min(minTime, minOutOfOrderTime), max: Math.max(maxTime, maxOutOfOrderTime) };
  }

  *series(range: TimeRange): Generator<ChunkedSeries> {
    const head = this.#head;
    const reading: Reading = Object.assign(newChunkList(), {
      labels: [] as Labels,
      deleted: [] as readonly TimeRange[],
    });
    for (const slot of this.#merged()) {
      const room = loadChunks(head, slot, range, reading, this.#onlyLate);
      const chunks: EncodedChunk[] = [];
      const u8 = head.memory.shard.u8;
      for (let i = 0; i < reading.count; i++) {
        const address = reading.addresses[i]!;
        const bytes = u8.slice(address, address + reading.lengths[i]!);
        chunks.push({
          encoding: reading.encodings[i]!,
          minTime: reading.minTimes[i]!,
          maxTime: reading.maxTimes[i]!,
          samples: samplesOf(bytes),
          bytes,
        });
      }
      if (room) head.memory.kernel.slabRelease(room.address, room.bytes);
      if (chunks.length > 0) yield { labels: head.table.labelsOf(slot), chunks, deleted: head.deletions.of(slot) };
    }
  }

  /** The runs as one; a heap of their first entries. */
  *#merged(): Generator<number> {
    const { kernel } = this.#head.memory;
    const heap = this.#runs.map((run) => ({ run, at: 0 }));
    const isBefore = (a: number, b: number) =>
      kernel.compareSlots(heap[a]!.run[heap[a]!.at]!, heap[b]!.run[heap[b]!.at]!) < 0;
    const sink = (from: number) => {
      for (let at = from; ; ) {
        let least = at;
        for (const child of [at * 2 + 1, at * 2 + 2]) if (child < heap.length && isBefore(child, least)) least = child;
        if (least === at) return;
        [heap[at], heap[least]] = [heap[least]!, heap[at]!];
        at = least;
      }
    };
    for (let i = (heap.length >> 1) - 1; i >= 0; i--) sink(i);
    while (heap.length > 0) {
      if (this.#head.table.removals !== this.#removals) {
        throw new OperatingError('head_changed', 'cannot read the head any further: it has been truncated meanwhile');
      }
      const top = heap[0]!;
      yield top.run[top.at++]!;
      if (top.at === top.run.length) {
        const last = heap.pop()!;
        if (heap.length > 0 && last !== top) heap[0] = last;
      }
      sink(0);
    }
  }
}
