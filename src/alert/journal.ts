// A map that survives the process: changes are appended to a file, one JSON line each with a checksum, and the file is
// rewritten, in slices, when most of it is outdated. A torn last line is dropped; a damaged line in the middle is reported and skipped.

import path from 'node:path';
import type { Clock, Timer } from '#base/clock.ts';
import { crc32c } from '#base/crc32c.ts';
import type { Disk, DiskFile } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';

const SYNC_MS = 1000;
/** A file smaller than this is not worth rewriting. */
const MIN_REWRITE_BYTES = 1 << 20;
/** How much is written at a time: more would hold up the thread. */
const SLICE_BYTES = 1 << 18;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A change that leaves most of a value as it is. */
export type Patch<V> = { readonly key: string; readonly value: V; readonly patch: Partial<V> };

/** The new file that is being written beside the old one; changes go to both. */
type Rewriting<V> = {
  readonly handle: DiskFile;
  readonly entries: Iterator<[string, V]>;
  readonly beganAt: number;
  sizeBytes: number;
  next: Timer | undefined;
};

export class Journal<V> {
  readonly #file: string;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #values = new Map<string, V>();
  #handle: DiskFile | undefined;
  #sizeBytes = 0;
  /** What the file had when it was last rewritten. */
  #baseBytes = 0;
  #rewriting: Rewriting<V> | undefined;
  #sync: Timer | undefined;
  /** Whether the file's name survives a power cut. */
  #isNamed = false;
  #version = 0;
  /** How often the file was rewritten, and how long that took. */
  readonly rewrites = { count: 0, seconds: 0 };
  /** Lines that could not be read when the file was opened. */
  damaged = 0;

  constructor(file: string, disk: Disk, clock: Clock, logger: Logger) {
    this.#file = file;
    this.#disk = disk;
    this.#clock = clock;
    this.#logger = logger;
    this.#load();
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  entries(): IterableIterator<[string, V]> {
    return this.#values.entries();
  }

  values(): IterableIterator<V> {
    return this.#values.values();
  }

  /** Changes with every change. */
  get version(): number {
    return this.#version;
  }

  get size(): number {
    return this.#values.size;
  }

  /** How large the file is. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Written to the file when this returns; it survives a power cut after the next sync, a second later at most. */
  set(key: string, value: V): void {
    this.#version++;
    this.#values.set(key, value);
    this.#append(encodeLine([key, value]));
  }

  /** The same for values of which only some fields changed: these alone are written, all in one go. */
  patch(patches: Iterable<Patch<V>>): void {
    const lines: Uint8Array[] = [];
    for (const { key, value, patch } of patches) {
      this.#version++;
      this.#values.set(key, value);
      lines.push(encodeLine([key, null, patch]));
    }
    if (lines.length > 0) this.#append(Buffer.concat(lines));
  }

  delete(key: string): void {
    if (!this.#values.delete(key)) return;
    this.#version++;
    this.#append(encodeLine([key]));
  }

  close(): void {
    this.#abandonRewrite();
    this.#sync?.cancel();
    this.#sync = undefined;
    if (this.#handle) this.#syncNow();
    this.#handle?.close();
    this.#handle = undefined;
  }

  #append(lines: Uint8Array): void {
    this.#handle ??= this.#disk.open(this.#file, 'append');
    this.#handle.write(lines);
    this.#sizeBytes += lines.length;
    try {
      if (this.#rewriting) {
        this.#rewriting.handle.write(lines);
        this.#rewriting.sizeBytes += lines.length;
      } else if (this.#sizeBytes > MIN_REWRITE_BYTES && this.#sizeBytes > 2 * this.#baseBytes) {
        const rewriting = this.#beginRewrite();
        this.#planRewrite(rewriting);
      }
    } catch (error) {
      this.#giveUpRewrite(error);
    }
    this.#syncSoon();
  }

  #syncSoon(): void {
    const sync = () => {
      this.#sync = undefined;
      this.#syncNow();
    };
    this.#sync ??= this.#clock.after(SYNC_MS, sync, true);
  }

  #syncNow(): void {
    this.#handle?.sync();
    if (this.#isNamed) return;
    this.#disk.syncFolder(path.dirname(this.#file));
    this.#isNamed = true;
  }

  get #temporary(): string {
    return `${this.#file}.tmp`;
  }

  #beginRewrite(): Rewriting<V> {
    this.#disk.remove(this.#temporary);
    const handle = this.#disk.open(this.#temporary, 'create');
    this.#rewriting = {
      handle,
      entries: this.#values.entries(),
      beganAt: this.#clock.monotonic(),
      sizeBytes: 0,
      next: undefined,
    };
    return this.#rewriting;
  }

  #planRewrite(rewriting: Rewriting<V>): void {
    rewriting.next = this.#clock.after(0, () => void this.#continueRewrite(rewriting), true);
  }

  /** A map's iterator sees what is set while it runs, so that the last line of each key tells its value. */
  async #continueRewrite(rewriting: Rewriting<V>): Promise<void> {
    try {
      if (this.#writeSlice(rewriting)) return this.#planRewrite(rewriting);
      await rewriting.handle.syncLater();
      // Unless it was closed meanwhile.
      if (this.#rewriting === rewriting) this.#finishRewrite(rewriting);
    } catch (error) {
      if (this.#rewriting === rewriting) this.#giveUpRewrite(error);
    }
  }

  #giveUpRewrite(error: unknown): void {
    this.#logger.error('cannot rewrite a file; the one before stays', { file: this.#file, err: errorText(error) });
    this.#abandonRewrite();
    // Not again with the next line.
    this.#baseBytes = this.#sizeBytes;
  }

  /** False when there was nothing left. */
  #writeSlice(rewriting: Rewriting<V>): boolean {
    const lines: Uint8Array[] = [];
    let sizeBytes = 0;
    while (sizeBytes < SLICE_BYTES) {
      const { done, value } = rewriting.entries.next();
      if (done) break;
      const line = encodeLine(value);
      lines.push(line);
      sizeBytes += line.length;
    }
    if (lines.length === 0) return false;
    rewriting.handle.write(Buffer.concat(lines, sizeBytes));
    rewriting.sizeBytes += sizeBytes;
    return true;
  }

  /** Write, sync, rename, sync the folder. */
  #finishRewrite({ handle, sizeBytes, beganAt }: Rewriting<V>): void {
    handle.sync();
    this.#disk.rename(this.#temporary, this.#file);
    this.#disk.syncFolder(path.dirname(this.#file));
    this.#isNamed = true;
    this.#rewriting = undefined;
    this.#handle?.close();
    this.#handle = handle;
    this.#sizeBytes = sizeBytes;
    this.#baseBytes = sizeBytes;
    this.rewrites.count++;
    this.rewrites.seconds += (this.#clock.monotonic() - beganAt) / 1000;
  }

  #abandonRewrite(): void {
    if (!this.#rewriting) return;
    const { next, handle } = this.#rewriting;
    this.#rewriting = undefined;
    next?.cancel();
    handle.close();
    this.#disk.remove(this.#temporary);
  }

  #load(): void {
    if (!this.#disk.exists(this.#file)) return;
    const bytes = this.#disk.readFile(this.#file);
    let start = 0;
    let whole = 0;
    while (start < bytes.length) {
      const end = bytes.indexOf(0x0a, start);
      if (end < 0) break;
      if (!this.#learn(bytes.subarray(start, end))) this.damaged++;
      start = end + 1;
      whole = start;
    }
    if (whole < bytes.length)
      this.#logger.warn('dropped a torn line at the end of a file', { file: this.#file, bytes: bytes.length - whole });
    if (this.damaged > 0) this.#logger.error('skipped damaged lines', { file: this.#file, lines: this.damaged });
    // Whatever was wrong is gone after this; the values that could be read are kept.
    const rewriting = this.#beginRewrite();
    while (this.#writeSlice(rewriting));
    this.#finishRewrite(rewriting);
  }

  /** False when the line is damaged. */
  #learn(line: Uint8Array): boolean {
    const entry = decodeLine<V>(line);
    if (!entry) return false;
    const [key, value, patch] = entry;
    const known = this.#values.get(key);
    if (patch !== undefined) {
      // Nothing to change: the line that gives it all follows.
      if (known !== undefined) this.#values.set(key, { ...known, ...patch });
    } else if (value === undefined || value === null) this.#values.delete(key);
    else this.#values.set(key, value);
    return true;
  }
}

/** `[key]` deletes, `[key, value]` sets, `[key, null, fields]` changes some fields. */
type Line<V> = readonly [key: string, value?: V | null, patch?: Partial<V>];

function encodeLine<V>(line: Line<V>): Uint8Array {
  const body = encoder.encode(JSON.stringify(line));
  const bytes = Buffer.allocUnsafe(body.length + 10);
  bytes.write(`${crc32c(body).toString(16).padStart(8, '0')} `, 0, 'latin1');
  bytes.set(body, 9);
  bytes[bytes.length - 1] = 0x0a;
  return bytes;
}

function decodeLine<V>(line: Uint8Array): Line<V> | undefined {
  if (line.length < 10 || Number.parseInt(decoder.decode(line.subarray(0, 8)), 16) !== crc32c(line, 9))
    return undefined;
  return JSON.parse(decoder.decode(line.subarray(9))) as Line<V>;
}
