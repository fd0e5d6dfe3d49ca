// Decodes the chunks of a selected series to plain samples, for everything that is not worked out by the query kernel: raw
// selections, remote read, federation, histograms.

import type { Histogram } from '#model/histogram.ts';
import type { RawSeries, SeriesChunks, TimeRange } from '#model/query.ts';
import { decodeChunk } from './codec/chunk.ts';
import { SampleColumns } from './codec/samples.ts';

/** The samples of a series in a range, each time once, without deleted ones. `bytes` views the memory of the chunks. */
export function readSeries(series: SeriesChunks, bytes: Uint8Array, range: TimeRange): RawSeries {
  const columns = new SampleColumns(series.count * 120);
  let isOrdered = true;
  for (let i = 0; i < series.count; i++) {
    const start = series.addresses[i]!;
    const from = columns.length;
    decodeChunk(series.encodings[i]!, bytes.subarray(start, start + series.lengths[i]!), columns);
    if (from > 0 && columns.length > from && columns.timestamps[from]! <= columns.timestamps[from - 1]!)
      isOrdered = false;
  }
  const order = isOrdered ? undefined : timeOrder(columns);
  const timestamps = new Float64Array(columns.length);
  const values = new Float64Array(columns.length);
  const histograms = new Map<number, Histogram>();
  let count = 0;
  let last = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < columns.length; row++) {
    const at = order ? order[row]! : row;
    const time = columns.timestamps[at]!;
    if (time === last || time < range.min || time > range.max || isDeleted(series.deleted, time)) continue;
    last = time;
    timestamps[count] = time;
    const histogram = columns.histograms?.[at];
    if (histogram) histograms.set(count, histogram);
    // Copied as a range, so that the bits of stale markers stay.
    else values.set(columns.values.subarray(at, at + 1), count);
    count++;
  }
  return {
    labels: series.labels,
    timestamps: timestamps.subarray(0, count),
    values: values.subarray(0, count),
    ...(histograms.size > 0 ? { histograms } : {}),
  };
}

/** Rows by time; of equal times the one decoded first comes first. */
function timeOrder(columns: SampleColumns): Uint32Array {
  const order = Uint32Array.from({ length: columns.length }, (_, i) => i);
  return order.sort((a, b) => columns.timestamps[a]! - columns.timestamps[b]! || a - b);
}

function isDeleted(deleted: readonly TimeRange[], time: number): boolean {
  for (const { min, max } of deleted) if (time >= min && time <= max) return true;
  return false;
}
