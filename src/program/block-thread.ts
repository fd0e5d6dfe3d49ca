// The thread that works on blocks: compaction, retention, deletion, snapshots, taking over a Prometheus folder. It may be
// ended at any moment; the next start puts the folder in order.

import { parentPort } from 'node:worker_threads';
import { assert } from '#base/assert.ts';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { systemRandom } from '#base/random.ts';
import { serveApi, threadData } from '#base/thread.ts';
import { blockWork } from '#store/compact/work.ts';
import { processLogger } from './logger.ts';

export type BlockThreadData = {
  readonly folder: string;
  readonly log: { readonly 'log.level': string; readonly 'log.format': string };
};

const data = await threadData<BlockThreadData>();
assert(parentPort, 'program/block-thread.ts runs as a thread');
serveApi(
  parentPort,
  blockWork({
    disk: nodeDisk,
    folder: data.folder,
    random: systemRandom,
    clock: systemClock,
    logger: processLogger(data.log),
  }),
);
