// The limits of the store: as configured for the whole server, shared out over its shards.

import os from 'node:os';
import type { HeadLimits } from '#store/head/limits.ts';
import type { ServerConfig } from './config.ts';

/** A shard's memory can have 4 GiB; what is above is room for queries. */
const MAX_HEAD_BYTES = 3.25 * 1024 ** 3;
/** Without a limit in the configuration: this share of the machine's memory, or of what the process may have. */
const MEMORY_SHARE = 0.7;

/** Series spread evenly, so each shard gets its share; one of few series may hit it a little early. */
export function limitsOf(config: ServerConfig, shards: number): HeadLimits {
  const limits = config.storage?.limits;
  const share = (limit: number | undefined) => Math.ceil((limit ?? 0) / shards);
  const available = Math.min(os.totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return {
    series: share(limits?.series),
    seriesPerMetric: share(limits?.series_per_metric),
    seriesPerTarget: share(limits?.series_per_target),
    targetLabel: limits?.target_label ?? 'instance',
    memoryBytes: Math.min(MAX_HEAD_BYTES, Math.floor((limits?.memory ?? available * MEMORY_SHARE) / shards)),
  };
}
