// The head's series by number, which is their slot: tables of chunks for the query kernel, groups, and label sets that are made
// once for as long as slots keep their meaning. What a table says holds until the next one is made.

import type { Labels } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import type { SeriesBook, SeriesChunks, SeriesGroups, TimeRange } from '#model/query.ts';
import { HeadGroups } from './groups.ts';
import type { Head } from './head.ts';
import { matchSlots } from './postings.ts';
import { chunksOfSlot } from './select.ts';

/** Series of one table. */
export const TABLE_SERIES = 512;
const TABLE_CHUNKS = 8192;
const OPEN_BYTES = 512 * 1024;
/** Label sets that are kept. */
const MAX_SETS = 20_000;

type Areas = { readonly slots: number; readonly table: number; readonly chunks: number; readonly open: number };

export class HeadBook implements SeriesBook {
  readonly #head: Head;
  #areas: Areas | undefined;
  #count = 0;
  #sets = new Map<number, Labels>();
  #setsVersion = 0;

  constructor(head: Head) {
    this.#head = head;
  }

  get version(): number {
    return this.#head.table.removals;
  }

  match(matchers: readonly Matcher[]): Uint32Array {
    return matchSlots(this.#head.table, matchers);
  }

  recheck(slots: Uint32Array, matchers: readonly Matcher[]): Uint32Array {
    const { table } = this.#head;
    const matches = compileMatchers(matchers);
    return slots.filter((slot) => table.isAlive(slot) && matches(table.labelsOf(slot)));
  }

  labels(slot: number): Labels {
    if (this.#setsVersion !== this.version) {
      this.#sets.clear();
      this.#setsVersion = this.version;
    }
    let labels = this.#sets.get(slot);
    if (!labels) {
      if (this.#sets.size >= MAX_SETS) this.#sets.clear();
      labels = this.#head.table.labelsOf(slot);
      this.#sets.set(slot, labels);
    }
    return labels;
  }

  table(slots: Uint32Array, from: number, to: number, range: TimeRange): { address: number; count: number } {
    const { memory, second } = this.#head;
    this.#areas ??= {
      slots: memory.shard.region(TABLE_SERIES * 4),
      table: memory.shard.region(TABLE_SERIES * 16),
      chunks: memory.shard.region(TABLE_CHUNKS * 16),
      open: memory.shard.region(OPEN_BYTES),
    };
    const areas = this.#areas;
    const wanted = Math.min(to - from, TABLE_SERIES);
    memory.shard.u32.set(slots.subarray(from, from + wanted), areas.slots >>> 2);
    this.#count = memory.kernel.chunksOfMany(
      areas.slots,
      wanted,
      range.min,
      range.max,
      second,
      areas.table,
      areas.chunks,
      TABLE_CHUNKS,
      areas.open,
      OPEN_BYTES,
    );
    return { address: areas.table, count: this.#count };
  }

  chunks(slot: number, range: TimeRange): { series: SeriesChunks; release(): void } | undefined {
    return chunksOfSlot(this.#head, slot, range);
  }

  groups(by: boolean, labels: readonly string[]): SeriesGroups {
    const last = () => ({ slots: this.#areas!.slots, table: this.#areas!.table, count: this.#count });
    return new HeadGroups(this.#head, by, labels, last);
  }
}
