// Keeps the log of a shard: commits, syncs, drops segments whose samples are in chunks, writes checkpoints, brings back what
// earlier runs left, and stands between the head and a disk that fails.

import type { Timer } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { writeCheckpoint } from './checkpoint.ts';
import type { Head } from './head/head.ts';
import { parseShardFolder, shardFolder } from './log/format.ts';
import { removeObsolete, ShardLog, type StoredGeneration, segmentsOf, storedGenerations } from './log/log.ts';
import { finishReplay, newReport, type ReplayReport, replayGenerations } from './replay.ts';
import type { ShardStoreParts } from './shard.ts';
import { inSlices } from './slices.ts';
import { truncateHead } from './truncate.ts';

const SLICE_ROWS = 20_000;
const TAKEN = 'taken-';
const NO_SEGMENT = 0xffffffff;
/** So many small generations are made one. */
const MAX_GENERATIONS = 8;

export class LogKeeper {
  readonly #parts: ShardStoreParts;
  readonly #disk: Disk;
  readonly #logger: Logger;
  readonly #head: Head;
  readonly #folder: string;
  log: ShardLog;
  /** Why nothing is written at the moment; '' if all is well. */
  reason = '';
  #stopped = false;
  #syncTimer: Timer | undefined;
  /** Long work on the log is done one at a time. */
  #work: Promise<void> = Promise.resolve();
  #lastSequence = 0;
  #total = 0;
  readonly report: ReplayReport = newReport();
  loadMs = 0;
  checkpoints = 0;
  failures = 0;
  syncs = 0;

  constructor(parts: ShardStoreParts, head: Head) {
    this.#parts = parts;
    this.#disk = parts.disk;
    this.#logger = parts.logger;
    this.#head = head;
    this.#folder = `${parts.folder}/log`;
    const own = `${this.#folder}/${shardFolder(parts.shard, parts.shards)}`;
    parts.disk.makeFolder(own);
    removeObsolete(parts.disk, own);
    // This layout is in use again: what others took from it before is not all of it any more.
    for (const { name } of parts.disk.list(own)) if (name.startsWith(TAKEN)) parts.disk.remove(`${own}/${name}`);
    this.#stored = storedGenerations(parts.disk, own);
    this.log = new ShardLog(parts.disk, own, parts.options);
  }

  readonly #stored: readonly StoredGeneration[];
  #foreign: readonly string[] = [];

  get isReadOnly(): boolean {
    return this.reason !== '';
  }

  get progress(): { readonly doneBytes: number; readonly totalBytes: number } {
    return { doneBytes: this.report.bytes, totalBytes: this.#total };
  }

  get diskBytes(): number {
    return this.log.bytes + this.#total;
  }

  // ---- loading ----

  /** Brings back the log of earlier runs, of whatever number of shards they had. `settle` is to follow. */
  async load(): Promise<void> {
    const { clock, shard, shards } = this.#parts;
    const begun = clock.monotonic();
    const foreign = this.#foreignFolders();
    const sizes = [this.#stored, ...foreign.map(({ generations }) => generations)].flat();
    this.#total = sizes.reduce((total, stored) => total + this.#sizeOf(stored), 0);
    for (const { generations } of foreign) {
      await this.#replay(generations, { shard, shards, countOrphans: false });
      if (generations.length > 0) await this.#shelveBefore();
    }
    await this.#replay(this.#stored, { shard, shards, countOrphans: true });
    await finishReplay(this.#head);
    this.#syncStored(sizes);
    this.#foreign = foreign.map(({ folder }) => folder);
    this.loadMs = clock.monotonic() - begun;
    if (this.report.segments > 0) {
      this.#logger.info('log loaded', { ...this.report, durationMs: Math.round(this.loadMs) });
    }
    if (this.report.orphans > 0) {
      this.#logger.error('the log has samples of series whose record is lost', { samples: this.report.orphans });
    }
  }

  /** Makes one log of what `load` has found, if there was more than that. */
  async settle(): Promise<void> {
    if (this.#foreign.length > 0) await this.#adopt(this.#foreign);
    else if (this.#stored.length >= MAX_GENERATIONS) await this.checkpoint();
  }

  #replay(
    generations: readonly StoredGeneration[],
    options: { shard: number; shards: number; countOrphans: boolean },
  ): Promise<void> {
    return replayGenerations(
      this.#head,
      this.#disk,
      generations,
      options,
      this.report,
      this.#logger,
      this.#parts.clock,
    );
  }

  /** Another folder's chunks follow: what is open now may be continued there. */
  async #shelveBefore(): Promise<void> {
    const { table, memory } = this.#head;
    for (const slot of [...this.#head.histograms.slots()]) this.#head.histograms.close(slot, this.#head, undefined);
    await inSlices(table.counts().slots, SLICE_ROWS, (from, to) => {
      memory.ahead(SLICE_ROWS * 1536);
      memory.kernel.shelveRows(from, to);
    });
  }

  /** A killed run may have left what it wrote unsynced; from now on it counts as safe. */
  #syncStored(generations: readonly StoredGeneration[]): void {
    for (const stored of generations) {
      for (const path of [...segmentsOf(this.#disk, stored, 'keep'), ...segmentsOf(this.#disk, stored, 'samples')]) {
        try {
          const file = this.#disk.open(path, 'readwrite');
          try {
            file.sync();
          } finally {
            file.close();
          }
        } catch (error) {
          this.#logger.warn('cannot sync a segment of the log', { segment: path, err: errorText(error) });
        }
      }
    }
  }

  #sizeOf(stored: StoredGeneration): number {
    return [...segmentsOf(this.#disk, stored, 'keep'), ...segmentsOf(this.#disk, stored, 'samples')].reduce(
      (total, path) => total + this.#disk.size(path),
      0,
    );
  }

  /** Folders of runs with another number of shards that this shard has not taken its part of yet. */
  #foreignFolders(): { readonly folder: string; readonly generations: readonly StoredGeneration[] }[] {
    const { shard, shards } = this.#parts;
    return this.#disk
      .list(this.#folder)
      .filter(({ name }) => {
        const parsed = parseShardFolder(name);
        return parsed && parsed.shards !== shards && !this.#disk.exists(`${this.#folder}/${name}/${this.#mark(shard)}`);
      })
      .map(({ name }) => `${this.#folder}/${name}`)
      .map((folder) => ({ folder, generations: storedGenerations(this.#disk, folder) }));
  }

  #mark(shard: number): string {
    return `${TAKEN}${shardFolder(shard, this.#parts.shards)}`;
  }

  /** Makes what came from other folders the own log's, then marks them; who marks last deletes them. */
  async #adopt(folders: readonly string[]): Promise<void> {
    await this.checkpoint();
    if (this.isReadOnly) return;
    for (const folder of folders) {
      try {
        this.#disk.open(`${folder}/${this.#mark(this.#parts.shard)}`, 'create').close();
        this.#disk.syncFolder(folder);
        const all = Array.from({ length: this.#parts.shards }, (_, shard) => `${folder}/${this.#mark(shard)}`);
        if (all.every((path) => this.#disk.exists(path))) this.#disk.remove(folder);
      } catch (error) {
        this.#logger.warn('cannot retire the log of another number of shards', { folder, err: errorText(error) });
      }
    }
  }

  // ---- commit ----

  /** Hands what is in the buffers to the operating system, or makes the store read-only. */
  commit(): void {
    if (this.isReadOnly) return;
    try {
      this.log.flush();
      if (this.#parts.options.fsyncIntervalMs === 0) this.log.sync();
      else this.#syncSoon();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** One sync at a time, an interval after the first write that it is for; none while nothing is written. */
  #syncSoon(): void {
    const { clock, options } = this.#parts;
    if (this.#syncTimer || this.#stopped || !this.log.isDirty) return;
    this.#syncTimer = clock.after(
      options.fsyncIntervalMs,
      async () => {
        await this.sync();
        this.#syncTimer = undefined;
        this.#syncSoon();
      },
      true,
    );
  }

  #fail(error: unknown): void {
    this.failures++;
    if (!this.isReadOnly) {
      this.#logger.error('cannot write the log; nothing is taken until it can be written again', {
        err: errorText(error),
      });
    }
    this.reason = errorText(error);
  }

  /** Makes what was committed survive a power cut. */
  async sync(): Promise<void> {
    if (this.isReadOnly) return;
    const { log } = this;
    try {
      await log.syncLater();
      this.syncs++;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** When read-only: tries to write everything that is in memory as a new generation. Then all is well again. */
  recover(): Promise<void> {
    return this.#exclusively(async () => {
      if (!this.isReadOnly || this.#stopped) return;
      try {
        await writeCheckpoint(this.#head, this.log, { stopped: false });
        this.reason = '';
        this.#total = 0;
        this.#logger.info('the log can be written again');
      } catch (error) {
        this.reason = errorText(error);
        this.#abandon();
      }
    });
  }

  #abandon(): void {
    try {
      this.log.abandon();
    } catch (error) {
      this.#logger.debug('cannot begin a generation of the log', { err: errorText(error) });
    }
  }

  #exclusively(work: () => Promise<void>): Promise<void> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => undefined);
    return done;
  }

  // ---- keeping the log short ----

  /** Writes everything as a new generation; older ones are deleted. */
  checkpoint(): Promise<void> {
    return this.#exclusively(async () => {
      if (this.isReadOnly) return;
      try {
        this.log.flush();
        await writeCheckpoint(this.#head, this.log, {
          get stopped() {
            return false;
          },
        });
        this.#total = 0;
        this.checkpoints++;
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  /** Drops from the head what is before `min` and out-of-order samples up to an epoch, then from the log. */
  async truncate(min: number, epoch: number): Promise<void> {
    await this.#exclusively(() => truncateHead(this.#head, min, epoch));
    await this.checkpoint();
  }

  /** Drops sample segments that no open chunk needs; closes chunks that hold up too many. */
  maintain(): Promise<void> {
    return this.#exclusively(async () => {
      const { samples } = this.log;
      if (this.isReadOnly || this.#stopped || samples.sequence === this.#lastSequence) return;
      this.#lastSequence = samples.sequence;
      let oldest = await this.#oldestSegment();
      const { maxSampleBytes, sampleSegmentBytes } = this.#parts.options;
      if (samples.bytes > maxSampleBytes) {
        const kept = Math.max(1, Math.floor(maxSampleBytes / sampleSegmentBytes / 2));
        await this.#unpin(Math.max(oldest, samples.sequence - kept));
        oldest = await this.#oldestSegment();
      }
      try {
        if (samples !== this.log.samples || oldest <= samples.oldest) return;
        // The chunks that stand for those samples must be there for certain.
        this.log.keep.flush();
        this.log.keep.sync();
        samples.dropBefore(oldest);
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  async #oldestSegment(): Promise<number> {
    const { kernel } = this.#head.memory;
    let oldest = this.log.samples.sequence;
    await inSlices(this.#head.table.counts().slots, SLICE_ROWS, (from, to) => {
      const found = kernel.oldestSegment(from, to) >>> 0;
      if (found !== NO_SEGMENT) oldest = Math.min(oldest, found);
    });
    return oldest;
  }

  /** Writes the open chunks of series that need segments before `segment`. */
  #unpin(segment: number): Promise<void> {
    const { memory, writer, histograms } = this.#head;
    return inSlices(this.#head.table.counts().slots, SLICE_ROWS / 10, (from, to) => {
      if (this.isReadOnly) return;
      const { kernel, areas } = memory;
      memory.ahead((to - from) * 1536);
      const count = kernel.pinnedRows(from, to, segment, areas.record);
      const slots = memory.shard.u32.slice(areas.record >>> 2, (areas.record >>> 2) + count);
      for (const slot of slots) {
        histograms.close(slot, this.#head, this.log);
        const late = kernel.closeLate(slot) >>> 0;
        if (late !== 0) writer.closedChunks(Uint32Array.of(slot, late), this.log);
      }
      writer.openChunks(slots, this.log);
      this.commit();
      for (const slot of slots) kernel.movePin(slot, this.log.samples.sequence);
    });
  }

  async close(): Promise<void> {
    this.#stopped = true;
    await this.#work;
    this.#syncTimer?.cancel();
    this.commit();
    await this.sync();
    // That one may have been under way already.
    if (this.log.isDirty) await this.sync();
    this.log.close();
  }
}
