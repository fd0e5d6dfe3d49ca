// Stacking: lines of one group are put on one another, upwards and (negative values) downwards; as shares if asked.
// Columns come back in drawing order, the highest sums first, so that areas do not cover each other.

import type { Line } from './timeseries.tsx';

type Column = readonly (number | null)[];
export type Stacked = {
  /** One column per drawn line, in drawing order. */
  readonly columns: readonly Column[];
  /** Index into the lines for each column. */
  readonly order: readonly number[];
};

export function stackLines(lines: readonly Line[], length: number, shares: boolean): Stacked {
  if (!lines.some((line) => line.stack !== undefined)) {
    return { columns: lines.map((line) => line.values), order: lines.map((_, index) => index) };
  }
  const sums = new Map<string, { up: Float64Array; down: Float64Array }>();
  const totals = shares ? totalsOf(lines, length) : undefined;
  const columns: Column[] = [];
  const order: number[] = [];
  lines.forEach((line, index) => {
    if (line.stack === undefined) {
      columns.push(line.values);
    } else {
      let sum = sums.get(line.stack);
      if (!sum) {
        sum = { up: new Float64Array(length), down: new Float64Array(length) };
        sums.set(line.stack, sum);
      }
      const total = totals?.get(line.stack);
      const column: (number | null)[] = new Array(length);
      for (let i = 0; i < length; i++) {
        const value = line.values[i];
        if (value === null || value === undefined || !Number.isFinite(value)) {
          column[i] = null;
          continue;
        }
        const part = total ? (total[i] ? value / total[i]! : 0) : value;
        const side = part < 0 ? sum.down : sum.up;
        side[i] = side[i]! + part;
        column[i] = side[i]!;
      }
      columns.push(column);
    }
    order.push(index);
  });
  return { columns: columns.reverse(), order: order.reverse() };
}

function totalsOf(lines: readonly Line[], length: number): Map<string, Float64Array> {
  const totals = new Map<string, Float64Array>();
  for (const line of lines) {
    if (line.stack === undefined) continue;
    let total = totals.get(line.stack);
    if (!total) {
      total = new Float64Array(length);
      totals.set(line.stack, total);
    }
    for (let i = 0; i < length; i++) {
      const value = line.values[i];
      if (value !== null && value !== undefined && Number.isFinite(value)) total[i] = total[i]! + Math.abs(value);
    }
  }
  return totals;
}
