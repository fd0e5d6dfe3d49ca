// Keeps the blocks in order while the server runs: cuts heads into blocks, compacts, applies retention, deletes. It runs on
// the main thread and only calls: shards write their parts, the block thread does the rest. The order is what makes it
// safe: a block is on disk before heads let go of its samples, and no reader knows a block any more when it is removed.

import type { Clock, Timer } from '#base/clock.ts';
import { every } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Matcher } from '#model/matcher.ts';
import type { TimeRange } from '#model/query.ts';
import type { Registry } from '#model/registry.ts';
import { PARTS_FOLDER } from '../block/part.ts';
import type { RetentionSettings } from '../retention.ts';
import { MIN_BLOCK_MS } from './plan.ts';
import type { HeadTimes, ShardSide } from './shard-side.ts';
import type { BlockInfo, BlockWork, Done, OldSample } from './work.ts';

/** The same functions, called in another thread. */
export type Called<A extends Record<string, (argument: never, signal: never) => unknown>> = {
  readonly [K in keyof A]: (
    argument: Parameters<A[K]>[0],
    options?: { readonly signal?: AbortSignal },
  ) => Promise<Awaited<ReturnType<A[K]>>>;
};

export type CycleParts = {
  /** All shards; throws while one of them is down. */
  readonly shards: () => readonly Called<ShardSide>[];
  readonly work: () => Called<BlockWork>;
  /** Names of the blocks in the data folder. */
  readonly blockNames: () => readonly string[];
  /** The data folder, for the names of parts. */
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
};

export type CycleSettings = {
  readonly retention: RetentionSettings;
  /** Length of the first blocks; the heads' own. */
  readonly blockMs?: number;
  readonly maxBlockMs?: number;
  readonly uploadsFile?: string;
  readonly overlaps?: boolean;
  /** How long to wait before a head that is due is cut; asked anew each time. */
  readonly headDelayMs?: () => number;
};

const INTERVAL_MS = 60_000;
/** Retention and compaction look at blocks that nobody has changed this often: waking their thread is not free. */
const LOOK_INTERVAL_MS = 10 * 60_000;
/** Out-of-order samples become blocks at least this often. */
const OUT_OF_ORDER_INTERVAL_MS = 2 * 3_600_000;

type CountKey = 'runs' | 'failures' | 'timeDrops' | 'sizeDrops' | 'reloads' | 'reloadFailures' | 'overlaps';

export class BlockCycle {
  readonly #parts: CycleParts;
  #settings: CycleSettings;
  /** One thing at a time. */
  #work: Promise<unknown> = Promise.resolve();
  #timer: Timer | undefined;
  /** When heads that are due are cut; only the first cut of several in a row waits. */
  #cutAt: number | undefined;
  #outOfOrderAt: number;
  /** The blocks that were there at the last look, and when that was. */
  #seen = '';
  #lookedAt = Number.NEGATIVE_INFINITY;
  readonly #stop = new AbortController();
  readonly #count: Record<CountKey, () => void>;
  readonly #observe: (seconds: number) => void;

  constructor(parts: CycleParts, settings: CycleSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#outOfOrderAt = parts.clock.monotonic();
    const counter = (name: string, help: string) => {
      const made = parts.registry.counter(name, help);
      return () => made.add();
    };
    this.#count = {
      runs: counter('prometheus_tsdb_compactions_total', 'Blocks written.'),
      failures: counter('prometheus_tsdb_compactions_failed_total', 'Compactions that failed.'),
      timeDrops: counter('prometheus_tsdb_time_retentions_total', 'Blocks dropped because of their age.'),
      sizeDrops: counter('prometheus_tsdb_size_retentions_total', 'Blocks dropped because of the size limit.'),
      reloads: counter('prometheus_tsdb_reloads_total', 'Times the shards were told to look at the blocks anew.'),
      reloadFailures: counter('prometheus_tsdb_reloads_failures_total', 'Times a shard could not open the blocks.'),
      overlaps: counter('prometheus_tsdb_vertical_compactions_total', 'Compactions of overlapping blocks.'),
    };
    const bounds = [0.1, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
    const duration = parts.registry.histogram(
      'prometheus_tsdb_compaction_duration_seconds',
      'Time that compactions took.',
      bounds,
    );
    this.#observe = (seconds) => duration.observe(seconds);
  }

  configure(settings: CycleSettings): void {
    this.#settings = settings;
    this.#seen = '';
  }

  start(): void {
    this.#timer = every(this.#parts.clock, INTERVAL_MS, () => this.run());
  }

  /** Ends what is under way; nothing half-done is visible afterwards. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stop.abort(new Error('the server is stopping'));
    await this.#work;
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => undefined);
    return done;
  }

  /** All that is due. Failures are logged and counted; the next round tries again. */
  run(): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#stop.signal.aborted) return;
      try {
        await this.#cutHeads();
        await this.#cutOutOfOrder();
        await this.#lookAfterBlocks();
        // Blocks that someone has put into the folder or taken out of it are noticed here.
        await this.#reloadBlocks();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#count.failures();
        this.#parts.logger.error('cannot compact; it is tried again in a minute', { err: errorText(error) });
      }
    });
  }

  #headTimes(): Promise<HeadTimes[]> {
    return Promise.all(this.#parts.shards().map((shard) => shard.headTimes(undefined)));
  }

  get #blockMs(): number {
    return this.#settings.blockMs ?? MIN_BLOCK_MS;
  }

  /** Cuts the oldest stretch for as long as all heads together span more than one and a half. */
  async #cutHeads(): Promise<void> {
    for (;;) {
      const spans = (await this.#headTimes()).flatMap((times) => times.inOrder ?? []);
      const first = Math.min(...spans.map(({ min }) => min));
      const last = Math.max(...spans.map(({ max }) => max));
      if (spans.length === 0 || last - first <= this.#blockMs * 1.5) {
        this.#cutAt = undefined;
        return;
      }
      const now = this.#parts.clock.monotonic();
      this.#cutAt ??= now + (this.#settings.headDelayMs?.() ?? 0);
      if (now < this.#cutAt) return;
      const min = floor(first, this.#blockMs);
      const range = { min, max: min + this.#blockMs - 1 };
      await this.#writeHead(range, { closes: true });
      await Promise.all(this.#parts.shards().map((shard) => shard.truncateHead(range.max + 1)));
    }
  }

  async #writeHead(
    range: TimeRange,
    { closes, outOfOrder = false, snapshot }: { closes: boolean; outOfOrder?: boolean; snapshot?: string },
  ): Promise<void> {
    const { folder } = this.#parts;
    const shards = this.#parts.shards();
    const parts = await Promise.all(
      shards.map(async (shard, i) => {
        // The same names each time, so that what a failure leaves behind is overwritten.
        const path = `${folder}/${PARTS_FOLDER}/${i}`;
        await shard.writePart({ path, range, closes, onlyLate: outOfOrder });
        return path;
      }),
    );
    const request = { parts, minTime: range.min, maxTime: range.max + 1, outOfOrder };
    this.#note(
      await this.#parts
        .work()
        .writeHead(snapshot === undefined ? request : { ...request, snapshot }, { signal: this.#stop.signal }),
    );
  }

  /** Samples that came late become blocks of their own, which compaction merges with what is there. */
  async #cutOutOfOrder(): Promise<void> {
    const { clock } = this.#parts;
    if (clock.monotonic() - this.#outOfOrderAt < OUT_OF_ORDER_INTERVAL_MS) return;
    await this.#cutOutOfOrderNow(this.#parts.shards());
    this.#outOfOrderAt = clock.monotonic();
  }

  async #cutOutOfOrderNow(shards: ReturnType<CycleParts['shards']>): Promise<void> {
    const late = (await this.#headTimes()).flatMap((times) => times.outOfOrder ?? []);
    if (late.length === 0) return;
    const epochs = await Promise.all(shards.map((shard) => shard.beginOutOfOrder(undefined)));
    const blockMs = this.#blockMs;
    const end = Math.max(...late.map(({ max }) => max));
    for (let start = floor(Math.min(...late.map(({ min }) => min)), blockMs); start <= end; start += blockMs) {
      // The last block ends with its last sample, so that no block reaches into the future.
      const range = { min: start, max: Math.min(start + blockMs - 1, end) };
      await this.#writeHead(range, { closes: false, outOfOrder: true });
    }
    await Promise.all(shards.map((shard, i) => shard.endOutOfOrder(epochs[i]!)));
  }

  async #lookAfterBlocks(): Promise<void> {
    const { blockNames, clock } = this.#parts;
    const names = blockNames().join();
    if (names === '' || (names === this.#seen && clock.monotonic() - this.#lookedAt < LOOK_INTERVAL_MS)) return;
    await this.#compact();
    await this.#retain();
    this.#seen = blockNames().join();
    this.#lookedAt = clock.monotonic();
  }

  async #compact(): Promise<void> {
    const { retention, maxBlockMs, uploadsFile, overlaps } = this.#settings;
    const settings = {
      retentionMs: retention.timeMs,
      ...(maxBlockMs === undefined ? {} : { maxBlockMs }),
      ...(uploadsFile === undefined ? {} : { uploadsFile }),
      ...(overlaps === undefined ? {} : { overlaps }),
    };
    for (;;) {
      const done = await this.#parts.work().next(settings, { signal: this.#stop.signal });
      if (!done) return;
      this.#note(done);
      await this.#retire(done.obsolete);
    }
  }

  async #retain(): Promise<void> {
    const otherBytes = (await this.#headTimes()).reduce((sum, times) => sum + times.logBytes, 0);
    const request = { settings: this.#settings.retention, otherBytes };
    const { obsolete, dropped } = await this.#parts.work().retain(request, { signal: this.#stop.signal });
    for (let i = 0; i < dropped.time; i++) this.#count.timeDrops();
    for (let i = 0; i < dropped.size; i++) this.#count.sizeDrops();
    if (obsolete.length > 0) await this.#retire(obsolete);
  }

  /** Removes blocks once no shard serves them: they have successors or are marked as deletable. */
  async #retire(names: readonly string[]): Promise<void> {
    await this.#reloadBlocks();
    await this.#parts.work().remove(names);
  }

  async #reloadBlocks(): Promise<void> {
    this.#count.reloads();
    try {
      await Promise.all(this.#parts.shards().map((shard) => shard.reloadBlocks(undefined)));
    } catch (error) {
      this.#count.reloadFailures();
      throw error;
    }
  }

  #note(done: Done): void {
    this.#count.runs();
    if (done.reason === 'overlap') this.#count.overlaps();
    this.#observe(done.durationMs / 1000);
  }

  /** Stores samples that are too old for the heads; they are served when this resolves. */
  backfill(samples: readonly OldSample[]): Promise<void> {
    return this.#exclusively(async () => {
      await this.#parts.work().backfill(samples);
      await Promise.all(this.#parts.shards().map((shard) => shard.reloadBlocks(undefined)));
    });
  }

  /** Marks samples as deleted, in heads and blocks. */
  delete(matchers: readonly (readonly Matcher[])[], range: TimeRange): Promise<void> {
    return this.#exclusively(async () => {
      await this.#parts.work().delete({ matchers, range });
      await Promise.all(this.#parts.shards().map((shard) => shard.deleteSeries({ matchers, range })));
    });
  }

  /** Takes deleted samples off the disk. */
  cleanTombstones(): Promise<void> {
    return this.#exclusively(async () => {
      for (;;) {
        const done = await this.#parts.work().cleanTombstones(undefined, { signal: this.#stop.signal });
        if (!done) return;
        this.#note(done);
        await this.#retire(done.obsolete);
      }
    });
  }

  /** Everything that is stored at this moment, as blocks in a folder below the snapshots. */
  snapshot(name: string, skipHead: boolean): Promise<void> {
    return this.#exclusively(async () => {
      await this.#parts.work().snapshot(name);
      if (skipHead) return;
      const ranges = (await this.#headTimes()).flatMap(({ inOrder, outOfOrder }) =>
        [inOrder, outOfOrder].filter((range) => range !== undefined),
      );
      if (ranges.length === 0) return;
      const range = { min: Math.min(...ranges.map((r) => r.min)), max: Math.max(...ranges.map((r) => r.max)) };
      await this.#writeHead(range, { closes: false, snapshot: name });
    });
  }

  blocks(): Promise<readonly BlockInfo[]> {
    return this.#parts.work().blocks(undefined as never);
  }
}

const floor = (time: number, step: number): number => Math.floor(time / step) * step;
