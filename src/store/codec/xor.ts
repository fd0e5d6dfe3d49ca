// Chunks of floats: Prometheus' XOR encoding both ways, and reading what else holds floats: XOR2 of Prometheus 3.x and the
// head's own XOR with start times. Start times do not survive in blocks, as in Prometheus by default.

import { BitReader, BitWriter, XorValue } from './bits.ts';
import type { SampleColumns } from './samples.ts';

export function encodeXor(samples: SampleColumns, start: number, end: number): Uint8Array {
  const out = new BitWriter(64 + (end - start) * 4);
  out.bits(end - start, 16);
  const words = new Uint32Array(samples.values.buffer, samples.values.byteOffset, samples.length * 2);
  const value = new XorValue();
  let delta = 0;
  for (let i = start; i < end; i++) {
    const time = samples.timestamps[i]!;
    const high = words[i * 2 + 1]!;
    const low = words[i * 2]!;
    if (i === start) {
      out.varint(time);
      value.writeFirst(out, high, low);
      continue;
    }
    const next = time - samples.timestamps[i - 1]!;
    if (i === start + 1) out.uvarint(next);
    else writeTime(out, next - delta);
    delta = next;
    value.write(out, high, low);
  }
  return out.finish();
}

function writeTime(out: BitWriter, change: number): void {
  if (change === 0) out.bits(0, 1);
  else if (change >= -8191 && change <= 8192) {
    out.bits(0b10, 2);
    out.bits(change, 14);
  } else if (change >= -65_535 && change <= 65_536) {
    out.bits(0b110, 3);
    out.bits(change, 17);
  } else if (change >= -524_287 && change <= 524_288) {
    out.bits(0b1110, 4);
    out.bits(change, 20);
  } else {
    out.bits(0b1111, 4);
    out.integer(change, 64);
  }
}

function readTime(reader: BitReader): number {
  switch (reader.ones(4)) {
    case 0:
      return 0;
    case 1:
      return reader.offsetInteger(14);
    case 2:
      return reader.offsetInteger(17);
    case 3:
      return reader.offsetInteger(20);
    default:
      return reader.integer64();
  }
}

export function decodeXor(bytes: Uint8Array, into: SampleColumns, withStarts = false): void {
  const count = (bytes[0]! << 8) | bytes[1]!;
  const reader = new BitReader(bytes, 2);
  const value = new XorValue();
  let time = 0;
  let delta = 0;
  into.reserve(count);
  for (let i = 0; i < count; i++) {
    if (i === 0) {
      time = reader.varint();
      value.readFirst(reader);
    } else {
      delta = i === 1 ? reader.uvarint() : delta + readTime(reader);
      time += delta;
      value.read(reader);
    }
    if (withStarts && (i === 0 || reader.bit() === 1)) reader.words(64);
    into.pushBits(time, value.high, value.low);
  }
}

/**
 * One chunk of several that follow each other. Only the first sample of each and the time of its second one are written anew,
 * because only they depend on what is before; all other bits are copied.
 */
export function joinXor(chunks: readonly Uint8Array[]): Uint8Array {
  const out = new BitWriter(chunks.reduce((sum, chunk) => sum + chunk.length + 8, 0));
  out.bits(
    chunks.reduce((sum, chunk) => sum + ((chunk[0]! << 8) | chunk[1]!), 0),
    16,
  );
  let written = 0;
  let [time, delta] = [0, 0];
  let value = new XorValue();
  for (const chunk of chunks) {
    const parsed = parseXor(chunk);
    if (written === 0) out.copy(chunk, 16, parsed.end);
    else {
      const next = parsed.firstTime - time;
      if (written === 1) out.uvarint(next);
      else writeTime(out, next - delta);
      if (parsed.value.usedInitialWindow) {
        // All 64 bits: afterwards the window is the one that the rest of the chunk takes for granted.
        out.bits(0b11, 2);
        out.bits(0, 11);
        out.words(parsed.firstHigh ^ value.high, parsed.firstLow ^ value.low, 64);
      } else {
        const before = new XorValue();
        before.high = value.high;
        before.low = value.low;
        before.write(out, parsed.firstHigh, parsed.firstLow);
      }
      if (parsed.count > 1) {
        writeTime(out, parsed.secondTime - parsed.firstTime - next);
        out.copy(chunk, parsed.afterSecondTime, parsed.end);
      } else delta = next;
    }
    written += parsed.count;
    time = parsed.time;
    if (parsed.count > 1) delta = parsed.delta;
    value = parsed.value;
  }
  return out.finish();
}

/** Where the parts of a chunk lie, and what it ends with. */
function parseXor(bytes: Uint8Array) {
  const count = (bytes[0]! << 8) | bytes[1]!;
  const reader = new BitReader(bytes, 2);
  const value = new XorValue();
  const firstTime = reader.varint();
  value.readFirst(reader);
  const { high: firstHigh, low: firstLow } = value;
  let [time, delta, secondTime, afterSecondTime] = [firstTime, 0, 0, 0];
  for (let i = 1; i < count; i++) {
    if (i === 1) {
      delta = reader.uvarint();
      secondTime = time + delta;
      afterSecondTime = reader.at;
    } else delta += readTime(reader);
    time += delta;
    value.read(reader);
  }
  return { count, firstTime, firstHigh, firstLow, secondTime, afterSecondTime, time, delta, value, end: reader.at };
}

const STALE_HIGH = 0x7ff00000;
const STALE_LOW = 2;

/** XOR2 of Prometheus 3.x: one control prefix for time and value, stale markers as codes, optional start times. */
export function decodeXor2(bytes: Uint8Array, into: SampleColumns): void {
  const count = (bytes[0]! << 8) | bytes[1]!;
  const firstStart = (bytes[2]! & 0x80) !== 0;
  const startsFrom = bytes[2]! & 0x7f;
  const reader = new BitReader(bytes, 3);
  const value = new XorValue();
  let time = 0;
  let delta = 0;
  into.reserve(count);
  for (let i = 0; i < count; i++) {
    let stale = false;
    if (i === 0) {
      time = reader.varint();
      value.readFirst(reader);
      if (firstStart) reader.varint();
      if (value.high === STALE_HIGH && value.low === STALE_LOW) {
        stale = true;
        value.high = value.low = 0;
      }
    } else if (i === 1) {
      delta = reader.uvarint();
      time += delta;
      stale = readValue2(reader, value);
    } else {
      const prefix = reader.ones(5);
      if (prefix >= 2 && prefix <= 4) {
        delta +=
          prefix === 2 ? signed(reader.bits(13), 13) : prefix === 3 ? signed(reader.bits(20), 20) : reader.integer64();
        time += delta;
        stale = readValue2(reader, value);
      } else {
        time += delta;
        if (prefix === 5) stale = true;
        else if (prefix === 1) {
          if (reader.bit() === 1) value.readWindow(reader);
          value.readBits(reader);
        }
      }
    }
    if (i > 0 && startsFrom > 0 && i >= startsFrom) reader.varbitInt();
    if (stale) into.pushBits(time, STALE_HIGH, STALE_LOW);
    else into.pushBits(time, value.high, value.low);
  }
}

const signed = (bits: number, width: number): number => (bits >= 2 ** (width - 1) ? bits - 2 ** width : bits);

/** True for a stale marker, which leaves the value before as it was. */
function readValue2(reader: BitReader, value: XorValue): boolean {
  switch (reader.ones(3)) {
    case 0:
      return false;
    case 1:
      value.readBits(reader);
      return false;
    case 2:
      value.readWindow(reader);
      value.readBits(reader);
      return false;
    default:
      return true;
  }
}
