// Block files as byte ranges: `FileWriter` appends through a buffer with a running position, `FileScanner` reads forward
// through a window, `PagedFile` reads anywhere through pages that all blocks of a thread share, so that memory stays bounded.

import { crc32c } from '#base/crc32c.ts';
import type { Disk, DiskFile } from '#base/disk/disk.ts';
import { be32At, corrupt, decodeText } from './bytes.ts';

const WRITE_BUFFER_BYTES = 256 * 1024;

export class FileWriter {
  readonly #file: DiskFile;
  readonly #buffer = new Uint8Array(WRITE_BUFFER_BYTES);
  #used = 0;
  /** Bytes written so far. */
  position = 0;
  /** Checksum of what was written since `startChecksum`, until it is written itself. */
  #crc = 0;
  #checking = false;
  #closed = false;

  constructor(disk: Disk, path: string) {
    this.#file = disk.open(path, 'create');
  }

  startChecksum(): void {
    this.#crc = 0;
    this.#checking = true;
  }

  write(bytes: Uint8Array): void {
    if (this.#checking) this.#crc = crc32c(bytes, 0, bytes.length, this.#crc);
    this.#append(bytes);
  }

  /** Writes the checksum itself, big-endian. */
  writeChecksum(): void {
    const crc = this.#crc;
    this.#checking = false;
    this.#append(Uint8Array.of(crc >>> 24, crc >>> 16, crc >>> 8, crc));
  }

  #append(bytes: Uint8Array): void {
    if (bytes.length > this.#buffer.length - this.#used) this.#flush();
    if (bytes.length >= this.#buffer.length) this.#file.write(bytes);
    else {
      this.#buffer.set(bytes, this.#used);
      this.#used += bytes.length;
    }
    this.position += bytes.length;
  }

  /** Zeros up to a multiple of `alignment`. */
  pad(alignment: number): void {
    const rest = this.position % alignment;
    if (rest > 0) this.#append(new Uint8Array(alignment - rest));
  }

  #flush(): void {
    if (this.#used > 0) this.#file.write(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  /** Everything is durable when this returns. */
  finish(): void {
    this.#flush();
    this.#file.sync();
    this.abandon();
  }

  /** Everything is in the file, but not synced: for files that do not outlive their writer. */
  finishUnsynced(): void {
    this.#flush();
    this.abandon();
  }

  /** Closes the file as it is, unless it is closed already. */
  abandon(): void {
    if (!this.#closed) this.#file.close();
    this.#closed = true;
  }
}

const SCAN_WINDOW_BYTES = 128 * 1024;

/** Reads [start, end) of a file forward, once; with `checking`, `crc` is the checksum of what has been read so far. */
export class FileScanner {
  readonly #file: DiskFile;
  readonly #end: number;
  readonly #name: string;
  /** The window: bytes [at, filled) of it are still to be read. */
  bytes: Uint8Array;
  at = 0;
  filled = 0;
  #fileOffset: number;
  readonly #checking: boolean;
  crc = 0;

  constructor(file: DiskFile, start: number, end: number, name: string, checking = false) {
    this.#file = file;
    this.#checking = checking;
    this.#fileOffset = start;
    this.#end = end;
    this.#name = name;
    this.bytes = new Uint8Array(Math.max(16, Math.min(SCAN_WINDOW_BYTES, end - start)));
  }

  /** Offset in the file of the next byte. */
  get position(): number {
    return this.#fileOffset - (this.filled - this.at);
  }

  get left(): number {
    return this.#end - this.position;
  }

  /** Makes `count` bytes available at `bytes[at]`; false when fewer are left. */
  available(count: number): boolean {
    if (this.filled - this.at >= count) return true;
    if (this.left < count) return false;
    const rest = this.filled - this.at;
    if (count > this.bytes.length) {
      const grown = new Uint8Array(count);
      grown.set(this.bytes.subarray(this.at, this.filled));
      this.bytes = grown;
    } else this.bytes.copyWithin(0, this.at, this.filled);
    this.at = 0;
    const want = Math.min(this.bytes.length - rest, this.#end - this.#fileOffset);
    const got = this.#file.read(this.bytes.subarray(rest, rest + want), this.#fileOffset);
    this.filled = rest + got;
    if (this.#checking) this.crc = crc32c(this.bytes, rest, this.filled, this.crc);
    this.#fileOffset += got;
    return this.filled >= count;
  }

  #need(count: number): void {
    if (!this.available(count)) throw corrupt(`${this.#name} at ${this.position}: it ends within an entry`);
  }

  u8(): number {
    this.#need(1);
    return this.bytes[this.at++]!;
  }

  be32(): number {
    this.#need(4);
    const value = be32At(this.bytes, this.at);
    this.at += 4;
    return value;
  }

  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw corrupt(`${this.#name} at ${this.position}: a varint is longer than ten bytes`);
  }

  /** A view that the next call may overwrite. */
  take(count: number): Uint8Array {
    this.#need(count);
    const start = this.at;
    this.at += count;
    return this.bytes.subarray(start, this.at);
  }

  skip(count: number): void {
    if (this.filled - this.at >= count) {
      this.at += count;
      return;
    }
    if (this.left < count) throw corrupt(`${this.#name} at ${this.position}: it ends within an entry`);
    if (this.#checking) {
      this.take(count);
      return;
    }
    this.#fileOffset = this.position + count;
    this.at = this.filled = 0;
  }
}

const PAGE_BYTES = 16 * 1024;
const PAGES_PER_FILE = 2 ** 22;

/** The pages of all index files that a thread has open: two generations, the older is dropped when the younger is full. */
export class PageCache {
  readonly #limitPages: number;
  #young = new Map<number, Uint8Array>();
  #old = new Map<number, Uint8Array>();
  #files = 0;

  constructor(limitBytes = 32 * 1024 * 1024) {
    this.#limitPages = Math.max(8, Math.floor(limitBytes / PAGE_BYTES / 2));
  }

  newFile(): number {
    return this.#files++;
  }

  get(key: number): Uint8Array | undefined {
    const young = this.#young.get(key);
    if (young) return young;
    const old = this.#old.get(key);
    if (old) this.put(key, old);
    return old;
  }

  put(key: number, page: Uint8Array): void {
    if (this.#young.size >= this.#limitPages) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, page);
  }
}

export class PagedFile {
  readonly #file: DiskFile;
  readonly #cache: PageCache;
  readonly #number: number;
  readonly name: string;
  readonly size: number;
  #lastPage = -1;
  #last: Uint8Array = new Uint8Array(0);

  constructor(file: DiskFile, name: string, cache: PageCache) {
    this.#file = file;
    this.#cache = cache;
    this.#number = cache.newFile();
    this.name = name;
    this.size = file.size();
  }

  get file(): DiskFile {
    return this.#file;
  }

  #page(page: number): Uint8Array {
    if (page === this.#lastPage) return this.#last;
    const key = this.#number * PAGES_PER_FILE + page;
    let bytes = this.#cache.get(key);
    if (!bytes) {
      const start = page * PAGE_BYTES;
      bytes = new Uint8Array(Math.min(PAGE_BYTES, this.size - start));
      if (this.#file.read(bytes, start) < bytes.length)
        throw corrupt(`${this.name} at ${start}: it has become shorter`);
      this.#cache.put(key, bytes);
    }
    this.#lastPage = page;
    this.#last = bytes;
    return bytes;
  }

  /** Bytes [offset, offset + length), or up to the end of the file; not to be written to. */
  slice(offset: number, length: number): Uint8Array {
    const end = Math.min(offset + length, this.size);
    if (offset < 0 || offset > end) throw corrupt(`${this.name} at ${offset}: the file has ${this.size} bytes`);
    const page = Math.floor(offset / PAGE_BYTES);
    const within = offset - page * PAGE_BYTES;
    if (end <= (page + 1) * PAGE_BYTES) return this.#page(page).subarray(within, within + end - offset);
    const joined = new Uint8Array(end - offset);
    if (joined.length > PAGE_BYTES * 4) {
      this.#file.read(joined, offset);
      return joined;
    }
    for (let at = offset; at < end; ) {
      const current = Math.floor(at / PAGE_BYTES);
      const part = this.#page(current).subarray(at - current * PAGE_BYTES);
      joined.set(part.subarray(0, end - at), at - offset);
      at += Math.min(part.length, end - at);
    }
    return joined;
  }

  close(): void {
    this.#file.close();
  }
}

const CURSOR_BYTES = 2048;

/** Walks forward through a paged file. */
export class PagedCursor {
  readonly #file: PagedFile;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #next: number;

  constructor(file: PagedFile, offset: number) {
    this.#file = file;
    this.#next = offset;
  }

  get position(): number {
    return this.#next - (this.#bytes.length - this.#at);
  }

  #need(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const start = this.position;
    this.#bytes = this.#file.slice(start, Math.max(count, CURSOR_BYTES));
    this.#at = 0;
    this.#next = start + this.#bytes.length;
    if (this.#bytes.length < count) throw corrupt(`${this.#file.name} at ${start}: it ends within an entry`);
  }

  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      this.#need(1);
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw corrupt(`${this.#file.name} at ${this.position}: a varint is longer than ten bytes`);
  }

  text(): string {
    const length = this.uvarint();
    this.#need(length);
    const start = this.#at;
    this.#at += length;
    return decodeText(this.#bytes, start, this.#at);
  }

  skip(count: number): void {
    if (this.#at + count <= this.#bytes.length) this.#at += count;
    else {
      this.#next = this.position + count;
      this.#bytes = this.#bytes.subarray(0, 0);
      this.#at = 0;
    }
  }
}
