// Spans and their bytes: an ExportTraceServiceRequest of OTLP, one resource, one scope.

import { ProtoWriter } from '#wire/protobuf.ts';

export type SpanKind = 'internal' | 'server' | 'client';

/** What identifies a span: lower-case hexadecimal, 32 and 16 digits. */
export type SpanContext = { readonly traceId: string; readonly spanId: string; readonly isSampled: boolean };

export type Attributes = Readonly<Record<string, string | number | boolean>>;

export type FinishedSpan = {
  readonly context: SpanContext;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: SpanKind;
  /** Milliseconds, with fractions. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Attributes;
  /** Empty when all went well. */
  readonly error: string;
};

const KINDS: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3 };
const STATUS_ERROR = 2;
const FIXED32 = 5;

export function encodeSpans(spans: readonly FinishedSpan[], resource: Attributes, version: string): Uint8Array {
  const writer = new ProtoWriter(256 * spans.length + 256);
  const all = writer.begin(1);
  const about = writer.begin(1);
  for (const entry of Object.entries(resource)) writeAttribute(writer, 1, entry);
  writer.end(about);
  const scoped = writer.begin(2);
  const scope = writer.begin(1);
  writer.string(1, 'pharos');
  writer.string(2, version);
  writer.end(scope);
  for (const span of spans) writeSpan(writer, span);
  writer.end(scoped);
  writer.end(all);
  return writer.finish();
}

function writeSpan(writer: ProtoWriter, span: FinishedSpan): void {
  const { context, parentSpanId, name, kind, start, end, attributes, error } = span;
  const at = writer.begin(2);
  writer.blob(1, Buffer.from(context.traceId, 'hex'));
  writer.blob(2, Buffer.from(context.spanId, 'hex'));
  if (parentSpanId !== '') writer.blob(4, Buffer.from(parentSpanId, 'hex'));
  writer.string(5, name);
  writer.varint(6, KINDS[kind]);
  writeTime(writer, 7, start);
  writeTime(writer, 8, end);
  for (const entry of Object.entries(attributes)) writeAttribute(writer, 9, entry);
  if (error !== '') {
    const status = writer.begin(15);
    writer.string(2, error);
    writer.varint(3, STATUS_ERROR);
    writer.end(status);
  }
  // Trace flags: sampled.
  writer.tag(16, FIXED32);
  writer.raw(Uint8Array.of(1, 0, 0, 0));
  writer.end(at);
}

/** Nanoseconds as a 64-bit number. */
function writeTime(writer: ProtoWriter, field: number, ms: number): void {
  const whole = Math.floor(ms);
  const nanos = BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6));
  writer.words(field, Number(nanos & 0xffffffffn), Number(nanos >> 32n));
}

function writeAttribute(
  writer: ProtoWriter,
  field: number,
  [key, value]: readonly [string, string | number | boolean],
): void {
  const at = writer.begin(field);
  writer.string(1, key);
  const inner = writer.begin(2);
  // One of the fields says which kind of value it is, so it is written even when it holds its default.
  if (typeof value === 'string') writer.text(1, value);
  else if (typeof value === 'boolean') {
    writer.tag(2, 0);
    writer.rawVarint(value ? 1 : 0);
  } else if (Number.isSafeInteger(value)) {
    writer.tag(3, 0);
    writer.rawVarint(value);
  } else {
    writer.tag(4, 1);
    writer.rawDouble(value);
  }
  writer.end(inner);
  writer.end(at);
}
