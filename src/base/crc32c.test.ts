import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from './crc32c.ts';
import { seeded } from './random.ts';

/** Bit by bit, as the polynomial is defined. */
function reference(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test('the published check value', () => {
  assert.equal(crc32c(new TextEncoder().encode('123456789')), 0xe3069283);
});

test('equals the definition on random bytes, whole and in parts', () => {
  const random = seeded(7);
  for (let length = 0; length < 70; length++) {
    const bytes = random.bytes(length);
    assert.equal(crc32c(bytes), reference(bytes));
    const cut = random.below(length + 1);
    assert.equal(crc32c(bytes, cut, length, crc32c(bytes, 0, cut)), reference(bytes));
  }
});
