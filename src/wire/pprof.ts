// Profiles in the format of pprof: call stacks with what was measured in each, as gzip-able protocol buffers. Names and
// places stand in tables that samples refer to by number.

import { ProtoWriter } from './protobuf.ts';

export type Frame = { readonly name: string; readonly file: string; readonly line: number };
/** Stacks begin with the innermost frame. */
export type Stack = { readonly frames: readonly Frame[]; readonly values: readonly number[] };

export type Profile = {
  /** What each value of a stack is: ["samples", "count"], ["cpu", "nanoseconds"]. */
  readonly types: readonly (readonly [type: string, unit: string])[];
  readonly stacks: readonly Stack[];
  readonly timeMs: number;
  readonly durationMs: number;
  readonly period: number;
};

const NS_PER_MS = 1_000_000;

export function encodeProfile({ types, stacks, timeMs, durationMs, period }: Profile): Uint8Array {
  const out = new ProtoWriter(64 * 1024);
  const texts = new Map<string, number>([['', 0]]);
  const text = (value: string): number => {
    const known = texts.get(value) ?? texts.size;
    texts.set(value, known);
    return known;
  };
  const message = (field: number, write: (inner: ProtoWriter) => void): void => {
    const inner = new ProtoWriter(64);
    write(inner);
    out.blob(field, inner.finish());
  };
  const valueType = (field: number, [type, unit]: readonly [string, string]): void =>
    message(field, (inner) => {
      inner.varint(1, text(type));
      inner.varint(2, text(unit));
    });
  const packed = (inner: ProtoWriter, field: number, numbers: readonly number[]): void => {
    const list = new ProtoWriter(64);
    for (const number of numbers) list.rawVarint(number);
    inner.blob(field, list.finish());
  };
  const places = new Map<string, { readonly id: number; readonly frame: Frame }>();
  const place = (frame: Frame): number => {
    const key = `${frame.name}\0${frame.file}\0${frame.line}`;
    const known = places.get(key) ?? { id: places.size + 1, frame };
    places.set(key, known);
    return known.id;
  };
  for (const type of types) valueType(1, type);
  for (const { frames, values } of stacks) {
    message(2, (inner) => {
      packed(inner, 1, frames.map(place));
      packed(inner, 2, values);
    });
  }
  for (const { id, frame } of places.values()) {
    message(4, (inner) => {
      inner.varint(1, id);
      const line = new ProtoWriter(16);
      line.varint(1, id);
      line.varint(2, frame.line);
      inner.blob(4, line.finish());
    });
    message(5, (inner) => {
      inner.varint(1, id);
      inner.varint(2, text(frame.name));
      inner.varint(3, text(frame.name));
      inner.varint(4, text(frame.file));
      inner.varint(5, frame.line);
    });
  }
  const last = types.at(-1);
  if (last) valueType(11, last);
  out.varint(9, timeMs * NS_PER_MS);
  out.varint(10, durationMs * NS_PER_MS);
  out.varint(12, period);
  // Every text is known by now; the table begins with the empty one.
  const encoder = new TextEncoder();
  for (const value of texts.keys()) out.blob(6, encoder.encode(value));
  return out.finish();
}
