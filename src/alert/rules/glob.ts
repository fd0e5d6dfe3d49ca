// File names by pattern, as Go's filepath.Glob: `*`, `?`, `[a-z]`, `\` within one segment of a path.

import path from 'node:path';
import type { Disk } from '#base/disk/disk.ts';

const MAGIC = /[*?[\\]/;

/** Sorted; a pattern without wildcards gives the file if it exists. */
export function glob(disk: Disk, pattern: string): string[] {
  return find(disk, pattern, false);
}

function find(disk: Disk, pattern: string, foldersOnly: boolean): string[] {
  if (!MAGIC.test(pattern)) return disk.exists(pattern) ? [pattern] : [];
  const folder = path.dirname(pattern);
  const name = path.basename(pattern);
  const folders = MAGIC.test(folder) ? find(disk, folder, true) : [folder];
  if (!MAGIC.test(name)) {
    return folders.map((parent) => join(parent, name, pattern)).filter((file) => disk.exists(file));
  }
  const matches = segmentPattern(name);
  return folders
    .flatMap((parent) =>
      disk
        .list(parent)
        .filter((entry) => matches.test(entry.name) && (entry.isFolder || !foldersOnly))
        .map((entry) => join(parent, entry.name, pattern)),
    )
    .sort();
}

const join = (folder: string, name: string, pattern: string): string =>
  folder === '.' && !pattern.startsWith('.') ? name : path.join(folder, name);

function segmentPattern(name: string): RegExp {
  const source = name.replace(/\\(.)|\[(\^?)([^\]]+)\]|\*|\?|[^*?[\\]+|./gs, (token, escaped, not, set) => {
    if (escaped !== undefined) return escapeText(escaped);
    if (set !== undefined) return `[${not}${String(set).replace(/[[\]\\]/g, '\\$&')}]`;
    if (token === '*') return '[^/]*';
    if (token === '?') return '[^/]';
    return escapeText(token);
  });
  return new RegExp(`^${source}$`, 'su');
}

const escapeText = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
