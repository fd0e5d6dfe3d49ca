// Searching names and values below /api/v1/search, with --enable-feature=search-api: answers are lines of JSON, sent in
// batches, the last line saying whether there is more.

import type { Clock } from '#base/clock.ts';
import { UserError } from '#base/errors.ts';
import type { Metadata } from '#model/batch.ts';
import { METRIC_NAME } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { FragmentSource, TimeRange } from '#model/query.ts';
import { parseSelector } from '#query/parse/parser.ts';
import { goQuote } from '#query/parse/quote.ts';
import { ApiError, type HttpRequest, type HttpResponse, type Route } from './http.ts';
import { invalidParameter, parseTime } from './query-parameters.ts';
import { anyScore, likenessScore, type Score, subsequenceScore } from './search-score.ts';

export type SearchOptions = {
  readonly enabled: boolean;
  /** 0: none. */
  readonly maxLimit: number;
  readonly source: FragmentSource;
  readonly ready: () => boolean;
  readonly clock: Clock;
};

export const SEARCH_ALGORITHMS = ['subsequence', 'jarowinkler'] as const;

const DEFAULT_LIMIT = 100;
const DEFAULT_BATCH = 100;
const MAX_TERMS = 32;
const DEFAULT_RANGE_MS = 3_600_000;

type Search = {
  readonly sets: readonly (readonly Matcher[])[];
  readonly range: TimeRange;
  readonly score: Score | undefined;
  readonly order: 'ascending' | 'descending' | 'score';
  readonly withScore: boolean;
  readonly limit: number;
  readonly batch: number;
};

type Found = { readonly text: string; readonly score: number };

export function searchRoutes(options: SearchOptions): Route[] {
  const { source } = options;
  const route = (what: string, find: (request: HttpRequest, search: Search) => Promise<HttpResponse>): Route => ({
    methods: ['GET', 'POST'],
    pattern: `/api/v1/search/${what}`,
    handler: (request) => {
      if (!options.ready()) throw new ApiError('unavailable', 'the server is starting; ask again in a moment');
      if (!options.enabled) throw new ApiError('unavailable', 'search API disabled');
      return find(request, readSearch(request.query, what, options));
    },
  });
  const named = ({ text, score }: Found, search: Search) => ({ name: text, ...(search.withScore ? { score } : {}) });
  return [
    route('metric_names', async ({ query }, search) => {
      const withMetadata = flag(query, 'include_metadata', false);
      const found = ranked(await source.labelValues(METRIC_NAME, search.sets, search.range, 0), search);
      const known = withMetadata ? await source.metadata(undefined, 0) : new Map<string, readonly Metadata[]>();
      return lines(found, search, (name) => {
        const metadata = known.get(name.text)?.[0];
        return { ...named(name, search), ...(metadata ? withoutEmpty(metadata) : {}) };
      });
    }),
    route('label_names', async (_, search) => {
      const found = ranked(await source.labelNames(search.sets, search.range, 0), search);
      return lines(found, search, (name) => named(name, search));
    }),
    route('label_values', async ({ query }, search) => {
      const label = query.get('label') ?? '';
      if (label === '') throw new ApiError('bad_data', 'missing required parameter "label"');
      const found = ranked(await source.labelValues(label, search.sets, search.range, 0), search);
      return lines(found, search, ({ text, score }) => ({ value: text, ...(search.withScore ? { score } : {}) }));
    }),
  ];
}

const withoutEmpty = ({ type, help, unit }: Metadata): Record<string, string> => ({
  type,
  ...(help === '' ? {} : { help }),
  ...(unit === '' ? {} : { unit }),
});

/** One more than the limit where there is more. */
function ranked(texts: readonly string[], { score, order, limit }: Search): readonly Found[] {
  const found = texts.flatMap((text): Found[] => {
    const own = score ? score(text) : 1;
    return own === undefined ? [] : [{ text, score: own }];
  });
  const byText = (a: Found, b: Found) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0);
  if (order === 'ascending') found.sort(byText);
  else if (order === 'descending') found.sort((a, b) => byText(b, a));
  else found.sort((a, b) => b.score - a.score || byText(a, b));
  return found.slice(0, limit + 1);
}

function lines(found: readonly Found[], search: Search, describe: (found: Found) => unknown): HttpResponse {
  const { limit, batch } = search;
  const shown = found.slice(0, limit);
  async function* all(): AsyncGenerator<string> {
    for (let at = 0; at === 0 || at < shown.length; at += batch) {
      yield `${JSON.stringify({ results: shown.slice(at, at + batch).map(describe) })}\n`;
    }
    yield `${JSON.stringify({ status: 'success', has_more: found.length > limit })}\n`;
  }
  return { status: 200, headers: { 'content-type': 'application/x-ndjson; charset=utf-8' }, body: all() };
}

function readSearch(query: URLSearchParams, what: string, { maxLimit, clock }: SearchOptions): Search {
  const now = clock.now();
  const range = { min: time(query, 'start', now - DEFAULT_RANGE_MS), max: time(query, 'end', now) };
  const bad = (message: string) => new ApiError('bad_data', message);
  if (range.max < range.min) throw bad('end timestamp must not be before start timestamp');
  const sets = query.getAll('match[]').map((text) => {
    try {
      return parseSelector(text);
    } catch (error) {
      throw error instanceof UserError ? bad(error.message) : error;
    }
  });
  const terms = query.getAll('search[]');
  if (terms.length > MAX_TERMS) {
    throw bad(`too many search[] terms: got ${terms.length}, maximum is ${MAX_TERMS}`);
  }
  const threshold = whole(query.get('fuzz_threshold') || '0');
  if (!(threshold >= 0 && threshold <= 100)) {
    throw bad(`invalid fuzz_threshold ${goQuote(query.get('fuzz_threshold')!)}: must be 0-100`);
  }
  const algorithm = query.get('fuzz_alg') || SEARCH_ALGORITHMS[0];
  if (!(SEARCH_ALGORITHMS as readonly string[]).includes(algorithm)) {
    throw bad(`unsupported fuzz_alg ${goQuote(algorithm)}: must be one of [${SEARCH_ALGORITHMS.join(' ')}]`);
  }
  const isCaseSensitive = flag(query, 'case_sensitive', true);
  const withScore = flag(query, 'include_score', false);
  const order = orderOf(query, what, terms.length > 0);
  return {
    ...{ sets, range, order, withScore },
    score: scoreOf(terms, algorithm, threshold / 100, isCaseSensitive),
    limit: positive(query, 'limit', maxLimit > 0 ? Math.min(DEFAULT_LIMIT, maxLimit) : DEFAULT_LIMIT, maxLimit),
    batch: positive(query, 'batch_size', DEFAULT_BATCH, 0),
  };
}

function orderOf(query: URLSearchParams, what: string, hasTerms: boolean): Search['order'] {
  const bad = (message: string) => new ApiError('bad_data', message);
  const by = query.get('sort_by') ?? '';
  const direction = query.get('sort_dir') ?? '';
  if (direction !== '' && by === '') throw bad('sort_dir is only valid when sort_by is set');
  if (direction !== '' && by === 'score') throw bad('sort_dir is not supported for sort_by=score');
  if (!['', 'asc', 'dsc'].includes(direction)) {
    throw bad(`invalid sort_dir ${goQuote(direction)}: must be "asc" or "dsc"`);
  }
  if (by === 'score' && !hasTerms) throw bad('sort_by=score requires search[] to be set');
  if (!['', 'alpha', 'score'].includes(by)) {
    throw bad(`invalid sort_by ${goQuote(by)} for ${what}: must be "alpha" or "score"`);
  }
  if (by === 'score') return 'score';
  return direction === 'dsc' ? 'descending' : 'ascending';
}

/** Undefined when everything fits. */
function scoreOf(
  terms: readonly string[],
  algorithm: string,
  threshold: number,
  isCaseSensitive: boolean,
): Score | undefined {
  const folded = terms.filter((term) => term !== '').map((term) => (isCaseSensitive ? term : term.toLowerCase()));
  if (folded.length === 0) return undefined;
  const make = algorithm === 'subsequence' ? subsequenceScore : likenessScore;
  const score = anyScore(folded.map((term) => make(term, threshold)));
  return isCaseSensitive ? score : (text) => score(text.toLowerCase());
}

const whole = (text: string): number => (/^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN);

function positive(query: URLSearchParams, name: string, fallback: number, max: number): number {
  const text = query.get(name) ?? '';
  if (text === '') return fallback;
  const value = whole(text);
  if (!(value > 0)) throw new ApiError('bad_data', `invalid ${name} ${goQuote(text)}: must be a positive integer`);
  if (max > 0 && value > max) {
    const message = `${name} ${value} exceeds the configured maximum (${max}, see --web.search.max-limit)`;
    throw new ApiError('bad_data', message);
  }
  return value;
}

function flag(query: URLSearchParams, name: string, fallback: boolean): boolean {
  const text = query.get(name) ?? '';
  if (text === '') return fallback;
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw new ApiError('bad_data', `invalid ${name} ${goQuote(text)}: must be boolean`);
}

function time(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name) ?? '';
  if (text === '') return fallback;
  try {
    return parseTime(text);
  } catch (error) {
    throw invalidParameter(name, `invalid time value for '${name}': ${(error as Error).message}`);
  }
}
