// The kernel's numbers against those of the language, which prints the same digits.

import assert from 'node:assert';
import { test } from 'node:test';
import { JsonPrinter } from './json-printer.ts';
import { jsonValue } from './json-text.ts';

function printed(values: readonly number[]): string[] {
  const printer = new JsonPrinter();
  printer.begin(['0'], '[');
  for (const value of values) printer.instant([], value);
  return JSON.parse(printer.end().toString()).map((row: { value: [number, string] }) => row.value[1]);
}

const expected = (value: number): string => JSON.parse(jsonValue(value));

test('numbers that are awkward', () => {
  const values = [0, -0, 1, -1, 0.1, 1 / 3, -1.5, Number.NaN, Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE];
  values.push(1e21, 1e22, 123456789012345680000, 1e-6, 1e-7, 1.5e-7, 9007199254740991, 9007199254740992);
  values.push(2 ** 53 + 2, 2.2250738585072014e-308, 2.225073858507201e-308, 5e-324, 4.4e-323, 1e23, 9.5e-3, 0.000123);
  for (let e = -1074; e < 1024; e++) values.push(2 ** e, 2 ** e * (1 + Number.EPSILON), -(2 ** e) * 1.75);
  for (let e = -320; e < 309; e++) values.push(Number(`1e${e}`), Number(`9.99e${e}`), Number(`1.234567890123456e${e}`));
  assert.deepStrictEqual(printed(values), values.map(expected));
});

test('random bits and random decimals', (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  let state = seed | 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const view = new DataView(new ArrayBuffer(8));
  const values: number[] = [];
  for (let i = 0; i < 50_000; i++) {
    view.setUint32(0, next());
    view.setUint32(4, next());
    values.push(view.getFloat64(0), (next() % 1e6) / 10 ** (next() % 9), next() * next(), next() / next());
  }
  assert.deepStrictEqual(printed(values), values.map(expected));
});

test('rows leave out what is absent; pieces make a whole', () => {
  const printer = new JsonPrinter();
  const times = ['1', '2.5', '3'];
  printer.begin(times, '[');
  printer.row(['a', '"x"'], Float64Array.of(9, 1.5, 7, -2), Uint8Array.of(1, 1, 0, 1), 1, 3);
  const first = printer.take().toString();
  printer.begin(times, ',');
  printer.row([], Float64Array.of(4, 5, 6), Uint8Array.of(0, 1, 0), 0, 3);
  assert.deepStrictEqual(JSON.parse(first + printer.end().toString()), [
    {
      metric: { a: '"x"' },
      values: [
        [1, '1.5'],
        [3, '-2'],
      ],
    },
    { metric: {}, values: [[2.5, '5']] },
  ]);
});
