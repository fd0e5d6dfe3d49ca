// Memory and what the kernel's virtual memory, pressure and scheduler files tell.

import { errorCode } from '#base/errors.ts';
import { noData } from '../../collector.ts';
import { Page } from '../../page.ts';
import { compileSearch } from '../../pattern.ts';
import { isMissing } from '../files.ts';
import { type CollectorMaker, fields, lines } from '../host.ts';

/** `/proc/meminfo`: kB values become bytes; "Active(anon)" becomes Active_anon. */
export const meminfo: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    for (const line of lines(host.files.text(host.proc('meminfo')))) {
      const [key, value, unit] = fields(line) as [string, string, string?];
      const name = key.replace(/[:)]/g, '').replace('(', '_');
      if (unit === 'kB') page.gauge(`node_memory_${name}_bytes`, `Memory: ${name} in bytes.`, Number(value) * 1024);
      else page.gauge(`node_memory_${name}`, `Memory: ${name}.`, Number(value));
    }
    return page.families();
  },
});

/** Memory of each NUMA node. */
export const meminfoNuma: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.sys('devices/system/node');
    for (const name of host.files.list(folder)) {
      const node = /^node(\d+)$/.exec(name)?.[1];
      if (node === undefined) continue;
      for (const line of lines(host.files.text(`${folder}/${name}/meminfo`))) {
        const match = /^Node \d+ ([^:]+):\s+(\d+)( kB)?/.exec(line);
        if (!match) continue;
        const metric = match[1]!.replace(/\)/g, '').replace('(', '_');
        const value = Number(match[2]) * (match[3] ? 1024 : 1);
        page.gauge(`node_memory_numa_${metric}`, `Memory of a NUMA node: ${metric}.`, value, ['node', node]);
      }
      for (const line of lines(host.files.text(`${folder}/${name}/numastat`))) {
        const [key, value] = fields(line) as [string, string];
        page.counter(`node_memory_numa_${key}_total`, `Allocations of a NUMA node: ${key}.`, Number(value), [
          'node',
          node,
        ]);
      }
    }
    return page.families();
  },
});

export const vmstat: CollectorMaker = (host) => {
  const wanted = compileSearch(host.flag('collector.vmstat.fields'), 'collector.vmstat.fields');
  return {
    collect() {
      const page = new Page();
      for (const line of lines(host.files.text(host.proc('vmstat')))) {
        const [key, value] = line.split(' ') as [string, string];
        if (wanted(key)) page.untyped(`node_vmstat_${key}`, `/proc/vmstat: ${key}.`, Number(value));
      }
      return page.families();
    },
  };
};

const PRESSURE: Record<string, readonly ('some' | 'full')[]> = {
  cpu: ['some'],
  io: ['some', 'full'],
  memory: ['some', 'full'],
  irq: ['full'],
};

/** Pressure stall information: seconds in which some or all tasks waited for a resource. */
export const pressure: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    let found = 0;
    for (const [resource, kinds] of Object.entries(PRESSURE)) {
      let text: string;
      try {
        text = host.files.text(host.proc('pressure', resource));
      } catch (error) {
        if (isMissing(error) && (resource === 'irq' || found === 0)) continue;
        if (errorCode(error) === 'EOPNOTSUPP' || errorCode(error) === 'ENOTSUP')
          throw noData('pressure information is switched off in the kernel', error);
        throw error;
      }
      found++;
      for (const line of lines(text)) {
        const kind = line.slice(0, line.indexOf(' ')) as 'some' | 'full';
        const total = /total=(\d+)/.exec(line)?.[1];
        if (total === undefined || !kinds.includes(kind)) continue;
        const what = kind === 'some' ? 'waiting' : 'stalled';
        page.counter(
          `node_pressure_${resource}_${what}_seconds_total`,
          `Seconds in which ${kind === 'some' ? 'some' : 'all'} tasks waited for ${resource}.`,
          Number(total) / 1e6,
        );
      }
    }
    if (found === 0) throw noData('pressure information is not available on this kernel');
    return page.families();
  },
});

export const loadavg: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const [one, five, fifteen] = host.files.text(host.proc('loadavg')).split(' ').map(Number) as [
      number,
      number,
      number,
    ];
    page.gauge('node_load1', 'Load average over 1 minute.', one);
    page.gauge('node_load5', 'Load average over 5 minutes.', five);
    page.gauge('node_load15', 'Load average over 15 minutes.', fifteen);
    return page.families();
  },
});

/** `/proc/stat` without the CPU lines. */
export const stat: CollectorMaker = (host) => {
  const withSoftirqs = host.flag('collector.stat.softirq') === 'true';
  return {
    collect() {
      const page = new Page();
      for (const line of lines(host.files.text(host.proc('stat')))) {
        const at = line.indexOf(' ');
        const value = () => Number.parseInt(line.slice(at + 1), 10);
        switch (line.slice(0, at)) {
          case 'intr':
            page.counter('node_intr_total', 'Interrupts serviced.', value());
            break;
          case 'ctxt':
            page.counter('node_context_switches_total', 'Context switches.', value());
            break;
          case 'processes':
            page.counter('node_forks_total', 'Forks.', value());
            break;
          case 'btime':
            page.gauge('node_boot_time_seconds', 'When the host booted, seconds since the epoch.', value());
            break;
          case 'procs_running':
            page.gauge('node_procs_running', 'Processes that can run.', value());
            break;
          case 'procs_blocked':
            page.gauge('node_procs_blocked', 'Processes that wait for I/O.', value());
            break;
          case 'softirq':
            if (withSoftirqs) {
              const counts = line.split(' ').slice(2);
              SOFTIRQS.forEach((vector, i) => {
                page.counter('node_softirqs_total', 'Soft interrupts.', Number(counts[i] ?? 0), ['vector', vector]);
              });
            }
        }
      }
      return page.families();
    },
  };
};

const SOFTIRQS = ['hi', 'timer', 'net_tx', 'net_rx', 'block', 'block_iopoll', 'tasklet', 'sched', 'hrtimer', 'rcu'];

export const schedstat: CollectorMaker = (host) => ({
  collect() {
    let text: string;
    try {
      text = host.files.text(host.proc('schedstat'));
    } catch (error) {
      if (isMissing(error)) throw noData('schedstat is not available on this kernel', error);
      throw error;
    }
    const page = new Page();
    for (const line of lines(text)) {
      const match = /^cpu(\d+) (?:\d+ ){6}(\d+) (\d+) (\d+)$/.exec(line);
      if (!match) continue;
      const labels = ['cpu', match[1]!];
      page.counter(
        'node_schedstat_running_seconds_total',
        'Seconds in which tasks ran on a CPU.',
        Number(match[2]) / 1e9,
        labels,
      );
      page.counter(
        'node_schedstat_waiting_seconds_total',
        'Seconds in which tasks waited for a CPU.',
        Number(match[3]) / 1e9,
        labels,
      );
      page.counter('node_schedstat_timeslices_total', 'Time slices run on a CPU.', Number(match[4]), labels);
    }
    return page.families();
  },
});

/** Free pages per order, zone and node. */
export const buddyinfo: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    for (const line of lines(host.files.text(host.proc('buddyinfo')))) {
      const match = /^Node (\d+), zone\s+(\S+)\s+(.*)$/.exec(line);
      if (!match) continue;
      fields(match[3]!).forEach((count, size) => {
        page.gauge('node_buddyinfo_blocks', 'Free blocks by size.', Number(count), [
          'node',
          match[1]!,
          'size',
          String(size),
          'zone',
          match[2]!,
        ]);
      });
    }
    return page.families();
  },
});

const KSMD: readonly (readonly [file: string, metric: string])[] = [
  ['full_scans', 'full_scans_total'],
  ['merge_across_nodes', 'merge_across_nodes'],
  ['pages_shared', 'pages_shared'],
  ['pages_sharing', 'pages_sharing'],
  ['pages_to_scan', 'pages_to_scan'],
  ['pages_unshared', 'pages_unshared'],
  ['pages_volatile', 'pages_volatile'],
  ['run', 'run'],
  ['sleep_millisecs', 'sleep_seconds'],
];

/** Kernel samepage merging. */
export const ksmd: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    for (const [file, metric] of KSMD) {
      const value = Number(host.files.text(host.sys('kernel/mm/ksm', file)));
      const scaled = file === 'sleep_millisecs' ? value / 1000 : value;
      page.add(metric.endsWith('_total') ? 'counter' : 'gauge', `node_ksmd_${metric}`, `ksmd: ${file}.`, scaled);
    }
    const profit = host.files.number(host.sys('kernel/mm/ksm/general_profit'));
    if (profit !== undefined) page.gauge('node_ksmd_general_profit_bytes', 'Memory saved, less what it costs.', profit);
    return page.families();
  },
});
