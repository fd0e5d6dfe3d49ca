// Binary operators on single elements: floats in tight loops by operator, histograms one by one.

import type { Histogram } from '#model/histogram.ts';
import {
  addHistograms,
  compact,
  divide,
  equalHistograms,
  scale,
  subtractHistograms,
  withHint,
} from '../histogram/arithmetic.ts';
import { trimHistogram } from '../histogram/trim.ts';
import { type BinaryExpr, type BinaryOp, isComparison } from '../parse/ast.ts';
import type { Annotations } from './annotations.ts';

/** The value of an arithmetic operator; for comparisons 1 or 0. */
export function applyScalar(op: BinaryOp, a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '%':
      return a % b;
    case '^':
      return power(a, b);
    case 'atan2':
      return Math.atan2(a, b);
    default:
      return compare(op, a, b) ? 1 : 0;
  }
}

/** As in Go: 1 to any power and (-1)^(+-Inf) are 1. */
export function power(a: number, b: number): number {
  if (a === 1 || (a === -1 && (b === Infinity || b === -Infinity))) return 1;
  return a ** b;
}

export function compare(op: BinaryOp, a: number, b: number): boolean {
  switch (op) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
    case '>':
      return a > b;
    case '<':
      return a < b;
    case '>=':
      return a >= b;
    case '<=':
      return a <= b;
    default:
      return false;
  }
}

export const changesMetric = (op: BinaryOp): boolean =>
  op === '+' || op === '-' || op === '*' || op === '/' || op === '%' || op === '^' || op === 'atan2';

/** The outcome for two elements of which at least one is a histogram. `undefined`: no result. */
export type ElementResult = {
  readonly keep: boolean;
  readonly float: number;
  readonly histogram: Histogram | undefined;
};

export function applyHistograms(
  expr: Pick<BinaryExpr, 'op' | 'range'>,
  a: number | Histogram,
  b: number | Histogram,
  annotations: Annotations,
): ElementResult | undefined {
  const { op, range } = expr;
  const kept = (histogram: Histogram): ElementResult => ({ keep: true, float: 0, histogram });
  const incompatible = (): undefined => {
    const name = (side: number | Histogram) => (typeof side === 'number' ? 'float' : 'histogram');
    annotations.incompatibleTypes(op, name(a), name(b), range);
    return undefined;
  };
  if (typeof a === 'number') {
    return typeof b !== 'number' && op === '*' ? kept(compact(scale(b, a))) : incompatible();
  }
  if (typeof b === 'number') {
    if (op === '*') return kept(compact(scale(a, b)));
    if (op === '/') return kept(compact(divide(a, b)));
    if (op === '</' || op === '>/') return kept(trimHistogram(a, b, op === '</'));
    return incompatible();
  }
  if (op === '==' || op === '!=') {
    return { keep: equalHistograms(a, b) === (op === '=='), float: 0, histogram: a };
  }
  if (op !== '+' && op !== '-') return incompatible();
  const word = op === '+' ? 'addition' : 'subtraction';
  const combined = op === '+' ? addHistograms(a, b) : subtractHistograms(a, b);
  if (!combined) {
    annotations.add(`incompatible_buckets/${op}`, range);
    return undefined;
  }
  if (combined.collision) annotations.add(`reset_collision/${word}`, range);
  if (combined.reconciled) annotations.add(`mismatched_custom_buckets/${word}`, range);
  return kept(op === '-' ? withHint(combined.value, 'gauge') : combined.value);
}

/** `out[outAt + i] = a[aAt + i] op b`, where both are present; comparisons keep `a`'s values. */
export function applyRow(
  op: BinaryOp,
  bool: boolean,
  left: Operand,
  right: Operand,
  steps: number,
  out: { values: Float64Array; kinds: Uint8Array; at: number },
  keepRight: boolean,
): void {
  const comparison = isComparison(op);
  for (let i = 0; i < steps; i++) {
    if (left.kinds && left.kinds[left.at + i] !== 1) continue;
    if (right.kinds && right.kinds[right.at + i] !== 1) continue;
    const a = left.values[left.at + i]!;
    const b = right.values[right.at + i]!;
    const at = out.at + i;
    if (!comparison) out.values[at] = applyScalar(op, a, b);
    else {
      const holds = compare(op, a, b);
      if (bool) out.values[at] = holds ? 1 : 0;
      else if (holds) out.values[at] = keepRight ? b : a;
      else continue;
    }
    out.kinds[at] = 1;
  }
}

/** A row, or (without kinds) a scalar at every step. */
export type Operand = { readonly values: Float64Array; readonly kinds: Uint8Array | undefined; readonly at: number };
