import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#base/random.ts';
import { newMemory } from '../shard-twin.ts';
import { HeadMemory } from './kernel.ts';

test('blocks never overlap, come back, and what is left of a region is used', () => {
  const seed = 77;
  const random = seeded(seed);
  const shard = newMemory();
  const head = new HeadMemory(shard);
  const { kernel } = head;
  const blocks: { address: number; bytes: number; mark: number }[] = [];
  const check = ({ address, bytes, mark }: (typeof blocks)[number]) => {
    const u8 = shard.u8;
    for (const at of [0, bytes >> 1, bytes - 1]) assert.equal(u8[address + at], mark, `seed ${seed}`);
  };
  for (let turn = 0; turn < 20_000; turn++) {
    // Others take regions of the same memory, so that the arena does not stay in one piece.
    if (turn % 500 === 0) shard.region(1000 + random.below(100_000));
    if (blocks.length > 0 && random.below(100) < 45) {
      const [block] = blocks.splice(random.below(blocks.length), 1);
      check(block!);
      kernel.slabRelease(block!.address, block!.bytes);
      continue;
    }
    const bytes = 1 + (random.below(20) === 0 ? random.below(60_000) : random.below(700));
    head.ahead(bytes * 2);
    const address = kernel.slabAlloc(bytes) >>> 0;
    const mark = random.below(256);
    shard.u8.fill(mark, address, address + bytes);
    blocks.push({ address, bytes, mark });
  }
  for (const block of blocks) check(block);
  const live = blocks.reduce((total, { bytes }) => total + bytes, 0);
  assert.ok(head.arenaBytes < live * 4 + 16 * 2 ** 20, `${head.arenaBytes} bytes for ${live}`);
});

test('what large blocks leave is used for small ones', () => {
  const head = new HeadMemory(newMemory());
  const { kernel } = head;
  const large = Array.from({ length: 40 }, (_, i) => {
    const bytes = 100_000 + i * 40_000;
    head.ahead(bytes);
    return { address: kernel.slabAlloc(bytes) >>> 0, bytes };
  });
  const before = head.arenaBytes;
  for (const { address, bytes } of large) kernel.slabRelease(address, bytes);
  const total = large.reduce((sum, { bytes }) => sum + bytes, 0);
  const small = new Set<number>();
  for (let used = 0; used < total; used += 64) small.add(kernel.slabAlloc(64) >>> 0);
  assert.equal(small.size, Math.ceil(total / 64));
  assert.equal(head.arenaBytes, before);
});
