// The query kernel's bindings and its working memory: columns for one series, grown as series need and used only between
// two turns of the event loop, so that all queries of a shard share them.

import { type KernelMemory, loadKernel } from '#base/kernel.ts';

/** Functions that the kernel works out; everything else takes the plain path. Numbers as in kernel/query.ts. */
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

type Exports = {
  xorDecode(chunk: number, bytes: number, times: number, values: number, starts: number, state: number): number;
  decode(chunk: number, bytes: number, times: number, values: number): number;
  dropStale(times: number, values: number, count: number): number;
  instant(
    func: number,
    times: number,
    values: number,
    count: number,
    start: number,
    step: number,
    steps: number,
    window: number,
    out: number,
    kinds: number,
  ): number;
  countFalls(values: number, count: number, falls: number): void;
  windows(
    func: number,
    times: number,
    values: number,
    count: number,
    falls: number,
    start: number,
    step: number,
    steps: number,
    window: number,
    out: number,
    kinds: number,
  ): number;
};

/** In the result of `decode`: the number of samples, and whether a stale marker is among them. */
export const COUNT_BITS = (1 << 30) - 1;
export const HAS_STALE = 1 << 30;

const FIRST_SAMPLES = 16_384;
const FIRST_STEPS = 4096;

export class QueryKernel {
  readonly exports: Exports;
  readonly #memory: KernelMemory;
  #sampleCapacity = 0;
  #stepCapacity = 0;
  times = 0;
  values = 0;
  starts = 0;
  falls = 0;
  out = 0;
  kinds = 0;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
    this.exports = loadKernel<Exports>('query', memory);
  }

  get u8(): Uint8Array {
    return this.#memory.u8;
  }
  get f64(): Float64Array {
    return this.#memory.f64;
  }

  /** Makes room for this many samples of a series and steps of a grid. What the columns held is lost. */
  reserve(samples: number, steps: number): void {
    if (samples > this.#sampleCapacity) {
      this.#sampleCapacity = Math.max(FIRST_SAMPLES, 2 ** Math.ceil(Math.log2(samples)));
      this.times = this.#memory.region(this.#sampleCapacity * 8);
      this.values = this.#memory.region(this.#sampleCapacity * 8);
      this.starts = this.#memory.region(this.#sampleCapacity * 8);
      this.falls = this.#memory.region(this.#sampleCapacity * 4);
    }
    if (steps > this.#stepCapacity) {
      this.#stepCapacity = Math.max(FIRST_STEPS, 2 ** Math.ceil(Math.log2(steps)));
      this.out = this.#memory.region(this.#stepCapacity * 8);
      this.kinds = this.#memory.region(this.#stepCapacity);
    }
  }
}
