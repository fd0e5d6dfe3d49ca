// The role `alertmanager`, and its making for `up`: configuration, API, reload, shutdown.

import os from 'node:os';
import path from 'node:path';
import { Alertmanager } from '#alert/alertmanager.ts';
import type { MatcherMode } from '#alert/match/parse.ts';
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
import { limitRoutes } from '#serve/limits.ts';
import { metricsRoute } from '#serve/metrics.ts';
import { webRoutes } from '#serve/web.ts';
import {
  type ALERTMANAGER_CLUSTER_FLAGS,
  type ALERTMANAGER_DATA_FLAGS,
  ALERTMANAGER_FEATURES,
  type ALERTMANAGER_FLAGS,
  ALERTMANAGER_UNUSED_FLAGS,
} from './alertmanager-flags.ts';
import { featuresOf } from './flags.ts';
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

export function loadAlertmanagerConfig(file: string, matching: MatcherMode): AlertmanagerConfig {
  if (file === '') return parseAlertmanagerConfig(DEFAULT_CONFIG, 'built in', (name) => path.resolve(name), matching);
  if (!nodeDisk.exists(file)) throw new UserError(`cannot read the configuration: there is no file ${file}`);
  const text = new TextDecoder().decode(nodeDisk.readFile(file));
  return parseAlertmanagerConfig(text, file, (name) => path.resolve(path.dirname(file), name), matching);
}

export type AlertmanagerSettings = FlagValues<typeof ALERTMANAGER_DATA_FLAGS>;
export type ClusterSettings = FlagValues<typeof ALERTMANAGER_CLUSTER_FLAGS>;

/** The features that are switched on; refuses what there is not. */
export function alertmanagerFeatures(settings: AlertmanagerSettings): {
  readonly features: ReadonlySet<string>;
  readonly matching: MatcherMode;
} {
  const features = featuresOf(settings);
  for (const name of features) {
    if (!ALERTMANAGER_FEATURES.some((known) => known === name))
      throw new UserError(`unknown option '${name}' for --enable-feature`);
  }
  const [isClassic, isStrict] = [features.has('classic-mode'), features.has('utf8-strict-mode')];
  if (isClassic && isStrict) throw new UserError('cannot have both classic and UTF-8 modes enabled');
  return { features, matching: isClassic ? 'classic' : isStrict ? 'utf8-strict' : 'fallback' };
}

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
    features: alertmanagerFeatures(settings).features,
    logSilences: settings['log.silences'],
    ...(replicas ? { replicas } : {}),
  });
}

/** Pushes alerts of others on to WeCom users and groups. */
export const makePushProxy = (): PushProxy =>
  new PushProxy(
    createHttpClient(undefined, { clock: systemClock, disk: nodeDisk, environment: process.env }),
    systemClock,
  );

export function openReplicas(flags: ClusterSettings, address: string, logger: Logger): AlertReplicas | undefined {
  const endpoints = flags['cluster.etcd.endpoints'];
  if (endpoints.length === 0) return undefined;
  return new AlertReplicas({
    client: new EtcdClient({ endpoints, timeoutMs: ETCD_TIMEOUT_MS }, systemClock),
    prefix: [flags['cluster.etcd.prefix'].replace(/\/$/, ''), flags['cluster.label']].filter(Boolean).join('/'),
    name: flags['cluster.peer-name'] || `${os.hostname()}${address}`,
    peerTimeoutMs: flags['cluster.peer-timeout'],
    settleTimeoutMs: flags['cluster.settle-timeout'],
    clock: systemClock,
    logger,
  });
}

/** Refuses what cannot be obeyed, and says what makes no difference. */
function checkFlags(flags: AlertmanagerFlags, given: ReadonlySet<string>, logger: Logger): void {
  if (flags['cluster.peer'].length > 0 && flags['cluster.etcd.endpoints'].length === 0) {
    throw new UserError(
      'cannot join the members of --cluster.peer: alertmanagers share through etcd here, not by gossip; give --cluster.etcd.endpoints on every member instead',
    );
  }
  if (flags['web.systemd-socket'])
    throw new UserError('cannot take a socket from systemd: give --web.listen-address instead of --web.systemd-socket');
  const unused = [...given].filter((name) => name in ALERTMANAGER_UNUSED_FLAGS || name === 'cluster.peer');
  if (unused.length > 0) logger.info('flags that make no difference here', { flags: unused.join(' ') });
}

export async function runAlertmanager({ flags, given }: ParsedCommand<typeof ALERTMANAGER_FLAGS>): Promise<number> {
  const clock = systemClock;
  const logger = processLogger(flags);
  checkFlags(flags, given, logger);
  const { matching } = alertmanagerFeatures(flags);
  const registry = new Registry();
  registerProcessMetrics(registry, clock.now());
  const external = externalUrl(flags, os.hostname());
  logger.info('Starting Alertmanager', { version: VERSION });
  const config = loadAlertmanagerConfig(flags['config.file'], matching);
  const replicas = openReplicas(flags, flags['web.listen-address'][0] ?? '', logger);
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
      apply(loadAlertmanagerConfig(flags['config.file'], matching));
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
    ...alertmanagerRoutes({ alertmanager, clock, prefix: '', version: alertmanagerBuildInfo(), matching }),
    ...alertProxyRoutes(makePushProxy(), () => alertmanager.pushSettings),
    metricsRoute(() => registry.families()),
    ...webRoutes({
      folder: path.join(import.meta.dirname, '..', '..', 'build', 'web'),
      disk: nodeDisk,
      role: 'alertmanager',
    }),
  ];
  const limits = { concurrency: flags['web.get-concurrency'], timeoutMs: flags['web.timeout'] };
  const limited = limitRoutes(routes, limits, clock, registry);
  const web = await startWeb(flags, external.prefix, limited, clock, logger, registry);
  const why = await signals.ended;
  logger.info('stopping', { reason: why });
  await web.stop();
  await replicas?.stop();
  alertmanager.stop();
  return 0;
}
