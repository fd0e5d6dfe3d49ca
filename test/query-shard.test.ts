// Fragments over a real shard's store against the plain path over the same samples in memory: random series (resets, gaps, stale
// markers, NaN, infinities), random functions and grids, bit by bit; and the same answers from one, two and three shards.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../src/base/clock.ts';
import { nodeDisk } from '../src/base/disk/node.ts';
import { KernelMemory } from '../src/base/kernel.ts';
import { silentLogger } from '../src/base/log.ts';
import { type Random, seeded } from '../src/base/random.ts';
import { newSeries } from '../src/model/batch.ts';
import { formatLabels, type Labels } from '../src/model/labels.ts';
import type { Columns, Fragment } from '../src/model/query.ts';
import { Registry } from '../src/model/registry.ts';
import { setStale } from '../src/model/value.ts';
import { DEFAULT_LIMITS, QueryEngine } from '../src/query/engine.ts';
import { vectorFromColumns } from '../src/query/execute/vector.ts';
import { MemorySource } from '../src/query/memory-twin.ts';
import { RandomExpressions } from '../src/query/parse/expressions.suite.ts';
import { KERNEL_FUNCTIONS } from '../src/query/shard/kernel.ts';
import { merging } from '../src/query/shard/merge.ts';
import { ShardQueries } from '../src/query/shard/run.ts';
import { decodeChunk } from '../src/store/codec/chunk.ts';
import { SampleColumns } from '../src/store/codec/samples.ts';
import { DEFAULT_STORE_OPTIONS } from '../src/store/options.ts';
import { openShardStore } from '../src/store/shard.ts';

const START = 1_600_000_000_000;
const SERIES = 24;
const SAMPLES = 400;
const signal = new AbortController().signal;

type Series = { readonly labels: Labels; readonly times: Float64Array; readonly values: Float64Array };

function randomSeries(random: Random): Series[] {
  return Array.from({ length: SERIES }, (_, i) => {
    const labels = ['__name__', i % 2 ? 'load' : 'work_total', 'host', `h${i % 6}`, 'zone', `z${i % 3}`, 'n', `${i}`];
    const times = new Float64Array(SAMPLES);
    const values = new Float64Array(SAMPLES);
    let time = START + random.below(60_000);
    let value = random.below(100);
    for (let k = 0; k < SAMPLES; k++) {
      time += random.below(20) === 0 ? 400_000 : 14_900 + random.below(200);
      value = random.below(50) === 0 ? 0 : value + random.next() * 10;
      times[k] = time;
      values[k] = i % 2 ? random.next() * 1000 - 500 : value;
      const odd = random.below(120);
      if (odd === 0) values[k] = Number.NaN;
      if (odd === 1) values[k] = Infinity;
      if (odd === 2) setStale(values, k);
    }
    return { labels, times, values };
  });
}

function sortLabels(labels: Labels): Labels {
  const pairs: [string, string][] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i]!, labels[i + 1]!]);
  return pairs.sort(([a], [b]) => (a < b ? -1 : 1)).flat();
}

async function realShard(series: readonly Series[], folder: string): Promise<ShardQueries> {
  const memory = new KernelMemory();
  const store = openShardStore({
    ...{ disk: nodeDisk, clock: systemClock, registry: new Registry(), logger: silentLogger, memory },
    ...{ folder, shard: 0, shards: 1, options: { ...DEFAULT_STORE_OPTIONS, chunkRangeMs: 86_400_000 } },
  });
  await store.ready();
  for (const { labels, times, values } of series) {
    const refs = new Float64Array(times.length).fill(newSeries(0));
    const { rejections } = await store.append({ refs, timestamps: times, values, series: [sortLabels(labels)] });
    assert.deepEqual(rejections, []);
  }
  const decoder = (encoding: number, bytes: Uint8Array) => {
    const columns = new SampleColumns();
    decodeChunk(encoding, bytes, columns);
    return columns;
  };
  return new ShardQueries({ source: store, memory, clock: systemClock, decoder });
}

function twin(series: readonly Series[], shards: number): MemorySource {
  const source = new MemorySource(shards);
  for (const { labels, times, values } of series) source.addColumns(sortLabels(labels), times, values);
  return source;
}

/** Rows by labels, values by their bits. */
function shown(columns: Columns): Record<string, string[]> {
  const { labels, steps, kinds, values } = vectorFromColumns(columns);
  const bits = new BigUint64Array(values.buffer, values.byteOffset, values.length);
  const rows: Record<string, string[]> = {};
  labels.forEach((set, row) => {
    rows[formatLabels(set)] = Array.from({ length: steps }, (_, step) => {
      const at = row * steps + step;
      if (kinds[at] === 0) return '-';
      return Number.isNaN(values[at]) ? 'NaN' : bits[at]!.toString(16);
    });
  });
  return rows;
}

function randomFragment(random: Random): Fragment {
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  const func = pick([...Object.keys(KERNEL_FUNCTIONS), 'stddev_over_time', 'deriv', 'first_over_time']);
  const step = pick([15_000, 60_000, 1000, 333_000]);
  const start = START + random.below(6_000_000) - 300_000;
  return {
    matchers: [
      pick([
        { type: '=', name: '__name__', value: 'work_total' } as const,
        { type: '=~', name: 'zone', value: 'z[01]' } as const,
      ]),
    ],
    grid: pick([
      { start, end: start, step: 0 },
      { start, end: start + step * random.below(200), step },
    ]),
    offset: pick([0, 0, 60_000, -45_000]),
    ...(random.below(8) === 0 ? { at: START + 2_000_000 } : {}),
    window: func === 'instant' || func === 'timestamp' ? 300_000 : pick([30_000, 60_000, 300_000, 3_600_000]),
    func,
    args: [],
  };
}

test('the kernel computes what the plain path computes, bit for bit', async (t) => {
  const seed = 424_242;
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const series = randomSeries(random);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-query-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const shard = await realShard(series, folder);
  const plain = twin(series, 1);
  for (let i = 0; i < 300; i++) {
    const fragment = randomFragment(random);
    const got = await merging(systemClock)(fragment, [await shard.run(fragment, DEFAULT_LIMITS, signal)], signal);
    const wanted = await plain.run(fragment, DEFAULT_LIMITS, signal);
    assert.deepEqual(shown(got), shown(wanted), JSON.stringify(fragment));
  }
});

test('one, two and three shards give the same answers', async (t) => {
  const seed = 777;
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const series = randomSeries(random);
  const vocabulary = {
    selectors: ['work_total', 'load{zone="z1"}', '{host=~"h[0-3]"}'],
    labels: ['host', 'zone'],
    classic: true,
  };
  const expressions = new RandomExpressions(random, vocabulary);
  const engines = [1, 2, 3].map(
    (shards) =>
      new QueryEngine({ source: twin(series, shards), clock: systemClock, features: ['promql-delayed-name-removal'] }),
  );
  const single = new QueryEngine({
    source: twin(series, 1),
    clock: systemClock,
    noPushdown: true,
    features: ['promql-delayed-name-removal'],
  });
  const grid = { start: START + 1_000_000, end: START + 1_600_000, step: 60_000 };
  for (let i = 0; i < 150; i++) {
    const query = expressions.vector(3);
    const outcomes = await Promise.all([single, ...engines].map((engine) => outcome(engine, query, grid)));
    for (const other of outcomes.slice(1)) compare(outcomes[0]!, other, query);
  }
});

type Outcome = { readonly error: string } | { readonly rows: ReadonlyMap<string, readonly (number | undefined)[]> };

async function outcome(
  engine: QueryEngine,
  query: string,
  grid: { start: number; end: number; step: number },
): Promise<Outcome> {
  try {
    const { data } = await engine.range(query, grid);
    assert.ok(data.type === 'matrix');
    const { vector } = data;
    const rows = new Map<string, (number | undefined)[]>();
    vector.labels.forEach((labels, row) => {
      const points = Array.from({ length: vector.steps }, (_, step) => {
        const at = row * vector.steps + step;
        return vector.kinds[at] === 0 ? undefined : vector.values[at]!;
      });
      rows.set(formatLabels(labels), points);
    });
    return { rows };
  } catch (error) {
    assert.ok(
      error instanceof Error && !error.message.startsWith('BUG') && !(error instanceof TypeError),
      String(error),
    );
    return { error: error.message };
  }
}

/** Equal but for the last bits of sums, which comparisons of sums may turn into points more or less. */
function compare(a: Outcome, b: Outcome, query: string): void {
  if ('error' in a || 'error' in b) {
    assert.deepEqual('error' in a, 'error' in b, `${query}: ${JSON.stringify([a, b])}`);
    return;
  }
  assert.deepEqual([...a.rows.keys()], [...b.rows.keys()], query);
  for (const [labels, points] of a.rows) {
    const others = b.rows.get(labels)!;
    points.forEach((value, i) => {
      const other = others[i];
      assert.equal(value === undefined, other === undefined, `${query} ${labels}`);
      if (
        value === undefined ||
        other === undefined ||
        Object.is(value, other) ||
        (Number.isNaN(value) && Number.isNaN(other))
      )
        return;
      const error = Math.abs(value - other) / Math.max(Math.abs(value), Math.abs(other), 1e-300);
      assert.ok(error < 1e-9 || Math.abs(value - other) < 1e-6, `${query} ${labels}: ${value} and ${other}`);
    });
  }
}
