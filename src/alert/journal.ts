// A map that survives the process: changes are appended to a file, one JSON line each with a checksum, and the file is
// rewritten when most of it is outdated. A torn last line is dropped; a damaged line in the middle is reported and skipped.

import type { Clock, Timer } from '#base/clock.ts';
import { crc32c } from '#base/crc32c.ts';
import type { Disk, DiskFile } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import type { Logger } from '#base/log.ts';

const SYNC_MS = 1000;
/** A file smaller than this is not worth rewriting. */
const MIN_REWRITE_BYTES = 1 << 20;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Journal<V> {
  readonly #file: string;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #values = new Map<string, V>();
  #handle: DiskFile | undefined;
  #sizeBytes = 0;
  #liveBytes = 0;
  #sync: Timer | undefined;
  #version = 0;
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

  /** Written to the file when this returns; it survives a power cut after the next sync, a second later at most. */
  set(key: string, value: V): void {
    this.#version++;
    this.#values.set(key, value);
    this.#append(key, value);
  }

  delete(key: string): void {
    if (!this.#values.delete(key)) return;
    this.#version++;
    this.#append(key, undefined);
  }

  close(): void {
    this.#sync?.cancel();
    this.#sync = undefined;
    this.#handle?.sync();
    this.#handle?.close();
    this.#handle = undefined;
  }

  #append(key: string, value: V | undefined): void {
    const line = encodeLine(key, value);
    this.#sizeBytes += line.length;
    this.#liveBytes += value === undefined ? 0 : line.length;
    if (this.#sizeBytes > MIN_REWRITE_BYTES && this.#sizeBytes > 2 * this.#liveBytes) {
      this.#rewrite();
      if (this.#sizeBytes > MIN_REWRITE_BYTES / 2) this.#liveBytes = this.#sizeBytes;
      return;
    }
    this.#handle ??= this.#disk.open(this.#file, 'append');
    this.#handle.write(line);
    this.#sync ??= this.#clock.after(
      SYNC_MS,
      () => {
        this.#sync = undefined;
        this.#handle?.sync();
      },
      true,
    );
  }

  #rewrite(): void {
    this.#handle?.close();
    this.#handle = undefined;
    const lines = [...this.#values].map(([key, value]) => encodeLine(key, value));
    const bytes = Buffer.concat(lines);
    replaceFile(this.#disk, this.#file, bytes);
    this.#sizeBytes = bytes.length;
    this.#liveBytes = bytes.length;
  }

  #load(): void {
    if (!this.#disk.exists(this.#file)) return;
    const bytes = this.#disk.readFile(this.#file);
    let start = 0;
    let whole = 0;
    while (start < bytes.length) {
      const end = bytes.indexOf(0x0a, start);
      if (end < 0) break;
      const entry = decodeLine<V>(bytes.subarray(start, end));
      if (!entry) this.damaged++;
      else if (entry.value === undefined) this.#values.delete(entry.key);
      else this.#values.set(entry.key, entry.value);
      start = end + 1;
      whole = start;
    }
    if (whole < bytes.length)
      this.#logger.warn('dropped a torn line at the end of a file', { file: this.#file, bytes: bytes.length - whole });
    if (this.damaged > 0) this.#logger.error('skipped damaged lines', { file: this.#file, lines: this.damaged });
    // Whatever was wrong is gone after this; the values that could be read are kept.
    this.#rewrite();
  }
}

function encodeLine(key: string, value: unknown): Uint8Array {
  const body = encoder.encode(JSON.stringify(value === undefined ? [key] : [key, value]));
  return Buffer.concat([encoder.encode(`${crc32c(body).toString(16).padStart(8, '0')} `), body, encoder.encode('\n')]);
}

function decodeLine<V>(line: Uint8Array): { key: string; value: V | undefined } | undefined {
  if (line.length < 10 || Number.parseInt(decoder.decode(line.subarray(0, 8)), 16) !== crc32c(line, 9))
    return undefined;
  const [key, value] = JSON.parse(decoder.decode(line.subarray(9))) as [string, V?];
  return { key, value };
}
