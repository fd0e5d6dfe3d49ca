// Metrics of the process itself, under the names that Prometheus' client libraries gave them.

import fs from 'node:fs';
import type { Registry } from '#model/registry.ts';
import { buildInfo } from './version.ts';

/** What Go calls processors; queries over many programs compare these labels. */
const GO_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm: 'arm', arm64: 'arm64' };

export function registerProcessMetrics(
  registry: Registry,
  startedAtMs: number,
  program = 'prometheus',
  build = buildInfo(),
): void {
  const one = (name: string, help: string, type: 'gauge' | 'counter', value: () => number) =>
    registry.collected(name, help, type, () => [{ value: value() }]);
  registry.collected(`${program}_build_info`, 'What is running.', 'gauge', () => [
    {
      labels: [
        'branch',
        build.branch,
        'goarch',
        GO_ARCH[process.arch] ?? process.arch,
        'goos',
        process.platform,
        'goversion',
        build.goVersion,
        'revision',
        build.revision,
        'tags',
        'unknown',
        'version',
        build.version,
      ],
      value: 1,
    },
  ]);
  one('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', 'counter', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  one('process_resident_memory_bytes', 'Resident memory size in bytes.', 'gauge', () => process.memoryUsage.rss());
  one(
    'process_start_time_seconds',
    'Start time of the process since unix epoch in seconds.',
    'gauge',
    () => startedAtMs / 1000,
  );
  one('process_open_fds', 'Number of open file descriptors.', 'gauge', () => countFiles());
  one('process_max_fds', 'Maximum number of open file descriptors.', 'gauge', () => maxFiles());
  one('process_heap_bytes', 'JavaScript heap of the main thread.', 'gauge', () => process.memoryUsage().heapUsed);
}

function countFiles(): number {
  try {
    return fs.readdirSync('/proc/self/fd').length;
  } catch {
    return Number.NaN;
  }
}

function maxFiles(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Number.NaN);
  } catch {
    return Number.NaN;
  }
}
