// The table of this host's collectors: names and defaults are node_exporter's, so that --collector.x, --no-collector.x and
// collect[] mean the same.

import { UserError } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import type { Collector } from '../collector.ts';
import * as cpu from './collectors/cpu.ts';
import { diskstats } from './collectors/disk.ts';
import { filesystem } from './collectors/filesystem.ts';
import * as hardware from './collectors/hardware.ts';
import * as memory from './collectors/memory.ts';
import * as network from './collectors/network.ts';
import { nfs, nfsd } from './collectors/nfs.ts';
import * as sockets from './collectors/sockets.ts';
import * as storage from './collectors/storage.ts';
import * as system from './collectors/system.ts';
import { systemd } from './collectors/systemd.ts';
import { textfile } from './collectors/textfile.ts';
import type { CollectorMaker, Host } from './host.ts';

type Entry = { readonly byDefault: boolean; readonly make: CollectorMaker };
const on = (make: CollectorMaker): Entry => ({ byDefault: true, make });
const off = (make: CollectorMaker): Entry => ({ byDefault: false, make });

export const NODE_COLLECTORS: Readonly<Record<string, Entry>> = {
  arp: on(sockets.arp),
  bonding: on(network.bonding),
  btrfs: on(storage.btrfs),
  buddyinfo: off(memory.buddyinfo),
  conntrack: on(sockets.conntrack),
  cpu: on(cpu.cpu),
  cpufreq: on(cpu.cpufreq),
  diskstats: on(diskstats),
  dmi: on(system.dmi),
  dmmultipath: on(hardware.dmmultipath),
  edac: on(hardware.edac),
  entropy: on(system.entropy),
  fibrechannel: on(hardware.fibrechannel),
  filefd: on(system.filefd),
  filesystem: on(filesystem),
  hwmon: on(hardware.hwmon),
  infiniband: on(hardware.infiniband),
  interrupts: off(system.interrupts),
  ipvs: on(sockets.ipvs),
  kernel_hung: on(system.kernelHung),
  ksmd: off(memory.ksmd),
  loadavg: on(memory.loadavg),
  mdadm: on(storage.mdadm),
  meminfo: on(memory.meminfo),
  meminfo_numa: off(memory.meminfoNuma),
  netclass: on(network.netclass),
  netdev: on(network.netdev),
  netstat: on(sockets.netstat),
  nfs: on(nfs),
  nfsd: on(nfsd),
  nvme: on(hardware.nvme),
  os: on(system.osRelease),
  powersupplyclass: on(hardware.powerSupply),
  pressure: on(memory.pressure),
  processes: off(system.processes),
  rapl: on(hardware.rapl),
  schedstat: on(memory.schedstat),
  selinux: on(system.selinux),
  slabinfo: off(system.slabinfo),
  sockstat: on(sockets.sockstat),
  softirqs: off(system.softirqs),
  softnet: on(sockets.softnet),
  stat: on(memory.stat),
  swap: off(hardware.swap),
  sysctl: off(system.sysctl),
  systemd: off(systemd),
  tapestats: on(hardware.tapestats),
  tcpstat: off(sockets.tcpstat),
  textfile: on(textfile),
  thermal_zone: on(hardware.thermalZone),
  time: on(system.time),
  udp_queues: on(sockets.udpQueues),
  uname: on(system.uname),
  vmstat: on(memory.vmstat),
  watchdog: on(hardware.watchdog),
  xfs: on(storage.xfs),
  zfs: on(storage.zfs),
};

/** Switches given on the command line: collector name to on or off. */
export type Switches = Readonly<Record<string, boolean>>;

/** The names of the collectors that run, in order. */
export function enabledCollectors(switches: Switches, disableDefaults: boolean): string[] {
  for (const name of Object.keys(switches)) mustExist(name);
  return Object.entries(NODE_COLLECTORS)
    .filter(([name, entry]) => switches[name] ?? (entry.byDefault && !disableDefaults))
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

export function makeCollectors(names: readonly string[], host: Host): Collector[] {
  return names.map((name) => ({ name, ...NODE_COLLECTORS[name]!.make(host) }));
}

function mustExist(name: string): void {
  if (name in NODE_COLLECTORS) return;
  const similar = nearest(name, Object.keys(NODE_COLLECTORS));
  throw new UserError(`missing collector: ${name}${similar ? ` (did you mean ${similar}?)` : ''}`);
}
