// What is printed can be read again, in every format; promtool finds nothing wrong with it; negotiation follows the header.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import type { MetricFamily } from '#model/family.ts';
import { formatLabels } from '#model/labels.ts';
import { peer } from '../../../test/peers.ts';
import { acceptHeader, escapeName, negotiate, SCRAPE_PROTOCOLS } from './formats.ts';
import { formatFloat, formatOpenMetricsFloat, parseFloat64 } from './number.ts';
import { TextReader } from './text.ts';
import { render, renderPieces, writeOpenMetrics, writeText } from './write.ts';

const FAMILIES: readonly MetricFamily[] = [
  {
    name: 'http_requests_total',
    type: 'counter',
    help: 'Requests, "all"\nof \\ them.',
    samples: [
      { suffix: '', labels: ['code', '200', 'path', '/a"b\\c\nd'], value: 3 },
      {
        suffix: '',
        labels: ['code', '500'],
        value: 1e21,
        exemplar: { labels: ['trace_id', 'x'], value: 0.5, timestamp: 1_520_879_607_123 },
      },
    ],
  },
  {
    name: 'latency_seconds',
    type: 'histogram',
    help: 'Latency.',
    unit: 'seconds',
    samples: [
      { suffix: '_bucket', labels: ['le', '1'], value: 2 },
      { suffix: '_bucket', labels: ['le', '+Inf'], value: 3 },
      { suffix: '_sum', labels: [], value: 1.5 },
      { suffix: '_count', labels: [], value: 3 },
    ],
  },
  { name: 'temperature', type: 'gauge', help: 'T.', samples: [{ suffix: '', labels: [], value: -0.00001 }] },
];
const UTF8: MetricFamily = {
  name: 'my.metric',
  type: 'gauge',
  help: 'Dots.',
  samples: [{ suffix: '', labels: ['a.b', 'c'], value: 1 }],
};

function readAgain(format: 'text' | 'openmetrics', page: string): string[] {
  const reader = new TextReader(format);
  reader.reset(Buffer.from(page));
  const series: string[] = [];
  for (let kind = reader.next(); kind !== 'end'; kind = reader.next()) {
    if (kind === 'series') series.push(`${formatLabels(reader.labels())} ${reader.value}`);
  }
  return series;
}

test('text and OpenMetrics read back', () => {
  const expected = [
    'http_requests_total{code="200", path="/a\\"b\\\\c\\nd"} 3',
    'http_requests_total{code="500"} 1e+21',
    'latency_seconds_bucket{le="1.0"} 2',
    'latency_seconds_bucket{le="+Inf"} 3',
    'latency_seconds_sum 1.5',
    'latency_seconds_count 3',
    'temperature -0.00001',
    '{"my.metric", "a.b"="c"} 1',
  ];
  assert.deepEqual(readAgain('text', writeText([...FAMILIES, UTF8])), expected);
  assert.deepEqual(readAgain('openmetrics', writeOpenMetrics([...FAMILIES, UTF8])), expected);
  assert.match(writeOpenMetrics(FAMILIES), /^# TYPE http_requests counter$/m);
  assert.match(writeOpenMetrics(FAMILIES), / 1e\+21 # \{trace_id="x"\} 0\.5 1520879607\.123$/m);
  assert.match(writeText([UTF8], 'underscores'), /^my_metric\{a_b="c"\} 1$/m);
});

const promtool = peer('promtool', 'prometheus');
test('promtool accepts the text', { skip: promtool.skip }, () => {
  const result = spawnSync(promtool.path, ['check', 'metrics'], { input: writeText(FAMILIES), encoding: 'utf8' });
  assert.equal(result.status, 0, result.stderr);
});

test('the client decides the format', () => {
  assert.equal(negotiate(undefined).format, 'text');
  assert.equal(
    negotiate(acceptHeader(SCRAPE_PROTOCOLS.slice(1), 'allow-utf-8')).contentType,
    'application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8',
  );
  assert.equal(negotiate(acceptHeader(SCRAPE_PROTOCOLS, 'allow-utf-8')).format, 'protobuf');
  assert.equal(negotiate('text/plain;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4').format, 'text');
  assert.equal(negotiate('text/html,*/*;q=0.1').contentType, 'text/plain; version=0.0.4; charset=utf-8');
  assert.equal(typeof render(FAMILIES, acceptHeader(['PrometheusProto'], 'dots')).body, 'object');
});

test('names for readers without UTF-8', () => {
  assert.equal(escapeName('a.b_c/ü', 'underscores', ''), 'a_b_c__');
  assert.equal(escapeName('a.b_c/ü', 'dots', ''), 'a_dot_b__c____');
  assert.equal(escapeName('a.b_c/ü', 'values', ''), 'U__a_2E_b__c_2F__FC_');
  assert.equal(escapeName('a:b', 'values', ':'), 'a:b');
  assert.equal(escapeName('1a', 'underscores', ':'), '_a');
});

test('floats', () => {
  for (const [value, text] of [
    [1, '1'],
    [0.1, '0.1'],
    [1e21, '1e+21'],
    [1e20, '1e+20'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [-0, '-0'],
    [Number.NaN, 'NaN'],
    [-Infinity, '-Inf'],
    [123_456_789, '1.23456789e+08'],
  ] as const) {
    assert.equal(formatFloat(value), text);
  }
  assert.equal(formatOpenMetricsFloat(1), '1.0');
  for (const text of ['0x1', '1_0', '', '.', '1e', '+nan', 'infinit', '--1', '1e400', ' 1'])
    assert.equal(parseFloat64(text), undefined, text);
  assert.deepEqual(['1.', '.5', '+inf', '-Infinity', 'nAn', '1E3'].map(parseFloat64), [
    1,
    0.5,
    Infinity,
    -Infinity,
    Number.NaN,
    1000,
  ]);
});

test('a page in pieces is the same page', () => {
  const many: MetricFamily = {
    name: 'many',
    type: 'gauge',
    help: 'Many.',
    samples: Array.from({ length: 10_000 }, (_, i) => ({ suffix: '', labels: ['i', String(i)], value: i })),
  };
  for (const accept of [undefined, 'application/openmetrics-text', acceptHeader(['PrometheusProto'], 'allow-utf-8')]) {
    const families = [...FAMILIES, many];
    const { contentType, pieces } = renderPieces(families, accept);
    const all = [...pieces].map((piece) => Buffer.from(piece));
    assert.ok(all.length > 1);
    const whole = render(families, accept);
    assert.equal(contentType, whole.contentType);
    assert.ok(Buffer.concat(all).equals(Buffer.from(whole.body)), contentType);
  }
});
