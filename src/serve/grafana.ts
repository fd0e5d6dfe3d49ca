// The part of Grafana's HTTP API that bootstrap jobs use: data sources, dashboards, folders, search, health. Errors are
// Grafana's `{message}`; who may call is decided by the server's own users, so basic auth works as there.

import { errorText } from '#base/errors.ts';
import { importDashboard } from '#view/grafana/import.ts';
import { SOURCE_KINDS } from '#view/grafana/queries.ts';
import type { Library } from '#view/library.ts';
import type { Dashboard, Text } from '#view/model.ts';
import { withKeptSecrets } from '#view/sources/probe.ts';
import { readSource, SELF, type Source, type Sources } from '#view/sources/source.ts';
import { toUid } from '#view/uid.ts';
import { type HttpRequest, type HttpResponse, json, type Route } from './http.ts';
import { readJson } from './view-sources.ts';

export type GrafanaOptions = { readonly library: Library; readonly sources: Sources; readonly version: string };

const message = (text: string, status: number): HttpResponse => json({ message: text }, status);
const titleOf = (title: Text): string => (typeof title === 'string' ? title : title.en);

/** Numbers where Grafana has them; stable for a uid. */
function idOf(uid: string): number {
  let sum = 7;
  for (let i = 0; i < uid.length; i++) sum = (Math.imul(sum, 31) + uid.charCodeAt(i)) >>> 0;
  return (sum % 1_000_000) + 1;
}

const PLUGINS: Readonly<Record<string, string>> = {
  postgres: 'grafana-postgresql-datasource',
  clickhouse: 'grafana-clickhouse-datasource',
  json: 'yesoreyeram-infinity-datasource',
};

function publicSource(source: {
  uid: string;
  name: string;
  kind: string;
  isDefault?: boolean;
  url?: string;
  database?: string;
  user?: string;
}): Record<string, unknown> {
  return {
    id: idOf(source.uid),
    uid: source.uid,
    orgId: 1,
    name: source.name,
    type: PLUGINS[source.kind] ?? source.kind,
    access: 'proxy',
    url: source.url ?? '',
    user: source.user ?? '',
    database: source.database ?? '',
    basicAuth: false,
    isDefault: source.isDefault ?? false,
    readOnly: source.uid === SELF.uid,
    jsonData: {},
  };
}

/** Grafana's shape of a data source into ours. */
function fromGrafana(body: Record<string, unknown>, uid?: string): Source {
  const secure = (body.secureJsonData ?? {}) as Record<string, unknown>;
  const data = (body.jsonData ?? {}) as Record<string, unknown>;
  return readSource({
    uid: uid ?? body.uid,
    name: body.name,
    kind: SOURCE_KINDS[String(body.type)] ?? body.type,
    url: body.url,
    user: (body.basicAuth ? body.basicAuthUser : body.user) || undefined,
    password: secure.basicAuthPassword ?? secure.password ?? body.basicAuthPassword ?? body.password ?? undefined,
    database: body.database || data.database || undefined,
    headers: headersFrom(data, secure),
    timeoutMs: Number(data.timeout) > 0 ? Number(data.timeout) * 1000 : undefined,
    isDefault: body.isDefault === true,
  });
}

/** `httpHeaderName1` beside the secret `httpHeaderValue1`, and so on. */
function headersFrom(
  data: Record<string, unknown>,
  secure: Record<string, unknown>,
): Record<string, string> | undefined {
  const headers = Object.keys(data)
    .filter((key) => /^httpHeaderName\d+$/.test(key))
    .map((key) => [String(data[key]), String(secure[key.replace('Name', 'Value')] ?? '')]);
  return headers.length > 0 ? Object.fromEntries(headers) : undefined;
}

export function grafanaRoutes({ library, sources, version }: GrafanaOptions): Route[] {
  const guarded =
    (handler: (request: HttpRequest) => Promise<HttpResponse>) =>
    async (request: HttpRequest): Promise<HttpResponse> => {
      try {
        return await handler(request);
      } catch (error) {
        return message(errorText(error), 400);
      }
    };
  const all = () => [publicSource(sources.list()[0]!), ...sources.all().map(publicSource)];
  const find = (test: (source: Record<string, unknown>) => boolean): HttpResponse => {
    const found = all().find(test);
    return found ? json(found) : message('Data source not found', 404);
  };
  const create = async (request: HttpRequest): Promise<HttpResponse> => {
    const source = fromGrafana(await readJson(request));
    if (sources.find(source.name)) return message('data source with the same name already exists', 409);
    sources.put(source);
    return json({
      id: idOf(source.uid),
      message: 'Datasource added',
      name: source.name,
      datasource: publicSource(source),
    });
  };
  const update = async (request: HttpRequest): Promise<HttpResponse> => {
    const wanted = request.params.id!;
    const known = sources.all().find((one) => one.uid === wanted || String(idOf(one.uid)) === wanted);
    if (!known) return message('Data source not found', 404);
    const given = fromGrafana(await readJson(request), known.uid);
    // As in Grafana, secrets that are not sent stay, wherever the source moves.
    const source = withKeptSecrets(given, { ...known, url: given.url, kind: given.kind });
    sources.put(source);
    return json({
      id: idOf(source.uid),
      message: 'Datasource updated',
      name: source.name,
      datasource: publicSource(source),
    });
  };
  const remove = (request: HttpRequest): HttpResponse => {
    const wanted = request.params.id!;
    const known = sources
      .all()
      .find((one) => one.uid === wanted || one.name === wanted || String(idOf(one.uid)) === wanted);
    if (!known) return message('Data source not found', 404);
    sources.delete(known.uid);
    return json({ message: 'Data source deleted', id: idOf(known.uid) });
  };

  const saved = (dashboard: Dashboard, note: string, problems: readonly string[]): HttpResponse => {
    const stored = library.save(dashboard, undefined, note);
    const { uid } = dashboard;
    return json({
      id: idOf(uid),
      uid,
      url: `/d/${uid}/${toUid(titleOf(dashboard.title))}`,
      status: 'success',
      version: stored.version,
      slug: toUid(titleOf(dashboard.title)),
      ...(problems.length > 0 ? { problems } : {}),
    });
  };
  const saveDashboard = async (request: HttpRequest): Promise<HttpResponse> => {
    const body = await readJson(request);
    if (typeof body.dashboard !== 'object' || body.dashboard === null) return message('bad request data', 400);
    const { dashboard, problems } = importDashboard(body.dashboard);
    if (titleOf(dashboard.title) === '')
      return json({ status: 'empty-name', message: 'Dashboard title cannot be empty' }, 400);
    const before = library.get(dashboard.uid);
    if (before?.origin === 'saved' && body.overwrite !== true) {
      const seen = (body.dashboard as { version?: unknown }).version;
      if (seen !== before.version)
        return json({ status: 'version-mismatch', message: 'The dashboard has been changed by someone else' }, 412);
    }
    return saved(dashboard, typeof body.message === 'string' ? body.message : '', problems);
  };
  const importOne = async (request: HttpRequest): Promise<HttpResponse> => {
    const body = await readJson(request);
    if (typeof body.dashboard !== 'object' || body.dashboard === null) return message('Dashboard must be set', 400);
    const { dashboard, problems } = importDashboard(withInputs(body.dashboard as Record<string, unknown>, body.inputs));
    const before = library.get(dashboard.uid);
    if (before?.origin === 'saved' && body.overwrite !== true)
      return json({ status: 'name-exists', message: 'A dashboard with the same uid already exists' }, 412);
    const stored = library.save(dashboard, undefined, 'imported');
    const slug = toUid(titleOf(dashboard.title));
    return json({
      uid: dashboard.uid,
      pluginId: '',
      title: titleOf(dashboard.title),
      imported: true,
      importedUri: `db/${slug}`,
      importedUrl: `/d/${dashboard.uid}/${slug}`,
      slug,
      dashboardId: idOf(dashboard.uid),
      folderId: 0,
      importedRevision: stored.version,
      revision: stored.version,
      description: '',
      path: '',
      removed: false,
      ...(problems.length > 0 ? { problems } : {}),
    });
  };
  const search = ({ query }: HttpRequest): HttpResponse => {
    const words = (query.get('query') ?? '').toLowerCase();
    const tags = query.getAll('tag');
    const limit = Number(query.get('limit') ?? 1000) || 1000;
    if (query.get('type') === 'dash-folder') return json([]);
    const found = library
      .list()
      .filter(
        (entry) => titleOf(entry.title).toLowerCase().includes(words) && tags.every((tag) => entry.tags.includes(tag)),
      )
      .slice(0, limit)
      .map((entry) => {
        const slug = toUid(titleOf(entry.title));
        return {
          id: idOf(entry.uid),
          uid: entry.uid,
          title: titleOf(entry.title),
          uri: `db/${slug}`,
          url: `/d/${entry.uid}/${slug}`,
          slug: '',
          type: 'dash-db',
          tags: entry.tags,
          isStarred: false,
          sortMeta: 0,
        };
      });
    return json(found);
  };
  return [
    {
      methods: ['GET'],
      pattern: '/api/health',
      handler: () => json({ commit: `pharos-${version}`, database: 'ok', version: '12.0.0' }),
    },
    { methods: ['GET'], pattern: '/api/org', handler: () => json({ id: 1, name: 'Main Org.' }) },
    { methods: ['GET'], pattern: '/api/datasources', handler: () => json(all()) },
    { methods: ['POST'], pattern: '/api/datasources', role: 'admin', handler: guarded(create) },
    {
      methods: ['GET'],
      pattern: '/api/datasources/name/:id',
      handler: ({ params }) => find((source) => source.name === params.id),
    },
    {
      methods: ['GET'],
      pattern: '/api/datasources/id/:id',
      handler: ({ params }) => find((source) => source.name === params.id),
    },
    {
      methods: ['GET'],
      pattern: '/api/datasources/uid/:id',
      handler: ({ params }) => find((source) => source.uid === params.id),
    },
    { methods: ['PUT'], pattern: '/api/datasources/uid/:id', role: 'admin', handler: guarded(update) },
    { methods: ['DELETE'], pattern: '/api/datasources/uid/:id', role: 'admin', handler: remove },
    {
      methods: ['DELETE'],
      pattern: '/api/datasources/name/:id',
      role: 'admin',
      handler: remove,
    },
    {
      methods: ['GET'],
      pattern: '/api/datasources/:id',
      handler: ({ params }) => find((source) => String(source.id) === params.id),
    },
    { methods: ['PUT'], pattern: '/api/datasources/:id', role: 'admin', handler: guarded(update) },
    { methods: ['DELETE'], pattern: '/api/datasources/:id', role: 'admin', handler: remove },
    {
      methods: ['POST'],
      pattern: '/api/dashboards/db',
      role: 'write',
      maxBodyBytes: 16 << 20,
      handler: guarded(saveDashboard),
    },
    {
      methods: ['POST'],
      pattern: '/api/dashboards/import',
      role: 'write',
      maxBodyBytes: 16 << 20,
      handler: guarded(importOne),
    },
    {
      methods: ['GET'],
      pattern: '/api/dashboards/uid/:uid',
      handler: ({ params }) => {
        const stored = library.get(params.uid!);
        if (!stored) return message('Dashboard not found', 404);
        const slug = toUid(titleOf(stored.dashboard.title));
        return json({
          dashboard: { ...stored.dashboard, title: titleOf(stored.dashboard.title), version: stored.version },
          meta: {
            type: 'db',
            slug,
            url: `/d/${params.uid}/${slug}`,
            version: stored.version,
            canSave: true,
            canEdit: true,
            provisioned: stored.origin !== 'saved',
            folderId: 0,
            folderTitle: 'General',
            updated: new Date(stored.updatedAt).toISOString(),
          },
        });
      },
    },
    {
      methods: ['DELETE'],
      pattern: '/api/dashboards/uid/:uid',
      role: 'write',
      handler: ({ params }) => {
        const stored = library.get(params.uid!);
        if (!stored || !library.delete(params.uid!)) return message('Dashboard not found', 404);
        return json({
          title: titleOf(stored.dashboard.title),
          message: `Dashboard ${titleOf(stored.dashboard.title)} deleted`,
          id: idOf(params.uid!),
        });
      },
    },
    { methods: ['GET'], pattern: '/api/search', handler: search },
    { methods: ['GET'], pattern: '/api/folders', handler: () => json([]) },
  ];
}

/** Fills `${DS_X}` inputs of an export with what the request gives for them. */
function withInputs(dashboard: Record<string, unknown>, inputs: unknown): Record<string, unknown> {
  if (!Array.isArray(inputs) || inputs.length === 0) return dashboard;
  let text = JSON.stringify(dashboard);
  for (const { name, value } of inputs as { name?: string; value?: string }[]) {
    if (name && typeof value === 'string') text = text.replaceAll(`\${${name}}`, JSON.stringify(value).slice(1, -1));
  }
  return JSON.parse(text) as Record<string, unknown>;
}
