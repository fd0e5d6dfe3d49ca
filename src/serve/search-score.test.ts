import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyScore, jaroWinkler, likenessScore, partScore, subsequenceScore } from './search-score.ts';

const near = (actual: number | undefined, expected: number) =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);

test('a part scores by its place', () => {
  const score = partScore('bc');
  assert.equal(score('bcd'), 1);
  near(score('abc'), 0.1);
  near(score('abcd'), 0.55);
  near(score('äbcdä'), 1 - 0.9 / 3);
  assert.equal(score('cb'), undefined);
});

test('a subsequence scores by its runs and gaps', () => {
  const score = subsequenceScore('abc', 0);
  assert.equal(score('abc'), 1);
  assert.equal(score('abcdef'), 1, 'a prefix');
  // A run of three after one character, and one after it: 9 - 1/5 - 1/5/2, of 9.
  near(score('xabcx'), ((9 - 0.2 - 0.1) / 9) * 0.999);
  // Runs of one and two with a gap of one.
  near(score('axbc'), ((1 + 4 - 0.25) / 9) * 0.999);
  // The better of two beginnings.
  near(score('axabc'), ((9 - 0.4) / 9) * 0.999);
  assert.equal(score('acb'), undefined);
  assert.equal(subsequenceScore('abc', 0.9)('axbxc'), undefined, 'below the threshold');
});

test('likeness is that of Jaro and Winkler', () => {
  near(jaroWinkler('martha', 'marhta'), 0.9611111111111111);
  near(jaroWinkler('dixon', 'dicksonx'), 0.8133333333333332);
  near(jaroWinkler('dwayne', 'duane'), 0.84);
  assert.equal(jaroWinkler('a', 'b'), 0);
  assert.equal(jaroWinkler('', 'b'), 0);
  near(likenessScore('martha', 0.9)('marhta'), 0.9611111111111111);
  assert.equal(likenessScore('martha', 0)('marhta'), undefined, 'without a threshold only parts fit');
  near(anyScore([partScore('zz'), partScore('bc')])('abc'), 0.1);
});
