// The change track against a plain list of all changes, and what it claims once it has forgotten details.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#base/random.ts';
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
    assert.deepEqual(track.since(1000 + from), { mark: 1000 + all.length, min: expected });
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
