// How a push changes its group: pure functions from the group before and the push to the group after. Replacing is upstream's
// behaviour; merging and adding, and what becomes of series that are not pushed again, are this gateway's answers to its drawbacks.

import { type Labels, labelsKey } from '#model/labels.ts';
import {
  type AbsentMode,
  DEFAULT_GROUP_OPTIONS,
  type Group,
  type GroupOptions,
  MAX_PUSH_IDS,
  type PushedFamily,
  type PushedMetric,
  type PushedValue,
  type StoredFamily,
} from './state.ts';

export type Push = {
  readonly labels: Readonly<Record<string, string>>;
  readonly families: readonly PushedFamily[];
  /** PUT: the push speaks for the whole group. POST: for the families in it. */
  readonly wholeGroup: boolean;
  /** What this push says; the rest comes from the group, then from the gateway's defaults. */
  readonly options: Partial<GroupOptions>;
  readonly pushId: string | undefined;
  readonly now: number;
};

/** Names that the gateway itself gives to every group. */
const OWN_NAMES = new Set(['push_time_seconds', 'push_failure_time_seconds', 'push_up']);

export function isRepeated(group: Group | undefined, pushId: string | undefined): boolean {
  return pushId !== undefined && (group?.pushIds.includes(pushId) ?? false);
}

export function applyPush(before: Group | undefined, push: Push, defaults: GroupOptions): Group {
  const options: GroupOptions = { ...(before?.options ?? defaults), ...push.options };
  const version = (before?.version ?? 0) + 1;
  const absent = options.absent ?? (options.merge === 'replace' ? 'clear' : 'keep');
  const families: Record<string, StoredFamily> = {};
  const pushedNames = new Set(push.families.map((family) => family.name));
  for (const [name, family] of Object.entries(before?.families ?? {})) {
    if (pushedNames.has(name)) continue;
    const kept = push.wholeGroup ? absentFamily(family, absent, version) : family;
    if (kept) families[name] = kept;
  }
  for (const family of push.families) {
    if (OWN_NAMES.has(family.name)) continue;
    const old = before?.families[family.name];
    const sameType = old?.type === family.type ? old : undefined;
    families[family.name] = mergeFamily(sameType, family, options.merge === 'add', absent, version, push.now);
  }
  const pushIds = before?.pushIds ?? [];
  return {
    labels: push.labels,
    version,
    pushedAt: push.now,
    failedAt: before?.failedAt ?? 0,
    options,
    pushIds: push.pushId === undefined ? pushIds : [...pushIds, push.pushId].slice(-MAX_PUSH_IDS),
    families,
  };
}

/** A refused push leaves its mark too, and makes the group if there is none. */
export function applyFailure(
  before: Group | undefined,
  labels: Readonly<Record<string, string>>,
  now: number,
  defaults: GroupOptions = DEFAULT_GROUP_OPTIONS,
): Group {
  if (before) return { ...before, version: before.version + 1, failedAt: now };
  return { labels, version: 1, pushedAt: 0, failedAt: now, options: defaults, pushIds: [], families: {} };
}

function absentFamily(family: StoredFamily, absent: AbsentMode, version: number): StoredFamily | undefined {
  switch (absent) {
    case 'clear':
      return undefined;
    case 'keep':
      return family;
    case 'zero':
      return {
        ...family,
        metrics: family.metrics.map((metric) => ({ ...metric, value: zeroOf(metric.value) })),
        changed: family.metrics.map(() => version),
      };
  }
}

function mergeFamily(
  old: StoredFamily | undefined,
  family: PushedFamily,
  isAdding: boolean,
  absent: AbsentMode,
  version: number,
  now: number,
): StoredFamily {
  const metrics: PushedMetric[] = [];
  const changed: number[] = [];
  const left = new Map(old?.metrics.map((metric, i) => [labelsKey(metric.labels), i] as const));
  const adds = isAdding && family.type !== 'gauge' && family.type !== 'untyped' && family.type !== 'gaugehistogram';
  for (const metric of family.metrics) {
    const key = labelsKey(metric.labels);
    const at = left.get(key);
    left.delete(key);
    const before = at === undefined ? undefined : old!.metrics[at]!;
    // Labels that are there already are kept, so that those of the push die young: most pushes bring the same series again.
    metrics.push({
      labels: before?.labels ?? metric.labels,
      value: adds && before ? addValues(before.value, metric.value) : metric.value,
    });
    changed.push(version);
  }
  if (absent !== 'clear')
    for (const at of left.values()) {
      const metric = old!.metrics[at]!;
      metrics.push(absent === 'keep' ? metric : { ...metric, value: zeroOf(metric.value) });
      changed.push(absent === 'keep' ? old!.changed[at]! : version);
    }
  const help = old?.help === family.help ? old.help : family.help;
  return { name: old?.name ?? family.name, help, type: family.type, metrics, changed, pushedAt: now };
}

export function zeroOf(value: PushedValue): PushedValue {
  switch (value.kind) {
    case 'number':
      return { kind: 'number', number: 0 };
    case 'summary':
      return { kind: 'summary', count: 0, sum: 0, quantiles: value.quantiles.map(([q]) => [q, 0] as const) };
    case 'histogram':
      return { kind: 'histogram', count: 0, sum: 0, buckets: value.buckets.map(([bound]) => [bound, 0] as const) };
  }
}

/** Counters and counts add up; quantiles cannot, so the newer ones stand; buckets are joined by their bounds. */
export function addValues(a: PushedValue, b: PushedValue): PushedValue {
  if (a.kind === 'number' && b.kind === 'number') return { kind: 'number', number: a.number + b.number };
  if (a.kind === 'summary' && b.kind === 'summary')
    return { kind: 'summary', count: a.count + b.count, sum: a.sum + b.sum, quantiles: b.quantiles };
  if (a.kind === 'histogram' && b.kind === 'histogram' && a.native === undefined && b.native === undefined)
    return {
      kind: 'histogram',
      count: a.count + b.count,
      sum: a.sum + b.sum,
      buckets: addBuckets(a.buckets, b.buckets),
    };
  return b;
}

type Buckets = readonly (readonly [bound: number, count: number])[];

/** A bound that only one side has gets from the other side what lies below its next lower bound. */
function addBuckets(a: Buckets, b: Buckets): Buckets {
  const bounds = [...new Set([...a, ...b].map(([bound]) => bound))].sort((x, y) => x - y);
  const below = (buckets: Buckets, limit: number) => {
    let count = 0;
    for (const [bound, cumulative] of buckets) if (bound <= limit && cumulative > count) count = cumulative;
    return count;
  };
  return bounds.map((bound) => [bound, below(a, bound) + below(b, bound)] as const);
}

/** Labels of a pushed metric in its group: grouping labels win, `instance` is always there. */
export function groupedLabels(labels: Labels, group: Readonly<Record<string, string>>): Labels {
  const all = new Map<string, string>();
  for (let i = 0; i < labels.length; i += 2) all.set(labels[i]!, labels[i + 1]!);
  for (const [name, value] of Object.entries(group)) all.set(name, value);
  if (!all.has('instance')) all.set('instance', '');
  return [...all.keys()].sort().flatMap((name) => [name, all.get(name)!]);
}
