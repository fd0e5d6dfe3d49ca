// Aggregation over one and over several shards, on a simulated clock: the outputs, series that are not kept, restarts.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { loadYaml } from '#base/config/load.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { newSeries, type SampleBatch } from '#model/batch.ts';
import { labelsOf } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import { StoreTwin } from '../receive/store-twin.ts';
import { Aggregator, type CompiledRule } from './aggregator.ts';
import { type AggregateRule, aggregateRules, outputName } from './config.ts';
import { newFold, observe, quantileOf } from './fold.ts';
import { Merger } from './merger.ts';
import { loadState, saveState } from './saved.ts';

const START = 1_700_000_040_000;

const rulesOf = (yaml: string): readonly AggregateRule[] => loadYaml(yaml, aggregateRules, 'aggregate.yml');

/** Selectors of the tests are all of the form metric name. */
const compiled = (rules: readonly AggregateRule[]): CompiledRule[] =>
  rules.map((rule) => ({
    rule,
    matchers: rule.match.map((name): Matcher[] => [{ type: '=~', name: '__name__', value: name }]),
  }));

function setUp(rules: readonly AggregateRule[], shards = 1) {
  const clock = new SimClock(START);
  const output = new StoreTwin();
  const merger = new Merger(output, shards, clock, silentLogger);
  merger.setRules(rules);
  const stores = Array.from({ length: shards }, () => new StoreTwin());
  const aggregators = stores.map((store, shard) => {
    const aggregator = new Aggregator(store, shard, clock, (folded) => merger.add(folded));
    aggregator.setRules(compiled(rules));
    return aggregator;
  });
  return { clock, output, stores, aggregators };
}

function batchOf(t: number, values: Record<string, number>, metric = 'm'): SampleBatch {
  const entries = Object.entries(values);
  return {
    refs: Float64Array.from(entries, (_, i) => newSeries(i)),
    timestamps: new Float64Array(entries.length).fill(t),
    values: Float64Array.from(entries, ([, value]) => value),
    series: entries.map(([key]) => {
      const [job = '', instance = ''] = key.split('/');
      return labelsOf({ __name__: metric, job, instance });
    }),
  };
}

test('every output, by job', async () => {
  const rules = rulesOf(
    '[{match: [m], interval: 1m, by: [job], outputs: [sum, count, avg, min, max, increase, rate_sum, "quantiles(0.5)", histogram]}]',
  );
  const { clock, output, stores, aggregators } = setUp(rules);
  const [aggregator] = aggregators;
  await aggregator!.append(batchOf(START, { 'a/1': 10, 'a/2': 100, 'b/1': 1 }));
  await clock.advance(10_000);
  await aggregator!.append(batchOf(clock.now(), { 'a/1': 16, 'a/2': 3, 'b/1': 2 }));
  await clock.advance(60_000);
  const name = (output: string) => `m:1m_by_job_${output}{job="a"}`;
  const dump = output.dump();
  assert.match(dump[name('sum')]!, /^19@/);
  const at = dump[name('sum')]!.split('@')[1]!;
  assert.equal(Number(at) % 60_000, 0, 'at a multiple of the interval');
  assert.equal(dump[name('count')], `2@${at}`);
  assert.equal(dump[name('avg')], `9.5@${at}`);
  assert.equal(dump[name('min')], `3@${at}`);
  assert.equal(dump[name('max')], `100@${at}`);
  assert.equal(dump[name('increase')], `9@${at}`, 'a counter that falls has begun anew');
  assert.equal(dump[name('rate_sum')], `0.15@${at}`);
  const median = Number(dump['m:1m_by_job_quantiles{job="a", quantile="0.5"}']!.split('@')[0]);
  assert.ok(Math.abs(median - 10) < 0.3, `${median}`);
  assert.equal(output.histograms(name('histogram'))[0]!.value.count, 4);
  assert.equal(dump['m:1m_by_job_sum{job="b"}'], `2@${at}`);
  assert.equal(Object.keys(stores[0]!.dump()).length, 3, 'the input is stored too');
});

test('several shards add up to the same as one', async () => {
  const seed = 5;
  const rules = rulesOf(
    '[{match: [m], interval: 30s, without: [instance], outputs: [sum, count, min, max, increase, quantiles]}]',
  );
  const outputs = [];
  for (const shards of [1, 3]) {
    const random = seeded(seed);
    const { clock, output, aggregators } = setUp(rules, shards);
    for (let step = 0; step < 12; step++) {
      const parts = aggregators.map((): Record<string, number> => ({}));
      for (let i = 0; i < 40; i++) parts[i % shards]![`j${i % 3}/${i}`] = step * 10 + random.below(10);
      for (const [shard, values] of parts.entries()) await aggregators[shard]!.append(batchOf(clock.now(), values));
      await clock.advance(10_000);
    }
    outputs.push(output.dump());
  }
  assert.ok(Object.keys(outputs[0]!).length >= 24);
  assert.deepEqual(outputs[0], outputs[1], `seed ${seed}`);
});

test('series that are not kept never reach the store, and keep their numbers', async () => {
  const rules = rulesOf('[{match: [m], interval: 1m, by: [job], outputs: [sum], keep_input: false}]');
  const { clock, output, stores, aggregators } = setUp(rules);
  const aggregator = aggregators[0]!;
  const mixed: SampleBatch = {
    refs: Float64Array.of(newSeries(0), newSeries(1), newSeries(2)),
    timestamps: new Float64Array(3).fill(START),
    values: Float64Array.of(1, 2, 4),
    series: [labelsOf({ __name__: 'm', i: '1' }), labelsOf({ __name__: 'kept' }), labelsOf({ __name__: 'm', i: '2' })],
  };
  const first = await aggregator.append(mixed);
  assert.equal(first.rejections.length, 0);
  const t = START + 1000;
  await clock.advance(1000);
  const again = await aggregator.append({
    refs: first.refs,
    timestamps: new Float64Array(3).fill(t),
    values: Float64Array.of(10, 20, 40),
    series: [],
  });
  assert.deepEqual([...again.rejections], []);
  assert.deepEqual(stores[0]!.dump(), { kept: `2@${START} 20@${t}` });
  await clock.advance(60_000);
  assert.match(output.dump()['m:1m_by_job_sum']!, /^50@/);
  const late = await aggregator.append({
    refs: Float64Array.of(first.refs[1]!, 12345),
    timestamps: Float64Array.of(t + 1, t),
    values: Float64Array.of(1, 1),
    series: [],
  });
  assert.deepEqual(
    late.rejections.map((r) => [r.index, r.reason]),
    [[1, 'unknownRef']],
  );
});

test('outputs are not folded again, refused samples not at all', async () => {
  const rules = rulesOf('[{match: [".*"], interval: 1m, outputs: [sum]}]');
  const { clock, output, aggregators } = setUp(rules);
  await aggregators[0]!.append(batchOf(START, { 'a/1': 5 }, outputName('m', rules[0]!, 'sum')));
  await aggregators[0]!.append(batchOf(START, { 'a/1': 5 }));
  const refused = await aggregators[0]!.append(batchOf(START - 5, { 'a/1': 7 }));
  assert.equal(refused.rejections[0]?.reason, 'outOfOrder');
  await clock.advance(60_000);
  assert.deepEqual(Object.keys(output.dump()), ['m:1m_sum']);
  assert.match(output.dump()['m:1m_sum']!, /^5@/);
});

test('counters go on over a restart', async () => {
  const rules = rulesOf('[{match: [m], interval: 1m, outputs: [increase]}]');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'aggregate-'));
  const first = setUp(rules);
  await first.aggregators[0]!.append(batchOf(START, { 'a/1': 100 }));
  saveState(nodeDisk, folder, 0, rules, first.aggregators[0]!.save());
  const second = setUp(rules);
  const saved = loadState(nodeDisk, folder, 0, rules, START, silentLogger);
  assert.equal(saved.length, 1);
  second.aggregators[0]!.setRules(compiled(rules), saved);
  await second.aggregators[0]!.append(batchOf(START + 1000, { 'a/1': 107 }));
  await second.clock.advance(60_000);
  assert.match(second.output.dump()['m:1m_increase']!, /^7@/);
  const other = rulesOf('[{match: [m], interval: 2m, outputs: [increase]}]');
  assert.deepEqual(loadState(nodeDisk, folder, 0, other, START, silentLogger), []);
  assert.deepEqual(loadState(nodeDisk, folder, 0, rules, START + 3_600_000, silentLogger), []);
  fs.appendFileSync(path.join(folder, 'aggregate-0.json'), 'x');
  assert.deepEqual(loadState(nodeDisk, folder, 0, rules, START, silentLogger), []);
});

test('quantiles of a fold are near the exact ones', () => {
  const seed = 77;
  const random = seeded(seed);
  const values = Array.from({ length: 5000 }, () => (random.next() - 0.3) * 10 ** random.below(6));
  const fold = newFold();
  for (const value of values) observe(fold, value, true);
  values.sort((a, b) => a - b);
  for (const q of [0, 0.01, 0.25, 0.5, 0.9, 0.99, 1]) {
    const exact = values[Math.min(values.length - 1, Math.max(0, Math.ceil(q * values.length) - 1))]!;
    const found = quantileOf(fold, q);
    assert.ok(Math.abs(found - exact) <= Math.abs(exact) * 0.025, `seed ${seed} q ${q}: ${found} for ${exact}`);
  }
});

test('mistakes in rules are told', () => {
  const told = (yaml: string, reason: RegExp) => assert.throws(() => rulesOf(yaml), reason);
  told('[{match: [], interval: 1m, outputs: [sum]}]', /expected at least one selector/);
  told('[{match: [a], interval: 10ms, outputs: [sum]}]', /must be 1s or more/);
  told('[{match: [a], interval: 1m, outputs: [mode]}]', /expected one of sum, count/);
  told('[{match: [a], interval: 1m, outputs: ["quantiles(2)"]}]', /between 0 and 1/);
  told('[{match: [a], interval: 1m, by: [x], without: [y], outputs: [sum]}]', /exclude each other/);
});
