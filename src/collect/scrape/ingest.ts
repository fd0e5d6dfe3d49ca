// From a fetched page, or the failure to fetch one, to the store: samples, automatic series, stale markers, metadata, by way of
// the outbox. Nothing of a page that is wrong anywhere is kept. The store's answers settle what the target remembers.

import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/log.ts';
import type { Appender, AppendResult, Rejection, RejectReason, SampleBatch, SeriesRef } from '#model/batch.ts';
import { type Labels, METRIC_NAME, withLabel } from '#model/labels.ts';
import { type Admit, LabelLimitError } from './admit.ts';
import { changedFamilies, type Families, type FamilyPool } from './families.ts';
import type { Page } from './fetch.ts';
import { BucketLimitError } from './histograms.ts';
import type { LineScratch } from './lines.ts';
import type { ScrapeMetrics } from './metrics.ts';
import type { Outbox, Sender } from './outbox.ts';
import { PageReader } from './page.ts';
import { type RowMark, Rows } from './rows.ts';
import type { JobSpec, TargetSpec } from './spec.ts';
import { noCounts, type ReadCounts } from './table.ts';

/** What all targets of a worker share. */
export type IngestContext = {
  readonly clock: Clock;
  readonly appender: Appender;
  readonly log: Logger;
  readonly metrics: ScrapeMetrics;
  readonly outbox: Outbox;
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
  /** When the scrape began, by the monotonic clock. */
  readonly started: number;
  /** How long the samples may wait for those of other targets. */
  readonly patienceMs: number;
};

/** How a scrape ended: the error of the page, and why the store did not take it, if it did not. */
export type StoreDone = (error: unknown, failure: unknown) => void;

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

export class TargetIngest implements Sender {
  families: Families = new Map();
  readonly #context: IngestContext;
  readonly #page: PageReader;
  /** Numbers of the automatic series; NaN until the store has given one. */
  readonly #reportRefs = new Float64Array(REPORT.length).fill(Number.NaN);
  readonly #admit = (labels: Labels, emptyNames?: readonly string[]) =>
    this.#scraped!.admit.labels(labels, this.#scraped!.target.labels, emptyNames);
  // Of the scrape that is being stored:
  #scraped: Scraped | undefined;
  #done: StoreDone | undefined;
  #counts: ReadCounts = noCounts();
  #error: unknown;
  #isRetry = false;
  /** New series are on their way to the store; stale markers and the automatic series follow. */
  #awaitsNumbers = false;
  #unknown: Set<SeriesRef> | undefined;
  #isReplaced = false;

  constructor(context: IngestContext) {
    this.#context = context;
    this.#page = new PageReader(context.scratch);
  }

  /** The way to stored labels has changed. */
  replace(): void {
    // The answer to a scrape under way is for the series as they were.
    this.#isReplaced = this.#done !== undefined;
    if (this.#isReplaced) return;
    this.#page.replace();
    this.families = new Map();
  }

  /** Stores the outcome of a scrape, one at a time. The page must stay until `done` is called, which is never at once. */
  store(scraped: Scraped, done: StoreDone): void {
    assert(!this.#done, 'one scrape of a target at a time');
    this.#scraped = scraped;
    this.#done = done;
    this.#isRetry = false;
    this.#begin();
  }

  #begin(): void {
    const { outbox } = this.#context;
    const { rows } = outbox;
    const { page, time } = this.#scraped!;
    const from = rows.mark();
    this.#unknown = undefined;
    this.#readPage(from);
    this.#awaitsNumbers = false;
    if (this.#error !== undefined || page === undefined || page.body.length === 0) this.#page.markAll(rows, time);
    else if (rows.seriesCount > from.series && this.#page.missing() > 0) {
      // Which series are missing is known only when the new ones have their numbers.
      this.#awaitsNumbers = true;
      outbox.add(this, from, 0);
      return;
    } else this.#page.markMissing(rows, time);
    this.#report();
    outbox.add(this, from, this.#scraped!.patienceMs);
  }

  taken(result: AppendResult, batch: SampleBatch, rejections: readonly Rejection[]): void {
    this.#page.settle(result.refs);
    if (rejections.length > 0) this.#heed(batch, rejections);
    if (this.#awaitsNumbers) {
      const { outbox } = this.#context;
      const from = outbox.rows.mark();
      this.#awaitsNumbers = false;
      this.#page.markMissing(outbox.rows, this.#scraped!.time);
      this.#report();
      outbox.add(this, from, 0);
      return;
    }
    this.#settleReport(result.refs);
    const unknown = this.#unknown;
    if (!unknown || this.#isRetry) {
      this.#end(undefined);
      return;
    }
    // The store has dropped series that were not written for long: say their labels again.
    this.#context.log.debug('Series unknown to the store', { target: this.#scraped!.target.url, series: unknown.size });
    this.#page.forget(unknown);
    for (let i = 0; i < REPORT.length; i++) if (unknown.has(this.#reportRefs[i]!)) this.#reportRefs[i] = Number.NaN;
    this.#isRetry = true;
    this.#begin();
  }

  lost(failure: unknown): void {
    this.#page.abort();
    for (let i = 0; i < REPORT.length; i++) if (this.#reportRefs[i]! < 0) this.#reportRefs[i] = Number.NaN;
    this.#end(failure);
  }

  #end(failure: unknown): void {
    const done = this.#done!;
    const error = this.#error;
    this.#done = undefined;
    this.#scraped = undefined;
    this.#error = undefined;
    if (this.#isReplaced) this.replace();
    done(error, failure);
  }

  /** Gives the memory back. */
  close(): void {
    this.#page.clear();
  }

  /** The target is gone: ends its series. */
  async end(time: number): Promise<void> {
    const rows = new Rows(this.#context.scratch.slab, 256);
    this.#page.markAll(rows, time);
    for (const ref of this.#reportRefs) if (ref >= 0) rows.pushStale(ref, time);
    const batch = rows.batch();
    rows.release();
    if (batch.refs.length > 0) await this.#context.appender.append(batch);
  }

  /** What of the page is wrong takes all of it away again. */
  #readPage(from: RowMark): void {
    const { outbox, metrics, clock, families } = this.#context;
    const { rows } = outbox;
    const { page, job, error, time, admit } = this.#scraped!;
    this.#counts = noCounts();
    this.#error = error;
    if (error !== undefined || page === undefined || page.body.length === 0) return;
    try {
      const result = this.#page.read(page, job, this.#scraped!.target, rows, {
        timestamp: time,
        honorTimestamps: job.honorTimestamps,
        trackTimestampsStaleness: job.trackTimestampsStaleness,
        maxTimestamp: clock.now() + MAX_AHEAD_MS,
        admit: this.#admit,
        ...(admit.isPlain ? { plainLabels: this.#scraped!.target.labels } : {}),
      });
      const { counts } = result;
      this.#counts = counts;
      if (!this.#isRetry) {
        metrics.duplicates.add(counts.duplicates);
        metrics.outOfBounds.add(counts.outOfBounds);
      }
      if (result.families) {
        const shared = families.share(result.families);
        rows.metadata.push(...changedFamilies(this.families, shared));
        this.families = shared;
      }
      const taken = rows.length - from.sample + (rows.histograms.length - from.histogram);
      if (job.limits.samples > 0 && taken > job.limits.samples) {
        metrics.exceededSamples.add();
        throw new Error('sample limit exceeded');
      }
    } catch (failure) {
      if (failure instanceof LabelLimitError) metrics.exceededLabels.add();
      if (failure instanceof BucketLimitError) metrics.exceededBuckets.add();
      this.#page.abort();
      rows.rollback(from);
      this.#counts.seriesAdded = 0;
      this.#error = failure;
    }
  }

  #report(): void {
    const { outbox, clock } = this.#context;
    const { rows } = outbox;
    const { job, target, time, started, bytes } = this.#scraped!;
    const counts = this.#counts;
    const refs = this.#reportRefs;
    const count = job.extraMetrics ? REPORT.length : PLAIN_REPORT;
    for (let i = 0; i < count; i++) {
      if (!Number.isNaN(refs[i]!)) continue;
      refs[i] = rows.addSeries(withLabel(target.labels, METRIC_NAME, REPORT[i]!));
    }
    rows.push(refs[0]!, time, this.#error === undefined ? 1 : 0);
    rows.push(refs[1]!, time, (clock.monotonic() - started) / 1000);
    rows.push(refs[2]!, time, counts.scraped);
    rows.push(refs[3]!, time, counts.added);
    rows.push(refs[4]!, time, counts.seriesAdded);
    if (!job.extraMetrics) return;
    rows.push(refs[5]!, time, target.timeoutMs / 1000);
    rows.push(refs[6]!, time, job.limits.samples);
    rows.push(refs[7]!, time, bytes);
  }

  #settleReport(numbers: Float64Array): void {
    const refs = this.#reportRefs;
    for (let i = 0; i < refs.length; i++) if (refs[i]! < 0) refs[i] = numbers[-refs[i]! - 1]!;
  }

  #heed(batch: SampleBatch, rejections: readonly Rejection[]): void {
    const dropped: Partial<Record<RejectReason, number>> = {};
    for (const { kind, index, reason, detail } of rejections) {
      if (reason === 'unknownRef') {
        if (kind === 'exemplar') continue;
        this.#unknown ??= new Set();
        this.#unknown.add(kind === 'sample' ? batch.refs[index]! : batch.histograms![index]!.ref);
        continue;
      }
      // The second time round, what was taken the first time is a duplicate.
      if (this.#isRetry && reason === 'duplicate') continue;
      dropped[reason] = (dropped[reason] ?? 0) + 1;
      this.#context.log.debug('Sample rejected', { reason, detail });
    }
    this.#count(dropped);
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
