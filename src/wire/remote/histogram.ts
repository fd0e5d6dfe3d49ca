// Native histograms as remote write (1.0 and 2.0) and remote read send them. The two versions share all field numbers; 2.0
// adds the start timestamp.

import { type CounterReset, CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '#model/histogram.ts';
import { isStale, setStale } from '#model/value.ts';
import { FIXED64, type ProtoReader, type ProtoWriter, VARINT } from '../protobuf.ts';
import { bucketsOf, newSide, readSide } from '../sides.ts';

export type SentHistogram = { readonly timestamp: number; readonly start: number; readonly value: Histogram };

const RESETS: readonly CounterReset[] = ['unknown', 'reset', 'notReset', 'gauge'];

/** Reads up to the reader's limit; the caller has opened the message. */
export function readHistogram(reader: ProtoReader): SentHistogram {
  let integer = true;
  let schema = 0;
  let zeroThreshold = 0;
  let zeroCount = 0;
  let count = 0;
  const sum = new Float64Array(1);
  const sumWords = new Uint32Array(sum.buffer);
  const [positive, negative] = [newSide(), newSide()];
  const customValues: number[] = [];
  let reset = 0;
  let timestamp = 0;
  let start = 0;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        count = reader.uint64();
        integer = true;
        break;
      case 2:
        count = reader.double();
        integer = false;
        break;
      case 3:
        reader.words(sumWords, 0);
        break;
      case 4:
        schema = reader.sint32();
        break;
      case 5:
        zeroThreshold = reader.double();
        break;
      case 6:
        zeroCount = reader.uint64();
        break;
      case 7:
        zeroCount = reader.double();
        break;
      case 14:
        reset = reader.int32();
        break;
      case 15:
        timestamp = reader.int64();
        break;
      case 16:
        reader.repeated(tag, () => customValues.push(reader.double()));
        break;
      case 17:
        start = reader.int64();
        break;
      default:
        if (!readSide(reader, tag, 8, negative) && !readSide(reader, tag, 11, positive)) reader.skip(tag);
    }
  }
  const value: Histogram = {
    integer,
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum: sum[0]!,
    ...(isStale(sum, 0) ? { stale: true } : {}),
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    positiveBuckets: bucketsOf(positive, integer),
    negativeBuckets: bucketsOf(negative, integer),
    ...(schema === CUSTOM_BUCKETS_SCHEMA ? { customValues: Float64Array.from(customValues) } : {}),
    counterReset: RESETS[reset] ?? 'unknown',
  };
  return { timestamp, start, value };
}

/** Writes the fields of a histogram message that the caller has begun. */
export function writeHistogram(writer: ProtoWriter, { timestamp, start, value }: SentHistogram): void {
  // The count is one of two fields: which of them is there tells integers from floats, so zero is written too.
  if (value.integer) {
    writer.tag(1, VARINT);
    writer.rawVarint(value.count);
  } else {
    writer.tag(2, FIXED64);
    writer.rawDouble(value.count);
  }
  const sum = Float64Array.of(value.sum);
  if (value.stale) setStale(sum, 0);
  const words = new Uint32Array(sum.buffer);
  writer.words(3, words[0]!, words[1]!);
  writer.sint(4, value.schema);
  writer.double(5, value.zeroThreshold);
  if (value.integer) {
    writer.tag(6, VARINT);
    writer.rawVarint(value.zeroCount);
  } else {
    writer.tag(7, FIXED64);
    writer.rawDouble(value.zeroCount);
  }
  writeSpans(writer, 8, value.negativeSpans);
  writeBuckets(writer, value.integer ? 9 : 10, value.integer, value.negativeBuckets);
  writeSpans(writer, 11, value.positiveSpans);
  writeBuckets(writer, value.integer ? 12 : 13, value.integer, value.positiveBuckets);
  writer.varint(14, RESETS.indexOf(value.counterReset));
  writer.varint(15, timestamp);
  if (value.customValues) writeBuckets(writer, 16, false, value.customValues);
  writer.varint(17, start);
}

function writeSpans(writer: ProtoWriter, field: number, spans: readonly Span[]): void {
  for (const span of spans) {
    const at = writer.begin(field);
    writer.sint(1, span.offset);
    writer.varint(2, span.length);
    writer.end(at);
  }
}

function writeBuckets(writer: ProtoWriter, field: number, deltas: boolean, buckets: Float64Array): void {
  if (buckets.length === 0) return;
  const at = writer.begin(field);
  let previous = 0;
  for (const bucket of buckets) {
    if (deltas) writer.rawSint(bucket - previous);
    else writer.rawDouble(bucket);
    previous = bucket;
  }
  writer.end(at);
}
