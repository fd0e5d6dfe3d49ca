// What the store of each shard obeys: flags, configuration, and limits that are configured for the whole server and shared
// out over its shards.

import os from 'node:os';
import { UserError } from '#base/errors.ts';
import type { HeadLimits } from '#store/head/limits.ts';
import { DEFAULT_STORE_OPTIONS, type StoreOptions } from '#store/options.ts';
import type { ServerConfig } from './config.ts';
import type { ServerFlags } from './flags.ts';

/** A shard's memory can have 4 GiB; what is above is room for queries. */
const MAX_HEAD_BYTES = 3.25 * 1024 ** 3;
/** Series may have this share of the memory that the process is to keep below; the rest is for everything else. */
const MEMORY_SHARE = 7 / 9;

export function storeOptionsOf(flags: ServerFlags, config: ServerConfig, shards: number): StoreOptions {
  const { tsdb, exemplars } = config.storage ?? {};
  return {
    ...DEFAULT_STORE_OPTIONS,
    chunkRangeMs: flags['storage.tsdb.min-block-duration'],
    outOfOrderWindowMs: tsdb?.out_of_order_time_window ?? 0,
    maxExemplars: exemplars?.max_exemplars ?? DEFAULT_STORE_OPTIONS.maxExemplars,
    fsyncIntervalMs: tsdb?.log_sync_interval ?? DEFAULT_STORE_OPTIONS.fsyncIntervalMs,
    limits: limitsOf(flags, config, shards),
  };
}

/** Series spread evenly, so each shard gets its share; one of few series may hit it a little early. */
function limitsOf(flags: ServerFlags, config: ServerConfig, shards: number): HeadLimits {
  const limits = config.storage?.limits;
  const share = (limit: number | undefined) => Math.ceil((limit ?? 0) / shards);
  const ratio = flags['auto-gomemlimit.ratio'];
  if (ratio <= 0 || ratio > 1) {
    throw new UserError('--auto-gomemlimit.ratio must be greater than 0 and less than or equal to 1.');
  }
  const available = flags['auto-gomemlimit']
    ? Math.min(os.totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY) * ratio
    : Number.POSITIVE_INFINITY;
  return {
    series: share(limits?.series),
    seriesPerMetric: share(limits?.series_per_metric),
    seriesPerTarget: share(limits?.series_per_target),
    targetLabel: limits?.target_label ?? 'instance',
    memoryBytes: Math.min(MAX_HEAD_BYTES, Math.floor((limits?.memory ?? available * MEMORY_SHARE) / shards)),
  };
}
