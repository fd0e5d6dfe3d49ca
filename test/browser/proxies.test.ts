// The pages below paths: an external address with a path, and proxies that take the path away, one of them as a Kubernetes
// API server has it. Every request must stay below the path.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { peer } from '../peers.ts';
import { eventually, freePort } from '../running.ts';
import { type Pages, pagesOf, skip } from './browser.ts';

const nginx = peer('nginx', 'nginx-light');
const KUBERNETES = '/api/v1/namespaces/monitoring/services/http:pharos:9090/proxy';
const READY = { ready: '/api/v1/query?query=up', isReady: (answer: string) => answer.includes('"value"') };

const plain = pagesOf({ role: 'up', ...READY });
/** The path of the external address is the prefix of the routes unless a flag says otherwise. */
const external = pagesOf({
  role: 'up',
  prefix: '/mon/itor',
  args: (folder, port) => [
    `--storage.tsdb.path=${folder}/data`,
    '--storage.shards=1',
    `--web.external-url=http://127.0.0.1:${port}/mon/itor/`,
  ],
  ...READY,
});

async function startNginx(t: TestContext, upstream: number): Promise<string> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-nginx-'));
  const port = await freePort();
  const strip = (at: string) => `location ${at}/ { proxy_pass http://127.0.0.1:${upstream}/; }`;
  fs.writeFileSync(
    `${folder}/nginx.conf`,
    `daemon off; pid ${folder}/pid; error_log stderr; worker_processes 1;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server { listen 127.0.0.1:${port}; ${strip('/watch')} ${strip(KUBERNETES)} }
}`,
  );
  const child = spawn(nginx.path, ['-p', folder, '-c', `${folder}/nginx.conf`], { stdio: 'ignore' });
  t.after(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGQUIT');
    await ended;
    fs.rmSync(folder, { recursive: true, force: true });
  });
  await eventually('nginx', async () => (await fetch(`http://127.0.0.1:${port}/watch/-/ready`)).ok);
  return `http://127.0.0.1:${port}`;
}

/** Enters at the first page, goes on by links, reloads deep addresses, asks, and follows a dashboard. */
async function walk(pages: Pages, base: string): Promise<void> {
  const { page, faults, close } = await pages.visit('/', { base });
  await page.locator('section.panel').first().waitFor();
  await page.getByRole('link', { name: 'Targets' }).click();
  await page.waitForURL(`${base}/targets`);
  await page.getByText('localhost').first().waitFor();
  await page.goto(`${base}/query?g0.expr=vector(7)&g0.tab=table`);
  await page.locator('table.data tbody td.num').first().waitFor();
  assert.equal(await page.locator('table.data tbody td.num').first().innerText(), '7');
  await page.goto(`${base}/d/host/any-slug`);
  // Through the proxy comes an answer, whether there are two scrapes for a graph yet or not.
  await page.locator('section.panel :is(.plot canvas, .panel-empty)').first().waitFor();
  await page.reload();
  // Through the proxy comes an answer, whether there are two scrapes for a graph yet or not.
  await page.locator('section.panel :is(.plot canvas, .panel-empty)').first().waitFor();
  await page.getByRole('link', { name: 'Dashboards' }).first().click();
  await page.locator('a[href$="/d/pharos"]').click();
  await page.waitForURL(`${base}/d/pharos`);
  await page.goto(`${base}/alert-groups`);
  await page.getByRole('heading', { name: 'Alert groups' }).waitFor();
  assert.deepEqual(await page.locator('[role=alert]').allInnerTexts(), []);
  assert.deepEqual(faults, []);
  await close();
}

test('an external address with a path', { skip }, () => walk(external, external.base()));

test('a proxy that takes the path away', { skip: skip || nginx.skip }, async (t) => {
  await walk(plain, `${await startNginx(t, plain.port())}/watch`);
});

test('the proxy of a Kubernetes API server', { skip: skip || nginx.skip }, async (t) => {
  await walk(plain, (await startNginx(t, plain.port())) + KUBERNETES);
});
