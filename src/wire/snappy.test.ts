// The block codec against itself, hand-made blocks of every tag, and damage of every kind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#base/random.ts';
import { snappyDecode, snappyEncode, snappyHeader, snappyMaxEncoded } from './snappy.ts';

const LIMIT = 1 << 24;
const ascii = (text: string) => new TextEncoder().encode(text);
const bytes = (...parts: (number | string)[]) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...ascii(part)])));

test('decodes every kind of tag', () => {
  assert.deepEqual(snappyDecode(bytes(0), LIMIT), bytes());
  assert.deepEqual(snappyDecode(bytes(3, 2 << 2, 'abc'), LIMIT), ascii('abc'));
  assert.deepEqual(snappyDecode(bytes(3, 60 << 2, 2, 'abc'), LIMIT), ascii('abc'));
  assert.deepEqual(snappyDecode(bytes(3, 61 << 2, 2, 0, 'abc'), LIMIT), ascii('abc'));
  assert.deepEqual(snappyDecode(bytes(3, 62 << 2, 2, 0, 0, 'abc'), LIMIT), ascii('abc'));
  assert.deepEqual(snappyDecode(bytes(3, 63 << 2, 2, 0, 0, 0, 'abc'), LIMIT), ascii('abc'));
  assert.deepEqual(snappyDecode(bytes(8, 3 << 2, 'abcd', 1, 4), LIMIT), ascii('abcdabcd'), 'copy, 1-byte distance');
  assert.deepEqual(snappyDecode(bytes(6, 3 << 2, 'abcd', 2 | (1 << 2), 3, 0), LIMIT), ascii('abcdbc'));
  assert.deepEqual(snappyDecode(bytes(6, 3 << 2, 'abcd', 3 | (1 << 2), 3, 0, 0, 0), LIMIT), ascii('abcdbc'));
  assert.deepEqual(snappyDecode(bytes(11, 0, 'x', 2 | (9 << 2), 1, 0), LIMIT), ascii('x'.repeat(11)), 'overlap');
});

test('refuses damage with the reason', () => {
  const refused = (block: Uint8Array, reason: RegExp) => assert.throws(() => snappyDecode(block, LIMIT), reason);
  refused(bytes(), /length is cut off/);
  refused(bytes(0x80, 0x80, 0x80, 0x80, 0x10), /does not fit into 32 bits/);
  refused(bytes(0x80, 0x80, 0x80, 0x80, 0x80, 1), /does not fit into 32 bits/);
  refused(bytes(4, 3 << 2, 'abc'), /literal at byte 2 is cut off/);
  refused(bytes(2, 2 << 2, 'abc'), /runs over the announced 2 bytes/);
  refused(bytes(4, 2 << 2, 'abc'), /announces 4 bytes and holds 3/);
  refused(bytes(8, 3 << 2, 'abcd', 1, 5), /reaches back 5 of 4/);
  refused(bytes(8, 3 << 2, 'abcd', 1, 0), /reaches back 0/);
  refused(bytes(6, 3 << 2, 'abcd', 1, 4), /copy before byte 8 runs over/);
  refused(bytes(8, 3 << 2, 'abcd', 3, 1, 0), /copy at byte 7 is cut off/);
  refused(bytes(8, 61 << 2, 1), /literal's length at byte 2 is cut off/);
});

test('a bomb costs no memory', () => {
  assert.throws(
    () => snappyDecode(bytes(0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'x'), LIMIT),
    /announces 4294967295 bytes, allowed/,
  );
  assert.throws(() => snappyDecode(bytes(0x80, 0x80, 0x40, 0, 'x'), LIMIT), /cannot hold/);
});

test('what is encoded decodes to itself', () => {
  const seed = 20_261_121;
  const random = seeded(seed);
  for (let round = 0; round < 300; round++) {
    const length = random.below(round % 10 === 0 ? 300_000 : 3000);
    const letters = 1 + random.below(round % 3 === 0 ? 255 : 6);
    const input = Uint8Array.from({ length }, () => random.below(letters));
    if (length > 100 && round % 2 === 0) input.copyWithin(length >> 1, 0, length >> 2);
    const block = snappyEncode(input);
    assert.ok(block.length <= snappyMaxEncoded(length), `seed ${seed} round ${round}: ${block.length}`);
    assert.equal(snappyHeader(block).length, length);
    assert.deepEqual(Buffer.from(snappyDecode(block, LIMIT)).compare(input), 0, `seed ${seed} round ${round}`);
  }
});

test('repetition is found', () => {
  const line = ascii('http_requests_total{method="GET",path="/index.html"}');
  const input = new Uint8Array(line.length * 1000);
  for (let i = 0; i < 1000; i++) input.set(line, i * line.length);
  const block = snappyEncode(input);
  assert.ok(block.length < input.length / 15, `${block.length} of ${input.length}`);
});

test('decoding inside a larger buffer', () => {
  const block = snappyEncode(ascii('hello hello hello hello'));
  const padded = new Uint8Array(block.length + 7);
  padded.set(block, 3);
  assert.deepEqual(snappyDecode(padded, LIMIT, 3, 3 + block.length), ascii('hello hello hello hello'));
});
