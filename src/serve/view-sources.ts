// The API of data sources: listed for everybody, changed and tried by administrators, asked through here, where their
// credentials are added, so that no secret reaches a browser.

import type { Clock } from '#base/clock.ts';
import { errorText, OperatingError, UserError } from '#base/errors.ts';
import { type HttpSourceContext, passToPrometheus } from '#view/sources/http.ts';
import { editable, probe, withKeptSecrets } from '#view/sources/probe.ts';
import { type Ask, readSource, type Source, type SourceKind, type Sources } from '#view/sources/source.ts';
import { ApiError, type HttpRequest, type HttpResponse, type Route, success } from './http.ts';

export type SourcesApiOptions = {
  readonly sources: Sources;
  readonly http: HttpSourceContext;
  readonly ask: Readonly<Partial<Record<SourceKind, Ask>>>;
  readonly clock: Clock;
  /** How often this server itself scrapes. */
  readonly scrapeMs: () => number;
};

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
export async function guarded(action: () => HttpResponse | Promise<HttpResponse>): Promise<HttpResponse> {
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

export function sourceRoutes(options: SourcesApiOptions): Route[] {
  const { sources, http, ask, clock, scrapeMs } = options;
  /** A source as a form sent it, with the secrets it left alone. */
  const given = async (request: HttpRequest): Promise<Source> => {
    const uid = request.params.uid!;
    return withKeptSecrets(readSource({ ...(await readJson(request)), uid }), sources.byUid(uid));
  };
  return [
    {
      methods: ['GET'],
      pattern: '/api/v1/view/sources',
      handler: () => success(sources.list().map((one) => (one.builtIn ? { ...one, scrapeMs: scrapeMs() } : one))),
    },
    {
      methods: ['GET'],
      pattern: '/api/v1/view/sources/:uid',
      role: 'admin',
      handler: ({ params }) => success(editable(sourceOf(sources, params.uid!))),
    },
    {
      methods: ['PUT'],
      pattern: '/api/v1/view/sources/:uid',
      role: 'admin',
      handler: (request) =>
        guarded(async () => {
          const source = await given(request);
          sources.put(source);
          return success({ uid: source.uid });
        }),
    },
    {
      methods: ['POST'],
      pattern: '/api/v1/view/sources/:uid/test',
      role: 'admin',
      handler: (request) =>
        guarded(async () => {
          const startedMs = clock.monotonic();
          await probe(await given(request), ask, http, clock.now(), request.signal);
          return success({ tookMs: clock.monotonic() - startedMs });
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

function sourceOf(sources: Sources, uid: string): Source {
  const source = sources.find(uid);
  if (!source) throw new ApiError('not_found', `there is no data source "${uid}"`);
  return source;
}

/** Several queries to one source; each answers with frames or its own error. */
async function answer({ sources, ask }: SourcesApiOptions, request: HttpRequest): Promise<HttpResponse> {
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
