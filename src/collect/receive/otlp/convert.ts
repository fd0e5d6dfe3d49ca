// OTLP metrics to samples of series, as Prometheus translates them: names, attributes to labels, resource attributes to
// job, instance and target_info, histograms to classic buckets or native ones.

import type { Exemplar, MetricType } from '#model/batch.ts';
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, MAX_SCHEMA, MIN_SCHEMA } from '#model/histogram.ts';
import { compareText, type Labels, labelsFrom, METRIC_NAME } from '#model/labels.ts';
import { formatValue, STALE_HIGH, STALE_LOW } from '#model/value.ts';
import type {
  Attribute,
  ExponentialPoint,
  HistogramPoint,
  OtlpExemplar,
  OtlpMetric,
  ResourceMetrics,
  ScopeMetrics,
} from '#wire/otlp/model.ts';
import { spansOf } from '../resolution.ts';
import type { OtlpSection } from './config.ts';
import { coarser } from './delta.ts';
import { escapes, type LabelNaming, labelName, metricName, unitName } from './names.ts';

export type OtlpSettings = {
  readonly section: OtlpSection;
  /** Feature otlp-native-delta-ingestion: deltas are stored as they are, with unknown type. */
  readonly allowDelta: boolean;
  /** Feature type-and-unit-labels. */
  readonly typeAndUnitLabels: boolean;
  readonly lookbackMs: number;
};

/** Where converted samples go. */
export interface OtlpSink {
  sample(labels: Labels, timestamp: number, value: number, start: number, exemplars: readonly Exemplar[]): void;
  stale(labels: Labels, timestamp: number, low: number, high: number): void;
  histogram(labels: Labels, timestamp: number, value: Histogram, start: number, exemplars: readonly Exemplar[]): void;
  metadata(family: string, metadata: { type: MetricType; help: string; unit: string }): void;
  problem(message: string): void;
  warning(category: string, message: string): void;
}

const ZERO_THRESHOLD = 1e-128;
const MAX_EXEMPLAR_RUNES = 128;
const IDENTIFYING = ['service.namespace', 'service.name', 'service.instance.id'];

export function convertOtlp(resources: readonly ResourceMetrics[], settings: OtlpSettings, sink: OtlpSink): void {
  const converter = new Converter(settings, sink);
  for (const resource of resources) converter.resource(resource);
}

type Common = { readonly type: MetricType; readonly unit: string; readonly family: string };

class Converter {
  readonly #settings: OtlpSettings;
  readonly #sink: OtlpSink;
  readonly #naming: LabelNaming;
  readonly #names = new Map<string, string>();
  readonly #seenTargets = new Set<string>();
  readonly #collisions = new Set<string>();
  #promoted: Attribute[] = [];
  #identity: Attribute[] = [];
  #scope: Attribute[] = [];

  constructor(settings: OtlpSettings, sink: OtlpSink) {
    const { section } = settings;
    this.#settings = settings;
    this.#sink = sink;
    this.#naming = {
      utf8: !escapes(section.translation_strategy),
      prefixUnderscore: section.label_name_underscore_sanitization,
      keepUnderscores: section.label_name_preserve_multiple_underscores,
    };
  }

  resource(resource: ResourceMetrics): void {
    let earliest = Infinity;
    let latest = 0;
    try {
      this.#enter(resource.attributes);
    } catch (error) {
      this.#sink.problem((error as Error).message);
      return;
    }
    for (const scope of resource.scopes) {
      try {
        this.#enterScope(scope);
      } catch (error) {
        this.#sink.problem((error as Error).message);
        continue;
      }
      for (const metric of scope.metrics) {
        for (const { timestamp } of metric.data.points) {
          earliest = Math.min(earliest, timestamp);
          latest = Math.max(latest, timestamp);
        }
        try {
          this.#metric(metric);
        } catch (error) {
          this.#sink.problem((error as Error).message);
        }
      }
    }
    if (earliest === Infinity) return;
    try {
      this.#targetInfo(resource.attributes, earliest, latest);
    } catch (error) {
      this.#sink.problem((error as Error).message);
    }
  }

  #name(label: string): string {
    let name = this.#names.get(label);
    if (name === undefined) {
      name = labelName(label, this.#naming);
      this.#names.set(label, name);
    }
    return name;
  }

  #enter(attributes: readonly Attribute[]): void {
    const { section } = this.#settings;
    const find = (key: string) => attributes.find(([name]) => name === key)?.[1];
    const service = find('service.name');
    const namespace = find('service.namespace');
    const instance = find('service.instance.id');
    this.#identity = [];
    if (service) this.#identity.push(['job', namespace === undefined ? service : `${namespace}/${service}`]);
    if (instance) this.#identity.push(['instance', instance]);
    const listed = new Set(
      (section.promote_all_resource_attributes
        ? section.ignore_resource_attributes
        : section.promote_resource_attributes
      ).map((name) => name.trim()),
    );
    this.#promoted = attributes
      .filter(([name]) => listed.has(name) !== section.promote_all_resource_attributes)
      .map(([name, value]) => [this.#name(name), value]);
  }

  #enterScope({ name, version, schemaUrl, attributes }: ScopeMetrics): void {
    this.#scope = [];
    if (!this.#settings.section.promote_scope_metadata || name === '') return;
    this.#scope = attributes.map(([key, value]) => [this.#name(`otel_scope_${key}`), value]);
    this.#scope.push(['otel_scope_name', name], ['otel_scope_version', version], ['otel_scope_schema_url', schemaUrl]);
  }

  /** Labels of a data point without the metric's name. */
  #labels(attributes: readonly Attribute[], common: Common | undefined, source: string): Map<string, string> {
    const labels = new Map<string, string>();
    for (const [key, value] of [...attributes].sort(([a], [b]) => compareText(a, b))) {
      const name = this.#naming.utf8 ? key : this.#name(key);
      const before = labels.get(name);
      if (before && !this.#naming.utf8) {
        labels.set(name, `${before};${value}`);
        this.#collide(name, source);
      } else labels.set(name, value);
    }
    if (common) for (const [name, value] of this.#promoted) if (!labels.get(name)) labels.set(name, value);
    for (const [name, value] of this.#identity) labels.set(name, value);
    if (common) for (const [name, value] of this.#scope) labels.set(name, value);
    if (common && this.#settings.typeAndUnitLabels) {
      if (common.type !== 'unknown') labels.set('__type__', common.type);
      if (common.unit !== '') labels.set('__unit__', common.unit);
    }
    return labels;
  }

  #collide(name: string, source: string): void {
    if (this.#collisions.has(name)) return;
    this.#collisions.add(name);
    this.#sink.warning(
      'label_name_collision',
      `OTLP ${source} attributes collide as label ${JSON.stringify(name)} after name sanitization, values are concatenated with ';'`,
    );
  }

  #metric(metric: OtlpMetric): void {
    const { data } = metric;
    const { section, allowDelta } = this.#settings;
    if (data.kind === 'none') throw new Error('unsupported metric type');
    const isDelta = 'temporality' in data && data.temporality === 'delta';
    if ('temporality' in data && data.temporality !== 'cumulative' && !(allowDelta && isDelta)) {
      throw new Error(`invalid temporality and type combination for metric ${JSON.stringify(metric.name)}`);
    }
    const family = metricName(metric, section.translation_strategy);
    if (data.points.length === 0) {
      this.#sink.warning('empty_data_points', `empty data points. ${metric.name} is dropped`);
      return;
    }
    const type = isDelta ? 'unknown' : typeOf(metric);
    const common = { type, unit: unitName(metric.unit, false), family };
    this.#sink.metadata(family, { type, help: metric.description, unit: common.unit });
    switch (data.kind) {
      case 'gauge':
      case 'sum':
        for (const point of data.points) {
          const labels = named(this.#labels(point.attributes, common, 'data point'), family);
          const exemplars = data.kind === 'sum' ? point.exemplars.map(toExemplar) : [];
          this.#put(labels, point, point.value, exemplars);
        }
        break;
      case 'histogram':
        for (const point of data.points) {
          if (section.convert_histograms_to_nhcb) this.#native(point, common, customBuckets(point, isDelta));
          else this.#classic(point, common);
        }
        break;
      case 'exponential':
        for (const point of data.points) this.#native(point, common, exponential(point, isDelta));
        break;
      case 'summary':
        for (const point of data.points) {
          const base = this.#labels(without(point.attributes, 'quantile'), common, 'data point');
          this.#put(named(base, `${family}_sum`), point, point.sum, []);
          this.#put(named(base, `${family}_count`), point, point.count, []);
          for (const { quantile, value } of point.quantiles) {
            const labels = named(new Map([...base, ['quantile', formatValue(quantile)]]), family);
            this.#put(labels, point, value, []);
          }
        }
        break;
    }
  }

  #put(
    labels: Labels,
    point: { readonly timestamp: number; readonly start: number; readonly noValue: boolean },
    value: number,
    exemplars: readonly Exemplar[],
  ): void {
    if (point.noValue) this.#sink.stale(labels, point.timestamp, STALE_LOW, STALE_HIGH);
    else this.#sink.sample(labels, point.timestamp, value, point.start, exemplars);
  }

  #native(point: HistogramPoint | ExponentialPoint, common: Common, value: Histogram): void {
    if (point.count === 0 && (point.sum ?? 0) !== 0) {
      this.#sink.warning(
        'histogram_zero_count_non_zero_sum',
        `histogram data point has zero count, but non-zero sum: ${point.sum}`,
      );
    }
    const labels = named(this.#labels(point.attributes, common, 'data point'), common.family);
    this.#sink.histogram(labels, point.timestamp, value, point.start, point.exemplars.map(toExemplar));
  }

  #classic(point: HistogramPoint, common: Common): void {
    const { family } = common;
    const base = this.#labels(without(point.attributes, 'le'), common, 'data point');
    if (point.sum !== undefined) this.#put(named(base, `${family}_sum`), point, point.sum, []);
    this.#put(named(base, `${family}_count`), point, point.count, []);
    const exemplars = point.exemplars.map(toExemplar);
    let next = 0;
    let cumulative = 0;
    const bucket = (le: string, count: number, upTo: number) => {
      const from = next;
      while (next < exemplars.length && exemplars[next]!.value <= upTo) next++;
      const own = exemplars.slice(from, le === '+Inf' ? undefined : next);
      this.#put(named(new Map([...base, ['le', le]]), `${family}_bucket`), point, count, own);
    };
    for (let i = 0; i < point.bounds.length && i < point.bucketCounts.length; i++) {
      cumulative += point.bucketCounts[i]!;
      bucket(formatValue(point.bounds[i]!), cumulative, point.bounds[i]!);
    }
    bucket('+Inf', point.count, Infinity);
  }

  /** target_info from what the resource is, at least every half lookback while it sends. */
  #targetInfo(attributes: readonly Attribute[], earliest: number, latest: number): void {
    if (attributes.every(([name]) => IDENTIFYING.includes(name)) || this.#identity.length === 0) return;
    const keep = this.#settings.section.keep_identifying_resource_attributes;
    const shown = keep ? attributes : attributes.filter(([name]) => !IDENTIFYING.includes(name));
    const labels = named(this.#labels(shown, undefined, 'resource'), 'target_info');
    this.#sink.metadata('target_info', { type: 'gauge', help: 'Target metadata', unit: '' });
    const key = labels.join('\xff');
    const put = (timestamp: number) => {
      const seen = `${timestamp} ${key}`;
      if (this.#seenTargets.has(seen)) return;
      this.#seenTargets.add(seen);
      this.#sink.sample(labels, timestamp, 1, 0, []);
    };
    for (let t = earliest; t < latest; t += this.#settings.lookbackMs / 2) put(t);
    put(latest);
  }
}

const named = (labels: ReadonlyMap<string, string>, name: string): Labels =>
  labelsFrom([...labels, [METRIC_NAME, name]]);
const without = (attributes: readonly Attribute[], name: string): readonly Attribute[] =>
  attributes.some(([key]) => key === name) ? attributes.filter(([key]) => key !== name) : attributes;

function typeOf({ data }: OtlpMetric): MetricType {
  if (data.kind === 'sum') return data.monotonic ? 'counter' : 'gauge';
  if (data.kind === 'histogram' || data.kind === 'exponential') return 'histogram';
  return data.kind === 'summary' ? 'summary' : data.kind === 'gauge' ? 'gauge' : 'unknown';
}

function toExemplar({ attributes, timestamp, value, traceId, spanId }: OtlpExemplar): Exemplar {
  const pairs: [string, string][] = [];
  if (/[^0]/.test(traceId)) pairs.push(['trace_id', traceId]);
  if (/[^0]/.test(spanId)) pairs.push(['span_id', spanId]);
  const all = [...pairs, ...attributes];
  const runes = all.reduce((sum, [name, text]) => sum + [...name].length + [...text].length, 0);
  return { labels: labelsFrom(runes <= MAX_EXEMPLAR_RUNES ? all : pairs), value, timestamp };
}

function exponential(point: ExponentialPoint, isDelta: boolean): Histogram {
  if (point.scale < MIN_SCHEMA) {
    throw new Error(
      `cannot convert exponential to native histogram. Scale must be >= ${MIN_SCHEMA}, was ${point.scale}`,
    );
  }
  const schema = Math.min(point.scale, MAX_SCHEMA);
  const side = (buckets: ExponentialPoint['positive']) => {
    // OpenTelemetry's bucket 0 lies above 1, Prometheus' ends at 1.
    const { offset, counts } = coarser(buckets, point.scale - schema);
    return spansOf(counts.map((count, i) => [offset + i + 1, count] as const).filter(([, count]) => count > 0));
  };
  const positive = side(point.positive);
  const negative = side(point.negative);
  return {
    ...ending(point),
    integer: true,
    schema,
    zeroThreshold: ZERO_THRESHOLD,
    zeroCount: point.zeroCount,
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    positiveBuckets: positive.buckets,
    negativeBuckets: negative.buckets,
    counterReset: isDelta ? 'gauge' : 'unknown',
  };
}

function customBuckets(point: HistogramPoint, isDelta: boolean): Histogram {
  const used = point.bucketCounts.map((count, i) => [i, count] as const).filter(([, count]) => count > 0);
  const { spans, buckets } = spansOf(used);
  return {
    ...ending(point),
    integer: true,
    schema: CUSTOM_BUCKETS_SCHEMA,
    zeroThreshold: 0,
    zeroCount: 0,
    positiveSpans: spans,
    negativeSpans: [],
    positiveBuckets: buckets,
    negativeBuckets: new Float64Array(0),
    customValues: Float64Array.from(point.bounds),
    counterReset: isDelta ? 'gauge' : 'unknown',
  };
}

const ending = (point: HistogramPoint | ExponentialPoint) =>
  point.noValue ? { count: 0, sum: Number.NaN, stale: true } : { count: point.count, sum: point.sum ?? 0 };
