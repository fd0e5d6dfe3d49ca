// OTLP metrics as the two decoders (protobuf and JSON) hand them on: attribute values are text already, times are
// milliseconds, bucket counts are doubles.

export type Attribute = readonly [key: string, value: string];

export type OtlpExemplar = {
  readonly attributes: readonly Attribute[];
  readonly timestamp: number;
  readonly value: number;
  /** Hexadecimal; '' when absent. */
  readonly traceId: string;
  readonly spanId: string;
};

type Point = {
  readonly attributes: readonly Attribute[];
  readonly start: number;
  readonly timestamp: number;
  /** Flag bit 0: the series ended here. */
  readonly noValue: boolean;
  readonly exemplars: readonly OtlpExemplar[];
};

export type NumberPoint = Point & { readonly value: number };
export type HistogramPoint = Point & {
  readonly count: number;
  readonly sum: number | undefined;
  readonly bucketCounts: readonly number[];
  readonly bounds: readonly number[];
};
export type ExponentialBuckets = { readonly offset: number; readonly counts: readonly number[] };
export type ExponentialPoint = Point & {
  readonly count: number;
  readonly sum: number | undefined;
  readonly scale: number;
  readonly zeroCount: number;
  readonly zeroThreshold: number;
  readonly positive: ExponentialBuckets;
  readonly negative: ExponentialBuckets;
};
export type SummaryPoint = Point & {
  readonly count: number;
  readonly sum: number;
  readonly quantiles: readonly { readonly quantile: number; readonly value: number }[];
};

export type Temporality = 'unspecified' | 'delta' | 'cumulative';
export const TEMPORALITIES: readonly Temporality[] = ['unspecified', 'delta', 'cumulative'];

export type MetricData =
  | { readonly kind: 'gauge'; readonly points: readonly NumberPoint[] }
  | {
      readonly kind: 'sum';
      readonly points: readonly NumberPoint[];
      readonly temporality: Temporality;
      readonly monotonic: boolean;
    }
  | { readonly kind: 'histogram'; readonly points: readonly HistogramPoint[]; readonly temporality: Temporality }
  | { readonly kind: 'exponential'; readonly points: readonly ExponentialPoint[]; readonly temporality: Temporality }
  | { readonly kind: 'summary'; readonly points: readonly SummaryPoint[] }
  | { readonly kind: 'none'; readonly points: readonly never[] };

export type OtlpMetric = {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly data: MetricData;
};

export type ScopeMetrics = {
  readonly name: string;
  readonly version: string;
  readonly schemaUrl: string;
  readonly attributes: readonly Attribute[];
  readonly metrics: readonly OtlpMetric[];
};

export type ResourceMetrics = { readonly attributes: readonly Attribute[]; readonly scopes: readonly ScopeMetrics[] };

/** A structured attribute value as it reads in a label: JSON with sorted keys for maps and lists. */
export function attributeText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '';
  if (typeof value === 'object') return JSON.stringify(sorted(value));
  return String(value);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
