// Running partial aggregates in the kernel's memory: per group and step a sum or extreme, what rounding took from it, and how
// many samples went in. The kernel folds rows into them; they grow as groups are met and are given back when the query ends.

import type { Lent, QueryKernel } from './kernel.ts';

/** Beyond this, rows are folded outside of the kernel, whose memory never shrinks. */
const MAX_BYTES = 32 * 1024 * 1024;
const FIRST_POINTS = 1024;
const COLUMNS = 3;

export class KernelFold {
  readonly #kernel: QueryKernel;
  readonly #steps: number;
  /** What a point begins with. */
  readonly #first: number;
  #lent: Lent | undefined;
  #groups = 0;

  constructor(kernel: QueryKernel, op: string, steps: number) {
    this.#kernel = kernel;
    this.#steps = steps;
    this.#first = op === 'min' || op === 'max' ? Number.NaN : -0;
  }

  /** Makes room for this many groups; false if they are too many. */
  reserve(groups: number): boolean {
    if (groups <= this.#groups) return true;
    const wanted = Math.max(Math.floor(FIRST_POINTS / this.#steps), 2 ** Math.ceil(Math.log2(groups)));
    const points = wanted * this.#steps;
    if (points * COLUMNS * 8 > MAX_BYTES) return false;
    const lent = this.#kernel.lend(points * COLUMNS * 8);
    const old = this.#lent;
    const before = this.#groups * this.#steps;
    const { f64 } = this.#kernel;
    for (let column = 0; column < COLUMNS; column++) {
      const to = lent.address / 8 + column * points;
      if (old) f64.copyWithin(to, old.address / 8 + column * before, old.address / 8 + (column + 1) * before);
      f64.fill(column === 0 ? this.#first : 0, to + before, to + points);
    }
    if (old) this.#kernel.giveBack(old);
    this.#lent = lent;
    this.#groups = wanted;
    return true;
  }

  /** For how many groups there is room. */
  get groups(): number {
    return this.#groups;
  }

  /** Where a column begins: 0 sums, 1 rests, 2 counts. */
  address(column: number): number {
    return this.#lent ? this.#lent.address + column * this.#groups * this.#steps * 8 : 0;
  }

  /** A column's points of the first groups. */
  copy(column: number, groups: number): Float64Array {
    const from = this.address(column) / 8;
    return this.#kernel.f64.slice(from, from + groups * this.#steps);
  }

  close(): void {
    if (this.#lent) this.#kernel.giveBack(this.#lent);
    this.#lent = undefined;
    this.#groups = 0;
  }
}
