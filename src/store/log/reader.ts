// Reads a segment record by record. A record whose checksum is wrong is passed over: the next one is found by its mark, length and
// checksum, so that damage stays confined to what it hit. What follows the last good record is a torn tail.

import { crc32c } from '#base/crc32c.ts';
import {
  MAX_BODY_BYTES,
  RECORD_HEADER_BYTES,
  RECORD_MARK,
  readWord,
  recordChecksum,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
} from './format.ts';

export type Damage = {
  readonly kind: 'header' | 'middle' | 'tail';
  readonly offset: number;
  readonly bytes: number;
};

export type LogRecord = { readonly kind: number; readonly start: number; readonly end: number };

/** Yields the bounds of record bodies in `bytes`; calls `damaged` for what it passes over. */
export function* readRecords(bytes: Uint8Array, damaged: (damage: Damage) => void): Generator<LogRecord> {
  let at = 0;
  if (!hasHeader(bytes)) {
    if (bytes.length <= SEGMENT_HEADER_BYTES) {
      if (bytes.length > 0) damaged({ kind: 'tail', offset: 0, bytes: bytes.length });
      return;
    }
    damaged({ kind: 'header', offset: 0, bytes: SEGMENT_HEADER_BYTES });
  }
  at = SEGMENT_HEADER_BYTES;
  while (at < bytes.length) {
    const length = recordAt(bytes, at);
    if (length >= 0) {
      const start = at + RECORD_HEADER_BYTES;
      yield { kind: bytes[at + 1]!, start, end: start + length };
      at = start + length;
      continue;
    }
    const next = findRecord(bytes, at + 1);
    damaged({ kind: next === bytes.length ? 'tail' : 'middle', offset: at, bytes: next - at });
    at = next;
  }
}

function hasHeader(bytes: Uint8Array): boolean {
  return (
    bytes.length >= SEGMENT_HEADER_BYTES &&
    readWord(bytes, 0) === SEGMENT_MAGIC &&
    readWord(bytes, 12) === crc32c(bytes, 0, 12)
  );
}

/** The body length of the whole and sound record at `at`, or -1. */
function recordAt(bytes: Uint8Array, at: number): number {
  if (at + RECORD_HEADER_BYTES > bytes.length || bytes[at] !== RECORD_MARK) return -1;
  const length = readWord(bytes, at + 2);
  if (length > MAX_BODY_BYTES || at + RECORD_HEADER_BYTES + length > bytes.length) return -1;
  return readWord(bytes, at + 6) === recordChecksum(bytes, at, length) ? length : -1;
}

function findRecord(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(RECORD_MARK, from); at >= 0; at = bytes.indexOf(RECORD_MARK, at + 1)) {
    if (recordAt(bytes, at) >= 0) return at;
  }
  return bytes.length;
}
