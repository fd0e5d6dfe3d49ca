// Reads chunks_head: the full chunks that a Prometheus head has moved to disk, by series reference, in order and out of
// order ones alike.

import { crc32c } from '#base/crc32c.ts';
import type { Disk, DiskFile } from '#base/disk/disk.ts';
import { ByteReader, be32At } from '../block/bytes.ts';
import { FileScanner } from '../block/files.ts';
import { type EncodedChunk, samplesOf } from '../chunks.ts';
import { fromFileEncoding } from '../codec/chunk.ts';
import type { LogProblem } from './log-reader.ts';

const MAGIC = 0x0130bc91;
const VERSION = 1;
const HEADER_BYTES = 8;
/** Reference, times, encoding. */
const FIXED_BYTES = 25;
const OUT_OF_ORDER_FLAG = 0x80;

export type HeadChunk = { readonly ref: number; readonly outOfOrder: boolean; readonly chunk: EncodedChunk };

/** A file with damage is read up to it. The bytes of a chunk are valid until the next one. */
export function* readHeadChunks(
  disk: Disk,
  folder: string,
  report: (problem: LogProblem) => void,
): Generator<HeadChunk> {
  for (const { name, isFolder } of disk.list(folder)) {
    if (isFolder || !/^\d+$/.test(name)) continue;
    const path = `${folder}/${name}`;
    const file = disk.open(path, 'read');
    try {
      yield* readFile(file, path, report);
    } finally {
      file.close();
    }
  }
}

function* readFile(file: DiskFile, path: string, report: (problem: LogProblem) => void): Generator<HeadChunk> {
  const size = file.size();
  const scanner = new FileScanner(file, 0, size, path);
  const stop = (reason: string) => report({ file: path, offset: scanner.position, reason });
  if (!scanner.available(HEADER_BYTES)) return;
  const header = scanner.take(HEADER_BYTES);
  // Files are made before they are filled: all zeros is an empty one.
  if (be32At(header, 0) === 0) return;
  if (be32At(header, 0) !== MAGIC || header[4] !== VERSION) {
    stop('it does not begin as a head chunk file');
    return;
  }
  while (scanner.left > FIXED_BYTES) {
    if (!scanner.available(Math.min(scanner.left, FIXED_BYTES + 5))) return;
    const head = new ByteReader(scanner.bytes, scanner.at, scanner.filled);
    const ref = head.be64();
    const minTime = head.be64();
    const maxTime = head.be64();
    if (ref === 0 && minTime === 0 && maxTime === 0) return;
    const flags = head.u8();
    const length = head.uvarint();
    const whole = head.at - scanner.at + length + 4;
    if (!scanner.available(whole)) {
      stop('the last chunk is torn');
      return;
    }
    const frame = scanner.take(whole);
    if (crc32c(frame, 0, whole - 4) !== be32At(frame, whole - 4)) {
      stop('the checksum of a chunk does not match');
      return;
    }
    const bytes = frame.subarray(whole - 4 - length, whole - 4);
    const encoding = fromFileEncoding(flags & ~OUT_OF_ORDER_FLAG);
    const outOfOrder = (flags & OUT_OF_ORDER_FLAG) !== 0;
    yield { ref, outOfOrder, chunk: { encoding, minTime, maxTime, samples: samplesOf(bytes), bytes } };
  }
}
