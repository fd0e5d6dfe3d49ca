// The part of Grafana's HTTP API that bootstrap jobs and scripts use: health, who one is, data sources, folders, dashboards,
// search, annotations, queries. Who may call is decided by the server's own users, so basic auth works as there.

import type { Folders } from '#view/folders.ts';
import type { Library } from '#view/library.ts';
import type { Notes } from '#view/notes.ts';
import { json, type Route } from '../http.ts';
import { grafanaAnnotationRoutes } from './annotations.ts';
import { loginOf } from './answers.ts';
import { grafanaDashboardRoutes } from './dashboards.ts';
import { grafanaFolderRoutes } from './folders.ts';
import { grafanaQueryRoute } from './query.ts';
import { type GrafanaSourcesOptions, grafanaSourceRoutes } from './sources.ts';

export type GrafanaOptions = GrafanaSourcesOptions & {
  readonly library: Library;
  readonly folders: Folders;
  readonly notes: Notes;
  readonly version: string;
};

/** The version that clients are told, who decide by it which API to use. */
const GRAFANA = '12.0.0';
const ORG = { id: 1, name: 'Main Org.' } as const;

export function grafanaRoutes(options: GrafanaOptions): Route[] {
  const { version } = options;
  return [
    {
      methods: ['GET'],
      pattern: '/api/health',
      handler: () => json({ commit: `pharos-${version}`, database: 'ok', version: GRAFANA }),
    },
    {
      methods: ['GET'],
      pattern: '/api/org',
      handler: () =>
        json({
          ...ORG,
          address: { address1: '', address2: '', city: '', zipCode: '', state: '', country: '' },
        }),
    },
    { methods: ['GET'], pattern: '/api/orgs', handler: () => json([ORG]) },
    {
      methods: ['GET'],
      pattern: '/api/user',
      handler: (request) => {
        const login = loginOf(request);
        return json({
          ...{ id: 1, uid: login, email: '', name: login, login, theme: '', orgId: ORG.id },
          ...{ isGrafanaAdmin: request.user === undefined, isDisabled: false, isExternal: false, authLabels: [] },
          ...{ createdAt: '1970-01-01T00:00:00Z', updatedAt: '1970-01-01T00:00:00Z', avatarUrl: '' },
        });
      },
    },
    {
      methods: ['GET'],
      pattern: '/api/frontend/settings',
      handler: () =>
        json({
          buildInfo: { version: GRAFANA, commit: `pharos-${version}`, edition: 'Open Source', env: 'production' },
          defaultDatasource: options.sources.list().find((one) => one.isDefault)?.name,
        }),
    },
    ...grafanaSourceRoutes(options),
    ...grafanaFolderRoutes(options),
    ...grafanaDashboardRoutes(options),
    ...grafanaAnnotationRoutes(options),
    grafanaQueryRoute(options),
  ];
}
