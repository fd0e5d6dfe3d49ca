// What makes each collector of this host. names.ts says which run.

import type { Collector } from '../collector.ts';
import * as bcaches from './collectors/bcache.ts';
import * as cpu from './collectors/cpu.ts';
import * as devices from './collectors/devices.ts';
import { diskstats } from './collectors/disk.ts';
import { filesystem } from './collectors/filesystem.ts';
import * as hardware from './collectors/hardware.ts';
import { hwmon } from './collectors/hwmon.ts';
import * as kernel from './collectors/kernel.ts';
import { logind } from './collectors/logind.ts';
import * as memory from './collectors/memory.ts';
import { mountstats } from './collectors/mountstats.ts';
import * as network from './collectors/network.ts';
import { nfs, nfsd } from './collectors/nfs.ts';
import * as sockets from './collectors/sockets.ts';
import * as storage from './collectors/storage.ts';
import * as system from './collectors/system.ts';
import { systemd } from './collectors/systemd.ts';
import { textfile } from './collectors/textfile.ts';
import { timex } from './collectors/timex.ts';
import type { CollectorMaker, Host } from './host.ts';
import type { CollectorName } from './names.ts';

const MAKERS: Readonly<Record<CollectorName, CollectorMaker>> = {
  arp: sockets.arp,
  bcache: bcaches.bcache,
  bcachefs: bcaches.bcachefs,
  bonding: network.bonding,
  btrfs: storage.btrfs,
  buddyinfo: memory.buddyinfo,
  cgroups: kernel.cgroups,
  conntrack: sockets.conntrack,
  cpu: cpu.cpu,
  cpu_vulnerabilities: kernel.cpuVulnerabilities,
  cpufreq: cpu.cpufreq,
  diskstats,
  dmi: system.dmi,
  dmmultipath: hardware.dmmultipath,
  drbd: kernel.drbd,
  drm: devices.drm,
  edac: hardware.edac,
  entropy: system.entropy,
  fibrechannel: hardware.fibrechannel,
  filefd: system.filefd,
  filesystem,
  hwmon,
  infiniband: hardware.infiniband,
  interrupts: system.interrupts,
  ipvs: sockets.ipvs,
  kernel_hung: system.kernelHung,
  ksmd: memory.ksmd,
  lnstat: kernel.lnstat,
  loadavg: memory.loadavg,
  logind,
  mdadm: storage.mdadm,
  meminfo: memory.meminfo,
  meminfo_numa: memory.meminfoNuma,
  mountstats,
  netclass: network.netclass,
  netdev: network.netdev,
  netstat: sockets.netstat,
  nfs,
  nfsd,
  nvme: hardware.nvme,
  nvmesubsystem: devices.nvmeSubsystem,
  os: system.osRelease,
  pcidevice: devices.pcidevice,
  powersupplyclass: hardware.powerSupply,
  pressure: memory.pressure,
  processes: system.processes,
  rapl: hardware.rapl,
  schedstat: memory.schedstat,
  selinux: system.selinux,
  slabinfo: system.slabinfo,
  sockstat: sockets.sockstat,
  softirqs: system.softirqs,
  softnet: sockets.softnet,
  stat: memory.stat,
  swap: hardware.swap,
  sysctl: system.sysctl,
  systemd,
  tapestats: hardware.tapestats,
  tcpstat: sockets.tcpstat,
  textfile,
  thermal_zone: hardware.thermalZone,
  time: system.time,
  timex,
  udp_queues: sockets.udpQueues,
  uname: system.uname,
  vmstat: memory.vmstat,
  watchdog: hardware.watchdog,
  xfrm: kernel.xfrm,
  xfs: storage.xfs,
  zfs: storage.zfs,
  zoneinfo: kernel.zoneinfo,
};

export function makeCollectors(names: readonly string[], host: Host): Collector[] {
  return names.map((name) => ({ name, ...MAKERS[name as CollectorName](host) }));
}
