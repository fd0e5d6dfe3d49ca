// A part of what is stored, by time and selector, as blocks of its own in another folder.

import type { Disk } from '#base/disk/disk.ts';
import { UserError } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import type { Matcher } from '#model/matcher.ts';
import { compileMatchers } from '#model/matcher.ts';
import type { TimeRange } from '#model/query.ts';
import type { BlockMeta } from '../block/meta.ts';
import { newUlid } from '../block/ulid.ts';
import { type BlockSeries, writeBlock } from '../block/writer.ts';
import { mergeSources } from '../compact/merge.ts';
import { openBlocks } from './open.ts';

export type ExportOptions = {
  readonly range: TimeRange;
  readonly matchers: readonly (readonly Matcher[])[];
  /** The longest block written. */
  readonly blockMs: number;
  readonly random: Random;
  readonly nowMs: number;
};

export function exportBlocks(disk: Disk, from: string, into: string, options: ExportOptions): BlockMeta[] {
  const { range, blockMs, nowMs, random } = options;
  if (disk.list(into).length > 0) throw new UserError(`cannot export to ${into}: it is not empty`);
  const blocks = openBlocks(disk, from);
  const written: BlockMeta[] = [];
  try {
    if (blocks.length === 0) throw new UserError(`cannot export from ${from}: it has no blocks`);
    disk.makeFolder(into);
    const min = Math.max(range.min, Math.min(...blocks.map((block) => block.range.min)));
    const max = Math.min(range.max, Math.max(...blocks.map((block) => block.range.max)));
    for (let start = Math.floor(min / blockMs) * blockMs; start <= max; start += blockMs) {
      const own = { min: Math.max(min, start), max: Math.min(max, start + blockMs - 1) };
      const touching = blocks.filter((block) => block.range.min <= own.max && block.range.max >= own.min);
      if (touching.length === 0) continue;
      const ulid = newUlid(nowMs, random);
      const compaction = { level: 1, sources: [ulid] };
      const meta: BlockMeta = { ulid, minTime: own.min, maxTime: own.max + 1, stats: {}, compaction, version: 1 };
      const block = writeBlock(disk, into, meta, selected(mergeSources(touching, own), options.matchers));
      if (block) written.push(block);
    }
  } finally {
    for (const block of blocks) block.close();
  }
  return written;
}

function* selected(series: Iterable<BlockSeries>, matchers: readonly (readonly Matcher[])[]): Generator<BlockSeries> {
  const tests = matchers.map(compileMatchers);
  for (const entry of series) if (tests.length === 0 || tests.some((test) => test(entry.labels))) yield entry;
}
