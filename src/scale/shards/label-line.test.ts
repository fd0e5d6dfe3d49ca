// What goes into the line comes out of it, over many messages and past the size at which both ends begin anew.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#base/random.ts';
import { LabelPacker, LabelUnpacker } from './label-line.ts';

test('labels come out as they went in', () => {
  const random = seeded(8);
  const [packer, unpacker] = [new LabelPacker(), new LabelUnpacker()];
  let [texts, fresh] = [0, 0];
  for (let message = 0; message < 300; message++) {
    const range = message % 50 === 49 ? 1e6 : 400;
    const sets = Array.from({ length: random.below(200) }, () =>
      Array.from({ length: 2 * random.below(6) }, () => `text ${random.below(range)}`),
    );
    const packed = structuredClone(packer.pack(sets));
    assert.deepEqual(unpacker.unpack(packed), sets);
    texts += sets.flat().length;
    fresh += packed.fresh.length;
  }
  assert.ok(fresh < texts / 5, `${fresh} of ${texts} texts were sent`);
});

test('both ends forget together', () => {
  const [packer, unpacker] = [new LabelPacker(), new LabelUnpacker()];
  const many = Array.from({ length: 60_000 }, (_, i) => ['n', String(i)]);
  const first = packer.pack(many);
  assert.deepEqual(unpacker.unpack(first), many);
  const second = packer.pack([['n', '5'], []]);
  assert.notEqual(second.table, first.table);
  assert.deepEqual(second.fresh, ['n', '5']);
  assert.deepEqual(unpacker.unpack(second), [['n', '5'], []]);
});

test('the same object comes out as the same object, until both ends begin anew', () => {
  const [packer, unpacker] = [new LabelPacker(), new LabelUnpacker()];
  const set = ['a', 'b'];
  const send = (sets: readonly string[][], once = 0) => unpacker.unpack(structuredClone(packer.pack(sets, once)));
  const [first] = send([set]);
  const [, again] = send([['group', 'x'], set], 1);
  assert.equal(again, first);
  send(Array.from({ length: 30_000 }, () => []));
  const [later] = send([set]);
  assert.deepEqual(later, set);
  assert.notEqual(later, first);
});
