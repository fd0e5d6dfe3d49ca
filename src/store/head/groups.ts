// Groups of the head's series by some of their labels. The kernel compares addresses of label pairs, so that no text is looked
// at; its lists grow with the number of groups.

import type { SeriesGroups } from '#model/query.ts';
import type { Head } from './head.ts';

const FIRST_ROOM = 256;
const STATE_BYTES = 32;
/** Where the kernel puts a series' group: see kernel/lib/series.ts. */
const TABLE_STRIDE = 16;
const GROUP_AT = 12;

type Lists = { readonly address: number; readonly bytes: number };

export class HeadGroups implements SeriesGroups {
  readonly #head: Head;
  readonly #without: boolean;
  readonly #names: Lists;
  readonly #nameCount: number;
  readonly #state: number;
  readonly #last: () => { readonly slots: number; readonly table: number; readonly count: number };
  #lists: Lists;

  constructor(
    head: Head,
    by: boolean,
    labels: readonly string[],
    last: () => { readonly slots: number; readonly table: number; readonly count: number },
  ) {
    this.#head = head;
    this.#without = !by;
    this.#last = last;
    const names = labels.map((name) => head.table.findName(name)).filter((name) => name !== 0);
    this.#nameCount = names.length;
    this.#names = this.#alloc(Math.max(4, names.length * 4));
    this.#state = this.#alloc(STATE_BYTES).address;
    this.#lists = this.#alloc(bytesFor(FIRST_ROOM));
    const { u32 } = head.memory.shard;
    u32.set(names, this.#names.address >>> 2);
    u32[(this.#state >>> 2) + COUNT] = 0;
    this.#point(FIRST_ROOM);
  }

  #alloc(bytes: number): Lists {
    this.#head.memory.ahead(bytes * 2);
    return { address: this.#head.memory.kernel.slabAlloc(bytes) >>> 0, bytes };
  }

  /** Tells the kernel where its lists are. */
  #point(room: number): void {
    const { shard, kernel } = this.#head.memory;
    const at = this.#state >>> 2;
    const { address } = this.#lists;
    shard.u32[at + BUCKETS] = address;
    shard.u32[at + MASK] = room * 2 - 1;
    shard.u32[at + SLOTS] = address + room * 8;
    shard.u32[at + HASHES] = address + room * 12;
    shard.u32[at + ROOM] = room;
    kernel.regroup(this.#state);
  }

  assign(): void {
    const { slots, table, count } = this.#last();
    const { kernel } = this.#head.memory;
    for (let done = 0; ; this.#grow()) {
      done += kernel.groupSlots(
        this.#state,
        slots + done * 4,
        count - done,
        this.#names.address,
        this.#nameCount,
        this.#without ? 1 : 0,
        table + done * TABLE_STRIDE + GROUP_AT,
        TABLE_STRIDE,
      );
      if (done === count) return;
    }
  }

  #grow(): void {
    const { shard, kernel } = this.#head.memory;
    const old = this.#lists;
    const room = old.bytes / bytesFor(1);
    const count = this.count;
    this.#lists = this.#alloc(bytesFor(room * 2));
    const { u8 } = shard;
    u8.copyWithin(this.#lists.address + room * 2 * 8, old.address + room * 8, old.address + room * 8 + count * 4);
    u8.copyWithin(this.#lists.address + room * 2 * 12, old.address + room * 12, old.address + room * 12 + count * 4);
    kernel.slabRelease(old.address, old.bytes);
    this.#point(room * 2);
  }

  get count(): number {
    return this.#head.memory.shard.u32[(this.#state >>> 2) + COUNT]!;
  }

  memberOf(group: number): number {
    const { u32 } = this.#head.memory.shard;
    return u32[(u32[(this.#state >>> 2) + SLOTS]! >>> 2) + group]!;
  }

  close(): void {
    const { kernel } = this.#head.memory;
    kernel.slabRelease(this.#lists.address, this.#lists.bytes);
    kernel.slabRelease(this.#names.address, this.#names.bytes);
    kernel.slabRelease(this.#state, STATE_BYTES);
  }
}

// Words of the kernel's state (kernel/lib/batch.ts).
const BUCKETS = 0;
const MASK = 1;
const SLOTS = 2;
const HASHES = 3;
const COUNT = 4;
const ROOM = 5;

/** Two buckets, a slot and a hash for each group. */
const bytesFor = (room: number): number => room * 16;
