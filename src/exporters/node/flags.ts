// The flags of the host's collectors: node_exporter's names and defaults, so that its command lines work here. A flag that may
// be given several times keeps its values joined by a line feed.

import { UserError } from '#base/errors.ts';

export type FlagKind = 'text' | 'switch' | 'list';
export type NodeFlagSpec = { readonly kind: FlagKind; readonly default: string; readonly help: string };

const text = (value: string, help: string): NodeFlagSpec => ({ kind: 'text', default: value, help });
const toggle = (value: boolean, help: string): NodeFlagSpec => ({ kind: 'switch', default: String(value), help });
const list = (help: string): NodeFlagSpec => ({ kind: 'list', default: '', help });

const NETSTAT_FIELDS =
  '^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$';
const MOUNT_POINTS = '^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)';
const FS_TYPES =
  '^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$';

/** node_exporter chooses between two ways to the same numbers; here there is one, and asking for the other is logged. */
const NETLINK = 'the runtime has no netlink sockets; the same numbers are read from procfs and sysfs';
const netlink = (value: boolean): NodeFlagSpec => toggle(value, `Accepted as node_exporter has it: ${NETLINK}.`);

export const NODE_FLAGS = {
  'path.procfs': text('/proc', 'where procfs is mounted'),
  'path.sysfs': text('/sys', 'where sysfs is mounted'),
  'path.rootfs': text('/', 'where the root file system is mounted'),
  'path.udev.data': text('/run/udev/data', 'folder of udev data'),
  'collector.timeout': text('5s', 'how long one collector may take before the page is served without it'),
  'collector.arp.device-include': text('', 'devices to include (not together with device-exclude)'),
  'collector.arp.device-exclude': text('', 'devices to leave out'),
  'collector.arp.netlink': netlink(true),
  'collector.bcache.priorityStats': toggle(false, 'also read the expensive priority statistics'),
  'collector.cpu.guest': toggle(true, 'report node_cpu_guest_seconds_total'),
  'collector.cpu.info': toggle(false, 'report node_cpu_info'),
  'collector.cpu.info.flags-include': text('', 'CPU flags to report'),
  'collector.cpu.info.bugs-include': text('', 'CPU bugs to report'),
  'collector.diskstats.device-exclude': text(
    '^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$',
    'devices to leave out',
  ),
  'collector.diskstats.device-include': text('', 'devices to include (not together with device-exclude)'),
  'collector.filesystem.mount-points-exclude': text(MOUNT_POINTS, 'mount points to leave out'),
  'collector.filesystem.mount-points-include': text('', 'mount points to include'),
  'collector.filesystem.fs-types-exclude': text(FS_TYPES, 'file system types to leave out'),
  'collector.filesystem.fs-types-include': text('', 'file system types to include'),
  'collector.filesystem.mount-timeout': text('5s', 'how long a mount may take before it counts as stuck'),
  'collector.filesystem.stat-workers': text('4', 'how many mounts are asked at a time'),
  'collector.hwmon.chip-include': text('', 'chips to include'),
  'collector.hwmon.chip-exclude': text('', 'chips to leave out'),
  'collector.hwmon.sensor-include': text('', 'sensors to include, as chip;sensor'),
  'collector.hwmon.sensor-exclude': text('', 'sensors to leave out, as chip;sensor'),
  'collector.infiniband.device-include': text('', 'devices to include'),
  'collector.infiniband.device-exclude': text('', 'devices to leave out'),
  'collector.interrupts.name-include': text('', 'interrupts to include'),
  'collector.interrupts.name-exclude': text('', 'interrupts to leave out'),
  'collector.interrupts.include-zeros': toggle(true, 'report interrupts that never happened'),
  'collector.ipvs.backend-labels': text(
    'local_address,local_port,remote_address,remote_port,proto,local_mark',
    'labels of the backend statistics',
  ),
  'collector.netclass.netlink': netlink(false),
  'collector.netclass.ignored-devices': text('^$', 'devices to leave out'),
  'collector.netclass.ignore-invalid-speed': toggle(false, 'leave out speeds that are unknown (-1)'),
  'collector.netdev.device-include': text('', 'devices to include (not together with device-exclude)'),
  'collector.netdev.device-exclude': text('', 'devices to leave out'),
  'collector.netdev.address-info': toggle(false, 'report the addresses of every device'),
  'collector.netdev.enable-detailed-metrics': toggle(false, 'report every counter of a device under its own name'),
  'collector.netdev.netlink': netlink(true),
  'collector.netdev.label-ifalias': toggle(false, 'add a label with the alias of the device'),
  'collector.netstat.fields': text(NETSTAT_FIELDS, 'fields to report'),
  'collector.pcidevice.idsfile': text('', 'pci.ids file with the names of devices'),
  'collector.pcidevice.names': toggle(false, 'add labels with the names of devices, from pci.ids'),
  'collector.powersupply.ignored-supplies': text('^$', 'power supplies to leave out'),
  'collector.rapl.enable-zone-label': toggle(false, 'one metric with a zone label instead of one metric per zone'),
  'collector.slabinfo.slabs-include': text('.*', 'slabs to include'),
  'collector.slabinfo.slabs-exclude': text('', 'slabs to leave out'),
  'collector.stat.softirq': toggle(false, 'report soft interrupts per vector'),
  'collector.sysctl.include': list('sysctl values to report'),
  'collector.sysctl.include-info': list('sysctl values to report as info metrics'),
  'collector.systemd.private': toggle(false, "ask systemd's private socket, which root alone may, instead of the bus"),
  'collector.systemd.unit-include': text('.+', 'units to include'),
  'collector.systemd.unit-exclude': text('.+\\.(automount|device|mount|scope|slice)', 'units to leave out'),
  'collector.systemd.enable-task-metrics': toggle(false, 'report tasks of services'),
  'collector.systemd.enable-restarts-metrics': toggle(false, 'report restarts of services'),
  'collector.systemd.enable-start-time-metrics': toggle(false, 'report start times of units'),
  'collector.tapestats.ignored-devices': text('^$', 'devices to leave out'),
  'collector.textfile.directory': list('folders with *.prom files, globs allowed'),
  'collector.vmstat.fields': text('^(oom_kill|pgpg|pswp|pg.*fault).*', 'fields to report'),
} as const satisfies Record<string, NodeFlagSpec>;

export type NodeFlag = keyof typeof NODE_FLAGS;

/** Earlier names that node_exporter still takes, and what they are called now. */
export const RENAMED_FLAGS: Readonly<Record<string, NodeFlag>> = {
  'collector.diskstats.ignored-devices': 'collector.diskstats.device-exclude',
  'collector.filesystem.ignored-fs-types': 'collector.filesystem.fs-types-exclude',
  'collector.filesystem.ignored-mount-points': 'collector.filesystem.mount-points-exclude',
  'collector.netdev.device-blacklist': 'collector.netdev.device-exclude',
  'collector.netdev.device-whitelist': 'collector.netdev.device-include',
  'collector.systemd.unit-blacklist': 'collector.systemd.unit-exclude',
  'collector.systemd.unit-whitelist': 'collector.systemd.unit-include',
};

/** Flags of collectors that are not here (see UNAVAILABLE in names.ts), so that a command line may keep them. */
export const FOREIGN_FLAGS: Readonly<Record<string, FlagKind>> = {
  'collector.ethtool.device-exclude': 'text',
  'collector.ethtool.device-include': 'text',
  'collector.ethtool.metrics-include': 'text',
  'collector.netclass_rtnl.with-stats': 'switch',
  'collector.ntp.ip-ttl': 'text',
  'collector.ntp.local-offset-tolerance': 'text',
  'collector.ntp.max-distance': 'text',
  'collector.ntp.protocol-version': 'text',
  'collector.ntp.server': 'text',
  'collector.ntp.server-is-local': 'switch',
  'collector.ntp.server-port': 'text',
  'collector.perf.cache-profilers': 'list',
  'collector.perf.cpus': 'text',
  'collector.perf.disable-cache-profilers': 'switch',
  'collector.perf.disable-hardware-profilers': 'switch',
  'collector.perf.disable-software-profilers': 'switch',
  'collector.perf.hardware-profilers': 'list',
  'collector.perf.software-profilers': 'list',
  'collector.perf.tracepoint': 'list',
  'collector.qdisc.device-exclude': 'text',
  'collector.qdisc.device-include': 'text',
  'collector.qdisc.fixtures': 'text',
  'collector.qdisk.device-exclude': 'text',
  'collector.qdisk.device-include': 'text',
  'collector.runit.servicedir': 'text',
  'collector.supervisord.url': 'text',
  'collector.wifi.fixtures': 'text',
};

/** Patterns that are not given together, although one of them has a default. */
const EXCLUSIVE = ['collector.diskstats.device', 'collector.filesystem.mount-points', 'collector.filesystem.fs-types'];

/** A line of the log: what a flag that was given comes to. */
export type FlagNote = {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly flag: string;
  readonly why: string;
};

/**
 * The values of the flags from a command line: earlier names stand for today's, and what makes no difference is noted. Throws when
 * a flag is given under both its names.
 */
export function readNodeFlags(
  values: Readonly<Record<string, unknown>>,
  given: ReadonlySet<string>,
): { readonly flags: Record<NodeFlag, string>; readonly notes: readonly FlagNote[] } {
  const written = (name: string) => {
    const value = values[name];
    return Array.isArray(value) ? value.join('\n') : String(value);
  };
  const flags = defaultNodeFlags();
  const notes: FlagNote[] = [];
  for (const name of Object.keys(NODE_FLAGS) as NodeFlag[]) if (values[name] !== undefined) flags[name] = written(name);
  for (const [old, name] of Object.entries(RENAMED_FLAGS)) {
    if (!given.has(old)) continue;
    if (given.has(name)) throw new UserError(`--${old} and --${name} are mutually exclusive`);
    flags[name] = written(old);
    notes.push({ level: 'warn', message: 'flag is deprecated', flag: old, why: `use --${name}` });
  }
  for (const pair of EXCLUSIVE) {
    const [include, exclude] = [`${pair}-include`, `${pair}-exclude`] as [NodeFlag, NodeFlag];
    if (given.has(include) && given.has(exclude) && flags[include] !== '' && flags[exclude] !== '')
      throw new UserError(`--${exclude} and --${include} are mutually exclusive`);
  }
  const unused = { level: 'info', message: 'flag makes no difference here' } as const;
  for (const name of ['collector.arp.netlink', 'collector.netclass.netlink', 'collector.netdev.netlink'])
    if (given.has(name) && values[name] === true) notes.push({ ...unused, flag: name, why: NETLINK });
  for (const flag of Object.keys(FOREIGN_FLAGS)) {
    const collector = flag.split('.')[1]!;
    if (given.has(flag)) notes.push({ ...unused, flag, why: `there is no collector ${collector}` });
  }
  return { flags, notes };
}

export function defaultNodeFlags(): Record<NodeFlag, string> {
  return Object.fromEntries(Object.entries(NODE_FLAGS).map(([name, spec]) => [name, spec.default])) as Record<
    NodeFlag,
    string
  >;
}
