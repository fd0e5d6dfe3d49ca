// The result cache beside an engine without one: random queries and windows that move, while samples come in order, late, and
// are deleted; and which queries it leaves alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { seeded } from '#base/random.ts';
import { formatLabels } from '#model/labels.ts';
import { type FragmentSource, gridLength, type SourceChanges } from '#model/query.ts';
import { ResultCache } from './cache.ts';
import { QueryEngine, type QueryResult } from './engine.ts';
import { MemorySource } from './memory-twin.ts';

const START = 1_600_000_020_000;

/** Knows all its changes one by one. */
class ChangingSource extends MemorySource {
  readonly touched: number[] = [];

  steps = 0;

  override run(...[fragment, limits, signal]: Parameters<MemorySource['run']>): ReturnType<MemorySource['run']> {
    this.steps += gridLength(fragment.grid);
    return super.run(fragment, limits, signal);
  }

  put(labels: readonly string[], time: number, value: number): void {
    this.add(labels, time, value);
    this.touched.push(time);
  }

  async changes(since: readonly number[] | undefined): Promise<SourceChanges> {
    const min = since ? Math.min(Infinity, ...this.touched.slice(since[0])) : -Infinity;
    return { marks: [this.touched.length], min, series: min !== Infinity };
  }
}

function shown({ data, annotations }: QueryResult): unknown {
  if (data.type === 'scalar') return Number.isNaN(data.value) ? 'NaN' : data.value;
  assert.ok(data.type === 'matrix' || data.type === 'vector', data.type);
  const { steps, labels, kinds, values } = data.vector;
  const bits = new BigUint64Array(values.buffer, values.byteOffset, values.length);
  return {
    notes: annotations.texts('', 10),
    grid: data.type === 'matrix' ? data.grid : data.time,
    rows: labels.map((set, row) => [
      formatLabels(set),
      Array.from({ length: steps }, (_, step) => (kinds[row * steps + step] ? bits[row * steps + step] : '-')),
    ]),
  };
}

const QUERIES = [
  'a_total',
  'rate(a_total[2m])',
  'sum by (zone) (rate(a_total[2m]))',
  'max_over_time(b[3m]) - 1',
  'b offset -90s',
  'sum(b offset 2m) / count(b)',
  'sum_over_time(sum by (zone) (b)[3m:40s])',
  'avg_over_time(b[2m:20s] offset -1m)',
  'topk(2, b)',
  'a_total and on (zone) b > 50',
  'a_total or b',
  'absent(b{zone="z9"})',
  'vector(1) + time()',
  'scalar(sum(b))',
  'rate(b[2m])',
  '-{zone="z1"}',
  'sum(b @ 1600000500)',
  'sum(b @ end())',
  'label_replace(b, "zone", "x", "host", "h.*")',
  'limitk(2, b)',
  'quantile by (zone) (0.3, b)',
];

test('cached results equal fresh ones, however samples come', async () => {
  const seed = Number(process.env['PHAROS_SEED'] ?? 5);
  console.log(`seed ${seed}`);
  const random = seeded(seed);
  const source = new ChangingSource(2);
  const features = ['promql-experimental-functions'];
  const engine = new QueryEngine({ source, clock: systemClock, features });
  const cache = new ResultCache({ engine, source, maxBytes: 2 ** 20 });
  const series = Array.from({ length: 8 }, (_, i) => [
    ...['__name__', i % 2 ? 'a_total' : 'b', 'host', `h${i}`, 'zone', `z${i % 3}`],
  ]);
  let now = START;
  let counter = 0;
  for (let round = 0; round < 600; round++) {
    const action = random.below(10);
    if (action < 5) {
      now += 10_000;
      for (const labels of series) {
        if (random.below(10) > 0) source.put(labels, now, (counter += random.below(9)) % 200);
      }
    } else if (action === 5 && random.below(4) === 0) {
      source.put(series[random.below(8)]!, now - random.below(1_000_000), random.below(100));
    }
    const query = QUERIES[random.below(QUERIES.length)]!;
    const step = [10_000, 30_000][random.below(2)]!;
    const end = Math.floor((now - random.below(3) * 60_000) / step) * step + random.below(2) * 5000;
    const grid = { start: end - random.below(60) * step, end: end + random.below(2) * 3000, step };
    const outcome = (run: Promise<QueryResult>) => run.then(shown, (error: Error) => error.message);
    const expected = await outcome(engine.range(query, grid));
    assert.deepEqual(await outcome(cache.range(query, grid, {})), expected, `${query} in round ${round}`);
  }
  assert.ok(cache.hits > 100, `${cache.hits} hits`);
  const before = cache.hits;
  for (let round = 0; round < 600; round++) {
    if (random.below(12) === 0) source.put(series[random.below(8)]!, now - random.below(400_000), random.below(100));
    const query = QUERIES[random.below(QUERIES.length)]!;
    const time = now - random.below(4) * 60_000;
    const outcome = (run: Promise<QueryResult>) => run.then(shown, (error: Error) => error.message);
    const expected = await outcome(engine.instant(query, time));
    assert.deepEqual(await outcome(cache.instant(query, time, {})), expected, `${query} in round ${round}`);
  }
  assert.ok(cache.hits > before + 100, `${cache.hits - before} hits`);
  assert.ok(cache.bytes > 0 && cache.bytes <= 2 ** 20);
});

test('only the new tail is read', async () => {
  const source = new ChangingSource();
  const labels = ['__name__', 'b'];
  for (let i = 0; i < 1000; i++) source.put(labels, START + i * 10_000, i);
  const engine = new QueryEngine({ source, clock: systemClock });
  const cache = new ResultCache({ engine, source, maxBytes: 2 ** 20 });
  const ask = (from: number, to: number, query = 'b') =>
    cache.range(query, { start: START + from * 10_000, end: START + to * 10_000, step: 10_000 }, {});
  /** How many steps the source was asked for. */
  const asked = async (from: number, to: number, query?: string): Promise<number> => {
    source.steps = 0;
    await ask(from, to, query);
    return source.steps;
  };
  assert.equal(await asked(100, 900), 801);
  assert.equal(await asked(100, 900), 0);
  assert.equal(await asked(200, 800), 0);
  assert.equal(await asked(110, 910), 10);
  assert.equal(await asked(105, 910), 5, 'steps before what is there');
  source.put(labels, START + 9_200_000, 1);
  assert.equal(await asked(105, 910), 0, 'a later change leaves it alone');
  source.put(labels, START + 9_055_000, 1);
  assert.equal(await asked(105, 910), 5, 'an earlier change does not');
  // Steps that depend on each other are kept as a whole.
  assert.equal(await asked(0, 999, 'sum(b @ 5)'), 1);
  assert.equal(await asked(0, 999, 'sum(b @ 5)'), 0);
  assert.equal(await asked(0, 998, 'sum(b @ 5)'), 1);
});

test('an instant is kept from the second time on, its text from the third', async () => {
  const source = new ChangingSource();
  source.put(['__name__', 'b'], START, 7);
  const engine = new QueryEngine({ source, clock: systemClock });
  const cache = new ResultCache({ engine, source, maxBytes: 2 ** 20 });
  const first = await cache.instant('b', START, {});
  assert.equal(cache.bytes, 0);
  assert.equal(cache.wantsText(first), false);
  await cache.instant('b', START, {});
  assert.ok(cache.bytes > 0);
  const third = await cache.instant('b', START, {});
  assert.deepEqual([cache.hits, cache.wantsText(third), cache.textOf(third)], [1, true, undefined]);
  cache.keepText(third, 'as sent');
  assert.equal(cache.textOf(await cache.instant('b', START, {})), 'as sent');
  source.put(['__name__', 'b'], START + 1, 8);
  assert.equal(cache.textOf(await cache.instant('b', START, {})), 'as sent', 'a later change');
  source.put(['__name__', 'b'], START, 8);
  assert.equal(cache.textOf(await cache.instant('b', START, {})), undefined);
  assert.equal(await cache.instant('b', START, { lookbackMs: 1 }).then(({ data }) => data.type), 'vector');
});

test('answers about series hold while series and heads do', async () => {
  let state: SourceChanges = { marks: [1], min: -Infinity, series: true };
  const source: FragmentSource = Object.assign(new MemorySource(1), { changes: () => state });
  const cache = new ResultCache({ engine: new QueryEngine({ source, clock: systemClock }), source, maxBytes: 2 ** 20 });
  let asked = 0;
  const ask = async (key: string, min: number, max: number) => {
    const before = asked;
    await cache.answer(key, { min, max }, async () => `answer ${++asked}`);
    return asked > before;
  };
  state = { marks: [2], min: -Infinity, series: true, heads: { min: 100, max: 200 } };
  assert.deepEqual(
    [await ask('loose', 0, 1000), await ask('strict', 300, 1000), await ask('past', 0, 50)],
    [true, true, true],
  );
  state = { marks: [3], min: 250, series: false, heads: { min: 100, max: 250 } };
  assert.deepEqual(
    [await ask('loose', 0, 1000), await ask('strict', 300, 1000), await ask('past', 0, 50)],
    [false, true, false],
  );
  state = { marks: [4], min: 250, series: true, heads: { min: 100, max: 250 } };
  assert.deepEqual([await ask('loose', 0, 1000), await ask('past', 0, 50)], [true, true]);
  state = { marks: [5], min: -Infinity, series: true, heads: { min: 100, max: 250 } };
  assert.equal(await ask('past', 0, 50), true);
});

test('what does not fit is not kept', async () => {
  const source = new ChangingSource();
  for (let i = 0; i < 100; i++) source.put(['__name__', 'b', 'n', `${i}`], START, i);
  const engine = new QueryEngine({ source, clock: systemClock });
  const cache = new ResultCache({ engine, source, maxBytes: 60_000 });
  for (let i = 0; i < 50; i++) {
    const result = await cache.range(`b{n="${i}"}`, { start: START, end: START + 290_000, step: 1000 }, {});
    assert.equal(result.data.type, 'matrix');
    assert.ok(cache.bytes <= 60_000);
  }
  const before = cache.bytes;
  await cache.range('b', { start: START, end: START + 290_000, step: 1000 }, {});
  assert.equal(cache.bytes, before);
});
