// Column memory that is used again: nothing is handed out twice, foreign and small arrays are left alone, sizes do not mix.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ColumnBuffers } from './columns.ts';

test('what was given back is handed out again, what is out is not', () => {
  const buffers = new ColumnBuffers();
  const first = buffers.take(5000);
  assert.equal(first.length, 5000);
  const second = buffers.take(5000);
  assert.notEqual(first.buffer, second.buffer);
  buffers.giveBack({ refs: first.subarray(0, 10) });
  const third = buffers.take(4500);
  assert.equal(third.buffer, first.buffer);
  assert.equal(third.length, 4500);
  assert.notEqual(buffers.take(5000).buffer, first.buffer);
});

test('giving back twice, or what came from elsewhere, changes nothing', () => {
  const buffers = new ColumnBuffers();
  const mine = buffers.take(5000);
  buffers.giveBack({ refs: mine });
  buffers.giveBack({ refs: mine });
  buffers.giveBack({ refs: new Float64Array(5000) });
  buffers.giveBack({ refs: new Float64Array(new SharedArrayBuffer(65_536)) });
  assert.equal(buffers.take(5000).buffer, mine.buffer);
  assert.notEqual(buffers.take(5000).buffer, mine.buffer);
});

test('few numbers are ordinary arrays of zeros', () => {
  const few = new ColumnBuffers().take(3);
  assert.ok(few.buffer instanceof ArrayBuffer);
  assert.deepEqual([...few], [0, 0, 0]);
});
