// The API of dashboards and data sources: what the pages use (/api/v1/view), where queries go to other sources with
// their credentials added here, so that no secret reaches a browser.

import { errorText, OperatingError, UserError } from '#base/errors.ts';
import type { Library, Stored } from '#view/library.ts';
import { readDashboard } from '#view/model.ts';
import { type HttpSourceContext, passToPrometheus } from '#view/sources/http.ts';
import { type Ask, readSource, type Source, type SourceKind, type Sources } from '#view/sources/source.ts';
import { ApiError, type HttpRequest, type HttpResponse, type Route, success } from './http.ts';

export type ViewOptions = {
  readonly library: Library;
  readonly sources: Sources;
  readonly http: HttpSourceContext;
  readonly ask: Readonly<Partial<Record<SourceKind, Ask>>>;
};

const MAX_DASHBOARD_BYTES = 16 << 20;
const MAX_QUERIES = 50;

export async function readJson(request: HttpRequest): Promise<Record<string, unknown>> {
  const text = (await request.body()).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ApiError('bad_data', `cannot read the request: its body is not JSON: ${errorText(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ApiError('bad_data', 'cannot read the request: its body is not an object');
  return value as Record<string, unknown>;
}

/** Mistakes of the user and of the sources as errors of the API. */
async function guarded(action: () => HttpResponse | Promise<HttpResponse>): Promise<HttpResponse> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof ApiError) throw error;
    if (error instanceof UserError) throw new ApiError('bad_data', error.message, { cause: error });
    if (error instanceof OperatingError)
      throw new ApiError(error.code === 'conflict' ? 'bad_data' : 'execution', error.message, { cause: error });
    throw error;
  }
}

const envelope = (stored: Stored) => ({
  dashboard: stored.dashboard,
  meta: { version: stored.version, updatedAt: stored.updatedAt, message: stored.message, origin: stored.origin },
});

export function viewRoutes(options: ViewOptions): Route[] {
  const { library, sources } = options;
  const notFound = (uid: string): never => {
    throw new ApiError('not_found', `there is no dashboard "${uid}"`);
  };
  return [
    { methods: ['GET'], pattern: '/api/v1/view/dashboards', handler: () => success(library.list()) },
    {
      methods: ['GET'],
      pattern: '/api/v1/view/dashboards/:uid',
      handler: ({ params }) => success(envelope(library.get(params.uid!) ?? notFound(params.uid!))),
    },
    {
      methods: ['PUT'],
      pattern: '/api/v1/view/dashboards/:uid',
      role: 'write',
      maxBodyBytes: MAX_DASHBOARD_BYTES,
      handler: (request) =>
        guarded(async () => {
          const body = await readJson(request);
          const dashboard = parsed(body.dashboard);
          if (dashboard.uid !== request.params.uid)
            throw new ApiError(
              'bad_data',
              `cannot save the dashboard: its uid is "${dashboard.uid}", the address says "${request.params.uid}"`,
            );
          const seen = typeof body.version === 'number' ? body.version : undefined;
          return success(envelope(library.save(dashboard, seen, typeof body.message === 'string' ? body.message : '')));
        }),
    },
    {
      methods: ['DELETE'],
      pattern: '/api/v1/view/dashboards/:uid',
      role: 'write',
      handler: ({ params }) => {
        if (!library.delete(params.uid!))
          throw new ApiError(
            'not_found',
            `there is no saved dashboard "${params.uid}"; those that ship cannot be deleted`,
          );
        return success({ uid: params.uid });
      },
    },
    {
      methods: ['GET'],
      pattern: '/api/v1/view/dashboards/:uid/versions',
      handler: ({ params }) => success(library.versions(params.uid!)),
    },
    {
      methods: ['GET'],
      pattern: '/api/v1/view/dashboards/:uid/versions/:version',
      handler: ({ params }) =>
        success(
          envelope(
            library.version(params.uid!, Number(params.version)) ?? notFound(`${params.uid} version ${params.version}`),
          ),
        ),
    },
    { methods: ['GET'], pattern: '/api/v1/view/sources', handler: () => success(sources.list()) },
    {
      methods: ['PUT'],
      pattern: '/api/v1/view/sources/:uid',
      role: 'admin',
      handler: (request) =>
        guarded(async () => {
          const source = readSource({ ...(await readJson(request)), uid: request.params.uid });
          sources.put(source);
          return success({ uid: source.uid });
        }),
    },
    {
      methods: ['DELETE'],
      pattern: '/api/v1/view/sources/:uid',
      role: 'admin',
      handler: ({ params }) => {
        if (!sources.delete(params.uid!)) throw new ApiError('not_found', `there is no data source "${params.uid}"`);
        return success({ uid: params.uid });
      },
    },
    {
      methods: ['POST'],
      pattern: '/api/v1/view/sources/:uid/query',
      handler: (request) => guarded(() => answer(options, request)),
    },
    {
      methods: ['GET', 'POST'],
      pattern: '/api/v1/view/sources/:uid/proxy/*path',
      handler: (request) =>
        guarded(async () => {
          const source = sourceOf(sources, request.params.uid!);
          const reply = await passToPrometheus(options.http, source, {
            method: request.method === 'HEAD' ? 'GET' : request.method,
            path: request.params.path!,
            query: request.query,
            signal: request.signal,
          });
          return {
            status: reply.status,
            headers: { 'content-type': reply.headers.get('content-type') ?? 'application/json' },
            body: reply.body,
          };
        }),
    },
  ];
}

function parsed(value: unknown): ReturnType<typeof readDashboard> {
  try {
    return readDashboard(value);
  } catch (error) {
    throw new ApiError('bad_data', errorText(error));
  }
}

function sourceOf(sources: Sources, uid: string): Source {
  const source = sources.find(uid);
  if (!source) throw new ApiError('not_found', `there is no data source "${uid}"`);
  return source;
}

/** Several queries to one source; each answers with frames or its own error. */
async function answer({ sources, ask }: ViewOptions, request: HttpRequest): Promise<HttpResponse> {
  const source = sourceOf(sources, request.params.uid!);
  const asking = ask[source.kind];
  if (!asking) throw new ApiError('bad_data', `data source "${source.name}" is asked through its proxy path`);
  const body = await readJson(request);
  const queries = Array.isArray(body.queries) ? (body.queries as Record<string, unknown>[]) : [];
  if (queries.length > MAX_QUERIES)
    throw new ApiError('bad_data', `cannot answer ${queries.length} queries at once; ${MAX_QUERIES} are allowed`);
  const [fromMs, toMs] = [Number(body.fromMs), Number(body.toMs)];
  if (!Number.isFinite(fromMs) || !Number.isFinite(toMs))
    throw new ApiError('bad_data', 'cannot answer: "fromMs" and "toMs" must be numbers');
  const results = await Promise.all(
    queries.map(async (query) => {
      const ref = String(query.ref ?? 'A');
      try {
        const frames = await asking(source, {
          ref,
          expr: String(query.expr ?? ''),
          format: query.format === 'table' ? 'table' : 'series',
          extra: (query.extra ?? {}) as Record<string, unknown>,
          fromMs,
          toMs,
          intervalMs: Number(body.intervalMs) || 60_000,
          signal: request.signal,
        });
        return { ref, frames };
      } catch (error) {
        if (error instanceof UserError || error instanceof OperatingError)
          return { ref, frames: [], error: error.message };
        throw error;
      }
    }),
  );
  return success(results);
}
