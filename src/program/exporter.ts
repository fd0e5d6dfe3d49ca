// The role `exporter`: databases and middleware, business figures by SQL, probes and containers, by one configuration file that can
// be read again while it runs. A file that does not load leaves everything as it was.

import os from 'node:os';
import { every, systemClock, type Timer } from '#base/clock.ts';
import { displayYaml, loadYaml } from '#base/config/load.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { FlagValues, ParsedCommand } from '#base/flags.ts';
import type { Logger } from '#base/log.ts';
import { createHttpClient, type HttpClient } from '#clients/http/client.ts';
import { type Collector, logFailures, renderOutcomes, runCollectors } from '#exporters/collector.ts';
import { containerCollector } from '#exporters/container/container.ts';
import { ProbeHistory } from '#exporters/probe/history.ts';
import { lackOf } from '#exporters/probe/modules.ts';
import type { SourceEnvironment } from '#exporters/source.ts';
import { type ExporterConfig, exporterSchema, Sources } from '#exporters/sources.ts';
import { SqlQueries } from '#exporters/sql/queries.ts';
import { familiesByName } from '#model/family.ts';
import { Registry } from '#model/registry.ts';
import { exporterRoute } from '#serve/exporter.ts';
import { type Route, text } from '#serve/http.ts';
import { prometheusHttpMetrics } from '#serve/http-metrics.ts';
import { probeRoutes } from '#serve/probe.ts';
import { render } from '#wire/exposition/write.ts';
import type { EXPORTER_FLAGS } from './exporter-flags.ts';
import { refuseSystemdSocket } from './flags.ts';
import { processLogger } from './logger.ts';
import { compileLess, externalUrl, handleSignals, startWeb } from './process.ts';
import { VERSION } from './version.ts';

type ExporterFlags = FlagValues<typeof EXPORTER_FLAGS>;

/** How long containers may take. */
const CONTAINER_TIMEOUT_MS = 9000;

/** What one reading of the file comes to. */
type Loaded = {
  readonly content: string;
  readonly config: ExporterConfig;
  readonly sources: Sources;
  readonly queries: SqlQueries;
};

class Measuring {
  readonly #file: string;
  readonly #isOptional: boolean;
  readonly #environment: SourceEnvironment;
  #loaded: Loaded;
  #reloading: Promise<void> = Promise.resolve();
  isUpToDate = true;
  loadedAt: number;

  /** Throws when the file is wrong. An optional file need not be there. */
  constructor(file: string, isOptional: boolean, environment: SourceEnvironment) {
    this.#file = file;
    this.#isOptional = isOptional;
    this.#environment = environment;
    this.#loaded = this.#load();
    this.loadedAt = environment.clock.now();
  }

  get current(): Loaded {
    return this.#loaded;
  }

  start(): Promise<void> {
    return this.#loaded.queries.start();
  }

  /** Reads the file again, one reading at a time; rejects when it is wrong, and then changes nothing. */
  reload(): Promise<void> {
    this.#reloading = this.#reloading.catch(() => {}).then(() => this.#reload());
    return this.#reloading;
  }

  /** Reads the file again if it is another. */
  async follow(): Promise<void> {
    if (this.#read() !== this.#loaded.content) await this.reload();
  }

  async close(): Promise<void> {
    this.#loaded.queries.stop();
    await this.#loaded.sources.close();
  }

  async #reload(): Promise<void> {
    const before = this.#loaded;
    try {
      const next = this.#load();
      await next.queries.start();
      this.#loaded = next;
      this.isUpToDate = true;
      this.loadedAt = this.#environment.clock.now();
    } catch (error) {
      this.isUpToDate = false;
      throw error;
    }
    before.queries.stop();
    await before.sources.close();
    this.#environment.log.info('configuration loaded', { file: this.#file });
  }

  #read(): string {
    if (this.#isOptional && !nodeDisk.exists(this.#file)) return '{}';
    return Buffer.from(nodeDisk.readFile(this.#file)).toString('utf8');
  }

  #load(): Loaded {
    const content = this.#read();
    const config = loadYaml(content, exporterSchema, this.#file);
    for (const [module, one] of Object.entries(config.modules)) {
      const lack = lackOf(one);
      if (lack !== undefined) this.#environment.log.warn('probes of this module will fail', { module, why: lack });
    }
    const queries = new SqlQueries(config.queries, this.#environment);
    return { content, config, sources: new Sources(config.sources, this.#environment), queries };
  }
}

/** Asks every so often whether the file is another; a file that failed is tried again when it changes. */
function followFile(flags: ExporterFlags, measuring: Measuring, log: Logger): Timer | undefined {
  if (!flags['config.enable-auto-reload']) return undefined;
  let failed: string | undefined;
  return every(systemClock, flags['config.auto-reload-interval'] * 1000, async () => {
    try {
      await measuring.follow();
      failed = undefined;
    } catch (error) {
      const why = errorText(error);
      if (why !== failed) log.error('cannot load the configuration; the one before stays in force', { err: why });
      failed = why;
    }
  });
}

function ownMetrics(registry: Registry, measuring: Measuring): void {
  registry.collected('pharos_exporter_build_info', 'The version of the exporter.', 'gauge', () => [
    { labels: ['version', VERSION], value: 1 },
  ]);
  registry.collected(
    'blackbox_exporter_config_last_reload_successful',
    'Whether the configuration was loaded when it was read last.',
    'gauge',
    () => [{ value: measuring.isUpToDate ? 1 : 0 }],
  );
  registry.collected(
    'blackbox_exporter_config_last_reload_success_timestamp_seconds',
    'When the configuration was loaded last.',
    'gauge',
    () => [{ value: measuring.loadedAt / 1000 }],
  );
}

/** Pages of what is measured, and what concerns the configuration. */
function measuringRoutes(measuring: Measuring, registry: Registry, file: string): Route[] {
  return [
    exporterRoute({
      path: '/metrics',
      maxRequests: 0,
      render: async (_query, accept) => {
        const { sources, queries } = measuring.current;
        const measured = await sources.all(new AbortController().signal);
        return render(familiesByName([...measured, ...queries.families(), ...registry.families()]), accept);
      },
    }),
    {
      methods: ['GET'],
      pattern: '/metrics/source/:name',
      async handler(request) {
        try {
          const families = await measuring.current.sources.one(request.params['name']!, request.signal);
          const page = render(families, String(request.headers['accept'] ?? ''));
          return { status: 200, headers: { 'content-type': page.contentType }, body: page.body };
        } catch (error) {
          if (error instanceof UserError) return text(`${error.message}\n`, 404);
          throw error;
        }
      },
    },
    {
      methods: ['GET'],
      pattern: '/config',
      handler: () => text(displayYaml(measuring.current.content, exporterSchema, file)),
    },
    {
      methods: ['POST', 'PUT'],
      pattern: '/-/reload',
      role: 'admin',
      async handler() {
        try {
          await measuring.reload();
          return text('');
        } catch (error) {
          return text(`failed to reload config: ${errorText(error)}\n`, 500);
        }
      },
    },
    {
      methods: ['GET'],
      pattern: '/-/reload',
      handler: () => text('This endpoint requires a POST request.\n', 405),
    },
    { methods: ['GET'], pattern: '/-/healthy', handler: () => text('Healthy') },
  ];
}

const containerRoute = (containers: Collector, log: Logger): Route =>
  exporterRoute({
    path: '/metrics/containers',
    maxRequests: 10,
    render: async (_query, accept) => {
      const outcomes = await runCollectors([containers], systemClock, CONTAINER_TIMEOUT_MS);
      logFailures(outcomes, log);
      return renderOutcomes(outcomes, 'container', [], accept);
    },
  });

export async function runExporter(command: ParsedCommand<typeof EXPORTER_FLAGS>): Promise<number> {
  compileLess();
  const { flags, given } = command;
  const logger = processLogger(flags);
  refuseSystemdSocket(flags);
  const clock = systemClock;
  const file = flags['config.file'];
  const http: HttpClient = createHttpClient(undefined, { clock, disk: nodeDisk });
  // Containers alone need no file.
  const isOptional = !given.has('config.file') && flags['container.endpoint'] !== '';
  const measuring = new Measuring(file, isOptional, { clock, log: logger, http, disk: nodeDisk });
  if (flags['config.check']) {
    const { sources, queries, modules } = measuring.current.config;
    const counts = `${sources.length} sources, ${queries.length} queries, ${Object.keys(modules).length} modules`;
    process.stdout.write(`${file}: ${counts}\n`);
    return 0;
  }
  const registry = new Registry();
  ownMetrics(registry, measuring);
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
  const routes: Route[] = [
    ...measuringRoutes(measuring, registry, file),
    ...probeRoutes({
      modules: () => measuring.current.config.modules,
      history: new ProbeHistory(flags['history.limit']),
      timeoutOffset: flags['timeout-offset'],
      unknownModules: registry.counter('blackbox_module_unknown_total', 'Probes that asked for an unknown module.'),
      clock,
      disk: nodeDisk,
      log: processLogger({ ...flags, 'log.level': flags['log.prober'] }),
    }),
    containerRoute(containers, logger),
  ];
  const signals = handleSignals(logger, () => {
    measuring.reload().catch((error) => logger.error('cannot reload', { err: errorText(error) }));
  });
  const { prefix } = externalUrl(flags, os.hostname());
  const web = await startWeb(flags, prefix, routes, clock, logger, prometheusHttpMetrics(registry));
  await measuring.start();
  const following = followFile(flags, measuring, logger);
  const why = await signals.ended;
  logger.info('stopping', { reason: why });
  following?.cancel();
  await web.stop();
  await measuring.close();
  await containers.close();
  http.close();
  return 0;
}
