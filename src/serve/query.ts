// The query API of Prometheus below /api/v1: query, query_range, format_query, parse_query, query_exemplars, labels, label
// values, series, metadata, features; and what Pharos adds: explain, analyze, CSV, Arrow, the list of active queries and of
// the costliest ones.

import { Readable } from 'node:stream';
import type { Clock } from '#base/clock.ts';
import { errorCode, UserError } from '#base/errors.ts';
import type { Labels } from '#model/labels.ts';
import type { FragmentSource, Grid, TimeRange } from '#model/query.ts';
import type { ResultCache, Sent } from '#query/cache.ts';
import type { QueryDesk, QueryInfo } from '#query/desk.ts';
import type { QueryEngine, QueryOptions, QueryResult } from '#query/engine.ts';
import { takeRows } from '#query/execute/vector.ts';
import { selectorsOf } from '#query/parse/ast.ts';
import { prettyExpr } from '#query/parse/pretty.ts';
import { goQuote } from '#query/parse/quote.ts';
import { samplesPerStep } from '#query/sample-counts.ts';
import { ApiError, type Handler, type HttpRequest, type HttpResponse, type Route, success } from './http.ts';
import { JsonPrinter } from './json-printer.ts';
import { jsonLabels, jsonTime, jsonValue } from './json-text.ts';
import { features } from './query-features.ts';
import { formatOf, otherFormat } from './query-formats.ts';
import { jsonResult, resultType } from './query-json.ts';
import { shownMetadata, type TargetMetadata } from './query-metadata.ts';
import { invalidParameter, MAX_TIME, MIN_TIME, Parameters } from './query-parameters.ts';
import { planTree } from './query-plan.ts';
import { syntaxTree } from './syntax-tree.ts';

export type QueryApiOptions = {
  readonly engine: QueryEngine;
  readonly source: FragmentSource;
  readonly desk: QueryDesk;
  /** Answers range queries from what it knows where it can. */
  readonly cache?: ResultCache;
  /** What the targets that are scraped say about their metrics. */
  readonly targetMetadata?: (metric: string | undefined) => Promise<readonly TargetMetadata[]>;
  readonly clock: Clock;
  /** Before that, queries are refused as unavailable. */
  readonly ready: () => boolean;
  /** Further entries of /api/v1/features, by category. */
  readonly features?: () => Readonly<Record<string, Readonly<Record<string, boolean>>>>;
};

const MAX_POINTS = 11_000;
const MAX_ANNOTATIONS = 10;
const TRUNCATED = 'results truncated due to limit';

export function queryRoutes(options: QueryApiOptions): Route[] {
  const api = new QueryApi(options);
  const both = (pattern: string, handler: Handler): Route => ({
    methods: ['GET', 'POST'],
    pattern: `/api/v1/${pattern}`,
    handler,
  });
  const get = (pattern: string, handler: Handler): Route => ({
    methods: ['GET'],
    pattern: `/api/v1/${pattern}`,
    handler,
  });
  return [
    both('query', (request) => api.instant(request)),
    both('query_range', (request) => api.range(request)),
    both('query_exemplars', (request) => api.exemplars(request)),
    both('format_query', (request) => api.format(request)),
    both('parse_query', (request) => api.parse(request)),
    both('labels', (request) => api.labelNames(request)),
    get('label/:name/values', (request) => api.labelValues(request)),
    both('series', (request) => api.series(request)),
    get('metadata', (request) => api.metadata(request)),
    get('features', () => success(features(options.engine.parseOptions, options.features?.() ?? {}))),
    get('status/queries', () => api.queries()),
    { ...both('status/queries/:id/cancel', (request) => api.cancel(request)), methods: ['POST'], role: 'admin' },
  ];
}

class QueryApi {
  readonly #options: QueryApiOptions;
  #printer: JsonPrinter | undefined;
  readonly #labelTexts = new WeakMap<Labels, string>();

  constructor(options: QueryApiOptions) {
    this.#options = options;
  }

  instant(request: HttpRequest): Promise<HttpResponse> {
    const parameters = new Parameters(request.query);
    const limit = parameters.limit();
    const time = parameters.timeOr('time', this.#options.clock.now());
    return this.#answer(request, parameters, { start: time, end: time, step: 0 }, limit);
  }

  range(request: HttpRequest): Promise<HttpResponse> {
    const parameters = new Parameters(request.query);
    const limit = parameters.limit();
    const start = parameters.time('start');
    const end = parameters.time('end');
    if (end < start) throw invalidParameter('end', 'end timestamp must not be before start time');
    const step = parameters.duration('step');
    if (step <= 0) {
      const reason = 'zero or negative query resolution step widths are not accepted. Try a positive integer';
      throw invalidParameter('step', reason);
    }
    if ((end - start) / step > MAX_POINTS) {
      const message =
        'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)';
      throw new ApiError('bad_data', message);
    }
    return this.#answer(request, parameters, { start, end, step: Math.max(1, Math.trunc(step)) }, limit);
  }

  async #answer(request: HttpRequest, parameters: Parameters, grid: Grid, limit: number): Promise<HttpResponse> {
    const { engine, desk, cache, ready } = this.#options;
    if (!ready()) throw new ApiError('unavailable', 'the server is starting; ask again in a moment');
    const query = parameters.text('query');
    const timeoutMs = parameters.durationOr('timeout', undefined);
    const lookbackMs = this.#lookback(parameters);
    const format = formatOf(parameters.text('format'), request.headers['accept']);
    const options: QueryOptions = {
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(lookbackMs ? { lookbackMs } : {}),
    };
    const invalid = (error: unknown): never => {
      if (error instanceof UserError) throw invalidParameter('query', error.message);
      throw asApiError(error);
    };
    if (parameters.flag('explain')) {
      try {
        return success({ plan: planTree(engine.plan(query, grid, options)) });
      } catch (error) {
        return invalid(error);
      }
    }
    // Figures about a query are asked for to learn what it costs.
    const useCache =
      cache && !['analyze', 'nocache'].some((name) => parameters.flag(name)) && !parameters.text('stats');
    const info: QueryInfo = { query, ...grid, origin: { httpRequest: originOf(request) } };
    let result: QueryResult;
    let counts: Float64Array | undefined;
    try {
      result = await desk.run(info, request, async (own) => {
        const all = new OwnOptions(options, own);
        const from = useCache ? cache : engine;
        const answer =
          grid.step === 0 ? await from.instant(query, grid.start, all) : await from.range(query, grid, all);
        if (parameters.text('stats') !== '') counts = await samplesPerStep(engine, query, grid, all);
        return answer;
      });
    } catch (error) {
      return invalid(error);
    }
    const isPlain = useCache && format === 'json' && limit === 0;
    const sent = isPlain ? cache.textOf(result) : undefined;
    if (sent !== undefined) return { status: 200, headers: JSON_HEADERS, body: sent };
    const { warnings, infos } = result.annotations.texts(query, MAX_ANNOTATIONS);
    const cut = truncated(result, limit);
    if (cut !== result) warnings.push(TRUNCATED);
    if (format !== 'json') return otherFormat(format, cut.data, [...warnings, ...infos]);
    const keep = isPlain && cache.wantsText(result) ? (text: Sent) => cache.keepText(result, text) : undefined;
    const printer = () => (this.#printer ??= new JsonPrinter());
    return streamed(cut, warnings, infos, parameters, counts && { grid, counts }, keep, printer);
  }

  #lookback(parameters: Parameters): number {
    try {
      return parameters.durationOr('lookback_delta', 0);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const reason = error.message.replace(/^invalid parameter "lookback_delta": /, '');
      throw new ApiError('bad_data', `error parsing lookback delta duration: ${reason}`);
    }
  }

  format(request: HttpRequest): HttpResponse {
    return success(prettyExpr(this.#parsed(request)));
  }

  parse(request: HttpRequest): HttpResponse {
    return success(syntaxTree(this.#parsed(request)));
  }

  #parsed(request: HttpRequest) {
    try {
      return this.#options.engine.parse(request.query.get('query') ?? '');
    } catch (error) {
      if (error instanceof UserError) throw invalidParameter('query', error.message);
      throw error;
    }
  }

  async exemplars(request: HttpRequest): Promise<HttpResponse> {
    const parameters = new Parameters(request.query);
    const range = { min: parameters.timeOr('start', MIN_TIME), max: parameters.timeOr('end', MAX_TIME) };
    if (range.max < range.min) {
      throw new ApiError('bad_data', 'end timestamp must not be before start timestamp');
    }
    let sets: MatcherSets;
    try {
      sets = [...selectorsOf(this.#options.engine.parse(parameters.text('query')))].map(({ matchers }) => matchers);
    } catch (error) {
      if (error instanceof UserError) throw new ApiError('bad_data', error.message);
      throw error;
    }
    if (sets.length === 0) return success(null);
    const found = await this.#options.source.exemplars(sets, range);
    const series = found.map(
      ({ labels, exemplars }) =>
        `{"seriesLabels":${jsonLabels(labels)},"exemplars":[${exemplars
          .map(
            (e) =>
              `{"labels":${jsonLabels(e.labels)},"value":${jsonValue(e.value)},"timestamp":${jsonTime(e.timestamp)}}`,
          )
          .join(',')}]}`,
    );
    return rawSuccess(`[${series.join(',')}]`);
  }

  async labelNames(request: HttpRequest): Promise<HttpResponse> {
    const parameters = new Parameters(request.query);
    const limit = parameters.limit();
    const sets = parameters.matcherSets();
    const range = parameters.range();
    return this.#found('labels', limit, range, sets, async () =>
      limited(await this.#options.source.labelNames(sets, range, oneMore(limit)), limit),
    );
  }

  async labelValues(request: HttpRequest): Promise<HttpResponse> {
    const parameters = new Parameters(request.query);
    const name = unescapeName(request.params['name']!);
    if (name === '') throw new ApiError('bad_data', `invalid label name: ${goQuote(name)}`);
    const limit = parameters.limit();
    const sets = parameters.matcherSets();
    const range = parameters.range();
    return this.#found(`values ${name.length} ${name}`, limit, range, sets, async () =>
      limited(await this.#options.source.labelValues(name, sets, range, oneMore(limit)), limit),
    );
  }

  /** An answer about labels, which stays the same as long as series do. */
  async #found(
    what: string,
    limit: number,
    range: TimeRange,
    sets: MatcherSets,
    find: () => Promise<string>,
  ): Promise<HttpResponse> {
    const { cache } = this.#options;
    const key = `${what} ${limit} ${range.min} ${range.max} ${JSON.stringify(sets)}`;
    return { status: 200, headers: JSON_HEADERS, body: await (cache ? cache.answer(key, range, find) : find()) };
  }

  async series(request: HttpRequest): Promise<HttpResponse> {
    const parameters = new Parameters(request.query);
    if (request.query.getAll('match[]').length === 0) {
      throw new ApiError('bad_data', 'no match[] parameter provided');
    }
    const limit = parameters.limit();
    const range = parameters.range();
    const sets = parameters.matcherSets();
    const found = await this.#options.source.series(sets, range, oneMore(limit));
    const kept = limit > 0 && found.length > limit ? found.slice(0, limit) : found;
    const warnings = kept.length < found.length ? [TRUNCATED] : [];
    return rawSuccess(`[${kept.map((labels) => this.#shown(labels)).join(',')}]`, warnings);
  }

  /** Label sets that come as the same objects again are printed once. */
  #shown(labels: Labels): string {
    let text = this.#labelTexts.get(labels);
    if (text === undefined) {
      text = jsonLabels(labels);
      this.#labelTexts.set(labels, text);
    }
    return text;
  }

  async metadata(request: HttpRequest): Promise<HttpResponse> {
    const number = (name: string): number => {
      const text = request.query.get(name) ?? '';
      if (text === '') return -1;
      if (!/^[+-]?\d+$/.test(text)) throw new ApiError('bad_data', `${name} must be a number`);
      return Number(text);
    };
    const limit = number('limit');
    const perMetric = number('limit_per_metric');
    if (limit === 0) return success({});
    const metric = request.query.get('metric') || undefined;
    const { source, targetMetadata } = this.#options;
    const [stored, ofTargets] = await Promise.all([source.metadata(metric, 0), targetMetadata?.(metric) ?? []]);
    return success(shownMetadata(stored, ofTargets, { metric, limit, perMetric }));
  }

  queries(): HttpResponse {
    const { desk, clock } = this.#options;
    const now = clock.now();
    const active = desk.active().map(({ id, query, start, end, step, since, running, origin }) => ({
      ...{ id, query, start: start / 1000, end: end / 1000, step: step / 1000 },
      ...{ since: new Date(since).toISOString(), ageSeconds: (now - since) / 1000, running, origin },
    }));
    return success({ active, top: desk.top(50) });
  }

  cancel(request: HttpRequest): HttpResponse {
    const id = request.params['id']!;
    if (!this.#options.desk.cancel(Number(id))) throw new ApiError('not_found', `no query ${id} is active`);
    return success(null);
  }
}

type MatcherSets = ReturnType<Parameters['matcherSets']>;

/** One more than wanted tells whether there would have been more. */
const oneMore = (limit: number): number => (limit > 0 ? limit + 1 : 0);

function limited(values: readonly string[], limit: number): string {
  const isWhole = limit === 0 || values.length <= limit;
  const kept = JSON.stringify(isWhole ? values : values.slice(0, limit));
  return `{"status":"success","data":${kept}${isWhole ? '' : `,"warnings":${JSON.stringify([TRUNCATED])}`}}`;
}

/** Options whose controller is made by who looks at it. */
class OwnOptions implements QueryOptions {
  readonly timeoutMs?: number;
  readonly lookbackMs?: number;
  readonly #own: { readonly controller: AbortController };

  constructor({ timeoutMs, lookbackMs }: QueryOptions, own: { readonly controller: AbortController }) {
    if (timeoutMs !== undefined) this.timeoutMs = timeoutMs;
    if (lookbackMs !== undefined) this.lookbackMs = lookbackMs;
    this.#own = own;
  }

  get controller(): AbortController {
    return this.#own.controller;
  }
}

function originOf(request: HttpRequest): Record<string, string> {
  return { clientIP: request.remoteAddress, method: request.method, path: request.path };
}

/** Names that no path can carry come as U__ with _hex_ for each odd character. */
function unescapeName(name: string): string {
  if (!name.startsWith('U__')) return name;
  return name
    .slice(3)
    .replace(/__|_([0-9a-fA-F]{1,6})_/g, (all, hex?: string) =>
      all === '__' ? '_' : String.fromCodePoint(Number.parseInt(hex!, 16)),
    );
}

export function asApiError(error: unknown): unknown {
  const message = error instanceof Error ? error.message : String(error);
  switch (errorCode(error)) {
    case 'query_execution':
    case 'query_too_many_samples':
    case 'query_too_many_series':
    case 'query_too_many_bytes':
      return new ApiError('execution', message, { cause: error });
    case 'query_timeout':
      return new ApiError('timeout', message, { cause: error });
    case 'query_canceled':
    case 'canceled':
      return new ApiError('canceled', message, { cause: error });
    case 'query_queue_full':
      return new ApiError('too_many_requests', message, { cause: error });
    case 'shard_down':
      return new ApiError('unavailable', message, { cause: error });
    default:
      return error;
  }
}

function truncated(result: QueryResult, limit: number): QueryResult {
  const { data } = result;
  if (limit === 0) return result;
  if (data.type === 'samples') {
    return data.series.length > limit ? { ...result, data: { ...data, series: data.series.slice(0, limit) } } : result;
  }
  if ((data.type !== 'vector' && data.type !== 'matrix') || data.vector.labels.length <= limit) return result;
  const rows = Array.from({ length: limit }, (_, row) => row);
  return { ...result, data: { ...data, vector: takeRows(data.vector, rows) } };
}

const JSON_HEADERS = { 'content-type': 'application/json' };

function rawSuccess(data: string, warnings: readonly string[] = []): HttpResponse {
  const more = warnings.length > 0 ? `,"warnings":${JSON.stringify(warnings)}` : '';
  return { status: 200, headers: JSON_HEADERS, body: `{"status":"success","data":${data}${more}}` };
}

/** An answer up to this size is put together at once; up to that one it may be kept for who asks again. */
const MAX_AT_ONCE = 4 * 2 ** 20;
const MAX_KEPT_LENGTH = 2 ** 20;
/** Above this, bytes are sent from where they are; below, a text goes out with the headers in one write. */
const MAX_TEXT_LENGTH = 8192;

/** Small answers in one piece, large ones as they are written. */
function streamed(
  result: QueryResult,
  warnings: readonly string[],
  infos: readonly string[],
  parameters: Parameters,
  samples: StepSamples | undefined,
  keep: ((text: Sent) => void) | undefined,
  printer: () => JsonPrinter,
): HttpResponse {
  const head = `{"status":"success","data":{"resultType":"${resultType(result.data)}","result":`;
  let tail = '';
  const stats = parameters.text('stats');
  if (samples) tail += `,"stats":${JSON.stringify(statsOf(result, samples, stats === 'all'))}`;
  if (parameters.flag('analyze')) tail += `,"plan":${JSON.stringify(planTree(result.plan, result.nodes))}`;
  tail += '}';
  if (warnings.length > 0) tail += `,"warnings":${JSON.stringify(warnings)}`;
  if (infos.length > 0) tail += `,"infos":${JSON.stringify(infos)}`;
  tail += '}';
  const pieces = jsonResult(result.data, printer);
  const begun: (string | Buffer)[] = [head];
  let piece = pieces.next();
  for (let length = 0; !piece.done && length < MAX_AT_ONCE; piece = pieces.next()) {
    begun.push(piece.value);
    length += piece.value.length;
  }
  if (piece.done) {
    const body = inOne([...begun, tail]);
    if (body.length < MAX_KEPT_LENGTH) keep?.(body);
    return { status: 200, headers: JSON_HEADERS, body };
  }
  const next = piece.value;
  function* all(): Generator<string | Buffer> {
    yield inOne(begun);
    yield next;
    yield* pieces;
    yield tail;
  }
  return { status: 200, headers: JSON_HEADERS, body: Readable.from(all(), { objectMode: false }) };
}

function inOne(pieces: readonly (string | Buffer)[]): string | Buffer {
  if (pieces.every((piece) => typeof piece === 'string')) {
    const text = pieces.join('');
    return text.length > MAX_TEXT_LENGTH ? Buffer.from(text) : text;
  }
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
}

/** How many samples each step looks at. */
type StepSamples = { readonly grid: Grid; readonly counts: Float64Array };

function statsOf({ stats }: QueryResult, { grid, counts }: StepSamples, perStep: boolean): unknown {
  const { timings, samples, bytes, series } = stats;
  const seconds = (ms: number) => ms / 1000;
  return {
    timings: {
      evalTotalTime: seconds(timings.totalMs - timings.parseMs),
      resultSortTime: 0,
      queryPreparationTime: seconds(timings.parseMs + timings.planMs),
      innerEvalTime: seconds(timings.evalMs),
      execQueueTime: 0,
      execTotalTime: seconds(timings.totalMs),
    },
    samples: {
      ...(perStep
        ? { totalQueryableSamplesPerStep: Array.from(counts, (n, i) => [(grid.start + i * grid.step) / 1000, n]) }
        : {}),
      totalQueryableSamples: counts.reduce((sum, n) => sum + n, 0),
      peakSamples: samples.peak,
      samplesRead: samples.total,
    },
    storage: { series, bytes },
  };
}
