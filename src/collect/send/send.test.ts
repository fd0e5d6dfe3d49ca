// Sending on as a whole: tee, disk queue, sender, over real HTTP to our own receiver and to the servers of others.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { object } from '#base/config/schema.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { newSeries, type SampleBatch } from '#model/batch.ts';
import type { Histogram } from '#model/histogram.ts';
import { type Labels, labelsOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { setStale } from '#model/value.ts';
import { peer } from '../../../test/peers.ts';
import { RemoteWriteReceiver } from '../receive/remote-write.ts';
import { StoreTwin } from '../receive/store-twin.ts';
import { AgentStore } from './agent.ts';
import { type RemoteConfig, remoteConfigs, remoteWriteSections } from './config.ts';
import { Remotes } from './remotes.ts';
import { Tee } from './tee.ts';

const NOW = Date.now();
const cleanups: (() => void)[] = [];
after(() => {
  for (const clean of cleanups) clean();
});

/** Our receiver behind a real server; `mode` makes it refuse. */
async function startRemote() {
  const store = new StoreTwin();
  const parts = {
    appender: store,
    clock: systemClock,
    random: seeded(1),
    registry: new Registry(),
    log: silentLogger,
  };
  const receiver = new RemoteWriteReceiver(parts);
  const remote = {
    store,
    mode: 'ok' as 'ok' | 503 | 400,
    requests: 0,
    headers: [] as http.IncomingHttpHeaders[],
    port: 0,
    url: '',
  };
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    remote.requests++;
    remote.headers.push(request.headers);
    if (remote.mode !== 'ok') {
      response.writeHead(remote.mode).end('not now');
      return;
    }
    const headers = request.headers as Record<string, string>;
    const reply = await receiver.receive({ path: '/api/v1/write', query: '', headers, body: Buffer.concat(chunks) });
    response.writeHead(reply.status, reply.headers).end(reply.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  remote.port = (server.address() as AddressInfo).port;
  remote.url = `http://127.0.0.1:${remote.port}/api/v1/write`;
  return remote;
}

function configOf(yaml: string): RemoteConfig[] {
  const schema = object({ remote_write: remoteWriteSections });
  return [...remoteConfigs(loadYaml(yaml, schema, 'test.yml').remote_write, (file) => file)];
}

const quick = 'queue_config: {batch_send_deadline: 20ms, min_backoff: 5ms, max_backoff: 20ms}';

function startSending(folder: string, configs: readonly RemoteConfig[], external: Labels = []) {
  const store = new StoreTwin();
  const tee = new Tee(store);
  const registry = new Registry();
  const remotes = new Remotes({
    tee,
    disk: nodeDisk,
    folder,
    shard: 0,
    shards: 1,
    clock: systemClock,
    log: silentLogger,
    registry,
    random: seeded(1),
    syncMs: () => 100,
    environment: {},
    flushMs: 2000,
  });
  return { store, tee, remotes, registry, applied: remotes.apply(configs, external) };
}

const temporary = () => fs.mkdtempSync(path.join(os.tmpdir(), 'remote-send-'));

function batchOf(series: readonly Record<string, string>[], t: number, value: number): SampleBatch {
  return {
    refs: Float64Array.from(series, (_, i) => newSeries(i)),
    timestamps: new Float64Array(series.length).fill(t),
    values: new Float64Array(series.length).fill(value),
    series: series.map(labelsOf),
  };
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const histogram: Histogram = {
  integer: true,
  schema: 0,
  zeroThreshold: 0.001,
  zeroCount: 1,
  count: 6,
  sum: 12,
  positiveSpans: [{ offset: 0, length: 2 }],
  negativeSpans: [],
  positiveBuckets: Float64Array.of(2, 3),
  negativeBuckets: new Float64Array(0),
  counterReset: 'unknown',
};

for (const message of ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request']) {
  test(`what the store takes arrives at the remote: ${message}`, async () => {
    const remote = await startRemote();
    const yaml = `remote_write: [{url: "${remote.url}", name: r, protobuf_message: ${message}, send_exemplars: true, send_native_histograms: true, headers: {X-Tenant: t1}, basic_auth: {username: u, password: p}, ${quick}, write_relabel_configs: [{source_labels: [__name__], regex: secret.*, action: drop}]}]`;
    const { tee, store, remotes, registry, applied } = startSending(
      temporary(),
      configOf(yaml),
      labelsOf({ region: 'eu', job: 'no' }),
    );
    await applied;
    const values = Float64Array.of(1.5, 2, 7);
    setStale(values, 1);
    const result = await tee.append({
      refs: Float64Array.of(newSeries(0), newSeries(1), newSeries(2)),
      timestamps: Float64Array.of(NOW, NOW, NOW),
      values,
      starts: Float64Array.of(NOW - 1000, 0, 0),
      series: [labelsOf({ __name__: 'a', job: 'x' }), labelsOf({ __name__: 'b' }), labelsOf({ __name__: 'secret_1' })],
      histograms: [{ ref: newSeries(1), timestamp: NOW + 1, value: histogram }],
      exemplars: [{ ref: newSeries(0), exemplar: { labels: ['trace_id', 't'], value: 3, timestamp: NOW } }],
      metadata: [{ family: 'a', metadata: { type: 'counter', help: 'As.', unit: '' } }],
    });
    const [a = 0, b = 0] = result.refs;
    await tee.append({
      refs: Float64Array.of(a, b),
      timestamps: Float64Array.of(NOW + 10, NOW - 10),
      values: Float64Array.of(2, 2),
      series: [],
    });
    assert.deepEqual(Object.keys(store.dump()), ['a{job="x"}', 'b', 'secret_1']);
    const start = message.includes('v2') ? `^${NOW - 1000}` : '';
    const exemplar = JSON.stringify({ labels: ['trace_id', 't'], value: 3, timestamp: NOW });
    const wanted = {
      'a{job="x", region="eu"}': `1.5@${NOW}${start} 2@${NOW + 10} ${exemplar}`,
      'b{job="no", region="eu"}': `stale@${NOW} {count:6 sum:12}@${NOW + 1}`,
    };
    await until(
      'all samples',
      () => JSON.stringify(remote.store.dump()) === JSON.stringify(wanted) || remote.requests > 50,
    );
    assert.deepEqual(remote.store.dump(), wanted);
    await until('metadata', () => remote.store.metadata.get('a')?.help === 'As.' || remote.requests > 50);
    await remotes.stop();
    assert.equal(remote.headers[0]!['x-tenant'], 't1');
    assert.equal(remote.headers[0]!['authorization'], `Basic ${Buffer.from('u:p').toString('base64')}`);
    const sent = registry.families().find((f) => f.name === 'prometheus_remote_storage_samples_total');
    assert.equal(sent?.samples[0]?.value, 3);
  });
}

test('an outage and a sudden end lose nothing', async () => {
  const remote = await startRemote();
  remote.mode = 503;
  const folder = temporary();
  const configs = configOf(`remote_write: [{url: "${remote.url}", ${quick}}]`);
  const first = startSending(folder, configs);
  await first.applied;
  const series = Array.from({ length: 300 }, (_, i) => ({ __name__: 'm', i: String(i) }));
  for (let step = 0; step < 10; step++) await first.tee.append(batchOf(series, NOW + step, step));
  await until('tries', () => remote.requests > 3);
  // The first process dies here: nobody stops it in order, a second one opens its folder.
  const copy = temporary();
  fs.cpSync(folder, copy, { recursive: true });
  await first.remotes.stop();
  assert.deepEqual(remote.store.dump(), {});
  remote.mode = 'ok';
  const second = startSending(copy, configs);
  await second.applied;
  await second.tee.append(batchOf(series, NOW + 10, 10));
  await until(
    'all samples',
    () =>
      Object.values(remote.store.dump()).every((line) => line.split(' ').length === 11) &&
      Object.keys(remote.store.dump()).length === 300,
  );
  const line = Array.from({ length: 11 }, (_, step) => `${step}@${NOW + step}`).join(' ');
  assert.deepEqual(new Set(Object.values(remote.store.dump())), new Set([line]));
  await second.remotes.stop();
  const requests = remote.requests;
  const third = startSending(copy, configs);
  await third.applied;
  await third.remotes.stop();
  assert.equal(remote.requests, requests, 'nothing is sent twice after an orderly end');
});

test('what the remote refuses for good is dropped and counted', async () => {
  const remote = await startRemote();
  remote.mode = 400;
  const { tee, remotes, registry, applied } = startSending(
    temporary(),
    configOf(`remote_write: [{url: "${remote.url}", ${quick}}]`),
  );
  await applied;
  await tee.append(batchOf([{ __name__: 'm' }], NOW, 1));
  await until('a request', () => remote.requests > 0);
  remote.mode = 'ok';
  await tee.append(batchOf([{ __name__: 'm' }], NOW + 1, 2));
  await until('the next sample', () => remote.store.dump()['m'] === `2@${NOW + 1}`);
  const failed = registry.families().find((f) => f.name === 'prometheus_remote_storage_samples_failed_total');
  assert.equal(failed?.samples[0]?.value, 1);
  await remotes.stop();
});

test('a backlog goes over several lanes and keeps the order of each series', async () => {
  const remote = await startRemote();
  remote.mode = 503;
  const { tee, remotes, applied } = startSending(
    temporary(),
    configOf(
      `remote_write: [{url: "${remote.url}", queue_config: {max_samples_per_send: 50, max_shards: 8, batch_send_deadline: 10ms, max_backoff: 10ms, min_backoff: 5ms}}]`,
    ),
  );
  await applied;
  const series = Array.from({ length: 100 }, (_, i) => ({ __name__: 'm', i: String(i) }));
  for (let step = 0; step < 20; step++) await tee.append(batchOf(series, NOW + step, step));
  remote.mode = 'ok';
  const line = Array.from({ length: 20 }, (_, step) => `${step}@${NOW + step}`).join(' ');
  await until('all samples', () => Object.values(remote.store.dump()).filter((l) => l === line).length === 100);
  await remotes.stop();
});

test('a remote added later asks for the labels it missed', async () => {
  const remote = await startRemote();
  const { tee, remotes, applied } = startSending(temporary(), []);
  await applied;
  const { refs } = await tee.append(batchOf([{ __name__: 'm' }], NOW, 1));
  await remotes.apply(configOf(`remote_write: [{url: "${remote.url}", ${quick}}]`), []);
  const next = { refs, timestamps: Float64Array.of(NOW + 1), values: Float64Array.of(2), series: [] };
  const result = await tee.append(next);
  assert.deepEqual(
    result.rejections.map((r) => [r.kind, r.index, r.reason]),
    [['sample', 0, 'unknownRef']],
  );
  await tee.append(batchOf([{ __name__: 'm' }], NOW + 1, 2));
  await until('the sample', () => remote.store.dump()['m'] === `2@${NOW + 1}`);
  await remotes.stop();
});

test('an agent numbers series, refuses what goes back in time and forgets what ended', async () => {
  const agent = new AgentStore(2, new Registry());
  const first = await agent.append(batchOf([{ __name__: 'a' }, { __name__: 'b' }], NOW, 1));
  const row = (ref: number, t: number) => ({
    refs: Float64Array.of(ref),
    timestamps: Float64Array.of(t),
    values: Float64Array.of(1),
    series: [],
  });
  assert.equal((await agent.append(row(first.refs[0]!, NOW))).rejections[0]?.reason, 'outOfOrder');
  agent.turn();
  assert.equal((await agent.append(row(first.refs[0]!, NOW + 1))).rejections.length, 0);
  agent.turn();
  assert.equal((await agent.append(row(first.refs[0]!, NOW + 2))).rejections.length, 0);
  assert.equal((await agent.append(row(first.refs[1]!, NOW + 2))).rejections[0]?.reason, 'unknownRef');
  const again = await agent.append(batchOf([{ __name__: 'c' }], NOW + 3, 1));
  assert.notEqual(again.refs[0], first.refs[1], 'the slot has a new generation');
});

test('mistakes in the section are told with their place', () => {
  assert.throws(() => configOf('remote_write: [{}]'), /url is required/);
  assert.throws(() => configOf('remote_write: [{url: x}]'), /expected a URL that begins with http/);
  const two = 'sigv4: {region: r}, basic_auth: {username: a}';
  assert.throws(
    () => configOf(`remote_write: [{url: "http://a", ${two}}]`),
    /at most one of basic_auth.*basic_auth sigv4/,
  );
  assert.throws(() => configOf('remote_write: [{url: "http://a", headers: {Content-Type: x}}]'), /reserved header/);
  assert.throws(
    () => configOf('remote_write: [{url: "http://a", queue_config: {min_shards: 9, max_shards: 2}}]'),
    /min_shards must not be greater than max_shards/,
  );
  assert.deepEqual(
    configOf('remote_write: [{url: "http://a"}, {url: "http://a"}, {url: "http://b", name: n}]')
      .map((c) => c.name)
      .slice(1),
    [`${configOf('remote_write: [{url: "http://a"}]')[0]!.name}-2`, 'n'],
  );
});

const prometheus = peer('prometheus', 'prometheus');
const victoria = peer('victoria-metrics', 'victoria-metrics');

async function freePort(): Promise<number> {
  const server = http.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function sendToPeer(start: (port: number, folder: string) => ChildProcess, ready: string): Promise<void> {
  const port = await freePort();
  const child = start(port, temporary());
  cleanups.push(() => child.kill('SIGKILL'));
  const get = async (where: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${where}`);
    return { status: response.status, body: await response.text() };
  };
  await until('the peer', () =>
    get(ready).then(
      (r) => r.status === 200,
      () => false,
    ),
  );
  const { tee, remotes, applied } = startSending(
    temporary(),
    configOf(`remote_write: [{url: "http://127.0.0.1:${port}/api/v1/write", ${quick}}]`),
  );
  await applied;
  const series = Array.from({ length: 500 }, (_, i) => ({ __name__: 'sent_on', i: String(i), word: `ä${i % 7}` }));
  for (let step = 0; step < 5; step++) await tee.append(batchOf(series, NOW - 5000 + step * 1000, step + 0.5));
  const query = `/api/v1/query?query=${encodeURIComponent('sum(sum_over_time(sent_on[1m]))')}&time=${NOW / 1000 + 1}&nocache=1`;
  await until('the sum', async () => (await get(query)).body.includes('"6250"'));
  await remotes.stop();
  child.kill('SIGTERM');
}

test("Debian's Prometheus takes what we send", { skip: prometheus.skip }, () =>
  sendToPeer((port, folder) => {
    fs.writeFileSync(path.join(folder, 'p.yml'), '');
    const flags = [
      `--config.file=${folder}/p.yml`,
      `--storage.tsdb.path=${folder}`,
      '--web.enable-remote-write-receiver',
    ];
    return spawn(prometheus.path, [...flags, `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' });
  }, '/-/ready'),
);

test('VictoriaMetrics takes what we send', { skip: victoria.skip }, () =>
  sendToPeer(
    (port, folder) =>
      spawn(
        victoria.path,
        [`-storageDataPath=${folder}`, `-httpListenAddr=127.0.0.1:${port}`, '-search.latencyOffset=0s'],
        {
          stdio: 'ignore',
        },
      ),
    '/health',
  ),
);
