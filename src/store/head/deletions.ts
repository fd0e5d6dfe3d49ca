// Deleted ranges of series that are still in the head. Few series have any, so this is the one place with an entry per series.

import type { TimeRange } from '#model/query.ts';

const NONE: readonly TimeRange[] = [];

export class Deletions {
  readonly #ranges = new Map<number, TimeRange[]>();

  get isEmpty(): boolean {
    return this.#ranges.size === 0;
  }

  of(slot: number): readonly TimeRange[] {
    return this.#ranges.size === 0 ? NONE : (this.#ranges.get(slot) ?? NONE);
  }

  /** Adds a range; ranges that touch become one. */
  add(slot: number, range: TimeRange): void {
    let { min, max } = range;
    const kept: TimeRange[] = [];
    for (const other of this.#ranges.get(slot) ?? []) {
      if (other.max + 1 < min || other.min > max + 1) kept.push(other);
      else {
        min = Math.min(min, other.min);
        max = Math.max(max, other.max);
      }
    }
    kept.push({ min, max });
    kept.sort((a, b) => a.min - b.min);
    this.#ranges.set(slot, kept);
  }

  entries(): Iterable<[number, readonly TimeRange[]]> {
    return this.#ranges;
  }

  /** Forgets what lies before `min`, and series that are gone. */
  truncate(min: number, isAlive: (slot: number) => boolean): void {
    for (const [slot, ranges] of this.#ranges) {
      const kept = ranges.filter((range) => range.max >= min);
      if (kept.length === 0 || !isAlive(slot)) this.#ranges.delete(slot);
      else this.#ranges.set(slot, kept);
    }
  }
}
