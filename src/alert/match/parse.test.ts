import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMatcher } from '#model/matcher.ts';
import { type MatcherMode, parseMatcher, parseMatchers } from './parse.ts';

const show = (input: string, mode?: MatcherMode) => {
  try {
    return parseMatchers(input, mode).map(formatMatcher).join(' ');
  } catch (error) {
    return `! ${(error as Error).message}`;
  }
};

test('what is accepted', () => {
  const cases: Record<string, string> = {
    'a=b': 'a="b"',
    '{a="b",c!=d , e=~"f.*",g!~"h"}': 'a="b" c!="d" e=~"f.*" g!~"h"',
    '{}': '',
    '': '',
    '{a=b,}': 'a="b"',
    '"ü x"="1 \\"2\\" \\n"': '"ü x"="1 \\"2\\" \\n"',
    '🙂=ok': '"🙂"="ok"',
    'a=': 'a=""',
    '{a=b': 'a="b"',
    'a=b}': 'a="b"',
    'alertname=~x|y': 'alertname=~"x|y"',
    '{a=b c}': 'a="b c"',
    'a="b\\"c"': 'a="b\\"c"',
  };
  for (const [input, expected] of Object.entries(cases)) assert.equal(show(input), expected, input);
});

test('what is refused, in upstream words', () => {
  const cases: Record<string, [string, string]> = {
    'a!b': ["! 1:2: !: expected one of '=~'", '! bad matcher format: a!b'],
    'a="b': ['! 2:4: "b: missing end "', '! matcher value contains unescaped double quote: "b'],
    '=b': ['! 0:1: unexpected =: expected label name', '! bad matcher format: =b'],
    '{"a"=b}c=d': ['! 7:8: c: expected end of input', '! bad matcher format: "a"=b}c=d'],
    '{"a"=b': ['! end of input: expected close brace', '! bad matcher format: "a"=b'],
    'a=~"("': [
      '! error parsing regexp: missing closing ): `^(?s:()$`',
      '! error parsing regexp: missing closing ): `^(?s:()$`',
    ],
  };
  for (const [input, [strict, fallback]] of Object.entries(cases)) {
    assert.equal(show(input, 'utf8-strict'), strict, input);
    assert.equal(show(input), fallback, input);
  }
  assert.throws(() => parseMatcher('a=b,c=d', 'utf8-strict'), /expected 1 matcher, found 2/);
  assert.throws(() => parseMatcher('{}'), /unexpected open or close brace: \{\}/);
  assert.throws(() => parseMatcher(''), /bad matcher format: $/);
  assert.equal(formatMatcher(parseMatcher('a=b,c=d')), 'a="b,c=d"', 'the older grammar takes all of it as the value');
});
