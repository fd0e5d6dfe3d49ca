// Expressions laid out over lines: what fits in 100 characters stays on one line, anything longer is split at its
// operands, each indented by two spaces more.

import type { Expr } from './ast.ts';
import { aggregateHead, binaryHead, printExpr, subquerySuffix } from './print.ts';

const MAX_LINE = 100;
const indent = (level: number): string => '  '.repeat(level);

export function prettyExpr(expr: Expr, level = 0): string {
  const line = printExpr(expr);
  const short = line.length <= MAX_LINE;
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'vector':
    case 'matrix':
      return indent(level) + line;
    case 'unary':
      return indent(level) + expr.op + prettyExpr(expr.expr, level).trim();
    case 'subquery':
      return short ? line : prettyExpr(expr.expr, level) + subquerySuffix(expr);
    case 'paren':
      if (short) return indent(level) + line;
      return `${indent(level)}(\n${prettyExpr(expr.expr, level + 1)}\n${indent(level)})`;
    case 'binary': {
      if (short) return indent(level) + line;
      const left = prettyExpr(expr.left, level + 1);
      const right = prettyExpr(expr.right, level + 1);
      return `${left}\n${indent(level)}${binaryHead(expr)}\n${right}`;
    }
    case 'aggregate': {
      if (short) return indent(level) + line;
      const param = expr.param ? `${prettyExpr(expr.param, level + 1)},\n` : '';
      return `${indent(level)}${aggregateHead(expr)}(\n${param}${prettyExpr(expr.expr, level + 1)}\n${indent(level)})`;
    }
    case 'call': {
      if (short) return indent(level) + line;
      const args = expr.args.map((arg) => prettyExpr(arg, level + 1)).join(',\n');
      return `${indent(level)}${expr.func.name}(\n${args}\n${indent(level)})`;
    }
  }
}
