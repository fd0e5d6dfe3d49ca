import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { sleep, systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { discoveryMetrics } from '#collect/discovery/metrics.ts';
import { labelsOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { peer } from '../../../test/peers.ts';
import { alertingSection } from './config.ts';
import { AlertSender } from './sender.ts';

const alert = (name: string, more: Record<string, string> = {}) => ({
  labels: labelsOf({ alertname: name, ...more }),
  annotations: labelsOf({ summary: 'it <broke>' }),
  startsAt: systemClock.now() - 1000,
  endsAt: systemClock.now() + 240_000,
  generatorUrl: 'http://p:9090/graph?g0.expr=up&g0.tab=1',
});

function newSender(more: { queueCapacity?: number; batchSize?: number; drainOnShutdown?: boolean } = {}) {
  const registry = new Registry();
  const sender = new AlertSender({
    queueCapacity: 100,
    batchSize: 3,
    drainOnShutdown: true,
    clock: systemClock,
    disk: nodeDisk,
    logger: silentLogger,
    registry,
    discoveryMetrics: discoveryMetrics(new Registry()),
    environment: {},
    ...more,
  });
  const metric = (name: string) =>
    registry.families().find((f) => f.name === `prometheus_notifications_${name}`)?.samples[0]?.value;
  return { sender, metric };
}

const section = (yaml: string) =>
  loadYaml(
    yaml,
    alertingSection((file) => file),
    'test.yml',
  );

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(systemClock, 10);
}

/** A receiver that answers what it is told to, and keeps what it got. */
async function receiver(answer: () => number | 'hang') {
  const bodies: { alertnames: string[]; body: Record<string, unknown>[] }[] = [];
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as { labels: Record<string, string> }[];
    bodies.push({ alertnames: body.map((a) => a.labels['alertname']!), body });
    const status = answer();
    if (status !== 'hang') response.writeHead(status).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { bodies, address: `127.0.0.1:${port}`, close };
}

test('alerts go in batches to every Alertmanager; one that hangs or fails delays only itself', async () => {
  const good = await receiver(() => 200);
  const broken = await receiver(() => 500);
  const hanging = await receiver(() => 'hang');
  const { sender, metric } = newSender();
  const targets = [good, broken, hanging].map((r) => `'${r.address}'`).join(', ');
  await sender.apply(
    section(`{alertmanagers: [{timeout: 300ms, path_prefix: /am/, static_configs: [{targets: [${targets}]}]}]}`),
    [],
  );
  await until(() => sender.active().length === 3);
  assert.equal(sender.active()[0], `http://${good.address}/am/api/v2/alerts`);
  sender.send(['a', 'b', 'c', 'd'].map((name) => alert(name)));
  await until(() => good.bodies.length === 2);
  assert.deepEqual(
    good.bodies.map((b) => b.alertnames),
    [['a', 'b', 'c'], ['d']],
  );
  const [first] = good.bodies[0]!.body;
  assert.deepEqual(Object.keys(first!), ['labels', 'annotations', 'startsAt', 'endsAt', 'generatorURL']);
  assert.equal(metric('alertmanagers_discovered'), 3);
  await sender.stop();
  assert.equal(broken.bodies.length, 2, 'a failed batch is given up, the next one is sent');
  assert.equal(hanging.bodies.length, 2, 'what waited was tried before stopping');
  for (const r of [good, broken, hanging]) r.close();
});

test('the oldest alerts give way when the queue is full', async () => {
  const slow = await receiver(() => 'hang');
  const { sender, metric } = newSender({ queueCapacity: 4, batchSize: 2, drainOnShutdown: false });
  await sender.apply(
    section(`{alertmanagers: [{timeout: 200ms, static_configs: [{targets: ['${slow.address}']}]}]}`),
    [],
  );
  await until(() => sender.active().length === 1);
  sender.send(['a', 'b'].map((name) => alert(name)));
  await until(() => slow.bodies.length === 1);
  sender.send(['c', 'd', 'e'].map((name) => alert(name)));
  sender.send(['f', 'g'].map((name) => alert(name)));
  assert.equal(metric('queue_length'), 4);
  assert.equal(metric('dropped_total'), 1);
  await until(() => slow.bodies.length >= 2);
  assert.deepEqual(slow.bodies[1]!.alertnames, ['d', 'e']);
  await sender.stop();
  slow.close();
});

test('external labels are added and relabeling applies, for all and for some', async () => {
  const one = await receiver(() => 200);
  const two = await receiver(() => 200);
  const { sender } = newSender();
  await sender.apply(
    section(`
alert_relabel_configs:
- {source_labels: [replica], action: drop, regex: b}
- {regex: replica, action: labeldrop}
alertmanagers:
- static_configs: [{targets: ['${one.address}']}]
- alert_relabel_configs: [{source_labels: [alertname], regex: quiet, action: drop}]
  static_configs: [{targets: ['${two.address}', 'gone:1']}]
  relabel_configs: [{source_labels: [__address__], regex: 'gone:.*', action: drop}]
`),
    labelsOf({ cluster: 'x', replica: 'a', team: 'none' }),
  );
  await until(() => sender.active().length === 2);
  assert.deepEqual(sender.dropped(), ['http://gone:1/api/v2/alerts']);
  sender.send([alert('loud', { team: 'own' }), alert('quiet'), alert('other', { replica: 'b' })]);
  await until(() => one.bodies.length === 1 && two.bodies.length === 1);
  assert.deepEqual(one.bodies[0]!.alertnames, ['loud', 'quiet']);
  assert.deepEqual(one.bodies[0]!.body[0]!['labels'], { alertname: 'loud', cluster: 'x', team: 'own' });
  assert.deepEqual(two.bodies[0]!.alertnames, ['loud']);
  await sender.stop();
  one.close();
  two.close();
});

const alertmanager = peer('prometheus-alertmanager', 'prometheus-alertmanager');

test("Debian's Alertmanager takes our alerts", { skip: alertmanager.skip }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-send-'));
  fs.writeFileSync(path.join(folder, 'am.yml'), 'route: {receiver: x}\nreceivers: [{name: x}]\n');
  const child = spawn(
    alertmanager.path,
    [
      `--config.file=${folder}/am.yml`,
      `--storage.path=${folder}`,
      '--web.listen-address=127.0.0.1:0',
      '--cluster.listen-address=',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (data) => {
    log += String(data);
  });
  await until(() => /Listening on.*address=127\.0\.0\.1:\d+/.test(log) || child.exitCode !== null);
  const address = /address=(127\.0\.0\.1:\d+)/.exec(log)![1]!;
  const { sender, metric } = newSender();
  await sender.apply(section(`{alertmanagers: [{static_configs: [{targets: ['${address}']}]}]}`), []);
  await until(() => sender.active().length === 1);
  sender.send([alert('Real', { job: 'x' })]);
  await until(() => (metric('sent_total') ?? 0) > 0 || (metric('errors_total') ?? 0) > 0);
  const get = () =>
    new Promise<string>((resolve, reject) => {
      http
        .get(`http://${address}/api/v2/alerts`, (response) => {
          let text = '';
          response.on('data', (data) => {
            text += String(data);
          });
          response.on('end', () => resolve(text));
        })
        .on('error', reject);
    });
  const [stored] = JSON.parse(await get()) as Record<string, unknown>[];
  assert.deepEqual(stored!['labels'], { alertname: 'Real', job: 'x' });
  assert.deepEqual(stored!['annotations'], { summary: 'it <broke>' });
  assert.equal(stored!['generatorURL'], 'http://p:9090/graph?g0.expr=up&g0.tab=1');
  await sender.stop();
  child.kill();
  await new Promise((resolve) => child.on('exit', resolve));
  fs.rmSync(folder, { recursive: true });
});
