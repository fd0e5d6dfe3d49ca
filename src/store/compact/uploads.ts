// Blocks that another program uploads must not be merged before it has them: a JSON file lists those that it has, as the
// sidecars of object stores write it.

import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { BlockMeta } from '../block/meta.ts';

/** The blocks, oldest first, before the first one of level 1 that the file does not list. Unreadable, it holds nothing up. */
export function uploadedBlocks(metas: readonly BlockMeta[], file: string, disk: Disk, logger: Logger): BlockMeta[] {
  const oldestFirst = [...metas].sort((a, b) => a.minTime - b.minTime);
  const uploaded = readUploads(file, disk, logger);
  if (!uploaded) return oldestFirst;
  const end = oldestFirst.findIndex(({ compaction, ulid }) => compaction.level <= 1 && !uploaded.has(ulid));
  return end < 0 ? oldestFirst : oldestFirst.slice(0, end);
}

function readUploads(file: string, disk: Disk, logger: Logger): ReadonlySet<unknown> | undefined {
  try {
    const { uploaded = [] } = JSON.parse(new TextDecoder().decode(disk.readFile(file))) as { uploaded?: unknown };
    if (!Array.isArray(uploaded)) throw new Error('"uploaded" is no list');
    return new Set(uploaded);
  } catch (error) {
    logger.warn('cannot read which blocks were uploaded', { file, err: errorText(error) });
    return undefined;
  }
}
