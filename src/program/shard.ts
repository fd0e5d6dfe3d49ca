// The thread of one shard: builds what lives in it and answers calls from the main thread and from the other shards.

import { parentPort } from 'node:worker_threads';
import { assert } from '#base/assert.ts';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { OperatingError } from '#base/errors.ts';
import { KernelMemory } from '#base/kernel.ts';
import { Lane, type LaneEnd } from '#base/lane.ts';
import { Connection, serveApi, threadData, transferring, whenPosted } from '#base/thread.ts';
import type { Folded } from '#collect/aggregate/aggregator.ts';
import type { Answer, Received } from '#collect/receive/exchange.ts';
import { ScrapePool } from '#collect/scrape/pool.ts';
import type { Appender, Metadata, SampleBatch } from '#model/batch.ts';
import { ChangeBoard } from '#model/board.ts';
import { compareLabels, compareText, METRIC_NAME } from '#model/labels.ts';
import type { RawSeries } from '#model/query.ts';
import { Registry } from '#model/registry.ts';
import { ShardQueries } from '#query/shard/run.ts';
import { ShardedAppender } from '#scale/shards/append.ts';
import { type EncodedSeries, type EncodeRead, encodeForRead } from '#scale/shards/encode-read.ts';
import { LabelPacker } from '#scale/shards/label-line.ts';
import { ownWay, ShardPeer, shardLaneServer } from '#scale/shards/lanes.ts';
import type { ExchangeConfig, PackedColumns, SeriesQuery, ShardApi } from '#scale/shards/protocol.ts';
import { decodeChunk } from '#store/codec/chunk.ts';
import { SampleColumns } from '#store/codec/samples.ts';
import { shardSide } from '#store/compact/shard-side.ts';
import { someValuesOf } from '#store/head/label-index.ts';
import type { StoreOptions } from '#store/options.ts';
import { openShardStore } from '#store/shard.ts';
import { processLogger } from './logger.ts';
import { type ExchangeOptions, ShardExchange } from './shard-exchange.ts';

/** What a shard's thread starts with. */
export type ShardData = {
  readonly shard: number;
  readonly shards: number;
  readonly folder: string;
  readonly store: StoreOptions;
  /** Of a ChangeBoard. */
  readonly board?: SharedArrayBuffer;
  readonly exchange: ExchangeOptions;
  /** Decides when targets are scraped; see ScrapePool. */
  readonly offsetSeed: number;
  readonly log: { readonly 'log.level': string; readonly 'log.format': string };
};

const data = await threadData<ShardData>();
const logger = processLogger(data.log).with({ shard: data.shard });
const registry = new Registry();
const memory = new KernelMemory();
const peers = new Map<number, ShardPeer>();

const store = openShardStore({
  disk: nodeDisk,
  clock: systemClock,
  registry,
  logger,
  memory,
  folder: data.folder,
  shard: data.shard,
  shards: data.shards,
  options: data.store,
  board: data.board && new ChangeBoard(data.board),
});

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
  told.catch((error: unknown) => logger.warn('folds of an interval are lost', { err: error }));
};

const chunkDecoder = (encoding: number, bytes: Uint8Array): SampleColumns => {
  const columns = new SampleColumns();
  decodeChunk(encoding, bytes, columns);
  return columns;
};

const exchange = new ShardExchange(
  {
    shard: data.shard,
    shards: data.shards,
    folder: data.folder,
    store,
    spread,
    hand,
    clock: systemClock,
    disk: nodeDisk,
    registry,
    log: logger,
    syncMs: () => store.options.fsyncIntervalMs,
    decodeChunk: chunkDecoder,
  },
  data.exchange,
);

const scrapes = new ScrapePool({
  clock: systemClock,
  disk: nodeDisk,
  log: logger,
  registry,
  appender: exchange.appender,
  offsetSeed: data.offsetSeed,
  environment: process.env,
  tracer: exchange.tracer,
});

registry.collected('pharos_shard_memory_bytes', 'Memory that the kernels of shards have reserved.', 'gauge', () => [
  { labels: ['shard', String(data.shard)], value: memory.usedBytes },
]);

/** Union of what several matcher sets select; no set at all selects everything. */
function united<T>(
  query: SeriesQuery,
  select: (matchers: SeriesQuery['matchers'][number]) => readonly T[],
  compare: (a: T, b: T) => number,
): T[] {
  const sets = query.matchers.length > 0 ? query.matchers : [[]];
  if (sets.length === 1) {
    const only = [...select(sets[0]!)];
    return query.limit > 0 ? only.slice(0, query.limit) : only;
  }
  const sorted = sets.flatMap((matchers) => [...select(matchers)]).sort(compare);
  const unique = sorted.filter((item, index) => index === 0 || compare(sorted[index - 1]!, item) !== 0);
  return query.limit > 0 ? unique.slice(0, query.limit) : unique;
}

const queries = new ShardQueries({
  source: store,
  memory,
  clock: systemClock,
  decoder: chunkDecoder,
});

const MIN_MOVED_BYTES = 2048;
const packers = new WeakMap<object, LabelPacker>();
/** One for each line: only the other end of that one knows what has been sent. */
function packerOf(line: object): LabelPacker {
  let packer = packers.get(line);
  if (!packer) {
    packer = new LabelPacker();
    packers.set(line, packer);
  }
  return packer;
}

const laneServer = shardLaneServer(exchange.own, (body) => exchange.receivers.write(body));

const api: ShardApi = {
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
  receive: (request: Received): Promise<Answer> => exchange.receivers.receive(request),
  setExchange: (config: ExchangeConfig) => exchange.apply(config),
  configureStore: (options: StoreOptions): void => store.configure(options),
  aggregated: (folded: Folded): void => exchange.aggregated(folded),
  setTargets: (assignments: Parameters<ShardApi['setTargets']>[0]): void => scrapes.apply(assignments),
  targetStatuses: () => scrapes.statuses(),
  targetFamilies: () => [...scrapes.families()],
  targetMetadata: (metric: string | undefined) => {
    const found = new Map<string, { family: string; metadata: Metadata }>();
    for (const { family, metadata } of scrapes.families()) {
      if (metric !== undefined && family !== metric) continue;
      found.set(JSON.stringify([family, metadata.type, metadata.help, metadata.unit]), { family, metadata });
    }
    return [...found.values()];
  },
  async run({ fragment, limits, beside }: Parameters<ShardApi['run']>[0], signal: AbortSignal): Promise<PackedColumns> {
    await store.ready();
    const columns = await queries.run(fragment, limits, signal, beside);
    return whenPosted((line) => {
      const labels = packerOf(line).pack(columns.labels, columns.partial?.rows);
      const { values, present, partial } = columns;
      const buffers = [labels.sets, labels.numbers, values, present, partial?.counts, partial?.rests];
      // Small ones are copied in less time than they are handed over.
      const moved = buffers.flatMap((array) =>
        array && array.byteLength >= MIN_MOVED_BYTES ? [array.buffer as ArrayBuffer] : [],
      );
      return transferring({ ...columns, labels }, moved);
    });
  },
  async select(
    { select, limits, beside }: Parameters<ShardApi['select']>[0],
    signal: AbortSignal,
  ): Promise<readonly RawSeries[]> {
    await store.ready();
    return queries.select(select, limits, signal, beside);
  },
  async encodeRead(request: EncodeRead, signal: AbortSignal): Promise<EncodedSeries> {
    await store.ready();
    const encoded = encodeForRead(await queries.select(request.select, request.limits, signal), request);
    return transferring(encoded, [encoded.ends.buffer as ArrayBuffer, encoded.bytes.buffer as ArrayBuffer]);
  },
  async readRemote(
    { name, select, limits }: Parameters<ShardApi['readRemote']>[0],
    signal: AbortSignal,
  ): Promise<readonly RawSeries[]> {
    const series = await exchange.readers.read(name, select, limits, signal);
    return transferring(
      series,
      series.flatMap(({ timestamps, values }) => [timestamps.buffer as ArrayBuffer, values.buffer as ArrayBuffer]),
    );
  },
  oldest: async () => {
    await store.ready();
    return Math.min(store.blocks.range?.min ?? Infinity, store.headRange.min);
  },
  series: async (query: SeriesQuery) => {
    await store.ready();
    const found = united(
      query,
      (matchers) => [...store.series(matchers, query.range)].sort(compareLabels),
      compareLabels,
    );
    return whenPosted((line) => packerOf(line).pack(found));
  },
  exemplars: async (query: SeriesQuery) => {
    await store.ready();
    return store.exemplars(query.matchers, query.range);
  },
  metadata: async ({ metric }: { metric: string | undefined }): Promise<ReadonlyMap<string, readonly Metadata[]>> => {
    await store.ready();
    return new Map(
      [...store.metadata()]
        .filter(([name]) => metric === undefined || name === metric)
        .map(([name, entry]) => [name, [entry]]),
    );
  },
  labelNames: async (query: SeriesQuery) => {
    await store.ready();
    return united(query, (matchers) => store.labelNames(matchers, query.range), compareText);
  },
  labelValues: async (query: SeriesQuery & { name: string }) => {
    await store.ready();
    return united(query, (matchers) => store.labelValues(query.name, matchers, query.range), compareText);
  },
  ...shardSide(store, nodeDisk),
  cardinality: (limit: number) => store.cardinality(limit),
  labelValueHashes: () => store.labelValueHashes(),
  changes: async (since: number) => {
    await store.ready();
    return store.changes.since(since);
  },
  specimens: (limit: number) => ({
    metrics: someValuesOf(store.head.table, METRIC_NAME, limit),
    newest: store.headRange.max,
  }),
  replayProgress: () => store.progress,
  metrics: () => {
    exchange.remotes.report();
    return registry.families();
  },
  quiesce: () => scrapes.stop(),
  async drain(): Promise<void> {
    await scrapes.stop();
    await exchange.stop();
    await store.close();
  },
};

assert(parentPort, 'program/shard.ts runs as a thread');
serveApi(parentPort, api);
