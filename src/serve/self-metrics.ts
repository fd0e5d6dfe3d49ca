// The program's own metrics as JSON under /api/v1/status/self_metrics: families in the JSON form of the exposition's protocol
// buffers.

import type { FamilySample, MetricFamily } from '#model/family.ts';
import { type Labels, labelsOf } from '#model/labels.ts';
import { ApiError, type Route, success } from './http.ts';

const TYPES: Readonly<Record<string, string>> = {
  counter: 'COUNTER',
  gauge: 'GAUGE',
  histogram: 'HISTOGRAM',
  summary: 'SUMMARY',
};

export function selfMetricsRoute(families: () => Promise<readonly MetricFamily[]>): Route {
  return {
    methods: ['GET'],
    pattern: '/api/v1/status/self_metrics',
    handler: async ({ query }) => {
      const pattern = query.get('metric_name_pattern') ?? '';
      const filter = pattern === '' ? undefined : compile(pattern);
      const shown = (await families()).map(describeFamily).filter(({ name }) => filter?.test(name) ?? true);
      return success(shown);
    },
  };
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`);
  } catch (error) {
    throw new ApiError('bad_data', `invalid metric_name_pattern: ${(error as Error).message}`);
  }
}

export function describeFamily(family: MetricFamily): { name: string; [field: string]: unknown } {
  const type = TYPES[family.type] ?? 'UNTYPED';
  const isCounter = type === 'COUNTER' && family.samples.every(({ suffix }) => suffix === '_total' || suffix === '');
  const name =
    isCounter && family.samples.some(({ suffix }) => suffix === '_total') ? `${family.name}_total` : family.name;
  return {
    name,
    help: family.help,
    type,
    ...(family.unit ? { unit: family.unit } : {}),
    metric: metricsOf(family, type),
  };
}

/** Numbers as JSON of protocol buffers has them: those that JSON cannot write are texts. */
const double = (value: number): number | string =>
  Number.isFinite(value) ? value : Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
const without = (labels: Labels, name: string): Labels =>
  labelsOf(
    Object.fromEntries(
      Array.from({ length: labels.length / 2 }, (_, i) => [labels[2 * i]!, labels[2 * i + 1]!]).filter(
        ([own]) => own !== name,
      ),
    ),
  );
const labelOf = (labels: Labels, name: string): string => {
  const at = labels.findIndex((text, i) => i % 2 === 0 && text === name);
  return at < 0 ? '' : labels[at + 1]!;
};

function metricsOf({ samples }: MetricFamily, type: string): unknown[] {
  const inner = type === 'HISTOGRAM' ? 'le' : type === 'SUMMARY' ? 'quantile' : '';
  const groups = new Map<string, { labels: Labels; samples: FamilySample[] }>();
  for (const sample of samples) {
    const labels = inner === '' ? sample.labels : without(sample.labels, inner);
    const key = labels.join('\xff');
    const group = groups.get(key) ?? { labels, samples: [] };
    group.samples.push(sample);
    groups.set(key, group);
  }
  return Array.from(groups.values(), ({ labels, samples: own }) => ({
    label: Array.from({ length: labels.length / 2 }, (_, i) => ({ name: labels[2 * i], value: labels[2 * i + 1] })),
    [type.toLowerCase()]: inner === '' ? { value: double(own[0]!.value) } : aggregate(own, inner),
  }));
}

function aggregate(samples: readonly FamilySample[], inner: string): Record<string, unknown> {
  const one = (suffix: string) => samples.find((sample) => sample.suffix === suffix)?.value ?? 0;
  const parts = samples.filter((sample) => labelOf(sample.labels, inner) !== '');
  const bound = (sample: FamilySample) => double(Number(labelOf(sample.labels, inner).replace('Inf', 'Infinity')));
  // Whole numbers of 64 bits are texts.
  const shared = { sampleCount: String(one('_count')), sampleSum: double(one('_sum')) };
  return inner === 'le'
    ? {
        ...shared,
        bucket: parts.map((part) => ({ cumulativeCount: String(part.value), upperBound: bound(part) })),
      }
    : { ...shared, quantile: parts.map((part) => ({ quantile: bound(part), value: double(part.value) })) };
}
