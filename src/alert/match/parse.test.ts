import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMatcher } from '#model/matcher.ts';
import { parseMatcher, parseMatchers } from './parse.ts';

const show = (input: string) => {
  try {
    return parseMatchers(input).map(formatMatcher).join(' ');
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
  const cases: Record<string, string> = {
    'a!b': "! 1:2: !: expected one of '=~'",
    'a="b': '! 2:4: "b: missing end "',
    '=b': '! 0:1: unexpected =: expected label name',
    '{"a"=b}c=d': '! 7:8: c: expected end of input',
    '{"a"=b': '! end of input: expected close brace',
    'a=~"("': '! error parsing regexp: missing closing ): `^(?s:()$`',
  };
  for (const [input, expected] of Object.entries(cases)) assert.equal(show(input), expected, input);
  assert.throws(() => parseMatcher('a=b,c=d'), /expected 1 matcher, found 2/);
  assert.throws(() => parseMatcher('{}'), /no matchers/);
});
