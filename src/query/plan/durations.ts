// Works out duration expressions once the query's times are known: step() and range() stand for them.

import { UserError } from '#base/errors.ts';
import type { DurationExpr, DurationOperand } from '../parse/ast.ts';
import { MAX_DURATION_SECONDS } from '../parse/numbers.ts';

export type QueryTimes = { readonly start: number; readonly end: number; readonly step: number };

/** Milliseconds. */
export function durationOf(expr: DurationExpr, times: QueryTimes, allowNegative: boolean): number {
  const fail = (what: string): never => {
    throw new UserError(`${expr.range.start}:${expr.range.end}: ${what}`);
  };
  const seconds = evaluate(expr, times);
  if (!Number.isFinite(seconds)) fail('duration is NaN or infinite');
  if (seconds <= 0 && !allowNegative) fail('duration must be greater than 0');
  if (Math.abs(seconds) > MAX_DURATION_SECONDS) fail('duration is out of range');
  return Math.trunc(seconds * 1000);
}

function evaluate(operand: DurationOperand, times: QueryTimes): number {
  if (operand.kind === 'number') return operand.value;
  const left = operand.left ? evaluate(operand.left, times) : 0;
  const right = operand.right ? evaluate(operand.right, times) : 0;
  switch (operand.op) {
    case 'step':
      return times.step / 1000;
    case 'range':
      return (times.end - times.start) / 1000;
    case 'min_of':
      return Math.min(left, right);
    case 'max_of':
      return Math.max(left, right);
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '^':
      return left ** right;
    case '/':
    case '%':
      if (right === 0) {
        const what = operand.op === '/' ? 'division' : 'modulo';
        throw new UserError(`${operand.range.start}:${operand.range.end}: ${what} by zero`);
      }
      return operand.op === '/' ? left / right : left % right;
  }
}
