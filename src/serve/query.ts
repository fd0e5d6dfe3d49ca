// Prometheus' query API: expressions over an instant or a range, labels, series, metadata, exemplars, formatting. Results
// are written as text in pieces, row by row, so that a large one is never held twice.

import type { Clock } from '#base/clock.ts';
import { errorCode, errorText, OperatingError, UserError } from '#base/errors.ts';
import { parseDuration } from '#base/units.ts';
import type { Histogram } from '#model/histogram.ts';
import { type Labels, labelsToRecord } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { FragmentSource, RawSeries, TimeRange } from '#model/query.ts';
import { formatValue, isStale } from '#model/value.ts';
import type { QueryEngine, QueryOptions, QueryResult } from '#query/engine.ts';
import { ABSENT, HISTOGRAM, type Vector } from '#query/execute/vector.ts';
import { allBuckets, usesCustomBuckets } from '#query/histogram/buckets.ts';
import { selectorsOf } from '#query/parse/ast.ts';
import { parseSelector } from '#query/parse/parser.ts';
import { prettyExpr } from '#query/parse/pretty.ts';
import { ApiError, type HttpRequest, type HttpResponse, type Route, success } from './http.ts';
import { syntaxTree } from './syntax-tree.ts';

export type QueryApiOptions = {
  readonly engine: QueryEngine;
  readonly source: FragmentSource;
  readonly clock: Clock;
};

/** More points a series are refused, as no display has so many pixels. */
const MAX_POINTS = 11_000;
/** Earliest and latest time that requests may mean when they give none. */
const MIN_TIME = -(2 ** 52);
const MAX_TIME = 2 ** 52;

export function queryRoutes(options: QueryApiOptions): Route[] {
  const both = (pattern: string, handler: (request: HttpRequest) => Promise<HttpResponse> | HttpResponse): Route => ({
    methods: ['GET', 'POST'],
    pattern: `/api/v1/${pattern}`,
    handler: async (request) => {
      try {
        return await handler(request);
      } catch (error) {
        throw asApiError(error);
      }
    },
  });
  return [
    both('query', (request) => instantQuery(request, options)),
    both('query_range', (request) => rangeQuery(request, options)),
    both('query_exemplars', (request) => exemplars(request, options)),
    both('format_query', ({ query }) => success(prettyExpr(options.engine.parse(required(query, 'query'))))),
    both('parse_query', ({ query }) => success(syntaxTree(options.engine.parse(required(query, 'query'))))),
    both('labels', (request) => labelNames(request, options)),
    both('series', (request) => series(request, options)),
    { ...both('label/:name/values', (request) => labelValues(request, options)), methods: ['GET'] },
    { ...both('metadata', (request) => metadata(request, options)), methods: ['GET'] },
  ];
}

/** Errors of the engine with the type and status that Prometheus gives them. */
function asApiError(error: unknown): unknown {
  if (error instanceof UserError) return new ApiError('bad_data', error.message);
  if (!(error instanceof OperatingError)) return error;
  switch (errorCode(error)) {
    case 'query_timeout':
      return new ApiError('timeout', error.message);
    case 'query_canceled':
    case 'canceled':
      return new ApiError('canceled', error.message);
    case 'query_queue_full':
      return new ApiError('too_many_requests', error.message);
    case 'unavailable':
    case 'thread_down':
    case 'shard_down':
      return new ApiError('unavailable', error.message);
    default:
      return new ApiError('execution', error.message);
  }
}

const invalid = (name: string, why: string): ApiError =>
  new ApiError('bad_data', `invalid parameter ${JSON.stringify(name)}: ${why}`);

function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value === null) throw invalid(name, 'expected a value');
  return value;
}

/** Seconds since the epoch or RFC 3339; milliseconds come out. */
export function parseTime(text: string): number | undefined {
  const seconds = Number(text);
  if (text.trim() !== '' && Number.isFinite(seconds)) return Math.round(seconds * 1000);
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text)) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

function time(query: URLSearchParams, name: string, fallback: number | undefined): number {
  const text = query.get(name);
  if (text === null || text === '') {
    if (fallback === undefined) throw invalid(name, `cannot parse ${JSON.stringify(text ?? '')} to a valid timestamp`);
    return fallback;
  }
  const value = parseTime(text);
  if (value === undefined) throw invalid(name, `cannot parse ${JSON.stringify(text)} to a valid timestamp`);
  return value;
}

/** Seconds or a duration; milliseconds come out. */
function duration(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const seconds = Number(text);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : parseDuration(text);
  if (ms === undefined) throw invalid(name, `cannot parse ${JSON.stringify(text)} to a valid duration`);
  return Math.round(ms);
}

function limitOf(query: URLSearchParams): number {
  const text = query.get('limit');
  if (text === null || text === '') return 0;
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 0) throw invalid('limit', 'limit must be a whole number of 0 or more');
  return limit;
}

function queryOptions(request: HttpRequest): QueryOptions {
  const timeoutMs = duration(request.query, 'timeout');
  const lookbackMs = duration(request.query, 'lookback_delta');
  return {
    signal: request.signal,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(lookbackMs === undefined ? {} : { lookbackMs }),
  };
}

async function instantQuery(request: HttpRequest, { engine, clock }: QueryApiOptions): Promise<HttpResponse> {
  const at = time(request.query, 'time', clock.now());
  const text = required(request.query, 'query');
  return respond(request, await engine.instant(text, at, queryOptions(request)), text);
}

async function rangeQuery(request: HttpRequest, { engine }: QueryApiOptions): Promise<HttpResponse> {
  const { query } = request;
  const start = time(query, 'start', undefined);
  const end = time(query, 'end', undefined);
  if (end < start) throw invalid('end', 'end timestamp must not be before start time');
  const step = duration(query, 'step');
  if (step === undefined) throw invalid('step', 'cannot parse "" to a valid duration');
  if (step <= 0)
    throw invalid('step', 'zero or negative query resolution step widths are not accepted. Try a positive integer');
  if ((end - start) / step > MAX_POINTS) {
    throw new ApiError(
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  }
  const text = required(query, 'query');
  return respond(request, await engine.range(text, { start, end, step }, queryOptions(request)), text);
}

const JSON_TYPE = { 'content-type': 'application/json' };
/** Text is handed on in pieces of about this size. */
const PIECE_CHARACTERS = 64 * 1024;

function respond(request: HttpRequest, result: QueryResult, text: string): HttpResponse {
  const limit = limitOf(request.query);
  const { warnings, infos } = result.annotations.texts(text);
  const isCut = limit > 0 && rowsOf(result) > limit;
  const notes = isCut ? [...warnings, 'results truncated due to limit'] : warnings;
  const tail =
    (notes.length > 0 ? `,"warnings":${JSON.stringify(notes)}` : '') +
    (infos.length > 0 ? `,"infos":${JSON.stringify(infos)}` : '');
  const stats = request.query.get('stats') ? `,"stats":${JSON.stringify(statistics(result))}` : '';
  const rows = resultRows(result, limit);
  const head = `{"status":"success","data":{"resultType":"${resultType(result)}","result":`;
  const end = `${stats}}${tail}}`;
  if (typeof rows === 'string') return { status: 200, headers: JSON_TYPE, body: head + rows + end };
  const pieces: string[] = [];
  let piece = `${head}[`;
  let isFirst = true;
  for (const row of rows) {
    piece += isFirst ? row : `,${row}`;
    isFirst = false;
    if (piece.length < PIECE_CHARACTERS) continue;
    pieces.push(piece);
    piece = '';
  }
  pieces.push(`${piece}]${end}`);
  if (pieces.length === 1) return { status: 200, headers: JSON_TYPE, body: pieces[0]! };
  return { status: 200, headers: JSON_TYPE, body: Buffer.concat(pieces.map((part) => Buffer.from(part))) };
}

function resultType({ data }: QueryResult): string {
  return data.type === 'samples' ? 'matrix' : data.type;
}

function rowsOf({ data }: QueryResult): number {
  if (data.type === 'samples') return data.series.length;
  return data.type === 'vector' || data.type === 'matrix' ? data.vector.labels.length : 0;
}

function resultRows(result: QueryResult, limit: number): string | Iterable<string> {
  const { data } = result;
  const cut = (count: number) => (limit > 0 ? Math.min(limit, count) : count);
  switch (data.type) {
    case 'scalar':
      return `[${seconds(data.time)},"${formatValue(data.value)}"]`;
    case 'string':
      return `[${seconds(data.time)},${JSON.stringify(data.value)}]`;
    case 'vector':
      return vectorRows(data.vector, data.time, cut(data.vector.labels.length));
    case 'matrix': {
      const { start, step } = data.grid;
      const times = Array.from({ length: data.vector.steps }, (_, i) => seconds(start + i * step));
      return matrixRows(data.vector, times, cut(data.vector.labels.length));
    }
    case 'samples':
      return sampleRows(data.series.slice(0, cut(data.series.length)));
  }
}

const seconds = (ms: number): string => String(ms / 1000);
const metricJson = (labels: Labels): string => JSON.stringify(labelsToRecord(labels));

function* vectorRows(vector: Vector, at: number, count: number): Generator<string> {
  for (let row = 0; row < count; row++) {
    const kind = vector.kinds[row]!;
    if (kind === ABSENT) continue;
    const head = `{"metric":${metricJson(vector.labels[row]!)},`;
    if (kind === HISTOGRAM) yield `${head}"histogram":[${seconds(at)},${histogramJson(vector.histograms!.get(row)!)}]}`;
    else yield `${head}"value":[${seconds(at)},"${formatValue(vector.values[row]!)}"]}`;
  }
}

function* matrixRows(vector: Vector, times: readonly string[], count: number): Generator<string> {
  const { steps, kinds, values } = vector;
  for (let row = 0; row < count; row++) {
    let floats = '';
    let histograms = '';
    for (let i = 0, at = row * steps; i < steps; i++, at++) {
      if (kinds[at] === ABSENT) continue;
      if (kinds[at] === HISTOGRAM)
        histograms += `${histograms && ','}[${times[i]},${histogramJson(vector.histograms!.get(at)!)}]`;
      else floats += `${floats && ','}[${times[i]},"${formatValue(values[at]!)}"]`;
    }
    if (floats || histograms) yield seriesJson(vector.labels[row]!, floats, histograms);
  }
}

function* sampleRows(all: readonly RawSeries[]): Generator<string> {
  for (const { labels, timestamps, values, histograms } of all) {
    let floats = '';
    let others = '';
    for (let i = 0; i < timestamps.length; i++) {
      const histogram = histograms?.get(i);
      if (histogram) others += `${others && ','}[${seconds(timestamps[i]!)},${histogramJson(histogram)}]`;
      else if (!isStale(values, i))
        floats += `${floats && ','}[${seconds(timestamps[i]!)},"${formatValue(values[i]!)}"]`;
    }
    if (floats || others) yield seriesJson(labels, floats, others);
  }
}

const seriesJson = (labels: Labels, floats: string, histograms: string): string =>
  `{"metric":${metricJson(labels)}${floats && `,"values":[${floats}]`}${histograms && `,"histograms":[${histograms}]`}}`;

/** Boundary rules of a bucket as the API numbers them: 0 open left, 1 open right, 2 open both, 3 closed both. */
function histogramJson(histogram: Histogram): string {
  const buckets: string[] = [];
  const isCustom = usesCustomBuckets(histogram);
  for (const { lower, upper, count, index } of allBuckets(histogram)) {
    if (count === 0) continue;
    const rule = lower < 0 && upper > 0 ? 3 : isCustom ? (index === 0 ? 3 : 0) : lower < 0 ? 1 : 0;
    buckets.push(`[${rule},"${formatValue(lower)}","${formatValue(upper)}","${formatValue(count)}"]`);
  }
  const body = buckets.length > 0 ? `,"buckets":[${buckets.join(',')}]` : '';
  return `{"count":"${formatValue(histogram.count)}","sum":"${formatValue(histogram.sum)}"${body}}`;
}

function statistics({ stats }: QueryResult): unknown {
  const { timings } = stats;
  return {
    timings: {
      evalTotalTime: timings.totalMs / 1000,
      resultSortTime: 0,
      queryPreparationTime: timings.planMs / 1000,
      innerEvalTime: timings.evalMs / 1000,
      execQueueTime: 0,
      execTotalTime: timings.totalMs / 1000,
    },
    samples: { totalQueryableSamples: stats.samples.total, peakSamples: stats.samples.peak },
  };
}

function rangeOf(query: URLSearchParams): TimeRange {
  const range = { min: time(query, 'start', MIN_TIME), max: time(query, 'end', MAX_TIME) };
  if (range.max < range.min) throw invalid('end', 'end timestamp must not be before start timestamp');
  return range;
}

function matchersOf(query: URLSearchParams): (readonly Matcher[])[] {
  return query.getAll('match[]').map((text) => {
    try {
      return parseSelector(text);
    } catch (error) {
      throw invalid('match[]', errorText(error));
    }
  });
}

const limited = <T>(items: readonly T[], limit: number): HttpResponse =>
  limit > 0 && items.length > limit
    ? success(items.slice(0, limit), { warnings: ['results truncated due to limit'] })
    : success(items);

/** One more than asked for, so that a cut is noticed. */
const oneMore = (limit: number): number => (limit > 0 ? limit + 1 : 0);

async function labelNames({ query }: HttpRequest, { source }: QueryApiOptions): Promise<HttpResponse> {
  const limit = limitOf(query);
  return limited(await source.labelNames(matchersOf(query), rangeOf(query), oneMore(limit)), limit);
}

async function labelValues({ params, query }: HttpRequest, { source }: QueryApiOptions): Promise<HttpResponse> {
  const limit = limitOf(query);
  const name = unescapeName(params['name']!);
  if (name === '') throw new ApiError('bad_data', `invalid label name: ${JSON.stringify(params['name'])}`);
  return limited(await source.labelValues(name, matchersOf(query), rangeOf(query), oneMore(limit)), limit);
}

/** Names that no URL takes are sent as `U__` with the code points of their odd characters between underscores. */
function unescapeName(name: string): string {
  if (!name.startsWith('U__')) return name;
  return name
    .slice(3)
    .replace(/__|_([0-9a-fA-F]{1,6})_/g, (all, hex: string | undefined) =>
      hex === undefined ? (all === '__' ? '_' : all) : String.fromCodePoint(Number.parseInt(hex, 16)),
    );
}

async function series({ query }: HttpRequest, { source }: QueryApiOptions): Promise<HttpResponse> {
  const matchers = matchersOf(query);
  if (matchers.length === 0) throw new ApiError('bad_data', 'no match[] parameter provided');
  const limit = limitOf(query);
  const found = await source.series(matchers, rangeOf(query), oneMore(limit));
  return limited(found.map(labelsToRecord), limit);
}

async function metadata({ query }: HttpRequest, { source }: QueryApiOptions): Promise<HttpResponse> {
  const perMetric = Number(query.get('limit_per_metric') || 0);
  if (!Number.isInteger(perMetric)) throw invalid('limit_per_metric', 'limit_per_metric must be a number');
  const found = await source.metadata(query.get('metric') || undefined, limitOf(query));
  const entries = [...found].map(([name, all]) => [name, perMetric > 0 ? all.slice(0, perMetric) : all] as const);
  return success(Object.fromEntries(entries));
}

async function exemplars({ query }: HttpRequest, { engine, source, clock }: QueryApiOptions): Promise<HttpResponse> {
  const now = clock.now();
  const range = { min: time(query, 'start', MIN_TIME), max: time(query, 'end', now) };
  if (range.max < range.min) throw new ApiError('bad_data', 'end timestamp must not be before start timestamp');
  const sets = [...selectorsOf(engine.parse(required(query, 'query')))].map((selector) => selector.matchers);
  const found = sets.length === 0 ? [] : await source.exemplars(sets, range);
  return success(
    found.map(({ labels, exemplars: list }) => ({
      seriesLabels: labelsToRecord(labels),
      exemplars: list.map((e) => ({
        labels: labelsToRecord(e.labels),
        value: formatValue(e.value),
        timestamp: e.timestamp / 1000,
      })),
    })),
  );
}
