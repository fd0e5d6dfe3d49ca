// Reduced regular expressions beside RE2JS and beside JavaScript's own: random patterns of what label matchers are made of, over
// random texts that nearly match; and which patterns need no engine.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RE2JS } from 're2js';
import { seeded } from '../random.ts';
import { globsOf, matchesGlob } from './globs.ts';
import { compileRegex } from './regex.ts';

const seed = Number(process.env['PHAROS_SEED'] ?? 3);
const ATOMS = [
  'a',
  'b',
  'ab',
  '/x',
  '-',
  '.',
  '.',
  '.*',
  '.+',
  '\\.',
  '\\d',
  '[ab]',
  '[^a]',
  '[0-3b]',
  'a?',
  '(a|b)?',
  'é',
  '😀',
];
const TEXTS = ['a', 'b', 'ab', '/x', '-', '.', '1', '7', 'é', '😀', '\n'];

function randomPattern(random: ReturnType<typeof seeded>, depth: number): string {
  const sequence = () =>
    Array.from({ length: random.below(4) }, () => {
      if (depth > 0 && random.below(4) === 0)
        return `(${random.below(2) ? '?:' : ''}${randomPattern(random, depth - 1)})`;
      return ATOMS[random.below(ATOMS.length)]!;
    }).join('');
  return Array.from({ length: 1 + random.below(3) }, sequence).join('|');
}

test('patterns match what the engine matches', () => {
  console.log(`seed ${seed}`);
  const random = seeded(seed);
  let spelledOut = 0;
  for (let i = 0; i < 3000; i++) {
    const pattern = randomPattern(random, 2);
    const engine = RE2JS.compile(`^(?s:${pattern})$`);
    const native = new RegExp(`^(?:${pattern})$`, 'su');
    const regex = compileRegex(pattern);
    const globs = globsOf(pattern);
    if (globs) spelledOut++;
    for (let k = 0; k < 20; k++) {
      const text = Array.from({ length: random.below(6) }, () => TEXTS[random.below(TEXTS.length)]).join('');
      const expected = native.test(text);
      assert.equal(engine.matches(text), expected, `RE2JS: ${pattern} on ${JSON.stringify(text)}`);
      assert.equal(regex.test(text), expected, `${pattern} on ${JSON.stringify(text)}`);
      if (globs)
        assert.equal(
          globs.some((glob) => matchesGlob(glob, text)),
          expected,
          `globs of ${pattern} on ${text}`,
        );
      if (regex.literals) assert.equal(regex.literals.includes(text), expected, `literals of ${pattern}`);
      if (expected) assert.ok(text.startsWith(regex.prefix), `prefix of ${pattern}`);
    }
  }
  assert.ok(spelledOut > 2500, `${spelledOut} needed no engine`);
});

test('what label matchers usually are needs no engine', () => {
  for (const pattern of [
    '5..',
    '/api/v1/(items|orders|u.*)',
    '2\\d\\d',
    '(a|b)-.+',
    'node-[0-3].*',
    'eu-(west|east)-1a?',
    'x.*y.*z',
  ]) {
    assert.ok(globsOf(pattern), pattern);
  }
  assert.deepEqual(compileRegex('a(b|c)d?').literals?.toSorted(), ['ab', 'abd', 'ac', 'acd']);
  for (const pattern of ['(?i)abc', 'a+', '(ab)*', '\\bx', 'a{2}', '^a', '[[:alpha:]]', '\\pN']) {
    assert.equal(globsOf(pattern), undefined, pattern);
  }
});

test('mistakes are refused, groups are found', () => {
  for (const pattern of ['(', 'a**', '[', 'a|*', '\\', '(?P<x>a', 'x{2,1}', ')', 'a?+']) {
    assert.throws(() => compileRegex(pattern), /error parsing regexp: /, pattern);
  }
  const regex = compileRegex('(?P<first>[a-c]+)-(\\d)');
  assert.deepEqual(regex.match('ab-7'), ['ab-7', 'ab', '7']);
  assert.deepEqual({ ...regex.groupNames }, { first: 1 });
  assert.deepEqual(compileRegex('(a|b)-.*').match('b-x'), ['b-x', 'b']);
  assert.equal(compileRegex('a.*').match('b'), undefined);
});

test('a text full of near misses takes no longer than its length times that of the pattern', () => {
  const regex = compileRegex(`${'.*a'.repeat(30)}b`);
  assert.equal(regex.test('a'.repeat(20_000)), false);
  assert.equal(regex.test(`${'a'.repeat(20_000)}b`), true);
});
