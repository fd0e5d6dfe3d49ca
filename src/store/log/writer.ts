// One stream of the log: records gathered in a buffer, written together, in segments of bounded size. A write that fails is
// cut off again, so that a segment never has half a record in its middle; what was in the buffer stays there.

import type { Disk, DiskFile } from '#base/disk/disk.ts';
import { RECORD_HEADER_BYTES, type Stream, segmentFile, segmentHeader, writeRecordHeader } from './format.ts';

const INITIAL_BUFFER_BYTES = 64 * 1024;
/** A buffer that one large batch made larger is given back. */
const MAX_IDLE_BUFFER_BYTES = 1024 * 1024;

export class StreamWriter {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #stream: Stream;
  readonly #generation: number;
  readonly #segmentBytes: number;
  #file: DiskFile | undefined;
  #sequence = 0;
  #size = 0;
  #dirty = false;
  /** Segments that are full and not synced yet. */
  #full: DiskFile[] = [];
  /** Files must stay open while a sync of them is under way. */
  #syncing: Promise<void> | undefined;
  #torn = false;
  #buffer = new Uint8Array(INITIAL_BUFFER_BYTES);
  #length = 0;
  /** Bytes written in this generation and still there. */
  bytes = 0;
  readonly #sizes = new Map<number, number>();

  constructor(disk: Disk, folder: string, stream: Stream, generation: number, segmentBytes: number) {
    this.#disk = disk;
    this.#folder = folder;
    this.#stream = stream;
    this.#generation = generation;
    this.#segmentBytes = segmentBytes;
  }

  /** Number of the segment that the next record goes to. */
  get sequence(): number {
    return this.#file && this.#size < this.#segmentBytes ? this.#sequence : this.#sequence + 1;
  }

  /** Whether something was written that a power cut could still take. */
  get isDirty(): boolean {
    return this.#dirty || this.#full.length > 0;
  }

  get pendingBytes(): number {
    return this.#length;
  }

  /** Adds a record to the buffer. The body is copied. */
  add(kind: number, body: Uint8Array): void {
    const end = this.#length + RECORD_HEADER_BYTES + body.length;
    if (end > this.#buffer.length) {
      const wider = new Uint8Array(Math.max(end, this.#buffer.length * 2));
      wider.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = wider;
    }
    this.#buffer.set(body, this.#length + RECORD_HEADER_BYTES);
    writeRecordHeader(this.#buffer, this.#length, kind, body.length);
    this.#length = end;
  }

  /** Hands what is in the buffer to the operating system. */
  flush(): void {
    if (this.#length === 0) return;
    const file = this.#segment();
    try {
      file.write(this.#buffer.subarray(0, this.#length));
    } catch (error) {
      this.#torn = true;
      throw error;
    }
    this.#size += this.#length;
    this.bytes += this.#length;
    this.#sizes.set(this.#sequence, this.#size);
    this.#length = 0;
    this.#dirty = true;
    if (this.#buffer.length > MAX_IDLE_BUFFER_BYTES) this.#buffer = new Uint8Array(INITIAL_BUFFER_BYTES);
  }

  /** Throws away what has not been written. */
  discard(): void {
    this.#length = 0;
  }

  #segment(): DiskFile {
    if (this.#torn) {
      // Whatever part of the failed write arrived is cut off before anything follows it.
      this.#file?.truncate(this.#size);
      this.#torn = false;
    }
    if (this.#file && this.#size < this.#segmentBytes) return this.#file;
    if (this.#file) this.#full.push(this.#file);
    this.#file = undefined;
    const sequence = this.#sequence + 1;
    const path = `${this.#folder}/${segmentFile(this.#stream, sequence)}`;
    this.#disk.remove(path);
    const file = this.#disk.open(path, 'create');
    try {
      file.write(segmentHeader(this.#generation, sequence));
      this.#disk.syncFolder(this.#folder);
    } catch (error) {
      file.close();
      this.#disk.remove(path);
      throw error;
    }
    this.#file = file;
    this.#sequence = sequence;
    this.#size = file.size();
    this.bytes += this.#size;
    return file;
  }

  /** Makes what was written survive a power cut. */
  sync(): void {
    while (this.#full.length > 0) {
      const file = this.#full[0]!;
      file.sync();
      this.#full.shift();
      this.#closeLater(file);
    }
    if (!this.#dirty) return;
    this.#file?.sync();
    this.#dirty = false;
  }

  /** The same without holding up the thread; what is written meanwhile is for the next time. */
  async syncLater(): Promise<void> {
    if (this.#syncing) return this.#syncing;
    if (!this.#dirty && this.#full.length === 0) return;
    const full = this.#full;
    this.#full = [];
    const current = this.#dirty ? this.#file : undefined;
    this.#dirty = false;
    const work = Promise.all([...full, ...(current ? [current] : [])].map((file) => file.syncLater()));
    this.#syncing = work.then(
      () => {
        this.#syncing = undefined;
        for (const file of full) file.close();
      },
      (error) => {
        this.#syncing = undefined;
        this.#full.unshift(...full);
        this.#dirty = true;
        throw error;
      },
    );
    return this.#syncing;
  }

  #closeLater(file: DiskFile): void {
    if (this.#syncing) {
      const close = () => file.close();
      this.#syncing.then(close, close);
    } else file.close();
  }

  /** Deletes segments before `sequence`. */
  dropBefore(sequence: number): void {
    for (const [number, size] of this.#sizes) {
      if (number >= sequence || number === this.#sequence) continue;
      this.#disk.remove(`${this.#folder}/${segmentFile(this.#stream, number)}`);
      this.#sizes.delete(number);
      this.bytes -= size;
    }
  }

  /** Oldest segment that is still there, 0 if none. */
  get oldest(): number {
    for (const number of this.#sizes.keys()) return number;
    return 0;
  }

  close(): void {
    for (const file of [...this.#full, ...(this.#file ? [this.#file] : [])]) this.#closeLater(file);
    this.#full = [];
    this.#file = undefined;
  }
}
