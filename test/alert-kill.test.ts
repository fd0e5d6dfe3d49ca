// Processes are killed at random moments while alerts stream in: every firing alert reaches the receiver, and nothing is said twice
// but what was on its way when the process died.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { seeded } from '#base/random.ts';
import { eventually, freePort, get, type Running, start, temporaryFolder } from './running.ts';

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');
const KILLS = 6;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What happened, in order: kills, and messages with what they said. */
type Event = 'kill' | { readonly group: string; readonly said: string };

async function receiver(t: TestContext) {
  const events: Event[] = [];
  const told = new Set<string>();
  const server = http.createServer((request, response) => {
    let text = '';
    request.on('data', (bytes: Buffer) => (text += bytes.toString()));
    request.on('end', () => {
      const { groupKey, alerts } = JSON.parse(text) as {
        groupKey: string;
        alerts: { status: string; labels: Record<string, string> }[];
      };
      const states = alerts.map(({ status, labels }) => `${labels['n']}:${status}`).sort();
      for (const state of states) told.add(state);
      events.push({ group: groupKey, said: states.join(' ') });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { events, told, url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/` };
}

/** Messages that say what the one before of their group said must have a kill between them, one for each group and kill. */
function checkRepetitions(events: readonly Event[], seed: number): void {
  const last = new Map<string, { said: string; kills: number }>();
  let kills = 0;
  for (const event of events) {
    if (event === 'kill') {
      kills++;
      continue;
    }
    const before = last.get(event.group);
    assert.ok(before?.said !== event.said || kills > before.kills, `${event.said} was said twice (seed ${seed})`);
    last.set(event.group, { said: event.said, kills });
  }
}

test('alertmanager: killed again and again, every alert is told of, resolutions too', async (t) => {
  const seed = Date.now() % 100_000;
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const folder = temporaryFolder(t);
  const hook = await receiver(t);
  const port = await freePort();
  fs.writeFileSync(
    path.join(folder, 'am.yml'),
    `
route: { receiver: hook, group_by: [group], group_wait: 200ms, group_interval: 500ms, repeat_interval: 1h }
receivers: [{ name: hook, webhook_configs: [{ url: '${hook.url}' }] }]
`,
  );
  const url = `http://127.0.0.1:${port}`;
  const open = () =>
    start(t, LAUNCHER, [
      'alertmanager',
      `--config.file=${folder}/am.yml`,
      `--storage.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
  let running: Running = open();
  await eventually('the alertmanager is ready', () => get(`${url}/-/ready`));

  let stopped = false;
  /** Each alert is sent until it was taken, once, as by somebody who never repeats it. */
  const send = async (n: string, isResolved: boolean): Promise<void> => {
    const alert = {
      labels: { alertname: 'A', group: String(Number(n) % 7), n },
      ...(isResolved
        ? { endsAt: new Date().toISOString() }
        : { endsAt: new Date(Date.now() + 3_600_000).toISOString() }),
    };
    while (!stopped) {
      try {
        const response = await fetch(`${url}/api/v2/alerts`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify([alert]),
        });
        if (response.ok) return;
      } catch {
        // It is being restarted.
      }
      await sleep(20);
    }
  };
  t.after(() => {
    stopped = true;
  });
  let count = 0;
  const sending: Promise<void>[] = [];
  const resolving = new Set<string>();
  const stream = async () => {
    while (!stopped) {
      sending.push(send(String(count++), false));
      const candidate = String(Math.floor(random.next() * count));
      if (hook.told.has(`${candidate}:firing`) && !resolving.has(candidate)) {
        resolving.add(candidate);
        sending.push(send(candidate, true));
      }
      await sleep(10 + random.next() * 60);
    }
  };
  const streaming = stream();
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(random.next() * 1500);
    await running.stop('SIGKILL');
    hook.events.push('kill');
    running = open();
    await eventually('the alertmanager is ready again', () => get(`${url}/-/ready`));
  }
  const expected = () => [
    ...Array.from({ length: count }, (_, n) => `${n}:firing`),
    ...[...resolving].map((n) => `${n}:resolved`),
  ];
  await sleep(500);
  stopped = true;
  await streaming;
  stopped = false;
  await Promise.all(sending);
  await eventually(`everything is told of (seed ${seed})`, () => expected().every((state) => hook.told.has(state)));
  assert.ok(resolving.size > 0 && count > KILLS);
  checkRepetitions(hook.events, seed);
});

test('up: rules that start to fire while the process is killed again and again are all told of, once', async (t) => {
  const seed = Date.now() % 100_000;
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const folder = temporaryFolder(t);
  const hook = await receiver(t);
  const port = await freePort();
  const from = Math.floor(Date.now() / 1000);
  const rules = Array.from(
    { length: 20 },
    (_, n) => `  - { alert: A${n}, expr: 'vector(time()) > ${from + n}', labels: { n: '${n}', group: '${n % 3}' } }`,
  );
  fs.writeFileSync(
    path.join(folder, 'rules.yml'),
    `groups:\n- name: g\n  interval: 1s\n  rules:\n${rules.join('\n')}\n`,
  );
  fs.writeFileSync(
    path.join(folder, 'am.yml'),
    `
route: { receiver: hook, group_by: [group], group_wait: 200ms, group_interval: 500ms, repeat_interval: 1h }
receivers: [{ name: hook, webhook_configs: [{ url: '${hook.url}' }] }]
`,
  );
  fs.writeFileSync(path.join(folder, 'prometheus.yml'), `rule_files: ['${folder}/rules.yml']\n`);
  const open = () =>
    start(t, LAUNCHER, [
      'up',
      `--config.file=${folder}/prometheus.yml`,
      `--alertmanager.config.file=${folder}/am.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--storage.shards=1',
      '--no-rules.shipped',
    ]);
  let running: Running = open();
  for (let kill = 0; kill < KILLS; kill++) {
    await eventually('the server is ready', () => get(`http://127.0.0.1:${port}/-/ready`));
    await sleep(random.next() * 3000);
    await running.stop('SIGKILL');
    hook.events.push('kill');
    running = open();
  }
  await eventually(`all rules are told of (seed ${seed})`, () => rules.every((_, n) => hook.told.has(`${n}:firing`)));
  assert.doesNotMatch([...hook.told].join(), /resolved/, 'nothing ended');
  checkRepetitions(hook.events, seed);
});
