import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { SimDisk } from '#base/disk/sim.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { Journal } from './journal.ts';

test('a journal survives a torn line and a damaged one', (t) => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-journal-')), 'x.journal');
  t.after(() => fs.rmSync(path.dirname(file), { recursive: true }));
  const open = () => new Journal<number>(file, nodeDisk, new SimClock(), silentLogger);
  const journal = open();
  for (let i = 0; i < 5; i++) journal.set(`k${i}`, i);
  journal.delete('k1');
  journal.close();
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  lines[2] = lines[2]!.replace('k2', 'k9');
  fs.writeFileSync(file, `${lines.join('\n')}0badc0de ["k7",`);
  const again = open();
  const expected = [
    ['k0', 0],
    ['k3', 3],
    ['k4', 4],
  ];
  assert.deepEqual([[...again.entries()], again.damaged], [expected, 1]);
});

type Value = { readonly text: string; readonly count: number };

test('a file that is rewritten while it changes stays small, and a crash loses nothing that was synced', async () => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9));
  console.log(`SEED=${seed}`);
  const random = seeded(seed);
  for (let round = 0; round < 10; round++) {
    const disk = new SimDisk(random);
    disk.makeFolder('/d');
    const clock = new SimClock();
    const open = () => new Journal<Value>('/d/x.journal', disk, clock, silentLogger);
    const text = 'x'.repeat(4000);
    let journal = open();
    /** What the journal held after each change. */
    const history: Map<string, Value>[] = [new Map()];
    const powerCut = random.next() < 0.5;
    disk.crashAt(20 + random.below(3000));
    let synced = 0;
    try {
      for (let i = 0; i < 2000; i++) {
        const now = new Map(history.at(-1));
        const key = `k${random.below(150)}`;
        const known = now.get(key);
        if (random.next() < 0.1) {
          now.delete(key);
          history.push(now);
          journal.delete(key);
        } else if (known && random.next() < 0.4) {
          const value = { ...known, count: i };
          history.push(now.set(key, value));
          journal.patch([{ key, value, patch: { count: i } }]);
        } else {
          const value = { text: `${i}${text}`, count: i };
          history.push(now.set(key, value));
          journal.set(key, value);
        }
        // Old states are not needed: a sync covers them.
        if (random.next() < 0.2) await clock.advance(random.below(40));
        if (random.next() < 0.01) {
          await clock.advance(1001);
          if (!disk.crashed) synced = history.length - 1;
        }
        if (!disk.crashed) assert.ok(journal.sizeBytes < 6e6, `${journal.sizeBytes} bytes for 150 keys`);
      }
    } catch (error) {
      if (!disk.crashed) throw error;
    }
    disk.restart(powerCut);
    journal = open();
    const found = new Map(journal.entries());
    // A power cut may take any of the lines since the last sync, a killed process only the one it was writing.
    const states = history.slice(powerCut ? synced : Math.max(0, history.length - 2));
    for (const key of new Set([...found.keys(), ...states.flatMap((state) => [...state.keys()])])) {
      const value = found.get(key);
      const fits = states.some((state) => state.get(key)?.text === value?.text);
      const counts = states.some((state) => state.get(key)?.count === value?.count);
      assert.ok(
        fits && counts,
        `round ${round}, powerCut ${powerCut}: ${key} is ${value?.text.slice(0, 6)}, ${value?.count}`,
      );
    }
    journal.close();
  }
});
