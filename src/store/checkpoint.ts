// A checkpoint: everything the head holds, written as a new generation of the log while appends go on into the same
// generation. When it is complete, older generations are deleted. That is also how the log is truncated.

import type { Head } from './head/head.ts';
import { OUT_OF_ORDER_FIRST, ROW } from './head/kernel.ts';
import type { ShardLog } from './log/log.ts';
import { inSlices } from './slices.ts';

const SLICE_ROWS = 2000;

/**
 * Throws what the disk throws; the log is then still sound, with one generation more than needed. `stopped` ends it early, without
 * marking the generation complete.
 */
export async function writeCheckpoint(head: Head, log: ShardLog, signal: { readonly stopped: boolean }): Promise<void> {
  log.next();
  head.memory.kernel.forgetLog();
  for (const [family, metadata] of head.metadata.entries()) head.writer.metadata(family, metadata, log);
  for (const { labels, exemplar } of head.exemplars.entries()) head.writer.exemplar(labels, exemplar, log);
  await inSlices(
    head.table.counts().slots,
    SLICE_ROWS,
    (from, to) => {
      writeRows(head, log, from, to);
      log.keep.flush();
    },
    signal,
  );
  if (signal.stopped) return;
  for (const [slot, ranges] of head.deletions.entries()) {
    if (head.table.isAlive(slot)) head.writer.deleted(slot, ranges, log);
  }
  log.complete();
}

function writeRows(head: Head, log: ShardLog, from: number, to: number): void {
  const { kernel } = head.memory;
  const fresh: number[] = [];
  const slots: number[] = [];
  for (let slot = from; slot < to; slot++) {
    if (!head.table.isAlive(slot)) continue;
    slots.push(slot);
    if (kernel.logIdOf(slot)) fresh.push(slot);
  }
  head.writer.series(Uint32Array.from(fresh), log);
  const closed: number[] = [];
  for (const slot of slots) {
    head.memory.ahead(64 * 1024);
    head.histograms.close(slot, head, undefined);
    kernel.closeLate(slot);
    collectChunks(head, slot, closed);
  }
  head.writer.closedChunks(Uint32Array.from(closed), log);
  head.writer.openChunks(Uint32Array.from(slots), log);
}

/** Addresses of the closed chunks of a series, as (slot, address) pairs. */
function collectChunks(head: Head, slot: number, into: number[]): void {
  const { kernel, shard } = head.memory;
  const row = kernel.rowOf(slot) >>> 0;
  const u32 = shard.u32;
  const extra = u32[(row + ROW.extra) >>> 2]!;
  for (const list of [row + ROW.first, ...(extra === 0 ? [] : [extra + OUT_OF_ORDER_FIRST])]) {
    for (let chunk = u32[list >>> 2]!; chunk !== 0; chunk = u32[chunk >>> 2]!) into.push(slot, chunk);
  }
}
