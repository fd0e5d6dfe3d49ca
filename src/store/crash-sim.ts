// One seeded life of a shard's store on the simulated disk: appends, syncs, truncations, and a crash at some call, several times
// over. After each crash everything that was acknowledged must be there, and nothing that was never sent.

import assert from 'node:assert/strict';
import { SimClock } from '#base/clock-sim.ts';
import { SimDisk } from '#base/disk/sim.ts';
import { silentLogger } from '#base/log.ts';
import { type Random, seeded } from '#base/random.ts';
import { formatLabels, type Labels, labelsOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { DEFAULT_STORE_OPTIONS, type StoreOptions } from './options.ts';
import { openShardStore, type ShardStore } from './shard.ts';
import { batchOf, contents, newMemory, type Row } from './shard-twin.ts';
import { pause } from './slices.ts';

const START = 1_700_000_000_000;
const STEP_MS = 15_000;

type Sent = { readonly value: string; acked: boolean; durable: boolean };

export type CrashRun = { readonly seed: number; readonly crashes: number; readonly samples: number };

class Life {
  readonly #random: Random;
  readonly #disk: SimDisk;
  readonly #sets: readonly Labels[];
  readonly #values: number[];
  readonly #options: StoreOptions;
  /** Everything ever sent: series -> time -> sample. */
  readonly #sent = new Map<string, Map<number, Sent>>();
  #now = START;
  #truncatedBefore = 0;
  #store!: ShardStore;
  #clock!: SimClock;
  #shards = 1;

  constructor(seed: number) {
    this.#random = seeded(seed);
    this.#disk = new SimDisk(this.#random);
    this.#sets = Array.from({ length: 2 + this.#random.below(6) }, (_, i) =>
      labelsOf({ __name__: `metric_${i % 4}`, instance: `host-${i}`, zone: 'a'.repeat(1 + (i % 9)) }),
    );
    this.#values = this.#sets.map(() => 0);
    this.#options = {
      ...DEFAULT_STORE_OPTIONS,
      maxAheadMs: 0,
      outOfOrderWindowMs: this.#random.below(3) === 0 ? 600_000 : 0,
      keepSegmentBytes: 500 + this.#random.below(4000),
      sampleSegmentBytes: 200 + this.#random.below(1000),
      maxSampleBytes: 1000 + this.#random.below(4000),
      fsyncIntervalMs: this.#random.below(4) === 0 ? 0 : 100,
    };
  }

  get samples(): number {
    return [...this.#sent.values()].reduce((total, series) => total + series.size, 0);
  }

  async open(): Promise<void> {
    this.#begin();
    await this.#store.ready();
  }

  /** Opens without waiting for the log to be read. */
  #begin(): void {
    this.#clock = new SimClock(this.#now);
    this.#store = openShardStore({
      disk: this.#disk.view(),
      clock: this.#clock,
      registry: new Registry(),
      logger: silentLogger,
      memory: newMemory(),
      folder: '/data',
      shard: 0,
      shards: this.#shards,
      options: this.#options,
    });
    this.#store.ready().catch(() => undefined);
  }

  /** Works until the machine goes down. */
  async liveUntilCrash(): Promise<void> {
    if (this.#random.below(2) === 0) {
      // A kill in between, after which samples come in before the log is read.
      this.#disk.restart(false);
      this.#begin();
      for (let i = this.#random.below(4); i > 0; i--) await this.#append();
    }
    const calls = this.#random.below(4) === 0 ? 2 + this.#random.below(10) : 5 + this.#random.below(60);
    this.#disk.crashAt(this.#disk.calls + calls);
    for (let turn = 0; turn < 400 && !this.#disk.crashed; turn++) {
      const what = this.#random.below(40);
      if (what < 32) await this.#append();
      else if (what < 37) await this.#passTime(120);
      else if (what < 39) await this.#passTime(2100);
      else await this.#truncate();
    }
    // What no call has noticed yet.
    this.#disk.crashAt(this.#disk.calls);
  }

  async #append(): Promise<void> {
    this.#now += STEP_MS;
    const late = this.#options.outOfOrderWindowMs > 0 && this.#random.below(4) === 0;
    const rows: Row[] = [];
    for (const [i, labels] of this.#sets.entries()) {
      if (this.#random.below(5) === 0) continue;
      const value = (this.#values[i]! += this.#random.below(3) === 0 ? this.#random.next() : this.#random.below(50));
      const time = late ? this.#now - STEP_MS * (1 + this.#random.below(30)) - 7 : this.#now;
      if (!this.#sent.get(formatLabels(labels))?.has(time)) rows.push({ labels, time, value });
    }
    if (rows.length === 0) return;
    const sent = rows.map(({ labels, time, value }) => {
      const key = formatLabels(labels);
      let series = this.#sent.get(key);
      if (!series) this.#sent.set(key, (series = new Map()));
      const sample: Sent = { value: `${time} ${value}`, acked: false, durable: false };
      series.set(time, sample);
      return sample;
    });
    const result = await this.#store.append(batchOf(rows));
    const refused = new Set(result.rejections.map(({ index }) => index));
    if (!this.#disk.crashed || refused.size === 0) {
      for (const [i, sample] of sent.entries()) {
        if (refused.has(i)) continue;
        sample.acked = true;
        if (this.#options.fsyncIntervalMs === 0) sample.durable = true;
      }
    }
  }

  async #passTime(ms: number): Promise<void> {
    await this.#clock.advance(ms);
    await pause();
    if (this.#disk.crashed || this.#store.isReadOnly || this.#options.fsyncIntervalMs === 0) return;
    for (const series of this.#sent.values()) {
      for (const sample of series.values()) if (sample.acked) sample.durable = true;
    }
  }

  async #truncate(): Promise<void> {
    const min = this.#now - STEP_MS * this.#random.below(60);
    this.#truncatedBefore = Math.max(this.#truncatedBefore, min);
    await this.#store.truncate(min);
  }

  async crashAndCheck(seed: number): Promise<void> {
    const powerCut = this.#random.below(2) === 0;
    this.#disk.restart(powerCut);
    if (this.#random.below(5) === 0) this.#shards = 1;
    await this.open();
    const found = contents(this.#store);
    const where = `seed ${seed}, ${powerCut ? 'power cut' : 'kill'}`;
    for (const [key, series] of this.#sent) {
      const lines = new Set(found.get(key) ?? []);
      const present = new Set(lines);
      for (const [time, sample] of series) {
        const expected = powerCut ? sample.durable : sample.acked;
        if (expected && time >= this.#truncatedBefore && !lines.has(sample.value)) {
          assert.fail(`${where}: lost ${key} ${sample.value}`);
        }
        lines.delete(sample.value);
        // What was in flight may have arrived; from now on it is known which.
        if (!present.has(sample.value)) series.delete(time);
        else Object.assign(sample, { acked: true, durable: !powerCut ? sample.durable : true });
      }
      assert.deepEqual([...lines], [], `${where}: ${key} has samples that nobody sent`);
    }
    for (const key of found.keys()) assert.ok(this.#sent.has(key), `${where}: unknown series ${key}`);
  }
}

/** Throws with the seed in the message when something is lost or made up. */
export async function runCrashes(seed: number, crashes: number): Promise<CrashRun> {
  const life = new Life(seed);
  await life.open();
  for (let i = 0; i < crashes; i++) {
    await life.liveUntilCrash();
    await life.crashAndCheck(seed);
  }
  return { seed, crashes, samples: life.samples };
}
