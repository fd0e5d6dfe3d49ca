// Writes chunks into segment files of at most 512 MiB and hands out their references, which only ever grow.

import { crc32c } from '#base/crc32c.ts';
import type { Disk } from '#base/disk/disk.ts';
import { ByteWriter } from './bytes.ts';
import { FileWriter } from './files.ts';
import {
  MAX_SEGMENT_BYTES,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  SEGMENT_SCALE,
  SEGMENT_VERSION,
  segmentName,
} from './segment-format.ts';

export class SegmentWriter {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #frame = new ByteWriter(16);
  #segment = -1;
  #file: FileWriter | undefined;

  constructor(disk: Disk, folder: string, maxBytes = MAX_SEGMENT_BYTES) {
    this.#disk = disk;
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    disk.makeFolder(folder);
  }

  /** The chunk's reference. */
  write(encoding: number, data: Uint8Array): number {
    const room = data.length + 16;
    if (!this.#file || (this.#file.position + room > this.#maxBytes && this.#file.position > SEGMENT_HEADER_BYTES)) {
      this.#cut();
    }
    const file = this.#file!;
    const ref = this.#segment * SEGMENT_SCALE + file.position;
    const frame = this.#frame;
    frame.reset();
    frame.uvarint(data.length);
    frame.u8(encoding);
    const head = frame.length;
    file.write(frame.view());
    file.write(data);
    const crc = crc32c(data, 0, data.length, crc32c(frame.bytes, head - 1, head));
    frame.reset();
    frame.be32(crc);
    file.write(frame.view());
    return ref;
  }

  #cut(): void {
    this.#file?.finish();
    this.#segment++;
    this.#file = new FileWriter(this.#disk, `${this.#folder}/${segmentName(this.#segment)}`);
    const header = new ByteWriter(SEGMENT_HEADER_BYTES);
    header.be32(SEGMENT_MAGIC);
    header.u8(SEGMENT_VERSION);
    header.raw(new Uint8Array(3));
    this.#file.write(header.view());
  }

  /** All chunks and the names of their files are durable when this returns. */
  finish(): void {
    this.#file?.finish();
    this.#file = undefined;
    this.#disk.syncFolder(this.#folder);
  }

  abandon(): void {
    this.#file?.abandon();
    this.#file = undefined;
  }
}
