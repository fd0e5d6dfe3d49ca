// CPU time per CPU and mode, guests, isolation, throttling, and what /proc/cpuinfo tells. Counters never go back: the kernel's idle
// and iowait counters jump back a little, so the largest value seen is kept unless the jump says that the CPU was replugged.

import { Page } from '../../page.ts';
import { compileSearch } from '../../pattern.ts';
import type { CollectorMaker, Host } from '../host.ts';
import { fields, lines } from '../host.ts';

const TICKS_PER_SECOND = 100;
const REPLUGGED_SECONDS = 3;
const MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'];
const IDLE = 3;
const GUEST = 8;
const GUEST_NICE = 9;

export const cpu: CollectorMaker = (host) => {
  const pattern = (name: 'collector.cpu.info.flags-include' | 'collector.cpu.info.bugs-include') =>
    host.flag(name) === '' ? undefined : compileSearch(host.flag(name), name);
  const flags = pattern('collector.cpu.info.flags-include');
  const bugs = pattern('collector.cpu.info.bugs-include');
  const withInfo = host.flag('collector.cpu.info') === 'true' || flags !== undefined || bugs !== undefined;
  const withGuest = host.flag('collector.cpu.guest') === 'true';
  const seen = new Map<string, Float64Array>();
  return {
    collect() {
      const page = new Page();
      if (withInfo) info(host, page, flags, bugs);
      times(host, page, seen, withGuest);
      isolated(host, page);
      throttles(host, page);
      online(host, page);
      return page.families();
    },
  };
};

function times(host: Host, page: Page, seen: Map<string, Float64Array>, withGuest: boolean): void {
  const present = new Set<string>();
  for (const line of lines(host.files.text(host.proc('stat')))) {
    if (!line.startsWith('cpu')) break;
    if (line[3] === ' ') continue;
    const parts = line.split(' ');
    const number = parts[0]!.slice(3);
    present.add(number);
    const kept = keepHighest(seen.get(number), parts);
    seen.set(number, kept);
    for (let mode = 0; mode < MODES.length; mode++)
      page.counter('node_cpu_seconds_total', 'Seconds that the CPUs spent in each mode.', kept[mode]!, [
        'cpu',
        number,
        'mode',
        MODES[mode]!,
      ]);
    if (!withGuest) continue;
    const help = 'Seconds that the CPUs spent in guests, for each mode.';
    page.counter('node_cpu_guest_seconds_total', help, kept[GUEST]!, ['cpu', number, 'mode', 'user']);
    page.counter('node_cpu_guest_seconds_total', help, kept[GUEST_NICE]!, ['cpu', number, 'mode', 'nice']);
  }
  for (const number of seen.keys()) if (!present.has(number)) seen.delete(number);
}

function keepHighest(before: Float64Array | undefined, parts: readonly string[]): Float64Array {
  const next = new Float64Array(10);
  for (let i = 0; i < 10; i++) next[i] = Number(parts[i + 1] ?? 0) / TICKS_PER_SECOND;
  if (before === undefined || before[IDLE]! - next[IDLE]! >= REPLUGGED_SECONDS) return next;
  for (let i = 0; i < 10; i++) next[i] = Math.max(next[i]!, before[i]!);
  return next;
}

function isolated(host: Host, page: Page): void {
  const text = host.files.maybe(host.sys('devices/system/cpu/isolated'));
  if (!text) return;
  for (const range of text.split(',')) {
    const [from, to] = range.split('-').map(Number) as [number, number?];
    for (let number = from; number <= (to ?? from); number++)
      page.gauge('node_cpu_isolated', 'Whether a CPU is isolated from the scheduler.', 1, ['cpu', String(number)]);
  }
}

function cpuFolders(host: Host): string[] {
  const folder = host.sys('devices/system/cpu');
  return host.files.listMaybe(folder).filter((name) => /^cpu\d+$/.test(name));
}

function throttles(host: Host, page: Page): void {
  const packages = new Map<number, number>();
  const cores = new Map<string, { package: number; core: number; count: number }>();
  for (const name of cpuFolders(host)) {
    const at = (file: string) => host.files.number(host.sys('devices/system/cpu', name, file));
    const packageId = at('topology/physical_package_id');
    const core = at('topology/core_id');
    if (packageId === undefined || core === undefined) continue;
    const key = `${packageId}/${core}`;
    if (!cores.has(key)) {
      const count = at('thermal_throttle/core_throttle_count');
      if (count !== undefined) cores.set(key, { package: packageId, core, count });
    }
    if (!packages.has(packageId)) {
      const count = at('thermal_throttle/package_throttle_count');
      if (count !== undefined) packages.set(packageId, count);
    }
  }
  for (const [id, count] of packages)
    page.counter('node_cpu_package_throttles_total', 'How often a CPU package was throttled.', count, [
      'package',
      String(id),
    ]);
  for (const entry of cores.values())
    page.counter('node_cpu_core_throttles_total', 'How often a CPU core was throttled.', entry.count, [
      'core',
      String(entry.core),
      'package',
      String(entry.package),
    ]);
}

function online(host: Host, page: Page): void {
  const names = cpuFolders(host);
  const first = names[0];
  if (first === undefined || !host.files.exists(host.sys('devices/system/cpu', first, 'online'))) return;
  for (const name of names) {
    const value = host.files.maybe(host.sys('devices/system/cpu', name, 'online')) === '1' ? 1 : 0;
    page.gauge('node_cpu_online', 'Whether a CPU is online and scheduled.', value, ['cpu', name.slice(3)]);
  }
}

type Search = (text: string) => boolean;

function info(host: Host, page: Page, flags: Search | undefined, bugs: Search | undefined): void {
  const cpus: Record<string, string>[] = [];
  for (const line of lines(host.files.text(host.proc('cpuinfo')))) {
    const at = line.indexOf(':');
    if (at < 0) continue;
    const key = line.slice(0, at).trim();
    if (key === 'processor') cpus.push({});
    const current = cpus.at(-1);
    if (current) current[key] = line.slice(at + 1).trim();
  }
  for (const one of cpus) {
    const get = (key: string) => one[key] ?? '';
    page.gauge('node_cpu_info', 'What /proc/cpuinfo says of a CPU.', 1, [
      'cachesize',
      get('cache size'),
      'core',
      get('core id'),
      'cpu',
      get('processor'),
      'family',
      get('cpu family'),
      'microcode',
      get('microcode'),
      'model',
      get('model'),
      'model_name',
      get('model name'),
      'package',
      get('physical id'),
      'stepping',
      get('stepping'),
      'vendor',
      get('vendor_id'),
    ]);
    page.gauge('node_cpu_frequency_hertz', 'Frequency from /proc/cpuinfo.', Number(get('cpu MHz')) * 1e6, [
      'core',
      get('core id'),
      'cpu',
      get('processor'),
      'package',
      get('physical id'),
    ]);
  }
  for (const flag of fields(cpus[0]?.['flags'] ?? ''))
    if (flags?.(flag)) page.gauge('node_cpu_flag_info', 'A flag of the first CPU.', 1, ['flag', flag]);
  for (const bug of fields(cpus[0]?.['bugs'] ?? ''))
    if (bugs?.(bug)) page.gauge('node_cpu_bug_info', 'A bug of the first CPU.', 1, ['bug', bug]);
}

/** Frequencies and governors of cpufreq. */
export const cpufreq: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    for (const name of cpuFolders(host)) {
      const number = name.slice(3);
      const folder = host.sys('devices/system/cpu', name, 'cpufreq');
      if (!host.files.exists(folder)) continue;
      for (const [file, metric, help] of FREQUENCIES) {
        const kilohertz = host.files.number(`${folder}/${file}`);
        if (kilohertz !== undefined) page.gauge(metric, help, kilohertz * 1000, ['cpu', number]);
      }
      const governor = host.files.maybe(`${folder}/scaling_governor`);
      if (!governor) continue;
      for (const one of fields(host.files.maybe(`${folder}/scaling_available_governors`) ?? ''))
        page.gauge('node_cpu_scaling_governor', 'The governor in use.', one === governor ? 1 : 0, [
          'cpu',
          number,
          'governor',
          one,
        ]);
    }
    return page.families();
  },
});

const FREQUENCIES: readonly (readonly [file: string, metric: string, help: string])[] = [
  ['cpuinfo_cur_freq', 'node_cpu_frequency_hertz', 'Current frequency.'],
  ['cpuinfo_avg_freq', 'node_cpu_frequency_avg_hertz', 'Average frequency.'],
  ['cpuinfo_min_freq', 'node_cpu_frequency_min_hertz', 'Lowest frequency.'],
  ['cpuinfo_max_freq', 'node_cpu_frequency_max_hertz', 'Highest frequency.'],
  ['scaling_cur_freq', 'node_cpu_scaling_frequency_hertz', 'Current scaled frequency.'],
  ['scaling_min_freq', 'node_cpu_scaling_frequency_min_hertz', 'Lowest scaled frequency.'],
  ['scaling_max_freq', 'node_cpu_scaling_frequency_max_hertz', 'Highest scaled frequency.'],
];
