// Collects from this host through a thread, and keeps the promise that a page is served on time: when the thread is stuck in a file
// that does not answer, that collector is reported as failed, left out until the read returns, and a new thread does the rest.

import { Worker } from 'node:worker_threads';
import type { Clock } from '#base/clock.ts';
import { OperatingError, UserError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { MetricFamily } from '#model/family.ts';
import type { RenderedPage } from '#wire/exposition/write.ts';
import { logFailures, type Outcome, renderOutcomes } from '../collector.ts';
import type { NodeFlag } from './flags.ts';
import type { PageRequest, ThreadAnswer, ThreadNote, ThreadReady, ThreadRequest, ThreadStart } from './thread.ts';

/** Threads that may be stuck at once; beyond it, what hangs is only reported. */
const MAX_STUCK_THREADS = 4;

/** A scrape makes some hundred kilobytes of garbage; a small young generation keeps the thread small. */
const THREAD_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };

export type NodeExporterOptions = {
  /** Collectors to make, by name. */
  readonly names: readonly string[];
  readonly flags: Readonly<Record<NodeFlag, string>>;
  readonly timeoutMs: number;
};

type Thread = {
  readonly worker: Worker;
  readonly progress: Int32Array;
  /** Resolves when it takes requests, or has failed: starting is no collector's fault and may take long on a busy host. */
  readonly started: Promise<Error | undefined>;
};

export class NodeExporter {
  readonly names: readonly string[];
  readonly #options: NodeExporterOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  #thread: Thread | undefined;
  #sequence = 0;
  /** Collectors whose read has not returned, with the thread that waits for it. */
  readonly #stuck = new Map<string, Thread>();
  readonly #waiting = new Map<number, (answer: ThreadAnswer | Error) => void>();

  constructor(options: NodeExporterOptions, clock: Clock, log: Logger) {
    this.names = options.names;
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
  }

  /** Starts the thread before the first page is asked for; throws if a flag of a collector makes no sense. */
  async start(): Promise<void> {
    this.#thread ??= this.#start();
    const failure = await this.#thread.started;
    if (failure) throw failure;
  }

  /** The page of the named collectors and what else belongs on it; never rejects for what a collector does. */
  async page(names: readonly string[], own: readonly MetricFamily[], accept: string): Promise<RenderedPage> {
    const left = names.filter((name) => this.#stuck.has(name)).map((name) => failed(name, 'is still stuck', 0));
    let wanted = names.filter((name) => !this.#stuck.has(name));
    for (;;) {
      const started = this.#clock.monotonic();
      this.#thread ??= this.#start();
      const thread = this.#thread;
      const answer = await this.#ask(thread, { names: wanted, left, own, accept });
      if (answer && !(answer instanceof Error)) {
        logFailures([...left, ...answer.failures], this.#log);
        return answer;
      }
      if (answer instanceof Error) {
        left.push(...wanted.map((name) => failed(name, answer.message, this.#clock.monotonic() - started)));
        break;
      }
      const hanging = this.#options.names[Atomics.load(thread.progress, 0)] ?? wanted[0];
      if (hanging === undefined) break;
      this.#quarantine(hanging, thread);
      left.push(failed(hanging, 'did not answer', this.#clock.monotonic() - started));
      wanted = wanted.filter((name) => name !== hanging);
      if (this.#stuck.size > MAX_STUCK_THREADS) {
        left.push(...wanted.map((name) => failed(name, 'too many collectors are stuck', 0)));
        break;
      }
    }
    logFailures(left, this.#log);
    return renderOutcomes(left, 'node', own, accept);
  }

  async close(): Promise<void> {
    await this.#thread?.worker.terminate();
    this.#thread = undefined;
  }

  /** Undefined when the thread does not answer in time. */
  async #ask(thread: Thread, page: PageRequest): Promise<ThreadAnswer | Error | undefined> {
    const failure = await thread.started;
    if (failure) return failure;
    const id = this.#sequence++;
    return new Promise((resolve) => {
      // Collectors that wait (statfs) have their own limit; the thread gets a little more than that.
      const timer = this.#clock.after(this.#options.timeoutMs * 1.1 + 50, () => finish(undefined), true);
      const finish = (answer: ThreadAnswer | Error | undefined) => {
        timer.cancel();
        this.#waiting.delete(id);
        resolve(answer);
      };
      this.#waiting.set(id, finish);
      const request: ThreadRequest = { id, ...page };
      thread.worker.postMessage(request);
    });
  }

  #quarantine(name: string, thread: Thread): void {
    this.#stuck.set(name, thread);
    if (this.#thread === thread) this.#thread = undefined;
    this.#log.error('collector is stuck and left out until its file answers', { name });
  }

  #start(): Thread {
    const progress = new Int32Array(new SharedArrayBuffer(4));
    const { names, flags, timeoutMs } = this.#options;
    const start: ThreadStart & { kind: 'node-exporter' } = { kind: 'node-exporter', names, flags, timeoutMs, progress };
    const worker = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: start,
      resourceLimits: THREAD_LIMITS,
    });
    const { promise: started, resolve: whenStarted } = Promise.withResolvers<Error | undefined>();
    const thread: Thread = { worker, progress, started };
    worker.unref();
    worker.on('message', (answer: ThreadAnswer | ThreadReady | ThreadNote) => {
      if (answer.id === null) {
        this.#log[answer.level](answer.message, answer.fields);
        return;
      }
      if (answer.id === undefined)
        return whenStarted(answer.mistake === undefined ? undefined : new UserError(answer.mistake));
      this.#waiting.get(answer.id)?.(answer);
      for (const [name, stuck] of this.#stuck) {
        if (stuck !== thread) continue;
        this.#stuck.delete(name);
        this.#log.info('collector answers again', { name });
        void worker.terminate();
      }
    });
    worker.on('error', (error) => {
      if (this.#thread === thread) this.#thread = undefined;
      const failure = new OperatingError('thread', `the collecting thread failed: ${error.message}`);
      whenStarted(failure);
      for (const finish of [...this.#waiting.values()]) finish(failure);
    });
    return thread;
  }
}

function failed(name: string, what: string, durationMs: number): Outcome {
  return { name, families: [], durationMs, error: { code: 'stuck', message: `cannot collect ${name}: ${what}` } };
}
