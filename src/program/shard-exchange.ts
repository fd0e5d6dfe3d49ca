// Wires what comes into a shard by itself and what goes on from it: receivers over the appender of all shards, the tee with its
// remotes before the shard's own store.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import type { Logger } from '#base/log.ts';
import { systemRandom } from '#base/random.ts';
import { DEFAULT_OTLP, type OtlpSection } from '#collect/receive/otlp/config.ts';
import { Receivers } from '#collect/receive/receivers.ts';
import { REMOTE_WRITE_DEFAULTS, type RemoteWriteOptions } from '#collect/receive/remote-write.ts';
import { Remotes } from '#collect/send/remotes.ts';
import type { Tee } from '#collect/send/tee.ts';
import type { Appender } from '#model/batch.ts';
import type { Registry } from '#model/registry.ts';
import type { ExchangeConfig } from '#scale/shards/protocol.ts';

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
  /** Takes samples of any shard. */
  readonly appender: Appender;
  /** Before the shard's own store. */
  readonly tee: Tee;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly registry: Registry;
  readonly log: Logger;
};

export class ShardExchange {
  readonly receivers: Receivers;
  readonly remotes: Remotes;
  #otlp: OtlpSection = DEFAULT_OTLP;

  constructor(parts: ShardExchangeParts, options: ExchangeOptions) {
    const { appender, clock, disk, registry, log, shard, shards } = parts;
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
    this.remotes = new Remotes({
      tee: parts.tee,
      disk,
      folder: `${parts.folder}/remote`,
      shard,
      shards,
      clock,
      log,
      registry,
      environment: process.env,
      flushMs: options.flushMs,
    });
  }

  async apply(config: ExchangeConfig): Promise<void> {
    this.#otlp = config.otlp;
    await this.remotes.apply(config.remotes, config.externalLabels);
    await this.receivers.apply(config.receive);
  }

  async stop(): Promise<void> {
    await this.receivers.stop();
    await this.remotes.stop();
  }
}
