// The instrumentation of every framework reports the same; pushes reach our gateway once; the demo reports its whole catalog.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { Counter, Registry } from '@prometheus-io/client';
import { seeded } from '#base/random.ts';
import { readCatalog } from '#exporters/catalog/catalog.ts';
import { lintCatalog } from '#exporters/catalog/lint.ts';
import { catalogOfPage, comparePage } from '#exporters/catalog/page.ts';
import { APPLICATIONS } from '../examples/applications.ts';
import { createDemo } from '../examples/bkbcs/demo.ts';
import { push } from '../instrument/index.ts';
import { answers, freePort, PHAROS, start, temporaryFolder } from './programs.ts';

for (const [name, make] of Object.entries(APPLICATIONS)) {
  test(`${name}: requests by route template, durations, sizes and what is under way`, async (t) => {
    const application = make();
    await application.ready();
    const { server } = application;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const where of ['/items/1', '/items/2', '/nothing/3', '/nothing/4']) await (await fetch(url + where)).text();
    const page = await (await fetch(`${url}/metrics`)).text();
    const value = (series: string) =>
      Number(
        page
          .split('\n')
          .find((line) => line.startsWith(`${series} `))
          ?.split(' ')
          .at(-1),
      );
    assert.equal(value('http_requests_total{method="GET",route="/items/:id",status="200"}'), 2, page);
    assert.equal(value('http_requests_total{method="GET",route="(unmatched)",status="404"}'), 2, page);
    assert.equal(value('http_request_duration_seconds_count{method="GET",route="/items/:id",status="200"}'), 2);
    assert.equal(value('http_requests_in_flight'), 0, 'the scrape itself is ignored');
    assert.doesNotMatch(page, /items\/1|nothing/, 'no path becomes a label');
  });
}

test('the package as it is published works in a project of its own', async (t) => {
  const root = path.join(import.meta.dirname, '..');
  const folder = temporaryFolder(t);
  for (const name of ['tsconfig.json', 'instrument'])
    fs.cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  const env = { ...process.env, PATH: `${path.join(root, 'node_modules', '.bin')}:${process.env['PATH']}` };
  const run = (command: string, args: string[], cwd: string) =>
    execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const packed = run('npm', ['pack', '--silent'], path.join(folder, 'instrument')).trim().split('\n').at(-1)!;
  const project = path.join(folder, 'project');
  const modules = path.join(project, 'node_modules');
  fs.mkdirSync(path.join(modules, '@pharos'), { recursive: true });
  run('tar', ['-xzf', path.join(folder, 'instrument', packed)], path.join(modules, '@pharos'));
  fs.renameSync(path.join(modules, '@pharos', 'package'), path.join(modules, '@pharos', 'instrument'));
  for (const name of ['express', 'fastify', 'koa', 'hono', '@prometheus-io'])
    fs.symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name));
  // The example's applications, importing the package by its name, from JavaScript.
  const example = fs.readFileSync(path.join(root, 'examples', 'applications.ts'), 'utf8');
  const imports = example.replace("'../instrument/index.ts'", "'@pharos/instrument'");
  fs.writeFileSync(path.join(project, 'app.ts'), imports);
  fs.writeFileSync(path.join(project, 'package.json'), '{"type": "module"}');
  for (const name of Object.keys(APPLICATIONS)) {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const running = await start(
      t,
      process.execPath,
      ['--preserve-symlinks-main', path.join(project, 'app.ts'), name, String(port)],
      answers(`${url}/items/1`),
      { cwd: project },
    );
    const page = await (await fetch(`${url}/metrics`)).text();
    assert.match(page, /^http_requests_total\{method="GET",route="\/items\/:id",status="200"\} [1-9]/m, name);
    await running.stop();
  }
});

test('a push adds up in our gateway, and a refused one says why', async (t) => {
  const url = `http://127.0.0.1:${await freePort()}`;
  await start(t, PHAROS, ['pushgateway', `--web.listen-address=${url.slice(7)}`], answers(`${url}/-/ready`));
  const registry = new Registry();
  const counter = new Counter({ name: 'job_rows_total', help: 'Rows.', registers: [registry] });
  counter.inc(5);
  const options = { url, job: 'a/b', groupings: { empty: '', zone: 'ü' }, merge: 'add', interval: '1h' } as const;
  await push(registry, options);
  await push(registry, options);
  const page = await (await fetch(`${url}/metrics`)).text();
  assert.match(page, /^job_rows_total\{empty="",instance="",job="a\/b",zone="ü"\} 10$/m);
  assert.match(page, /^push_up\{.*job="a\/b".*\} 1$/m);
  await assert.rejects(push(registry, { ...options, job: '' }), /400 job name is required/);
});

test('the demo reports the whole catalog as it says', async () => {
  const file = path.join(import.meta.dirname, '..', 'catalog', 'bkbcs.yml');
  const catalog = readCatalog(fs.readFileSync(file, 'utf8'), file);
  const random = seeded(7);
  const demo = createDemo(catalog, () => random.next(), { every: 120, lasts: 45 });
  for (let i = 0; i < 130; i++) demo.step();
  const pages = await Promise.all([...demo.registries.values()].map((registry) => registry.metrics()));
  const page = catalogOfPage(pages.join('\n'), catalog.scheme);
  assert.equal(page.modules[0]!.metrics.length, 48);
  assert.deepEqual(comparePage(page, catalog), []);
  assert.deepEqual(lintCatalog(page), []);
});
