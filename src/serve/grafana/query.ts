// Grafana's `POST /api/ds/query`: queries to any source over a range, answered with its data frames, each query with its own
// status.

import { errorText, UserError } from '#base/errors.ts';
import { parseDuration } from '#base/units.ts';
import type { Cell, Frame } from '#view/frame.ts';
import { passToPrometheus } from '#view/sources/http.ts';
import { SELF, type Source } from '#view/sources/source.ts';
import { type HttpRequest, type HttpResponse, json, type Route } from '../http.ts';
import { readJson } from '../view-sources.ts';
import { guarded, idOf } from './answers.ts';
import { textOf } from './own.ts';
import type { GrafanaSourcesOptions } from './sources.ts';

type Json = Record<string, unknown>;
type Span = { readonly fromMs: number; readonly toMs: number };
const MAX_QUERIES = 50;
const DEFAULT_POINTS = 1000;
const LEAST_STEP_MS = 1000;

export function grafanaQueryRoute(options: GrafanaSourcesOptions): Route {
  const handler = async (request: HttpRequest): Promise<HttpResponse> => {
    const body = await readJson(request);
    const queries = Array.isArray(body.queries) ? (body.queries as Json[]) : [];
    if (queries.length === 0) throw new UserError('no queries found');
    if (queries.length > MAX_QUERIES) throw new UserError(`at most ${MAX_QUERIES} queries are answered at once`);
    const now = options.clock.now();
    const span = { fromMs: timeOf(body.from, now), toMs: timeOf(body.to, now) };
    const results = await Promise.all(
      queries.map(async (query): Promise<[string, Json]> => {
        const ref = String(query.refId ?? 'A');
        try {
          return [ref, { status: 200, frames: await answer(options, request, query, ref, span) }];
        } catch (error) {
          return [ref, { status: 400, error: errorText(error), errorSource: 'downstream', frames: [] }];
        }
      }),
    );
    const failed = results.some(([, { status }]) => status !== 200);
    return json({ results: Object.fromEntries(results) }, failed ? 400 : 200);
  };
  return { methods: ['POST'], pattern: '/api/ds/query', handler: guarded(handler) };
}

/** Milliseconds as number or text, or `now`, `now-1h`. */
function timeOf(value: unknown, now: number): number {
  const text = String(value ?? '');
  if (/^\d+$/.test(text)) return Number(text);
  const match = /^now(?:\s*([+-])\s*(\w+))?$/.exec(text);
  const offset = match?.[2] === undefined ? 0 : parseDuration(match[2]);
  if (!match || offset === undefined)
    throw new UserError(`cannot read the time ${JSON.stringify(text)}: expected milliseconds or "now-1h"`);
  return now + (match[1] === '-' ? -offset : offset);
}

async function answer(
  options: GrafanaSourcesOptions,
  request: HttpRequest,
  query: Json,
  ref: string,
  span: Span,
): Promise<unknown[]> {
  const given = query.datasource as Json | string | undefined;
  const uid = typeof given === 'object' && given !== null ? given.uid : given;
  const source = options.sources
    .all()
    .find((one) => one.uid === uid || one.name === uid || (uid === undefined && idOf(one.uid) === query.datasourceId));
  const isSelf = uid === SELF.uid || uid === SELF.name || (uid === undefined && idOf(SELF.uid) === query.datasourceId);
  if (!source && !isSelf) throw new UserError('data source not found');
  const points = Number(query.maxDataPoints) || DEFAULT_POINTS;
  const least = Number(query.intervalMs) || 0;
  const stepMs = Math.max(LEAST_STEP_MS, least, Math.ceil((span.toMs - span.fromMs) / points / 1000) * 1000);
  if (!source || source.kind === 'prometheus') return askPrometheus(options, request, source, query, ref, span, stepMs);
  const asking = options.ask[source.kind]!;
  const text = ['rawSql', 'rawQuery', 'query', 'expr', 'url']
    .map((name) => query[name])
    .find((one) => typeof one === 'string');
  const frames = await asking(source, {
    ...{ ref, expr: String(text ?? ''), format: query.format === 'table' || query.format === 1 ? 'table' : 'series' },
    ...{ extra: query, ...span, intervalMs: stepMs, signal: request.signal },
  });
  return frames.map(frameJson);
}

type Series = {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly (readonly [number, string])[];
  readonly value?: readonly [number, string];
};

async function askPrometheus(
  { http, own }: GrafanaSourcesOptions,
  request: HttpRequest,
  source: Source | undefined,
  query: Json,
  ref: string,
  span: Span,
  stepMs: number,
): Promise<unknown[]> {
  const expr = String(query.expr ?? '');
  const ask = async (path: string, params: Record<string, string>): Promise<Series[]> => {
    const given = new URLSearchParams({ query: expr, ...params });
    const text = source
      ? (
          await passToPrometheus(http, source, { method: 'GET', path, query: given, signal: request.signal })
        ).body.toString()
      : await textOf((await own(request, path, given))!);
    const found = JSON.parse(text) as { status: string; error?: string; data: { resultType: string; result: unknown } };
    if (found.status !== 'success') throw new UserError(found.error ?? 'the source did not answer');
    const { resultType, result } = found.data;
    if (resultType === 'scalar' || resultType === 'string') return [{ metric: {}, value: result as [number, string] }];
    return result as Series[];
  };
  const isInstant = query.instant === true;
  const wantsRange = query.range === true || !isInstant;
  const seconds = (ms: number) => String(ms / 1000);
  const range = wantsRange
    ? await ask('api/v1/query_range', {
        ...{ start: seconds(span.fromMs), end: seconds(span.toMs), step: seconds(stepMs) },
      })
    : [];
  const instant = isInstant ? await ask('api/v1/query', { time: seconds(span.toMs) }) : [];
  const frame = (series: Series, type: string) => {
    const values = series.values ?? (series.value ? [series.value] : []);
    return frameJson({
      ref,
      name: '',
      meta: { type, typeVersion: [0, 1], custom: { resultType: series.values ? 'matrix' : 'vector' } },
      fields: [
        { name: 'Time', kind: 'time', values: values.map(([at]) => at * 1000) },
        {
          name: series.metric.__name__ ?? 'Value',
          kind: 'number',
          labels: series.metric,
          values: values.map(([, text]) => numberOf(text)),
        },
      ],
    });
  };
  return [
    ...range.map((series) => frame(series, 'timeseries-multi')),
    ...instant.map((series) => frame(series, 'numeric-multi')),
  ];
}

const numberOf = (text: string): number => (text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

const TYPES = { time: 'time', number: 'number', string: 'string', boolean: 'boolean' } as const;
const GO_TYPES = { time: 'time.Time', number: 'float64', string: 'string', boolean: 'bool' } as const;

/** A frame as Grafana's JSON has it: schema, columns, and beside them the values that JSON has no words for. */
function frameJson(frame: Frame & { readonly meta?: unknown }): unknown {
  const entities = frame.fields.map((field) => {
    const found: Record<'NaN' | 'Inf' | 'NegInf', number[]> = { NaN: [], Inf: [], NegInf: [] };
    field.values.forEach((value: Cell, index) => {
      if (typeof value !== 'number' || Number.isFinite(value)) return;
      found[Number.isNaN(value) ? 'NaN' : value > 0 ? 'Inf' : 'NegInf'].push(index);
    });
    const filled = Object.entries(found).filter(([, list]) => list.length > 0);
    return filled.length > 0 ? Object.fromEntries(filled) : null;
  });
  return {
    schema: {
      refId: frame.ref,
      ...(frame.name ? { name: frame.name } : {}),
      ...(frame.meta ? { meta: frame.meta } : {}),
      fields: frame.fields.map((field) => {
        const kind = field.kind in TYPES ? (field.kind as keyof typeof TYPES) : 'string';
        return {
          name: field.name,
          type: TYPES[kind],
          typeInfo: { frame: GO_TYPES[kind], nullable: true },
          ...(field.labels ? { labels: field.labels } : {}),
          ...(field.legend ? { config: { displayNameFromDS: field.legend } } : {}),
        };
      }),
    },
    data: {
      values: frame.fields.map((field) => field.values),
      ...(entities.some((one) => one !== null) ? { entities } : {}),
    },
  };
}
