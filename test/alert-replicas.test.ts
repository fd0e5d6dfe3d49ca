// Two alertmanagers over a real etcd: one notification, shared silences, alone while etcd is away, of one mind when it is back.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { peer } from './peers.ts';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');
const etcd = peer('etcd', 'etcd-server');

type Hook = { alerts: { labels: Record<string, string> }[] };

test('replicas notify once, share silences, survive the loss of etcd', { skip: etcd.skip }, async (t) => {
  const folder = temporaryFolder(t);
  const hooks: string[] = [];
  const server = http.createServer((request, response) => {
    let text = '';
    request.on('data', (bytes: Buffer) => (text += bytes.toString()));
    request.on('end', () => {
      hooks.push((JSON.parse(text) as Hook).alerts.map((a) => a.labels['n']).join());
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const [client, peerPort, a, b] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const etcdUrl = `http://127.0.0.1:${client}`;
  const startEtcd = () =>
    start(t, etcd.path, [
      `--data-dir=${folder}/etcd`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
    ]);
  let store = startEtcd();
  await eventually('etcd is up', () => get(`${etcdUrl}/health`));
  fs.writeFileSync(
    path.join(folder, 'am.yml'),
    `
route: { receiver: hook, group_by: [n], group_wait: 1s, group_interval: 2s, repeat_interval: 1h }
receivers: [{ name: hook, webhook_configs: [{ url: 'http://127.0.0.1:${(server.address() as net.AddressInfo).port}/' }] }]
`,
  );
  const url = (port: number) => `http://127.0.0.1:${port}/api/v2`;
  const open = (port: number) =>
    start(t, LAUNCHER, [
      'alertmanager',
      `--config.file=${folder}/am.yml`,
      `--storage.path=${folder}/${port}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--cluster.etcd.endpoints=${etcdUrl}`,
      `--cluster.peer-name=${port === a ? 'a' : 'b'}`,
      '--cluster.peer-timeout=3s',
    ]);
  const ready = (port: number) => eventually('an alertmanager is ready', () => get(`http://127.0.0.1:${port}/-/ready`));
  let first = open(a);
  open(b);
  await Promise.all([a, b].map(ready));
  const members = async (port: number) =>
    (
      (JSON.parse((await get(`${url(port)}/status`)) ?? '{}') as { cluster: { peers: { name: string }[] } }).cluster
        .peers ?? []
    )
      .map((p) => p.name)
      .join();
  for (const port of [a, b]) await eventually('both know both', async () => (await members(port)) === 'a,b');
  const post = (port: number, what: string, body: unknown) =>
    fetch(`${url(port)}/${what}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const fire = (port: number, n: string) => post(port, 'alerts', [{ labels: { alertname: 'X', n } }]);

  await Promise.all([fire(a, '1'), fire(b, '1')]);
  await eventually('somebody is told', () => hooks.includes('1'));
  await new Promise((resolve) => setTimeout(resolve, 6000));
  assert.deepEqual(hooks.splice(0), ['1'], 'once, though both have the alert');
  await fire(b, '2');
  await eventually('an alert that only the second has is told of', () => hooks.includes('2'));
  hooks.length = 0;

  const silence = {
    matchers: [{ name: 'n', value: '3', isRegex: false }],
    startsAt: new Date().toISOString(),
    endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    createdBy: 'me',
    comment: 'c',
  };
  const { silenceID } = (await (await post(a, 'silences', silence)).json()) as { silenceID: string };
  await eventually('the other has the silence', async () =>
    ((await get(`${url(b)}/silence/${silenceID}`)) ?? '').includes(silenceID),
  );

  await store.stop('SIGKILL');
  await fire(a, '4');
  await eventually('without etcd they go on', () => hooks.includes('4'));
  const alone = (await (await post(b, 'silences', { ...silence, comment: 'while away' })).json()) as {
    silenceID: string;
  };
  store = startEtcd();
  await eventually(
    'what happened meanwhile is shared',
    async () => ((await get(`${url(a)}/silence/${alone.silenceID}`)) ?? '').includes('while away'),
    60_000,
  );

  // The one whose turn it is dies with the alert untold: the other one tells.
  hooks.length = 0;
  await Promise.all([fire(a, '5'), fire(b, '5')]);
  await first.stop('SIGKILL');
  await eventually('somebody is told though the first one died', () => hooks.includes('5'));
  // Back again, with a new folder: it learns what was told from the others before it tells anything.
  fs.rmSync(path.join(folder, String(a)), { recursive: true });
  first = open(a);
  await ready(a);
  await eventually('the silences are back', async () =>
    ((await get(`${url(a)}/silence/${alone.silenceID}`)) ?? '').includes('while away'),
  );
  hooks.length = 0;
  for (const n of ['1', '2', '4', '5']) await fire(a, n);
  await fire(a, '6');
  await eventually('what is new is told of', () => hooks.includes('6'));
  assert.deepEqual(hooks, ['6'], 'and nothing that the others had told');
});
