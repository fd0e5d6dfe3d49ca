// Binary operators between vectors and scalars, and the set operators. Matching is worked out once per query by the
// signature of each row; only signatures with several rows on a side need a decision at every step.

import type { Histogram } from '#model/histogram.ts';
import { dropMetadata, keepLabels, type Labels, labelsKey, labelValue, withLabel } from '#model/labels.ts';
import { type BinaryExpr, isComparison, type VectorMatching } from '../parse/ast.ts';
import type { Annotations } from './annotations.ts';
import { executionError } from './errors.ts';
import type { LabelMemo } from './label-memo.ts';
import { applyHistograms, applyRow, applyScalar, changesMetric, compare } from './operators.ts';
import type { Pace } from './pace.ts';
import {
  ABSENT,
  FLOAT,
  HISTOGRAM,
  rowHasPoints,
  type Scalar,
  selectRows,
  type Vector,
  VectorBuilder,
  withoutEmptyRows,
  withoutNames,
} from './vector.ts';

export type BinaryPlan = Pick<BinaryExpr, 'op' | 'bool' | 'range'> & { readonly matching?: VectorMatching };

export function scalarBinary(plan: BinaryPlan, left: Scalar, right: Scalar): Scalar {
  return left.map((value, i) => applyScalar(plan.op, value, right[i]!));
}

/** Between a vector and a scalar; `swapped` if the scalar stands on the left. */
export async function vectorScalar(
  plan: BinaryPlan,
  vector: Vector,
  scalar: Scalar,
  swapped: boolean,
  delayed: boolean,
  annotations: Annotations,
  pace: Pace,
): Promise<Vector> {
  const { op, bool } = plan;
  const { steps, labels } = vector;
  const values = new Float64Array(vector.values.length);
  const kinds = new Uint8Array(vector.kinds.length);
  const histograms = vector.histograms ? new Map<number, Histogram>() : undefined;
  const constant = { values: scalar, kinds: undefined, at: 0 };
  for (let row = 0; row < labels.length; row++) {
    const at = row * steps;
    const operand = { values: vector.values, kinds: vector.kinds, at };
    // Comparisons keep the vector's value, on whichever side it stands.
    applyRow(
      op,
      bool,
      swapped ? constant : operand,
      swapped ? operand : constant,
      steps,
      { values, kinds, at },
      swapped,
    );
    if (pace.did(steps)) await pace.giveWay();
  }
  for (const [at, h] of vector.histograms ?? []) {
    const number = scalar[at % steps]!;
    const result = applyHistograms(plan, swapped ? number : h, swapped ? h : number, annotations);
    if (!result) continue;
    if (bool) {
      kinds[at] = FLOAT;
      values[at] = result.keep ? 1 : 0;
    } else if (result.keep && result.histogram) {
      kinds[at] = HISTOGRAM;
      histograms!.set(at, result.histogram);
    }
  }
  if (op === '</' || op === '>/') {
    if (vector.kinds.includes(FLOAT)) annotations.incompatibleTypes(op, 'float', 'float', plan.range);
    for (let i = 0; i < kinds.length; i++) if (kinds[i] === FLOAT) kinds[i] = ABSENT;
  }
  const result = withoutEmptyRows({ ...vector, values, kinds, histograms: histograms?.size ? histograms : undefined });
  return changesMetric(op) || bool ? withoutNames(result, delayed) : result;
}

/** Rows by what they are matched on. */
function signatures(labels: readonly Labels[], matching: VectorMatching, memo: LabelMemo): string[] {
  const listed = new Set(matching.labels);
  const known = memo.of<string>(`signature ${matching.on} ${labelsKey(matching.labels)}`);
  return labels.map((set) => {
    let key = known.get(set);
    if (key !== undefined) return key;
    key = '';
    for (let i = 0; i < set.length; i += 2) {
      const name = set[i]!;
      if (matching.on ? listed.has(name) : name !== '__name__' && !listed.has(name))
        key += `${name}\xff${set[i + 1]}\xff`;
    }
    known.set(set, key);
    return key;
  });
}

function bySignature(keys: readonly string[]): Map<string, number[]> {
  const rows = new Map<string, number[]>();
  keys.forEach((key, row) => {
    const list = rows.get(key);
    if (list) list.push(row);
    else rows.set(key, [row]);
  });
  return rows;
}

/** For each signature, at which steps any of its rows has a point. */
function presence(vector: Vector, rows: ReadonlyMap<string, readonly number[]>): Map<string, Uint8Array> {
  const { steps, kinds } = vector;
  const present = new Map<string, Uint8Array>();
  for (const [key, list] of rows) {
    const steps01 = new Uint8Array(steps);
    for (const row of list) for (let i = 0; i < steps; i++) if (kinds[row * steps + i] !== ABSENT) steps01[i] = 1;
    present.set(key, steps01);
  }
  return present;
}

export function setOperation(plan: BinaryPlan, left: Vector, right: Vector, memo: LabelMemo): Vector {
  const matching = plan.matching!;
  const leftKeys = signatures(left.labels, matching, memo);
  const rightKeys = signatures(right.labels, matching, memo);
  if (plan.op === 'or') return union(left, right, presence(left, bySignature(leftKeys)), rightKeys);
  const present = presence(right, bySignature(rightKeys));
  const wanted = plan.op === 'and';
  return masked(left, (row, step) => (present.get(leftKeys[row]!)?.[step] === 1) === wanted);
}

/** The points for which `keep` holds. */
function masked(vector: Vector, keep: (row: number, step: number) => boolean): Vector {
  const { steps } = vector;
  const kinds = vector.kinds.slice();
  for (let row = 0; row < vector.labels.length; row++) {
    for (let step = 0; step < steps; step++) if (!keep(row, step)) kinds[row * steps + step] = ABSENT;
  }
  return withoutEmptyRows({ ...vector, kinds });
}

function union(
  left: Vector,
  right: Vector,
  leftPresent: Map<string, Uint8Array>,
  rightKeys: readonly string[],
): Vector {
  const rest = masked(right, (row, step) => leftPresent.get(rightKeys[row]!)?.[step] !== 1);
  if (rest.labels.length === 0) return left;
  const builder = new VectorBuilder(left.steps, left.labels.length + rest.labels.length);
  for (const side of [left, rest]) copyRows(side, builder);
  return builder.build();
}

function copyRows(vector: Vector, builder: VectorBuilder): void {
  const { steps, kinds, values, histograms } = vector;
  vector.labels.forEach((labels, row) => {
    if (!rowHasPoints(vector, row)) return;
    const target = builder.row(labels, vector.dropName[row] === 1);
    for (let step = 0; step < steps; step++) {
      const at = row * steps + step;
      if (kinds[at] === FLOAT) builder.float(target, step, values[at]!);
      else if (kinds[at] === HISTOGRAM) builder.histogram(target, step, histograms!.get(at)!);
    }
  });
}

export async function vectorBinary(
  plan: BinaryPlan,
  left: Vector,
  right: Vector,
  delayed: boolean,
  annotations: Annotations,
  pace: Pace,
  memo: LabelMemo,
): Promise<Vector> {
  const matching = plan.matching!;
  const filled = matching.fillLeft !== undefined || matching.fillRight !== undefined;
  const none = left.labels.length === 0 ? right.labels.length === 0 || !filled : right.labels.length === 0 && !filled;
  if (none) return selectRows(left, () => false);
  const swapped = matching.card === 'one-to-many';
  return new Join(plan, swapped ? right : left, swapped ? left : right, swapped, delayed, annotations, memo).run(pace);
}

type Result = { readonly one: Labels; readonly labels: Labels; readonly key: string };

/** The join of a "many" with a "one" side; one-to-one is the case where neither has duplicates. */
class Join {
  readonly #plan: BinaryPlan;
  readonly #matching: VectorMatching;
  readonly #many: Vector;
  readonly #one: Vector;
  readonly #swapped: boolean;
  readonly #dropAtOnce: boolean;
  readonly #annotations: Annotations;
  readonly #builder: VectorBuilder;
  readonly #fillOne: number | undefined;
  readonly #fillMany: number | undefined;
  readonly #manyActive: Uint8Array;
  readonly #memo: LabelMemo;
  /** What rows of the "many" side have become, and by which row of the other. */
  readonly #results: WeakMap<Labels, Result>;
  readonly #out: { readonly values: Float64Array; readonly kinds: Uint8Array; readonly at: number };

  constructor(
    plan: BinaryPlan,
    many: Vector,
    one: Vector,
    swapped: boolean,
    delayed: boolean,
    annotations: Annotations,
    memo: LabelMemo,
  ) {
    const matching = plan.matching!;
    this.#plan = plan;
    this.#matching = matching;
    this.#many = many;
    this.#one = one;
    this.#swapped = swapped;
    this.#dropAtOnce = changesMetric(plan.op) || (plan.bool && !delayed);
    this.#annotations = annotations;
    this.#builder = new VectorBuilder(many.steps, many.labels.length);
    this.#fillOne = matching.fillRight;
    this.#fillMany = matching.fillLeft;
    this.#manyActive = activeSteps(many);
    this.#memo = memo;
    const { card, on, labels, include } = matching;
    this.#results = memo.of(`join ${this.#dropAtOnce} ${card} ${on} ${labelsKey(labels)} ${labelsKey(include)}`);
    this.#out = { values: new Float64Array(many.steps), kinds: new Uint8Array(many.steps), at: 0 };
  }

  async run(pace: Pace): Promise<Vector> {
    const manyKeys = signatures(this.#many.labels, this.#matching, this.#memo);
    const oneKeys = signatures(this.#one.labels, this.#matching, this.#memo);
    const manyRows = bySignature(manyKeys);
    const oneRows = bySignature(oneKeys);
    for (const rows of oneRows.values()) if (rows.length > 1) this.#refuseDuplicates(rows);
    for (const [key, rows] of manyRows) {
      this.#joinGroup(rows, oneRows.get(key) ?? []);
      if (pace.did(rows.length * (20 + this.#many.steps))) await pace.giveWay();
    }
    if (this.#fillMany !== undefined) {
      for (const [key, rows] of oneRows) this.#fillGroup(rows, manyRows.get(key) ?? []);
    }
    return this.#builder.build();
  }

  /** Two series of the "one" side with the same signature at the same step. */
  #refuseDuplicates(rows: readonly number[]): void {
    const { steps, kinds, labels } = this.#one;
    for (let step = 0; step < steps; step++) {
      const filled = this.#fillOne !== undefined || this.#fillMany !== undefined;
      if (!this.#manyActive[step] && !filled) continue;
      const present = rows.filter((row) => kinds[row * steps + step] !== ABSENT);
      if (present.length < 2) continue;
      const matched = printLabels(matchLabels(labels[present[0]!]!, this.#matching));
      const [first, second] = present
        .slice(0, 2)
        .map((row) => printLabels(labels[row]!))
        .sort();
      const side = this.#swapped ? 'left' : 'right';
      throw executionError(
        `found duplicate series for the match group ${matched} on the ${side} hand-side of the operation: [${first}, ${second}]` +
          ';many-to-many matching not allowed: matching labels must be unique on one side',
      );
    }
  }

  #joinGroup(manyRows: readonly number[], oneRows: readonly number[]): void {
    if (oneRows.length === 0 && this.#fillOne === undefined) return;
    const simple = oneRows.length === 1 && this.#fillOne === undefined;
    if (simple && (manyRows.length === 1 || this.#matching.card !== 'one-to-one')) {
      const results = manyRows.length > 1 ? new Map<string, number[]>() : undefined;
      for (const many of manyRows) this.#joinPair(many, oneRows[0]!, results);
      return;
    }
    const { steps } = this.#many;
    const claimed = new Map<string, Uint8Array>();
    for (const many of manyRows) {
      for (let step = 0; step < steps; step++) {
        if (this.#many.kinds[many * steps + step] === ABSENT) continue;
        const one = oneRows.find((row) => this.#one.kinds[row * steps + step] !== ABSENT);
        if (one === undefined && this.#fillOne === undefined) continue;
        const oneLabels =
          one === undefined ? matchLabels(this.#many.labels[many]!, this.#matching) : this.#one.labels[one]!;
        const b = one === undefined ? this.#fillOne! : elementAt(this.#one, one, step);
        this.#element(this.#many.labels[many]!, elementAt(this.#many, many, step), oneLabels, b, step, claimed);
      }
    }
  }

  /** The ordinary case: one row meets one row. `results` tells which rows of the group have made a label set so far. */
  #joinPair(many: number, one: number, results: Map<string, number[]> | undefined): void {
    const { steps, histograms } = this.#many;
    const { labels, key } = this.#resultOf(this.#many.labels[many]!, this.#one.labels[one]!);
    if (results) this.#refuseMeeting(many, key, results);
    if (histograms || this.#one.histograms || this.#plan.op === '</' || this.#plan.op === '>/') {
      const claimed = new Map<string, Uint8Array>();
      for (let step = 0; step < steps; step++) {
        if (this.#many.kinds[many * steps + step] === ABSENT || this.#one.kinds[one * steps + step] === ABSENT)
          continue;
        const [a, b] = [elementAt(this.#many, many, step), elementAt(this.#one, one, step)];
        this.#element(this.#many.labels[many]!, a, this.#one.labels[one]!, b, step, claimed);
      }
      return;
    }
    const out = this.#out;
    out.kinds.fill(0);
    const a = { values: this.#many.values, kinds: this.#many.kinds, at: many * steps };
    const b = { values: this.#one.values, kinds: this.#one.kinds, at: one * steps };
    const { op, bool } = this.#plan;
    applyRow(op, bool, this.#swapped ? b : a, this.#swapped ? a : b, steps, out, false);
    let row = -1;
    for (let step = 0; step < steps; step++) {
      if (out.kinds[step] !== FLOAT) continue;
      if (row < 0) row = this.#builder.row(labels, bool, key);
      this.#builder.float(row, step, out.values[step]!);
    }
  }

  /** Rows of one group that would make the same series must not have a step in common. */
  #refuseMeeting(many: number, key: string, results: Map<string, number[]>): void {
    const { steps, kinds } = this.#many;
    const others = results.get(key);
    if (!others) {
      results.set(key, [many]);
      return;
    }
    for (const other of others) {
      for (let step = 0; step < steps; step++) {
        if (kinds[many * steps + step] === ABSENT || kinds[other * steps + step] === ABSENT) continue;
        throw executionError('multiple matches for labels: grouping labels must ensure unique matches');
      }
    }
    others.push(many);
  }

  /** Points of the "one" side that met nothing, against the fill value of the other. */
  #fillGroup(oneRows: readonly number[], manyRows: readonly number[]): void {
    const { steps } = this.#one;
    const claimed = new Map<string, Uint8Array>();
    for (const one of oneRows) {
      for (let step = 0; step < steps; step++) {
        if (this.#one.kinds[one * steps + step] === ABSENT) continue;
        if (manyRows.some((row) => this.#many.kinds[row * steps + step] !== ABSENT)) continue;
        const labels = matchLabels(this.#one.labels[one]!, this.#matching);
        this.#element(labels, this.#fillMany!, this.#one.labels[one]!, elementAt(this.#one, one, step), step, claimed);
      }
    }
  }

  #element(
    manyLabels: Labels,
    many: number | Histogram,
    oneLabels: Labels,
    one: number | Histogram,
    step: number,
    claimed: Map<string, Uint8Array>,
  ): void {
    const { op, bool } = this.#plan;
    const a = this.#swapped ? one : many;
    const b = this.#swapped ? many : one;
    let float = 0;
    let histogram: Histogram | undefined;
    let keep = true;
    if (typeof a === 'number' && typeof b === 'number') {
      if (op === '</' || op === '>/') {
        this.#annotations.incompatibleTypes(op, 'float', 'float', this.#plan.range);
        return;
      }
      if (isComparison(op)) {
        keep = compare(op, a, b);
        float = a;
      } else float = applyScalar(op, a, b);
    } else {
      const result = applyHistograms(this.#plan, a, b, this.#annotations);
      if (!result) return;
      ({ keep, histogram, float } = result);
    }
    if (bool) {
      histogram = undefined;
      float = keep ? 1 : 0;
    }
    const labels = this.#resultLabels(manyLabels, oneLabels);
    this.#claim(labels, step, claimed);
    if (!keep && !bool) return;
    const row = this.#builder.row(labels, bool);
    if (histogram) this.#builder.histogram(row, step, histogram);
    else this.#builder.float(row, step, float);
  }

  /** Within a match group every result must be distinct, one-to-one there may be only one at all. */
  #claim(labels: Labels, step: number, claimed: Map<string, Uint8Array>): void {
    const oneToOne = this.#matching.card === 'one-to-one';
    const key = oneToOne ? '' : labelsKey(labels);
    let steps = claimed.get(key);
    if (!steps) {
      steps = new Uint8Array(this.#many.steps);
      claimed.set(key, steps);
    }
    if (steps[step]) {
      throw executionError(
        oneToOne
          ? 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)'
          : 'multiple matches for labels: grouping labels must ensure unique matches',
      );
    }
    steps[step] = 1;
  }

  #resultOf(many: Labels, one: Labels): Result {
    let result = this.#results.get(many);
    if (result?.one === one) return result;
    const labels = this.#resultLabels(many, one);
    result = { one, labels, key: labelsKey(labels) };
    this.#results.set(many, result);
    return result;
  }

  #resultLabels(many: Labels, one: Labels): Labels {
    const matching = this.#matching;
    let labels = this.#dropAtOnce ? dropMetadata(many) : many;
    if (matching.card === 'one-to-one') {
      labels = keepLabels(labels, (name) => matching.labels.includes(name) === matching.on);
    }
    for (const name of matching.include) labels = withLabel(labels, name, labelValue(one, name));
    return labels;
  }
}

const elementAt = (vector: Vector, row: number, step: number): number | Histogram => {
  const at = row * vector.steps + step;
  return vector.kinds[at] === HISTOGRAM ? vector.histograms!.get(at)! : vector.values[at]!;
};

function activeSteps(vector: Vector): Uint8Array {
  const { steps, kinds } = vector;
  const active = new Uint8Array(steps);
  for (let at = 0; at < kinds.length; at++) if (kinds[at] !== ABSENT) active[at % steps] = 1;
  return active;
}

/** The labels by which a series is matched. */
export const matchLabels = (labels: Labels, matching: VectorMatching): Labels =>
  keepLabels(labels, (name) =>
    matching.on ? matching.labels.includes(name) : name !== '__name__' && !matching.labels.includes(name),
  );

/** As Prometheus' errors show series: every label in braces, the name too. */
export function printLabels(labels: Labels): string {
  const parts: string[] = [];
  for (let i = 0; i < labels.length; i += 2) parts.push(`${labels[i]}=${JSON.stringify(labels[i + 1])}`);
  return `{${parts.join(', ')}}`;
}
