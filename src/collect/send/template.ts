// Requests of version 1.0 that are made once and filled in many times. A target brings the same series in the same order with
// every scrape, so that only times and values differ: the rest is encoded and compressed when it is seen the second time.

import { ProtoWriter } from '#wire/protobuf.ts';
import { type SnappyTemplate, snappyTemplate } from '#wire/snappy-template.ts';
import type { QueuedSeries } from './record.ts';

/** Value (8 bytes), tag of the time, time (6 bytes). */
const HOLE_BYTES = 15;
const TIME_AT = 9;
/** Between these, times take six bytes as varints: the years 1971 to 2109. */
const MIN_TIME = 2 ** 35;
const MAX_TIME = 2 ** 42 - 1;

export const fitsTemplate = (time: number): boolean => time >= MIN_TIME && time <= MAX_TIME;

/** Some rows of a record, at most as many as a request takes. */
export type TemplatePart = SnappyTemplate & {
  readonly from: number;
  readonly rows: number;
  /** What the elements decode to. */
  readonly plainBytes: number;
};

export function templateParts(series: readonly QueuedSeries[], maxRows: number): TemplatePart[] {
  const parts: TemplatePart[] = [];
  for (let from = 0; from < series.length; from += maxRows) {
    const some = series.slice(from, from + maxRows);
    const writer = new ProtoWriter(some.length * 256);
    const holes = new Uint32Array(some.length);
    some.forEach(({ encoded }, i) => {
      const at = writer.begin(1);
      writer.raw(encoded);
      const sample = writer.begin(2);
      writer.tag(1, 1);
      writer.rawDouble(0);
      writer.tag(2, 0);
      writer.rawVarint(MIN_TIME);
      writer.end(sample);
      writer.end(at);
      // The sample is the last of the series.
      holes[i] = writer.pos - HOLE_BYTES;
    });
    const bytes = writer.finish();
    parts.push({ ...snappyTemplate(bytes, holes, HOLE_BYTES), from, rows: some.length, plainBytes: bytes.length });
  }
  return parts;
}

/** Writes values and times of a record's rows into the elements. `times` has one entry for all rows or one for each. */
export function fill(part: TemplatePart, values: Uint8Array, times: Float64Array): void {
  const { elements, holes, from, rows } = part;
  const isOne = times.length === 1;
  let low = 0;
  let high = 0;
  for (let i = 0; i < rows; i++) {
    if (i === 0 || !isOne) {
      const time = times[isOne ? 0 : from + i]!;
      high = Math.floor(time / 2 ** 28);
      low = time - high * 2 ** 28;
    }
    const at = holes[i]!;
    const value = (from + i) * 8;
    elements[at] = values[value]!;
    elements[at + 1] = values[value + 1]!;
    elements[at + 2] = values[value + 2]!;
    elements[at + 3] = values[value + 3]!;
    elements[at + 4] = values[value + 4]!;
    elements[at + 5] = values[value + 5]!;
    elements[at + 6] = values[value + 6]!;
    elements[at + 7] = values[value + 7]!;
    const to = at + TIME_AT;
    elements[to] = low | 0x80;
    elements[to + 1] = (low >>> 7) | 0x80;
    elements[to + 2] = (low >>> 14) | 0x80;
    elements[to + 3] = (low >>> 21) | 0x80;
    elements[to + 4] = high | 0x80;
    elements[to + 5] = high >>> 7;
  }
}
