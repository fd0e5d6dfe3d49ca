// Tables of the kernel that nobody needs every day, and that are off by default: control groups, CPU vulnerabilities, caches of the
// network, IPsec, memory zones, replicated block devices.

import { noData } from '../../collector.ts';
import { Page } from '../../page.ts';
import { isMissing } from '../files.ts';
import { type CollectorMaker, fields, type Host, lines } from '../host.ts';

/** A file of /proc; no data if it does not exist. */
function procFile(host: Host, file: string): string {
  try {
    return host.files.text(host.proc(file));
  } catch (error) {
    if (isMissing(error)) throw noData(`there is no ${file} below procfs`, error);
    throw error;
  }
}

export const cgroups: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    for (const line of lines(host.files.text(host.proc('cgroups')))) {
      const [name, , count, enabled] = line.split('\t');
      if (line.startsWith('#') || enabled === undefined) continue;
      page.gauge('node_cgroups_cgroups', 'Control groups by controller.', Number(count), ['subsys_name', name!]);
      page.gauge('node_cgroups_enabled', 'Whether a controller is on.', Number(enabled), ['subsys_name', name!]);
    }
    return page.families();
  },
});

export const cpuVulnerabilities: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.sys('devices/system/cpu/vulnerabilities');
    for (const codename of host.files.list(folder)) {
      const text = host.files.text(`${folder}/${codename}`).trim();
      const mitigation = /^Mitigation: (.*)$/s.exec(text)?.[1];
      const state =
        mitigation !== undefined
          ? 'mitigation'
          : text.startsWith('Not affected')
            ? 'not affected'
            : text.startsWith('Vulnerable')
              ? 'vulnerable'
              : 'unknown';
      page.gauge('node_cpu_vulnerabilities_info', 'A vulnerability of the CPU and what is done about it.', 1, [
        'codename',
        codename,
        'mitigation',
        mitigation ?? '',
        'state',
        state,
      ]);
    }
    return page.families();
  },
});

/** Per CPU counters of network caches; the first line names them, the others are hexadecimal. */
export const lnstat: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.proc('net/stat');
    for (const subsystem of host.files.listMaybe(folder)) {
      const [head, ...rows] = lines(host.files.text(`${folder}/${subsystem}`)).map(fields);
      rows.forEach((row, cpu) => {
        head?.forEach((name, i) => {
          const value = Number.parseInt(row[i] ?? '0', 16);
          page.counter(`node_lnstat_${name}_total`, `Network cache: ${name}.`, value, [
            'cpu',
            String(cpu),
            'subsystem',
            subsystem,
          ]);
        });
      });
    }
    return page.families();
  },
});

/** IPsec's errors: XfrmInNoStates becomes in_no_states_packets_total. */
export const xfrm: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    for (const line of lines(procFile(host, 'net/xfrm_stat'))) {
      const [name, value] = fields(line);
      if (value === undefined) continue;
      const words = name!.replace(/^Xfrm/, '').replace(/(?<=[a-z])(?=[A-Z])/g, '_');
      page.counter(`node_xfrm_${words.toLowerCase()}_packets_total`, `IPsec: ${name}.`, Number(value));
    }
    return page.families();
  },
});

/** Names of /proc/zoneinfo that become something else than gauges `<name>_pages`. */
const ZONE_NAMES: Readonly<Record<string, string>> = {
  nr_free_pages: 'nr_free_pages',
  nr_anon_pages: 'nr_anon_pages',
  nr_file_pages: 'nr_file_pages',
  nr_anon_transparent_hugepages: 'nr_anon_transparent_hugepages',
  nr_kernel_stack: 'nr_kernel_stacks',
  nr_dirtied: 'nr_dirtied_total',
  nr_written: 'nr_written_total',
  numa_hit: 'numa_hit_total',
  numa_miss: 'numa_miss_total',
  numa_foreign: 'numa_foreign_total',
  numa_interleave: 'numa_interleave_total',
  numa_local: 'numa_local_total',
  numa_other: 'numa_other_total',
};
const ZONE_PAGES = new Set(
  'min low high scanned spanned present managed nr_active_anon nr_inactive_anon nr_isolated_anon nr_active_file nr_inactive_file nr_isolated_file nr_slab_reclaimable nr_slab_unreclaimable nr_mlock_stack nr_mapped nr_dirty nr_writeback nr_unevictable nr_shmem'.split(
    ' ',
  ),
);

export const zoneinfo: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    let labels: string[] = [];
    for (const line of lines(host.files.text(host.proc('zoneinfo')))) {
      const zone = /^Node (\d+), zone\s+(\S+)/.exec(line);
      if (zone) labels = ['node', zone[1]!, 'zone', zone[2]!];
      const [name, value] = fields(line);
      if (zone || value === undefined) continue;
      if (name === 'protection:') {
        for (const [i, pages] of (line.match(/\d+/g) ?? []).entries())
          page.gauge(`node_zoneinfo_protection_${i}`, 'Pages kept for lower zones.', Number(pages), labels);
        continue;
      }
      const metric = ZONE_NAMES[name!] ?? (ZONE_PAGES.has(name!) ? `${name}_pages` : undefined);
      if (metric !== undefined)
        page.add(
          metric.endsWith('_total') ? 'counter' : 'gauge',
          `node_zoneinfo_${metric}`,
          `Memory zone: ${name}.`,
          Number(value),
          labels,
        );
    }
    return page.families();
  },
});

const DRBD_NUMBERS: Readonly<Record<string, readonly [metric: string, factor: number]>> = {
  ns: ['network_sent_bytes_total', 1024],
  // node_exporter leaves this one in KiB; so do we, for its dashboards.
  nr: ['network_received_bytes_total', 1],
  dw: ['disk_written_bytes_total', 1024],
  dr: ['disk_read_bytes_total', 1024],
  al: ['activitylog_writes_total', 1],
  bm: ['bitmap_writes_total', 1],
  lo: ['local_pending', 1],
  pe: ['remote_pending', 1],
  ua: ['remote_unacknowledged', 1],
  ap: ['application_pending', 1],
  ep: ['epochs', 1],
  oos: ['out_of_sync_bytes', 1024],
};
const DRBD_PAIRS: Readonly<Record<string, readonly [metric: string, good: string]>> = {
  ro: ['node_role_is_primary', 'Primary'],
  ds: ['disk_state_is_up_to_date', 'UpToDate'],
};

export const drbd: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    let device = 'unknown';
    for (const word of fields(procFile(host, 'drbd'))) {
      const [key, value, more] = word.split(':');
      if (value === undefined || more !== undefined) continue;
      if (/^\d+$/.test(key!) && value === '') device = `drbd${key}`;
      const number = DRBD_NUMBERS[key!];
      const pair = DRBD_PAIRS[key!];
      if (number) {
        const [metric, factor] = number;
        const kind = metric.endsWith('_total') ? 'counter' : 'gauge';
        page.add(kind, `node_drbd_${metric}`, `DRBD: ${key}.`, Number(value) * factor, ['device', device]);
      } else if (pair) {
        const [local, remote] = value.split('/');
        for (const [node, state] of [
          ['local', local],
          ['remote', remote],
        ] as const)
          page.gauge(`node_drbd_${pair[0]}`, `DRBD: ${key}.`, state === pair[1] ? 1 : 0, [
            'device',
            device,
            'node',
            node,
          ]);
      } else if (key === 'cs')
        page.gauge('node_drbd_connected', 'Whether the peer is connected.', value === 'Connected' ? 1 : 0, [
          'device',
          device,
        ]);
    }
    return page.families();
  },
});
