// The file is its own worker: in a thread it serves, otherwise it tests.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { isMainThread, parentPort } from 'node:worker_threads';
import { sleep, systemClock } from './clock.ts';
import { SimClock } from './clock-sim.ts';
import { OperatingError, UserError } from './errors.ts';
import { silentLogger } from './log.ts';
import { serveApi, Thread, threadData, transferring } from './thread.ts';
import { ThreadOnDemand } from './thread-on-demand.ts';

type Api = {
  double(values: Float64Array): Float64Array;
  fail(kind: string): never;
  wait(ms: number, signal: AbortSignal): Promise<string>;
  die(): never;
  started(): number;
};

if (!isMainThread) {
  const data = await threadData<{ value: number }>();
  const api: Api = {
    double: (values) => {
      const result = values.map((v) => v * 2);
      return transferring(result, [result.buffer]);
    },
    fail(kind) {
      if (kind === 'user') throw new UserError('bad field', 'a.yml', { line: 3, column: 4 });
      if (kind === 'operating') throw new OperatingError('disk_full', 'no space');
      throw new TypeError('oops');
    },
    async wait(ms, signal) {
      await sleep(systemClock, ms, signal);
      return 'waited';
    },
    die() {
      process.exit(7);
    },
    started: () => data.value,
  };
  serveApi(parentPort!, api);
} else {
  const threads: Thread<Api>[] = [];
  after(() => Promise.all(threads.map((thread) => thread.stop())));
  let ups = 0;
  const start = async (onUp: () => void | Promise<void> = () => {}) => {
    const thread = new Thread<Api>({
      name: 'worker',
      entry: new URL(import.meta.url),
      data: { value: 42 },
      clock: systemClock,
      logger: silentLogger,
      onUp: async () => {
        ups++;
        await onUp();
      },
    });
    threads.push(thread);
    await thread.start();
    return thread;
  };

  test('calls carry values, move buffers, and bring errors back as what they were', async () => {
    const { client } = await start();
    assert.equal(await client.started(undefined), 42);
    const values = Float64Array.of(1, 2, 3);
    assert.deepEqual(await client.double(values, { transfer: [values.buffer] }), Float64Array.of(2, 4, 6));
    assert.equal(values.length, 0, 'the buffer has moved');
    await assert.rejects(
      client.fail('user'),
      (error) => error instanceof UserError && error.message === 'a.yml:3:4: bad field' && error.position?.line === 3,
    );
    await assert.rejects(
      client.fail('operating'),
      (error) => error instanceof OperatingError && error.code === 'disk_full',
    );
    await assert.rejects(client.fail('bug'), { name: 'TypeError', message: 'oops' });
  });

  test('an aborted signal ends the call on both sides', async () => {
    const { client } = await start();
    const controller = new AbortController();
    const call = client.wait(60_000, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await assert.rejects(call, /enough/);
    assert.equal(await client.wait(1), 'waited');
  });

  test('a thread that dies fails what waited, comes back, and is set up again', async () => {
    const thread = await start();
    const before = ups;
    const waiting = thread.client.wait(60_000);
    await assert.rejects(thread.client.die(undefined), { code: 'thread_down' });
    await assert.rejects(waiting, { code: 'thread_down' });
    assert.equal(thread.isUp, false);
    assert.throws(() => thread.client, { code: 'thread_down' });
    while (!thread.isUp) await sleep(systemClock, 10);
    assert.equal(await thread.client.wait(1), 'waited');
    assert.deepEqual([ups, thread.restarts], [before + 1, 1]);
  });

  test('a set-up that fails ends the thread and is tried again', async () => {
    let attempts = 0;
    const failing = start(() => {
      attempts++;
      if (attempts < 3) throw new Error('not yet');
    });
    await assert.rejects(failing, /not yet/);
    const thread = threads.at(-1)!;
    while (!thread.isUp) await sleep(systemClock, 10);
    assert.equal(attempts, 3);
  });

  test('a thread on demand starts with a call, rests without, and dies alone', async () => {
    const clock = new SimClock(0);
    const resting = new ThreadOnDemand<Api>(
      {
        name: 'resting',
        entry: new URL(import.meta.url),
        data: { value: 7 },
        clock,
        logger: silentLogger,
        onUp: () => {},
      },
      1000,
    );
    const running = () => resting.thread;
    assert.equal(running(), undefined);
    const both = await Promise.all([resting.client.started(undefined), resting.client.started(undefined)]);
    assert.deepEqual(both, [7, 7]);
    const first = (await running())!.worker!;
    const ended = new Promise((resolve) => first.once('exit', resolve));
    await clock.advance(999);
    assert.equal(await resting.client.started(undefined), 7);
    await clock.advance(999);
    assert.ok(running(), 'a call in between keeps it');
    await clock.advance(1);
    assert.equal(running(), undefined);
    await ended;
    assert.equal(await resting.client.started(undefined), 7);
    assert.notEqual((await running())!.worker, first);
    const pending = assert.rejects(resting.client.wait(60_000), { code: 'thread_down' });
    await resting.stop();
    await pending;
    await assert.rejects(resting.client.started(undefined), { code: 'thread_down' });
  });
}
