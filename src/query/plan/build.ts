// Syntax tree -> plan. Here times are resolved (@, offset, subquery grids, duration expressions), constants folded, what does
// not depend on the step put aside to be evaluated once, and aggregations handed to the shards where that is exact.

import { METRIC_NAME } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import { type Fragment, type Grid, gridLength } from '#model/query.ts';
import { executionError } from '../execute/errors.ts';
import { applyScalar } from '../execute/operators.ts';
import { TYPE_LABELS } from '../functions/counter-name.ts';
import { keepsName } from '../functions/window.ts';
import {
  type AggregateExpr,
  type Aggregator,
  type AtModifier,
  type BinaryExpr,
  type Call,
  childrenOf,
  type Expr,
  type MatrixSelector,
  type Range,
  type SubqueryExpr,
  typeOf,
  type VectorSelector,
} from '../parse/ast.ts';
import { durationOf, type QueryTimes } from './durations.ts';
import { narrowed } from './narrow.ts';
import type { Plan, QueryPlan } from './plan.ts';

export type PlanOptions = {
  readonly lookback: number;
  readonly subqueryStep: (window: number) => number;
  /** Prometheus' feature-flag names. */
  readonly features: ReadonlySet<string>;
  /** Leaves aggregations above the shards, for comparison. */
  readonly noPushdown?: boolean;
};

export const DELAYED_NAME_REMOVAL = 'promql-delayed-name-removal';
export const START_TIMESTAMPS = 'use-start-timestamps';
/** Only counts and sums of native histograms matter; resets are found before the buckets are dropped. */
export const HISTOGRAM_STATS = 'histogram-stats';

/** What a shard works out in one go for a row; it gives way between rows only. */
export const MAX_PIECE_STEPS = 65_536;

/** Functions whose result depends on the step even where their arguments do not. */
const STEP_DEPENDENT = new Set(
  'days_in_month day_of_month day_of_week day_of_year end hour minute month year predict_linear range start step time timestamp'.split(
    ' ',
  ),
);
const ANCHORED_SAFE = ['changes', 'delta', 'increase', 'rate', 'resets'];
const SMOOTHED_SAFE = ['delta', 'increase', 'rate'];
const SHARD_FEATURES = [DELAYED_NAME_REMOVAL, START_TIMESTAMPS, TYPE_LABELS];
/** Aggregations that can be put together from those of the shards. */
const PARTIAL: readonly Aggregator[] = ['sum', 'avg', 'count', 'min', 'max', 'group'];

export function buildPlan(expr: Expr, grid: Grid, options: PlanOptions): QueryPlan {
  const builder = new Builder(grid, options);
  const root = builder.plan(expr, grid);
  return { root, type: typeOf(expr), nodes: builder.nodes };
}

/** Whether the calls that depend on the step only (see STEP_DEPENDENT) leave an expression the same at every step. */
export const isStepDependent = (name: string): boolean => STEP_DEPENDENT.has(name);

type NewPlan = Plan extends infer P ? (P extends Plan ? Omit<P, 'id'> : never) : never;

class Builder {
  readonly nodes: Plan[] = [];
  readonly #byKind = new Map<Plan['kind'], { keyless: Plan[]; byKey: Map<string, Plan> }>();
  readonly #times: QueryTimes;
  readonly #options: PlanOptions;
  readonly #invariance = new WeakMap<Expr, Invariance>();
  /** Around what is being planned: functions that need counts and sums of histograms only, and what needs more. */
  #statsOnly = 0;
  #needsBuckets = 0;

  constructor(grid: Grid, options: PlanOptions) {
    this.#times = grid;
    this.#options = options;
  }

  /** Plans an expression, evaluated once if it is the same at every step of the grid. */
  plan(expr: Expr, grid: Grid): Plan {
    const several = gridLength(grid) > 1;
    if (!several || !this.#invarianceOf(expr).wrap) return this.#node(expr, grid);
    const once: Grid = { start: grid.start, end: grid.start, step: grid.step };
    const input = this.#node(expr, once);
    if (input.kind === 'number') return this.#add({ ...input, grid });
    return this.#add({ kind: 'spread', input, grid, range: expr.range });
  }

  /** One node for equal things: children are compared by number. Keys are made where there is something to compare with. */
  #add(plan: NewPlan): Plan {
    const { range: _range, id: _id, ...rest } = plan as NewPlan & { readonly id?: number };
    const made = { ...rest, range: plan.range, id: this.nodes.length } as Plan;
    let same = this.#byKind.get(plan.kind);
    if (!same) {
      same = { keyless: [], byKey: new Map() };
      this.#byKind.set(plan.kind, same);
      same.keyless.push(made);
    } else {
      for (const node of same.keyless.splice(0)) same.byKey.set(keyOf(node), node);
      const key = keyOf(made);
      const known = same.byKey.get(key);
      if (known) return known;
      same.byKey.set(key, made);
    }
    this.nodes.push(made);
    return made;
  }

  #node(expr: Expr, grid: Grid): Plan {
    const { range } = expr;
    switch (expr.kind) {
      case 'number':
        return this.#add({ kind: 'number', value: expr.value, grid, range });
      case 'string':
        return this.#add({ kind: 'text', value: expr.value, grid, range });
      case 'paren':
        return this.#node(expr.expr, grid);
      case 'unary': {
        const input = this.#node(expr.expr, grid);
        if (expr.op === '+') return input;
        if (input.kind === 'number') return this.#add({ ...input, value: -input.value });
        return this.#add({ kind: 'negate', input, grid, range });
      }
      case 'vector':
        return this.#instant(expr, 'instant', grid, range);
      case 'matrix':
        return this.#samples(expr, grid);
      case 'subquery':
        return this.#subqueryInput(expr, grid);
      case 'binary':
        return this.#binary(expr, grid);
      case 'aggregate':
        return this.#aggregate(expr, grid);
      case 'call':
        return this.#call(expr, grid);
    }
  }

  #time(at: AtModifier | undefined): number | undefined {
    if (at === undefined) return undefined;
    if (at === 'start') return this.#times.start;
    return at === 'end' ? this.#times.end : at.time;
  }

  #offset(node: VectorSelector | SubqueryExpr): number {
    return node.offsetExpr ? durationOf(node.offsetExpr, this.#times, true) : node.offset;
  }

  #features(): readonly string[] {
    const names = [...this.#options.features].filter((name) => SHARD_FEATURES.includes(name));
    if (this.#statsOnly > 0 && this.#needsBuckets === 0) names.push(HISTOGRAM_STATS);
    return names.sort();
  }

  #withoutBuckets<T>(plan: () => T): T {
    this.#statsOnly++;
    const made = plan();
    this.#statsOnly--;
    return made;
  }

  #withBuckets<T>(plan: () => T): T {
    this.#needsBuckets++;
    const made = plan();
    this.#needsBuckets--;
    return made;
  }

  #instant(selector: VectorSelector, func: string, grid: Grid, range: Range): Plan {
    const { lookback } = this.#options;
    const at = this.#time(selector.at);
    const fragment: Fragment = {
      matchers: selector.matchers,
      grid,
      offset: this.#offset(selector),
      ...(at === undefined ? {} : { at }),
      window: lookback,
      func,
      args: [],
      ...(selector.smoothed ? { extend: { mode: 'smoothed' as const, lookback } } : {}),
      features: this.#features(),
      ...this.#bare(func !== 'instant', selector.matchers),
    };
    const dropName = func !== 'instant';
    return this.#add({ kind: 'fetch', fragment, args: [], notesAt: range, dropName, grid, range });
  }

  #extend(selector: VectorSelector): Pick<Fragment, 'extend'> {
    const mode = selector.anchored ? 'anchored' : selector.smoothed ? 'smoothed' : undefined;
    return mode ? { extend: { mode, lookback: this.#options.lookback } } : {};
  }

  #window(matrix: MatrixSelector | SubqueryExpr): number {
    return matrix.windowExpr ? durationOf(matrix.windowExpr, this.#times, false) : matrix.window;
  }

  #samples(matrix: MatrixSelector, grid: Grid): Plan {
    const { selector, range } = matrix;
    const end = (this.#time(selector.at) ?? grid.start) - this.#offset(selector);
    const times = { min: end - this.#window(matrix) + 1, max: end };
    return this.#add({ kind: 'samples', matchers: selector.matchers, times, ...this.#extend(selector), grid, range });
  }

  /** What is inside a subquery, over all the times that the steps of `grid` look at. */
  #subqueryInput(subquery: SubqueryExpr, grid: Grid): Plan {
    const window = this.#window(subquery);
    const offset = this.#offset(subquery);
    const at = this.#time(subquery.at);
    const lastStep = grid.start + (gridLength(grid) - 1) * grid.step;
    const first = (at ?? grid.start) - offset - window;
    const end = (at ?? lastStep) - offset;
    const stepExpr = subquery.stepExpr ? durationOf(subquery.stepExpr, this.#times, false) : subquery.step;
    const step = stepExpr || this.#options.subqueryStep(window);
    let start = step * Math.trunc(first / step);
    if (start <= first) start += step;
    return this.#withBuckets(() => this.plan(subquery.expr, { start, end, step }));
  }

  #call(call: Call, grid: Grid): Plan {
    const { range } = call;
    const { name } = call.func;
    const args = call.args.map(unwrap);
    switch (name) {
      case 'start':
        return this.#add({ kind: 'number', value: this.#times.start / 1000, grid, range });
      case 'end':
        return this.#add({ kind: 'number', value: this.#times.end / 1000, grid, range });
      case 'range':
        return this.#add({ kind: 'number', value: (this.#times.end - this.#times.start) / 1000, grid, range });
      case 'step': {
        const value = this.#times.start === this.#times.end ? 0 : this.#times.step / 1000;
        return this.#add({ kind: 'number', value, grid, range });
      }
      case 'pi':
        return this.#add({ kind: 'number', value: Math.PI, grid, range });
      case 'time':
        return this.#add({ kind: 'time', grid, range });
      case 'info':
        return this.#info(args, grid, range);
    }
    const first = args[0];
    if ((name === 'timestamp' || name === 'start_timestamp') && first?.kind === 'vector') {
      return this.#instant(first, name, grid, range);
    }
    const matrixAt = args.findIndex((arg) => arg.kind === 'matrix' || arg.kind === 'subquery');
    if (matrixAt >= 0) return this.#overWindow(name, args, matrixAt, grid, range);
    const planned = this.#arguments(name, () => args.map((arg) => this.plan(arg, grid)));
    if ((name === 'max_of' || name === 'min_of') && planned.every((arg) => arg.kind === 'number')) {
      const values = planned.map((arg) => (arg as { value: number }).value) as [number, number];
      return this.#add({
        kind: 'number',
        value: name === 'max_of' ? Math.max(...values) : Math.min(...values),
        grid,
        range,
      });
    }
    const matchers = name === 'absent' && first?.kind === 'vector' ? first.matchers : undefined;
    return this.#add({ kind: 'call', name, args: planned, matchers, grid, range });
  }

  #arguments(name: string, plan: () => Plan[]): Plan[] {
    if (name === 'histogram_count' || name === 'histogram_sum' || name === 'histogram_avg') {
      return this.#withoutBuckets(plan);
    }
    const whole = name === 'histogram_quantile' || name === 'histogram_quantiles' || name === 'histogram_fraction';
    return whole ? this.#withBuckets(plan) : plan();
  }

  #overWindow(name: string, args: readonly Expr[], matrixAt: number, grid: Grid, range: Range): Plan {
    const matrix = args[matrixAt] as MatrixSelector | SubqueryExpr;
    const scalars = args.filter((_, i) => i !== matrixAt).map((arg) => this.plan(arg, grid));
    const notesAt = args[0]!.range;
    const dropName = !keepsName(name);
    const window = this.#window(matrix);
    const made =
      matrix.kind === 'subquery'
        ? this.#overSubquery(name, matrix, window, scalars, { grid, range, notesAt, dropName })
        : this.#overSelector(name, matrix, window, scalars, { grid, range, notesAt, dropName });
    if (name !== 'absent_over_time') return made;
    const matchers = matrix.kind === 'matrix' ? matrix.selector.matchers : undefined;
    return this.#add({ kind: 'call', name, args: [made], matchers, grid, range });
  }

  #overSubquery(name: string, subquery: SubqueryExpr, window: number, args: readonly Plan[], common: Common): Plan {
    const at = this.#time(subquery.at);
    return this.#add({
      kind: 'window',
      func: name,
      input: this.#subqueryInput(subquery, common.grid),
      args,
      offset: this.#offset(subquery),
      ...(at === undefined ? {} : { at }),
      window,
      ...common,
    });
  }

  #overSelector(name: string, matrix: MatrixSelector, window: number, args: readonly Plan[], common: Common): Plan {
    const { selector } = matrix;
    if (selector.anchored && !ANCHORED_SAFE.includes(name)) {
      throw executionError(`anchored modifier can only be used with: ${ANCHORED_SAFE.join(', ')} - not with ${name}`);
    }
    if (selector.smoothed && !SMOOTHED_SAFE.includes(name)) {
      throw executionError(`smoothed modifier can only be used with: ${SMOOTHED_SAFE.join(', ')} - not with ${name}`);
    }
    const at = this.#time(selector.at);
    const constant = args.every((arg) => arg.kind === 'number');
    const fragment: Fragment = {
      matchers: selector.matchers,
      grid: common.grid,
      offset: this.#offset(selector),
      ...(at === undefined ? {} : { at }),
      window,
      func: name,
      args: constant ? args.map((arg) => (arg as { value: number }).value) : [],
      ...this.#extend(selector),
      features: this.#features(),
      ...this.#bare(common.dropName, selector.matchers),
    };
    return this.#add({ kind: 'fetch', fragment, args: constant ? [] : args, ...common });
  }

  /** Series of one metric differ without its name, too. */
  #bare(dropName: boolean, matchers: readonly Matcher[]): Pick<Fragment, 'bare'> {
    return dropName && hasOneName(matchers) && !this.#options.features.has(DELAYED_NAME_REMOVAL) ? { bare: true } : {};
  }

  #info(args: readonly Expr[], grid: Grid, range: Range): Plan {
    const input = this.plan(args[0]!, grid);
    const second = args[1];
    const matchers = second?.kind === 'vector' ? second.matchers : undefined;
    const { at, offset } = this.#referenceTime(args[0]!);
    return this.#add({ kind: 'info', input, matchers, offset, ...(at === undefined ? {} : { at }), grid, range });
  }

  /** When the first selector of an expression looks: the @ nearest to it, and the offsets on the way there. */
  #referenceTime(expr: Expr): { at: number | undefined; offset: number } {
    const path = pathToSelector(expr);
    const selector = path?.pop();
    if (selector?.kind !== 'vector') return { at: undefined, offset: 0 };
    let at = this.#time(selector.at);
    let offset = this.#offset(selector);
    for (const node of path!.reverse()) {
      if (at !== undefined || node.kind !== 'subquery') continue;
      offset += this.#offset(node);
      at = this.#time(node.at);
    }
    return { at, offset };
  }

  #binary(written: BinaryExpr, grid: Grid): Plan {
    const expr = this.#options.noPushdown ? written : narrowed(written);
    const { op, bool, matching, range } = expr;
    const sides = () => [this.plan(expr.left, grid), this.plan(expr.right, grid)] as const;
    const [left, right] = op === '</' || op === '>/' ? this.#withBuckets(sides) : sides();
    if (left.kind === 'number' && right.kind === 'number') {
      return this.#add({ kind: 'number', value: applyScalar(op, left.value, right.value), grid, range });
    }
    const parts = matching ? { matching } : {};
    return this.#add({ kind: 'binary', op, left, right, bool, ...parts, grid, range });
  }

  #aggregate(expr: AggregateExpr, grid: Grid): Plan {
    const { op, without, range } = expr;
    const inner = unwrap(expr.expr);
    const param = expr.param && this.plan(unwrap(expr.param), grid);
    const labels = [...new Set(expr.grouping)].sort();
    const input = this.plan(inner, grid);
    const base = input.kind === 'spread' ? input.input : input;
    const pushed = base.kind === 'fetch' && this.#canPush(op, base) ? this.#push(op, without, labels, base) : undefined;
    if (pushed) {
      if (input.kind !== 'spread') return pushed;
      return this.#add({ kind: 'spread', input: pushed, grid, range });
    }
    return this.#add({ kind: 'aggregate', op, input, ...(param ? { param } : {}), without, labels, grid, range });
  }

  #canPush(op: Aggregator, input: Plan & { kind: 'fetch' }): boolean {
    if (this.#options.noPushdown || !PARTIAL.includes(op) || input.args.length > 0 || input.fragment.aggregate)
      return false;
    return !this.#hasToDiffer(input) || gridLength(input.grid) <= MAX_PIECE_STEPS;
  }

  /** Series that differ in their name only are an error without it. */
  #hasToDiffer({ dropName, fragment }: Plan & { kind: 'fetch' }): boolean {
    return dropName && !this.#options.features.has(DELAYED_NAME_REMOVAL) && !hasOneName(fragment.matchers);
  }

  #push(op: Aggregator, without: boolean, labels: readonly string[], input: Plan & { kind: 'fetch' }): Plan {
    const distinct = this.#hasToDiffer(input) ? { distinct: true } : {};
    const fragment: Fragment = { ...input.fragment, aggregate: { op, by: !without, labels }, ...distinct };
    return this.#add({ ...input, fragment });
  }

  #invarianceOf(expr: Expr): Invariance {
    let known = this.#invariance.get(expr);
    if (!known) {
      known = this.#findInvariance(expr);
      this.#invariance.set(expr, known);
    }
    return known;
  }

  #findInvariance(expr: Expr): Invariance {
    switch (expr.kind) {
      case 'number':
      case 'string':
        return { same: true, wrap: false };
      case 'paren':
      case 'unary':
        return this.#invarianceOf(expr.expr);
      case 'vector':
        return { same: expr.at !== undefined, wrap: expr.at !== undefined };
      case 'matrix':
        return { same: expr.selector.at !== undefined, wrap: false };
      case 'subquery':
        return { same: expr.at !== undefined, wrap: false };
      case 'aggregate':
        return this.#invarianceOf(expr.expr);
      case 'binary': {
        const same = this.#invarianceOf(expr.left).same && this.#invarianceOf(expr.right).same;
        return { same, wrap: same };
      }
      case 'call': {
        const args = expr.args.map((arg) => ({ arg: unwrap(arg), same: this.#invarianceOf(arg).same }));
        const { name } = expr.func;
        if (name === 'start' || name === 'end' || name === 'step' || name === 'range')
          return { same: true, wrap: false };
        const timestampOfSelector =
          name === 'timestamp' && args.every(({ arg, same }) => same && arg.kind === 'vector');
        const same = timestampOfSelector || (!STEP_DEPENDENT.has(name) && args.every((arg) => arg.same));
        return { same, wrap: same };
      }
    }
  }
}

type Common = { readonly grid: Grid; readonly range: Range; readonly notesAt: Range; readonly dropName: boolean };
/** `same`: at every step; `wrap`: and worth evaluating once. */
type Invariance = { readonly same: boolean; readonly wrap: boolean };

function keyOf({ range: _range, id: _id, ...rest }: Plan): string {
  return JSON.stringify(rest, (name, value) => {
    if (name === 'notesAt') return undefined;
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    if (Object.is(value, -0)) return '-0';
    return isPlan(value) ? value.id : value;
  });
}

const isPlan = (value: unknown): value is Plan =>
  typeof value === 'object' && value !== null && 'id' in value && 'grid' in value && 'kind' in value;

const unwrap = (expr: Expr): Expr => (expr.kind === 'paren' ? unwrap(expr.expr) : expr);

export const hasOneName = (matchers: readonly Matcher[]): boolean =>
  matchers.some((matcher) => matcher.name === METRIC_NAME && matcher.type === '=');

/** The way down to the first selector, in the order in which Prometheus walks its tree. */
function pathToSelector(expr: Expr): Expr[] | undefined {
  if (expr.kind === 'vector') return [expr];
  for (const child of childrenOf(expr)) {
    const path = pathToSelector(child);
    if (path) return [expr, ...path];
  }
  return undefined;
}
