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
  if (head.minTime < min) head.minTime = head.table.counts().series === 0 ? NO_MIN_TIME : min;
  if (head.minTime === NO_MIN_TIME) head.maxTime = Math.max(head.maxTime, NO_MAX_TIME);
  if (epoch >= 0) await findLateTimes(head);
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

async function findLateTimes(head: Head): Promise<void> {
  const { kernel, areas } = head.memory;
  let [min, max] = [NO_MIN_TIME, NO_MAX_TIME];
  await inSlices(head.table.counts().slots, SLICE_ROWS, (from, to) => {
    head.memory.shard.f64.set([NO_MIN_TIME, NO_MAX_TIME, NO_MIN_TIME, NO_MAX_TIME], areas.out / 8);
    kernel.timesOf(from, to, areas.out);
    min = Math.min(min, head.memory.shard.f64[areas.out / 8 + 2]!);
    max = Math.max(max, head.memory.shard.f64[areas.out / 8 + 3]!);
  });
  head.minOutOfOrderTime = min;
  head.maxOutOfOrderTime = max;
}
