// The histogram_* functions. Native histograms are points; classic ones are rows that differ in `le` only and are brought
// together here. Where both kinds exist under the same labels nothing is computed, and the user is told.

import type { Histogram } from '#model/histogram.ts';
import { dropMetadata, type Labels, labelsKey, labelValue, withLabel } from '#model/labels.ts';
import { formatValue } from '#model/value.ts';
import type { Annotations } from '../execute/annotations.ts';
import { FLOAT, HISTOGRAM, type Vector, VectorBuilder, withoutEmptyRows, withoutNames } from '../execute/vector.ts';
import { bucketFraction, bucketQuantile, type ClassicBucket } from '../histogram/classic.ts';
import { histogramFraction, histogramQuantile, histogramVariance } from '../histogram/quantile.ts';
import type { Range } from '../parse/ast.ts';

const OF_HISTOGRAM: Readonly<Record<string, (h: Histogram) => number>> = {
  histogram_count: (h) => h.count,
  histogram_sum: (h) => h.sum,
  histogram_avg: (h) => h.sum / h.count,
  histogram_stdvar: histogramVariance,
  histogram_stddev: (h) => Math.sqrt(histogramVariance(h)),
};

export const isHistogramFunction = (name: string): boolean => name in OF_HISTOGRAM;

export function applyHistogramFunction(name: string, vector: Vector, delayed: boolean): Vector {
  const compute = OF_HISTOGRAM[name]!;
  const values = new Float64Array(vector.values.length);
  const kinds = new Uint8Array(vector.kinds.length);
  for (const [at, h] of vector.histograms ?? []) {
    if (vector.kinds[at] !== HISTOGRAM) continue;
    kinds[at] = FLOAT;
    values[at] = compute(h);
  }
  return withoutNames(withoutEmptyRows({ ...vector, values, kinds, histograms: undefined }), delayed);
}

export type HistogramContext = {
  readonly delayed: boolean;
  readonly annotations: Annotations;
  /** Position of the argument with the histograms. */
  readonly range: Range;
  readonly timeAt: (step: number) => number;
};

/** What is asked of each histogram: a quantile or a fraction, at each step. */
type Question = {
  /** Of a native histogram. */
  native(h: Histogram, step: number, metric: string): number;
  classic(buckets: ClassicBucket[], step: number, metric: string): number;
  labels(labels: Labels, step: number): Labels;
};

export function quantiles(
  vector: Vector,
  q: Float64Array,
  label: string | undefined,
  context: HistogramContext,
): Vector {
  const { annotations, range, delayed, timeAt } = context;
  return ask(vector, context, {
    native(h, step, metric) {
      const { value, note } = histogramQuantile(q[step]!, h);
      if (note) annotations.add(`quantile_${note}`, range, metric);
      return value;
    },
    classic(buckets, step, metric) {
      const { value, forced } = bucketQuantile(q[step]!, buckets);
      if (forced) annotations.forcedMonotonicity(delayed ? metric : '', range, timeAt(step), forced);
      return value;
    },
    labels: (labels, step) => (label === undefined ? labels : withLabel(labels, label, openMetricsFloat(q[step]!))),
  });
}

export function fractions(vector: Vector, lower: Float64Array, upper: Float64Array, context: HistogramContext): Vector {
  return ask(vector, context, {
    native(h, step, metric) {
      const { value, excludesNaN } = histogramFraction(lower[step]!, upper[step]!, h);
      if (excludesNaN) context.annotations.add('fraction_nan', context.range, metric);
      return value;
    },
    classic: (buckets, step) => bucketFraction(lower[step]!, upper[step]!, buckets),
    labels: (labels) => labels,
  });
}

/** "1.0" rather than "1", as OpenMetrics writes label values. */
function openMetricsFloat(value: number): string {
  const text = formatValue(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

type ClassicGroup = { readonly labels: Labels; readonly rows: { readonly row: number; readonly upper: number }[] };

function ask(vector: Vector, context: HistogramContext, question: Question): Vector {
  const { annotations, range, delayed } = context;
  const { steps, labels, kinds, values, histograms } = vector;
  const groups = classicGroups(vector, context);
  const builder = new VectorBuilder(steps, labels.length);
  const rowFor = (of: Labels, step: number) =>
    builder.row(question.labels(delayed ? of : dropMetadata(of), step), true);
  const conflicts = new Set<string>();
  for (let row = 0; histograms && row < labels.length; row++) {
    const key = labelsKey(labels[row]!);
    // The names of classic histograms end in _bucket only by convention; what counts are equal labels.
    const group = groups.get(key);
    const metric = labelValue(delayed ? labels[row]! : dropMetadata(labels[row]!), '__name__');
    for (let step = 0; step < steps; step++) {
      const at = row * steps + step;
      if (kinds[at] !== HISTOGRAM) continue;
      if (group?.rows.some((bucket) => kinds[bucket.row * steps + step] === FLOAT)) {
        annotations.add('mixed_classic_native', range, delayed ? labelValue(labels[row]!, '__name__') : '');
        conflicts.add(`${key}\xff${step}`);
        continue;
      }
      builder.float(rowFor(labels[row]!, step), step, question.native(histograms.get(at)!, step, metric));
    }
  }
  for (const [key, group] of groups) {
    const metric = labelValue(group.labels, '__name__');
    let row = -1;
    const buckets: ClassicBucket[] = [];
    for (let step = 0; step < steps; step++) {
      buckets.length = 0;
      for (const bucket of group.rows) {
        const at = bucket.row * steps + step;
        if (kinds[at] === FLOAT) buckets.push({ upper: bucket.upper, count: values[at]! });
      }
      if (buckets.length === 0 || (conflicts.size > 0 && conflicts.has(`${key}\xff${step}`))) continue;
      const value = question.classic(buckets, step, metric);
      if (row < 0 || question.labels(group.labels, step) !== group.labels) row = rowFor(group.labels, step);
      builder.float(row, step, value);
    }
  }
  return builder.build();
}

/** Rows with a usable `le`, by their other labels, in the order of their bounds. */
function classicGroups(vector: Vector, context: HistogramContext): Map<string, ClassicGroup> {
  const { annotations, range, delayed } = context;
  const groups = new Map<string, ClassicGroup>();
  vector.labels.forEach((labels, row) => {
    const le = labelValue(labels, 'le');
    const upper = parseGoFloat(le);
    if (upper === undefined) {
      const hasFloats = vector.kinds.subarray(row * vector.steps, (row + 1) * vector.steps).includes(FLOAT);
      if (hasFloats) annotations.badBucketLabel(delayed ? labelValue(labels, '__name__') : '', le, range);
      return;
    }
    const rest = withLabel(labels, 'le', '');
    const key = labelsKey(rest);
    const group = groups.get(key);
    if (group) group.rows.push({ row, upper });
    else groups.set(key, { labels: rest, rows: [{ row, upper }] });
  });
  for (const group of groups.values()) group.rows.sort((a, b) => a.upper - b.upper || a.row - b.row);
  return groups;
}

export function parseGoFloat(text: string): number | undefined {
  if (/^[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text.replaceAll('_', ''));
  if (/^\+?inf(inity)?$/i.test(text)) return Infinity;
  if (/^-inf(inity)?$/i.test(text)) return -Infinity;
  return /^nan$/i.test(text) ? Number.NaN : undefined;
}
