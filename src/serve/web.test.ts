// The pages of each role, assets that change while the server runs, and nothing from outside the folder.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import type { HttpRequest } from './http.ts';
import { type PageRole, webRoutes } from './web.ts';

function pages(role: PageRole) {
  const outer = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-web-'));
  const folder = path.join(outer, 'web');
  fs.mkdirSync(path.join(folder, 'assets'), { recursive: true });
  fs.writeFileSync(path.join(outer, 'secret.json'), '{}');
  fs.writeFileSync(
    path.join(folder, 'index.html'),
    '<html lang="en"><script src="./assets/main-1.js"></script></html>',
  );
  fs.writeFileSync(path.join(folder, 'assets', 'main-1.js'), 'one');
  fs.writeFileSync(path.join(folder, 'assets', 'main-1.js.gz'), 'packed');
  const [route] = webRoutes({ folder, disk: nodeDisk, role });
  const get = async (address: string, headers: Record<string, string> = {}) => {
    const request = {
      method: 'GET',
      path: address,
      params: {},
      query: new URLSearchParams(),
      headers,
    } as unknown as HttpRequest;
    const answer = await route!.handler(request);
    return {
      status: answer.status,
      headers: answer.headers ?? {},
      body: Buffer.from(answer.body as string).toString(),
    };
  };
  return { folder, get, close: () => fs.rmSync(outer, { recursive: true }) };
}

test('a page says its role and finds its script from any depth', async () => {
  const { get, close } = pages('server');
  assert.match((await get('/')).body, /<html data-role="server" lang="en"><script src="\.\/assets\/main-1\.js">/);
  assert.match((await get('/d/some/slug')).body, /src="\.\.\/\.\.\/assets\/main-1\.js"/);
  assert.equal((await get('/nothing')).status, 404);
  close();
});

test('an alertmanager alone has pages of its own', async () => {
  const { get, close } = pages('alertmanager');
  assert.match((await get('/silences')).body, /data-role="alertmanager"/);
  assert.equal((await get('/targets')).status, 404);
  close();
});

test('assets are found as they are made, packed for who takes it', async () => {
  const { folder, get, close } = pages('server');
  assert.equal((await get('/assets/main-1.js')).body, 'one');
  const packed = await get('/assets/main-1.js', { 'accept-encoding': 'gzip' });
  assert.deepEqual([packed.body, packed.headers['content-encoding']], ['packed', 'gzip']);
  assert.equal((await get('/assets/main-2.js')).status, 404);
  fs.writeFileSync(path.join(folder, 'assets', 'main-2.js'), 'two');
  assert.equal((await get('/assets/main-2.js')).body, 'two');
  close();
});

test('nothing outside the folder is served, nor a folder', async () => {
  const { get, close } = pages('server');
  for (const address of [
    '/../secret.json',
    '/assets/../../secret.json',
    '/assets/..%2fsecret.json',
    '/assets',
    '/assets/',
    '/.hidden.js',
  ])
    assert.equal((await get(address)).status, 404, address);
  close();
});
