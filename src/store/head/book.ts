// The head's series by number, which is their slot: tables of chunks for the query kernel, groups, and label sets that are made
// once for as long as slots keep their meaning. What a table says holds until the next one is made.

import { dropMetadata, type Labels } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import type { SeriesBook, SeriesChunks, SeriesGroups, SeriesName, TimeRange } from '#model/query.ts';
import { HeadGroups } from './groups.ts';
import type { Head } from './head.ts';
import { matchSlots } from './postings.ts';
import { chunksOfSlot } from './select.ts';

/** Series of one table. */
export const TABLE_SERIES = 512;
const TABLE_CHUNKS = 8192;
const OPEN_BYTES = 512 * 1024;
/** Series whose label sets are kept. */
const MAX_NAMES = 20_000;

type Areas = { readonly slots: number; readonly table: number; readonly chunks: number; readonly open: number };

export class HeadBook implements SeriesBook {
  readonly #head: Head;
  #areas: Areas | undefined;
  #count = 0;
  #names = new Map<number, SeriesName>();
  #namesVersion = 0;

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

  name(slot: number): SeriesName {
    if (this.#namesVersion !== this.version) {
      this.#names.clear();
      this.#namesVersion = this.version;
    }
    let name = this.#names.get(slot);
    if (!name) {
      if (this.#names.size >= MAX_NAMES) this.#names.clear();
      const labels = this.#head.table.labelsOf(slot);
      name = { labels, bare: dropMetadata(labels) };
      this.#names.set(slot, name);
    }
    return name;
  }

  table(
    slots: Uint32Array,
    from: number,
    to: number,
    range: TimeRange,
    unnoticed: boolean,
  ): { address: number; count: number } {
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
      unnoticed ? 0 : second,
      areas.table,
      areas.chunks,
      TABLE_CHUNKS,
      areas.open,
      OPEN_BYTES,
    );
    return { address: areas.table, count: this.#count };
  }

  /** Label sets of those series that have samples in the range. */
  inRange(slots: Uint32Array, range: TimeRange): Labels[] {
    const found: Labels[] = [];
    for (let from = 0; from < slots.length; ) {
      const { address, count } = this.table(slots, from, slots.length, range, true);
      const { u32 } = this.#head.memory.shard;
      for (let i = 0; i < count; i++) {
        const [chunks, plain] = [u32[(address >>> 2) + i * 4 + 1]!, u32[(address >>> 2) + i * 4 + 2]!];
        if (plain ? this.#hasChunks(slots[from + i]!, range) : chunks > 0)
          found.push(this.name(slots[from + i]!).labels);
      }
      if (count === 0 && this.#hasChunks(slots[from]!, range)) found.push(this.name(slots[from]!).labels);
      from += Math.max(1, count);
    }
    return found;
  }

  #hasChunks(slot: number, range: TimeRange): boolean {
    const found = this.chunks(slot, range);
    found?.release();
    return found !== undefined;
  }

  chunks(slot: number, range: TimeRange): { series: SeriesChunks; release(): void } | undefined {
    return chunksOfSlot(this.#head, slot, range);
  }

  groups(by: boolean, labels: readonly string[]): SeriesGroups {
    const last = () => ({ slots: this.#areas!.slots, table: this.#areas!.table, count: this.#count });
    return new HeadGroups(this.#head, by, labels, last);
  }
}
