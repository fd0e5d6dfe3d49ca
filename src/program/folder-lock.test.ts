import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '#base/log.ts';
import { Registry } from '#model/registry.ts';
import { lockFolder } from './folder-lock.ts';

function setUp(t: { after(fn: () => void): void }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-lock-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'lock');
  const lock = (isDisabled = false) => {
    const registry = new Registry();
    const held = lockFolder(folder, 'tsdb', isDisabled, registry, silentLogger);
    const start = registry.families().find(({ name }) => name === 'prometheus_tsdb_clean_start')?.samples[0]?.value;
    return { ...held, start };
  };
  return { folder, file, lock };
}

test('a folder has one user at a time; a goodbye leaves nothing behind', (t) => {
  const { file, lock } = setUp(t);
  const first = lock();
  assert.equal(first.start, 1);
  assert.throws(() => lock(), { code: 'locked', message: new RegExp(`process ${process.pid} uses it`) });
  assert.equal(lock(true).start, -1, 'who does not ask is not refused');
  first.release();
  assert.ok(!fs.existsSync(file));
  lock().release();
});

test('the lock of a process that was killed is replaced, also when its number is in use again', (t) => {
  const { file, lock } = setUp(t);
  const { pid } = spawnSync('true');
  for (const left of [`${pid} 12345\n`, `${process.pid} 1\n`, '']) {
    fs.writeFileSync(file, left);
    const again = lock();
    assert.equal(again.start, 0);
    again.release();
  }
});

test('a lock of the operating system counts', async (t) => {
  const { folder, file, lock } = setUp(t);
  const child = spawn('flock', ['--nonblock', file, 'sh', '-c', 'echo locked; read line'], { cwd: folder });
  await once(child.stdout, 'data');
  assert.throws(() => lock(), { code: 'locked' });
  child.stdin.end('go\n');
  await once(child, 'exit');
  lock().release();
});
