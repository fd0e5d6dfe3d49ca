// The parser against written expectations (messages with positions, printed forms) and against an independent grammar,
// @prometheus-io/lezer-promql, on random expressions and on damaged ones.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parser as oracle } from '@prometheus-io/lezer-promql';
import { seeded } from '#base/random.ts';
import { RandomExpressions } from './expressions.suite.ts';
import { Lexer } from './lexer.ts';
import { ALL_FEATURES, parseExpr, parseSelector } from './parser.ts';
import { prettyExpr } from './pretty.ts';
import { printExpr } from './print.ts';

const messageOf = (query: string, options = ALL_FEATURES): string => {
  try {
    parseExpr(query, options);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

test('mistakes are reported where they are', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'unknown position: parse error: no expression found in input'],
    ['  ', '1:1: parse error: no expression found in input'],
    ['1 +', '1:4: parse error: unexpected end of input'],
    ['(1', '1:3: parse error: unclosed left parenthesis'],
    ['1)', "1:3: parse error: unexpected right parenthesis ')'"],
    ['up down', '1:4: parse error: unexpected identifier "down"'],
    ['\n  up\n  down', '3:3: parse error: unexpected identifier "down"'],
    ['"äö" up', '1:8: parse error: unexpected identifier "up"'],
    ['sum(up down)', '1:8: parse error: unexpected identifier "down" in aggregation'],
    ['sum by job', '1:8: parse error: unexpected identifier "job" in grouping opts, expected "("'],
    ['sum by (job env) (up)', '1:13: parse error: unexpected identifier "env" in grouping opts, expected "," or ")"'],
    ['up{job=}', '1:8: parse error: unexpected "}" in label matching, expected string'],
    [
      'up{job "a"}',
      '1:8: parse error: unexpected string "\\"a\\"" in label matching, expected label matching operator',
    ],
    ['up{=~"a"}', '1:4: parse error: unexpected <op:=~> in label matching, expected identifier or "}"'],
    ['up{a="b" c="d"}', '1:10: parse error: unexpected identifier "c" in label matching, expected "," or "}"'],
    ['up[', '1:4: parse error: unexpected end of input in duration expression'],
    ['up[0]', '1:4: parse error: duration must be greater than 0'],
    ['up[5m:3m:1m]', "1:9: parse error: unexpected colon ':'"],
    ['up[5m] offset 1m offset 2m', '1:1: parse error: offset may not be set multiple times'],
    ['up offset 1m [5m]', '1:14: parse error: no offset modifiers allowed before range'],
    ['up @ 5 [5m]', '1:8: parse error: no @ modifiers allowed before range'],
    ['sum(up)[5m]', '1:8: parse error: ranges only allowed for vector selectors'],
    ['up @ Inf', '1:1: parse error: timestamp out of bounds for @ modifier: +Inf'],
    [
      '1 offset 1m',
      '1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    ],
    ['rate(up)', '1:6: parse error: expected type range vector in call to function "rate", got instant vector'],
    ['nofunc(1)', '1:1: parse error: unknown function with name "nofunc"'],
    ['round(up,)', '1:9: parse error: trailing commas not allowed in function call args'],
    ['round()', '1:1: parse error: expected at least 1 argument(s) in call to "round", got 0'],
    ['topk(up)', '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1'],
    ['count()', '1:1: parse error: no arguments for aggregate expression provided'],
    ['1 > 2', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
    ['up + bool up', '1:4: parse error: bool modifier can only be used on comparison operators'],
    ['1 and 2', '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
    ['a and on(x) group_left b', '1:1: parse error: no grouping allowed for "and" operation'],
    ['a + on(x) group_left(x) b', '1:3: parse error: label "x" must not occur in ON and GROUP clause at once'],
    ['1 + on(x) up', '1:1: parse error: vector matching only allowed between instant vectors'],
    ['up{__name__="x"}', '1:1: parse error: metric name must not be set twice: "up" or "x"'],
    ['{}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
    ['{a=~".*"}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
    [
      '-"text"',
      '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "string"',
    ],
    ['up[5m][5m:]', '1:1: parse error: subquery is only allowed on instant vector, got matrix instead'],
    ['5m3s1m', '1:1: parse error: not a valid duration string: "5m3s1m"'],
    ['0x1x', '1:1: parse error: bad number or duration syntax: "0x1"'],
    ['1_', '1:1: parse error: bad number or duration syntax: "1_"'],
    ['"unclosed', '1:1: parse error: unterminated quoted string'],
    ['"\\q"', "1:1: parse error: unknown escape sequence U+0071 'q'"],
    ['up @ start', '1:11: parse error: unexpected end of input in @, expected timestamp'],
    ['up &', "1:4: parse error: unexpected character: '&'"],
    ['info(up, down)', '1:10: parse error: expected label selectors only, got vector selector instead'],
    ['rate(up[5m] anchored smoothed)', '1:6: parse error: anchored and smoothed modifiers cannot be used together'],
    ['up[1h / 0]', '1:7: parse error: division by zero'],
  ];
  assert.deepEqual(
    cases.map(([query]) => [query, messageOf(query)]),
    cases,
  );
});

test('experimental parts need their options', () => {
  assert.match(messageOf('limitk(1, up)', {}), /limitk\(\) is experimental and must be enabled/);
  assert.equal(messageOf('step()', {}), '1:1: parse error: function "step" is not enabled');
  assert.match(messageOf('rate(up[5m] smoothed)', {}), /smoothed modifier is experimental and not enabled/);
  assert.match(messageOf('a + fill(0) b', {}), /binop fill modifiers are experimental and not enabled/);
  assert.equal(messageOf('up[5m + 1m]', {}), '');
  assert.match(
    messageOf('up[5m + 1m]', { durationExpressions: false }),
    /experimental duration expression is not enabled/,
  );
});

test('expressions are printed in one canonical form', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['sum  by(a,b)(up)', 'sum by (a, b) (up)'],
    ['sum(up) without(a)', 'sum without (a) (up)'],
    ['topk(5,up)', 'topk(5, up)'],
    ['-1^2', '-1 ^ 2'],
    ['-1*2', '-1 * 2'],
    ['up offset -5m', 'up offset -5m'],
    ['foo offset 1m + 1m', 'foo offset 1m + 1m'],
    ['foo offset (1m+1m)', 'foo offset (1m + 1m)'],
    ['foo offset -(5m)', 'foo offset -(5m)'],
    ['up[300] @ 1.5', 'up[5m] @ 1.500'],
    ['up{b="1",a!~"x"}[5m:1m] @ end() offset 1w', 'up{a!~"x",b="1"}[5m:1m] @ end() offset 1w'],
    ['{"my.metric", "my label"=\'x\'}', '{"my label"="x",__name__="my.metric"}'],
    ['a/on(x)group_left(y)b', 'a / on (x) group_left (y) b'],
    ['a and ignoring() b', 'a and b'],
    ['a > bool on() b', 'a > bool on () b'],
    ['a + fill_left(-1) fill_right(2) b', 'a + fill_left (-1) fill_right (2) b'],
    ['a </ 5', 'a </ 5'],
    ['0x1F + 017 + 1_000 + 1e3 + 5m', '31 + 15 + 1000 + 1000 + 5m'],
    ['rate(up[step()*2+1m] anchored)', 'rate(up[step() * 2 + 1m] anchored)'],
    ['up[max_of(1m,2m):min_of(1,2)]', 'up[max_of(1m, 2m):min_of(1, 2)]'],
    ['sum(sum) + step{a="b"}', 'sum(sum) + step{a="b"}'],
    ['a atan2 b == inf', 'a atan2 b == +Inf'],
    ['`raw\\n`', '"raw\\\\n"'],
    ['"\\x41\\u00e4\\101"', '"AäA"'],
  ];
  for (const [query, expected] of cases) assert.equal(printExpr(parseExpr(query, ALL_FEATURES)), expected);
});

test('long expressions are split at their operands', () => {
  const query = `sum by (job, instance) (rate(http_requests_total{code=~"5..", handler="/api/v1/query_range", method="GET"}[5m])) / on (job) group_left () count by (job) (up)`;
  assert.equal(
    prettyExpr(parseExpr(query)),
    [
      '  sum by (job, instance) (',
      '    rate(http_requests_total{code=~"5..",handler="/api/v1/query_range",method="GET"}[5m])',
      '  )',
      '/ on (job) group_left ()',
      '  count by (job) (up)',
    ].join('\n'),
  );
});

test('selectors are read alone', () => {
  assert.deepEqual(parseSelector('up{job="a"}'), [
    { type: '=', name: 'job', value: 'a' },
    { type: '=', name: '__name__', value: 'up' },
  ]);
  assert.throws(() => parseSelector('rate(up[5m])'), /unexpected "\("/);
  assert.throws(() => parseSelector('up[5m]'), /unexpected "\["/);
});

test('hostile input is refused, not hung on', () => {
  assert.match(messageOf('('.repeat(100_000)), /nested|unclosed/);
  assert.match(messageOf('-'.repeat(100_000)), /nested/);
  assert.match(messageOf(`up${' + up'.repeat(100_000)}`), /nested/);
  assert.match(messageOf(`up[${'('.repeat(10_000)}`), /nested|unexpected/);
  assert.match(messageOf('a'.repeat(2_000_001)), /longer than/);
  assert.equal(messageOf(`up{a="${'x'.repeat(1_000_000)}"}`), '');
});

const oracleAccepts = (query: string): boolean => {
  let ok = true;
  oracle.parse(query).iterate({
    enter: (node) => {
      if (node.type.isError) ok = false;
    },
  });
  return ok;
};

const MEANING =
  /expected (type|at least|at most|\d+ argument)|wrong number|no arguments|multiple times|only allowed|set twice|must (contain|be|not)|must use BOOL|not allowed|out of|set operator|non-empty|binary expression|label selectors|division|modulo|not supported|together/;
const NAMED_AS_KEYWORD = /\b(by|without|offset|anchored|smoothed|and|or|unless|fill|fill_left|fill_right)\b/i;

test('an independent grammar accepts and rejects the same', (t) => {
  const seed = 20_260_101;
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const expressions = new RandomExpressions(random, {
    selectors: ['up', 'http_requests_total{job="a"}', '{__name__=~"foo.*"}', 'foo:bar', '{"a.b", x!="y"}'],
    labels: ['job', 'instance'],
    classic: false,
  });
  for (let i = 0; i < 1500; i++) {
    const query = expressions.vector(3);
    assert.equal(messageOf(query), '', query);
    assert.ok(oracleAccepts(query), query);
    const printed = printExpr(parseExpr(query, ALL_FEATURES));
    assert.equal(printExpr(parseExpr(printed, ALL_FEATURES)), printed);
    assert.equal(printExpr(parseExpr(prettyExpr(parseExpr(query, ALL_FEATURES)), ALL_FEATURES)), printed);

    const damaged = damage(query, random);
    const message = messageOf(damaged);
    if (oracleAccepts(damaged)) assert.ok(message === '' || MEANING.test(message), `${damaged}\n${message}`);
    else assert.ok(message !== '' || NAMED_AS_KEYWORD.test(damaged), damaged);
  }
});

function damage(query: string, random: ReturnType<typeof seeded>): string {
  const words: string[] = [];
  const lexer = new Lexer(query);
  for (let token = lexer.next(); token.kind !== 'end'; token = lexer.next()) words.push(token.text);
  const at = random.below(words.length);
  const other = words[random.below(words.length)]!;
  words.splice(at, random.below(3) === 0 ? 0 : 1, ...(random.below(3) === 0 ? [] : [other]));
  return words.join(' ');
}
