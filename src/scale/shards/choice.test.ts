import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShardChoice } from './choice.ts';

const allUp = () => true;

test('connections are spread and then stay', () => {
  const choice = new ShardChoice(3);
  const connections = Array.from({ length: 6 }, () => ({}));
  const first = connections.map((connection) => choice.choose(allUp, connection));
  assert.deepEqual(first, [0, 1, 2, 0, 1, 2]);
  for (const i of [5, 0, 3, 3, 1]) assert.equal(choice.choose(allUp, connections[i]), first[i]);
});

test('requests without a connection go round', () => {
  const choice = new ShardChoice(2);
  assert.deepEqual(
    Array.from({ length: 4 }, () => choice.choose(allUp, undefined)),
    [0, 1, 0, 1],
  );
});

test('a connection leaves a shard that has more to do, or that is down', async () => {
  const choice = new ShardChoice(2);
  const connection = {};
  assert.equal(choice.choose(allUp, connection), 0);
  const ends: (() => void)[] = [];
  const works = Array.from({ length: 3 }, () =>
    choice.during(0, () => new Promise<void>((resolve) => ends.push(resolve))),
  );
  assert.equal(choice.choose(allUp, connection), 1);
  for (const end of ends) end();
  await Promise.all(works);
  assert.equal(choice.choose(allUp, connection), 1, 'and stays where it went');
  assert.equal(
    choice.choose((shard) => shard === 0, connection),
    0,
  );
  assert.equal(
    choice.choose(() => false, connection),
    -1,
  );
});
