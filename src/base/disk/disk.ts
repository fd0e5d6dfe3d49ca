// The disk as an argument. Calls are synchronous: they run in shard and background threads, where a blocking write costs
// less than a promise. `nodeDisk` is the real one; the simulated twin (sim.ts) loses what was not synced, tears writes,
// fills up and fails on command. Durable replacement of files is in durable.ts, nowhere else.

export type OpenMode = 'read' | 'append' | 'readwrite' | 'create';

export interface DiskFile {
  /** Bytes read into the target from a file offset; fewer than asked only at the end of the file. */
  read(target: Uint8Array, fileOffset: number): number;
  /** Writes all bytes at the end ('append', 'create') or at an offset ('readwrite'). */
  write(bytes: Uint8Array, fileOffset?: number): void;
  truncate(size: number): void;
  size(): number;
  /** Returns when everything written so far survives a power cut. */
  sync(): void;
  /** The same without holding up the thread. The file must stay open until it is done. */
  syncLater(): Promise<void>;
  close(): void;
}

export type DirEntry = { readonly name: string; readonly isFolder: boolean };
export type DiskSpace = { readonly freeBytes: number; readonly totalBytes: number };

export interface Disk {
  /** 'create' refuses a file that exists. */
  open(path: string, mode: OpenMode): DiskFile;
  readFile(path: string): Uint8Array;
  exists(path: string): boolean;
  size(path: string): number;
  /** Modification time, milliseconds since the epoch. */
  modified(path: string): number;
  /** Sorted by name; empty for a folder that does not exist. */
  list(path: string): DirEntry[];
  /** With parents; no error if it exists. */
  makeFolder(path: string): void;
  rename(from: string, to: string): void;
  /** A file or a whole folder; no error if it does not exist. */
  remove(path: string): void;
  link(from: string, to: string): void;
  /** Makes names created, renamed or removed in a folder survive a power cut. */
  syncFolder(path: string): void;
  space(path: string): DiskSpace;
}
