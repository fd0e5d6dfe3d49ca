// promtool and `pharos tool` ask the same server, and print the same.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const MAIN = path.join(import.meta.dirname, '..', 'main.ts');
const PROMTOOL = '/usr/bin/promtool';
const skip = fs.existsSync(PROMTOOL) ? false : 'promtool is not installed (Debian: prometheus)';

type Outcome = { readonly code: number; readonly out: string; readonly err: string };

const run = (command: string, args: readonly string[]): Promise<Outcome> =>
  new Promise((resolve) => {
    execFile(command, args, (error, out, err) => resolve({ code: error ? Number(error.code ?? 1) : 0, out, err }));
  });
const tool = (...args: string[]) => run(process.execPath, [MAIN, 'tool', ...args]);

const metric = { __name__: 'up', job: 'a "b"', z: '1' };
const ANSWERS: Readonly<Record<string, unknown>> = {
  vector: {
    resultType: 'vector',
    result: [
      { metric, value: [1.5, '1e+06'] },
      { metric: { __name__: 'x' }, value: [2, 'NaN'] },
      { metric: {}, value: [3, '1.25e-09'] },
      { metric: {}, value: [3, '-1.5e+22'] },
    ],
  },
  bare: { resultType: 'vector', result: [{ metric: {}, value: [1, '3'] }] },
  matrix: {
    resultType: 'matrix',
    result: [
      {
        metric,
        values: [
          [1, '1'],
          [16.25, '2.5'],
        ],
      },
    ],
  },
  scalar: { resultType: 'scalar', result: [7, '4'] },
  string: { resultType: 'string', result: [7, 'text'] },
};

test('queries print what promtool prints', { skip }, async (t) => {
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const [address = '', search] = (request.url ?? '').split('?');
      const what = new URLSearchParams(body || search).get('query') ?? '';
      response.setHeader('content-type', 'application/json');
      const success = (data: unknown) => response.end(JSON.stringify({ status: 'success', data }));
      if (address === '/-/healthy') response.end('Prometheus Server is Healthy.\n');
      else if (address === '/-/ready') response.writeHead(503).end('not yet');
      else if (address.endsWith('/series')) success([metric, { __name__: 'x' }]);
      else if (address.endsWith('/values')) success(['a', 'b c']);
      else if (what in ANSWERS) success(ANSWERS[what]);
      else
        response.writeHead(400).end(JSON.stringify({ status: 'error', errorType: 'bad_data', error: 'no such thing' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cases: readonly (readonly string[])[] = [
    ...['vector', 'bare', 'matrix', 'scalar', 'bad'].map((what) => ['query', 'instant', url, what]),
    ['query', 'range', '--start=1', '--end=9', '--step=2s', url, 'matrix'],
    ['query', 'range', '--start=1', '--end=9', url, 'bad'],
    ['query', 'series', '--match=up', url],
    ['query', 'labels', url, 'job'],
  ];
  for (const args of cases) {
    const [theirs, ours] = await Promise.all([run(PROMTOOL, args), tool(...args)]);
    assert.deepEqual([ours.code, ours.out], [theirs.code, theirs.out], args.join(' '));
    assert.equal(ours.err, theirs.err, args.join(' '));
  }
  assert.equal((await tool('query', 'instant', url, 'string')).out, 'text\n');
  assert.equal((await tool('check', 'healthy', `--url=${url}`)).code, 0);
  assert.equal((await tool('check', 'ready', `--url=${url}`)).code, 1);
  assert.equal((await tool('query', 'instant', '-o', 'json', url, 'scalar')).out, '[7,"4"]\n');
});

test('web configuration files are checked', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-tool-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  fs.writeFileSync(`${folder}/good.yml`, 'http_server_config: { http2: false }\n');
  fs.writeFileSync(`${folder}/bad.yml`, 'no_such_thing: 1\n');
  const { code, out, err } = await tool('check', 'web-config', `${folder}/good.yml`, `${folder}/bad.yml`);
  assert.deepEqual([code, out], [1, `${folder}/good.yml SUCCESS\n`]);
  assert.match(err, /bad\.yml FAILED: .*no_such_thing/);
});
