// What receivers remember of series they have sent on: labels to the store's ref. Two generations bound it: what was not
// used during a whole generation is forgotten, so series that ended cost nothing for long.

import { type Labels, labelsKey } from '#model/labels.ts';

/** A series and its ref in the store; NaN until the store has given one. */
export type KnownSeries = { readonly labels: Labels; ref: number };

export class KnownSeriesTable {
  readonly #limit: number;
  #young = new Map<string, KnownSeries>();
  #old = new Map<string, KnownSeries>();
  #youngHashes = new Map<number, KnownSeries>();
  #oldHashes = new Map<number, KnownSeries>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The entry of these labels, made if there is none. */
  of(labels: Labels): KnownSeries {
    const key = labelsKey(labels);
    let known = this.#young.get(key);
    if (known) return known;
    known = this.#old.get(key) ?? { labels, ref: Number.NaN };
    if (this.#young.size >= this.#limit) this.turn();
    this.#young.set(key, known);
    return known;
  }

  /** By a hash of the labels as they are sent: the caller has to compare them. */
  byHash(hash: number): KnownSeries | undefined {
    const young = this.#youngHashes.get(hash);
    if (young) return young;
    const old = this.#oldHashes.get(hash);
    if (old) this.remember(hash, old);
    return old;
  }

  remember(hash: number, series: KnownSeries): void {
    if (this.#youngHashes.size >= this.#limit) {
      this.#oldHashes = this.#youngHashes;
      this.#youngHashes = new Map();
    }
    this.#youngHashes.set(hash, series);
  }

  /** Begins a new generation; called now and then, and when one is full. */
  turn(): void {
    this.#old = this.#young;
    this.#young = new Map();
  }
}
