// What appending, loading and selecting cost. Inside `npm test` it runs tiny, so that it never rots.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { labelsOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { DEFAULT_STORE_OPTIONS } from '../options.ts';
import { openShardStore } from '../shard.ts';
import { newMemory } from '../shard-twin.ts';

const isFull = process.env['PHAROS_BENCH'] === 'full';
const SERIES = isFull ? 100_000 : 500;
const STEPS = isFull ? 240 : 5;
const BATCH = isFull ? 2500 : 250;
const START = 1_700_000_000_000;

const folder = mkdtempSync(`${tmpdir()}/pharos-head-bench-`);
const open = () =>
  openShardStore({
    disk: nodeDisk,
    clock: systemClock,
    registry: new Registry(),
    logger: silentLogger,
    memory: newMemory(),
    folder,
    shard: 0,
    shards: 1,
    options: { ...DEFAULT_STORE_OPTIONS, maxAheadMs: 0 },
  });
const line = (what: string, value: number, unit: string) =>
  console.log(`${what.padEnd(36)} ${value.toFixed(1)} ${unit}`);
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

try {
  const random = seeded(1);
  const store = open();
  await store.ready();
  const rssBefore = process.memoryUsage().rss;
  const refs: Float64Array[] = [];
  const columns: Float64Array[] = [];
  let begun = cpuMs();
  for (let b = 0; b < SERIES / BATCH; b++) {
    const series = Array.from({ length: BATCH }, (_, i) =>
      labelsOf({
        __name__: `metric_${i % 500}`,
        instance: `host-${b}:9100`,
        job: 'node',
        path: `/p/${Math.floor(i / 500)}`,
        mode: 'idle',
        zone: 'eu-west-1',
      }),
    );
    const values = Float64Array.from(series, () => random.below(1000));
    const batch = {
      refs: Float64Array.from(series, (_, i) => -i - 1),
      timestamps: new Float64Array(BATCH).fill(START),
      values,
      series,
    };
    refs.push((await store.append(batch)).refs);
    columns.push(values);
  }
  line('create a series of 6 labels', ((cpuMs() - begun) * 1000) / SERIES, 'us CPU');
  let appendMs = 0;
  for (let step = 1; step <= STEPS; step++) {
    for (const [b, values] of columns.entries()) {
      for (let i = 0; i < BATCH; i++) values[i]! += i % 4 === 0 ? random.next() : random.below(50);
      const timestamps = new Float64Array(BATCH).fill(START + step * 15_000);
      begun = cpuMs();
      await store.append({ refs: refs[b]!, timestamps, values, series: [] });
      appendMs += cpuMs() - begun;
    }
    if (step % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const samples = SERIES * STEPS;
  line('append a sample, log included', (appendMs * 1e6) / samples, 'ns CPU');
  line('head and index', store.head.table.counts().usedBytes / SERIES, 'bytes per series');
  line('RSS growth', (process.memoryUsage().rss - rssBefore) / SERIES, 'bytes per series');
  line('log on disk', store.logBytes / samples, 'bytes per sample');

  begun = performance.now();
  const again = open();
  await again.ready();
  const loadMs = performance.now() - begun;
  line('load the log', samples / loadMs / 1000, 'million samples/s');
  begun = performance.now();
  let chunks = 0;
  for (const series of again.select(
    [{ type: '=', name: '__name__', value: 'metric_7' }],
    { min: 0, max: 2 ** 50 },
    true,
  )) {
    chunks += series.count;
  }
  line(`select ${chunks} chunks of one metric`, performance.now() - begun, 'ms');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
