// cAdvisor's families from what was read of one container: a table of gauges and counters, and what has labels of its own.

import type { Labels } from '#model/labels.ts';
import type { Page } from '../page.ts';
import type { CgroupUsage } from './cgroup.ts';

export type ContainerReading = {
  /** Labels of every series: id, image, name and those of the orchestrator; sorted. */
  readonly labels: Labels;
  readonly usage: CgroupUsage;
  readonly startedAt: number | undefined;
  readonly seenAt: number;
  readonly restarts: number | undefined;
  /** Whether the health check passes; undefined without one. */
  readonly isHealthy: boolean | undefined;
  readonly network: readonly { readonly interface: string; readonly counters: readonly number[] }[];
  /** Device names by "major:minor". */
  readonly devices: ReadonlyMap<string, string>;
};

type Row = readonly [
  metric: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (usage: CgroupUsage) => number | undefined,
];

const workingSet = (usage: CgroupUsage) =>
  usage.memory === undefined ? undefined : Math.max(0, usage.memory - (usage.inactiveFile ?? 0));

const ROWS: readonly Row[] = [
  ['container_cpu_user_seconds_total', 'counter', 'CPU time in user mode.', (u) => u.userSeconds],
  ['container_cpu_system_seconds_total', 'counter', 'CPU time in the kernel.', (u) => u.systemSeconds],
  ['container_cpu_cfs_periods_total', 'counter', 'Enforcement periods.', (u) => u.periods],
  [
    'container_cpu_cfs_throttled_periods_total',
    'counter',
    'Periods in which it was throttled.',
    (u) => u.throttledPeriods,
  ],
  [
    'container_cpu_cfs_throttled_seconds_total',
    'counter',
    'Time in which it was throttled.',
    (u) => u.throttledSeconds,
  ],
  ['container_memory_usage_bytes', 'gauge', 'Memory in use, page cache included.', (u) => u.memory],
  ['container_memory_working_set_bytes', 'gauge', 'Memory in use that cannot simply be reclaimed.', workingSet],
  ['container_memory_rss', 'gauge', 'Anonymous memory.', (u) => u.rss],
  ['container_memory_cache', 'gauge', 'Page cache.', (u) => u.cache],
  ['container_memory_swap', 'gauge', 'Swap in use.', (u) => u.swap],
  ['container_memory_mapped_file', 'gauge', 'Memory mapped files.', (u) => u.mapped],
  ['container_memory_kernel_usage', 'gauge', 'Kernel memory.', (u) => u.kernel],
  ['container_memory_total_active_file_bytes', 'gauge', 'Active file pages.', (u) => u.activeFile],
  ['container_memory_total_inactive_file_bytes', 'gauge', 'Inactive file pages.', (u) => u.inactiveFile],
  ['container_memory_file_dirty_bytes', 'gauge', 'File pages to be written.', (u) => u.dirty],
  ['container_memory_file_writeback_bytes', 'gauge', 'File pages being written.', (u) => u.writeback],
  ['container_memory_pgscan_total', 'counter', 'Pages looked at to be reclaimed.', (u) => u.scanned],
  ['container_memory_pgsteal_total', 'counter', 'Pages reclaimed.', (u) => u.reclaimed],
  ['container_memory_workingset_refault_anon_total', 'counter', 'Anonymous pages read again.', (u) => u.refaultAnon],
  ['container_memory_workingset_refault_file_total', 'counter', 'File pages read again.', (u) => u.refaultFile],
  ['container_memory_migrate', 'gauge', 'Whether memory moves to other nodes with the group.', (u) => u.migrate],
  ['container_memory_max_usage_bytes', 'gauge', 'Most memory ever in use.', (u) => u.memoryPeak],
  ['container_memory_failcnt', 'counter', 'How often the limit was hit.', (u) => u.memoryFailures],
  ['container_oom_events_total', 'counter', 'Processes killed for lack of memory.', (u) => u.oomKills],
  ['container_spec_cpu_period', 'gauge', 'Length of a period, microseconds.', (u) => u.cpuPeriod],
  ['container_spec_cpu_quota', 'gauge', 'CPU time allowed per period, microseconds.', (u) => u.cpuQuota],
  ['container_spec_cpu_shares', 'gauge', 'Share of the CPU.', (u) => u.cpuShares],
  ['container_spec_memory_limit_bytes', 'gauge', 'Memory limit, 0 for none.', (u) => u.memoryLimit ?? 0],
  ['container_spec_memory_reservation_limit_bytes', 'gauge', 'Memory reserved.', (u) => u.memoryReservation ?? 0],
  ['container_spec_memory_swap_limit_bytes', 'gauge', 'Limit of memory and swap, 0 for none.', (u) => u.swapLimit ?? 0],
  ['container_threads', 'gauge', 'Threads.', (u) => u.threads],
  ['container_threads_max', 'gauge', 'Most threads, 0 for no limit.', (u) => u.threadsMax ?? 0],
];

/** Columns of /proc/PID/net/dev that cAdvisor shows. */
const NETWORK: readonly (readonly [column: number, metric: string, help: string])[] = [
  [0, 'container_network_receive_bytes_total', 'Bytes received.'],
  [1, 'container_network_receive_packets_total', 'Packets received.'],
  [2, 'container_network_receive_errors_total', 'Errors while receiving.'],
  [3, 'container_network_receive_packets_dropped_total', 'Packets dropped while receiving.'],
  [8, 'container_network_transmit_bytes_total', 'Bytes sent.'],
  [9, 'container_network_transmit_packets_total', 'Packets sent.'],
  [10, 'container_network_transmit_errors_total', 'Errors while sending.'],
  [11, 'container_network_transmit_packets_dropped_total', 'Packets dropped while sending.'],
];

export function addContainer(page: Page, reading: ContainerReading): void {
  const { labels, usage } = reading;
  for (const [metric, type, help, read] of ROWS) {
    const value = read(usage);
    if (value !== undefined) page.add(type, metric, help, value, labels);
  }
  if (usage.cpuSeconds !== undefined)
    page.counter('container_cpu_usage_seconds_total', 'CPU time.', usage.cpuSeconds, merged(labels, 'cpu', 'total'));
  addFaults(page, usage, labels);
  addIo(page, reading);
  for (const one of reading.network)
    for (const [column, metric, help] of NETWORK)
      page.counter(metric, help, one.counters[column] ?? 0, merged(labels, 'interface', one.interface));
  for (const { resource, some, full } of usage.pressure) {
    const what = (kind: string) => `container_pressure_${resource}_${kind}_seconds_total`;
    page.counter(what('waiting'), `Time some tasks waited for ${resource}.`, some, labels);
    if (full !== undefined) page.counter(what('stalled'), `Time all tasks waited for ${resource}.`, full, labels);
  }
  const gauge = (metric: string, help: string, value: number | undefined) => {
    if (value !== undefined) page.gauge(metric, help, value, labels);
  };
  gauge('container_last_seen', 'When it was last seen, seconds since the epoch.', reading.seenAt / 1000);
  gauge('container_start_time_seconds', 'When it was started, seconds since the epoch.', scaledTime(reading.startedAt));
  gauge('container_restart_count', 'Restarts.', reading.restarts);
  gauge('container_health_state', 'Whether the health check passes.', healthOf(reading.isHealthy));
  for (const [node, pages] of usage.numaPages)
    for (const [type, count] of pages)
      page.gauge(
        'container_memory_numa_pages',
        'Pages on a NUMA node.',
        count,
        merged(merged(merged(labels, 'node', node), 'scope', 'container'), 'type', type),
      );
  for (const { pageSize, used, most, failures } of usage.hugePages) {
    const sized = merged(labels, 'pagesize', pageSize);
    page.gauge('container_hugetlb_usage_bytes', 'Huge pages in use.', used, sized);
    if (most !== undefined) page.gauge('container_hugetlb_max_usage_bytes', 'Most huge pages in use.', most, sized);
    page.counter('container_hugetlb_failcnt', 'How often the limit of huge pages was hit.', failures, sized);
  }
}

const healthOf = (isHealthy: boolean | undefined) => (isHealthy === undefined ? undefined : isHealthy ? 1 : 0);
const scaledTime = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);

function addFaults(page: Page, usage: CgroupUsage, labels: Labels): void {
  for (const [type, value] of [
    ['pgfault', usage.pageFaults],
    ['pgmajfault', usage.majorFaults],
  ] as const)
    if (value !== undefined)
      page.counter(
        'container_memory_failures_total',
        'Page faults.',
        value,
        merged(merged(labels, 'failure_type', type), 'scope', 'container'),
      );
}

function addIo(page: Page, { labels, usage, devices }: ContainerReading): void {
  for (const io of usage.io) {
    const device = devices.get(`${io.major}:${io.minor}`);
    const named = merged(labels, 'device', device === undefined ? '' : `/dev/${device}`);
    page.counter('container_fs_reads_bytes_total', 'Bytes read.', io.readBytes, named);
    page.counter('container_fs_writes_bytes_total', 'Bytes written.', io.writeBytes, named);
    page.counter('container_fs_reads_total', 'Reads completed.', io.reads, named);
    page.counter('container_fs_writes_total', 'Writes completed.', io.writes, named);
    const device_ = merged(merged(named, 'major', io.major), 'minor', io.minor);
    for (const [operation, value] of [
      ['Read', io.readBytes],
      ['Write', io.writeBytes],
    ] as const)
      page.counter(
        'container_blkio_device_usage_total',
        'Bytes moved, by device and operation.',
        value,
        merged(device_, 'operation', operation),
      );
  }
}

export function merged(labels: Labels, name: string, value: string): Labels {
  let at = 0;
  while (at < labels.length && labels[at]! < name) at += 2;
  return [...labels.slice(0, at), name, value, ...labels.slice(at)];
}
