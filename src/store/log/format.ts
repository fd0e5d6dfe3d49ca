// Names and bytes of the log on disk, as docs/format/log.md lays them out. Everything that touches a log file takes its numbers
// from here.

import { crc32c } from '#base/crc32c.ts';

/** Two streams: what lives as long as the head's data, and the samples that are not in a closed chunk yet. */
export type Stream = 'keep' | 'samples';

export const KIND = {
  /** keep: series with their numbers. */
  series: 1,
  /** keep: closed, out-of-order and open chunks. */
  chunks: 2,
  /** keep: deleted ranges of series. */
  deleted: 3,
  /** keep: metadata of metric families. */
  metadata: 4,
  /** samples: floats in order. */
  samples: 5,
  /** samples: floats out of order. */
  late: 6,
  /** samples: native histograms. */
  histograms: 7,
  /** keep: exemplars. */
  exemplars: 8,
  /** samples: floats taken while the log of earlier runs was being read. */
  held: 9,
} as const;

export const SEGMENT_MAGIC = 0x50484c31; // "PHL1"
export const SEGMENT_HEADER_BYTES = 16;
export const RECORD_MARK = 0xc5;
/** Mark, kind, body length (32 bits), CRC-32C (32 bits) of kind, length and body. */
export const RECORD_HEADER_BYTES = 10;
export const MAX_BODY_BYTES = 1280 * 1024;
export const COMPLETE_FILE = 'complete';

export const shardFolder = (shard: number, shards: number): string => `${shard}-of-${shards}`;
export const generationFolder = (generation: number): string => String(generation).padStart(8, '0');
export const segmentFile = (stream: Stream, sequence: number): string =>
  `${stream}-${String(sequence).padStart(6, '0')}`;

export function parseShardFolder(name: string): { shard: number; shards: number } | undefined {
  const match = /^(\d+)-of-(\d+)$/.exec(name);
  return match ? { shard: Number(match[1]), shards: Number(match[2]) } : undefined;
}

export function parseGeneration(name: string): number | undefined {
  return /^\d{8}$/.test(name) ? Number(name) : undefined;
}

export function parseSegment(name: string): { stream: Stream; sequence: number } | undefined {
  const match = /^(keep|samples)-(\d{6,})$/.exec(name);
  return match ? { stream: match[1] as Stream, sequence: Number(match[2]) } : undefined;
}

export function segmentHeader(generation: number, sequence: number): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SEGMENT_MAGIC);
  view.setUint32(4, generation);
  view.setUint32(8, sequence);
  view.setUint32(12, crc32c(bytes, 0, 12));
  return bytes;
}

/** Writes the header of a record whose body lies behind it. */
export function writeRecordHeader(bytes: Uint8Array, at: number, kind: number, bodyBytes: number): void {
  bytes[at] = RECORD_MARK;
  bytes[at + 1] = kind;
  writeWord(bytes, at + 2, bodyBytes);
  writeWord(bytes, at + 6, recordChecksum(bytes, at, bodyBytes));
}

/** Over kind, length and body. */
export function recordChecksum(bytes: Uint8Array, at: number, bodyBytes: number): number {
  const header = crc32c(bytes, at + 1, at + 6);
  return crc32c(bytes, at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + bodyBytes, header);
}

export function readWord(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function writeWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
