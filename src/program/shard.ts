// The thread of one shard: builds what lives in it and answers calls from the main thread and from the other shards.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { assert } from '#base/assert.ts';
import { systemClock } from '#base/clock.ts';
import { KernelMemory } from '#base/kernel.ts';
import { type Client, Connection, serveApi } from '#base/thread.ts';
import { Registry } from '#model/registry.ts';
import type { ShardApi } from '#scale/shards/protocol.ts';
import { processLogger } from './process.ts';

export type ShardData = {
  readonly shard: number;
  readonly shards: number;
  readonly folder: string;
  readonly log: { readonly 'log.level': string; readonly 'log.format': string };
};

const data = workerData as ShardData;
const logger = processLogger(data.log).with({ shard: data.shard });
const registry = new Registry();
const memory = new KernelMemory();
const peers = new Map<number, Client<ShardApi>>();

registry.collected('pharos_shard_memory_bytes', 'Memory that kernels of the shard have reserved.', 'gauge', () => [
  { value: memory.usedBytes },
]);
registry.collected('pharos_shard_heap_bytes', "JavaScript heap of the shard's thread.", 'gauge', () => [
  { value: process.memoryUsage().heapUsed },
]);

const api = {
  connect({ shard, port }: { shard: number; port: MessagePort }) {
    serveApi(port, api);
    peers.set(shard, new Connection<ShardApi>(port).client);
  },
  metrics: () => registry.families(),
  async drain() {
    logger.debug('drained', { at: systemClock.now() });
  },
};

assert(parentPort, 'program/shard.ts runs as a thread');
serveApi(parentPort, api);
