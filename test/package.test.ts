// What is published runs: compiled sources, kernels and pages, without the checkout.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const ROOT = path.join(import.meta.dirname, '..');

test('the built package runs outside the checkout', async (t) => {
  const folder = temporaryFolder(t);
  execFileSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', path.join(ROOT, 'tools', 'build.ts'), path.join(folder, 'dist')],
    { stdio: 'pipe' },
  );
  for (const name of ['package.json', 'deploy'])
    fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  fs.cpSync(path.join(ROOT, 'build', 'kernel'), path.join(folder, 'build', 'kernel'), { recursive: true });
  fs.cpSync(path.join(ROOT, 'build', 'web'), path.join(folder, 'build', 'web'), { recursive: true });
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  const main = path.join(folder, 'dist', 'program', 'main.js');
  assert.equal(fs.statSync(main).mode & 0o111, 0o111, 'the command is executable');
  assert.match(execFileSync(process.execPath, [main, '--version'], { encoding: 'utf8' }), /^pharos, version /);
  const port = await freePort();
  const server = start(
    t,
    process.execPath,
    [main, 'up', `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`],
    { cwd: folder },
  );
  await eventually('it is ready', () => get(`http://127.0.0.1:${port}/-/ready`));
  assert.match((await get(`http://127.0.0.1:${port}/`)) ?? '', /<!doctype html>/i);
  const answer = JSON.parse((await get(`http://127.0.0.1:${port}/api/v1/query?query=1%2B1`)) ?? '{}') as {
    data: { result: [number, string] };
  };
  assert.equal(answer.data.result[1], '2');
  assert.equal(await server.stop('SIGTERM'), 0, server.output());
});
