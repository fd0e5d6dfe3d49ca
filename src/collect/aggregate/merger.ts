// Adds up the folds of all shards and writes a rule's outputs when the interval is complete: every shard has sent, or the
// slowest was waited for long enough.

import type { Clock, Timer } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Appender } from '#model/batch.ts';
import { type Labels, labelsKey, METRIC_NAME, withLabel } from '#model/labels.ts';
import { formatValue } from '#model/value.ts';
import { Intake } from '../receive/intake.ts';
import { KnownSeriesTable } from '../receive/known-series.ts';
import type { Folded } from './aggregator.ts';
import { type AggregateRule, outputName } from './config.ts';
import { addFold, type Fold, histogramOf, newFold, quantileOf } from './fold.ts';

const MAX_KNOWN_SERIES = 500_000;
const PATIENCE_MS = 2000;

type Group = { readonly metric: string; readonly labels: Labels; readonly fold: Fold };
type Pending = { heard: number; readonly groups: Map<string, Group>; timer: Timer | undefined };

export class Merger {
  readonly #appender: Appender;
  readonly #shards: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #known = new KnownSeriesTable(MAX_KNOWN_SERIES);
  readonly #pending = new Map<string, Pending>();
  #rules: readonly AggregateRule[] = [];

  constructor(appender: Appender, shards: number, clock: Clock, log: Logger) {
    this.#appender = appender;
    this.#shards = shards;
    this.#clock = clock;
    this.#log = log;
  }

  setRules(rules: readonly AggregateRule[]): void {
    for (const pending of this.#pending.values()) pending.timer?.cancel();
    this.#pending.clear();
    this.#rules = rules;
  }

  add({ rule, endMs, groups }: Folded): void {
    if (rule >= this.#rules.length) return;
    const key = `${rule} ${endMs}`;
    let pending = this.#pending.get(key);
    if (!pending) {
      pending = { heard: 0, groups: new Map(), timer: undefined };
      pending.timer = this.#clock.after(PATIENCE_MS, () => this.#finish(key, rule, endMs), true);
      this.#pending.set(key, pending);
    }
    pending.heard++;
    for (const { metric, labels, fold } of groups) {
      const id = `${metric}\xfe${labelsKey(labels)}`;
      const known = pending.groups.get(id);
      if (known) addFold(known.fold, fold);
      else {
        const own = newFold();
        addFold(own, fold);
        pending.groups.set(id, { metric, labels, fold: own });
      }
    }
    if (pending.heard >= this.#shards) this.#finish(key, rule, endMs);
  }

  #finish(key: string, index: number, endMs: number): void {
    const pending = this.#pending.get(key);
    const rule = this.#rules[index];
    if (!pending || !rule) return;
    pending.timer?.cancel();
    this.#pending.delete(key);
    if (pending.groups.size === 0) return;
    const intake = new Intake(this.#known);
    for (const group of pending.groups.values()) put(intake, rule, group, endMs);
    intake.send(this.#appender).catch((error) => {
      this.#log.error('cannot store aggregated samples', { err: errorText(error) });
    });
  }
}

function put(intake: Intake, rule: AggregateRule, { metric, labels, fold }: Group, endMs: number): void {
  const series = (kind: Parameters<typeof outputName>[2], extra: Labels = []) => {
    let all = withLabel(labels, METRIC_NAME, outputName(metric, rule, kind));
    for (let i = 0; i < extra.length; i += 2) all = withLabel(all, extra[i]!, extra[i + 1]!);
    return intake.series(all);
  };
  const seconds = rule.interval / 1000;
  for (const { kind, quantiles } of rule.outputs) {
    switch (kind) {
      case 'sum':
      case 'count':
      case 'min':
      case 'max':
      case 'increase':
        intake.sample(series(kind), endMs, fold[kind]);
        break;
      case 'avg':
        intake.sample(series(kind), endMs, fold.sum / fold.count);
        break;
      case 'rate_sum':
        intake.sample(series(kind), endMs, fold.increase / seconds);
        break;
      case 'quantiles':
        for (const q of quantiles) {
          intake.sample(series(kind, ['quantile', formatValue(q)]), endMs, quantileOf(fold, q));
        }
        break;
      case 'histogram':
        intake.histogram(series(kind), endMs, histogramOf(fold));
        break;
    }
  }
}
