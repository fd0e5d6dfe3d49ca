// Labels on the line from a shard to the main thread: each text crosses once and is a number from then on, so that answers with
// thousands of series are a list of numbers. Both ends count alike, since what is sent in order arrives in order.

import type { Labels } from '#model/labels.ts';

export type PackedLabels = {
  /** Of the table of texts that the numbers are of; a new one begins empty. */
  readonly table: number;
  /** For each label set the number of its texts, and then theirs. */
  readonly numbers: Uint32Array;
  /** Texts that get the next numbers. */
  readonly fresh: readonly string[];
};

/** Texts that both ends remember. */
const MAX_TEXTS = 50_000;

export class LabelPacker {
  #table = 1;
  #numbers = new Map<string, number>();

  pack(sets: readonly Labels[]): PackedLabels {
    if (this.#numbers.size > MAX_TEXTS) {
      this.#table++;
      this.#numbers = new Map();
    }
    let length = sets.length;
    for (const set of sets) length += set.length;
    const numbers = new Uint32Array(length);
    const fresh: string[] = [];
    const known = this.#numbers;
    let at = 0;
    for (const set of sets) {
      numbers[at++] = set.length;
      for (let i = 0; i < set.length; i++) {
        const text = set[i]!;
        let number = known.get(text);
        if (number === undefined) {
          number = known.size;
          known.set(text, number);
          fresh.push(text);
        }
        numbers[at++] = number;
      }
    }
    return { table: this.#table, numbers, fresh };
  }
}

export class LabelUnpacker {
  #table = 0;
  #texts: string[] = [];

  unpack({ table, numbers, fresh }: PackedLabels): Labels[] {
    if (table !== this.#table) {
      this.#table = table;
      this.#texts = [];
    }
    const texts = this.#texts;
    for (const text of fresh) texts.push(text);
    const sets: Labels[] = [];
    for (let at = 0; at < numbers.length; ) {
      const length = numbers[at++]!;
      const set: string[] = new Array(length);
      for (let i = 0; i < length; i++) set[i] = texts[numbers[at++]!]!;
      sets.push(set);
    }
    return sets;
  }
}
