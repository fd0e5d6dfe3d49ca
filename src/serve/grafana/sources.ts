// Grafana's API of data sources: its shape of a source into ours and back, by uid, name and number; trying one, and
// passing requests on to it.

import type { Clock } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import { parseDuration } from '#base/units.ts';
import { SOURCE_KINDS } from '#view/grafana/queries.ts';
import { type HttpSourceContext, passToPrometheus } from '#view/sources/http.ts';
import { probe, withKeptSecrets } from '#view/sources/probe.ts';
import { type Ask, readSource, SELF, type Source, type SourceKind, type Sources } from '#view/sources/source.ts';
import type { SourceTls } from '#view/sources/tls.ts';
import { type HttpRequest, type HttpResponse, json, type Route } from '../http.ts';
import { readJson } from '../view-sources.ts';
import { guarded, idOf, message } from './answers.ts';
import type { OwnApi } from './own.ts';

export type GrafanaSourcesOptions = {
  readonly sources: Sources;
  readonly ask: Readonly<Partial<Record<SourceKind, Ask>>>;
  readonly http: HttpSourceContext;
  readonly clock: Clock;
  /** This server's own API of queries, for the source that it is itself. */
  readonly own: OwnApi;
};

const PLUGINS: Readonly<Record<string, string>> = {
  postgres: 'grafana-postgresql-datasource',
  clickhouse: 'grafana-clickhouse-datasource',
  json: 'yesoreyeram-infinity-datasource',
};

type Shown = Partial<Source> & { readonly uid: string; readonly name: string; readonly kind: SourceKind };

function publicSource(source: Shown): Record<string, unknown> {
  const { tls, scrapeMs, timeoutMs, headers } = source;
  const isHttp = source.kind !== 'mysql' && source.kind !== 'postgres';
  const names = Object.keys(headers ?? {});
  const secrets = {
    ...(source.password ? { [isHttp && source.user ? 'basicAuthPassword' : 'password']: true } : {}),
    ...Object.fromEntries(names.map((_, index) => [`httpHeaderValue${index + 1}`, true])),
    ...(tls?.ca ? { tlsCACert: true } : {}),
    ...(tls?.cert ? { tlsClientCert: true, tlsClientKey: true } : {}),
  };
  return {
    id: idOf(source.uid),
    uid: source.uid,
    orgId: 1,
    name: source.name,
    type: PLUGINS[source.kind] ?? source.kind,
    typeLogoUrl: '',
    access: 'proxy',
    url: source.url ?? '',
    user: isHttp ? '' : (source.user ?? ''),
    database: source.database ?? '',
    basicAuth: isHttp && source.user !== undefined,
    basicAuthUser: isHttp ? (source.user ?? '') : '',
    withCredentials: false,
    isDefault: source.isDefault ?? false,
    jsonData: {
      ...(scrapeMs === undefined ? {} : { timeInterval: `${scrapeMs / 1000}s` }),
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs / 1000 }),
      ...Object.fromEntries(names.map((name, index) => [`httpHeaderName${index + 1}`, name])),
      ...(tls ? tlsShown(tls, source.kind) : {}),
    },
    secureJsonFields: secrets,
    version: 1,
    readOnly: source.uid === SELF.uid,
  };
}

const SSL_MODES = { full: 'verify-full', chain: 'verify-ca', none: 'require' } as const;

const tlsShown = (tls: SourceTls, kind: SourceKind) => ({
  ...(kind === 'postgres' ? { sslmode: SSL_MODES[tls.check] } : { tlsSkipVerify: tls.check === 'none' }),
  ...(tls.ca ? { tlsAuthWithCACert: true } : {}),
  ...(tls.cert ? { tlsAuth: true } : {}),
  ...(tls.serverName ? { serverName: tls.serverName } : {}),
});

/** Grafana's switches of TLS as our one choice; undefined where it asks for none. */
function readTls(kind: string, data: Record<string, unknown>, secure: Record<string, unknown>): unknown {
  const parts = {
    ca: data.tlsAuthWithCACert === false ? undefined : secure.tlsCACert,
    cert: secure.tlsClientCert,
    key: secure.tlsClientKey,
    serverName: data.serverName || undefined,
  };
  if (kind === 'postgres') {
    const mode = data.sslmode ?? 'disable';
    const check = Object.entries(SSL_MODES).find(([, name]) => name === mode)?.[0];
    return check === undefined ? undefined : { ...parts, check };
  }
  const asks = data.tlsSkipVerify === true || data.tlsAuth === true || data.tlsAuthWithCACert === true;
  return asks ? { ...parts, check: data.tlsSkipVerify === true ? 'none' : 'full' } : undefined;
}

/** Grafana's shape of a data source into ours. */
function fromGrafana(body: Record<string, unknown>, uid?: string): Source {
  const secure = (body.secureJsonData ?? {}) as Record<string, unknown>;
  const data = (body.jsonData ?? {}) as Record<string, unknown>;
  const kind = SOURCE_KINDS[String(body.type)] ?? body.type;
  return readSource({
    uid: uid ?? body.uid,
    name: body.name,
    kind,
    url: body.url,
    user: (body.basicAuth ? body.basicAuthUser : body.user) || undefined,
    password: secure.basicAuthPassword ?? secure.password ?? body.basicAuthPassword ?? body.password ?? undefined,
    database: body.database || data.database || undefined,
    headers: headersFrom(data, secure),
    timeoutMs: Number(data.timeout) > 0 ? Number(data.timeout) * 1000 : undefined,
    scrapeMs: typeof data.timeInterval === 'string' ? (parseDuration(data.timeInterval) ?? undefined) : undefined,
    tls: readTls(String(kind), data, secure),
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

const NOT_FOUND = 'Data source not found';

export function grafanaSourceRoutes({ sources, ask, http, clock, own }: GrafanaSourcesOptions): Route[] {
  const self: Shown = { ...SELF, url: '' };
  const all = (): Shown[] => [{ ...self, isDefault: sources.list()[0]!.isDefault }, ...sources.all()];
  const changed = (source: Source, text: string): HttpResponse =>
    json({ id: idOf(source.uid), message: text, name: source.name, datasource: publicSource(source) });
  type Test = (source: Shown, id: string) => boolean;
  const byUid: Test = ({ uid }, id) => uid === id;
  const byName: Test = ({ name }, id) => name === id;
  const byNumber: Test = ({ uid }, id) => String(idOf(uid)) === id;
  /** Very old jobs, and some since, give either where a number belongs. */
  const byAny: Test = (source, id) => byNumber(source, id) || byUid(source, id);
  const shown =
    (test: Test) =>
    ({ params }: HttpRequest): HttpResponse => {
      const found = all().find((one) => test(one, params.id!));
      return found ? json(publicSource(found)) : message(NOT_FOUND, 404);
    };
  const create = async (request: HttpRequest): Promise<HttpResponse> => {
    const source = fromGrafana(await readJson(request));
    if (sources.find(source.name) || source.name === SELF.name)
      return message('data source with the same name already exists', 409);
    if (sources.byUid(source.uid)) return message('data source with the same uid already exists', 409);
    sources.put(source);
    return changed(source, 'Datasource added');
  };
  const update =
    (test: Test) =>
    async (request: HttpRequest): Promise<HttpResponse> => {
      const known = sources.all().find((one) => test(one, request.params.id!));
      if (!known) return readOnlyOrMissing(test(self, request.params.id!));
      const given = fromGrafana(await readJson(request), known.uid);
      const namesake = sources.find(given.name);
      if (namesake && namesake.uid !== known.uid) return message('data source with the same name already exists', 409);
      // As in Grafana, secrets that are not sent stay, wherever the source moves.
      const source = withKeptSecrets(given, { ...known, url: given.url, kind: given.kind });
      sources.put(source);
      return changed(source, 'Datasource updated');
    };
  const remove =
    (test: Test) =>
    ({ params }: HttpRequest): HttpResponse => {
      const known = sources.all().find((one) => test(one, params.id!));
      if (!known) return readOnlyOrMissing(test(self, params.id!));
      sources.delete(known.uid);
      return json({ message: 'Data source deleted', id: idOf(known.uid) });
    };
  const health = async (request: HttpRequest): Promise<HttpResponse> => {
    const found = all().find((one) => byUid(one, request.params.id!));
    if (!found) return message(NOT_FOUND, 404);
    const good = found.kind === 'prometheus' ? 'Successfully queried the Prometheus API.' : 'Database Connection OK';
    try {
      if (found.uid !== SELF.uid) await probe(found as Source, ask, http, clock.now(), request.signal);
      return json({ message: good, status: 'OK' });
    } catch (error) {
      return json({ message: errorText(error), status: 'ERROR' }, 400);
    }
  };
  const proxy =
    (test: Test) =>
    async (request: HttpRequest): Promise<HttpResponse> => {
      const found = all().find((one) => test(one, request.params.id!));
      if (!found) return message('Unable to find datasource', 404);
      const path = request.params.path!;
      if (found.uid === SELF.uid) return (await own(request, path)) ?? message(`there is nothing at /${path}`, 404);
      const reply = await passToPrometheus(http, found as Source, {
        method: request.method === 'HEAD' ? 'GET' : request.method,
        path,
        query: request.query,
        signal: request.signal,
      });
      const type = reply.headers.get('content-type') ?? 'application/json';
      return { status: reply.status, headers: { 'content-type': type }, body: reply.body };
    };
  const at = (place: string, test: Test): Route[] => [
    { methods: ['GET'], pattern: place, handler: shown(test) },
    { methods: ['PUT'], pattern: place, role: 'admin', handler: guarded(update(test)) },
    { methods: ['DELETE'], pattern: place, role: 'admin', handler: guarded(remove(test)) },
  ];
  return [
    { methods: ['GET'], pattern: '/api/datasources', handler: () => json(all().map(publicSource)) },
    { methods: ['POST'], pattern: '/api/datasources', role: 'admin', handler: guarded(create) },
    ...at('/api/datasources/:id', byAny),
    ...at('/api/datasources/uid/:id', byUid),
    ...at('/api/datasources/name/:id', byName),
    {
      methods: ['GET'],
      pattern: '/api/datasources/id/:id',
      handler: ({ params }) => {
        const found = all().find((one) => byName(one, params.id!));
        return found ? json({ id: idOf(found.uid) }) : message(NOT_FOUND, 404);
      },
    },
    { methods: ['GET'], pattern: '/api/datasources/uid/:id/health', handler: health },
    { methods: ['GET', 'POST'], pattern: '/api/datasources/uid/:id/resources/*path', handler: guarded(proxy(byUid)) },
    { methods: ['GET', 'POST'], pattern: '/api/datasources/proxy/:id/*path', handler: guarded(proxy(byAny)) },
    { methods: ['GET', 'POST'], pattern: '/api/datasources/proxy/uid/:id/*path', handler: guarded(proxy(byUid)) },
  ];
}

const readOnlyOrMissing = (isSelf: boolean): HttpResponse =>
  isSelf ? message('Cannot change a read-only data source', 403) : message(NOT_FOUND, 404);
