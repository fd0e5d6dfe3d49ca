// What `pharos up` runs beside the server, in the same process and behind the same address: the alertmanager under
// /alertmanager, the push gateway under /push, this host's metrics under /exporters/node.

import path from 'node:path';
import { systemClock } from '#base/clock.ts';
import { type FlagValues, flagTexts, parseFlags } from '#base/flags.ts';
import type { Logger } from '#base/log.ts';
import { selectCollectors } from '#exporters/node/names.ts';
import type { AlertSink } from '#model/alert.ts';
import type { Registry } from '#model/registry.ts';
import { alertProxyRoutes } from '#serve/alert-proxy.ts';
import { alertmanagerRoutes } from '#serve/alertmanager.ts';
import { exporterRoute } from '#serve/exporter.ts';
import type { Route } from '#serve/http.ts';
import { pushMetrics, pushRoutes } from '#serve/push.ts';
import { makePushProxy } from './alertmanager.ts';

import { createNodeExporter } from './node-exporter.ts';
import { type AlertmanagerSettings, openAlertmanager } from './open-alertmanager.ts';
import { createGateway } from './pushgateway.ts';
import { PUSH_FLAGS } from './pushgateway-flags.ts';
import type { BOX_FLAGS } from './up-flags.ts';
import { alertmanagerBuildInfo, buildInfo } from './version.ts';

export type Box = {
  readonly routes: readonly Route[];
  /** Where rules hand their alerts. */
  readonly sink: AlertSink;
  /** Throws, changing nothing, when the alertmanager's configuration is invalid. */
  readonly reload: () => void;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** Scrape jobs of `up` for what is in the box; `address` is where the server listens. */
export const boxJobs = (address: string, prefix: string): string => `  - job_name: node
    metrics_path: ${prefix}/exporters/node/metrics
    static_configs:
      - targets: ['${address}']
  - job_name: push
    metrics_path: ${prefix}/push/metrics
    honor_labels: true
    static_configs:
      - targets: ['${address}']
`;

/** The alertmanager's flags, which `up` takes under names of their own. */
function alertmanagerSettings(flags: FlagValues<typeof BOX_FLAGS>): AlertmanagerSettings {
  const prefix = 'alertmanager.';
  const own = Object.entries(flags)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => [name.slice(prefix.length), value]);
  return Object.fromEntries(own) as AlertmanagerSettings;
}

export function openBox(
  flags: FlagValues<typeof BOX_FLAGS>,
  folder: string,
  url: string,
  logger: Logger,
  registry: Registry,
): Box {
  const clock = systemClock;
  const place = {
    folder: path.join(folder, 'alertmanager'),
    externalUrl: `${url}/alertmanager`,
    address: `-${new URL(url).host}`,
  };
  const opened = openAlertmanager(alertmanagerSettings(flags), place, logger.with({ part: 'alertmanager' }), registry);
  const { alertmanager, matching, reload } = opened;

  const pushFlags = { ...parseFlags(PUSH_FLAGS, []).flags, 'persistence.file': path.join(folder, 'push.state') };
  const gateway = createGateway(pushFlags, logger.with({ part: 'push' }), () => []);
  const exporter = createNodeExporter({}, new Set(), false, logger.with({ part: 'node' }));
  const routes = [
    ...alertmanagerRoutes({ alertmanager, clock, prefix: '/alertmanager', version: alertmanagerBuildInfo(), matching }),
    ...alertProxyRoutes(makePushProxy(), () => alertmanager.pushSettings),
    ...pushRoutes(
      gateway,
      {
        telemetryPath: '/metrics',
        prefix: '/push',
        allowUtf8Names: pushFlags['push.enable-utf8-names'],
        enableAdminApi: false,
        maxBodyBytes: pushFlags['push.max-body-size'],
        flags: () => flagTexts(PUSH_FLAGS, pushFlags),
        build: buildInfo(),
        startedAt: clock.now(),
        now: () => clock.monotonic(),
        own: () => [],
      },
      pushMetrics(registry),
    ),
    exporterRoute({
      path: '/exporters/node/metrics',
      maxRequests: 4,
      render: async (query, accept) =>
        exporter.page(
          selectCollectors(exporter.names, query.getAll('collect[]'), query.getAll('exclude[]')),
          [],
          accept,
        ),
    }),
  ];
  return {
    routes,
    sink: alertmanager,
    reload,
    start: () => gateway.start(),
    async stop() {
      await exporter.close();
      await gateway.stop();
      await opened.stop();
    },
  };
}
