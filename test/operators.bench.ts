// What each kind of query operator costs as series and steps grow, over a real shard: CPU time, and the same per point, which
// should stay level. Inside `npm test` it runs tiny, so that it never rots.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { systemClock } from '../src/base/clock.ts';
import { nodeDisk } from '../src/base/disk/node.ts';
import { KernelMemory } from '../src/base/kernel.ts';
import { silentLogger } from '../src/base/log.ts';
import { newSeries } from '../src/model/batch.ts';
import { labelsOf } from '../src/model/labels.ts';
import type { FragmentSource } from '../src/model/query.ts';
import { Registry } from '../src/model/registry.ts';
import { QueryEngine } from '../src/query/engine.ts';
import { merging } from '../src/query/shard/merge.ts';
import { ShardQueries } from '../src/query/shard/run.ts';
import { decodeChunk } from '../src/store/codec/chunk.ts';
import { SampleColumns } from '../src/store/codec/samples.ts';
import { DEFAULT_STORE_OPTIONS } from '../src/store/options.ts';
import { openShardStore } from '../src/store/shard.ts';

const isFull = process.env['PHAROS_BENCH'] === 'full';
const SERIES = isFull ? [1, 1000, 10_000, 100_000] : [1, 20];
const STEPS = isFull ? [1, 60] : [1, 5];
const SAMPLES = isFull ? 360 : 40;
const START = 1_700_000_000_000;

const QUERIES: Readonly<Record<string, string>> = {
  select: 'm_total',
  rate: 'rate(m_total[5m])',
  'max_over_time 30m': 'max_over_time(m_total[30m])',
  'sum of rate': 'sum(rate(m_total[5m]))',
  'sum by of rate': 'sum by (zone) (rate(m_total[5m]))',
  'quantile by': 'quantile by (zone) (0.9, m_total)',
  topk: 'topk(5, m_total)',
  join: 'm_total * on (host) group_left (zone) rate(m_total[5m])',
  'or, unless': '(m_total or m_total) unless m_total > 100',
  subquery: 'max_over_time(sum(rate(m_total[1m]))[5m:1m])',
  stddev_over_time: 'stddev_over_time(m_total[5m])',
  label_replace: 'label_replace(m_total, "short", "$1", "host", "h(.*)")',
};

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

async function engineWith(count: number, folder: string): Promise<QueryEngine> {
  const memory = new KernelMemory();
  const store = openShardStore({
    ...{ disk: nodeDisk, clock: systemClock, registry: new Registry(), logger: silentLogger, memory },
    ...{ folder, shard: 0, shards: 1, options: { ...DEFAULT_STORE_OPTIONS, chunkRangeMs: 86_400_000, maxAheadMs: 0 } },
  });
  await store.ready();
  const series = Array.from({ length: count }, (_, i) =>
    labelsOf({ __name__: 'm_total', host: `h${i}`, zone: `z${i % 20}` }),
  );
  let refs: Float64Array = Float64Array.from(series, (_, i) => newSeries(i));
  for (let k = 0; k < SAMPLES; k++) {
    const timestamps = new Float64Array(count).fill(START + k * 15_000);
    const values = Float64Array.from(series, (_, i) => k * (1 + (i % 7)));
    const result = await store.append({ refs, timestamps, values, series: k === 0 ? series : [] });
    if (k === 0) refs = result.refs;
  }
  const queries = new ShardQueries({
    ...{ source: store, memory, clock: systemClock },
    decoder: (encoding, bytes) => {
      const columns = new SampleColumns();
      decodeChunk(encoding, bytes, columns);
      return columns;
    },
  });
  const source: Pick<FragmentSource, 'run' | 'select'> = {
    run: async (fragment, limits, signal) =>
      merging(systemClock)(fragment, [await queries.run(fragment, limits, signal)], signal),
    select: (request, limits, signal) => queries.select(request, limits, signal),
  };
  return new QueryEngine({ source: source as FragmentSource, clock: systemClock });
}

const end = START + (SAMPLES - 1) * 15_000;
const names = ['', ...SERIES.flatMap((series) => STEPS.map((steps) => `${series} x ${steps}`))];
const table = new Map(Object.keys(QUERIES).map((name) => [name, [] as string[]]));
for (const count of SERIES) {
  const folder = mkdtempSync(`${tmpdir()}/pharos-operators-bench-`);
  try {
    const engine = await engineWith(count, folder);
    for (const [name, query] of Object.entries(QUERIES)) {
      for (const steps of STEPS) {
        const grid = { start: end - (steps - 1) * 15_000, end, step: 15_000 };
        const times: number[] = [];
        for (let round = 0; round < (isFull ? 3 : 1); round++) {
          const begun = cpuMs();
          await engine.range(query, grid);
          times.push(cpuMs() - begun);
        }
        const ms = times.sort((a, b) => a - b)[times.length >> 1]!;
        table.get(name)!.push(`${ms.toFixed(1)} (${((ms * 1e6) / count / steps).toFixed(0)})`);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
console.log('CPU ms (ns per series and step)');
for (const row of [names, ...[...table].map(([name, cells]) => [name, ...cells])]) {
  console.log(row.map((cell, i) => cell.padEnd(i === 0 ? 20 : 16)).join(''));
}
