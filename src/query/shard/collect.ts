// Collects the rows of one fragment in a shard, in columns; groups first if the fragment aggregates. Floats are folded on the
// spot, series with histograms travel as they are and are aggregated where all shards meet.

import type { Histogram } from '#model/histogram.ts';
import { dropMetadata, type Labels, labelValue } from '#model/labels.ts';
import {
  type Columns,
  type Fragment,
  gridLength,
  type QueryLimits,
  type RawSeries,
  type SeriesName,
} from '#model/query.ts';
import { Groups } from '../execute/aggregate.ts';
import { Notes } from '../execute/annotations.ts';
import { tooManyBytes, tooManySamples, tooManySeries } from '../execute/errors.ts';
import { ABSENT, FLOAT, HISTOGRAM } from '../execute/vector.ts';
import { namesCounters, noteCounterName, TYPE_LABELS } from '../functions/counter-name.ts';
import { computeRow, isInstant, type WindowSpec } from '../functions/series.ts';
import { keepsName } from '../functions/window.ts';
import { kahanStep } from '../histogram/kahan.ts';
import { DELAYED_NAME_REMOVAL, HISTOGRAM_STATS, START_TIMESTAMPS } from '../plan/build.ts';
import type { KernelFold } from './fold.ts';

/** Rows that there is room for at first. */
const FIRST_ROWS = 4;

/** Whether the function makes a metric something else, so that its name goes. */
export const dropsName = (func: string): boolean => (isInstant(func) ? func !== 'instant' : !keepsName(func));

export class Collector {
  readonly fragment: Fragment;
  readonly steps: number;
  readonly notes = new Notes();
  readonly #limits: QueryLimits;
  readonly #spec: WindowSpec;
  readonly #features: ReadonlySet<string>;
  readonly #dropNames: boolean;
  readonly #fold: Fold | undefined;
  #labels: Labels[] = [];
  #values: Float64Array;
  #kinds: Uint8Array;
  readonly #histograms = new Map<number, Histogram>();
  readonly #signatures: number[] = [];
  /** Whether names tell something about what a function was applied to. */
  readonly #namesCount: boolean;
  /** Whether a row lost more than its name, so that others may be like it now. */
  #losesMore = false;
  #kernelFold: (Partial & { readonly groups: number }) | undefined;
  #series = 0;
  #samples = 0;
  /** Points kept; only they stay in memory. */
  #points = 0;
  #bytes = 0;

  constructor(fragment: Fragment, limits: QueryLimits) {
    this.fragment = fragment;
    this.#limits = limits;
    this.steps = gridLength(fragment.grid);
    this.#features = new Set(fragment.features);
    this.#spec = {
      ...fragment,
      useStarts: this.#features.has(START_TIMESTAMPS),
      statsOnly: this.#features.has(HISTOGRAM_STATS),
    };
    this.#dropNames =
      (fragment.aggregate !== undefined || fragment.bare === true) &&
      dropsName(fragment.func) &&
      !this.#features.has(DELAYED_NAME_REMOVAL);
    this.#fold = fragment.aggregate ? new Fold(fragment, this.steps) : undefined;
    const isRate = fragment.func === 'rate' || fragment.func === 'increase';
    this.#namesCount = isRate && !(namesCounters(fragment.matchers) && !this.#features.has(TYPE_LABELS));
    this.#values = new Float64Array(FIRST_ROWS * this.steps);
    this.#kinds = new Uint8Array(FIRST_ROWS * this.steps);
  }

  get useStarts(): boolean {
    return this.#spec.useStarts;
  }

  /** Whether no series at all has been looked at. */
  get isEmpty(): boolean {
    return this.#series === 0;
  }

  /** The plain path: one series whose samples are there. */
  addSeries(series: RawSeries): void {
    this.countSeries(series.timestamps.length, series.timestamps.length * 16);
    const { at, values, kinds } = this.row();
    const metric = labelValue(series.labels, '__name__');
    const sink = { values, kinds, at, histogram: (to: number, h: Histogram) => this.#histograms.set(to, h) };
    computeRow(this.#spec, series, metric, sink, this.notes);
    this.endRow(nameOf(series.labels));
  }

  countSeries(samples: number, bytes: number): void {
    this.#series++;
    this.#samples += samples;
    this.#bytes += bytes;
    if (this.#series > this.#limits.maxSeries) throw tooManySeries(this.#limits.maxSeries);
  }

  /** Room for more rows; what is written there counts once endRow is called. */
  row(rows = 1): { at: number; values: Float64Array; kinds: Uint8Array } {
    const at = this.#labels.length * this.steps;
    const needed = at + rows * this.steps;
    if (needed > this.#values.length) {
      const length = Math.max(needed, this.#values.length * 2);
      if (length * 9 > this.#limits.maxBytes) throw tooManyBytes(this.#limits.maxBytes);
      const values = new Float64Array(length);
      const kinds = new Uint8Array(length);
      values.set(this.#values);
      kinds.set(this.#kinds);
      this.#values = values;
      this.#kinds = kinds;
    }
    return { at, values: this.#values, kinds: this.#kinds };
  }

  endRow(name: SeriesName): void {
    const at = this.#labels.length * this.steps;
    const kinds = this.#kinds;
    let points = 0;
    let histograms = false;
    for (let i = at; i < at + this.steps; i++) {
      if (kinds[i] !== ABSENT) points++;
      if (kinds[i] === HISTOGRAM) histograms = true;
    }
    if (points === 0) return;
    noteCounterName(this.fragment.func, name.labels, kinds, at, this.steps, this.#features, this.notes);
    const shown = this.shown(name);
    if (this.fragment.distinct) this.#signatures.push(signatureOf(shown));
    if (this.#fold && !histograms && this.#fold.add(shown, this.#values, kinds, at)) {
      kinds.fill(0, at, at + this.steps);
      return;
    }
    this.#push(name);
    this.#points += points;
    if (this.#points > this.#limits.maxSamples) throw tooManySamples(this.#limits.maxSamples);
  }

  /** Of the partial aggregate. */
  get groups(): Groups | undefined {
    return this.#fold?.groups;
  }

  /** A series' labels as rows or groups have them. */
  shown({ labels, bare }: SeriesName): Labels {
    return this.#dropNames ? bare : labels;
  }

  #push(name: SeriesName): void {
    if (this.#dropNames && name.bare.length < name.labels.length - 2) this.#losesMore = true;
    this.#labels.push(this.shown(name));
  }

  get dropsNames(): boolean {
    return this.#dropNames;
  }

  /** What the kernel has read. */
  countMany(series: number, samples: number, bytes: number): void {
    this.#series += series;
    this.#samples += samples;
    this.#bytes += bytes;
    if (this.#series > this.#limits.maxSeries) throw tooManySeries(this.#limits.maxSeries);
  }

  /** Whether series whose rows are not kept have to be looked at, too. */
  get needsSeen(): boolean {
    return this.fragment.distinct === true || this.#namesCount;
  }

  /** A series whose points were folded by the kernel. */
  sawFolded(name: SeriesName): void {
    if (this.fragment.distinct) this.#signatures.push(signatureOf(this.shown(name)));
    if (this.#namesCount) noteCounterName(this.fragment.func, name.labels, ONE_FLOAT, 0, 1, this.#features, this.notes);
  }

  /** Rows of floats that the kernel has filled, one behind the other. */
  addRows(
    count: number,
    values: Float64Array,
    kinds: Uint8Array,
    points: number,
    nameOf: (row: number) => SeriesName,
  ): void {
    if (this.fragment.aggregate) {
      for (let row = 0; row < count; row++) {
        const from = row * this.steps;
        const room = this.row();
        room.values.set(values.subarray(from, from + this.steps), room.at);
        room.kinds.set(kinds.subarray(from, from + this.steps), room.at);
        this.endRow(nameOf(row));
      }
      return;
    }
    const { at } = this.row(count);
    this.#values.set(values, at);
    this.#kinds.set(kinds, at);
    for (let row = 0; row < count; row++) {
      const name = nameOf(row);
      if (this.#namesCount) {
        noteCounterName(
          this.fragment.func,
          name.labels,
          kinds,
          row * this.steps,
          this.steps,
          this.#features,
          this.notes,
        );
      }
      this.#push(name);
    }
    this.#points += points;
    if (this.#points > this.#limits.maxSamples) throw tooManySamples(this.#limits.maxSamples);
  }

  /** Partial aggregates that are not in this collector's own. */
  takeFold(fold: KernelFold): void {
    const groups = Math.min(this.groups!.labels.length, fold.groups);
    this.#kernelFold = {
      values: fold.copy(0, groups),
      rests: fold.copy(1, groups),
      counts: fold.copy(2, groups),
      groups,
    };
  }

  columns(timeMs: number): Columns {
    const steps = this.steps;
    const groups = this.#groupRows();
    const partialRows = groups ? groups.labels.length : 0;
    const rows = partialRows + this.#labels.length;
    const values = new Float64Array(rows * steps);
    const present = new Uint8Array((rows * steps + 7) >> 3);
    const offset = partialRows * steps;
    if (groups) {
      values.set(groups.values);
      for (let i = 0; i < offset; i++) if (groups.counts[i]! > 0) present[i >> 3]! |= 1 << (i & 7);
    }
    const own = this.#labels.length * steps;
    values.set(this.#values.subarray(0, own), offset);
    for (let i = 0; i < own; i++) {
      if (this.#kinds[i] !== 0) present[(offset + i) >> 3]! |= 1 << ((offset + i) & 7);
    }
    const histograms = new Map<number, Histogram>();
    for (const [at, h] of this.#histograms)
      if (at < own && this.#kinds[at] === HISTOGRAM) histograms.set(offset + at, h);
    return {
      labels: groups ? [...groups.labels, ...this.#labels] : this.#labels,
      steps,
      values,
      present,
      ...(histograms.size > 0 ? { histograms } : {}),
      annotations: this.notes.list(),
      stats: { series: this.#series, samples: this.#samples, bytes: this.#bytes, timeMs },
      ...(this.fragment.bare && this.#losesMore ? { losesMore: true } : {}),
      ...(this.fragment.distinct ? { signatures: Float64Array.from(this.#signatures) } : {}),
      ...(groups ? { partial: { rows: partialRows, counts: groups.counts, rests: groups.rests } } : {}),
    };
  }

  /** Partial aggregates of the kernel and, behind them, those of series that were folded here. */
  #groupRows(): (Partial & { readonly labels: readonly Labels[] }) | undefined {
    if (!this.#fold) return undefined;
    const folded = this.#kernelFold;
    const labels = folded ? this.#fold.groups.labels.slice(0, folded.groups) : [];
    const own = this.#fold.isEmpty ? undefined : this.#fold.result();
    if (!folded || !own) return own ?? { labels, ...(folded ?? NO_PARTIAL) };
    return {
      labels: [...labels, ...own.labels],
      values: joined(folded.values, own.values),
      counts: joined(folded.counts, own.counts),
      rests: joined(folded.rests, own.rests),
    };
  }
}

/** Of a series whose labels come once. */
export const nameOf = (labels: Labels): SeriesName => ({ labels, bare: dropMetadata(labels) });

/** Points of groups, one group behind the other. */
type Partial = { readonly values: Float64Array; readonly counts: Float64Array; readonly rests: Float64Array };
const NONE = new Float64Array(0);
const NO_PARTIAL: Partial = { values: NONE, counts: NONE, rests: NONE };
const ONE_FLOAT = Uint8Array.of(FLOAT);

function joined(a: Float64Array, b: Float64Array): Float64Array {
  const all = new Float64Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

/** 53 bits that are the same for the same labels, and hardly ever for others. */
function signatureOf(labels: Labels): number {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (const text of labels) {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      a = Math.imul(a ^ code, 0x01000193);
      b = Math.imul(b, 31) + code;
    }
    a = Math.imul(a ^ 0xffff, 0x01000193);
    b = Math.imul(b ^ (b >>> 15), 0x85ebca6b);
  }
  return ((a ^ (a >>> 15)) >>> 0) * 2 ** 21 + (((b ^ (b >>> 13)) >>> 0) & 0x1fffff);
}

/** The running partial aggregate of a shard: value, compensation and number of samples per group and step. */
class Fold {
  readonly groups: Groups;
  readonly #op: string;
  readonly #steps: number;
  #values = new Float64Array(0);
  #compensation = new Float64Array(0);
  #counts = new Float64Array(0);
  /** An average whose sum overflows needs all its samples in one place: from then on rows are kept. */
  #overflowed = false;

  constructor(fragment: Fragment, steps: number) {
    const { op, by, labels } = fragment.aggregate!;
    this.#op = op;
    this.#steps = steps;
    this.groups = new Groups({ without: !by, labels });
  }

  add(labels: Labels, values: Float64Array, kinds: Uint8Array, from: number): boolean {
    if (this.#op === 'avg' && (this.#overflowed || this.#wouldOverflow(values, kinds, from))) {
      this.#overflowed = true;
      return false;
    }
    const steps = this.#steps;
    const base = this.groups.of(labels) * steps;
    this.#reserve(base + steps);
    const [sums, compensation, counts] = [this.#values, this.#compensation, this.#counts];
    const additive = this.#op === 'sum' || this.#op === 'avg';
    const sign = this.#op === 'max' ? 1 : this.#op === 'min' ? -1 : 0;
    for (let i = 0; i < steps; i++) {
      if (kinds[from + i] !== FLOAT) continue;
      const at = base + i;
      const value = values[from + i]!;
      const count = counts[at]!++;
      if (count === 0) sums[at] = value;
      else if (additive) {
        compensation[at] = kahanStep(sums[at]!, value, compensation[at]!);
        sums[at]! += value;
      } else if (sign !== 0 && (sign * value > sign * sums[at]! || Number.isNaN(sums[at]!))) sums[at] = value;
    }
    return true;
  }

  /** Values beyond this cannot be added up safely by the thousand. */
  #wouldOverflow(values: Float64Array, kinds: Uint8Array, from: number): boolean {
    for (let i = from; i < from + this.#steps; i++) if (kinds[i] === FLOAT && Math.abs(values[i]!) > 1e290) return true;
    return false;
  }

  get isEmpty(): boolean {
    return this.#counts.length === 0;
  }

  #reserve(points: number): void {
    if (points <= this.#values.length) return;
    const length = Math.max(points, this.#values.length * 2, 16 * this.#steps);
    const grown = (old: Float64Array) => {
      const next = new Float64Array(length);
      next.set(old);
      return next;
    };
    this.#values = grown(this.#values);
    this.#compensation = grown(this.#compensation);
    this.#counts = grown(this.#counts);
  }

  result(): { labels: readonly Labels[]; values: Float64Array; counts: Float64Array; rests: Float64Array } {
    const points = this.groups.labels.length * this.#steps;
    this.#reserve(points);
    const [values, counts, rests] = [this.#values, this.#counts, this.#compensation].map((all) => all.slice(0, points));
    return { labels: this.groups.labels, values: values!, counts: counts!, rests: rests! };
  }
}
