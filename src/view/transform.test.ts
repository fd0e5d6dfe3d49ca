import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame } from './frame.ts';
import { applyVariableRegex, builtIns, interpolate } from './interpolate.ts';
import { transform } from './transform.ts';
import { formatText } from './units.ts';

const series = (ref: string, labels: Record<string, string>, values: (number | null)[]): Frame => ({
  ref,
  fields: [
    { name: 'Time', kind: 'time', values: values.map((_, index) => index * 1000) },
    { name: 'Value', kind: 'number', labels, legend: Object.values(labels).join(' '), values },
  ],
});
const rows = (frame: Frame | undefined) =>
  frame ? frame.fields[0]!.values.map((_, row) => frame.fields.map((field) => field.values[row])) : [];

test('reduce gives a row per series', () => {
  const [frame] = transform(
    [series('A', { job: 'a' }, [1, 3]), series('A', { job: 'b' }, [5, null])],
    [{ id: 'reduce', options: { reducers: ['mean', 'lastNotNull'] } }],
  );
  assert.deepEqual(
    frame!.fields.map((field) => field.name),
    ['Field', 'Mean', 'Last *'],
  );
  assert.deepEqual(rows(frame), [
    ['a', 2, 3],
    ['b', 5, 5],
  ]);
});

test('merging tables of instant queries joins equal rows', () => {
  const table = (ref: string, value: number): Frame => ({
    ref,
    fields: [
      { name: 'job', kind: 'string', values: ['x', 'y'] },
      { name: `Value #${ref}`, kind: 'number', values: [value, value + 1] },
    ],
  });
  const [frame] = transform(
    [table('A', 1), table('B', 10)],
    [
      { id: 'merge', options: {} },
      {
        id: 'organize',
        options: {
          renameByName: { 'Value #A': 'up' },
          excludeByName: {},
          indexByName: { 'Value #B': 0, job: 1, 'Value #A': 2 },
        },
      },
    ],
  );
  assert.deepEqual(
    frame!.fields.map((field) => field.name),
    ['Value #B', 'job', 'up'],
  );
  assert.deepEqual(rows(frame), [
    [10, 'x', 1],
    [11, 'y', 2],
  ]);
});

test('group, sort, limit, filter, calculate', () => {
  const frame: Frame = {
    ref: 'A',
    fields: [
      { name: 'host', kind: 'string', values: ['a', 'b', 'a'] },
      { name: 'cpu', kind: 'number', values: [1, 5, 3] },
    ],
  };
  const [grouped] = transform(
    [frame],
    [
      {
        id: 'groupBy',
        options: {
          fields: { host: { operation: 'groupby' }, cpu: { operation: 'aggregate', aggregations: ['sum', 'count'] } },
        },
      },
      { id: 'sortBy', options: { sort: [{ field: 'cpu (sum)', desc: true }] } },
    ],
  );
  assert.deepEqual(rows(grouped), [
    ['b', 5, 1],
    ['a', 4, 2],
  ]);
  const [kept] = transform(
    [frame],
    [
      {
        id: 'filterByValue',
        options: {
          type: 'include',
          match: 'any',
          filters: [{ fieldName: 'cpu', config: { id: 'greater', options: { value: 2 } } }],
        },
      },
      {
        id: 'calculateField',
        options: { mode: 'binary', alias: 'twice', binary: { left: 'cpu', operator: '*', right: '2' } },
      },
      { id: 'limit', options: { limitField: 1 } },
    ],
  );
  assert.deepEqual(rows(kept), [['b', 5, 10]]);
});

test('variables in all formats', () => {
  const scope = {
    h: { values: ['a.b', 'c'], multi: true },
    one: { values: ['x'] },
    all: { values: ['p', 'q'], isAll: true, allValue: '.*', multi: true },
  };
  assert.equal(interpolate('up{i=~"$h"}', scope, 'prometheus'), 'up{i=~"(a\\\\.b|c)"}');
  assert.equal(interpolate('up{i="$one",j=~"[[all]]"}', scope, 'prometheus'), 'up{i="x",j=~".*"}');
  assert.equal(
    interpolate(`\${h:csv} \${h:pipe} \${h:json} \${h:sqlstring} \${h:glob} \${h:queryparam}`, scope),
    `a.b,c a.b|c ["a.b","c"] 'a.b','c' {a.b,c} var-h=a.b&var-h=c`,
  );
  assert.equal(interpolate('in ($h) $unknown', scope, 'sql'), "in ('a.b','c') $unknown");
  const built = builtIns({ fromMs: 0, toMs: 3_600_000, intervalMs: 30_000, scrapeMs: 15_000 });
  assert.equal(interpolate('$__interval $__rate_interval $__range $__to', built), '30s 1m 3600s 3600000');
  assert.deepEqual(applyVariableRegex(['node_a 1', 'node_b 2', 'x'], '/(?<text>node_\\w) (?<value>\\d)/'), [
    { text: 'node_a', value: '1' },
    { text: 'node_b', value: '2' },
  ]);
});

test('numbers with units', () => {
  const shown = (value: number, unit: string, decimals?: number) =>
    formatText(value, unit, decimals === undefined ? {} : { decimals });
  assert.deepEqual(
    [
      shown(1536, 'bytes'),
      shown(0.256, 'percentunit'),
      shown(0.0031, 's'),
      shown(90, 's'),
      shown(1234567, 'short'),
      shown(1e6, 'Bps'),
      shown(3, 'suffix:apples'),
      shown(12, 'currencyUSD'),
      shown(0, 'bool'),
      shown(2.5, 'none', 2),
      shown(1500, 'reqps'),
    ],
    ['1.5 KiB', '25.6%', '3.1 ms', '1.5 mins', '1.23 Mil', '1 MB/s', '3 apples', '$12', 'False', '2.50', '1.5K req/s'],
  );
});
