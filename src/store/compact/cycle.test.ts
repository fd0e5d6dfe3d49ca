import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { type Random, seeded } from '#base/random.ts';
import { hashLabels, type Labels, labelsOf, shardOf } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import { Registry } from '#model/registry.ts';
import { blockNames } from '../block/set.ts';
import { DEFAULT_STORE_OPTIONS } from '../options.ts';
import { openShardStore, type ShardStore } from '../shard.ts';
import { batchOf, contents, newMemory, type Row } from '../shard-twin.ts';
import { SNAPSHOTS_FOLDER } from '../snapshot.ts';
import { BlockCycle, type Called } from './cycle.ts';
import { type ShardSide, shardSide } from './shard-side.ts';
import { type BlockWork, blockWork } from './work.ts';

const HOUR = 3_600_000;
const START = 1_699_999_200_000 - (1_699_999_200_000 % (2 * HOUR));
const seed = Number(process.env['SEED'] ?? 31);
console.log(`seed ${seed}`);

/** As calls to another thread look: each returns a promise. */
function called<A extends Record<string, (argument: never, signal: never) => unknown>>(api: A): Called<A> {
  const entries = Object.entries(api).map(([name, call]) => [
    name,
    async (argument: never, options?: { signal?: AbortSignal }) => call(argument, options?.signal as never),
  ]);
  return Object.fromEntries(entries) as Called<A>;
}

function open(folder: string, shards: number, clock: SimClock, random: Random) {
  const parts = { disk: nodeDisk, folder, random, clock, logger: silentLogger };
  const work = blockWork(parts);
  work.prepare(undefined);
  const options = { ...DEFAULT_STORE_OPTIONS, maxAheadMs: 0, outOfOrderWindowMs: 6 * HOUR, fsyncIntervalMs: HOUR };
  const stores = Array.from({ length: shards }, (_, shard) =>
    openShardStore({ ...parts, registry: new Registry(), memory: newMemory(), shard, shards, options }),
  );
  const retention = { timeMs: 0, sizeBytes: 0, percentage: 0, selectors: [] };
  const sides = stores.map((store) => called<ShardSide>(shardSide(store, nodeDisk)));
  const blocks = called<BlockWork>(work);
  const cycle = new BlockCycle(
    {
      shards: () => sides,
      work: () => blocks,
      blockNames: () => blockNames(nodeDisk, folder),
      folder,
      clock,
      logger: silentLogger,
      registry: new Registry(),
    },
    { retention },
  );
  return { stores, cycle, work };
}

async function append(stores: readonly ShardStore[], rows: readonly Row[]): Promise<void> {
  for (const [shard, store] of stores.entries()) {
    const own = rows.filter(({ labels }) => shardOf(hashLabels(labels), stores.length) === shard);
    if (own.length > 0) assert.deepEqual((await store.append(batchOf(own))).rejections, []);
  }
}

const everything = (stores: readonly ShardStore[]): [string, string[]][] =>
  stores.flatMap((store) => [...contents(store)]).sort(([a], [b]) => (a < b ? -1 : 1));

function text(rows: readonly Row[], keep = (_: Row): boolean => true): [string, string[]][] {
  const found = new Map<string, Map<number, string>>();
  for (const row of rows) {
    if (!keep(row)) continue;
    const key = `${row.labels[1]}{${row.labels[2]}="${row.labels[3]}"}`;
    const own = found.get(key) ?? new Map<number, string>();
    found.set(key, own);
    own.set(row.time, `${row.time} ${row.value}`);
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, own]) => [key, [...own].sort(([a], [b]) => a - b).map(([, line]) => line)]);
}

for (const shards of [1, 2]) {
  test(`heads of ${shards} shards become blocks, and nothing is lost or doubled`, { timeout: 120_000 }, async (t) => {
    const folder = mkdtempSync(`${tmpdir()}/pharos-cycle-`);
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const random = seeded(seed);
    const clock = new SimClock(START);
    let { stores, cycle, work } = open(folder, shards, clock, random);
    await Promise.all(stores.map((store) => store.ready()));
    const series: Labels[] = Array.from({ length: 23 }, (_, i) =>
      labelsOf({ __name__: `m${i % 3}`, i: String(i).padStart(2, '0') }),
    );
    const rows: Row[] = [];
    let begunAt = 0;
    let quiet = 0;
    for (let step = 0; step < 12 * 60; step++) {
      const now: Row[] = series
        // Some series rest for hours.
        .filter((_, i) => i < 18 || Math.floor(step / 200) % 2 === i % 2)
        .map((labels) => ({ labels, time: START + step * 60_000, value: random.below(1e9) }));
      if (step % 37 === 20) {
        const time = START + step * 60_000 - random.below(4 * HOUR) - 7;
        const labels = series[random.below(18)]!;
        if (time > START && !rows.some((row) => row.time === time)) now.push({ labels, time, value: -step });
      }
      rows.push(...now);
      await append(
        stores,
        now.slice().sort((a, b) => a.time - b.time),
      );
      if (step % 90 === 89) {
        if (step > 500) await clock.advance(61 * 60_000);
        const marks = stores.map(({ changes }) => changes.since(-1).mark);
        await cycle.run();
        const since = stores.map(({ changes }, i) => changes.since(marks[i]!));
        if (since.every(({ min }) => min === Infinity)) quiet++;
        else
          assert.ok(
            work.blocks().some(({ compaction }) => (compaction.sources?.length ?? 0) > 1),
            `step ${step}`,
          );
        assert.deepEqual(everything(stores), text(rows), `after step ${step}`);
      }
      if (step === 400) {
        await cycle.stop();
        for (const store of stores) await store.close();
        ({ stores, cycle, work } = open(folder, shards, clock, random));
        begunAt = step;
        await Promise.all(stores.map((store) => store.ready()));
        assert.deepEqual(everything(stores), text(rows), 'after a restart');
      }
    }
    assert.ok(begunAt > 0);
    // Results of queries stay as they are when samples only go from heads to blocks.
    assert.ok(quiet >= 4, `${quiet} runs after which caches could stay`);
    assert.ok(work.blocks().length >= 3, `${work.blocks().length} blocks`);
    assert.ok(work.blocks().some(({ compaction }) => compaction.level > 1));

    await cycle.snapshot('copy', false);
    const snapshot = open(`${folder}/${SNAPSHOTS_FOLDER}/copy`, 1, new SimClock(START), random);
    await snapshot.stores[0]!.ready();
    assert.deepEqual(everything(snapshot.stores), text(rows), 'the snapshot');
    await snapshot.stores[0]!.close();

    const m1: Matcher = { type: '=', name: '__name__', value: 'm1' };
    const gone = { min: START + 2 * HOUR, max: START + 11.5 * HOUR };
    await cycle.delete([[m1]], gone);
    const kept = text(rows, ({ labels, time }) => labels[1] !== 'm1' || time < gone.min || time > gone.max);
    assert.deepEqual(everything(stores), kept, 'deleted');
    assert.ok(work.blocks().some(({ stats }) => (stats.numTombstones ?? 0) > 0));
    await cycle.cleanTombstones();
    assert.ok(!work.blocks().some(({ stats }) => (stats.numTombstones ?? 0) > 0));
    assert.deepEqual(everything(stores), kept, 'cleaned');

    cycle.configure({ retention: { timeMs: HOUR, sizeBytes: 0, percentage: 0, selectors: [] } });
    const before = blockNames(nodeDisk, folder).length;
    await cycle.run();
    const left = work.blocks().map(({ minTime, maxTime }) => [(minTime - START) / HOUR, (maxTime - START) / HOUR]);
    assert.ok(left.length < before, `old blocks are dropped: ${JSON.stringify(left)}`);
    await cycle.stop();
    for (const store of stores) await store.close();
  });
}

test('a head that is due may wait before it is cut, and only once for several blocks', async (t) => {
  const folder = mkdtempSync(`${tmpdir()}/pharos-cycle-`);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const clock = new SimClock(START);
  const { stores, cycle, work } = open(folder, 1, clock, seeded(seed));
  await Promise.all(stores.map((store) => store.ready()));
  let asked = 0;
  const retention = { timeMs: 0, sizeBytes: 0, percentage: 0, selectors: [] };
  const headDelayMs = () => {
    asked++;
    return 5 * 60_000;
  };
  cycle.configure({ retention, headDelayMs });
  const labels = labelsOf({ __name__: 'm', i: '1' });
  await append(
    stores,
    Array.from({ length: 8 }, (_, hour) => ({ labels, time: START + hour * HOUR, value: hour })),
  );
  await cycle.run();
  assert.equal(work.blocks().length, 0, 'it waits');
  await clock.advance(5 * 60_000 - 1);
  await cycle.run();
  assert.equal(work.blocks().length, 0, 'it still waits');
  await clock.advance(1);
  await cycle.run();
  assert.ok(work.blocks().length > 0, 'it was cut');
  assert.equal(asked, 1);
  await Promise.all(stores.map((store) => store.close()));
});
