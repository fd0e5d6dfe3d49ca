// The thread that reads this host. It runs collectors one after the other (their reads block) and notes in shared memory which one is
// under way, so that watch.ts can tell which file hangs and go on without it in another thread. It prints the page as well: bytes
// cross threads for nothing, while families cost more to copy than to collect.

import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '#base/clock.ts';
import { UserError } from '#base/errors.ts';
import type { LogFields, Logger } from '#base/log.ts';
import type { MetricFamily } from '#model/family.ts';
import type { RenderedPage } from '#wire/exposition/write.ts';
import { type Collector, type Outcome, renderOutcomes, runCollectors } from '../collector.ts';
import { HostFiles } from './files.ts';
import type { NodeFlag } from './flags.ts';
import { createHost } from './host.ts';
import { makeCollectors } from './makers.ts';

export type ThreadStart = {
  readonly names: readonly string[];
  readonly flags: Readonly<Record<NodeFlag, string>>;
  readonly timeoutMs: number;
  /** Index of the collector under way, or IDLE. */
  readonly progress: Int32Array;
};
export type PageRequest = {
  readonly names: readonly string[];
  /** Collectors that are not asked, with what is wrong with them. */
  readonly left: readonly Outcome[];
  /** What else belongs on the page. */
  readonly own: readonly MetricFamily[];
  readonly accept: string;
};
export type ThreadRequest = PageRequest & { readonly id: number };
/** Said once, when requests are taken, or when the flags of a collector make no sense. */
export type ThreadReady = { readonly id: undefined; readonly mistake?: string };
/** A line for the log, which the main thread writes. */
export type ThreadNote = {
  readonly id: null;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: LogFields;
};
export type ThreadAnswer = RenderedPage & {
  readonly id: number;
  readonly failures: readonly Omit<Outcome, 'families'>[];
};

export const IDLE = -1;

if (parentPort && workerData?.kind === 'node-exporter') serve(workerData as ThreadStart);

function notes(carried: LogFields): Logger {
  const at = (level: ThreadNote['level']) => (message: string, fields?: LogFields) => {
    const note: ThreadNote = { id: null, level, message, fields: { ...carried, ...fields } };
    parentPort!.postMessage(note);
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => notes({ ...carried, ...fields }),
  };
}

const encoder = new TextEncoder();

function serve({ names, flags, timeoutMs, progress }: ThreadStart): void {
  // Files that do not exist are the normal case here, and stacks are most of what an error costs.
  Error.stackTraceLimit = 0;
  const host = createHost(new HostFiles(), systemClock, notes({}), flags);
  let collectors: ReadonlyMap<string, Collector>;
  try {
    collectors = new Map(makeCollectors(names, host).map((one) => [one.name, one]));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const unfit: ThreadReady = { id: undefined, mistake: error.message };
    parentPort!.postMessage(unfit);
    return;
  }
  parentPort!.on('message', async ({ id, names: wanted, left, own, accept }: ThreadRequest) => {
    const running: Promise<Outcome[]>[] = [];
    for (const name of wanted) {
      Atomics.store(progress, 0, names.indexOf(name));
      // Synchronous collectors are done when this returns; the others (statfs, D-Bus) go on side by side.
      running.push(runCollectors([collectors.get(name)!], systemClock, timeoutMs));
    }
    Atomics.store(progress, 0, IDLE);
    const outcomes = (await Promise.all(running)).flat();
    const page = renderOutcomes([...left, ...outcomes], 'node', own, accept);
    const body = typeof page.body === 'string' ? encoder.encode(page.body) : page.body.slice();
    const failures = outcomes.filter((one) => one.error).map(({ families: _, ...failure }) => failure);
    const answer: ThreadAnswer = { id, failures, contentType: page.contentType, body };
    parentPort!.postMessage(answer, [body.buffer]);
  });
  const ready: ThreadReady = { id: undefined };
  parentPort!.postMessage(ready);
}
