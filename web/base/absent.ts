// Why an answer is empty: the selectors of its queries that find no series, told apart by whether the metric itself is
// unknown or only the matchers exclude it. The server parses the queries, so that no parser is loaded for it.

import { useQuery } from '@tanstack/react-query';
import { ApiFailure, get } from './api.ts';
import type { Span } from './time.ts';

/** A query and the API below the prefix that was asked. */
export type Question = { readonly api: string; readonly expr: string };

export type Absent = {
  readonly name: string;
  /** As written in the query, for the name alone and with the matchers. */
  readonly selector: string;
  readonly why: 'unknown' | 'outside' | 'excluded';
};

type Matcher = { readonly name: string; readonly type: string; readonly value: string };
type Node = { readonly type?: string; readonly matchers?: readonly Matcher[] };

/** More selectors than this are not looked up: an empty panel must not cost more than a full one. */
const MAX_SELECTORS = 6;

export function useAbsent(questions: readonly Question[], span: Span) {
  return useQuery({
    queryKey: ['absent', questions, Math.round(span.fromMs / 60_000), Math.round(span.toMs / 60_000)],
    enabled: questions.length > 0,
    staleTime: 60_000,
    queryFn: ({ signal }) => findAbsent(questions, span, signal),
  });
}

export async function findAbsent(questions: readonly Question[], span: Span, signal: AbortSignal): Promise<Absent[]> {
  const wanted = new Map<string, { api: string; name: string; selector: string }>();
  for (const { api, expr } of questions) {
    for (const matchers of await selectorsOf(expr, signal)) {
      const name = matchers.find((one) => one.name === '__name__' && one.type === '=')?.value ?? '';
      const selector = selectorText(name, matchers);
      if (selector !== '{}') wanted.set(`${api} ${selector}`, { api, name, selector });
    }
  }
  const found = await Promise.all(
    [...wanted.values()].slice(0, MAX_SELECTORS).map(async ({ api, name, selector }): Promise<Absent[]> => {
      const there = (match: string, within?: Span) => hasSeries(api, match, within, signal);
      if (await there(selector, span)) return [];
      if (name === '' || (await there(name, span))) return [{ name, selector, why: 'excluded' }];
      return [{ name, selector, why: (await there(name)) ? 'outside' : 'unknown' }];
    }),
  );
  const seen = new Set<string>();
  return found.flat().filter((one) => {
    const key = one.why === 'excluded' ? one.selector : one.name;
    return !seen.has(key) && seen.add(key);
  });
}

async function selectorsOf(expr: string, signal: AbortSignal): Promise<(readonly Matcher[])[]> {
  try {
    return [...walk(await get<unknown>('/api/v1/parse_query', { query: expr }, signal))];
  } catch (error) {
    // Another server may know a language that this one does not; then there is no more to say.
    if (error instanceof ApiFailure && error.status === 400) return [];
    throw error;
  }
}

function* walk(node: unknown): Generator<readonly Matcher[]> {
  if (Array.isArray(node)) {
    for (const one of node) yield* walk(one);
  } else if (typeof node === 'object' && node !== null) {
    const { type, matchers } = node as Node;
    if ((type === 'vectorSelector' || type === 'matrixSelector') && matchers) yield matchers;
    else for (const one of Object.values(node)) yield* walk(one);
  }
}

async function hasSeries(api: string, match: string, within: Span | undefined, signal: AbortSignal): Promise<boolean> {
  const range = within && { start: Math.floor(within.fromMs / 1000), end: Math.ceil(within.toMs / 1000) };
  const found = await get<readonly unknown[]>(`${api}/api/v1/series`, { 'match[]': match, limit: 1, ...range }, signal);
  return found.length > 0;
}

function selectorText(name: string, matchers: readonly Matcher[]): string {
  const rest = matchers
    .filter((one) => one.name !== '__name__' || one.type !== '=')
    .map((one) => `${one.name}${one.type}${JSON.stringify(one.value)}`);
  const plainName = /^[a-zA-Z_:][\w:]*$/.test(name);
  const all = plainName || name === '' ? rest : [JSON.stringify(name), ...rest];
  return `${plainName ? name : ''}${all.length > 0 || !plainName ? `{${all.join(', ')}}` : ''}`;
}
