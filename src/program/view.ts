// Wires dashboards and data sources for the roles that have pages: where they are kept, and who answers for each kind.

import path from 'node:path';
import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import type { Logger } from '#base/log.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { docsRoutes } from '#serve/docs.ts';
import { grafanaRoutes } from '#serve/grafana.ts';
import type { Route } from '#serve/http.ts';
import { viewRoutes } from '#serve/view.ts';
import { webRoutes } from '#serve/web.ts';
import { Library } from '#view/library.ts';
import { askMysql, askPostgres } from '#view/sources/databases.ts';
import { askClickhouse, askElasticsearch, askJson } from '#view/sources/http.ts';
import { Sources } from '#view/sources/source.ts';
import { VERSION } from './version.ts';

export type ViewWiring = {
  /** Where the package lies: its built pages and the dashboards that ship. */
  readonly packageFolder: string;
  /** The data folder of the server; dashboards and sources are kept below it. */
  readonly folder: string;
  /** Folders of dashboards that are read only. */
  readonly provisioned: readonly string[];
  /** What the browser's tab shows after the name of a page. */
  readonly title: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** Pages, their assets, and the APIs behind them. Must come last: it answers for every path that nobody else takes. */
export function pageRoutes({ packageFolder, folder, provisioned, title, disk, clock, logger }: ViewWiring): Route[] {
  const environment = process.env;
  const http = { client: createHttpClient(undefined, { clock, disk, environment }), environment };
  const sources = new Sources(disk, `${folder}/view/sources.json`);
  const library = new Library({
    folder: `${folder}/view/dashboards`,
    shipped: path.join(packageFolder, 'deploy', 'dashboards'),
    provisioned,
    disk,
    clock,
    logger,
  });
  const ask = {
    mysql: askMysql(environment),
    postgres: askPostgres(environment),
    clickhouse: askClickhouse(http),
    elasticsearch: askElasticsearch(http),
    json: askJson(http),
  };
  return [
    ...viewRoutes({ library, sources, http, ask, clock }),
    ...grafanaRoutes({ library, sources, version: VERSION }),
    ...docsRoutes({ folder: path.join(packageFolder, 'docs'), disk }),
    ...webRoutes({ folder: path.join(packageFolder, 'build', 'web'), disk, role: 'server', title }),
  ];
}
