// From histograms to the rows of a heat map: classic ones (series with `le`, cumulative), native ones (buckets per
// sample), or plain series as they are.

import { type Columns, type LabelSet, parseSample, seriesName } from '../base/prom.ts';
import type { HeatRow } from './heatmap.tsx';

const bound = (labels: LabelSet): number | undefined => (labels.le === undefined ? undefined : parseSample(labels.le));

/** How the upper end of a bucket is written. */
type ShowBound = (bound: number) => string;
const plainBound: ShowBound = (bound) => String(Number(bound.toPrecision(4)));

export function heatRows(data: Columns, names?: readonly string[], shown: ShowBound = plainBound): HeatRow[] {
  if (data.columns.some((column) => column.histograms)) return nativeRows(data, shown);
  if (data.columns.length > 0 && data.columns.every((column) => bound(column.labels) !== undefined))
    return classicRows(data, shown);
  return data.columns.map((column, index) => ({
    name: names?.[index] ?? seriesName(column.labels),
    values: column.values,
  }));
}

/** Cumulative counts by `le`, summed over other labels, become counts per bucket. */
function classicRows(data: Columns, shown: ShowBound): HeatRow[] {
  const byBound = new Map<number, (number | null)[]>();
  for (const column of data.columns) {
    const le = bound(column.labels)!;
    const sum = byBound.get(le);
    byBound.set(
      le,
      sum
        ? sum.map((value, i) => (column.values[i] == null ? value : (value ?? 0) + column.values[i]!))
        : [...column.values],
    );
  }
  const bounds = [...byBound.keys()].sort((a, b) => a - b);
  return bounds.map((le, index) => {
    const own = byBound.get(le)!;
    const below = index > 0 ? byBound.get(bounds[index - 1]!)! : undefined;
    return {
      name: le === Infinity ? '+Inf' : shown(le),
      values: own.map((value, i) => (value === null ? null : Math.max(0, value - (below?.[i] ?? 0)))),
    };
  });
}

function nativeRows(data: Columns, shown: ShowBound): HeatRow[] {
  const byUpper = new Map<number, (number | null)[]>();
  for (const column of data.columns) {
    column.histograms?.forEach((histogram, at) => {
      for (const [, , upper, count] of histogram?.buckets ?? []) {
        const key = parseSample(upper);
        let row = byUpper.get(key);
        if (!row) {
          row = new Array(data.times.length).fill(null);
          byUpper.set(key, row);
        }
        row[at] = (row[at] ?? 0) + parseSample(count);
      }
    });
  }
  return [...byUpper.keys()]
    .sort((a, b) => a - b)
    .map((upper) => ({ name: shown(upper), values: byUpper.get(upper)! }));
}
