// A part: the slice of a block that one shard contributes, written by the shard's thread and merged by compaction a moment
// later. A plain sequence of series, cheap to write in small steps; nothing refers to a part, so it need not survive
// a crash.

import { crc32c } from '#base/crc32c.ts';
import type { Disk } from '#base/disk/disk.ts';
import type { TimeRange } from '#model/query.ts';
import type { ChunkedSeries, EncodedChunk, SeriesChunkSource } from '../chunks.ts';
import { ByteReader, ByteWriter, be32At, corrupt } from './bytes.ts';
import { FileScanner, FileWriter } from './files.ts';

/** Below the data folder; emptied at every start. */
export const PARTS_FOLDER = 'parts';

const MAGIC = 0x50485054;
const HEADER_BYTES = 20;
/** Work done between two chances to do something else. */
const STEP_BYTES = 256 * 1024;

/**
 * Writes what a source has in a range, yielding after each quarter megabyte so that the thread can turn to other work. The
 * file is complete when the generator is done; its return value is the number of series.
 */
export function* writePart(
  disk: Disk,
  path: string,
  source: SeriesChunkSource,
  range: TimeRange,
): Generator<void, number> {
  disk.remove(path);
  const file = new FileWriter(disk, path);
  let count = 0;
  try {
    const out = new ByteWriter(HEADER_BYTES);
    out.be32(MAGIC);
    out.be64(range.min);
    out.be64(range.max);
    file.write(out.view());
    let step = STEP_BYTES;
    for (const series of source.series(range)) {
      out.reset();
      encodeSeries(out, series);
      writeRecord(file, out.view());
      count++;
      if (file.position < step) continue;
      step = file.position + STEP_BYTES;
      yield;
    }
    // An empty record marks the end: a part without it is incomplete.
    writeRecord(file, new Uint8Array(0));
    file.finishUnsynced();
  } finally {
    file.abandon();
  }
  return count;
}

function writeRecord(file: FileWriter, body: Uint8Array): void {
  const frame = new ByteWriter(8);
  frame.be32(body.length);
  frame.be32(crc32c(body));
  file.write(frame.view());
  file.write(body);
}

function encodeSeries(out: ByteWriter, { labels, chunks, deleted }: ChunkedSeries): void {
  out.uvarint(labels.length);
  for (const text of labels) out.text(text);
  out.uvarint(deleted.length);
  for (const { min, max } of deleted) {
    out.varint(min);
    out.varint(max);
  }
  out.uvarint(chunks.length);
  for (const { encoding, minTime, maxTime, samples, bytes } of chunks) {
    out.u8(encoding);
    out.varint(minTime);
    out.uvarint(maxTime - minTime);
    out.uvarint(samples);
    out.uvarint(bytes.length);
    out.raw(bytes);
  }
}

export class Part implements SeriesChunkSource {
  readonly #disk: Disk;
  readonly #path: string;
  readonly range: TimeRange;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
    const file = disk.open(path, 'read');
    try {
      const header = new Uint8Array(HEADER_BYTES);
      if (file.read(header, 0) < HEADER_BYTES || be32At(header, 0) !== MAGIC) {
        throw corrupt(`${path}: it does not begin as a part`);
      }
      const reader = new ByteReader(header, 4);
      this.range = { min: reader.be64(), max: reader.be64() };
    } finally {
      file.close();
    }
  }

  *series(range: TimeRange): Generator<ChunkedSeries> {
    const file = this.#disk.open(this.#path, 'read');
    try {
      const scanner = new FileScanner(file, HEADER_BYTES, file.size(), this.#path);
      for (;;) {
        const length = scanner.be32();
        const crc = scanner.be32();
        if (length === 0) return;
        const body = scanner.take(length);
        if (crc32c(body) !== crc) throw corrupt(`${this.#path} at ${scanner.position}: the checksum does not match`);
        const series = decodeSeries(new ByteReader(body), range);
        if (series.chunks.length > 0) yield series;
      }
    } finally {
      file.close();
    }
  }
}

function decodeSeries(reader: ByteReader, range: TimeRange): ChunkedSeries {
  const labels: string[] = [];
  for (let rest = reader.uvarint(); rest > 0; rest--) labels.push(reader.text());
  const deleted: TimeRange[] = [];
  for (let rest = reader.uvarint(); rest > 0; rest--) deleted.push({ min: reader.varint(), max: reader.varint() });
  const chunks: EncodedChunk[] = [];
  for (let rest = reader.uvarint(); rest > 0; rest--) {
    const encoding = reader.u8();
    const minTime = reader.varint();
    const maxTime = minTime + reader.uvarint();
    const samples = reader.uvarint();
    const bytes = reader.raw(reader.uvarint());
    if (minTime <= range.max && maxTime >= range.min) chunks.push({ encoding, minTime, maxTime, samples, bytes });
  }
  return { labels, chunks, deleted };
}
