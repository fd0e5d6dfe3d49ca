// The values that variables can take and the ones chosen: asked one after another, because a variable's query may name
// those before it. Choices stand in the address as var-name=value.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { Frame } from '../../src/view/frame.ts';
import { applyVariableRegex, interpolate, type Scope, type Value } from '../../src/view/interpolate.ts';
import type { Dashboard, Variable } from '../../src/view/model.ts';
import type { PublicSource } from '../../src/view/sources/source.ts';
import { get, plain } from '../base/api.ts';
import { queryInstant, seriesName } from '../base/prom.ts';
import { parseDuration, type Span, stepFor } from '../base/time.ts';
import { apiOf, dialectOf, resolveSource, SCRAPE_MS, scrapeMsOf, withBuiltIns } from './context.ts';

export type Option = { readonly text: string; readonly value: string };
export type Resolved = {
  readonly variable: Variable;
  readonly options: readonly Option[];
  readonly chosen: readonly string[];
  readonly isAll: boolean;
  readonly error: string | undefined;
};

export const ALL = '$__all';
const MAX_OPTIONS = 5000;

export function useVariables(
  dashboard: Dashboard,
  query: URLSearchParams,
  sources: readonly PublicSource[] | undefined,
  span: Span,
) {
  const variables = dashboard.variables ?? [];
  const choices = variables.map((variable) => query.getAll(`var-${variable.name}`));
  const followsRange = variables.some((variable) => variable.refresh === 'range');
  return useQuery({
    queryKey: [
      'variables',
      dashboard.uid,
      variables,
      choices,
      sources?.length,
      followsRange ? [span.fromMs, span.toMs] : Math.round((span.toMs - span.fromMs) / 60_000),
    ],
    enabled: sources !== undefined,
    staleTime: 60_000,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => resolveAll(dashboard, query, sources ?? [], span, signal),
  });
}

export async function resolveAll(
  dashboard: Dashboard,
  query: URLSearchParams,
  sources: readonly PublicSource[],
  span: Span,
  signal = new AbortController().signal,
): Promise<Resolved[]> {
  const resolved: Resolved[] = [];
  for (const variable of dashboard.variables ?? []) {
    resolved.push(
      await resolveOne(variable, query.getAll(`var-${variable.name}`), resolved, dashboard, sources, span, signal),
    );
  }
  return resolved;
}

export function scopeOf(resolved: readonly Resolved[]): Scope {
  return Object.fromEntries(
    resolved.map(({ variable, options, chosen, isAll }): [string, Value] => {
      const values = isAll ? options.map((option) => option.value) : chosen;
      return [
        variable.name,
        {
          values,
          texts: isAll
            ? ['All']
            : chosen.map((value) => options.find((option) => option.value === value)?.text ?? value),
          isAll,
          ...(variable.allValue === undefined ? {} : { allValue: variable.allValue }),
          multi: variable.multi === true || variable.all === true,
        },
      ];
    }),
  );
}

async function resolveOne(
  variable: Variable,
  asked: readonly string[],
  before: readonly Resolved[],
  dashboard: Dashboard,
  sources: readonly PublicSource[],
  span: Span,
  signal: AbortSignal,
): Promise<Resolved> {
  const scrapeMs = scrapeMsOf(resolveSource(variable.source, sources, scopeOf(before)));
  const scope = withBuiltIns(scopeOf(before), span, stepFor(span, 200, SCRAPE_MS), scrapeMs, dashboard);
  try {
    const options = sorted(await optionsOf(variable, scope, sources, span, signal), variable.sort);
    return choose(variable, options, asked, undefined);
  } catch (error) {
    if (signal.aborted) throw error;
    return choose(variable, [], asked, error instanceof Error ? error.message : String(error));
  }
}

function choose(
  variable: Variable,
  options: readonly Option[],
  asked: readonly string[],
  error: string | undefined,
): Resolved {
  const wanted = asked.length > 0 ? asked : (variable.current ?? []);
  const free = variable.kind === 'textbox' || variable.kind === 'constant' || variable.kind === 'adhoc';
  const known = free
    ? wanted
    : wanted.filter(
        (value) =>
          value === ALL ||
          options.some((option) => option.value === value) ||
          (variable.kind === 'query' && asked.length > 0),
      );
  const isAll =
    variable.all === true &&
    (known.includes(ALL) ||
      known.includes('All') ||
      (known.length === 0 && (variable.multi === true || wanted.length === 0)));
  const first = options[0]?.value;
  const chosen = isAll
    ? [ALL]
    : known.length > 0
      ? variable.multi
        ? known
        : known.slice(0, 1)
      : first === undefined
        ? free
          ? [variable.query]
          : []
        : [first];
  return { variable, options, chosen, isAll, error };
}

async function optionsOf(
  variable: Variable,
  scope: Scope,
  sources: readonly PublicSource[],
  span: Span,
  signal: AbortSignal,
): Promise<Option[]> {
  const plainOptions = (list: readonly string[]) => list.map((value) => ({ text: value, value }));
  switch (variable.kind) {
    case 'constant':
    case 'textbox':
      return [{ text: variable.query, value: variable.query }];
    case 'custom':
      return splitCustom(interpolate(variable.query, scope));
    case 'interval':
      return plainOptions(
        variable.query
          .split(',')
          .map((one) => one.trim())
          .filter((one) => one !== '' && !one.startsWith('$__auto')),
      );
    case 'source':
      return sources
        .filter((source) => source.kind === kindOfPlugin(variable.query))
        .map((source) => ({ text: source.name, value: source.uid }));
    case 'adhoc':
      return [];
    case 'query': {
      const source = resolveSource(variable.source, sources, scope);
      if (!source) throw new Error(`no data source of kind ${variable.source?.kind ?? 'prometheus'} is configured`);
      const found =
        source.kind === 'prometheus'
          ? await askPrometheus(apiOf(source), interpolate(variable.query, scope, 'prometheus'), span, signal)
          : await askOther(source, variable, scope, span, signal);
      const seen = new Set<string>();
      return applyVariableRegex(
        found.slice(0, MAX_OPTIONS),
        variable.regex === undefined ? undefined : interpolate(variable.regex, scope),
      ).filter(({ value }) => {
        if (seen.has(value)) return false;
        seen.add(value);
        return true;
      });
    }
  }
}

const kindOfPlugin = (plugin: string): string =>
  ({
    'grafana-postgresql-datasource': 'postgres',
    'grafana-clickhouse-datasource': 'clickhouse',
    'vertamedia-clickhouse-datasource': 'clickhouse',
  })[plugin] ?? plugin;

/** `a, b, key : value`, with `\,` for a comma inside. */
export function splitCustom(text: string): Option[] {
  return text
    .split(/(?<!\\),/)
    .map((one) => one.trim().replaceAll('\\,', ','))
    .filter((one) => one !== '')
    .map((one) => {
      const pair = /^(.*?)\s+:\s+(.*)$/.exec(one);
      return pair ? { text: pair[1]!, value: pair[2]! } : { text: one, value: one };
    });
}

/** label_values(...), label_names(), metrics(...), query_result(...), or a plain expression whose series are listed. */
async function askPrometheus(api: string, query: string, span: Span, signal: AbortSignal): Promise<string[]> {
  const trimmed = query.trim();
  const range = { start: Math.floor(span.fromMs / 1000), end: Math.ceil(span.toMs / 1000) };
  const values = /^label_values\s*\(\s*(?:([\s\S]+?)\s*,\s*)?([a-zA-Z_][\w.:-]*|"[^"]+")\s*\)\s*$/.exec(trimmed);
  if (values) {
    const [, metric, quoted = ''] = values;
    const label = quoted.replaceAll('"', '');
    return get<string[]>(
      `${api}/api/v1/label/${encodeURIComponent(label)}/values`,
      { ...range, ...(metric ? { 'match[]': metric } : {}) },
      signal,
    );
  }
  if (/^label_names\s*\(/.test(trimmed)) return get<string[]>(`${api}/api/v1/labels`, range, signal);
  const metrics = /^metrics\s*\(\s*([\s\S]*?)\s*\)\s*$/.exec(trimmed);
  if (metrics) {
    const pattern = new RegExp(metrics[1]!.replace(/^"|"$/g, ''));
    return (await get<string[]>(`${api}/api/v1/label/__name__/values`, range, signal)).filter((name) =>
      pattern.test(name),
    );
  }
  const inner = /^query_result\s*\(([\s\S]*)\)\s*$/.exec(trimmed);
  const { data } = await queryInstant(api, inner?.[1] ?? trimmed, span.toMs, { signal });
  return data.rows.map((row) =>
    Object.keys(row.labels).length === 0
      ? row.value
      : inner
        ? `${seriesName(row.labels)} ${row.value} ${row.timeMs}`
        : seriesName(row.labels),
  );
}

async function askOther(
  source: PublicSource,
  variable: Variable,
  scope: Scope,
  span: Span,
  signal: AbortSignal,
): Promise<string[]> {
  const answer = await plain<{ data: readonly { frames: readonly Frame[]; error?: string }[] }>(
    `/api/v1/view/sources/${encodeURIComponent(source.uid)}/query`,
    {
      method: 'POST',
      body: {
        fromMs: span.fromMs,
        toMs: span.toMs,
        queries: [
          { ref: 'variable', expr: interpolate(variable.query, scope, dialectOf(source.kind)), format: 'table' },
        ],
      },
      signal,
    },
  );
  const first = answer.data[0];
  if (first?.error) throw new Error(first.error);
  const frame = first?.frames[0];
  const value = frame?.fields.find((field) => field.name === '__value') ?? frame?.fields[0];
  return (value?.values ?? []).filter((one) => one !== null).map(String);
}

function sorted(options: Option[], sort: Variable['sort']): Option[] {
  if (sort === undefined || sort === 'none') return options;
  const numeric = sort.startsWith('numeric');
  const sign = sort.endsWith('desc') ? -1 : 1;
  const numberIn = (text: string) => Number(/-?\d+(\.\d+)?/.exec(text)?.[0] ?? Number.NaN);
  return [...options].sort(
    (a, b) => sign * (numeric ? numberIn(a.text) - numberIn(b.text) : a.text.localeCompare(b.text)),
  );
}

export const intervalOf = (text: string | undefined): number => (text === undefined ? 0 : (parseDuration(text) ?? 0));
