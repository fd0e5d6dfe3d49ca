// The store of one shard: head, log and blocks of its series. What is appended is in the log before it is acknowledged; what the
// log of earlier runs holds is brought back while new batches and queries wait. A disk that refuses to write makes it read-only
// until a checkpoint of everything in memory succeeds.

import { type Clock, every, type Timer } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorCode, errorText, OperatingError } from '#base/errors.ts';
import type { KernelMemory } from '#base/kernel.ts';
import type { Logger } from '#base/log.ts';
import {
  type Appender,
  type AppendResult,
  type Exemplar,
  type Metadata,
  newSeriesCount,
  type Rejection,
  type SampleBatch,
} from '#model/batch.ts';
import type { ChangeBoard } from '#model/board.ts';
import { type Labels, labelsKey } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import type { SeriesChunks, ShardSource, TimeRange } from '#model/query.ts';
import type { Registry } from '#model/registry.ts';
import type { BlockMeta } from './block/meta.ts';
import { BlockSet } from './block/set.ts';
import { ChangeTrack } from './changes.ts';
import { HeadBook } from './head/book.ts';
import { type Cardinality, cardinality, labelValueHashes } from './head/cardinality.ts';
import { Head, NO_MAX_TIME } from './head/head.ts';
import { HeldBatches } from './head/hold.ts';
import { labelNamesOf, labelValuesOf } from './head/label-index.ts';
import { headCounters } from './head/metrics.ts';
import { matchSlots } from './head/postings.ts';
import { HeadSource, selectHead } from './head/select.ts';
import { LogKeeper } from './keeper.ts';
import { mergeSelections } from './merge-select.ts';
import type { StoreOptions } from './options.ts';
import { pause } from './slices.ts';
import { mergeSorted } from './sorted.ts';
import { storeMetrics } from './store-metrics.ts';

/** For so long other work waits. */
const SLICE_MS = 10;

export type ShardStoreParts = {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly logger: Logger;
  readonly memory: KernelMemory;
  /** The data folder that all shards share. */
  readonly folder: string;
  readonly shard: number;
  readonly shards: number;
  readonly options: StoreOptions;
  /** Where changes are written down for other threads. */
  readonly board?: ChangeBoard | undefined;
};

/** Opens the folder and begins to load. `ready()` says when everything can be seen. */
export function openShardStore(parts: ShardStoreParts): ShardStore {
  parts.disk.makeFolder(parts.folder);
  return new ShardStore(parts);
}

export class ShardStore implements Appender, ShardSource {
  readonly head: Head;
  readonly blocks: BlockSet;
  /** Tells caches of query results what they may keep. */
  readonly changes: ChangeTrack;
  readonly #parts: ShardStoreParts;
  readonly #keeper: LogKeeper;
  readonly #loaded: Promise<void>;
  readonly #held: HeldBatches;
  readonly #book: HeadBook;
  #isLoaded = false;
  #options: StoreOptions;
  #commit: Promise<void> | undefined;
  readonly #timers: Timer[] = [];
  #closed = false;

  constructor(parts: ShardStoreParts) {
    const { disk, clock, registry, logger, memory, folder, shard, shards, options } = parts;
    this.#parts = parts;
    this.#options = options;
    this.changes = new ChangeTrack(clock.now() * 1000, parts.board, () => this.headRange);
    this.head = new Head(memory, { ...options, shard }, headCounters(registry), clock);
    this.blocks = new BlockSet(disk, folder, memory, logger, {
      shard,
      shards,
      ...(options.indexCacheBytes === undefined ? {} : { cacheBytes: options.indexCacheBytes }),
    });
    this.blocks.reload();
    this.head.minValidTime = this.#blocksEnd();
    this.#keeper = new LogKeeper(parts, this.head);
    this.#held = new HeldBatches(this.head);
    this.#book = new HeadBook(this.head);
    storeMetrics(registry, this, this.#keeper);
    this.#loaded = this.#load();
  }

  /** Where the newest block that was cut from a head ends. */
  #blocksEnd(): number {
    let end = NO_MAX_TIME;
    for (const { meta } of this.blocks.blocks) {
      if (!meta.compaction.hints?.includes('from-out-of-order')) end = Math.max(end, meta.maxTime);
    }
    return end;
  }

  async #load(): Promise<void> {
    const { clock } = this.#parts;
    await this.#keeper.load();
    await this.#appendHeld();
    this.changes.note(-Infinity);
    await this.#keeper.settle();
    if (this.#closed) return;
    this.#timers.push(every(clock, 2000, () => this.#keeper.maintain()));
    this.#timers.push(
      every(clock, 5000, () => {
        this.#reportRefusals();
        return this.#keeper.recover();
      }),
    );
  }

  /** What came in meanwhile; from the moment that nothing is left, batches go to the head. */
  async #appendHeld(): Promise<void> {
    const { clock, logger } = this.#parts;
    let sliceStart = clock.monotonic();
    for (let held = this.#held.next(); held; held = this.#held.next()) {
      const { batch, segment } = held;
      try {
        this.#noteAppended(this.head.append(batch, this.#keeper.log, segment));
      } catch (error) {
        if (errorCode(error) !== 'memory_full') throw error;
        logger.error('cannot append what came in while the log was read', { err: errorText(error) });
      }
      if (clock.monotonic() - sliceStart < SLICE_MS) continue;
      this.#keeper.commit();
      await pause();
      sliceStart = clock.monotonic();
    }
    this.#isLoaded = true;
    this.#keeper.commit();
  }

  /** Tells caches what the head's last append has changed. */
  #noteAppended({ created }: AppendResult): void {
    const { touched } = this.head;
    if (touched !== Infinity || created > 0) this.changes.note(touched, created > 0);
  }

  #reportRefusals(): void {
    for (const { limit, count, last } of this.head.refusals.due(this.#parts.clock.now())) {
      this.#parts.logger.warn('series refused because of a limit', { limit, count, last });
    }
  }

  /** Resolves when everything that was stored can be seen. */
  ready(): Promise<void> {
    return this.#loaded;
  }

  get isLoaded(): boolean {
    return this.#isLoaded;
  }
  get isReadOnly(): boolean {
    return this.#keeper.isReadOnly;
  }
  /** How much of the log has been read and how much there is. */
  get progress(): { readonly doneBytes: number; readonly totalBytes: number } {
    return this.#keeper.progress;
  }
  /** What the log takes on disk. */
  get logBytes(): number {
    return this.#keeper.diskBytes;
  }
  get options(): StoreOptions {
    return this.#options;
  }
  get memory(): WebAssembly.Memory {
    return this.#parts.memory.memory;
  }

  /** New limits and window, from the next batch on. */
  configure(options: StoreOptions): void {
    this.#options = options;
    this.head.configure({ ...options, shard: this.#parts.shard });
  }

  get readsAtOnce(): boolean {
    return this.#isLoaded;
  }

  async append(batch: SampleBatch): Promise<AppendResult> {
    // Columns may be views of memory that is someone else's once this waits.
    const sizes = sizesOf(batch);
    if (!this.#isLoaded && this.#held.isFull) await this.#loaded;
    if (this.#closed) throw new OperatingError('closed', 'cannot append: the store is closed');
    if (this.#keeper.isReadOnly) return refuseAll(sizes, this.#keeper.reason);
    let result: AppendResult;
    try {
      if (this.#isLoaded) {
        result = this.head.append(batch, this.#keeper.log);
        this.#noteAppended(result);
      } else result = this.#held.take(batch, this.#keeper.log);
    } catch (error) {
      this.changes.note(-Infinity);
      if (errorCode(error) !== 'memory_full') throw error;
      result = refuseAll(sizes, errorText(error));
    }
    // Everything that is appended before the commit runs shares its write.
    this.#commit ??= Promise.resolve().then(() => {
      this.#commit = undefined;
      this.#keeper.commit();
    });
    await this.#commit;
    return this.#keeper.isReadOnly ? refuseAll(sizes, this.#keeper.reason) : result;
  }

  *select(matchers: readonly Matcher[], range: TimeRange, sorted: boolean, unnoticed = false): Generator<SeriesChunks> {
    const blocks = this.blocks.range;
    const inBlocks = blocks !== undefined && blocks.min <= range.max && blocks.max >= range.min;
    const { min, max } = this.headRange;
    const inHead = min <= range.max && max >= range.min;
    if (!inBlocks && inHead) yield* selectHead(this.head, matchers, range, sorted, unnoticed);
    else if (inBlocks && !inHead) yield* this.blocks.select(matchers, range);
    else if (inBlocks) {
      const inOrder = selectHead(this.head, matchers, range, true, unnoticed);
      yield* mergeSelections(this.blocks.select(matchers, range), inOrder);
    }
  }

  book(range: TimeRange): HeadBook | undefined {
    const blocks = this.blocks.range;
    if (blocks !== undefined && blocks.min <= range.max && blocks.max >= range.min) return undefined;
    return this.head.deletions.isEmpty ? this.#book : undefined;
  }

  mayMatch(matchers: readonly Matcher[], from: number): boolean {
    return matchSlots(this.head.table, matchers).length > 0 || this.blocks.mayMatch(matchers, from);
  }

  /** First and last time in the head; min above max when it is empty. */
  get headRange(): TimeRange {
    const { minTime, maxTime, minOutOfOrderTime, maxOutOfOrderTime } = this.head;
    return { min: Math.min(minTime, minOutOfOrderTime), max: Math.max(maxTime, maxOutOfOrderTime) };
  }

  #inHead(range: TimeRange): boolean {
    return this.headRange.min <= range.max && this.headRange.max >= range.min;
  }

  series(matchers: readonly Matcher[], range: TimeRange): readonly Labels[] {
    const inBlocks = this.blocks.series(matchers, range);
    if (!this.#inHead(range)) return inBlocks;
    const inHead = this.#book.inRange(this.#book.match(matchers), range);
    if (inBlocks.length === 0) return inHead;
    const found = new Map(inBlocks.map((labels) => [labelsKey(labels), labels]));
    for (const labels of inHead) found.set(labelsKey(labels), labels);
    return [...found.values()];
  }

  labelNames(matchers: readonly Matcher[], range: TimeRange): readonly string[] {
    const inBlocks = this.blocks.labelNames(matchers, range);
    return this.#inHead(range) ? mergeSorted(inBlocks, labelNamesOf(this.head.table, matchers)) : inBlocks;
  }

  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): readonly string[] {
    const inBlocks = this.blocks.labelValues(name, matchers, range);
    return this.#inHead(range) ? mergeSorted(inBlocks, labelValuesOf(this.head.table, name, matchers)) : inBlocks;
  }

  exemplars(
    matchers: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): readonly { readonly labels: Labels; readonly exemplars: readonly Exemplar[] }[] {
    const tests = matchers.map(compileMatchers);
    return this.head.exemplars.select((labels) => tests.some((test) => test(labels)), range);
  }

  metadata(): Iterable<[string, Metadata]> {
    return this.head.metadata.entries();
  }

  /** Hides the samples of matching series in a range of the head. Blocks have tombstones of their own. */
  async delete(matchers: readonly Matcher[], range: TimeRange): Promise<void> {
    await this.#loaded;
    const { head } = this;
    const until = { min: range.min, max: Math.min(range.max, Math.max(this.headRange.max, range.min)) };
    for (const slot of matchSlots(head.table, matchers)) {
      head.deletions.add(slot, until);
      head.writer.deleted(slot, head.deletions.of(slot), this.#keeper.log);
    }
    this.changes.note(range.min);
    this.#keeper.commit();
    if (this.#keeper.isReadOnly) throw new OperatingError('read_only', `cannot delete: ${this.#keeper.reason}`);
  }

  cardinality(limit: number): Cardinality {
    return cardinality(this.head, limit);
  }

  labelValueHashes(): ReadonlyMap<string, Float64Array> {
    return labelValueHashes(this.head);
  }

  /** The range that is due to become a block: the head is half a range longer than it. */
  compactable(): TimeRange | undefined {
    const { chunkRangeMs } = this.#options;
    const { minTime, maxTime } = this.head;
    if (minTime > maxTime || maxTime - minTime <= chunkRangeMs * 1.5) return undefined;
    const start = Math.floor(minTime / chunkRangeMs) * chunkRangeMs;
    return { min: start, max: start + chunkRangeMs - 1 };
  }

  /** The head, or what came out of order, for who writes a block of it. */
  source(onlyLate = false): Promise<HeadSource> {
    return HeadSource.create(this.head, onlyLate);
  }

  /** Everything before `min` is in blocks: drops it from the head and the log. */
  async truncate(min: number): Promise<void> {
    await this.#loaded;
    // The block that ends there is what goes from the head.
    this.#reload(false, (meta) => meta.maxTime === min && meta.compaction.level === 1);
    await this.#keeper.truncate(min, -1);
    this.changes.note(Infinity, true);
  }

  /** Looks at the folder again, in which blocks have come, gone or changed. */
  reloadBlocks(isForced = false): void {
    this.#reload(isForced, () => false);
  }

  /** `isFromHead` tells new blocks whose samples the head has as well. */
  #reload(isForced: boolean, isFromHead: (meta: BlockMeta) => boolean): void {
    const before = this.blocks.metas();
    this.blocks.reload(isForced);
    const after = this.blocks.metas();
    const gone = [...before.values()].filter(({ ulid }) => !after.has(ulid));
    const come = [...after.values()].filter(({ ulid }) => !before.has(ulid));
    if (isForced || [...after].some(([ulid, meta]) => before.has(ulid) && before.get(ulid) !== meta)) {
      this.changes.note(-Infinity);
      return;
    }
    const others = come.filter((meta) => !isFromHead(meta));
    if (isMerge(gone, others)) {
      // The same samples are in other blocks now.
      if (come.length > 0) this.changes.note(Infinity, true);
    } else this.changes.note(Math.min(...[...gone, ...others].map(({ minTime }) => minTime)), true);
  }

  /** Begins a compaction of out-of-order samples: what is there now has the epoch that is returned. */
  beginOutOfOrder(): number {
    const { kernel } = this.head.memory;
    const slots = this.head.table.counts().slots;
    this.head.memory.ahead(slots * 64 + 1024 * 1024);
    for (let slot = 0; slot < slots; slot++) if (this.head.table.isAlive(slot)) kernel.closeLate(slot);
    return kernel.nextOooEpoch();
  }

  /** Out-of-order samples up to an epoch are in blocks: drops them. */
  async endOutOfOrder(epoch: number): Promise<void> {
    this.#reload(false, ({ compaction }) => compaction.hints?.includes('from-out-of-order') ?? false);
    await this.#keeper.truncate(NO_MAX_TIME, epoch);
    this.changes.note(Infinity, true);
  }

  /** Writes what is in memory only, so that the next start reads little. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#loaded;
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    await this.#keeper.close();
    this.blocks.close();
  }
}

type Sizes = { readonly rows: number; readonly histograms: number; readonly series: number };

const sizesOf = (batch: SampleBatch): Sizes => ({
  rows: batch.refs.length,
  histograms: batch.histograms?.length ?? 0,
  series: newSeriesCount(batch),
});

function refuseAll({ rows, histograms, series }: Sizes, detail: string): AppendResult {
  const rejections: Rejection[] = [];
  for (let index = 0; index < rows; index++) rejections.push({ kind: 'sample', index, reason: 'readOnly', detail });
  for (let index = 0; index < histograms; index++) {
    rejections.push({ kind: 'histogram', index, reason: 'readOnly', detail });
  }
  return { refs: new Float64Array(series).fill(Number.NaN), rejections, created: 0 };
}

/** Whether blocks have made place for others that hold the same samples. */
function isMerge(gone: readonly BlockMeta[], come: readonly BlockMeta[]): boolean {
  const sources = (metas: readonly BlockMeta[]) =>
    [...new Set(metas.flatMap(({ ulid, compaction }) => compaction.sources ?? [ulid]))].sort().join();
  const samples = (metas: readonly BlockMeta[]) =>
    metas.reduce((sum, { stats }) => sum + (stats.numSamples ?? Number.NaN), 0);
  if (gone.length === 0 && come.length === 0) return true;
  return sources(gone) === sources(come) && samples(gone) === samples(come);
}
