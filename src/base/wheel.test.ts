// The wheel on a simulated clock: order, grid, cancelling, and how many timers of the system it takes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from './clock-sim.ts';
import { seeded } from './random.ts';
import { stepOf, Wheel } from './wheel.ts';

test('steps are at most a twentieth of the delay and divide each other', () => {
  assert.deepEqual([15_000, 1000, 999, 200, 100, 40, 10, 0].map(stepOf), [50, 50, 10, 10, 5, 1, 1, 1]);
});

test('callbacks come in order, never early by more than a millisecond, late by at most a twentieth', async () => {
  const seed = 11;
  const random = seeded(seed);
  const clock = new SimClock(1_000_003);
  const wheel = new Wheel(clock);
  const ran: number[] = [];
  let expected = 0;
  const plan = () => {
    const delay = random.below(20_000);
    const from = clock.now();
    expected++;
    wheel.after(delay, () => {
      const took = clock.now() - from;
      assert.ok(took >= delay - 1 && took <= delay + Math.max(1, delay / 20), `seed ${seed}: ${took} for ${delay}`);
      ran.push(clock.now());
      if (random.below(2) === 0) plan();
    });
  };
  for (let i = 0; i < 500; i++) plan();
  await clock.advance(20_100);
  assert.ok(clock.pending <= 1, 'one timer of the system at a time');
  await clock.advance(400_000);
  assert.equal(ran.length, expected);
  assert.deepEqual(
    ran,
    [...ran].sort((a, b) => a - b),
  );
  assert.deepEqual([wheel.pending, clock.pending], [0, 0]);
});

test('what is cancelled does not run and does not wake anybody', async () => {
  const clock = new SimClock(0);
  const wheel = new Wheel(clock);
  let runs = 0;
  const timers = Array.from({ length: 100 }, (_, i) => wheel.after(1000 + i * 50, () => runs++));
  for (const timer of timers.slice(1)) timer.cancel();
  timers[5]!.cancel();
  await clock.advance(1000);
  assert.deepEqual([runs, clock.pending, wheel.pending], [1, 0, 0]);
  wheel.after(10, () => {
    runs++;
    wheel.after(0, () => runs++);
    throw new Error('a callback that fails');
  });
  wheel.after(10, () => runs++);
  await assert.rejects(clock.advance(20), /a callback that fails/);
  await clock.advance(20);
  assert.deepEqual([runs, wheel.pending], [4, 0], 'others run after one that failed');
});

test('setting the wall clock moves nothing', async () => {
  const clock = new SimClock(5000);
  let offset = 0;
  const wheel = new Wheel({
    now: () => clock.now() + offset,
    monotonic: () => clock.monotonic(),
    after: (ms, callback) => clock.after(ms, callback),
  });
  let ran = 0;
  wheel.at(wheel.steady() + 100, () => ran++);
  offset = 1e6;
  await clock.advance(99);
  assert.equal(ran, 0);
  await clock.advance(1);
  assert.equal(ran, 1);
});
