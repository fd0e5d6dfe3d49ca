import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#base/random.ts';
import { labelsOf } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import { Silences } from './silences.ts';

/** A table in memory with the count of changes that journals keep. */
class Table extends Map<string, never> {
  version = 0;
  override set(key: string, value: never): this {
    this.version++;
    return super.set(key, value);
  }
  override delete(key: string): boolean {
    this.version++;
    return super.delete(key);
  }
}

test('the silences found by labels are those that match, through additions, edits and ends', () => {
  const seed = 20_260_105;
  const random = seeded(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random.next() * items.length)]!;
  const silences = new Silences(new Table(), { maxSilences: 0, maxSizeBytes: 0 }, 1000, random);
  const values = ['a', 'b', 'ab', 'abc', 'x.y'];
  const patterns = ['a|b', 'a.*', '.*c', '[ab]+', '(x|y).y', '.*', '', 'ab?'];
  const matcher = (): Matcher => {
    const type = pick(['=', '!=', '=~', '!~'] as const);
    return { type, name: pick(['alertname', 'one', 'two']), value: pick(type.endsWith('~') ? patterns : values) };
  };
  let now = 1000;
  for (let step = 0; step < 400; step++) {
    now += 5;
    const matchers = [{ type: '=', name: 'always', value: 'yes' } as const, matcher(), matcher()].slice(
      pick([0, 1]),
    ) as Matcher[];
    const ids = [...silences.all()].map(({ id }) => id);
    const times = { startsAt: now, endsAt: now + pick([10, 100, 1000]) };
    try {
      silences.set(
        { id: pick(['', ...ids.slice(-3)]), matchers, ...times, createdBy: 'me', comment: String(step) },
        now,
      );
    } catch (error) {
      assert.match(String(error), /must not match the empty string/);
    }
    if (step % 10 === 0) silences.collect([], now);
    const labels = labelsOf({
      always: pick(['yes', 'no']),
      ...Object.fromEntries(['alertname', 'one', 'two'].filter(() => pick([0, 1])).map((name) => [name, pick(values)])),
    });
    const expected = [...silences.all()]
      .filter((silence) => silence.startsAt <= now && silence.endsAt > now)
      .filter((silence) => compileMatchers(silence.matchers)(labels))
      .map(({ id }) => id)
      .sort();
    assert.deepEqual(silences.muting(labels, [], now), expected, `seed ${seed}, step ${step}`);
  }
});
