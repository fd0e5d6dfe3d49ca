// The role `pushgateway`: a push gateway alone, with Pushgateway's flags. `pharos up` mounts the same parts under /push.

import os from 'node:os';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { type FlagValues, flagTexts, type ParsedCommand } from '#base/flags.ts';
import type { Logger } from '#base/log.ts';
import { Gateway } from '#collect/push/gateway.ts';
import type { Replicas } from '#collect/push/replicas.ts';
import type { AbsentMode, MergeMode, PullMode } from '#collect/push/state.ts';
import { Registry } from '#model/registry.ts';
import { type Route, text } from '#serve/http.ts';
import { prometheusHttpMetrics } from '#serve/http-metrics.ts';
import { pushMetrics, pushRoutes } from '#serve/push.ts';
import { refuseSystemdSocket } from './flags.ts';
import { processLogger } from './logger.ts';
import { externalUrl, handleSignals, startWeb } from './process.ts';
import { type PUSH_FLAGS, PUSHGATEWAY_FLAGS } from './pushgateway-flags.ts';
import { buildInfo, VERSION } from './version.ts';

type PushFlags = FlagValues<typeof PUSH_FLAGS>;

const ETCD_TIMEOUT_MS = 5000;

/** What shares the state with other gateways; its code is loaded only where there are some. */
async function createReplicas(flags: PushFlags, log: Logger): Promise<Replicas | undefined> {
  const endpoints = flags['push.etcd.endpoints'];
  if (endpoints.length === 0) return undefined;
  const { EtcdClient } = await import('#clients/etcd/etcd.ts');
  const { Replicas } = await import('#collect/push/replicas.ts');
  const client = new EtcdClient({ endpoints, timeoutMs: ETCD_TIMEOUT_MS }, systemClock);
  return new Replicas(client, flags['push.etcd.prefix'], log);
}

export function createGateway(
  flags: PushFlags,
  log: Logger,
  own: () => ReturnType<Registry['families']>,
  replicas?: Replicas,
): Gateway {
  return new Gateway(
    {
      persistenceFile: flags['persistence.file'],
      persistenceIntervalMs: flags['persistence.interval'],
      isChecked: !flags['push.disable-consistency-check'],
      defaults: {
        merge: flags['push.merge'] as MergeMode,
        absent: flags['push.absent'] === '' ? undefined : (flags['push.absent'] as AbsentMode),
        pull: flags['push.pull'] as PullMode,
        ttlMs: flags['push.ttl'],
        intervalMs: flags['push.interval'],
      },
    },
    nodeDisk,
    systemClock,
    log,
    own,
    replicas,
  );
}

export async function runPushgateway(command: ParsedCommand<typeof PUSHGATEWAY_FLAGS>): Promise<number> {
  const { flags } = command;
  const clock = systemClock;
  const logger = processLogger(flags);
  refuseSystemdSocket(flags);
  if (command.given.has('web.local-assets')) {
    logger.info('flag makes no difference here', {
      flag: 'web.local-assets',
      why: 'the pages are part of the program',
    });
  }
  logger.info('starting push gateway', { version: VERSION });
  const registry = new Registry();
  const own = () => registry.families();
  const gateway = createGateway(flags, logger, own, await createReplicas(flags, logger));
  const signals = handleSignals(logger, () => logger.info('nothing to reload'));
  const routes: Route[] = [
    ...pushRoutes(
      gateway,
      {
        telemetryPath: flags['web.telemetry-path'],
        prefix: '',
        allowUtf8Names: flags['push.enable-utf8-names'],
        enableAdminApi: flags['web.enable-admin-api'],
        maxBodyBytes: flags['push.max-body-size'],
        flags: () => flagTexts(PUSHGATEWAY_FLAGS, flags),
        build: buildInfo(),
        startedAt: clock.now(),
        now: () => clock.monotonic(),
        own,
      },
      pushMetrics(registry),
    ),
    { methods: ['GET'], pattern: '/-/healthy', handler: () => text('OK') },
    { methods: ['GET'], pattern: '/-/ready', handler: () => text('OK') },
    {
      methods: ['PUT', 'POST'],
      pattern: '/-/quit',
      role: 'admin',
      handler: () => {
        if (!flags['web.enable-lifecycle']) return text('Lifecycle API is not enabled.', 403);
        signals.quit();
        return text('Requesting termination... Goodbye!');
      },
    },
    { methods: ['GET'], pattern: '/-/quit', handler: () => text('Only POST or PUT requests allowed.', 405) },
  ];
  await gateway.start();
  const web = await startWeb(
    flags,
    externalUrl(flags, os.hostname()).prefix,
    routes,
    clock,
    logger,
    prometheusHttpMetrics(registry),
  );
  const why = await signals.ended;
  logger.info('stopping', { reason: why });
  await web.stop();
  await gateway.stop();
  return 0;
}
