// Why an alert fires: the parts of its rule's expression, each evaluated at the time in question, with the series that
// belong to the alert and their values.

import { type Labels, METRIC_NAME } from '#model/labels.ts';
import { childrenOf, type Expr, isComparison, isSetOp, selectorsOf, typeOf } from '#query/parse/ast.ts';
import { printExpr } from '#query/parse/print.ts';
import type { QueryOrigin, RuleEngine, VectorSample } from './contract.ts';

export type ExplainedPart = {
  readonly expression: string;
  /** 'result' is the rule's expression; operands are the sides of comparisons and set operators; selectors read the store. */
  readonly role: 'result' | 'operand' | 'selector';
  /** Those that belong to the alert, at most `MAX_SERIES`. */
  readonly series: readonly VectorSample[];
  /** How many belong to the alert. */
  readonly related: number;
  /** How many there are at all. */
  readonly total: number;
  /** The range or offset keeps a part from having one value for each series; it is evaluated as its last value. */
  readonly error?: string;
};

const MAX_SERIES = 20;
const MAX_PARTS = 30;

export async function explainAlert(
  engine: RuleEngine,
  expr: Expr,
  alert: Labels,
  /** Labels that the rule sets, which its expression's series need not have. */
  ruleLabels: Labels,
  timeMs: number,
  origin: QueryOrigin,
): Promise<readonly ExplainedPart[]> {
  const isRelated = relatedTo(alert, ruleLabels);
  const parts = partsOf(expr);
  const explained: ExplainedPart[] = [];
  for (const { expression, role } of parts.slice(0, MAX_PARTS)) {
    try {
      const vector = await engine.evaluate(expression, timeMs, origin);
      const related = vector.filter((sample) => isRelated(sample.labels));
      explained.push({
        expression,
        role,
        series: related.slice(0, MAX_SERIES),
        related: related.length,
        total: vector.length,
      });
    } catch (error) {
      explained.push({ expression, role, series: [], related: 0, total: 0, error: (error as Error).message });
    }
  }
  return explained;
}

type Part = { readonly expression: string; readonly role: ExplainedPart['role'] };

function partsOf(expr: Expr): Part[] {
  const parts = new Map<string, Part>();
  const add = (part: Part) => {
    if (!parts.has(part.expression)) parts.set(part.expression, part);
  };
  add({ expression: printExpr(expr), role: 'result' });
  for (const operand of operandsOf(expr)) {
    const type = typeOf(operand);
    if (type === 'vector' || type === 'scalar') add({ expression: printExpr(operand), role: 'operand' });
  }
  for (const selector of selectorsOf(expr)) add({ expression: printExpr(selector), role: 'selector' });
  return [...parts.values()];
}

/** The sides of comparisons and set operators, outermost first. */
function* operandsOf(expr: Expr): Generator<Expr> {
  if (expr.kind === 'paren') {
    yield* operandsOf(expr.expr);
    return;
  }
  if (expr.kind !== 'binary' || !(isComparison(expr.op) || isSetOp(expr.op))) return;
  for (const side of childrenOf(expr)) {
    if (side.kind === 'number') continue;
    yield side;
    yield* operandsOf(side);
  }
}

/** Series that contradict the alert in no label. */
function relatedTo(alert: Labels, ruleLabels: Labels): (labels: Labels) => boolean {
  const values = new Map<string, string>();
  for (let i = 0; i < alert.length; i += 2) values.set(alert[i]!, alert[i + 1]!);
  values.delete('alertname');
  values.delete(METRIC_NAME);
  for (let i = 0; i < ruleLabels.length; i += 2) values.delete(ruleLabels[i]!);
  return (labels) => {
    for (let i = 0; i < labels.length; i += 2) {
      const value = values.get(labels[i]!);
      if (value !== undefined && value !== labels[i + 1]) return false;
    }
    return true;
  };
}
