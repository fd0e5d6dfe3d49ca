import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { hashLabels, labelsOf, shardOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { DEFAULT_STORE_OPTIONS, type StoreOptions } from './options.ts';
import { openShardStore, type ShardStore } from './shard.ts';
import { batchOf, contents, newMemory, type Row } from './shard-twin.ts';

const NOW = 1_700_000_000_000;

function temporaryFolder(t: { after(f: () => void): void }): string {
  const folder = mkdtempSync(`${tmpdir()}/pharos-shard-`);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function open(
  folder: string,
  options: Partial<StoreOptions> = {},
  { shard = 0, shards = 1, clock = new SimClock(NOW) } = {},
): ShardStore {
  return openShardStore({
    disk: nodeDisk,
    clock,
    registry: new Registry(),
    logger: silentLogger,
    memory: newMemory(),
    folder,
    shard,
    shards,
    options: { ...DEFAULT_STORE_OPTIONS, maxAheadMs: 0, ...options },
  });
}

/** What the store should hold after the rows. */
function expected(rows: readonly Row[]): Map<string, string[]> {
  const byTime = new Map<string, Map<number, string>>();
  for (const { labels, time, value } of rows) {
    const name = labels[1]!;
    const rest = [];
    for (let i = 2; i < labels.length; i += 2) rest.push(`${labels[i]}="${labels[i + 1]}"`);
    const key = rest.length > 0 ? `${name}{${rest.join(', ')}}` : name;
    let samples = byTime.get(key);
    if (!samples) byTime.set(key, (samples = new Map()));
    if (!samples.has(time)) samples.set(time, String(value));
  }
  return new Map(
    [...byTime]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, samples]) => [key, [...samples].sort(([a], [b]) => a - b).map(([t, v]) => `${t} ${v}`)]),
  );
}

function walk(series: number, steps: number, seed = 3): Row[][] {
  const random = seeded(seed);
  const sets = Array.from({ length: series }, (_, i) =>
    labelsOf({ __name__: `m${i % 7}`, instance: `host-${i % 11}`, n: String(i) }),
  );
  const values = sets.map(() => random.below(1000));
  return Array.from({ length: steps }, (_, step) =>
    sets.map((labels, i) => ({
      labels,
      time: NOW + step * 15_000,
      value: (values[i]! += i % 3 === 0 ? random.next() : random.below(20)),
    })),
  );
}

test('what is written is synced within the interval; a store that nobody writes to does not wake up for that', async (t) => {
  const clock = new SimClock(NOW);
  let syncs = 0;
  const counting = new Proxy(nodeDisk, {
    get(disk, name) {
      const value = Reflect.get(disk, name);
      if (name !== 'open') return typeof value === 'function' ? value.bind(disk) : value;
      return (...args: Parameters<typeof disk.open>) => {
        const file = disk.open(...args);
        const syncLater = file.syncLater.bind(file);
        file.syncLater = () => {
          syncs++;
          return syncLater();
        };
        return file;
      };
    },
  });
  const store = openShardStore({
    ...{ disk: counting, clock, registry: new Registry(), logger: silentLogger, memory: newMemory() },
    ...{
      folder: temporaryFolder(t),
      shard: 0,
      shards: 1,
      options: { ...DEFAULT_STORE_OPTIONS, maxAheadMs: 0, fsyncIntervalMs: 100 },
    },
  });
  await store.ready();
  const idle = clock.pending;
  const [first, second, third] = walk(5, 3);
  await store.append(batchOf(first!));
  await store.append(batchOf(second!));
  assert.equal(clock.pending, idle + 1, 'one sync for both');
  await clock.advance(99);
  assert.equal(syncs, 0);
  await clock.advance(1);
  assert.equal(syncs, 1, 'series first');
  const pass = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(100);
  };
  while (syncs < 2) await pass();
  // Perhaps while the sync is still under way: then another one follows.
  await store.append(batchOf(third!));
  while (syncs < 3) await pass();
  while (clock.pending > idle) await pass();
  await store.close();
});

test('what was appended is read back, before and after a restart without a goodbye', async (t) => {
  const folder = temporaryFolder(t);
  const batches = walk(50, 300);
  const clock = new SimClock(NOW);
  const first = open(
    folder,
    { sampleSegmentBytes: 20_000, keepSegmentBytes: 50_000, maxSampleBytes: 60_000 },
    { clock },
  );
  await first.ready();
  for (const [i, rows] of batches.entries()) {
    const result = await first.append(batchOf(rows));
    assert.deepEqual(result.rejections, []);
    if (i % 40 === 0) await clock.advance(2500);
  }
  const want = expected(batches.flat());
  assert.deepEqual(contents(first), want);

  // The process dies: nothing is closed.
  const second = open(folder);
  await second.ready();
  assert.deepEqual(contents(second), want);

  // And appending goes on where it was.
  const more = walk(50, 400).slice(300);
  for (const rows of more) assert.deepEqual((await second.append(batchOf(rows))).rejections, []);
  const all = expected([...batches.flat(), ...more.flat()]);
  assert.deepEqual(contents(second), all);
  const third = open(folder);
  await third.ready();
  assert.deepEqual(contents(third), all);
  await third.close();
  const fourth = open(folder);
  await fourth.ready();
  assert.deepEqual(contents(fourth), all);
});

test('while the log is read batches are acknowledged, logged and held; afterwards they get their verdicts', async (t) => {
  const folder = temporaryFolder(t);
  const first = open(folder);
  await first.ready();
  const [a, b] = [labelsOf({ __name__: 'a' }), labelsOf({ __name__: 'b' })];
  await first.append(batchOf([{ labels: a, time: NOW, value: 1 }]));

  const second = open(folder, { maxAheadMs: 600_000 });
  const answer = await second.append(
    batchOf([
      { labels: a, time: NOW - 1, value: 7 },
      { labels: a, time: NOW + 15_000, value: 2 },
      { labels: b, time: NOW + 600_001, value: 3 },
      { labels: b, time: NOW + 0.5, value: 3 },
      { labels: [], time: NOW, value: 3 },
    ]),
  );
  assert.equal(second.isLoaded, false, 'nobody waited');
  assert.deepEqual(
    answer.rejections.map(({ index, reason }) => [index, reason]).sort(),
    [
      [2, 'tooFarInFuture'],
      [3, 'outOfBounds'],
      [4, 'invalidLabels'],
    ],
    'what no head would take is refused at once',
  );
  const again = await second.append({
    refs: answer.refs.slice(0, 1),
    timestamps: Float64Array.of(NOW + 30_000),
    values: Float64Array.of(3),
    series: [],
  });
  assert.deepEqual(again.rejections, []);
  const exemplar = { labels: labelsOf({ trace_id: 'abc' }), value: 3, timestamp: NOW + 30_000 };
  const metadata = { type: 'gauge', help: 'What a is.', unit: '' } as const;
  await second.append({
    refs: new Float64Array(0),
    timestamps: new Float64Array(0),
    values: new Float64Array(0),
    series: [],
    exemplars: [{ ref: answer.refs[0]!, exemplar }],
    metadata: [{ family: 'a', metadata }],
  });
  assert.equal(second.isLoaded, false);
  // Killed before the log is read: the next run has what was acknowledged.
  const third = open(folder);
  const want = new Map([['a', [`${NOW} 1`, `${NOW + 15_000} 2`, `${NOW + 30_000} 3`]]]);
  for (const store of [second, third]) {
    await store.ready();
    assert.deepEqual(contents(store), want);
    const range = { min: NOW, max: NOW + 60_000 };
    assert.deepEqual(store.exemplars([[]], range), [{ labels: a, exemplars: [exemplar] }]);
    assert.deepEqual([...store.metadata()], [['a', metadata]]);
  }
  const known = await second.append({
    refs: Float64Array.of(answer.refs[0]!, answer.refs[1]!),
    timestamps: Float64Array.of(NOW + 45_000, NOW + 45_000),
    values: Float64Array.of(4, 5),
    series: [],
  });
  assert.deepEqual(known.rejections, [], 'refs given meanwhile stay good');
});

test('refs of an earlier run are unknown', async (t) => {
  const rows = batchOf([{ labels: labelsOf({ __name__: 'a' }), time: NOW, value: 1 }]);
  const open1 = open(temporaryFolder(t));
  const { refs } = await open1.append(rows);
  const open2 = open(temporaryFolder(t), {}, { clock: new SimClock(NOW + 1) });
  await open2.append(rows);
  await open2.ready();
  const { rejections } = await open2.append({ ...rows, refs, series: [] });
  assert.deepEqual(
    rejections.map(({ reason }) => reason),
    ['unknownRef'],
  );
});

test('a restart with another number of shards keeps all data, and its log goes over', async (t) => {
  const folder = temporaryFolder(t);
  const batches = walk(60, 200);
  const run = async (shards: number, rows: readonly Row[][]) => {
    const stores = Array.from({ length: shards }, (_, shard) => open(folder, {}, { shard, shards }));
    await Promise.all(stores.map((store) => store.ready()));
    for (const batch of rows) {
      for (const [shard, store] of stores.entries()) {
        const own = batch.filter(({ labels }) => shardOf(hashLabels(labels), shards) === shard);
        if (own.length > 0) assert.deepEqual((await store.append(batchOf(own))).rejections, []);
      }
    }
    const found = new Map(stores.flatMap((store) => [...contents(store)]).sort(([a], [b]) => (a < b ? -1 : 1)));
    return { stores, found };
  };
  const layouts: [number, boolean][] = [
    [1, false],
    [3, false],
    [2, true],
    [2, false],
    [1, true],
  ];
  const sent: Row[] = [];
  for (const [i, [shards, goodbye]] of layouts.entries()) {
    const rows = batches.slice(i * 40, i * 40 + 40);
    sent.push(...rows.flat());
    const { stores, found } = await run(shards, rows);
    assert.deepEqual(found, expected(sent), `${shards} shards`);
    if (goodbye) for (const store of stores) await store.close();
    const folders = nodeDisk.list(`${folder}/log`).map(({ name }) => name);
    assert.deepEqual(
      folders,
      Array.from({ length: shards }, (_, shard) => `${shard}-of-${shards}`),
    );
  }
});

test('caches are told since when nothing has changed', async (t) => {
  const store = open(temporaryFolder(t), { outOfOrderWindowMs: 3_600_000 });
  const labels = labelsOf({ __name__: 'm' });
  await store.ready();
  const put = (time: number) => store.append(batchOf([{ labels, time, value: 1 }]));
  await put(NOW);
  const { mark } = store.changes.since(-1);
  assert.equal(store.changes.since(mark).min, Infinity);
  await put(NOW + 15_000);
  await put(NOW + 30_000);
  assert.equal(store.changes.since(mark).min, NOW + 15_000);
  const { rejections } = await put(NOW - 7_200_000);
  assert.equal(rejections.length, 1);
  assert.equal(store.changes.since(mark).min, NOW + 15_000, 'refused samples change nothing');
  await put(NOW - 60_000);
  assert.equal(store.changes.since(mark).min, NOW - 60_000);
  await store.delete([{ type: '=', name: '__name__', value: 'm' }], { min: NOW - 90_000, max: NOW });
  assert.equal(store.changes.since(mark).min, NOW - 90_000);
  const { mark: before } = store.changes.since(mark);
  store.reloadBlocks();
  assert.deepEqual(
    store.changes.since(before),
    { mark: before, min: Infinity, series: false },
    'no block came or went',
  );
  store.reloadBlocks(true);
  assert.equal(store.changes.since(mark).min, -Infinity);
  await store.close();
});
