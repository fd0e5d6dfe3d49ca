// The log of one shard: a folder of generations, each with a stream of what is kept and a stream of samples that are not in a
// closed chunk yet. Every run and every checkpoint begins a generation; a complete checkpoint makes the older ones obsolete.

import type { Disk } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { COMPLETE_FILE, generationFolder, parseGeneration, parseSegment, type Stream, segmentFile } from './format.ts';
import { StreamWriter } from './writer.ts';

export type LogOptions = {
  readonly keepSegmentBytes: number;
  readonly sampleSegmentBytes: number;
};

/** Where a generation of some earlier run lies. */
export type StoredGeneration = { readonly folder: string; readonly generation: number };

export class ShardLog {
  readonly #disk: Disk;
  readonly folder: string;
  readonly #options: LogOptions;
  #generation: number;
  keep: StreamWriter;
  samples: StreamWriter;

  /** Begins a new generation behind those that are there. Creates the folder. */
  constructor(disk: Disk, folder: string, options: LogOptions) {
    this.#disk = disk;
    this.folder = folder;
    this.#options = options;
    disk.makeFolder(folder);
    const before = storedGenerations(disk, folder);
    this.#generation = (before.at(-1)?.generation ?? 0) + 1;
    [this.keep, this.samples] = this.#open();
  }

  get generation(): number {
    return this.#generation;
  }

  /** Bytes of this generation. */
  get bytes(): number {
    return this.keep.bytes + this.samples.bytes;
  }

  #open(): [StreamWriter, StreamWriter] {
    const folder = `${this.folder}/${generationFolder(this.#generation)}`;
    this.#disk.makeFolder(folder);
    this.#disk.syncFolder(this.folder);
    return [
      new StreamWriter(this.#disk, folder, 'keep', this.#generation, this.#options.keepSegmentBytes),
      new StreamWriter(this.#disk, folder, 'samples', this.#generation, this.#options.sampleSegmentBytes),
    ];
  }

  /** Hands all records to the operating system: series before the samples that refer to them. */
  flush(): void {
    this.keep.flush();
    this.samples.flush();
  }

  get isDirty(): boolean {
    return this.keep.isDirty || this.samples.isDirty;
  }

  sync(): void {
    this.keep.sync();
    this.samples.sync();
  }

  async syncLater(): Promise<void> {
    await this.keep.syncLater();
    await this.samples.syncLater();
  }

  /** Ends the generation and begins the next one. What has not been flushed is dropped. */
  next(): void {
    const before = [this.keep, this.samples, this.#generation] as const;
    this.#generation++;
    try {
      [this.keep, this.samples] = this.#open();
    } catch (error) {
      [this.keep, this.samples, this.#generation] = before;
      throw error;
    }
    for (const stream of [before[0], before[1]]) {
      stream.discard();
      stream.sync();
      stream.close();
    }
  }

  /** Deletes the current generation, which must not hold anything acknowledged, and begins another. */
  abandon(): void {
    const folder = `${this.folder}/${generationFolder(this.#generation)}`;
    for (const stream of [this.keep, this.samples]) {
      stream.discard();
      stream.close();
    }
    this.#disk.remove(folder);
    [this.keep, this.samples] = this.#open();
  }

  /** The current generation holds everything: marks it and deletes those before it. */
  complete(): void {
    this.flush();
    this.sync();
    const folder = `${this.folder}/${generationFolder(this.#generation)}`;
    this.#disk.syncFolder(folder);
    replaceFile(this.#disk, `${folder}/${COMPLETE_FILE}`, new Uint8Array(0));
    removeObsolete(this.#disk, this.folder);
  }

  close(): void {
    this.keep.close();
    this.samples.close();
  }
}

/** Generations in a shard's folder that still count, oldest first: from the newest complete one on. */
export function storedGenerations(disk: Disk, folder: string): StoredGeneration[] {
  const generations: StoredGeneration[] = [];
  for (const { name, isFolder } of disk.list(folder)) {
    const generation = isFolder ? parseGeneration(name) : undefined;
    if (generation === undefined) continue;
    if (disk.exists(`${folder}/${name}/${COMPLETE_FILE}`)) generations.length = 0;
    generations.push({ folder: `${folder}/${name}`, generation });
  }
  return generations;
}

/** Deletes the generations that a complete one replaces. */
export function removeObsolete(disk: Disk, folder: string): void {
  const kept = new Set(storedGenerations(disk, folder).map((stored) => stored.folder));
  for (const { name } of disk.list(folder)) {
    if (parseGeneration(name) !== undefined && !kept.has(`${folder}/${name}`)) disk.remove(`${folder}/${name}`);
  }
}

/** Paths of a generation's segments of one stream, in order. */
export function segmentsOf(disk: Disk, stored: StoredGeneration, stream: Stream): string[] {
  return disk
    .list(stored.folder)
    .map(({ name }) => parseSegment(name))
    .filter((segment) => segment?.stream === stream)
    .sort((a, b) => a!.sequence - b!.sequence)
    .map((segment) => `${stored.folder}/${segmentFile(stream, segment!.sequence)}`);
}
