// Drops from the head what blocks hold, in slices: chunks, then the series that have nothing left.

import { type Head, NO_MAX_TIME, NO_MIN_TIME } from './head/head.ts';
import type { HeadMemory } from './head/kernel.ts';
import { inSlices, pause } from './slices.ts';

const SLICE_ROWS = 5000;
/** Label pairs, and quarters of their series, that one slice of a sweep looks at: about a millisecond. */
const SWEEP_ENTRIES = 50_000;

/** Drops chunks that end before `min` (NO_MAX_TIME: none) and out-of-order chunks up to `epoch` (-1: none). */
export async function truncateHead(head: Head, min: number, epoch: number): Promise<void> {
  const { kernel } = head.memory;
  head.minValidTime = Math.max(head.minValidTime, min);
  head.histograms.truncate(min, (slot) => head.table.isAlive(slot));
  const chunksBefore = head.table.counts().closedChunks;
  await inSlices(head.table.counts().slots, SLICE_ROWS, (from, to) => kernel.truncateRows(from, to, min, epoch));
  await removeEmpty(head);
  head.counters.chunksRemoved.add(Math.max(0, chunksBefore - head.table.counts().closedChunks));
  head.counters.truncations.add();
  head.deletions.truncate(min, (slot) => head.table.isAlive(slot));
  await findTimes(head, min, epoch >= 0);
}

/**
 * Rows die between two appends, so that no ref does so between an append's look-up and its samples; then lists forget them; only
 * then are their slots used again.
 */
async function removeEmpty(head: Head): Promise<void> {
  const { memory, table } = head;
  const { kernel } = memory;
  const { slots } = table.counts();
  const dead = zeroed(memory, Math.max(16, Math.ceil(slots / 32) * 4));
  let removed = 0;
  await inSlices(slots, SLICE_ROWS, (from, to) => {
    const killed = kernel.killEmpty(from, to, dead.address);
    if (killed > 0) table.noteRemoval(true);
    removed += killed;
  });
  if (removed > 0) {
    const { names: count } = table.counts();
    const names = zeroed(memory, Math.max(16, count * 4));
    kernel.beginSweep(names.address, slots);
    for (let isMore = true; isMore; ) {
      memory.ahead(1024 * 1024);
      isMore = kernel.sweep(names.address, count, dead.address, SWEEP_ENTRIES) !== 0;
      table.noteRemoval(isMore);
      await pause();
    }
    kernel.slabRelease(names.address, names.bytes);
    await inSlices(slots, SLICE_ROWS, (from, to) => kernel.reuseDead(slots - to, slots - from, dead.address));
  }
  kernel.slabRelease(dead.address, dead.bytes);
  head.counters.removed.add(removed);
}

function zeroed(memory: HeadMemory, bytes: number): { readonly address: number; readonly bytes: number } {
  memory.ahead(bytes * 2);
  const address = memory.kernel.slabAlloc(bytes) >>> 0;
  memory.shard.u8.fill(0, address, address + bytes);
  return { address, bytes };
}

/** The first samples that are left, and if asked for the last out-of-order one. New samples come in meanwhile. */
async function findTimes(head: Head, cutAt: number, isLateCut: boolean): Promise<void> {
  const { kernel, areas } = head.memory;
  const isCut = head.minTime < cutAt;
  let [first, min, max] = [NO_MIN_TIME, NO_MIN_TIME, NO_MAX_TIME];
  await inSlices(head.table.counts().slots, SLICE_ROWS, (from, to) => {
    head.memory.shard.f64.set([NO_MIN_TIME, NO_MAX_TIME, NO_MIN_TIME, NO_MAX_TIME], areas.out / 8);
    kernel.timesOf(from, to, areas.out);
    const { f64 } = head.memory.shard;
    first = Math.min(first, f64[areas.out / 8]!);
    min = Math.min(min, f64[areas.out / 8 + 2]!);
    max = Math.max(max, f64[areas.out / 8 + 3]!);
  });
  if (isCut) {
    // Chunks of histograms that are still open are not in the rows; neither is what has come in since.
    for (const slot of head.histograms.slots()) first = Math.min(first, head.histograms.chunk(slot)?.minTime ?? first);
    head.minTime = Math.max(cutAt, Math.min(first, head.maxTime));
    if (head.table.counts().series === 0) head.minTime = NO_MIN_TIME;
  }
  if (!isLateCut) return;
  head.minOutOfOrderTime = min;
  head.maxOutOfOrderTime = max;
}
