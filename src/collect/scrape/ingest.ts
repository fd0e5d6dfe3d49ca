// From a fetched page, or the failure to fetch one, to the store: samples, automatic series, stale markers, metadata in one
// batch. Nothing of a page that is wrong anywhere is kept. The store's answers settle what the target remembers.

import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/log.ts';
import {
  type Appender,
  type AppendResult,
  newSeries,
  type RejectReason,
  type SampleBatch,
  type SeriesRef,
} from '#model/batch.ts';
import { METRIC_NAME, withLabel } from '#model/labels.ts';
import { type Admit, LabelLimitError } from './admit.ts';
import { changedFamilies, type Families, type FamilyPool } from './families.ts';
import type { Page } from './fetch.ts';
import { BucketLimitError } from './histograms.ts';
import type { LineScratch } from './lines.ts';
import type { ScrapeMetrics } from './metrics.ts';
import { PageReader } from './page.ts';
import type { Rows } from './rows.ts';
import type { JobSpec, TargetSpec } from './spec.ts';
import { noCounts, type ReadCounts } from './table.ts';

/** What all targets of a worker share. */
export type IngestContext = {
  readonly clock: Clock;
  readonly appender: Appender;
  readonly log: Logger;
  readonly metrics: ScrapeMetrics;
  readonly rows: Rows;
  readonly scratch: LineScratch;
  readonly families: FamilyPool;
};

export type Scraped = {
  readonly job: JobSpec;
  readonly admit: Admit;
  readonly target: TargetSpec;
  /** Undefined when there was none to fetch; `error` says why. */
  readonly page: Page | undefined;
  readonly error: unknown;
  /** Milliseconds; of every sample without its own. */
  readonly time: number;
  readonly bytes: number;
  readonly elapsedSeconds: () => number;
};

/** Samples further ahead of the clock than this are refused. */
const MAX_AHEAD_MS = 10 * 60_000;

const REPORT = [
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
  // With extra_scrape_metrics:
  'scrape_timeout_seconds',
  'scrape_sample_limit',
  'scrape_body_size_bytes',
];
const PLAIN_REPORT = 5;

export class TargetIngest {
  families: Families = new Map();
  readonly #context: IngestContext;
  readonly #page: PageReader;
  /** Numbers of the automatic series; NaN until the store has given one. */
  readonly #reportRefs = new Float64Array(REPORT.length).fill(Number.NaN);

  constructor(context: IngestContext) {
    this.#context = context;
    this.#page = new PageReader(context.scratch);
  }

  /** The way to stored labels has changed. */
  replace(): void {
    this.#page.replace();
    this.families = new Map();
  }

  /** Stores the outcome of a scrape; the error that the page caused, or that came in. Rejects when the store does. */
  async store(scraped: Scraped, isRetry = false): Promise<unknown> {
    const { rows, log } = this.#context;
    const { page, time, target } = scraped;
    rows.reset();
    const { counts, error } = this.#read(scraped, isRetry);
    const unknown = new Set<SeriesRef>();
    try {
      if (error !== undefined || page === undefined || page.body.length === 0) this.#page.markAll(rows, time);
      else {
        if (rows.series.length > 0 && this.#page.missing() > 0) {
          // Which series are missing is known only when the new ones have their numbers.
          await this.#append(rows.batch(), unknown, isRetry);
          rows.reset();
        }
        this.#page.markMissing(rows, time);
      }
      this.#report(scraped, counts, error);
      const result = await this.#append(rows.batch(), unknown, isRetry);
      this.#settleReport(result);
    } catch (failure) {
      this.#page.abort();
      throw failure;
    }
    if (unknown.size === 0 || isRetry) return error;
    // The store has dropped series that were not written for long: say their labels again.
    log.debug('Series unknown to the store', { target: target.url, series: unknown.size });
    this.#page.forget(unknown);
    for (let i = 0; i < REPORT.length; i++) if (unknown.has(this.#reportRefs[i]!)) this.#reportRefs[i] = Number.NaN;
    return this.store(scraped, true);
  }

  /** Gives the memory back. */
  close(): void {
    this.#page.clear();
  }

  /** The target is gone: ends its series. */
  async end(time: number): Promise<void> {
    const { rows } = this.#context;
    rows.reset();
    this.#page.markAll(rows, time);
    for (const ref of this.#reportRefs) if (!Number.isNaN(ref)) rows.pushStale(ref, time);
    if (rows.length > 0) await this.#context.appender.append(rows.batch());
  }

  #read(scraped: Scraped, isRetry: boolean): { counts: ReadCounts; error: unknown } {
    const { rows, metrics, clock, families } = this.#context;
    const { page, job, target, admit } = scraped;
    let counts = noCounts();
    if (scraped.error !== undefined || page === undefined || page.body.length === 0) {
      return { counts, error: scraped.error };
    }
    try {
      const result = this.#page.read(page, job, target, rows, {
        timestamp: scraped.time,
        honorTimestamps: job.honorTimestamps,
        trackTimestampsStaleness: job.trackTimestampsStaleness,
        maxTimestamp: clock.now() + MAX_AHEAD_MS,
        admit: (labels, emptyNames) => admit(labels, target.labels, emptyNames),
      });
      counts = result.counts;
      if (!isRetry) {
        metrics.duplicates.add(counts.duplicates);
        metrics.outOfBounds.add(counts.outOfBounds);
      }
      if (result.families) {
        const shared = families.share(result.families);
        rows.metadata = changedFamilies(this.families, shared);
        this.families = shared;
      }
      if (job.limits.samples > 0 && rows.length + rows.histograms.length > job.limits.samples) {
        metrics.exceededSamples.add();
        throw new Error('sample limit exceeded');
      }
      return { counts, error: undefined };
    } catch (error) {
      if (error instanceof LabelLimitError) metrics.exceededLabels.add();
      if (error instanceof BucketLimitError) metrics.exceededBuckets.add();
      this.#page.abort();
      rows.reset();
      return { counts: { ...counts, seriesAdded: 0 }, error };
    }
  }

  #report(scraped: Scraped, counts: ReadCounts, error: unknown): void {
    const { rows } = this.#context;
    const { job, target, time } = scraped;
    const values = [
      error === undefined ? 1 : 0,
      scraped.elapsedSeconds(),
      counts.scraped,
      counts.added,
      counts.seriesAdded,
      target.timeoutMs / 1000,
      job.limits.samples,
      scraped.bytes,
    ];
    const count = job.extraMetrics ? REPORT.length : PLAIN_REPORT;
    for (let i = 0; i < count; i++) {
      let ref = this.#reportRefs[i]!;
      if (Number.isNaN(ref)) {
        ref = newSeries(rows.series.length);
        rows.series.push(withLabel(target.labels, METRIC_NAME, REPORT[i]!));
        this.#reportRefs[i] = ref;
      }
      rows.push(ref, time, values[i]!);
    }
  }

  #settleReport(result: AppendResult): void {
    for (let i = 0; i < REPORT.length; i++) {
      const ref = this.#reportRefs[i]!;
      if (ref < 0) this.#reportRefs[i] = result.refs[-ref - 1]!;
    }
  }

  async #append(batch: SampleBatch, unknown: Set<SeriesRef>, isRetry: boolean): Promise<AppendResult> {
    const result = await this.#context.appender.append(batch);
    this.#page.settle(result.refs);
    const dropped: Partial<Record<RejectReason, number>> = {};
    for (const { kind, index, reason, detail } of result.rejections) {
      if (reason === 'unknownRef') {
        if (kind === 'sample') unknown.add(batch.refs[index]!);
        else if (kind === 'histogram') unknown.add(batch.histograms![index]!.ref);
        continue;
      }
      // The second time round, what was taken the first time is a duplicate.
      if (isRetry && reason === 'duplicate') continue;
      dropped[reason] = (dropped[reason] ?? 0) + 1;
      this.#context.log.debug('Sample rejected', { reason, detail });
    }
    this.#count(dropped);
    return result;
  }

  #count(dropped: Partial<Record<RejectReason, number>>): void {
    const { metrics, log } = this.#context;
    const outOfBounds = (dropped.outOfBounds ?? 0) + (dropped.tooOld ?? 0) + (dropped.tooFarInFuture ?? 0);
    metrics.outOfOrder.add(dropped.outOfOrder ?? 0);
    metrics.duplicates.add(dropped.duplicate ?? 0);
    metrics.outOfBounds.add(outOfBounds);
    metrics.exemplarsOutOfOrder.add(dropped.exemplarOutOfOrder ?? 0);
    for (const [reason, count] of Object.entries(dropped)) {
      log.warn('Error on ingesting samples', { reason, num_dropped: count });
    }
  }
}
