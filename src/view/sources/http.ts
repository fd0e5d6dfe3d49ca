// Data sources over HTTP: any Prometheus API (passed through, reading paths only), ClickHouse, Elasticsearch, JSON.

import { errorText, OperatingError, UserError } from '#base/errors.ts';
import type { HttpClient, HttpReply } from '#clients/http/client.ts';
import { type Cell, type Field, type Frame, kindOf } from '../frame.ts';
import { array, isObject, type Json, object, objects, string } from '../grafana/json.ts';
import { type Ask, DEFAULT_TIMEOUT_MS, MAX_ROWS, passwordOf, type Source, type SourceQuery } from './source.ts';
import { prepare, toFrame, toSeries } from './sql.ts';

export type HttpSourceContext = {
  readonly clients: { of(source: Source): HttpClient };
  readonly environment: Readonly<Record<string, string | undefined>>;
};

const MAX_ANSWER_BYTES = 64 << 20;
/** What may be read of a Prometheus API; anything else (admin, write, reload) is refused. */
const PROMETHEUS_PATHS =
  /^api\/v1\/(query|query_range|query_exemplars|series|labels|label\/[^/]+\/values|metadata|rules|alerts|format_query|parse_query|status\/buildinfo)$/;

function headersOf(source: Source, context: HttpSourceContext): Record<string, string> {
  const password = passwordOf(source, context.environment);
  const credentials: Record<string, string> = source.user
    ? { authorization: `Basic ${Buffer.from(`${source.user}:${password}`).toString('base64')}` }
    : password
      ? { authorization: `Bearer ${password}` }
      : {};
  return { ...credentials, ...source.headers };
}

async function call(
  context: HttpSourceContext,
  source: Source,
  signal: AbortSignal,
  request: { method: string; path: string; body?: string; type?: string },
): Promise<HttpReply> {
  try {
    return await context.clients.of(source).call({
      url: source.url + request.path,
      method: request.method,
      headers: { ...headersOf(source, context), ...(request.type ? { 'content-type': request.type } : {}) },
      ...(request.body === undefined ? {} : { body: request.body }),
      timeoutMs: source.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      maxBodyBytes: MAX_ANSWER_BYTES,
      signal,
    });
  } catch (error) {
    throw new OperatingError('source_failed', `cannot ask data source "${source.name}": ${errorText(error)}`, {
      cause: error,
    });
  }
}

async function callJson(
  context: HttpSourceContext,
  source: Source,
  signal: AbortSignal,
  request: Parameters<typeof call>[3],
): Promise<unknown> {
  const reply = await call(context, source, signal, request);
  const text = reply.body.toString('utf8');
  if (reply.status >= 300)
    throw new OperatingError(
      'source_failed',
      `cannot ask data source "${source.name}": it answered ${reply.status}: ${text.trim().slice(0, 300)}`,
    );
  try {
    return JSON.parse(text);
  } catch {
    throw new OperatingError(
      'source_failed',
      `cannot ask data source "${source.name}": its answer is not JSON: ${text.trim().slice(0, 80)}`,
    );
  }
}

/** Passes a reading request on to a Prometheus API, as it is. */
export async function passToPrometheus(
  context: HttpSourceContext,
  source: Source,
  request: { method: string; path: string; query: URLSearchParams; signal: AbortSignal },
): Promise<HttpReply> {
  if (source.kind !== 'prometheus')
    throw new UserError(`cannot pass the request on: data source "${source.name}" is of kind ${source.kind}`);
  if (!PROMETHEUS_PATHS.test(request.path) || !['GET', 'POST'].includes(request.method))
    throw new UserError(
      `cannot pass the request on: ${request.method} /${request.path} is not among the reading paths of Prometheus' API`,
    );
  const isPost = request.method === 'POST';
  return call(context, source, request.signal, {
    method: request.method,
    path: `/${request.path}${isPost ? '' : `?${request.query}`}`,
    ...(isPost ? { body: request.query.toString(), type: 'application/x-www-form-urlencoded' } : {}),
  });
}

export function askClickhouse(context: HttpSourceContext): Ask {
  return async (source, query) => {
    const sql = prepare(
      source,
      { ...query, expr: query.expr.replaceAll('$from', '$__unixEpochFrom()').replaceAll('$to', '$__unixEpochTo()') },
      'clickhouse',
    );
    const settings = new URLSearchParams({
      readonly: '1',
      max_result_rows: String(MAX_ROWS),
      default_format: 'JSONCompact',
      max_execution_time: String(Math.ceil((source.timeoutMs ?? DEFAULT_TIMEOUT_MS) / 1000)),
      ...(source.database ? { database: source.database } : {}),
    });
    const answer = object(
      await callJson(context, source, query.signal, {
        method: 'POST',
        path: `/?${settings}`,
        body: sql,
        type: 'text/plain',
      }),
    );
    const columns = objects(answer.meta).map((column) => ({
      name: string(column.name) ?? '',
      type: string(column.type) ?? '',
    }));
    const isTime = columns.map(({ type }) => /^(Nullable\()?Date/.test(type));
    const rows = array(answer.data).map((row) =>
      array(row).map((value, index) =>
        isTime[index] && typeof value === 'string'
          ? new Date(`${value.replace(' ', 'T')}${value.length > 10 ? 'Z' : ''}`)
          : value,
      ),
    );
    const frame = toFrame(
      query.ref,
      columns.map(({ name }) => name),
      rows,
      (index) => /^(Nullable\()?(U?Int|Float|Decimal)/.test(columns[index]?.type ?? ''),
    );
    return query.format === 'table' ? [frame] : toSeries(frame);
  };
}

/** Aggregations as Grafana's editor writes them: a date histogram with terms around it and metrics inside. */
export function askElasticsearch(context: HttpSourceContext): Ask {
  return async (source, query) => {
    const index = string(query.extra.index) ?? source.database ?? '_all';
    if (source.allow && !source.allow.includes(index))
      throw new UserError(
        `cannot run the query: index "${index}" is not among those that data source "${source.name}" allows`,
      );
    if (!/^[\w.*,-]+$/.test(index))
      throw new UserError(`cannot run the query: ${JSON.stringify(index)} is no index name`);
    const timeName = string(query.extra.timeField) ?? '@timestamp';
    const buckets = objects(query.extra.bucketAggs);
    const metrics = objects(query.extra.metrics);
    const isRaw =
      buckets.length === 0 ||
      metrics.some((metric) => metric.type === 'raw_data' || metric.type === 'logs' || metric.type === 'raw_document');
    const filter = {
      bool: {
        filter: [
          {
            range: {
              [timeName]: { gte: Math.floor(query.fromMs), lte: Math.ceil(query.toMs), format: 'epoch_millis' },
            },
          },
          ...(query.expr.trim() === '' ? [] : [{ query_string: { analyze_wildcard: true, query: query.expr } }]),
        ],
      },
    };
    const body = isRaw
      ? { size: 500, query: filter, sort: [{ [timeName]: { order: 'desc', unmapped_type: 'date' } }] }
      : { size: 0, query: filter, aggs: aggregations(buckets, metrics, query, timeName) };
    const answer = object(
      await callJson(context, source, query.signal, {
        method: 'POST',
        path: `/${index}/_search`,
        body: JSON.stringify(body),
        type: 'application/json',
      }),
    );
    return isRaw
      ? [hitsFrame(query.ref, objects(object(answer.hits).hits))]
      : bucketFrames(query.ref, object(answer.aggregations), buckets, metrics, query.format);
  };
}

function aggregations(buckets: readonly Json[], metrics: readonly Json[], query: SourceQuery, timeName: string): Json {
  const [first, ...rest] = buckets;
  if (!first) {
    return Object.fromEntries(
      metrics
        .filter((metric) => metric.type !== 'count')
        .map((metric) => {
          const type = string(metric.type) ?? 'avg';
          return [String(metric.id), { [type]: { field: metric.field, ...object(metric.settings) } }];
        }),
    );
  }
  const settings = object(first.settings);
  const inner = aggregations(rest, metrics, query, timeName);
  const own =
    first.type === 'date_histogram'
      ? {
          date_histogram: {
            field: first.field ?? timeName,
            fixed_interval: /^\d/.test(String(settings.interval ?? ''))
              ? settings.interval
              : `${Math.max(1, Math.round(query.intervalMs))}ms`,
            min_doc_count: 0,
            extended_bounds: { min: Math.floor(query.fromMs), max: Math.ceil(query.toMs) },
          },
        }
      : first.type === 'histogram'
        ? { histogram: { field: first.field, interval: Number(settings.interval ?? 1000) } }
        : first.type === 'filters'
          ? {
              filters: {
                filters: Object.fromEntries(
                  objects(settings.filters).map((one) => [
                    String(one.label || one.query),
                    { query_string: { query: one.query } },
                  ]),
                ),
              },
            }
          : {
              terms: {
                field: first.field,
                size: Number(settings.size) || 10,
                order: {
                  [settings.orderBy === '_term' || settings.orderBy === '_key' ? '_key' : '_count']:
                    settings.order ?? 'desc',
                },
              },
            };
  return { [String(first.id)]: Object.keys(inner).length > 0 ? { ...own, aggs: inner } : own };
}

function bucketFrames(
  ref: string,
  answer: Json,
  buckets: readonly Json[],
  metrics: readonly Json[],
  format: 'series' | 'table',
): Frame[] {
  const rows: Record<string, Cell>[] = [];
  const walk = (node: Json, depth: number, keys: Record<string, Cell>) => {
    const bucket = buckets[depth];
    if (!bucket) {
      const values = metrics.map((metric): [string, Cell] => [
        metricName(metric),
        metric.type === 'count' ? Number(node.doc_count ?? 0) : metricValue(object(node[String(metric.id)])),
      ]);
      rows.push({ ...keys, ...Object.fromEntries(values) });
      return;
    }
    const list = object(node[String(bucket.id)]).buckets;
    const entries: [unknown, Json][] = Array.isArray(list)
      ? objects(list).map((one) => [
          one.key_as_string !== undefined && bucket.type !== 'date_histogram' ? one.key_as_string : one.key,
          one,
        ])
      : Object.entries(object(list)).map(([key, one]) => [key, object(one)]);
    for (const [key, one] of entries)
      walk(one, depth + 1, {
        ...keys,
        [bucket.type === 'date_histogram' ? 'Time' : String(bucket.field ?? bucket.id)]:
          typeof key === 'number' && bucket.type === 'date_histogram' ? key : String(key),
      });
  };
  walk(answer, 0, {});
  const plain = frameOfRows(ref, rows, false);
  const isTime = buckets.some((bucket) => bucket.type === 'date_histogram');
  const frame: Frame = {
    ...plain,
    fields: plain.fields.map((field) => (isTime && field.name === 'Time' ? { ...field, kind: 'time' } : field)),
  };
  return format === 'series' && frame.fields.some((field) => field.kind === 'time') ? toSeries(frame) : [frame];
}

const metricName = (metric: Json): string =>
  metric.type === 'count' ? 'Count' : `${String(metric.type)} ${String(metric.field ?? '')}`.trim();

function metricValue(node: Json): Cell {
  if (typeof node.value === 'number') return node.value;
  const values = Object.values(object(node.values));
  return typeof values[0] === 'number' ? values[0] : null;
}

function hitsFrame(ref: string, hits: readonly Json[]): Frame {
  return frameOfRows(
    ref,
    hits.map((hit) => flatten({ _index: hit._index, _id: hit._id, ...object(hit._source) })),
  );
}

/** Nested objects as dotted names. */
function flatten(value: Json, prefix = ''): Record<string, Cell> {
  const out: Record<string, Cell> = {};
  for (const [name, one] of Object.entries(value)) {
    if (isObject(one)) Object.assign(out, flatten(one, `${prefix}${name}.`));
    else
      out[prefix + name] =
        typeof one === 'number' || typeof one === 'string' || typeof one === 'boolean'
          ? one
          : one === null || one === undefined
            ? null
            : JSON.stringify(one);
  }
  return out;
}

export function frameOfRows(ref: string, rows: readonly Readonly<Record<string, Cell>>[], findTimes = true): Frame {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const fields = names.map((name): Field => {
    const values = rows.map((row) => row[name] ?? null);
    const isTime =
      findTimes &&
      /^(@?time(stamp)?|date|ts)$/i.test(name) &&
      values.every(
        (value) =>
          value === null || (typeof value === 'number' ? value > 1e8 : !Number.isNaN(Date.parse(String(value)))),
      );
    if (!isTime) return { name, kind: kindOf(values), values };
    return {
      name,
      kind: 'time',
      values: values.map((value) =>
        value === null
          ? null
          : typeof value === 'number'
            ? value < 1e11
              ? value * 1000
              : value
            : Date.parse(String(value)),
      ),
    };
  });
  return { ref, fields };
}

/** Any JSON over HTTP: a path below the source's URL, the place of the rows in the answer, and which columns to take. */
export function askJson(context: HttpSourceContext): Ask {
  return async (source, query) => {
    const given = query.expr.trim();
    const path = /^https?:\/\//.test(given)
      ? pathBelow(source, given)
      : given === '' || given.startsWith('/') || given.startsWith('?')
        ? given
        : `/${given}`;
    if (path.includes('..')) throw new UserError('cannot run the query: the path may not contain ".."');
    if (source.allow && !source.allow.some((prefix) => path.startsWith(prefix)))
      throw new UserError(
        `cannot run the query: path "${path}" is not among those that data source "${source.name}" allows`,
      );
    const method = query.extra.method === 'POST' ? 'POST' : 'GET';
    const answer = await callJson(context, source, query.signal, {
      method,
      path,
      ...(method === 'POST' ? { body: string(query.extra.body) ?? '', type: 'application/json' } : {}),
    });
    const root = pick(answer, string(query.extra.root_selector) ?? string(query.extra.root) ?? '');
    const rows = (Array.isArray(root) ? root : [root]).map((row) =>
      isObject(row)
        ? flatten(row)
        : Array.isArray(row)
          ? flatten(Object.fromEntries(row.map((one, index) => [`column ${index + 1}`, one])))
          : { value: row as Cell },
    );
    if (rows.length > MAX_ROWS)
      throw new OperatingError('too_many_rows', `cannot show the answer: it has more than ${MAX_ROWS} rows`);
    const columns = objects(query.extra.columns);
    const chosen =
      columns.length === 0
        ? rows
        : rows.map((row) =>
            Object.fromEntries(
              columns.map((column) => [
                string(column.text) || String(column.selector),
                row[String(column.selector)] ?? null,
              ]),
            ),
          );
    const frame = frameOfRows(query.ref, chosen);
    return query.format === 'table' ? [frame] : toSeries(frame);
  };
}

function pathBelow(source: Source, url: string): string {
  if (!url.startsWith(`${source.url}/`) && url !== source.url)
    throw new UserError(`cannot run the query: ${url} is not below the address of data source "${source.name}"`);
  return url.slice(source.url.length);
}

/** 'data.items' or '$.data.items[0]' in a value. */
function pick(value: unknown, path: string): unknown {
  let current = value;
  for (const part of path
    .replace(/^\$\.?/, '')
    .split(/[.[\]]+/)
    .filter(Boolean)) {
    current = Array.isArray(current) ? current[Number(part)] : object(current)[part];
  }
  return current ?? [];
}
