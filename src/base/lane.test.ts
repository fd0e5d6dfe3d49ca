import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { OperatingError } from './errors.ts';
import { Lane, type LaneServer, newLane } from './lane.ts';
import { seeded } from './random.ts';

const lanes: Lane[] = [];
after(() => {
  for (const lane of lanes) lane.close(new OperatingError('closed', 'the test is over'));
});

const nothing: LaneServer = () => Promise.resolve(undefined);

function lay(serve: LaneServer, ring = 4096, back = ring): [Lane, Lane] {
  const [near, far] = newLane(ring, back);
  const pair: [Lane, Lane] = [new Lane(near, nothing), new Lane(far, serve)];
  lanes.push(...pair);
  return pair;
}

test('questions of any size are answered each with its own answer, whether they fit into the ring or not', async () => {
  const seed = 20_261_121;
  const random = seeded(seed);
  let most = 0;
  let open = 0;
  const [asking] = lay(async (kind, bytes) => {
    const own = bytes.slice();
    most = Math.max(most, ++open);
    if (random.below(3) === 0) await new Promise((resolve) => setImmediate(resolve));
    open--;
    return kind === 1 ? undefined : own.reverse();
  });
  for (let round = 0; round < 40; round++) {
    const sent = Array.from({ length: random.below(30) + 1 }, () => {
      const whole = random.bytes(random.below(random.below(10) === 0 ? 6000 : 400) + 8);
      return whole.subarray(random.below(8));
    });
    const answers = await Promise.all(sent.map((bytes, i) => asking.ask(i % 4 === 0 ? 1 : 2, bytes)));
    answers.forEach((answer, i) => {
      assert.deepEqual(answer, i % 4 === 0 ? undefined : sent[i]!.slice().reverse(), `seed ${seed}`);
    });
  }
  assert.ok(most > 1, 'several were under way at once');
});

test('an error comes back with its code; one thrown before anything was awaited too', async () => {
  const [asking] = lay((kind) => {
    if (kind === 1) throw new OperatingError('at_once', 'cannot begin');
    return Promise.reject(kind === 2 ? new OperatingError('later', 'cannot end') : new TypeError('oops'));
  });
  const none = new Uint8Array(0);
  const codeOf = (code: string) => (error: unknown) => error instanceof OperatingError && error.code === code;
  await assert.rejects(asking.ask(1, none), codeOf('at_once'));
  await assert.rejects(asking.ask(2, none), codeOf('later'));
  await assert.rejects(asking.ask(3, none), { message: 'oops' });
});

test('who waits hears that the other side has ended, and so does who asks afterwards', async () => {
  let asked = () => {};
  const begun = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const [asking, serving] = lay(() => {
    asked();
    return new Promise(() => {});
  });
  const answer = asking.ask(1, new Uint8Array(3));
  const failed = assert.rejects(answer, (error) => error instanceof OperatingError && error.code === 'thread_down');
  await begun;
  serving.close(new OperatingError('closed', 'enough'));
  await failed;
  await assert.rejects(asking.ask(1, new Uint8Array(3)), OperatingError);
});

test('many questions in one turn leave room for other events', async () => {
  let served = 0;
  const [asking] = lay(async () => {
    served++;
    return undefined;
  }, 64 * 1024);
  const before: number[] = [];
  const answers = Array.from({ length: 500 }, () => asking.ask(1, new Uint8Array(16)));
  while (served < 500) {
    await new Promise((resolve) => setImmediate(resolve));
    before.push(served);
  }
  await Promise.all(answers);
  assert.ok(before.some((count) => count > 0 && count < 500));
});
