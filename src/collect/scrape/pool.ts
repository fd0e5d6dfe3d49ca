// All targets that one worker scrapes. The main thread says what they are (`apply`); targets that did not change keep
// their rhythm, connections and series, others are started, updated in place, or retired.

import type { Clock } from '#base/clock.ts';
import type { Disk, DiskFile } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { Wheel } from '#base/wheel.ts';
import { createHttpClient, type HttpEnvironment } from '#clients/http/client.ts';
import { RawBuffers } from '#clients/http/reply.ts';
import type { Tracer } from '#clients/otlp/tracer.ts';
import type { Appender, Metadata } from '#model/batch.ts';
import type { Registry } from '#model/registry.ts';
import { createAdmit } from './admit.ts';
import { FamilyPool, familiesSizeBytes } from './families.ts';
import { Inflater } from './inflate.ts';
import { LineScratch } from './lines.ts';
import { type JobRuntime, type LoopContext, ScrapeLoop } from './loop.ts';
import { scrapeMetrics } from './metrics.ts';
import { Outbox } from './outbox.ts';
import { Rows } from './rows.ts';
import { Slab } from './slab.ts';
import type { Assignment, JobSpec, TargetStatus } from './spec.ts';

export type ScrapePoolOptions = {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Logger;
  readonly registry: Registry;
  readonly appender: Appender;
  /** Decides together with each target's labels when it is scraped; differs between replicas. [0, 1). */
  readonly offsetSeed: number;
  readonly environment?: HttpEnvironment['environment'];
  readonly tracer?: Tracer;
};

type Job = { readonly key: string; runtime: JobRuntime; readonly loops: Map<string, ScrapeLoop> };

/** Above this many targets gone at once, their series are left to end by themselves. */
const RETIRING_LIMIT = 100_000;

export class ScrapePool {
  readonly #options: ScrapePoolOptions;
  readonly #context: LoopContext;
  readonly #jobs = new Map<string, Job>();
  readonly #buffers = new RawBuffers();
  readonly #failureLogs = new Map<string, DiskFile>();
  #retiring = 0;

  constructor(options: ScrapePoolOptions) {
    this.#options = options;
    const slab = new Slab();
    const scratch = new LineScratch(slab);
    const wheel = new Wheel(options.clock);
    this.#context = {
      clock: options.clock,
      wheel,
      appender: options.appender,
      outbox: new Outbox(options.appender, new Rows(slab), wheel),
      log: options.log,
      metrics: scrapeMetrics(options.registry),
      scratch,
      inflater: new Inflater(scratch, this.#buffers),
      families: new FamilyPool(),
      offsetSeed: options.offsetSeed,
      tracer: options.tracer,
    };
    this.#registerCacheMetrics(options.registry);
  }

  /** Makes exactly these targets the ones that are scraped. */
  apply(assignments: readonly Assignment[]): void {
    const named = new Set(assignments.map(({ job }) => job.name));
    for (const [name, job] of this.#jobs) {
      if (named.has(name)) continue;
      this.#jobs.delete(name);
      for (const loop of job.loops.values()) this.#retire(loop);
      this.#closeLater(job.runtime);
    }
    for (const assignment of assignments) this.#applyJob(assignment);
  }

  statuses(): TargetStatus[] {
    return [...this.#jobs.values()].flatMap((job) => [...job.loops.values()].map((loop) => loop.status()));
  }

  /** Metric families by job and target. */
  *families(): Iterable<{ job: string; target: string; family: string; metadata: Metadata }> {
    for (const [name, job] of this.#jobs) {
      for (const loop of job.loops.values()) {
        for (const [family, metadata] of loop.families) yield { job: name, target: loop.target.id, family, metadata };
      }
    }
  }

  /** Ends scraping, not the series: after a restart they go on. */
  async stop(): Promise<void> {
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    this.#context.outbox.hurry();
    await Promise.all(jobs.flatMap((job) => [...job.loops.values()].map((loop) => loop.stop())));
    for (const job of jobs) job.runtime.client.close();
    for (const file of this.#failureLogs.values()) file.close();
    this.#failureLogs.clear();
  }

  #applyJob({ job: spec, targets }: Assignment): void {
    const key = JSON.stringify(spec);
    let job = this.#jobs.get(spec.name);
    const isChanged = job !== undefined && job.key !== key;
    let keepsSeries = true;
    if (!job) {
      job = { key, runtime: this.#runtime(spec), loops: new Map() };
    } else if (isChanged) {
      keepsSeries = seriesKey(job.runtime.spec) === seriesKey(spec);
      this.#closeLater(job.runtime);
      job = { key, runtime: this.#runtime(spec), loops: job.loops };
    }
    this.#jobs.set(spec.name, job);
    const wanted = new Set<string>();
    for (const target of targets) {
      wanted.add(target.id);
      const loop = job.loops.get(target.id);
      if (!loop) {
        const started = new ScrapeLoop(job.runtime, target, this.#context);
        job.loops.set(target.id, started);
        started.start();
      } else if (isChanged || JSON.stringify(loop.target) !== JSON.stringify(target)) {
        loop.update(job.runtime, target, keepsSeries);
      }
    }
    for (const [id, loop] of job.loops) {
      if (wanted.has(id)) continue;
      job.loops.delete(id);
      this.#retire(loop);
    }
  }

  #runtime(spec: JobSpec): JobRuntime {
    const { disk, environment } = this.#options;
    return {
      spec,
      client: createHttpClient(spec.http, {
        clock: this.#context.wheel,
        disk,
        buffers: this.#buffers,
        ...(environment ? { environment } : {}),
      }),
      admit: createAdmit(spec),
      logFailure: (target, error) => this.#logFailure(spec, target, error),
    };
  }

  #retire(loop: ScrapeLoop): void {
    this.#retiring++;
    const end = this.#retiring > RETIRING_LIMIT ? loop.stop() : loop.retire();
    end
      .catch((error) =>
        this.#options.log.warn('Stale commit failed', { target: loop.target.url, err: errorText(error) }),
      )
      .finally(() => this.#retiring--);
  }

  /** A scrape under way may still use the client. */
  #closeLater(runtime: JobRuntime): void {
    this.#options.clock.after(60_000, () => runtime.client.close(), true);
  }

  #logFailure(spec: JobSpec, target: string, error: string): void {
    const { clock, disk, log } = this.#options;
    if (spec.failureLogFile === undefined) return;
    const time = new Date(clock.now()).toISOString();
    const line = `${JSON.stringify({ time, level: 'ERROR', msg: error, job_name: spec.name, target })}\n`;
    try {
      let file = this.#failureLogs.get(spec.failureLogFile);
      if (!file) {
        file = disk.open(spec.failureLogFile, 'append');
        this.#failureLogs.set(spec.failureLogFile, file);
      }
      file.write(Buffer.from(line));
    } catch (failure) {
      log.error('Cannot write scrape failure log', { file: spec.failureLogFile, err: errorText(failure) });
    }
  }

  #registerCacheMetrics(registry: Registry): void {
    const perJob = (size: (loop: ScrapeLoop) => number) =>
      [...this.#jobs].map(([name, job]) => ({
        labels: ['scrape_job', name],
        value: [...job.loops.values()].reduce((sum, loop) => sum + size(loop), 0),
      }));
    registry.collected(
      'prometheus_target_metadata_cache_entries',
      'Total number of metric metadata entries in the cache',
      'gauge',
      () => perJob((loop) => loop.families.size),
    );
    registry.collected(
      'prometheus_target_metadata_cache_bytes',
      'The number of bytes that are currently used for storing metric metadata in the cache',
      'gauge',
      () => perJob((loop) => familiesSizeBytes(loop.families)),
    );
  }
}

/** What decides which labels a series is stored with, and which samples are taken. */
function seriesKey(spec: JobSpec): string {
  const { honorLabels, honorTimestamps, trackTimestampsStaleness, metricRelabelRules, limits, nameValidation } = spec;
  return JSON.stringify([
    honorLabels,
    honorTimestamps,
    trackTimestampsStaleness,
    metricRelabelRules,
    limits.labels,
    limits.labelNameLength,
    limits.labelValueLength,
    nameValidation,
  ]);
}
