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
  for (const name of ['config_hash', 'receivers 1', 'cluster_enabled 0', 'http_requests_in_flight'])
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
