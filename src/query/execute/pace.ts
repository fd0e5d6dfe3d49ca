// Keeps long loops from holding their thread: whoever loops says how much it has done, and gives way when its time is up. What
// has been canceled meanwhile ends there.

import type { Clock } from '#base/clock.ts';

/** Longest stretch of work without giving way. */
export const SLICE_MS = 8;
/** Points that are worked on between two looks at the clock. */
const POINTS_PER_LOOK = 10_000;

export class Pace {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #sliceMs: number;
  #left = POINTS_PER_LOOK;
  #began: number;

  constructor(clock: Clock, signal: AbortSignal | undefined, sliceMs: number) {
    this.#clock = clock;
    this.#signal = signal;
    this.#sliceMs = sliceMs;
    this.#began = clock.monotonic();
  }

  /** Notes work on so many points. Whether it is time to give way. */
  did(points: number): boolean {
    this.#left -= points + 1;
    if (this.#left > 0) return false;
    this.#left = POINTS_PER_LOOK;
    return this.isDue;
  }

  get isDue(): boolean {
    return this.#clock.monotonic() - this.#began >= this.#sliceMs;
  }

  async giveWay(): Promise<void> {
    this.#signal?.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
    this.#began = this.#clock.monotonic();
    this.#signal?.throwIfAborted();
  }
}

/** Sorted runs that are merged one by one. */
const RUN = 2000;

/** What sort() does, giving way. */
export async function sortPaced<T>(items: T[], compare: (a: T, b: T) => number, pace: Pace): Promise<T[]> {
  if (items.length <= RUN) return items.sort(compare);
  let sorted: T[][] = [];
  for (let from = 0; from < items.length; from += RUN) {
    sorted.push(items.slice(from, from + RUN).sort(compare));
    if (pace.isDue) await pace.giveWay();
  }
  while (sorted.length > 1) {
    const merged: T[][] = [];
    for (let i = 0; i < sorted.length; i += 2) {
      merged.push(sorted[i + 1] ? await mergedRuns(sorted[i]!, sorted[i + 1]!, compare, pace) : sorted[i]!);
    }
    sorted = merged;
  }
  return sorted[0]!;
}

async function mergedRuns<T>(
  a: readonly T[],
  b: readonly T[],
  compare: (a: T, b: T) => number,
  pace: Pace,
): Promise<T[]> {
  const all: T[] = [];
  for (let i = 0, k = 0; i < a.length || k < b.length; ) {
    const fromA = k === b.length || (i < a.length && compare(a[i]!, b[k]!) <= 0);
    all.push(fromA ? a[i++]! : b[k++]!);
    if (pace.did(20)) await pace.giveWay();
  }
  return all;
}
