// Groups, tables and readers as JSON, for the persistence file and for replicas. Numbers that JSON lacks (NaN, infinities) are
// written as text. Reading checks the shape, because the bytes come from outside. The format is described in docs/format/push.md.

import { OperatingError } from '#base/errors.ts';
import type { Histogram } from '#model/histogram.ts';
import type { Group, PushedMetric, PushedValue, Reader, StoredFamily, Table } from './state.ts';

type PlainNumber = number | string;

const plain = (value: number): PlainNumber => (Number.isFinite(value) ? value : String(value));
const unplain = (value: PlainNumber): number => Number(value);

export function encodeGroup(group: Group): string {
  return JSON.stringify({
    ...group,
    families: Object.values(group.families).map((family) => ({
      ...family,
      metrics: family.metrics.map((metric) => ({ labels: metric.labels, value: encodeValue(metric.value) })),
    })),
  });
}

function encodeValue(value: PushedValue): unknown {
  switch (value.kind) {
    case 'number':
      return { kind: 'number', number: plain(value.number) };
    case 'summary':
      return {
        kind: 'summary',
        count: plain(value.count),
        sum: plain(value.sum),
        quantiles: value.quantiles.map((pair) => pair.map(plain)),
      };
    case 'histogram':
      return {
        kind: 'histogram',
        count: plain(value.count),
        sum: plain(value.sum),
        buckets: value.buckets.map((pair) => pair.map(plain)),
        native: value.native && encodeNative(value.native),
      };
  }
}

function encodeNative(histogram: Histogram): unknown {
  return {
    ...histogram,
    sum: plain(histogram.sum),
    positiveBuckets: [...histogram.positiveBuckets],
    negativeBuckets: [...histogram.negativeBuckets],
    customValues: histogram.customValues && [...histogram.customValues].map(plain),
  };
}

export function decodeGroup(text: string): Group {
  const group = parse(text) as Omit<Group, 'families'> & { families: StoredFamily[] };
  if (typeof group.labels !== 'object' || !Array.isArray(group.families)) throw malformed();
  return {
    ...group,
    families: Object.fromEntries(
      group.families.map((family) => [family.name, { ...family, metrics: family.metrics.map(decodeMetric) }]),
    ),
  };
}

function decodeMetric(metric: PushedMetric): PushedMetric {
  const { value } = metric;
  const pairs = (list: readonly (readonly [PlainNumber, PlainNumber])[]) =>
    list.map(([a, b]) => [unplain(a), unplain(b)] as const);
  switch (value.kind) {
    case 'number':
      return { labels: metric.labels, value: { kind: 'number', number: unplain(value.number) } };
    case 'summary':
      return {
        labels: metric.labels,
        value: {
          kind: 'summary',
          count: unplain(value.count),
          sum: unplain(value.sum),
          quantiles: pairs(value.quantiles),
        },
      };
    case 'histogram':
      return {
        labels: metric.labels,
        value: {
          kind: 'histogram',
          count: unplain(value.count),
          sum: unplain(value.sum),
          buckets: pairs(value.buckets),
          ...(value.native ? { native: decodeNative(value.native) } : {}),
        },
      };
    default:
      throw malformed();
  }
}

function decodeNative(histogram: Histogram): Histogram {
  return {
    ...histogram,
    sum: unplain(histogram.sum),
    positiveBuckets: Float64Array.from(histogram.positiveBuckets),
    negativeBuckets: Float64Array.from(histogram.negativeBuckets),
    ...(histogram.customValues ? { customValues: Float64Array.from(histogram.customValues, unplain) } : {}),
  };
}

export function encodeTable(table: Table): string {
  return JSON.stringify({ ...table, rows: table.rows.map((row) => ({ ...row, value: plain(row.value) })) });
}

export function decodeTable(text: string): Table {
  const table = parse(text) as Table;
  if (typeof table.name !== 'string' || !Array.isArray(table.rows)) throw malformed();
  return { ...table, rows: table.rows.map((row) => ({ ...row, value: unplain(row.value) })) };
}

export const encodeReader = (reader: Reader): string => JSON.stringify(reader);

export function decodeReader(text: string): Reader {
  const reader = parse(text) as Reader;
  if (typeof reader.seenAt !== 'number' || typeof reader.got !== 'object') throw malformed();
  return reader;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new OperatingError('corrupt', 'cannot read pushed metrics: malformed record', { cause: error });
  }
}

const malformed = () => new OperatingError('corrupt', 'cannot read pushed metrics: a record has the wrong shape');
