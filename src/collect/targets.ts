// The main thread's half of scraping: jobs are discovered, their targets relabeled, spread over the workers, and handed out.
// Few targets share a worker, whose scrapes then share batches; many are spread by a stable hash. A reload changes only what it must: providers, targets and workers that stay the same are left alone.

import { hostname } from 'node:os';
import { errorText } from '#base/errors.ts';
import { hashLabels, type Labels, labelsFrom } from '#model/labels.ts';
import type { Counter, Gauge, HistogramMetric, Registry, SummaryMetric, Vec } from '#model/registry.ts';
import type { TargetGroup } from '#model/target.ts';
import type { ScrapeJob } from './config.ts';
import { Discoveries } from './discovery/discoveries.ts';
import { discoveryMetrics } from './discovery/metrics.ts';
import type { DiscoveryContext } from './discovery/provider.ts';
import { discoveredLabels, populateLabels, targetSpec } from './labels.ts';
import { compileRules, type Relabel } from './relabel/relabel.ts';
import type { Assignment, TargetSpec } from './scrape/spec.ts';

export type TargetsOptions = Omit<DiscoveryContext, 'name' | 'metrics'> & {
  readonly registry: Registry;
  readonly workers: number;
  /** Gives a worker its whole new list; called only when it differs from the one before. */
  readonly assign: (worker: number, assignments: readonly Assignment[]) => void;
};

/** A target that is scraped, with what it was found as. */
export type ActiveTarget = {
  readonly job: ScrapeJob;
  readonly spec: TargetSpec;
  /** After relabeling, internal labels included. */
  readonly labels: Labels;
  readonly discovered: () => Labels;
  readonly worker: number;
};
export type DroppedTarget = { readonly job: ScrapeJob; readonly discovered: Labels };

/** Scrapes per second that a worker takes before the next one gets any. */
const FULL_RATE = 50;

type Pool = {
  readonly job: ScrapeJob;
  readonly relabel: Relabel;
  active: Map<string, ActiveTarget>;
  dropped: DroppedTarget[];
  droppedCount: number;
};

export class Targets {
  readonly #options: TargetsOptions;
  readonly #metrics: PoolMetrics;
  readonly #discoveries: Discoveries;
  #pools = new Map<string, Pool>();
  #assigned: string[];

  constructor(options: TargetsOptions) {
    this.#options = options;
    this.#metrics = poolMetrics(options.registry);
    this.#assigned = Array.from({ length: options.workers }, () => '');
    const { clock, disk, log, environment } = options;
    this.#discoveries = new Discoveries({
      clock,
      disk,
      log,
      environment,
      metrics: discoveryMetrics(options.registry),
      kind: 'scrape',
      onChange: (jobs) => this.#sync(jobs),
    });
  }

  /** A new configuration. */
  apply(jobs: readonly ScrapeJob[]): void {
    const pools = new Map<string, Pool>();
    for (const job of jobs) {
      const before = this.#pools.get(job.spec.name);
      if (before) this.#metrics.reloads.add();
      else this.#metrics.pools.add();
      pools.set(job.spec.name, {
        job,
        relabel: compileRules(job.relabelRules),
        active: before?.active ?? new Map(),
        dropped: before?.dropped ?? [],
        droppedCount: before?.droppedCount ?? 0,
      });
      this.#metrics.syncFailed.with(job.spec.name);
      this.#metrics.targetLimit.with(job.spec.name).set(job.targetLimit);
    }
    for (const name of this.#pools.keys()) if (!pools.has(name)) this.#forgetMetrics(name);
    this.#pools = pools;
    this.#discoveries.apply(new Map(jobs.map((job) => [job.spec.name, job.discoveries])));
    this.#sync(new Set(pools.keys()));
  }

  stop(): void {
    this.#discoveries.stop();
  }

  jobs(): readonly ScrapeJob[] {
    return [...this.#pools.values()].map(({ job }) => job);
  }

  active(): ActiveTarget[] {
    return [...this.#pools.values()].flatMap(({ active }) => [...active.values()]);
  }

  dropped(): DroppedTarget[] {
    return [...this.#pools.values()].flatMap(({ dropped }) => dropped);
  }

  /** How many targets relabeling dropped, by job; `dropped` may keep fewer. */
  droppedCounts(): Record<string, number> {
    return Object.fromEntries([...this.#pools].map(([name, pool]) => [name, pool.droppedCount]));
  }

  #sync(jobs: ReadonlySet<string>): void {
    for (const name of jobs) {
      const pool = this.#pools.get(name);
      if (pool) this.#syncPool(name, pool);
    }
    this.#handOut();
  }

  #syncPool(name: string, pool: Pool): void {
    const { clock, log } = this.#options;
    const started = clock.monotonic();
    const found: { labels: Labels; group: TargetGroup; target: Readonly<Record<string, string>> }[] = [];
    pool.dropped = [];
    pool.droppedCount = 0;
    for (const group of this.#discoveries.groupsOf(name)) {
      group.targets.forEach((target, index) => {
        const discovered = discoveredLabels(pool.job, target, group.labels);
        const populated = populateLabels(discovered, pool.relabel);
        if (populated.kind === 'target') found.push({ labels: populated.labels, group, target });
        else if (populated.kind === 'dropped') {
          const { keepDroppedTargets } = pool.job;
          pool.droppedCount++;
          if (keepDroppedTargets === 0 || pool.dropped.length < keepDroppedTargets) {
            pool.dropped.push({ job: pool.job, discovered });
          }
        } else {
          this.#metrics.syncFailed.with(name).add();
          log.error('Creating target failed', {
            scrape_pool: name,
            err: `instance ${index} in group ${group.source}: ${populated.reason}`,
          });
        }
      });
    }
    const active = new Map<string, ActiveTarget>();
    const rates = this.#rates();
    for (const { labels, group, target } of found) {
      const spec = targetSpec(pool.job, labels, undefined);
      if (active.has(spec.id)) continue;
      const { job } = pool;
      const discovered = () => discoveredLabels(job, target, group.labels);
      const worker = pool.active.get(spec.id)?.worker ?? this.#workerFor(spec, rates);
      active.set(spec.id, { job, spec, labels, discovered, worker });
    }
    pool.active = this.#limited(pool.job, active);
    this.#metrics.targets.with(name).set(active.size);
    this.#metrics.syncs.with(name).add();
    const seconds = (clock.monotonic() - started) / 1000;
    this.#metrics.syncLength.with(name).observe(seconds);
    this.#metrics.syncLengthHistogram.with(name).observe(seconds);
  }

  /** Above the limit no target of the job is scraped: all are down and say why. */
  #limited(job: ScrapeJob, active: Map<string, ActiveTarget>): Map<string, ActiveTarget> {
    if (job.targetLimit === 0 || active.size <= job.targetLimit) return active;
    this.#metrics.exceededTargets.add();
    const forcedError = `target_limit exceeded (number of targets: ${active.size}, limit: ${job.targetLimit})`;
    return new Map([...active].map(([id, target]) => [id, { ...target, spec: { ...target.spec, forcedError } }]));
  }

  /** Scrapes per second of each worker. */
  #rates(): Float64Array {
    const rates = new Float64Array(this.#options.workers);
    for (const { active } of this.#pools.values()) {
      for (const { worker, spec } of active.values()) rates[worker]! += 1000 / spec.intervalMs;
    }
    return rates;
  }

  /** A target stays with its worker: what one remembers of a page another does not know. */
  #workerFor(spec: TargetSpec, rates: Float64Array): number {
    const idle = rates.findIndex((rate) => rate < FULL_RATE);
    const worker = idle >= 0 ? idle : hashLabels([spec.id, spec.url]) % rates.length;
    rates[worker]! += 1000 / spec.intervalMs;
    return worker;
  }

  #handOut(): void {
    const { workers, assign, log } = this.#options;
    for (let worker = 0; worker < workers; worker++) {
      const assignments: Assignment[] = [];
      for (const { job, active } of this.#pools.values()) {
        const targets = [...active.values()].filter((target) => target.worker === worker).map(({ spec }) => spec);
        if (targets.length > 0) assignments.push({ job: job.spec, targets });
      }
      const key = JSON.stringify(assignments);
      if (key === this.#assigned[worker]) continue;
      this.#assigned[worker] = key;
      try {
        assign(worker, assignments);
      } catch (error) {
        this.#assigned[worker] = '';
        log.error('Cannot hand targets to worker', { worker, err: errorText(error) });
      }
    }
  }

  #forgetMetrics(job: string): void {
    const { targetLimit, targets, syncs, syncLength, syncLengthHistogram, syncFailed } = this.#metrics;
    for (const vec of [targetLimit, targets, syncs, syncLength, syncLengthHistogram, syncFailed]) vec.remove(job);
  }
}

/** Between replicas with other external labels, or on other hosts, scrapes happen at different moments. [0, 1). */
export function offsetSeedOf(externalLabels: Readonly<Record<string, string>>): number {
  return hashLabels(labelsFrom([...Object.entries(externalLabels), ['__host__', hostname()]])) / 2 ** 32;
}

type PoolMetrics = {
  readonly pools: Counter;
  readonly poolsFailed: Counter;
  readonly reloads: Counter;
  readonly reloadsFailed: Counter;
  readonly exceededTargets: Counter;
  readonly targetLimit: Vec<Gauge>;
  readonly targets: Vec<Gauge>;
  readonly syncs: Vec<Counter>;
  readonly syncLength: Vec<SummaryMetric>;
  readonly syncLengthHistogram: Vec<HistogramMetric>;
  readonly syncFailed: Vec<Counter>;
};

function poolMetrics(registry: Registry): PoolMetrics {
  const prefix = 'prometheus_target_scrape_pool';
  const job = ['scrape_job'];
  return {
    pools: registry.counter(`${prefix}s_total`, 'Total number of scrape pool creation attempts.'),
    poolsFailed: registry.counter(`${prefix}s_failed_total`, 'Total number of scrape pool creations that failed.'),
    reloads: registry.counter(`${prefix}_reloads_total`, 'Total number of scrape pool reloads.'),
    reloadsFailed: registry.counter(`${prefix}_reloads_failed_total`, 'Total number of failed scrape pool reloads.'),
    exceededTargets: registry.counter(
      `${prefix}_exceeded_target_limit_total`,
      'Total number of times scrape pools hit the target limit, during sync or config reload.',
    ),
    targetLimit: registry.gaugeVec(
      `${prefix}_target_limit`,
      'Maximum number of targets allowed in this scrape pool.',
      job,
    ),
    targets: registry.gaugeVec(`${prefix}_targets`, 'Current number of targets in this scrape pool.', job),
    syncs: registry.counterVec(
      `${prefix}_sync_total`,
      'Total number of syncs that were executed on a scrape pool.',
      job,
    ),
    syncLength: registry.summaryVec(
      'prometheus_target_sync_length_seconds',
      'Actual interval to sync the scrape pool.',
      job,
    ),
    syncLengthHistogram: registry.histogramVec(
      'prometheus_target_sync_length_histogram_seconds',
      'Actual interval to sync the scrape pool.',
      job,
      [0.01, 0.1, 1, 10],
    ),
    syncFailed: registry.counterVec(
      'prometheus_target_sync_failed_total',
      'Total number of target sync failures.',
      job,
    ),
  };
}
