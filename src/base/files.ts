// Files that users edit while the program runs: patterns that name them, and word of their changes from the system.

import fs from 'node:fs';
import path from 'node:path';
import type { Disk } from './disk/disk.ts';

/** Files that match a pattern whose last part may hold *, ? and [...]; sorted. Without these: the name itself, if it exists. */
export function matchingFiles(disk: Disk, pattern: string): string[] {
  const name = path.basename(pattern);
  if (!/[*?[]/.test(name)) return disk.exists(pattern) ? [pattern] : [];
  const folder = path.dirname(pattern);
  const expression = new RegExp(
    `^${name.replace(/\[[^\]]*\]|[\s\S]/g, (part) => {
      if (part === '*') return '[^/]*';
      if (part === '?') return '[^/]';
      return part.length > 1 ? part.replace(/^\[!/, '[^') : part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    })}$`,
  );
  return disk
    .list(folder)
    .filter((entry) => !entry.isFolder && expression.test(entry.name))
    .map((entry) => path.join(folder, entry.name));
}

/** Calls back after something in the folder changed. Throws when the folder cannot be watched. */
export function watchFolder(folder: string, onChange: () => void, onError: (error: Error) => void): { close(): void } {
  const watcher = fs.watch(folder, { persistent: false }, onChange);
  watcher.on('error', onError);
  return { close: () => watcher.close() };
}
