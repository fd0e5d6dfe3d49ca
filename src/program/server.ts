// The roles `server` and `up`: one process that collects, stores and answers. This file only builds the parts, wires them
// and says in which order they start and stop; `up` differs by what it runs when nobody configured anything.

import os from 'node:os';
import path from 'node:path';
import type { Worker } from 'node:worker_threads';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText } from '#base/errors.ts';
import { type FlagTable, flagTexts, type ParsedCommand } from '#base/flags.ts';
import type { Logger } from '#base/log.ts';
import { DEFAULT_INTERVAL_MS } from '#collect/config.ts';
import { offsetSeedOf } from '#collect/targets.ts';
import { ChangeBoard } from '#model/board.ts';
import { labelsOf } from '#model/labels.ts';
import { mergeFamilies, Registry } from '#model/registry.ts';
import { exactCardinality } from '#scale/shards/cardinality.ts';
import { ShardPool } from '#scale/shards/pool.ts';
import type { Route } from '#serve/http.ts';
import { prometheusHttpMetrics } from '#serve/http-metrics.ts';
import { metricsRoute } from '#serve/metrics.ts';
import { NOTICE, Notices } from '#serve/notifications.ts';
import { openApiRoute } from '#serve/openapi.ts';
import { splitAddress } from '#serve/server.ts';
import { tsdbRoutes } from '#serve/tsdb.ts';
import { autoReload } from './auto-reload.ts';
import { formatRetention, handOver, retentionOf, ServerBlocks } from './blocks.ts';
import type { Box } from './box.ts';
import { Collecting } from './collecting.ts';
import { defaultConfig, loadServerConfig, parseServerConfig, type ServerConfig } from './config.ts';
import { Exchange, exchangeOptions } from './exchange.ts';
import { logFeatures } from './features.ts';
import { featuresOf, SERVER_FLAGS, type ServerFlags, scrapeFeatures } from './flags.ts';
import { lockFolder } from './folder-lock.ts';
import { jobText } from './job-text.ts';
import { processLogger } from './logger.ts';
import { registerProcessMetrics } from './own-metrics.ts';
import { externalUrl, handleSignals, startWeb } from './process.ts';
import { unusedNotes } from './prometheus-flags.ts';
import { prometheusRoutes } from './prometheus-routes.ts';
import { Querying } from './querying.ts';
import { Reloading } from './reloading.ts';
import { Ruling } from './ruling.ts';
import type { ShardData } from './shard.ts';
import { SHARD_ENTRY } from './shard-threads.ts';
import { sharedRoutes } from './shared-routes.ts';
import { storeOptionsOf } from './store-options.ts';
import { processTracer } from './tracing.ts';
import { UP_FLAGS } from './up-flags.ts';
import { VERSION } from './version.ts';
import { pageRoutes } from './view.ts';

export const runServer = (command: ParsedCommand<typeof SERVER_FLAGS>, begun: readonly Worker[]): Promise<number> =>
  run(command, SERVER_FLAGS, begun);

export async function runUp(command: ParsedCommand<typeof UP_FLAGS>, begun: readonly Worker[]): Promise<number> {
  const { flags } = command;
  const { boxJobs, openBox } = await import('./box.ts');
  return run({ ...command, flags: { ...flags, agent: false } }, UP_FLAGS, begun, {
    jobs: boxJobs,
    open: (url, logger, registry) => openBox(flags, flags['storage.tsdb.path'], url, logger, registry),
  });
}

/** What `up` adds to the server. */
type Extension = {
  readonly jobs: (address: string, prefix: string) => string;
  readonly open: (url: string, logger: Logger, registry: Registry) => Box;
};

/** The package's folder: what is built or shipped lies below it. */
const PACKAGE = path.join(import.meta.dirname, '..', '..');

async function run(
  { flags, given }: { readonly flags: ServerFlags; readonly given: ReadonlySet<string> },
  table: FlagTable,
  begun: readonly Worker[],
  extension?: Extension,
): Promise<number> {
  const clock = systemClock;
  const logger = processLogger(flags);
  const registry = new Registry();
  const startedAt = clock.now();
  const external = externalUrl(flags, os.hostname());
  const listen = splitAddress(flags['web.listen-address'][0]!);
  const shards = begun.length;
  logger.info('starting Pharos', { version: VERSION, shards, node: process.versions.node });
  registerProcessMetrics(registry, startedAt);
  for (const note of unusedNotes(given)) logger.info('flag makes no difference here', note);
  logFeatures(featuresOf(flags), 'server', logger);
  const notices = new Notices(clock, registry, flags['web.max-notifications-subscribers']);
  notices.add(NOTICE.starting);

  const load = (): ServerConfig => {
    const file = flags['config.file'];
    if (file !== '') return loadServerConfig(file, nodeDisk, process.env, scrapeFeatures(flags));
    const address = `localhost:${listen.port}`;
    const text = defaultConfig(address, external.prefix, extension?.jobs(address, external.prefix) ?? '');
    return parseServerConfig(text, 'built in', nodeDisk, process.env, scrapeFeatures(flags));
  };
  const reloading = new Reloading(load, clock, registry);

  let isReady = false;
  const offsetSeed = offsetSeedOf(reloading.config.global.external_labels);
  const collecting = new Collecting(shards, () => pool, clock, nodeDisk, logger, registry);
  const blocks = new ServerBlocks(flags, reloading.config, () => pool, clock, logger, registry);
  const exchange = new Exchange(flags, reloading.config, shards, () => pool, logger);
  const exchangeFixed = exchangeOptions(flags, flags['query.lookback-delta']);
  const boards = Array.from({ length: shards }, () => new ChangeBoard());
  const pool: ShardPool = new ShardPool({
    shards,
    entry: SHARD_ENTRY,
    begun,
    dataOf: (shard): ShardData => ({
      shard,
      shards,
      folder: flags['storage.tsdb.path'],
      store: storeOptionsOf(flags, reloading.config, shards),
      board: boards[shard]!.memory,
      exchange: exchangeFixed,
      offsetSeed,
      log: { 'log.level': flags['log.level'], 'log.format': flags['log.format'] },
    }),
    onUp: async (shard, client) => {
      await client.setExchange(exchange.config);
      await client.setTargets(collecting.assignedTo(shard));
    },
    clock,
    logger,
  });

  const apply = async (next: ServerConfig) => {
    await ruling.apply(next);
    blocks.configure(next);
    await exchange.apply(next);
    const options = storeOptionsOf(flags, next, shards);
    await Promise.all(pool.upClients().map((client) => client.configureStore(options)));
    collecting.targets.apply(next.jobs);
    querying.log.open(next.global.query_log_file);
    await tracer.apply(next.tracing);
    for (const note of next.notes) logger.warn('configuration', { note });
  };
  const reload = async () => {
    try {
      await reloading.again(async (next) => {
        box?.reload();
        await apply(next);
      });
    } catch (error) {
      notices.add(NOTICE.reloadFailed);
      throw error;
    }
    notices.delete(NOTICE.reloadFailed);
    logger.info('configuration loaded', { file: flags['config.file'] });
  };
  const signals = handleSignals(logger, () => {
    reload().catch((error) =>
      logger.error('cannot reload the configuration; the one before stays in force', { err: errorText(error) }),
    );
  });

  const interval = () => reloading.config.global.evaluation_interval;
  const tracer = processTracer(clock, logger, 'main');
  const querying = new Querying(
    flags,
    () => pool,
    boards,
    () => reloading.config.reads,
    interval,
    () => isReady,
    clock,
    nodeDisk,
    logger,
    registry,
    tracer,
  );
  const ruling = new Ruling({
    flags,
    engine: querying.engine,
    desk: querying.desk,
    source: querying.source,
    shards,
    pool: () => pool,
    writeOld: (samples) => blocks.backfill(samples),
    folder: path.join(flags['storage.tsdb.path'], 'rules'),
    packageFolder: PACKAGE,
    externalUrl: external.url.href.replace(/\/$/, ''),
    clock,
    disk: nodeDisk,
    logger,
    registry,
    tracer,
  });
  const box = extension?.open(external.url.href.replace(/\/$/, ''), logger, registry);
  if (box) ruling.sinks.push(box.sink);
  const families = async () =>
    mergeFamilies([registry.families(), ruling.discoveryRegistry.families(), ...(await pool.metrics())]);
  const routes: Route[] = [
    ...(box?.routes ?? []),
    ...sharedRoutes({
      ...{ name: 'Prometheus Server', flags, startedAt, clock, collecting, reload },
      flagTexts: () => flagTexts(table, { ...flags, 'web.route-prefix': external.prefix || '/' }),
      externalUrl: external.url,
      pool: () => pool,
      ready: () => isReady,
      quit: signals.quit,
      lastReload: () => reloading.last,
      configText: () => reloading.config.shown,
      jobText: (name) => jobText(reloading.config, name),
      retention: () => formatRetention(retentionOf(flags, reloading.config)),
    }),
    ...notices.routes,
    ...prometheusRoutes({
      ...{ flags, querying, clock, families, disk: nodeDisk },
      externalUrl: external.url.href.replace(/\/$/, ''),
      externalLabels: () => labelsOf(reloading.config.global.external_labels),
      ready: () => isReady,
    }),
    ...querying.routes,
    ...exchange.routes(flags, querying.own, clock, registry),
    ...blocks.routes,
    ...ruling.routes,
    ...tsdbRoutes({
      cardinality: (limit) =>
        exactCardinality(
          pool.upClients().map((client) => ({
            cardinality: (asked) => client.cardinality(asked),
            labelValueHashes: () => client.labelValueHashes(undefined),
          })),
          limit,
        ),
      replay: () => Promise.all(pool.upClients().map((client) => client.replayProgress(undefined))),
    }),
    metricsRoute(families),
    openApiRoute(() => routes, VERSION),
    ...pageRoutes({
      packageFolder: PACKAGE,
      folder: flags['storage.tsdb.path'],
      provisioned: flags['view.dashboards'],
      title: flags['web.page-title'],
      api: querying.routes,
      scrapeMs: () => reloading.config.global.scrape_interval || DEFAULT_INTERVAL_MS,
      disk: nodeDisk,
      clock,
      logger,
    }),
  ];
  const lock = lockFolder(flags['storage.tsdb.path'], 'tsdb', flags['storage.tsdb.no-lockfile'], registry, logger);
  const web = await startWeb(flags, external.prefix, routes, clock, logger, prometheusHttpMetrics(registry), tracer);
  const taken = await blocks.prepare();
  await pool.start();
  if (taken) await handOver(taken, pool);
  await apply(reloading.config);
  reloading.applied(reloading.config);
  blocks.start();
  await ruling.start();
  await box?.start();
  isReady = true;
  notices.delete(NOTICE.starting);
  const following = autoReload(flags, () => reloading.config, reload, nodeDisk, clock, logger);
  logger.info('server is ready', { ms: Math.round(clock.now() - startedAt) });

  const cooling = new AbortController();
  const warming = querying.warmUp(pool, clock, logger, cooling.signal);
  const why = await signals.ended;
  cooling.abort();
  logger.info('stopping', { reason: why });
  isReady = false;
  notices.add(NOTICE.stopping);
  notices.stop();
  following?.cancel();
  collecting.targets.stop();
  await warming;
  await ruling.stop();
  await box?.stop();
  await web.stop();
  querying.log.close();
  await tracer.stop();
  await blocks.stop();
  await pool.stop();
  lock.release();
  logger.info('stopped', { ms: Math.round(clock.now() - startedAt) });
  return 0;
}
