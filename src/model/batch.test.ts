import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generationOfRef, MAX_SHARDS, seriesRef, shardOfRef, slotOfRef } from './batch.ts';

test('a series ref holds shard, generation and slot exactly', () => {
  for (const shard of [0, 1, MAX_SHARDS - 1]) {
    for (const generation of [0, 1, 32_767]) {
      for (const slot of [0, 1, 2 ** 32 - 1]) {
        const ref = seriesRef(shard, generation, slot);
        assert.ok(Number.isSafeInteger(ref));
        assert.deepEqual([shardOfRef(ref), generationOfRef(ref), slotOfRef(ref)], [shard, generation, slot]);
      }
    }
  }
});
