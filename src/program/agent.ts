// The role `agent`: collects like the server and sends everything on. No store, no queries, no rules; what the remotes have
// not taken yet waits on disk.

import os from 'node:os';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText } from '#base/errors.ts';
import { flagTexts, type ParsedCommand } from '#base/flags.ts';
import { offsetSeedOf } from '#collect/targets.ts';
import { mergeFamilies, Registry } from '#model/registry.ts';
import { ShardPool } from '#scale/shards/pool.ts';
import { unavailableRoutes } from '#serve/agent.ts';
import { prometheusHttpMetrics } from '#serve/http-metrics.ts';
import { metricsRoute } from '#serve/metrics.ts';
import { NOTICE, Notices } from '#serve/notifications.ts';
import { userAssetRoutes } from '#serve/user-assets.ts';
import type { AgentShardData } from './agent-shard.ts';
import { autoReload } from './auto-reload.ts';
import { Collecting } from './collecting.ts';
import { loadServerConfig, refuseForAgent, type ServerConfig } from './config.ts';
import { Exchange, exchangeOptions } from './exchange.ts';
import { logFeatures } from './features.ts';
import { AGENT_FLAGS, type AgentFlags, featuresOf, scrapeFeatures } from './flags.ts';
import { lockFolder } from './folder-lock.ts';
import { jobText } from './job-text.ts';
import { processLogger } from './logger.ts';
import { registerProcessMetrics } from './own-metrics.ts';
import { externalUrl, handleSignals, startWeb } from './process.ts';
import { unusedNotes } from './prometheus-flags.ts';
import { Reloading } from './reloading.ts';
import { sharedRoutes } from './shared-routes.ts';
import { processTracer } from './tracing.ts';
import { VERSION } from './version.ts';

/** For target_info of OTLP: what servers that are sent to look back by default. */
const LOOKBACK_MS = 5 * 60_000;

export const runAgent = (command: ParsedCommand<typeof AGENT_FLAGS>): Promise<number> => run(command);

function loadAgentConfig(flags: AgentFlags): ServerConfig {
  const file = flags['config.file'];
  const config = loadServerConfig(file, nodeDisk, process.env, scrapeFeatures(flags));
  refuseForAgent(config, file);
  return config;
}

async function run({ flags, given }: ParsedCommand<typeof AGENT_FLAGS>): Promise<number> {
  const clock = systemClock;
  const logger = processLogger(flags);
  const registry = new Registry();
  const startedAt = clock.now();
  const external = externalUrl(flags, os.hostname());
  const shards = flags['storage.shards'] || os.availableParallelism();
  logger.info('starting Pharos as an agent', { version: VERSION, shards });
  registerProcessMetrics(registry, startedAt);
  for (const note of unusedNotes(given)) logger.info('flag makes no difference here', note);
  logFeatures(featuresOf(flags), 'agent', logger);
  const notices = new Notices(clock, registry, flags['web.max-notifications-subscribers']);
  notices.add(NOTICE.starting);

  const reloading = new Reloading(() => loadAgentConfig(flags), clock, registry);
  let isReady = false;
  const tracer = processTracer(clock, logger, 'main');
  const collecting = new Collecting(shards, () => pool, clock, nodeDisk, logger, registry);
  const exchange = new Exchange(flags, reloading.config, shards, () => pool, logger);
  const options = exchangeOptions(flags, LOOKBACK_MS);
  const offsetSeed = offsetSeedOf(reloading.config.global.external_labels);
  const pool: ShardPool = new ShardPool({
    shards,
    entry: new URL('./agent-shard.ts', import.meta.url),
    dataOf: (shard): AgentShardData => ({
      shard,
      shards,
      folder: flags['storage.agent.path'],
      exchange: options,
      seriesRetentionMs: flags['storage.agent.series-retention'],
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
    await exchange.apply(next);
    collecting.targets.apply(next.jobs);
    await tracer.apply(next.tracing);
    for (const note of next.notes) logger.warn('configuration', { note });
  };
  const reload = async () => {
    try {
      await reloading.again(apply);
      notices.delete(NOTICE.reloadFailed);
      logger.info('configuration loaded', { file: flags['config.file'] });
    } catch (error) {
      notices.add(NOTICE.reloadFailed);
      throw error;
    }
  };
  const signals = handleSignals(logger, () => {
    reload().catch((error) =>
      logger.error('cannot reload the configuration; the one before stays in force', { err: errorText(error) }),
    );
  });
  const routes = [
    ...sharedRoutes({
      ...{ name: 'Prometheus Agent', flags, startedAt, clock, collecting, reload },
      flagTexts: () => flagTexts(AGENT_FLAGS, { ...flags, agent: true, 'web.route-prefix': external.prefix || '/' }),
      externalUrl: external.url,
      pool: () => pool,
      ready: () => isReady,
      quit: signals.quit,
      lastReload: () => reloading.last,
      configText: () => reloading.config.shown,
      jobText: (name) => jobText(reloading.config, name),
      retention: () => '',
    }),
    ...notices.routes,
    ...unavailableRoutes(),
    ...userAssetRoutes(flags['web.user-assets'], nodeDisk),
    ...exchange.receiving(),
    metricsRoute(async () => mergeFamilies([registry.families(), ...(await pool.metrics())])),
  ];
  const lock = lockFolder(flags['storage.agent.path'], 'agent', flags['storage.agent.no-lockfile'], registry, logger);
  const web = await startWeb(flags, external.prefix, routes, clock, logger, prometheusHttpMetrics(registry), tracer);
  await pool.start();
  await apply(reloading.config);
  reloading.applied(reloading.config);
  isReady = true;
  notices.delete(NOTICE.starting);
  const following = autoReload(flags, () => reloading.config, reload, nodeDisk, clock, logger);
  logger.info('agent is ready', { ms: Math.round(clock.now() - startedAt) });

  const why = await signals.ended;
  logger.info('stopping', { reason: why });
  isReady = false;
  notices.add(NOTICE.stopping);
  notices.stop();
  following?.cancel();
  collecting.targets.stop();
  await web.stop();
  await tracer.stop();
  await pool.stop();
  lock.release();
  logger.info('stopped', { ms: Math.round(clock.now() - startedAt) });
  return 0;
}
