// Timers that share wake-ups: times are rounded up to a grid that is fine against the delay and coarse against the clock, so that
// thousands of rhythms and deadlines cost one timer of the system at a time. Cancelling, the usual end of a deadline, is nearly free.

import type { Clock, Timer } from './clock.ts';

/** Steps of the grid; each divides the next, so that times of different delays meet. */
const STEPS_MS = [50, 10, 5, 1] as const;
/** A time is at most this part of its delay late. */
const PRECISION = 1 / 20;
/** The system's timers may come this much too early. */
const EARLY_MS = 1;

/** The step for a delay: what happens every `delayMs` is best planned at multiples of it. */
export function stepOf(delayMs: number): number {
  for (const step of STEPS_MS) if (step <= delayMs * PRECISION) return step;
  return 1;
}

class Entry implements Timer {
  readonly slot: Slot;
  callback: (() => void) | undefined;
  constructor(slot: Slot, callback: () => void) {
    this.slot = slot;
    this.callback = callback;
  }
  cancel(): void {
    if (!this.callback) return;
    this.callback = undefined;
    this.slot.live--;
  }
}

/** `next` is the first entry that has not run. */
type Slot = { readonly due: number; readonly entries: Entry[]; live: number; next: number };

export class Wheel implements Clock {
  readonly #clock: Clock;
  /** Of `now` against `monotonic` when the wheel was made: slots are numbered in milliseconds of the wall clock of then. */
  readonly #base: number;
  readonly #slots = new Map<number, Slot>();
  /** Due times of the slots, latest first. */
  readonly #dues: number[] = [];
  #timer: Timer | undefined;
  #armedFor = Infinity;
  #running = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#base = clock.now() - Math.round(clock.monotonic());
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  /** The wall clock as it would be had nobody set it since the wheel was made. */
  steady(): number {
    return this.#clock.monotonic() + this.#base;
  }

  /** By the wall clock: when those that run now, or ran last, were called. */
  runTime = 0;

  /** Slots that have not run, for tests. */
  get pending(): number {
    return this.#dues.length;
  }

  after(delayMs: number, callback: () => void, background = false): Timer {
    if (background) return this.#clock.after(delayMs, callback, true);
    const step = stepOf(delayMs);
    return this.at(Math.ceil((this.steady() + Math.max(0, delayMs)) / step) * step, callback);
  }

  /** Calls back at a time of `steady`, a whole number of milliseconds. */
  at(due: number, callback: () => void): Timer {
    let slot = this.#slots.get(due);
    if (!slot) {
      slot = { due, entries: [], live: 0, next: 0 };
      this.#slots.set(due, slot);
      this.#insert(due);
    }
    const entry = new Entry(slot, callback);
    slot.entries.push(entry);
    slot.live++;
    if (due < this.#armedFor && !this.#running) this.#arm();
    return entry;
  }

  #insert(due: number): void {
    const dues = this.#dues;
    let [low, high] = [0, dues.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (dues[middle]! > due) low = middle + 1;
      else high = middle;
    }
    dues.splice(low, 0, due);
  }

  #arm(): void {
    // Slots in which everything was cancelled need no wake-up.
    for (;;) {
      const due = this.#dues.at(-1);
      if (due === undefined || this.#slots.get(due)!.live > 0) break;
      this.#dues.pop();
      this.#slots.delete(due);
    }
    const due = this.#dues.at(-1) ?? Infinity;
    if (due === this.#armedFor && this.#timer) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#armedFor = due;
    if (due !== Infinity) this.#timer = this.#clock.after(due - this.steady(), () => this.#run());
  }

  #run(): void {
    this.#timer = undefined;
    this.#armedFor = Infinity;
    this.#running = true;
    this.runTime = this.#clock.now();
    try {
      const until = this.steady() + EARLY_MS;
      for (;;) {
        const due = this.#dues.at(-1);
        if (due === undefined || due > until) break;
        const slot = this.#slots.get(due)!;
        // Should a callback throw, the slot is still there and goes on behind it.
        while (slot.next < slot.entries.length) {
          const entry = slot.entries[slot.next++]!;
          const { callback } = entry;
          entry.cancel();
          callback?.();
        }
        this.#dues.splice(this.#dues.lastIndexOf(due), 1);
        this.#slots.delete(due);
      }
    } finally {
      this.#running = false;
      this.#arm();
    }
  }
}
