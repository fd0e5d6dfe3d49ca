// Reads Prometheus' write-ahead logs: segments of 32 kB pages with records in fragments, plain or compressed, after the
// newest checkpoint. A torn end is what every crash leaves; damage elsewhere costs the records that it touches, not what
// follows them.

import { zstdDecompressSync } from 'node:zlib';
import { crc32c } from '#base/crc32c.ts';
import type { Disk, DiskFile } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import { snappyDecode } from '#wire/snappy.ts';
import { be32At } from '../block/bytes.ts';

const PAGE_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
const MAX_RECORD_BYTES = 1 << 30;

const FRAGMENT = { pageEnd: 0, full: 1, first: 2, middle: 3, last: 4 } as const;
const TYPE_MASK = 7;
const SNAPPY_FLAG = 8;
const ZSTD_FLAG = 16;

export type LogProblem = { readonly file: string; readonly offset: number; readonly reason: string };

/** Files of a log in the order in which they are to be read. */
export function logFiles(disk: Disk, folder: string): string[] {
  const entries = disk.list(folder);
  const checkpoints = entries
    .filter(({ name, isFolder }) => isFolder && /^checkpoint\.\d+$/.test(name))
    .map(({ name }) => ({ name, number: Number(name.slice('checkpoint.'.length)) }))
    .sort((a, b) => a.number - b.number);
  const newest = checkpoints.at(-1);
  const segments = (below: string) =>
    disk
      .list(below)
      .filter(({ name, isFolder }) => !isFolder && /^\d+$/.test(name))
      .map(({ name }) => ({ path: `${below}/${name}`, number: Number(name) }))
      .sort((a, b) => a.number - b.number);
  const own = segments(folder).filter(({ number }) => !newest || number > newest.number);
  const before = newest ? segments(`${folder}/${newest.name}`) : [];
  return [...before, ...own].map(({ path }) => path);
}

/** Records of the files, decompressed; each is valid until the next one. */
export function* readLog(
  disk: Disk,
  files: readonly string[],
  report: (problem: LogProblem) => void,
): Generator<Uint8Array> {
  for (const path of files) {
    const file = disk.open(path, 'read');
    try {
      yield* readSegment(file, path, report);
    } finally {
      file.close();
    }
  }
}

/** Records never cross segments. */
function* readSegment(file: DiskFile, path: string, report: (problem: LogProblem) => void): Generator<Uint8Array> {
  const page = new Uint8Array(PAGE_BYTES);
  const size = file.size();
  let fragments: Uint8Array[] = [];
  for (let start = 0; start < size; start += PAGE_BYTES) {
    const filled = file.read(page.subarray(0, Math.min(PAGE_BYTES, size - start)), start);
    let at = 0;
    while (at < filled) {
      const header = page[at]!;
      const type = header & TYPE_MASK;
      if (type === FRAGMENT.pageEnd) break;
      const problem = fragmentProblem(page, at, filled, fragments.length > 0);
      if (problem) {
        // The rest of the page cannot be trusted to begin at a fragment.
        report({ file: path, offset: start + at, reason: problem });
        fragments = [];
        break;
      }
      const length = (page[at + 1]! << 8) | page[at + 2]!;
      const body = page.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
      at += HEADER_BYTES + length;
      if (type === FRAGMENT.first || type === FRAGMENT.middle) {
        fragments.push(body.slice());
        continue;
      }
      const record = type === FRAGMENT.full ? body : joined([...fragments, body]);
      fragments = [];
      try {
        yield decompress(record, header);
      } catch (error) {
        report({ file: path, offset: start + at, reason: errorText(error) });
      }
    }
  }
  if (fragments.length > 0) report({ file: path, offset: size, reason: 'the last record is torn' });
}

function fragmentProblem(page: Uint8Array, at: number, filled: number, continues: boolean): string | undefined {
  const type = page[at]! & TYPE_MASK;
  if (type > FRAGMENT.last) return `unknown record type ${type}`;
  if (at + HEADER_BYTES > filled) return 'a record header is torn';
  const length = (page[at + 1]! << 8) | page[at + 2]!;
  if (at + HEADER_BYTES + length > filled) return 'a record is torn';
  if (crc32c(page, at + HEADER_BYTES, at + HEADER_BYTES + length) !== be32At(page, at + 3)) {
    return 'the checksum of a record does not match';
  }
  const begins = type === FRAGMENT.full || type === FRAGMENT.first;
  return begins === continues ? 'the fragments of a record are not in order' : undefined;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function decompress(record: Uint8Array, header: number): Uint8Array {
  if (header & SNAPPY_FLAG) return snappyDecode(record, MAX_RECORD_BYTES);
  if (header & ZSTD_FLAG) return zstdDecompressSync(record, { maxOutputLength: MAX_RECORD_BYTES });
  return record;
}
