// Reads the bodies that head/log-writer.ts writes: histograms, exemplars, metadata, deleted ranges.

import type { Exemplar, Metadata, MetricType } from '#model/batch.ts';
import type { Histogram, Span } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import type { TimeRange } from '#model/query.ts';
import { FieldReader } from './fields.ts';

const RESETS = ['unknown', 'reset', 'notReset', 'gauge'] as const;

export function readHistogram(body: Uint8Array): { id: number; timestamp: number; histogram: Histogram } {
  const from = new FieldReader(body);
  const id = from.unsigned();
  const timestamp = from.signed();
  const flags = from.unsigned();
  const schema = from.signed();
  const [zeroThreshold, zeroCount, count, sum] = [from.number(), from.number(), from.number(), from.number()];
  const spans = (): Span[] =>
    Array.from({ length: from.unsigned() }, () => ({ offset: from.signed(), length: from.unsigned() }));
  const positiveSpans = spans();
  const negativeSpans = spans();
  const positiveBuckets = from.doubles(from.unsigned());
  const negativeBuckets = from.doubles(from.unsigned());
  const customValues = from.doubles(from.unsigned());
  const histogram: Histogram = {
    integer: (flags & 1) !== 0,
    ...((flags & 2) !== 0 ? { stale: true } : {}),
    counterReset: RESETS[(flags >> 2) & 3]!,
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum,
    positiveSpans,
    negativeSpans,
    positiveBuckets,
    negativeBuckets,
    ...(customValues.length > 0 ? { customValues } : {}),
  };
  return { id, timestamp, histogram };
}

export function readExemplar(body: Uint8Array): { labels: Labels; exemplar: Exemplar } {
  const from = new FieldReader(body);
  const labelSet = () => Array.from({ length: from.unsigned() }, () => from.text());
  const labels = labelSet();
  const own = labelSet();
  const value = from.number();
  return { labels, exemplar: { labels: own, value, timestamp: from.signed() } };
}

export function readMetadata(body: Uint8Array): { family: string; metadata: Metadata } {
  const from = new FieldReader(body);
  const family = from.text();
  return { family, metadata: { type: from.text() as MetricType, help: from.text(), unit: from.text() } };
}

export function readDeleted(body: Uint8Array): { id: number; ranges: TimeRange[] } {
  const from = new FieldReader(body);
  const id = from.unsigned();
  return { id, ranges: Array.from({ length: from.unsigned() }, () => ({ min: from.signed(), max: from.signed() })) };
}
