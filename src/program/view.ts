// Wires dashboards and data sources for the roles that have pages: where they are kept, and who answers for each kind.

import path from 'node:path';
import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import type { Logger } from '#base/log.ts';
import { docsRoutes } from '#serve/docs.ts';
import { grafanaRoutes } from '#serve/grafana/api.ts';
import { ownApi } from '#serve/grafana/own.ts';
import type { Route } from '#serve/http.ts';
import { viewRoutes } from '#serve/view.ts';
import { webRoutes } from '#serve/web.ts';
import { Folders } from '#view/folders.ts';
import { Library } from '#view/library.ts';
import { Notes } from '#view/notes.ts';
import { askMysql, askPostgres } from '#view/sources/databases.ts';
import { askClickhouse, askElasticsearch, askJson } from '#view/sources/http.ts';
import { Sources } from '#view/sources/source.ts';
import { SourceClients } from '#view/sources/tls.ts';
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
  /** The routes of queries, which Grafana's proxies of data sources may lead to. */
  readonly api: readonly Route[];
  /** How often this server scrapes, unless a job says otherwise. */
  readonly scrapeMs: () => number;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** Pages, their assets, and the APIs behind them. Must come last: it answers for every path that nobody else takes. */
export function pageRoutes(wiring: ViewWiring): Route[] {
  const { packageFolder, folder, provisioned, title, api, scrapeMs, disk, clock, logger } = wiring;
  const environment = process.env;
  const http = { clients: new SourceClients({ clock, disk, environment }), environment };
  const sources = new Sources(disk, `${folder}/view/sources.json`);
  const library = new Library({
    folder: `${folder}/view/dashboards`,
    shipped: path.join(packageFolder, 'deploy', 'dashboards'),
    provisioned,
    disk,
    clock,
    logger,
  });
  const folders = new Folders(disk, clock, `${folder}/view/folders.json`, () => library.provisionedFolders());
  const notes = new Notes(disk, `${folder}/view/annotations.json`, logger);
  const ask = {
    mysql: askMysql(environment, disk),
    postgres: askPostgres(environment, disk),
    clickhouse: askClickhouse(http),
    elasticsearch: askElasticsearch(http),
    json: askJson(http),
  };
  return [
    ...viewRoutes({ library, folders, notes, sources, http, ask, clock, scrapeMs }),
    ...grafanaRoutes({ library, folders, notes, sources, http, ask, clock, own: ownApi(api), version: VERSION }),
    ...docsRoutes({ folder: path.join(packageFolder, 'docs'), disk }),
    ...webRoutes({ folder: path.join(packageFolder, 'build', 'web'), disk, role: 'server', title }),
  ];
}
