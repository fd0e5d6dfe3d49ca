// The program's own metrics. A registry is created by the program, passed to rooms, and read by /metrics; shards send
// theirs to the main thread, where equal series are added up. Hot counters are plain objects with a number field.

import { assert } from '#base/assert.ts';
import type { MetricType } from './batch.ts';
import type { FamilySample, MetricFamily } from './family.ts';
import { type Labels, labelsFrom, labelsKey } from './labels.ts';

export class Counter {
  value = 0;
  add(amount = 1): void {
    this.value += amount;
  }
}

export class Gauge {
  value = 0;
  set(value: number): void {
    this.value = value;
  }
  add(amount = 1): void {
    this.value += amount;
  }
}

export class HistogramMetric {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }
  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > this.bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += value;
  }
}

export class SummaryMetric {
  count = 0;
  sum = 0;
  observe(value: number): void {
    this.count++;
    this.sum += value;
  }
}

type Metric = Counter | Gauge | HistogramMetric | SummaryMetric;

/** A metric with labels: one child per combination of label values. */
export class Vec<M extends Metric> {
  readonly children = new Map<string, { readonly labels: Labels; readonly metric: M }>();
  readonly #names: readonly string[];
  readonly #make: () => M;
  constructor(names: readonly string[], make: () => M) {
    this.#names = names;
    this.#make = make;
  }
  /** The child for these label values, made on first use. Keep the result where it is used often. */
  with(...values: readonly string[]): M {
    const key = values.join('\xff');
    let child = this.children.get(key);
    if (!child) {
      assert(values.length === this.#names.length, `${values.length} label values for ${this.#names.join()}`);
      child = { labels: labelsFrom(this.#names.map((name, i) => [name, values[i]!] as const)), metric: this.#make() };
      this.children.set(key, child);
    }
    return child.metric;
  }
  remove(...values: readonly string[]): void {
    this.children.delete(values.join('\xff'));
  }
}

type Entry = {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly collect: () => Iterable<FamilySample>;
};

export class Registry {
  #entries = new Map<string, Entry>();

  counter(name: string, help: string): Counter {
    return this.#single(name, help, 'counter', new Counter());
  }
  gauge(name: string, help: string): Gauge {
    return this.#single(name, help, 'gauge', new Gauge());
  }
  histogram(name: string, help: string, bounds: readonly number[]): HistogramMetric {
    return this.#single(name, help, 'histogram', new HistogramMetric(bounds));
  }
  summary(name: string, help: string): SummaryMetric {
    return this.#single(name, help, 'summary', new SummaryMetric());
  }
  counterVec(name: string, help: string, labels: readonly string[]): Vec<Counter> {
    return this.#vec(name, help, 'counter', new Vec(labels, () => new Counter()));
  }
  gaugeVec(name: string, help: string, labels: readonly string[]): Vec<Gauge> {
    return this.#vec(name, help, 'gauge', new Vec(labels, () => new Gauge()));
  }
  histogramVec(name: string, help: string, labels: readonly string[], bounds: readonly number[]): Vec<HistogramMetric> {
    return this.#vec(name, help, 'histogram', new Vec(labels, () => new HistogramMetric(bounds)));
  }
  summaryVec(name: string, help: string, labels: readonly string[]): Vec<SummaryMetric> {
    return this.#vec(name, help, 'summary', new Vec(labels, () => new SummaryMetric()));
  }
  /** A metric whose samples are worked out when they are read. */
  collected(
    name: string,
    help: string,
    type: MetricType,
    collect: () => Iterable<{ suffix?: string; labels?: Labels; value: number }>,
  ): void {
    this.#add({
      name,
      help,
      type,
      *collect() {
        for (const { suffix = '', labels = [], value } of collect()) yield { suffix, labels, value };
      },
    });
  }

  families(): MetricFamily[] {
    const sorted = [...this.#entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return sorted.map(({ name, help, type, collect }) => ({ name, help, type, samples: [...collect()] }));
  }

  #single<M extends Metric>(name: string, help: string, type: MetricType, metric: M): M {
    this.#add({ name, help, type, collect: () => samplesOf(metric, []) });
    return metric;
  }

  #vec<M extends Metric>(name: string, help: string, type: MetricType, vec: Vec<M>): Vec<M> {
    this.#add({
      name,
      help,
      type,
      *collect() {
        for (const { labels, metric } of vec.children.values()) yield* samplesOf(metric, labels);
      },
    });
    return vec;
  }

  #add(entry: Entry): void {
    assert(!this.#entries.has(entry.name), `metric ${entry.name} registered twice`);
    this.#entries.set(entry.name, entry);
  }
}

function* samplesOf(metric: Metric, labels: Labels): Iterable<FamilySample> {
  if (metric instanceof HistogramMetric) {
    let count = 0;
    for (let i = 0; i < metric.counts.length; i++) {
      count += metric.counts[i]!;
      const le = i < metric.bounds.length ? String(metric.bounds[i]) : '+Inf';
      yield { suffix: '_bucket', labels: withLast(labels, 'le', le), value: count };
    }
    yield { suffix: '_sum', labels, value: metric.sum };
    yield { suffix: '_count', labels, value: count };
  } else if (metric instanceof SummaryMetric) {
    yield { suffix: '_sum', labels, value: metric.sum };
    yield { suffix: '_count', labels, value: metric.count };
  } else yield { suffix: '', labels, value: metric.value };
}

const withLast = (labels: Labels, name: string, value: string): Labels => [...labels, name, value];

/** How values of several threads become one: points in time are not added up, the latest or the earliest counts. */
function combinationOf(name: string): (a: number, b: number) => number {
  if (/_min_time(_seconds)?$|_lowest_timestamp(_seconds)?$/.test(name)) return Math.min;
  if (/_timestamp(_in)?_seconds$|_max_time(_seconds)?$/.test(name)) return Math.max;
  return (a, b) => a + b;
}

/** Families of several registries as one: values of equal series are added. */
export function mergeFamilies(sources: readonly (readonly MetricFamily[])[]): MetricFamily[] {
  const merged = new Map<string, { family: MetricFamily; samples: Map<string, FamilySample> }>();
  for (const family of sources.flat()) {
    let entry = merged.get(family.name);
    if (!entry) {
      entry = { family, samples: new Map() };
      merged.set(family.name, entry);
    }
    const combine = combinationOf(family.name);
    for (const sample of family.samples) {
      const key = `${sample.suffix}\xfe${labelsKey(sample.labels)}`;
      const before = entry.samples.get(key);
      entry.samples.set(key, before ? { ...before, value: combine(before.value, sample.value) } : sample);
    }
  }
  return [...merged.values()]
    .map(({ family, samples }) => ({ ...family, samples: [...samples.values()] }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
