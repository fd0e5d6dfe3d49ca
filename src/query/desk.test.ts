// The line of queries: order, limits, cancelling, and what is kept about those that ended.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { type EndedQuery, QueryDesk } from './desk.ts';
import type { QueryStats } from './engine.ts';

const STATS: QueryStats = {
  timings: { parseMs: 0, planMs: 0, evalMs: 0, totalMs: 0 },
  samples: { total: 10, peak: 5 },
  bytes: 0,
  series: 1,
};
const info = (query: string) => ({ query, start: 0, end: 0, step: 0, origin: {} });

/** A query that ends when told to. */
function open() {
  let finish = () => {};
  let fail: (error: Error) => void = () => {};
  const promise = new Promise<{ stats: QueryStats }>((resolve, reject) => {
    finish = () => resolve({ stats: STATS });
    fail = reject;
  });
  return { run: () => promise, finish: () => finish(), fail: (error: Error) => fail(error) };
}

const desk = (maxConcurrent: number, maxWaiting: number, log?: (ended: EndedQuery) => void) =>
  new QueryDesk({ clock: new SimClock(), maxConcurrent, maxWaiting, ...(log ? { log } : {}) });

test('queries wait for their turn, and are turned away when the line is full', async () => {
  const line = desk(1, 1);
  const [first, second] = [open(), open()];
  const a = line.run(info('a'), {}, first.run);
  const b = line.run(info('b'), {}, second.run);
  await Promise.resolve();
  assert.deepEqual(
    line.active().map(({ query, running }) => [query, running]),
    [
      ['a', true],
      ['b', false],
    ],
  );
  await assert.rejects(line.run(info('c'), {}, open().run), /cannot run the query: 1 are running and 1 are waiting/);
  const third = open();
  const d = line.run({ ...info('d'), isPatient: true }, {}, third.run);
  assert.equal(line.waiting, 2);
  first.finish();
  await a;
  assert.equal(line.running, 1);
  second.finish();
  await b;
  third.finish();
  await d;
  assert.deepEqual([line.running, line.waiting, line.active().length], [0, 0, 0]);
});

test('a client that goes away leaves the line, and its query ends', async () => {
  const line = desk(1, 5);
  const first = open();
  const a = line.run(info('a'), {}, first.run);
  const gone = new AbortController();
  const b = line.run(info('b'), gone, open().run);
  gone.abort();
  await assert.rejects(b, /query was canceled in query queue/);
  assert.equal(line.waiting, 0);
  first.finish();
  await a;
  let seen: AbortSignal | undefined;
  const away = new AbortController();
  const c = line.run(info('c'), away, ({ controller: { signal } }) => {
    seen = signal;
    return new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('ended'))));
  });
  await Promise.resolve();
  away.abort();
  await assert.rejects(c, /ended/);
  assert.equal(seen?.aborted, true);
  assert.equal(line.running, 0);
});

test('cancelling by number, the log, and the costliest queries', async () => {
  const ended: EndedQuery[] = [];
  const line = desk(5, 5, (query) => ended.push(query));
  const done = open();
  const a = line.run(info('cheap'), {}, done.run);
  done.finish();
  await a;
  const b = line.run(
    info('costly'),
    {},
    ({ controller: { signal } }) =>
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  await Promise.resolve();
  assert.equal(line.cancel(line.active()[0]!.id), true);
  assert.equal(line.cancel(999), false);
  await assert.rejects(b, /canceled by request/);
  assert.deepEqual(
    ended.map(({ query, error }) => [query, error]),
    [
      ['cheap', undefined],
      ['costly', 'query was canceled by request'],
    ],
  );
  assert.deepEqual(
    line
      .top(10)
      .map(({ query, count, errors, samples }) => [query, count, errors, samples])
      .sort(),
    [
      ['cheap', 1, 0, 10],
      ['costly', 1, 1, 0],
    ],
  );
});
