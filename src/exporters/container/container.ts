// Measures containers: which there are from the Docker API (Docker or Podman), what they use from their control groups, processes and
// network namespaces. A container that ends while it is measured is left out; one that cannot be read spoils only itself.

import os from 'node:os';
import type { Clock } from '#base/clock.ts';
import { errorText, OperatingError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { DockerClient, type DockerContainer } from '#clients/docker/docker.ts';
import { labelsOf } from '#model/labels.ts';
import type { Collector } from '../collector.ts';
import { HostFiles } from '../node/files.ts';
import { Page } from '../page.ts';
import { type CgroupMounts, cgroupOfProcess, findCgroupMounts, readCgroup } from './cgroup.ts';
import { addContainer, type ContainerReading } from './families.ts';

export type ContainerOptions = {
  /** The Docker API; '' to see control groups only. */
  readonly endpoint: string;
  readonly procPath: string;
  readonly sysPath: string;
  /** Labels of the container that become labels container_label_*; undefined: all. */
  readonly labelNames: readonly string[] | undefined;
  /** Also measure control groups that are no containers, the root among them. */
  readonly withOtherGroups: boolean;
  readonly timeoutMs: number;
};

const MAX_GROUPS = 2000;
const MAX_DEPTH = 6;

/** Kubernetes' labels on a container, and the label names that dashboards of either age ask for. */
const KUBERNETES: Readonly<Record<string, readonly string[]>> = {
  'io.kubernetes.pod.name': ['pod', 'pod_name'],
  'io.kubernetes.pod.namespace': ['namespace'],
  'io.kubernetes.container.name': ['container', 'container_name'],
};

export function containerCollector(
  options: ContainerOptions,
  clock: Clock,
  log: Logger,
): Collector & { close(): Promise<void> } {
  const files = new HostFiles();
  const client = options.endpoint === '' ? undefined : new DockerClient(options.endpoint, options.timeoutMs);
  const proc = (...parts: string[]) => [options.procPath, ...parts].join('/');
  return {
    name: 'container',
    close: async () => client?.close(),
    async collect(signal) {
      const mounts = findCgroupMounts(files.maybe(proc('1/mounts')) ?? files.text(proc('self/mounts')));
      const devices = readDevices(files, options.sysPath);
      const page = new Page();
      const seen = new Set<string>();
      let problem: unknown;
      try {
        for (const container of (await client?.list(false, signal)) ?? []) {
          const reading = await readContainer(container, mounts, devices, signal);
          if (!reading) continue;
          seen.add(reading.id);
          addContainer(page, reading.reading);
        }
      } catch (error) {
        problem = error;
      }
      if (options.withOtherGroups) otherGroups(page, mounts, devices, seen);
      machine(page);
      page.gauge('container_scrape_error', '1 if there was an error while getting container metrics.', problem ? 1 : 0);
      if (problem) log.warn('cannot list containers', { err: errorText(problem) });
      return page.families();
    },
  };

  async function readContainer(
    container: DockerContainer,
    mounts: CgroupMounts,
    devices: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<{ id: string; reading: ContainerReading } | undefined> {
    try {
      const details = await client!.inspect(container.Id, signal);
      const pid = String(details.State.Pid);
      if (!details.State.Running || pid === '0') return undefined;
      const group = cgroupOfProcess(files.text(proc(pid, 'cgroup')));
      const id = group.id === '/' ? `/${container.Id}` : group.id;
      const usage = readCgroup(files, mounts, group.id);
      if (!usage) return undefined;
      const name = (container.Names[0] ?? details.Name).replace(/^\//, '');
      const processes = pidsOf(mounts, group.id);
      const open = countDescriptors(processes);
      return {
        id,
        reading: {
          labels: labelsFor(id, name, container),
          usage,
          startedAt: Date.parse(details.State.StartedAt) || undefined,
          seenAt: clock.now(),
          restarts: details.RestartCount,
          processes: processes.length,
          descriptors: open.descriptors,
          sockets: open.sockets,
          network: readNetwork(pid),
          devices,
        },
      };
    } catch (error) {
      // Gone between being listed and being read: nothing to report. Anything else is worth a line.
      const isGone = error instanceof OperatingError && ['not_found', 'ENOENT', 'ESRCH'].includes(error.code);
      if (!isGone) log.warn('cannot measure a container', { container: container.Id, err: errorText(error) });
      return undefined;
    }
  }

  function labelsFor(id: string, name: string, container: DockerContainer) {
    const labels: Record<string, string> = { id, name, image: container.Image };
    for (const [key, value] of Object.entries(container.Labels ?? {})) {
      if (options.labelNames === undefined || options.labelNames.includes(key))
        labels[`container_label_${key.replace(/[^a-zA-Z0-9_]/g, '_')}`] = value;
      for (const alias of KUBERNETES[key] ?? []) labels[alias] = value;
    }
    return labelsOf(labels);
  }

  function pidsOf(mounts: CgroupMounts, id: string): string[] {
    const mount = mounts.v1['pids'] ?? mounts.v1['memory'] ?? mounts.v2;
    return (files.maybe(`${mount}${id}/cgroup.procs`) ?? '').split('\n').filter(Boolean);
  }

  function countDescriptors(pids: readonly string[]): { descriptors: number; sockets: number } {
    let [descriptors, sockets] = [0, 0];
    for (const pid of pids)
      for (const fd of files.listMaybe(proc(pid, 'fd'))) {
        descriptors++;
        if (files.link(proc(pid, 'fd', fd))?.startsWith('socket:')) sockets++;
      }
    return { descriptors, sockets };
  }

  /** Nothing for a container that shares the host's network: that traffic is not its own. */
  function readNetwork(pid: string): ContainerReading['network'] {
    const own = files.link(proc(pid, 'ns/net'));
    if (own === undefined || own === files.link(proc('1/ns/net')) || own === files.link(proc('self/ns/net'))) return [];
    return (files.maybe(proc(pid, 'net/dev')) ?? '').split('\n').flatMap((line) => {
      const at = line.indexOf(':');
      const name = line.slice(0, at).trim();
      if (at < 0 || name === 'lo') return [];
      return [
        {
          interface: name,
          counters: line
            .slice(at + 1)
            .trim()
            .split(/\s+/)
            .map(Number),
        },
      ];
    });
  }

  function otherGroups(
    page: Page,
    mounts: CgroupMounts,
    devices: ReadonlyMap<string, string>,
    seen: ReadonlySet<string>,
  ): void {
    const mount = mounts.v1['memory'] ?? mounts.v1['cpu'] ?? mounts.v2;
    if (mount === '') return;
    let left = MAX_GROUPS;
    const visit = (id: string, depth: number) => {
      if (left-- <= 0) return;
      const usage = seen.has(id) ? undefined : readCgroup(files, mounts, id);
      if (usage)
        addContainer(page, {
          labels: ['id', id],
          usage,
          startedAt: undefined,
          seenAt: clock.now(),
          restarts: undefined,
          processes: undefined,
          descriptors: undefined,
          sockets: undefined,
          network: [],
          devices,
        });
      if (depth >= MAX_DEPTH) return;
      const folder = id === '/' ? mount : mount + id;
      for (const name of files.listMaybe(folder))
        if (files.isFolder(`${folder}/${name}`)) visit(id === '/' ? `/${name}` : `${id}/${name}`, depth + 1);
    };
    visit('/', 0);
  }

  function machine(page: Page): void {
    page.gauge('machine_cpu_cores', 'CPU cores.', os.cpus().length);
    page.gauge('machine_memory_bytes', 'Memory of the machine.', os.totalmem());
  }
}

function readDevices(files: HostFiles, sysPath: string): Map<string, string> {
  const devices = new Map<string, string>();
  for (const name of files.listMaybe(`${sysPath}/class/block`)) {
    const numbers = files.maybe(`${sysPath}/class/block/${name}/dev`);
    if (numbers) devices.set(numbers, name);
  }
  return devices;
}
