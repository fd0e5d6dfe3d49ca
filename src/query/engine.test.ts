// Limits of the engine: what counts towards them is what a query holds at a time, in all its parts together.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { labelsOf } from '#model/labels.ts';
import { QueryEngine } from './engine.ts';
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
