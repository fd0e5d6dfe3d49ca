// Carries out a compaction plan: merges blocks and parts into one new block. The new block appears whole or not at all; its
// parents stay until `removeBlocks`, which the caller runs when no reader opens them any more. Whatever a crash leaves
// behind, `cleanFolder` puts in order.

import type { Disk } from '#base/disk/disk.ts';
import { errorCode } from '#base/errors.ts';
import { compileMatchers } from '#model/matcher.ts';
import { Block } from '../block/block.ts';
import { PageCache } from '../block/files.ts';
import { type BlockMeta, META_FILE, readMeta, writeMeta } from '../block/meta.ts';
import { PARTS_FOLDER, Part } from '../block/part.ts';
import { blockNames } from '../block/set.ts';
import { isUlid } from '../block/ulid.ts';
import { type BlockSeries, CREATION_SUFFIX, DELETION_SUFFIX, deleteBlock, writeBlock } from '../block/writer.ts';
import { mergeSources } from './merge.ts';
import type { CompactionPlan, SeriesRule } from './plan.ts';
import { joinChunks } from './series.ts';

const CACHE_BYTES = 8 * 1024 * 1024;

export type CompactionResult = {
  /** The new block; undefined when nothing was left to write. */
  readonly block: BlockMeta | undefined;
  /** Blocks that the new one replaces: to be given to `removeBlocks`. */
  readonly obsolete: readonly string[];
};

export function compact(plan: CompactionPlan, disk: Disk, signal?: AbortSignal): CompactionResult {
  const { folder, meta } = plan;
  const cache = new PageCache(CACHE_BYTES);
  const blocks = plan.blocks.map((name) => new Block(disk, `${folder}/${name}`, cache));
  const sources = [...blocks, ...plan.parts.map((path) => new Part(disk, path))];
  const range = { min: meta.minTime, max: meta.maxTime - 1 };
  let written: BlockMeta | undefined;
  try {
    const merged = plan.reason === 'level' ? joined(mergeSources(sources, range)) : mergeSources(sources, range);
    written = writeBlock(disk, folder, meta, plan.rules ? filtered(merged, plan.rules) : merged, signal);
  } catch (error) {
    // Damaged blocks are left out of later plans; a full disk or a shutdown is no reason to.
    if (errorCode(error) === 'corrupt') for (const block of blocks) markFailed(disk, block);
    throw error;
  } finally {
    for (const block of blocks) block.close();
  }
  if (!written) for (const block of blocks) markDeletable(disk, block.folder);
  for (const path of plan.parts) disk.remove(path);
  return { block: written, obsolete: plan.blocks };
}

/** Blocks above the first level are kept for long: their chunks are made longer, once. */
function* joined(series: Iterable<BlockSeries>): Generator<BlockSeries> {
  for (const { labels, chunks } of series) yield { labels, chunks: joinChunks(chunks) };
}

function* filtered(series: Iterable<BlockSeries>, rules: readonly SeriesRule[]): Generator<BlockSeries> {
  const tests = rules.map(({ matchers, keep }) => ({ matches: compileMatchers(matchers), keep }));
  for (const entry of series) {
    const rule = tests.find(({ matches }) => matches(entry.labels));
    if (!rule || rule.keep) yield entry;
  }
}

function markFailed(disk: Disk, block: Block): void {
  writeMeta(disk, block.folder, { ...block.meta, compaction: { ...block.meta.compaction, failed: true } });
}

/** Nobody serves the block from the next look at the folder on; the next start removes it. */
export function markDeletable(disk: Disk, folder: string): void {
  const meta = readMeta(disk, folder);
  writeMeta(disk, folder, { ...meta, compaction: { ...meta.compaction, deletable: true } });
}

/** Removes blocks; whatever was removed before is no error. */
export function removeBlocks(disk: Disk, folder: string, names: readonly string[]): void {
  for (const name of names) deleteBlock(disk, folder, name);
}

/**
 * Puts a data folder in order at the start, before anything reads it: removes unfinished and half-deleted blocks, parts,
 * and parents whose merged block is there. Returns what was removed.
 */
export function cleanFolder(disk: Disk, folder: string): string[] {
  const removed: string[] = [];
  for (const { name, isFolder } of disk.list(folder)) {
    const isLeftover =
      isFolder && (name.endsWith(CREATION_SUFFIX) || name.endsWith(DELETION_SUFFIX) || name === PARTS_FOLDER);
    const isHollow = isFolder && isUlid(name) && !disk.exists(`${folder}/${name}/${META_FILE}`);
    if (!isLeftover && !isHollow) continue;
    disk.remove(`${folder}/${name}`);
    removed.push(name);
  }
  for (const name of obsoleteBlocks(disk, folder)) {
    deleteBlock(disk, folder, name);
    removed.push(name);
  }
  return removed;
}

/** Blocks that a readable block names as its parents, or that have nothing left in them. */
function obsoleteBlocks(disk: Disk, folder: string): string[] {
  const names = blockNames(disk, folder);
  const metas = names.flatMap((name) => {
    try {
      return [readMeta(disk, `${folder}/${name}`)];
    } catch (error) {
      // Reported by whoever serves blocks; here it only must not make its parents vanish.
      if (errorCode(error) !== 'corrupt') throw error;
      return [];
    }
  });
  const parents = new Set(metas.flatMap((meta) => meta.compaction.parents ?? []).map(({ ulid }) => ulid));
  const deletable = new Set(metas.filter((meta) => meta.compaction.deletable).map(({ ulid }) => ulid));
  return names.filter((name) => parents.has(name) || deletable.has(name));
}
