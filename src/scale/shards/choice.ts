// Which shard's thread decodes a request. A sender sends its series over the same connections, so the shard that had a connection's
// last request knows them, and the others need not; unless it has more to do than another.

/** By so many requests a shard may be ahead of another before connections leave it. */
const LEAD = 2;

export class ShardChoice {
  readonly #busy: number[];
  readonly #shardOf = new WeakMap<object, number>();
  #next = 0;

  constructor(shards: number) {
    this.#busy = new Array(shards).fill(0);
  }

  /**
   * A new connection goes to the shard with the fewest requests under way, the next in turn among equals; so does a request
   * without one. -1 if no shard is up.
   */
  choose(isUp: (shard: number) => boolean, connection: object | undefined): number {
    const shards = this.#busy.length;
    let least = -1;
    for (let i = 0; i < shards; i++) {
      const shard = (this.#next + i) % shards;
      if (isUp(shard) && (least < 0 || this.#busy[shard]! < this.#busy[least]!)) least = shard;
    }
    if (least < 0) return -1;
    const before = connection && this.#shardOf.get(connection);
    if (before !== undefined && isUp(before) && this.#busy[before]! <= this.#busy[least]! + LEAD) return before;
    this.#next = (least + 1) % shards;
    if (connection) this.#shardOf.set(connection, least);
    return least;
  }

  async during<T>(shard: number, work: () => Promise<T>): Promise<T> {
    this.#busy[shard]!++;
    try {
      return await work();
    } finally {
      this.#busy[shard]!--;
    }
  }
}
