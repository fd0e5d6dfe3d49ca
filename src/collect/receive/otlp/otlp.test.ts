// OTLP: names under every strategy, all metric kinds from protobuf and JSON alike, delta to cumulative, bad input.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { loadYaml } from '#base/config/load.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { Registry } from '#model/registry.ts';
import type { MetricData, OtlpMetric } from '#wire/otlp/model.ts';
import { ProtoWriter } from '#wire/protobuf.ts';
import { StoreTwin } from '../store-twin.ts';
import { DEFAULT_OTLP, type OtlpSection, otlpSection } from './config.ts';
import { labelName, metricName, TRANSLATION_STRATEGIES, unitName } from './names.ts';
import { OtlpReceiver } from './receiver.ts';

const NOW = 1_700_000_000_123;
const NANOS = '1700000000123000000';
const START = '1700000000000000000';

function setUp(
  section: Partial<OtlpSection> = {},
  features: { convertDelta?: boolean; allowDelta?: boolean; typeAndUnit?: boolean } = {},
) {
  const store = new StoreTwin();
  const parts = {
    appender: store,
    clock: new SimClock(NOW),
    random: seeded(1),
    registry: new Registry(),
    log: silentLogger,
  };
  const receiver = new OtlpReceiver(parts, {
    settings: () => ({
      section: { ...DEFAULT_OTLP, ...section },
      allowDelta: features.allowDelta ?? false,
      typeAndUnitLabels: features.typeAndUnit ?? false,
      lookbackMs: 300_000,
    }),
    convertDelta: features.convertDelta ?? false,
  });
  const json = (value: unknown) =>
    receiver.receive({
      path: '',
      query: '',
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(value)),
    });
  return { store, receiver, json };
}

const attributes = (values: Record<string, string>) =>
  Object.entries(values).map(([key, value]) => ({ key, value: { stringValue: value } }));

const request = (
  metrics: unknown[],
  resource: Record<string, string> = { 'service.name': 'shop', 'service.namespace': 'eu', 'service.instance.id': 'i1' },
) => ({
  resourceMetrics: [
    {
      resource: { attributes: attributes(resource) },
      scopeMetrics: [{ scope: { name: 'lib', version: '1.2', attributes: attributes({ kind: 'x' }) }, metrics }],
    },
  ],
});

const sumMetric = (value: number, extra: object = {}, time = NANOS) => ({
  name: 'http.requests',
  unit: '1',
  description: 'Requests.',
  sum: {
    aggregationTemporality: 2,
    isMonotonic: true,
    dataPoints: [
      {
        startTimeUnixNano: START,
        timeUnixNano: time,
        asInt: String(value),
        attributes: attributes({ 'http.method': 'GET' }),
      },
    ],
    ...extra,
  },
});

test('metric names under the four strategies', () => {
  const metric = (name: string, unit: string, data: MetricData['kind'], monotonic = false): OtlpMetric => ({
    name,
    unit,
    description: '',
    data: (data === 'sum'
      ? { kind: 'sum', monotonic, temporality: 'cumulative', points: [] }
      : { kind: data, points: [] }) as MetricData,
  });
  const all = (m: OtlpMetric) => TRANSLATION_STRATEGIES.map((strategy) => metricName(m, strategy));
  assert.deepEqual(all(metric('http.server.duration', 's', 'histogram')), [
    'http_server_duration_seconds',
    'http_server_duration',
    'http.server.duration_seconds',
    'http.server.duration',
  ]);
  assert.deepEqual(all(metric('requests.total.count', '1', 'sum', true)), [
    'requests_count_total',
    'requests_total_count',
    'requests.total.count_total',
    'requests.total.count',
  ]);
  assert.deepEqual(all(metric('speed', 'By/s', 'gauge')), [
    'speed_bytes_per_second',
    'speed',
    'speed_bytes_per_second',
    'speed',
  ]);
  assert.deepEqual(all(metric('cpu.utilization', '1', 'gauge')), [
    'cpu_utilization_ratio',
    'cpu_utilization',
    'cpu.utilization_ratio',
    'cpu.utilization',
  ]);
  assert.equal(metricName(metric('3xx.hits', '{hit}', 'gauge'), 'UnderscoreEscapingWithSuffixes'), '_3xx_hits');
  assert.throws(
    () => metricName(metric('ééé', '', 'gauge'), 'UnderscoreEscapingWithSuffixes'),
    /resulted in empty name/,
  );
  assert.equal(unitName('By/s', false), 'bytes_per_second');
  assert.equal(unitName('{packets}', false), '');
});

test('label names', () => {
  const legacy = { utf8: false, prefixUnderscore: true, keepUnderscores: true };
  assert.equal(labelName('http.method', legacy), 'http_method');
  assert.equal(labelName('a..b', legacy), 'a__b');
  assert.equal(labelName('a..b', { ...legacy, keepUnderscores: false }), 'a_b');
  assert.equal(labelName('_x', legacy), 'key_x');
  assert.equal(labelName('1x', legacy), 'key_1x');
  assert.equal(labelName('__reserved__', legacy), '__reserved__');
  assert.equal(labelName('a.b', { ...legacy, utf8: true }), 'a.b');
  assert.throws(() => labelName('..', legacy), /resulted in invalid name/);
});

test('a counter with resource, scope and target_info', async () => {
  const { store, json } = setUp({ promote_resource_attributes: ['host.name'], promote_scope_metadata: true });
  const resource = {
    'service.name': 'shop',
    'service.namespace': 'eu',
    'service.instance.id': 'i1',
    'host.name': 'h',
    os: 'linux',
  };
  assert.deepEqual(await json(request([sumMetric(5)], resource)), { status: 200, headers: {}, body: '' });
  assert.deepEqual(store.dump(), {
    'http_requests_total{host_name="h", http_method="GET", instance="i1", job="eu/shop", otel_scope_kind="x", otel_scope_name="lib", otel_scope_version="1.2"}': `5@${NOW}^1700000000000`,
    'target_info{host_name="h", instance="i1", job="eu/shop", os="linux"}': `1@${NOW}`,
  });
  assert.deepEqual(store.metadata.get('http_requests_total'), { type: 'counter', help: 'Requests.', unit: '' });
});

const histogramMetric = {
  name: 'latency',
  unit: 'ms',
  histogram: {
    aggregationTemporality: 2,
    dataPoints: [
      {
        timeUnixNano: NANOS,
        count: '6',
        sum: 30,
        explicitBounds: [1, 5.5],
        bucketCounts: ['1', '2', '3'],
        exemplars: [
          { timeUnixNano: NANOS, asDouble: 3, traceId: 'ABCDEF0123456789abcdef0123456789', spanId: '0000000000000000' },
        ],
      },
    ],
  },
};

test('explicit histograms as classic ones and with custom buckets', async () => {
  const classic = setUp();
  await classic.json(request([histogramMetric], {}));
  assert.deepEqual(classic.store.dump(), {
    'latency_milliseconds_bucket{le="+Inf"}': `6@${NOW}`,
    'latency_milliseconds_bucket{le="1"}': `1@${NOW}`,
    'latency_milliseconds_bucket{le="5.5"}': `3@${NOW} {"labels":["trace_id","abcdef0123456789abcdef0123456789"],"value":3,"timestamp":${NOW}}`,
    latency_milliseconds_count: `6@${NOW}`,
    latency_milliseconds_sum: `30@${NOW}`,
  });
  const native = setUp({ convert_histograms_to_nhcb: true });
  await native.json(request([histogramMetric], {}));
  const value = native.store.histograms('latency_milliseconds')[0]!.value;
  assert.equal(value.schema, -53);
  assert.deepEqual([...value.positiveBuckets], [1, 2, 3]);
  assert.deepEqual([...value.customValues!], [1, 5.5]);
});

test('exponential histograms, made coarser when they are too fine', async () => {
  const { store, json } = setUp();
  const point = {
    timeUnixNano: NANOS,
    count: 9,
    sum: 3,
    zeroCount: 1,
    positive: { offset: -2, bucketCounts: [1, 2, 0, 5] },
  };
  const metric = (name: string, scale: number) => ({
    name,
    exponentialHistogram: { aggregationTemporality: 2, dataPoints: [{ ...point, scale }] },
  });
  await json(request([metric('fits', 3), metric('fine', 9)], {}));
  const fits = store.histograms('fits')[0]!.value;
  assert.equal(fits.schema, 3);
  assert.deepEqual(fits.positiveSpans, [
    { offset: -1, length: 2 },
    { offset: 1, length: 1 },
  ]);
  assert.deepEqual([...fits.positiveBuckets], [1, 2, 5]);
  const fine = store.histograms('fine')[0]!.value;
  assert.equal(fine.schema, 8);
  assert.deepEqual([...fine.positiveBuckets], [3, 5]);
  assert.deepEqual(fine.positiveSpans, [{ offset: 0, length: 2 }]);
  const reply = await json(request([metric('coarse', -5)], {}));
  assert.equal(reply.status, 400);
  assert.match(reply.body, /Scale must be >= -4, was -5/);
});

test('gauges, summaries, ends of series and colliding attributes', async () => {
  const { store, json } = setUp();
  const gauge = {
    name: 'temp',
    unit: 'Cel',
    gauge: {
      dataPoints: [
        { timeUnixNano: NANOS, asDouble: 21.5, attributes: attributes({ 'a.b': '1', 'a-b': '2' }) },
        { timeUnixNano: NANOS, flags: 1 },
      ],
    },
  };
  const summary = {
    name: 'rpc',
    summary: {
      dataPoints: [{ timeUnixNano: NANOS, count: '4', sum: 8, quantileValues: [{ quantile: 0.5, value: 2 }] }],
    },
  };
  assert.equal((await json(request([gauge, summary], {}))).status, 200);
  assert.deepEqual(store.dump(), {
    rpc_count: `4@${NOW}`,
    rpc_sum: `8@${NOW}`,
    'rpc{quantile="0.5"}': `2@${NOW}`,
    temp_celsius: `stale@${NOW}`,
    'temp_celsius{a_b="2;1"}': `21.5@${NOW}`,
  });
});

test('deltas: refused, stored as they are, or added up', async () => {
  const delta = (value: number, time = NANOS) => request([sumMetric(value, { aggregationTemporality: 1 }, time)], {});
  const refusing = setUp();
  const reply = await refusing.json(delta(1));
  assert.equal(reply.status, 400);
  assert.match(reply.body, /invalid temporality and type combination for metric "http.requests"/);
  const native = setUp({}, { allowDelta: true });
  assert.equal((await native.json(delta(3))).status, 200);
  assert.equal(native.store.metadata.get('http_requests_total')?.type, 'unknown');
  const adding = setUp({}, { convertDelta: true });
  const later = (seconds: number) => String(BigInt(NANOS) + BigInt(seconds) * 1_000_000_000n);
  for (const [value, seconds] of [
    [3, 0],
    [4, 1],
    [100, 1],
    [5, 2],
  ] as const)
    await adding.json(delta(value, later(seconds)));
  const series = 'http_requests_total{http_method="GET"}';
  assert.equal(
    adding.store.dump()[series],
    `3@${NOW}^1700000000000 7@${NOW + 1000}^1700000000000 12@${NOW + 2000}^1700000000000`,
  );
  const histogram = (seconds: number) => ({
    ...histogramMetric,
    histogram: {
      aggregationTemporality: 1,
      dataPoints: [{ ...histogramMetric.histogram.dataPoints[0], timeUnixNano: later(seconds) }],
    },
  });
  await adding.json(request([histogram(0)], {}));
  await adding.json(request([histogram(1)], {}));
  assert.match(adding.store.dump()['latency_milliseconds_bucket{le="5.5"}']!, new RegExp(` 6@${NOW + 1000}`));
  const exponential = (seconds: number, scale: number) =>
    request(
      [
        {
          name: 'e',
          exponentialHistogram: {
            aggregationTemporality: 1,
            dataPoints: [{ timeUnixNano: later(seconds), count: 4, scale, positive: { offset: 4, bucketCounts: [4] } }],
          },
        },
      ],
      {},
    );
  await adding.json(exponential(0, 2));
  await adding.json(exponential(1, 1));
  const sum = adding.store.histograms('e')[1]!.value;
  assert.equal(sum.schema, 1);
  assert.deepEqual([...sum.positiveBuckets], [4, 4]);
  assert.deepEqual(sum.positiveSpans, [
    { offset: 3, length: 1 },
    { offset: 1, length: 1 },
  ]);
});

test('type and unit labels, UTF-8 names', async () => {
  const { store, json } = setUp({ translation_strategy: 'NoTranslation' }, { typeAndUnit: true });
  await json(request([{ ...sumMetric(1), unit: 's' }], {}));
  assert.deepEqual(Object.keys(store.dump()), [
    '{"http.requests", __type__="counter", __unit__="seconds", "http.method"="GET"}',
  ]);
});

test('protobuf says the same as JSON', async () => {
  const { store, receiver } = setUp();
  const w = new ProtoWriter();
  const keyValue = (field: number, key: string, value: string) => {
    const at = w.begin(field);
    w.string(1, key);
    const any = w.begin(2);
    w.string(1, value);
    w.end(any);
    w.end(at);
  };
  const fixed64 = (field: number, value: bigint) => {
    w.tag(field, 1);
    w.raw(new Uint8Array(BigUint64Array.of(value).buffer));
  };
  const resources = w.begin(1);
  const resource = w.begin(1);
  keyValue(1, 'service.name', 'shop');
  w.end(resource);
  const scopes = w.begin(2);
  const metric = w.begin(2);
  w.string(1, 'http.requests');
  w.string(3, '1');
  const sum = w.begin(7);
  const point = w.begin(1);
  keyValue(7, 'http.method', 'GET');
  fixed64(2, BigInt(START));
  fixed64(3, BigInt(NANOS));
  fixed64(6, 5n);
  w.end(point);
  w.varint(2, 2);
  w.varint(3, 1);
  w.end(sum);
  w.end(metric);
  w.end(scopes);
  w.end(resources);
  const ask = (body: Uint8Array) =>
    receiver.receive({ path: '', query: '', headers: { 'content-type': 'application/x-protobuf' }, body });
  assert.equal((await ask(w.finish())).status, 200);
  assert.deepEqual(store.dump(), { 'http_requests_total{http_method="GET", job="shop"}': `5@${NOW}^1700000000000` });
  for (let cut = 1; cut < w.pos; cut++)
    assert.equal((await ask(w.finish().subarray(0, cut))).status, 400, `cut ${cut}`);
});

test('broken JSON is told with its place', async () => {
  const { receiver, json } = setUp();
  assert.match((await json({ resourceMetrics: {} })).body, /\$\.resourceMetrics: expected a list/);
  assert.match((await json(request([{ name: 1 }]))).body, /metrics\[0\]\.name: expected text/);
  assert.match((await json(request([sumMetric(1, {}, 'soon')]))).body, /timeUnixNano: expected nanoseconds/);
  const reply = await receiver.receive({
    path: '',
    query: '',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from('{'),
  });
  assert.equal(reply.status, 400);
  const other = await receiver.receive({
    path: '',
    query: '',
    headers: { 'content-type': 'text/plain' },
    body: Buffer.from('{'),
  });
  assert.match(other.body, /unsupported content type: text\/plain/);
});

test('the section refuses what contradicts itself', () => {
  assert.throws(
    () => loadYaml('promote_all_resource_attributes: true\npromote_resource_attributes: [a]', otlpSection, 'o.yml'),
    /cannot be configured simultaneously/,
  );
  assert.throws(() => loadYaml('ignore_resource_attributes: [a]', otlpSection, 'o.yml'), /cannot be configured unless/);
  assert.throws(() => loadYaml('promote_resource_attributes: [a, " a"]', otlpSection, 'o.yml'), /duplicated promoted/);
  assert.deepEqual(loadYaml('', otlpSection, 'o.yml'), DEFAULT_OTLP);
});
