// What can be set about the store of a shard, with the values that hold when nothing is said.

import { type HeadLimits, NO_LIMITS } from './head/limits.ts';

export type StoreOptions = {
  /** Length of the blocks that the head is cut into. */
  readonly chunkRangeMs: number;
  readonly outOfOrderWindowMs: number;
  /** Samples further ahead of the clock are refused; 0 lets all in. */
  readonly maxAheadMs: number;
  readonly maxExemplars: number;
  /** Limits of this shard. */
  readonly limits: HeadLimits;
  /** How often what was acknowledged is made to survive a power cut; 0: before it is acknowledged. */
  readonly fsyncIntervalMs: number;
  readonly keepSegmentBytes: number;
  readonly sampleSegmentBytes: number;
  /** Above this, sample segments are replaced by the open chunks of the series that need them. */
  readonly maxSampleBytes: number;
  /** Memory for pages of block indexes. */
  readonly indexCacheBytes?: number;
};

const MiB = 1024 * 1024;

export const DEFAULT_STORE_OPTIONS: StoreOptions = {
  chunkRangeMs: 2 * 3_600_000,
  outOfOrderWindowMs: 0,
  maxAheadMs: 10 * 60_000,
  maxExemplars: 100_000,
  limits: NO_LIMITS,
  fsyncIntervalMs: 1000,
  keepSegmentBytes: 16 * MiB,
  sampleSegmentBytes: 4 * MiB,
  maxSampleBytes: 32 * MiB,
};
