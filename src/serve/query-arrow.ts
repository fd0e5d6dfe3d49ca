// Results as an Arrow IPC stream: one schema message, one record batch, the end marker. The metadata are flatbuffers, written
// here back to front as that format asks; the few tables needed are spelled out.

import type { Table } from './query-formats.ts';

/** Writes a flatbuffer from its end to its beginning. */
class FlatWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #at = 1024;

  get offset(): number {
    return this.#bytes.length - this.#at;
  }

  #room(size: number, align: number): void {
    const pad = (align - ((this.offset + size) % align)) % align;
    if (this.#at < size + pad) {
      const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.offset + size + pad + 64));
      bytes.set(this.#bytes.subarray(this.#at), bytes.length - this.offset);
      this.#at = bytes.length - this.offset;
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    this.#at -= size + pad;
  }

  int8(value: number): void {
    this.#room(1, 1);
    this.#view.setInt8(this.#at, value);
  }
  int16(value: number): void {
    this.#room(2, 2);
    this.#view.setInt16(this.#at, value, true);
  }
  int32(value: number): void {
    this.#room(4, 4);
    this.#view.setInt32(this.#at, value, true);
  }
  int64(value: number): void {
    this.#room(8, 8);
    this.#view.setBigInt64(this.#at, BigInt(value), true);
  }
  reference(target: number): void {
    this.#room(4, 4);
    this.#view.setInt32(this.#at, this.offset - target, true);
  }

  text(value: string): number {
    const utf8 = new TextEncoder().encode(value);
    this.#room(4 + utf8.length + 1, 4);
    this.#view.setInt32(this.#at, utf8.length, true);
    this.#bytes.set(utf8, this.#at + 4);
    this.#bytes.fill(0, this.#at + 4 + utf8.length, this.#at + 4 + utf8.length + 1);
    return this.offset;
  }

  references(targets: readonly number[]): number {
    this.#room(0, 4);
    for (const target of [...targets].reverse()) this.reference(target);
    this.int32(targets.length);
    return this.offset;
  }

  /** Pairs of 64-bit numbers, as Arrow's FieldNode and Buffer are. */
  pairs(values: readonly (readonly [number, number])[]): number {
    this.#room(values.length * 16 + 4, 4);
    this.#at += values.length * 16 + 4;
    this.#room(0, 8);
    for (const [first, second] of [...values].reverse()) {
      this.int64(second);
      this.int64(first);
    }
    this.int32(values.length);
    return this.offset;
  }

  /** A table: writers of its fields by slot, largest fields first so that nothing needs padding between. */
  table(slots: number, fields: readonly { readonly slot: number; write(): void }[]): number {
    const end = this.offset;
    const positions = new Array<number>(slots).fill(0);
    for (const { slot, write } of fields) {
      write();
      positions[slot] = this.offset;
    }
    this.int32(0);
    const start = this.offset;
    for (let slot = slots - 1; slot >= 0; slot--) this.int16(positions[slot] ? start - positions[slot]! : 0);
    this.int16(start - end);
    this.int16(4 + slots * 2);
    this.#view.setInt32(this.#bytes.length - start, this.offset - start, true);
    return start;
  }

  finish(root: number): Uint8Array {
    this.#room(4, 8);
    this.#view.setInt32(this.#at, this.offset - root, true);
    return this.#bytes.slice(this.#at);
  }
}

// Values of Arrow's enumerations.
const VERSION_5 = 4;
const HEADER_SCHEMA = 1;
const HEADER_BATCH = 3;
const TYPE_FLOAT = 3;
const TYPE_TEXT = 5;
const TYPE_TIMESTAMP = 10;
const DOUBLE = 2;
const MILLISECOND = 1;

type Column = {
  readonly name: string;
  readonly type: number;
  readonly nulls: number;
  readonly buffers: readonly Uint8Array[];
};

export function arrowStream(table: Table): Uint8Array {
  const columns = columnsOf(table);
  const rows = table.times.length;
  const buffers = columns.flatMap((column) => column.buffers);
  let length = 0;
  const places = buffers.map((buffer) => {
    const place = [length, buffer.length] as const;
    length += padded(buffer.length);
    return place;
  });
  const body = new Uint8Array(length);
  buffers.forEach((buffer, i) => {
    body.set(buffer, places[i]![0]);
  });
  const parts = [frame(schemaMessage(columns)), frame(batchMessage(columns, rows, places, length)), body, END];
  const stream = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    stream.set(part, at);
    at += part.length;
  }
  return stream;
}

const padded = (length: number): number => (length + 7) & ~7;
const END = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/** Continuation marker, length, metadata padded to eight bytes. */
function frame(metadata: Uint8Array): Uint8Array {
  const framed = new Uint8Array(8 + padded(metadata.length));
  const view = new DataView(framed.buffer);
  view.setUint32(0, 0xffffffff, true);
  view.setInt32(4, padded(metadata.length), true);
  framed.set(metadata, 8);
  return framed;
}

function columnsOf({ times, values, histograms, labelNames, labels }: Table): Column[] {
  const none = new Uint8Array(0);
  const stamps = BigInt64Array.from(times, (time) => BigInt(Math.trunc(time)));
  const columns: Column[] = [
    { name: 'timestamp', type: TYPE_TIMESTAMP, nulls: 0, buffers: [none, new Uint8Array(stamps.buffer)] },
    {
      name: 'value',
      type: TYPE_FLOAT,
      nulls: histograms.size,
      buffers: [histograms.size > 0 ? validity(values.length, (i) => !histograms.has(i)) : none, bytesOf(values)],
    },
  ];
  if (histograms.size > 0) {
    const texts = Array.from(values, (_, i) => histograms.get(i) ?? '');
    const valid = validity(values.length, (i) => histograms.has(i));
    const nulls = values.length - histograms.size;
    columns.push({ name: 'histogram', type: TYPE_TEXT, nulls, buffers: [valid, ...textBuffers(texts)] });
  }
  labelNames.forEach((name, i) => {
    columns.push({ name, type: TYPE_TEXT, nulls: 0, buffers: [none, ...textBuffers(labels[i]!)] });
  });
  return columns;
}

const bytesOf = (values: Float64Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

function validity(length: number, isValid: (i: number) => boolean): Uint8Array {
  const bits = new Uint8Array((length + 7) >> 3);
  for (let i = 0; i < length; i++) if (isValid(i)) bits[i >> 3]! |= 1 << (i & 7);
  return bits;
}

/** Offsets, then the texts one behind the other. */
function textBuffers(texts: readonly string[]): [Uint8Array, Uint8Array] {
  const encoder = new TextEncoder();
  const encoded = texts.map((text) => encoder.encode(text));
  const offsets = new Int32Array(texts.length + 1);
  encoded.forEach((bytes, i) => {
    offsets[i + 1] = offsets[i]! + bytes.length;
  });
  const all = new Uint8Array(offsets[texts.length]!);
  encoded.forEach((bytes, i) => {
    all.set(bytes, offsets[i]!);
  });
  return [new Uint8Array(offsets.buffer), all];
}

function schemaMessage(columns: readonly Column[]): Uint8Array {
  const out = new FlatWriter();
  const fields = columns.map((column) => {
    const name = out.text(column.name);
    const children = out.references([]);
    const type = typeTable(out, column.type);
    return out.table(7, [
      { slot: 0, write: () => out.reference(name) },
      { slot: 3, write: () => out.reference(type) },
      { slot: 5, write: () => out.reference(children) },
      { slot: 2, write: () => out.int8(column.type) },
      { slot: 1, write: () => out.int8(column.nulls > 0 ? 1 : 0) },
    ]);
  });
  const list = out.references(fields);
  const schema = out.table(4, [{ slot: 1, write: () => out.reference(list) }]);
  return message(out, HEADER_SCHEMA, schema, 0);
}

function typeTable(out: FlatWriter, type: number): number {
  if (type === TYPE_FLOAT) return out.table(1, [{ slot: 0, write: () => out.int16(DOUBLE) }]);
  if (type === TYPE_TEXT) return out.table(0, []);
  const zone = out.text('UTC');
  return out.table(2, [
    { slot: 1, write: () => out.reference(zone) },
    { slot: 0, write: () => out.int16(MILLISECOND) },
  ]);
}

function batchMessage(
  columns: readonly Column[],
  rows: number,
  places: readonly (readonly [number, number])[],
  bodyLength: number,
): Uint8Array {
  const out = new FlatWriter();
  const buffers = out.pairs(places);
  const nodes = out.pairs(columns.map((column) => [rows, column.nulls] as const));
  const batch = out.table(4, [
    { slot: 0, write: () => out.int64(rows) },
    { slot: 1, write: () => out.reference(nodes) },
    { slot: 2, write: () => out.reference(buffers) },
  ]);
  return message(out, HEADER_BATCH, batch, bodyLength);
}

function message(out: FlatWriter, type: number, header: number, bodyLength: number): Uint8Array {
  const root = out.table(5, [
    { slot: 3, write: () => out.int64(bodyLength) },
    { slot: 2, write: () => out.reference(header) },
    { slot: 0, write: () => out.int16(VERSION_5) },
    { slot: 1, write: () => out.int8(type) },
  ]);
  return out.finish(root);
}
