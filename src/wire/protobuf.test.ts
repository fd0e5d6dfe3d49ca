// The wire format against known encodings, round trips, and truncation at every byte.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtoReader, ProtoWriter, tagOf, VARINT } from './protobuf.ts';

test('known encodings', () => {
  const writer = new ProtoWriter(1);
  writer.varint(1, 150);
  writer.string(2, 'testing');
  assert.deepEqual([...writer.finish()], [0x08, 0x96, 0x01, 0x12, 7, ...new TextEncoder().encode('testing')]);
});

test('numbers come back', () => {
  const numbers = [
    0,
    1,
    127,
    128,
    16_383,
    16_384,
    2 ** 31,
    2 ** 32,
    2 ** 35 - 1,
    2 ** 42,
    1_700_000_000_000,
    2 ** 53 - 1,
  ];
  for (const value of numbers.flatMap((n) => [n, -n])) {
    const writer = new ProtoWriter();
    writer.rawVarint(value);
    if (value < 0) assert.equal(writer.pos, 10);
    writer.rawSint(value);
    const reader = new ProtoReader(writer.finish());
    assert.equal(reader.int64(), value === 0 ? 0 : value);
    assert.equal(reader.sint64(), value === 0 ? 0 : value);
    assert.equal(reader.more(), false);
  }
});

test('NaN bits stay', () => {
  const writer = new ProtoWriter();
  writer.words(1, 2, 0x7ff00000);
  const words = new Uint32Array(2);
  const reader = new ProtoReader(writer.finish());
  assert.equal(reader.tag(), tagOf(1, 1));
  reader.words(words, 0);
  assert.deepEqual([...words], [2, 0x7ff00000]);
});

test('nested messages of any length', () => {
  for (const length of [0, 5, 127, 128, 20_000]) {
    const writer = new ProtoWriter(8);
    const outer = writer.begin(3);
    const inner = writer.begin(4);
    writer.text(1, 'é'.repeat(length));
    writer.end(inner);
    writer.varint(5, 7);
    writer.end(outer);
    const reader = new ProtoReader(writer.finish());
    assert.equal(reader.tag() >>> 3, 3);
    const a = reader.open();
    assert.equal(reader.tag() >>> 3, 4);
    const b = reader.open();
    assert.equal(reader.tag() >>> 3, 1);
    assert.equal(reader.string(), 'é'.repeat(length));
    reader.close(b);
    assert.equal(reader.tag(), tagOf(5, VARINT));
    assert.equal(reader.uint64(), 7);
    reader.close(a);
    assert.equal(reader.more(), false);
  }
});

test('unknown fields are stepped over, groups too', () => {
  const bytes = Uint8Array.from([0x0b, 0x10, 1, 0x0c, 0x18, 5]);
  const reader = new ProtoReader(bytes);
  reader.skip(reader.tag());
  assert.equal(reader.tag() >>> 3, 3);
  assert.equal(reader.uint64(), 5);
});

test('what is cut off or lies is refused', () => {
  const refused = (bytes: number[], reason: RegExp) => {
    const reader = new ProtoReader(Uint8Array.from(bytes));
    assert.throws(() => {
      while (reader.more()) reader.skip(reader.tag());
    }, reason);
  };
  refused([0x08], /cut off/);
  refused([0x08, ...new Array(11).fill(0x80)], /longer than ten bytes/);
  refused([0x12, 5, 1, 2], /5 bytes runs over/);
  refused([0x09, 1, 2, 3], /8 bytes are missing/);
  refused([0x0d, 1], /4 bytes are missing/);
  refused([0x00, 1], /field number 0/);
  refused([0x0e, 1], /wire type 6/);
  refused(new Array(100).fill(0x0b), /nested deeper/);
});
