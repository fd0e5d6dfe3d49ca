// Carries out a plan: every node once, inputs first and side by side, above the columns that the fragment source yields.
// Long work gives way to the event loop between nodes.

import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import { dropMetadata } from '#model/labels.ts';
import {
  type Columns,
  type Fragment,
  type FragmentSource,
  type FragmentStats,
  type Grid,
  gridLength,
  type QueryLimits,
  type RawSeries,
} from '#model/query.ts';
import { absentRows, infoFragments, joinInfo } from '../functions/absent-info.ts';
import { applyHistogramFunction, fractions, isHistogramFunction, quantiles } from '../functions/histograms.ts';
import { applyFloats, DATE_FUNCTIONS, FLOAT_FUNCTIONS, goMax, goMin } from '../functions/instant.ts';
import { byLabels, labelJoin, labelReplace } from '../functions/labels.ts';
import { scale } from '../histogram/arithmetic.ts';
import type { Aggregator } from '../parse/ast.ts';
import { goQuote, isValidLabelName } from '../parse/quote.ts';
import { DELAYED_NAME_REMOVAL, MAX_PIECE_STEPS, START_TIMESTAMPS } from '../plan/build.ts';
import { inputsOf, isScalar, type Plan, type QueryPlan } from '../plan/plan.ts';
import { AGGREGATION_PREFIX } from '../shard/merge.ts';
import { joined, type Piece } from '../steps.ts';
import { aggregate } from './aggregate.ts';
import type { Annotations } from './annotations.ts';
import { scalarBinary, setOperation, vectorBinary, vectorScalar } from './binary.ts';
import { executionError, tooManyBytes, tooManySamples } from './errors.ts';
import type { LabelMemo } from './label-memo.ts';
import { Pace, SLICE_MS } from './pace.ts';
import { trimSamples } from './samples.ts';
import { type Choice, choose, countValues } from './select.ts';
import { windowOverVector } from './subquery.ts';
import {
  ABSENT,
  assertDistinct,
  countPoints,
  emptyVector,
  FLOAT,
  mergeSame,
  type Scalar,
  takeRows,
  type Vector,
  vectorFromColumns,
  withoutNames,
} from './vector.ts';

export type Value =
  | { readonly kind: 'vector'; readonly vector: Vector }
  | { readonly kind: 'scalar'; readonly scalar: Scalar }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'samples'; readonly series: readonly RawSeries[] };

/** What one node did; for `analyze`. */
export type NodeStats = { series: number; points: number; timeMs: number; fragment?: FragmentStats };

export type EvaluationContext = {
  readonly source: FragmentSource;
  readonly limits: QueryLimits;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly annotations: Annotations;
  readonly features: ReadonlySet<string>;
  readonly lookback: number;
  readonly stats: Map<number, NodeStats>;
  readonly memo: LabelMemo;
};

const BYTES_PER_POINT = 9;

export class Evaluation {
  readonly #context: EvaluationContext;
  readonly #plan: QueryPlan;
  readonly #results = new Map<number, Promise<Value>>();
  readonly #delayed: boolean;
  /** Nodes that still need a node's result. */
  readonly #consumers: Uint32Array;
  /** Points and bytes of results that are still needed. */
  #points = 0;
  #bytes = 0;
  readonly #held = new Map<number, { readonly points: number; readonly bytes: number }>();
  readonly #pace: Pace;

  constructor(plan: QueryPlan, context: EvaluationContext) {
    this.#plan = plan;
    this.#context = context;
    this.#delayed = context.features.has(DELAYED_NAME_REMOVAL);
    this.#pace = new Pace(context.clock, context.signal, SLICE_MS);
    this.#consumers = new Uint32Array(plan.nodes.length);
    for (const node of plan.nodes) for (const input of inputsOf(node)) this.#consumers[input.id]!++;
  }

  get pace(): Pace {
    return this.#pace;
  }

  /** The result with names dropped where that was put off. */
  async run(): Promise<Value> {
    const value = await this.#value(this.#plan.root);
    if (value.kind !== 'vector' || !this.#delayed) return value;
    const { vector } = value;
    const labels = vector.labels.map((set, row) => (vector.dropName[row] ? dropMetadata(set) : set));
    return { kind: 'vector', vector: mergeSame({ ...vector, labels }) };
  }

  #value(plan: Plan): Promise<Value> {
    let result = this.#results.get(plan.id);
    if (!result) {
      result = this.#timed(plan);
      this.#results.set(plan.id, result);
    }
    return result;
  }

  async #vector(plan: Plan): Promise<Vector> {
    const value = await this.#value(plan);
    assert(value.kind === 'vector', `${plan.kind} is no vector`);
    return value.vector;
  }

  async #scalar(plan: Plan): Promise<Scalar> {
    const value = await this.#value(plan);
    assert(value.kind === 'scalar', `${plan.kind} is no scalar`);
    return value.scalar;
  }

  async #timed(plan: Plan): Promise<Value> {
    const { limits } = this.#context;
    // A subquery's steps may be more than any row could hold.
    const steps = gridLength(plan.grid);
    if (steps > limits.maxSamples) throw tooManySamples(limits.maxSamples);
    if (steps * BYTES_PER_POINT > limits.maxBytes) throw tooManyBytes(limits.maxBytes);
    const inputs = inputsOf(plan);
    if (inputs.length > 0) await Promise.all(inputs.map((input) => this.#value(input)));
    await this.#giveWay();
    const { clock, stats } = this.#context;
    const start = clock.monotonic();
    const value = await this.#compute(plan);
    const entry: NodeStats = { ...stats.get(plan.id), series: 1, points: 0, timeMs: clock.monotonic() - start };
    if (value.kind === 'vector') {
      entry.series = value.vector.labels.length;
      entry.points = countPoints(value.vector);
      this.#charge(plan, entry.points, value.vector.kinds.length * BYTES_PER_POINT);
    } else if (value.kind === 'scalar') entry.points = value.scalar.length;
    stats.set(plan.id, entry);
    for (const input of inputs) this.#release(input);
    return value;
  }

  /** What all results that are held at a time may have. */
  #charge(plan: Plan, points: number, bytes: number): void {
    this.#points += points;
    this.#bytes += bytes;
    this.#held.set(plan.id, { points, bytes });
    const { maxSamples, maxBytes } = this.#context.limits;
    if (this.#points > maxSamples) throw tooManySamples(maxSamples);
    if (this.#bytes > maxBytes) throw tooManyBytes(maxBytes);
  }

  /** Lets go of a result that nobody needs any more. */
  #release(plan: Plan): void {
    if (--this.#consumers[plan.id]! > 0) return;
    const held = this.#held.get(plan.id);
    this.#points -= held?.points ?? 0;
    this.#bytes -= held?.bytes ?? 0;
    this.#held.delete(plan.id);
    this.#results.delete(plan.id);
  }

  async #giveWay(): Promise<void> {
    this.#context.signal.throwIfAborted();
    if (this.#pace.isDue) await this.#pace.giveWay();
  }

  async #compute(plan: Plan): Promise<Value> {
    const steps = gridLength(plan.grid);
    if (steps === 0 && plan.kind !== 'text')
      return isScalar(plan) ? scalar(new Float64Array(0)) : vector(emptyVector(0));
    switch (plan.kind) {
      case 'number':
        return scalar(new Float64Array(steps).fill(plan.value));
      case 'text':
        return { kind: 'text', text: plan.value };
      case 'time':
        return scalar(timesOf(plan.grid).map((time) => time / 1000));
      case 'fetch':
        return vector(await this.#fetch(plan));
      case 'window':
        return vector(await this.#window(plan));
      case 'samples':
        return { kind: 'samples', series: await this.#samples(plan) };
      case 'spread':
        return this.#spread(await this.#value(plan.input), steps);
      case 'negate':
        return this.#negate(await this.#value(plan.input));
      case 'aggregate':
        return vector(await this.#aggregate(plan));
      case 'binary':
        return this.#binary(plan);
      case 'info':
        return vector(await this.#info(plan));
      case 'call':
        return this.#call(plan);
    }
  }

  async #fetch(plan: Plan & { kind: 'fetch' }): Promise<Vector> {
    const { source, limits, signal, annotations, stats } = this.#context;
    const parameters = await Promise.all(plan.args.map((arg) => this.#scalar(arg)));
    const args = parameters.length > 0 ? parameters.flatMap((values) => [...values]) : plan.fragment.args;
    const fragment: Fragment = { ...plan.fragment, args };
    const pieces: Piece[] = [];
    let read: FragmentStats = { series: 0, samples: 0, bytes: 0, timeMs: 0 };
    for (const grid of plan.args.length > 0 ? [fragment.grid] : piecesOf(fragment.grid)) {
      const columns: Columns = await source.run({ ...fragment, grid }, limits, signal);
      if (columns.collides) return this.#aggregateWhole(plan, fragment);
      read = added(read, columns.stats);
      for (const { code, metric, count } of columns.annotations) {
        const own = code.startsWith(AGGREGATION_PREFIX);
        const [name, range] = own ? [code.slice(AGGREGATION_PREFIX.length), plan.range] : [code, plan.notesAt];
        annotations.add(name, range, metric, count);
      }
      if (columns.losesMore) assertDistinct(columns.labels);
      pieces.push({ grid, vector: vectorFromColumns(columns) });
      if (this.#pace.isDue && gridLength(grid) > 1) await this.#pace.giveWay();
    }
    stats.set(plan.id, { series: 0, points: 0, timeMs: 0, fragment: read });
    const result = pieces.length === 1 ? pieces[0]!.vector : await joined(fragment.grid, pieces, this.#pace);
    if (fragment.func === 'quantile_over_time') this.#checkQuantiles(result, args, plan);
    if (fragment.aggregate) return this.#delayed && plan.dropName ? markDropped(result) : result;
    if (fragment.bare) return markDropped(result);
    return plan.dropName ? withoutNames(result, this.#delayed) : result;
  }

  /** Where names make a difference, all series are looked at side by side. */
  async #aggregateWhole(plan: Plan & { kind: 'fetch' }, fragment: Fragment): Promise<Vector> {
    const { op, by, labels } = fragment.aggregate!;
    const { aggregate: _aggregate, distinct: _distinct, ...rest } = fragment;
    const whole = await this.#fetch({ ...plan, fragment: rest });
    const report = (code: string, metric: string) => this.#context.annotations.add(code, plan.range, metric);
    return aggregate(whole, op as Aggregator, { without: !by, labels }, report, this.#pace);
  }

  #checkQuantiles(result: Vector, args: readonly number[], plan: Plan & { kind: 'fetch' | 'window' }): void {
    if (result.labels.length === 0) return;
    for (const q of new Set(args)) {
      if (!(q >= 0 && q <= 1)) this.#context.annotations.invalidQuantile(q, plan.notesAt);
    }
  }

  async #window(plan: Plan & { kind: 'window' }): Promise<Vector> {
    const input = await this.#vector(plan.input);
    const parameters = await Promise.all(plan.args.map((arg) => this.#scalar(arg)));
    const args = parameters.flatMap((values) => [...values]);
    const { features, annotations } = this.#context;
    const useStarts = features.has(START_TIMESTAMPS);
    const pace = this.#pace;
    const result = await windowOverVector(plan, args, input, { useStarts, features, annotations, pace });
    if (plan.func === 'quantile_over_time') this.#checkQuantiles(result, args, plan);
    if (!plan.dropName && !input.dropName.includes(1)) return result;
    return plan.dropName ? withoutNames(result, this.#delayed) : result;
  }

  async #samples(plan: Plan & { kind: 'samples' }): Promise<readonly RawSeries[]> {
    const { source, limits, signal } = this.#context;
    const { matchers, times, extend } = plan;
    const lookback = extend?.lookback ?? 0;
    const behind = extend?.mode === 'smoothed' ? lookback : 0;
    const range = { min: times.min - lookback, max: times.max + behind };
    const series = await source.select({ matchers, range }, limits, signal);
    return trimSamples(series, times, extend?.mode);
  }

  #spread(value: Value, steps: number): Value {
    if (value.kind === 'scalar') return scalar(new Float64Array(steps).fill(value.scalar[0] ?? 0));
    if (value.kind !== 'vector') return value;
    const { labels, dropName, values, kinds, histograms } = value.vector;
    const spread: Vector = {
      steps,
      labels,
      dropName,
      values: new Float64Array(labels.length * steps),
      kinds: new Uint8Array(labels.length * steps),
      histograms: histograms && new Map(),
    };
    for (let row = 0; row < labels.length; row++) {
      spread.values.fill(values[row]!, row * steps, (row + 1) * steps);
      spread.kinds.fill(kinds[row]!, row * steps, (row + 1) * steps);
      const histogram = histograms?.get(row);
      for (let step = 0; histogram && step < steps; step++) spread.histograms!.set(row * steps + step, histogram);
    }
    return vector(spread);
  }

  #negate(value: Value): Value {
    if (value.kind === 'scalar') return scalar(value.scalar.map((number) => -number));
    assert(value.kind === 'vector', `negate ${value.kind}`);
    const { histograms, values } = value.vector;
    const negated = histograms && new Map([...histograms].map(([at, h]) => [at, scale(h, -1)] as const));
    return vector(
      withoutNames({ ...value.vector, values: values.map((v) => -v), histograms: negated }, this.#delayed, true),
    );
  }

  async #binary(plan: Plan & { kind: 'binary' }): Promise<Value> {
    const { annotations, memo } = this.#context;
    const [left, right] = await Promise.all([this.#value(plan.left), this.#value(plan.right)]);
    if (left.kind === 'scalar' && right.kind === 'scalar') return scalar(scalarBinary(plan, left.scalar, right.scalar));
    if (left.kind === 'vector' && right.kind === 'scalar') {
      return vector(await vectorScalar(plan, left.vector, right.scalar, false, this.#delayed, annotations, this.#pace));
    }
    if (left.kind === 'scalar' && right.kind === 'vector') {
      return vector(await vectorScalar(plan, right.vector, left.scalar, true, this.#delayed, annotations, this.#pace));
    }
    assert(left.kind === 'vector' && right.kind === 'vector', `${plan.op} on ${left.kind} and ${right.kind}`);
    if (plan.op === 'and' || plan.op === 'or' || plan.op === 'unless') {
      return vector(setOperation(plan, left.vector, right.vector, memo));
    }
    return vector(await vectorBinary(plan, left.vector, right.vector, this.#delayed, annotations, this.#pace, memo));
  }

  async #aggregate(plan: Plan & { kind: 'aggregate' }): Promise<Vector> {
    const { annotations } = this.#context;
    const { op } = plan;
    const input = await this.#vector(plan.input);
    const at = plan.input.range;
    const report = (code: string, metric: string) => annotations.add(code, at, metric);
    if (op === 'count_values') {
      assert(plan.param?.kind === 'text', 'count_values without a label');
      if (!isValidLabelName(plan.param.value)) {
        throw executionError(`invalid label name ${goQuote(plan.param.value)}`);
      }
      return countValues(input, plan.param.value, plan);
    }
    const parameter = plan.param && (await this.#scalar(plan.param));
    if (op === 'quantile') {
      for (const q of invalidQuantiles(parameter!)) annotations.invalidQuantile(q, plan.param!.range);
      return aggregate(input, op, plan, report, this.#pace, parameter);
    }
    if (op !== 'topk' && op !== 'bottomk' && op !== 'limitk' && op !== 'limit_ratio') {
      return aggregate(input, op, plan, report, this.#pace);
    }
    if (!this.#checkParameter(op, parameter!, plan)) return emptyVector(input.steps);
    return choose(input, op, parameter!, plan, (code) => annotations.add(code, plan.range), this.#pace);
  }

  /** Whether anything can be chosen at all; refuses what is no number of series. */
  #checkParameter(op: Choice, parameter: Scalar, plan: Plan & { kind: 'aggregate' }): boolean {
    const numbers = parameter.filter((value) => !Number.isNaN(value));
    const max = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
    const min = numbers.reduce((a, b) => Math.min(a, b), Infinity);
    if (op === 'limit_ratio') {
      if (numbers.length === parameter.length && max === 0 && min === 0) return false;
      if (numbers.length < parameter.length) throw executionError('Ratio value is NaN');
      if (max > 1) this.#context.annotations.invalidRatio(max, 1, plan.param!.range);
      if (min < -1) this.#context.annotations.invalidRatio(min, -1, plan.param!.range);
      return true;
    }
    if (numbers.length > 0 && max < 1) return false;
    if (numbers.length < parameter.length) throw executionError('Parameter value is NaN');
    if (min <= -(2 ** 63)) throw executionError(`Scalar value ${goFloat(min)} underflows int64`);
    if (max >= 2 ** 63) throw executionError(`Scalar value ${goFloat(max)} overflows int64`);
    return true;
  }

  async #info(plan: Plan & { kind: 'info' }): Promise<Vector> {
    const { source, limits, signal, lookback } = this.#context;
    const base = await this.#vector(plan.input);
    const wanted = infoFragments(base, plan, lookback);
    if (!wanted.fragments) return joinInfo(base, undefined, undefined, wanted);
    const [values, times] = await Promise.all(wanted.fragments.map((fragment) => source.run(fragment, limits, signal)));
    return joinInfo(base, vectorFromColumns(values!), vectorFromColumns(times!), wanted);
  }

  async #call(plan: Plan & { kind: 'call' }): Promise<Value> {
    const { name, args, grid } = plan;
    const { annotations } = this.#context;
    const delayed = this.#delayed;
    const steps = gridLength(grid);
    const text = (i: number): string => {
      const arg = args[i]!;
      assert(arg.kind === 'text', `${name}: argument ${i} is no string`);
      return arg.value;
    };
    const texts = (from: number) => args.slice(from).map((_, i) => text(from + i));
    const timeAt = (step: number) => grid.start + step * grid.step;
    if (name === 'max_of' || name === 'min_of') {
      const [a, b] = [await this.#scalar(args[0]!), await this.#scalar(args[1]!)];
      return scalar(a.map((value, i) => (name === 'max_of' ? goMax(value, b[i]!) : goMin(value, b[i]!))));
    }
    if (name in DATE_FUNCTIONS && args.length === 0) {
      return vector(oneRow(timesOf(grid).map((time) => DATE_FUNCTIONS[name]!(Math.trunc(time / 1000), []))));
    }
    if (name === 'vector') return vector(oneRow(await this.#scalar(args[0]!)));
    if (name === 'histogram_quantile') {
      const q = await this.#scalar(args[0]!);
      for (const bad of invalidQuantiles(q)) annotations.invalidQuantile(bad, args[0]!.range);
      const context = { delayed, annotations, range: args[1]!.range, timeAt };
      return vector(quantiles(await this.#vector(args[1]!), q, undefined, context));
    }
    if (name === 'histogram_fraction') {
      const context = { delayed, annotations, range: args[2]!.range, timeAt };
      const [lower, upper] = [await this.#scalar(args[0]!), await this.#scalar(args[1]!)];
      return vector(fractions(await this.#vector(args[2]!), lower, upper, context));
    }
    const input = await this.#vector(args[0]!);
    if (name === 'absent' || name === 'absent_over_time') return vector(absentRows(input, steps, plan.matchers));
    if (isHistogramFunction(name)) return vector(applyHistogramFunction(name, input, delayed));
    if (name in FLOAT_FUNCTIONS) {
      const parameters = await Promise.all(args.slice(1).map((arg) => this.#scalar(arg)));
      return vector(applyFloats(name, input, parameters, delayed));
    }
    switch (name) {
      case 'scalar':
        return scalar(onlyValue(input));
      case 'timestamp':
        return vector(timestamps(input, timesOf(grid), delayed));
      case 'start_timestamp':
        return vector(emptyVector(steps));
      case 'label_replace':
        return vector(await labelReplace(input, text(1), text(2), text(3), text(4), this.#pace));
      case 'label_join':
        return vector(labelJoin(input, text(1), text(2), texts(3)));
      case 'histogram_quantiles': {
        const context = { delayed, annotations, range: args[0]!.range, timeAt };
        const results: Vector[] = [];
        for (const arg of args.slice(2)) {
          const q = await this.#scalar(arg);
          for (const bad of invalidQuantiles(q)) annotations.invalidQuantile(bad, arg.range);
          results.push(quantiles(input, q, text(1), context));
        }
        return vector(stack(results, steps));
      }
    }
    if (steps > 1) annotations.add('sort_in_range', plan.range);
    return vector(sorted(name, input, texts(1)));
  }
}

const vector = (made: Vector): Value => ({ kind: 'vector', vector: made });
const scalar = (made: Scalar): Value => ({ kind: 'scalar', scalar: made });

export const timesOf = (grid: Grid): Float64Array =>
  Float64Array.from({ length: gridLength(grid) }, (_, step) => grid.start + step * grid.step);

const markDropped = (made: Vector): Vector => ({ ...made, dropName: new Uint8Array(made.labels.length).fill(1) });

function piecesOf(grid: Grid): Grid[] {
  const { start, step } = grid;
  const steps = gridLength(grid);
  if (steps <= MAX_PIECE_STEPS) return [grid];
  return Array.from({ length: Math.ceil(steps / MAX_PIECE_STEPS) }, (_, i) => {
    const last = Math.min(steps, (i + 1) * MAX_PIECE_STEPS) - 1;
    return { start: start + i * MAX_PIECE_STEPS * step, end: start + last * step, step };
  });
}

/** Of the same series over several grids. */
const added = (a: FragmentStats, b: FragmentStats): FragmentStats => ({
  series: Math.max(a.series, b.series),
  samples: a.samples + b.samples,
  bytes: a.bytes + b.bytes,
  timeMs: a.timeMs + b.timeMs,
});

/** The distinct values that are no quantile; of many the extremes and NaN stand for all. */
function invalidQuantiles(q: Scalar): number[] {
  const found: number[] = [];
  if (q.some(Number.isNaN)) found.push(Number.NaN);
  let max = -Infinity;
  let min = Infinity;
  for (const value of q) {
    if (value > max) max = value;
    if (value < min) min = value;
  }
  if (max > 1) found.push(max);
  if (min < 0) found.push(min);
  return found;
}

/** Go's %v of a float. */
function goFloat(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  return Math.abs(value) >= 2 ** 53 ? value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2') : String(value);
}

function oneRow(values: Scalar): Vector {
  const kinds = new Uint8Array(values.length).fill(FLOAT);
  return { steps: values.length, labels: [[]], dropName: new Uint8Array(1), values, kinds, histograms: undefined };
}

/** The value where there is exactly one float, else NaN. */
function onlyValue({ steps, labels, kinds, values }: Vector): Scalar {
  const result = new Float64Array(steps).fill(Number.NaN);
  for (let step = 0; step < steps; step++) {
    let found = 0;
    for (let row = 0; row < labels.length && found < 2; row++) {
      if (kinds[row * steps + step] !== FLOAT) continue;
      found++;
      result[step] = values[row * steps + step]!;
    }
    if (found > 1) result[step] = Number.NaN;
  }
  return result;
}

/** Of computed values: the time of the step. */
function timestamps(input: Vector, times: Float64Array, delayed: boolean): Vector {
  const values = new Float64Array(input.values.length);
  const kinds = new Uint8Array(input.kinds.length);
  for (let at = 0; at < kinds.length; at++) {
    if (input.kinds[at] === ABSENT) continue;
    kinds[at] = FLOAT;
    values[at] = times[at % input.steps]! / 1000;
  }
  return withoutNames({ ...input, values, kinds, histograms: undefined }, delayed);
}

/** Vectors with different labels on top of each other. */
function stack(parts: readonly Vector[], steps: number): Vector {
  const rows = parts.reduce((sum, part) => sum + part.labels.length, 0);
  const values = new Float64Array(rows * steps);
  const kinds = new Uint8Array(rows * steps);
  let at = 0;
  for (const part of parts) {
    values.set(part.values, at);
    kinds.set(part.kinds, at);
    at += part.kinds.length;
  }
  const labels = parts.flatMap((part) => part.labels);
  const dropName = Uint8Array.from(parts.flatMap((part) => [...part.dropName]));
  return mergeSame({ steps, labels, dropName, values, kinds, histograms: undefined });
}

/** Only a single step has an order; results of ranges are ordered by labels. */
function sorted(name: string, input: Vector, labels: readonly string[]): Vector {
  const { steps, kinds, values } = input;
  if (name === 'sort_by_label' || name === 'sort_by_label_desc') {
    return steps > 1 ? input : takeRows(input, byLabels(input, labels, name === 'sort_by_label_desc'));
  }
  const floats = { ...input, kinds: kinds.map((kind) => (kind === FLOAT ? FLOAT : ABSENT)), histograms: undefined };
  if (steps > 1) return floats;
  const sign = name === 'sort_desc' ? -1 : 1;
  const rows = [...input.labels.keys()].filter((row) => kinds[row] === FLOAT);
  rows.sort((a, b) => {
    const [x, y] = [values[a]!, values[b]!];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return x === y ? a - b : sign * (x < y ? -1 : 1);
  });
  return takeRows(floats, rows);
}
