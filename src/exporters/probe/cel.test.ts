// Expressions as probes have them, over one body; and what is refused before any probe.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileCel } from './cel.ts';

const BODY = {
  foo: 'bar',
  baz: 'qux',
  count: 3,
  ready: true,
  none: null,
  items: [
    { name: 'a', size: 1 },
    { name: 'b', size: 20 },
  ],
  'odd key': { deep: [1, 2, 3] },
};

const CASES: Readonly<Record<string, boolean>> = {
  "body.foo == 'bar' && body.baz.startsWith('q')": true,
  'body.foo != "bar" || body.count >= 3': true,
  '!body.ready': false,
  'body.count + 2 * 3 == 9 && -body.count == -3 && 7 % 4 == body.count': true,
  '(body.count + 2) * 3 == 15': true,
  'body["odd key"].deep[1] == 2': true,
  '2 in body["odd key"].deep && "foo" in body && !("no" in body)': true,
  'has(body.foo) && !has(body.nothing.at.all)': true,
  'size(body.items) == 2 && body.foo.size() == 3': true,
  'body.items.all(i, i.size > 0) && body.items.exists(i, i.name == "b")': true,
  'body.items.exists_one(i, i.size > 10)': true,
  'body.items.filter(i, i.size > 10).map(i, i.name) == ["b"]': true,
  'body.foo.matches("^b.r$") && body.foo.contains("a") && body.foo.endsWith("r")': true,
  'body.ready ? body.count == 3 : false': true,
  'body.none == null && {"a": [1]} == {"a": [1]}': true,
  'int("42") == 42 && string(body.count) == "3" && double("1.5") < 2': true,
  'body.foo + \'\\u0021\\n\' == "bar!\\n" // a remark': true,
};

for (const [expression, expected] of Object.entries(CASES))
  test(expression, () => assert.equal(compileCel(expression)(BODY), expected));

test('what is no expression is refused when it is compiled', () => {
  for (const [expression, problem] of [
    ['body.foo ==', /unexpected the end at 12/],
    ['body.foo = 1', /unexpected character at 10/],
    ['bodi.foo', /unknown name bodi/],
    ['body.foo.upper()', /unknown function upper/],
    ['timestamp("x")', /unknown function timestamp/],
    ['body.items.all(i, i > 1) && i', /unknown name i/],
    ['(body', /expected \)/],
    ['"open', /unexpected character/],
    ['('.repeat(500), /too deep|unexpected/],
  ] as const)
    assert.throws(() => compileCel(expression), problem, expression);
});

test('what cannot be worked out of a body is an error', () => {
  assert.throws(() => compileCel('body.nothing == 1')(BODY), /no key nothing/);
  assert.throws(() => compileCel('body.count')(BODY), /gives a number/);
  assert.throws(() => compileCel('body.foo < 3')(BODY), /two numbers or two texts/);
  assert.throws(() => compileCel('body.items[7].name == ""')(BODY), /no item 7/);
});
