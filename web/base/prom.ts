// Answers of Prometheus' query API as the pages use them: columns on the step grid for range queries, rows for instant
// ones, native histograms as buckets.

import { ask, type Envelope } from './api.ts';
import type { Span } from './time.ts';

export type LabelSet = Readonly<Record<string, string>>;
/** boundary rule (0: (low, high], 1: [low, high), 2: (low, high), 3: [low, high]), low, high, count. */
export type Bucket = readonly [number, string, string, string];
export type NativeHistogram = { readonly count: string; readonly sum: string; readonly buckets?: readonly Bucket[] };
type RawSeries = {
  readonly metric: LabelSet;
  readonly values?: readonly (readonly [number, string])[];
  readonly histograms?: readonly (readonly [number, NativeHistogram])[];
  readonly value?: readonly [number, string];
  readonly histogram?: readonly [number, NativeHistogram];
};
export type QueryData =
  | {
      readonly resultType: 'matrix' | 'vector';
      readonly result: readonly RawSeries[];
      readonly stats?: unknown;
      readonly explain?: unknown;
    }
  | {
      readonly resultType: 'scalar' | 'string';
      readonly result: readonly [number, string];
      readonly stats?: unknown;
      readonly explain?: unknown;
    };

export type Column = {
  readonly labels: LabelSet;
  readonly values: readonly (number | null)[];
  /** Native histograms by grid position, where the series has any. */
  readonly histograms?: readonly (NativeHistogram | null)[];
};
export type Columns = { readonly times: readonly number[]; readonly columns: readonly Column[] };

/** 'NaN' and infinities are strings in the API. */
export function parseSample(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return text === 'NaN' ? Number.NaN : Number(text);
}

const GET_LIMIT = 1500;

export async function queryRange(
  source: string,
  query: string,
  span: Span,
  stepMs: number,
  options: { signal?: AbortSignal | undefined; extra?: Readonly<Record<string, string>> } = {},
): Promise<Envelope<Columns>> {
  // The grid is aligned to the step, so that a refreshed graph does not flicker and results can be cached.
  const startMs = Math.ceil(span.fromMs / stepMs) * stepMs;
  const endMs = Math.max(startMs, Math.floor(span.toMs / stepMs) * stepMs);
  const answer = await ask<QueryData>(`${source}/api/v1/query_range`, {
    method: query.length > GET_LIMIT ? 'FORM' : 'GET',
    params: { query, start: startMs / 1000, end: endMs / 1000, step: stepMs / 1000, ...options.extra },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return { ...answer, data: toColumns(answer.data, startMs, endMs, stepMs) };
}

export function toColumns(data: QueryData, startMs: number, endMs: number, stepMs: number): Columns {
  const length = Math.floor((endMs - startMs) / stepMs) + 1;
  const times = Array.from({ length }, (_, index) => (startMs + index * stepMs) / 1000);
  if (data.resultType !== 'matrix') return { times, columns: [] };
  const columns = (data.result as readonly RawSeries[]).map((series): Column => {
    const values: (number | null)[] = new Array(length).fill(null);
    for (const [seconds, text] of series.values ?? []) {
      const at = Math.round((seconds * 1000 - startMs) / stepMs);
      if (at >= 0 && at < length) values[at] = parseSample(text);
    }
    if (!series.histograms) return { labels: series.metric, values };
    const histograms: (NativeHistogram | null)[] = new Array(length).fill(null);
    for (const [seconds, histogram] of series.histograms) {
      const at = Math.round((seconds * 1000 - startMs) / stepMs);
      if (at >= 0 && at < length) histograms[at] = histogram;
    }
    return { labels: series.metric, values, histograms };
  });
  return { times, columns };
}

export type Row = {
  readonly labels: LabelSet;
  readonly value: string;
  readonly histogram?: NativeHistogram;
  readonly timeMs: number;
};
export type Instant = {
  readonly type: QueryData['resultType'];
  readonly rows: readonly Row[];
  readonly raw: QueryData;
};

export async function queryInstant(
  source: string,
  query: string,
  timeMs: number | undefined,
  options: { signal?: AbortSignal | undefined; extra?: Readonly<Record<string, string>> } = {},
): Promise<Envelope<Instant>> {
  const answer = await ask<QueryData>(`${source}/api/v1/query`, {
    method: query.length > GET_LIMIT ? 'FORM' : 'GET',
    params: { query, time: timeMs === undefined ? undefined : timeMs / 1000, ...options.extra },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return { ...answer, data: toRows(answer.data) };
}

export function toRows(data: QueryData): Instant {
  if (data.resultType === 'scalar' || data.resultType === 'string') {
    const [seconds, value] = data.result as readonly [number, string];
    return { type: data.resultType, rows: [{ labels: {}, value, timeMs: seconds * 1000 }], raw: data };
  }
  const rows = (data.result as readonly RawSeries[]).flatMap((series): Row[] => {
    if (series.histogram) {
      const [seconds, histogram] = series.histogram;
      return [{ labels: series.metric, value: histogram.sum, histogram, timeMs: seconds * 1000 }];
    }
    if (series.value) return [{ labels: series.metric, value: series.value[1], timeMs: series.value[0] * 1000 }];
    return (series.values ?? []).map(([seconds, value]) => ({ labels: series.metric, value, timeMs: seconds * 1000 }));
  });
  return { type: data.resultType, rows, raw: data };
}

/** `name{a="b"}`, the way PromQL writes a series; names that need it are quoted. */
export function seriesName(labels: LabelSet): string {
  const { __name__: name = '', ...rest } = labels;
  const plain = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);
  const pairs = Object.entries(rest).map(
    ([key, value]) => `${/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(key) ? key : JSON.stringify(key)}=${JSON.stringify(value)}`,
  );
  if (name !== '' && !plain) pairs.unshift(JSON.stringify(name));
  const shown = plain ? name : '';
  return pairs.length > 0 || shown === '' ? `${shown}{${pairs.join(', ')}}` : shown;
}

/** What distinguishes series from one another: labels equal in all of them are left out. */
export function shortNames(sets: readonly LabelSet[]): string[] {
  if (sets.length < 2) return sets.map(seriesName);
  const first = sets[0]!;
  const same = new Set(Object.keys(first).filter((name) => sets.every((set) => set[name] === first[name])));
  return sets.map((set) => {
    const rest = Object.fromEntries(Object.entries(set).filter(([name]) => !same.has(name)));
    return Object.keys(rest).length === 0 ? seriesName(set) : seriesName(rest);
  });
}
