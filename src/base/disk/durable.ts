// The one place that knows the order in which a file becomes durable: write, sync, rename, sync the folder.

import { dirname } from 'node:path';
import type { Disk } from './disk.ts';

/** Replaces a file so that after a crash there is either the old content or the new one, whole. */
export function replaceFile(disk: Disk, path: string, bytes: Uint8Array): void {
  const temporary = `${path}.tmp`;
  disk.remove(temporary);
  const file = disk.open(temporary, 'create');
  try {
    file.write(bytes);
    file.sync();
  } finally {
    file.close();
  }
  disk.rename(temporary, path);
  disk.syncFolder(dirname(path));
}

/** Gives a finished folder, whose files are synced, its final name. */
export function publishFolder(disk: Disk, temporary: string, path: string): void {
  disk.syncFolder(temporary);
  disk.rename(temporary, path);
  disk.syncFolder(dirname(path));
}
