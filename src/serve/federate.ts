// /federate: the newest sample of every series that the selectors choose, for another server to scrape. Stale series are
// left out; external labels are added where a series has none of that name. As text, or delimited protobuf, which
// alone can carry native histograms.

import type { Clock } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '#model/histogram.ts';
import { compareLabels, compareText, type Labels, labelsKey, labelValue, METRIC_NAME } from '#model/labels.ts';
import type { FragmentSource, QueryLimits, RawSeries } from '#model/query.ts';
import type { Counter, Registry } from '#model/registry.ts';
import { isStale } from '#model/value.ts';
import { parseSelector } from '#query/parse/parser.ts';
import { negotiate } from '#wire/exposition/formats.ts';
import { ProtoWriter } from '#wire/protobuf.ts';
import { type HttpRequest, type HttpResponse, type Route, text } from './http.ts';

export type FederateParts = {
  readonly source: FragmentSource;
  readonly clock: Clock;
  readonly registry: Registry;
  /** --query.lookback-delta */
  readonly lookbackMs: number;
  readonly limits: QueryLimits;
  readonly externalLabels: () => Labels;
};

type Newest = {
  readonly name: string;
  readonly labels: Labels;
  readonly timestamp: number;
  readonly value: number;
  readonly histogram: Histogram | undefined;
};

const PROTOBUF = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8';
const TEXT = 'text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8';

export function federateRoutes(parts: FederateParts): readonly Route[] {
  const errors = parts.registry.counter(
    'prometheus_web_federation_errors_total',
    'Total number of errors that occurred while sending federation responses.',
  );
  return [
    {
      methods: ['GET'],
      pattern: '/federate',
      handler: (request) => federate(parts, errors, request),
    },
  ];
}

async function federate(parts: FederateParts, errors: Counter, request: HttpRequest): Promise<HttpResponse> {
  let selectors: ReturnType<typeof parseSelector>[];
  try {
    selectors = request.query.getAll('match[]').map((selector) => parseSelector(selector));
  } catch (error) {
    return text(`${errorText(error)}\n`, 400);
  }
  const now = parts.clock.now();
  const range = { min: now - parts.lookbackMs, max: now };
  const found = new Map<string, Newest>();
  try {
    for (const matchers of selectors) {
      const series = await parts.source.select({ matchers, range }, parts.limits, request.signal);
      for (const one of series) {
        const newest = newestOf(one);
        if (newest) found.set(labelsKey(one.labels), newest);
      }
    }
  } catch (error) {
    errors.add();
    throw error;
  }
  const sorted = [...found.values()].sort((a, b) => compareText(a.name, b.name) || compareLabels(a.labels, b.labels));
  const external = withInstance(parts.externalLabels());
  const accept = String(request.headers['accept'] ?? '');
  if (/application\/vnd\.google\.protobuf[^,]*encoding=delimited/.test(accept.split(',')[0] ?? '')) {
    return { status: 200, headers: { 'content-type': PROTOBUF }, body: protobufOf(sorted, external) };
  }
  const isOpen = negotiate(accept).format === 'openmetrics';
  const body = textOf(sorted, external, isOpen);
  return { status: 200, headers: { 'content-type': isOpen ? OPEN_METRICS : TEXT }, body };
}

/** An instance label is always sent, if empty: else the scraping server would put in its own. */
function withInstance(external: Labels): Labels {
  if (labelValue(external, 'instance') !== '') return external;
  const flat: string[] = [];
  let placed = false;
  for (let i = 0; i < external.length; i += 2) {
    if (!placed && compareText('instance', external[i]!) < 0) {
      flat.push('instance', '');
      placed = true;
    }
    flat.push(external[i]!, external[i + 1]!);
  }
  if (!placed) flat.push('instance', '');
  return flat;
}

function newestOf(series: RawSeries): Newest | undefined {
  const last = series.timestamps.length - 1;
  if (last < 0) return undefined;
  const histogram = series.histograms?.get(last);
  if (histogram ? histogram.stale : isStale(series.values, last)) return undefined;
  const name = labelValue(series.labels, METRIC_NAME);
  if (name === '') return undefined;
  return { name, labels: series.labels, timestamp: series.timestamps[last]!, value: series.values[last]!, histogram };
}

/** The series' labels but the name, then the external ones that it does not have. */
function sentLabels(labels: Labels, external: Labels): string[] {
  const flat: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] !== METRIC_NAME) flat.push(labels[i]!, labels[i + 1]!);
  }
  for (let i = 0; i < external.length; i += 2) {
    if (labelValue(labels, external[i]!) === '') flat.push(external[i]!, external[i + 1]!);
  }
  return flat;
}

const kindOf = ({ histogram }: Newest): string =>
  histogram === undefined ? 'untyped' : histogram.counterReset === 'gauge' ? 'gaugehistogram' : 'histogram';

/** Both text formats: in OpenMetrics what has no type is unknown, times are seconds, and the page has an end. */
function textOf(series: readonly Newest[], external: Labels, isOpen: boolean): string {
  const lines: string[] = [];
  let family = '';
  for (const one of series) {
    // Text has no native histograms; those with custom buckets are classic ones in disguise.
    if (one.histogram && one.histogram.schema !== CUSTOM_BUCKETS_SCHEMA) continue;
    const kind = one.histogram ? 'histogram' : isOpen ? 'unknown' : 'untyped';
    const legacy = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(one.name);
    if (`${one.name} ${kind}` !== family) {
      family = `${one.name} ${kind}`;
      lines.push(`# TYPE ${legacy ? one.name : quoted(one.name)} ${kind}`);
    }
    const labels = sentLabels(one.labels, external);
    const line = (suffix: string, value: number, extra: readonly string[] = []) => {
      const pairs = legacy ? [] : [quoted(one.name + suffix)];
      const all = [...labels, ...extra];
      for (let i = 0; i < all.length; i += 2) {
        const label = all[i]!;
        pairs.push(`${/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) ? label : quoted(label)}=${quoted(all[i + 1]!)}`);
      }
      const body = pairs.length > 0 ? `{${pairs.join(',')}}` : '';
      lines.push(
        `${legacy ? one.name + suffix : ''}${body} ${printed(value)} ${isOpen ? one.timestamp / 1000 : one.timestamp}`,
      );
    };
    if (!one.histogram) line('', one.value);
    else {
      for (const [bound, count] of classicBuckets(one.histogram)) line('_bucket', count, ['le', printed(bound)]);
      line('_sum', one.histogram.sum);
      line('_count', one.histogram.count);
    }
  }
  if (isOpen) lines.push('# EOF');
  return lines.length > 0 ? `${lines.join('\n')}\n` : '';
}

const quoted = (value: string): string =>
  `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

const printed = (value: number): string => {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  return Object.is(value, -0) ? '-0' : String(value);
};

/** Upper bounds with cumulative counts, +Inf last. */
function classicBuckets(histogram: Histogram): [number, number][] {
  const bounds = histogram.customValues ?? new Float64Array(0);
  const counts = new Float64Array(bounds.length + 1);
  let index = 0;
  let at = 0;
  for (const { offset, length } of histogram.positiveSpans) {
    index += offset;
    for (let i = 0; i < length; i++) {
      if (index < counts.length) counts[index] = histogram.positiveBuckets[at] ?? 0;
      index++;
      at++;
    }
  }
  let total = 0;
  return Array.from(counts, (count, i): [number, number] => {
    total += count;
    return [i < bounds.length ? bounds[i]! : Infinity, total];
  });
}

const METRIC_TYPES = { untyped: 3, histogram: 4, gaugehistogram: 5 } as const;

function protobufOf(series: readonly Newest[], external: Labels): Uint8Array {
  const out = new ProtoWriter(64 * 1024);
  const message = new ProtoWriter(4096);
  for (let i = 0; i < series.length; ) {
    const { name } = series[i]!;
    const kind = kindOf(series[i]!);
    message.reset();
    message.string(1, name);
    message.varint(3, METRIC_TYPES[kind as keyof typeof METRIC_TYPES]);
    for (; i < series.length && series[i]!.name === name && kindOf(series[i]!) === kind; i++) {
      const metric = message.begin(4);
      writeMetric(message, series[i]!, external);
      message.end(metric);
    }
    out.rawVarint(message.pos);
    out.raw(message.finish());
  }
  return out.finish();
}

function writeMetric(out: ProtoWriter, one: Newest, external: Labels): void {
  const labels = sentLabels(one.labels, external);
  for (let i = 0; i < labels.length; i += 2) {
    const pair = out.begin(1);
    out.text(1, labels[i]!);
    out.text(2, labels[i + 1]!);
    out.end(pair);
  }
  if (one.histogram) {
    const at = out.begin(7);
    writeHistogram(out, one.histogram);
    out.end(at);
  } else {
    const at = out.begin(5);
    out.tag(1, 1);
    out.rawDouble(one.value);
    out.end(at);
  }
  out.varint(6, one.timestamp);
}

/** io.prometheus.client.Histogram; counts go as floats, which carry integers as well. */
function writeHistogram(out: ProtoWriter, histogram: Histogram): void {
  out.tag(2, 1);
  out.rawDouble(histogram.sum);
  out.double(4, histogram.count);
  if (histogram.schema === CUSTOM_BUCKETS_SCHEMA) {
    for (const [bound, count] of classicBuckets(histogram)) {
      const bucket = out.begin(3);
      out.double(4, count);
      out.tag(2, 1);
      out.rawDouble(bound);
      out.end(bucket);
    }
    return;
  }
  out.tag(5, 0);
  out.rawSint(histogram.schema);
  out.tag(6, 1);
  out.rawDouble(histogram.zeroThreshold);
  out.tag(8, 1);
  out.rawDouble(histogram.zeroCount);
  writeSpans(out, 9, histogram.negativeSpans);
  writeCounts(out, 11, histogram.negativeBuckets);
  writeSpans(out, 12, histogram.positiveSpans);
  writeCounts(out, 14, histogram.positiveBuckets);
}

function writeSpans(out: ProtoWriter, field: number, spans: readonly Span[]): void {
  for (const { offset, length } of spans) {
    const at = out.begin(field);
    out.sint(1, offset);
    out.varint(2, length);
    out.end(at);
  }
}

function writeCounts(out: ProtoWriter, field: number, counts: Float64Array): void {
  if (counts.length === 0) return;
  const at = out.begin(field);
  for (const count of counts) out.rawDouble(count);
  out.end(at);
}
