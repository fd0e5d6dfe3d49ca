// Blocks in the server: the thread that works on them, the cycle that drives it, retention out of flags and configuration,
// and their routes.

import type { Clock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { systemRandom } from '#base/random.ts';
import { ThreadOnDemand } from '#base/thread-on-demand.ts';
import { formatDuration, formatSize } from '#base/units.ts';
import { newSeries } from '#model/batch.ts';
import { hashLabels, type Labels, labelsKey, shardOf } from '#model/labels.ts';
import type { Registry } from '#model/registry.ts';
import { parseSelector } from '#query/parse/parser.ts';
import type { ShardPool } from '#scale/shards/pool.ts';
import { adminRoutes } from '#serve/admin.ts';
import type { Route } from '#serve/http.ts';
import { blockNames } from '#store/block/set.ts';
import { cleanFolder } from '#store/compact/compact.ts';
import { BlockCycle, type CycleSettings } from '#store/compact/cycle.ts';
import type { BlockWork, OldSample } from '#store/compact/work.ts';
import type { RetentionSettings } from '#store/retention.ts';
import { snapshotName } from '#store/snapshot.ts';
import { needsTakeover, type Takeover } from '#store/takeover/takeover.ts';
import type { BlockThreadData } from './block-thread.ts';
import type { ServerConfig } from './config.ts';
import { featuresOf, type ServerFlags } from './flags.ts';

/** The block thread ends when it had nothing to do for so long. */
const THREAD_REST_MS = 10_000;
const DEFAULT_RETENTION_MS = 15 * 86_400_000;

/** The configuration file goes before flags; with neither, samples are kept for 15 days. */
export function retentionOf(flags: ServerFlags, config: ServerConfig): RetentionSettings {
  const file = config.storage?.tsdb?.retention;
  const time = file?.time ?? flags['storage.tsdb.retention.time'] ?? flags['storage.tsdb.retention'];
  const size = file?.size ?? flags['storage.tsdb.retention.size'];
  const percentage = file?.percentage ?? 0;
  if (percentage < 0 || percentage > 100) {
    throw new UserError(`storage.tsdb.retention.percentage ${percentage} is not between 0 and 100`);
  }
  const selectors = (config.storage?.retention ?? []).map(({ match, time: timeMs }) => {
    try {
      return { matchers: parseSelector(match), timeMs };
    } catch (error) {
      throw new UserError(`storage.retention: match ${JSON.stringify(match)}: ${errorText(error)}`);
    }
  });
  const isUnset = !time && !size && percentage === 0;
  return { timeMs: isUnset ? DEFAULT_RETENTION_MS : (time ?? 0), sizeBytes: size ?? 0, percentage, selectors };
}

/** As the status page shows it: "15d or 10GiB". */
export function formatRetention({ timeMs, sizeBytes, percentage }: RetentionSettings): string {
  const limits = [
    timeMs > 0 ? formatDuration(timeMs) : '',
    percentage > 0 ? `${percentage}%` : sizeBytes > 0 ? formatSize(sizeBytes) : '',
  ];
  return limits.filter((limit) => limit !== '').join(' or ');
}

/** Gives the heads what a Prometheus log had beside samples: exemplars, and what is known of metrics. */
export async function handOver(taken: Takeover, pool: ShardPool): Promise<void> {
  for (let shard = 0; shard < pool.shards; shard++) {
    const own = taken.exemplars.filter(({ labels }) => shardOf(hashLabels(labels), pool.shards) === shard);
    const series = new Map<string, { index: number; labels: Labels }>();
    const exemplars = own.map(({ labels, exemplar }) => {
      const key = labelsKey(labels);
      const known = series.get(key) ?? { index: series.size, labels };
      series.set(key, known);
      return { ref: newSeries(known.index), exemplar };
    });
    await pool.client(shard).append({
      refs: new Float64Array(0),
      timestamps: new Float64Array(0),
      values: new Float64Array(0),
      series: [...series.values()].map(({ labels }) => labels),
      exemplars,
      metadata: shard === 0 ? [...taken.metadata].map(([family, metadata]) => ({ family, metadata })) : [],
    });
  }
}

export class ServerBlocks {
  readonly #thread: ThreadOnDemand<BlockWork>;
  readonly #cycle: BlockCycle;
  readonly #flags: ServerFlags;
  readonly #clock: Clock;
  readonly #folder: string;
  readonly #logger: Logger;

  constructor(
    flags: ServerFlags,
    config: ServerConfig,
    pool: () => ShardPool,
    clock: Clock,
    logger: Logger,
    registry: Registry,
  ) {
    this.#flags = flags;
    this.#clock = clock;
    this.#logger = logger;
    const folder = flags['storage.tsdb.path'].replace(/(?<=.)\/+$/, '');
    this.#folder = folder;
    const data: BlockThreadData = {
      folder,
      log: { 'log.level': flags['log.level'], 'log.format': flags['log.format'] },
    };
    this.#thread = new ThreadOnDemand<BlockWork>(
      {
        name: 'blocks',
        entry: new URL('./block-thread.ts', import.meta.url),
        data,
        clock,
        logger,
        onUp: () => {},
      },
      THREAD_REST_MS,
    );
    this.#cycle = new BlockCycle(
      {
        shards: () => pool().clients(),
        work: () => this.#thread.client,
        blockNames: () => blockNames(nodeDisk, folder),
        folder,
        clock,
        logger,
        registry,
      },
      this.#settings(config),
    );
  }

  #settings(config: ServerConfig): CycleSettings {
    const maxBlockMs = this.#flags['storage.tsdb.max-block-duration'];
    return {
      retention: retentionOf(this.#flags, config),
      blockMs: this.#flags['storage.tsdb.min-block-duration'],
      ...(maxBlockMs ? { maxBlockMs } : {}),
      uploadsFile: this.#flags['storage.tsdb.delay-compact-file.path'],
      overlaps: this.#flags['storage.tsdb.allow-overlapping-compaction'],
      ...(featuresOf(this.#flags).has('delayed-compaction') ? { headDelayMs: () => this.#headDelay() } : {}),
    };
  }

  /** Servers that began together do not compact together. */
  #headDelay(): number {
    const percent = this.#flags['storage.tsdb.delayed-compaction.max-percent'];
    return systemRandom.next() * (percent / 100) * this.#flags['storage.tsdb.min-block-duration'];
  }

  /** Puts the data folder in order; shards may open it afterwards. */
  async prepare(): Promise<Takeover | undefined> {
    if (needsTakeover(nodeDisk, this.#folder)) return this.#thread.client.prepare(undefined);
    // The usual case is cheap and must not wait for a thread.
    const removed = cleanFolder(nodeDisk, this.#folder);
    if (removed.length > 0) this.#logger.info('removed what an earlier run has left behind', { folders: removed });
    return undefined;
  }

  /** Compacts from now on, as it becomes due. */
  start(): void {
    this.#cycle.start();
  }

  configure(config: ServerConfig): void {
    this.#cycle.configure(this.#settings(config));
  }

  async stop(): Promise<void> {
    const stopped = this.#cycle.stop();
    await this.#thread.stop();
    await stopped;
  }

  /** Stores samples that are too old for the heads. */
  backfill(samples: readonly OldSample[]): Promise<void> {
    return this.#cycle.backfill(samples);
  }

  get routes(): Route[] {
    const cycle = this.#cycle;
    return adminRoutes({
      enabled: this.#flags['web.enable-admin-api'],
      delete: (matchers, range) => cycle.delete(matchers, range),
      cleanTombstones: () => cycle.cleanTombstones(),
      snapshot: async (skipHead) => {
        const name = snapshotName(this.#clock.now(), systemRandom);
        await cycle.snapshot(name, skipHead);
        return name;
      },
      blocks: () => cycle.blocks(),
    });
  }
}
