// The names of this host's collectors and which run by default, as in node_exporter, so that --collector.x, --no-collector.x and
// collect[] mean the same. What makes them is in makers.ts, which only the collecting thread loads.

import { UserError } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';

const ON = [
  'arp',
  'bcache',
  'bcachefs',
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
  'timex',
  'udp_queues',
  'uname',
  'vmstat',
  'watchdog',
  'xfs',
  'zfs',
] as const;
const OFF = [
  'buddyinfo',
  'cgroups',
  'cpu_vulnerabilities',
  'drbd',
  'drm',
  'interrupts',
  'ksmd',
  'lnstat',
  'logind',
  'meminfo_numa',
  'mountstats',
  'nvmesubsystem',
  'pcidevice',
  'processes',
  'slabinfo',
  'softirqs',
  'swap',
  'sysctl',
  'systemd',
  'tcpstat',
  'xfrm',
  'zoneinfo',
] as const;

/** Collectors of node_exporter that are not here, and why; switching one on is refused. */
export const UNAVAILABLE: Readonly<Record<string, string>> = {
  ethtool: 'it needs ioctl calls, which Node does not offer; see netclass and netdev',
  netclass_rtnl: 'it needs a netlink socket, which Node does not offer; netclass reads the same from /sys',
  network_route: 'it needs a netlink socket, which Node does not offer',
  ntp: 'it is deprecated; see timex, or probe the time server',
  perf: 'it needs perf_event_open, which Node does not offer; see pressure and schedstat',
  qdisc: 'it needs a netlink socket, which Node does not offer',
  runit: 'it is deprecated; use textfile',
  supervisord: 'it is deprecated; use textfile',
  wifi: 'it needs a netlink socket, which Node does not offer',
};

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
  for (const [name, isOn] of Object.entries(switches)) {
    const why = UNAVAILABLE[name];
    if (why === undefined) mustExist(name);
    else if (isOn) throw new UserError(`collector ${name} is not available: ${why}`);
  }
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
