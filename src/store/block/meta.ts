// meta.json of a block: what it covers and where it came from, in Prometheus' shape. It is written last, so a folder without
// it is no block.

import type { Disk } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { errorText, OperatingError } from '#base/errors.ts';
import { isUlid } from './ulid.ts';

export const META_FILE = 'meta.json';

export type BlockStats = {
  readonly numSamples?: number;
  readonly numFloatSamples?: number;
  readonly numHistogramSamples?: number;
  readonly numSeries?: number;
  readonly numChunks?: number;
  readonly numTombstones?: number;
};

export type BlockDescription = { readonly ulid: string; readonly minTime: number; readonly maxTime: number };

/** Hints that Prometheus knows; blocks of the last two are never merged with others. */
export type CompactionHint = 'from-out-of-order' | 'from-stale-series' | 'from-selected-series';

export type BlockMeta = {
  readonly ulid: string;
  /** First millisecond that samples may have, and the first one that they may not. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly stats: BlockStats;
  readonly compaction: {
    readonly level: number;
    readonly sources?: readonly string[];
    readonly deletable?: boolean;
    readonly parents?: readonly BlockDescription[];
    readonly failed?: boolean;
    readonly hints?: readonly string[];
  };
  readonly version: 1;
};

export function readMeta(disk: Disk, folder: string): BlockMeta {
  const path = `${folder}/${META_FILE}`;
  const text = new TextDecoder().decode(disk.readFile(path));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new OperatingError('corrupt', `cannot read ${path}: ${errorText(error)}`);
  }
  const meta = value as BlockMeta;
  const problem =
    typeof value !== 'object' || value === null
      ? 'it holds no object'
      : meta.version !== 1
        ? `version ${meta.version} is not 1`
        : typeof meta.ulid !== 'string' || !isUlid(meta.ulid)
          ? `${JSON.stringify(meta.ulid)} is no ULID`
          : !Number.isFinite(meta.minTime) || !Number.isFinite(meta.maxTime)
            ? 'minTime or maxTime is missing'
            : typeof meta.compaction?.level !== 'number'
              ? 'compaction.level is missing'
              : undefined;
  if (problem) throw new OperatingError('corrupt', `cannot read ${path}: ${problem}`);
  return { ...meta, stats: meta.stats ?? {} };
}

export const formatMeta = (meta: BlockMeta): string => JSON.stringify(meta, undefined, '\t');

export function writeMeta(disk: Disk, folder: string, meta: BlockMeta): void {
  replaceFile(disk, `${folder}/${META_FILE}`, new TextEncoder().encode(formatMeta(meta)));
}

/** What a block made from others says about itself: the widest range, one level up, all their sources. */
export function mergedMeta(ulid: string, parents: readonly BlockMeta[]): BlockMeta {
  const sources = new Set(parents.flatMap((meta) => meta.compaction.sources ?? []));
  const hints = new Set(parents.flatMap((meta) => meta.compaction.hints ?? []));
  // A block is out-of-order only when nothing in it is in order; the other hints stay with what they mark.
  if (!parents.every((meta) => meta.compaction.hints?.includes('from-out-of-order'))) hints.delete('from-out-of-order');
  return {
    ulid,
    minTime: Math.min(...parents.map((meta) => meta.minTime)),
    maxTime: Math.max(...parents.map((meta) => meta.maxTime)),
    stats: {},
    compaction: {
      level: Math.max(...parents.map((meta) => meta.compaction.level)) + 1,
      sources: [...sources].sort(),
      parents: parents.map(({ ulid, minTime, maxTime }) => ({ ulid, minTime, maxTime })),
      ...(hints.size > 0 ? { hints: [...hints].sort() } : {}),
    },
    version: 1,
  };
}
