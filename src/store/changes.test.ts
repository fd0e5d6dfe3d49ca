// The change track against a plain list of all changes, and what it claims once it has forgotten details.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#base/random.ts';
import { ChangeBoard } from '#model/board.ts';
import { ChangeTrack } from './changes.ts';

test('the earliest time since a mark is that of a plain list', () => {
  const random = seeded(11);
  const track = new ChangeTrack(1000);
  const all: number[] = [];
  for (let i = 0; i < 900; i++) {
    const min = i + random.below(300);
    all.push(min);
    track.note(min);
    const from = random.below(all.length + 1);
    const expected = Math.min(Infinity, ...all.slice(from));
    assert.deepEqual(track.since(1000 + from), { mark: 1000 + all.length, min: expected, series: false });
  }
});

test('a long track claims too much rather than too little', () => {
  const random = seeded(12);
  const track = new ChangeTrack(0);
  const all: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    const min = i * 10 + random.below(1000);
    all.push(min);
    track.note(min);
  }
  for (let from = 0; from <= all.length; from += 7) {
    const expected = from === all.length ? Infinity : all.slice(from, from + 200).reduce((a, b) => Math.min(a, b));
    assert.ok(track.since(from).min <= expected, `mark ${from}`);
  }
  assert.equal(track.since(all.length).min, Infinity);
  assert.equal(track.since(all.length - 1).min, all.at(-1));
});

test('marks of another track say nothing', () => {
  const track = new ChangeTrack(500);
  assert.equal(track.since(499).min, -Infinity);
  assert.equal(track.since(501).min, -Infinity);
  assert.equal(track.since(500).min, Infinity);
});

test('the board says what the track says, without being asked, as long as it remembers', () => {
  const random = seeded(13);
  let head = { min: Infinity, max: -Infinity };
  const written = new ChangeBoard();
  const read = new ChangeBoard(written.memory);
  assert.equal(read.since(-1), undefined, 'nobody writes yet');
  const track = new ChangeTrack(2000, written, () => head);
  assert.deepEqual(read.since(-1), { mark: 2000, min: -Infinity, series: true, head });
  let newest = 2000;
  for (let i = 0; i < 3000; i++) {
    head = { min: i, max: i + random.below(1000) };
    track.note(random.below(50) === 0 ? -Infinity : i + random.below(300), random.below(20) === 0);
    newest++;
    const mark = newest - random.below(250);
    const told = read.since(mark)!;
    const expected = track.since(mark);
    if (mark >= 2000) {
      // The track joins neighbours where it is long; the board knows each of the latest ones.
      assert.ok(told.min >= expected.min, `mark ${mark}`);
      assert.deepEqual([told.mark, told.series, told.head], [newest, expected.series, head]);
    } else assert.equal(told, undefined);
  }
  assert.equal(read.since(newest - 300), undefined, 'forgotten');
  assert.equal(read.since(newest + 1), undefined, 'of somebody else');
  new ChangeTrack(9000, written, () => head);
  assert.equal(read.since(newest), undefined, 'of a writer that is gone');
});
