// The threads of the shards before anything is known but how many there are: they load their code and wait for what
// they start with.

import os from 'node:os';
import { Worker } from 'node:worker_threads';

export const SHARD_ENTRY = new URL('./shard.ts', import.meta.url);

/** As many as wanted; 0: one for each core. */
export const beginShards = (wanted: number): readonly Worker[] =>
  Array.from({ length: wanted || os.availableParallelism() }, (_, shard) => {
    return new Worker(SHARD_ENTRY, { name: `shard-${shard}` });
  });
