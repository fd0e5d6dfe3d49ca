// The tombstones file of a block: ranges of time deleted from single series, by series reference. Samples in them are skipped
// when read and gone after the next rewrite of the block.

import { crc32c } from '#base/crc32c.ts';
import type { Disk } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import type { TimeRange } from '#model/query.ts';
import { ByteReader, ByteWriter, be32At, corrupt } from './bytes.ts';

export const TOMBSTONES_FILE = 'tombstones';
const MAGIC = 0x0130ba30;
const VERSION = 1;

/** By series reference: ranges with both ends included, in order, neither overlapping nor touching. */
export type Tombstones = ReadonlyMap<number, readonly TimeRange[]>;

export const NO_TOMBSTONES: Tombstones = new Map();

/** The union of ranges and one more. */
export function addRange(ranges: readonly TimeRange[], added: TimeRange): TimeRange[] {
  const merged: TimeRange[] = [];
  let { min, max } = added;
  let placed = false;
  for (const range of ranges) {
    if (range.max + 1 < min) merged.push(range);
    else if (range.min > max + 1) {
      if (!placed) merged.push({ min, max });
      placed = true;
      merged.push(range);
    } else {
      min = Math.min(min, range.min);
      max = Math.max(max, range.max);
    }
  }
  if (!placed) merged.push({ min, max });
  return merged;
}

export function countTombstones(tombstones: Tombstones): number {
  let count = 0;
  for (const ranges of tombstones.values()) count += ranges.length;
  return count;
}

export function encodeTombstones(tombstones: Tombstones): Uint8Array {
  const out = new ByteWriter(64);
  out.be32(MAGIC);
  out.u8(VERSION);
  for (const ref of [...tombstones.keys()].sort((a, b) => a - b)) {
    for (const { min, max } of tombstones.get(ref)!) {
      out.uvarint(ref);
      out.varint(min);
      out.varint(max);
    }
  }
  // The checksum leaves out magic and version.
  out.be32(crc32c(out.bytes, 5, out.length));
  return out.view();
}

/** Empty when the block has no such file. */
export function readTombstones(disk: Disk, folder: string): Tombstones {
  const path = `${folder}/${TOMBSTONES_FILE}`;
  if (!disk.exists(path)) return NO_TOMBSTONES;
  const bytes = disk.readFile(path);
  if (bytes.length < 9 || be32At(bytes, 0) !== MAGIC) throw corrupt(`${path}: it does not begin as a tombstones file`);
  if (bytes[4] !== VERSION) throw corrupt(`${path}: format version ${bytes[4]}`);
  const end = bytes.length - 4;
  if (crc32c(bytes, 5, end) !== be32At(bytes, end)) throw corrupt(`${path}: the checksum does not match`);
  const found = new Map<number, TimeRange[]>();
  const reader = new ByteReader(bytes, 5, end);
  while (reader.left > 0) {
    const ref = reader.uvarint();
    const range = { min: reader.varint(), max: reader.varint() };
    found.set(ref, addRange(found.get(ref) ?? [], range));
  }
  return found;
}

export function writeTombstones(disk: Disk, folder: string, tombstones: Tombstones): void {
  replaceFile(disk, `${folder}/${TOMBSTONES_FILE}`, encodeTombstones(tombstones));
}
