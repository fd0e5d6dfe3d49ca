import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { Library } from './library.ts';
import { type Dashboard, SCHEMA } from './model.ts';

function library() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-library-'));
  const shipped = path.join(folder, 'shipped');
  fs.mkdirSync(shipped);
  const made: Dashboard = { schema: SCHEMA, uid: 'host', title: { en: 'Host', zh: '主机' }, panels: [] };
  fs.writeFileSync(path.join(shipped, 'host.json'), JSON.stringify(made));
  fs.writeFileSync(path.join(shipped, 'broken.json'), '{');
  const provisioned = path.join(folder, 'provisioned');
  fs.mkdirSync(provisioned);
  fs.writeFileSync(
    path.join(provisioned, 'g.json'),
    JSON.stringify({ uid: 'from-grafana', title: 'G', schemaVersion: 30, panels: [] }),
  );
  const open = () =>
    new Library({
      folder: path.join(folder, 'saved'),
      shipped,
      provisioned: [provisioned],
      disk: nodeDisk,
      clock: systemClock,
      logger: silentLogger,
    });
  return { made, open, close: () => fs.rmSync(folder, { recursive: true }) };
}

test('a saved dashboard hides the shipped one, has versions, and survives a restart', () => {
  const { made, open, close } = library();
  let shelf = open();
  assert.deepEqual(
    shelf.list().map((entry) => [entry.uid, entry.origin]),
    [
      ['from-grafana', 'provisioned'],
      ['host', 'shipped'],
    ],
  );
  shelf.save({ ...made, title: 'Mine' }, undefined, 'first');
  shelf.save({ ...made, title: 'Mine again' }, 1, 'second');
  shelf = open();
  assert.deepEqual(
    {
      title: shelf.get('host')?.dashboard.title,
      version: shelf.get('host')?.version,
      origin: shelf.get('host')?.origin,
    },
    { title: 'Mine again', version: 2, origin: 'saved' },
  );
  assert.deepEqual(
    shelf.versions('host').map((one) => [one.version, one.message]),
    [
      [2, 'second'],
      [1, 'first'],
    ],
  );
  assert.equal(shelf.version('host', 1)?.dashboard.title, 'Mine');
  assert.throws(() => shelf.save(made, 1, 'late'), /it is at version 2, this change was made to version 1/);
  assert.equal(shelf.delete('host'), true);
  assert.equal(shelf.get('host')?.origin, 'shipped');
  assert.equal(shelf.delete('host'), false);
  assert.equal(shelf.get('../../etc/passwd'), undefined);
  close();
});
