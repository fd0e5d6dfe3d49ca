// The disk queue: order, restart, death without warning at any moment, torn tails, damage, and the size limit.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import { SimDisk } from '#base/disk/sim.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { type Cursor, DiskQueue } from './queue.ts';

const OPTIONS = { maxBytes: 1 << 20, segmentBytes: 1000 };

function folder(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'remote-queue-'));
}

const open = (where: string, options = OPTIONS) => new DiskQueue(nodeDisk, where, options, silentLogger);

function put(queue: DiskQueue, text: string): number {
  const segment = queue.writingSegment;
  queue.append(Buffer.from(text), 1);
  return segment;
}

function readAll(queue: DiskQueue, from: Cursor = queue.start): { texts: string[]; end: Cursor } {
  const texts: string[] = [];
  let cursor = from;
  for (let record = queue.read(cursor); record; record = queue.read(cursor)) {
    texts.push(Buffer.from(record.bytes).toString());
    cursor = record.next;
  }
  return { texts, end: cursor };
}

test('records come back in order over segments, and again after a restart', () => {
  const where = folder();
  const queue = open(where);
  const sent = Array.from({ length: 200 }, (_, i) => `record ${i} ${'x'.repeat(i % 50)}`);
  for (const text of sent) put(queue, text);
  assert.equal(queue.pendingPoints, 200);
  assert.deepEqual(readAll(queue).texts, sent);
  // No close: the process is gone.
  const again = open(where);
  assert.equal(again.pendingPoints, 200);
  assert.deepEqual(readAll(again).texts, sent);
  put(again, 'new');
  assert.deepEqual(readAll(again).texts, [...sent, 'new']);
});

test('what is committed is not read again, and its segments go', () => {
  const where = folder();
  const queue = open(where);
  for (let i = 0; i < 100; i++) put(queue, `record ${i} ${'y'.repeat(40)}`);
  let cursor = queue.start;
  for (let i = 0; i < 77; i++) {
    const record = queue.read(cursor)!;
    cursor = record.next;
    queue.commit(cursor, 1);
  }
  queue.save();
  const again = open(where);
  assert.equal(again.pendingPoints, 23);
  assert.match(readAll(again).texts[0]!, /^record 77 /);
  assert.equal(readAll(again).texts.length, 23);
  assert.ok(fs.readdirSync(where).length < 6, fs.readdirSync(where).join());
  const names = [...again.before(again.start)].map((bytes) => Buffer.from(bytes).toString().slice(0, 9));
  assert.equal(names.at(-1), 'record 76');
});

test('a tail that was cut anywhere costs only the last record', () => {
  const seed = 99;
  const random = seeded(seed);
  for (let round = 0; round < 60; round++) {
    const where = folder();
    const queue = open(where, { ...OPTIONS, segmentBytes: 1 << 20 });
    for (let i = 0; i < 5; i++) put(queue, `record ${i}`);
    const file = path.join(where, '00000001');
    const size = fs.statSync(file).size;
    const cut = 1 + random.below(20);
    fs.truncateSync(file, size - cut);
    const again = open(where);
    assert.deepEqual(
      readAll(again).texts,
      ['record 0', 'record 1', 'record 2', 'record 3'],
      `seed ${seed} round ${round} cut ${cut}`,
    );
  }
});

test('a flipped bit is confined to its segment', () => {
  const where = folder();
  const queue = open(where, { ...OPTIONS, segmentBytes: 100 });
  for (let i = 0; i < 12; i++) put(queue, `record number ${i}`);
  const file = path.join(where, '00000002');
  const bytes = fs.readFileSync(file);
  bytes[25]! ^= 4;
  fs.writeFileSync(file, bytes);
  const again = open(where);
  const { texts } = readAll(again);
  assert.ok(texts.length >= 8 && texts.length < 12, texts.join());
  assert.equal(texts[0], 'record number 0');
  assert.equal(texts.at(-1), 'record number 11');
  assert.ok(again.lostPoints > 0);
});

test('a full queue gives up its oldest segments and says so', () => {
  const where = folder();
  const queue = open(where, { maxBytes: 5000, segmentBytes: 1000 });
  for (let i = 0; i < 300; i++) put(queue, `record ${i} ${'z'.repeat(30)}`);
  assert.ok(queue.bytes <= 5000);
  const { texts } = readAll(queue);
  assert.equal(texts.length + queue.lostPoints, 300);
  assert.equal(queue.pendingPoints, texts.length);
  assert.match(texts.at(-1)!, /^record 299 /);
});

test('a damaged position sends everything once more', () => {
  const where = folder();
  const queue = open(where);
  for (let i = 0; i < 3; i++) put(queue, `record ${i}`);
  queue.commit(queue.read(queue.start)!.next, 1);
  queue.save();
  fs.writeFileSync(path.join(where, 'position'), Buffer.alloc(20, 7));
  assert.equal(readAll(open(where)).texts.length, 3);
});

test('a power cut takes nothing that was synced, and nothing at all where every record is', async () => {
  for (const each of [true, false]) {
    const disk = new SimDisk(seeded(each ? 11 : 12));
    const options = { ...OPTIONS, syncsEach: () => each };
    const queue = new DiskQueue(disk, '/q', options, silentLogger);
    disk.syncFolder('/');
    const sent = Array.from({ length: 100 }, (_, i) => `record ${i} ${'x'.repeat(i % 50)}`);
    const synced = each ? 100 : 60;
    for (const [i, text] of sent.entries()) {
      put(queue, text);
      if (!each && i + 1 === synced) await queue.syncLater();
    }
    disk.restart(true);
    const back = readAll(new DiskQueue(disk, '/q', options, silentLogger)).texts;
    assert.deepEqual(back.slice(0, synced), sent.slice(0, synced));
    // Of the others some may be lost, but nothing comes that was not sent, and nothing twice.
    assert.deepEqual(
      back,
      [...new Set(back)].sort((a, b) => sent.indexOf(a) - sent.indexOf(b)),
    );
    assert(back.every((text) => sent.includes(text)));
  }
});

test('closing waits for a sync that is under way', async () => {
  const queue = open(folder());
  for (let i = 0; i < 100; i++) put(queue, `record ${i} ${'x'.repeat(40)}`);
  const under = queue.syncLater();
  for (let i = 0; i < 100; i++) put(queue, `more ${i} ${'x'.repeat(40)}`);
  await queue.close();
  await under;
});
