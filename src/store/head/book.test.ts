// Numbers, groups and names of the head's series against what their labels say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { SimDisk } from '#base/disk/sim.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { keepLabels, type Labels, labelsKey, labelsOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { DEFAULT_STORE_OPTIONS } from '../options.ts';
import { openShardStore } from '../shard.ts';
import { ALL_TIME, batchOf, newMemory } from '../shard-twin.ts';

const NOW = 1_700_000_000_000;
const STRIDE_WORDS = 4;
const GROUP_WORD = 3;

async function bookOf(series: readonly Labels[]) {
  const store = openShardStore({
    ...{ disk: new SimDisk(seeded(1)), clock: new SimClock(NOW), registry: new Registry(), logger: silentLogger },
    ...{ memory: newMemory(), folder: '/data', shard: 0, shards: 1, options: DEFAULT_STORE_OPTIONS },
  });
  await store.ready();
  await store.append(batchOf(series.map((labels) => ({ labels, time: NOW, value: 1 }))));
  return { book: store.book(ALL_TIME)!, memory: store.memory };
}

const many = Array.from({ length: 3000 }, (_, i) =>
  labelsOf({ __name__: `m${i % 3}`, a: `a${i % 7}`, id: String(i), ...(i % 5 ? { b: `b${i % 2}` } : {}) }),
);

for (const { by, labels } of [
  { by: true, labels: ['a'] },
  { by: true, labels: ['b', 'nothing'] },
  { by: true, labels: ['id'] },
  { by: true, labels: ['a', 'b', '__name__'] },
  { by: false, labels: ['id', '__name__'] },
  { by: false, labels: [] },
]) {
  test(`series are of one group when they agree ${by ? 'in' : 'but for'} ${labels.join(', ') || 'nothing'}`, async () => {
    const { book, memory } = await bookOf(many);
    const numbers = book.match([]);
    const groups = book.groups(by, labels);
    const found = new Map<string, number>();
    let seen = 0;
    for (let at = 0; at < numbers.length; ) {
      const { address, count } = book.table(numbers, at, numbers.length, ALL_TIME, true);
      assert.ok(count > 0);
      groups.assign();
      const words = new Uint32Array(memory.buffer);
      for (let i = 0; i < count; i++) {
        const kept = keepLabels(book.name(numbers[at + i]!).labels, (name) => labels.includes(name) === by);
        const group = words[address / 4 + i * STRIDE_WORDS + GROUP_WORD]!;
        const known = found.get(labelsKey(kept));
        assert.equal(group, known ?? seen);
        if (known === undefined) {
          found.set(labelsKey(kept), seen++);
          assert.deepEqual(book.name(groups.memberOf(group)).labels, book.name(numbers[at + i]!).labels);
        }
      }
      at += count;
    }
    assert.equal(groups.count, seen);
    groups.close();
  });
}

test('names are the same objects each time, with and without what says what the metric is', async () => {
  const { book } = await bookOf(many);
  const number = book.match([{ type: '=', name: 'id', value: '10' }])[0]!;
  const name = book.name(number);
  assert.deepEqual(name.labels, many[10]);
  assert.deepEqual(name.bare, many[10]!.slice(2));
  assert.equal(book.name(number), name);
});
