// Rows of rules into the store: one batch per rule and evaluation, with the numbers of known series kept between
// evaluations, and a second try for numbers that the store has forgotten.

import { type Appender, newSeries, type RejectReason, type SampleBatch, type SeriesRef } from '#model/batch.ts';
import { type Labels, labelsKey } from '#model/labels.ts';
import { setStale } from '#model/value.ts';
import type { Row } from './contract.ts';

/** Numbers of series by the key of their labels. */
export type KnownSeries = Map<string, SeriesRef>;

export type RowProblem = { readonly row: Row; readonly reason: RejectReason; readonly detail: string };

/** Stores rows; resolves with those that the store refused. */
export async function appendRows(
  appender: Appender,
  rows: readonly Row[],
  known: KnownSeries,
): Promise<readonly RowProblem[]> {
  if (rows.length === 0) return [];
  const first = await appendOnce(appender, rows, known);
  const forgotten = first.filter((problem) => problem.reason === 'unknownRef').map((problem) => problem.row);
  if (forgotten.length === 0) return first;
  for (const row of forgotten) known.delete(labelsKey(row.labels));
  const second = await appendOnce(appender, forgotten, known);
  return [...first.filter((problem) => problem.reason !== 'unknownRef'), ...second];
}

async function appendOnce(
  appender: Appender,
  rows: readonly Row[],
  known: KnownSeries,
): Promise<readonly RowProblem[]> {
  const series: Labels[] = [];
  const keys: string[] = [];
  const placed = new Map<string, SeriesRef>();
  const refOf = (labels: Labels): SeriesRef => {
    const key = labelsKey(labels);
    const ref = known.get(key) ?? placed.get(key);
    if (ref !== undefined) return ref;
    const fresh = newSeries(series.length);
    placed.set(key, fresh);
    series.push(labels);
    keys.push(key);
    return fresh;
  };
  const floats = rows.filter((row) => row.histogram === undefined);
  const histogramRows = rows.filter((row) => row.histogram !== undefined);
  const refs = new Float64Array(floats.length);
  const timestamps = new Float64Array(floats.length);
  const values = new Float64Array(floats.length);
  floats.forEach((row, i) => {
    refs[i] = refOf(row.labels);
    timestamps[i] = row.timestamp;
    if (row.value === undefined) setStale(values, i);
    else values[i] = row.value;
  });
  const histograms = histogramRows.map((row) => ({
    ref: refOf(row.labels),
    timestamp: row.timestamp,
    value: row.histogram!,
  }));
  const batch: SampleBatch = { refs, timestamps, values, series, ...(histograms.length > 0 ? { histograms } : {}) };
  const result = await appender.append(batch);
  keys.forEach((key, i) => {
    const ref = result.refs[i];
    if (ref !== undefined && !Number.isNaN(ref)) known.set(key, ref);
  });
  return result.rejections.flatMap(({ kind, index, reason, detail }) => {
    const row = kind === 'sample' ? floats[index] : kind === 'histogram' ? histogramRows[index] : undefined;
    return row ? [{ row, reason, detail }] : [];
  });
}
