// How long blocks are kept: by time, by size, by a share of the disk, and per selector. A plan names the blocks to drop and
// those to write anew without the series whose time is over. Ages count from the newest block's end, as in Prometheus, so
// that a wrong clock deletes nothing.

import type { Matcher } from '#model/matcher.ts';
import type { Block } from './block/block.ts';
import { findCandidates } from './block/postings.ts';
import type { SeriesRule } from './compact/plan.ts';

export type SelectorRetention = { readonly matchers: readonly Matcher[]; readonly timeMs: number };

export type RetentionSettings = {
  /** 0: for ever. */
  readonly timeMs: number;
  /** 0: no limit. */
  readonly sizeBytes: number;
  /** Of the disk's size; goes before `sizeBytes`. 0: no limit. */
  readonly percentage: number;
  /** The first that matches a series decides for it, `timeMs` for the rest. */
  readonly selectors: readonly SelectorRetention[];
};

export type RetentionPlan = {
  readonly drop: readonly { readonly block: string; readonly reason: 'time' | 'size' }[];
  readonly rewrite: readonly { readonly block: string; readonly rules: readonly SeriesRule[] }[];
};

/** `otherBytes` is what lies beside the blocks: logs and head chunks. */
export function planRetention(
  blocks: readonly Block[],
  settings: RetentionSettings,
  disk: { readonly totalBytes: number; readonly otherBytes: number },
): RetentionPlan {
  const newestFirst = blocks.toSorted((a, b) => b.meta.maxTime - a.meta.maxTime);
  const drop: { block: string; reason: 'time' | 'size' }[] = [];
  const rewrite: { block: string; rules: readonly SeriesRule[] }[] = [];
  const now = newestFirst[0]?.meta.maxTime ?? 0;
  const longest = longestMs(settings);
  const maxBytes =
    settings.percentage > 0 && disk.totalBytes > 0 ? (disk.totalBytes * settings.percentage) / 100 : settings.sizeBytes;
  let bytes = disk.otherBytes;
  let isFull = false;
  for (const [i, block] of newestFirst.entries()) {
    const name = block.meta.ulid;
    const age = now - block.meta.maxTime;
    if (i > 0 && longest > 0 && age >= longest) {
      drop.push({ block: name, reason: 'time' });
      continue;
    }
    bytes += maxBytes > 0 ? block.sizeBytes : 0;
    isFull ||= maxBytes > 0 && bytes > maxBytes;
    if (isFull) {
      drop.push({ block: name, reason: 'size' });
      continue;
    }
    const rules = i > 0 ? rulesAt(settings, age) : [];
    if (rules.length > 0 && hasDroppedSeries(block, rules)) rewrite.push({ block: name, rules });
  }
  return { drop, rewrite };
}

/** The time after which nothing is left to keep; 0 when something is kept for ever. */
function longestMs({ timeMs, selectors }: RetentionSettings): number {
  const times = [timeMs, ...selectors.map((selector) => selector.timeMs)];
  return times.includes(0) ? 0 : Math.max(...times);
}

/** What is over at an age; empty when nothing is. */
function rulesAt({ timeMs, selectors }: RetentionSettings, age: number): SeriesRule[] {
  const isOver = (limit: number) => limit > 0 && age >= limit;
  const rules = selectors.map((selector) => ({ matchers: selector.matchers, keep: !isOver(selector.timeMs) }));
  const all = { matchers: [], keep: !isOver(timeMs) };
  return [...rules, all].some(({ keep }) => !keep) ? [...rules, all] : [];
}

/** Whether a block has series that the rules drop. Looks at the index only, so nothing has to be remembered. */
function hasDroppedSeries(block: Block, rules: readonly SeriesRule[]): boolean {
  let kept: Set<number> | undefined;
  for (const { matchers, keep } of rules) {
    const { refs, test } = findCandidates(block.index, matchers);
    for (const ref of refs) {
      if (kept?.has(ref) || (test && !test(block.index.labels(ref)))) continue;
      if (!keep) return true;
      kept ??= new Set();
      kept.add(ref);
    }
  }
  return false;
}
