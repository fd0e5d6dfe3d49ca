// Every text of the pages has its place in web/texts.ts, in Chinese as well, and none lies there for nothing.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { SINGULARS, TEXTS } from '../web/texts.ts';

test('texts are complete', () => {
  const tool = path.join(import.meta.dirname, '..', 'tools', 'web-texts.ts');
  const result = spawnSync(process.execPath, [tool], { encoding: 'utf8' });
  assert.equal(result.stdout, '');
  assert.equal(result.status, 0, result.stderr);
});

test('values named in English are named in Chinese', () => {
  const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
  for (const [english, chinese] of Object.entries(TEXTS)) assert.deepEqual(names(chinese), names(english), english);
});

test('one of a thing is said in the singular', () => {
  for (const [many, one] of Object.entries(SINGULARS)) {
    assert.ok(many in TEXTS && many.includes('{n}'), many);
    assert.notEqual(one, many);
  }
});
