// Writes a block: chunks, index, tombstones and meta.json into a temporary folder that gets its name when everything in it
// is durable. A crash leaves the folder without its name, which the next start removes.

import { assert } from '#base/assert.ts';
import type { Disk } from '#base/disk/disk.ts';
import { publishFolder } from '#base/disk/durable.ts';
import type { Labels } from '#model/labels.ts';
import { CHUNK_XOR } from '#model/query.ts';
import type { EncodedChunk } from '../chunks.ts';
import type { ChunkPlace } from './index-format.ts';
import { IndexWriter } from './index-writer.ts';
import { type BlockMeta, writeMeta } from './meta.ts';
import { CHUNKS_FOLDER } from './segment-format.ts';
import { SegmentWriter } from './segment-writer.ts';
import { NO_TOMBSTONES, writeTombstones } from './tombstones.ts';

/** Suffixes of folders that are not blocks yet or any more; Prometheus removes them at its start as well. */
export const CREATION_SUFFIX = '.tmp-for-creation';
export const DELETION_SUFFIX = '.tmp-for-deletion';

export type BlockSeries = { readonly labels: Labels; readonly chunks: readonly EncodedChunk[] };

/**
 * Writes series, in label order with chunks that do not overlap, as block `meta.ulid` below a folder. Returns the meta with
 * its statistics filled in, or undefined, with nothing written, when there are no series.
 */
export function writeBlock(
  disk: Disk,
  folder: string,
  meta: BlockMeta,
  series: Iterable<BlockSeries>,
  signal?: AbortSignal,
): BlockMeta | undefined {
  const path = `${folder}/${meta.ulid}`;
  const temporary = `${path}${CREATION_SUFFIX}`;
  assert(!disk.exists(path), `block ${meta.ulid} is there already`);
  disk.remove(temporary);
  disk.makeFolder(temporary);
  const chunks = new SegmentWriter(disk, `${temporary}/${CHUNKS_FOLDER}`);
  const index = new IndexWriter(disk, temporary);
  const counts = { numSamples: 0, numFloatSamples: 0, numHistogramSamples: 0, numSeries: 0, numChunks: 0 };
  try {
    for (const entry of series) {
      signal?.throwIfAborted();
      const places: ChunkPlace[] = [];
      for (const chunk of entry.chunks) {
        places.push({
          ref: chunks.write(chunk.encoding, chunk.bytes),
          minTime: chunk.minTime,
          maxTime: chunk.maxTime,
        });
        counts.numSamples += chunk.samples;
        if (chunk.encoding === CHUNK_XOR) counts.numFloatSamples += chunk.samples;
        else counts.numHistogramSamples += chunk.samples;
      }
      counts.numChunks += places.length;
      counts.numSeries++;
      index.add(entry.labels, places);
    }
    if (counts.numSeries === 0) {
      chunks.abandon();
      index.abandon();
      disk.remove(temporary);
      return undefined;
    }
    chunks.finish();
    index.finish();
  } catch (error) {
    chunks.abandon();
    index.abandon();
    disk.remove(temporary);
    throw error;
  }
  writeTombstones(disk, temporary, NO_TOMBSTONES);
  const stats = Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
  const written = { ...meta, stats };
  writeMeta(disk, temporary, written);
  publishFolder(disk, temporary, path);
  return written;
}

/** Removes a block so that a crash in between leaves nothing that looks like one. */
export function deleteBlock(disk: Disk, folder: string, name: string): void {
  const doomed = `${folder}/${name}${DELETION_SUFFIX}`;
  disk.remove(doomed);
  if (disk.exists(`${folder}/${name}`)) {
    disk.rename(`${folder}/${name}`, doomed);
    disk.syncFolder(folder);
  }
  disk.remove(doomed);
}
