// The data of one panel: its queries with variables filled in, asked of their sources, made into frames, transformed, and
// given their field options. The step follows the panel's width.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { applyOptions } from '../../src/view/display.ts';
import { applyLegend, type Cell, type Field, type Frame } from '../../src/view/frame.ts';
import { interpolate, type Scope } from '../../src/view/interpolate.ts';
import { allPanels, type FieldOptions, type Override, type Panel, type Query } from '../../src/view/model.ts';
import type { PublicSource } from '../../src/view/sources/source.ts';
import { transform } from '../../src/view/transform.ts';
import { get, plain, VIEW } from '../base/api.ts';
import { type Columns, parseSample, queryInstant, queryRange, type Row, seriesName, shortNames } from '../base/prom.ts';
import { useSettings } from '../base/settings.ts';
import { localized } from '../base/text.ts';
import { parseDuration, type Span, stepFor } from '../base/time.ts';
import {
  apiOf,
  type DashboardContext,
  dialectOf,
  resolveSource,
  SCRAPE_MS,
  scrapeMsOf,
  withBuiltIns,
} from './context.ts';
import { intervalOf } from './variables.ts';

const MAX_POINTS = 1000;

export type PanelData = {
  readonly frames: readonly Frame[];
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  readonly span: Span;
  readonly stepMs: number;
  /** The queries as they were sent, for Explore and for the panel's inspector. */
  readonly asked: readonly { readonly ref: string; readonly expr: string; readonly source: PublicSource }[];
};

const NO_DATA_TYPES = new Set(['row', 'text', 'alerts', 'clock', 'links', 'unsupported']);
export const asksNothing = (panel: Panel): boolean => NO_DATA_TYPES.has(panel.type) || panel.queries.length === 0;

/** A panel may look at another stretch of time than its dashboard. */
export function panelSpan(panel: Panel, span: Span): Span {
  const length = intervalOf(panel.timeFrom?.replace(/^now-/, ''));
  const shift = intervalOf(panel.timeShift);
  const toMs = span.toMs - shift;
  return { fromMs: length > 0 ? toMs - length : span.fromMs - shift, toMs };
}

export function usePanelData(panel: Panel, context: DashboardContext, scope: Scope, widthPx: number, enabled: boolean) {
  const span = panelSpan(panel, context.span);
  const points = Math.min(panel.maxPoints ?? MAX_POINTS, Math.max(60, Math.round(widthPx / 2.5)), MAX_POINTS);
  const stepMs = stepFor(
    span,
    points,
    Math.max(
      1000,
      intervalOf(panel.interval && interpolate(panel.interval, scope)) || leastStep(panel, context, scope),
    ),
  );
  // Names of series are in the user's language.
  const { language } = useSettings();
  return useQuery({
    queryKey: [
      'panel',
      language,
      panel.id,
      panel.queries,
      panel.source,
      panel.transformations,
      panel.field,
      panel.overrides,
      scope,
      context.filters,
      span.fromMs,
      span.toMs,
      stepMs,
    ],
    enabled: enabled && !asksNothing(panel) && widthPx > 0,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => askPanel(panel, context, scope, span, stepMs, signal),
  });
}

/** No finer than what is scraped, unless the panel says so; jobs may scrape more often than the server does by default. */
function leastStep(panel: Panel, context: DashboardContext, scope: Scope): number {
  const source = resolveSource(panel.source ?? panel.queries[0]?.source, context.sources, scope);
  return source?.kind === 'prometheus' ? Math.min(scrapeMsOf(source), SCRAPE_MS) : 0;
}

export async function askPanel(
  panel: Panel,
  context: DashboardContext,
  scope: Scope,
  span: Span,
  stepMs: number,
  signal?: AbortSignal,
  depth = 0,
): Promise<PanelData> {
  const answers = await Promise.all(
    panel.queries
      .filter((query) => !query.hidden)
      .map(async (query) => {
        if (query.panel) return askOtherPanel(query, query.panel, context, scope, span, stepMs, signal, depth);
        const source = resolveSource(query.source ?? panel.source, context.sources, scope);
        if (!source)
          return {
            frames: [],
            error: `${query.ref}: no data source of kind ${(query.source ?? panel.source)?.kind ?? 'prometheus'} is configured`,
            warnings: [],
            asked: undefined,
          };
        const least = Math.max(stepMs, intervalOf(query.step && interpolate(query.step, scope)));
        const inner = withBuiltIns(scope, span, least, scrapeMsOf(source), context.dashboard);
        const plainExpr = interpolate(query.expr, inner, dialectOf(source.kind));
        let asked = { ref: query.ref, expr: plainExpr, source };
        try {
          const filters = source.kind === 'prometheus' ? context.filters : [];
          const expr = await withFilters(plainExpr, filters, signal);
          asked = { ...asked, expr };
          const answer =
            source.kind === 'prometheus'
              ? await askPrometheus(source, query, expr, span, least, inner, signal)
              : await askOther(source, query, expr, span, least, signal);
          return { ...answer, error: undefined, asked };
        } catch (error) {
          if (signal?.aborted) throw error;
          return {
            frames: [],
            error: `${query.ref}: ${error instanceof Error ? error.message : String(error)}`,
            warnings: [],
            asked,
          };
        }
      }),
  );
  const frames: readonly Frame[] = answers.flatMap((answer) => answer.frames);
  // Ids of transformations may depend on variables, as titles do.
  const steps = panel.transformations?.map((one) => ({
    ...one,
    options: JSON.parse(interpolate(JSON.stringify(one.options), scope)) as Record<string, unknown>,
  }));
  return {
    frames: applyOptions(
      transform(applyOptions(frames, panel.field, undefined), steps),
      interpolated(panel.field, scope),
      panel.overrides?.map(
        (one): Override => ({
          match: { ...one.match, value: interpolate(one.match.value, scope) },
          set: interpolated(one.set, scope) ?? {},
        }),
      ),
    ),
    errors: answers.flatMap((answer) => (answer.error === undefined ? [] : [answer.error])),
    warnings: answers.flatMap((answer) => answer.warnings),
    span,
    stepMs,
    asked: answers.flatMap((answer) => (answer.asked ? [answer.asked] : [])),
  };
}

/** Panels that take from each other end here. */
const MAX_DEPTH = 4;

async function askOtherPanel(
  query: Query,
  wanted: NonNullable<Query['panel']>,
  context: DashboardContext,
  scope: Scope,
  span: Span,
  stepMs: number,
  signal: AbortSignal | undefined,
  depth: number,
) {
  const failed = (why: string) => ({ frames: [], error: `${query.ref}: ${why}`, warnings: [], asked: undefined });
  const other = allPanels(context.dashboard).find((panel) => panel.id === wanted.id);
  if (!other) return failed(`there is no panel ${wanted.id} to take answers from`);
  if (depth >= MAX_DEPTH) return failed(`panel ${wanted.id} takes its answers from this one`);
  const { transformations, field: _, overrides: __, ...rest } = other;
  const bare = wanted.transformed && transformations ? { ...rest, transformations } : rest;
  const answer = await askPanel(bare, context, scope, span, stepMs, signal, depth + 1);
  return {
    frames: answer.frames,
    error: answer.errors[0],
    warnings: answer.warnings,
    asked: undefined,
  };
}

function interpolated(options: FieldOptions | undefined, scope: Scope): FieldOptions | undefined {
  if (typeof options?.displayName !== 'string' || !options.displayName.includes('$')) return options;
  return { ...options, displayName: interpolate(options.displayName, scope) };
}

/** Ad hoc filters go into every selector; the server knows where those are. */
async function withFilters(expr: string, filters: DashboardContext['filters'], signal?: AbortSignal): Promise<string> {
  if (filters.length === 0 || expr.trim() === '') return expr;
  const filter = filters.map(({ key, operator, value }) => `${key}|${operator}|${value}`);
  return (await get<{ query: string }>(`${VIEW}/filtered`, { query: expr, filter }, signal)).query;
}

type Answer = { readonly frames: readonly Frame[]; readonly warnings: readonly string[] };

async function askPrometheus(
  source: PublicSource,
  query: Query,
  expr: string,
  span: Span,
  stepMs: number,
  scope: Scope,
  signal?: AbortSignal,
): Promise<Answer> {
  if (expr.trim() === '') return { frames: [], warnings: [] };
  const api = apiOf(source);
  const legend = query.legend === undefined ? undefined : interpolate(localized(query.legend), scope);
  if (query.instant && !query.both) {
    const answer = await queryInstant(api, expr, span.toMs, { signal });
    const frames =
      query.format === 'table'
        ? [tableFrame(query.ref, answer.data.rows)]
        : rowFrames(query.ref, answer.data.rows, legend);
    return { frames, warnings: answer.warnings };
  }
  const answer = await queryRange(api, expr, span, stepMs, { signal });
  if (query.format === 'table') {
    const rows = answer.data.columns.flatMap((column) =>
      column.values.flatMap((value, index): Row[] =>
        value === null
          ? []
          : [{ labels: column.labels, value: String(value), timeMs: answer.data.times[index]! * 1000 }],
      ),
    );
    return { frames: [tableFrame(query.ref, rows)], warnings: answer.warnings };
  }
  return { frames: columnFrames(query.ref, answer.data, legend), warnings: answer.warnings };
}

/** Series as frames that share one column of times. */
export function columnFrames(ref: string, data: Columns, legend: string | undefined): Frame[] {
  const times = data.times.map((seconds) => seconds * 1000);
  const automatic =
    legend === undefined || legend === '' ? shortNames(data.columns.map((column) => column.labels)) : [];
  return data.columns.map((column, index): Frame => {
    const name = legend ? applyLegend(legend, column.labels) : automatic[index]!;
    const buckets = column.histograms ? { histograms: column.histograms } : {};
    return {
      ref,
      name,
      fields: [
        { name: 'Time', kind: 'time', values: times },
        {
          name: column.labels.__name__ ?? 'Value',
          kind: 'number',
          labels: column.labels,
          legend: name === '' ? seriesName(column.labels) : name,
          values: column.values,
          ...buckets,
        } as Field,
      ],
    };
  });
}

function rowFrames(ref: string, rows: readonly Row[], legend: string | undefined): Frame[] {
  const automatic = legend ? [] : shortNames(rows.map((row) => row.labels));
  return rows.map((row, index): Frame => {
    const name = legend ? applyLegend(legend, row.labels) : automatic[index]!;
    return {
      ref,
      name,
      fields: [
        { name: 'Time', kind: 'time', values: [row.timeMs] },
        { name: 'Value', kind: 'number', labels: row.labels, legend: name, values: [parseSample(row.value)] },
      ],
    };
  });
}

function tableFrame(ref: string, rows: readonly Row[]): Frame {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.labels)))].sort();
  return {
    ref,
    fields: [
      { name: 'Time', kind: 'time', values: rows.map((row) => row.timeMs) },
      ...names.map(
        (name): Field => ({ name, kind: 'string', values: rows.map((row): Cell => row.labels[name] ?? null) }),
      ),
      {
        name: ref === 'A' ? 'Value' : `Value #${ref}`,
        kind: 'number',
        values: rows.map((row) => parseSample(row.value)),
      },
    ],
  };
}

async function askOther(
  source: PublicSource,
  query: Query,
  expr: string,
  span: Span,
  stepMs: number,
  signal?: AbortSignal,
): Promise<Answer> {
  const answer = await plain<{ data: readonly { frames: readonly Frame[]; error?: string }[] }>(
    `/api/v1/view/sources/${encodeURIComponent(source.uid)}/query`,
    {
      method: 'POST',
      body: {
        fromMs: span.fromMs,
        toMs: span.toMs,
        intervalMs: stepMs,
        queries: [
          { ref: query.ref, expr, format: query.format === 'table' ? 'table' : 'series', extra: query.extra ?? {} },
        ],
      },
      ...(signal ? { signal } : {}),
    },
  );
  const first = answer.data[0];
  if (first?.error) throw new Error(first.error);
  return { frames: first?.frames ?? [], warnings: [] };
}

export const durationMs = (text: string | undefined): number => (text ? (parseDuration(text) ?? 0) : 0);
