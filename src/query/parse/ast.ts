// The syntax tree of PromQL. Positions are offsets into the query text (UTF-16 units, end excluded); durations are
// milliseconds. Nodes are built by parser.ts and never changed afterwards, except by the type checker's fixed defaults.

import type { Matcher } from '#model/matcher.ts';
import type { FunctionSignature } from './signatures.ts';

export type Range = { readonly start: number; readonly end: number };

export type ValueType = 'none' | 'scalar' | 'vector' | 'matrix' | 'string';

/** The names that Prometheus' messages use. */
export const DOCUMENTED_TYPE: Readonly<Record<ValueType, string>> = {
  none: 'none',
  scalar: 'scalar',
  vector: 'instant vector',
  matrix: 'range vector',
  string: 'string',
};

export type NumberLiteral = {
  readonly kind: 'number';
  value: number;
  /** Written as a duration, and printed as one. */
  readonly duration: boolean;
  range: Range;
};
export type StringLiteral = { readonly kind: 'string'; readonly value: string; readonly range: Range };
export type ParenExpr = { readonly kind: 'paren'; readonly expr: Expr; readonly range: Range };
export type UnaryExpr = {
  readonly kind: 'unary';
  readonly op: '+' | '-';
  readonly expr: Expr;
  readonly range: Range;
};

export type DurationOp = '+' | '-' | '*' | '/' | '%' | '^' | 'step' | 'range' | 'min_of' | 'max_of';
/** Arithmetic in the place of a duration. `left` is absent for unary operators, both sides for step() and range(). */
export type DurationExpr = {
  readonly kind: 'duration';
  readonly op: DurationOp;
  readonly left?: DurationOperand;
  readonly right?: DurationOperand;
  wrapped: boolean;
  readonly range: Range;
};
export type DurationOperand = NumberLiteral | DurationExpr;

export type AtModifier = { readonly time: number } | 'start' | 'end';

export type VectorSelector = {
  readonly kind: 'vector';
  /** The metric name outside the braces; '' if there is none. */
  readonly name: string;
  /** In the order written; the name outside the braces comes last. */
  matchers: readonly Matcher[];
  offset: number;
  offsetExpr?: DurationExpr;
  at?: AtModifier;
  anchored: boolean;
  smoothed: boolean;
  /** Set for the second argument of info(), which may match everything. */
  mayMatchEmpty: boolean;
  range: Range;
};
export type MatrixSelector = {
  readonly kind: 'matrix';
  readonly selector: VectorSelector;
  readonly window: number;
  readonly windowExpr?: DurationExpr;
  range: Range;
};
export type SubqueryExpr = {
  readonly kind: 'subquery';
  readonly expr: Expr;
  readonly window: number;
  readonly windowExpr?: DurationExpr;
  /** 0: the engine's default. */
  readonly step: number;
  readonly stepExpr?: DurationExpr;
  offset: number;
  offsetExpr?: DurationExpr;
  at?: AtModifier;
  range: Range;
};

export const ARITHMETIC_OPS = ['+', '-', '*', '/', '%', '^', 'atan2'] as const;
export const COMPARISON_OPS = ['==', '!=', '>', '<', '>=', '<='] as const;
export const TRIM_OPS = ['</', '>/'] as const;
export const SET_OPS = ['and', 'or', 'unless'] as const;
export type BinaryOp =
  | (typeof ARITHMETIC_OPS)[number]
  | (typeof COMPARISON_OPS)[number]
  | (typeof TRIM_OPS)[number]
  | (typeof SET_OPS)[number];

export const isComparison = (op: BinaryOp): boolean => (COMPARISON_OPS as readonly string[]).includes(op);
export const isSetOp = (op: BinaryOp): boolean => (SET_OPS as readonly string[]).includes(op);
export const isArithmetic = (op: BinaryOp): boolean => (ARITHMETIC_OPS as readonly string[]).includes(op);

export type Cardinality = 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many';
export type VectorMatching = {
  card: Cardinality;
  on: boolean;
  labels: readonly string[];
  /** Labels that group_left/group_right copies from the one side. */
  include: readonly string[];
  fillLeft?: number;
  fillRight?: number;
};
export type BinaryExpr = {
  readonly kind: 'binary';
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
  readonly bool: boolean;
  /** Absent when a side is a scalar. */
  matching?: VectorMatching;
  readonly range: Range;
};

export const AGGREGATORS = [
  'sum',
  'avg',
  'count',
  'min',
  'max',
  'group',
  'stddev',
  'stdvar',
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
] as const;
export type Aggregator = (typeof AGGREGATORS)[number];
export const takesParameter = (op: Aggregator): boolean =>
  op === 'topk' ||
  op === 'bottomk' ||
  op === 'count_values' ||
  op === 'quantile' ||
  op === 'limitk' ||
  op === 'limit_ratio';

export type AggregateExpr = {
  readonly kind: 'aggregate';
  readonly op: Aggregator;
  readonly expr: Expr;
  readonly param?: Expr;
  readonly without: boolean;
  readonly grouping: readonly string[];
  readonly range: Range;
};
export type Call = {
  readonly kind: 'call';
  readonly func: FunctionSignature;
  readonly args: readonly Expr[];
  readonly range: Range;
};

export type Expr =
  | NumberLiteral
  | StringLiteral
  | ParenExpr
  | UnaryExpr
  | VectorSelector
  | MatrixSelector
  | SubqueryExpr
  | BinaryExpr
  | AggregateExpr
  | Call;

export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'paren':
    case 'unary':
      return typeOf(expr.expr);
    case 'vector':
    case 'aggregate':
      return 'vector';
    case 'matrix':
    case 'subquery':
      return 'matrix';
    case 'binary':
      return typeOf(expr.left) === 'scalar' && typeOf(expr.right) === 'scalar' ? 'scalar' : 'vector';
    case 'call':
      return expr.func.returns;
  }
}

/** The direct operands, in the order in which they are written down in Prometheus' tree. */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'vector':
      return [];
    case 'matrix':
      return [expr.selector];
    case 'paren':
    case 'unary':
    case 'subquery':
      return [expr.expr];
    case 'binary':
      return [expr.left, expr.right];
    case 'aggregate':
      return expr.param ? [expr.expr, expr.param] : [expr.expr];
    case 'call':
      return expr.args;
  }
}

export function* selectorsOf(expr: Expr): Generator<VectorSelector> {
  if (expr.kind === 'vector') yield expr;
  else for (const child of childrenOf(expr)) yield* selectorsOf(child);
}
