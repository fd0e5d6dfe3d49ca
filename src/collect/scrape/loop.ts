// The life of one target in a worker: wait for its moment in the interval, fetch, store, note how it went. A target's
// scrapes never overlap, and its failures stay its own.

import type { Timer } from '#base/clock.ts';
import { errorCode, errorText } from '#base/errors.ts';
import { formatDuration } from '#base/units.ts';
import type { HttpClient } from '#clients/http/client.ts';
import type { Admit } from './admit.ts';
import type { Families } from './families.ts';
import { fetchPage, messageOf, type Page } from './fetch.ts';
import { type IngestContext, TargetIngest } from './ingest.ts';
import type { JobSpec, TargetHealth, TargetSpec, TargetStatus } from './spec.ts';

export type LoopContext = IngestContext & {
  /** Moves this server's scrapes against those of its replicas: [0, 1). */
  readonly offsetSeed: number;
};

/** What all loops of a job share. */
export type JobRuntime = {
  readonly spec: JobSpec;
  readonly client: HttpClient;
  readonly admit: Admit;
  readonly logFailure: (target: string, error: string) => void;
};

/** Scrape times within this distance of the plan are stored as planned, which makes timestamps compress better. */
const ALIGNMENT_MS = 2;

export class ScrapeLoop {
  #job: JobRuntime;
  #target: TargetSpec;
  readonly #context: LoopContext;
  readonly #ingest: TargetIngest;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #plannedAt = 0;
  #plannedMonotonic = 0;
  #lastStart = Number.NaN;
  #sizeHint = 0;
  #health: TargetHealth = 'unknown';
  #lastError = '';
  #lastScrape = 0;
  #lastDurationSeconds = 0;

  constructor(job: JobRuntime, target: TargetSpec, context: LoopContext) {
    this.#job = job;
    this.#target = target;
    this.#context = context;
    this.#ingest = new TargetIngest(context);
  }

  get target(): TargetSpec {
    return this.#target;
  }

  get families(): Families {
    return this.#ingest.families;
  }

  start(): void {
    const { clock, offsetSeed } = this.#context;
    const { intervalMs, phase } = this.#target;
    const now = clock.now();
    const offset = Math.floor(((phase + offsetSeed) % 1) * intervalMs);
    const wait = (intervalMs - (now % intervalMs) + offset) % intervalMs;
    this.#plannedAt = now + wait;
    this.#plannedMonotonic = clock.monotonic() + wait;
    this.#arm();
  }

  /** New settings. The rhythm stays unless the interval changed; known series stay unless labels are now made otherwise. */
  update(job: JobRuntime, target: TargetSpec, keepsSeries: boolean): void {
    const before = this.#target;
    this.#job = job;
    this.#target = target;
    if (!keepsSeries) this.#ingest.replace();
    if (before.intervalMs === target.intervalMs) return;
    this.#timer?.cancel();
    if (!this.#running) this.start();
  }

  /** Waits for the scrape under way. Writes no stale markers: after a restart the target goes on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** The target is gone for good: ends its series, two intervals later in case it comes back. */
  async retire(): Promise<void> {
    const { clock } = this.#context;
    await this.stop();
    if (Number.isNaN(this.#lastStart)) {
      this.#ingest.close();
      return;
    }
    const staleTime = Math.max(this.#plannedAt, clock.now());
    const wait = staleTime + this.#target.intervalMs * 1.1 - clock.now();
    await new Promise<void>((resolve) => {
      clock.after(wait, resolve, true);
    });
    try {
      await this.#ingest.end(staleTime);
    } finally {
      this.#ingest.close();
    }
  }

  status(): TargetStatus {
    return {
      job: this.#job.spec.name,
      id: this.#target.id,
      health: this.#health,
      lastError: this.#lastError,
      lastScrape: this.#lastScrape,
      lastDurationSeconds: this.#lastDurationSeconds,
    };
  }

  #arm(): void {
    const { clock, log } = this.#context;
    const interval = this.#target.intervalMs;
    this.#timer = clock.after(this.#plannedMonotonic - clock.monotonic(), () => {
      this.#running = this.#tick()
        .catch((error) => log.error('Scrape commit failed', { target: this.#target.url, err: errorText(error) }))
        .finally(() => {
          this.#running = undefined;
          if (this.#stopped) return;
          if (this.#target.intervalMs === interval) this.#plan();
          else this.start();
        });
    });
  }

  /** The next scrape; moments that passed while this one took long are left out. */
  #plan(): void {
    const { intervalMs } = this.#target;
    const late = this.#context.clock.monotonic() - this.#plannedMonotonic;
    const steps = Math.max(1, Math.ceil(late / intervalMs));
    this.#plannedAt += steps * intervalMs;
    this.#plannedMonotonic += steps * intervalMs;
    this.#arm();
  }

  async #tick(): Promise<void> {
    const { clock, metrics } = this.#context;
    const { intervalMs } = this.#target;
    const started = clock.monotonic();
    if (!Number.isNaN(this.#lastStart)) {
      const interval = formatDuration(intervalMs);
      const seconds = (started - this.#lastStart) / 1000;
      metrics.intervalLength.with(interval).observe(seconds);
      metrics.intervalLengthHistogram.with(interval).observe(seconds);
    }
    this.#lastStart = started;
    await this.#scrape(this.#alignedTime(), started);
    metrics.scrapeDuration.observe((clock.monotonic() - started) / 1000);
  }

  #alignedTime(): number {
    const { intervalMs } = this.#target;
    const now = this.#context.clock.now();
    const distance = Math.abs(now - this.#plannedAt);
    if (distance <= Math.min(intervalMs / 100, ALIGNMENT_MS)) return this.#plannedAt;
    // The wall clock was set: from now on the plan follows it.
    if (distance >= intervalMs) this.#plannedAt = now;
    return now;
  }

  async #scrape(time: number, started: number): Promise<void> {
    const { clock, metrics } = this.#context;
    const job = this.#job;
    const target = this.#target;
    let page: Page | undefined;
    let fetchError: unknown;
    if (target.forcedError !== undefined) fetchError = new Error(target.forcedError);
    else {
      try {
        page = await fetchPage(job.client, job.spec, target, this.#sizeHint);
        if (page.body.length > 0) this.#sizeHint = page.body.length;
      } catch (error) {
        fetchError = error;
        job.logFailure(target.url, messageOf(error));
      }
    }
    const isTooLarge = errorCode(fetchError) === 'body_too_large';
    if (isTooLarge) metrics.exceededBodySize.add();
    const elapsedSeconds = () => (clock.monotonic() - started) / 1000;
    const error = await this.#ingest.store({
      job: job.spec,
      admit: job.admit,
      target,
      page,
      error: fetchError,
      time,
      bytes: isTooLarge ? -1 : (page?.body.length ?? 0),
      elapsedSeconds,
    });
    if (page) job.client.recycle(page.body);
    this.#health = error === undefined ? 'up' : 'down';
    this.#lastError = error === undefined ? '' : messageOf(error);
    this.#lastScrape = time;
    this.#lastDurationSeconds = elapsedSeconds();
  }
}
