// Java programs through the Jolokia bridge: the beans every JVM has, under the names of the Java client (those of its release 1 and the
// earlier ones, where they differ), and beans of the application that the configuration names.

import type { Page } from '../page.ts';
import { httpText, metricWord, type SourceKind } from '../source.ts';

type Answer = {
  readonly status: number;
  readonly value?: unknown;
  readonly error?: string;
  readonly request?: { mbean?: string };
};
type Beans = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export const jolokiaKind: SourceKind = {
  up: 'jolokia_up',
  create: (source, environment) => ({
    close: async () => {},
    async read(page, signal) {
      // Extra beans: ?mbean=domain:type=X,name=* in the source's URL, repeatable.
      const url = new URL(source.url);
      const extra = url.searchParams.getAll('mbean');
      url.search = '';
      const requests = ['java.lang:*', 'java.nio:type=BufferPool,*', ...extra].map((mbean) => ({
        type: 'read',
        mbean,
      }));
      const text = await httpText({ ...source, url: `${url.href.replace(/\/$/, '')}/` }, '', environment, signal, {
        method: 'POST',
        body: JSON.stringify(requests),
        headers: { 'content-type': 'application/json' },
      });
      const answers = JSON.parse(text) as Answer[];
      answers.forEach((answer, i) => {
        if (answer.status !== 200) {
          // Beans that do not exist are no failure of the others.
          if (i === 0) throw new Error(`Jolokia answered ${answer.status}: ${answer.error}`);
          environment.log.debug('no such bean', { source: source.name, mbean: requests[i]!.mbean, err: answer.error });
          return;
        }
        const value = answer.value as Beans;
        if (i === 0) addJvm(page, value);
        else if (i === 1) addBuffers(page, value);
        else addBeans(page, extra[i - 2]!, answer.value);
      });
    },
  }),
};

const num = (value: unknown): number => (typeof value === 'number' ? value : Number.NaN);
const prop = (value: unknown, key: string): number => num((value as Record<string, unknown> | undefined)?.[key]);

/** "java.lang:name=G1 Eden Space,type=MemoryPool" to its properties; values in quotes may hold commas and equals signs. */
function properties(name: string): Record<string, string> {
  const list = name.slice(name.indexOf(':') + 1);
  return Object.fromEntries(
    [...list.matchAll(/([^=,]+)=("(?:[^"\\]|\\.)*"|[^,]*)/g)].map((match) => [match[1]!, match[2]!] as const),
  );
}

function addJvm(page: Page, beans: Beans): void {
  const gauge = (metric: string, help: string, value: number, labels: string[] = []) => {
    if (!Number.isNaN(value)) page.gauge(metric, help, value, labels);
  };
  const counter = (metric: string, help: string, value: number, labels: string[] = []) => {
    if (!Number.isNaN(value)) page.counter(metric, help, value, labels);
  };
  const memory = (prefix: string, usage: unknown, labels: string[]) => {
    for (const key of ['used', 'committed', 'max', 'init'])
      for (const metric of [`${prefix}_${key}_bytes`, `${prefix}_bytes_${key}`])
        gauge(metric, `JVM memory: ${key}.`, prop(usage, key), labels);
  };
  for (const [name, bean] of Object.entries(beans)) {
    const { type = '', name: own = '' } = properties(name);
    switch (type) {
      case 'Memory':
        memory('jvm_memory', bean['HeapMemoryUsage'], ['area', 'heap']);
        memory('jvm_memory', bean['NonHeapMemoryUsage'], ['area', 'nonheap']);
        gauge(
          'jvm_memory_objects_pending_finalization',
          'Objects that wait to be finalized.',
          num(bean['ObjectPendingFinalizationCount']),
        );
        break;
      case 'MemoryPool':
        memory('jvm_memory_pool', bean['Usage'], ['pool', own]);
        memory('jvm_memory_pool_collection', bean['CollectionUsage'], ['pool', own]);
        break;
      case 'GarbageCollector':
        counter('jvm_gc_collection_seconds_count', 'Collections.', num(bean['CollectionCount']), ['gc', own]);
        counter('jvm_gc_collection_seconds_sum', 'Time of collections.', num(bean['CollectionTime']) / 1000, [
          'gc',
          own,
        ]);
        break;
      case 'Threading':
        gauge('jvm_threads_current', 'Threads.', num(bean['ThreadCount']));
        gauge('jvm_threads_daemon', 'Daemon threads.', num(bean['DaemonThreadCount']));
        gauge('jvm_threads_peak', 'Most threads.', num(bean['PeakThreadCount']));
        counter('jvm_threads_started_total', 'Threads started.', num(bean['TotalStartedThreadCount']));
        break;
      case 'ClassLoading':
        for (const metric of ['jvm_classes_currently_loaded', 'jvm_classes_loaded'])
          gauge(metric, 'Classes loaded now.', num(bean['LoadedClassCount']));
        counter('jvm_classes_loaded_total', 'Classes loaded.', num(bean['TotalLoadedClassCount']));
        counter('jvm_classes_unloaded_total', 'Classes unloaded.', num(bean['UnloadedClassCount']));
        break;
      case 'Runtime':
        gauge('process_start_time_seconds', 'When the JVM started.', num(bean['StartTime']) / 1000);
        for (const metric of ['jvm_runtime_info', 'jvm_info'])
          page.gauge(metric, 'The version of the JVM.', 1, [
            'runtime',
            String(bean['VmName'] ?? ''),
            'vendor',
            String(bean['VmVendor'] ?? ''),
            'version',
            String(bean['VmVersion'] ?? ''),
          ]);
        break;
      case 'Compilation':
        counter('jvm_compilation_time_seconds_total', 'Time of compiling.', num(bean['TotalCompilationTime']) / 1000);
        break;
      case 'OperatingSystem':
        counter('process_cpu_seconds_total', 'CPU time.', num(bean['ProcessCpuTime']) / 1e9);
        gauge('process_open_fds', 'Open files.', num(bean['OpenFileDescriptorCount']));
        gauge('process_max_fds', 'Most open files.', num(bean['MaxFileDescriptorCount']));
    }
  }
}

function addBuffers(page: Page, beans: Beans): void {
  for (const [name, bean] of Object.entries(beans)) {
    const labels = ['pool', properties(name)['name'] ?? ''];
    page.gauge('jvm_buffer_pool_used_bytes', 'Bytes of a buffer pool.', num(bean['MemoryUsed']), labels);
    page.gauge('jvm_buffer_pool_capacity_bytes', 'Capacity of a buffer pool.', num(bean['TotalCapacity']), labels);
    page.gauge('jvm_buffer_pool_used_buffers', 'Buffers of a buffer pool.', num(bean['Count']), labels);
  }
}

/** Numbers of any bean, as jmx_exporter names them without rules: domain, type and attribute; other properties are labels. */
function addBeans(page: Page, pattern: string, value: unknown): void {
  const beans = pattern.includes('*') ? (value as Beans) : { [pattern]: value as Record<string, unknown> };
  for (const [name, bean] of Object.entries(beans)) {
    const { type = '', ...rest } = properties(name);
    const labels = Object.entries(rest)
      .map(([key, text]) => [metricWord(key), text] as const)
      .sort((a, b) => (a[0] < b[0] ? -1 : 1))
      .flat();
    const add = (path: readonly string[], current: unknown): void => {
      const metric = [name.slice(0, name.indexOf(':')), type, ...path].map((part) =>
        part.replace(/[^a-zA-Z0-9_]/g, '_'),
      );
      if (typeof current === 'number') page.untyped(metric.filter(Boolean).join('_'), `Bean ${name}.`, current, labels);
      else if (typeof current === 'boolean')
        page.untyped(metric.filter(Boolean).join('_'), `Bean ${name}.`, current ? 1 : 0, labels);
      else if (typeof current === 'object' && current !== null && !Array.isArray(current))
        for (const [key, inner] of Object.entries(current)) add([...path, key], inner);
    };
    for (const [attribute, one] of Object.entries(bean)) add([attribute], one);
  }
}
