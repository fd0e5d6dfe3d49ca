// Wires collecting: discovery and target relabeling on the main thread, scraping in the shards' threads, the API on top.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import type { Logger } from '#base/log.ts';
import type { Assignment } from '#collect/scrape/spec.ts';
import { Targets } from '#collect/targets.ts';
import type { Registry } from '#model/registry.ts';
import type { ShardPool } from '#scale/shards/pool.ts';

/** Keeps what each shard was told to scrape, so that one that comes back is told again. */
export class Collecting {
  readonly targets: Targets;
  readonly #pool: () => ShardPool;
  readonly #assigned: (readonly Assignment[])[];
  readonly #logger: Logger;

  constructor(shards: number, pool: () => ShardPool, clock: Clock, disk: Disk, logger: Logger, registry: Registry) {
    this.#pool = pool;
    this.#logger = logger;
    this.#assigned = Array.from({ length: shards }, () => []);
    this.targets = new Targets({
      clock,
      disk,
      log: logger,
      registry,
      environment: process.env,
      workers: shards,
      assign: (worker, assignments) => {
        this.#assigned[worker] = assignments;
        // A shard that is down is told when it is up again.
        if (this.#pool().states()[worker]?.up) void this.#tell(worker);
      },
    });
  }

  assignedTo(shard: number): readonly Assignment[] {
    return this.#assigned[shard] ?? [];
  }

  statuses = async () => (await this.#ask((client) => client.targetStatuses(undefined))).flat();
  families = async () => (await this.#ask((client) => client.targetFamilies(undefined))).flat();

  async #tell(worker: number): Promise<void> {
    try {
      await this.#pool().client(worker).setTargets(this.assignedTo(worker));
    } catch (error) {
      this.#logger.warn('cannot hand targets to a shard; it is told again when it is up', {
        shard: worker,
        err: error,
      });
    }
  }

  async #ask<T>(call: (client: ReturnType<ShardPool['client']>) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#pool().upClients().map(call));
  }
}
