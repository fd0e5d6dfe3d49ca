// Functions over the results of a subquery: each row of the inner vector is a series whose samples lie on the inner grid.

import type { Histogram } from '#model/histogram.ts';
import { labelValue } from '#model/labels.ts';
import { gridLength, type RawSeries } from '#model/query.ts';
import { noteCounterName } from '../functions/counter-name.ts';
import { computeRow, type RowSink } from '../functions/series.ts';
import { withHint } from '../histogram/arithmetic.ts';
import type { Plan } from '../plan/plan.ts';
import { type Annotations, Notes } from './annotations.ts';
import type { Pace } from './pace.ts';
import { ABSENT, HISTOGRAM, type Vector, withoutEmptyRows } from './vector.ts';

type Context = {
  readonly useStarts: boolean;
  readonly features: ReadonlySet<string>;
  readonly annotations: Annotations;
  readonly pace: Pace;
};

/** Above so many inner steps the outer ones of a row are worked out one by one. */
const MAX_ROW_STEPS = 65_536;

export async function windowOverVector(
  plan: Plan & { kind: 'window' },
  args: readonly number[],
  input: Vector,
  context: Context,
): Promise<Vector> {
  const steps = gridLength(plan.grid);
  const points = input.labels.length * steps;
  const values = new Float64Array(points);
  const kinds = new Uint8Array(points);
  const histograms = new Map<number, Histogram>();
  const notes = new Notes();
  const { pace } = context;
  const { grid, offset, at, window, func } = plan;
  const spec = { grid, offset, window, func, args, useStarts: context.useStarts, ...(at === undefined ? {} : { at }) };
  for (const [row, labels] of input.labels.entries()) {
    const sink: RowSink = {
      values,
      kinds,
      at: row * steps,
      histogram: (target, value) => histograms.set(target, value),
    };
    const samples = rowSamples(input, row, plan.input.grid.start, plan.input.grid.step);
    const metric = labelValue(labels, '__name__');
    if (input.steps <= MAX_ROW_STEPS || at !== undefined) computeRow(spec, samples, metric, sink, notes);
    else {
      for (let step = 0; step < steps; step++) {
        const time = grid.start + step * grid.step;
        const own = plan.args.map((_, i) => args[i * steps + step]!);
        const one = { ...spec, args: own, grid: { start: time, end: time, step: grid.step } };
        computeRow(one, samples, metric, { ...sink, at: sink.at + step }, notes);
        if (pace.did(input.steps)) await pace.giveWay();
      }
    }
    noteCounterName(func, labels, kinds, row * steps, steps, context.features, notes);
    if (pace.did(input.steps + steps)) await pace.giveWay();
  }
  context.annotations.addAll(notes.list(), plan.notesAt);
  return withoutEmptyRows({
    steps,
    labels: input.labels,
    dropName: input.dropName,
    values,
    kinds,
    histograms: histograms.size > 0 ? histograms : undefined,
  });
}

/** A row as samples. Reset hints say nothing about neighbours that the subquery did not pick, so they are forgotten. */
function rowSamples(vector: Vector, row: number, start: number, step: number): RawSeries {
  const { steps, kinds, values, histograms } = vector;
  const base = row * steps;
  const timestamps = new Float64Array(steps);
  const samples = new Float64Array(steps);
  let found: Map<number, Histogram> | undefined;
  let count = 0;
  for (let i = 0; i < steps; i++) {
    const kind = kinds[base + i];
    if (kind === ABSENT) continue;
    timestamps[count] = start + i * step;
    samples[count] = values[base + i]!;
    if (kind === HISTOGRAM) {
      const h = histograms!.get(base + i)!;
      found ??= new Map();
      found.set(count, h.counterReset === 'gauge' ? h : withHint(h, 'unknown'));
    }
    count++;
  }
  return {
    labels: vector.labels[row]!,
    timestamps: timestamps.subarray(0, count),
    values: samples.subarray(0, count),
    ...(found ? { histograms: found } : {}),
  };
}
