// The thread that reads this host. It runs collectors one after the other (their reads block) and notes in shared memory which one is
// under way, so that watch.ts can tell which file hangs and go on without it in another thread.

import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '#base/clock.ts';
import { silentLogger } from '#base/log.ts';
import { type Collector, type Outcome, runCollectors } from '../collector.ts';
import { HostFiles } from './files.ts';
import type { NodeFlag } from './flags.ts';
import { createHost } from './host.ts';
import { makeCollectors } from './registry.ts';

export type ThreadStart = {
  readonly names: readonly string[];
  readonly flags: Readonly<Record<NodeFlag, string>>;
  readonly timeoutMs: number;
  /** Index of the collector under way, or IDLE. */
  readonly progress: Int32Array;
};
export type ThreadRequest = { readonly id: number; readonly names: readonly string[] };
export type ThreadAnswer = { readonly id: number; readonly outcomes: readonly Outcome[] };

export const IDLE = -1;

if (parentPort && workerData?.kind === 'node-exporter') serve(workerData as ThreadStart);

function serve({ names, flags, timeoutMs, progress }: ThreadStart): void {
  // Files that do not exist are the normal case here, and stacks are most of what an error costs.
  Error.stackTraceLimit = 0;
  const host = createHost(new HostFiles(), systemClock, silentLogger, flags);
  const collectors = new Map<string, Collector>(makeCollectors(names, host).map((one) => [one.name, one]));
  parentPort!.on('message', async ({ id, names: wanted }: ThreadRequest) => {
    const outcomes: Promise<Outcome[]>[] = [];
    for (const name of wanted) {
      Atomics.store(progress, 0, names.indexOf(name));
      // Synchronous collectors are done when this returns; the others (statfs, D-Bus) go on side by side.
      outcomes.push(runCollectors([collectors.get(name)!], systemClock, timeoutMs));
    }
    Atomics.store(progress, 0, IDLE);
    const answer: ThreadAnswer = { id, outcomes: (await Promise.all(outcomes)).flat() };
    parentPort!.postMessage(answer);
  });
}
