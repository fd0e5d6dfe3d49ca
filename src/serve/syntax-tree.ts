// The syntax tree of an expression in the shape that Prometheus' parse_query answers and its page draws.

import { formatValue } from '#model/value.ts';
import type { AtModifier, DurationOperand, Expr, VectorSelector } from '#query/parse/ast.ts';

type Tree = Readonly<Record<string, unknown>>;

export function syntaxTree(expr: Expr): Tree {
  switch (expr.kind) {
    case 'number':
      return { type: 'numberLiteral', val: formatValue(expr.value) };
    case 'string':
      return { type: 'stringLiteral', val: expr.value };
    case 'paren':
      return { type: 'parenExpr', expr: syntaxTree(expr.expr) };
    case 'unary':
      return { type: 'unaryExpr', op: expr.op, expr: syntaxTree(expr.expr) };
    case 'vector':
      return { type: 'vectorSelector', ...selector(expr) };
    case 'matrix':
      return {
        type: 'matrixSelector',
        range: expr.window,
        rangeExpr: duration(expr.windowExpr),
        ...selector(expr.selector),
      };
    case 'subquery':
      return {
        type: 'subquery',
        expr: syntaxTree(expr.expr),
        range: expr.window,
        rangeExpr: duration(expr.windowExpr),
        step: expr.step,
        stepExpr: duration(expr.stepExpr),
        offset: expr.offset,
        offsetExpr: duration(expr.offsetExpr),
        ...moment(expr.at),
      };
    case 'binary': {
      const { matching } = expr;
      return {
        type: 'binaryExpr',
        op: expr.op,
        lhs: syntaxTree(expr.left),
        rhs: syntaxTree(expr.right),
        matching: matching
          ? {
              card: matching.card,
              labels: matching.labels,
              on: matching.on,
              include: matching.include,
              fillValues: { lhs: matching.fillLeft ?? null, rhs: matching.fillRight ?? null },
            }
          : null,
        bool: expr.bool,
      };
    }
    case 'aggregate':
      return {
        type: 'aggregation',
        op: expr.op,
        expr: syntaxTree(expr.expr),
        param: expr.param ? syntaxTree(expr.param) : null,
        grouping: expr.grouping,
        without: expr.without,
      };
    case 'call': {
      const { name, args, variadic, returns } = expr.func;
      return {
        type: 'call',
        func: { name, argTypes: args, variadic, returnType: returns },
        args: expr.args.map(syntaxTree),
      };
    }
  }
}

function selector(vector: VectorSelector): Tree {
  return {
    name: vector.name,
    offset: vector.offset,
    offsetExpr: duration(vector.offsetExpr),
    matchers: vector.matchers.map(({ name, value, type }) => ({ name, value, type })),
    ...moment(vector.at),
    anchored: vector.anchored,
    smoothed: vector.smoothed,
  };
}

const moment = (at: AtModifier | undefined): Tree => ({
  timestamp: typeof at === 'object' ? at.time : null,
  startOrEnd: typeof at === 'string' ? at : null,
});

function duration(operand: DurationOperand | undefined): Tree | null {
  if (!operand) return null;
  if (operand.kind === 'number')
    return { type: 'numberLiteral', val: formatValue(operand.value), duration: operand.duration };
  return {
    type: 'durationExpr',
    op: operand.op,
    lhs: duration(operand.left),
    rhs: duration(operand.right),
    wrapped: operand.wrapped,
  };
}
