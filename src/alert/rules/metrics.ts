// The metrics of rule evaluation, under Prometheus' names.

import type { Counter, Gauge, HistogramMetric, Registry, SummaryMetric, Vec } from '#model/registry.ts';

const GROUP = ['rule_group'];
const BOUNDS = [0.01, 0.1, 1, 10];

export type RuleMetrics = {
  readonly evaluationSeconds: SummaryMetric;
  readonly evaluationHistogram: HistogramMetric;
  readonly iterationSeconds: SummaryMetric;
  readonly iterationHistogram: HistogramMetric;
  readonly expansions: Counter;
  readonly expansionFailures: Counter;
  readonly missed: Vec<Counter>;
  readonly scheduled: Vec<Counter>;
  readonly evaluations: Vec<Counter>;
  readonly failures: Vec<Counter>;
  readonly intervalSeconds: Vec<Gauge>;
  readonly lastEvaluation: Vec<Gauge>;
  readonly lastDuration: Vec<Gauge>;
  readonly lastRuleDurationSum: Vec<Gauge>;
  readonly lastRestoreDuration: Vec<Gauge>;
  readonly rules: Vec<Gauge>;
  readonly samples: Vec<Gauge>;
};

export function ruleMetrics(registry: Registry): RuleMetrics {
  const gauge = (name: string, help: string) => registry.gaugeVec(`prometheus_rule_group_${name}`, help, GROUP);
  const counter = (name: string, help: string) => registry.counterVec(`prometheus_rule_${name}`, help, GROUP);
  return {
    evaluationSeconds: registry.summary('prometheus_rule_evaluation_duration_seconds', 'Time taken by a rule.'),
    evaluationHistogram: registry.histogram(
      'prometheus_rule_evaluation_duration_histogram_seconds',
      'Time taken by a rule, as a histogram.',
      BOUNDS,
    ),
    iterationSeconds: registry.summary('prometheus_rule_group_duration_seconds', 'Time taken by a group of rules.'),
    iterationHistogram: registry.histogram(
      'prometheus_rule_group_duration_histogram_seconds',
      'Time taken by a group of rules, as a histogram.',
      BOUNDS,
    ),
    expansions: registry.counter('prometheus_template_text_expansions_total', 'Templates of alerts expanded.'),
    expansionFailures: registry.counter(
      'prometheus_template_text_expansion_failures_total',
      'Templates of alerts that could not be expanded.',
    ),
    missed: counter(
      'group_iterations_missed_total',
      'Evaluations of a group left out because the one before took too long.',
    ),
    scheduled: counter('group_iterations_total', 'Evaluations of a group that were due, executed or missed.'),
    evaluations: counter('evaluations_total', 'Evaluations of rules.'),
    failures: counter('evaluation_failures_total', 'Evaluations of rules that failed.'),
    intervalSeconds: gauge('interval_seconds', 'Interval of a group.'),
    lastEvaluation: gauge('last_evaluation_timestamp_seconds', 'When a group was evaluated last.'),
    lastDuration: gauge('last_duration_seconds', 'Time that the last evaluation of a group took.'),
    lastRuleDurationSum: gauge(
      'last_rule_duration_sum_seconds',
      'Sum of the times of the rules in the last evaluation of a group; above its duration when rules ran side by side.',
    ),
    lastRestoreDuration: gauge('last_restore_duration_seconds', "Time taken to restore a group's pending alerts."),
    rules: gauge('rules', 'Rules in a group.'),
    samples: gauge('last_evaluation_samples', 'Samples that the last evaluation of a group gave.'),
  };
}

/** Forgets a group that is gone. */
export function removeGroup(metrics: RuleMetrics, key: string): void {
  const { missed, scheduled, evaluations, failures, intervalSeconds, lastEvaluation } = metrics;
  const { lastDuration, lastRuleDurationSum, lastRestoreDuration, rules, samples } = metrics;
  for (const vec of [missed, scheduled, evaluations, failures]) vec.remove(key);
  for (const vec of [intervalSeconds, lastEvaluation, lastDuration, lastRuleDurationSum]) vec.remove(key);
  for (const vec of [lastRestoreDuration, rules, samples]) vec.remove(key);
}
