// Queries in the server role: all shards as one source, the engine over it, the desk where queries line up, and the API.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import type { Logger } from '#base/log.ts';
import type { Tracer } from '#clients/otlp/tracer.ts';
import type { RemoteReadConfig } from '#collect/read/config.ts';
import type { ChangeBoard } from '#model/board.ts';
import type { FragmentSource } from '#model/query.ts';
import type { Registry } from '#model/registry.ts';
import { ResultCache } from '#query/cache.ts';
import { QueryDesk } from '#query/desk.ts';
import { FEATURES, QueryEngine } from '#query/engine.ts';
import { QueryLog } from '#query/log.ts';
import { merging } from '#query/shard/merge.ts';
import { SourceWithRemotes } from '#scale/shards/beside.ts';
import type { ShardPool } from '#scale/shards/pool.ts';
import { ShardedSource } from '#scale/shards/source.ts';
import type { Route } from '#serve/http.ts';
import { queryRoutes } from '#serve/query.ts';
import type { TargetMetadata } from '#serve/query-metadata.ts';
import { featuresOf, type ServerFlags } from './flags.ts';
import { serverFeatures } from './prometheus-routes.ts';
import { queryTimings } from './query-timings.ts';
import { type Specimens, unnoticed, warmUp } from './warm-up.ts';

/** Metrics of a shard that are looked at to find a few small ones. */
const MAX_SPECIMENS = 500;

export class Querying {
  /** The own shards and the servers that are read from. */
  readonly source: FragmentSource;
  /** The own shards alone. */
  readonly own: ShardedSource;
  readonly engine: QueryEngine;
  readonly desk: QueryDesk;
  readonly log: QueryLog;
  readonly routes: readonly Route[];

  constructor(
    flags: ServerFlags,
    pool: () => ShardPool,
    boards: readonly ChangeBoard[],
    reads: () => readonly RemoteReadConfig[],
    subqueryStepMs: () => number,
    ready: () => boolean,
    clock: Clock,
    disk: Disk,
    logger: Logger,
    registry: Registry,
    tracer: Tracer,
  ) {
    this.own = new ShardedSource(() => pool().clients(), merging(clock), boards);
    // As in Prometheus: what the store has of its first blocks may be incomplete.
    const marginMs = 2 * flags['storage.tsdb.min-block-duration'];
    this.source = new SourceWithRemotes(this.own, () => pool().clients(), reads, marginMs);
    const known = [...featuresOf(flags)].filter((name) => (FEATURES as readonly string[]).includes(name));
    this.engine = new QueryEngine({
      ...{ source: this.source, clock, features: known, subqueryStepMs },
      lookbackMs: flags['query.lookback-delta'],
      timeoutMs: flags['query.timeout'],
      limits: {
        maxSamples: flags['query.max-samples'],
        maxSeries: flags['query.max-series'],
        maxBytes: flags['query.max-bytes'],
      },
    });
    const [maxConcurrent, maxWaiting] = [flags['query.max-concurrency'], flags['query.max-queued']];
    const timings = queryTimings(registry, clock);
    const samples = registry.counter('prometheus_engine_query_samples_total', 'Samples that queries have read.');
    this.log = new QueryLog(disk, logger);
    this.desk = new QueryDesk({
      ...{ clock, maxConcurrent, maxWaiting },
      log: (ended) => {
        const { tookMs, stats } = ended;
        if (tracer.isOn) {
          const attributes = { query: ended.query, 'query.samples': stats?.samples.total ?? 0 };
          tracer.record('promqlExec', 'internal', tookMs, attributes, ended.error ?? '');
        }
        this.log.write(ended);
        timings(ended);
        samples.add(stats?.samples.total ?? 0);
      },
    });
    const gauge = (name: string, help: string, read: () => number) =>
      registry.collected(name, help, 'gauge', () => [{ value: read() }]);
    gauge('prometheus_engine_queries', 'Queries that run or wait.', () => this.desk.running + this.desk.waiting);
    gauge('prometheus_engine_queries_concurrent_max', 'How many queries may run at a time.', () => maxConcurrent);
    const cache = new ResultCache({
      engine: this.engine,
      source: this.source,
      maxBytes: flags['query.cache-size'],
    });
    gauge('pharos_query_cache_bytes', 'What the results of earlier range queries take.', () => cache.bytes);
    const count = (name: string, help: string, read: () => number) =>
      registry.collected(name, help, 'counter', () => [{ value: read() }]);
    count('pharos_query_cache_hits_total', 'Range queries of which steps came from the cache.', () => cache.hits);
    count('pharos_query_cache_misses_total', 'Range queries that the cache could have held.', () => cache.misses);
    const targetMetadata = async (metric: string | undefined): Promise<readonly TargetMetadata[]> =>
      (
        await Promise.all(
          pool()
            .upClients()
            .map((client) => client.targetMetadata(metric)),
        )
      ).flat();
    const parts = { engine: this.engine, source: this.source, desk: this.desk, cache };
    this.routes = queryRoutes({ ...parts, targetMetadata, clock, ready, features: () => serverFeatures(flags) });
  }
  /** Makes queries fast before the first one comes. */
  async warmUp(pool: ShardPool, clock: Clock, logger: Logger, signal: AbortSignal): Promise<void> {
    const { desk } = this;
    const source = unnoticed(this.own);
    // Servers that are read from are left alone.
    const engine = new QueryEngine({ source, clock, features: this.engine.features });
    const specimens = async (): Promise<Specimens> => {
      const parts = await Promise.all(pool.clients().map((client) => client.specimens(MAX_SPECIMENS)));
      const series = new Map<string, number>();
      for (const { metrics } of parts) {
        for (const metric of metrics) series.set(metric.name, (series.get(metric.name) ?? 0) + metric.series);
      }
      return {
        metrics: Array.from(series, ([name, count]) => ({ name, series: count })),
        newest: Math.max(...parts.map(({ newest }) => newest)),
      };
    };
    await warmUp({ engine, source, specimens, isBusy: () => desk.running > 0, clock, logger }, signal);
  }
}
