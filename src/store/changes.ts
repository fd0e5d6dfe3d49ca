// Since when what is older than which time has not changed: the question of every cache of results. A track of pairs (number of
// the change, earliest time that it touched), where a change makes all earlier ones superfluous that touched later times only.

import type { ChangeBoard, Changes, HeadBounds } from '#model/board.ts';

const NO_HEAD: HeadBounds = { min: Infinity, max: -Infinity };
/** When there are more, neighbours are joined, which can only claim too much. */
const MAX_ENTRIES = 1024;

export class ChangeTrack {
  /** Ascending in both fields. */
  #entries: { mark: number; min: number }[] = [];
  readonly #first: number;
  readonly #board: ChangeBoard | undefined;
  readonly #head: () => HeadBounds;
  #mark: number;
  #seriesMark: number;

  /** Marks below `first` belong to another track, which is gone: since then anything may have changed. */
  constructor(first: number, board?: ChangeBoard, head: () => HeadBounds = () => NO_HEAD) {
    this.#first = first;
    this.#mark = first;
    this.#seriesMark = first;
    this.#board = board;
    this.#head = head;
    board?.begin(first);
  }

  /** From this time on, samples came or went; perhaps whole series. */
  note(min: number, series = min === -Infinity): void {
    this.#mark++;
    if (series) this.#seriesMark = this.#mark;
    this.#board?.publish(this.#mark, min, series, this.#head());
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
    if (mark < this.#first || mark > this.#mark) return { mark: this.#mark, min: -Infinity, series: true };
    const entry = this.#entries.find((candidate) => candidate.mark > mark);
    return { mark: this.#mark, min: entry?.min ?? Infinity, series: this.#seriesMark > mark };
  }
}
