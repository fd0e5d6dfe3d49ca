// ExportMetricsServiceRequest of OTLP in protobuf.

import { ProtoReader } from '../protobuf.ts';
import {
  type Attribute,
  attributeText,
  type ExponentialBuckets,
  type ExponentialPoint,
  type HistogramPoint,
  type MetricData,
  type NumberPoint,
  type OtlpExemplar,
  type OtlpMetric,
  type ResourceMetrics,
  type ScopeMetrics,
  type SummaryPoint,
  TEMPORALITIES,
  type Temporality,
} from './model.ts';

export function decodeOtlpProtobuf(bytes: Uint8Array): ResourceMetrics[] {
  const reader = new ProtoReader(bytes);
  const resources: ResourceMetrics[] = [];
  eachField(reader, (field) => {
    if (field === 1) resources.push(inside(reader, () => readResource(reader)));
    else return false;
    return true;
  });
  return resources;
}

/** Calls `take` for every field up to the reader's limit; fields it does not take are stepped over. */
function eachField(reader: ProtoReader, take: (field: number, tag: number) => boolean): void {
  while (reader.more()) {
    const tag = reader.tag();
    if (!take(tag >>> 3, tag)) reader.skip(tag);
  }
}

function inside<T>(reader: ProtoReader, read: () => T): T {
  const outer = reader.open();
  const value = read();
  reader.close(outer);
  return value;
}

/** Exact, although nanoseconds since the epoch do not fit into a double. */
const milliseconds = (reader: ProtoReader): number => Number(reader.fixed64() / 1_000_000n);

function readResource(reader: ProtoReader): ResourceMetrics {
  let attributes: Attribute[] = [];
  const scopes: ScopeMetrics[] = [];
  eachField(reader, (field) => {
    if (field === 1) attributes = inside(reader, () => readAttributes(reader, 1));
    else if (field === 2) scopes.push(inside(reader, () => readScope(reader)));
    else return false;
    return true;
  });
  return { attributes, scopes };
}

function readAttributes(reader: ProtoReader, wanted: number): Attribute[] {
  const attributes: Attribute[] = [];
  eachField(reader, (field) => {
    if (field !== wanted) return false;
    attributes.push(inside(reader, () => readAttribute(reader)));
    return true;
  });
  return attributes;
}

function readAttribute(reader: ProtoReader): Attribute {
  const [key, value] = readKeyValue(reader);
  return [key, attributeText(value)];
}

function readKeyValue(reader: ProtoReader): [string, unknown] {
  let key = '';
  let value: unknown;
  eachField(reader, (field) => {
    if (field === 1) key = reader.string();
    else if (field === 2) value = inside(reader, () => readAny(reader));
    else return false;
    return true;
  });
  return [key, value];
}

function readAny(reader: ProtoReader): unknown {
  let value: unknown;
  eachField(reader, (field) => {
    switch (field) {
      case 1:
        value = reader.string();
        return true;
      case 2:
        value = reader.bool();
        return true;
      case 3: {
        const number = reader.int64();
        value = number;
        return true;
      }
      case 4:
        value = reader.double();
        return true;
      case 5:
        value = inside(reader, () => {
          const items: unknown[] = [];
          eachField(reader, (inner) => inner === 1 && items.push(inside(reader, () => readAny(reader))) > 0);
          return items;
        });
        return true;
      case 6:
        value = inside(reader, () => {
          const entries: [string, unknown][] = [];
          eachField(reader, (inner) => inner === 1 && entries.push(inside(reader, () => readKeyValue(reader))) > 0);
          return Object.fromEntries(entries);
        });
        return true;
      case 7:
        value = Buffer.from(reader.view()).toString('base64');
        return true;
      default:
        return false;
    }
  });
  return value;
}

function readScope(reader: ProtoReader): ScopeMetrics {
  let name = '';
  let version = '';
  let schemaUrl = '';
  const attributes: Attribute[] = [];
  const metrics: OtlpMetric[] = [];
  eachField(reader, (field) => {
    if (field === 1) {
      inside(reader, () =>
        eachField(reader, (inner) => {
          if (inner === 1) name = reader.string();
          else if (inner === 2) version = reader.string();
          else if (inner === 3) attributes.push(inside(reader, () => readAttribute(reader)));
          else return false;
          return true;
        }),
      );
    } else if (field === 2) metrics.push(inside(reader, () => readMetric(reader)));
    else if (field === 3) schemaUrl = reader.string();
    else return false;
    return true;
  });
  return { name, version, schemaUrl, attributes, metrics };
}

function readMetric(reader: ProtoReader): OtlpMetric {
  let name = '';
  let description = '';
  let unit = '';
  let data: MetricData = { kind: 'none', points: [] };
  eachField(reader, (field) => {
    switch (field) {
      case 1:
        name = reader.string();
        return true;
      case 2:
        description = reader.string();
        return true;
      case 3:
        unit = reader.string();
        return true;
      case 5:
        data = { kind: 'gauge', points: inside(reader, () => readPoints(reader, readNumber)).points };
        return true;
      case 7:
        data = { kind: 'sum', ...inside(reader, () => readPoints(reader, readNumber)) };
        return true;
      case 9: {
        const { points, temporality } = inside(reader, () => readPoints(reader, readHistogram));
        data = { kind: 'histogram', points, temporality };
        return true;
      }
      case 10: {
        const { points, temporality } = inside(reader, () => readPoints(reader, readExponential));
        data = { kind: 'exponential', points, temporality };
        return true;
      }
      case 11:
        data = { kind: 'summary', points: inside(reader, () => readPoints(reader, readSummary)).points };
        return true;
      default:
        return false;
    }
  });
  return { name, description, unit, data };
}

function readPoints<T>(
  reader: ProtoReader,
  read: (reader: ProtoReader) => T,
): { points: T[]; temporality: Temporality; monotonic: boolean } {
  const points: T[] = [];
  let temporality: Temporality = 'unspecified';
  let monotonic = false;
  eachField(reader, (field) => {
    if (field === 1) points.push(inside(reader, () => read(reader)));
    else if (field === 2) temporality = TEMPORALITIES[reader.int32()] ?? 'unspecified';
    else if (field === 3) monotonic = reader.bool();
    else return false;
    return true;
  });
  return { points, temporality, monotonic };
}

function readNumber(reader: ProtoReader): NumberPoint {
  const attributes: Attribute[] = [];
  const exemplars: OtlpExemplar[] = [];
  let start = 0;
  let timestamp = 0;
  let value = 0;
  let flags = 0;
  eachField(reader, (field) => {
    if (field === 7) attributes.push(inside(reader, () => readAttribute(reader)));
    else if (field === 2) start = milliseconds(reader);
    else if (field === 3) timestamp = milliseconds(reader);
    else if (field === 4) value = reader.double();
    else if (field === 6) value = reader.sfixed64Number();
    else if (field === 5) exemplars.push(inside(reader, () => readExemplar(reader)));
    else if (field === 8) flags = reader.uint32();
    else return false;
    return true;
  });
  return { attributes, start, timestamp, value, noValue: (flags & 1) === 1, exemplars };
}

function readHistogram(reader: ProtoReader): HistogramPoint {
  const attributes: Attribute[] = [];
  const exemplars: OtlpExemplar[] = [];
  const bucketCounts: number[] = [];
  const bounds: number[] = [];
  let start = 0;
  let timestamp = 0;
  let count = 0;
  let sum: number | undefined;
  let flags = 0;
  eachField(reader, (field, tag) => {
    if (field === 9) attributes.push(inside(reader, () => readAttribute(reader)));
    else if (field === 2) start = milliseconds(reader);
    else if (field === 3) timestamp = milliseconds(reader);
    else if (field === 4) count = reader.fixed64Number();
    else if (field === 5) sum = reader.double();
    else if (field === 6) reader.repeated(tag, () => bucketCounts.push(reader.fixed64Number()));
    else if (field === 7) reader.repeated(tag, () => bounds.push(reader.double()));
    else if (field === 8) exemplars.push(inside(reader, () => readExemplar(reader)));
    else if (field === 10) flags = reader.uint32();
    else return false;
    return true;
  });
  return { attributes, start, timestamp, noValue: (flags & 1) === 1, exemplars, count, sum, bucketCounts, bounds };
}

function readExponential(reader: ProtoReader): ExponentialPoint {
  const attributes: Attribute[] = [];
  const exemplars: OtlpExemplar[] = [];
  let start = 0;
  let timestamp = 0;
  let count = 0;
  let sum: number | undefined;
  let scale = 0;
  let zeroCount = 0;
  let zeroThreshold = 0;
  let positive: ExponentialBuckets = { offset: 0, counts: [] };
  let negative: ExponentialBuckets = { offset: 0, counts: [] };
  let flags = 0;
  eachField(reader, (field) => {
    if (field === 1) attributes.push(inside(reader, () => readAttribute(reader)));
    else if (field === 2) start = milliseconds(reader);
    else if (field === 3) timestamp = milliseconds(reader);
    else if (field === 4) count = reader.fixed64Number();
    else if (field === 5) sum = reader.double();
    else if (field === 6) scale = reader.sint32();
    else if (field === 7) zeroCount = reader.fixed64Number();
    else if (field === 8) positive = inside(reader, () => readBuckets(reader));
    else if (field === 9) negative = inside(reader, () => readBuckets(reader));
    else if (field === 10) flags = reader.uint32();
    else if (field === 11) exemplars.push(inside(reader, () => readExemplar(reader)));
    else if (field === 14) zeroThreshold = reader.double();
    else return false;
    return true;
  });
  const noValue = (flags & 1) === 1;
  return {
    attributes,
    start,
    timestamp,
    noValue,
    exemplars,
    count,
    sum,
    scale,
    zeroCount,
    zeroThreshold,
    positive,
    negative,
  };
}

function readBuckets(reader: ProtoReader): ExponentialBuckets {
  let offset = 0;
  const counts: number[] = [];
  eachField(reader, (field, tag) => {
    if (field === 1) offset = reader.sint32();
    else if (field === 2) reader.repeated(tag, () => counts.push(reader.uint64()));
    else return false;
    return true;
  });
  return { offset, counts };
}

function readSummary(reader: ProtoReader): SummaryPoint {
  const attributes: Attribute[] = [];
  const quantiles: { quantile: number; value: number }[] = [];
  let start = 0;
  let timestamp = 0;
  let count = 0;
  let sum = 0;
  let flags = 0;
  eachField(reader, (field) => {
    if (field === 7) attributes.push(inside(reader, () => readAttribute(reader)));
    else if (field === 2) start = milliseconds(reader);
    else if (field === 3) timestamp = milliseconds(reader);
    else if (field === 4) count = reader.fixed64Number();
    else if (field === 5) sum = reader.double();
    else if (field === 6) {
      let quantile = 0;
      let value = 0;
      inside(reader, () =>
        eachField(reader, (inner) => {
          if (inner === 1) quantile = reader.double();
          else if (inner === 2) value = reader.double();
          else return false;
          return true;
        }),
      );
      quantiles.push({ quantile, value });
    } else if (field === 8) flags = reader.uint32();
    else return false;
    return true;
  });
  return { attributes, start, timestamp, noValue: (flags & 1) === 1, exemplars: [], count, sum, quantiles };
}

function readExemplar(reader: ProtoReader): OtlpExemplar {
  const attributes: Attribute[] = [];
  let timestamp = 0;
  let value = 0;
  let spanId = '';
  let traceId = '';
  eachField(reader, (field) => {
    if (field === 7) attributes.push(inside(reader, () => readAttribute(reader)));
    else if (field === 2) timestamp = milliseconds(reader);
    else if (field === 3) value = reader.double();
    else if (field === 6) value = reader.sfixed64Number();
    else if (field === 4) spanId = Buffer.from(reader.view()).toString('hex');
    else if (field === 5) traceId = Buffer.from(reader.view()).toString('hex');
    else return false;
    return true;
  });
  return { attributes, timestamp, value, traceId, spanId };
}
