// Decides what is compacted next, by Prometheus' levelled rules, as a value that can be looked at before anything happens:
// which blocks and parts become which block.

import type { Matcher } from '#model/matcher.ts';
import { type BlockMeta, mergedMeta } from '../block/meta.ts';

export const MIN_BLOCK_MS = 2 * 3_600_000;
const MAX_BLOCK_MS = 31 * 86_400_000;
const RANGE_STEPS = 10;
const RANGE_FACTOR = 3;
/** The share of series with tombstones from which a large block is rewritten. */
const TOMBSTONE_SHARE = 0.05;

export type CompactionReason = 'head' | 'overlap' | 'level' | 'tombstones' | 'retention' | 'snapshot' | 'import';

/** Which series a rewritten block keeps: those that no `drop` selects, or that an earlier `keep` does. */
export type SeriesRule = { readonly matchers: readonly Matcher[]; readonly keep: boolean };

export type CompactionPlan = {
  readonly reason: CompactionReason;
  /** Where the new block goes, and where its parents are. */
  readonly folder: string;
  /** Names of blocks below the folder, earlier ones winning when samples have equal times. */
  readonly blocks: readonly string[];
  /** Paths of parts that shards have written. */
  readonly parts: readonly string[];
  /** The new block's meta, statistics to be filled in. */
  readonly meta: BlockMeta;
  /** The first rule that matches a series decides; series that no rule matches are kept. */
  readonly rules?: readonly SeriesRule[];
};

/** Block lengths in use, ascending: 2 h times powers of three, up to a tenth of the retention and 31 days. */
export function blockRanges(retentionMs: number, minMs = MIN_BLOCK_MS, maxMs?: number): number[] {
  const limit = maxMs ?? (retentionMs > 0 ? Math.min(retentionMs / 10, MAX_BLOCK_MS) : MAX_BLOCK_MS);
  const ranges: number[] = [];
  for (let range = minMs; ranges.length < RANGE_STEPS && (range <= limit || range === minMs); range *= RANGE_FACTOR) {
    ranges.push(range);
  }
  return ranges;
}

/** The first block of a stretch of time, out of the parts of all shards. `maxTime` is the first millisecond after it. */
export function planHead(
  folder: string,
  ulid: string,
  parts: readonly string[],
  range: { readonly minTime: number; readonly maxTime: number; readonly outOfOrder?: boolean },
): CompactionPlan {
  const compaction = { level: 1, sources: [ulid], ...(range.outOfOrder ? { hints: ['from-out-of-order'] } : {}) };
  const { minTime, maxTime } = range;
  const meta: BlockMeta = { ulid, minTime, maxTime, stats: {}, compaction, version: 1 };
  return { reason: 'head', folder, blocks: [], parts, meta };
}

/** What to compact next; undefined when there is nothing to do. */
export function planCompaction(
  folder: string,
  metas: readonly BlockMeta[],
  ranges: readonly number[],
  ulid: string,
  { overlaps = true }: { readonly overlaps?: boolean } = {},
): CompactionPlan | undefined {
  // Blocks out of a partial view of a head are merged only with their kind.
  for (const group of ['', 'from-stale-series', 'from-selected-series']) {
    const blocks = metas.filter((meta) => kindOf(meta) === group).sort((a, b) => a.minTime - b.minTime);
    const found = planGroup(blocks, ranges, overlaps);
    if (!found) continue;
    const { reason, chosen } = found;
    const merged = mergedMeta(ulid, chosen);
    const meta = reason === 'tombstones' ? rewrittenMeta(ulid, chosen[0]!) : merged;
    return { reason, folder, blocks: chosen.map((block) => block.ulid), parts: [], meta };
  }
  return undefined;
}

const kindOf = (meta: BlockMeta): string =>
  meta.compaction.hints?.find((hint) => hint === 'from-stale-series' || hint === 'from-selected-series') ?? '';

type Found = { readonly reason: CompactionReason; readonly chosen: readonly BlockMeta[] };

function planGroup(blocks: readonly BlockMeta[], ranges: readonly number[], overlaps: boolean): Found | undefined {
  const overlapping = overlaps ? firstOverlap(blocks) : [];
  if (overlapping.length > 0) return { reason: 'overlap', chosen: overlapping };
  // The newest block stays as it is, so that backups find every block for a while.
  const settled = blocks.slice(0, -1);
  const level = firstLevel(settled, ranges);
  if (level.length > 0) return { reason: 'level', chosen: level };
  for (const block of settled.toReversed()) {
    const { numTombstones = 0, numSeries = 0 } = block.stats;
    if (block.maxTime - block.minTime < ranges[Math.floor(ranges.length / 2)]!) {
      if (numTombstones > 0 && numTombstones >= numSeries) return { reason: 'tombstones', chosen: [block] };
      break;
    }
    if (numTombstones / (numSeries + 1) > TOMBSTONE_SHARE) return { reason: 'tombstones', chosen: [block] };
  }
  return undefined;
}

/** The first run of blocks each of which begins before one earlier ends. */
function firstOverlap(blocks: readonly BlockMeta[]): readonly BlockMeta[] {
  const run: BlockMeta[] = [];
  let end = -Infinity;
  for (const [i, block] of blocks.entries()) {
    if (block.minTime < end && !run.some((other) => other.compaction.failed)) {
      if (run.length === 0) run.push(blocks[i - 1]!);
      run.push(block);
    } else if (run.length > 0) break;
    end = Math.max(end, block.maxTime);
  }
  return run.some((block) => block.compaction.failed) ? [] : run;
}

/** The first aligned stretch that is full, or past, and has several blocks; smaller lengths first. */
function firstLevel(blocks: readonly BlockMeta[], ranges: readonly number[]): readonly BlockMeta[] {
  const newest = blocks.at(-1);
  if (!newest) return [];
  for (const range of ranges.slice(1)) {
    for (const group of splitByRange(blocks, range)) {
      if (group.some((block) => block.compaction.failed)) continue;
      const start = group[0]!.minTime;
      const end = group.at(-1)!.maxTime;
      if (group.length > 1 && (end - start === range || end <= newest.minTime)) return group;
    }
  }
  return [];
}

/** Blocks by the aligned stretch of time that they lie in; blocks that cross its border are left out. */
export function splitByRange(blocks: readonly BlockMeta[], range: number): BlockMeta[][] {
  const groups = new Map<number, BlockMeta[]>();
  for (const block of blocks) {
    const start = Math.floor(block.minTime / range) * range;
    if (block.maxTime > start + range) continue;
    const group = groups.get(start);
    if (group) group.push(block);
    else groups.set(start, [block]);
  }
  return [...groups.values()];
}

/** The same block written anew: level and sources stay, the old one is its parent. */
export function rewrittenMeta(ulid: string, old: BlockMeta): BlockMeta {
  const { level, sources, hints } = old.compaction;
  return {
    ulid,
    minTime: old.minTime,
    maxTime: old.maxTime,
    stats: {},
    compaction: {
      level,
      ...(sources ? { sources } : {}),
      ...(hints ? { hints } : {}),
      parents: [{ ulid: old.ulid, minTime: old.minTime, maxTime: old.maxTime }],
    },
    version: 1,
  };
}

export function planRewrite(
  folder: string,
  ulid: string,
  old: BlockMeta,
  reason: CompactionReason,
  rules?: readonly SeriesRule[],
): CompactionPlan {
  const plan = { reason, folder, blocks: [old.ulid], parts: [], meta: rewrittenMeta(ulid, old) };
  return rules ? { ...plan, rules } : plan;
}
