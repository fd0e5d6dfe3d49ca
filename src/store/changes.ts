// Since when what is older than which time has not changed: the question of every cache of results. A track of pairs (number of
// the change, earliest time that it touched), where a change makes all earlier ones superfluous that touched later times only.

/** A mark to ask again with, and the earliest time touched since the mark that was asked with; Infinity for nothing. */
export type Changes = { readonly mark: number; readonly min: number };

/** When there are more, neighbours are joined, which can only claim too much. */
const MAX_ENTRIES = 1024;

export class ChangeTrack {
  /** Ascending in both fields. */
  #entries: { mark: number; min: number }[] = [];
  readonly #first: number;
  #mark: number;

  /** Marks below `first` belong to another track, which is gone: since then anything may have changed. */
  constructor(first: number) {
    this.#first = first;
    this.#mark = first;
  }

  /** From this time on, samples came or went. */
  note(min: number): void {
    this.#mark++;
    const entries = this.#entries;
    while (entries.length > 0 && entries.at(-1)!.min >= min) entries.pop();
    entries.push({ mark: this.#mark, min });
    if (entries.length > MAX_ENTRIES) this.#halve();
  }

  #halve(): void {
    const joined: { mark: number; min: number }[] = [];
    for (let i = 0; i + 1 < this.#entries.length; i += 2) {
      joined.push({ mark: this.#entries[i + 1]!.mark, min: this.#entries[i]!.min });
    }
    if (this.#entries.length % 2 === 1) joined.push(this.#entries.at(-1)!);
    this.#entries = joined;
  }

  since(mark: number): Changes {
    if (mark < this.#first || mark > this.#mark) return { mark: this.#mark, min: -Infinity };
    const entry = this.#entries.find((candidate) => candidate.mark > mark);
    return { mark: this.#mark, min: entry?.min ?? Infinity };
  }
}
