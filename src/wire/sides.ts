// The two sides of a native histogram as protobuf messages carry them, in expositions, in pushes and in remote write: spans, then
// buckets, integers as differences to the one before and floats as they are. Only the numbers of the fields differ.

import type { Span } from '#model/histogram.ts';
import type { ProtoReader } from './protobuf.ts';

export type Side = { readonly spans: Span[]; readonly deltas: number[]; readonly counts: number[] };

export const newSide = (): Side => ({ spans: [], deltas: [], counts: [] });

/** Reads the field that the tag begins if it is one of a side's three, the first of which is `first`: spans, deltas, counts. */
export function readSide(reader: ProtoReader, tag: number, first: number, side: Side): boolean {
  switch ((tag >>> 3) - first) {
    case 0:
      side.spans.push(readSpan(reader));
      return true;
    case 1:
      reader.repeated(tag, () => side.deltas.push(reader.sint64()));
      return true;
    case 2:
      reader.repeated(tag, () => side.counts.push(reader.double()));
      return true;
    default:
      return false;
  }
}

/** The side's buckets, each by itself. */
export function bucketsOf({ deltas, counts }: Side, integer: boolean): Float64Array {
  if (!integer) return Float64Array.from(counts);
  let count = 0;
  return Float64Array.from(deltas, (delta) => (count += delta));
}

function readSpan(reader: ProtoReader): Span {
  const outer = reader.open();
  let [offset, length] = [0, 0];
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) offset = reader.sint32();
    else if (tag >>> 3 === 2) length = reader.uint32();
    else reader.skip(tag);
  }
  reader.close(outer);
  return { offset, length };
}
