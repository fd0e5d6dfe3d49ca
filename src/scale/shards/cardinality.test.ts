import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { SimDisk } from '#base/disk/sim.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { hashLabels, type Labels, labelsKey, shardOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { DEFAULT_STORE_OPTIONS } from '#store/options.ts';
import { openShardStore } from '#store/shard.ts';
import { batchOf, newMemory } from '#store/shard-twin.ts';
import { type CountedShard, exactCardinality } from './cardinality.ts';

const NOW = 1_700_000_000_000;

async function storesWith(series: readonly Labels[], shards: number) {
  return Promise.all(
    Array.from({ length: shards }, async (_, shard) => {
      const store = openShardStore({
        disk: new SimDisk(seeded(1)),
        clock: new SimClock(NOW),
        registry: new Registry(),
        logger: silentLogger,
        memory: newMemory(),
        folder: '/data',
        shard,
        shards,
        options: DEFAULT_STORE_OPTIONS,
      });
      await store.ready();
      const own = series.filter((labels) => shardOf(hashLabels(labels), shards) === shard);
      await store.append(batchOf(own.map((labels) => ({ labels, time: NOW, value: 1 }))));
      return store;
    }),
  );
}

test('several shards count as one would', async (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1e6);
  t.diagnostic(`SEED=${seed}`);
  const random = seeded(seed);
  // Many metrics of nearly the same size, and values that many series share.
  const series = new Map<string, Labels>();
  for (let i = 0; i < 3000; i++) {
    const labels = ['__name__', `m${random.below(120)}`, 'pod', `p${random.below(400)}`, 'zone', `z${random.below(3)}`];
    series.set(labelsKey(labels), labels);
  }
  const all = [...series.values()];
  const [one] = await storesWith(all, 1);
  const want = one!.cardinality(7);
  for (const shards of [2, 3, 5]) {
    let longest = 0;
    const stores = await storesWith(all, shards);
    const counted = stores.map(
      (store): CountedShard => ({
        cardinality: async (limit) => {
          longest = Math.max(longest, limit);
          return store.cardinality(limit);
        },
        labelValueHashes: async () => store.labelValueHashes(),
      }),
    );
    const got = await exactCardinality(counted, 7);
    assert.deepEqual({ ...got, memoryBytes: 0 }, { ...want, memoryBytes: 0 }, `${shards} shards`);
    assert.ok(longest > 14, 'more had to be asked for');
  }
});
