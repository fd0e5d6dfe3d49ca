import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffLines } from './diff.ts';

const show = (before: string, after: string) =>
  diffLines(before, after).map(({ kind, text }) => ({ same: ' ', added: '+', removed: '-' })[kind] + text);

test('lines that went, came and stayed', () => {
  assert.deepEqual(show('a\nb\nc\n', 'a\nx\nc\n'), [' a', '-b', '+x', ' c']);
  assert.deepEqual(show('a\nb', 'b\nc'), ['-a', ' b', '+c']);
  assert.deepEqual(show('', 'a\n'), ['+a']);
  assert.deepEqual(show('a\n', ''), ['-a']);
  assert.deepEqual(show('a\na\nb', 'a\nb'), [' a', '-a', ' b']);
  assert.deepEqual(show('same', 'same'), [' same']);
});

test('either text can be read out of the difference', () => {
  const seed = Date.now() % 100_000;
  let state = seed;
  const next = (below: number) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state % below;
  };
  for (let round = 0; round < 200; round++) {
    const text = () => Array.from({ length: next(12) }, () => 'abcd'[next(4)]).join('\n');
    const [before, after] = [text(), text()];
    const lines = diffLines(before, after);
    const without = (kind: string) =>
      lines
        .filter((line) => line.kind !== kind)
        .map((line) => line.text)
        .join('\n');
    assert.deepEqual([without('added'), without('removed')], [before, after], `seed ${seed}, round ${round}`);
  }
});
