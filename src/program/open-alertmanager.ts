// Makes an alertmanager out of flags, with all that surrounds it: its configuration file, other members over etcd, events, traces.
// The role `alertmanager` and the box of `up` run what this gives.

import os from 'node:os';
import path from 'node:path';
import { Alertmanager } from '#alert/alertmanager.ts';
import { type ClusterView, clusterFigures, registerClusterMetrics } from '#alert/cluster-metrics.ts';
import { EventRecorder } from '#alert/events/recorder.ts';
import type { MatcherMode } from '#alert/match/parse.ts';
import { AlertReplicas } from '#alert/replicas.ts';
import { type AlertmanagerConfig, parseAlertmanagerConfig } from '#alert/route/config.ts';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { FlagValues } from '#base/flags.ts';
import type { Logger } from '#base/log.ts';
import { systemRandom } from '#base/random.ts';
import { EtcdClient } from '#clients/etcd/etcd.ts';
import type { Registry } from '#model/registry.ts';
import {
  type ALERTMANAGER_CLUSTER_FLAGS,
  type ALERTMANAGER_DATA_FLAGS,
  ALERTMANAGER_FEATURES,
} from './alertmanager-flags.ts';
import { featuresOf } from './flags.ts';
import { processTracer } from './tracing.ts';
import { alertmanagerBuildInfo } from './version.ts';

const ETCD_TIMEOUT_MS = 5000;

/** What runs when no configuration is given: alerts are shown and nobody is told. */
const DEFAULT_CONFIG = `route:
  receiver: nobody
  group_by: [alertname]
receivers:
  - name: nobody
`;

export type AlertmanagerSettings = FlagValues<typeof ALERTMANAGER_DATA_FLAGS> &
  FlagValues<typeof ALERTMANAGER_CLUSTER_FLAGS> & {
    /** Its configuration; '' for the built-in one. */
    readonly 'config.file': string;
  };

export type AlertmanagerPlace = {
  readonly folder: string;
  readonly externalUrl: string;
  /** Where it listens, to tell members of one host apart. */
  readonly address: string;
  /** Without other members its metrics are those of a cluster of one. */
  readonly isAlone?: boolean;
};

export type OpenAlertmanager = {
  readonly alertmanager: Alertmanager;
  readonly tracer: ReturnType<typeof processTracer>;
  readonly matching: MatcherMode;
  /** Reads the configuration and puts it in force. Throws, changing nothing, when it is invalid. */
  readonly reload: () => void;
  readonly stop: () => Promise<void>;
};

export function openAlertmanager(
  settings: AlertmanagerSettings,
  { folder, externalUrl, address, isAlone = false }: AlertmanagerPlace,
  logger: Logger,
  registry: Registry,
): OpenAlertmanager {
  const { features, matching } = checkFeatures(settings);
  const file = settings['config.file'];
  const first = loadConfig(file, matching);
  const replicas = openReplicas(settings, address, logger);
  const tracer = processTracer(systemClock, logger, 'main', 'alertmanager');
  const events = features.has('event-recorder')
    ? new EventRecorder({
        ...{ clock: systemClock, disk: nodeDisk, logger, registry, environment: process.env },
        instance: os.hostname(),
        clusterPosition: () => replicas?.position ?? 0,
        stdout: (line) => void process.stdout.write(line),
      })
    : undefined;
  const alertmanager = new Alertmanager({
    ...{ clock: systemClock, random: systemRandom, disk: nodeDisk, logger, registry, folder, externalUrl, features },
    retentionMs: settings['data.retention'],
    gcIntervalMs: settings['alerts.gc-interval'],
    maintenanceIntervalMs: settings['data.maintenance-interval'],
    startDelayMs: settings['dispatch.start-delay'],
    maxSilences: Math.max(0, settings['silences.max-silences']),
    maxSilenceBytes: Math.max(0, settings['silences.max-silence-size-bytes']),
    alertsPerName: Math.max(0, settings['alerts.per-alertname-limit']),
    maxGroups: 0,
    environment: process.env,
    logSilences: settings['log.silences'],
    tracer,
    ...(events ? { record: (event) => events.record(event) } : {}),
    ...(replicas ? { replicas } : {}),
  });
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
  const apply = (config: AlertmanagerConfig) => {
    events?.apply(config.events);
    alertmanager.apply(config);
    tracer.apply(config.tracing).catch((error) => logger.error('cannot trace', { err: errorText(error) }));
    loaded.good.set(1);
    loaded.at.set(systemClock.now() / 1000);
    logger.info('Completed loading of configuration file', { file });
  };
  if (replicas) registerClusterMetrics(registry, replicas);
  else if (isAlone)
    registerClusterMetrics(registry, lonelyMember(settings['cluster.peer-name'] || `${os.hostname()}${address}`));
  replicas?.start();
  apply(first);
  events?.record({ type: 'alertmanager_startup_event', version: alertmanagerBuildInfo().version });
  return {
    alertmanager,
    tracer,
    matching,
    reload() {
      loaded.good.set(0);
      apply(loadConfig(file, matching));
    },
    async stop() {
      await replicas?.stop();
      alertmanager.stop();
      events?.record({ type: 'alertmanager_shutdown_event' });
      await events?.close();
      await tracer.stop();
    },
  };
}

function loadConfig(file: string, matching: MatcherMode): AlertmanagerConfig {
  if (file === '') return parseAlertmanagerConfig(DEFAULT_CONFIG, 'built in', (name) => path.resolve(name), matching);
  if (!nodeDisk.exists(file)) throw new UserError(`cannot read the configuration: there is no file ${file}`);
  const text = new TextDecoder().decode(nodeDisk.readFile(file));
  return parseAlertmanagerConfig(text, file, (name) => path.resolve(path.dirname(file), name), matching);
}

/** The features that are switched on; refuses what there is not. */
function checkFeatures(settings: AlertmanagerSettings): {
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

const lonelyMember = (name: string): ClusterView => ({
  name,
  members: [name],
  position: 0,
  isConnected: true,
  waiting: 0,
  figures: clusterFigures(),
});

function openReplicas(settings: AlertmanagerSettings, address: string, logger: Logger): AlertReplicas | undefined {
  const endpoints = settings['cluster.etcd.endpoints'];
  if (endpoints.length === 0) return undefined;
  return new AlertReplicas({
    client: new EtcdClient({ endpoints, timeoutMs: ETCD_TIMEOUT_MS }, systemClock),
    prefix: [settings['cluster.etcd.prefix'].replace(/\/$/, ''), settings['cluster.label']].filter(Boolean).join('/'),
    name: settings['cluster.peer-name'] || `${os.hostname()}${address}`,
    peerTimeoutMs: settings['cluster.peer-timeout'],
    settleTimeoutMs: settings['cluster.settle-timeout'],
    clock: systemClock,
    logger,
  });
}
