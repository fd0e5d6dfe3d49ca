// The shards of a process: one supervised thread each, with lines between all of them. When a thread dies the others go
// on; it is started again, recovers from its log, and the lines to it are laid anew.

import { MessageChannel, type Worker } from 'node:worker_threads';
import type { Clock } from '#base/clock.ts';
import { OperatingError } from '#base/errors.ts';
import { Lane, newLane } from '#base/lane.ts';
import type { Logger } from '#base/log.ts';
import { type Client, Thread } from '#base/thread.ts';
import type { Answer } from '#collect/receive/exchange.ts';
import type { MetricFamily } from '#model/family.ts';
import { ANSWER_RING_BYTES, PEER_RING_BYTES, REQUEST_RING_BYTES, ShardPeer, sendWrite } from './lanes.ts';
import type { ShardApi } from './protocol.ts';

export type ShardPoolOptions = {
  readonly shards: number;
  readonly entry: URL;
  /** The first thread of each shard, where they were begun early. */
  readonly begun?: readonly Worker[];
  /** What shard `i` starts with. */
  readonly dataOf: (shard: number) => unknown;
  /** Brings a shard that just came up to the state it should have: its targets, its options. */
  readonly onUp: (shard: number, client: Client<ShardApi>) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
};

export class ShardPool {
  readonly shards: number;
  readonly #threads: Thread<ShardApi>[];
  /** Set while a thread is starting, when `Thread.client` is not there yet. */
  readonly #clients: (Client<ShardApi> | undefined)[];
  /** From the main thread to shards that are up. */
  readonly #lanes: (Lane | undefined)[];

  constructor(options: ShardPoolOptions) {
    this.shards = options.shards;
    this.#clients = new Array(options.shards).fill(undefined);
    this.#lanes = new Array(options.shards).fill(undefined);
    this.#threads = Array.from({ length: options.shards }, (_, shard) => {
      return new Thread<ShardApi>({
        name: `shard-${shard}`,
        entry: options.entry,
        ...(options.begun?.[shard] ? { begun: options.begun[shard] } : {}),
        data: options.dataOf(shard),
        clock: options.clock,
        logger: options.logger.with({ shard }),
        onUp: async (raw, worker) => {
          const client = raw as unknown as Client<ShardApi>;
          this.#clients[shard] = client;
          worker.once('exit', () => {
            if (this.#clients[shard] !== client) return;
            this.#clients[shard] = undefined;
            this.#lanes[shard]?.close(new OperatingError('thread_down', `shard-${shard} has ended`));
          });
          const [near, far] = newLane(REQUEST_RING_BYTES, ANSWER_RING_BYTES);
          this.#lanes[shard] = new Lane(near, refuse);
          // All at once: a shard that reads its log answers between slices of that.
          await Promise.all([
            this.#layLines(shard),
            client.attach(far, { transfer: [far.port] }),
            options.onUp(shard, client),
          ]);
        },
      });
    });
  }

  async start(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.start()));
  }

  client(shard: number): Client<ShardApi> {
    return this.#threads[shard]!.client;
  }

  /** The way to a shard's store. */
  way(shard: number): ShardPeer {
    return new ShardPeer(this.client(shard), this.#lane(shard));
  }

  /** An ordinary request of remote write 1.0, in snappy, to be decoded in a shard. The body is copied. */
  write(shard: number, body: Uint8Array): Promise<Answer> {
    return sendWrite(this.#lane(shard), body);
  }

  #lane(shard: number): Lane {
    const lane = this.#lanes[shard];
    if (!lane) throw new OperatingError('thread_down', `shard-${shard} is not running; it is being restarted`);
    return lane;
  }

  /** All shards, or an error when one is down: an answer without its series would be wrong. */
  clients(): readonly Client<ShardApi>[] {
    return this.#threads.map((thread) => {
      if (!thread.isUp) throw new OperatingError('unavailable', `${thread.name} is recovering; ask again in a moment`);
      return thread.client;
    });
  }

  /** Threads that answer now. */
  upClients(): readonly Client<ShardApi>[] {
    return this.#threads.filter((thread) => thread.isUp).map((thread) => thread.client);
  }

  states(): readonly { shard: number; up: boolean; restarts: number }[] {
    return this.#threads.map((thread, shard) => ({ shard, up: thread.isUp, restarts: thread.restarts }));
  }

  async metrics(): Promise<readonly (readonly MetricFamily[])[]> {
    const answers = await Promise.allSettled(this.upClients().map((client) => client.metrics(undefined)));
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  /** Ends a shard's thread at once, as a crash would; it is started again. For drills. */
  async kill(shard: number): Promise<void> {
    await this.#threads[shard]!.worker?.terminate();
  }

  /** Lets every shard finish and make its data durable, then ends the threads. */
  async stop(): Promise<void> {
    // A scrape that is not over has samples for several shards: none of them closes before all scraping has ended.
    await Promise.allSettled(this.upClients().map((client) => client.quiesce(undefined)));
    const outcomes = await Promise.allSettled(this.upClients().map((client) => client.drain(undefined)));
    await Promise.all(this.#threads.map((thread) => thread.stop()));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw new OperatingError('drain', 'cannot drain a shard', { cause: failed.reason });
  }

  /** Lines between a shard that just came up and every other one that is there; told before anything else it is told. */
  async #layLines(shard: number): Promise<void> {
    const own = this.#clients[shard];
    const laid: Promise<void>[] = [];
    for (let other = 0; other < this.shards; other++) {
      const client = this.#clients[other];
      if (other === shard || !client || !own) continue;
      const { port1, port2 } = new MessageChannel();
      const [near, far] = newLane(PEER_RING_BYTES, PEER_RING_BYTES);
      laid.push(
        own.connect({ shard: other, port: port1, lane: near }, { transfer: [port1, near.port] }),
        client.connect({ shard, port: port2, lane: far }, { transfer: [port2, far.port] }).catch(() => {}),
      );
    }
    await Promise.all(laid);
  }
}

/** Shards ask nothing of the main thread. */
const refuse = (kind: number): Promise<never> =>
  Promise.reject(new OperatingError('unknown', `the main thread does not answer questions of kind ${kind}`));
