// The node exporter over node_exporter's own fixture of a host that has everything: same series, values, types. The fixture is not
// ours to ship: PHAROS_NODE_FIXTURES names the folder collector/fixtures of a checkout of node_exporter 1.12, with sys.ttar and
// udev.ttar unpacked (`./ttar -C collector/fixtures -x -f collector/fixtures/sys.ttar`).

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { UNAVAILABLE } from '#exporters/node/names.ts';
import { answers, freePort, PHAROS, start } from './programs.ts';

const fixtures = process.env['PHAROS_NODE_FIXTURES'] ?? '';
const isHere = fixtures !== '' && fs.existsSync(path.join(fixtures, 'sys'));

/** What the program there was started with. */
const COLLECTORS =
  'arp bcache bcachefs bonding btrfs buddyinfo cgroups conntrack cpu cpufreq cpu_vulnerabilities diskstats dmi drbd edac entropy fibrechannel filefd hwmon infiniband interrupts ipvs kernel_hung ksmd lnstat loadavg mdadm meminfo meminfo_numa mountstats netstat nfs nfsd pcidevice pressure processes qdisc rapl schedstat slabinfo sockstat softirqs stat sysctl textfile thermal_zone udp_queues vmstat watchdog wifi xfrm xfs zfs zoneinfo';
const FLAGS = [
  '--collector.cpu.info',
  '--collector.arp.device-exclude=nope',
  '--collector.bcache.priorityStats',
  '--collector.cpu.info.bugs-include=^(cpu_meltdown|spectre_.*|mds)$',
  '--collector.cpu.info.flags-include=^(aes|avx.?|constant_tsc)$',
  '--collector.hwmon.chip-include=(applesmc|asus_nb_wmi|coretemp|hwmon4|ieee80211|nct6779)',
  '--collector.netclass.ignore-invalid-speed',
  '--collector.netclass.ignored-devices=(dmz|int)',
  '--collector.stat.softirq',
  '--collector.sysctl.include-info=kernel.seccomp.actions_avail',
  '--collector.sysctl.include=fs.file-nr',
  '--collector.sysctl.include=fs.file-nr:total,current,max',
  '--collector.sysctl.include=kernel.threads-max',
  '--collector.textfile.directory=collector/fixtures/textfile/two_metric_files/',
  '--no-collector.arp.netlink',
  ...['selinux', 'filesystem', 'netdev', 'timex', 'uname'].map((name) => `--no-collector.${name}`),
];
/** What differs by time, host or design; network devices are those of the host that made the page. */
const SKIPPED =
  /^(go_|node_exporter_build_info|node_scrape_collector_|process_|promhttp_|prometheus_|node_textfile_mtime_seconds|node_time_(zone|seconds)|node_network_(receive|transmit)_|node_qdisc_|node_wifi_)/;

const NAMED = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;

function read(page: string): { series: Map<string, number>; types: Map<string, string> } {
  const series = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of page.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type && !SKIPPED.test(type[1]!)) types.set(type[1]!, type[2]!);
    const match = line.startsWith('#') ? null : NAMED.exec(line);
    if (!match || SKIPPED.test(match[1]!)) continue;
    // An empty label is no label.
    const labels = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].filter((pair) => pair[2] !== '');
    const texts = labels.map((pair) => pair[0]).sort();
    series.set(`${match[1]}{${texts.join(',')}}`, Number(match[3]!.replace('Inf', 'Infinity')));
  }
  return { series, types };
}

test('shows of the fixture what node_exporter shows', {
  skip: isHere ? false : 'PHAROS_NODE_FIXTURES does not name the fixture',
}, async (t) => {
  const folder = path.resolve(fixtures, '../..');
  const url = `http://127.0.0.1:${await freePort()}`;
  const on = COLLECTORS.split(' ').filter((name) => !(name in UNAVAILABLE));
  await start(
    t,
    PHAROS,
    [
      'node-exporter',
      `--web.listen-address=${url.slice(7)}`,
      '--path.rootfs=collector/fixtures',
      '--path.procfs=collector/fixtures/proc',
      '--path.sysfs=collector/fixtures/sys',
      '--path.udev.data=collector/fixtures/udev/data',
      ...on.map((name) => `--collector.${name}`),
      ...FLAGS,
    ],
    answers(`${url}/`),
    { cwd: folder },
  );
  const page = await (await fetch(`${url}/metrics`)).text();
  const ours = read(page);
  const theirs = read(fs.readFileSync(path.join(fixtures, 'e2e-output.txt'), 'utf8'));
  const close = (a: number, b: number) => Object.is(a, b) || Math.abs(a - b) <= 1e-9 * Math.abs(b);
  const problems: string[] = [];
  for (const [key, value] of theirs.series) {
    const mine = ours.series.get(key);
    if (mine === undefined) problems.push(`missing ${key} ${value}`);
    else if (!close(mine, value)) problems.push(`${key}: ours ${mine}, theirs ${value}`);
  }
  for (const key of ours.series.keys()) if (!theirs.series.has(key)) problems.push(`extra ${key}`);
  for (const [name, type] of theirs.types)
    if (ours.types.has(name) && ours.types.get(name) !== type)
      problems.push(`type of ${name}: ours ${ours.types.get(name)}, theirs ${type}`);
  assert.deepEqual(problems.sort(), []);
});
