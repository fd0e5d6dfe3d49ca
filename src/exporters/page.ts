// Collects the samples of one collector into families. Labels are given as flat name/value pairs already sorted by name; empty
// values are left out, which is the same series.

import { assert } from '#base/assert.ts';
import type { MetricType } from '#model/batch.ts';
import type { FamilySample, MetricFamily } from '#model/family.ts';
import { type Labels, NO_LABELS } from '#model/labels.ts';

type Building = { name: string; type: MetricType; help: string; samples: FamilySample[] };

export class Page {
  #families = new Map<string, Building>();

  counter(name: string, help: string, value: number, labels: Labels = NO_LABELS): void {
    this.#add('counter', name, help, value, labels);
  }

  gauge(name: string, help: string, value: number, labels: Labels = NO_LABELS): void {
    this.#add('gauge', name, help, value, labels);
  }

  /** A gauge that has one series, in place of what it was. */
  single(name: string, help: string, value: number, labels: Labels = NO_LABELS): void {
    this.#family('gauge', name, help).samples.length = 0;
    this.#add('gauge', name, help, value, labels);
  }

  untyped(name: string, help: string, value: number, labels: Labels = NO_LABELS): void {
    this.#add('unknown', name, help, value, labels);
  }

  add(type: MetricType, name: string, help: string, value: number, labels: Labels = NO_LABELS): void {
    this.#add(type, name, help, value, labels);
  }

  /** Cumulative buckets by upper bound, in order, without +Inf. */
  histogram(
    name: string,
    help: string,
    buckets: Iterable<readonly [bound: number, count: number]>,
    sum: number,
    count: number,
    labels: Labels = NO_LABELS,
  ): void {
    const { samples } = this.#family('histogram', name, help);
    const kept = withoutEmpty(labels);
    for (const [bound, below] of buckets)
      samples.push({ suffix: '_bucket', labels: withSorted(kept, 'le', String(bound)), value: below });
    samples.push({ suffix: '_bucket', labels: withSorted(kept, 'le', '+Inf'), value: count });
    samples.push({ suffix: '_sum', labels: kept, value: sum }, { suffix: '_count', labels: kept, value: count });
  }

  summary(
    name: string,
    help: string,
    quantiles: Iterable<readonly [quantile: number, value: number]>,
    sum: number,
    count: number,
    labels: Labels = NO_LABELS,
  ): void {
    const { samples } = this.#family('summary', name, help);
    const kept = withoutEmpty(labels);
    for (const [quantile, value] of quantiles)
      samples.push({ suffix: '', labels: withSorted(kept, 'quantile', String(quantile)), value });
    samples.push({ suffix: '_sum', labels: kept, value: sum }, { suffix: '_count', labels: kept, value: count });
  }

  families(): MetricFamily[] {
    return [...this.#families.values()];
  }

  #family(type: MetricType, name: string, help: string): Building {
    let family = this.#families.get(name);
    if (family === undefined) {
      family = { name, type, help, samples: [] };
      this.#families.set(name, family);
    }
    return family;
  }

  #add(type: MetricType, name: string, help: string, value: number, labels: Labels): void {
    this.#family(type, name, help).samples.push({ suffix: '', labels: withoutEmpty(labels), value });
  }
}

function withoutEmpty(labels: Labels): Labels {
  assert(labels.length % 2 === 0, `odd label list ${labels.join()}`);
  for (let i = 1; i < labels.length; i += 2) {
    if (labels[i] !== '') continue;
    const kept: string[] = [];
    for (let k = 0; k < labels.length; k += 2) if (labels[k + 1] !== '') kept.push(labels[k]!, labels[k + 1]!);
    return kept;
  }
  return labels;
}

function withSorted(labels: Labels, name: string, value: string): Labels {
  let at = 0;
  while (at < labels.length && labels[at]! < name) at += 2;
  return [...labels.slice(0, at), name, value, ...labels.slice(at)];
}
