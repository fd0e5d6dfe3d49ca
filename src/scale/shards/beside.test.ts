// What caches are told where servers are read from remotely, and after they are not any more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import type { RemoteReadConfig } from '#collect/read/config.ts';
import { ChangeBoard } from '#model/board.ts';
import { merging } from '#query/shard/merge.ts';
import { SourceWithRemotes } from './beside.ts';
import { ShardedSource } from './source.ts';

test('results that other servers took part in are no answer once those are gone', async () => {
  const board = new ChangeBoard();
  board.begin(7);
  board.publish(8, 1000, true, { min: 0, max: 2000 });
  let reads: readonly RemoteReadConfig[] = [];
  const own = new ShardedSource(() => [], merging(systemClock), [board]);
  const source = new SourceWithRemotes(
    own,
    () => [],
    () => reads,
    0,
  );
  const first = await source.changes(undefined);
  assert.equal((await source.changes(first.marks)).min, Infinity);
  reads = [{ name: 'a' } as RemoteReadConfig];
  const withOthers = await source.changes(first.marks);
  assert.equal(withOthers.min, -Infinity);
  assert.equal((await source.changes(withOthers.marks)).min, -Infinity);
  reads = [];
  const without = await source.changes(withOthers.marks);
  assert.equal(without.min, -Infinity);
  assert.equal((await source.changes(without.marks)).min, Infinity);
});
