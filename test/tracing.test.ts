// The server with section `tracing`: a collector hears of requests, of the queries in them, of rules, of scrapes and of what is sent on.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');

test('spans of requests, queries, scrapes and sending reach a collector', async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const bodies: { path: string; text: string; traceparent: string | undefined }[] = [];
  const collector = http.createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const traceparent = request.headers['traceparent'] as string | undefined;
    bodies.push({ path: request.url ?? '', text: Buffer.concat(parts).toString('latin1'), traceparent });
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(request.url === '/metrics' ? 'told 1\n' : '');
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    collector.closeAllConnections();
    collector.close();
  });
  const address = `127.0.0.1:${(collector.address() as AddressInfo).port}`;
  fs.writeFileSync(
    path.join(folder, 'p.yml'),
    `
global: { scrape_interval: 1s, scrape_timeout: 1s }
rule_files: ['${folder}/rules.yml']
tracing: { endpoint: '${address}', client_type: http, insecure: true, sampling_fraction: 1 }
scrape_configs:
  - job_name: itself
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
  - job_name: traced
    static_configs: [{ targets: ['${address}'] }]
remote_write:
  - { url: 'http://${address}/sent', name: there, queue_config: { batch_send_deadline: 100ms } }
`,
  );
  const rule = '{ record: own:rule, expr: vector(77777) }';
  fs.writeFileSync(path.join(folder, 'rules.yml'), `groups: [{ name: ours, interval: 1s, rules: [${rule}] }]\n`);
  const server = start(t, LAUNCHER, [
    'server',
    `--config.file=${folder}/p.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--storage.shards=1',
  ]);
  const url = `http://127.0.0.1:${port}`;
  await eventually('a scrape', async () => (await get(`${url}/api/v1/query?query=up`))?.includes('"1"'));
  const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
  assert.equal((await fetch(`${url}/api/v1/query?query=vector(12345)`, { headers: { traceparent } })).status, 200);
  await eventually('a rule', async () => (await get(`${url}/api/v1/query?query=own:rule`))?.includes('77777'));
  await eventually('the other target', async () => (await get(`${url}/api/v1/query?query=told`))?.includes('"1"'));
  await eventually('a request that sends', () => bodies.some((body) => body.path === '/sent'));
  assert.equal(await server.stop(), 0, server.output());
  const traces = bodies.filter((body) => body.path === '/v1/traces').map((body) => body.text);
  const about = (...wanted: string[]) =>
    assert(
      traces.some((text) => wanted.every((word) => text.includes(word))),
      wanted.join(),
    );
  // The request and the query in it belong to the trace that the client began.
  const trace = Buffer.from('ab'.repeat(16), 'hex').toString('latin1');
  about(
    'GET /api/v1/query',
    'promqlExec',
    'vector(12345)',
    trace,
    Buffer.from('cd'.repeat(8), 'hex').toString('latin1'),
  );
  about('rule group', 'ours', 'scheduled');
  about('rule', 'own:rule', 'query_offset');
  about('Scrape', 'url.full', `http://127.0.0.1:${port}/metrics`);
  about('Remote Send Batch', 'remote_name', 'there');
  // Who is scraped or written to hears of the span that asks.
  for (const [where, name] of [
    ['/metrics', 'Scrape'],
    ['/sent', 'Remote Send Batch'],
  ] as const) {
    const told = bodies.find(({ path, traceparent }) => path === where && traceparent !== undefined)?.traceparent;
    const [version, traceId, spanId, flags] = told?.split('-') ?? [];
    assert.deepEqual([version, flags], ['00', '01'], `${where} was told ${told}`);
    about(name, ...[traceId!, spanId!].map((id) => Buffer.from(id, 'hex').toString('latin1')));
  }
});
