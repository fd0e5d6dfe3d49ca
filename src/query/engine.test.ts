// Limits of the engine: what counts towards them is what a query holds at a time, in all its parts together.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { seeded } from '#base/random.ts';
import { CUSTOM_BUCKETS_SCHEMA, type Histogram } from '#model/histogram.ts';
import { labelsOf } from '#model/labels.ts';
import { gridLength } from '#model/query.ts';
import { QueryEngine } from './engine.ts';
import { Pace, sortPaced } from './execute/pace.ts';
import { MemorySource } from './memory-twin.ts';

const START = 1_600_000_000_000;

function engineOver(series: number, limits: { maxSamples?: number; maxBytes?: number }): QueryEngine {
  const source = new MemorySource(2);
  for (let i = 0; i < series; i++) {
    for (const name of ['a', 'b', 'c']) source.add(labelsOf({ __name__: name, i: String(i) }), START, i);
  }
  return new QueryEngine({ source, clock: systemClock, limits });
}

test('a query is stopped for what its parts hold together', async () => {
  const engine = engineOver(100, { maxSamples: 250 });
  const count = async (query: string) => (await engine.instant(query, START)).stats.samples.peak;
  await count('a');
  await count('a * on (i) b > bool 1 or vector(1)').then(
    () => assert.fail('100 + 100 + 100 points at a time'),
    (error: Error) => assert.match(error.message, /too many samples into memory.*\(limit 250\)/),
  );
  // Parts that are done with make room for what follows.
  await count('abs(ceil(floor(exp(ln(abs(a))))))');
  await count('sum(a) + sum(b) + sum(c) + count(a) + count(b)');
});

test('bytes count together, too', async () => {
  const grid = { start: START, end: START + 99_000, step: 1000 };
  await engineOver(10, { maxBytes: 25_000 }).range('a', grid);
  await assert.rejects(engineOver(10, { maxBytes: 25_000 }).range('a * on (i) b', grid), /needs too much memory/);
});

test('a subquery of very many steps is worked out in pieces, and can be canceled between them', async () => {
  const grids: number[] = [];
  class Watched extends MemorySource {
    override run(...[fragment, limits, signal]: Parameters<MemorySource['run']>): ReturnType<MemorySource['run']> {
      grids.push(gridLength(fragment.grid));
      return super.run(fragment, limits, signal);
    }
  }
  const source = new Watched();
  for (let i = 0; i < 3; i++) source.add(labelsOf({ __name__: 'a', i: String(i) }), START - 100_000 * i, i);
  const engine = new QueryEngine({ source, clock: systemClock });
  const { data } = await engine.instant('sort(sum_over_time(a[200s:1ms]))', START);
  assert.equal(data.type, 'vector');
  // The first is at the end only, the second for half of the time, the third for all of it.
  if (data.type === 'vector') assert.deepEqual([...data.vector.values], [0, 100_001, 400_000]);
  assert.ok(grids.length > 1 && grids.every((steps) => steps <= 65_536), `${grids}`);
  assert.equal(
    grids.reduce((sum, steps) => sum + steps, 0),
    200_000,
  );
  const steps = { start: START - 50_000, end: START, step: 50_000 };
  const long = await engine.range('quantile_over_time(time() - 1.6e9 + 0.75, (a{i="2"} - 50)[100s:1ms]) + 1', steps);
  assert.ok(long.data.type === 'matrix');
  if (long.data.type === 'matrix') assert.deepEqual([...long.data.vector.values], [-Infinity, -47]);
  const controller = new AbortController();
  grids.length = 0;
  const canceled = engine.instant('sum_over_time(a[1000s:1ms])', START, { signal: controller.signal });
  setImmediate(() => controller.abort());
  await assert.rejects(canceled, /query was canceled/);
  assert.ok(grids.length < 16);
});

test('paced sorting sorts', async () => {
  const random = seeded(3);
  for (const length of [0, 1, 2000, 2001, 9999]) {
    const items = Array.from({ length }, () => random.below(5000));
    const pace = new Pace(systemClock, undefined, 1);
    const compare = (a: number, b: number) => a - b;
    assert.deepEqual(await sortPaced(items.slice(), compare, pace), items.toSorted(compare));
  }
});

test('histograms of a million buckets are answered', async () => {
  const buckets = 1_000_000;
  const source = new MemorySource(2);
  const common = {
    integer: false,
    zeroThreshold: 0,
    zeroCount: 0,
    negativeSpans: [],
    negativeBuckets: new Float64Array(0),
  };
  const histogram = (scale: number, isCustom: boolean): Histogram => ({
    ...common,
    schema: isCustom ? CUSTOM_BUCKETS_SCHEMA : 8,
    count: buckets * scale,
    sum: buckets * scale,
    // Every second bucket has a span of its own.
    positiveSpans: isCustom
      ? [{ offset: 0, length: buckets }]
      : Array.from({ length: buckets / 2 }, () => ({ offset: 1, length: 2 })),
    positiveBuckets: new Float64Array(buckets).fill(scale),
    ...(isCustom ? { customValues: Float64Array.from({ length: buckets - 1 }, (_, i) => i + 1) } : {}),
    counterReset: 'unknown',
  });
  for (const isCustom of [false, true]) {
    for (const k of [1, 2]) {
      const labels = labelsOf({ __name__: isCustom ? 'custom' : 'exponential' });
      source.add(labels, START - 60_000 * (2 - k), histogram(k, isCustom));
    }
  }
  const engine = new QueryEngine({ source, clock: systemClock });
  const value = async (query: string) => {
    const { data } = await engine.instant(query, START);
    assert.ok(data.type === 'vector', query);
    assert.equal(data.vector.labels.length, 1, query);
    return data.vector.values[0]!;
  };
  assert.equal(await value('histogram_quantile(0.25, custom)'), 250_000);
  assert.equal(await value('histogram_fraction(0, 500000, custom)'), 0.5);
  assert.equal(await value('histogram_count(sum(custom) + sum(custom))'), 4 * buckets);
  for (const name of ['custom', 'exponential']) {
    await value(name);
    await value(`rate(${name}[5m])`);
    await value(`histogram_stddev(${name})`);
    assert.equal(await value(`histogram_count(sum_over_time(${name}[5m]))`), 3 * buckets);
  }
});

test('a classic histogram of very many buckets is answered', async () => {
  const source = new MemorySource(2);
  const buckets = 50_000;
  for (let i = 1; i <= buckets; i++) {
    source.add(labelsOf({ __name__: 'h_bucket', le: i === buckets ? '+Inf' : String(i) }), START, i);
  }
  const engine = new QueryEngine({ source, clock: systemClock });
  const { data } = await engine.instant('histogram_quantile(0.5, h_bucket)', START);
  assert.ok(data.type === 'vector' && data.vector.values[0] === buckets / 2);
});

test('aggregations over several names are worked out in the shards, and mistaken for nothing', async () => {
  const source = new MemorySource(3);
  const put = (labels: Readonly<Record<string, string>>) => {
    for (let k = 0; k < 20; k++) source.add(labelsOf(labels), START + k * 15_000, k * 3);
  };
  for (let i = 0; i < 30; i++) put({ __name__: `m${i % 3}_total`, i: String(i), zone: `z${i % 2}` });
  put({ __name__: 'same_a_total', i: 'x' });
  put({ __name__: 'same_b_total', i: 'x' });
  const pushed = new QueryEngine({ source, clock: systemClock });
  const above = new QueryEngine({ source, clock: systemClock, noPushdown: true });
  const outcome = (engine: QueryEngine, query: string) =>
    engine.instant(query, START + 280_000).then(
      ({ data, plan }) => ({
        ...{ values: data.type === 'vector' ? [...data.vector.values] : [] },
        nodes: plan.nodes.map(({ kind }) => kind).join(),
      }),
      (error: Error) => error.message,
    );
  const good = 'sum by (zone) (rate({__name__=~"m._total"}[2m]))';
  const [a, b] = [await outcome(pushed, good), await outcome(above, good)];
  assert.ok(typeof a === 'object' && typeof b === 'object');
  assert.deepEqual(a.values, b.values);
  assert.equal(a.values.length, 2);
  assert.deepEqual([a.nodes, b.nodes], ['fetch,fetch', 'fetch,aggregate']);
  for (const query of ['sum(rate({__name__=~"same_._total"}[2m]))', 'max(rate({i=~".+"}[2m]))']) {
    assert.equal(await outcome(pushed, query), 'vector cannot contain metrics with the same labelset');
    assert.equal(await outcome(above, query), 'vector cannot contain metrics with the same labelset');
  }
  assert.deepEqual(await outcome(pushed, 'count({i="x"})'), { values: [2], nodes: 'fetch,fetch' });
});
