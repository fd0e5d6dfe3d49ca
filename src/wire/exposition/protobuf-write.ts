// Prints metric families as length-delimited io.prometheus.client.MetricFamily messages. Series that belong to one
// histogram or summary, which a family holds flat, are gathered again by their labels.

import type { Exemplar, MetricType } from '#model/batch.ts';
import type { FamilySample, WrittenFamily } from '#model/family.ts';
import type { Histogram, Span } from '#model/histogram.ts';
import { keepLabels, type Labels, labelsKey, labelValue } from '#model/labels.ts';
import { type EscapingScheme, escapeName } from './formats.ts';

const TYPE_NUMBERS: Readonly<Record<MetricType, number>> = {
  counter: 0,
  gauge: 1,
  summary: 2,
  unknown: 3,
  histogram: 4,
  gaugehistogram: 5,
  info: 1,
  stateset: 1,
};
/** The field of Metric that holds a plain value, by type number. */
const VALUE_FIELDS: readonly number[] = [3, 2, 4, 5, 7, 7];

export function writeProtobuf(families: readonly WrittenFamily[], escaping: EscapingScheme): Uint8Array {
  const out = new MessageWriter();
  for (const family of families) out.delimited((message) => writeFamily(message, family, escaping));
  return out.bytes();
}

function writeFamily(out: MessageWriter, family: WrittenFamily, escaping: EscapingScheme): void {
  const type = TYPE_NUMBERS[family.type];
  out.text(1, escapeName(family.name, escaping, ':'));
  if (family.help !== '') out.text(2, family.help);
  out.varintField(3, type);
  const isGathered = family.type === 'histogram' || family.type === 'gaugehistogram' || family.type === 'summary';
  const groups = isGathered ? gather(family).values() : singly(family.samples);
  for (const group of groups) {
    const first = group[0]!;
    const labels = isGathered ? commonLabels(first.labels) : first.labels;
    out.message(4, (metric) => {
      for (let i = 0; i < labels.length; i += 2) {
        metric.message(1, (pair) => {
          pair.text(1, escapeName(labels[i]!, escaping, ''));
          pair.text(2, labels[i + 1]!);
        });
      }
      metric.message(VALUE_FIELDS[type]!, (value) => {
        if (family.type === 'summary') writeSummary(value, group);
        else if (isGathered) writeHistogram(value, group);
        else {
          value.double(1, first.value);
          if (family.type === 'counter' && first.exemplar) writeExemplar(value, 2, first.exemplar);
        }
      });
      if (first.timestamp !== undefined) metric.varintField(6, first.timestamp);
    });
  }
  if (family.unit) out.text(5, family.unit);
}

function* singly(samples: Iterable<FamilySample>): Generator<readonly FamilySample[]> {
  for (const sample of samples) yield [sample];
}

const commonLabels = (labels: Labels): Labels => keepLabels(labels, (name) => name !== 'le' && name !== 'quantile');

function gather(family: WrittenFamily): Map<string, FamilySample[]> {
  const groups = new Map<string, FamilySample[]>();
  for (const sample of family.samples) {
    const key = labelsKey(commonLabels(sample.labels));
    const group = groups.get(key);
    if (group) group.push(sample);
    else groups.set(key, [sample]);
  }
  return groups;
}

function writeSummary(out: MessageWriter, group: readonly FamilySample[]): void {
  for (const sample of group) {
    if (sample.suffix === '_count') out.varintField(1, sample.value);
    else if (sample.suffix === '_sum') out.double(2, sample.value);
    else if (sample.suffix === '') {
      out.message(3, (quantile) => {
        quantile.double(1, Number(labelValue(sample.labels, 'quantile')));
        quantile.double(2, sample.value);
      });
    }
  }
}

function writeHistogram(out: MessageWriter, group: readonly FamilySample[]): void {
  for (const sample of group) {
    const isWhole = Number.isInteger(sample.value);
    if (sample.histogram) writeNative(out, sample.histogram);
    else if (sample.suffix === '_count' || sample.suffix === '_gcount') {
      if (isWhole) out.varintField(1, sample.value);
      else out.double(4, sample.value);
    } else if (sample.suffix === '_sum' || sample.suffix === '_gsum') out.double(2, sample.value);
    else if (sample.suffix === '_bucket') {
      out.message(3, (bucket) => {
        if (isWhole) bucket.varintField(1, sample.value);
        else bucket.double(4, sample.value);
        const bound = labelValue(sample.labels, 'le');
        bucket.double(2, bound === '+Inf' ? Infinity : Number(bound));
        if (sample.exemplar) writeExemplar(bucket, 3, sample.exemplar);
      });
    }
  }
}

function writeNative(out: MessageWriter, histogram: Histogram): void {
  if (histogram.integer) out.varintField(1, histogram.count);
  else out.double(4, histogram.count);
  out.double(2, histogram.sum);
  out.varintField(5, zigzag(histogram.schema));
  out.double(6, histogram.zeroThreshold);
  if (histogram.integer) out.varintField(7, histogram.zeroCount);
  else out.double(8, histogram.zeroCount);
  writeBuckets(out, 9, histogram.negativeSpans, histogram.negativeBuckets, histogram.integer);
  writeBuckets(out, 12, histogram.positiveSpans, histogram.positiveBuckets, histogram.integer);
}

/** Fields: spans, then deltas (integers), then absolute counts (floats). */
function writeBuckets(
  out: MessageWriter,
  field: number,
  spans: readonly Span[],
  buckets: Float64Array,
  isInteger: boolean,
): void {
  for (const span of spans) {
    out.message(field, (message) => {
      message.varintField(1, zigzag(span.offset));
      message.varintField(2, span.length);
    });
  }
  if (buckets.length === 0) return;
  if (isInteger) {
    out.message(field + 1, (packed) => {
      let before = 0;
      for (const count of buckets) {
        packed.varint(zigzag(count - before));
        before = count;
      }
    });
  } else {
    out.message(field + 2, (packed) => {
      for (const count of buckets) packed.rawDouble(count);
    });
  }
}

function writeExemplar(out: MessageWriter, field: number, exemplar: Exemplar): void {
  out.message(field, (message) => {
    for (let i = 0; i < exemplar.labels.length; i += 2) {
      message.message(1, (pair) => {
        pair.text(1, exemplar.labels[i]!);
        pair.text(2, exemplar.labels[i + 1]!);
      });
    }
    message.double(2, exemplar.value);
    if (!exemplar.timestamp) return;
    message.message(3, (time) => {
      const seconds = Math.floor(exemplar.timestamp / 1000);
      time.varintField(1, seconds);
      time.varintField(2, (exemplar.timestamp - seconds * 1000) * 1e6);
    });
  });
}

const zigzag = (value: number): number => (value < 0 ? -value * 2 - 1 : value * 2);

/** Writes protobuf fields; nested messages are written in place and their length squeezed in afterwards. */
class MessageWriter {
  #buffer = Buffer.alloc(4096);
  #length = 0;

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  varint(value: number): void {
    this.#room(10);
    if (value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value));
      while (rest > 127n) {
        this.#buffer[this.#length++] = Number(rest & 127n) | 128;
        rest >>= 7n;
      }
      this.#buffer[this.#length++] = Number(rest);
      return;
    }
    while (value > 127) {
      this.#buffer[this.#length++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    this.#buffer[this.#length++] = value;
  }

  varintField(field: number, value: number): void {
    this.varint(field * 8);
    this.varint(value);
  }

  double(field: number, value: number): void {
    this.varint(field * 8 + 1);
    this.rawDouble(value);
  }

  rawDouble(value: number): void {
    this.#room(8);
    this.#length = this.#buffer.writeDoubleLE(value, this.#length);
  }

  text(field: number, value: string): void {
    const length = Buffer.byteLength(value);
    this.varint(field * 8 + 2);
    this.varint(length);
    this.#room(length);
    this.#length += this.#buffer.write(value, this.#length);
  }

  message(field: number, write: (message: MessageWriter) => void): void {
    this.varint(field * 8 + 2);
    this.delimited(write);
  }

  delimited(write: (message: MessageWriter) => void): void {
    const start = this.#length;
    write(this);
    const size = this.#length - start;
    this.varint(size);
    const prefix = Buffer.from(this.#buffer.subarray(start + size, this.#length));
    this.#buffer.copyWithin(start + prefix.length, start, start + size);
    prefix.copy(this.#buffer, start);
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.alloc(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
