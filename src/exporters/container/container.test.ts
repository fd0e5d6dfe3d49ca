// Containers measured for real: Podman and runc run them, the Docker API names them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { silentLogger } from '#base/log.ts';
import type { MetricFamily } from '#model/family.ts';
import { labelsToRecord } from '#model/labels.ts';
import { writeText } from '#wire/exposition/write.ts';
import { peer } from '../../../test/peers.ts';
import { answers, freePort, start, temporaryFolder } from '../../../test/programs.ts';
import { labelsByMetric, unknownToPages } from '../../../test/shipped-rules.ts';
import { HostFiles } from '../node/files.ts';
import { findCgroupMounts, readCgroup } from './cgroup.ts';
import { containerCollector } from './container.ts';

const podman = peer('podman', 'podman');
const runc = peer('runc', 'runc');
const busybox = peer('busybox', 'busybox-static');

const skip = podman.skip || runc.skip || busybox.skip || (process.getuid?.() !== 0 && 'needs root');

test('containers of Podman by name, image and labels, with what they use', { skip }, async (t) => {
  const folder = temporaryFolder(t);
  const conf = path.join(folder, 'containers.conf');
  fs.writeFileSync(
    conf,
    '[containers]\ndefault_ulimits=["nofile=1024:20000","nproc=1024:1024"]\n[engine]\nruntime="runc"\nevents_logger="file"\ncgroup_manager="cgroupfs"\n',
  );
  const env = { ...process.env, CONTAINERS_CONF: conf };
  const storage = [
    `--root=${folder}/root`,
    `--runroot=${folder}/run`,
    '--storage-driver=vfs',
    '--cgroup-manager=cgroupfs',
  ];
  const run = (...args: string[]) =>
    execFileSync(podman.path, [...storage, ...args], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  const rootfs = path.join(folder, 'image');
  fs.mkdirSync(path.join(rootfs, 'bin'), { recursive: true });
  fs.copyFileSync(busybox.path, path.join(rootfs, 'bin', 'busybox'));
  fs.symlinkSync('busybox', path.join(rootfs, 'bin', 'sh'));
  execFileSync('tar', ['-C', rootfs, '-cf', path.join(folder, 'image.tar'), '.']);
  run('import', path.join(folder, 'image.tar'), 'busy:test');
  const id = run(
    '--runtime=runc',
    'run',
    '-d',
    '--network=host',
    '--name=spinner',
    '--label=team=blue',
    '--label=io.kubernetes.pod.name=p1',
    'busy:test',
    '/bin/sh',
    '-c',
    'while true; do :; done',
  );
  try {
    await check(id);
  } finally {
    run('rm', '-f', '-t', '0', id);
  }

  async function check(id: string): Promise<void> {
    const port = await freePort();
    await start(
      t,
      podman.path,
      [...storage, 'system', 'service', '--time=0', `tcp:127.0.0.1:${port}`],
      answers(`http://127.0.0.1:${port}/_ping`),
      { env },
    );

    const collector = containerCollector(
      {
        endpoint: `tcp://127.0.0.1:${port}`,
        procPath: '/proc',
        sysPath: '/sys',
        labelNames: undefined,
        withOtherGroups: true,
        timeoutMs: 10_000,
      },
      systemClock,
      silentLogger,
    );
    const collect = async () => collector.collect(new AbortController().signal);
    const sampleOf = (families: readonly MetricFamily[], name: string) =>
      families
        .find((family) => family.name === name)
        ?.samples.find((sample) => labelsToRecord(sample.labels)['name'] === 'spinner');
    const first = await collect();
    const cpu = sampleOf(first, 'container_cpu_usage_seconds_total');
    assert.ok(cpu, 'the container is there');
    const labels = labelsToRecord(cpu.labels);
    assert.match(labels['id']!, new RegExp(id));
    assert.match(labels['image']!, /busy:test$/);
    assert.equal(labels['container_label_team'], 'blue');
    assert.equal(labels['pod'], 'p1');
    assert.equal(labels['pod_name'], 'p1');
    assert.ok(sampleOf(first, 'container_memory_usage_bytes')!.value > 0);
    assert.ok(sampleOf(first, 'container_memory_working_set_bytes')!.value >= 0);
    assert.equal(sampleOf(first, 'container_processes')!.value, 1);
    assert.ok(sampleOf(first, 'container_start_time_seconds')!.value > 1e9);
    const withLabel = (name: string, label: string, value: string) =>
      first
        .find((family) => family.name === name)
        ?.samples.map(
          (sample) => ({ ...labelsToRecord(sample.labels), count: sample.value }) as Record<string, unknown>,
        )
        .find((one) => one['name'] === 'spinner' && one[label] === value)?.['count'];
    const tasks = ['running', 'sleeping', 'stopped', 'uninterruptible', 'iowaiting'].map((state) =>
      Number(withLabel('container_tasks_state', 'state', state)),
    );
    assert.equal(
      tasks.reduce((sum, count) => sum + count),
      1,
      `tasks ${tasks}`,
    );
    assert.equal(withLabel('container_ulimits_soft', 'ulimit', 'max_open_files'), 1024);
    assert.ok(sampleOf(first, 'container_cpu_schedstat_run_seconds_total')!.value > 0);
    assert.ok(sampleOf(first, 'container_fs_usage_bytes')!.value >= 0);
    assert.ok(sampleOf(first, 'container_fs_limit_bytes')!.value > 1e6);
    assert.ok(sampleOf(first, 'container_fs_inodes_total'));
    const keys = first.flatMap(({ name, samples }) =>
      samples.map((one) => `${name}${one.suffix}{${one.labels.join()}}`),
    );
    assert.equal(new Set(keys).size, keys.length, 'no series twice');
    const page = writeText(first.map((family) => ({ ...family, help: '' }))).split('\n');
    // Containers of Kubernetes alone have these.
    assert.deepEqual(unknownToPages('containers.yml', labelsByMetric(page), /label (namespace|container) of/), []);
    for (;;) {
      const later = sampleOf(await collect(), 'container_cpu_usage_seconds_total')!;
      if (later.value > cpu.value) break;
    }
    run('stop', '-t', '0', id);
    assert.equal(sampleOf(await collect(), 'container_cpu_usage_seconds_total'), undefined, 'gone when it has ended');
    await collector.close();
  }
});

test('version 2 groups are read from their files', (t) => {
  const folder = temporaryFolder(t);
  const group = path.join(folder, 'a', 'b');
  fs.mkdirSync(group, { recursive: true });
  const files: Record<string, string> = {
    'cpu.stat':
      'usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 10\nnr_throttled 3\nthrottled_usec 70000\n',
    'cpu.max': '50000 100000\n',
    'cpu.weight': '100\n',
    'memory.current': '1048576\n',
    'memory.max': 'max\n',
    'memory.stat': 'anon 400000\nfile 500000\ninactive_file 48576\npgfault 7\npgmajfault 1\n',
    'memory.events': 'low 0\nmax 2\noom_kill 1\n',
    'pids.current': '4\n',
    'pids.max': 'max\n',
    'io.stat': '8:0 rbytes=100 wbytes=200 rios=3 wios=4 dbytes=0 dios=0\n',
    'memory.numa_stat': 'anon N0=8192 N1=4096\nfile N0=0 N1=4096\nslab N0=1 N1=1\n',
    'hugetlb.2MB.current': '4194304\n',
    'hugetlb.2MB.events': 'max 3\n',
    'hugetlb.2MB.rsvd.current': '0\n',
    'cpu.pressure':
      'some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
  };
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(group, name), text);
  const mounts = findCgroupMounts(`cgroup2 ${folder} cgroup2 rw 0 0\n`);
  const usage = readCgroup(new HostFiles(), mounts, '/a/b')!;
  assert.deepEqual(
    [usage.cpuSeconds, usage.throttledSeconds, usage.cpuQuota, usage.cpuShares, usage.memory, usage.memoryLimit],
    [2.5, 0.07, 50_000, 2597, 1_048_576, undefined],
  );
  assert.deepEqual(usage.io, [{ major: '8', minor: '0', readBytes: 100, writeBytes: 200, reads: 3, writes: 4 }]);
  assert.deepEqual(usage.pressure, [{ resource: 'cpu', some: 1.5, full: 0 }]);
  assert.equal(usage.oomKills, 1);
  assert.deepEqual(usage.hugePages, [{ pageSize: '2Mi', used: 4_194_304, most: undefined, failures: 3 }]);
  assert.deepEqual(
    [...usage.numaPages].map(([node, pages]) => [node, Object.fromEntries(pages)]),
    [
      ['0', { anon: 2, file: 0 }],
      ['1', { anon: 1, file: 1 }],
    ],
  );
  assert.equal(readCgroup(new HostFiles(), mounts, '/gone'), undefined);
});

test('a group that vanishes while it is read gives what was read, and no error', (t) => {
  const folder = temporaryFolder(t);
  const write = () => {
    const group = path.join(folder, 'gone');
    fs.mkdirSync(group, { recursive: true });
    fs.writeFileSync(path.join(group, 'cpu.stat'), 'usage_usec 1000000\n');
    fs.writeFileSync(path.join(group, 'memory.current'), '4096\n');
    fs.writeFileSync(path.join(group, 'memory.stat'), 'anon 4096\n');
  };
  const mounts = findCgroupMounts(`cgroup2 ${folder} cgroup2 rw 0 0\n`);
  /** Removes the group after so many files. */
  class Vanishing extends HostFiles {
    left: number;
    constructor(left: number) {
      super();
      this.left = left;
    }
    override maybe(file: string): string | undefined {
      const content = super.maybe(file);
      if (this.left-- === 0) fs.rmSync(path.join(folder, 'gone'), { recursive: true });
      return content;
    }
  }
  for (let after = 0; after < 6; after++) {
    write();
    const usage = readCgroup(new Vanishing(after), mounts, '/gone');
    assert.equal(usage?.cpuSeconds, 1, `after ${after} files`);
    assert.equal(usage.io.length, 0);
  }
});
