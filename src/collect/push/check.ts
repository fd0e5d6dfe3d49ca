// Refuses pushes that would make the page inconsistent: one type per name over all groups and the gateway's own metrics, no series
// twice. An index of what every group exposes makes the check cost as much as the push, not as much as the page.

import type { MetricFamily } from '#model/family.ts';
import { type Labels, labelsKey, quote } from '#model/labels.ts';
import type { Group, PushedFamily, PushedMetric, PushType } from './state.ts';

type Entry = { readonly owners: Map<string, PushType>; readonly series: Map<string, string> };

export class SeriesIndex {
  readonly #names = new Map<string, Entry>();

  /** What a group exposes from now on, in place of what it did; undefined: nothing. */
  replace(key: string, before: Group | undefined, after: Group | undefined): void {
    if (after) this.#add(key, after);
    if (before) this.#remove(key, before, after);
  }

  #add(key: string, group: Group): void {
    for (const family of Object.values(group.families)) {
      let entry = this.#names.get(family.name);
      if (!entry || entry.owners.size === 0) {
        entry = { owners: new Map(), series: new Map() };
        this.#names.set(family.name, entry);
      }
      entry.owners.set(key, family.type);
      for (const metric of family.metrics) entry.series.set(labelsKey(metric.labels), key);
    }
  }

  #remove(key: string, group: Group, after: Group | undefined): void {
    for (const family of Object.values(group.families)) {
      const entry = this.#names.get(family.name);
      const next = after?.families[family.name];
      // Labels are shared between what was and what is.
      const kept = new Set(next?.metrics.map((metric) => metric.labels));
      if (
        !entry ||
        (next && kept.size === family.metrics.length && family.metrics.every((one) => kept.has(one.labels)))
      )
        continue;
      const keptKeys = new Set(next?.metrics.map((metric) => labelsKey(metric.labels)));
      if (!next) entry.owners.delete(key);
      for (const metric of family.metrics) {
        const series = labelsKey(metric.labels);
        if (!keptKeys.has(series) && entry.series.get(series) === key) entry.series.delete(series);
      }
      if (entry.owners.size === 0) this.#names.delete(family.name);
    }
  }

  /** What is wrong with a group in place of the one of the same key; undefined when nothing is. */
  problem(key: string, group: Group, own: readonly MetricFamily[]): string | undefined {
    const problems: string[] = [];
    const families = Object.values(group.families);
    for (const family of families) {
      const ownFamily = own.find((one) => one.name === family.name);
      if (ownFamily && ownTypeOf(ownFamily) !== family.type)
        problems.push(
          `gathered metric family ${family.name} has type ${typeWord(family.type)} but should have ${typeWord(ownTypeOf(ownFamily))}`,
        );
      else this.#seriesProblems(key, family, ownFamily, problems);
    }
    problems.push(...this.#suffixProblems(key, families));
    if (problems.length < 2) return problems[0];
    return `${problems.length} error(s) occurred:${problems.map((problem) => `\n* ${problem}`).join('')}`;
  }

  #seriesProblems(key: string, family: PushedFamily, own: MetricFamily | undefined, problems: string[]): void {
    const entry = this.#names.get(family.name);
    const others = entry ? [...entry.owners].filter(([owner]) => owner !== key) : [];
    const other = others[0]?.[1];
    const ownKeys = new Set(own?.samples.map((sample) => labelsKey(sample.labels)));
    const seen = new Set<string>();
    for (const metric of family.metrics) {
      const shown = () => `collected metric ${quote(family.name)} { ${metricText(metric, family.type)}}`;
      if (other !== undefined && other !== family.type) {
        problems.push(`${shown()} is not a ${typeWord(other)}`);
        continue;
      }
      const series = labelsKey(metric.labels);
      const owner = entry?.series.get(series);
      if (seen.has(series) || (owner !== undefined && owner !== key) || ownKeys.has(series))
        problems.push(`${shown()} was collected before with the same name and label values`);
      seen.add(series);
    }
  }

  /** Names that would be read as parts of a histogram or summary of another name. */
  #suffixProblems(key: string, families: readonly PushedFamily[]): string[] {
    const problems: string[] = [];
    const typeOf = (name: string): PushType | undefined => {
      const inGroup = families.find((family) => family.name === name);
      if (inGroup) return inGroup.type;
      for (const [owner, type] of this.#names.get(name)?.owners ?? []) if (owner !== key) return type;
      return undefined;
    };
    const collides = (type: PushType | undefined, suffix: string) =>
      type === 'histogram' || (type === 'summary' && suffix !== 'bucket');
    for (const { name, type } of families) {
      const match = /^(.*)_(count|sum|bucket)$/s.exec(name);
      const whole = match && typeOf(match[1]!);
      if (match && whole && collides(whole, match[2]!))
        problems.push(
          `collected metric named ${quote(name)} collides with previously collected ${whole} named ${quote(match[1]!)}`,
        );
      for (const suffix of ['count', 'sum', 'bucket'])
        if (collides(type, suffix) && typeOf(`${name}_${suffix}`) !== undefined)
          problems.push(
            `collected ${type} named ${quote(name)} collides with previously collected metric named ${quote(`${name}_${suffix}`)}`,
          );
    }
    return problems;
  }
}

const typeWord = (type: PushType) => (type === 'gaugehistogram' ? 'GAUGE_HISTOGRAM' : type.toUpperCase());

function ownTypeOf(family: MetricFamily): PushType {
  switch (family.type) {
    case 'counter':
    case 'gauge':
    case 'summary':
    case 'histogram':
    case 'gaugehistogram':
      return family.type;
    default:
      return 'untyped';
  }
}

function metricText({ labels, value }: PushedMetric, type: PushType): string {
  const pairs = labelTexts(labels);
  switch (value.kind) {
    case 'number':
      return `${pairs}${type}:{value:${value.number}}`;
    case 'summary':
      return `${pairs}summary:{sample_count:${value.count} sample_sum:${value.sum}}`;
    case 'histogram':
      return `${pairs}histogram:{sample_count:${value.count} sample_sum:${value.sum}}`;
  }
}

function labelTexts(labels: Labels): string {
  let text = '';
  for (let i = 0; i < labels.length; i += 2)
    text += `label:{name:${quote(labels[i]!)} value:${quote(labels[i + 1]!)}} `;
  return text;
}
