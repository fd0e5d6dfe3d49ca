// The disk queue of one remote in one shard: segments of checksummed records, appended before a sample is acknowledged
// and removed when the remote has taken them. A process that dies loses nothing that was appended; a torn tail is cut, a
// damaged record costs the rest of its segment. Layout: docs/format/remote-queue.md.

import { join } from 'node:path';
import { crc32c } from '#base/crc32c.ts';
import type { Disk, DiskFile } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { errorCode, errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';

export const SEGMENT_MAGIC = 0x51524850; // "PHRQ"
const VERSION = 1;
const FILE_HEADER_BYTES = 8;
/** Length, checksum, points. */
const RECORD_HEADER_BYTES = 12;
const MAX_RECORD_BYTES = 256 * 1024 * 1024;
const READ_AHEAD_BYTES = 256 * 1024;
const POSITION_FILE = 'position';

export type QueueOptions = {
  readonly maxBytes: number;
  readonly segmentBytes: number;
  /** Each record survives a power cut before `append` returns. Without it `syncLater` sees to that now and then. */
  readonly syncsEach?: () => boolean;
};

/** Between two records: the number of the segment and a byte in it. */
export type Cursor = { readonly segment: number; readonly offset: number };

/** A record as read; `next` is where the one behind it begins. */
export type QueuedRecord = {
  readonly bytes: Uint8Array;
  readonly points: number;
  readonly at: Cursor;
  readonly next: Cursor;
};

type Segment = { readonly number: number; bytes: number; points: number };

export class DiskQueue {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #options: QueueOptions;
  readonly #log: Logger;
  #segments: Segment[] = [];
  #writing: { file: DiskFile; segment: Segment } | undefined;
  #reading: { file: DiskFile; segment: number; buffer: Uint8Array; start: number } | undefined;
  #committed: Cursor = { segment: 0, offset: 0 };
  #saved: Cursor = { segment: 0, offset: 0 };
  #nextNumber = 1;
  /** Full segments that are not synced yet. */
  #full: DiskFile[] = [];
  #dirty = false;
  #syncing: Promise<void> | undefined;
  /** Points that were given up because the queue was full or damaged. */
  lostPoints = 0;
  /** Appended and not yet committed. */
  pendingPoints = 0;

  constructor(disk: Disk, folder: string, options: QueueOptions, log: Logger) {
    this.#disk = disk;
    this.#folder = folder;
    this.#options = options;
    this.#log = log;
    this.#open();
  }

  /** Where the first record lies that was not committed. */
  get start(): Cursor {
    return this.#committed;
  }

  /** Number of the segment that the next record goes to if it fits. Changes when a segment is full. */
  get writingSegment(): number {
    if (!this.#writing || this.#writing.segment.bytes >= this.#options.segmentBytes) this.#rotate();
    return this.#writing!.segment.number;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** Appends to the segment that `writingSegment` named. Full: the oldest segments go, which is counted and told. */
  append(record: Uint8Array, points: number): void {
    const writing = this.#writing!;
    const bytes = new Uint8Array(RECORD_HEADER_BYTES + record.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, record.length, true);
    view.setUint32(4, crc32c(record), true);
    view.setUint32(8, points, true);
    bytes.set(record, RECORD_HEADER_BYTES);
    for (;;) {
      try {
        writing.file.write(bytes, writing.segment.bytes);
        break;
      } catch (error) {
        if (errorCode(error) !== 'ENOSPC' || !this.#giveUpOldest('the disk is full')) throw error;
      }
    }
    if (this.#options.syncsEach?.()) writing.file.sync();
    else this.#dirty = true;
    writing.segment.bytes += bytes.length;
    writing.segment.points += points;
    this.pendingPoints += points;
    while (this.bytes > this.#options.maxBytes && this.#giveUpOldest('the queue has reached its size limit'));
  }

  /** The record at a cursor, or undefined behind the last one. */
  read(cursor: Cursor): QueuedRecord | undefined {
    let { segment, offset } = cursor;
    for (;;) {
      const index = this.#segments.findIndex((s) => s.number >= segment);
      const found = this.#segments[index];
      if (!found) return undefined;
      if (found.number > segment) {
        segment = found.number;
        offset = FILE_HEADER_BYTES;
      }
      offset = Math.max(offset, FILE_HEADER_BYTES);
      if (offset < found.bytes) {
        const record = this.#readAt(found, offset);
        if (record) return record;
        this.#skipDamage(found, offset);
      }
      if (index === this.#segments.length - 1) return undefined;
      segment = found.number + 1;
      offset = FILE_HEADER_BYTES;
    }
  }

  /** Records of the cursor's segment that come before it: they name series that later ones use. */
  *before(cursor: Cursor): Iterable<Uint8Array> {
    const segment = this.#segments.find((s) => s.number === cursor.segment);
    let offset = FILE_HEADER_BYTES;
    while (segment && offset < cursor.offset) {
      const record = this.#readAt(segment, offset);
      if (!record) return;
      yield record.bytes;
      offset = record.next.offset;
    }
  }

  /** Everything before the cursor has been taken. */
  commit(cursor: Cursor, points: number): void {
    // Given up while it was under way: it is counted as lost, and the position is further already.
    if (cursor.segment < this.#committed.segment) return;
    this.#committed = cursor;
    this.pendingPoints = Math.max(0, this.pendingPoints - points);
    while (this.#segments.length > 0 && this.#segments[0]!.number < cursor.segment) this.#remove(this.#segments[0]!);
  }

  /** Makes all records survive a power cut, without holding up the thread. */
  syncLater(): Promise<void> {
    if (this.#syncing) return this.#syncing;
    if (!this.#dirty && this.#full.length === 0) return Promise.resolve();
    const full = this.#full;
    const current = this.#dirty ? this.#writing?.file : undefined;
    this.#full = [];
    this.#dirty = false;
    this.#syncing = Promise.all([...full, ...(current ? [current] : [])].map((file) => file.syncLater())).then(
      () => {
        this.#syncing = undefined;
        for (const file of full) file.close();
      },
      (error) => {
        this.#syncing = undefined;
        this.#full.unshift(...full);
        this.#dirty = true;
        this.#log.error('remote queue: cannot sync', { folder: this.#folder, err: errorText(error) });
      },
    );
    return this.#syncing;
  }

  /** Makes the position survive a power cut. One that is behind only makes samples go out twice. */
  save(): void {
    if (this.#saved.segment === this.#committed.segment && this.#saved.offset === this.#committed.offset) return;
    const bytes = new Uint8Array(20);
    const view = new DataView(bytes.buffer);
    view.setFloat64(0, this.#committed.segment, true);
    view.setFloat64(8, this.#committed.offset, true);
    view.setUint32(16, crc32c(bytes, 0, 16), true);
    replaceFile(this.#disk, join(this.#folder, POSITION_FILE), bytes);
    this.#saved = this.#committed;
  }

  async close(): Promise<void> {
    await this.#syncing;
    this.#writing?.file.sync();
    this.save();
    for (const file of this.#full) {
      file.sync();
      file.close();
    }
    this.#writing?.file.close();
    this.#reading?.file.close();
    this.#full = [];
    this.#dirty = false;
    this.#writing = undefined;
    this.#reading = undefined;
  }

  #open(): void {
    this.#disk.makeFolder(this.#folder);
    const position = this.#readPosition();
    for (const { name } of this.#disk.list(this.#folder)) {
      if (!/^\d{8}$/.test(name)) continue;
      const segment: Segment = { number: Number(name), bytes: this.#disk.size(this.#path(Number(name))), points: 0 };
      this.#nextNumber = Math.max(this.#nextNumber, segment.number + 1);
      if (position && segment.number < position.segment) this.#disk.remove(this.#path(segment.number));
      else this.#segments.push(segment);
    }
    this.#committed = position ?? { segment: this.#segments[0]?.number ?? 0, offset: FILE_HEADER_BYTES };
    this.#saved = this.#committed;
    for (const segment of this.#segments) this.#count(segment);
  }

  /** Adds up the points of a segment from the headers of its records and cuts what was not written whole. */
  #count(segment: Segment): void {
    const file = this.#disk.open(this.#path(segment.number), 'read');
    const header = new Uint8Array(RECORD_HEADER_BYTES);
    const view = new DataView(header.buffer);
    const from = segment.number === this.#committed.segment ? this.#committed.offset : 0;
    let offset = FILE_HEADER_BYTES;
    while (offset + RECORD_HEADER_BYTES <= segment.bytes && file.read(header, offset) === RECORD_HEADER_BYTES) {
      const next = offset + RECORD_HEADER_BYTES + view.getUint32(0, true);
      if (next > segment.bytes) break;
      segment.points += view.getUint32(8, true);
      if (offset >= from) this.pendingPoints += view.getUint32(8, true);
      offset = next;
    }
    file.close();
    if (offset < segment.bytes) {
      this.#log.warn('remote queue: the end of a segment was not written whole and is left out', {
        segment: this.#path(segment.number),
        bytes: segment.bytes - offset,
      });
      segment.bytes = offset;
    }
  }

  #readPosition(): Cursor | undefined {
    const path = join(this.#folder, POSITION_FILE);
    if (!this.#disk.exists(path)) return undefined;
    const bytes = Uint8Array.from(this.#disk.readFile(path));
    const view = new DataView(bytes.buffer);
    if (bytes.length !== 20 || view.getUint32(16, true) !== crc32c(bytes, 0, 16)) {
      this.#log.error('remote queue: the position file is damaged; everything queued is sent again', { path });
      return undefined;
    }
    return { segment: view.getFloat64(0, true), offset: view.getFloat64(8, true) };
  }

  #rotate(): void {
    if (this.#writing) this.#full.push(this.#writing.file);
    const number = this.#nextNumber++;
    const header = new Uint8Array(FILE_HEADER_BYTES);
    const view = new DataView(header.buffer);
    view.setUint32(0, SEGMENT_MAGIC, true);
    view.setUint32(4, VERSION, true);
    this.#disk.open(this.#path(number), 'create').close();
    const file = this.#disk.open(this.#path(number), 'readwrite');
    file.write(header, 0);
    this.#disk.syncFolder(this.#folder);
    const segment: Segment = { number, bytes: FILE_HEADER_BYTES, points: 0 };
    this.#segments.push(segment);
    this.#writing = { file, segment };
  }

  /** Undefined when the record is damaged. */
  #readAt(segment: Segment, offset: number): QueuedRecord | undefined {
    const header = this.#bytesAt(segment, offset, RECORD_HEADER_BYTES);
    if (!header) return undefined;
    const view = new DataView(header.buffer, header.byteOffset);
    const length = view.getUint32(0, true);
    const crc = view.getUint32(4, true);
    const points = view.getUint32(8, true);
    // Zeros, as a power cut leaves them, would pass for a record without data.
    if (length === 0 || length > MAX_RECORD_BYTES) return undefined;
    const bytes = this.#bytesAt(segment, offset + RECORD_HEADER_BYTES, length);
    if (!bytes || crc32c(bytes) !== crc) return undefined;
    const at = { segment: segment.number, offset };
    return { bytes, points, at, next: { segment: segment.number, offset: offset + RECORD_HEADER_BYTES + length } };
  }

  /** Bytes of a segment through a read-ahead buffer. */
  #bytesAt(segment: Segment, offset: number, length: number): Uint8Array | undefined {
    if (offset + length > segment.bytes) return undefined;
    let reading = this.#reading;
    if (reading?.segment !== segment.number) {
      reading?.file.close();
      const file = this.#disk.open(this.#path(segment.number), 'read');
      reading = { file, segment: segment.number, buffer: new Uint8Array(0), start: 0 };
      this.#reading = reading;
    }
    if (offset < reading.start || offset + length > reading.start + reading.buffer.length) {
      const want = Math.min(Math.max(length, READ_AHEAD_BYTES), segment.bytes - offset);
      const buffer = new Uint8Array(want);
      const count = reading.file.read(buffer, offset);
      reading.buffer = buffer.subarray(0, count);
      reading.start = offset;
      if (count < length) return undefined;
    }
    return reading.buffer.subarray(offset - reading.start, offset - reading.start + length);
  }

  #skipDamage(segment: Segment, offset: number): void {
    const lost = segment.bytes - offset;
    this.#log.error('remote queue: a record is damaged; the rest of its segment is given up', {
      segment: this.#path(segment.number),
      offset,
      bytes: lost,
    });
    // How many points that were is not known; at least one.
    this.lostPoints++;
    segment.bytes = offset;
  }

  #giveUpOldest(cause: string): boolean {
    const oldest = this.#segments[0];
    if (!oldest || oldest === this.#writing?.segment) return false;
    this.#log.error('remote queue: the oldest samples are given up', {
      cause,
      points: oldest.points,
      folder: this.#folder,
    });
    this.lostPoints += oldest.points;
    this.pendingPoints = Math.max(0, this.pendingPoints - oldest.points);
    this.#remove(oldest);
    if (this.#committed.segment <= oldest.number) {
      this.#committed = { segment: this.#segments[0]!.number, offset: FILE_HEADER_BYTES };
    }
    return true;
  }

  #remove(segment: Segment): void {
    if (this.#reading?.segment === segment.number) {
      this.#reading.file.close();
      this.#reading = undefined;
    }
    if (this.#writing?.segment === segment) {
      this.#full.push(this.#writing.file);
      this.#writing = undefined;
    }
    this.#segments = this.#segments.filter((s) => s !== segment);
    this.#disk.remove(this.#path(segment.number));
  }

  #path(number: number): string {
    return join(this.#folder, String(number).padStart(8, '0'));
  }
}
