// Checks a catalog, or the metrics of a live page, against a naming scheme and the conventions of Prometheus. Every rule is a function
// from one metric and its surroundings to what is wrong; findings name the rule, so that they can be counted and looked up.

import { nearest } from '#base/nearest.ts';
import { isLegacyLabelName, isLegacyMetricName } from '#model/labels.ts';
import { type Catalog, type CatalogMetric, type CatalogModule, hasVec, segmentOf, typeOf } from './catalog.ts';

export type Finding = {
  readonly metric: string;
  readonly module: string;
  readonly rule: RuleName;
  readonly message: string;
};

type Surroundings = {
  readonly scheme: Catalog['scheme'];
  readonly module: CatalogModule;
  readonly modules: readonly CatalogModule[];
  readonly vocabulary: ReadonlySet<string>;
  /** Names seen before this one. */
  readonly earlier: ReadonlySet<string>;
  /** Whether any time of the catalog is in seconds. */
  readonly usesSeconds: boolean;
};

type Rule = (metric: CatalogMetric, surroundings: Surroundings) => string | undefined;

/** Units that are not base units, and the base unit to use. */
const UNITS: Readonly<Record<string, string>> = {
  milliseconds: 'seconds',
  millis: 'seconds',
  ms: 'seconds',
  microseconds: 'seconds',
  us: 'seconds',
  nanoseconds: 'seconds',
  ns: 'seconds',
  minutes: 'seconds',
  hours: 'seconds',
  days: 'seconds',
  kilobytes: 'bytes',
  kb: 'bytes',
  megabytes: 'bytes',
  mb: 'bytes',
  gigabytes: 'bytes',
  gb: 'bytes',
  bits: 'bytes',
  percent: 'ratio',
  percentage: 'ratio',
};

/** Words that mean an outcome, by what they mean. */
const OUTCOMES: Readonly<Record<string, 'good' | 'bad'>> = {
  success: 'good',
  succ: 'good',
  succeeded: 'good',
  successful: 'good',
  ok: 'good',
  failure: 'bad',
  fail: 'bad',
  failed: 'bad',
  error: 'bad',
};

const words = (name: string) => name.split(/[_:]/).filter(Boolean);
const rest = (metric: CatalogMetric, prefix: string) =>
  prefix !== '' && metric.name.startsWith(`${prefix}_`) ? metric.name.slice(prefix.length + 1) : metric.name;
/** A count of things that happened, by its description: "... times", "number of ...ings", the Chinese measure words for times. */
const countsEvents = (help: string) => /次数|\btimes\b|number of (calls|requests|errors|events|schedul)/i.test(help);
const isDuration = (name: string) => /(^|_)(latency|duration)(_|$)/.test(name);

const RULES = {
  'invalid-name': ({ name }) =>
    isLegacyMetricName(name) && !name.includes(':')
      ? undefined
      : "the name has characters that are not allowed or is a rule's",
  'duplicate-name': ({ name }, { earlier }) => (earlier.has(name) ? 'the name comes twice' : undefined),
  'missing-prefix': ({ name }, { scheme }) =>
    scheme.prefix === '' || name.startsWith(`${scheme.prefix}_`) ? undefined : `does not begin with ${scheme.prefix}_`,
  'segment-order': (metric, { scheme, module }) => {
    if (scheme.tiers.length === 0 || !metric.name.startsWith(`${scheme.prefix}_`)) return undefined;
    const segments = words(rest(metric, scheme.prefix));
    if (scheme.tiers.includes(segments[0]!)) return undefined;
    const at = segments.findIndex((segment) => scheme.tiers.includes(segment));
    const wanted = [scheme.prefix, module.tier || '<tier>', segmentOf(module)].join('_');
    return at > 0
      ? `the tier ${segments[at]} must come before ${segments.slice(0, at).join('_')}: ${wanted}_...`
      : `the tier is missing after the prefix: ${wanted}_...`;
  },
  'module-missing': (metric, { scheme, module }) => {
    if (module.name === '') return undefined;
    if (!metric.name.startsWith(`${scheme.prefix}_${module.tier}_`)) return undefined;
    const start = [scheme.prefix, module.tier, segmentOf(module)].filter(Boolean).join('_');
    return metric.name.startsWith(`${start}_`) ? undefined : `does not name its module: ${start}_...`;
  },
  'foreign-module': (metric, { scheme, module, modules }) => {
    const segments = words(rest(metric, scheme.prefix)).filter((segment) => !scheme.tiers.includes(segment));
    const foreign = modules.find((other) => other !== module && segmentOf(other) === segments[0]);
    const own = segmentOf(module).split('_');
    return foreign && !own.includes(segments[0]!) ? `reads as a metric of module ${foreign.name}` : undefined;
  },
  'type-missing': ({ type }) => (type === '' ? 'has no type' : undefined),
  'type-unknown': (metric) =>
    metric.type === '' || typeOf(metric)
      ? undefined
      : `type ${metric.type} is none of counter, gauge, histogram, summary`,
  'vec-without-labels': (metric) =>
    hasVec(metric) && Object.keys(metric.labels).length === 0
      ? `is a ${metric.type}, but no labels are given`
      : undefined,
  'gauge-total': (metric) =>
    typeOf(metric) === 'gauge' && metric.name.endsWith('_total') ? 'a gauge must not be named _total' : undefined,
  'event-gauge': (metric) =>
    typeOf(metric) === 'gauge' && metric.name.endsWith('_total') && countsEvents(metric.help)
      ? 'counts what happened, so it must be a counter'
      : undefined,
  'counter-without-total': (metric) =>
    typeOf(metric) === 'counter' &&
    !/_(total|count|sum|bucket|info|created)$/.test(metric.name) &&
    !isDuration(metric.name)
      ? 'a counter must be named _total'
      : undefined,
  'histogram-total': (metric) =>
    (typeOf(metric) === 'histogram' || typeOf(metric) === 'summary') && metric.name.endsWith('_total')
      ? `a ${typeOf(metric)} must not be named _total but by what it measures, with its unit`
      : undefined,
  'duration-type': (metric) =>
    isDuration(metric.name) &&
    typeOf(metric) === 'counter' &&
    !/_(seconds|milliseconds)_(total|count|sum)$/.test(metric.name)
      ? `a latency typed ${metric.type}: it must be a histogram`
      : undefined,
  'duration-without-unit': (metric) =>
    isDuration(metric.name) &&
    !Object.keys(UNITS)
      .concat('seconds')
      .some((unit) => words(metric.name).includes(unit))
      ? 'a time without a unit: end the name in _seconds'
      : undefined,
  'unit-not-base': (metric, { usesSeconds }) => {
    const unit = words(metric.name).find((word) => word in UNITS);
    if (unit === undefined) return undefined;
    const base = UNITS[unit]!;
    return `${unit} is no base unit: use ${base}${base === 'seconds' && usesSeconds ? ', as other metrics here do' : ''}`;
  },
  'unit-elsewhere': ({ name, unit }) =>
    unit !== undefined && !words(name).includes(unit) ? `has the unit ${unit}, which its name does not say` : undefined,
  misspelling: (metric, { scheme, vocabulary }) => {
    for (const word of words(rest(metric, scheme.prefix))) {
      if (word.length < 5 || vocabulary.has(word)) continue;
      const similar = nearest(word, vocabulary);
      if (similar !== undefined && Math.abs(similar.length - word.length) <= 2 && !isInflected(word, similar))
        return `${word} looks like a misspelt ${similar}`;
    }
    return undefined;
  },
  'outcome-words': (metric, { scheme }) => {
    for (const [label, values] of Object.entries(metric.labels)) {
      const odd = values.filter((value) => value.toLowerCase() in OUTCOMES && !scheme.outcomes.includes(value));
      const isOutcome = values.some((value) => scheme.outcomes.includes(value)) || odd.length > 1;
      if (odd.length > 0 && isOutcome)
        return `label ${label} has the values ${values.join('/')}; elsewhere it is ${scheme.outcomes.join('/')}`;
    }
    return undefined;
  },
  'label-name': ({ labels }) => {
    const wrong = Object.keys(labels).find(
      (label) => !isLegacyLabelName(label) || label.startsWith('__') || label === 'le' || label === 'quantile',
    );
    return wrong === undefined ? undefined : `label ${wrong} is not allowed`;
  },
  'help-missing': ({ help }) => (help.trim() === '' ? 'has no description' : undefined),
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof RULES;
export const RULE_NAMES = Object.keys(RULES) as RuleName[];

/** Plural, -ing, -ed and the like are no misspellings. */
function isInflected(a: string, b: string): boolean {
  const stem = (word: string) => word.replace(/(ies|ing|ed|es|s|r|er|d|y)$/, '');
  return stem(a) === stem(b) || a.startsWith(b) || b.startsWith(a);
}

/** Words that names are made of; what a catalog says itself more than once is added. */
const COMMON_WORDS =
  `accept acknowledgement acknowledgements active api application apply available average blocked buffer bytes cache cached client cluster
cluster_state code collect commit configmap config configuration connect connected connection connections container controller cores count counter create current
datatype datawatch default delete deployment desired disk domain domains duration error errors event events executor expired external failed failure
filesystem free gauge handler health histogram host http idle info instance internal interrupt keys latency lease leases limit loadbalance lookup memory
message messages method milliseconds namespace netservice network node notification notifications notify operation operations operator packets parse
partition pending pods pool pools process processed proxied proxy queue queued ratio read ready rebuild receive received refresh refreshes release render
renders replicas report reports request requests reschedule reserved resource resources response restart restarts result retry role running schedule
scheduler schedules seconds select send sent server service session shard size slave start started state status storage store success sync table task
taskgroup temperature thread threads time timeout timestamp total transmit tunnel unlock update uptime usage used user value version volume wait watch
worker workers write written zookeeper`
    .split(/\s+/)
    .filter(Boolean);

function vocabularyOf(catalog: Catalog): Set<string> {
  const counts = new Map<string, number>();
  for (const module of catalog.modules)
    for (const metric of module.metrics)
      for (const word of new Set(words(metric.name))) counts.set(word, (counts.get(word) ?? 0) + 1);
  const own = [...counts].filter(([, count]) => count > 1).map(([word]) => word);
  const names = catalog.modules.flatMap((module) => module.name.split('-'));
  return new Set([...COMMON_WORDS, ...own, ...names, ...catalog.scheme.tiers, catalog.scheme.prefix]);
}

/** `rules` narrows what is checked; all by default. Findings come in the order of the catalog. */
export function lintCatalog(catalog: Catalog, rules: readonly RuleName[] = RULE_NAMES): Finding[] {
  const vocabulary = vocabularyOf(catalog);
  const usesSeconds = catalog.modules.some((module) =>
    module.metrics.some(({ name }) => words(name).includes('seconds')),
  );
  const earlier = new Set<string>();
  const findings: Finding[] = [];
  for (const module of catalog.modules)
    for (const metric of module.metrics) {
      const surroundings = {
        scheme: catalog.scheme,
        module,
        modules: catalog.modules,
        vocabulary,
        earlier,
        usesSeconds,
      };
      for (const rule of rules) {
        const message = (RULES[rule] as Rule)(metric, surroundings);
        if (message !== undefined) findings.push({ metric: metric.name, module: module.name, rule, message });
      }
      earlier.add(metric.name);
    }
  return findings;
}
