// Measures hot paths. A bench file calls `bench` for each of its cases: at full size with `npm run bench`, and with a handful of
// rounds inside the tests, so that no bench rots. Figures are medians of rounds, per unit of work.

import { systemClock } from './clock.ts';

export type BenchCase = {
  readonly name: string;
  /** What is counted: 'sample', 'series', 'request'. */
  readonly unit: string;
  /** Prepares the work; returns a function that does it once and says how many units it did. */
  readonly setup: (isFull: boolean) => () => number | Promise<number>;
};

export type BenchResult = {
  readonly name: string;
  readonly unit: string;
  readonly nsPerUnit: number;
  readonly rounds: number;
};

const FULL_ROUNDS = 30;
const FULL_MS = 3000;
const TINY_ROUNDS = 2;

export async function bench(
  cases: readonly BenchCase[],
  isFull = process.env['PHAROS_BENCH'] === 'full',
): Promise<readonly BenchResult[]> {
  const results: BenchResult[] = [];
  for (const { name, unit, setup } of cases) {
    const work = setup(isFull);
    const times: number[] = [];
    const until = systemClock.monotonic() + FULL_MS;
    for (
      let round = 0;
      round < (isFull ? FULL_ROUNDS : TINY_ROUNDS) && (round < 3 || systemClock.monotonic() < until);
      round++
    ) {
      const started = systemClock.monotonic();
      const units = await work();
      if (!(units > 0)) throw new Error(`BUG: bench ${name} did no work`);
      times.push(((systemClock.monotonic() - started) * 1e6) / units);
    }
    times.sort((a, b) => a - b);
    const result = { name, unit, nsPerUnit: times[times.length >> 1]!, rounds: times.length };
    results.push(result);
    if (isFull) console.log(`  ${name.padEnd(60)} ${result.nsPerUnit.toFixed(1).padStart(10)} ns per ${unit}`);
  }
  return results;
}
