// From parsed families to what is exposed: sorted as Prometheus' own pages are, histograms and summaries as their series.

import type { MetricType } from '#model/batch.ts';
import type { FamilySample, WrittenFamily } from '#model/family.ts';
import { compareText, type Labels } from '#model/labels.ts';
import { formatValue } from '#model/value.ts';
import type { FamilyType, ParsedMetric } from './types.ts';

export type Exposed = {
  readonly name: string;
  readonly type: FamilyType;
  readonly help: string;
  readonly metrics: ParsedMetric[];
};

const MODEL_TYPES: Readonly<Record<FamilyType, MetricType>> = {
  counter: 'counter',
  gauge: 'gauge',
  untyped: 'unknown',
  summary: 'summary',
  histogram: 'histogram',
  gaugehistogram: 'gaugehistogram',
};

/** Samples are made when they are read, one after the other. */
export function exposedFamilies(families: Iterable<Exposed>): WrittenFamily[] {
  return [...families]
    .filter((family) => family.metrics.length > 0)
    .sort((a, b) => compareText(a.name, b.name))
    .map(({ name, type, help, metrics }) => ({
      name,
      type: MODEL_TYPES[type],
      help,
      samples: { [Symbol.iterator]: () => samplesIn(metrics) },
    }));
}

function* samplesIn(metrics: readonly ParsedMetric[]): Generator<FamilySample> {
  for (const metric of [...metrics].sort(compareMetrics)) yield* samplesOf(metric);
}

/**
 * Fewer labels first, then by the values in order, which is the order of Prometheus' own pages. JavaScript's comparison, which differs from
 * that of bytes only beyond the basic plane, is several times faster, and the order within a family means nothing to readers.
 */
function compareMetrics(a: ParsedMetric, b: ParsedMetric): number {
  const [x, y] = [a.labels, b.labels];
  if (x.length !== y.length) return x.length - y.length;
  for (let i = 1; i < x.length; i += 2) {
    if (x[i] === y[i]) continue;
    return x[i]! < y[i]! ? -1 : 1;
  }
  return 0;
}

function samplesOf({ labels, value }: ParsedMetric): FamilySample[] {
  switch (value.kind) {
    case 'number':
      return [{ suffix: '', labels, value: value.number }];
    case 'summary':
      return [
        ...value.quantiles.map(([quantile, number]) => ({
          suffix: '',
          labels: [...labels, 'quantile', formatBound(quantile)],
          value: number,
        })),
        { suffix: '_sum', labels, value: value.sum },
        { suffix: '_count', labels, value: value.count },
      ];
    case 'histogram':
      return histogramSamples(labels, value);
  }
}

function histogramSamples(
  labels: Labels,
  value: Extract<ParsedMetric['value'], { kind: 'histogram' }>,
): FamilySample[] {
  const samples: FamilySample[] = value.buckets.map(([bound, count]) => ({
    suffix: '_bucket',
    labels: [...labels, 'le', formatBound(bound)],
    value: count,
  }));
  if (value.buckets.at(-1)?.[0] !== Infinity)
    samples.push({ suffix: '_bucket', labels: [...labels, 'le', '+Inf'], value: value.count });
  samples.push({ suffix: '_sum', labels, value: value.sum }, { suffix: '_count', labels, value: value.count });
  if (value.native) samples.push({ suffix: '', labels, value: Number.NaN, histogram: value.native });
  return samples;
}

/** As Go prints floats in labels: shortest, with an exponent where it is shorter. */
function formatBound(bound: number): string {
  if (!Number.isFinite(bound)) return formatValue(bound);
  const magnitude = Math.abs(bound);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e21))
    return bound.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return String(bound);
}
