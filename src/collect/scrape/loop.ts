// The life of one target in a worker: wait for its moment in the interval, fetch, store, note how it went. A target's
// scrapes never overlap, and its failures stay its own.

import type { Timer } from '#base/clock.ts';
import { errorCode, errorText } from '#base/errors.ts';
import { formatDuration } from '#base/units.ts';
import { stepOf, type Wheel } from '#base/wheel.ts';
import type { HttpClient } from '#clients/http/client.ts';
import { type OpenSpan, type Tracer, traceParentOf } from '#clients/otlp/tracer.ts';
import type { HistogramMetric, SummaryMetric } from '#model/registry.ts';
import type { Admit } from './admit.ts';
import type { Families } from './families.ts';
import { messageOf, type Page, PageSource } from './fetch.ts';
import type { Inflater } from './inflate.ts';
import { type IngestContext, TargetIngest } from './ingest.ts';
import type { JobSpec, TargetHealth, TargetSpec, TargetStatus } from './spec.ts';

export type LoopContext = IngestContext & {
  readonly wheel: Wheel;
  /** Moves this server's scrapes against those of its replicas: [0, 1). */
  readonly offsetSeed: number;
  readonly tracer: Tracer | undefined;
  readonly inflater: Inflater;
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
/** The part of the interval that samples may wait for those of other targets before they are stored. */
const PATIENCE = 1 / 5;
/** And the longest: what was scraped should be seen at once. */
const MAX_PATIENCE_MS = 250;

export class ScrapeLoop {
  #job: JobRuntime;
  #target: TargetSpec;
  readonly #context: LoopContext;
  readonly #ingest: TargetIngest;
  #source: PageSource;
  #lengths: IntervalLengths;
  #timer: Timer | undefined;
  /** Ends the wait for the scrape under way. */
  #ended: (() => void) | undefined;
  #isRunning = false;
  #isStopped = false;
  /** Interval that the plan is made for. */
  #intervalMs = 0;
  /** The next scrape: by the wall clock, and by the wheel's. */
  #plannedAt = 0;
  #due = 0;
  #lastStart = Number.NaN;
  #health: TargetHealth = 'unknown';
  #lastError = '';
  #lastScrape = 0;
  #lastDurationSeconds = 0;
  // Of the scrape under way:
  #started = 0;
  #time = 0;
  #span: OpenSpan | undefined;

  constructor(job: JobRuntime, target: TargetSpec, context: LoopContext) {
    this.#job = job;
    this.#target = target;
    this.#context = context;
    this.#ingest = new TargetIngest(context);
    this.#source = new PageSource(job.client, this.#context.inflater, job.spec, target);
    this.#lengths = lengthsOf(context, target.intervalMs);
  }

  get target(): TargetSpec {
    return this.#target;
  }

  get families(): Families {
    return this.#ingest.families;
  }

  start(): void {
    const { clock, wheel, offsetSeed } = this.#context;
    const { intervalMs, phase } = this.#target;
    const now = clock.now();
    const step = stepOf(intervalMs);
    const offset = Math.floor((((phase + offsetSeed) % 1) * intervalMs) / step) * step;
    const wait = (intervalMs - (now % intervalMs) + offset) % intervalMs;
    // The two clocks are read one after the other: a small distance is none.
    const distance = Math.round(wheel.steady()) - now;
    this.#intervalMs = intervalMs;
    this.#plannedAt = now + wait;
    this.#due = this.#plannedAt + (Math.abs(distance) <= ALIGNMENT_MS ? 0 : distance);
    this.#arm();
  }

  /** New settings. The rhythm stays unless the interval changed; known series stay unless labels are now made otherwise. */
  update(job: JobRuntime, target: TargetSpec, keepsSeries: boolean): void {
    this.#job = job;
    this.#target = target;
    this.#source = new PageSource(job.client, this.#context.inflater, job.spec, target);
    if (!keepsSeries) this.#ingest.replace();
    if (this.#intervalMs === target.intervalMs) return;
    this.#lengths = lengthsOf(this.#context, target.intervalMs);
    this.#timer?.cancel();
    if (!this.#isRunning) this.start();
  }

  /** Waits for the scrape under way. Writes no stale markers: after a restart the target goes on. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    if (!this.#isRunning) return;
    const before = this.#ended;
    await new Promise<void>((resolve) => {
      this.#ended = () => {
        before?.();
        resolve();
      };
    });
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
    this.#timer = this.#context.wheel.at(this.#due, this.#begin);
  }

  /** The next scrape; moments that passed while this one took long are left out. */
  #plan(): void {
    const late = this.#context.wheel.steady() - this.#due;
    const steps = Math.max(1, Math.ceil(late / this.#intervalMs));
    this.#plannedAt += steps * this.#intervalMs;
    this.#due += steps * this.#intervalMs;
    this.#arm();
  }

  readonly #begin = (): void => {
    const { clock, tracer } = this.#context;
    const started = clock.monotonic();
    if (!Number.isNaN(this.#lastStart)) {
      const seconds = (started - this.#lastStart) / 1000;
      this.#lengths.summary.observe(seconds);
      this.#lengths.histogram.observe(seconds);
    }
    this.#lastStart = started;
    this.#isRunning = true;
    this.#started = started;
    this.#time = this.#alignedTime();
    const { forcedError } = this.#target;
    this.#span = tracer?.isOn ? tracer.begin('Scrape', 'client') : undefined;
    if (forcedError === undefined) this.#source.read(this.#fetched, this.#span && traceParentOf(this.#span));
    else this.#store(new Error(forcedError), undefined, this.#source);
  };

  /** All scrapes that begin together have the same time. */
  #alignedTime(): number {
    const now = this.#context.wheel.runTime;
    const distance = Math.abs(now - this.#plannedAt);
    if (distance <= Math.min(this.#intervalMs / 100, ALIGNMENT_MS)) return this.#plannedAt;
    // The wall clock was set: from now on the plan follows it.
    if (distance >= this.#intervalMs) this.#plannedAt = now;
    return now;
  }

  readonly #fetched = (error: unknown, page: Page | undefined, source: PageSource): void => {
    if (error !== undefined) this.#job.logFailure(this.#target.url, messageOf(error));
    this.#store(error, page, source);
  };

  #store(error: unknown, page: Page | undefined, source: PageSource): void {
    const { clock, metrics, wheel } = this.#context;
    const isTooLarge = error !== undefined && errorCode(error) === 'body_too_large';
    if (isTooLarge) metrics.exceededBodySize.add();
    // Half of what is left of the interval is the most: waiting must not make a slow target miss its next scrape.
    const left = (this.#due + this.#intervalMs - wheel.steady()) / 2;
    this.#ingest.store(
      {
        job: this.#job.spec,
        admit: this.#job.admit,
        target: this.#target,
        page,
        error,
        time: this.#time,
        bytes: isTooLarge ? -1 : (page?.body.length ?? 0),
        started: this.#started,
        patienceMs: Math.min(left, this.#intervalMs * PATIENCE, MAX_PATIENCE_MS),
      },
      (pageError, failure) => {
        if (page) source.recycle(page);
        this.#end(pageError, failure);
      },
    );
    const seconds = (clock.monotonic() - this.#started) / 1000;
    metrics.scrapeDuration.observe(seconds);
    this.#lastDurationSeconds = seconds;
  }

  #end(error: unknown, failure: unknown): void {
    if (failure !== undefined) {
      this.#context.log.error('Scrape commit failed', { target: this.#target.url, err: errorText(failure) });
    } else {
      this.#health = error === undefined ? 'up' : 'down';
      this.#lastError = error === undefined ? '' : messageOf(error);
      this.#lastScrape = this.#time;
    }
    this.#span?.end({ job: this.#job.spec.name, 'url.full': this.#target.url }, this.#lastError);
    this.#isRunning = false;
    this.#ended?.();
    if (this.#isStopped) return;
    if (this.#target.intervalMs === this.#intervalMs) this.#plan();
    else this.start();
  }
}

type IntervalLengths = { readonly summary: SummaryMetric; readonly histogram: HistogramMetric };

function lengthsOf({ metrics }: LoopContext, intervalMs: number): IntervalLengths {
  const interval = formatDuration(intervalMs);
  return {
    summary: metrics.intervalLength.with(interval),
    histogram: metrics.intervalLengthHistogram.with(interval),
  };
}
