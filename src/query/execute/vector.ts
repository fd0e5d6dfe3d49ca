// What expressions evaluate to: series x steps, row by row in one Float64Array. `kinds` says what each point is, so that
// absent points need no value and histograms are found in their map. Vectors are shared between consumers: nobody changes one
// that somebody else made.

import { assert } from '#base/assert.ts';
import type { Histogram } from '#model/histogram.ts';
import { dropMetadata, type Labels, labelsKey } from '#model/labels.ts';
import type { Columns } from '#model/query.ts';
import { SAME_LABELSET } from './errors.ts';

export const ABSENT = 0;
export const FLOAT = 1;
export const HISTOGRAM = 2;

export type Vector = {
  readonly steps: number;
  readonly labels: readonly Labels[];
  /** Rows whose metric name goes at the very end (delayed name removal). */
  readonly dropName: Uint8Array;
  readonly values: Float64Array;
  /** ABSENT, FLOAT or HISTOGRAM for each point. */
  readonly kinds: Uint8Array;
  /** By point index; undefined when there is none at all. */
  readonly histograms: Map<number, Histogram> | undefined;
};

export type Scalar = Float64Array;

export const emptyVector = (steps: number): Vector => ({
  steps,
  labels: [],
  dropName: new Uint8Array(0),
  values: new Float64Array(0),
  kinds: new Uint8Array(0),
  histograms: undefined,
});

export function vectorFromColumns(columns: Columns): Vector {
  const { labels, steps, values, present, histograms } = columns;
  const points = labels.length * steps;
  const kinds = new Uint8Array(points);
  for (let from = 0; from < points; from += 8) {
    const byte = present[from >> 3]!;
    if (byte === 0xff && from + 8 <= points) kinds.fill(FLOAT, from, from + 8);
    else for (let i = from; i < points && i < from + 8; i++) kinds[i] = (byte >> (i & 7)) & 1;
  }
  if (histograms) for (const at of histograms.keys()) kinds[at] = HISTOGRAM;
  const map = histograms && histograms.size > 0 ? new Map(histograms) : undefined;
  return { steps, labels, dropName: new Uint8Array(labels.length), values, kinds, histograms: map };
}

export function countPoints(vector: Vector): number {
  let count = 0;
  const { kinds } = vector;
  for (let i = 0; i < kinds.length; i++) if (kinds[i] !== ABSENT) count++;
  return count;
}

/** The same points under other labels. */
export function relabeled(vector: Vector, labels: readonly Labels[], dropName = vector.dropName): Vector {
  return { ...vector, labels, dropName };
}

/**
 * Marks names as dropped: at once, or at the end if removal is delayed. Rows that become equal are an error, as they
 * would be in Prometheus, unless they never meet and `merge` allows it.
 */
export function withoutNames(vector: Vector, delayed: boolean, merge = false): Vector {
  const dropName = new Uint8Array(vector.labels.length).fill(1);
  if (delayed) return { ...vector, dropName };
  const labels = vector.labels.map(dropMetadata);
  const renamed = { ...vector, labels, dropName };
  if (hasOneMetric(vector.labels, labels)) return renamed;
  if (merge) return mergeSame(renamed);
  assertDistinct(labels);
  return renamed;
}

/** Whether all rows have lost the same name and nothing else: then they differ without it as well. */
function hasOneMetric(before: readonly Labels[], after: readonly Labels[]): boolean {
  const name = before[0]?.[1];
  for (let row = 0; row < before.length; row++) {
    const labels = before[row]!;
    if (labels[0] !== '__name__' || labels[1] !== name || after[row]!.length !== labels.length - 2) return false;
  }
  return true;
}

export function assertDistinct(labels: readonly Labels[]): void {
  if (hasDuplicates(labels)) throw SAME_LABELSET();
}

export function hasDuplicates(labels: readonly Labels[]): boolean {
  if (labels.length < 2) return false;
  const seen = new Set<string>();
  for (const set of labels) seen.add(labelsKey(set));
  return seen.size < labels.length;
}

/** Rows with equal labels become one if they have no step in common; otherwise that is an error. */
export function mergeSame(vector: Vector): Vector {
  if (!hasDuplicates(vector.labels)) return vector;
  const builder = new VectorBuilder(vector.steps, vector.labels.length);
  vector.labels.forEach((labels, row) => {
    const target = builder.row(labels, vector.dropName[row] === 1);
    for (let step = 0; step < vector.steps; step++) {
      const at = row * vector.steps + step;
      if (vector.kinds[at] === HISTOGRAM) builder.histogram(target, step, vector.histograms!.get(at)!);
      else if (vector.kinds[at] === FLOAT) builder.float(target, step, vector.values[at]!);
    }
  });
  return builder.build();
}

/** Keeps the rows for which `keep` holds. */
export function selectRows(vector: Vector, keep: (row: number) => boolean): Vector {
  const rows: number[] = [];
  for (let row = 0; row < vector.labels.length; row++) if (keep(row)) rows.push(row);
  return rows.length === vector.labels.length ? vector : takeRows(vector, rows);
}

export function takeRows(vector: Vector, rows: readonly number[]): Vector {
  const { steps } = vector;
  const values = new Float64Array(rows.length * steps);
  const kinds = new Uint8Array(rows.length * steps);
  const histograms = vector.histograms ? new Map<number, Histogram>() : undefined;
  rows.forEach((row, target) => {
    values.set(vector.values.subarray(row * steps, (row + 1) * steps), target * steps);
    kinds.set(vector.kinds.subarray(row * steps, (row + 1) * steps), target * steps);
    if (!histograms) return;
    for (let step = 0; step < steps; step++) {
      const h = vector.histograms!.get(row * steps + step);
      if (h) histograms.set(target * steps + step, h);
    }
  });
  return {
    steps,
    labels: rows.map((row) => vector.labels[row]!),
    dropName: Uint8Array.from(rows, (row) => vector.dropName[row]!),
    values,
    kinds,
    histograms: histograms && histograms.size > 0 ? histograms : undefined,
  };
}

export function rowHasPoints(vector: Vector, row: number): boolean {
  const end = (row + 1) * vector.steps;
  for (let at = row * vector.steps; at < end; at++) if (vector.kinds[at] !== ABSENT) return true;
  return false;
}

export const withoutEmptyRows = (vector: Vector): Vector => selectRows(vector, (row) => rowHasPoints(vector, row));

/** Collects points in any order into rows, one per label set. */
export class VectorBuilder {
  readonly #steps: number;
  readonly #rows = new Map<string, number>();
  readonly #labels: Labels[] = [];
  readonly #dropName: number[] = [];
  #values: Float64Array;
  #kinds: Uint8Array;
  #histograms: Map<number, Histogram> | undefined;

  constructor(steps: number, expectedRows = 16) {
    this.#steps = steps;
    this.#values = new Float64Array(Math.max(1, expectedRows) * steps);
    this.#kinds = new Uint8Array(Math.max(1, expectedRows) * steps);
  }

  /** The row of these labels, made on first use. */
  row(labels: Labels, dropName: boolean, key = labelsKey(labels)): number {
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = this.#labels.length;
      this.#rows.set(key, row);
      this.#labels.push(labels);
      this.#dropName.push(0);
      const needed = (row + 1) * this.#steps;
      if (needed > this.#values.length) this.#grow(needed);
    }
    if (dropName) this.#dropName[row] = 1;
    return row;
  }

  #grow(needed: number): void {
    const values = new Float64Array(Math.max(needed, this.#values.length * 2));
    const kinds = new Uint8Array(values.length);
    values.set(this.#values);
    kinds.set(this.#kinds);
    this.#values = values;
    this.#kinds = kinds;
  }

  float(row: number, step: number, value: number): void {
    const at = row * this.#steps + step;
    if (this.#kinds[at] !== ABSENT) throw SAME_LABELSET();
    this.#kinds[at] = FLOAT;
    this.#values[at] = value;
  }

  histogram(row: number, step: number, value: Histogram): void {
    const at = row * this.#steps + step;
    if (this.#kinds[at] !== ABSENT) throw SAME_LABELSET();
    this.#kinds[at] = HISTOGRAM;
    this.#histograms ??= new Map();
    this.#histograms.set(at, value);
  }

  /** Rows that got no point are left out. */
  build(): Vector {
    const points = this.#labels.length * this.#steps;
    assert(points <= this.#values.length, 'rows beyond the buffer');
    return withoutEmptyRows({
      steps: this.#steps,
      labels: this.#labels,
      dropName: Uint8Array.from(this.#dropName),
      values: this.#values.subarray(0, points),
      kinds: this.#kinds.subarray(0, points),
      histograms: this.#histograms,
    });
  }
}
