// The role `node-exporter`: this host's metrics under node_exporter's names, paths and flags.

import os from 'node:os';
import { systemClock } from '#base/clock.ts';
import { UserError } from '#base/errors.ts';
import type { ParsedCommand } from '#base/flags.ts';
import type { Logger } from '#base/log.ts';
import { parseDuration } from '#base/units.ts';
import { readNodeFlags } from '#exporters/node/flags.ts';
import { enabledCollectors, NODE_COLLECTORS, selectCollectors, UNAVAILABLE } from '#exporters/node/names.ts';
import { NodeExporter } from '#exporters/node/watch.ts';
import { Registry } from '#model/registry.ts';
import { exporterRoute } from '#serve/exporter.ts';
import { type Route, text } from '#serve/http.ts';
import { prometheusHttpMetrics } from '#serve/http-metrics.ts';
import { refuseSystemdSocket } from './flags.ts';
import { processLogger } from './logger.ts';
import type { NODE_EXPORTER_FLAGS } from './node-exporter-flags.ts';
import { compileLess, externalUrl, handleSignals, startWeb } from './process.ts';
import { VERSION } from './version.ts';

/** The exporter of this host as flags describe it. */
export function createNodeExporter(
  values: Readonly<Record<string, unknown>>,
  given: ReadonlySet<string>,
  disableDefaults: boolean,
  log: Logger,
): NodeExporter {
  const { flags, notes } = readNodeFlags(values, given);
  for (const { level, message, flag, why } of notes) log[level](message, { flag, why });
  const switches: Record<string, boolean> = {};
  for (const name of [...Object.keys(NODE_COLLECTORS), ...Object.keys(UNAVAILABLE)])
    if (given.has(`collector.${name}`)) switches[name] = values[`collector.${name}`] === true;
  const timeoutMs = parseDuration(flags['collector.timeout']);
  if (timeoutMs === undefined || timeoutMs <= 0)
    throw new UserError(`invalid value ${JSON.stringify(flags['collector.timeout'])} of flag --collector.timeout`);
  return new NodeExporter({ names: enabledCollectors(switches, disableDefaults), flags, timeoutMs }, systemClock, log);
}

export async function runNodeExporter(command: ParsedCommand<typeof NODE_EXPORTER_FLAGS>): Promise<number> {
  compileLess();
  const { flags, given } = command;
  const logger = processLogger(flags);
  refuseSystemdSocket(flags);
  if (given.has('runtime.gomaxprocs')) {
    logger.info('flag makes no difference here', { flag: 'runtime.gomaxprocs', why: 'collectors run in one thread' });
  }
  const registry = new Registry();
  registry.collected('node_exporter_build_info', 'The version of the exporter.', 'gauge', () => [
    { labels: ['goversion', `node${process.versions.node}`, 'version', VERSION], value: 1 },
  ]);
  const exporter = createNodeExporter(flags, given, flags['collector.disable-defaults'], logger);
  logger.info('starting node exporter', { version: VERSION, collectors: exporter.names.join(' ') });
  await exporter.start();
  const signals = handleSignals(logger, () => logger.info('nothing to reload'));
  const path = flags['web.telemetry-path'];
  const routes: Route[] = [
    exporterRoute({
      path,
      maxRequests: flags['web.max-requests'],
      render: async (query, accept) => {
        const names = selectCollectors(exporter.names, query.getAll('collect[]'), query.getAll('exclude[]'));
        return exporter.page(names, flags['web.disable-exporter-metrics'] ? [] : registry.families(), accept);
      },
    }),
    {
      methods: ['GET'],
      pattern: '/',
      handler: () =>
        text(
          `<!doctype html><title>Node exporter</title><h1>Node exporter</h1><p><a href="${path}">Metrics</a></p>`,
          200,
          'text/html; charset=utf-8',
        ),
    },
  ];
  const web = await startWeb(
    flags,
    externalUrl(flags, os.hostname()).prefix,
    routes,
    systemClock,
    logger,
    prometheusHttpMetrics(registry),
  );
  const why = await signals.ended;
  logger.info('stopping', { reason: why });
  await web.stop();
  await exporter.close();
  return 0;
}
