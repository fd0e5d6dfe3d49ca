// The type checker: every rule that needs no data, in the order in which Prometheus reports them. It also settles two
// defaults that depend on types: set operators match many-to-many, and operations with a scalar have no matching.

import { METRIC_NAME } from '#model/labels.ts';
import { compileMatcher } from '#model/matcher.ts';
import {
  type AggregateExpr,
  type BinaryExpr,
  type Call,
  DOCUMENTED_TYPE,
  type Expr,
  isComparison,
  isSetOp,
  type Range,
  typeOf,
  type ValueType,
  type VectorSelector,
} from './ast.ts';
import { ParseError } from './errors.ts';
import { goQuote } from './quote.ts';

export function checkTypes(expr: Expr, query: string): ValueType {
  const type = typeOf(expr);
  switch (expr.kind) {
    case 'number':
    case 'string':
      break;
    case 'paren':
      checkTypes(expr.expr, query);
      break;
    case 'unary': {
      const inner = checkTypes(expr.expr, query);
      if (inner !== 'scalar' && inner !== 'vector') {
        const got = goQuote(DOCUMENTED_TYPE[inner]);
        const message = `unary expression only allowed on expressions of type scalar or instant vector, got ${got}`;
        fail(message, query, expr.range);
      }
      break;
    }
    case 'subquery': {
      const inner = checkTypes(expr.expr, query);
      if (inner !== 'vector')
        fail(`subquery is only allowed on instant vector, got ${inner} instead`, query, expr.range);
      break;
    }
    case 'matrix':
      checkTypes(expr.selector, query);
      break;
    case 'vector':
      checkSelector(expr, query);
      break;
    case 'aggregate':
      checkAggregate(expr, query);
      break;
    case 'binary':
      checkBinary(expr, query);
      break;
    case 'call':
      checkCall(expr, query);
      break;
  }
  return type;
}

function fail(message: string, query: string, range: Range): never {
  throw new ParseError(message, query, range);
}

function expectType(expr: Expr, wanted: ValueType, context: string, query: string): void {
  const got = checkTypes(expr, query);
  if (got === wanted) return;
  fail(`expected type ${DOCUMENTED_TYPE[wanted]} in ${context}, got ${DOCUMENTED_TYPE[got]}`, query, expr.range);
}

function checkAggregate(expr: AggregateExpr, query: string): void {
  expectType(expr.expr, 'vector', 'aggregation expression', query);
  if (!expr.param) return;
  expectType(expr.param, expr.op === 'count_values' ? 'string' : 'scalar', 'aggregation parameter', query);
}

function checkBinary(expr: BinaryExpr, query: string): void {
  const left = checkTypes(expr.left, query);
  const right = checkTypes(expr.right, query);
  const opRange = () => {
    let start = expr.left.range.end;
    while (/\s/.test(query[start] ?? 'x')) start++;
    return { start, end: expr.right.range.start };
  };
  if (expr.bool && !isComparison(expr.op)) {
    fail('bool modifier can only be used on comparison operators', query, opRange());
  }
  if (isComparison(expr.op) && !expr.bool && left === 'scalar' && right === 'scalar') {
    fail('comparisons between scalars must use BOOL modifier', query, opRange());
  }
  const matching = expr.matching!;
  const setOp = isSetOp(expr.op);
  const grouped = matching.card === 'one-to-many' || matching.card === 'many-to-one';
  if (setOp && matching.card === 'one-to-one') matching.card = 'many-to-many';
  const twice = matching.on ? matching.labels.find((label) => matching.include.includes(label)) : undefined;
  if (twice !== undefined) {
    fail(`label ${goQuote(twice)} must not occur in ON and GROUP clause at once`, query, opRange());
  }
  for (const [type, side] of [
    [left, expr.left],
    [right, expr.right],
  ] as const) {
    if (type === 'scalar' || type === 'vector') continue;
    fail('binary expression must contain only scalar and instant vector types', query, side.range);
  }
  const filled = matching.fillLeft !== undefined || matching.fillRight !== undefined;
  if (left !== 'vector' || right !== 'vector') {
    if (matching.labels.length > 0) fail('vector matching only allowed between instant vectors', query, expr.range);
    if (filled) fail('filling in missing series only allowed between instant vectors', query, expr.range);
    delete expr.matching;
    if (setOp) fail(`set operator ${goQuote(expr.op)} not allowed in binary scalar expression`, query, expr.range);
  } else if (setOp) {
    if (grouped) fail(`no grouping allowed for ${goQuote(expr.op)} operation`, query, expr.range);
    if (filled) fail('filling in missing series not allowed for set operators', query, expr.range);
  }
}

function checkCall(call: Call, query: string): void {
  const { func, args, range } = call;
  const name = goQuote(func.name);
  if (func.variadic === 0) {
    if (args.length !== func.args.length) {
      fail(`expected ${func.args.length} argument(s) in call to ${name}, got ${args.length}`, query, range);
    }
  } else {
    const least = func.args.length - 1;
    if (args.length < least) {
      fail(`expected at least ${least} argument(s) in call to ${name}, got ${args.length}`, query, range);
    }
    const most = least + func.variadic;
    if (func.variadic > 0 && args.length > most) {
      fail(`expected at most ${most} argument(s) in call to ${name}, got ${args.length}`, query, range);
    }
  }
  if (func.name === 'info' && args.length > 1) checkInfoSelector(args[1]!, query, range);
  args.forEach((arg, i) => {
    const wanted = func.args[Math.min(i, func.args.length - 1)]!;
    expectType(arg, wanted, `call to function ${name}`, query);
  });
}

function checkInfoSelector(arg: Expr, query: string, range: Range): void {
  const type = typeOf(arg);
  if (type !== 'vector') {
    const message = `expected type ${DOCUMENTED_TYPE.vector} in call to function "info", got ${DOCUMENTED_TYPE[type]}`;
    fail(message, query, range);
  }
  if (arg.kind !== 'vector') fail('expected label selectors only', query, arg.range);
  if (arg.name !== '') fail('expected label selectors only, got vector selector instead', query, arg.range);
  arg.mayMatchEmpty = true;
}

function checkSelector(selector: VectorSelector, query: string): void {
  if (selector.name !== '') {
    const twice = selector.matchers.slice(0, -1).find((matcher) => matcher.name === METRIC_NAME);
    if (twice) {
      const names = `${goQuote(selector.name)} or ${goQuote(twice.value)}`;
      fail(`metric name must not be set twice: ${names}`, query, selector.range);
    }
    return;
  }
  if (selector.mayMatchEmpty || selector.matchers.some((matcher) => !compileMatcher(matcher)(''))) return;
  fail('vector selector must contain at least one non-empty matcher', query, selector.range);
}
