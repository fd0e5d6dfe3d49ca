// The remotes of one shard: builds queue, outlet and sender for each and wires them to the tee. A new configuration keeps
// the queues of remotes that stay; a queue whose remote is gone is removed, one of a shard that is gone is taken over.

import { join } from 'node:path';
import { type Clock, every, type Timer } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import type { Logger } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { createHttpClient, type HttpClient } from '#clients/http/client.ts';
import { spreadingLookup } from '#clients/http/lookup.ts';
import type { Tracer } from '#clients/otlp/tracer.ts';
import type { Labels } from '#model/labels.ts';
import type { Registry } from '#model/registry.ts';
import { compileRules } from '../relabel/relabel.ts';
import { redacted } from './address.ts';
import type { RemoteConfig } from './config.ts';
import { RemoteMetrics } from './metrics.ts';
import { Outlet } from './outlet.ts';
import { DiskQueue } from './queue.ts';
import { Sender } from './sender.ts';
import type { Tee } from './tee.ts';

export type RemotesParts = {
  readonly tee: Tee;
  readonly disk: Disk;
  /** Below it: one folder for each remote, in it one for each shard. */
  readonly folder: string;
  readonly shard: number;
  readonly shards: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
  readonly random: Random;
  /** How often what was queued is made to survive a power cut; 0: before it is acknowledged. */
  readonly syncMs: () => number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** --storage.remote.flush-deadline */
  readonly flushMs: number;
  readonly tracer?: Tracer;
};

/** A new configuration does not wait longer for remotes of the one before: their queues stay on disk. */
const RELOAD_FLUSH_MS = 1000;
/** When records are synced one by one, full segments are all that is left. */
const FALLBACK_SYNC_MS = 1000;
const SEGMENT_BYTES = 16 * 1024 * 1024;
/** A segment names all series anew, which costs more than sending their samples. */
const MAX_SEGMENT_BYTES = 64 * 1024 * 1024;

type Running = {
  readonly outlet: Outlet | undefined;
  readonly sender: Sender;
  readonly client: HttpClient;
  readonly syncs: Timer;
};

export class Remotes {
  readonly #parts: RemotesParts;
  readonly #metrics: RemoteMetrics;
  #running: Running[] = [];
  #shown = '';

  constructor(parts: RemotesParts) {
    this.#parts = parts;
    this.#metrics = new RemoteMetrics(parts.registry);
    const { tee, registry } = parts;
    registry.collected(
      'prometheus_remote_storage_highest_timestamp_in_seconds',
      'Highest timestamp that has come into the remote storage via the Appender interface, in seconds since epoch.',
      'gauge',
      () => [{ value: Math.max(0, ...this.#running.map(({ outlet }) => outlet?.highestTimestamp ?? 0)) / 1000 }],
    );
    for (const kind of ['samples', 'histograms', 'exemplars'] as const) {
      registry.collected(
        `prometheus_remote_storage_${kind}_in_total`,
        `${kind[0]!.toUpperCase()}${kind.slice(1)} in to remote storage, compare to ${kind} out for queue managers.`,
        'counter',
        () => [{ value: tee.taken[kind] }],
      );
    }
  }

  /** Brings the remotes to a configuration; nothing happens when it is the one that runs. */
  async apply(configs: readonly RemoteConfig[], externalLabels: Labels): Promise<void> {
    const shown = JSON.stringify([configs, externalLabels]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    await this.stop(Math.min(RELOAD_FLUSH_MS, this.#parts.flushMs));
    this.#removeForeign(configs);
    this.#running = configs.flatMap((config) => this.#start(config, externalLabels));
    this.#parts.tee.setOutlets(this.#running.flatMap(({ outlet }) => (outlet ? [outlet] : [])));
  }

  /** Before metrics are read. */
  report(): void {
    for (const { outlet, sender } of this.#running) if (outlet) sender.report(outlet);
  }

  async stop(flushMs = this.#parts.flushMs): Promise<void> {
    this.#parts.tee.setOutlets([]);
    const running = this.#running;
    this.#running = [];
    await Promise.all(running.map(({ sender }) => sender.stop(flushMs)));
    for (const { client, syncs } of running) {
      syncs.cancel();
      client.close();
    }
  }

  #start(config: RemoteConfig, externalLabels: Labels): Running[] {
    const { disk, folder, shard, shards } = this.#parts;
    const base = join(folder, folderName(config.name));
    // Queues of shards beyond today's number are emptied beside this shard's own.
    const orphans = disk
      .list(base)
      .filter(({ name, isFolder }) => isFolder && Number(name) >= shards && Number(name) % shards === shard)
      .map(({ name }) => this.#sender(config, join(base, name), undefined));
    return [this.#sender(config, join(base, String(shard)), externalLabels), ...orphans];
  }

  #sender(config: RemoteConfig, folder: string, externalLabels: Labels | undefined): Running {
    const { disk, clock, shards, environment } = this.#parts;
    const log = this.#parts.log.with({ component: 'remote', remote_name: config.name });
    const maxBytes = Math.max(4 * SEGMENT_BYTES, Math.floor(config.queue.maxDiskBytes / shards));
    const segmentBytes = Math.min(MAX_SEGMENT_BYTES, Math.max(SEGMENT_BYTES, Math.floor(maxBytes / 16)));
    const { syncMs } = this.#parts;
    const syncsEach = () => syncMs() === 0;
    const queue = new DiskQueue(disk, folder, { maxBytes, segmentBytes, syncsEach }, log);
    const syncs = every(clock, syncMs() || FALLBACK_SYNC_MS, () => queue.syncLater());
    const lookup = config.roundRobinDns ? { lookup: spreadingLookup(this.#parts.random) } : {};
    const client = createHttpClient(config.http, { clock, disk, environment, ...lookup });
    const counters = this.#metrics.of(config.name, redacted(config.url));
    const sender = new Sender({ config, client, clock, log, counters, tracer: this.#parts.tracer }, queue);
    const outlet =
      externalLabels &&
      new Outlet(
        queue,
        {
          externalLabels,
          relabel: compileRules(config.relabel),
          sendExemplars: config.sendExemplars,
          sendHistograms: config.sendHistograms,
        },
        () => sender.wake(),
      );
    sender.start();
    return { outlet, sender, client, syncs };
  }

  #removeForeign(configs: readonly RemoteConfig[]): void {
    const { disk, folder, shard, log } = this.#parts;
    const wanted = new Set(configs.map(({ name }) => folderName(name)));
    for (const { name, isFolder } of disk.list(folder)) {
      if (!isFolder || wanted.has(name)) continue;
      log.warn('remote write: the queue of a remote that is no longer configured is removed', { remote: name });
      disk.remove(join(folder, name, String(shard)));
    }
  }
}

const folderName = (name: string): string => encodeURIComponent(name).replaceAll('*', '%2A').replace(/^\.+$/, '_');
