import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { labelsOf } from '#model/labels.ts';
import { QueryEngine } from '../engine.ts';
import { MemorySource } from '../memory-twin.ts';
import { parseExpr } from '../parse/parser.ts';
import { printExpr } from '../parse/print.ts';
import { narrowed } from './narrow.ts';

const rewritten = (query: string): string => {
  const expr = parseExpr(query);
  assert.ok(expr.kind === 'binary');
  return printExpr(narrowed(expr));
};

test('matchers go to the other side where the answer stays the same', () => {
  const cases = [
    // One side of one metric, all labels compared: both sides are unique.
    ['a{job="x"} / b', 'a{job="x"} / b{job="x"}'],
    ['a / b{job=~"x|y",le!="1"}', 'a{job=~"x|y",le!="1"} / b{job=~"x|y",le!="1"}'],
    ['a{job="x"} / b{job="x"}', 'a{job="x"} / b{job="x"}'],
    ['(a{job="x"}) > bool (b)', '(a{job="x"}) > bool (b{job="x"})'],
    // Only labels that are compared, and never the name.
    ['a{job="x",le="1"} and on (job) b', 'a{job="x",le="1"} and on (job) b{job="x"}'],
    ['a{job="x",le="1"} and ignoring (job) b', 'a{job="x",le="1"} and ignoring (job) b{le="1"}'],
    ['a and on (job) b{job="x"}', 'a{job="x"} and on (job) b{job="x"}'],
    // What has no partner stays in the answer.
    ['a unless on (job) b{job="x"}', 'a unless on (job) b{job="x"}'],
    ['a{job="x"} unless on (job) b', 'a{job="x"} unless on (job) b{job="x"}'],
    ['a{job="x"} or b', 'a{job="x"} or b'],
    // Two of the "one" side that look alike are an error unless the other side is empty, so both are read.
    ['a{job="x"} / on (job) b', 'a{job="x"} / on (job) b'],
    ['a / on (job) b{job="x"}', 'a / on (job) b{job="x"}'],
    ['a * on (job) group_left () b{job="x"}', 'a * on (job) group_left () b{job="x"}'],
    [
      'a * on (job) group_left () count by (job) (b{job="x"})',
      'a{job="x"} * on (job) group_left () count by (job) (b{job="x"})',
    ],
    // An aggregation is unique by its labels, and keeps matchers of those.
    ['a{job="x"} / on (job) count by (job) (b)', 'a{job="x"} / on (job) count by (job) (b{job="x"})'],
    [
      'a{job="x",le="1"} / on (job, le) count by (job) (b)',
      'a{job="x",le="1"} / on (job, le) count by (job) (b{job="x"})',
    ],
    ['sum by (job) (a{job="x",le="1"}) and b', 'sum by (job) (a{job="x",le="1"}) and b{job="x"}'],
    // What would be said of series that are not read would be missing.
    ['a{job="x"} / rate(b[5m])', 'a{job="x"} / rate(b[5m])'],
    ['rate(a{job="x"}[5m]) / last_over_time(b[5m])', 'rate(a{job="x"}[5m]) / last_over_time(b{job="x"}[5m])'],
    ['a{job="x"} and sum by (job) (b)', 'a{job="x"} and sum by (job) (b)'],
    // Names may differ here: series without them might look alike.
    ['a{job="x"} / {le="1"}', 'a{job="x"} / {le="1"}'],
    ['a{job="x"} and count_over_time({le="1"}[5m])', 'a{job="x",le="1"} and count_over_time({le="1"}[5m])'],
    [
      'a{job="x"} * on (job) group_left () sum by (job) (b{job!="y"})',
      'a{job="x",job!="y"} * on (job) group_left () sum by (job) (b{job!="y"})',
    ],
    [
      'a * on (job) group_left () topk by (job) (1, b{job="x"})',
      'a * on (job) group_left () topk by (job) (1, b{job="x"})',
    ],
    // Labels that functions make are not those of the selector.
    ['label_replace(a{job="x"}, "job", "y", "", "") and b', 'label_replace(a{job="x"}, "job", "y", "", "") and b'],
    ['count_values("job", a{job="x"}) and b', 'count_values("job", a{job="x"}) and b'],
    ['absent_over_time(a{job="x"}[5m]) and b', 'absent_over_time(a{job="x"}[5m]) and b'],
  ] as const;
  for (const [query, wanted] of cases) assert.equal(rewritten(query), printExpr(parseExpr(wanted)), query);
});

test('joins answer as they do when nothing is narrowed', async () => {
  const source = new MemorySource(2);
  const start = 1_700_000_000_000;
  for (const name of ['a', 'b'])
    for (const job of ['x', 'y', ''])
      for (const le of ['1', '2', ''])
        for (let k = 0; k < 20; k++)
          if (name === 'a' || job !== 'y' || le !== '2')
            source.add(
              labelsOf({ __name__: name, ...(job && { job }), ...(le && { le }) }),
              start + k * 15_000,
              k * le.length + job.length,
            );
  const engines = [false, true].map((noPushdown) => new QueryEngine({ source, clock: systemClock, noPushdown }));
  const selectors = (name: string) => [
    name,
    ...['job="x"', 'job!="x"', 'le=~"1|"', 'job=""'].map((matcher) => `${name}{${matcher}}`),
  ];
  const sides = (name: string) => [
    ...selectors(name),
    ...selectors(name).map((selector) => `last_over_time(${selector}[1m])`),
    ...selectors(name).map((selector) => `count by (job) (${selector})`),
  ];
  const joins = [
    'and',
    'unless on (job)',
    'or',
    '/',
    '* on (job) group_left ()',
    '> ignoring (le) group_right ()',
    '- on (job)',
  ];
  let answered = 0;
  for (const left of sides('a'))
    for (const right of sides('b'))
      for (const join of joins) {
        const query = `${left} ${join} ${right}`;
        const [narrow, wide] = await Promise.all(
          engines.map((engine) =>
            engine.instant(query, start + 200_000).then(
              ({ data, annotations }) => {
                assert.ok(data.type === 'vector');
                const { labels, values } = data.vector;
                const rows = labels.map((of, row) => [of.join(), String(values[row])].join(' ')).sort();
                answered += rows.length > 0 ? 1 : 0;
                return JSON.stringify({ rows, ...annotations.texts('', 10) });
              },
              (error: Error) => error.message.replace(/\{.*\}/g, '{}'),
            ),
          ),
        );
        assert.equal(narrow, wide, query);
      }
  assert.ok(answered > 500);
});
