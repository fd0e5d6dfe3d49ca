// The parser of PromQL expressions: recursive descent with precedence climbing, stopping at the first error with the
// wording and position that Prometheus gives. Portable: nothing here needs more than the language itself.

import { UserError } from '#base/errors.ts';
import { compileRegex } from '#base/regex/regex.ts';
import { METRIC_NAME } from '#model/labels.ts';
import type { Matcher, MatchType } from '#model/matcher.ts';
import {
  type AggregateExpr,
  type Aggregator,
  type AtModifier,
  type BinaryExpr,
  type BinaryOp,
  type Expr,
  type MatrixSelector,
  type NumberLiteral,
  type Range,
  type SubqueryExpr,
  takesParameter,
  type VectorMatching,
  type VectorSelector,
} from './ast.ts';
import { checkTypes } from './check.ts';
import { DurationParser } from './duration.ts';
import { describePosition, ParseError } from './errors.ts';
import { formatFixed } from './print.ts';
import { goQuote, isValidLabelName } from './quote.ts';
import { FUNCTIONS } from './signatures.ts';
import { TokenStream } from './tokens.ts';

/** Which experimental parts of the language are understood; the names are those of Prometheus' feature flags. */
export type ParseOptions = {
  readonly experimentalFunctions?: boolean;
  readonly extendedRangeSelectors?: boolean;
  readonly fillModifiers?: boolean;
  /** On unless switched off. */
  readonly durationExpressions?: boolean;
};

export const ALL_FEATURES: ParseOptions = {
  experimentalFunctions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
};

/** Longest query that is read. */
const MAX_QUERY_LENGTH = 2_000_000;
/** Deepest tree that is built; what evaluates trees may recurse that far. */
const MAX_DEPTH = 1500;
/** Deepest nesting of parentheses, calls and signs. */
const MAX_NESTING = 400;

export function parseExpr(query: string, options: ParseOptions = {}): Expr {
  if (query.length > MAX_QUERY_LENGTH) {
    throw new ParseError(`query is longer than ${MAX_QUERY_LENGTH} characters`, query, { start: 0, end: 0 });
  }
  const parser = new Parser(query, options);
  const expr = parser.whole();
  checkTypes(expr, query);
  return expr;
}

/** Matchers of a series selector, as `match[]` takes it. */
export function parseSelector(text: string): readonly Matcher[] {
  return new Parser(text, {}).wholeSelector().matchers;
}

const PRECEDENCE: Readonly<Record<BinaryOp, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '>': 3,
  '<': 3,
  '>=': 3,
  '<=': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
};
const UNARY_PRECEDENCE = 5;
const MATCH_TYPES: Readonly<Record<string, MatchType>> = { '=': '=', '!=': '!=', '=~': '=~', '!~': '!~' };
const NAME_KEYWORDS = ['by', 'without', 'offset', 'anchored', 'smoothed', 'fill', 'fill_left', 'fill_right'];
const AFTER_BRACKET = 'number, duration, step(), or range()';

class Parser {
  readonly #query: string;
  readonly #options: ParseOptions;
  readonly #tokens: TokenStream;
  readonly #durations: DurationParser;
  readonly #depths = new WeakMap<Expr, number>();
  #nesting = 0;

  constructor(query: string, options: ParseOptions) {
    this.#query = query;
    this.#options = options;
    this.#tokens = new TokenStream(query);
    this.#durations = new DurationParser(query, this.#tokens, options.durationExpressions !== false);
  }

  whole(): Expr {
    if (this.#tokens.is('end')) this.#fail('no expression found in input', { start: 0, end: 0 });
    const expr = this.#expr(0);
    if (!this.#tokens.is('end')) this.#tokens.unexpected();
    return expr;
  }

  wholeSelector(): VectorSelector {
    const { kind } = this.#tokens.current;
    const named = kind !== 'punctuation' && this.#isMetricName();
    if (!named && !this.#tokens.at('{')) this.#tokens.unexpected();
    const selector = named ? this.#selector() : this.#braces();
    if (!this.#tokens.is('end')) this.#tokens.unexpected();
    return selector;
  }

  #fail(message: string, range: Range): never {
    throw new ParseError(message, this.#query, range);
  }

  /** Notes how deep the tree below has become. */
  #node<E extends Expr>(expr: E, ...children: readonly Expr[]): E {
    let depth = 1;
    for (const child of children) depth = Math.max(depth, 1 + (this.#depths.get(child) ?? 1));
    if (depth > MAX_DEPTH) this.#fail(`expression is nested more than ${MAX_DEPTH} levels deep`, expr.range);
    this.#depths.set(expr, depth);
    return expr;
  }

  #expr(minPrecedence: number): Expr {
    if (++this.#nesting > MAX_NESTING) {
      this.#fail(`expression is nested more than ${MAX_NESTING} levels deep`, this.#tokens.current);
    }
    let left = this.#unary();
    for (;;) {
      const token = this.#tokens.current;
      const precedence = token.kind === 'operator' ? PRECEDENCE[token.word as BinaryOp] : undefined;
      if (precedence === undefined || precedence < minPrecedence) break;
      this.#tokens.advance();
      left = this.#binary(left, token.word as BinaryOp, precedence);
    }
    this.#nesting--;
    return left;
  }

  #binary(left: Expr, op: BinaryOp, precedence: number): BinaryExpr {
    const { bool, matching } = this.#modifiers();
    const right = this.#expr(op === '^' ? precedence : precedence + 1);
    const range = { start: left.range.start, end: right.range.end };
    const filled = matching.fillLeft !== undefined || matching.fillRight !== undefined;
    if (filled && !this.#options.fillModifiers) {
      this.#fail('binop fill modifiers are experimental and not enabled', range);
    }
    return this.#node({ kind: 'binary', op, left, right, bool, matching, range }, left, right);
  }

  #modifiers(): { bool: boolean; matching: VectorMatching } {
    const tokens = this.#tokens;
    const matching: VectorMatching = { card: 'one-to-one', on: false, labels: [], include: [] };
    const bool = tokens.takeWord('bool');
    const on = tokens.takeWord('on');
    if (on || tokens.takeWord('ignoring')) {
      matching.on = on;
      matching.labels = this.#groupingLabels();
      const left = tokens.takeWord('group_left');
      if (left || tokens.takeWord('group_right')) {
        matching.card = left ? 'many-to-one' : 'one-to-many';
        if (tokens.at('(')) matching.include = this.#groupingLabels();
      }
    }
    if (tokens.takeWord('fill')) {
      matching.fillLeft = this.#fillValue();
      matching.fillRight = matching.fillLeft;
    } else if (tokens.takeWord('fill_left')) {
      matching.fillLeft = this.#fillValue();
      if (tokens.takeWord('fill_right')) matching.fillRight = this.#fillValue();
    } else if (tokens.takeWord('fill_right')) {
      matching.fillRight = this.#fillValue();
      if (tokens.takeWord('fill_left')) matching.fillLeft = this.#fillValue();
    }
    return { bool, matching };
  }

  #fillValue(): number {
    const tokens = this.#tokens;
    tokens.expect('(');
    const negative = tokens.at('-');
    if (negative || tokens.at('+')) tokens.advance();
    if (!tokens.is('number') && !tokens.is('duration')) tokens.unexpected();
    const { value } = this.#durations.literal();
    tokens.expect(')');
    return negative ? -value : value;
  }

  #groupingLabels(): string[] {
    const tokens = this.#tokens;
    if (!tokens.at('(')) tokens.unexpected('grouping opts', '"("');
    tokens.advance();
    const labels: string[] = [];
    if (tokens.take(')')) return labels;
    for (;;) {
      labels.push(this.#groupingLabel());
      if (tokens.take(',')) {
        if (tokens.take(')')) return labels;
      } else if (tokens.take(')')) return labels;
      else tokens.unexpected('grouping opts', '"," or ")"');
    }
  }

  #groupingLabel(): string {
    const token = this.#tokens.current;
    if (token.kind === 'string') {
      const name = this.#tokens.stringValue();
      if (!isValidLabelName(name)) this.#fail(`invalid label name for grouping: ${goQuote(name)}`, token);
      return name;
    }
    const word = token.kind !== 'punctuation' && token.kind !== 'end' && /^[a-zA-Z_:][\w:]*$/.test(token.text);
    if (!word || token.kind === 'number') this.#tokens.unexpected('grouping opts', 'label');
    this.#tokens.advance();
    return token.text;
  }

  #unary(): Expr {
    const token = this.#tokens.current;
    if (!this.#tokens.at('+') && !this.#tokens.at('-')) return this.#postfix(this.#primary());
    this.#tokens.advance();
    const expr = this.#expr(UNARY_PRECEDENCE + 1);
    const range = { start: token.start, end: expr.range.end };
    if (expr.kind === 'number') {
      return this.#node({ ...expr, value: token.word === '-' ? -expr.value : expr.value, range });
    }
    return this.#node({ kind: 'unary', op: token.word as '+' | '-', expr, range }, expr);
  }

  #postfix(expr: Expr): Expr {
    for (;;) {
      if (this.#tokens.at('[')) expr = this.#brackets(expr);
      else if (this.#tokens.takeWord('offset')) this.#offset(expr);
      else if (this.#tokens.take('@')) this.#at(expr);
      else if (this.#tokens.takeWord('anchored')) this.#extend(expr, 'anchored');
      else if (this.#tokens.takeWord('smoothed')) this.#extend(expr, 'smoothed');
      else return expr;
    }
  }

  #brackets(expr: Expr): MatrixSelector | SubqueryExpr {
    const tokens = this.#tokens;
    const open = tokens.current;
    tokens.advance();
    const window = tokens.within('subquery or range selector', AFTER_BRACKET, () => this.#durations.positive());
    const parts = { window: window.ms, ...(window.expr ? { windowExpr: window.expr } : {}) };
    if (tokens.at(']')) {
      const close = tokens.current;
      const brackets = { start: open.start, end: close.end };
      tokens.advance();
      if (expr.kind !== 'vector') this.#fail('ranges only allowed for vector selectors', brackets);
      if (expr.offset !== 0 || expr.offsetExpr) this.#fail('no offset modifiers allowed before range', brackets);
      if (expr.at !== undefined) this.#fail('no @ modifiers allowed before range', brackets);
      const range = { start: expr.range.start, end: close.end };
      return this.#node({ kind: 'matrix', selector: expr, ...parts, range }, expr);
    }
    if (!tokens.take(':')) tokens.unexpected('subquery or range', '":" or "]"');
    let step = { ms: 0 } as ReturnType<DurationParser['positive']>;
    if (!tokens.at(']')) {
      const expected = 'number, duration, step(), range(), or "]"';
      step = tokens.within('subquery selector', expected, () => this.#durations.positive());
    }
    if (!tokens.at(']')) tokens.unexpected('subquery selector', '"]"');
    const range = { start: expr.range.start, end: tokens.current.end };
    tokens.advance();
    const stepParts = { step: step.ms, ...(step.expr ? { stepExpr: step.expr } : {}) };
    return this.#node({ kind: 'subquery', expr, ...parts, ...stepParts, offset: 0, range }, expr);
  }

  #offset(expr: Expr): void {
    const offset = this.#tokens.within('offset', AFTER_BRACKET, () => this.#durations.offset());
    const end = this.#tokens.lastEnd;
    if (expr.kind !== 'vector' && expr.kind !== 'matrix' && expr.kind !== 'subquery') {
      const what = 'an instant vector selector or range vector selector or a subquery';
      this.#fail(`offset modifier must be preceded by ${what}`, expr.range);
    }
    const holder = expr.kind === 'matrix' ? expr.selector : expr;
    if (holder.offset !== 0 || holder.offsetExpr) this.#fail('offset may not be set multiple times', expr.range);
    if (offset.expr) holder.offsetExpr = offset.expr;
    else holder.offset = offset.ms;
    expr.range = { start: expr.range.start, end };
  }

  #at(expr: Expr): void {
    const tokens = this.#tokens;
    let at: AtModifier;
    const word = tokens.current.kind === 'preprocessor' ? tokens.current.word : '';
    if (word === 'start' || word === 'end') {
      at = word;
      tokens.within('@', 'timestamp', () => {
        tokens.advance();
        tokens.expect('(');
        tokens.expect(')');
      });
    } else {
      const seconds = tokens.within('@', 'timestamp', () => this.#signedNumber());
      if (!Number.isFinite(seconds) || Math.abs(seconds) >= 2 ** 63) {
        this.#fail(`timestamp out of bounds for @ modifier: ${formatFixed(seconds, 6)}`, expr.range);
      }
      at = { time: roundHalfAway(seconds * 1000) };
    }
    if (expr.kind !== 'vector' && expr.kind !== 'matrix' && expr.kind !== 'subquery') {
      const what = 'an instant vector selector or range vector selector or a subquery';
      this.#fail(`@ modifier must be preceded by ${what}`, expr.range);
    }
    const holder = expr.kind === 'matrix' ? expr.selector : expr;
    if (holder.at !== undefined) this.#fail('@ <timestamp> may not be set multiple times', expr.range);
    holder.at = at;
    expr.range = { start: expr.range.start, end: tokens.lastEnd };
  }

  #signedNumber(): number {
    const tokens = this.#tokens;
    const negative = tokens.at('-');
    if (negative || tokens.at('+')) tokens.advance();
    if (!tokens.is('number') && !tokens.is('duration')) tokens.unexpected();
    const { value } = this.#durations.literal();
    return negative ? -value : value;
  }

  #extend(expr: Expr, how: 'anchored' | 'smoothed'): void {
    if (!this.#options.extendedRangeSelectors) {
      this.#fail(`${how} modifier is experimental and not enabled`, expr.range);
    }
    if (expr.kind === 'subquery') this.#fail(`${how} modifier is not supported for subqueries`, expr.range);
    if (expr.kind !== 'vector' && expr.kind !== 'matrix') {
      this.#fail(`${how} modifier not implemented`, expr.range);
    }
    const selector = expr.kind === 'matrix' ? expr.selector : expr;
    selector[how] = true;
    if (selector.anchored && selector.smoothed) {
      this.#fail('anchored and smoothed modifiers cannot be used together', expr.range);
    }
  }

  #primary(): Expr {
    const tokens = this.#tokens;
    const token = tokens.current;
    switch (token.kind) {
      case 'number':
      case 'duration':
        return this.#node<NumberLiteral>(this.#durations.literal());
      case 'string':
        return this.#node({
          kind: 'string',
          value: tokens.stringValue(),
          range: { start: token.start, end: token.end },
        });
      case 'aggregator': {
        const { text } = tokens.peek();
        if (text === '(' || /^(by|without)$/i.test(text)) return this.#aggregate();
        return this.#selector();
      }
      case 'identifier':
      case 'preprocessor':
        return tokens.peek().text === '(' ? this.#call() : this.#selector();
    }
    if (tokens.at('(')) {
      tokens.advance();
      const expr = this.#expr(0);
      const { end } = tokens.expect(')');
      return this.#node({ kind: 'paren', expr, range: { start: token.start, end } }, expr);
    }
    if (tokens.at('{')) return this.#braces();
    if (this.#isMetricName()) return this.#selector();
    return tokens.unexpected();
  }

  #isMetricName(): boolean {
    const { kind, word } = this.#tokens.current;
    if (kind === 'keyword') return NAME_KEYWORDS.includes(word);
    if (kind === 'operator') return word === 'and' || word === 'or' || word === 'unless';
    return kind === 'identifier' || kind === 'metric' || kind === 'aggregator' || kind === 'preprocessor';
  }

  #aggregate(): AggregateExpr {
    const tokens = this.#tokens;
    const opToken = tokens.current;
    const op = opToken.word as Aggregator;
    let without = false;
    let grouping: readonly string[] = [];
    const modifier = (): boolean => {
      without = tokens.takeWord('without');
      if (!without && !tokens.takeWord('by')) return false;
      grouping = this.#groupingLabels();
      return true;
    };
    const args = tokens.within('aggregation', '', () => {
      tokens.advance();
      const before = modifier();
      const body = this.#callBody();
      if (!before) modifier();
      return body;
    });
    const range = { start: opToken.start, end: tokens.lastEnd };
    if (args.length === 0) this.#fail('no arguments for aggregate expression provided', range);
    if ((op === 'limitk' || op === 'limit_ratio') && !this.#options.experimentalFunctions) {
      const flag = '--enable-feature=promql-experimental-functions';
      this.#fail(`${op}() is experimental and must be enabled with ${flag}`, range);
    }
    const expected = takesParameter(op) ? 2 : 1;
    if (args.length !== expected) {
      const message = 'wrong number of arguments for aggregate expression provided';
      this.#fail(`${message}, expected ${expected}, got ${args.length}`, range);
    }
    const expr = args[expected - 1]!;
    const parts = expected === 2 ? { param: args[0]! } : {};
    return this.#node({ kind: 'aggregate', op, expr, ...parts, without, grouping, range }, ...args);
  }

  #call(): Expr {
    const name = this.#tokens.current;
    this.#tokens.advance();
    const args = this.#callBody();
    const func = FUNCTIONS.get(name.text);
    if (!func) this.#fail(`unknown function with name ${goQuote(name.text)}`, name);
    if (func.experimental && !this.#options.experimentalFunctions) {
      this.#fail(`function ${goQuote(name.text)} is not enabled`, name);
    }
    const range = { start: name.start, end: this.#tokens.lastEnd };
    return this.#node({ kind: 'call', func, args, range }, ...args);
  }

  #callBody(): Expr[] {
    const tokens = this.#tokens;
    tokens.expect('(');
    const args: Expr[] = [];
    if (tokens.take(')')) return args;
    args.push(this.#expr(0));
    while (!tokens.take(')')) {
      const comma = tokens.expect(',');
      if (!this.#startsExpr()) this.#fail('trailing commas not allowed in function call args', comma);
      args.push(this.#expr(0));
    }
    return args;
  }

  #startsExpr(): boolean {
    const { kind } = this.#tokens.current;
    if (kind === 'number' || kind === 'duration' || kind === 'string' || this.#isMetricName()) return true;
    return ['(', '{', '+', '-'].some((text) => this.#tokens.at(text));
  }

  #selector(): VectorSelector {
    const name = this.#tokens.current;
    this.#tokens.advance();
    const { matchers, end } = this.#tokens.at('{') ? this.#matchers() : { matchers: [], end: name.end };
    const byName: Matcher = { type: '=', name: METRIC_NAME, value: name.text };
    return this.#vector(name.text, [...matchers, byName], { start: name.start, end });
  }

  #braces(): VectorSelector {
    const { start } = this.#tokens.current;
    const { matchers, end } = this.#matchers();
    return this.#vector('', matchers, { start, end });
  }

  #vector(name: string, matchers: readonly Matcher[], range: Range): VectorSelector {
    const modes = { anchored: false, smoothed: false, mayMatchEmpty: false };
    return this.#node({ kind: 'vector', name, matchers, offset: 0, ...modes, range });
  }

  #matchers(): { matchers: Matcher[]; end: number } {
    const tokens = this.#tokens;
    tokens.expect('{');
    const matchers: Matcher[] = [];
    while (!tokens.at('}')) {
      matchers.push(this.#matcher());
      if (!tokens.take(',') && !tokens.at('}')) tokens.unexpected('label matching', '"," or "}"');
    }
    return { matchers, end: tokens.expect('}').end };
  }

  #matcher(): Matcher {
    const tokens = this.#tokens;
    const token = tokens.current;
    if (token.kind !== 'identifier' && token.kind !== 'string') {
      tokens.unexpected('label matching', 'identifier or "}"');
    }
    const name = token.kind === 'string' ? tokens.stringValue() : token.text;
    if (token.kind === 'identifier') tokens.advance();
    const type = tokens.is('string') ? undefined : MATCH_TYPES[tokens.current.text];
    if (type === undefined) {
      if (token.kind === 'string') return { type: '=', name: METRIC_NAME, value: name };
      return tokens.unexpected('label matching', 'label matching operator');
    }
    tokens.advance();
    if (!tokens.is('string')) tokens.unexpected('label matching', 'string');
    const end = tokens.current.end;
    const value = tokens.stringValue();
    if (type === '=~' || type === '!~') this.#checkRegex(value, { start: token.start, end });
    return { type, name, value };
  }

  #checkRegex(pattern: string, range: Range): void {
    try {
      compileRegex(pattern);
    } catch (error) {
      if (error instanceof UserError) this.#fail(error.reason, range);
      throw error;
    }
  }
}

function roundHalfAway(value: number): number {
  return value < 0 ? -Math.round(-value) : Math.round(value);
}

/** Where in the query a range begins, "line:column", for annotations. */
export const positionText = (query: string, range: Range): string => describePosition(query, range.start);
