// Classic histograms into native histograms with custom buckets: the converter, and a reader that puts it between a text
// page and whoever reads it. Series are gathered while they belong to one histogram; what does not add up stays classic.

import type { MetricType } from '#model/batch.ts';
import { CUSTOM_BUCKETS_SCHEMA, type Histogram } from '#model/histogram.ts';
import { keepLabels, type Labels, labelsKey, labelValue, METRIC_NAME, withLabel } from '#model/labels.ts';
import { type EntryKind, type EntryReader, NO_NAMES, type PageExemplar } from './entries.ts';
import { parseFloat64 } from './number.ts';

export class ClassicHistogram {
  #buckets: { bound: number; count: number }[] = [];
  #count: number | undefined;
  #sum = 0;
  #isBroken = false;

  setBucket(bound: number, count: number): void {
    if (Number.isNaN(bound) || count < 0) {
      this.#isBroken = true;
      return;
    }
    let at = this.#buckets.length;
    while (at > 0 && this.#buckets[at - 1]!.bound >= bound) at--;
    if (this.#buckets[at]?.bound === bound) return;
    const [before, after] = [this.#buckets[at - 1], this.#buckets[at]];
    if ((before && count < before.count) || (after && count > after.count)) this.#isBroken = true;
    this.#buckets.splice(at, 0, { bound, count });
  }

  setCount(count: number): void {
    if (count < 0) this.#isBroken = true;
    this.#count = count;
  }

  setSum(sum: number): void {
    this.#sum = sum;
  }

  /** Undefined when the counts contradict each other. */
  convert(): Histogram | undefined {
    if (this.#isBroken) return undefined;
    const count = this.#count ?? this.#buckets.at(-1)?.count ?? 0;
    const buckets = [...this.#buckets];
    if (buckets.at(-1)?.bound !== Infinity) buckets.push({ bound: Infinity, count });
    if (!(buckets.at(-1)!.count === count) || (buckets.length > 1 && buckets.at(-2)!.count > count)) return undefined;
    let before = 0;
    const counts = Float64Array.from(buckets, (bucket) => {
      const own = bucket.count - before;
      before = bucket.count;
      return own;
    });
    return {
      integer: Number.isInteger(count) && buckets.every((bucket) => Number.isInteger(bucket.count)),
      schema: CUSTOM_BUCKETS_SCHEMA,
      zeroThreshold: 0,
      zeroCount: 0,
      count,
      sum: this.#sum,
      positiveSpans: [{ offset: 0, length: counts.length }],
      negativeSpans: [],
      positiveBuckets: counts,
      negativeBuckets: new Float64Array(0),
      customValues: Float64Array.from(buckets.slice(0, -1), ({ bound }) => bound),
      counterReset: 'unknown',
    };
  }
}

type Current = {
  readonly kind: EntryKind;
  readonly key: string;
  readonly labels: Labels;
  readonly emptyNames: readonly string[];
  readonly value: number;
  readonly timestamp: number;
  readonly start: number;
  readonly histogram: Histogram | undefined;
  readonly exemplars: readonly PageExemplar[];
};

type Gathering = {
  readonly id: string;
  readonly labels: Labels;
  readonly emptyNames: readonly string[];
  readonly classic: ClassicHistogram;
  readonly exemplars: PageExemplar[];
  readonly timestamp: number;
  readonly start: number;
};

export class NhcbReader implements EntryReader {
  familyName = '';
  familyType: MetricType = 'unknown';
  familyText = '';
  readonly #inner: EntryReader;
  readonly #keepsClassic: boolean;
  #gathering: Gathering | undefined;
  /** Histogram name and labels for which the page has a native histogram already. */
  #native = '';
  #current: Current | undefined;
  /** Met while a finished histogram had to go first. */
  #held: Current | undefined;

  constructor(inner: EntryReader, keepsClassic: boolean) {
    this.#inner = inner;
    this.#keepsClassic = keepsClassic;
  }

  get value(): number {
    return this.#current!.value;
  }
  get timestamp(): number {
    return this.#current!.timestamp;
  }
  get start(): number {
    return this.#current!.start;
  }
  get histogram(): Histogram | undefined {
    return this.#current!.histogram;
  }
  key(): string {
    return this.#current!.key;
  }
  labels(): Labels {
    return this.#current!.labels;
  }
  get emptyNames(): readonly string[] {
    return this.#current!.emptyNames;
  }
  exemplars(): readonly PageExemplar[] {
    return this.#current!.exemplars;
  }

  next(): EntryKind {
    for (;;) {
      const entry = this.#held ?? this.#read();
      this.#held = undefined;
      const part = entry.kind === 'series' ? this.#partOf(entry) : undefined;
      if (this.#gathering && part?.id !== this.#gathering.id) {
        const done = this.#finish(this.#gathering);
        this.#gathering = undefined;
        if (done) {
          this.#held = entry;
          this.#current = done;
          return 'histogram';
        }
      }
      if (entry.kind === 'histogram') this.#native = idOf(entry.labels, labelValue(entry.labels, METRIC_NAME));
      this.#current = entry;
      if (part && part.id !== this.#native) {
        this.#gather(entry, part);
        if (!this.#keepsClassic) continue;
      }
      if (entry.kind === 'type' || entry.kind === 'help' || entry.kind === 'unit') {
        this.familyName = this.#inner.familyName;
        this.familyType = this.#inner.familyType;
        this.familyText = this.#inner.familyText;
      }
      return entry.kind;
    }
  }

  #read(): Current {
    const inner = this.#inner;
    const kind = inner.next();
    if (kind !== 'series' && kind !== 'histogram') {
      return {
        kind,
        key: '',
        labels: [],
        emptyNames: NO_NAMES,
        value: 0,
        timestamp: Number.NaN,
        start: 0,
        histogram: undefined,
        exemplars: [],
      };
    }
    const { value, timestamp, start, histogram } = inner;
    const labels = inner.labels();
    return {
      kind,
      key: inner.key(),
      labels,
      emptyNames: inner.emptyNames,
      value,
      timestamp,
      start,
      histogram,
      exemplars: inner.exemplars(),
    };
  }

  /** Which part of which histogram a series is. */
  #partOf(
    entry: Current,
  ): { readonly id: string; readonly name: string; readonly suffix: string; readonly bound: number } | undefined {
    if (this.#inner.familyType !== 'histogram') return undefined;
    const full = labelValue(entry.labels, METRIC_NAME);
    const suffix = ['_bucket', '_sum', '_count'].find((end) => full.endsWith(end));
    if (!suffix) return undefined;
    const name = full.slice(0, -suffix.length);
    if (name !== this.#inner.familyName) return undefined;
    const bound = suffix === '_bucket' ? parseFloat64(labelValue(entry.labels, 'le')) : 0;
    if (bound === undefined || Number.isNaN(bound)) return undefined;
    return { id: idOf(entry.labels, name), name, suffix, bound };
  }

  #gather(entry: Current, part: { id: string; name: string; suffix: string; bound: number }): void {
    this.#gathering ??= {
      id: part.id,
      labels: withLabel(withLabel(entry.labels, 'le', ''), METRIC_NAME, part.name),
      emptyNames: entry.emptyNames,
      classic: new ClassicHistogram(),
      exemplars: [],
      timestamp: entry.timestamp,
      start: entry.start,
    };
    const { classic, exemplars } = this.#gathering;
    if (part.suffix === '_bucket') classic.setBucket(part.bound, entry.value);
    else if (part.suffix === '_sum') classic.setSum(entry.value);
    else classic.setCount(entry.value);
    exemplars.push(...entry.exemplars);
  }

  #finish({ labels, emptyNames, classic, exemplars, timestamp, start }: Gathering): Current | undefined {
    const histogram = classic.convert();
    if (!histogram) return undefined;
    return {
      kind: 'histogram',
      key: `\xfe${labelsKey(labels)}\xfe${emptyNames.join('\xff')}`,
      labels,
      emptyNames,
      value: 0,
      timestamp,
      start,
      histogram,
      exemplars,
    };
  }
}

const idOf = (labels: Labels, name: string): string =>
  `${name}\xfe${labelsKey(keepLabels(labels, (label) => label !== 'le' && label !== METRIC_NAME))}`;
