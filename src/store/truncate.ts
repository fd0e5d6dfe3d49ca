// Drops from the head what blocks hold: chunks in slices, then at once the series that have nothing left.

import { type Head, NO_MAX_TIME, NO_MIN_TIME } from './head/head.ts';
import { inSlices } from './slices.ts';

const SLICE_ROWS = 5000;

/** Drops chunks that end before `min` (NO_MAX_TIME: none) and out-of-order chunks up to `epoch` (-1: none). */
export async function truncateHead(head: Head, min: number, epoch: number): Promise<void> {
  const { kernel } = head.memory;
  head.minValidTime = Math.max(head.minValidTime, min);
  head.histograms.truncate(min, (slot) => head.table.isAlive(slot));
  const chunksBefore = head.table.counts().closedChunks;
  await inSlices(head.table.counts().slots, SLICE_ROWS, (from, to) => kernel.truncateRows(from, to, min, epoch, 0));
  removeEmpty(head);
  head.counters.chunksRemoved.add(Math.max(0, chunksBefore - head.table.counts().closedChunks));
  head.counters.truncations.add();
  head.deletions.truncate(min, (slot) => head.table.isAlive(slot));
  await findTimes(head, min, epoch >= 0);
}

/** In one go, because a ref must not die between an append's look-up and its samples. */
function removeEmpty(head: Head): void {
  const { kernel } = head.memory;
  const { slots } = head.table.counts();
  const bytes = Math.max(16, Math.ceil(slots / 32) * 4);
  head.memory.ahead(bytes * 2);
  const dead = kernel.slabAlloc(bytes) >>> 0;
  head.memory.shard.u8.fill(0, dead, dead + bytes);
  kernel.truncateRows(0, slots, NO_MAX_TIME, -1, dead);
  head.counters.removed.add(head.table.remove(dead));
  kernel.slabRelease(dead, bytes);
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
