// Rules that turn dotted names (Graphite, StatsD) into metrics with labels: the first rule whose pattern fits decides. In
// globs `*` stands for one part of the name; what parts or groups matched is $1, $2 ... in name and labels.

import {
  duration,
  list,
  map,
  number,
  object,
  oneOf,
  optional,
  record,
  type Schema,
  string,
  withDefault,
} from '#base/config/schema.ts';
import { compileRegex, type Regex } from '#base/regex/regex.ts';
import { labelNameFrom, metricNameFrom } from './names.ts';

export const mappingFields = {
  match: string(),
  match_type: withDefault(oneOf('glob', 'regex'), 'glob'),
  match_metric_type: optional(oneOf('counter', 'gauge', 'timer', 'distribution', 'set')),
  name: withDefault(string(), ''),
  labels: record(string()),
  action: withDefault(oneOf('map', 'drop'), 'map'),
  /** StatsD's timers and distributions. */
  observer_type: optional(oneOf('summary', 'histogram')),
  buckets: list(number()),
  quantiles: list(number()),
  /** StatsD: how long a series lives without events. */
  ttl: optional(duration()),
};

export const mappingRule = map(
  object(mappingFields, (rule, report) => {
    if (rule.action === 'map' && rule.name === '') report('name', 'a rule that maps needs a name');
    if (rule.match === '') report('match', 'must not be empty');
    for (const name of Object.keys(rule.labels)) {
      if (labelNameFrom(name) !== name || name.startsWith('__'))
        report('labels', `${JSON.stringify(name)} is not a valid label name`);
    }
    for (const quantile of rule.quantiles)
      if (quantile < 0 || quantile > 1) report('quantiles', `${quantile} is not between 0 and 1`);
    if (rule.buckets.some((bound, i) => i > 0 && bound <= rule.buckets[i - 1]!)) report('buckets', 'bounds must go up');
  }),
  (rule) => ({ ...rule, pattern: patternOf(rule.match, rule.match_type) }),
);
export type MappingRule = typeof mappingRule extends Schema<infer T> ? T : never;

export type Mapped = {
  readonly name: string;
  /** Flat pairs. */
  readonly labels: readonly string[];
  readonly rule: MappingRule | undefined;
};

/** Globs are made of parts between dots. Throws on a bad expression. */
function patternOf(match: string, type: 'glob' | 'regex'): string {
  const parts = match.split('.').map((part) => part.split('*').map(literal).join('([^.]*)'));
  return compileRegex(type === 'regex' ? match : parts.join('\\.')).pattern;
}

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

const MAX_CACHED = 50_000;

export class Mapper {
  readonly #rules: readonly { readonly rule: MappingRule; readonly pattern: Regex }[];
  readonly #strict: boolean;
  readonly #cache = new Map<string, Mapped | null>();

  /** `strict`: what no rule fits is dropped. */
  constructor(rules: readonly MappingRule[], strict: boolean) {
    this.#rules = rules.map((rule) => ({ rule, pattern: compileRegex(rule.pattern) }));
    this.#strict = strict;
  }

  /** Undefined: dropped. */
  map(path: string, type = ''): Mapped | undefined {
    const key = `${type} ${path}`;
    let mapped = this.#cache.get(key);
    if (mapped === undefined) {
      mapped = this.#find(path, type) ?? null;
      if (this.#cache.size >= MAX_CACHED) this.#cache.clear();
      this.#cache.set(key, mapped);
    }
    return mapped ?? undefined;
  }

  #find(path: string, type: string): Mapped | undefined {
    for (const { rule, pattern } of this.#rules) {
      if (rule.match_metric_type !== undefined && rule.match_metric_type !== type) continue;
      const match = pattern.match(path);
      if (!match) continue;
      if (rule.action === 'drop') return undefined;
      const fill = (template: string) =>
        template.replace(/\$(?:\{(\d+)\}|(\d+))/g, (_, braced, plain) => match[Number(braced ?? plain)] ?? '');
      const labels = Object.entries(rule.labels).flatMap(([name, template]) => [name, fill(template)]);
      return { name: metricNameFrom(fill(rule.name)), labels, rule };
    }
    return this.#strict ? undefined : { name: metricNameFrom(path), labels: [], rule: undefined };
  }
}
