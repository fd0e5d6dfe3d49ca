// The work on blocks as functions for a thread of its own: whatever takes long or writes much happens here, never where
// samples are taken in or queries run. One call at a time; the caller (cycle.ts) decides the order.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorCode, errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { Histogram } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { TimeRange } from '#model/query.ts';
import { Backfill } from '../backfill.ts';
import { Block, folderBytes } from '../block/block.ts';
import { PageCache } from '../block/files.ts';
import { addHashes } from '../block/hashes.ts';
import { type BlockMeta, readMeta } from '../block/meta.ts';
import { blockNames } from '../block/set.ts';
import { newUlid } from '../block/ulid.ts';
import { deleteFromBlock } from '../delete.ts';
import { planRetention, type RetentionSettings } from '../retention.ts';
import { linkBlock, SNAPSHOTS_FOLDER } from '../snapshot.ts';
import { needsTakeover, type Takeover, takeOver } from '../takeover/takeover.ts';
import { type CompactionResult, cleanFolder, compact, markDeletable, removeBlocks } from './compact.ts';
import { blockRanges, planCompaction, planHead, planRewrite } from './plan.ts';
import { uploadedBlocks } from './uploads.ts';

export type WorkParts = {
  readonly disk: Disk;
  readonly folder: string;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** What the parts that shards have written become. `maxTime` is the first millisecond after it. */
export type HeadWork = {
  readonly parts: readonly string[];
  readonly minTime: number;
  readonly maxTime: number;
  readonly outOfOrder?: boolean;
  /** A folder of its own below the snapshots instead of the data folder. */
  readonly snapshot?: string;
};

export type NextSettings = {
  readonly retentionMs: number;
  readonly maxBlockMs?: number;
  /** Lists the blocks that were uploaded; those of level 1 that it does not list wait. */
  readonly uploadsFile?: string;
  /** Whether blocks that overlap are merged. */
  readonly overlaps?: boolean;
};

export type BlockInfo = BlockMeta & { readonly sizeBytes: number };
export type Done = CompactionResult & { readonly reason: string; readonly durationMs: number };

// A type alias, not an interface: it has to fit the index signature of a thread's API.
export type BlockWork = {
  /** Puts the folder in order and takes over a Prometheus log; to be called before shards open the folder. */
  prepare(argument: undefined, signal?: AbortSignal): Takeover | undefined;
  writeHead(work: HeadWork, signal?: AbortSignal): Done;
  /** Carries out the next compaction, if one is due. */
  next(settings: NextSettings, signal?: AbortSignal): Done | undefined;
  /** Drops and rewrites what retention asks for. */
  retain(
    request: { readonly settings: RetentionSettings; readonly otherBytes: number },
    signal?: AbortSignal,
  ): { readonly obsolete: readonly string[]; readonly dropped: Readonly<Record<'time' | 'size', number>> };
  remove(names: readonly string[]): void;
  delete(request: { readonly matchers: readonly (readonly Matcher[])[]; readonly range: TimeRange }): number;
  /** Rewrites one block that has tombstones. */
  cleanTombstones(argument: undefined, signal?: AbortSignal): Done | undefined;
  snapshot(name: string): void;
  /** Makes blocks of samples that no head takes. */
  backfill(samples: readonly OldSample[]): void;
  blocks(): readonly BlockInfo[];
};

export type OldSample = {
  readonly labels: Labels;
  readonly timestamp: number;
  readonly value: number;
  readonly histogram?: Histogram;
};

export function blockWork(parts: WorkParts): BlockWork {
  const { disk, folder, clock, logger } = parts;
  const cache = new PageCache(4 * 1024 * 1024);
  const ulid = () => newUlid(clock.now(), parts.random);

  const metas = (): BlockMeta[] =>
    blockNames(disk, folder).flatMap((name) => {
      try {
        return [readMeta(disk, `${folder}/${name}`)];
      } catch (error) {
        logger.error('cannot read a block; it is left alone', { block: name, err: errorText(error) });
        return [];
      }
    });

  /** Calls with every readable block opened, and closes them. */
  function withBlocks<T>(use: (blocks: readonly Block[]) => T): T {
    const blocks = metas().map((meta) => new Block(disk, `${folder}/${meta.ulid}`, cache));
    try {
      return use(blocks);
    } finally {
      for (const block of blocks) block.close();
    }
  }

  function run(plan: Parameters<typeof compact>[0], signal: AbortSignal | undefined): Done {
    const begun = clock.monotonic();
    const result = compact(plan, disk, signal);
    const durationMs = Math.round(clock.monotonic() - begun);
    const { block } = result;
    logger.info('block written', {
      reason: plan.reason,
      block: block?.ulid ?? 'none: nothing was left',
      mint: plan.meta.minTime,
      maxt: plan.meta.maxTime,
      sources: plan.blocks.length + plan.parts.length,
      series: block?.stats.numSeries ?? 0,
      samples: block?.stats.numSamples ?? 0,
      durationMs,
    });
    return { ...result, reason: plan.reason, durationMs };
  }

  return {
    prepare(_, signal) {
      disk.makeFolder(folder);
      const removed = cleanFolder(disk, folder);
      if (removed.length > 0) logger.info('removed what an earlier run has left behind', { folders: removed });
      if (!needsTakeover(disk, folder)) return undefined;
      const begun = clock.monotonic();
      const taken = takeOver(disk, folder, {
        random: parts.random,
        nowMs: clock.now(),
        ...(signal ? { signal } : {}),
      });
      for (const problem of taken.problems) logger.warn('damage in the Prometheus log', problem);
      addMissingHashes(disk, folder, cache, logger);
      const durationMs = Math.round(clock.monotonic() - begun);
      const { series, samples, blocks } = taken;
      logger.info('took over a Prometheus log', { series, samples, blocks: blocks.length, durationMs });
      return taken;
    },

    writeHead({ parts: paths, minTime, maxTime, outOfOrder = false, snapshot }, signal) {
      const into = snapshot === undefined ? folder : `${folder}/${SNAPSHOTS_FOLDER}/${snapshot}`;
      const plan = planHead(into, ulid(), paths, { minTime, maxTime, outOfOrder });
      return run(snapshot === undefined ? plan : { ...plan, reason: 'snapshot' }, signal);
    },

    next({ retentionMs, maxBlockMs, uploadsFile = '', overlaps = true }, signal) {
      const all = metas();
      const known = uploadsFile === '' ? all : uploadedBlocks(all, uploadsFile, disk, logger);
      const plan = planCompaction(folder, known, blockRanges(retentionMs, undefined, maxBlockMs), ulid(), { overlaps });
      return plan && run(plan, signal);
    },

    retain({ settings, otherBytes }, signal) {
      const { totalBytes } = disk.space(folder);
      const plan = withBlocks((blocks) => planRetention(blocks, settings, { totalBytes, otherBytes }));
      const dropped = { time: 0, size: 0 };
      for (const { block, reason } of plan.drop) {
        logger.info('retention drops a block', { block, reason });
        markDeletable(disk, `${folder}/${block}`);
        dropped[reason]++;
      }
      const obsolete = plan.drop.map(({ block }) => block);
      for (const { block, rules } of plan.rewrite) {
        const meta = readMeta(disk, `${folder}/${block}`);
        obsolete.push(...run(planRewrite(folder, ulid(), meta, 'retention', rules), signal).obsolete);
      }
      return { obsolete, dropped };
    },

    remove: (names) => removeBlocks(disk, folder, names),

    delete: ({ matchers, range }) =>
      withBlocks((blocks) => blocks.reduce((sum, block) => sum + deleteFromBlock(block, matchers, range), 0)),

    cleanTombstones(_, signal) {
      const marked = metas().find((meta) => (meta.stats.numTombstones ?? 0) > 0 && !meta.compaction.failed);
      return marked && run(planRewrite(folder, ulid(), marked, 'tombstones'), signal);
    },

    snapshot(name) {
      const into = `${folder}/${SNAPSHOTS_FOLDER}/${name}`;
      disk.makeFolder(into);
      for (const meta of metas()) linkBlock(disk, folder, meta.ulid, into);
    },

    backfill(samples) {
      const begun = clock.monotonic();
      const backfill = new Backfill({ disk, folder, random: parts.random, nowMs: clock.now() });
      for (const { labels, timestamp, value, histogram } of samples) {
        const histograms = histogram ? new Map([[0, histogram]]) : undefined;
        backfill.addSeries(labels, Float64Array.of(timestamp), Float64Array.of(value), histograms);
      }
      const blocks = backfill.finish().map(({ ulid }) => ulid);
      const durationMs = Math.round(clock.monotonic() - begun);
      logger.info('samples of the past written', { samples: samples.length, blocks: blocks.join(), durationMs });
    },

    blocks: () =>
      metas()
        .map((meta) => ({ ...meta, sizeBytes: folderBytes(disk, `${folder}/${meta.ulid}`) }))
        .sort((a, b) => a.minTime - b.minTime),
  };
}

/** Blocks that Prometheus wrote have no hashes; with them, shards need not look at each other's series. */
function addMissingHashes(disk: Disk, folder: string, cache: PageCache, logger: Logger): void {
  for (const name of blockNames(disk, folder)) {
    try {
      const block = new Block(disk, `${folder}/${name}`, cache);
      try {
        if (!block.hashes) addHashes(disk, block);
      } finally {
        block.close();
      }
    } catch (error) {
      if (errorCode(error) !== 'corrupt') throw error;
      logger.error('cannot read a block; it is left alone', { block: name, err: errorText(error) });
    }
  }
}
