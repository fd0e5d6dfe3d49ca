// Types and units of families as labels.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLabels } from '#model/labels.ts';
import { TextReader } from './text.ts';
import { TypedReader } from './typed.ts';

function read(page: string, format: 'text' | 'openmetrics'): string[] {
  const text = new TextReader(format);
  text.reset(Buffer.from(page));
  const reader = new TypedReader(text);
  const found: string[] = [];
  for (let kind = reader.next(); kind !== 'end'; kind = reader.next()) {
    if (kind === 'series') found.push(`${formatLabels(reader.labels())} ${reader.value}`);
  }
  return found;
}

test('series have the type and the unit of their family, and of no other', () => {
  const page = `# TYPE a_seconds histogram
# UNIT a_seconds seconds
a_seconds_bucket{le="+Inf"} 2
a_seconds_count 2
# TYPE b counter
b_total{__type__="gauge",__unit__="x",job="j"} 3
# TYPE c unknown
c 4
# EOF
`;
  assert.deepEqual(
    read(page, 'openmetrics'),
    [
      'a_seconds_bucket{__type__="histogram", __unit__="seconds", le="+Inf"} 2',
      'a_seconds_count{__type__="histogram", __unit__="seconds"} 2',
      'b_total{__type__="counter", job="j"} 3',
      'c{} 4',
    ].map((line) => line.replace('{}', '')),
  );
});

test('in the older format a series without comment is not taken for the family before it', () => {
  assert.deepEqual(read('# TYPE a gauge\na 1\nab 2\nz_total{__type__="counter"} 3\n', 'text'), [
    'a{__type__="gauge"} 1',
    'ab 2',
    'z_total 3',
  ]);
});
