// The roles `server` and `up`: one process that collects, stores and answers. This file only builds the parts and wires
// them; `up` differs by what it runs when nobody configured anything.

import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import type { ParsedCommand } from '#base/flags.ts';
import { Registry } from '#model/registry.ts';
import { ShardPool } from '#scale/shards/pool.ts';
import { lifecycleRoutes } from '#serve/lifecycle.ts';
import { statusRoutes } from '#serve/status.ts';
import { webRoutes } from '#serve/web.ts';
import type { SERVER_FLAGS, ServerFlags } from './flags.ts';
import { externalUrl, handleSignals, processLogger, startWeb } from './process.ts';
import type { ShardData } from './shard.ts';
import { buildInfo, VERSION } from './version.ts';

const WEB_FOLDER = fileURLToPath(new URL('../../build/web', import.meta.url));

export const runServer = (command: ParsedCommand<typeof SERVER_FLAGS>): Promise<number> => run(command.flags);
export const runUp = (command: ParsedCommand<typeof SERVER_FLAGS>): Promise<number> => run(command.flags);

async function run(flags: ServerFlags): Promise<number> {
  const clock = systemClock;
  const logger = processLogger(flags);
  const registry = new Registry();
  const startedAt = clock.now();
  const shards = flags['storage.shards'] || os.availableParallelism();
  logger.info('starting Pharos', { version: VERSION, shards, node: process.versions.node });

  let isReady = false;
  const reload = async () => {
    logger.info('configuration loaded', { file: flags['config.file'] });
  };
  const signals = handleSignals(logger, () => {
    reload().catch((error) =>
      logger.error('cannot reload the configuration; the one before stays in force', { err: error }),
    );
  });
  const pool = new ShardPool({
    shards,
    entry: new URL('./shard.ts', import.meta.url),
    dataOf: (shard): ShardData => ({ shard, shards, folder: flags['storage.tsdb.path'], log: flags }),
    onUp: async () => {},
    clock,
    logger,
  });
  const external = externalUrl(flags, os.hostname());
  const routes = [
    ...lifecycleRoutes({
      name: 'Prometheus Server',
      enabled: flags['web.enable-lifecycle'],
      ready: () => isReady || 'starting',
      reload,
      quit: signals.quit,
      version: buildInfo(),
    }),
    ...statusRoutes({
      build: buildInfo(),
      flags: () => Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, String(value)])),
      runtime: () => ({
        startedAt,
        workingFolder: process.cwd(),
        hostname: os.hostname(),
        now: clock.now(),
        reloadedWell: true,
        reloadedAt: startedAt,
        corruptions: 0,
        threads: shards + 1,
        retention: '',
        shards: pool.states(),
      }),
    }),
    ...webRoutes({ folder: WEB_FOLDER, disk: nodeDisk }),
  ];
  const web = await startWeb(flags, external.prefix, routes, clock, logger, registry);
  await pool.start();
  isReady = true;
  logger.info('server is ready', { ms: Math.round(clock.now() - startedAt) });

  const why = await signals.ended;
  logger.info('stopping', { reason: why });
  isReady = false;
  await web.stop();
  await pool.stop();
  logger.info('stopped');
  return 0;
}
