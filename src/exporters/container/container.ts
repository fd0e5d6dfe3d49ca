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
import { addDescriptors, addProcesses, addSockets } from './processes.ts';
import { addSpace, LayerSizes, mountedDevices, spaceOf } from './space.ts';

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
  const layers = client && new LayerSizes(client, clock, log);
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
        const containers = (await client?.list(false, signal)) ?? [];
        const sizes = await layers?.get();
        for (const container of containers) {
          const id = await addOne(page, container, mounts, devices, sizes?.get(container.Id), signal);
          if (id !== undefined) seen.add(id);
        }
      } catch (error) {
        problem = error;
      }
      if (options.withOtherGroups) {
        otherGroups(page, mounts, devices, seen);
        await hostSpace(page);
      }
      machine(page);
      page.gauge('container_scrape_error', '1 if there was an error while getting container metrics.', problem ? 1 : 0);
      if (problem) log.warn('cannot list containers', { err: errorText(problem) });
      return page.families();
    },
  };

  /** The control group of a container that has been put on the page. */
  async function addOne(
    page: Page,
    container: DockerContainer,
    mounts: CgroupMounts,
    devices: ReadonlyMap<string, string>,
    layerBytes: number | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    try {
      const details = await client!.inspect(container.Id, signal);
      const pid = String(details.State.Pid);
      if (!details.State.Running || pid === '0') return undefined;
      const group = cgroupOfProcess(files.text(proc(pid, 'cgroup')));
      const id = group.id === '/' ? `/${container.Id}` : group.id;
      const usage = readCgroup(files, mounts, group.id);
      if (!usage) return undefined;
      const name = (container.Names[0] ?? details.Name).replace(/^\//, '');
      const labels = labelsFor(id, name, container);
      const network = readNetwork(pid);
      const health = details.State.Health?.Status;
      addContainer(page, {
        labels,
        usage,
        startedAt: Date.parse(details.State.StartedAt) || undefined,
        seenAt: clock.now(),
        restarts: details.RestartCount,
        isHealthy: health === undefined || health === '' || health === 'none' ? undefined : health === 'healthy',
        network,
        devices,
      });
      const pids = pidsOf(mounts, group.id);
      addProcesses(page, files, options.procPath, pids, labels);
      addDescriptors(page, files, options.procPath, pids, labels);
      if (network.length > 0) addSockets(page, files, options.procPath, pid, labels);
      const space = await spaceOf(proc(pid, 'root'));
      const layer = details.GraphDriver?.Data?.['UpperDir'];
      if (space && layerBytes !== undefined) addSpace(page, labels, deviceOf(layer, devices), space, layerBytes);
      return id;
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

  /** The block device that holds a folder; '' if it is none, or hidden from us. */
  function deviceOf(folder: string | undefined, devices: ReadonlyMap<string, string>): string {
    const numbers = folder === undefined ? undefined : files.device(folder);
    const name = numbers === undefined ? undefined : devices.get(numbers);
    return name === undefined ? '' : `/dev/${name}`;
  }

  /** The host's file systems, as the use of the group of everything. */
  async function hostSpace(page: Page): Promise<void> {
    for (const { device, point } of mountedDevices(files.maybe(proc('1/mounts')) ?? '')) {
      const space = await spaceOf(proc('1/root', point));
      if (space) addSpace(page, ['id', '/'], device, space, space.used);
    }
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
          isHealthy: undefined,
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
    const cpuinfo = files.maybe(proc('cpuinfo')) ?? '';
    const distinct = (pattern: RegExp) =>
      new Set([...cpuinfo.matchAll(pattern)].map((match) => match.slice(1).join())).size;
    page.gauge('machine_cpu_cores', 'CPU cores.', os.cpus().length);
    page.gauge('machine_cpu_sockets', 'CPU sockets.', Math.max(1, distinct(/^physical id\s*: (\d+)/gm)));
    page.gauge(
      'machine_cpu_physical_cores',
      'CPU cores without their siblings.',
      distinct(/^physical id\s*: (\d+)$(?:\n(?!\n).*)*?\ncore id\s*: (\d+)$/gm) || os.cpus().length,
    );
    const swapKiB = /^SwapTotal:\s+(\d+)/m.exec(files.maybe(proc('meminfo')) ?? '')?.[1];
    if (swapKiB !== undefined) page.gauge('machine_swap_bytes', 'Swap of the machine.', Number(swapKiB) * 1024);
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
