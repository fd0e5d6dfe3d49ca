// Length-delimited protobuf (io.prometheus.client.MetricFamily) into pushed families; the numbers are the fields of that message.

import type { CounterReset, Histogram } from '#model/histogram.ts';
import { FamilyError, type ParsedPage } from '#wire/families/text.ts';
import { BYTES, ProtoReader, tagOf } from '#wire/protobuf.ts';
import { bucketsOf, newSide, readSide, type Side } from '#wire/sides.ts';
import type { PushedFamily, PushedValue, PushType } from './state.ts';

const TYPES: readonly PushType[] = ['counter', 'gauge', 'summary', 'untyped', 'histogram', 'gaugehistogram'];

export function parsePushProtobuf(bytes: Uint8Array): ParsedPage {
  const families = new Map<string, PushedFamily>();
  let hasTimestamps = false;
  const reader = new ProtoReader(bytes);
  while (reader.more()) {
    const outer = reader.open();
    const family = readFamily(reader, () => {
      hasTimestamps = true;
    });
    reader.close(outer);
    if (family.name === '') throw new FamilyError('cannot read the push: a metric family has no name');
    families.set(family.name, family);
  }
  return { families: [...families.values()], hasTimestamps };
}

/** One message by itself, without a length before it. */
export const parseFamilyProtobuf = (bytes: Uint8Array): PushedFamily => readFamily(new ProtoReader(bytes), () => {});

function readFamily(reader: ProtoReader, timestamped: () => void): PushedFamily {
  let [name, help] = ['', ''];
  let type: PushType = 'counter';
  const metrics: { labels: string[]; value: PushedValue }[] = [];
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        name = reader.string();
        break;
      case 2:
        help = reader.string();
        break;
      case 3:
        type = TYPES[reader.int32()] ?? 'untyped';
        break;
      case 4: {
        const outer = reader.open();
        metrics.push(readMetric(reader, timestamped));
        reader.close(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { name, help, type, metrics };
}

function readMetric(reader: ProtoReader, timestamped: () => void): { labels: string[]; value: PushedValue } {
  const labels: string[] = [];
  let value: PushedValue = { kind: 'number', number: 0 };
  while (reader.more()) {
    const tag = reader.tag();
    const field = tag >>> 3;
    if (field === 6) {
      reader.int64();
      timestamped();
      continue;
    }
    if ((tag & 7) !== BYTES) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.open();
    if (field === 1) readPair(reader, labels);
    else if (field === 2 || field === 3 || field === 5) value = { kind: 'number', number: readNumber(reader) };
    else if (field === 4) value = readSummary(reader);
    else if (field === 7) value = readHistogram(reader);
    reader.close(outer);
  }
  return { labels, value };
}

function readPair(reader: ProtoReader, labels: string[]): void {
  let [name, value] = ['', ''];
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === tagOf(1, BYTES)) name = reader.string();
    else if (tag === tagOf(2, BYTES)) value = reader.string();
    else reader.skip(tag);
  }
  labels.push(name, value);
}

function readNumber(reader: ProtoReader): number {
  let number = 0;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) number = reader.double();
    else reader.skip(tag);
  }
  return number;
}

function readSummary(reader: ProtoReader): PushedValue {
  let [count, sum] = [0, 0];
  const quantiles: [number, number][] = [];
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        count = reader.uint64();
        break;
      case 2:
        sum = reader.double();
        break;
      case 3:
        quantiles.push(readTwo(reader));
        break;
      default:
        reader.skip(tag);
    }
  }
  return { kind: 'summary', count, sum, quantiles };
}

/** A message of two doubles. */
function readTwo(reader: ProtoReader): [number, number] {
  const pair: [number, number] = [0, 0];
  const outer = reader.open();
  while (reader.more()) {
    const tag = reader.tag();
    const field = tag >>> 3;
    if (field === 1 || field === 2) pair[field - 1] = reader.double();
    else reader.skip(tag);
  }
  reader.close(outer);
  return pair;
}

type Native = {
  schema: number | undefined;
  zeroThreshold: number;
  zeroCount: number;
  integer: boolean;
  readonly positive: Side;
  readonly negative: Side;
};

function readHistogram(reader: ProtoReader): PushedValue {
  let [count, sum, floatCount] = [0, 0, 0];
  const buckets: [number, number][] = [];
  const native: Native = {
    schema: undefined,
    zeroThreshold: 0,
    zeroCount: 0,
    integer: true,
    positive: newSide(),
    negative: newSide(),
  };
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        count = reader.uint64();
        break;
      case 2:
        sum = reader.double();
        break;
      case 3:
        buckets.push(readBucket(reader));
        break;
      case 4:
        floatCount = reader.double();
        break;
      default:
        if (!readNative(reader, tag, native)) reader.skip(tag);
    }
  }
  // Only one of the two counts is sent; a float count makes a float histogram.
  if (floatCount > 0) {
    count = floatCount;
    native.integer = false;
  }
  const isNative = native.schema !== undefined && native.positive.spans.length + native.negative.spans.length > 0;
  const value: PushedValue = { kind: 'histogram', count, sum, buckets };
  return isNative ? { ...value, native: nativeOf(native, count, sum) } : value;
}

/** Cumulative count, upper bound, cumulative count as a float. */
function readBucket(reader: ProtoReader): [number, number] {
  let [bound, count] = [0, 0];
  const outer = reader.open();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) count = reader.uint64();
    else if (tag >>> 3 === 2) bound = reader.double();
    else if (tag >>> 3 === 4) count = reader.double();
    else reader.skip(tag);
  }
  reader.close(outer);
  return [bound, count];
}

function readNative(reader: ProtoReader, tag: number, native: Native): boolean {
  switch (tag >>> 3) {
    case 5:
      native.schema = reader.sint32();
      return true;
    case 6:
      native.zeroThreshold = reader.double();
      return true;
    case 7:
      native.zeroCount = reader.uint64();
      return true;
    case 8:
      native.zeroCount = reader.double();
      return true;
    default:
      return readSide(reader, tag, 9, native.negative) || readSide(reader, tag, 12, native.positive);
  }
}

function nativeOf(native: Native, count: number, sum: number): Histogram {
  return {
    integer: native.integer,
    schema: native.schema!,
    zeroThreshold: native.zeroThreshold,
    zeroCount: native.zeroCount,
    count,
    sum,
    positiveSpans: native.positive.spans,
    negativeSpans: native.negative.spans,
    positiveBuckets: bucketsOf(native.positive, native.integer),
    negativeBuckets: bucketsOf(native.negative, native.integer),
    counterReset: 'unknown' satisfies CounterReset,
  };
}
