import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandMacros, guardReading, guardTables, tablesOf, toFrame, toSeries } from './sql.ts';

const span = { fromMs: 1_000_000, toMs: 2_000_000, intervalMs: 60_000 };

test('macros of each dialect', () => {
  assert.equal(
    expandMacros('select $__timeGroup(at, 5m) from t where $__timeFilter(at)', 'mysql', span),
    'select UNIX_TIMESTAMP(at) DIV 300 * 300 from t where at BETWEEN FROM_UNIXTIME(1000) AND FROM_UNIXTIME(2000)',
  );
  assert.equal(
    expandMacros('$__timeGroupAlias(coalesce(a, b), $__interval)', 'postgres', span),
    'floor(extract(epoch from coalesce(a, b))/60)*60 AS "time"',
  );
  assert.equal(
    expandMacros('$__unixEpochFilter(ts) and x > $__unixEpochFrom()', 'clickhouse', span),
    'ts >= 1000 AND ts <= 2000 and x > 1000',
  );
  assert.throws(() => expandMacros('$__timeFilter(a', 'mysql', span), /closing parenthesis/);
});

test('only one reading statement passes', () => {
  for (const good of [
    'SELECT 1',
    'with x as (select 1) select * from x;',
    '-- hi\nselect "a;b", \'drop table x; delete\' from t',
    'SHOW TABLES',
    "select replace(a, 'x', 'y') as b, updated from t where set_at > 1",
  ])
    guardReading(good);
  for (const bad of [
    '',
    'delete from t',
    'select 1; drop table t',
    'with x as (delete from t returning *) select * from x',
    "select * from t into outfile '/tmp/x'",
    'select pg_sleep (10)',
    'update t set a = 1',
    '/* select */ drop table t',
  ])
    assert.throws(() => guardReading(bad), /cannot run the query/, bad);
});

test('tables are found and held against the allow-list', () => {
  assert.deepEqual(tablesOf('with s as (select * from orders) select * from s join `shop`.items i on true, "x"'), [
    'orders',
    'shop.items',
  ]);
  const source = { uid: 'u', name: 'n', kind: 'mysql' as const, url: 'h', allow: ['orders'] };
  guardTables(source, 'select * from shop.orders');
  assert.throws(() => guardTables(source, 'select * from orders join secrets using (id)'), /table "secrets"/);
});

test('long rows become series', () => {
  const frame = toFrame(
    'A',
    ['time', 'city', 'sold'],
    [
      [60, 'b', '2'],
      [0, 'a', '1'],
      [0, 'b', '3'],
    ],
    (column) => column === 2,
  );
  assert.deepEqual(
    toSeries(frame).map((one) => [one.fields[1]!.legend, one.fields[0]!.values, one.fields[1]!.values]),
    [
      ['a', [0], [1]],
      ['b', [0, 60_000], [3, 2]],
    ],
  );
});
