// Collects from this host through a thread, and keeps the promise that a page is served on time: when the thread is stuck in a file
// that does not answer, that collector is reported as failed, left out until the read returns, and a new thread does the rest.

import { Worker } from 'node:worker_threads';
import type { Clock } from '#base/clock.ts';
import { OperatingError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { MetricFamily } from '#model/family.ts';
import { type Outcome, pageOf } from '../collector.ts';
import type { NodeFlag } from './flags.ts';
import type { ThreadAnswer, ThreadRequest, ThreadStart } from './thread.ts';

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

type Thread = { readonly worker: Worker; readonly progress: Int32Array };

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

  /** The page of the named collectors; never rejects for what one of them does. */
  async collect(names: readonly string[] = this.names): Promise<MetricFamily[]> {
    return pageOf(await this.outcomes(names), 'node', this.#log);
  }

  async outcomes(names: readonly string[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    let left = names.filter((name) => !this.#stuck.has(name));
    for (const name of names) if (this.#stuck.has(name)) outcomes.push(this.#failed(name, 'is still stuck', 0));
    while (left.length > 0) {
      const started = this.#clock.monotonic();
      this.#thread ??= this.#start();
      const thread = this.#thread;
      const answer = await this.#ask(thread, left);
      if (answer instanceof Error) {
        for (const name of left) outcomes.push(this.#failed(name, answer.message, this.#clock.monotonic() - started));
        break;
      }
      if (answer) return [...outcomes, ...answer.outcomes];
      const hanging = this.#options.names[Atomics.load(thread.progress, 0)] ?? left[0]!;
      this.#quarantine(hanging, thread);
      outcomes.push(this.#failed(hanging, `did not answer`, this.#clock.monotonic() - started));
      left = left.filter((name) => name !== hanging);
      if (this.#stuck.size > MAX_STUCK_THREADS) {
        for (const name of left) outcomes.push(this.#failed(name, 'too many collectors are stuck', 0));
        break;
      }
    }
    return outcomes;
  }

  async close(): Promise<void> {
    await this.#thread?.worker.terminate();
    this.#thread = undefined;
  }

  #failed(name: string, what: string, durationMs: number): Outcome {
    return { name, families: [], durationMs, error: { code: 'stuck', message: `cannot collect ${name}: ${what}` } };
  }

  /** Undefined when the thread does not answer in time. */
  #ask(thread: Thread, names: readonly string[]): Promise<ThreadAnswer | Error | undefined> {
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
      const request: ThreadRequest = { id, names };
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
    const thread = { worker, progress };
    worker.unref();
    worker.on('message', (answer: ThreadAnswer) => {
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
      for (const finish of [...this.#waiting.values()])
        finish(new OperatingError('thread', `the collecting thread failed: ${error.message}`));
    });
    return thread;
  }
}
