// Series come, go and are asked for while a truncation takes those away that have nothing left.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { SimDisk } from '#base/disk/sim.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { formatLabels, labelsOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { labelNamesOf, labelValuesOf } from './head/label-index.ts';
import { matchSlots } from './head/postings.ts';
import { DEFAULT_STORE_OPTIONS } from './options.ts';
import { openShardStore } from './shard.ts';
import { batchOf, contents, newMemory, type Row } from './shard-twin.ts';

const NOW = 1_700_000_000_000;
const HOUR = 3_600_000;

const open = (disk = new SimDisk(seeded(1))) =>
  openShardStore({
    disk,
    clock: new SimClock(NOW),
    registry: new Registry(),
    logger: silentLogger,
    memory: newMemory(),
    folder: '/data',
    shard: 0,
    shards: 1,
    options: DEFAULT_STORE_OPTIONS,
  });

test('series are removed in slices, between which others come, come back and are found', async () => {
  const seed = Number(process.env['PHAROS_SEED'] ?? 3141);
  const random = seeded(seed);
  const disk = new SimDisk(seeded(1));
  const store = open(disk);
  await store.ready();
  const model = new Map<string, Row>();
  const rowOf = (i: number, time: number): Row => ({
    labels: labelsOf({ __name__: `m${i % 7}`, i: String(i), [`n${i % 300}`]: 'x', all: 'y' }),
    time,
    value: random.below(1000),
  });
  const append = async (rows: readonly Row[]) => {
    const { rejections } = await store.append(batchOf(rows));
    assert.deepEqual(rejections, [], `seed ${seed}`);
  };
  const COUNT = 30_000;
  const old = Array.from({ length: COUNT }, (_, i) => rowOf(i, NOW - 2 * HOUR));
  const young = old.filter((_, i) => i % 10 === 0).map((_, k) => rowOf(k * 10, NOW));
  await append(old);
  await append(young);
  for (const row of young) model.set(row.labels.join(), row);
  const { head } = store;
  const before = head.table.counts();

  let isDone = false;
  const truncated = store.truncate(NOW - HOUR).then(() => {
    isDone = true;
  });
  let turns = 0;
  for (let next = COUNT; !isDone; turns++) {
    // New series, and some that are dying or dead come back.
    const rows = Array.from({ length: 20 }, () => rowOf(next++, NOW + turns));
    const back = new Set(Array.from({ length: 20 }, () => random.below(COUNT)));
    for (const i of back) if (i % 10 !== 0) rows.push(rowOf(i, NOW + turns));
    await append(rows);
    for (const row of rows) model.set(row.labels.join(), row);
    for (const i of back) {
      const matchers = [{ type: '=', name: 'i', value: String(i) }] as const;
      const found = [...matchSlots(head.table, matchers)].map((slot) => head.table.labelsOf(slot).join());
      if (i % 10 !== 0) assert.ok(found.includes(rowOf(i, 0).labels.join()), `seed ${seed}: ${i} is there`);
      for (const labels of found) assert.match(labels, new RegExp(`(^|,)i,${i}(,|$)`), `seed ${seed}`);
    }
    const some = matchSlots(head.table, [{ type: '=~', name: '__name__', value: 'm[13]' }]);
    for (const slot of some) assert.match(head.table.labelsOf(slot).join(), /__name__,m[13]/, `seed ${seed}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await truncated;
  assert.ok(turns > 5, `${turns} turns`);

  const check = (found: Map<string, string[]>) => {
    const expected = [...model.values()].map(({ labels, time, value }) => [formatLabels(labels), `${time} ${value}`]);
    const last = [...found].map(([series, lines]) => [series, lines.at(-1)!]);
    assert.deepEqual(new Map(last as [string, string][]), new Map(expected as [string, string][]), `seed ${seed}`);
  };
  check(contents(store));
  assert.equal(head.table.counts().series, model.size);
  assert.deepEqual(
    new Set(labelValuesOf(head.table, 'i', [])),
    new Set([...model.values()].map(({ labels }) => labels[labels.indexOf('i') + 1]!)),
  );
  assert.equal(labelNamesOf(head.table, []).length, 303);

  // What the dead have left is used by those that follow.
  const arena = head.memory.arenaBytes;
  const again = Array.from({ length: before.series - model.size }, (_, i) => rowOf(COUNT * 2 + i, NOW + 1_000));
  await append(again);
  assert.equal(head.memory.arenaBytes, arena);
  assert.ok(head.table.counts().slots <= before.slots + turns * 40);
  for (const row of again) model.set(row.labels.join(), row);
  check(contents(store));
  await store.close();

  const restarted = open(disk);
  await restarted.ready();
  check(contents(restarted));
  await restarted.close();
});
