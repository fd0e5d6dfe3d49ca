import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { SimDisk } from '#base/disk/sim.ts';
import type { Logger } from '#base/log.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { labelsOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { runCrashes } from './crash-sim.ts';
import { DEFAULT_STORE_OPTIONS, type StoreOptions } from './options.ts';
import { openShardStore, type ShardStore } from './shard.ts';
import { batchOf, contents, newMemory } from './shard-twin.ts';
import { pause } from './slices.ts';

// More with "npm run sim".
const SEEDS = Number(process.env['PHAROS_SIM_SEEDS'] ?? 500);

test('nothing acknowledged is lost at any crash', async () => {
  let samples = 0;
  for (let seed = 1; seed <= SEEDS; seed++) samples += (await runCrashes(seed, 4)).samples;
  assert.ok(samples > SEEDS * 10, `${samples} samples were checked`);
});

const NOW = 1_700_000_000_000;
const NAMES = Array.from({ length: 20 }, (_, i) => labelsOf({ __name__: 'm', n: String(i) }));
const rowsAt = (time: number) => batchOf(NAMES.map((labels, i) => ({ labels, time, value: time / 1000 + i * 1.25 })));

function open(disk: SimDisk, clock: SimClock, options: Partial<StoreOptions> = {}, logger: Logger = silentLogger) {
  return openShardStore({
    disk: disk.view(),
    clock,
    registry: new Registry(),
    logger,
    memory: newMemory(),
    folder: '/data',
    shard: 0,
    shards: 1,
    options: { ...DEFAULT_STORE_OPTIONS, maxAheadMs: 0, ...options },
  });
}

const count = (store: ShardStore) => [...contents(store).values()].reduce((total, lines) => total + lines.length, 0);

test('a full disk makes the store read-only; it recovers by itself and has lost nothing acknowledged', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seeded(seed);
    const disk = new SimDisk(random);
    const clock = new SimClock(NOW);
    const store = open(disk, clock, { sampleSegmentBytes: 3000 });
    await store.ready();
    let acked = 0;
    let step = 0;
    const send = async () => {
      const result = await store.append(rowsAt(NOW + ++step * 1000));
      if (result.rejections.length === 0) acked += NAMES.length;
      else assert.ok(result.rejections.every(({ reason, kind }) => reason === 'readOnly' && kind === 'sample'));
      return result.rejections;
    };
    for (let i = 0; i < 20; i++) assert.equal((await send()).length, 0);
    disk.faults.capacityBytes = disk.usedBytes + random.below(2500);
    for (let i = 0; i < 30; i++) await send();
    assert.ok(store.isReadOnly, `seed ${seed}`);
    await clock.advance(6000);
    for (let i = 0; i < 5; i++) await pause();
    assert.ok(store.isReadOnly, 'there is still no space');
    const [refusal] = await send();
    assert.match(refusal!.detail, /ENOSPC/);

    disk.faults = {};
    await clock.advance(6000);
    for (let i = 0; i < 20 && store.isReadOnly; i++) await pause();
    assert.ok(!store.isReadOnly, `seed ${seed}`);
    for (let i = 0; i < 10; i++) assert.deepEqual(await send(), []);

    disk.restart(false);
    const next = open(disk, new SimClock(NOW));
    await next.ready();
    // What was refused may have arrived as well: it was in memory when the checkpoint was written.
    assert.ok(count(next) >= acked, `seed ${seed}: ${count(next)} of ${acked}`);
    assert.ok(count(next) <= step * NAMES.length);
  }
});

test('a flipped bit is reported, and costs what its record held', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seeded(seed);
    const disk = new SimDisk(random);
    const clock = new SimClock(NOW);
    const store = open(disk, clock, { sampleSegmentBytes: 3000 });
    await store.ready();
    for (let i = 0; i < 50; i++) await store.append(rowsAt(NOW + i * 1000));
    const all = count(store);
    disk.restart(false);
    const folder = '/data/log/0-of-1/00000001';
    const files = disk.list(folder).filter(({ name }) => name.startsWith('samples'));
    const path = `${folder}/${files[random.below(files.length)]!.name}`;
    const file = disk.open(path, 'readwrite');
    const at = random.below(disk.size(path));
    const byte = disk.readFile(path)[at]!;
    file.write(Uint8Array.of(byte ^ (1 << random.below(8))), at);
    const warnings: string[] = [];
    const next = open(disk, clock, {}, { ...silentLogger, warn: (message) => void warnings.push(message) });
    await next.ready();
    assert.equal(warnings.length, 1, `seed ${seed}: ${warnings}`);
    assert.match(warnings[0]!, /log is damaged, passing over|log ends in a torn record/);
    assert.ok(count(next) >= all - NAMES.length, `seed ${seed}: ${count(next)} of ${all}`);
    const appended = await next.append(rowsAt(NOW + 60_000));
    assert.deepEqual(appended.rejections, []);
  }
});

test('a segment that cannot be read is reported; the rest is there', async () => {
  const disk = new SimDisk(seeded(5));
  const clock = new SimClock(NOW);
  const store = open(disk, clock, { sampleSegmentBytes: 1000 });
  await store.ready();
  for (let i = 0; i < 50; i++) await store.append(rowsAt(NOW + i * 1000));
  const all = count(store);
  disk.restart(false);
  disk.faults.unreadable = 'samples-000002';
  const errors: string[] = [];
  const next = open(disk, clock, {}, { ...silentLogger, error: (message) => void errors.push(message) });
  await next.ready();
  assert.deepEqual(errors, ['cannot read a segment of the log; its data is lost']);
  assert.ok(count(next) < all && count(next) > all / 2);
});

test('whatever is done to the files of the log, it opens, and shows nothing that was not appended', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seeded(seed);
    const disk = new SimDisk(random);
    const clock = new SimClock(NOW);
    const store = open(disk, clock, { sampleSegmentBytes: 2000, keepSegmentBytes: 2000, maxSampleBytes: 6000 });
    await store.ready();
    for (let i = 0; i < 150; i++) {
      await store.append(rowsAt(NOW + i * 15_000));
      if (i % 50 === 0) await clock.advance(2500);
    }
    const before = contents(store);
    disk.restart(false);
    const folder = '/data/log/0-of-1/00000001';
    for (let damage = 0; damage < 1 + random.below(5); damage++) {
      const names = disk.list(folder);
      const path = `${folder}/${names[random.below(names.length)]!.name}`;
      const size = disk.size(path);
      const at = random.below(size);
      const file = disk.open(path, 'readwrite');
      const kind = random.below(4);
      if (kind === 0) file.truncate(at);
      else if (kind === 1) file.write(random.bytes(1 + random.below(300)), at);
      else if (kind === 2) file.write(new Uint8Array(1 + random.below(300)), at);
      else file.write(disk.readFile(path).slice(0, 1 + random.below(size)), at);
    }
    const next = open(disk, new SimClock(NOW));
    await next.ready();
    for (const [key, lines] of contents(next)) {
      const known = new Set(before.get(key));
      const unknown = lines.filter((line) => !known.has(line));
      assert.deepEqual(unknown, [], `seed ${seed}: ${key}`);
    }
    assert.deepEqual((await next.append(rowsAt(NOW + 200 * 15_000))).rejections, []);
  }
});
