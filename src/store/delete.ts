// Deleting series: marks ranges of time in blocks as deleted. The samples are skipped by readers at once and are gone from
// disk when the block is next written.

import type { Matcher } from '#model/matcher.ts';
import type { TimeRange } from '#model/query.ts';
import type { Block } from './block/block.ts';
import { findCandidates } from './block/postings.ts';
import { addRange } from './block/tombstones.ts';

/** Marks what any of the matcher sets selects; the number of series touched. */
export function deleteFromBlock(block: Block, matcherSets: readonly (readonly Matcher[])[], range: TimeRange): number {
  if (block.range.min > range.max || block.range.max < range.min) return 0;
  const tombstones = new Map(block.tombstones);
  let touched = 0;
  for (const matchers of matcherSets) {
    const { refs, test } = findCandidates(block.index, matchers);
    for (const ref of refs) {
      const { labels, chunks } = block.index.series(ref, range);
      const [first, last] = [chunks[0], chunks.at(-1)];
      if (!first || !last || (test && !test(labels))) continue;
      const deleted = { min: Math.max(range.min, first.minTime), max: Math.min(range.max, last.maxTime) };
      tombstones.set(ref, addRange(tombstones.get(ref) ?? [], deleted));
      touched++;
    }
  }
  if (touched > 0) block.setTombstones(tombstones);
  return touched;
}
