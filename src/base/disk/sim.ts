// The simulated twin of the disk: files in memory that remember what a power cut would leave. It crashes at a chosen call, loses or
// tears what was not synced, reorders it, fills up, and fails reads on command; all of it from one seed.

import { OperatingError } from '../errors.ts';
import type { Random } from '../random.ts';
import type { DirEntry, Disk, DiskFile, DiskSpace, OpenMode } from './disk.ts';

const SECTOR_BYTES = 512;

type Write = { readonly offset: number; readonly bytes: Uint8Array } | { readonly truncate: number };

class Inode {
  content = new Uint8Array(0);
  /** What is certain to survive. */
  durable = new Uint8Array(0);
  /** Writes since the last sync, in order. */
  pending: Write[] = [];
  modified = 0;
}

type Change =
  | { readonly kind: 'create'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string };

export type SimFaults = {
  /** Bytes that fit; more is refused after as much as fits has been written. */
  capacityBytes?: number;
  /** Reads of paths that contain this fail. */
  unreadable?: string;
  /** Syncs fail. */
  syncFails?: boolean;
};

export class SimDisk implements Disk {
  readonly #random: Random;
  #files = new Map<string, Inode>();
  #folders = new Set<string>(['/']);
  /** Names that are certain to survive, and the changes since. */
  #durableFiles = new Map<string, Inode>();
  #durableFolders = new Set<string>(['/']);
  #changes: Change[] = [];
  #calls = 0;
  #crashAt = Number.POSITIVE_INFINITY;
  #epoch = 0;
  faults: SimFaults = {};

  constructor(random: Random) {
    this.#random = random;
  }

  /** Calls that changed something so far. */
  get calls(): number {
    return this.#calls;
  }
  get crashed(): boolean {
    return this.#calls >= this.#crashAt;
  }
  /** The call with this number and all behind it fail; a write may get through in part. */
  crashAt(call: number): void {
    this.#crashAt = call;
  }

  /** After a crash: what the machine finds. A killed process loses nothing that was written; a power cut what was not synced. */
  restart(powerCut: boolean): void {
    this.#epoch++;
    this.#crashAt = Number.POSITIVE_INFINITY;
    this.faults = {};
    if (!powerCut) return;
    // The file system keeps the order of names; how far it got is chance.
    const kept = this.#random.below(this.#changes.length + 1);
    const files = new Map(this.#durableFiles);
    for (const change of this.#changes.slice(0, kept)) applyChange(files, change);
    this.#files = files;
    for (const path of files.keys()) this.#addParents(path, this.#durableFolders);
    this.#folders = new Set(this.#durableFolders);
    for (const inode of new Set(files.values())) this.#lose(inode);
    this.#durableFiles = new Map(files);
    this.#changes = [];
  }

  /** The disk as the process that runs now sees it: after the next restart every call through this view fails. */
  view(): Disk {
    const epoch = this.#epoch;
    const guarded =
      <A extends unknown[], R>(call: (...args: A) => R) =>
      (...args: A): R => {
        if (epoch !== this.#epoch) throw new OperatingError('crashed', 'cannot reach the disk: the process is gone');
        return call(...args);
      };
    return {
      open: guarded((path, mode) => this.open(path, mode)),
      readFile: guarded((path) => this.readFile(path)),
      exists: guarded((path) => this.exists(path)),
      size: guarded((path) => this.size(path)),
      modified: guarded((path) => this.modified(path)),
      list: guarded((path) => this.list(path)),
      makeFolder: guarded((path) => this.makeFolder(path)),
      rename: guarded((from, to) => this.rename(from, to)),
      remove: guarded((path) => this.remove(path)),
      link: guarded((from, to) => this.link(from, to)),
      syncFolder: guarded((path) => this.syncFolder(path)),
      space: guarded(() => this.space()),
    };
  }

  #lose(inode: Inode): void {
    const mode = this.#random.below(4);
    let content = inode.durable;
    const writes = mode === 0 ? [] : inode.pending;
    const whole = mode === 2 ? this.#random.below(writes.length + 1) : writes.length;
    for (const [index, write] of writes.entries()) {
      if (mode === 2 && index > whole) break;
      if ('truncate' in write) {
        content = content.slice(0, write.truncate);
        continue;
      }
      const torn = mode === 2 && index === whole ? this.#random.below(write.bytes.length + 1) : write.bytes.length;
      content = overwrite(content, write.offset, write.bytes.subarray(0, torn));
      if (mode === 3) this.#scatter(content, write.offset, write.bytes.length, inode.durable);
    }
    inode.content = content.slice();
    inode.durable = content.slice();
    inode.pending = [];
  }

  /** Some sectors of a write did not arrive: they hold what was there before, or zeros. */
  #scatter(content: Uint8Array, offset: number, length: number, before: Uint8Array): void {
    for (let at = offset; at < offset + length; ) {
      const end = Math.min(offset + length, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
      if (this.#random.below(3) === 0) {
        content.fill(0, at, end);
        if (at < before.length) content.set(before.subarray(at, Math.min(end, before.length)), at);
      }
      at = end;
    }
  }

  #addParents(path: string, folders: Set<string>): void {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) folders.add(path.slice(0, at));
  }

  /** Counts a call that changes something; throws if the machine is down. */
  #step(what: string): void {
    if (this.crashed) throw new OperatingError('crashed', `cannot ${what}: the machine is down`);
    this.#calls++;
    if (this.crashed) throw new OperatingError('crashed', `cannot ${what}: the machine goes down`);
  }

  get usedBytes(): number {
    let total = 0;
    for (const inode of new Set(this.#files.values())) total += inode.content.length;
    return total;
  }

  #missing(verb: string, path: string): OperatingError {
    return new OperatingError('ENOENT', `cannot ${verb} ${path}: ENOENT: no such file or directory`);
  }

  #readable(path: string): void {
    if (this.faults.unreadable !== undefined && path.includes(this.faults.unreadable)) {
      throw new OperatingError('EIO', `cannot read ${path}: EIO: i/o error`);
    }
  }

  open(path: string, mode: OpenMode): DiskFile {
    let inode = this.#files.get(path);
    if (mode === 'create' || (mode === 'append' && !inode)) {
      if (inode) throw new OperatingError('EEXIST', `cannot open ${path}: EEXIST: file already exists`);
      if (!this.#folders.has(parentOf(path))) throw this.#missing('open', path);
      this.#step(`open ${path}`);
      inode = new Inode();
      this.#files.set(path, inode);
      this.#changes.push({ kind: 'create', path, inode });
    }
    if (!inode) throw this.#missing('open', path);
    return this.#handle(path, inode, mode);
  }

  #handle(path: string, inode: Inode, mode: OpenMode): DiskFile {
    const epoch = this.#epoch;
    const check = (what: string) => {
      if (epoch !== this.#epoch) throw new OperatingError('crashed', `cannot ${what} ${path}: its process is gone`);
    };
    const sync = () => {
      check('sync');
      this.#step(`sync ${path}`);
      if (this.faults.syncFails) throw new OperatingError('EIO', `cannot sync ${path}: EIO: i/o error`);
      inode.durable = inode.content.slice();
      inode.pending = [];
    };
    return {
      read: (target, fileOffset) => {
        check('read');
        this.#readable(path);
        const bytes = inode.content.subarray(fileOffset, fileOffset + target.length);
        target.set(bytes);
        return bytes.length;
      },
      write: (bytes, fileOffset) => {
        check('write');
        const offset = mode === 'readwrite' && fileOffset !== undefined ? fileOffset : inode.content.length;
        this.#write(path, inode, offset, bytes);
      },
      truncate: (size) => {
        check('truncate');
        this.#step(`truncate ${path}`);
        inode.content = inode.content.slice(0, size);
        inode.pending.push({ truncate: size });
      },
      size: () => inode.content.length,
      sync,
      syncLater: async () => sync(),
      close: () => undefined,
    };
  }

  #write(path: string, inode: Inode, offset: number, bytes: Uint8Array): void {
    const put = (count: number) => {
      const part = bytes.slice(0, count);
      inode.content = overwrite(inode.content, offset, part);
      inode.pending.push({ offset, bytes: part });
      inode.modified++;
    };
    try {
      this.#step(`write ${path}`);
    } catch (error) {
      // The call in which the machine goes down may have got part of its bytes into the cache.
      if (this.#calls === this.#crashAt) {
        this.#calls++;
        put(this.#random.below(bytes.length + 1));
      }
      throw error;
    }
    const room = this.faults.capacityBytes === undefined ? bytes.length : this.faults.capacityBytes - this.usedBytes;
    put(Math.max(0, Math.min(bytes.length, room)));
    if (room < bytes.length) {
      throw new OperatingError('ENOSPC', `cannot write ${path}: ENOSPC: no space left on device`);
    }
  }

  readFile(path: string): Uint8Array {
    const inode = this.#files.get(path);
    if (!inode) throw this.#missing('read', path);
    this.#readable(path);
    return inode.content.slice();
  }

  exists(path: string): boolean {
    return this.#files.has(path) || this.#folders.has(path);
  }

  size(path: string): number {
    const inode = this.#files.get(path);
    if (!inode) throw this.#missing('stat', path);
    return inode.content.length;
  }

  modified(path: string): number {
    return this.#files.get(path)?.modified ?? 0;
  }

  list(path: string): DirEntry[] {
    const names = new Map<string, boolean>();
    const prefix = path === '/' ? '/' : `${path}/`;
    for (const [paths, isFolder] of [
      [this.#files.keys(), false],
      [this.#folders, true],
    ] as const) {
      for (const full of paths) {
        if (!full.startsWith(prefix) || full === prefix) continue;
        const rest = full.slice(prefix.length);
        if (rest !== '' && !rest.includes('/')) names.set(rest, isFolder);
      }
    }
    return [...names].map(([name, isFolder]) => ({ name, isFolder })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  makeFolder(path: string): void {
    if (this.#folders.has(path)) return;
    this.#step(`create folder ${path}`);
    this.#folders.add(path);
    this.#addParents(path, this.#folders);
    // Folders are taken to survive: what counts is which files are in them.
    this.#durableFolders.add(path);
    this.#addParents(path, this.#durableFolders);
  }

  rename(from: string, to: string): void {
    this.#step(`rename ${from}`);
    if (!this.exists(from)) throw this.#missing('rename', from);
    const change: Change = { kind: 'rename', from, to };
    applyChange(this.#files, change);
    this.#changes.push(change);
    for (const folder of [...this.#folders]) {
      if (folder !== from && !folder.startsWith(`${from}/`)) continue;
      this.#folders.delete(folder);
      this.#folders.add(to + folder.slice(from.length));
    }
    this.#addParents(to, this.#folders);
  }

  remove(path: string): void {
    if (!this.exists(path)) return;
    this.#step(`remove ${path}`);
    const change: Change = { kind: 'remove', path };
    applyChange(this.#files, change);
    this.#changes.push(change);
    for (const folder of [...this.#folders]) {
      if (folder === path || folder.startsWith(`${path}/`)) this.#folders.delete(folder);
    }
  }

  link(from: string, to: string): void {
    this.#step(`link ${from}`);
    const inode = this.#files.get(from);
    if (!inode) throw this.#missing('link', from);
    this.#files.set(to, inode);
    this.#changes.push({ kind: 'create', path: to, inode });
  }

  syncFolder(path: string): void {
    this.#step(`sync ${path}`);
    if (this.faults.syncFails) throw new OperatingError('EIO', `cannot sync ${path}: EIO: i/o error`);
    // A journal is written in order: with this folder's changes all earlier ones have arrived.
    let last = -1;
    for (const [index, change] of this.#changes.entries()) {
      const paths = change.kind === 'rename' ? [change.from, change.to] : [change.path];
      if (paths.some((name) => parentOf(name) === path)) last = index;
    }
    for (const change of this.#changes.splice(0, last + 1)) applyChange(this.#durableFiles, change);
  }

  space(): DiskSpace {
    const totalBytes = this.faults.capacityBytes ?? 2 ** 40;
    return { freeBytes: Math.max(0, totalBytes - this.usedBytes), totalBytes };
  }
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

function applyChange(files: Map<string, Inode>, change: Change): void {
  if (change.kind === 'create') files.set(change.path, change.inode);
  else if (change.kind === 'remove') {
    for (const path of [...files.keys()]) {
      if (path === change.path || path.startsWith(`${change.path}/`)) files.delete(path);
    }
  } else {
    for (const [path, inode] of [...files]) {
      if (path !== change.from && !path.startsWith(`${change.from}/`)) continue;
      files.delete(path);
      files.set(change.to + path.slice(change.from.length), inode);
    }
  }
}

function overwrite(content: Uint8Array, offset: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(Math.max(content.length, offset + bytes.length));
  result.set(content);
  result.set(bytes, offset);
  return result;
}
