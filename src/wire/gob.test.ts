// Values of Go's gob, as its documentation encodes them, and bytes that are none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatingError } from '#base/errors.ts';
import { seeded } from '#base/random.ts';
import { decodeGob, type GobValue } from './gob.ts';

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));

/** The example of Go's documentation: `type Point struct { X, Y int }` as {22, 33}. */
const POINT =
  '1f ff81 03 01 01 05 506f696e74 01 ff82 00 01 02 01 01 58 01 04 00 01 01 59 01 04 00 00 00 07 ff82 01 2c 01 42 00';

test('a struct describes itself', () => {
  assert.deepEqual({ ...(decodeGob(bytes(POINT)) as Record<string, GobValue>) }, { X: 22, Y: 33 });
});

test('numbers and text without a description', () => {
  // The documentation: 7 is encoded as 0e, 256 as fe 0200 (twice as much for signed numbers).
  assert.equal(decodeGob(bytes('03 04 00 0e')), 7);
  assert.equal(decodeGob(bytes('05 04 00 fe 0200')), 256);
  assert.equal(decodeGob(bytes('03 04 00 01')), -1);
  assert.equal(decodeGob(bytes('05 08 00 fe 3140')), 17);
  assert.equal(decodeGob(bytes('05 0c 00 02 6869')), 'hi');
});

test('bytes that are no gob are refused, not followed', () => {
  const seed = Math.trunc(Date.now());
  const random = seeded(seed);
  const good = bytes(POINT);
  for (let i = 0; i < 3000; i++) {
    const bad = Uint8Array.from(good.subarray(0, 1 + Math.trunc(random.next() * good.length)));
    for (let k = 0; k < 3; k++) bad[Math.trunc(random.next() * bad.length)] = Math.trunc(random.next() * 256);
    try {
      decodeGob(bad);
    } catch (error) {
      assert.ok(error instanceof OperatingError && error.code === 'gob', `seed ${seed}, round ${i}: ${error}`);
    }
  }
});
