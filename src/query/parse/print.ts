// Expressions as text: one canonical line that parses back to the same tree, spelled as Prometheus prints it. Errors,
// logs, rule pages and the cache's keys show this form.

import { formatDuration } from '#base/units.ts';
import { isLegacyLabelName, METRIC_NAME } from '#model/labels.ts';
import { formatMatcher } from '#model/matcher.ts';
import { formatValue } from '#model/value.ts';
import type {
  AggregateExpr,
  AtModifier,
  BinaryExpr,
  DurationExpr,
  DurationOperand,
  Expr,
  MatrixSelector,
  NumberLiteral,
  SubqueryExpr,
  VectorSelector,
} from './ast.ts';
import { takesParameter } from './ast.ts';
import { goQuote } from './quote.ts';

export function printExpr(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return printNumber(expr);
    case 'string':
      return goQuote(expr.value);
    case 'paren':
      return `(${printExpr(expr.expr)})`;
    case 'unary':
      return expr.op + printExpr(expr.expr);
    case 'vector':
      return printSelector(expr);
    case 'matrix':
      return printMatrix(expr);
    case 'subquery':
      return printExpr(expr.expr) + subquerySuffix(expr);
    case 'binary':
      return `${printExpr(expr.left)} ${binaryHead(expr)} ${printExpr(expr.right)}`;
    case 'aggregate': {
      const param = takesParameter(expr.op) && expr.param ? `${printExpr(expr.param)}, ` : '';
      return `${aggregateHead(expr)}(${param}${printExpr(expr.expr)})`;
    }
    case 'call':
      return `${expr.func.name}(${expr.args.map(printExpr).join(', ')})`;
  }
}

export function printNumber(literal: NumberLiteral): string {
  if (!literal.duration) return formatValue(literal.value);
  return formatDuration(Math.trunc(literal.value * 1000));
}

const printLabels = (labels: readonly string[]): string =>
  labels.map((label) => (isLegacyLabelName(label) ? label : goQuote(label))).join(', ');

export function aggregateHead(expr: AggregateExpr): string {
  if (expr.without) return `${expr.op} without (${printLabels(expr.grouping)}) `;
  return expr.grouping.length > 0 ? `${expr.op} by (${printLabels(expr.grouping)}) ` : expr.op;
}

/** Operator and modifiers. */
export function binaryHead(expr: BinaryExpr): string {
  let head: string = expr.op;
  if (expr.bool) head += ' bool';
  const { matching } = expr;
  if (!matching) return head;
  const grouped = matching.card === 'many-to-one' || matching.card === 'one-to-many';
  if (matching.labels.length > 0 || matching.on || grouped) {
    head += ` ${matching.on ? 'on' : 'ignoring'} (${printLabels(matching.labels)})`;
  }
  if (grouped) {
    head += ` group_${matching.card === 'many-to-one' ? 'left' : 'right'} (${printLabels(matching.include)})`;
  }
  const { fillLeft, fillRight } = matching;
  if (fillLeft !== undefined && fillLeft === fillRight) return `${head} fill (${printFill(fillLeft)})`;
  if (fillLeft !== undefined) head += ` fill_left (${printFill(fillLeft)})`;
  if (fillRight !== undefined) head += ` fill_right (${printFill(fillRight)})`;
  return head;
}

/** As Go's %v: exponents from 1e21 on and below 1e-4. */
function printFill(value: number): string {
  const magnitude = Math.abs(value);
  if (value === 0 || !Number.isFinite(value) || (magnitude >= 1e-4 && magnitude < 1e21)) return formatValue(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

function printAt(at: AtModifier | undefined): string {
  if (at === undefined) return '';
  return typeof at === 'string' ? ` @ ${at}()` : ` @ ${formatFixed(at.time / 1000, 3)}`;
}

function printOffset(node: { readonly offset: number; readonly offsetExpr?: DurationExpr }): string {
  if (node.offsetExpr) return ` offset ${printDuration(node.offsetExpr)}`;
  return node.offset === 0 ? '' : ` offset ${formatDuration(node.offset)}`;
}

export function printSelector(selector: VectorSelector): string {
  return selectorHead(selector) + printAt(selector.at) + extension(selector) + printOffset(selector);
}

function extension(selector: VectorSelector): string {
  return selector.anchored ? ' anchored' : selector.smoothed ? ' smoothed' : '';
}

function selectorHead({ name, matchers }: VectorSelector): string {
  const shown = matchers
    .filter((m) => !(m.name === METRIC_NAME && m.type === '=' && m.value === name && m.value !== ''))
    .map(formatMatcher)
    .sort((a, b) => (a < b ? -1 : 1));
  return shown.length > 0 ? `${name}{${shown.join(',')}}` : name === '' ? '{}' : name;
}

export function printMatrix({ selector, window, windowExpr }: MatrixSelector): string {
  const length = windowExpr ? printDuration(windowExpr) : formatDuration(window);
  return `${selectorHead(selector)}[${length}]${extension(selector)}${printAt(selector.at)}${printOffset(selector)}`;
}

export function subquerySuffix(expr: SubqueryExpr): string {
  const window = expr.windowExpr ? printDuration(expr.windowExpr) : formatDuration(expr.window);
  const step = expr.step !== 0 ? formatDuration(expr.step) : expr.stepExpr ? printDuration(expr.stepExpr) : '';
  return `[${window}:${step}]${printAt(expr.at)}${printOffset(expr)}`;
}

export function printDuration(operand: DurationOperand): string {
  if (operand.kind === 'number') return printNumber(operand);
  const text = durationBody(operand);
  return operand.wrapped ? `(${text})` : text;
}

function durationBody({ op, left, right }: DurationExpr): string {
  if (op === 'step' || op === 'range') return `${op}()`;
  if (op === 'min_of' || op === 'max_of') return `${op}(${printDuration(left!)}, ${printDuration(right!)})`;
  if (!left) return op === '-' ? `-${printDuration(right!)}` : printDuration(right!);
  return `${printDuration(left)} ${op} ${printDuration(right!)}`;
}

/** A fixed number of decimals, however large the number. */
export function formatFixed(value: number, decimals: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Math.abs(value) < 1e21) return value.toFixed(decimals);
  return `${BigInt(value)}.${'0'.repeat(decimals)}`;
}
