// For receivers whose samples arrive bit by bit, over sockets: gathers samples and hands them to the store when there are
// many or when the oldest has waited. Nothing waits without limit: while the store is busy, what comes is dropped and counted.

import type { Clock, Timer } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Appender } from '#model/batch.ts';
import type { Labels } from '#model/labels.ts';
import type { Counter, Registry, Vec } from '#model/registry.ts';
import { STALE_HIGH, STALE_LOW } from '#model/value.ts';
import { Intake, MAX_AHEAD_MS, refusalText } from './intake.ts';
import { KnownSeriesTable } from './known-series.ts';
import { seriesLabels } from './labels.ts';

const FLUSH_ROWS = 5000;
const FLUSH_MS = 250;
const MAX_WAITING_ROWS = 200_000;
const MAX_KNOWN_SERIES = 200_000;

/** pharos_receive_*: what each protocol brought. */
export class ReceiveMetrics {
  readonly samples: Vec<Counter>;
  readonly refused: Vec<Counter>;
  readonly invalid: Vec<Counter>;

  constructor(registry: Registry) {
    this.samples = registry.counterVec(
      'pharos_receive_samples_total',
      'Samples stored, by the protocol that brought them.',
      ['protocol'],
    );
    this.refused = registry.counterVec(
      'pharos_receive_refused_total',
      'Samples that the store refused or that came too fast, by protocol.',
      ['protocol'],
    );
    this.invalid = registry.counterVec(
      'pharos_receive_invalid_total',
      'Lines, packets or requests that could not be read, by protocol.',
      ['protocol'],
    );
  }
}

export type FeedParts = {
  readonly appender: Appender;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ReceiveMetrics;
};

export class Feed {
  readonly #parts: FeedParts;
  readonly #protocol: string;
  readonly #known = new KnownSeriesTable(MAX_KNOWN_SERIES);
  #intake = new Intake(this.#known);
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  /** Samples that were dropped because too many wait. */
  overflows = 0;

  constructor(protocol: string, parts: FeedParts) {
    this.#protocol = protocol;
    this.#parts = parts;
  }

  /** Flat pairs with the name among them, in any order. */
  add(pairs: readonly string[], timestamp: number, value: number): void {
    if (!(timestamp <= this.#parts.clock.now() + MAX_AHEAD_MS)) {
      this.invalid('the timestamp is too far in the future', { timestamp, series: pairs.join(' ').slice(0, 200) });
      return;
    }
    const labels = this.#accept(pairs);
    if (labels) this.#intake.sample(this.#intake.series(labels), timestamp, value);
    this.#arm();
  }

  /** The series ends here. */
  end(pairs: readonly string[], timestamp: number): void {
    const labels = this.#accept(pairs);
    if (labels) this.#intake.sampleWords(this.#intake.series(labels), timestamp, STALE_LOW, STALE_HIGH);
    this.#arm();
  }

  invalid(reason: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#parts.metrics.invalid.with(this.#protocol).add();
    this.#parts.log.debug(`cannot read what came by ${this.#protocol}`, { reason, ...fields });
  }

  /** Everything added so far is in the store when the promise resolves. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    while (this.#sending) await this.#sending;
    if (this.#intake.length === 0) return;
    const intake = this.#intake;
    this.#intake = new Intake(this.#known);
    this.#sending = this.#send(intake).finally(() => {
      this.#sending = undefined;
    });
    await this.#sending;
  }

  #accept(pairs: readonly string[]): Labels | undefined {
    if (this.#intake.length >= MAX_WAITING_ROWS) {
      this.#parts.metrics.refused.with(this.#protocol).add();
      this.overflows++;
      return undefined;
    }
    const { labels, error } = seriesLabels(pairs);
    if (error === '') return labels;
    this.invalid(error);
    return undefined;
  }

  #arm(): void {
    if (this.#intake.length >= FLUSH_ROWS && !this.#sending) this.#flushAlone();
    else this.#timer ??= this.#parts.clock.after(FLUSH_MS, () => this.#flushAlone(), true);
  }

  #flushAlone(): void {
    this.flush().catch((error) =>
      this.#parts.log.error(`cannot store samples received by ${this.#protocol}`, { err: errorText(error) }),
    );
  }

  async #send(intake: Intake): Promise<void> {
    const { metrics, log, appender } = this.#parts;
    const count = intake.length;
    try {
      const { refusals } = await intake.send(appender);
      metrics.samples.with(this.#protocol).add(count - refusals.length);
      metrics.refused.with(this.#protocol).add(refusals.length);
      if (refusals.length > 0) {
        log.debug(`samples received by ${this.#protocol} were refused`, {
          first: refusalText(refusals[0]!),
          count: refusals.length,
        });
      }
    } catch (error) {
      metrics.refused.with(this.#protocol).add(count);
      throw error;
    }
  }
}
