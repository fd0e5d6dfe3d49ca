// Wires the ways into a shard and on from it: receivers over the appender of all shards; before the shard's own store
// the tee with its remotes, and before that aggregation.

import { type Clock, every, type Timer } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import type { Logger } from '#base/log.ts';
import { systemRandom } from '#base/random.ts';
import type { Tracer } from '#clients/otlp/tracer.ts';
import { Aggregator, type Folded } from '#collect/aggregate/aggregator.ts';
import { Merger } from '#collect/aggregate/merger.ts';
import { loadState, saveState } from '#collect/aggregate/saved.ts';
import { type ReadChunkDecoder, RemoteReaders } from '#collect/read/reader.ts';
import { DEFAULT_OTLP, type OtlpSection } from '#collect/receive/otlp/config.ts';
import { Receivers } from '#collect/receive/receivers.ts';
import { REMOTE_WRITE_DEFAULTS, type RemoteWriteOptions } from '#collect/receive/remote-write.ts';
import { Remotes } from '#collect/send/remotes.ts';
import { Tee } from '#collect/send/tee.ts';
import type { Appender } from '#model/batch.ts';
import type { Registry } from '#model/registry.ts';
import type { ExchangeConfig } from '#scale/shards/protocol.ts';
import { processTracer } from './tracing.ts';

/** From flags: fixed for the life of the process. */
export type ExchangeOptions = {
  readonly acceptedMessages: RemoteWriteOptions['accepted'];
  readonly features: readonly string[];
  readonly lookbackMs: number;
  readonly flushMs: number;
};

export type ShardExchangeParts = {
  readonly shard: number;
  readonly shards: number;
  readonly folder: string;
  /** The shard's own. */
  readonly store: Appender;
  /** From what leads into this shard to what takes samples of any shard. */
  readonly spread: (own: Appender) => Appender;
  /** Hands folds to the shard that adds them up, when that is another one. */
  readonly hand: (folded: Folded) => void;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly registry: Registry;
  readonly log: Logger;
  /** storage.tsdb.log_sync_interval, which the queues of remotes follow. */
  readonly syncMs: () => number;
  /** For what servers that are read from stream; none where there are no queries. */
  readonly decodeChunk?: ReadChunkDecoder;
};

const SAVE_EVERY_MS = 60_000;

export class ShardExchange {
  /** Into this shard: past aggregation and remotes to the store. */
  readonly own: Appender;
  /** Into whichever shards the series belong to. */
  readonly appender: Appender;
  readonly receivers: Receivers;
  readonly remotes: Remotes;
  readonly readers: RemoteReaders;
  readonly tracer: Tracer;
  readonly #aggregator: Aggregator;
  readonly #merger: Merger | undefined;
  readonly #parts: ShardExchangeParts;
  #otlp: OtlpSection = DEFAULT_OTLP;
  #aggregate: ExchangeConfig['aggregate'] = [];
  #saving: Timer | undefined;

  constructor(parts: ShardExchangeParts, options: ExchangeOptions) {
    const { clock, disk, registry, log, shard, shards } = parts;
    this.#parts = parts;
    const tee = new Tee(parts.store);
    this.#aggregator = new Aggregator(tee, shard, clock, (folded) => this.aggregated(folded));
    this.own = this.#aggregator;
    const appender = parts.spread(this.own);
    this.appender = appender;
    this.#merger = shard === 0 ? new Merger(appender, shards, clock, log) : undefined;
    const features = new Set(options.features);
    const typeAndUnitLabels = features.has('type-and-unit-labels');
    this.receivers = new Receivers(
      { appender, clock, disk, registry, log, random: systemRandom },
      {
        remoteWrite: { ...REMOTE_WRITE_DEFAULTS, accepted: options.acceptedMessages, typeAndUnitLabels },
        otlp: {
          settings: () => ({
            section: this.#otlp,
            allowDelta: features.has('otlp-native-delta-ingestion'),
            typeAndUnitLabels,
            lookbackMs: options.lookbackMs,
          }),
          convertDelta: features.has('otlp-deltatocumulative'),
        },
        // One shard holds the sockets: its appender reaches all others.
        listens: shard === 0,
      },
    );
    this.tracer = processTracer(clock, log, `shard ${shard}`);
    this.readers = new RemoteReaders({ clock, disk, registry, environment: process.env, decode: parts.decodeChunk });
    this.remotes = new Remotes({
      tee,
      disk,
      folder: `${parts.folder}/remote`,
      shard,
      shards,
      clock,
      log,
      registry,
      random: systemRandom,
      syncMs: parts.syncMs,
      environment: process.env,
      flushMs: options.flushMs,
      tracer: this.tracer,
    });
  }

  async apply(config: ExchangeConfig): Promise<void> {
    this.#otlp = config.otlp;
    this.#setRules(config.aggregate);
    await this.tracer.apply(config.tracing);
    this.readers.apply(config.reads, config.externalLabels);
    await this.remotes.apply(config.remotes, config.externalLabels);
    await this.receivers.apply(config.receive);
  }

  /** Folds of this shard, or of another that hands them here. */
  aggregated(folded: Folded): void {
    if (this.#merger) this.#merger.add(folded);
    else this.#parts.hand(folded);
  }

  async stop(): Promise<void> {
    await this.receivers.stop();
    await this.tracer.stop();
    this.readers.stop();
    this.#saving?.cancel();
    this.#save();
    this.#aggregator.stop();
    await this.remotes.stop();
  }

  #setRules(rules: ExchangeConfig['aggregate']): void {
    if (JSON.stringify(rules) === JSON.stringify(this.#aggregate)) return;
    this.#save();
    this.#aggregate = rules;
    const { disk, folder, shard, clock, log } = this.#parts;
    const plain = rules.map(({ rule }) => rule);
    this.#merger?.setRules(plain);
    this.#aggregator.setRules(rules, loadState(disk, folder, shard, plain, clock.now(), log));
    this.#saving?.cancel();
    this.#saving = rules.length > 0 ? every(clock, SAVE_EVERY_MS, () => this.#save()) : undefined;
  }

  #save(): void {
    if (this.#aggregate.length === 0) return;
    const { disk, folder, shard } = this.#parts;
    saveState(
      disk,
      folder,
      shard,
      this.#aggregate.map(({ rule }) => rule),
      this.#aggregator.save(),
    );
  }
}
