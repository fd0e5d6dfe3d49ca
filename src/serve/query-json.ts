// Query results as Prometheus' JSON, in pieces: what is large is never one string. Results with many points are printed by a
// kernel, as bytes.

import type { Labels } from '#model/labels.ts';
import type { Grid, RawSeries } from '#model/query.ts';
import type { ResultData } from '#query/engine.ts';
import { ABSENT, HISTOGRAM, type Vector } from '#query/execute/vector.ts';
import type { JsonPrinter } from './json-printer.ts';
import { jsonHistogram, jsonLabels, jsonTime, jsonValue } from './json-text.ts';

/** Pieces are about this long. */
const PIECE_LENGTH = 65_536;

/** From so many points on the kernel prints them. */
const MIN_PRINTED_POINTS = 64;

/** Pieces of text, or of bytes if they come from the printer. */
export function* jsonResult(data: ResultData, printer: () => JsonPrinter): Generator<string | Buffer> {
  if ((data.type === 'vector' || data.type === 'matrix') && isForPrinter(data.vector)) {
    yield* printed(data, printer());
    return;
  }
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
      yield* inPieces(rangeRows(vector, timesOf(grid, vector.steps)));
      break;
    }
    case 'samples':
      yield* inPieces(data.series.map(samplesRow));
  }
}

const isForPrinter = ({ kinds, histograms }: Vector): boolean => kinds.length >= MIN_PRINTED_POINTS && !histograms;

const timesOf = ({ start, step }: Grid, steps: number): string[] =>
  Array.from({ length: steps }, (_, i) => jsonTime(start + i * step));

function* printed(data: Extract<ResultData, { readonly vector: Vector }>, printer: JsonPrinter): Generator<Buffer> {
  const { labels, steps, values, kinds } = data.vector;
  const times = data.type === 'vector' ? [jsonTime(data.time)] : timesOf(data.grid, steps);
  printer.begin(times, '[');
  for (let row = 0; row < labels.length; row++) {
    if (data.type === 'vector') printer.instant(labels[row]!, values[row]!);
    else printer.row(labels[row]!, values, kinds, row * steps, steps);
    if (!printer.isFull) continue;
    yield printer.take();
    // Other answers may be printed meanwhile.
    printer.begin(times, ',');
  }
  yield printer.end();
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
