// A group of rules: evaluated together at one time slot, results stored, series that vanished ended, alerts handed over.
// Groups keep their slots: each has a fixed offset within its interval, so that they do not all run at once.

import { assert } from '#base/assert.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import { formatDuration } from '#base/units.ts';
import type { Attributes } from '#clients/otlp/spans.ts';
import type { Tracer } from '#clients/otlp/tracer.ts';
import type { AlertSink } from '#model/alert.ts';
import type { Appender, RejectReason } from '#model/batch.ts';
import { hashLabels, type Labels, labelsKey } from '#model/labels.ts';
import { type AlertingOptions, AlertingRule } from './alerting.ts';
import { type GroupConfig, groupKey, type Health, type Row, type RuleConfig } from './contract.ts';
import { batchesOf } from './depend.ts';
import type { RuleMetrics } from './metrics.ts';
import { RecordingRule } from './recording.ts';
import { type RestoreOptions, restoreForState } from './restore.ts';
import { appendRows, type KnownSeries } from './rows.ts';
import { SilentSelectors } from './silent.ts';
import type { Slots } from './slots.ts';

export type GroupOptions = AlertingOptions &
  RestoreOptions & {
    readonly appender: Appender;
    readonly sink: AlertSink;
    readonly clock: Clock;
    readonly metrics: RuleMetrics;
    readonly resendDelayMs: number;
    readonly queryOffsetMs: number;
    /** Bounds how many rules run side by side, over all groups; undefined: one after the other. */
    readonly slots: Slots | undefined;
    readonly tracer?: Tracer | undefined;
  };

/** A rule and what is known about its evaluations. */
export type RuleEntry = {
  readonly rule: AlertingRule | RecordingRule;
  readonly selectors: SilentSelectors;
  health: Health;
  lastError: string;
  durationMs: number;
  /** 0: never. */
  evaluatedAt: number;
  /** By the key of their labels: the series of the last evaluation. */
  series: Map<string, Labels>;
  known: KnownSeries;
};

/** Refusals that are to be expected when another rule writes the same series. */
const EXPECTED: ReadonlySet<RejectReason> = new Set(['outOfOrder', 'tooOld', 'duplicate']);

export class RuleGroup {
  readonly config: GroupConfig;
  readonly key: string;
  readonly intervalMs: number;
  readonly entries: readonly RuleEntry[];
  lastEvaluationAt = 0;
  durationMs = 0;
  #options: GroupOptions;
  readonly #batches: readonly (readonly number[])[];
  #shouldRestore: boolean;
  #staleSeries: Labels[] = [];
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(config: GroupConfig, defaultIntervalMs: number, shouldRestore: boolean, options: GroupOptions) {
    this.config = config;
    this.key = groupKey(config.file, config.name);
    this.intervalMs = config.intervalMs ?? defaultIntervalMs;
    assert(this.intervalMs > 0, `interval of group ${this.key}`);
    this.#options = options;
    this.#shouldRestore = shouldRestore;
    this.entries = config.rules.map((rule) => newEntry(rule, !shouldRestore, options));
    this.#batches = options.slots ? batchesOf(config.rules) : config.rules.map((_, i) => [i]);
    const { metrics } = options;
    metrics.rules.with(this.key).set(config.rules.length);
    metrics.intervalSeconds.with(this.key).set(this.intervalMs / 1000);
    for (const vec of [metrics.missed, metrics.scheduled, metrics.evaluations, metrics.failures]) vec.with(this.key);
  }

  get queryOffsetMs(): number {
    return this.config.queryOffsetMs ?? this.#options.queryOffsetMs;
  }

  alertingRules(): AlertingRule[] {
    return this.entries.flatMap(({ rule }) => (rule instanceof AlertingRule ? [rule] : []));
  }

  /** The slot at or before a time. */
  slotBefore(timeMs: number): number {
    return slotBefore(this.config, this.intervalMs, timeMs);
  }

  start(): void {
    const { clock } = this.#options;
    this.#schedule(this.slotBefore(clock.now()) + this.intervalMs, 0);
  }

  /** Resolves when a running evaluation is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #schedule(slot: number, iteration: number): void {
    const { clock } = this.#options;
    this.#timer = clock.after(
      slot - clock.now(),
      () => {
        this.#running = this.#iterate(slot, iteration);
      },
      true,
    );
  }

  async #iterate(slot: number, iteration: number): Promise<void> {
    const { clock, metrics } = this.#options;
    await this.#scheduled(slot);
    if (this.#shouldRestore && iteration === 1) await this.#restore();
    if (this.#stopped) return;
    const missed = Math.max(0, Math.floor((clock.now() - slot) / this.intervalMs) - 1);
    if (missed > 0) {
      metrics.missed.with(this.key).add(missed);
      metrics.scheduled.with(this.key).add(missed);
    }
    this.#schedule(slot + (missed + 1) * this.intervalMs, iteration + 1);
  }

  async #scheduled(slot: number): Promise<void> {
    const { clock, metrics } = this.#options;
    metrics.scheduled.with(this.key).add();
    const startedAt = clock.now();
    const start = clock.monotonic();
    const evaluate = () => {
      const lateMs = clock.now() - slot;
      if (lateMs > 0) this.#options.tracer?.record('scheduleDelay', 'internal', lateMs, {});
      return this.evaluate(slot);
    };
    await this.#traced('rule group', evaluate, {
      name: this.config.name,
      file: this.config.file,
      interval: formatDuration(this.intervalMs),
      scheduled: new Date(slot).toISOString(),
    });
    this.durationMs = clock.monotonic() - start;
    this.lastEvaluationAt = startedAt;
    const seconds = this.durationMs / 1000;
    metrics.iterationSeconds.observe(seconds);
    metrics.iterationHistogram.observe(seconds);
    metrics.lastDuration.with(this.key).set(seconds);
    metrics.lastEvaluation.with(this.key).set(startedAt / 1000);
    const sumMs = this.entries.reduce((sum, entry) => sum + entry.durationMs, 0);
    metrics.lastRuleDurationSum.with(this.key).set(sumMs / 1000);
  }

  /** Evaluates every rule at one time. Failures stay with their rules. */
  async evaluate(timeMs: number): Promise<void> {
    const { slots, metrics } = this.#options;
    let samples = 0;
    for (const batch of this.#batches) {
      if (this.#stopped) return;
      const side: Promise<number>[] = [];
      for (const index of batch) {
        const entry = this.entries[index]!;
        const release = batch.length > 1 ? slots?.tryTake() : undefined;
        const evaluate = () => this.#evaluateRule(entry, timeMs);
        const count = this.#traced('rule', evaluate, this.#attributesOf(entry, index), () => entry.lastError);
        if (release) side.push(count.finally(release));
        else samples += await count;
      }
      for (const count of await Promise.all(side)) samples += count;
    }
    metrics.samples.with(this.key).set(samples);
    await this.#endStaleSeries(timeMs - this.queryOffsetMs);
  }

  #attributesOf({ rule }: RuleEntry, index: number): Attributes {
    const offset = formatDuration(this.queryOffsetMs);
    return { group: this.config.name, name: rule.config.name, query_offset: offset, index };
  }

  /** Does the work inside a span, if somebody traces; `problem` says afterwards what went wrong. */
  async #traced<T>(
    name: string,
    work: () => Promise<T>,
    attributes: Attributes,
    problem: () => string = () => '',
  ): Promise<T> {
    const { tracer } = this.#options;
    const span = tracer?.begin(name, 'internal');
    if (!tracer || !span) return work();
    try {
      return await tracer.within(span, work);
    } finally {
      span.end(attributes, problem());
    }
  }

  async #evaluateRule(entry: RuleEntry, timeMs: number): Promise<number> {
    const { clock, metrics, engine } = this.#options;
    const { rule } = entry;
    const origin = { file: this.config.file, group: this.config.name, rule: rule.config.name };
    const start = clock.monotonic();
    entry.evaluatedAt = clock.now();
    metrics.evaluations.with(this.key).add();
    try {
      const rows = await rule.evaluate(timeMs, this.queryOffsetMs, this.config.limit, origin);
      entry.health = 'ok';
      entry.lastError = '';
      if (rule instanceof AlertingRule) this.#hand(rule, timeMs);
      await this.#store(entry, rows, timeMs - this.queryOffsetMs);
      if (rows.length > 0) entry.selectors.matched();
      else await entry.selectors.check(engine, timeMs);
      return rows.length;
    } catch (error) {
      this.#failed(entry, error);
      return 0;
    } finally {
      entry.durationMs = clock.monotonic() - start;
      metrics.evaluationSeconds.observe(entry.durationMs / 1000);
      metrics.evaluationHistogram.observe(entry.durationMs / 1000);
    }
  }

  #failed(entry: RuleEntry, error: unknown): void {
    const { logger, metrics } = this.#options;
    entry.health = 'err';
    entry.lastError = errorText(error);
    metrics.failures.with(this.key).add();
    const { file, name: group } = this.config;
    logger.warn('Evaluating rule failed', { file, group, name: entry.rule.config.name, err: entry.lastError });
  }

  #hand(rule: AlertingRule, timeMs: number): void {
    const { sink, resendDelayMs } = this.#options;
    const due = rule.due(timeMs, resendDelayMs, this.intervalMs);
    if (due.length > 0) sink.send(due);
  }

  /** Stores what a rule gave, and ends what it gave the last time and not this time. */
  async #store(entry: RuleEntry, rows: readonly Row[], timestamp: number): Promise<void> {
    const { appender, logger } = this.#options;
    const returned = new Map(rows.map((row) => [labelsKey(row.labels), row.labels]));
    const vanished = [...entry.series].filter(([key]) => !returned.has(key));
    const ends = vanished.map(([, labels]): Row => ({ labels, timestamp, value: undefined }));
    const problems = await appendRows(appender, [...rows, ...ends], entry.known);
    const counts = new Map<RejectReason, number>();
    for (const { row, reason, detail } of problems) {
      const isEnd = row.value === undefined && row.histogram === undefined;
      if (isEnd && EXPECTED.has(reason)) continue;
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
      if (isEnd) continue;
      returned.delete(labelsKey(row.labels));
      entry.health = 'err';
      entry.lastError = detail || reason;
    }
    for (const [reason, dropped] of counts) {
      const { file, name: group } = this.config;
      logger.warn('Rule evaluation result discarded', { file, group, name: entry.rule.config.name, reason, dropped });
    }
    for (const [key] of vanished) entry.known.delete(key);
    entry.series = returned;
  }

  /** Ends the series of rules that are no longer configured. */
  async #endStaleSeries(timestamp: number): Promise<void> {
    if (this.#staleSeries.length === 0) return;
    const rows = this.#staleSeries.map((labels): Row => ({ labels, timestamp, value: undefined }));
    try {
      await appendRows(this.#options.appender, rows, new Map());
      this.#staleSeries = [];
    } catch (error) {
      this.#options.logger.warn('Stale sample appending for previous configuration failed', { err: error });
    }
  }

  /** For a group that is gone for good: ends everything it wrote. */
  async endAllSeries(timestamp: number): Promise<void> {
    for (const entry of this.entries) this.#staleSeries.push(...entry.series.values());
    await this.#endStaleSeries(timestamp);
  }

  async #restore(): Promise<void> {
    const { clock, engine, logger, metrics } = this.#options;
    const start = clock.monotonic();
    for (const rule of this.alertingRules()) {
      try {
        await restoreForState(rule, clock.now(), engine, this.#options);
      } catch (error) {
        logger.error("Failed to restore 'for' state", { alertname: rule.config.name, err: error });
        rule.restored = true;
      }
    }
    metrics.lastRestoreDuration.with(this.key).set((clock.monotonic() - start) / 1000);
    this.#shouldRestore = false;
  }

  /** Whether another group would do exactly the same. */
  equals(other: RuleGroup): boolean {
    return this.intervalMs === other.intervalMs && describe(this.config) === describe(other.config);
  }

  /** Takes over alerts and series from the group that this one replaces; rules are matched by name and labels. */
  copyState(from: RuleGroup): void {
    this.lastEvaluationAt = from.lastEvaluationAt;
    this.durationMs = from.durationMs;
    const free = new Map<string, RuleEntry[]>();
    for (const entry of from.entries) {
      const key = identity(entry);
      free.set(key, [...(free.get(key) ?? []), entry]);
    }
    for (const entry of this.entries) {
      const old = free.get(identity(entry))?.shift();
      if (!old) continue;
      entry.series = old.series;
      entry.known = old.known;
      if (!(entry.rule instanceof AlertingRule) || !(old.rule instanceof AlertingRule)) continue;
      for (const [key, alert] of old.rule.active) entry.rule.active.set(key, alert);
    }
    this.#staleSeries = [
      ...from.#staleSeries,
      ...[...free.values()].flat().flatMap((entry) => [...entry.series.values()]),
    ];
  }
}

/** The time at or before another at which a group is evaluated. */
export function slotBefore({ file, name }: GroupConfig, intervalMs: number, timeMs: number): number {
  const offset = hashLabels(['file', file, 'name', name]) % intervalMs;
  return timeMs - ((((timeMs - offset) % intervalMs) + intervalMs) % intervalMs);
}

function newEntry(config: RuleConfig, restored: boolean, options: GroupOptions): RuleEntry {
  return {
    rule:
      config.kind === 'alerting'
        ? new AlertingRule(config, restored, options)
        : new RecordingRule(config, options.engine),
    selectors: new SilentSelectors(config.expr),
    health: 'unknown',
    lastError: '',
    durationMs: 0,
    evaluatedAt: 0,
    series: new Map(),
    known: new Map(),
  };
}

const identity = ({ rule }: RuleEntry): string => `${rule.config.name}\xff${labelsKey(rule.config.labels)}`;

/** Positions of expressions do not matter, their text does. */
const describe = (config: GroupConfig): string =>
  JSON.stringify(config, (key, value) => (key === 'range' ? undefined : value));
