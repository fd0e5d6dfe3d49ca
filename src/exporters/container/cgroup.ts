// What a control group has used, read from version 1 (a tree per controller) or version 2 (one tree). Numbers that a kernel or a
// controller does not give are undefined; a group that vanishes while it is read gives nothing.

import type { HostFiles } from '../node/files.ts';

export type CgroupUsage = {
  readonly cpuSeconds?: number;
  readonly userSeconds?: number;
  readonly systemSeconds?: number;
  readonly periods?: number;
  readonly throttledPeriods?: number;
  readonly throttledSeconds?: number;
  readonly cpuPeriod?: number;
  /** Microseconds per period; undefined without a limit. */
  readonly cpuQuota?: number;
  readonly cpuShares?: number;
  readonly memory?: number;
  readonly memoryPeak?: number;
  readonly memoryLimit?: number;
  readonly memoryReservation?: number;
  readonly memoryFailures?: number;
  readonly swap?: number;
  readonly swapLimit?: number;
  readonly rss?: number;
  readonly cache?: number;
  readonly mapped?: number;
  readonly inactiveFile?: number;
  readonly activeFile?: number;
  readonly kernel?: number;
  readonly pageFaults?: number;
  readonly majorFaults?: number;
  readonly oomKills?: number;
  readonly threads?: number;
  readonly threadsMax?: number;
  readonly dirty?: number;
  readonly writeback?: number;
  readonly scanned?: number;
  readonly reclaimed?: number;
  readonly refaultAnon?: number;
  readonly refaultFile?: number;
  readonly migrate?: number;
  /** Pages by node, by kind. */
  readonly numaPages: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly hugePages: readonly HugePages[];
  readonly io: readonly IoUsage[];
  readonly pressure: readonly { readonly resource: string; readonly some: number; readonly full: number | undefined }[];
};

export type HugePages = {
  /** "2Mi" */
  readonly pageSize: string;
  readonly used: number;
  readonly most: number | undefined;
  readonly failures: number;
};

export type IoUsage = {
  readonly major: string;
  readonly minor: string;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly reads: number;
  readonly writes: number;
};

/** Where the trees are mounted. `v2` is '' when there is none. */
export type CgroupMounts = { readonly v1: Readonly<Record<string, string>>; readonly v2: string };

const TICKS_PER_SECOND = 100;
/** What v1 says when there is no limit, rounded down to a page. */
const NO_LIMIT = 9_223_372_036_854_000_000;

/** Reads the mount table of a process: lines of /proc/PID/mounts. */
export function findCgroupMounts(mounts: string): CgroupMounts {
  const v1: Record<string, string> = {};
  let v2 = '';
  for (const line of mounts.split('\n')) {
    const [, at = '', type, options = ''] = line.split(' ');
    if (type === 'cgroup2' && v2 === '') v2 = at;
    if (type !== 'cgroup') continue;
    for (const option of options.split(',')) if (!(option in v1)) v1[option] = at;
  }
  return { v1, v2 };
}

/** The folders of a group in every tree that controls something. */
export type CgroupPath = { readonly v1: (controller: string) => string | undefined; readonly v2: string | undefined };

/** From the lines of /proc/PID/cgroup. */
export function cgroupOfProcess(text: string): { id: string; controllers: Map<string, string>; unified: string } {
  const controllers = new Map<string, string>();
  let unified = '';
  for (const line of text.split('\n')) {
    const [, names = '', ...rest] = line.split(':');
    const path = rest.join(':');
    if (path === '') continue;
    if (names === '') unified = path;
    else for (const name of names.split(',')) controllers.set(name, path);
  }
  const id = controllers.get('memory') ?? controllers.get('cpu') ?? unified;
  return { id, controllers, unified };
}

export function readCgroup(files: HostFiles, mounts: CgroupMounts, id: string): CgroupUsage | undefined {
  // On hosts with both, the controllers are in the trees of version 1.
  const hasV1 = mounts.v1['memory'] !== undefined || mounts.v1['cpu'] !== undefined;
  return hasV1 ? readV1(files, mounts, id) : readV2(files, join(mounts.v2, id));
}

const join = (mount: string, id: string) => (id === '/' ? mount : mount + id);

/** "key value" lines. */
function pairs(text: string | undefined): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of (text ?? '').split('\n')) {
    const at = line.indexOf(' ');
    if (at > 0) found.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return found;
}

const limit = (value: number | undefined): number | undefined =>
  value === undefined || value >= NO_LIMIT ? undefined : value;
const scaled = (value: number | undefined, divisor: number) => (value === undefined ? undefined : value / divisor);

/** Leaves out what is undefined, as exactOptional readers expect. */
function known<T extends object>(values: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}

function readV1(files: HostFiles, mounts: CgroupMounts, id: string): CgroupUsage | undefined {
  const at = (controller: string) => join(mounts.v1[controller] ?? '', id);
  const number = (controller: string, file: string) =>
    mounts.v1[controller] === undefined ? undefined : files.number(`${at(controller)}/${file}`);
  const text = (controller: string, file: string) =>
    mounts.v1[controller] === undefined ? undefined : files.maybe(`${at(controller)}/${file}`);
  if (!files.exists(at(mounts.v1['memory'] === undefined ? 'cpu' : 'memory'))) return undefined;
  const cpuStat = pairs(text('cpu', 'cpu.stat'));
  const times = pairs(text('cpuacct', 'cpuacct.stat'));
  const memory = pairs(text('memory', 'memory.stat'));
  const total = (name: string) => memory.get(`total_${name}`) ?? memory.get(name);
  const quota = number('cpu', 'cpu.cfs_quota_us');
  const threadsMax = number('pids', 'pids.max');
  const usage = number('memory', 'memory.usage_in_bytes');
  return known<CgroupUsage>({
    cpuSeconds: scaled(number('cpuacct', 'cpuacct.usage'), 1e9),
    userSeconds: scaled(times.get('user'), TICKS_PER_SECOND),
    systemSeconds: scaled(times.get('system'), TICKS_PER_SECOND),
    periods: cpuStat.get('nr_periods'),
    throttledPeriods: cpuStat.get('nr_throttled'),
    throttledSeconds: scaled(cpuStat.get('throttled_time'), 1e9),
    cpuPeriod: number('cpu', 'cpu.cfs_period_us'),
    cpuQuota: quota !== undefined && quota > 0 ? quota : undefined,
    cpuShares: number('cpu', 'cpu.shares'),
    memory: usage,
    memoryPeak: number('memory', 'memory.max_usage_in_bytes'),
    memoryLimit: limit(number('memory', 'memory.limit_in_bytes')),
    memoryReservation: limit(number('memory', 'memory.soft_limit_in_bytes')),
    memoryFailures: number('memory', 'memory.failcnt'),
    swap: total('swap'),
    swapLimit: limit(number('memory', 'memory.memsw.limit_in_bytes')),
    rss: total('rss'),
    cache: total('cache'),
    mapped: total('mapped_file'),
    inactiveFile: total('inactive_file'),
    activeFile: total('active_file'),
    kernel: number('memory', 'memory.kmem.usage_in_bytes'),
    pageFaults: total('pgfault'),
    majorFaults: total('pgmajfault'),
    oomKills: pairs(text('memory', 'memory.oom_control')).get('oom_kill'),
    threads: number('pids', 'pids.current'),
    threadsMax,
    dirty: total('dirty'),
    writeback: total('writeback'),
    scanned: total('pgscan'),
    reclaimed: total('pgsteal'),
    refaultAnon: total('workingset_refault_anon'),
    refaultFile: total('workingset_refault_file') ?? total('workingset_refault'),
    migrate: number('cpuset', 'cpuset.memory_migrate'),
    numaPages: readNuma(text('memory', 'memory.numa_stat'), /^(total|file|anon|unevictable)=\d+ /, '='),
    hugePages: mounts.v1['hugetlb'] === undefined ? [] : readHugePages(files, at('hugetlb'), 'usage_in_bytes'),
    io: readV1Io(text('blkio', 'blkio.throttle.io_service_bytes'), text('blkio', 'blkio.throttle.io_serviced')),
    pressure: [],
  });
}

const PAGE_BYTES = 4096;

/** Lines "anon=5 N0=3 N1=2" (pages) or "anon N0=12288" (bytes). */
function readNuma(text: string | undefined, wanted: RegExp, after: '=' | ' '): Map<string, Map<string, number>> {
  const nodes = new Map<string, Map<string, number>>();
  for (const line of (text ?? '').split('\n')) {
    const kind = wanted.exec(line)?.[1];
    if (kind === undefined) continue;
    for (const [, node, count] of line.matchAll(/ N(\d+)=(\d+)/g)) {
      const pages = nodes.get(node!) ?? new Map<string, number>();
      pages.set(kind, after === '=' ? Number(count) : Number(count) / PAGE_BYTES);
      nodes.set(node!, pages);
    }
  }
  return nodes;
}

/** A file for each size: hugetlb.2MB.current. Reservations have files of their own and are left out. */
function readHugePages(files: HostFiles, at: string, suffix: 'current' | 'usage_in_bytes'): HugePages[] {
  return files.listMaybe(at).flatMap((name) => {
    const size = new RegExp(`^hugetlb\\.(\\d+[KMG]B)\\.${suffix}$`).exec(name)?.[1];
    if (size === undefined) return [];
    const file = (rest: string) => `${at}/hugetlb.${size}.${rest}`;
    const events = pairs(files.maybe(file('events'))).get('max');
    return [
      {
        pageSize: size.replace(/B$/, 'i'),
        used: files.number(file(suffix)) ?? 0,
        most: files.number(file('max_usage_in_bytes')),
        failures: events ?? files.number(file('failcnt')) ?? 0,
      },
    ];
  });
}

/** Lines "8:0 Read 4096". */
function readV1Io(bytes: string | undefined, counts: string | undefined): IoUsage[] {
  type Counts = { readBytes: number; writeBytes: number; reads: number; writes: number };
  const devices = new Map<string, { major: string; minor: string } & Counts>();
  const add = (text: string | undefined, read: keyof Counts, write: keyof Counts) => {
    for (const line of (text ?? '').split('\n')) {
      const [device = '', operation, value] = line.split(' ');
      const key = operation === 'Read' ? read : operation === 'Write' ? write : undefined;
      if (key === undefined) continue;
      const [major = '', minor = ''] = device.split(':');
      const entry = devices.get(device) ?? { major, minor, readBytes: 0, writeBytes: 0, reads: 0, writes: 0 };
      entry[key] = Number(value);
      devices.set(device, entry);
    }
  };
  add(bytes, 'readBytes', 'writeBytes');
  add(counts, 'reads', 'writes');
  return [...devices.values()];
}

function readV2(files: HostFiles, at: string): CgroupUsage | undefined {
  if (!files.exists(at)) return undefined;
  const number = (file: string) => files.number(`${at}/${file}`);
  const cpu = pairs(files.maybe(`${at}/cpu.stat`));
  const memory = pairs(files.maybe(`${at}/memory.stat`));
  const [quota, period] = (files.maybe(`${at}/cpu.max`) ?? '').split(' ').map(Number) as [number, number];
  const weight = number('cpu.weight');
  const events = pairs(files.maybe(`${at}/memory.events`));
  return known<CgroupUsage>({
    cpuSeconds: scaled(cpu.get('usage_usec'), 1e6),
    userSeconds: scaled(cpu.get('user_usec'), 1e6),
    systemSeconds: scaled(cpu.get('system_usec'), 1e6),
    periods: cpu.get('nr_periods'),
    throttledPeriods: cpu.get('nr_throttled'),
    throttledSeconds: scaled(cpu.get('throttled_usec'), 1e6),
    cpuPeriod: Number.isFinite(period) ? period : undefined,
    cpuQuota: Number.isFinite(quota) ? quota : undefined,
    // The kernel's mapping between weights (1..10000) and shares (2..262144).
    cpuShares: weight === undefined ? undefined : Math.round(((weight - 1) * 262_142) / 9999 + 2),
    memory: number('memory.current') ?? (memory.size > 0 ? sumOf(memory, ['anon', 'file', 'kernel']) : undefined),
    memoryPeak: number('memory.peak'),
    memoryLimit: number('memory.max'),
    memoryReservation: number('memory.low'),
    memoryFailures: events.get('max'),
    swap: number('memory.swap.current'),
    swapLimit: number('memory.swap.max'),
    rss: memory.get('anon'),
    cache: memory.get('file'),
    mapped: memory.get('file_mapped'),
    inactiveFile: memory.get('inactive_file'),
    activeFile: memory.get('active_file'),
    kernel: memory.get('kernel'),
    pageFaults: memory.get('pgfault'),
    majorFaults: memory.get('pgmajfault'),
    oomKills: events.get('oom_kill'),
    threads: number('pids.current'),
    threadsMax: number('pids.max'),
    dirty: memory.get('file_dirty'),
    writeback: memory.get('file_writeback'),
    scanned: memory.get('pgscan'),
    reclaimed: memory.get('pgsteal'),
    refaultAnon: memory.get('workingset_refault_anon'),
    refaultFile: memory.get('workingset_refault_file'),
    migrate: undefined,
    numaPages: readNuma(files.maybe(`${at}/memory.numa_stat`), /^(file|anon|unevictable) /, ' '),
    hugePages: readHugePages(files, at, 'current'),
    io: readV2Io(files.maybe(`${at}/io.stat`)),
    pressure: ['cpu', 'memory', 'io'].flatMap((resource) => {
      const text = files.maybe(`${at}/${resource}.pressure`);
      const total = (kind: string) => {
        const found = new RegExp(`^${kind} .*total=(\\d+)`, 'm').exec(text ?? '')?.[1];
        return found === undefined ? undefined : Number(found) / 1e6;
      };
      const some = total('some');
      return some === undefined ? [] : [{ resource, some, full: total('full') }];
    }),
  });
}

const sumOf = (values: ReadonlyMap<string, number>, names: readonly string[]) =>
  names.reduce((sum, name) => sum + (values.get(name) ?? 0), 0);

/** Lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ...". */
function readV2Io(text: string | undefined): IoUsage[] {
  return (text ?? '').split('\n').flatMap((line) => {
    const [device = '', ...fields] = line.split(' ');
    const values = new Map(fields.map((field) => field.split('=') as [string, string]));
    const [major = '', minor = ''] = device.split(':');
    if (minor === '') return [];
    const get = (name: string) => Number(values.get(name) ?? 0);
    return [
      { major, minor, readBytes: get('rbytes'), writeBytes: get('wbytes'), reads: get('rios'), writes: get('wios') },
    ];
  });
}
