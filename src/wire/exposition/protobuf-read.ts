// Reads length-delimited io.prometheus.client.MetricFamily messages, entry by entry as if they were text: classic histograms
// and summaries come out as their series, native histograms as values.

import { errorText } from '#base/errors.ts';
import type { MetricType } from '#model/batch.ts';
import type { Histogram, Span } from '#model/histogram.ts';
import { type Labels, METRIC_NAME } from '#model/labels.ts';
import { ProtoReader } from '../protobuf.ts';
import { bucketsOf, newSide, readSide, type Side } from '../sides.ts';
import { type EntryKind, type EntryReader, ExpositionError, NO_NAMES, type PageExemplar } from './entries.ts';
import { ClassicHistogram } from './nhcb.ts';
import { formatOpenMetricsFloat } from './number.ts';
import { sortedUnique } from './text.ts';

export type ProtobufOptions = {
  /** Otherwise native parts are passed over. */
  readonly nativeHistograms: boolean;
  /** Classic buckets also of histograms that have native ones, or that are converted. */
  readonly alwaysClassic: boolean;
  /** Classic histograms become native ones with custom buckets. */
  readonly convertClassic: boolean;
};

const TYPES: readonly MetricType[] = ['counter', 'gauge', 'summary', 'unknown', 'histogram', 'gaugehistogram'];

type Entry = {
  readonly kind: 'type' | 'help' | 'unit' | 'series' | 'histogram';
  readonly name: string;
  readonly metric: Metric | undefined;
  /** The label that the series of a histogram or summary differ in. */
  readonly extra: readonly [string, string] | undefined;
  readonly value: number;
  readonly timestamp: number;
  readonly start: number;
  readonly histogram: Histogram | undefined;
  readonly exemplars: readonly PageExemplar[];
};

type Bucket = { count: number; bound: number; exemplar: PageExemplar | undefined };

/** What a Metric message may hold, whichever type it is. */
type Metric = {
  /** Where the labels' messages begin and end in the page, by turns. They are decoded only for series that are not known. */
  spans: number[];
  /** Nothing else stands between them. */
  isRun: boolean;
  /** The same as text, byte by byte; and decoded. */
  raw: string | undefined;
  labels: [string, string][] | undefined;
  value: number;
  timestamp: number;
  start: number;
  count: number;
  countFloat: number;
  sum: number;
  quantiles: { quantile: number; value: number }[];
  buckets: Bucket[];
  exemplars: PageExemplar[];
  schema: number;
  zeroThreshold: number;
  zeroCount: number;
  zeroCountFloat: number;
  positive: Side;
  negative: Side;
};

export class ProtobufReader implements EntryReader {
  familyName = '';
  familyType: MetricType = 'unknown';
  familyText = '';
  readonly #reader: ProtoReader;
  readonly #page: Buffer;
  readonly #options: ProtobufOptions;
  #queue: Entry[] = [];
  #next = 0;
  #entry: Entry | undefined;

  constructor(page: Uint8Array, options: ProtobufOptions) {
    this.#reader = new ProtoReader(page);
    this.#page = Buffer.from(page.buffer, page.byteOffset, page.length);
    this.#options = options;
  }

  get value(): number {
    return this.#entry!.value;
  }
  get timestamp(): number {
    return this.#entry!.timestamp;
  }
  get start(): number {
    return this.#entry!.start;
  }
  get histogram(): Histogram | undefined {
    return this.#entry!.histogram;
  }

  key(): string {
    const { name, metric, extra, kind } = this.#entry!;
    const key = `${kind === 'histogram' ? '\xfe' : ''}${name}\xff${this.#rawLabels(metric!)}`;
    return extra ? `${key}\xff${extra[0]}\xff${extra[1]}` : key;
  }

  labels(): Labels {
    const { name } = this.#entry!;
    return sortedUnique([[METRIC_NAME, name], ...this.#pairs()]);
  }

  get emptyNames(): readonly string[] {
    const labels = this.#pairs();
    return labels.some(([, value]) => value === '')
      ? labels.filter(([, value]) => value === '').map(([name]) => name)
      : NO_NAMES;
  }

  #rawLabels(metric: Metric): string {
    const { spans, isRun } = metric;
    if (metric.raw !== undefined) return metric.raw;
    let raw = '';
    if (isRun && spans.length > 0) raw = this.#page.toString('latin1', spans[0], spans.at(-1));
    else
      for (let i = 0; i < spans.length; i += 2) raw += `${this.#page.toString('latin1', spans[i], spans[i + 1])}\xff`;
    metric.raw = raw;
    return raw;
  }

  /** The labels of the entry, as they are written. */
  #pairs(): readonly (readonly [string, string])[] {
    const { metric, extra } = this.#entry!;
    const { spans } = metric!;
    let { labels } = metric!;
    if (!labels) {
      labels = [];
      for (let i = 0; i < spans.length; i += 2) labels.push(this.#pair(spans[i]!, spans[i + 1]!));
      metric!.labels = labels;
    }
    return extra ? [...labels, extra] : labels;
  }

  #pair(start: number, end: number): [string, string] {
    let pair: [string, string];
    try {
      pair = readPair(new ProtoReader(this.#reader.bytes, start, end));
    } catch (error) {
      throw new ExpositionError(errorText(error));
    }
    const [label, value] = pair;
    if (label === '' || !label.isWellFormed() || !value.isWellFormed()) {
      throw new ExpositionError(`invalid label of metric ${JSON.stringify(this.familyName)}`);
    }
    return pair;
  }

  exemplars(): readonly PageExemplar[] {
    return this.#entry!.exemplars;
  }

  next(): EntryKind {
    while (this.#next >= this.#queue.length) {
      if (!this.#reader.more()) return 'end';
      this.#queue = [];
      this.#next = 0;
      try {
        this.#readFamily();
      } catch (error) {
        throw error instanceof ExpositionError ? error : new ExpositionError(errorText(error));
      }
    }
    this.#entry = this.#queue[this.#next++]!;
    // For these the entry's name is their text.
    if (this.#entry.kind === 'help' || this.#entry.kind === 'unit') this.familyText = this.#entry.name;
    return this.#entry.kind;
  }

  #readFamily(): void {
    const reader = this.#reader;
    const outer = reader.open();
    let [name, help, unit, type] = ['', '', '', 0];
    const metrics: { start: number; end: number }[] = [];
    while (reader.more()) {
      const tag = reader.tag();
      if (tag === 0x0a) name = reader.string();
      else if (tag === 0x12) help = reader.string();
      else if (tag === 0x18) type = reader.int32();
      else if (tag === 0x22) metrics.push(reader.span());
      else if (tag === 0x2a) unit = reader.string();
      else reader.skip(tag);
    }
    reader.close(outer);
    if (metrics.length === 0) return;
    if (name === '' || !name.isWellFormed()) throw new ExpositionError(`invalid metric name: ${name.toWellFormed()}`);
    if (!help.isWellFormed()) throw new ExpositionError(`invalid help for metric ${JSON.stringify(name)}`);
    const known = TYPES[type];
    if (known === undefined)
      throw new ExpositionError(`unknown metric type for metric ${JSON.stringify(name)}: ${type}`);
    this.familyName = name;
    this.familyType = known;
    this.#meta('help', help);
    this.#meta('type', known);
    if (unit !== '') this.#meta('unit', unit);
    for (const { start, end } of metrics) {
      const metric = readMetric(new ProtoReader(reader.bytes, start, end));
      this.#emit(name, known, metric);
    }
  }

  #meta(kind: 'help' | 'type' | 'unit', text: string): void {
    this.#queue.push({ ...NOTHING, kind, name: text });
  }

  #emit(name: string, type: MetricType, metric: Metric): void {
    switch (type) {
      case 'summary':
        this.#series(metric, `${name}_count`, metric.count);
        this.#series(metric, `${name}_sum`, metric.sum);
        for (const { quantile, value } of metric.quantiles) {
          this.#series(metric, name, value, ['quantile', formatOpenMetricsFloat(quantile)]);
        }
        return;
      case 'histogram':
      case 'gaugehistogram':
        this.#emitHistogram(name, type, metric);
        return;
      default:
        this.#series(metric, name, metric.value, undefined, type === 'counter' ? metric.exemplars.slice(0, 1) : []);
    }
  }

  #emitHistogram(name: string, type: MetricType, metric: Metric): void {
    const { nativeHistograms, alwaysClassic, convertClassic } = this.#options;
    const isNative =
      nativeHistograms &&
      (metric.positive.spans.length > 0 ||
        metric.negative.spans.length > 0 ||
        metric.zeroThreshold > 0 ||
        metric.zeroCount > 0 ||
        metric.zeroCountFloat > 0);
    let value: Histogram | undefined;
    if (isNative) value = nativeOf(metric, type === 'gaugehistogram');
    else if (convertClassic) value = customOf(metric, type === 'gaugehistogram');
    if (value) {
      const own = metric.exemplars.length > 0 ? metric.exemplars : metric.buckets.flatMap((b) => b.exemplar ?? []);
      this.#push(
        metric,
        'histogram',
        name,
        0,
        undefined,
        own.filter((e) => !Number.isNaN(e.timestamp)),
        value,
      );
    }
    if (value && !(alwaysClassic && (metric.buckets.length > 0 || !isNative))) return;
    const count = metric.countFloat || metric.count;
    this.#series(metric, `${name}_count`, count);
    this.#series(metric, `${name}_sum`, metric.sum);
    for (const bucket of metric.buckets) {
      const exemplars = bucket.exemplar ? [bucket.exemplar] : [];
      this.#series(metric, `${name}_bucket`, bucket.count, ['le', formatOpenMetricsFloat(bucket.bound)], exemplars);
    }
    if (metric.buckets.at(-1)?.bound !== Infinity) this.#series(metric, `${name}_bucket`, count, ['le', '+Inf']);
  }

  #series(
    metric: Metric,
    name: string,
    value: number,
    extra?: [string, string],
    exemplars: readonly PageExemplar[] = [],
  ) {
    this.#push(metric, 'series', name, value, extra, exemplars, undefined);
  }

  #push(
    metric: Metric,
    kind: Entry['kind'],
    name: string,
    value: number,
    extra: [string, string] | undefined,
    exemplars: readonly PageExemplar[],
    histogram: Histogram | undefined,
  ): void {
    const { timestamp, start } = metric;
    this.#queue.push({ kind, name, metric, extra, value, timestamp, start, histogram, exemplars });
  }
}

const NOTHING: Entry = {
  kind: 'help',
  name: '',
  metric: undefined,
  extra: undefined,
  value: 0,
  timestamp: Number.NaN,
  start: 0,
  histogram: undefined,
  exemplars: [],
};

function nativeOf(metric: Metric, isGauge: boolean): Histogram {
  const integer = !(metric.countFloat > 0 || metric.zeroCountFloat > 0);
  const buckets = (side: Side) => {
    const filled = bucketsOf(side, integer);
    const wanted = side.spans.reduce((sum, span) => sum + span.length, 0);
    if (wanted !== filled.length) {
      throw new ExpositionError(`histogram has ${filled.length} buckets where its spans have ${wanted}`);
    }
    return filled;
  };
  return {
    integer,
    schema: metric.schema,
    zeroThreshold: metric.zeroThreshold,
    zeroCount: integer ? metric.zeroCount : metric.zeroCountFloat,
    count: integer ? metric.count : metric.countFloat,
    sum: metric.sum,
    positiveSpans: filledSpans(metric.positive.spans),
    negativeSpans: filledSpans(metric.negative.spans),
    positiveBuckets: buckets(metric.positive),
    negativeBuckets: buckets(metric.negative),
    counterReset: isGauge ? 'gauge' : 'unknown',
  };
}

/** An empty span only says that the histogram is native, or moves the next one on. */
function filledSpans(spans: readonly Span[]): Span[] {
  const filled: Span[] = [];
  let moved = 0;
  for (const { offset, length } of spans) {
    if (length > 0) filled.push({ offset: offset + moved, length });
    moved = length > 0 ? 0 : moved + offset;
  }
  return filled;
}

function customOf(metric: Metric, isGauge: boolean): Histogram | undefined {
  const classic = new ClassicHistogram();
  classic.setCount(metric.countFloat || metric.count);
  classic.setSum(metric.sum);
  for (const { bound, count } of metric.buckets) classic.setBucket(bound, count);
  const converted = classic.convert();
  return converted && isGauge ? { ...converted, counterReset: 'gauge' } : converted;
}

/** Of what is no histogram; nothing is ever put into it. */
const NO_SIDE = newSide();

function readMetric(reader: ProtoReader): Metric {
  const metric: Metric = {
    spans: [],
    isRun: true,
    raw: undefined,
    labels: undefined,
    value: 0,
    timestamp: Number.NaN,
    start: 0,
    count: 0,
    countFloat: 0,
    sum: 0,
    quantiles: [],
    buckets: [],
    exemplars: [],
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    zeroCountFloat: 0,
    positive: NO_SIDE,
    negative: NO_SIDE,
  };
  let isBehind = false;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === 0x0a) {
      const { start, end } = reader.span();
      metric.spans.push(start, end);
      if (isBehind && metric.spans.length > 2) metric.isRun = false;
      isBehind = false;
      continue;
    }
    isBehind = true;
    switch (tag) {
      case 0x12:
      case 0x2a:
        within(reader, (inner) => {
          if (inner === 0x09) metric.value = reader.double();
          else reader.skip(inner);
        });
        break;
      case 0x1a:
        within(reader, (inner) => {
          if (inner === 0x09) metric.value = reader.double();
          else if (inner === 0x12) metric.exemplars.push(readExemplar(reader));
          else if (inner === 0x1a) metric.start = readTime(reader);
          else reader.skip(inner);
        });
        break;
      case 0x22:
        within(reader, (inner) => readSummaryField(reader, inner, metric));
        break;
      case 0x30: {
        const time = reader.int64();
        if (time !== 0) metric.timestamp = time;
        break;
      }
      case 0x3a:
        if (metric.positive === NO_SIDE) {
          metric.positive = newSide();
          metric.negative = newSide();
        }
        within(reader, (inner) => readHistogramField(reader, inner, metric));
        break;
      default:
        reader.skip(tag);
    }
  }
  return metric;
}

function within(reader: ProtoReader, field: (tag: number) => void): void {
  const outer = reader.open();
  while (reader.more()) field(reader.tag());
  reader.close(outer);
}

function readSummaryField(reader: ProtoReader, tag: number, metric: Metric): void {
  if (tag === 0x08) metric.count = reader.uint64();
  else if (tag === 0x11) metric.sum = reader.double();
  else if (tag === 0x1a) {
    const quantile = { quantile: 0, value: 0 };
    within(reader, (inner) => {
      if (inner === 0x09) quantile.quantile = reader.double();
      else if (inner === 0x11) quantile.value = reader.double();
      else reader.skip(inner);
    });
    metric.quantiles.push(quantile);
  } else if (tag === 0x22) metric.start = readTime(reader);
  else reader.skip(tag);
}

function readHistogramField(reader: ProtoReader, tag: number, metric: Metric): void {
  const { positive, negative } = metric;
  switch (tag >>> 3) {
    case 1:
      metric.count = reader.uint64();
      return;
    case 2:
      metric.sum = reader.double();
      return;
    case 3:
      metric.buckets.push(readBucket(reader));
      return;
    case 4:
      metric.countFloat = reader.double();
      return;
    case 5:
      metric.schema = reader.sint32();
      return;
    case 6:
      metric.zeroThreshold = reader.double();
      return;
    case 7:
      metric.zeroCount = reader.uint64();
      return;
    case 8:
      metric.zeroCountFloat = reader.double();
      return;
    case 15:
      metric.start = readTime(reader);
      return;
    case 16:
      metric.exemplars.push(readExemplar(reader));
      return;
    default:
      if (!readSide(reader, tag, 9, negative) && !readSide(reader, tag, 12, positive)) reader.skip(tag);
  }
}

function readBucket(reader: ProtoReader): Bucket {
  const bucket: Bucket = { count: 0, bound: 0, exemplar: undefined };
  let float = 0;
  within(reader, (tag) => {
    if (tag === 0x08) bucket.count = reader.uint64();
    else if (tag === 0x11) bucket.bound = reader.double();
    else if (tag === 0x1a) bucket.exemplar = readExemplar(reader);
    else if (tag === 0x21) float = reader.double();
    else reader.skip(tag);
  });
  if (float !== 0) bucket.count = float;
  return bucket;
}

function readPair(reader: ProtoReader): [string, string] {
  const pair: [string, string] = ['', ''];
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === 0x0a) pair[0] = reader.string();
    else if (tag === 0x12) pair[1] = reader.string();
    else reader.skip(tag);
  }
  return pair;
}

function readExemplar(reader: ProtoReader): PageExemplar {
  const pairs: [string, string][] = [];
  let [value, timestamp] = [0, Number.NaN];
  within(reader, (tag) => {
    if (tag === 0x0a) {
      const outer = reader.open();
      pairs.push(readPair(reader));
      reader.close(outer);
    } else if (tag === 0x11) value = reader.double();
    else if (tag === 0x1a) timestamp = readTime(reader);
    else reader.skip(tag);
  });
  return { labels: sortedUnique(pairs), value, timestamp };
}

/** google.protobuf.Timestamp, in milliseconds. */
function readTime(reader: ProtoReader): number {
  let [seconds, nanos] = [0, 0];
  within(reader, (tag) => {
    if (tag === 0x08) seconds = reader.int64();
    else if (tag === 0x10) nanos = reader.int32();
    else reader.skip(tag);
  });
  return seconds * 1000 + Math.trunc(nanos / 1e6);
}
