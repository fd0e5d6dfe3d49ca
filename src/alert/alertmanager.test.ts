import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { loadYaml } from '#base/config/load.ts';
import { list } from '#base/config/schema.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { labelsOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { Alertmanager } from './alertmanager.ts';
import { parseAlertmanagerConfig } from './route/config.ts';
import { timeIntervalSchema } from './route/intervals.ts';
import { fingerprint } from './store.ts';

type Hook = { status: string; groupKey: string; alerts: { status: string; labels: Record<string, string> }[] };

/** An alertmanager on simulated time whose webhook goes to a real server; restarts keep the folder. */
async function world(t: TestContext, more = '', receiver = '') {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-am-'));
  const hooks: Hook[] & { url: string } = Object.assign([], { url: '' });
  const state = { status: 200 };
  const server = http.createServer((request, response) => {
    let text = '';
    request.on('data', (bytes: Buffer) => (text += bytes.toString()));
    request.on('end', () => {
      response.statusCode = state.status;
      response.end();
      if (state.status === 200) hooks.push(JSON.parse(text) as Hook);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const opened: Alertmanager[] = [];
  t.after(() => {
    for (const one of opened) one.stop();
    server.close();
    fs.rmSync(folder, { recursive: true });
  });
  const { port } = server.address() as net.AddressInfo;
  hooks.url = `http://127.0.0.1:${port}/`;
  const yaml = `
route: { receiver: hook, group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 1h }
receivers: [{ name: hook, ${receiver} webhook_configs: [{ url: 'http://127.0.0.1:${port}/' }] }]
${more}`;
  const clock = new SimClock(Date.parse('2026-01-05T12:00:00Z'));
  const open = () => {
    const alertmanager = new Alertmanager({
      ...{ clock, random: seeded(1), disk: nodeDisk, logger: silentLogger, registry: new Registry(), folder },
      ...{ externalUrl: 'http://am', retentionMs: 432_000_000, gcIntervalMs: 60_000, maintenanceIntervalMs: 60_000 },
      ...{ startDelayMs: 0, maxSilences: 0, maxSilenceBytes: 0, alertsPerName: 0, maxGroups: 0, environment: {} },
      ...{ features: new Set<string>(), logSilences: false },
    });
    alertmanager.apply(parseAlertmanagerConfig(yaml, 'am.yml', (file) => file));
    opened.push(alertmanager);
    return alertmanager;
  };
  const fire = (am: Alertmanager, labels: Record<string, string>, endsAt = clock.now() + 36_000_000) =>
    am.receive(
      { labels: labelsOf(labels), annotations: [], startsAt: clock.now(), endsAt, generatorUrl: '' },
      false,
      clock.now(),
    );
  /** Moves time, then waits for the real server. */
  const pass = async (ms: number, stepMs = 5000) => {
    for (let left = ms; left > 0; left -= stepMs) {
      await clock.advance(Math.min(stepMs, left));
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  };
  return { clock, open, fire, pass, hooks, state };
}

const told = (hooks: Hook[]) =>
  hooks.splice(0).map((h) =>
    h.alerts
      .map((a) => `${a.labels['n']}:${a.status}`)
      .sort()
      .join(' '),
  );

test('a group waits, grows, repeats, and tells of what resolved', async (t) => {
  const { open, fire, pass, hooks, clock } = await world(t);
  const am = open();
  fire(am, { alertname: 'A', n: '1' });
  await pass(5000);
  fire(am, { alertname: 'A', n: '2' });
  assert.deepEqual(told(hooks), [], 'still waiting');
  await pass(10_000);
  assert.deepEqual(told(hooks), ['1:firing 2:firing']);
  fire(am, { alertname: 'A', n: '3' });
  await pass(60_000);
  assert.deepEqual(told(hooks), ['1:firing 2:firing 3:firing'], 'a new one in the group');
  await pass(120_000);
  assert.deepEqual(told(hooks), [], 'nothing new');
  fire(am, { alertname: 'A', n: '1' }, clock.now());
  await pass(65_000);
  assert.deepEqual(told(hooks), ['1:resolved 2:firing 3:firing']);
  await pass(3_400_000, 60_000);
  for (const n of ['2', '3']) fire(am, { alertname: 'A', n });
  await pass(300_000);
  assert.deepEqual(told(hooks), ['2:firing 3:firing'], 'repeated after an hour');
});

test('after a restart nobody is told twice, and what was not told is told', async (t) => {
  const { open, fire, pass, hooks, clock } = await world(t);
  const first = open();
  fire(first, { alertname: 'A', n: '1' });
  await pass(15_000);
  assert.deepEqual(told(hooks), ['1:firing']);
  fire(first, { alertname: 'B', n: '2' });
  await pass(5000);
  first.stop();
  const second = open();
  await pass(70_000);
  assert.deepEqual(told(hooks), ['2:firing'], 'B was waiting, A is known');
  fire(second, { alertname: 'A', n: '1' }, clock.now());
  await pass(65_000);
  assert.deepEqual(told(hooks), ['1:resolved'], 'the resolution of what the first run told');
});

test('inhibition, silences, mute intervals', async (t) => {
  const { open, fire, pass, hooks, clock } = await world(
    t,
    'inhibit_rules: [{ source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [host] }]',
  );
  const am = open();
  fire(am, { alertname: 'A', n: '1', severity: 'critical', host: 'x' });
  fire(am, { alertname: 'B', n: '2', severity: 'warning', host: 'x' });
  fire(am, { alertname: 'C', n: '3', severity: 'warning', host: 'y' });
  const id = am.silences.set(
    {
      id: '',
      matchers: [{ type: '=', name: 'n', value: '3' }],
      startsAt: clock.now(),
      endsAt: clock.now() + 100_000,
      createdBy: 'me',
      comment: 'c',
    },
    clock.now(),
  );
  await pass(15_000);
  assert.deepEqual(told(hooks), ['1:firing']);
  assert.deepEqual(
    am.status(am.alerts.get(fingerprint(labelsOf({ alertname: 'C', n: '3', severity: 'warning', host: 'y' })))!)
      .silencedBy,
    [id],
  );
  await pass(160_000);
  assert.deepEqual(told(hooks), ['3:firing'], 'the silence has ended');
  fire(am, { alertname: 'A', n: '1', severity: 'critical', host: 'x' }, clock.now());
  await pass(130_000);
  assert.deepEqual(told(hooks).sort(), ['1:resolved', '2:firing']);
});

test('resolved_at_once: a resolution is told of without waiting for the interval', async (t) => {
  const { open, fire, pass, hooks, clock } = await world(t, '', 'resolved_at_once: true,');
  const am = open();
  for (const n of ['1', '2', '3']) fire(am, { alertname: 'A', n });
  fire(am, { alertname: 'A', n: '4' }, clock.now() + 40_000);
  await pass(15_000);
  assert.deepEqual(told(hooks), ['1:firing 2:firing 3:firing 4:firing']);
  fire(am, { alertname: 'A', n: '1' }, clock.now());
  fire(am, { alertname: 'A', n: '2' }, clock.now());
  await pass(5000);
  assert.deepEqual(told(hooks), ['1:resolved 2:resolved 3:firing 4:firing'], 'both in one message');
  await pass(30_000);
  assert.deepEqual(told(hooks), ['3:firing 4:resolved'], 'an alert that nobody repeated ends on time');
  await pass(120_000);
  assert.deepEqual(told(hooks), [], 'and once');
});

test('only_changed: messages leave out what is known, repetitions do not; acknowledged groups are not repeated', async (t) => {
  const { open, fire, pass, hooks, clock } = await world(t, '', 'only_changed: true,');
  const am = open();
  fire(am, { alertname: 'A', n: '1' });
  fire(am, { alertname: 'A', n: '2' });
  await pass(15_000);
  assert.deepEqual(told(hooks), ['1:firing 2:firing']);
  fire(am, { alertname: 'A', n: '3' });
  await pass(65_000);
  assert.deepEqual(told(hooks), ['3:firing']);
  fire(am, { alertname: 'A', n: '1' }, clock.now());
  await pass(65_000);
  assert.deepEqual(told(hooks), ['1:resolved']);
  await pass(3_700_000, 60_000);
  assert.deepEqual(told(hooks), ['2:firing 3:firing'], 'repeated after an hour');
  for (const n of ['2', '3']) {
    const key = fingerprint(labelsOf({ alertname: 'A', n }));
    am.acknowledge({ fingerprint: key, by: 'me', comment: 'on it', at: clock.now() });
  }
  await pass(3_700_000, 60_000);
  assert.deepEqual(told(hooks), [], 'somebody is on it');
});

test('a receiver that hangs or talks nonsense delays only itself', async (t) => {
  let asked = 0;
  const sockets = new Set<net.Socket>();
  const hanging = http.createServer(() => void asked++);
  hanging.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
  const nonsense = createServer((socket) => {
    socket.on('error', () => {});
    socket.end('\0\x01 this is no HTTP\r\n\r\n');
  });
  await new Promise<void>((resolve) => nonsense.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    hanging.close();
    nonsense.close();
  });
  const url = (server: net.Server) => `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/`;
  const others = `slack_configs: [{ api_url: '${url(hanging)}' }], msteams_configs: [{ webhook_url: '${url(nonsense)}' }],`;
  const { open, fire, pass, hooks } = await world(t, '', others);
  const am = open();
  fire(am, { alertname: 'A', n: '1' });
  await pass(15_000);
  assert.deepEqual(told(hooks), ['1:firing']);
  fire(am, { alertname: 'A', n: '2' });
  fire(am, { alertname: 'B', n: '3' });
  await pass(15_000);
  assert.deepEqual(told(hooks), ['3:firing'], 'another group does not wait');
  await pass(50_000);
  assert.deepEqual(
    told(hooks),
    ['1:firing 2:firing'],
    'its own group is told of what is new when its interval is over',
  );
  assert.ok(asked > 0);
});

test('a receiver that fails is tried again until it takes the message', async (t) => {
  const { open, fire, pass, hooks, state } = await world(t);
  const am = open();
  state.status = 500;
  fire(am, { alertname: 'A', n: '1' });
  await pass(30_000);
  state.status = 200;
  await pass(90_000);
  assert.deepEqual(told(hooks), ['1:firing']);
  assert.equal(am.history()[0]?.ok, true);
});

test('silences: edited in place or replaced, until resolved, by annotation', async (t) => {
  const { open, fire, pass, clock } = await world(t);
  const am = open();
  const base = {
    matchers: [{ type: '=' as const, name: 'n', value: '1' }],
    startsAt: clock.now(),
    endsAt: clock.now() + 3_600_000,
    createdBy: 'me',
    comment: 'c',
  };
  const id = am.silences.set({ ...base, id: '' }, clock.now());
  assert.equal(
    am.silences.set({ ...base, id, endsAt: base.endsAt + 1 }, clock.now()),
    id,
    'a later end stays the same silence',
  );
  const other = am.silences.set({ ...base, id, matchers: [{ type: '=', name: 'n', value: '2' }] }, clock.now());
  assert.notEqual(other, id);
  assert.equal(am.silences.get(id).endsAt, clock.now(), 'the old one has ended');
  assert.throws(
    () => am.silences.set({ ...base, id: '', matchers: [{ type: '=~', name: 'n', value: '.*' }] }, clock.now()),
    /at least one matcher must not match the empty string/,
  );
  const short = am.silences.set({ ...base, id: '', untilResolved: true }, clock.now());
  fire(am, { alertname: 'A', n: '1' });
  await pass(15_000);
  fire(am, { alertname: 'A', n: '1' }, clock.now());
  const resolvedAt = clock.now();
  await pass(5000);
  assert.equal(am.silences.get(short).endsAt, resolvedAt, 'it ended with its alert, at once');
});

test('a recurring silence holds inside its intervals only', async (t) => {
  const { open, clock } = await world(t);
  const am = open();
  const recurring = loadYaml(
    '[{times: [{start_time: "13:00", end_time: "14:00"}]}]',
    list(timeIntervalSchema),
    'recurring',
  );
  const times = { startsAt: clock.now(), endsAt: clock.now() + 864_000_000 };
  am.silences.set(
    { id: '', matchers: [{ type: '=', name: 'n', value: '1' }], ...times, createdBy: 'me', comment: 'c', recurring },
    clock.now(),
  );
  const mutes = (time: string) => am.silences.muting(labelsOf({ n: '1' }), [], Date.parse(time)).length;
  const asked = ['2026-01-05T12:30:00Z', '2026-01-05T13:30:00Z', '2026-01-06T13:30:00Z', '2026-01-06T14:00:00Z'];
  assert.deepEqual(asked.map(mutes), [0, 1, 1, 0]);
});

test("fingerprints are Prometheus'", () => {
  assert.equal(fingerprint([]), 'cbf29ce484222325');
  assert.equal(
    fingerprint(labelsOf({ alertname: 'bar', cluster: 'a', n: '2', severity: 'warning' })),
    'aa57469f8a1faddb',
  );
});

test('labels of routes: templates that may name each other, for messages and for who asks', async (t) => {
  const { open, fire, pass, hooks } = await world(t);
  const am = open();
  const yaml = `
route:
  receiver: hook
  group_wait: 10s
  labels: { why: '{{ .CommonLabels.n }}', long: '{{ routeLabels "why" }}!', loop: '{{ routeLabels "loop" }}' }
receivers: [{ name: hook, webhook_configs: [{ url: '${hooks.url}', payload: { own: '{{ routeLabels "long" }} {{ .RouteLabels.why }}' } }] }]
`;
  am.apply(parseAlertmanagerConfig(yaml, 'am.yml', (file) => file));
  fire(am, { alertname: 'A', n: 'x' });
  assert.deepEqual(am.routeLabels(am.groups()[0]!), { why: 'x', long: 'x!' });
  await pass(11_000);
  assert.deepEqual(hooks.at(-1), { own: 'x! x' });
});
