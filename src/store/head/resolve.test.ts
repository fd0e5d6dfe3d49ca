// A head that is given label sets as bytes must come to the same series, refs, refusals and log as one that is given strings.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { SimDisk } from '#base/disk/sim.ts';
import { silentLogger } from '#base/log.ts';
import { type Random, seeded } from '#base/random.ts';
import { newSeries, type SampleBatch } from '#model/batch.ts';
import type { Labels } from '#model/labels.ts';
import { packSeries } from '#model/packed.ts';
import { Registry } from '#model/registry.ts';
import { DEFAULT_STORE_OPTIONS } from '../options.ts';
import { openShardStore } from '../shard.ts';
import { contents, newMemory } from '../shard-twin.ts';
import { MAX_LABELS, MAX_SERIES_BYTES } from './kernel.ts';
import { type HeadLimits, NO_LIMITS } from './limits.ts';

const NOW = 1_700_000_000_000;

function open(limits: HeadLimits, disk = new SimDisk(seeded(1))) {
  return openShardStore({
    disk,
    clock: new SimClock(NOW),
    registry: new Registry(),
    logger: silentLogger,
    memory: newMemory(),
    folder: '/data',
    shard: 0,
    shards: 1,
    options: { ...DEFAULT_STORE_OPTIONS, limits },
  });
}

function someLabels(random: Random): Labels {
  const value = `v${random.below(300)}`;
  const labels = ['__name__', `m${random.below(5)}`, 'instance', `i${random.below(4)}`, 'x', value];
  switch (random.below(30)) {
    case 0:
      return [];
    case 1:
      return ['x', value, '__name__', 'm'];
    case 2:
      return ['__name__', 'm', 'x', ''];
    case 3:
      return ['__name__', 'm', '', value];
    case 4:
      return ['__name__', 'm', 'x', 'a', 'x', value];
    case 5:
      return ['__name__', 'ä', 'x', '日本'];
    default:
      return labels;
  }
}

const batchFor = (series: readonly Labels[], time: number): SampleBatch => ({
  refs: Float64Array.from(series, (_, i) => newSeries(i)),
  timestamps: new Float64Array(series.length).fill(time),
  values: new Float64Array(series.length).fill(1),
  series,
});

for (const [what, limits] of Object.entries({
  'without limits': NO_LIMITS,
  'with a limit of series': { ...NO_LIMITS, series: 200 },
  'with limits per metric and target': { ...NO_LIMITS, series: 900, seriesPerMetric: 60, seriesPerTarget: 70 },
  'above the watermark of memory': { ...NO_LIMITS, memoryBytes: 1 },
})) {
  test(`label sets as bytes and as strings come to the same, ${what}`, async (t) => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1e6);
    t.diagnostic(`SEED=${seed}`);
    const random = seeded(seed);
    const disk = new SimDisk(seeded(2));
    const [plain, packed] = [open(limits), open(limits, disk)];
    await Promise.all([plain.ready(), packed.ready()]);
    for (let round = 0; round < 12; round++) {
      const batch = batchFor(
        Array.from({ length: random.below(120) }, () => someLabels(random)),
        NOW + round,
      );
      const want = await plain.append(batch);
      const got = await packed.append({ ...batch, series: [], packed: packSeries(batch.series) });
      assert.deepEqual(got, want);
    }
    assert.deepEqual(packed.cardinality(10), plain.cardinality(10));
    const before = contents(packed);
    assert.deepEqual(before, contents(plain));
    disk.restart(false);
    const again = open(limits, disk);
    await again.ready();
    assert.deepEqual(contents(again), before, 'the log has every series');
  });
}

test('records too large for one call, and series too large to be, are handled one by one', async () => {
  const store = open(NO_LIMITS);
  await store.ready();
  const wide = (labels: number) =>
    Array.from({ length: labels }, (_, i) => [`l${String(i).padStart(5, '0')}`, 'v']).flat();
  const series: Labels[] = [
    ['__name__', 'fits', 'x', 'y'.repeat(MAX_SERIES_BYTES - 20)],
    ['__name__', 'too_long', 'x', 'y'.repeat(MAX_SERIES_BYTES * 8)],
    ['__name__', 'small'],
    wide(MAX_LABELS),
    wide(MAX_LABELS + 1),
    ...Array.from({ length: 20 }, (_, i) => ['__name__', `big${i}`, 'x', 'z'.repeat(MAX_SERIES_BYTES - 20)]),
  ];
  const { refs, rejections, created } = await store.append({
    ...batchFor(series, NOW),
    series: [],
    packed: packSeries(series),
  });
  assert.deepEqual(
    rejections.map(({ index, reason }) => [index, reason]),
    [
      [1, 'invalidLabels'],
      [4, 'invalidLabels'],
    ],
  );
  assert.equal(created, series.length - 2);
  assert.deepEqual(
    [...refs.keys()].filter((i) => Number.isNaN(refs[i]!)),
    [1, 4],
  );
});

test('many labels that all series share grow their lists together', async () => {
  const store = open(NO_LIMITS);
  await store.ready();
  const shared = Array.from({ length: 40 }, (_, i) => [`shared${String(i).padStart(2, '0')}`, 'same']).flat();
  const total = 30_000;
  for (let from = 0; from < total; from += 5000) {
    const series = Array.from({ length: 5000 }, (_, i) => ['__name__', 'm', 'own', `o${from + i}`, ...shared]);
    const { created } = await store.append({ ...batchFor(series, NOW), series: [], packed: packSeries(series) });
    assert.equal(created, 5000);
  }
  assert.equal(store.cardinality(1).numSeries, total);
});
