// Copies of blocks: snapshots, whose files are links to the originals and cost nothing, and blocks taken in from elsewhere.

import type { Disk } from '#base/disk/disk.ts';
import { publishFolder } from '#base/disk/durable.ts';
import { OperatingError } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import { Block } from './block/block.ts';
import { PageCache } from './block/files.ts';
import { addHashes } from './block/hashes.ts';
import { INDEX_FILE, SHARDS_FILE } from './block/index-format.ts';
import { type BlockMeta, META_FILE, readMeta, writeMeta } from './block/meta.ts';
import { CHUNKS_FOLDER } from './block/segment-format.ts';
import { blockNames } from './block/set.ts';
import { TOMBSTONES_FILE } from './block/tombstones.ts';
import { newUlid } from './block/ulid.ts';
import { CREATION_SUFFIX } from './block/writer.ts';

/** Below the data folder. */
export const SNAPSHOTS_FOLDER = 'snapshots';

/** "20171210T211224Z-2be650b6d019eb54": the time and some chance. */
export function snapshotName(nowMs: number, random: Random): string {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${time}-${[...random.bytes(8)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** Links every file of a block into a folder of the same name below `into`. */
export function linkBlock(disk: Disk, folder: string, name: string, into: string): void {
  const from = `${folder}/${name}`;
  const temporary = `${into}/${name}${CREATION_SUFFIX}`;
  disk.remove(temporary);
  disk.makeFolder(`${temporary}/${CHUNKS_FOLDER}`);
  for (const chunk of disk.list(`${from}/${CHUNKS_FOLDER}`)) {
    disk.link(`${from}/${CHUNKS_FOLDER}/${chunk.name}`, `${temporary}/${CHUNKS_FOLDER}/${chunk.name}`);
  }
  for (const file of [INDEX_FILE, SHARDS_FILE, TOMBSTONES_FILE, META_FILE]) {
    if (disk.exists(`${from}/${file}`)) disk.link(`${from}/${file}`, `${temporary}/${file}`);
  }
  disk.syncFolder(`${temporary}/${CHUNKS_FOLDER}`);
  publishFolder(disk, temporary, `${into}/${name}`);
}

const COPY_BYTES = 1024 * 1024;

function copyFile(disk: Disk, from: string, to: string): void {
  const source = disk.open(from, 'read');
  try {
    const target = disk.open(to, 'create');
    try {
      const buffer = new Uint8Array(COPY_BYTES);
      for (let at = 0, size = source.size(); at < size; ) {
        const count = source.read(buffer, at);
        target.write(buffer.subarray(0, count));
        at += count;
      }
      target.sync();
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
}

/**
 * Takes the blocks of another folder into the data folder, each read completely first, so that damage stays outside. A block
 * whose name is taken gets a new one, as do all whose parents would vanish from the data folder. Overlaps are for compaction
 * to merge. Returns what was taken in.
 */
export function importBlocks(
  disk: Disk,
  from: string,
  folder: string,
  options: { readonly nowMs: number; readonly random: Random; readonly signal?: AbortSignal },
): BlockMeta[] {
  const names = blockNames(disk, from);
  if (names.length === 0) throw new OperatingError('not_found', `cannot import blocks: ${from} has none`);
  return names.map((name) => {
    options.signal?.throwIfAborted();
    verifyBlock(disk, `${from}/${name}`);
    const meta = readMeta(disk, `${from}/${name}`);
    const { parents: _, ...compaction } = meta.compaction;
    const isNew = !disk.exists(`${folder}/${name}`);
    const ulid = isNew ? meta.ulid : newUlid(options.nowMs, options.random);
    const temporary = `${folder}/${ulid}${CREATION_SUFFIX}`;
    disk.remove(temporary);
    disk.makeFolder(`${temporary}/${CHUNKS_FOLDER}`);
    for (const chunk of disk.list(`${from}/${name}/${CHUNKS_FOLDER}`)) {
      copyFile(disk, `${from}/${name}/${CHUNKS_FOLDER}/${chunk.name}`, `${temporary}/${CHUNKS_FOLDER}/${chunk.name}`);
    }
    for (const file of [INDEX_FILE, SHARDS_FILE, TOMBSTONES_FILE]) {
      if (disk.exists(`${from}/${name}/${file}`)) copyFile(disk, `${from}/${name}/${file}`, `${temporary}/${file}`);
    }
    const taken: BlockMeta = { ...meta, ulid, compaction };
    writeMeta(disk, temporary, taken);
    if (!disk.exists(`${temporary}/${SHARDS_FILE}`)) {
      const block = new Block(disk, temporary, new PageCache());
      try {
        addHashes(disk, block);
      } finally {
        block.close();
      }
    }
    disk.syncFolder(`${temporary}/${CHUNKS_FOLDER}`);
    publishFolder(disk, temporary, `${folder}/${ulid}`);
    return taken;
  });
}

/** Reads a block from end to end: every checksum, every reference. */
export function verifyBlock(disk: Disk, folder: string): { series: number; chunks: number; samples: number } {
  const block = new Block(disk, folder, new PageCache());
  const counts = { series: 0, chunks: 0, samples: 0 };
  try {
    for (const { chunks } of block.series({ min: -Infinity, max: Infinity })) {
      counts.series++;
      counts.chunks += chunks.length;
      for (const { samples } of chunks) counts.samples += samples;
    }
    for (const name of block.index.labelNames) {
      for (const { offset } of block.index.values(name)) block.index.postingsAt(offset);
    }
  } finally {
    block.close();
  }
  return counts;
}
