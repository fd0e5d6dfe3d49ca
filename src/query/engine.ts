// The query engine's front: text and times in, a result with annotations out. It parses, plans and evaluates; where series
// come from, and how many shards there are, is the fragment source's business.

import type { Clock } from '#base/clock.ts';
import { UserError } from '#base/errors.ts';
import { compareLabels } from '#model/labels.ts';
import type { FragmentSource, Grid, QueryLimits, RawSeries } from '#model/query.ts';
import { Annotations } from './execute/annotations.ts';
import { QueryError } from './execute/errors.ts';
import { Evaluation, type NodeStats } from './execute/evaluate.ts';
import { LabelMemo } from './execute/label-memo.ts';
import { sortedByLabels } from './execute/order.ts';
import { Pace, SLICE_MS } from './execute/pace.ts';
import type { Vector } from './execute/vector.ts';
import { DOCUMENTED_TYPE, type Expr, typeOf } from './parse/ast.ts';
import { type ParseOptions, parseExpr } from './parse/parser.ts';
import { goQuote } from './parse/quote.ts';
import { buildPlan, type PlanOptions } from './plan/build.ts';
import type { QueryPlan } from './plan/plan.ts';

/** Modes of the engine by Prometheus' feature-flag names. */
export const FEATURES = [
  'promql-experimental-functions',
  'promql-delayed-name-removal',
  'promql-extended-range-selectors',
  'promql-binop-fill-modifiers',
  'use-start-timestamps',
  'type-and-unit-labels',
] as const;

export type EngineOptions = {
  readonly source: FragmentSource;
  readonly clock: Clock;
  readonly lookbackMs?: number;
  readonly timeoutMs?: number;
  readonly limits?: Partial<QueryLimits>;
  readonly features?: Iterable<string>;
  /** The step of subqueries that name none: the interval of rule evaluation. */
  readonly subqueryStepMs?: () => number;
  /** For comparison: every aggregation above the shards. */
  readonly noPushdown?: boolean;
};

export type QueryOptions = {
  readonly lookbackMs?: number;
  readonly timeoutMs?: number;
  readonly limits?: Partial<QueryLimits>;
  readonly signal?: AbortSignal;
  /** Instead of a signal: what the query may also be ended with when its time is up. */
  readonly controller?: AbortController;
};

export type ResultData =
  | { readonly type: 'scalar'; readonly time: number; readonly value: number }
  | { readonly type: 'string'; readonly time: number; readonly value: string }
  | { readonly type: 'vector'; readonly time: number; readonly vector: Vector }
  | { readonly type: 'matrix'; readonly grid: Grid; readonly vector: Vector }
  | { readonly type: 'samples'; readonly series: readonly RawSeries[] };

export type QueryStats = {
  readonly timings: {
    readonly parseMs: number;
    readonly planMs: number;
    readonly evalMs: number;
    readonly totalMs: number;
  };
  readonly samples: { readonly total: number; readonly peak: number };
  readonly bytes: number;
  readonly series: number;
};

export type QueryResult = {
  readonly query: string;
  readonly data: ResultData;
  readonly annotations: Annotations;
  readonly stats: QueryStats;
  readonly plan: QueryPlan;
  readonly nodes: ReadonlyMap<number, NodeStats>;
};

export const DEFAULT_LIMITS: QueryLimits = { maxSamples: 50_000_000, maxSeries: 5_000_000, maxBytes: 2 ** 31 };
/** Texts whose trees are remembered, unless they are long. */
const MAX_PARSED = 500;
const MAX_PARSED_LENGTH = 4000;
const DEFAULT_LOOKBACK_MS = 300_000;
const DEFAULT_SUBQUERY_STEP_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 120_000;

export class QueryEngine {
  readonly #options: EngineOptions;
  readonly #features: ReadonlySet<string>;
  readonly #parsed = new Map<string, Expr>();
  readonly #memo = new LabelMemo();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#features = new Set(options.features);
  }

  get features(): ReadonlySet<string> {
    return this.#features;
  }

  /** What the parser is told to accept. */
  get parseOptions(): ParseOptions {
    return {
      experimentalFunctions: this.#features.has('promql-experimental-functions'),
      extendedRangeSelectors: this.#features.has('promql-extended-range-selectors'),
      fillModifiers: this.#features.has('promql-binop-fill-modifiers'),
    };
  }

  /** The syntax tree of a text; the same object while it is remembered. */
  parse(query: string): Expr {
    let expr = this.#parsed.get(query);
    if (expr) return expr;
    expr = parseExpr(query, this.parseOptions);
    if (query.length > MAX_PARSED_LENGTH) return expr;
    if (this.#parsed.size >= MAX_PARSED)
      for (const oldest of this.#parsed.keys()) if (this.#parsed.delete(oldest)) break;
    this.#parsed.set(query, expr);
    return expr;
  }

  instant(query: string, time: number, options: QueryOptions = {}): Promise<QueryResult> {
    return this.#run(query, { start: time, end: time, step: 0 }, options);
  }

  range(query: string, grid: Grid, options: QueryOptions = {}): Promise<QueryResult> {
    return this.#run(query, grid, options);
  }

  /** The plan alone, for `explain`. */
  plan(query: string, grid: Grid, options: QueryOptions = {}): QueryPlan {
    return this.#plan(this.parse(query), grid, options);
  }

  #plan(expr: Expr, grid: Grid, options: QueryOptions): QueryPlan {
    const planOptions: PlanOptions = {
      lookback: this.#lookback(options),
      subqueryStep: this.#options.subqueryStepMs ?? (() => DEFAULT_SUBQUERY_STEP_MS),
      features: this.#features,
      noPushdown: this.#options.noPushdown ?? false,
    };
    return buildPlan(expr, grid, planOptions);
  }

  /** For work on results outside of an evaluation. */
  pace({ signal, controller }: QueryOptions): Pace {
    return new Pace(this.#options.clock, controller?.signal ?? signal, SLICE_MS);
  }

  /** What besides text and times decides about a result. */
  settingsKey(options: QueryOptions): string {
    return `${this.#lookback(options)} ${this.#options.subqueryStepMs?.() ?? DEFAULT_SUBQUERY_STEP_MS}`;
  }

  #lookback(options: QueryOptions): number {
    return options.lookbackMs || this.#options.lookbackMs || DEFAULT_LOOKBACK_MS;
  }

  async #run(query: string, grid: Grid, options: QueryOptions): Promise<QueryResult> {
    const { clock, source } = this.#options;
    const start = clock.monotonic();
    const expr = this.parse(query);
    const type = typeOf(expr);
    const instant = grid.step === 0;
    if (!instant && type !== 'vector' && type !== 'scalar') {
      const got = goQuote(DOCUMENTED_TYPE[type]);
      throw new UserError(`invalid expression type ${got} for range query, must be Scalar or instant Vector`);
    }
    const parsed = clock.monotonic();
    const plan = this.#plan(expr, grid, options);
    const planned = clock.monotonic();
    const annotations = new Annotations();
    const nodes = new Map<number, NodeStats>();
    const limits = { ...DEFAULT_LIMITS, ...this.#options.limits, ...options.limits };
    const deadline = new Deadline(
      clock,
      Math.min(options.timeoutMs ?? Infinity, this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS),
      options.controller ?? options.signal,
    );
    try {
      const evaluation = new Evaluation(plan, {
        ...{ source, limits, clock, annotations, features: this.#features, stats: nodes },
        ...{ signal: deadline.signal, lookback: this.#lookback(options), memo: this.#memo },
      });
      const value = await evaluation.run();
      const evaluated = clock.monotonic();
      const timings = {
        parseMs: parsed - start,
        planMs: planned - parsed,
        evalMs: evaluated - planned,
        totalMs: evaluated - start,
      };
      const data = await resultData(value, grid, plan, instant, evaluation.pace);
      return { query, data, annotations, plan, nodes, stats: statsOf(nodes, timings) };
    } catch (error) {
      throw deadline.explain(error);
    } finally {
      deadline.stop();
    }
  }
}

async function resultData(
  value: Awaited<ReturnType<Evaluation['run']>>,
  grid: Grid,
  plan: QueryPlan,
  instant: boolean,
  pace: Pace,
): Promise<ResultData> {
  const time = grid.start;
  switch (value.kind) {
    case 'text':
      return { type: 'string', time, value: value.text };
    case 'samples':
      return { type: 'samples', series: [...value.series].sort((a, b) => compareLabels(a.labels, b.labels)) };
    case 'scalar':
      if (instant) return { type: 'scalar', time, value: value.scalar[0]! };
      return { type: 'matrix', grid, vector: rowOf(value.scalar) };
    case 'vector':
      if (plan.type === 'matrix')
        return { type: 'matrix', grid: plan.root.grid, vector: await sortedByLabels(value.vector, pace) };
      if (instant) return { type: 'vector', time, vector: value.vector };
      return { type: 'matrix', grid, vector: await sortedByLabels(value.vector, pace) };
  }
}

const rowOf = (values: Float64Array): Vector => ({
  steps: values.length,
  labels: [[]],
  dropName: new Uint8Array(1),
  values,
  kinds: new Uint8Array(values.length).fill(1),
  histograms: undefined,
});

function statsOf(nodes: ReadonlyMap<number, NodeStats>, timings: QueryStats['timings']): QueryStats {
  let total = 0;
  let peak = 0;
  let bytes = 0;
  let series = 0;
  for (const { fragment, points } of nodes.values()) {
    total += fragment?.samples ?? 0;
    bytes += fragment?.bytes ?? 0;
    series += fragment?.series ?? 0;
    peak = Math.max(peak, points, fragment?.samples ?? 0);
  }
  return { timings, samples: { total, peak }, bytes, series };
}

/** Ends a query when its time is up or its client is gone, and says which. */
class Deadline {
  readonly #controller: AbortController;
  readonly #timer: { cancel(): void };
  readonly #outer: AbortSignal | undefined;
  #timedOut = false;
  readonly #forward = () => this.#controller.abort(this.#outer?.reason);

  constructor(clock: Clock, timeoutMs: number, outer: AbortController | AbortSignal | undefined) {
    if (outer instanceof AbortController) this.#controller = outer;
    else {
      this.#controller = new AbortController();
      this.#outer = outer;
      if (outer?.aborted) this.#forward();
      outer?.addEventListener('abort', this.#forward, { once: true });
    }
    this.#timer = clock.after(
      timeoutMs,
      () => {
        this.#timedOut = true;
        this.#controller.abort(new QueryError('query_timeout', 'query timed out in expression evaluation'));
      },
      true,
    );
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stop(): void {
    this.#timer.cancel();
    this.#outer?.removeEventListener('abort', this.#forward);
  }

  explain(error: unknown): unknown {
    if (!this.#controller.signal.aborted) return error;
    if (this.#timedOut) return new QueryError('query_timeout', 'query timed out in expression evaluation');
    return new QueryError('query_canceled', 'query was canceled in expression evaluation', { cause: error });
  }
}
