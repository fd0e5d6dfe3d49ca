// Aggregation of rows into groups: sum, avg, count, min, max, group, stddev, stdvar and quantile. Rows come one by one,
// so that partial results of shards can be folded in like samples: a partial sum with the number of samples behind it.

import type { Histogram } from '#model/histogram.ts';
import { type Labels, labelsKey, labelValue } from '#model/labels.ts';
import { quantileOf } from '../functions/quantile.ts';
import { kahanStep } from '../histogram/kahan.ts';
import { HistogramSum } from '../histogram/sum.ts';
import type { Aggregator } from '../parse/ast.ts';
import type { Pace } from './pace.ts';
import { FLOAT, HISTOGRAM, type Vector, withoutEmptyRows } from './vector.ts';

export type Grouping = { readonly without: boolean; readonly labels: readonly string[] };

/** What is reported while aggregating; the position is that of the aggregated expression. */
export type Report = (code: string, metric: string) => void;

/** The labels of the group that a series belongs to. */
export function groupLabels(labels: Labels, grouping: Grouping): Labels {
  const flat: string[] = [];
  if (!grouping.without && grouping.labels.length === 0) return flat;
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!;
    const listed = grouping.labels.includes(name);
    if (grouping.without ? !listed && name !== '__name__' : listed) flat.push(name, labels[i + 1]!);
  }
  return flat;
}

/** Groups in the order in which they are met. */
export class Groups {
  readonly labels: Labels[] = [];
  readonly #grouping: Grouping;
  readonly #byKey = new Map<string, number>();

  constructor(grouping: Grouping) {
    this.#grouping = grouping;
  }

  of(labels: Labels): number {
    const group = groupLabels(labels, this.#grouping);
    const key = labelsKey(group);
    let index = this.#byKey.get(key);
    if (index === undefined) {
      index = this.labels.length;
      this.#byKey.set(key, index);
      this.labels.push(group);
    }
    return index;
  }
}

const SEEN_FLOAT = 1;
const SEEN_HISTOGRAM = 2;
const INCOMPATIBLE = 4;
/** The sum has overflowed and goes on as a running mean. */
const RUNNING_MEAN = 8;

export class Aggregation {
  readonly #op: Aggregator;
  readonly #steps: number;
  readonly #report: Report;
  readonly #groups: Groups;
  #capacity = 0;
  /** Per group and step: the sum, extreme or (stddev) the squares; compensation or mean; number of samples. */
  #values = new Float64Array(0);
  #seconds = new Float64Array(0);
  #counts = new Float64Array(0);
  #flags = new Uint8Array(0);
  #dropName: number[] = [];
  readonly #sums = new Map<number, HistogramSum>();
  readonly #lists = new Map<number, number[]>();

  constructor(op: Aggregator, grouping: Grouping, steps: number, report: Report) {
    this.#op = op;
    this.#steps = steps;
    this.#report = report;
    this.#groups = new Groups(grouping);
  }

  async addVector(vector: Vector, pace: Pace): Promise<void> {
    const { labels, steps } = vector;
    for (let row = 0; row < labels.length; row++) {
      this.addRow(vector, row, labels[row]!);
      if (pace.did(10 + steps)) await pace.giveWay();
    }
  }

  addRow(vector: Vector, row: number, labels: Labels): void {
    const { steps, values, kinds, histograms } = vector;
    const group = this.#groups.of(labels);
    this.#reserve(group);
    if (vector.dropName[row]) this.#dropName[group] = 1;
    const from = row * steps;
    const base = group * steps;
    if (!histograms && this.#addFloats(values, kinds, from, base)) return;
    const metric = histograms ? labelValue(labels, '__name__') : '';
    for (let step = 0; step < steps; step++) {
      const kind = kinds[from + step];
      if (kind === FLOAT) this.#float(base + step, values[from + step]!);
      else if (kind === HISTOGRAM) this.#histogram(base + step, histograms!.get(from + step)!, metric);
    }
  }

  /** A partial result of a shard: `counts` samples folded into each value, and what rounding took from it. */
  addPartial(
    values: Float64Array,
    { counts, rests }: { readonly counts: Float64Array; readonly rests: Float64Array },
    from: number,
    labels: Labels,
  ): void {
    const group = this.#groups.of(labels);
    this.#reserve(group);
    for (let step = 0; step < this.#steps; step++) {
      const count = counts[from + step]!;
      if (count === 0) continue;
      const at = group * this.#steps + step;
      const before = this.#counts[at]!;
      if (this.#op === 'count' || this.#op === 'group') this.#flags[at]! |= SEEN_FLOAT;
      else {
        this.#float(at, values[from + step]!);
        if (this.#op === 'sum' || this.#op === 'avg') this.#seconds[at]! += rests[from + step]!;
      }
      this.#counts[at] = before + count;
    }
  }

  /** The common operators in plain loops. Returns whether there was one for this operator. */
  #addFloats(values: Float64Array, kinds: Uint8Array, from: number, base: number): boolean {
    const sums = this.#values;
    const seconds = this.#seconds;
    const counts = this.#counts;
    const flags = this.#flags;
    const steps = this.#steps;
    const op = this.#op;
    if (op === 'sum') {
      for (let step = 0; step < steps; step++) {
        if (kinds[from + step] !== FLOAT) continue;
        const at = base + step;
        const value = values[from + step]!;
        if ((flags[at]! & SEEN_FLOAT) === 0) sums[at] = value;
        else {
          seconds[at] = kahanStep(sums[at]!, value, seconds[at]!);
          sums[at]! += value;
        }
        counts[at]!++;
        flags[at]! |= SEEN_FLOAT;
      }
      return true;
    }
    if (op === 'max' || op === 'min') {
      const sign = op === 'max' ? 1 : -1;
      for (let step = 0; step < steps; step++) {
        if (kinds[from + step] !== FLOAT) continue;
        const at = base + step;
        const value = values[from + step]!;
        const best = sums[at]!;
        if ((flags[at]! & SEEN_FLOAT) === 0 || sign * value > sign * best || Number.isNaN(best)) sums[at] = value;
        flags[at]! |= SEEN_FLOAT;
      }
      return true;
    }
    return false;
  }

  #reserve(group: number): void {
    if (group < this.#capacity) return;
    this.#capacity = Math.max(16, group + 1, this.#capacity * 2);
    const points = this.#capacity * this.#steps;
    const grown = (old: Float64Array) => {
      const next = new Float64Array(points);
      next.set(old);
      return next;
    };
    this.#values = grown(this.#values);
    this.#seconds = grown(this.#seconds);
    this.#counts = grown(this.#counts);
    const flags = new Uint8Array(points);
    flags.set(this.#flags);
    this.#flags = flags;
  }

  #float(at: number, value: number): void {
    const first = (this.#flags[at]! & (SEEN_FLOAT | SEEN_HISTOGRAM)) === 0;
    if (this.#flags[at]! & INCOMPATIBLE) return;
    this.#flags[at]! |= SEEN_FLOAT;
    this.#counts[at]!++;
    switch (this.#op) {
      case 'sum':
        if (first) this.#values[at] = value;
        else {
          this.#seconds[at] = kahanStep(this.#values[at]!, value, this.#seconds[at]!);
          this.#values[at]! += value;
        }
        break;
      case 'avg':
        this.#mean(at, value, first);
        break;
      case 'min':
        if (first || value < this.#values[at]! || Number.isNaN(this.#values[at]!)) this.#values[at] = value;
        break;
      case 'max':
        if (first || value > this.#values[at]! || Number.isNaN(this.#values[at]!)) this.#values[at] = value;
        break;
      case 'stddev':
      case 'stdvar':
        if (first) {
          this.#seconds[at] = value;
          this.#values[at] = Number.isFinite(value) ? 0 : Number.NaN;
        } else {
          const delta = value - this.#seconds[at]!;
          this.#seconds[at]! += delta / this.#counts[at]!;
          this.#values[at]! += delta * (value - this.#seconds[at]!);
        }
        break;
      case 'quantile': {
        const list = this.#lists.get(at);
        if (list) list.push(value);
        else this.#lists.set(at, [value]);
        break;
      }
    }
  }

  #mean(at: number, value: number, first: boolean): void {
    if (first) {
      this.#values[at] = value;
      return;
    }
    const count = this.#counts[at]!;
    if (!(this.#flags[at]! & RUNNING_MEAN)) {
      const sum = this.#values[at]!;
      const next = sum + value;
      if (next !== Infinity && next !== -Infinity) {
        this.#seconds[at] = kahanStep(sum, value, this.#seconds[at]!);
        this.#values[at] = next;
        return;
      }
      this.#flags[at]! |= RUNNING_MEAN;
      this.#values[at]! /= count - 1;
      this.#seconds[at]! /= count - 1;
    }
    const weight = (count - 1) / count;
    const scaled = weight * this.#values[at]!;
    this.#seconds[at] = kahanStep(scaled, value / count, weight * this.#seconds[at]!);
    this.#values[at] = scaled + value / count;
  }

  #histogram(at: number, h: Histogram, metric: string): void {
    if (this.#flags[at]! & INCOMPATIBLE) return;
    switch (this.#op) {
      case 'sum':
      case 'avg': {
        const sum = this.#sums.get(at);
        if (!sum) {
          // After floats the result is void anyway; the histogram is only noted.
          if (!(this.#flags[at]! & SEEN_FLOAT)) this.#sums.set(at, new HistogramSum(h, this.#op === 'avg'));
        } else {
          sum.add(h);
          if (sum.notes.incompatible) {
            this.#report('mixed_exponential_custom', metric);
            this.#flags[at]! |= INCOMPATIBLE;
          }
        }
        break;
      }
      case 'count':
      case 'group':
        break;
      default:
        this.#report(`ignored_in_aggregation/${this.#op}`, '');
        return;
    }
    this.#counts[at]!++;
    this.#flags[at]! |= SEEN_HISTOGRAM;
  }

  /** `quantiles`: the parameter at each step, for that operator. */
  result(quantiles?: Float64Array): Vector {
    const steps = this.#steps;
    const { labels } = this.#groups;
    const points = labels.length * steps;
    const values = new Float64Array(points);
    const kinds = new Uint8Array(points);
    let histograms: Map<number, Histogram> | undefined;
    const seenHistograms = this.#sums.size > 0;
    for (let at = 0; at < points; at++) {
      const flags = this.#flags[at]!;
      if ((flags & (SEEN_FLOAT | SEEN_HISTOGRAM)) === 0) continue;
      const sum = seenHistograms ? this.#sums.get(at) : undefined;
      if (sum?.notes.reconciled) this.#report('mismatched_custom_buckets/aggregation', '');
      if (flags & INCOMPATIBLE) continue;
      const additive = this.#op === 'sum' || this.#op === 'avg';
      if (additive && flags & SEEN_FLOAT && flags & SEEN_HISTOGRAM) {
        this.#report('mixed_floats_histograms_aggregation', '');
        continue;
      }
      if (sum) {
        if (sum.notes.resetSeen && sum.notes.notResetSeen) this.#report('reset_collision/aggregation', '');
        histograms ??= new Map();
        histograms.set(at, sum.result());
        kinds[at] = HISTOGRAM;
      } else {
        kinds[at] = FLOAT;
        values[at] = this.#valueAt(at, quantiles?.[at % steps] ?? Number.NaN);
      }
    }
    const dropName = Uint8Array.from(labels, (_, group) => this.#dropName[group] ?? 0);
    return withoutEmptyRows({ steps, labels, dropName, values, kinds, histograms });
  }

  #valueAt(at: number, q: number): number {
    switch (this.#op) {
      case 'sum':
        return this.#values[at]! + this.#seconds[at]!;
      case 'avg': {
        if (this.#flags[at]! & RUNNING_MEAN) return this.#values[at]! + this.#seconds[at]!;
        const count = this.#counts[at]!;
        return this.#values[at]! / count + this.#seconds[at]! / count;
      }
      case 'count':
        return this.#counts[at]!;
      case 'group':
        return 1;
      case 'stdvar':
        return this.#values[at]! / this.#counts[at]!;
      case 'stddev':
        return Math.sqrt(this.#values[at]! / this.#counts[at]!);
      case 'quantile':
        return quantileOf(q, Float64Array.from(this.#lists.get(at)!));
      default:
        return this.#values[at]!;
    }
  }
}

export async function aggregate(
  vector: Vector,
  op: Aggregator,
  grouping: Grouping,
  report: Report,
  pace: Pace,
  quantiles?: Float64Array,
): Promise<Vector> {
  const aggregation = new Aggregation(op, grouping, vector.steps, report);
  await aggregation.addVector(vector, pace);
  return aggregation.result(quantiles);
}
