// Requests that are made once and filled in many times. A target brings the same series in the same order with
// every scrape, so that only times and values differ: the rest is encoded and compressed when it is seen the second time.

import type { Metadata } from '#model/batch.ts';
import { ProtoWriter } from '#wire/protobuf.ts';
import type { SymbolTable } from '#wire/remote/symbols.ts';
import { WriteV2Encoder } from '#wire/remote/write-v2.ts';
import { type SnappyTemplate, snappyTemplate } from '#wire/snappy-template.ts';
import { metadataOfQueued, type QueuedSeries, symbolsOfQueued } from './record.ts';

const VALUE_BYTES = 8;
const TIME_BYTES = 6;
/** Value, tag of the time, time: where every row has its own time. */
const ROW_BYTES = VALUE_BYTES + 1 + TIME_BYTES;
const TIME_AT = VALUE_BYTES + 1;
/** Stand for the one time of all rows: bytes that no text and no length in front of one can be taken for. */
const TIME_MARK = Uint8Array.of(0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa);
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

/** With `oneTime` all rows of a record have the same time, which then is copied from row to row. */
export function templateParts(series: readonly QueuedSeries[], maxRows: number, oneTime: boolean): TemplatePart[] {
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
      writer.raw(TIME_MARK);
      writer.end(sample);
      writer.end(at);
      // The sample is the last of the series.
      holes[i] = writer.pos - ROW_BYTES;
    });
    parts.push(compressed(writer.finish(), holes, oneTime, from));
  }
  return parts;
}

/** The same for version 2.0, where a part is a whole request with its own symbols. */
export function templatePartsV2(
  series: readonly QueuedSeries[],
  maxRows: number,
  oneTime: boolean,
  symbols: SymbolTable,
  metadata: ReadonlyMap<string, Metadata>,
): TemplatePart[] {
  const parts: TemplatePart[] = [];
  const encoder = new WriteV2Encoder(symbols);
  // Of equal size: a small rest would be a request, too.
  const size = Math.ceil(series.length / Math.ceil(series.length / maxRows));
  for (let from = 0; from < series.length; from += size) {
    const some = series.slice(from, from + size);
    encoder.reset();
    const holes = Uint32Array.from(some, (one) => {
      encoder.knownSeries(symbolsOfQueued(one, symbols));
      const known = metadataOfQueued(one, metadata);
      if (known) encoder.metadata(known);
      return encoder.sampleToFill(TIME_MARK);
    });
    const { headBytes } = encoder;
    const bytes = encoder.finish();
    for (let i = 0; i < holes.length; i++) holes[i]! += headBytes;
    parts.push(compressed(bytes, holes, oneTime, from));
  }
  return parts;
}

/** `holes`: where the values begin; tag and time are behind each. */
function compressed(bytes: Uint8Array, holes: Uint32Array, oneTime: boolean, from: number): TemplatePart {
  const changing = new Uint32Array(oneTime ? holes.length * TIME_BYTES : 0);
  for (let i = 0; i < changing.length; i++) {
    changing[i] = holes[Math.floor(i / TIME_BYTES)]! + TIME_AT + (i % TIME_BYTES);
  }
  const template = snappyTemplate(bytes, holes, oneTime ? VALUE_BYTES : ROW_BYTES, changing);
  return { ...template, from, rows: holes.length, plainBytes: bytes.length };
}

/** Writes values and times of a record's rows into the elements. `times` has one entry for all rows or one for each. */
export function fill(part: TemplatePart, values: Uint8Array, times: Float64Array, oneTime: boolean): void {
  const { elements, holes, from, rows } = part;
  for (let i = 0; i < rows; i++) {
    const at = holes[i]!;
    const value = (from + i) * VALUE_BYTES;
    elements[at] = values[value]!;
    elements[at + 1] = values[value + 1]!;
    elements[at + 2] = values[value + 2]!;
    elements[at + 3] = values[value + 3]!;
    elements[at + 4] = values[value + 4]!;
    elements[at + 5] = values[value + 5]!;
    elements[at + 6] = values[value + 6]!;
    elements[at + 7] = values[value + 7]!;
  }
  if (oneTime) {
    const time = new Uint8Array(TIME_BYTES);
    putTime(times[0]!, time, 0);
    const { changing } = part;
    for (let i = 0; i < changing.length; i += 2) elements[changing[i]!] = time[changing[i + 1]! % TIME_BYTES]!;
  } else for (let i = 0; i < rows; i++) putTime(times[from + i]!, elements, holes[i]! + TIME_AT);
}

function putTime(time: number, to: Uint8Array, at: number): void {
  const high = Math.floor(time / 2 ** 28);
  const low = time - high * 2 ** 28;
  to[at] = low | 0x80;
  to[at + 1] = (low >>> 7) | 0x80;
  to[at + 2] = (low >>> 14) | 0x80;
  to[at + 3] = (low >>> 21) | 0x80;
  to[at + 4] = high | 0x80;
  to[at + 5] = high >>> 7;
}
