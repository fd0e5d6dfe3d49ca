// Flags of the exporters and the push gateway against the programs they stand in for: the help of Debian's releases, read
// mechanically, and the names of the newest releases. What is taken has an effect or says why it has none.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { UserError } from '#base/errors.ts';
import { type FlagTable, parseFlags } from '#base/flags.ts';
import { FOREIGN_FLAGS, readNodeFlags } from '#exporters/node/flags.ts';
import { NODE_COLLECTORS, UNAVAILABLE } from '#exporters/node/names.ts';
import { type Peer, peer } from '../../test/peers.ts';
import { EXPORTER_FLAGS } from './exporter-flags.ts';
import { NODE_EXPORTER_FLAGS } from './node-exporter-flags.ts';
import { PUSHGATEWAY_FLAGS } from './pushgateway-flags.ts';

const words = (text: string) => text.trim().split(/\s+/);
const COMMON = 'web.listen-address web.config.file web.systemd-socket log.level log.format';

/** node_exporter 1.12, hidden and deprecated ones too; switches of collectors are compared apart. */
const NODE_EXPORTER = `${COMMON} web.telemetry-path web.disable-exporter-metrics web.max-requests runtime.gomaxprocs
  collector.disable-defaults path.procfs path.sysfs path.rootfs path.udev.data collector.arp.device-include
  collector.arp.device-exclude collector.arp.netlink collector.bcache.priorityStats collector.cpu.guest collector.cpu.info
  collector.cpu.info.flags-include collector.cpu.info.bugs-include collector.diskstats.device-exclude
  collector.diskstats.device-include collector.diskstats.ignored-devices collector.ethtool.device-include
  collector.ethtool.device-exclude collector.ethtool.metrics-include collector.filesystem.mount-points-exclude
  collector.filesystem.mount-points-include collector.filesystem.fs-types-exclude collector.filesystem.fs-types-include
  collector.filesystem.ignored-mount-points collector.filesystem.ignored-fs-types collector.filesystem.mount-timeout
  collector.filesystem.stat-workers collector.hwmon.chip-include collector.hwmon.chip-exclude collector.hwmon.sensor-include
  collector.hwmon.sensor-exclude collector.infiniband.device-include collector.infiniband.device-exclude
  collector.interrupts.name-include collector.interrupts.name-exclude collector.interrupts.include-zeros
  collector.ipvs.backend-labels collector.netclass.ignored-devices collector.netclass.ignore-invalid-speed
  collector.netclass.netlink collector.netclass_rtnl.with-stats collector.netdev.device-include collector.netdev.device-exclude
  collector.netdev.device-whitelist collector.netdev.device-blacklist collector.netdev.address-info
  collector.netdev.enable-detailed-metrics collector.netdev.netlink collector.netdev.label-ifalias collector.netstat.fields
  collector.ntp.server collector.ntp.server-port collector.ntp.protocol-version collector.ntp.server-is-local collector.ntp.ip-ttl
  collector.ntp.max-distance collector.ntp.local-offset-tolerance collector.pcidevice.idsfile collector.pcidevice.names
  collector.perf.cpus collector.perf.tracepoint collector.perf.disable-hardware-profilers collector.perf.hardware-profilers
  collector.perf.disable-software-profilers collector.perf.software-profilers collector.perf.disable-cache-profilers
  collector.perf.cache-profilers collector.powersupply.ignored-supplies collector.qdisc.fixtures collector.qdisc.device-include
  collector.qdisc.device-exclude collector.qdisk.device-include collector.qdisk.device-exclude collector.rapl.enable-zone-label
  collector.runit.servicedir collector.slabinfo.slabs-include collector.slabinfo.slabs-exclude collector.stat.softirq
  collector.supervisord.url collector.sysctl.include collector.sysctl.include-info collector.systemd.unit-include
  collector.systemd.unit-exclude collector.systemd.unit-whitelist collector.systemd.unit-blacklist collector.systemd.private
  collector.systemd.enable-task-metrics collector.systemd.enable-restarts-metrics collector.systemd.enable-start-time-metrics
  collector.tapestats.ignored-devices collector.textfile.directory collector.vmstat.fields collector.wifi.fixtures`;

const PUSHGATEWAY = `${COMMON} web.telemetry-path web.external-url web.route-prefix web.enable-lifecycle web.enable-admin-api
  persistence.file persistence.interval push.disable-consistency-check push.enable-utf8-names`;

const BLACKBOX = `${COMMON} config.file config.check config.enable-auto-reload config.auto-reload-interval timeout-offset log.prober
  history.limit web.external-url web.route-prefix`;

/** Names of flags in the help of a program that uses kingpin. */
function helpOf({ path }: Peer): string[] {
  const { stdout, stderr } = spawnSync(path, ['--help-long'], { encoding: 'utf8' });
  const names = [...`${stdout}\n${stderr}`.matchAll(/^ {2}.{4}--(?:\[no-\])?([\w.-]+)/gm)].map((match) => match[1]!);
  assert.ok(names.length > 10, stdout);
  return names.filter((name) => !/^(help|version)/.test(name));
}

const missing = (wanted: readonly string[], table: FlagTable) => wanted.filter((name) => !Object.hasOwn(table, name));

test('every flag of the newest releases is taken', () => {
  assert.deepEqual(missing(words(NODE_EXPORTER), NODE_EXPORTER_FLAGS), []);
  assert.deepEqual(missing(words(PUSHGATEWAY), PUSHGATEWAY_FLAGS), []);
  assert.deepEqual(missing(words(BLACKBOX), EXPORTER_FLAGS), []);
});

for (const [program, debian, table] of [
  ['prometheus-node-exporter', 'prometheus-node-exporter', NODE_EXPORTER_FLAGS],
  ['prometheus-pushgateway', 'prometheus-pushgateway', PUSHGATEWAY_FLAGS],
  ['prometheus-blackbox-exporter', 'prometheus-blackbox-exporter', EXPORTER_FLAGS],
] as const) {
  const upstream = peer(program, debian);
  test(`every flag in the help of ${program} is taken`, { skip: upstream.skip }, () =>
    assert.deepEqual(missing(helpOf(upstream), table), []),
  );
}

test('flags of collectors that are not here belong to one that is named with the reason', () => {
  for (const flag of Object.keys(FOREIGN_FLAGS)) {
    const collector = flag.split('.')[1]!.replace('qdisk', 'qdisc');
    assert.ok(Object.hasOwn(UNAVAILABLE, collector) && !Object.hasOwn(NODE_COLLECTORS, collector), flag);
  }
});

const read = (...args: string[]) => {
  const { flags, given } = parseFlags(NODE_EXPORTER_FLAGS, args);
  return readNodeFlags(flags, given);
};

test('earlier names of flags have their effect and are called deprecated', () => {
  const { flags, notes } = read(
    '--collector.netdev.device-blacklist=^lo$',
    '--collector.filesystem.ignored-fs-types=^x$',
    '--collector.systemd.unit-whitelist=a.*',
  );
  assert.equal(flags['collector.netdev.device-exclude'], '^lo$');
  assert.equal(flags['collector.filesystem.fs-types-exclude'], '^x$');
  assert.equal(flags['collector.systemd.unit-include'], 'a.*');
  assert.deepEqual(
    notes.map(({ level, flag, why }) => `${level} ${flag}: ${why}`),
    [
      'warn collector.filesystem.ignored-fs-types: use --collector.filesystem.fs-types-exclude',
      'warn collector.netdev.device-blacklist: use --collector.netdev.device-exclude',
      'warn collector.systemd.unit-whitelist: use --collector.systemd.unit-include',
    ],
  );
});

test('what excludes each other is refused', () => {
  for (const [one, other] of [
    ['collector.netdev.device-blacklist=a', 'collector.netdev.device-exclude=b'],
    ['collector.diskstats.ignored-devices=a', 'collector.diskstats.device-exclude=b'],
    ['collector.diskstats.device-include=a', 'collector.diskstats.device-exclude=b'],
    ['collector.filesystem.fs-types-include=a', 'collector.filesystem.fs-types-exclude=b'],
  ] as const)
    assert.throws(
      () => read(`--${one}`, `--${other}`),
      (error) => error instanceof UserError && /mutually exclusive/.test(error.message),
    );
  assert.equal(read('--collector.diskstats.device-include=a').flags['collector.diskstats.device-include'], 'a');
});

test('flags that make no difference say why', () => {
  const { notes } = read(
    '--collector.arp.netlink',
    '--no-collector.netdev.netlink',
    '--collector.ethtool.device-include=eth0',
  );
  assert.deepEqual(
    notes.map(({ flag }) => flag),
    ['collector.arp.netlink', 'collector.ethtool.device-include'],
  );
  for (const { why } of notes) assert.match(why, /\w{3}/);
});
