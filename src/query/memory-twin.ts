// A fragment source over samples in plain memory: the twin of the shards for tests, and the store of rule tests. `shards`
// spreads the series as shards would, so that partial results and their merging are exercised.

import { systemClock } from '#base/clock.ts';
import type { Exemplar, Metadata } from '#model/batch.ts';
import type { CounterReset, Histogram } from '#model/histogram.ts';
import { compareLabels, compareText, hashLabels, type Labels, labelsKey, labelValue } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import type {
  Columns,
  Fragment,
  FragmentSource,
  QueryLimits,
  RawSeries,
  SelectRequest,
  TimeRange,
} from '#model/query.ts';
import { isStale, setStale } from '#model/value.ts';
import { withHint } from './histogram/arithmetic.ts';
import { detectReset } from './histogram/reset.ts';
import { Collector } from './shard/collect.ts';
import { merging } from './shard/merge.ts';

type Sample = { time: number; value: number; stale: boolean; histogram: Histogram | undefined; start: number };

export class MemorySource implements FragmentSource {
  readonly #series = new Map<string, { labels: Labels; samples: Sample[]; raw: RawSeries | undefined }>();
  readonly #shards: number;

  constructor(shards = 1) {
    this.#shards = shards;
  }

  add(labels: Labels, time: number, value: number | 'stale' | Histogram, start = 0): void {
    const key = labelsKey(labels);
    let series = this.#series.get(key);
    if (!series) {
      series = { labels, samples: [], raw: undefined };
      this.#series.set(key, series);
    }
    const sample = {
      time,
      value: typeof value === 'number' ? value : 0,
      stale: value === 'stale',
      histogram: typeof value === 'object' ? value : undefined,
      start,
    };
    series.raw = undefined;
    const at = series.samples.findLastIndex((other) => other.time <= time);
    if (series.samples[at]?.time === time) series.samples[at] = sample;
    else series.samples.splice(at + 1, 0, sample);
  }

  /** Samples as they are, stale markers by their bits. */
  addColumns(labels: Labels, times: Float64Array, values: Float64Array): void {
    times.forEach((time, i) => {
      this.add(labels, time, isStale(values, i) ? 'stale' : values[i]!);
    });
  }

  clear(): void {
    this.#series.clear();
  }

  all(): RawSeries[] {
    return [...this.#series.values()]
      .map((series) => (series.raw ??= rawOf(series.labels, series.samples)))
      .sort((a, b) => compareLabels(a.labels, b.labels));
  }

  #matching(matchers: readonly Matcher[]): RawSeries[] {
    const accepts = compileMatchers(matchers);
    return this.all().filter((series) => accepts(series.labels));
  }

  async run(fragment: Fragment, limits: QueryLimits, signal: AbortSignal): Promise<Columns> {
    signal.throwIfAborted();
    const parts = Array.from({ length: this.#shards }, () => new Collector(fragment, limits));
    for (const series of this.#matching(fragment.matchers)) {
      parts[hashLabels(series.labels) % this.#shards]!.addSeries(series);
    }
    return merging(systemClock)(
      fragment,
      parts.map((part) => part.columns(0)),
      signal,
    );
  }

  async select({ matchers, range }: SelectRequest): Promise<readonly RawSeries[]> {
    return this.#matching(matchers).map((series) => cut(series, range));
  }

  async labelNames(sets: readonly (readonly Matcher[])[], range: TimeRange, limit: number): Promise<readonly string[]> {
    const series = await this.series(sets, range, 0);
    return limited(
      [...new Set(series.flatMap((labels) => labels.filter((_, i) => i % 2 === 0)))].sort(compareText),
      limit,
    );
  }

  async labelValues(
    name: string,
    sets: readonly (readonly Matcher[])[],
    range: TimeRange,
    limit: number,
  ): Promise<readonly string[]> {
    const values = (await this.series(sets, range, 0)).map((labels) => labelValue(labels, name));
    return limited([...new Set(values)].filter((value) => value !== '').sort(compareText), limit);
  }

  async series(sets: readonly (readonly Matcher[])[], range: TimeRange, limit: number): Promise<readonly Labels[]> {
    const accepts = sets.map(compileMatchers);
    const found = this.all().filter(
      ({ labels, timestamps }) =>
        (accepts.length === 0 || accepts.some((accept) => accept(labels))) &&
        timestamps.some((time) => time >= range.min && time <= range.max),
    );
    return limited(
      found.map(({ labels }) => labels),
      limit,
    );
  }

  async exemplars(): Promise<readonly { labels: Labels; exemplars: readonly Exemplar[] }[]> {
    return [];
  }

  async metadata(): Promise<ReadonlyMap<string, readonly Metadata[]>> {
    return new Map();
  }
}

const limited = <T>(values: T[], limit: number): T[] => (limit > 0 ? values.slice(0, limit) : values);

function rawOf(labels: Labels, samples: readonly Sample[]): RawSeries {
  const values = new Float64Array(samples.length);
  const histograms = new Map<number, Histogram>();
  samples.forEach((sample, i) => {
    values[i] = sample.value;
    if (sample.stale) setStale(values, i);
    if (sample.histogram) histograms.set(i, withHint(sample.histogram, storedHint(samples, i)));
  });
  return {
    labels,
    timestamps: Float64Array.from(samples, ({ time }) => time),
    values,
    ...(samples.some(({ start }) => start !== 0) ? { starts: Float64Array.from(samples, ({ start }) => start) } : {}),
    ...(histograms.size > 0 ? { histograms } : {}),
  };
}

/**
 * What a store knows about a histogram when it hands it out: within a chunk there is no reset, and of a chunk's first sample
 * nothing is known.
 */
function storedHint(samples: readonly Sample[], i: number): CounterReset {
  const current = samples[i]!.histogram!;
  if (current.counterReset === 'gauge' || current.counterReset === 'reset') return current.counterReset;
  const previous = samples[i - 1]?.histogram;
  if (!previous || previous.stale || previous.counterReset === 'gauge') return 'unknown';
  if (current.schema !== previous.schema || current.zeroThreshold !== previous.zeroThreshold) return 'unknown';
  return detectReset(withHint(current, 'unknown'), previous) ? 'unknown' : 'notReset';
}

function cut(series: RawSeries, { min, max }: TimeRange): RawSeries {
  const { labels, timestamps, values, starts, histograms } = series;
  let from = 0;
  while (from < timestamps.length && timestamps[from]! < min) from++;
  let to = timestamps.length;
  while (to > from && timestamps[to - 1]! > max) to--;
  const moved = new Map<number, Histogram>();
  for (const [at, h] of histograms ?? []) if (at >= from && at < to) moved.set(at - from, h);
  return {
    labels,
    timestamps: timestamps.subarray(from, to),
    values: values.subarray(from, to),
    ...(starts ? { starts: starts.subarray(from, to) } : {}),
    ...(moved.size > 0 ? { histograms: moved } : {}),
  };
}
