// Results in other formats than JSON: CSV for spreadsheets, Arrow for data frames. One row per point: time, value, and a
// column for every label that occurs. Histograms appear as their printed form.

import { formatValue } from '#model/value.ts';
import type { ResultData } from '#query/engine.ts';
import { ABSENT, HISTOGRAM } from '#query/execute/vector.ts';
import { printHistogram } from '#query/histogram/print.ts';
import { ApiError, type HttpResponse } from './http.ts';
import { arrowStream } from './query-arrow.ts';

export type ResultFormat = 'json' | 'csv' | 'arrow';

const ARROW_TYPE = 'application/vnd.apache.arrow.stream';

export function formatOf(parameter: string, accept: string | string[] | undefined): ResultFormat {
  if (parameter === 'json' || parameter === 'csv' || parameter === 'arrow') return parameter;
  if (parameter !== '') {
    throw new ApiError(
      'bad_data',
      `invalid parameter "format": ${JSON.stringify(parameter)} is none of json, csv, arrow`,
    );
  }
  const wanted = String(accept ?? '');
  if (wanted.includes('application/json') || wanted.includes('*/*')) return 'json';
  if (wanted.includes(ARROW_TYPE)) return 'arrow';
  return wanted.includes('text/csv') ? 'csv' : 'json';
}

/** Points of any result as columns. */
export type Table = {
  readonly times: Float64Array;
  readonly values: Float64Array;
  /** Printed histograms, by row; such rows have no value. */
  readonly histograms: ReadonlyMap<number, string>;
  readonly labelNames: readonly string[];
  /** For each label, the value of each row; '' if the series has none. */
  readonly labels: readonly (readonly string[])[];
};

export function tableOf(data: ResultData): Table {
  const times: number[] = [];
  const histograms = new Map<number, string>();
  const rows: (readonly string[])[] = [];
  const values: number[] = [];
  const add = (labels: readonly string[], time: number, value: number, histogram?: string) => {
    if (histogram !== undefined) histograms.set(rows.length, histogram);
    rows.push(labels);
    times.push(time);
    values.push(value);
  };
  if (data.type === 'scalar') add([], data.time, data.value);
  else if (data.type === 'string') add(['value', data.value], data.time, Number.NaN);
  else if (data.type === 'samples') {
    for (const { labels, timestamps, values: samples, histograms: own } of data.series) {
      timestamps.forEach((time, i) => {
        const h = own?.get(i);
        add(labels, time, samples[i]!, h && printHistogram(h));
      });
    }
  } else {
    const { vector } = data;
    const grid = data.type === 'vector' ? { start: data.time, step: 0 } : data.grid;
    for (let at = 0; at < vector.kinds.length; at++) {
      if (vector.kinds[at] === ABSENT) continue;
      const labels = vector.labels[Math.floor(at / vector.steps)]!;
      const h = vector.kinds[at] === HISTOGRAM ? printHistogram(vector.histograms!.get(at)!) : undefined;
      add(labels, grid.start + (at % vector.steps) * grid.step, vector.values[at]!, h);
    }
  }
  const labelNames = [...new Set(rows.flatMap((labels) => labels.filter((_, i) => i % 2 === 0)))].sort();
  const index = new Map(labelNames.map((name, i) => [name, i]));
  const labels = labelNames.map(() => new Array<string>(rows.length).fill(''));
  rows.forEach((row, at) => {
    for (let i = 0; i < row.length; i += 2) labels[index.get(row[i]!)!]![at] = row[i + 1]!;
  });
  return { times: Float64Array.from(times), values: Float64Array.from(values), histograms, labelNames, labels };
}

export function otherFormat(format: 'csv' | 'arrow', data: ResultData, notes: readonly string[]): HttpResponse {
  const table = tableOf(data);
  const headers: Record<string, string> = notes.length > 0 ? { 'x-pharos-annotations': JSON.stringify(notes) } : {};
  if (format === 'arrow') {
    return { status: 200, headers: { ...headers, 'content-type': ARROW_TYPE }, body: arrowStream(table) };
  }
  return { status: 200, headers: { ...headers, 'content-type': 'text/csv; charset=utf-8' }, body: csvOf(table) };
}

function csvOf({ times, values, histograms, labelNames, labels }: Table): string {
  const lines = [['timestamp', 'value', ...labelNames].map(csvField).join(',')];
  times.forEach((time, i) => {
    const value = histograms.get(i) ?? formatValue(values[i]!);
    lines.push([String(time / 1000), value, ...labels.map((column) => column[i]!)].map(csvField).join(','));
  });
  return `${lines.join('\r\n')}\r\n`;
}

const csvField = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
