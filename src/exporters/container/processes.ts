// What the processes of a container tell beside its control group: states of tasks, waiting for a CPU, open files and limits, and the
// sockets of its network. A process that ends while it is read counts for nothing.

import type { Labels } from '#model/labels.ts';
import type { HostFiles } from '../node/files.ts';
import type { Page } from '../page.ts';
import { merged } from './families.ts';

/** More tasks than these are not looked at one by one. */
const MAX_TASKS = 2000;

const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  I: 'sleeping',
  D: 'uninterruptible',
  T: 'stopped',
  t: 'stopped',
};
const STATE_NAMES = ['iowaiting', 'running', 'sleeping', 'stopped', 'uninterruptible'];
const TCP_STATES = [
  'established',
  'synsent',
  'synrecv',
  'finwait1',
  'finwait2',
  'timewait',
  'close',
  'closewait',
  'lastack',
  'listen',
  'closing',
];

export function addProcesses(
  page: Page,
  files: HostFiles,
  proc: string,
  pids: readonly string[],
  labels: Labels,
): void {
  const states = new Map(STATE_NAMES.map((name) => [name, 0]));
  let [runNs, waitNs, slices] = [0, 0, 0];
  let left = MAX_TASKS;
  for (const pid of pids)
    for (const task of files.listMaybe(`${proc}/${pid}/task`)) {
      if (left-- <= 0) break;
      const at = `${proc}/${pid}/task/${task}`;
      const state = STATES[/\) (\w)/.exec(files.maybe(`${at}/stat`) ?? '')?.[1] ?? ''];
      if (state !== undefined) states.set(state, states.get(state)! + 1);
      const [run = 0, wait = 0, count = 0] = (files.maybe(`${at}/schedstat`) ?? '').split(' ').map(Number);
      runNs += run;
      waitNs += wait;
      slices += count;
    }
  for (const [state, count] of states)
    page.gauge('container_tasks_state', 'Tasks by state.', count, merged(labels, 'state', state));
  const counter = (name: string, help: string, value: number) =>
    page.counter(`container_cpu_schedstat_${name}_total`, help, value, labels);
  counter('run_seconds', 'Time in which tasks ran.', runNs / 1e9);
  counter('runqueue_seconds', 'Time in which tasks waited for a CPU.', waitNs / 1e9);
  counter('run_periods', 'Time slices run.', slices);
}

/** Open files of all processes, and the limit of the first. */
export function addDescriptors(
  page: Page,
  files: HostFiles,
  proc: string,
  pids: readonly string[],
  labels: Labels,
): void {
  let [descriptors, sockets] = [0, 0];
  for (const pid of pids)
    for (const fd of files.listMaybe(`${proc}/${pid}/fd`)) {
      descriptors++;
      if (files.link(`${proc}/${pid}/fd/${fd}`)?.startsWith('socket:')) sockets++;
    }
  page.gauge('container_processes', 'Processes.', pids.length, labels);
  page.gauge('container_file_descriptors', 'Open files.', descriptors, labels);
  page.gauge('container_sockets', 'Open sockets.', sockets, labels);
  const limit = /^Max open files\s+(\S+)/m.exec(files.maybe(`${proc}/${pids[0]}/limits`) ?? '')?.[1];
  if (limit !== undefined)
    page.gauge(
      'container_ulimits_soft',
      'Soft limits of the first process, -1 for none.',
      limit === 'unlimited' ? -1 : Number(limit),
      merged(labels, 'ulimit', 'max_open_files'),
    );
}

/** Sockets of a network of its own by protocol and state. */
export function addSockets(page: Page, files: HostFiles, proc: string, pid: string, labels: Labels): void {
  for (const [file, metric] of [
    ['tcp', 'container_network_tcp_usage_total'],
    ['tcp6', 'container_network_tcp6_usage_total'],
  ] as const) {
    const counts = new Map(TCP_STATES.map((name) => [name, 0]));
    for (const line of rowsOf(files, `${proc}/${pid}/net/${file}`)) {
      const state = TCP_STATES[Number.parseInt(line[3] ?? '0', 16) - 1];
      if (state !== undefined) counts.set(state, counts.get(state)! + 1);
    }
    for (const [state, count] of counts)
      page.gauge(metric, 'TCP sockets by state.', count, merged(labels, 'tcp_state', state));
  }
  for (const [file, metric] of [
    ['udp', 'container_network_udp_usage_total'],
    ['udp6', 'container_network_udp6_usage_total'],
  ] as const) {
    const sums = { listen: 0, dropped: 0, rxqueued: 0, txqueued: 0 };
    for (const line of rowsOf(files, `${proc}/${pid}/net/${file}`)) {
      const [tx = 0, rx = 0] = (line[4] ?? '').split(':').map((text) => Number.parseInt(text, 16));
      if (Number.parseInt(line[3] ?? '0', 16) === 7) sums.listen++;
      sums.txqueued += tx;
      sums.rxqueued += rx;
      sums.dropped += Number(line[12] ?? 0);
    }
    for (const [state, count] of Object.entries(sums))
      page.gauge(metric, 'UDP sockets and their queues.', count, merged(labels, 'udp_state', state));
  }
}

const rowsOf = (files: HostFiles, file: string): string[][] =>
  (files.maybe(file) ?? '')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
