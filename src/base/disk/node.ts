// The real disk: node:fs behind the Disk interface.

import fs from 'node:fs';
import { errorCode, errorText, OperatingError } from '../errors.ts';
import type { DirEntry, Disk, DiskFile, OpenMode } from './disk.ts';

const FLAGS: Record<OpenMode, string> = { read: 'r', append: 'a', readwrite: 'r+', create: 'ax' };

class NodeFile implements DiskFile {
  readonly #path: string;
  readonly #fd: number;
  constructor(path: string, mode: OpenMode) {
    this.#path = path;
    this.#fd = guard('open', path, () => fs.openSync(path, FLAGS[mode]));
  }
  read(target: Uint8Array, fileOffset: number): number {
    let done = 0;
    while (done < target.length) {
      const count = guard('read', this.#path, () =>
        fs.readSync(this.#fd, target, done, target.length - done, fileOffset + done),
      );
      if (count === 0) break;
      done += count;
    }
    return done;
  }
  write(bytes: Uint8Array, fileOffset?: number): void {
    let done = 0;
    while (done < bytes.length) {
      const at = fileOffset === undefined ? null : fileOffset + done;
      done += guard('write', this.#path, () => fs.writeSync(this.#fd, bytes, done, bytes.length - done, at));
    }
  }
  truncate(size: number): void {
    guard('truncate', this.#path, () => fs.ftruncateSync(this.#fd, size));
  }
  size(): number {
    return guard('stat', this.#path, () => fs.fstatSync(this.#fd).size);
  }
  sync(): void {
    guard('sync', this.#path, () => fs.fdatasyncSync(this.#fd));
  }
  syncLater(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#fd, (error) => (error ? reject(failure('sync', this.#path, error)) : resolve()));
    });
  }
  close(): void {
    guard('close', this.#path, () => fs.closeSync(this.#fd));
  }
}

export const nodeDisk: Disk = {
  open: (path, mode) => new NodeFile(path, mode),
  readFile: (path) => guard('read', path, () => fs.readFileSync(path)),
  exists: (path) => fs.existsSync(path),
  size: (path) => guard('stat', path, () => fs.statSync(path).size),
  modified: (path) => guard('stat', path, () => fs.statSync(path).mtimeMs),
  list(path): DirEntry[] {
    if (!fs.existsSync(path)) return [];
    return guard('list', path, () => fs.readdirSync(path, { withFileTypes: true }))
      .map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  },
  makeFolder: (path) => void guard('create folder', path, () => fs.mkdirSync(path, { recursive: true })),
  rename: (from, to) => guard('rename', from, () => fs.renameSync(from, to)),
  remove: (path) => guard('remove', path, () => fs.rmSync(path, { recursive: true, force: true })),
  link: (from, to) => guard('link', from, () => fs.linkSync(from, to)),
  syncFolder(path) {
    const fd = guard('open', path, () => fs.openSync(path, 'r'));
    try {
      guard('sync', path, () => fs.fsyncSync(fd));
    } finally {
      fs.closeSync(fd);
    }
  },
  space(path) {
    const stat = guard('stat', path, () => fs.statfsSync(path));
    return { freeBytes: stat.bavail * stat.bsize, totalBytes: stat.blocks * stat.bsize };
  },
};

function guard<T>(verb: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw failure(verb, path, error);
  }
}

function failure(verb: string, path: string, cause: unknown): OperatingError {
  return new OperatingError(errorCode(cause) ?? 'disk', `cannot ${verb} ${path}: ${errorText(cause)}`, { cause });
}
