// The host itself: names, clocks, files, entropy, processes, switches of the kernel.

import os from 'node:os';
import path from 'node:path';
import { errorCode } from '#base/errors.ts';
import { noData } from '../../collector.ts';
import { Page } from '../../page.ts';
import { compileFilter, compileSearch } from '../../pattern.ts';
import { isMissing } from '../files.ts';
import { type CollectorMaker, fields, type Host, lines } from '../host.ts';
import { zoneAbbreviation } from '../zone.ts';

export const uname: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    page.gauge('node_uname_info', 'What the uname call says.', 1, [
      'domainname',
      host.files.maybe(host.proc('sys/kernel/domainname')) ?? '',
      'machine',
      os.machine(),
      'nodename',
      os.hostname(),
      'release',
      os.release(),
      'sysname',
      os.type(),
      'version',
      os.version(),
    ]);
    return page.families();
  },
});

const OS_FIELDS = [
  'build_id',
  'id',
  'id_like',
  'image_id',
  'image_version',
  'name',
  'pretty_name',
  'variant',
  'variant_id',
  'version',
  'version_codename',
  'version_id',
];

export const osRelease: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const file = ['etc/os-release', 'usr/lib/os-release'].map((name) => host.root(name)).find(host.files.exists);
    if (file === undefined) throw noData('there is no os-release file');
    const release: Record<string, string> = {};
    for (const line of lines(host.files.utf8(file))) {
      const match = /^([A-Z_0-9]+)=(?:"(.*)"|'(.*)'|(.*))$/.exec(line.trim());
      if (match) release[match[1]!.toLowerCase()] = (match[2] ?? match[3] ?? match[4] ?? '').replace(/\\(.)/g, '$1');
    }
    page.gauge(
      'node_os_info',
      'What os-release says.',
      1,
      OS_FIELDS.flatMap((name) => [name, release[name] ?? '']),
    );
    const version = /^\d+(?:\.\d+)?/.exec(release['version_id'] ?? '')?.[0];
    if (version)
      page.gauge('node_os_version', 'The major and minor version of the system.', Number(version), [
        'id',
        release['id'] ?? '',
        'id_like',
        release['id_like'] ?? '',
        'name',
        release['name'] ?? '',
      ]);
    const end = Date.parse(release['support_end'] ?? '');
    if (!Number.isNaN(end))
      page.gauge('node_os_support_end_timestamp_seconds', 'When support of the system ends.', end / 1000);
    return page.families();
  },
});

export const time: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const now = host.clock.now();
    const offsetSeconds = new Date(now).getTimezoneOffset() * -60;
    page.gauge('node_time_seconds', 'System time in seconds since the epoch.', now / 1000);
    page.gauge('node_time_zone_offset_seconds', 'Offset of the time zone.', offsetSeconds, [
      'time_zone',
      zoneName(host, now, offsetSeconds),
    ]);
    const folder = host.sys('devices/system/clocksource');
    for (const name of host.files.listMaybe(folder)) {
      const device = /^clocksource(\d+)$/.exec(name)?.[1];
      if (device === undefined) continue;
      for (const source of fields(host.files.text(`${folder}/${name}/available_clocksource`)))
        page.gauge('node_time_clocksource_available_info', 'Clock sources there are.', 1, [
          'clocksource',
          source,
          'device',
          device,
        ]);
      page.gauge('node_time_clocksource_current_info', 'The clock source in use.', 1, [
        'clocksource',
        host.files.text(`${folder}/${name}/current_clocksource`).trim(),
        'device',
        device,
      ]);
    }
    return page.families();
  },
});

/** By the file that TZ names, or the system's. */
function zoneName(host: Host, now: number, offsetSeconds: number): string {
  const zone = process.env['TZ']?.replace(/^:/, '');
  if (zone === '') return 'UTC';
  const file = zone === undefined ? host.root('etc/localtime') : path.resolve('/usr/share/zoneinfo', zone);
  if (!host.files.exists(file)) return 'UTC';
  return zoneAbbreviation(Buffer.from(host.files.text(file), 'latin1'), now / 1000, offsetSeconds) ?? 'UTC';
}

export const entropy: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const available = host.files.number(host.proc('sys/kernel/random/entropy_avail'));
    const size = host.files.number(host.proc('sys/kernel/random/poolsize'));
    if (available === undefined || size === undefined) throw noData('the kernel tells nothing about entropy');
    page.gauge('node_entropy_available_bits', 'Bits of entropy available.', available);
    page.gauge('node_entropy_pool_size_bits', 'Bits of the entropy pool.', size);
    return page.families();
  },
});

export const filefd: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const [allocated, , maximum] = fields(host.files.text(host.proc('sys/fs/file-nr'))).map(Number) as number[];
    page.gauge('node_filefd_allocated', 'File descriptors in use.', allocated!);
    page.gauge('node_filefd_maximum', 'Most file descriptors.', maximum!);
    return page.families();
  },
});

export const selinux: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.sys('fs/selinux');
    const enforce = host.files.number(`${folder}/enforce`);
    page.gauge('node_selinux_enabled', 'Whether SELinux is on.', enforce === undefined ? 0 : 1);
    if (enforce === undefined) return page.families();
    const config = host.files.maybe(host.root('etc/selinux/config')) ?? '';
    const mode = /^SELINUX=(\w+)/m.exec(config)?.[1];
    const wanted = mode === 'enforcing' ? 1 : mode === 'permissive' ? 0 : -1;
    page.gauge('node_selinux_config_mode', 'The configured mode.', wanted);
    page.gauge('node_selinux_current_mode', 'The mode in force.', enforce);
    return page.families();
  },
});

export const kernelHung: CollectorMaker = (host) => ({
  collect() {
    const count = host.files.number(host.proc('sys/kernel/hung_task_detect_count'));
    if (count === undefined) throw noData('this kernel does not count hung tasks');
    const page = new Page();
    page.counter('node_kernel_hung_tasks_total', 'Tasks found hanging.', count);
    return page.families();
  },
});

/** Processes and threads by state; processes that end while being read are left out. */
export const processes: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const states = new Map<string, number>();
    const threadStates = new Map<string, number>();
    let [pids, threads] = [0, 0];
    const count = (map: Map<string, number>, state: string) => map.set(state, (map.get(state) ?? 0) + 1);
    for (const pid of host.files.list(host.proc())) {
      if (!/^\d+$/.test(pid)) continue;
      let stat: string;
      try {
        stat = host.files.text(host.proc(pid, 'stat'));
      } catch (error) {
        if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') continue;
        throw error;
      }
      const parts = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      pids++;
      count(states, parts[0]!);
      threads += Number(parts[17]);
      for (const thread of host.files.listMaybe(host.proc(pid, 'task'))) {
        const own = host.files.maybe(host.proc(pid, 'task', thread, 'stat'));
        if (own !== undefined) count(threadStates, own.slice(own.lastIndexOf(')') + 2)[0]!);
      }
    }
    page.gauge('node_processes_threads', 'Threads in the system.', threads);
    page.gauge('node_processes_pids', 'Processes in the system.', pids);
    const limit = (name: string) => Number(host.files.text(host.proc('sys/kernel', name)));
    page.gauge('node_processes_max_threads', 'Most threads.', limit('threads-max'));
    page.gauge('node_processes_max_processes', 'Most process ids.', limit('pid_max'));
    for (const [state, n] of states) page.gauge('node_processes_state', 'Processes by state.', n, ['state', state]);
    for (const [state, n] of threadStates)
      page.gauge('node_processes_threads_state', 'Threads by state.', n, ['thread_state', state]);
    return page.families();
  },
});

export const interrupts: CollectorMaker = (host) => {
  const ignored = compileFilter(
    host.flag('collector.interrupts.name-exclude'),
    host.flag('collector.interrupts.name-include'),
    'collector.interrupts.name',
  );
  const withZeros = host.flag('collector.interrupts.include-zeros') === 'true';
  return {
    collect() {
      const page = new Page();
      const [head, ...rows] = lines(host.files.text(host.proc('interrupts')));
      const cpus = fields(head ?? '').map((name) => name.replace(/^CPU/, ''));
      for (const row of rows) {
        const at = row.indexOf(':');
        const type = row.slice(0, at).trim();
        const parts = fields(row.slice(at + 1));
        if (at < 0 || parts.length < cpus.length) continue;
        const numbered = /^\d/.test(type);
        const rest = parts.slice(cpus.length);
        const info = numbered ? (rest[0] ?? '') : rest.join(' ');
        const devices = numbered ? rest.slice(1).join(' ') : '';
        if (ignored(`${type};${info};${devices}`)) continue;
        cpus.forEach((cpu, i) => {
          {
            const value = Number(parts[i]);
            if (value === 0 && !withZeros) return;
            page.counter('node_interrupts_total', 'Interrupts by CPU and kind.', value, [
              'cpu',
              cpu,
              'devices',
              devices,
              'info',
              info,
              'type',
              type,
            ]);
          }
        });
      }
      return page.families();
    },
  };
};

export const softirqs: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const [head, ...rows] = lines(host.files.text(host.proc('softirqs')));
    const cpus = fields(head ?? '').map((name) => name.replace(/^CPU/, ''));
    for (const row of rows) {
      const at = row.indexOf(':');
      const type = row.slice(0, at).trim();
      fields(row.slice(at + 1)).forEach((value, i) => {
        {
          const cpu = cpus[i];
          if (cpu !== undefined)
            page.counter('node_softirqs_functions_total', 'Soft interrupts by CPU and kind.', Number(value), [
              'cpu',
              cpu,
              'type',
              type,
            ]);
        }
      });
    }
    return page.families();
  },
});

export const slabinfo: CollectorMaker = (host) => {
  const ignored = compileFilter(host.flag('collector.slabinfo.slabs-exclude'), '', 'collector.slabinfo.slabs');
  const wanted = compileSearch(host.flag('collector.slabinfo.slabs-include'), 'collector.slabinfo.slabs-include');
  return {
    collect() {
      const page = new Page();
      for (const line of lines(host.files.text(host.proc('slabinfo'))).slice(2)) {
        const parts = fields(line);
        const slab = parts[0]!;
        if (ignored(slab) || !wanted(slab)) continue;
        ['active_objects', 'objects', 'object_size_bytes', 'objects_per_slab', 'pages_per_slab'].forEach((name, i) => {
          page.gauge(`node_slabinfo_${name}`, `Slabs: ${name}.`, Number(parts[i + 1]), ['slab', slab]);
        });
      }
      return page.families();
    },
  };
};

/** Chosen values of /proc/sys: `name`, or `name:a,b,c` to give the numbers of a file names. */
export const sysctl: CollectorMaker = (host) => {
  const include = host.flag('collector.sysctl.include').split('\n').filter(Boolean);
  const infos = host.flag('collector.sysctl.include-info').split('\n').filter(Boolean);
  const read = (name: string) => fields(host.files.text(host.proc('sys', name.replaceAll('.', '/'))));
  const metricOf = (name: string) => `node_sysctl_${name.replace(/[^a-zA-Z0-9_]/g, '_')}`;
  return {
    collect() {
      const page = new Page();
      for (const spec of include) {
        const [name, keys] = spec.split(':') as [string, string?];
        const values = read(name);
        if (keys !== undefined)
          keys.split(',').forEach((key, i) => {
            page.untyped(metricOf(`${name}_${key}`), `sysctl ${name}, field ${i}.`, Number(values[i]));
          });
        else if (values.length === 1) page.untyped(metricOf(name), `sysctl ${name}.`, Number(values[0]));
        else
          values.forEach((value, i) => {
            page.untyped(metricOf(name), `sysctl ${name}.`, Number(value), ['index', String(i)]);
          });
      }
      for (const name of infos) {
        const values = read(name);
        values.forEach((value, i) => {
          page.gauge('node_sysctl_info', 'sysctl values that are text.', 1, [
            'index',
            values.length > 1 ? String(i) : '0',
            'name',
            name,
            'value',
            value,
          ]);
        });
      }
      return page.families();
    },
  };
};

/** The machine's maker, model and firmware. */
export const dmi: CollectorMaker = (host) => ({
  collect() {
    const folder = host.sys('class/dmi/id');
    let files: string[];
    try {
      files = host.files.list(folder);
    } catch (error) {
      if (isMissing(error)) throw noData('there is no DMI table', error);
      throw error;
    }
    const wanted = [
      'bios_date',
      'bios_release',
      'bios_vendor',
      'bios_version',
      'board_asset_tag',
      'board_name',
      'board_serial',
      'board_vendor',
      'board_version',
      'chassis_asset_tag',
      'chassis_serial',
      'chassis_vendor',
      'chassis_version',
      'product_family',
      'product_name',
      'product_serial',
      'product_sku',
      'product_uuid',
      'product_version',
      'sys_vendor',
    ];
    const labels = wanted
      .filter((name) => files.includes(name))
      .map((name) => [name === 'sys_vendor' ? 'system_vendor' : name, host.files.maybe(`${folder}/${name}`) ?? ''])
      .sort((a, b) => (a[0]! < b[0]! ? -1 : 1));
    const page = new Page();
    page.gauge('node_dmi_info', 'What the firmware says of the machine.', 1, labels.flat());
    return page.families();
  },
});
