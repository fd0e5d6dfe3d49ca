// The names of this host's collectors and which run by default, as in node_exporter, so that --collector.x, --no-collector.x and
// collect[] mean the same. What makes them is in makers.ts, which only the collecting thread loads.

import { UserError } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';

const ON = [
  'arp',
  'bonding',
  'btrfs',
  'conntrack',
  'cpu',
  'cpufreq',
  'diskstats',
  'dmi',
  'dmmultipath',
  'edac',
  'entropy',
  'fibrechannel',
  'filefd',
  'filesystem',
  'hwmon',
  'infiniband',
  'ipvs',
  'kernel_hung',
  'loadavg',
  'mdadm',
  'meminfo',
  'netclass',
  'netdev',
  'netstat',
  'nfs',
  'nfsd',
  'nvme',
  'os',
  'powersupplyclass',
  'pressure',
  'rapl',
  'schedstat',
  'selinux',
  'sockstat',
  'softnet',
  'stat',
  'tapestats',
  'textfile',
  'thermal_zone',
  'time',
  'udp_queues',
  'uname',
  'vmstat',
  'watchdog',
  'xfs',
  'zfs',
] as const;
const OFF = [
  'buddyinfo',
  'interrupts',
  'ksmd',
  'meminfo_numa',
  'processes',
  'slabinfo',
  'softirqs',
  'swap',
  'sysctl',
  'systemd',
  'tcpstat',
] as const;

export type CollectorName = (typeof ON)[number] | (typeof OFF)[number];

/** Every collector, and whether it runs by default. */
export const NODE_COLLECTORS: Readonly<Record<string, boolean>> = Object.fromEntries(
  [...ON.map((name) => [name, true] as const), ...OFF.map((name) => [name, false] as const)].sort((a, b) =>
    a[0] < b[0] ? -1 : 1,
  ),
);

/** Switches given on the command line: collector name to on or off. */
export type Switches = Readonly<Record<string, boolean>>;

/** The names of the collectors that run, in order. */
export function enabledCollectors(switches: Switches, disableDefaults: boolean): string[] {
  for (const name of Object.keys(switches)) mustExist(name);
  return Object.entries(NODE_COLLECTORS)
    .filter(([name, byDefault]) => switches[name] ?? (byDefault && !disableDefaults))
    .map(([name]) => name);
}

/** What a request asks for: `collect[]` narrows, `exclude[]` leaves out; both together are refused, as upstream does. */
export function selectCollectors(
  enabled: readonly string[],
  collect: readonly string[],
  exclude: readonly string[],
): string[] {
  if (collect.length > 0 && exclude.length > 0)
    throw new UserError('collect[] and exclude[] cannot be used at the same time');
  for (const name of [...collect, ...exclude]) {
    mustExist(name);
    if (!enabled.includes(name)) throw new UserError(`disabled collector: ${name}`);
  }
  return enabled.filter((name) => (collect.length > 0 ? collect.includes(name) : !exclude.includes(name)));
}

function mustExist(name: string): void {
  if (name in NODE_COLLECTORS) return;
  const similar = nearest(name, Object.keys(NODE_COLLECTORS));
  throw new UserError(`missing collector: ${name}${similar ? ` (did you mean ${similar}?)` : ''}`);
}
