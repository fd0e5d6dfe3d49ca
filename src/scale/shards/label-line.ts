// Labels on the line from a shard to the main thread. Each text crosses once and is a number from then on, and so does each label set
// that is asked for as the same object again: answers with thousands of series are a list of numbers, and whoever unpacks them gets
// the same objects each time. Both ends count alike, since what is sent in order arrives in order.

import type { Labels } from '#model/labels.ts';

export type PackedLabels = {
  /** Of the tables of sets and texts that the numbers are of; new ones begin empty. */
  readonly table: number;
  /** For each label set its number: the next one, if it is described here; ONCE if it is described and then forgotten. */
  readonly sets: Uint32Array;
  /** Of each set that is described the number of its texts, and then theirs. */
  readonly numbers: Uint32Array;
  /** Texts that get the next numbers. */
  readonly fresh: readonly string[];
};

const ONCE = 0xffffffff;
/** What both ends remember. */
const MAX_TEXTS = 50_000;
const MAX_SETS = 20_000;

export class LabelPacker {
  #table = 1;
  #numbers = new Map<string, number>();
  #sets = new Map<Labels, number>();

  /** The first `once` sets will not come as the same objects again. */
  pack(sets: readonly Labels[], once = 0): PackedLabels {
    if (this.#numbers.size > MAX_TEXTS || this.#sets.size > MAX_SETS) {
      this.#table++;
      this.#numbers = new Map();
      this.#sets = new Map();
    }
    const places = new Uint32Array(sets.length);
    const described: number[] = [];
    const fresh: string[] = [];
    for (let i = 0; i < sets.length; i++) {
      const set = sets[i]!;
      const known = i < once ? ONCE : this.#sets.get(set);
      places[i] = known ?? this.#sets.size;
      if (known !== undefined && known !== ONCE) continue;
      if (known === undefined) this.#sets.set(set, this.#sets.size);
      this.#describe(set, described, fresh);
    }
    return { table: this.#table, sets: places, numbers: Uint32Array.from(described), fresh };
  }

  #describe(set: Labels, described: number[], fresh: string[]): void {
    const known = this.#numbers;
    described.push(set.length);
    for (let i = 0; i < set.length; i++) {
      const text = set[i]!;
      let number = known.get(text);
      if (number === undefined) {
        number = known.size;
        known.set(text, number);
        fresh.push(text);
      }
      described.push(number);
    }
  }
}

export class LabelUnpacker {
  #table = 0;
  #texts: string[] = [];
  #sets: Labels[] = [];

  unpack({ table, sets, numbers, fresh }: PackedLabels): Labels[] {
    if (table !== this.#table) {
      this.#table = table;
      this.#texts = [];
      this.#sets = [];
    }
    const texts = this.#texts;
    for (const text of fresh) texts.push(text);
    const all: Labels[] = new Array(sets.length);
    let at = 0;
    const described = (): Labels => {
      const length = numbers[at++]!;
      const set: string[] = new Array(length);
      for (let i = 0; i < length; i++) set[i] = texts[numbers[at++]!]!;
      return set;
    };
    for (let i = 0; i < sets.length; i++) {
      const place = sets[i]!;
      if (place === ONCE) all[i] = described();
      else if (place < this.#sets.length) all[i] = this.#sets[place]!;
      else {
        all[i] = described();
        this.#sets.push(all[i]!);
      }
    }
    return all;
  }
}
