// Query results as Prometheus' JSON, in pieces: what is large is never one string. Numbers read as Go prints them.

import type { Histogram } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import type { RawSeries } from '#model/query.ts';
import type { ResultData } from '#query/engine.ts';
import { ABSENT, HISTOGRAM, type Vector } from '#query/execute/vector.ts';
import { allBuckets, usesCustomBuckets } from '#query/histogram/buckets.ts';

/** Pieces are about this long. */
const PIECE_LENGTH = 65_536;

/** A value in quotes: exponents below 1e-6 and from 1e21 on, of two digits at least. */
export function jsonValue(value: number): string {
  if (Number.isInteger(value) && value < 1e15 && value > -1e15) return Object.is(value, -0) ? '"-0"' : `"${value}"`;
  if (Number.isNaN(value)) return '"NaN"';
  if (value === Infinity) return '"+Inf"';
  if (value === -Infinity) return '"-Inf"';
  const text = String(value);
  return text.includes('e') ? `"${text.replace(/e([+-])(\d)$/, 'e$10$2')}"` : `"${text}"`;
}

/** Seconds with up to three decimals; none if there is nothing behind the point. */
export function jsonTime(ms: number): string {
  if (ms < 0) return `-${jsonTime(-ms)}`;
  const rest = ms % 1000;
  const seconds = (ms - rest) / 1000;
  return rest === 0 ? String(seconds) : `${seconds}.${String(Math.trunc(rest)).padStart(3, '0')}`;
}

const ODD = /["\\\u0000-\u001f\ud800-\udfff]/;

/** A text in quotes; most need nothing but them. */
const jsonText = (text: string): string => (ODD.test(text) ? JSON.stringify(text) : `"${text}"`);

export function jsonLabels(labels: Labels): string {
  let text = '{';
  for (let i = 0; i < labels.length; i += 2) {
    text += `${i > 0 ? ',' : ''}${jsonText(labels[i]!)}:${jsonText(labels[i + 1]!)}`;
  }
  return `${text}}`;
}

/** Buckets say which of their bounds belong to them: 0 upper, 1 lower, 2 neither, 3 both. */
export function jsonHistogram(h: Histogram): string {
  const custom = usesCustomBuckets(h);
  const buckets = allBuckets(h)
    .filter((bucket) => bucket.count !== 0)
    .map(({ lower, upper, count, index }) => {
      const lowerIn = custom ? index === 0 : lower < 0;
      const upperIn = custom || upper > 0;
      const bounds = lowerIn ? (upperIn ? 3 : 1) : upperIn ? 0 : 2;
      return `[${bounds},${jsonValue(lower)},${jsonValue(upper)},${jsonValue(count)}]`;
    });
  const shown = buckets.length > 0 ? `,"buckets":[${buckets.join(',')}]` : '';
  return `{"count":${jsonValue(h.count)},"sum":${jsonValue(h.sum)}${shown}}`;
}

export function* jsonResult(data: ResultData): Generator<string> {
  switch (data.type) {
    case 'scalar':
      yield `[${jsonTime(data.time)},${jsonValue(data.value)}]`;
      break;
    case 'string':
      yield `[${jsonTime(data.time)},${JSON.stringify(data.value)}]`;
      break;
    case 'vector':
      yield* inPieces(instantRows(data.vector, jsonTime(data.time)));
      break;
    case 'matrix': {
      const { vector, grid } = data;
      const times = Array.from({ length: vector.steps }, (_, step) => jsonTime(grid.start + step * grid.step));
      yield* inPieces(rangeRows(vector, times));
      break;
    }
    case 'samples':
      yield* inPieces(data.series.map(samplesRow));
  }
}

/** The name of a result's type in the API. */
export const resultType = (data: ResultData): string => (data.type === 'samples' ? 'matrix' : data.type);

function* inPieces(rows: Iterable<string>): Generator<string> {
  let piece = '[';
  let first = true;
  for (const row of rows) {
    piece += first ? row : `,${row}`;
    first = false;
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}]`;
}

function* instantRows({ labels, values, histograms, kinds }: Vector, time: string): Generator<string> {
  for (let row = 0; row < labels.length; row++) {
    const metric = `{"metric":${jsonLabels(labels[row]!)},`;
    if (kinds[row] === HISTOGRAM) yield `${metric}"histogram":[${time},${jsonHistogram(histograms!.get(row)!)}]}`;
    else yield `${metric}"value":[${time},${jsonValue(values[row]!)}]}`;
  }
}

function* rangeRows({ labels, values, histograms, kinds, steps }: Vector, times: readonly string[]): Generator<string> {
  for (let row = 0; row < labels.length; row++) {
    let floats = '';
    let others = '';
    for (let step = 0; step < steps; step++) {
      const at = row * steps + step;
      const kind = kinds[at];
      if (kind === ABSENT) continue;
      if (kind === HISTOGRAM) {
        others += `${others === '' ? '' : ','}[${times[step]},${jsonHistogram(histograms!.get(at)!)}]`;
      } else floats += `${floats === '' ? '[' : ',['}${times[step]},${jsonValue(values[at]!)}]`;
    }
    yield seriesRow(labels[row]!, floats, others);
  }
}

function samplesRow({ labels, timestamps, values, histograms }: RawSeries): string {
  const floats: string[] = [];
  const others: string[] = [];
  timestamps.forEach((time, i) => {
    const histogram = histograms?.get(i);
    if (histogram) others.push(`[${jsonTime(time)},${jsonHistogram(histogram)}]`);
    else floats.push(`[${jsonTime(time)},${jsonValue(values[i]!)}]`);
  });
  return seriesRow(labels, floats.join(','), others.join(','));
}

function seriesRow(labels: Labels, floats: string, others: string): string {
  const values = floats === '' ? '' : `,"values":[${floats}]`;
  const histograms = others === '' ? '' : `,"histograms":[${others}]`;
  return `{"metric":${jsonLabels(labels)}${values}${histograms}}`;
}
