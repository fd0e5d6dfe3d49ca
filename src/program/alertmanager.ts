// The role `alertmanager`: its API and pages, reload, shutdown.

import os from 'node:os';
import path from 'node:path';
import v8 from 'node:v8';
import { PushProxy } from '#alert/proxy/push.ts';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { FlagValues, ParsedCommand } from '#base/flags.ts';
import type { Logger } from '#base/log.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { Registry } from '#model/registry.ts';
import { alertProxyRoutes } from '#serve/alert-proxy.ts';
import { alertmanagerRoutes, goneRoutes } from '#serve/alertmanager.ts';
import { debugRoutes } from '#serve/debug.ts';
import { text } from '#serve/http.ts';
import { alertmanagerHttpMetrics } from '#serve/http-metrics.ts';
import { lifecycleRoutes } from '#serve/lifecycle.ts';
import { limitRoutes } from '#serve/limits.ts';
import { metricsRoute } from '#serve/metrics.ts';
import { webRoutes } from '#serve/web.ts';
import { type ALERTMANAGER_FLAGS, ALERTMANAGER_UNUSED_FLAGS } from './alertmanager-flags.ts';
import { processLogger } from './logger.ts';
import { openAlertmanager } from './open-alertmanager.ts';
import { registerProcessMetrics } from './own-metrics.ts';
import { externalUrl, handleSignals, startWeb } from './process.ts';
import { alertmanagerBuildInfo, VERSION } from './version.ts';

/** Pushes alerts of others on to WeCom users and groups. */
export const makePushProxy = (): PushProxy =>
  new PushProxy(
    createHttpClient(undefined, { clock: systemClock, disk: nodeDisk, environment: process.env }),
    systemClock,
  );

/** Refuses what cannot be obeyed, and says what makes no difference. */
function checkFlags(flags: FlagValues<typeof ALERTMANAGER_FLAGS>, given: ReadonlySet<string>, logger: Logger): void {
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

/** How much garbage may lie beside what is alive before it is collected; V8's own choice is up to three times as much. */
const HEAP_GROWING_PERCENT = 50;

export async function runAlertmanager({ flags, given }: ParsedCommand<typeof ALERTMANAGER_FLAGS>): Promise<number> {
  v8.setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  const clock = systemClock;
  const logger = processLogger(flags);
  checkFlags(flags, given, logger);
  const registry = new Registry();
  registerProcessMetrics(registry, clock.now(), 'alertmanager', alertmanagerBuildInfo());
  const external = externalUrl(flags, os.hostname());
  logger.info('Starting Alertmanager', { version: VERSION });
  const place = {
    folder: flags['storage.path'],
    externalUrl: external.url.href.replace(/\/$/, ''),
    address: flags['web.listen-address'][0] ?? '',
    isAlone: flags['cluster.listen-address'] !== '',
  };
  const { alertmanager, tracer, matching, reload, stop } = openAlertmanager(flags, place, logger, registry);
  const signals = handleSignals(logger, () => {
    try {
      reload();
    } catch (error) {
      logger.error('cannot reload the configuration; the one before stays in force', { err: errorText(error) });
    }
  });
  const routes = [
    ...lifecycleRoutes({
      name: 'Alertmanager',
      enabled: true,
      ready: () => true,
      reload: async () => reload(),
      quit: signals.quit,
      version: alertmanagerBuildInfo(),
    }).map((route) =>
      route.pattern === '/-/healthy' || route.pattern === '/-/ready' ? { ...route, handler: () => text('OK') } : route,
    ),
    ...alertmanagerRoutes({ alertmanager, clock, prefix: '', version: alertmanagerBuildInfo(), matching }),
    ...goneRoutes(),
    ...alertProxyRoutes(makePushProxy(), () => alertmanager.pushSettings),
    metricsRoute(() => registry.families()),
    ...debugRoutes(clock),
    ...webRoutes({
      folder: path.join(import.meta.dirname, '..', '..', 'build', 'web'),
      disk: nodeDisk,
      role: 'alertmanager',
    }),
  ];
  const limits = { concurrency: flags['web.get-concurrency'], timeoutMs: flags['web.timeout'] };
  const limited = limitRoutes(routes, limits, clock, registry);
  const web = await startWeb(flags, external.prefix, limited, clock, logger, alertmanagerHttpMetrics(registry), tracer);
  const why = await signals.ended;
  logger.info('stopping', { reason: why });
  await web.stop();
  await stop();
  return 0;
}
