// The thread of one shard of an agent: scraping and receiving as in the server, before a store that only numbers series. The
// queues of the remotes are all that is kept.

import { parentPort } from 'node:worker_threads';
import { assert } from '#base/assert.ts';
import { every, systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { OperatingError } from '#base/errors.ts';
import { Lane, type LaneEnd } from '#base/lane.ts';
import { Connection, serveApi, threadData } from '#base/thread.ts';
import type { Folded } from '#collect/aggregate/aggregator.ts';
import type { Received } from '#collect/receive/exchange.ts';
import { ScrapePool } from '#collect/scrape/pool.ts';
import { AgentStore } from '#collect/send/agent.ts';
import type { Appender, SampleBatch } from '#model/batch.ts';
import { Registry } from '#model/registry.ts';
import { ShardedAppender } from '#scale/shards/append.ts';
import { ownWay, ShardPeer, shardLaneServer } from '#scale/shards/lanes.ts';
import type { ExchangeConfig, ShardApi } from '#scale/shards/protocol.ts';
import { processLogger } from './logger.ts';
import { type ExchangeOptions, ShardExchange } from './shard-exchange.ts';

/** What the thread starts with. */
export type AgentShardData = {
  readonly shard: number;
  readonly shards: number;
  readonly folder: string;
  readonly exchange: ExchangeOptions;
  readonly seriesRetentionMs: number;
  readonly offsetSeed: number;
  readonly log: { readonly 'log.level': string; readonly 'log.format': string };
};

const data = await threadData<AgentShardData>();
const log = processLogger(data.log).with({ shard: data.shard });
const registry = new Registry();
const peers = new Map<number, ShardPeer>();

const store = new AgentStore(data.shard, registry);
every(systemClock, data.seriesRetentionMs / 2, () => store.turn());
const spread = (own: Appender): Appender => {
  const way = ownWay(own);
  return new ShardedAppender(data.shards, (shard) => {
    if (shard === data.shard) return way;
    const peer = peers.get(shard);
    if (!peer) throw new OperatingError('shard_down', `shard ${shard} cannot be reached`);
    return peer;
  });
};

const hand = (folded: Folded): void => {
  const peer = peers.get(0)?.client;
  const told = peer ? peer.aggregated(folded) : Promise.reject(new Error('shard 0 cannot be reached'));
  told.catch((error: unknown) => log.warn('folds of an interval are lost', { err: error }));
};

const shared = { clock: systemClock, disk: nodeDisk, registry, log };
/** How often queues are synced to disk. */
const syncMs = () => 100;
const exchange = new ShardExchange(
  { ...shared, shard: data.shard, shards: data.shards, folder: data.folder, store, spread, hand, syncMs },
  data.exchange,
);
const scrapes = new ScrapePool({
  ...shared,
  appender: exchange.appender,
  offsetSeed: data.offsetSeed,
  environment: process.env,
  tracer: exchange.tracer,
});

const laneServer = shardLaneServer(exchange.own, (body) => exchange.receivers.write(body));

const api = {
  connect({ shard, port, lane }: Parameters<ShardApi['connect']>[0]): void {
    serveApi(port, api);
    const connection = new Connection<ShardApi>(port);
    port.on('close', () => connection.close(new OperatingError('shard_down', `shard ${shard} has ended`)));
    peers.set(shard, new ShardPeer(connection.client, new Lane(lane, laneServer)));
  },
  attach(lane: LaneEnd): void {
    new Lane(lane, laneServer);
  },
  append: (batch: SampleBatch) => exchange.own.append(batch),
  receive: (request: Received) => exchange.receivers.receive(request),
  setExchange: (config: ExchangeConfig) => exchange.apply(config),
  aggregated: (folded: Folded): void => exchange.aggregated(folded),
  setTargets: (assignments: Parameters<ShardApi['setTargets']>[0]): void => scrapes.apply(assignments),
  targetStatuses: () => scrapes.statuses(),
  targetFamilies: () => [...scrapes.families()],
  metrics: () => {
    exchange.remotes.report();
    return registry.families();
  },
  quiesce: () => scrapes.stop(),
  async drain(): Promise<void> {
    await scrapes.stop();
    await exchange.stop();
  },
};

assert(parentPort, 'program/agent-shard.ts runs as a thread');
serveApi(parentPort, api);
