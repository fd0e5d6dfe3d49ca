// The warm-up's queries over metrics of all kinds: each is one that the API answers, and touches small metrics only.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { silentLogger } from '#base/log.ts';
import { labelsOf } from '#model/labels.ts';
import { QueryDesk } from '#query/desk.ts';
import { QueryEngine } from '#query/engine.ts';
import { MemorySource } from '#query/memory-twin.ts';
import { queryRoutes } from '#serve/query.ts';
import { ask, requestsFor, type Specimens, unnoticed, warmUp } from './warm-up.ts';

const NEWEST = 1_700_000_000_000;

function parts() {
  const source = new MemorySource(2);
  for (let i = 0; i < 20; i++) {
    const target = { job: 'a', instance: `i${i}` };
    for (let time = NEWEST - 7_200_000; time <= NEWEST; time += 60_000) {
      for (const [name, more] of [
        ['x_total', {}],
        ['x_bucket', { le: '+Inf' }],
        ['load', {}],
        ['"odd name', {}],
      ] as const) {
        source.add(labelsOf({ __name__: name, ...target, ...more }), time, time % 1000);
      }
    }
  }
  const engine = new QueryEngine({ source, clock: systemClock });
  const desk = new QueryDesk({ clock: systemClock, maxConcurrent: 1, maxWaiting: 1 });
  return { engine, source, routes: queryRoutes({ engine, source, desk, clock: systemClock, ready: () => true }) };
}

const named = (...names: readonly string[]): Specimens => ({
  metrics: names.map((name) => ({ name, series: 20 })),
  newest: NEWEST,
});

test('every request is answered, whatever metrics there are', async () => {
  const { routes } = parts();
  for (const specimens of [named('x_total', 'x_bucket', 'load'), named('load'), named('"odd name'), named('x_total')]) {
    const requests = requestsFor(specimens);
    assert.ok(requests.length > 20);
    for (const [pattern, query] of requests) await ask(routes, pattern, query, new AbortController().signal);
  }
});

test('large metrics are left alone', () => {
  const metrics = [
    { name: 'huge_total', series: 1e6 },
    { name: 'small_total', series: 30 },
    { name: 'huge_bucket', series: 1e6 },
  ];
  const texts = requestsFor({ metrics, newest: NEWEST }).map(([, query]) => query.toString());
  assert.ok(texts.some((text) => text.includes('small_total')));
  assert.ok(!texts.some((text) => text.includes('huge')));
  assert.deepEqual(requestsFor({ metrics: [{ name: 'huge', series: 1e6 }], newest: NEWEST }), []);
});

test('it ends at once when the server does, and with nothing to ask about', async () => {
  const common = { ...parts(), isBusy: () => true, clock: systemClock, logger: silentLogger };
  const controller = new AbortController();
  let asked = 0;
  const specimens = async () => {
    asked++;
    controller.abort();
    return named('load');
  };
  await warmUp({ ...common, specimens }, controller.signal);
  assert.equal(asked, 1);
  await warmUp({ ...common, specimens: async () => named() }, new AbortController().signal);
});

test('what it asks for does not count as asked for', async () => {
  const seen: (boolean | undefined)[] = [];
  const source = new (class extends MemorySource {
    override run(...[fragment, limits, signal]: Parameters<MemorySource['run']>): ReturnType<MemorySource['run']> {
      seen.push(fragment.unnoticed);
      return super.run(fragment, limits, signal);
    }
  })();
  await new QueryEngine({ source: unnoticed(source), clock: systemClock }).instant('load + 1', NEWEST);
  await new QueryEngine({ source, clock: systemClock }).instant('load + 1', NEWEST);
  assert.deepEqual(seen, [true, undefined]);
});
