// Debian's amtool against the role `alertmanager`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { peer } from './peers.ts';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const run = promisify(execFile);
const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');
const amtool = peer('amtool', 'prometheus-alertmanager');

const TOOLS = [
  { name: 'amtool', command: amtool.path, before: [], skip: amtool.skip },
  { name: 'pharos am', command: LAUNCHER, before: ['am'], skip: false },
] as const;

for (const { name, command, before, skip } of TOOLS)
  test(`${name} adds, queries, silences, expires and tests routes`, { skip }, async (t) => {
    const folder = temporaryFolder(t);
    const port = await freePort();
    fs.writeFileSync(
      path.join(folder, 'am.yml'),
      `
route: { receiver: all, group_by: [alertname], routes: [{ matchers: [team="db"], receiver: db }] }
receivers: [{ name: all }, { name: db, webhook_configs: [{ url: 'http://127.0.0.1:1/secret-path' }] }]
`,
    );
    const server = start(t, LAUNCHER, [
      'alertmanager',
      `--config.file=${folder}/am.yml`,
      `--storage.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const url = `http://127.0.0.1:${port}`;
    await eventually('the alertmanager is ready', () => get(`${url}/-/ready`));
    assert.match(server.output(), /msg="Listening on" address=127\.0\.0\.1:\d+/);
    const tool = async (...args: string[]) =>
      (await run(command, [...before, `--alertmanager.url=${url}`, ...args])).stdout;
    await tool('alert', 'add', 'alertname=Slow', 'team=db', '--annotation=summary=it is slow');
    await tool('alert', 'add', 'alertname=Down', 'team=web');
    assert.match(await tool('alert', 'query'), /Slow .*it is slow/);
    assert.doesNotMatch(await tool('alert', 'query', 'team=web'), /Slow/);
    const id = (await tool('silence', 'add', 'team=web', '--comment=work', '--duration=1h')).trim();
    assert.match(await tool('silence', 'query'), new RegExp(`${id} +team="web" .*work`));
    await eventually('the silence holds', async () => !(await tool('alert', 'query')).includes('Down'));
    await tool('silence', 'expire', id);
    assert.match(await tool('alert', 'query'), /Down/);
    assert.equal((await tool('config', 'routes', 'test', 'team=db')).trim(), 'db');
    const shown = await tool('config', 'show');
    assert.match(shown, /receiver: db/);
    assert.doesNotMatch(shown, /secret-path/);
    fs.writeFileSync(path.join(folder, 'am.yml'), 'route: {}\n');
    const reload = await fetch(`${url}/-/reload`, { method: 'POST' });
    assert.deepEqual(
      [reload.status, /root route must specify a default receiver/.test(await reload.text())],
      [500, true],
    );
    assert.match(await tool('config', 'show'), /receiver: db/, 'the configuration before stays in force');
  });

test('pharos am: acknowledgements, dry run, history, silences that recur, match annotations or end with their alerts', async (t) => {
  const folder = temporaryFolder(t);
  const refusing = http.createServer((_, response) => response.writeHead(400).end('no such team'));
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
  t.after(() => refusing.close());
  const hook = `http://127.0.0.1:${(refusing.address() as net.AddressInfo).port}/`;
  const port = await freePort();
  fs.writeFileSync(
    path.join(folder, 'am.yml'),
    `
route: { receiver: all, group_by: [alertname], group_wait: 0s, routes: [{ matchers: [team="db"], receiver: db }] }
inhibit_rules: [{ source_matchers: [alertname=Down], target_matchers: [alertname=Slow] }]
receivers: [{ name: all }, { name: db, webhook_configs: [{ url: '${hook}' }] }]
`,
  );
  const url = `http://127.0.0.1:${port}`;
  start(t, LAUNCHER, [
    'alertmanager',
    `--config.file=${folder}/am.yml`,
    `--storage.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  await eventually('the alertmanager is ready', () => get(`${url}/-/ready`));
  const am = async (command: string, ...args: string[]) =>
    (await run(LAUNCHER, ['am', ...command.split(' '), `--alertmanager.url=${url}`, ...args])).stdout;
  await am('alert add', 'Full', 'team=db', '--annotation=runbook=disk');
  const fingerprint = (await am('alert ack', 'Full', '--comment=on it', '--author=me')).trim();
  const alerts = async () => JSON.parse(await am('alert query', '-s', '-a', '-o', 'json')) as Record<string, unknown>[];
  const { at, ...acknowledgement } = (await alerts())[0]!['acknowledgement'] as Record<string, string>;
  assert.deepEqual(acknowledgement, { by: 'me', comment: 'on it' });
  assert.ok(Date.parse(at!) > 0);
  assert.equal((await am('alert unack', fingerprint)).trim(), fingerprint);
  assert.equal((await alerts())[0]!['acknowledgement'], undefined);
  assert.match(
    await am('alert dry-run', 'Full', 'team=db', '--annotation=summary=it is full'),
    /db \(webhook\[0\]\) {2}group \{\}\/\{team="db"\}:\{alertname="Full"\}\n {2}\[FIRING:1\] Full[\s\S]*summary = it is full/,
  );
  await am('alert add', 'Down');
  assert.match(await am('alert dry-run', 'Slow'), /^inhibited by [0-9a-f]{16}\nall \(tells nobody\)/);
  const text = await eventually('the failure is in the history', async () => {
    const shown = await am('history', 'Full', '--search=db');
    return shown.includes('db') && shown;
  });
  assert.match(text, /db +webhook +Full +failed: .*no such team/);

  const states = async () => JSON.stringify((await alerts()).map((alert) => alert['status']));
  const byAnnotation = (
    await am('silence add', '--annotation-matcher=runbook=~"di.*"', 'team=db', '--comment=c', '--until-resolved')
  ).trim();
  await eventually('the silence holds', async () => (await states()).includes(byAnnotation));
  await am('alert add', 'Full', 'team=db', `--end=${new Date().toISOString()}`);
  await eventually('it ends with its alert', async () =>
    (await am('silence query', '--expired', '-q')).includes(byAnnotation),
  );
  const hour = new Date().getUTCHours();
  const pad = (n: number) => String(n).padStart(2, '0');
  const interval = (from: number) => `[{times: [{start_time: "${pad(from)}:00", end_time: "${pad(from)}:59"}]}]`;
  const never = (
    await am('silence add', 'Down', '--comment=c', '--recurring', interval((hour + 12) % 24), '--duration=2d')
  ).trim();
  assert.doesNotMatch(await states(), new RegExp(never));
  await assert.rejects(am('silence add', 'Down', '--comment=c', '--recurring', '[{times: 3}]'), /times/);
});

test("upstream's command line is taken; what cannot be obeyed is refused with what to do instead", async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort();
  fs.writeFileSync(path.join(folder, 'am.yml'), 'route: { receiver: all }\nreceivers: [{ name: all }]\n');
  const base = [`--config.file=${folder}/am.yml`, `--storage.path=${folder}/data`, '--log.silences'];
  const server = start(t, LAUNCHER, [
    'alertmanager',
    ...base,
    `--web.listen-address=127.0.0.1:${port}`,
    '--cluster.listen-address=',
    '--cluster.gossip-interval=200ms',
    '--cluster.pushpull-interval=1m0s',
    '--cluster.reconnect-timeout=6h0m0s',
    '--no-cluster.allow-insecure-public-advertise-address-discovery',
    '--dispatch.maintenance-interval=30s',
    '--auto-gomemlimit.ratio=0.9',
    '--web.get-concurrency=0',
    '--web.timeout=30s',
    '--enable-feature=receiver-name-in-metrics,utf8-strict-mode',
  ]);
  const url = `http://127.0.0.1:${port}`;
  await eventually('the alertmanager is ready', () => get(`${url}/-/ready`));
  assert.match(server.output(), /make no difference here.*cluster\.gossip-interval/);
  const strict = await fetch(`${url}/api/v2/alerts?filter=${encodeURIComponent('a="b"c"')}`);
  assert.equal(strict.status, 400);
  const metrics = (await get(`${url}/metrics`)) ?? '';
  for (const name of [
    'build_info\\{.*version="0.34.0"',
    'config_hash',
    'receivers 1',
    'cluster_enabled 0',
    'http_requests_in_flight',
  ])
    assert.match(metrics, new RegExp(`^alertmanager_${name}`, 'm'));
  const am = (...args: string[]) => run(LAUNCHER, ['am', ...args, `--alertmanager.url=${url}`]);
  await am('silence', 'add', 'a=b', '--comment=why not');
  await eventually('the silence is logged', () => /silence created.*why not/.test(server.output()));
  for (const [args, message] of [
    [['--cluster.peer=other:9094'], /cluster\.etcd\.endpoints on every member/],
    [['--enable-feature=nonsense'], /unknown option 'nonsense' for --enable-feature/],
    [['--enable-feature=classic-mode,utf8-strict-mode'], /cannot have both classic and UTF-8 modes/],
    [['--web.systemd-socket'], /web\.listen-address instead/],
  ] as const) {
    await assert.rejects(run(LAUNCHER, ['alertmanager', ...base, ...args]), message);
  }
});

test('events and spans of what happens to alerts; receivers by their labels', async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const requests: { path: string; body: string }[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (bytes: Buffer) => chunks.push(bytes));
    request.on('end', () => {
      requests.push({ path: request.url ?? '', body: Buffer.concat(chunks).toString('latin1') });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  fs.writeFileSync(
    path.join(folder, 'am.yml'),
    `
route: { receiver: all, group_by: [alertname], group_wait: 0s, group_interval: 1s }
inhibit_rules: [{ name: r, source_matchers: [alertname=Down], target_matchers: [alertname=Slow] }]
receivers: [{ name: all, labels: { team: a }, webhook_configs: [{ url: 'http://${address}/hook' }] }, { name: other }]
tracing: { client_type: http, endpoint: '${address}', insecure: true, sampling_fraction: 1 }
event_recorder:
  file_outputs: [{ path: events.jsonl }]
  webhook_outputs: [{ url: 'http://${address}/events', batch: true }]
  stdout_outputs: [{}]
`,
  );
  const running = start(t, LAUNCHER, [
    'alertmanager',
    `--config.file=${folder}/am.yml`,
    `--storage.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--enable-feature=event-recorder',
  ]);
  const url = `http://127.0.0.1:${port}`;
  await eventually('the alertmanager is ready', () => get(`${url}/-/ready`));
  const am = async (command: string, ...args: string[]) =>
    (await run(LAUNCHER, ['am', ...command.split(' '), `--alertmanager.url=${url}`, ...args])).stdout;
  await am('silence add', 'n=2', '--comment=c', '--author=me');
  await am('alert add', 'Down', 'n=1');
  await am('alert add', 'Slow', 'n=1');
  await am('alert add', 'Odd', 'n=2');
  const lines = () =>
    fs
      .readFileSync(path.join(folder, 'events.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { '@timestamp': string; instance: string; data: Record<string, object> });
  const types = () => new Set(lines().flatMap(({ data }) => Object.keys(data)));
  await am('alert add', 'Down', 'n=1', `--end=${new Date(Date.now() + 2000).toISOString()}`);
  const expected = ['alertmanagerStartupEvent', 'silenceCreated', 'alertCreated', 'alertGrouped', 'notification'];
  expected.push('silenceMutedAlert', 'inhibitionMutedAlert', 'alertResolved');
  await eventually('all kinds of events are in the file', () => expected.every((type) => types().has(type)));
  const notification = lines().find(({ data }) => 'notification' in data)!.data['notification'] as {
    reason: string;
    repeatInterval: string;
    groupInfo: { groupKey: string; receiverName: string };
    alerts: { hash: string; details: { name: string; fingerprint: string } }[];
  };
  assert.deepEqual(
    [notification.reason, notification.repeatInterval, notification.groupInfo.receiverName],
    ['NOTIFY_REASON_FIRST_NOTIFICATION', '14400s', 'all'],
  );
  assert.equal(notification.alerts[0]!.details.name, 'Down');
  assert.match(notification.alerts[0]!.hash, /^\d{10,20}$/);
  const events = () =>
    requests.filter((one) => one.path === '/events').map(({ body }) => JSON.parse(body) as unknown[]);
  await eventually('the webhook has them as lists', () => events().flat().length >= lines().length);
  assert.match(running.output(), /^\{"@timestamp":.*"silenceCreated"/m);
  fs.renameSync(path.join(folder, 'events.jsonl'), path.join(folder, 'events.1'));
  await am('alert add', 'New', 'n=1');
  await eventually('a file that is moved away is begun anew', () => lines().length > 0 && types().has('alertCreated'));

  const spans = () => requests.filter((one) => one.path === '/v1/traces').map(({ body }) => body);
  await eventually('spans of notifications arrive', () =>
    spans().some((body) => body.includes('notify.Integration.Notify') && body.includes('alertmanager')),
  );
  const receivers = async (query: string) =>
    ((JSON.parse((await get(`${url}/api/v2/receivers?${query}`))!) as { name: string }[]) ?? []).map(
      ({ name }) => name,
    );
  assert.deepEqual(await receivers(''), ['all', 'other']);
  assert.deepEqual(await receivers(`receiver_matchers=${encodeURIComponent('team=a')}`), ['all']);
  assert.equal((await fetch(`${url}/api/v2/alerts?receiver_matchers=a!`)).status, 400);
  assert.equal((await fetch(`${url}/api/v1/alerts`)).status, 410);
  await running.stop();
  assert.ok(types().has('alertmanagerShutdownEvent'));
});
