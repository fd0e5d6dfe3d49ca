// Every PromQL script: the project's own always, the public conformance data where it is at hand (PHAROS_CONFORMANCE or
// ../shared/conformance/promqltest). Each runs over one shard, over three, and with all aggregation above the shards.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { runScript, type ScriptOptions } from './run.suite.ts';

const ROOT = path.join(import.meta.dirname, '..', '..', '..');
const OWN = path.join(ROOT, 'test', 'scripts', 'promql');
const PUBLIC = [
  process.env['PHAROS_CONFORMANCE'],
  path.join(ROOT, '..', 'shared', 'conformance', 'promqltest'),
  path.join(ROOT, '..', '..', 'shared', 'conformance', 'promqltest'),
].find((folder) => folder !== undefined && fs.existsSync(folder));

const WAYS: readonly (ScriptOptions & { readonly name: string })[] = [
  { name: 'one shard', shards: 1 },
  { name: 'three shards', shards: 3 },
  { name: 'no pushdown', shards: 1, noPushdown: true },
];

async function check(folder: string, file: string): Promise<void> {
  const text = fs.readFileSync(path.join(folder, file), 'utf8');
  for (const way of WAYS) {
    const { evals, failures } = await runScript(text, way);
    assert.ok(evals > 0, `${file} evaluates nothing`);
    const shown = failures.map(({ line, expr, message }) => `${file}:${line} (${way.name}) ${expr}\n    ${message}`);
    assert.equal(failures.length, 0, shown.slice(0, 10).join('\n'));
  }
}

for (const file of fs.readdirSync(OWN).sort()) test(`own script ${file}`, () => check(OWN, file));

if (PUBLIC === undefined) {
  test('public conformance scripts', (t) => t.skip('the folder promqltest is not at hand; set PHAROS_CONFORMANCE'));
} else {
  for (const file of fs
    .readdirSync(PUBLIC)
    .filter((name) => name.endsWith('.test'))
    .sort()) {
    test(`conformance script ${file}`, () => check(PUBLIC, file));
  }
}
