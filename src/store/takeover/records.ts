// The records of Prometheus' logs, one function per kind. References of series are those of the Prometheus that wrote
// them; values go to a sink, so that nothing is allocated per sample.

import type { MetricType } from '#model/batch.ts';
import { type CounterReset, CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import { ByteReader, corrupt } from '../block/bytes.ts';

export const RECORD = {
  series: 1,
  samples: 2,
  tombstones: 3,
  exemplars: 4,
  mmapMarkers: 5,
  metadata: 6,
  histograms: 7,
  floatHistograms: 8,
  customHistograms: 9,
  customFloatHistograms: 10,
  samples2: 11,
  histograms2: 12,
  floatHistograms2: 13,
} as const;

/** What a pass over a log wants to hear of; what it leaves out is skipped. */
export type RecordSink = {
  series?(ref: number, labels: Labels): void;
  sample?(ref: number, time: number, high: number, low: number): void;
  histogram?(ref: number, time: number, histogram: Histogram): void;
  deleted?(ref: number, min: number, max: number): void;
  exemplar?(ref: number, time: number, value: number, labels: Labels): void;
  metadata?(ref: number, type: MetricType, unit: string, help: string): void;
};

const METRIC_TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];
const RESETS: readonly CounterReset[] = ['unknown', 'reset', 'notReset', 'gauge'];

export function readRecord(bytes: Uint8Array, sink: RecordSink): void {
  const reader = new ByteReader(bytes);
  const type = reader.u8();
  switch (type) {
    case RECORD.series:
      if (sink.series) while (reader.left > 0) sink.series(reader.be64(), readLabels(reader));
      break;
    case RECORD.samples:
      if (sink.sample) readSamples(reader, sink.sample);
      break;
    case RECORD.samples2:
      if (sink.sample) readSamples2(reader, sink.sample);
      break;
    case RECORD.tombstones:
      while (sink.deleted && reader.left > 0) sink.deleted(reader.be64(), reader.varint(), reader.varint());
      break;
    case RECORD.exemplars:
      if (sink.exemplar) readExemplars(reader, sink.exemplar);
      break;
    case RECORD.metadata:
      if (sink.metadata) readMetadata(reader, sink.metadata);
      break;
    case RECORD.histograms:
    case RECORD.customHistograms:
      if (sink.histogram) readHistograms(reader, true, sink.histogram);
      break;
    case RECORD.floatHistograms:
    case RECORD.customFloatHistograms:
      if (sink.histogram) readHistograms(reader, false, sink.histogram);
      break;
    case RECORD.histograms2:
    case RECORD.floatHistograms2:
      if (sink.histogram) readHistograms2(reader, type === RECORD.histograms2, sink.histogram);
      break;
    case RECORD.mmapMarkers:
      break;
    default:
      throw corrupt(`a log record: its type ${type} is not known`);
  }
}

function readLabels(reader: ByteReader): Labels {
  const labels: string[] = [];
  for (let rest = reader.uvarint(); rest > 0; rest--) labels.push(reader.text(), reader.text());
  return labels;
}

function readSamples(reader: ByteReader, sample: NonNullable<RecordSink['sample']>): void {
  if (reader.left === 0) return;
  const ref = reader.be64();
  const time = reader.be64();
  while (reader.left > 0) {
    const sampleRef = ref + reader.varint();
    const sampleTime = time + reader.varint();
    sample(sampleRef, sampleTime, reader.be32(), reader.be32());
  }
}

/** Start times are skipped: blocks do not keep them. */
function skipStart(reader: ByteReader): void {
  const marker = reader.u8();
  if (marker > 1) reader.varint();
}

function readSamples2(reader: ByteReader, sample: NonNullable<RecordSink['sample']>): void {
  if (reader.left === 0) return;
  let ref = reader.varint();
  const time = reader.varint();
  reader.varint();
  sample(ref, time, reader.be32(), reader.be32());
  while (reader.left > 0) {
    ref += reader.varint();
    const sampleTime = time + reader.varint();
    skipStart(reader);
    sample(ref, sampleTime, reader.be32(), reader.be32());
  }
}

function readExemplars(reader: ByteReader, exemplar: NonNullable<RecordSink['exemplar']>): void {
  if (reader.left === 0) return;
  const ref = reader.be64();
  const time = reader.be64();
  const value = new Float64Array(1);
  while (reader.left > 0) {
    const ownRef = ref + reader.varint();
    const ownTime = time + reader.varint();
    reader.f64Into(value, 0);
    exemplar(ownRef, ownTime, value[0]!, readLabels(reader));
  }
}

function readMetadata(reader: ByteReader, metadata: NonNullable<RecordSink['metadata']>): void {
  while (reader.left > 0) {
    const ref = reader.uvarint();
    const type = METRIC_TYPES[reader.u8()] ?? 'unknown';
    const fields = new Map<string, string>();
    for (let rest = reader.uvarint(); rest > 0; rest--) fields.set(reader.text(), reader.text());
    metadata(ref, type, fields.get('UNIT') ?? '', fields.get('HELP') ?? '');
  }
}

function readHistograms(reader: ByteReader, integer: boolean, sink: NonNullable<RecordSink['histogram']>): void {
  if (reader.left === 0) return;
  const ref = reader.be64();
  const time = reader.be64();
  while (reader.left > 0) {
    const ownRef = ref + reader.varint();
    const ownTime = time + reader.varint();
    sink(ownRef, ownTime, readHistogram(reader, integer));
  }
}

function readHistograms2(reader: ByteReader, integer: boolean, sink: NonNullable<RecordSink['histogram']>): void {
  if (reader.left === 0) return;
  let ref = reader.varint();
  const time = reader.varint();
  reader.varint();
  for (let first = true; reader.left > 0; first = false) {
    let ownTime = time;
    if (!first) {
      ref += reader.varint();
      ownTime += reader.varint();
      skipStart(reader);
    }
    sink(ref, ownTime, readHistogram(reader, integer));
  }
}

function readHistogram(reader: ByteReader, integer: boolean): Histogram {
  const doubles = new Float64Array(4);
  const counterReset = RESETS[reader.u8()] ?? 'unknown';
  const schema = reader.varint();
  reader.f64Into(doubles, 0);
  for (const slot of [1, 2]) {
    if (integer) doubles[slot] = reader.uvarint();
    else reader.f64Into(doubles, slot);
  }
  reader.f64Into(doubles, 3);
  const words = new Uint32Array(doubles.buffer, 24, 2);
  const stale = words[1] === 0x7ff00000 && words[0] === 2;
  const positiveSpans = readSpans(reader);
  const negativeSpans = readSpans(reader);
  const positiveBuckets = readBuckets(reader, integer);
  const negativeBuckets = readBuckets(reader, integer);
  const customValues = schema === CUSTOM_BUCKETS_SCHEMA ? readBuckets(reader, false) : undefined;
  return {
    integer,
    schema,
    zeroThreshold: doubles[0]!,
    zeroCount: doubles[1]!,
    count: doubles[2]!,
    sum: doubles[3]!,
    ...(stale ? { stale } : {}),
    positiveSpans,
    negativeSpans,
    positiveBuckets,
    negativeBuckets,
    ...(customValues ? { customValues } : {}),
    counterReset,
  };
}

function readSpans(reader: ByteReader): Span[] {
  const spans: Span[] = [];
  for (let rest = reader.uvarint(); rest > 0; rest--) {
    spans.push({ offset: reader.varint(), length: reader.uvarint() });
  }
  return spans;
}

/** Integer buckets are written as differences, here they are absolute. */
function readBuckets(reader: ByteReader, integer: boolean): Float64Array {
  const length = reader.uvarint();
  if (length > reader.left) throw corrupt(`a log record: ${length} buckets in ${reader.left} bytes`);
  const buckets = new Float64Array(length);
  let count = 0;
  for (let i = 0; i < length; i++) {
    if (integer) buckets[i] = count += reader.varint();
    else reader.f64Into(buckets, i);
  }
  return buckets;
}
