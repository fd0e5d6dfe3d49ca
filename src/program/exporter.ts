// The role `exporter`: databases and middleware, business figures by SQL, probes and containers, by one configuration file.

import os from 'node:os';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { UserError } from '#base/errors.ts';
import type { ParsedCommand } from '#base/flags.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { logFailures, renderOutcomes, runCollectors } from '#exporters/collector.ts';
import { containerCollector } from '#exporters/container/container.ts';
import { probe } from '#exporters/probe/probe.ts';
import { exporterSchema, Sources } from '#exporters/sources.ts';
import { SqlQueries } from '#exporters/sql/queries.ts';
import { familiesByName } from '#model/family.ts';
import { Registry } from '#model/registry.ts';
import { exporterRoute } from '#serve/exporter.ts';
import { type HttpRequest, type Route, text } from '#serve/http.ts';
import { render } from '#wire/exposition/write.ts';
import type { EXPORTER_FLAGS } from './exporter-flags.ts';
import { processLogger } from './logger.ts';
import { externalUrl, handleSignals, startWeb } from './process.ts';
import { VERSION } from './version.ts';

/** How long containers may take. */
const CONTAINER_TIMEOUT_MS = 9000;

export async function runExporter(command: ParsedCommand<typeof EXPORTER_FLAGS>): Promise<number> {
  const { flags, given } = command;
  const logger = processLogger(flags);
  const file = flags['config.file'];
  // Containers alone need no file.
  const isOptional = !given.has('config.file') && flags['container.endpoint'] !== '' && !nodeDisk.exists(file);
  const content = isOptional ? '{}' : Buffer.from(nodeDisk.readFile(file)).toString('utf8');
  const config = loadYaml(content, exporterSchema, file);
  const clock = systemClock;
  const environment = {
    clock,
    log: logger,
    http: createHttpClient(undefined, { clock, disk: nodeDisk }),
    disk: nodeDisk,
  };
  const sources = new Sources(config.sources, environment);
  const queries = new SqlQueries(config.queries, environment);
  if (flags['config.check']) {
    process.stdout.write(
      `${file}: ${config.sources.length} sources, ${config.queries.length} queries, ${Object.keys(config.modules).length} modules\n`,
    );
    return 0;
  }
  const registry = new Registry();
  registry.collected('pharos_exporter_build_info', 'The version of the exporter.', 'gauge', () => [
    { labels: ['version', VERSION], value: 1 },
  ]);
  const scrapeLimit = (request: HttpRequest): number | undefined => {
    const seconds = Number(request.headers['x-prometheus-scrape-timeout-seconds']);
    return seconds > 0 ? Math.max(0.1, seconds - flags['timeout-offset']) * 1000 : undefined;
  };
  const routes: Route[] = [
    exporterRoute({
      path: '/metrics',
      maxRequests: 0,
      render: async (_query, accept) => {
        const measured = await sources.all(new AbortController().signal);
        return render(familiesByName([...measured, ...queries.families(), ...registry.families()]), accept);
      },
    }),
    {
      methods: ['GET'],
      pattern: '/metrics/source/:name',
      async handler(request) {
        try {
          const page = render(
            await sources.one(request.params['name']!, request.signal),
            String(request.headers['accept'] ?? ''),
          );
          return { status: 200, headers: { 'content-type': page.contentType }, body: page.body };
        } catch (error) {
          if (error instanceof UserError) return text(`${error.message}\n`, 404);
          throw error;
        }
      },
    },
    {
      methods: ['GET'],
      pattern: '/probe',
      async handler(request) {
        const name = request.query.get('module') ?? 'http_2xx';
        const module = config.modules[name];
        if (!module) return text(`Unknown module "${name}"\n`, 400);
        const target = request.query.get('target');
        if (!target) return text('Target parameter is missing\n', 400);
        const hostname = request.query.get('hostname') || undefined;
        const result = await probe(module, target, scrapeLimit(request), clock, nodeDisk, hostname);
        if (!result.ok) logger.debug('probe failed', { module: name, target, log: result.log });
        if (request.query.get('debug') === 'true')
          return text(
            `Probe of ${target} by ${name}: ${result.ok ? 'success' : 'failure'}\n${result.log.join('\n')}\n`,
          );
        const page = render(result.families, String(request.headers['accept'] ?? ''));
        return { status: 200, headers: { 'content-type': page.contentType }, body: page.body };
      },
    },
    { methods: ['GET'], pattern: '/-/healthy', handler: () => text('Healthy') },
  ];
  const containers = containerCollector(
    {
      endpoint: flags['container.endpoint'],
      procPath: flags['path.procfs'],
      sysPath: flags['path.sysfs'],
      labelNames: flags['container.labels'].length > 0 ? flags['container.labels'] : undefined,
      withOtherGroups: true,
      timeoutMs: CONTAINER_TIMEOUT_MS,
    },
    clock,
    logger,
  );
  routes.push(
    exporterRoute({
      path: '/metrics/containers',
      maxRequests: 10,
      render: async (_query, accept) => {
        const outcomes = await runCollectors([containers], clock, CONTAINER_TIMEOUT_MS);
        logFailures(outcomes, logger);
        return renderOutcomes(outcomes, 'container', [], accept);
      },
    }),
  );
  const signals = handleSignals(logger, () => logger.info('restart to read the configuration again'));
  const web = await startWeb(flags, externalUrl(flags, os.hostname()).prefix, routes, clock, logger, registry);
  await queries.start();
  const why = await signals.ended;
  logger.info('stopping', { reason: why });
  queries.stop();
  await web.stop();
  await sources.close();
  await containers.close();
  environment.http.close();
  return 0;
}
