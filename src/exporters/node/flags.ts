// The flags of the host's collectors: node_exporter's names and defaults, so that its command lines work here. A flag that may
// be given several times keeps its values joined by a line feed.

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

/** node_exporter chooses between two ways to the same numbers; here there is one. */
const SAME = 'taken for compatibility: the same is always read from procfs and sysfs';

export const NODE_FLAGS = {
  'path.procfs': text('/proc', 'where procfs is mounted'),
  'path.sysfs': text('/sys', 'where sysfs is mounted'),
  'path.rootfs': text('/', 'where the root file system is mounted'),
  'path.udev.data': text('/run/udev/data', 'folder of udev data'),
  'collector.timeout': text('5s', 'how long one collector may take before the page is served without it'),
  'collector.arp.device-include': text('', 'devices to include (not together with device-exclude)'),
  'collector.arp.device-exclude': text('', 'devices to leave out'),
  'collector.arp.netlink': toggle(true, SAME),
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
  'collector.netclass.netlink': toggle(false, SAME),
  'collector.netclass.ignored-devices': text('^$', 'devices to leave out'),
  'collector.netclass.ignore-invalid-speed': toggle(false, 'leave out speeds that are unknown (-1)'),
  'collector.netdev.device-include': text('', 'devices to include (not together with device-exclude)'),
  'collector.netdev.device-exclude': text('', 'devices to leave out'),
  'collector.netdev.address-info': toggle(false, 'report the addresses of every device'),
  'collector.netdev.netlink': toggle(true, SAME),
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

export function defaultNodeFlags(): Record<NodeFlag, string> {
  return Object.fromEntries(Object.entries(NODE_FLAGS).map(([name, spec]) => [name, spec.default])) as Record<
    NodeFlag,
    string
  >;
}
