import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeEach, test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import { StoredRules } from './stored.ts';

let folder: string;
let rules: StoredRules;
beforeEach((t) => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-stored-'));
  rules = new StoredRules(nodeDisk, folder);
  (t as { after?: (f: () => void) => void }).after?.(() => fs.rmSync(folder, { recursive: true }));
});

const group = (name: string, expr: string) => `name: ${name}\nrules:\n- {record: "${name}:r", expr: "${expr}"}\n`;
const names = () => rules.groups().map((g) => `${g.namespace}/${g.name}@${g.version}`);

test('groups are added, replaced in place and removed, each change a version', () => {
  rules.put('team', group('a', '1'));
  rules.put('team', group('b', '2'));
  rules.put('other/ns', JSON.stringify({ name: 'c', rules: [{ alert: 'X', expr: 'up == 0' }] }));
  assert.deepEqual(rules.put('team', group('a', '3')), { version: 3, name: 'a' });
  assert.deepEqual(names(), ['other/ns/c@1', 'team/a@3', 'team/b@3']);
  assert.deepEqual(
    rules.configs().map((c) => [c.name, c.rules.length]),
    [
      ['c', 1],
      ['a', 1],
      ['b', 1],
    ],
  );
  assert.equal(rules.remove('team', 'a'), true);
  assert.equal(rules.remove('team', 'nope'), false);
  assert.deepEqual(names(), ['other/ns/c@1', 'team/b@4']);
  assert.deepEqual(
    rules.history('team').map((v) => v.version),
    [4, 3, 2, 1],
  );
  assert.equal(rules.restore('team', 2), 5);
  assert.deepEqual(names(), ['other/ns/c@1', 'team/a@5', 'team/b@5']);
  assert.match(rules.groups('team')[0]!.text, /expr: "?1/);
  rules.remove('team', 'a');
  rules.remove('team', 'b');
  assert.deepEqual(rules.namespaces(), ['other/ns']);
});

test('what is invalid, or not what the caller has seen, changes nothing', () => {
  rules.put('team', group('a', '1'));
  assert.throws(() => rules.put('team', group('b', 'sum(')), /group "b", rule 1, "b:r": could not parse expression/);
  assert.throws(() => rules.put('team', 'name: ['), /yaml/);
  assert.throws(() => rules.put('team', '5'), /expected a group of rules/);
  assert.throws(() => rules.put('team', 'groups: []'), /expected exactly one group/);
  assert.throws(() => rules.put('..', group('a', '1')), /invalid namespace/);
  assert.throws(() => rules.put('team', group('b', '1'), { name: 'c' }), /the group that was sent is b/);
  assert.throws(() => rules.put('team', group('a', '2'), { version: 0 }), /it is at version 1, not 0/);
  assert.throws(() => rules.restore('team', 7), /version 7 is not kept/);
  assert.deepEqual(names(), ['team/a@1']);
});
