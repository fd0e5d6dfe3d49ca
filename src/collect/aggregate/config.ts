// The section `aggregate` of the configuration file: rules that fold many series into few while samples come in, before they
// are stored or sent on.

import {
  boolean,
  duration,
  list,
  map,
  object,
  optional,
  type Schema,
  string,
  withDefault,
} from '#base/config/schema.ts';
import { formatDuration } from '#base/units.ts';
import { isLegacyLabelName } from '#model/labels.ts';

export const OUTPUTS = ['sum', 'count', 'avg', 'min', 'max', 'increase', 'rate_sum', 'quantiles', 'histogram'] as const;
export type OutputKind = (typeof OUTPUTS)[number];
export type Output = { readonly kind: OutputKind; readonly quantiles: readonly number[] };

const DEFAULT_QUANTILES = [0.5, 0.9, 0.99];

/** A name, or `quantiles(0.5, 0.99)`. */
const output: Schema<Output> = map(string(), (text): Output => {
  const call = /^quantiles\(([^)]*)\)$/.exec(text.replace(/\s+/g, ''));
  if (call) {
    const quantiles = call[1]!.split(',').map(Number);
    const bad = quantiles.find((q) => !(q >= 0 && q <= 1));
    if (bad !== undefined) throw new Error(`quantiles are between 0 and 1, got ${JSON.stringify(text)}`);
    return { kind: 'quantiles', quantiles };
  }
  const kind = OUTPUTS.find((name) => name === text);
  if (!kind) throw new Error(`expected one of ${OUTPUTS.join(', ')}, got ${JSON.stringify(text)}`);
  return { kind, quantiles: kind === 'quantiles' ? DEFAULT_QUANTILES : [] };
});

const MIN_INTERVAL_MS = 1000;

export const aggregateRule = object(
  {
    /** Selectors; a series that one of them selects is taken. */
    match: map(list(string()), (selectors) => selectors, 'a list of series selectors'),
    interval: duration(),
    by: optional(list(string())),
    without: optional(list(string())),
    outputs: list(output),
    /** Whether the series that are folded are stored and sent as well. */
    keep_input: withDefault(boolean(), true),
  },
  (rule, report) => {
    if (rule.match.length === 0) report('match', 'expected at least one selector');
    if (rule.interval < MIN_INTERVAL_MS) report('interval', 'must be 1s or more');
    if (rule.outputs.length === 0) report('outputs', 'expected at least one output');
    if (rule.by && rule.without) report('without', 'by and without exclude each other');
  },
);
export const aggregateRules = list(aggregateRule);
export type AggregateRule = typeof aggregateRule extends Schema<infer T> ? T : never;

/** What an output of a metric is called: `metric:1m_by_job_sum`. */
export function outputName(metric: string, rule: AggregateRule, kind: OutputKind): string {
  const part = (word: string, labels: readonly string[] | undefined) =>
    labels && labels.length > 0
      ? `_${word}_${labels.map((name) => (isLegacyLabelName(name) ? name : 'x')).join('_')}`
      : '';
  return `${metric}:${formatDuration(rule.interval)}${part('by', rule.by)}${part('without', rule.without)}_${kind}`;
}
