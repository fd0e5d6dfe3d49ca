// The node exporter as a program: beside Debian's node_exporter 1.5 on the same host, and with files that hang.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { peer } from './peers.ts';
import { answers, freePort, PHAROS, type Running, start, temporaryFolder } from './programs.ts';
import { labelsByMetric, unknownToPages } from './shipped-rules.ts';

const upstream = peer('prometheus-node-exporter', 'prometheus-node-exporter');

type Sample = { readonly name: string; readonly labels: string; readonly value: number };

function parse(page: string): { samples: Sample[]; types: Map<string, string> } {
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  for (const line of page.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type) types.set(type[1]!, type[2]!);
    const match = /^([a-zA-Z_:][^ {]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match || line.startsWith('#')) continue;
    // An empty label is no label.
    const labels = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
      .filter((pair) => pair[2] !== '')
      .map((pair) => pair[0])
      .sort()
      .join(',');
    samples.push({ name: match[1]!, labels, value: Number(match[3]!.replace('+Inf', 'Infinity')) });
  }
  return { samples, types };
}

/** What 1.5 has and we do not, or has otherwise than 1.12, whose names and labels we follow. */
const KNOWN = [
  /^node_exporter_build_info$/,
  /^node_scrape_collector_/, // compared apart
  /^node_disk_info$/, // 1.12 has a label more: rotational
  /^node_network_info$/, // 1.12 has a label more: adminstate
  /^(go_|process_|promhttp_)/,
];
const NEWER = [
  /^node_filesystem_mount_info$/,
  /^node_kernel_hung_tasks_total$/,
  /^node_netstat_TcpExt_(TCPOFOQueue|TCPRcvQDrop)$/,
  /^node_softnet_(backlog_len|cpu_collision_total|flow_limit_count_total|received_rps_total)$/,
  /^node_(disk|network)_info$/,
  /^(prometheus_|node_exporter_|node_scrape_)/,
];
/** Defaults that changed between 1.5 and 1.12. */
const FLAGS = [
  '--collector.netdev.device-exclude=^$',
  '--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)',
  '--collector.diskstats.device-exclude=^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$',
  '--collector.processes',
  '--collector.interrupts',
  '--collector.tcpstat',
  '--collector.cgroups',
  '--collector.zoneinfo',
  '--collector.lnstat',
];

type Page = ReturnType<typeof parse>;

const key = ({ name, labels }: Sample) => `${name}{${labels}}`;
const byKey = ({ samples }: Page) => new Map(samples.map((sample) => [key(sample), sample.value] as const));
const isKnown = (patterns: readonly RegExp[]) => (sample: Sample) => patterns.some((one) => one.test(sample.name));

/** Gauges that never stand still; bytes that 1.5 counts as queued for listening sockets are their backlog's limit, ours are bytes. */
const RESTLESS =
  /queued_bytes|^node_(memory|buddyinfo|filefd|sockstat|entropy|procs|processes|load|filesystem_avail|filesystem_free)/;

/** Counters lie between the pages before and after; what stands still is equal. */
function valuesApart(before: Page, mine: Page, after: Page): { differences: string[]; compared: number } {
  const [mineByKey, beforeByKey] = [byKey(mine), byKey(before)];
  const differences: string[] = [];
  let compared = 0;
  for (const sample of after.samples) {
    const name = key(sample);
    const [low, value] = [beforeByKey.get(name), mineByKey.get(name)];
    if (value === undefined || low === undefined || isKnown(KNOWN)(sample)) continue;
    let isAlike: boolean;
    if (low === sample.value && !RESTLESS.test(name)) {
      const tolerance = /idle|iowait/.test(sample.labels) ? 1 : 1e-9 * Math.abs(low);
      isAlike = Math.abs(value - low) <= tolerance;
    } else if (after.types.get(sample.name) === 'counter') isAlike = value >= low - 1 && value <= sample.value + 1;
    else continue;
    compared++;
    if (!isAlike) differences.push(name);
  }
  return { differences, compared };
}

async function startProgram(t: TestContext, ...flags: string[]): Promise<{ url: string; program: Running }> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const args = ['node-exporter', `--web.listen-address=${url.slice(7)}`, ...flags];
  return { url, program: await start(t, PHAROS, args, answers(`${url}/`)) };
}

const startOurs = async (t: TestContext, ...flags: string[]) => (await startProgram(t, ...flags)).url;

const scrape = async (url: string) => parse(await (await fetch(`${url}/metrics`)).text());

test('shows the families, labels and values of node_exporter', { skip: upstream.skip }, async (t) => {
  const folder = temporaryFolder(t);
  fs.writeFileSync(
    path.join(folder, 'a.prom'),
    '# TYPE text_total counter\ntext_total{a="b"} 3\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n',
  );
  const flags = [...FLAGS, `--collector.textfile.directory=${folder}`];
  const ours = await startOurs(t, ...flags);
  const theirs = `http://127.0.0.1:${await freePort()}`;
  await start(
    t,
    upstream.path,
    [`--web.listen-address=${theirs.slice(7)}`, '--web.disable-exporter-metrics', ...flags],
    answers(`${theirs}/`),
  );
  await scrape(ours);
  const before = await scrape(theirs);
  const mine = await scrape(ours);
  const after = await scrape(theirs);

  const [mineByKey, beforeByKey] = [byKey(mine), byKey(before)];
  const missing = after.samples.filter((sample) => beforeByKey.has(key(sample)) && !mineByKey.has(key(sample)));
  const extra = mine.samples.filter((sample) => !beforeByKey.has(key(sample)));
  // Processes come and go while the three pages are taken.
  const fleeting = (sample: Sample) => /^node_(processes_|tcp_connection)/.test(sample.name);
  assert.deepEqual(missing.filter((one) => !isKnown(KNOWN)(one) && !fleeting(one)).map(key), []);
  assert.deepEqual(extra.filter((one) => !isKnown(NEWER)(one) && !fleeting(one)).map(key), []);

  for (const [name, type] of after.types)
    if (mine.types.has(name)) assert.equal(mine.types.get(name), type, `type of ${name}`);

  // What moves meanwhile may differ in one round, but not in each.
  let differing: Set<string> | undefined;
  for (let round = 0; round < 5 && differing?.size !== 0; round++) {
    const { differences, compared } = valuesApart(await scrape(theirs), await scrape(ours), await scrape(theirs));
    assert.ok(compared > 200, `only ${compared} values compared`);
    const known: Set<string> | undefined = differing;
    differing = known ? new Set(differences.filter((one) => known.has(one))) : new Set(differences);
  }
  assert.deepEqual([...(differing ?? [])], []);

  const success = (samples: readonly Sample[]) =>
    new Map(
      samples.filter((one) => one.name === 'node_scrape_collector_success').map((one) => [one.labels, one.value]),
    );
  const theirSuccess = success(after.samples);
  for (const [collector, value] of success(mine.samples))
    if (theirSuccess.has(collector)) assert.equal(value, theirSuccess.get(collector), `success of ${collector}`);
});

test('what the alerts of hosts ask for is on the page', async (t) => {
  const { samples } = await scrape(await startOurs(t));
  const page = labelsByMetric(samples.map(key));
  // What needs hardware or services that this host may not have; the fixture and systemd have tests of their own.
  assert.deepEqual(unknownToPages('hosts.yml', page, /metric node_(systemd|md|hwmon|edac)_/), []);
});

test('a file that hangs costs its collectors, not the page, and heals', async (t) => {
  const folder = temporaryFolder(t);
  fs.mkdirSync(path.join(folder, 'net'));
  fs.writeFileSync(path.join(folder, 'meminfo'), 'MemTotal:       1000 kB\n');
  fs.writeFileSync(path.join(folder, 'stat'), 'cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n');
  const fifo = path.join(folder, 'loadavg');
  execFileSync('mkfifo', [fifo]);
  const url = await startOurs(
    t,
    `--path.procfs=${folder}`,
    '--collector.disable-defaults',
    '--collector.loadavg',
    '--collector.meminfo',
    '--collector.stat',
    '--collector.timeout=1s',
  );
  for (let i = 0; i < 2; i++) {
    const { samples } = await scrape(url);
    const value = (name: string, labels = '') =>
      samples.find((one) => one.name === name && one.labels === labels)?.value;
    assert.equal(value('node_memory_MemTotal_bytes'), 1_024_000);
    assert.equal(value('node_scrape_collector_success', 'collector="loadavg"'), 0);
    assert.equal(value('node_scrape_collector_success', 'collector="meminfo"'), 1);
  }
  // The reader that hangs gets its answer.
  await fs.promises.writeFile(fifo, '0.5 0.4 0.3 1/2 3\n');
  fs.rmSync(fifo);
  fs.writeFileSync(fifo, '1 2 3 1/2 3\n');
  for (;;) {
    const { samples } = await scrape(url);
    if (samples.some((one) => one.name === 'node_load1' && one.value === 1)) break;
  }
});

test('collect[] and exclude[] choose; what does not exist is refused', async (t) => {
  const url = await startOurs(t);
  const names = async (query: string) => {
    const response = await fetch(`${url}/metrics?${query}`);
    const { samples } = parse(await response.text());
    return {
      status: response.status,
      collectors: samples.filter((one) => one.name === 'node_scrape_collector_success').map((one) => one.labels),
    };
  };
  assert.deepEqual((await names('collect[]=loadavg&collect[]=uname')).collectors, [
    'collector="loadavg"',
    'collector="uname"',
  ]);
  assert.ok(!(await names('exclude[]=loadavg')).collectors.includes('collector="loadavg"'));
  assert.equal((await names('collect[]=nothing')).status, 400);
  assert.equal((await names('collect[]=processes')).status, 400, 'a collector that is off');
  assert.equal((await names('collect[]=loadavg&exclude[]=uname')).status, 400);
});

test('a collector that cannot be here is refused with the reason', async (t) => {
  await assert.rejects(
    startOurs(t, '--collector.qdisc'),
    /collector qdisc is not available: it needs a netlink socket/,
  );
  await startOurs(t, '--no-collector.wifi', '--no-collector.arp.netlink');
});

test('flags that make no sense end the program at its start', async (t) => {
  await assert.rejects(
    startOurs(t, '--collector.netdev.device-include=('),
    /--collector.netdev.device-include: .*missing closing/,
  );
  await assert.rejects(
    startOurs(t, '--collector.filesystem.stat-workers=many'),
    /"many" of flag --collector.filesystem.stat-workers/,
  );
  await assert.rejects(
    startOurs(t, '--collector.netdev.device-include=a', '--collector.netdev.device-exclude=b'),
    /mutually exclusive/,
  );
});

test('detailed metrics of network devices are those of node_exporter', { skip: upstream.skip }, async (t) => {
  const flags = [
    '--collector.disable-defaults',
    '--collector.netdev',
    '--collector.netdev.enable-detailed-metrics',
    '--collector.netdev.device-exclude=^$',
  ];
  const ours = await startOurs(t, ...flags);
  const theirs = `http://127.0.0.1:${await freePort()}`;
  await start(t, upstream.path, [`--web.listen-address=${theirs.slice(7)}`, ...flags], answers(`${theirs}/`));
  const keys = async (url: string) =>
    (await scrape(url)).samples
      .filter(({ name }) => name.startsWith('node_network_'))
      .map(key)
      .sort();
  const expected = await keys(theirs);
  assert.ok(expected.includes('node_network_receive_missed_errors_total{device="lo"}'), expected.join('\n'));
  assert.deepEqual(await keys(ours), expected);
});

test('a text file that is wrong spoils only itself, and the log says why', async (t) => {
  const folder = temporaryFolder(t);
  fs.writeFileSync(path.join(folder, 'good.prom'), 'good 1\n');
  fs.writeFileSync(path.join(folder, 'wrong.prom'), 'wrong {\n');
  const { url, program } = await startProgram(
    t,
    `--collector.textfile.directory=${folder}`,
    '--collector.netdev.netlink',
  );
  const { samples } = await scrape(url);
  assert.equal(samples.find(({ name }) => name === 'good')?.value, 1);
  assert.equal(samples.find(({ name }) => name === 'node_textfile_scrape_error')?.value, 1);
  assert.match(program.output(), /level=error msg="failed to collect textfile data" file=\S+wrong\.prom err=/);
  assert.match(
    program.output(),
    /level=info msg="flag makes no difference here" flag=collector\.netdev\.netlink why=".*netlink/,
  );
});
