// What will be done for a query: a graph of plain values, made from the syntax tree by build.ts before anything runs. Every
// node knows its evaluation times; equal nodes are one node, so what occurs twice is worked out once.

import type { Matcher } from '#model/matcher.ts';
import type { Fragment, Grid, TimeRange } from '#model/query.ts';
import type { Aggregator, BinaryOp, Range, ValueType, VectorMatching } from '../parse/ast.ts';

type Node<Kind extends string, Fields> = {
  readonly kind: Kind;
  readonly id: number;
  readonly grid: Grid;
  /** The part of the query that it stands for. */
  readonly range: Range;
} & Fields;

export type Plan =
  | Node<'number', { readonly value: number }>
  | Node<'text', { readonly value: string }>
  | Node<'time', object>
  /** Selects series in the shards and applies one function, perhaps an aggregation as well. */
  | Node<
      'fetch',
      {
        /** Without the values of `args`, if there are any. */
        readonly fragment: Fragment;
        /** Scalars that are not constant. */
        readonly args: readonly Plan[];
        readonly notesAt: Range;
        readonly dropName: boolean;
      }
    >
  /** A function over the results of a subquery. */
  | Node<
      'window',
      {
        readonly func: string;
        readonly input: Plan;
        readonly args: readonly Plan[];
        readonly offset: number;
        readonly at?: number;
        readonly window: number;
        readonly notesAt: Range;
        readonly dropName: boolean;
      }
    >
  /** Samples as they are: a range selector as the whole query. */
  | Node<
      'samples',
      { readonly matchers: readonly Matcher[]; readonly times: TimeRange; readonly extend?: Fragment['extend'] }
    >
  | Node<
      'call',
      { readonly name: string; readonly args: readonly Plan[]; readonly matchers: readonly Matcher[] | undefined }
    >
  /** info(): base series, and how the info series are found and when. */
  | Node<
      'info',
      {
        readonly input: Plan;
        readonly matchers: readonly Matcher[] | undefined;
        readonly offset: number;
        readonly at?: number;
      }
    >
  | Node<
      'aggregate',
      {
        readonly op: Aggregator;
        readonly input: Plan;
        readonly param?: Plan;
        readonly without: boolean;
        readonly labels: readonly string[];
      }
    >
  | Node<
      'binary',
      {
        readonly op: BinaryOp;
        readonly left: Plan;
        readonly right: Plan;
        readonly bool: boolean;
        readonly matching?: VectorMatching;
      }
    >
  | Node<'negate', { readonly input: Plan }>
  /** One result for all steps. */
  | Node<'spread', { readonly input: Plan }>;

export type PlanKind = Plan['kind'];

export type QueryPlan = { readonly root: Plan; readonly type: ValueType; readonly nodes: readonly Plan[] };

export function inputsOf(plan: Plan): readonly Plan[] {
  switch (plan.kind) {
    case 'number':
    case 'text':
    case 'time':
    case 'samples':
      return [];
    case 'fetch':
      return plan.args;
    case 'window':
      return [plan.input, ...plan.args];
    case 'call':
      return plan.args;
    case 'info':
    case 'negate':
    case 'spread':
      return [plan.input];
    case 'aggregate':
      return plan.param ? [plan.input, plan.param] : [plan.input];
    case 'binary':
      return [plan.left, plan.right];
  }
}

/** Whether it yields one number per step rather than series. */
export function isScalar(plan: Plan): boolean {
  switch (plan.kind) {
    case 'number':
    case 'time':
      return true;
    case 'spread':
    case 'negate':
      return isScalar(plan.input);
    case 'binary':
      return isScalar(plan.left) && isScalar(plan.right);
    case 'call':
      return plan.name === 'scalar' || plan.name === 'max_of' || plan.name === 'min_of';
    default:
      return false;
  }
}
