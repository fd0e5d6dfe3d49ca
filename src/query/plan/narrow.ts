// Matchers of one side of a join that hold for the other as well: series that can have no partner need not be read. Only where the
// answer stays the same to the letter, errors and annotations included; everything else is left as it is written.

import { METRIC_NAME } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import { keepsName } from '../functions/window.ts';
import type { BinaryExpr, Expr, VectorMatching, VectorSelector } from '../parse/ast.ts';

/** Functions of a window that say nothing about what they are given: no annotation is lost with a series that is not read. */
const SILENT = new Set(['count_over_time', 'first_over_time', 'last_over_time', 'present_over_time']);
/** Likewise aggregations. */
const SILENT_AGGREGATORS = new Set(['count', 'group']);
/** These yield several series of a group. */
const KEEPING_AGGREGATORS = new Set(['bottomk', 'count_values', 'limit_ratio', 'limitk', 'topk']);

/** The same expression, with the matchers of each side that the other one shares. */
export function narrowed(expr: BinaryExpr): BinaryExpr {
  const { op, matching } = expr;
  if (!matching || op === 'or' || matching.fillLeft !== undefined || matching.fillRight !== undefined) return expr;
  const isJoined = (label: string) => label !== METRIC_NAME && matching.labels.includes(label) === matching.on;
  const of = (side: Expr) => constraints(side).filter((matcher) => isJoined(matcher.name));
  const [forLeft, forRight] = [of(expr.right), of(expr.left)];
  const left = mayNarrow(expr, 'left') ? withMatchers(expr.left, forLeft) : expr.left;
  const right = mayNarrow(expr, 'right') ? withMatchers(expr.right, forRight) : expr.right;
  return left === expr.left && right === expr.right ? expr : { ...expr, left, right };
}

/** Whether series of a side that have no partner can go unnoticed: they are not in the answer, and no error is made of them. */
function mayNarrow({ op, matching, left, right }: BinaryExpr, side: 'left' | 'right'): boolean {
  if (op === 'and') return true;
  // What has no partner on the right stays.
  if (op === 'unless') return side === 'right';
  // Two series of the "one" side that look alike are an error, whether they have partners or not, unless the other side is empty.
  return isUnique(matching!.card === 'one-to-many' ? left : right, matching!);
}

/** Whether no two series of a side have the same values in the labels that are compared. */
function isUnique(expr: Expr, matching: VectorMatching): boolean {
  if (expr.kind === 'paren') return isUnique(expr.expr, matching);
  const { on, labels } = matching;
  if (expr.kind === 'aggregate') {
    if (KEEPING_AGGREGATORS.has(expr.op) || expr.without) return false;
    return expr.grouping.every((label) => labels.includes(label) === on);
  }
  const selector = selectorOf(expr);
  return selector !== undefined && !on && labels.length === 0 && hasName(selector);
}

/** Matchers that hold for the labels of whatever the expression yields. */
function constraints(expr: Expr): readonly Matcher[] {
  if (expr.kind === 'paren') return constraints(expr.expr);
  if (expr.kind === 'aggregate') {
    if (expr.op === 'count_values') return [];
    const isKept = (name: string) => expr.grouping.includes(name) !== expr.without;
    return constraints(expr.expr).filter(({ name }) => isKept(name));
  }
  const selector = selectorOf(expr);
  return selector ? selector.matchers.filter(({ name }) => name !== METRIC_NAME) : [];
}

/** The selector whose series an expression yields, one for one: itself, or a function of its windows. */
function selectorOf(expr: Expr): VectorSelector | undefined {
  if (expr.kind === 'paren') return selectorOf(expr.expr);
  if (expr.kind === 'vector') return expr;
  if (expr.kind !== 'call' || expr.func.name === 'absent_over_time') return undefined;
  const windows = expr.args.filter((arg) => arg.kind === 'matrix');
  return windows.length === 1 ? windows[0]!.selector : undefined;
}

const hasName = ({ matchers }: VectorSelector): boolean =>
  matchers.some(({ name, type }) => name === METRIC_NAME && type === '=');

/** Puts matchers into the selector of an expression that says nothing about series that are not read. */
function withMatchers(expr: Expr, more: readonly Matcher[]): Expr {
  switch (expr.kind) {
    case 'paren': {
      const inner = withMatchers(expr.expr, more);
      return inner === expr.expr ? expr : { ...expr, expr: inner };
    }
    case 'vector': {
      const added = more.filter((one) => !expr.matchers.some((own) => isSame(own, one)));
      return added.length === 0 ? expr : { ...expr, matchers: [...expr.matchers, ...added] };
    }
    case 'aggregate': {
      if (!SILENT_AGGREGATORS.has(expr.op)) return expr;
      const kept = more.filter(({ name }) => expr.grouping.includes(name) !== expr.without);
      const inner = withMatchers(expr.expr, kept);
      return inner === expr.expr ? expr : { ...expr, expr: inner };
    }
    case 'call': {
      const at = expr.args.findIndex((arg) => arg.kind === 'matrix');
      const matrix = expr.args[at];
      // Series that differ by their names only are an error where names are dropped.
      if (!SILENT.has(expr.func.name) || matrix?.kind !== 'matrix') return expr;
      if (!keepsName(expr.func.name) && !hasName(matrix.selector)) return expr;
      const selector = withMatchers(matrix.selector, more);
      if (selector === matrix.selector || selector.kind !== 'vector') return expr;
      return { ...expr, args: expr.args.with(at, { ...matrix, selector }) };
    }
    default:
      return expr;
  }
}

const isSame = (a: Matcher, b: Matcher): boolean => a.name === b.name && a.type === b.type && a.value === b.value;
