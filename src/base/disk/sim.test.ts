import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../random.ts';
import { replaceFile } from './durable.ts';
import { SimDisk } from './sim.ts';

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (value: string) => new TextEncoder().encode(value);

test('a killed process loses nothing it wrote, a power cut only what was not synced', () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const disk = new SimDisk(seeded(seed));
    disk.makeFolder('/data');
    const file = disk.open('/data/a', 'create');
    file.write(bytes('certain '));
    file.sync();
    disk.syncFolder('/data');
    file.write(bytes('perhaps'));
    disk.restart(seed % 2 === 0);
    const found = text(disk.readFile('/data/a'));
    if (seed % 2 === 1) assert.equal(found, 'certain perhaps');
    else {
      assert.ok(found.startsWith('certain '), found);
      seen.add(found);
    }
    assert.throws(() => file.write(bytes('ghost')), /its process is gone/);
  }
  assert.ok(seen.has('certain ') && seen.has('certain perhaps') && seen.size > 4, `${seen.size} outcomes`);
});

test('a replaced file is the old one or the new one, whole, wherever the machine goes down', () => {
  const outcomes = new Map<string, number>();
  for (let seed = 0; seed < 300; seed++) {
    const disk = new SimDisk(seeded(seed));
    disk.makeFolder('/data');
    replaceFile(disk, '/data/file', bytes('old'));
    disk.crashAt(disk.calls + 1 + (seed % 7));
    try {
      replaceFile(disk, '/data/file', bytes('something new'));
    } catch (error) {
      assert.match(String(error), /machine goes down|machine is down/);
    }
    disk.restart(true);
    const found = text(disk.readFile('/data/file'));
    outcomes.set(found, (outcomes.get(found) ?? 0) + 1);
  }
  assert.deepEqual([...outcomes.keys()].sort(), ['old', 'something new']);
});

test('a full disk writes what fits and says so; reads fail on command', () => {
  const disk = new SimDisk(seeded(1));
  disk.makeFolder('/d');
  const file = disk.open('/d/a', 'create');
  disk.faults.capacityBytes = 5;
  assert.throws(() => file.write(bytes('more than fits')), { code: 'ENOSPC' });
  assert.equal(text(disk.readFile('/d/a')), 'more ');
  assert.equal(disk.space().freeBytes, 0);
  disk.faults.unreadable = '/d/';
  assert.throws(() => disk.readFile('/d/a'), { code: 'EIO' });
});
