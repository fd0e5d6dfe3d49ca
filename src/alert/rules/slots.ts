// A bound on how many things run side by side, for those who can do without.

export class Slots {
  #free: number;
  constructor(limit: number) {
    this.#free = limit;
  }
  /** Gives the function that frees the slot, or undefined when none is free. */
  tryTake(): (() => void) | undefined {
    if (this.#free === 0) return undefined;
    this.#free--;
    return () => {
      this.#free++;
    };
  }
}
