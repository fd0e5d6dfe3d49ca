// The query kernel's bindings and its working memory: columns for one series and rows for some, grown as needed and used only
// between two turns of the event loop, so that all queries of a shard share them; and what is lent to one query until it ends.

import { type KernelMemory, loadKernel } from '#base/kernel.ts';

/** Functions that the kernel works out; everything else takes the plain path. Numbers as in kernel/lib/windows.ts. */
export const KERNEL_FUNCTIONS: Readonly<Record<string, number>> = {
  instant: 0,
  timestamp: 1,
  rate: 2,
  increase: 3,
  delta: 4,
  irate: 5,
  idelta: 6,
  sum_over_time: 7,
  avg_over_time: 8,
  min_over_time: 9,
  max_over_time: 10,
  count_over_time: 11,
  last_over_time: 12,
  first_over_time: 13,
  present_over_time: 14,
  absent_over_time: 14,
  changes: 15,
  resets: 16,
};

/** Aggregations that the kernel folds rows by; numbers as in kernel/query.ts. */
export const KERNEL_FOLDS: Readonly<Record<string, number>> = { sum: 1, avg: 2, min: 3, max: 4, count: 5, group: 5 };

/** Why the kernel stopped before the last series of a table. */
export const STOP = { none: 0, plain: 1, full: 2, long: 3, corrupt: 4 } as const;

/** Words (of 4 or 8 bytes) of a job: see kernel/query.ts. */
export const JOB = {
  u32: {
    ...{ func: 0, steps: 1, fold: 8, times: 9, values: 10, work: 11, samples: 12, rows: 13, kinds: 14, rowSeries: 15 },
    ...{ room: 16, sums: 17, rests: 18, counts: 19, seen: 20, kept: 21, stop: 22, points: 23, series: 28 },
  },
  f64: { start: 1, step: 2, window: 3, read: 12, bytes: 13 },
} as const;
const JOB_BYTES = 128;

type Exports = {
  xorDecode(chunk: number, bytes: number, times: number, values: number, starts: number, state: number): number;
  evaluate(job: number, table: number, from: number, to: number): number;
};

export type Lent = { readonly address: number; readonly bytes: number };

const FIRST_SAMPLES = 16_384;
/** Points of the rows that one call keeps, and how many rows at most. */
const ROW_POINTS = 65_536;
const MAX_ROWS = 512;
/** Series of a table. */
const MAX_TABLE = 512;
const SMALLEST_LENT = 4096;

export class QueryKernel {
  readonly exports: Exports;
  readonly #memory: KernelMemory;
  readonly #free = new Map<number, Lent[]>();
  readonly job: number;
  /** A byte for each series of a table. */
  readonly seen: number;
  readonly rowSeries: number;
  /** A table of one series, and room for the list of its chunks. */
  readonly table: number;
  chunks = 0;
  #chunkCapacity = 0;
  #pointCapacity = 0;
  sampleCapacity = 0;
  times = 0;
  values = 0;
  starts = 0;
  rows = 0;
  kinds = 0;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
    this.exports = loadKernel<Exports>('query', memory);
    this.job = memory.region(JOB_BYTES);
    this.seen = memory.region(MAX_TABLE);
    this.rowSeries = memory.region(MAX_ROWS * 4);
    this.table = memory.region(16);
  }

  get u8(): Uint8Array {
    return this.#memory.u8;
  }
  get u32(): Uint32Array {
    return this.#memory.u32;
  }
  get f64(): Float64Array {
    return this.#memory.f64;
  }

  /** Makes room for this many samples of a series. What the columns held is lost. */
  reserveSamples(samples: number): void {
    if (samples <= this.sampleCapacity) return;
    this.sampleCapacity = Math.max(FIRST_SAMPLES, 2 ** Math.ceil(Math.log2(samples)));
    this.times = this.#memory.region(this.sampleCapacity * 8);
    this.values = this.#memory.region(this.sampleCapacity * 8);
    this.starts = this.#memory.region(this.sampleCapacity * 8);
  }

  /** Makes room for rows of this many steps; the result is for how many. */
  reserveRows(steps: number): number {
    const points = Math.max(ROW_POINTS, 2 ** Math.ceil(Math.log2(Math.max(1, steps))));
    if (points > this.#pointCapacity) {
      this.#pointCapacity = points;
      this.rows = this.#memory.region(points * 8);
      this.kinds = this.#memory.region(points);
    }
    return Math.max(1, Math.min(MAX_ROWS, Math.floor(ROW_POINTS / Math.max(1, steps))));
  }

  reserveChunks(count: number): void {
    if (count <= this.#chunkCapacity) return;
    this.#chunkCapacity = Math.max(64, 2 ** Math.ceil(Math.log2(count)));
    this.chunks = this.#memory.region(this.#chunkCapacity * 16);
  }

  /** Memory for one query, to be given back when it ends; filled with anything. */
  lend(atLeastBytes: number): Lent {
    const bytes = Math.max(SMALLEST_LENT, 2 ** Math.ceil(Math.log2(atLeastBytes)));
    return this.#free.get(bytes)?.pop() ?? { address: this.#memory.region(bytes), bytes };
  }

  giveBack(lent: Lent): void {
    const free = this.#free.get(lent.bytes);
    if (free) free.push(lent);
    else this.#free.set(lent.bytes, [lent]);
  }
}
