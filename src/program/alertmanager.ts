// The role `alertmanager`, and its making for `up`: configuration, API, reload, shutdown.

import os from 'node:os';
import path from 'node:path';
import { Alertmanager } from '#alert/alertmanager.ts';
import { PushProxy } from '#alert/proxy/push.ts';
import { AlertReplicas } from '#alert/replicas.ts';
import { type AlertmanagerConfig, parseAlertmanagerConfig } from '#alert/route/config.ts';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { FlagValues, ParsedCommand } from '#base/flags.ts';
import type { Logger } from '#base/log.ts';
import { systemRandom } from '#base/random.ts';
import { EtcdClient } from '#clients/etcd/etcd.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { Registry } from '#model/registry.ts';
import { alertProxyRoutes } from '#serve/alert-proxy.ts';
import { alertmanagerRoutes } from '#serve/alertmanager.ts';
import { lifecycleRoutes } from '#serve/lifecycle.ts';
import { metricsRoute } from '#serve/metrics.ts';
import { webRoutes } from '#serve/web.ts';
import type { ALERTMANAGER_FLAGS } from './flags.ts';
import { processLogger } from './logger.ts';
import { registerProcessMetrics } from './own-metrics.ts';
import { externalUrl, handleSignals, startWeb } from './process.ts';
import { alertmanagerBuildInfo, VERSION } from './version.ts';

export type AlertmanagerFlags = FlagValues<typeof ALERTMANAGER_FLAGS>;

const ETCD_TIMEOUT_MS = 5000;

/** What runs when no configuration is given: alerts are shown and nobody is told. */
const DEFAULT_CONFIG = `route:
  receiver: nobody
  group_by: [alertname]
receivers:
  - name: nobody
`;

export function loadAlertmanagerConfig(file: string): AlertmanagerConfig {
  if (file === '') return parseAlertmanagerConfig(DEFAULT_CONFIG, 'built in', (name) => path.resolve(name));
  if (!nodeDisk.exists(file)) throw new UserError(`cannot read the configuration: there is no file ${file}`);
  const text = new TextDecoder().decode(nodeDisk.readFile(file));
  return parseAlertmanagerConfig(text, file, (name) => path.resolve(path.dirname(file), name));
}

export type AlertmanagerSettings = Pick<
  AlertmanagerFlags,
  | 'data.retention'
  | 'data.maintenance-interval'
  | 'alerts.gc-interval'
  | 'alerts.per-alertname-limit'
  | 'silences.max-silences'
  | 'silences.max-silence-size-bytes'
  | 'dispatch.start-delay'
>;

export function makeAlertmanager(
  folder: string,
  settings: AlertmanagerSettings,
  url: string,
  logger: Logger,
  registry: Registry,
  replicas?: AlertReplicas,
): Alertmanager {
  return new Alertmanager({
    clock: systemClock,
    random: systemRandom,
    disk: nodeDisk,
    logger,
    registry,
    folder,
    externalUrl: url,
    retentionMs: settings['data.retention'],
    gcIntervalMs: settings['alerts.gc-interval'],
    maintenanceIntervalMs: settings['data.maintenance-interval'],
    startDelayMs: settings['dispatch.start-delay'],
    maxSilences: Math.max(0, settings['silences.max-silences']),
    maxSilenceBytes: Math.max(0, settings['silences.max-silence-size-bytes']),
    alertsPerName: Math.max(0, settings['alerts.per-alertname-limit']),
    maxGroups: 0,
    environment: process.env,
    ...(replicas ? { replicas } : {}),
  });
}

/** Pushes alerts of others on to WeCom users and groups. */
export const makePushProxy = (): PushProxy =>
  new PushProxy(
    createHttpClient(undefined, { clock: systemClock, disk: nodeDisk, environment: process.env }),
    systemClock,
  );

function openReplicas(flags: AlertmanagerFlags, logger: Logger): AlertReplicas | undefined {
  const endpoints = flags['cluster.etcd.endpoints'];
  if (endpoints.length === 0) return undefined;
  return new AlertReplicas({
    client: new EtcdClient({ endpoints, timeoutMs: ETCD_TIMEOUT_MS }, systemClock),
    prefix: flags['cluster.etcd.prefix'].replace(/\/$/, ''),
    name: flags['cluster.peer-name'] || `${os.hostname()}${flags['web.listen-address'][0]}`,
    peerTimeoutMs: flags['cluster.peer-timeout'],
    clock: systemClock,
    logger,
  });
}

export async function runAlertmanager({ flags }: ParsedCommand<typeof ALERTMANAGER_FLAGS>): Promise<number> {
  const clock = systemClock;
  const logger = processLogger(flags);
  const registry = new Registry();
  registerProcessMetrics(registry, clock.now());
  const external = externalUrl(flags, os.hostname());
  logger.info('Starting Alertmanager', { version: VERSION });
  const config = loadAlertmanagerConfig(flags['config.file']);
  const replicas = openReplicas(flags, logger);
  const alertmanager = makeAlertmanager(
    flags['storage.path'],
    flags,
    external.url.href.replace(/\/$/, ''),
    logger,
    registry,
    replicas,
  );
  const loaded = {
    good: registry.gauge(
      'alertmanager_config_last_reload_successful',
      'Whether the last configuration reload attempt was successful.',
    ),
    at: registry.gauge(
      'alertmanager_config_last_reload_success_timestamp_seconds',
      'Timestamp of the last successful configuration reload.',
    ),
  };
  const apply = (next: AlertmanagerConfig) => {
    alertmanager.apply(next);
    loaded.good.set(1);
    loaded.at.set(clock.now() / 1000);
    logger.info('Completed loading of configuration file', { file: flags['config.file'] });
  };
  replicas?.start();
  apply(config);
  const reload = async () => {
    try {
      apply(loadAlertmanagerConfig(flags['config.file']));
    } catch (error) {
      loaded.good.set(0);
      throw error;
    }
  };
  const signals = handleSignals(logger, () => {
    reload().catch((error) =>
      logger.error('cannot reload the configuration; the one before stays in force', { err: errorText(error) }),
    );
  });
  const routes = [
    ...lifecycleRoutes({
      name: 'Alertmanager',
      enabled: true,
      ready: () => true,
      reload,
      quit: signals.quit,
      version: alertmanagerBuildInfo(),
    }).map((route) =>
      route.pattern === '/-/healthy' || route.pattern === '/-/ready'
        ? { ...route, handler: () => ({ status: 200, body: 'OK' }) }
        : route,
    ),
    ...alertmanagerRoutes({ alertmanager, clock, prefix: '', version: alertmanagerBuildInfo() }),
    ...alertProxyRoutes(makePushProxy(), () => alertmanager.pushSettings),
    metricsRoute(() => registry.families()),
    ...webRoutes({
      folder: path.join(import.meta.dirname, '..', '..', 'build', 'web'),
      disk: nodeDisk,
      role: 'alertmanager',
    }),
  ];
  const web = await startWeb(flags, external.prefix, routes, clock, logger, registry);
  const why = await signals.ended;
  logger.info('stopping', { reason: why });
  await web.stop();
  await replicas?.stop();
  alertmanager.stop();
  return 0;
}
