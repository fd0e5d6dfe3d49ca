// The alertmanager under load, as a process of its own: many active alerts in many groups, sent again every minute as Prometheus does,
// many silences, some alerts resolving and firing again. Prints how late first notifications are, how long API calls take, and memory.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { eventually, freePort, get } from './running.ts';

const isFull = process.env['PHAROS_BENCH'] === 'full';
const GROUPS = isFull ? 5000 : 50;
const ALERTS_PER_GROUP = 10;
const SILENCES = isFull ? 1000 : 10;
const RESEND_MS = isFull ? 60_000 : 3000;
const ROUNDS = isFull ? Number(process.env['PHAROS_SOAK_ROUNDS'] ?? 8) : 1;
const BATCH = 200;
const GROUP_WAIT_MS = isFull ? 10_000 : 1000;

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-soak-'));
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** When each group was first told of, and how many messages came. */
const firstTold = new Map<string, number>();
let messages = 0;
const receiver = http.createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (bytes: Buffer) => chunks.push(bytes));
  request.on('end', () => {
    const { groupLabels } = JSON.parse(Buffer.concat(chunks).toString()) as { groupLabels: { group: string } };
    messages++;
    if (!firstTold.has(groupLabels.group)) firstTold.set(groupLabels.group, Date.now());
    response.end();
  });
});
await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));

const port = await freePort();
const url = `http://127.0.0.1:${port}`;
fs.writeFileSync(
  path.join(folder, 'am.yml'),
  `
route: { receiver: hook, group_by: [group], group_wait: ${GROUP_WAIT_MS}ms, group_interval: 30s, repeat_interval: 1h }
inhibit_rules: [{ source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [group, instance] }]
receivers: [{ name: hook, webhook_configs: [{ url: 'http://127.0.0.1:${(receiver.address() as net.AddressInfo).port}/' }] }]
`,
);
const child = spawn(
  LAUNCHER,
  [
    'alertmanager',
    `--config.file=${folder}/am.yml`,
    `--storage.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
  ],
  { stdio: 'ignore' },
);

const call = async (method: string, what: string, body?: unknown): Promise<number> => {
  const started = performance.now();
  const response = await fetch(`${url}/api/v2/${what}`, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${method} ${what}: ${response.status}`);
  return performance.now() - started;
};

const labelsOf = (index: number): Record<string, string> => ({
  alertname: `Alert${index % 50}`,
  group: String(Math.floor(index / ALERTS_PER_GROUP)),
  instance: `host${index % 5000}:9100`,
  job: 'node',
  severity: index % 7 === 0 ? 'critical' : 'warning',
  index: String(index),
});
const firstSent = new Map<string, number>();
const alertOf = (index: number, isResolved: boolean): unknown => ({
  labels: labelsOf(index),
  annotations: { summary: `something is wrong with host${index % 5000}`, description: 'x'.repeat(200) },
  startsAt: new Date(firstSent.get(String(Math.floor(index / ALERTS_PER_GROUP)))!).toISOString(),
  endsAt: new Date(Date.now() + (isResolved ? 0 : 4 * RESEND_MS)).toISOString(),
  generatorURL: 'http://prometheus/graph?g0.expr=up',
});

const timings = new Map<string, number[]>();
const note = (name: string, ms: number) => timings.set(name, [...(timings.get(name) ?? []), ms]);
const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;

function usage(): { rssMb: number; cpuSeconds: number } {
  const status = fs.readFileSync(`/proc/${child.pid}/status`, 'utf8');
  const stat = fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return {
    rssMb: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024,
    cpuSeconds: (Number(stat[11]) + Number(stat[12])) / 100,
  };
}

let stopping = false;
async function probe(): Promise<void> {
  const group = String(GROUPS >> 1);
  const calls: readonly [string, string][] = [
    ['GET status', 'status'],
    ['GET alerts of one name', `alerts?filter=${encodeURIComponent('alertname="Alert7"')}`],
    ['GET alerts of one group', `alerts?filter=${encodeURIComponent(`group="${group}"`)}`],
    ['GET groups, filtered', `alerts/groups?filter=${encodeURIComponent(`group="${group}"`)}`],
    ['GET silences', 'silences'],
    ['GET receivers', 'receivers'],
  ];
  for (let i = 0; !stopping; i++) {
    const [name, what] = calls[i % calls.length]!;
    note(name, await call('GET', what));
    if (i % 60 === 59) note('GET alerts, all', await call('GET', 'alerts'));
    await sleep(100);
  }
}

try {
  await eventually('the alertmanager is ready', () => get(`${url}/-/ready`));
  const now = Date.now();
  const shapes = [
    (i: number) => [{ name: 'instance', value: `host${i * 5}:9100`, isRegex: false }],
    (i: number) => [{ name: 'instance', value: `host(${i}|${i + 1}):.*`, isRegex: true }],
    (i: number) => [{ name: 'nobody', value: String(i), isRegex: false }],
  ];
  for (let i = 0; i < SILENCES; i++) {
    const times = { startsAt: new Date(now).toISOString(), endsAt: new Date(now + 86_400_000).toISOString() };
    const matchers = shapes[i % 10 < 5 ? 0 : i % 10 < 8 ? 1 : 2]!(i);
    note('POST silence', await call('POST', 'silences', { matchers, ...times, createdBy: 'bench', comment: 'soak' }));
  }
  const probing = probe();
  const count = GROUPS * ALERTS_PER_GROUP;
  const batches = Math.ceil(count / BATCH);
  const memory: string[] = [];
  let flipped = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const roundStart = performance.now();
    for (let batch = 0; batch < batches; batch++) {
      const from = batch * BATCH;
      const until = Math.min(from + BATCH, count);
      for (let i = from; i < until; i += ALERTS_PER_GROUP) {
        const group = String(i / ALERTS_PER_GROUP);
        if (!firstSent.has(group)) firstSent.set(group, Date.now());
      }
      const alerts = Array.from({ length: until - from }, (_, i) => alertOf(from + i, false));
      if (round > 0 && batch % 10 === 0) {
        const index = (flipped++ * 997) % count;
        note('POST resolution', await call('POST', 'alerts', [alertOf(index, true)]));
      }
      note(`POST ${BATCH} alerts`, await call('POST', 'alerts', alerts));
      const ahead = ((batch + 1) / batches) * RESEND_MS - (performance.now() - roundStart);
      if (ahead > 0) await sleep(ahead);
    }
    const { rssMb, cpuSeconds } = usage();
    const seconds = ((performance.now() - roundStart) / 1000).toFixed(0);
    memory.push(`${rssMb.toFixed(0)} MB`);
    console.log(`round ${round + 1}: ${seconds} s, ${cpuSeconds.toFixed(1)} s of CPU so far, ${rssMb.toFixed(0)} MB`);
  }
  await sleep(GROUP_WAIT_MS + 1000);
  stopping = true;
  await probing;
  const lateness = [...firstTold].map(([group, at]) => at - firstSent.get(group)! - GROUP_WAIT_MS);
  console.log(`${count} alerts in ${GROUPS} groups, ${SILENCES} silences, sent again every ${RESEND_MS / 1000} s`);
  console.log(`groups told of: ${firstTold.size}, messages: ${messages}`);
  const [median, p99, worst] = [0.5, 0.99, 1].map((q) => quantile(lateness, q).toFixed(0));
  console.log(`first notification after group_wait: median ${median} ms, 99% ${p99} ms, worst ${worst} ms`);
  for (const [name, values] of timings)
    console.log(`${name}: median ${quantile(values, 0.5).toFixed(1)} ms, 99% ${quantile(values, 0.99).toFixed(1)} ms`);
  const all = [...timings.values()].flat();
  console.log(`all calls: median ${quantile(all, 0.5).toFixed(1)} ms, worst ${quantile(all, 1).toFixed(0)} ms`);
  console.log(`memory after each round: ${memory.join(', ')}`);
} finally {
  child.kill();
  receiver.close();
  await new Promise((resolve) => child.once('exit', resolve));
  fs.rmSync(folder, { recursive: true });
}
