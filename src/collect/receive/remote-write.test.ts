// Remote write 1.0 and 2.0 against the store's twin: the kernel's way must give bit for bit what the reference decoder
// gives, and everything refused must be told in Prometheus' words while the rest is kept.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import type { Histogram } from '#model/histogram.ts';
import { formatLabels, labelsOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { ProtoWriter } from '#wire/protobuf.ts';
import { WriteV1Encoder } from '#wire/remote/write-v1.ts';
import { WriteV2Encoder } from '#wire/remote/write-v2.ts';
import { snappyEncode } from '#wire/snappy.ts';
import { PredictedWrite } from './predicted.ts';
import { fuzzReceive } from './receive.fuzz.ts';
import { REMOTE_WRITE_DEFAULTS, RemoteWriteReceiver, WRITE_V1 } from './remote-write.ts';
import { SplitStoreTwin, StoreTwin } from './store-twin.ts';

const NOW = 1_700_000_000_000;
const V2 = {
  'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
  'content-encoding': 'snappy',
};
const V1 = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };

function setUp(options = REMOTE_WRITE_DEFAULTS, store = new StoreTwin()) {
  const parts = {
    appender: store,
    clock: new SimClock(NOW),
    random: seeded(7),
    registry: new Registry(),
    log: silentLogger,
  };
  const receiver = new RemoteWriteReceiver(parts, options);
  const post = (body: Uint8Array, headers: Record<string, string> = V1) =>
    receiver.receive({ path: '/api/v1/write', query: '', headers, body: snappyEncode(body) });
  return { store, receiver, post };
}

const words = (value: number): [number, number] => {
  const pair = new Uint32Array(Float64Array.of(value).buffer);
  return [pair[0]!, pair[1]!];
};
const STALE: [number, number] = [2, 0x7ff00000];

type Sent = { labels: Record<string, string>; samples: [number, number | 'stale'][] };
function encodeV1(series: Sent[]): Uint8Array {
  const encoder = new WriteV1Encoder();
  for (const { labels, samples } of series) {
    encoder.series(labelsOf(labels));
    for (const [t, v] of samples) encoder.sample(t, ...(v === 'stale' ? STALE : words(v)));
  }
  return encoder.finish().slice();
}

const histogram: Histogram = {
  integer: true,
  schema: 1,
  zeroThreshold: 0.001,
  zeroCount: 2,
  count: 12,
  sum: 30.5,
  positiveSpans: [
    { offset: -1, length: 2 },
    { offset: 3, length: 1 },
  ],
  negativeSpans: [{ offset: 0, length: 1 }],
  positiveBuckets: Float64Array.of(1, 4, 3),
  negativeBuckets: Float64Array.of(2),
  counterReset: 'notReset',
};

/** As requests come over a lane: without headers, as a view, before several shards. */
function setUpSplit() {
  const store = new SplitStoreTwin();
  const { receiver } = setUp(REMOTE_WRITE_DEFAULTS, store);
  const post = async (body: Uint8Array) => {
    const sent = snappyEncode(body);
    const larger = new Uint8Array(sent.length + 16);
    larger.set(sent, 8);
    const reply = receiver.write(larger.subarray(8, 8 + sent.length));
    larger.fill(0);
    return reply;
  };
  return { store, receiver, post };
}

test('rows that are split on the way arrive as the others; what is refused is told with its labels', async () => {
  const seed = 815;
  const random = seeded(seed);
  const whole = setUp();
  const split = setUpSplit();
  const names = Array.from({ length: 60 }, (_, i) => ({ __name__: `m${i % 7}`, i: String(i) }));
  for (let round = 0; round < 60; round++) {
    const body = encodeV1(
      names
        .filter(() => random.below(3) > 0)
        .map((labels) => ({
          labels,
          samples: Array.from({ length: random.below(3) }, (_, k): [number, number] => [
            NOW + (round - (random.below(20) === 0 ? 3 : 0)) * 1000 + k,
            random.next(),
          ]),
        })),
    );
    if (round % 20 === 19) {
      whole.store.forgetRefs();
      split.store.forgetRefs();
    }
    assert.deepEqual(await split.post(body), await whole.post(body), `seed ${seed}`);
  }
  assert.deepEqual(split.store.dump(), whole.store.dump(), `seed ${seed}`);
  assert.ok(split.store.splitRows > 1000);
});

test('samples arrive bit for bit; known series travel without labels', async () => {
  const { store, post } = setUp();
  const request = (t: number) =>
    encodeV1([
      { labels: { __name__: 'a', x: '1' }, samples: [[t, 1.5]] },
      { labels: { __name__: 'a', x: 'ü' }, samples: [[t, 'stale']] },
      {
        labels: { __name__: 'b' },
        samples: [
          [t - 1, -0],
          [t, 1e300],
        ],
      },
    ]);
  assert.deepEqual(await post(request(NOW)), { status: 204, headers: {}, body: '' });
  assert.equal(store.labelSets, 3);
  for (let i = 1; i < 5; i++) assert.equal((await post(request(NOW + i * 1000))).status, 204);
  assert.equal(store.labelSets, 3, 'labels were sent once');
  assert.equal(store.dump()['a{x="ü"}'], [0, 1, 2, 3, 4].map((i) => `stale@${NOW + i * 1000}`).join(' '));
  assert.match(store.dump()['b']!, /^0@1699999999999 1e\+300@1700000000000 /);
});

test('the kernel agrees with the reference decoder on random requests', async () => {
  const seed = 4711;
  const random = seeded(seed);
  const kernel = setUp();
  const reference = setUp();
  const names = Array.from({ length: 400 }, (_, i) => ({
    __name__: `metric_${i % 17}`,
    instance: `host-${'x'.repeat(random.below(40))}-${i}`,
    ...(i % 5 === 0 ? { größe: `${i}` } : {}),
  }));
  for (let round = 0; round < 40; round++) {
    const chosen = names.filter(() => random.below(4) > 0);
    if (round % 7 === 6) chosen.reverse();
    const series = chosen.map((labels, i) => ({
      labels,
      samples: Array.from({ length: random.below(4) }, (_, k): [number, number] => [
        NOW + round * 1000 + k,
        random.below(3) === 0 ? i : random.next() * 10 ** random.below(30),
      ]),
    }));
    const body = encodeV1(series);
    // An unknown field makes the kernel step aside.
    const unusual = new ProtoWriter();
    unusual.raw(body);
    unusual.varint(9, 1);
    assert.equal((await kernel.post(body)).status, 204);
    assert.equal((await reference.post(unusual.finish())).status, 204);
  }
  assert.deepEqual(kernel.store.dump(), reference.store.dump(), `seed ${seed}`);
});

test('refused samples are told, the others are kept', async () => {
  const { store, post } = setUp();
  await post(
    encodeV1([
      { labels: { __name__: 'a' }, samples: [[NOW, 1]] },
      { labels: { __name__: 'b' }, samples: [[NOW, 1]] },
    ]),
  );
  const reply = await post(
    encodeV1([
      { labels: { __name__: 'a' }, samples: [[NOW - 5, 1]] },
      { labels: { __name__: 'b', l: 'v' }, samples: [[NOW + 1, 2]] },
      { labels: { __name__: 'b' }, samples: [[NOW, 3]] },
    ]),
  );
  assert.equal(reply.status, 400);
  assert.equal(
    reply.body,
    'out of order sample for series {__name__="a"}\nduplicate sample for timestamp for series {__name__="b"}\n',
  );
  assert.equal(store.dump()['b{l="v"}'], `2@${NOW + 1}`);
});

test('samples from the far future are refused', async () => {
  const { store, post } = setUp();
  const reply = await post(
    encodeV1([
      {
        labels: { __name__: 'a' },
        samples: [
          [NOW, 1],
          [NOW + 700_000, 1],
        ],
      },
    ]),
  );
  assert.equal(reply.status, 400);
  assert.match(reply.body, /out of bounds: timestamp is too far in the future for series/);
  assert.deepEqual(store.dump(), { a: `1@${NOW}` });
});

test('series that the store dropped are sent again with labels', async () => {
  const { store, post } = setUp();
  const request = (t: number) =>
    encodeV1([
      { labels: { __name__: 'a' }, samples: [[t, 1]] },
      { labels: { __name__: 'b' }, samples: [[t, 'stale']] },
    ]);
  await post(request(NOW));
  store.forgetRefs();
  assert.equal((await post(request(NOW + 1))).status, 204);
  assert.deepEqual(store.dump(), { a: `1@${NOW} 1@${NOW + 1}`, b: `stale@${NOW} stale@${NOW + 1}` });
  await post(request(NOW + 2));
  const { batches } = store;
  await post(request(NOW + 3));
  assert.equal(store.batches, batches + 1, 'known again');
  const v2 = setUp();
  const encoder = new WriteV2Encoder();
  const second = (t: number) => {
    encoder.reset();
    encoder.series(['__name__', 'h']);
    encoder.sample(t, t - 100, ...words(4));
    encoder.histogram({ timestamp: t + 1, start: 0, value: histogram });
    encoder.exemplar(['trace_id', 'x'], 4, t);
    return encoder.finish();
  };
  await v2.post(second(NOW), V2);
  v2.store.forgetRefs();
  const reply = await v2.post(second(NOW + 10), V2);
  assert.equal(reply.status, 204);
  assert.equal(v2.store.histograms('h').length, 2);
});

test('invalid series are passed over by 1.0 and told by 2.0', async () => {
  const v1 = setUp();
  const bad: Sent[] = [
    { labels: { nometric: 'x' }, samples: [[NOW, 1]] },
    { labels: { __name__: 'ok' }, samples: [[NOW, 1]] },
  ];
  assert.equal((await v1.post(encodeV1(bad))).status, 204);
  assert.deepEqual(v1.store.dump(), { ok: `1@${NOW}` });
  const duplicated = new ProtoWriter();
  const series = duplicated.begin(1);
  for (const [name, value] of [
    ['__name__', 'dup'],
    ['x', '1'],
    ['x', '2'],
  ] as const) {
    const label = duplicated.begin(1);
    duplicated.string(1, name);
    duplicated.string(2, value);
    duplicated.end(label);
  }
  const sample = duplicated.begin(2);
  duplicated.double(1, 1);
  duplicated.varint(2, NOW);
  duplicated.end(sample);
  duplicated.end(series);
  assert.equal((await v1.post(duplicated.finish())).status, 204);
  assert.deepEqual(Object.keys(v1.store.dump()), ['ok']);

  const v2 = setUp();
  const encoder = new WriteV2Encoder();
  encoder.series(['__name__', 'dup', 'x', '1', 'x', '2']);
  encoder.sample(NOW, 0, ...words(1));
  encoder.series(['x', '1']);
  encoder.sample(NOW, 0, ...words(1));
  encoder.series(['__name__', 'empty']);
  encoder.series(['__name__', 'ok']);
  encoder.sample(NOW, 0, ...words(1));
  const reply = await v2.post(encoder.finish(), V2);
  assert.equal(reply.status, 400);
  assert.equal(
    reply.body,
    [
      'invalid labels for series, labels {__name__="dup", x="1", x="2"}, duplicated label x',
      'invalid metric name or labels, got {x="1"}',
      'TimeSeries must contain at least one sample or histogram for series {__name__="empty"}',
      '',
    ].join('\n'),
  );
  assert.equal(reply.headers['x-prometheus-remote-write-samples-written'], '1');
  assert.deepEqual(v2.store.dump(), { ok: `1@${NOW}` });
});

test('histograms, exemplars, metadata and start timestamps', async () => {
  const v1 = setUp();
  const encoder = new WriteV1Encoder();
  encoder.series(['__name__', 'h']);
  encoder.histogram({ timestamp: NOW, start: 0, value: histogram });
  encoder.series(['__name__', 'c']);
  encoder.sample(NOW, ...words(3));
  encoder.exemplar(['trace_id', 'abc'], 2.5, NOW);
  encoder.metadata('c', { type: 'counter', help: 'Counts.', unit: '' });
  assert.equal((await v1.post(encoder.finish())).status, 204);
  assert.deepEqual(v1.store.histograms('h')[0]!.value, histogram);
  assert.match(v1.store.dump()['c']!, /trace_id/);
  assert.deepEqual(v1.store.metadata.get('c'), { type: 'counter', help: 'Counts.', unit: '' });

  const v2 = setUp();
  const second = new WriteV2Encoder();
  second.series(['__name__', 'h_bucket', 'le', '1']);
  second.sample(NOW, NOW - 60_000, ...words(3));
  second.exemplar(['trace_id', 'abc'], 2.5, NOW);
  second.metadata({ type: 'histogram', help: 'Takes time.', unit: 'seconds' });
  second.series(['__name__', 'n']);
  second.histogram({ timestamp: NOW, start: NOW - 5, value: { ...histogram, integer: false, counterReset: 'gauge' } });
  const reply = await v2.post(second.finish(), V2);
  assert.equal(reply.status, 204);
  assert.equal(reply.headers['x-prometheus-remote-write-samples-written'], '1');
  assert.equal(reply.headers['x-prometheus-remote-write-histograms-written'], '1');
  assert.equal(reply.headers['x-prometheus-remote-write-exemplars-written'], '1');
  assert.match(v2.store.dump()['h_bucket{le="1"}']!, new RegExp(`^3@${NOW}\\^${NOW - 60_000} `));
  assert.deepEqual(v2.store.metadata.get('h'), { type: 'histogram', help: 'Takes time.', unit: 'seconds' });
  assert.equal(v2.store.histograms('n')[0]!.start, NOW - 5);
});

test('content types and encodings', async () => {
  const { receiver } = setUp({ ...REMOTE_WRITE_DEFAULTS, accepted: [WRITE_V1] });
  const ask = (headers: Record<string, string>) =>
    receiver.receive({ path: '', query: '', headers, body: snappyEncode(new Uint8Array(0)) });
  assert.equal((await ask({})).status, 204);
  assert.equal((await ask({ 'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest' })).status, 204);
  assert.match((await ask(V2)).body, /message is not accepted by this server; only accepts prometheus.WriteRequest/);
  assert.equal((await ask({ 'content-type': 'text/plain' })).status, 415);
  assert.match((await ask({ 'content-type': 'application/x-protobuf;proto=x' })).body, /unknown type for remote write/);
  assert.match(
    (await ask({ ...V1, 'content-encoding': 'gzip' })).body,
    /gzip encoding \(compression\) is not accepted/,
  );
});

test('broken bodies are 400 with the reason', async () => {
  const { receiver, store } = setUp();
  const ask = (body: Uint8Array) => receiver.receive({ path: '', query: '', headers: V1, body });
  const whole = encodeV1([{ labels: { __name__: 'a', b: 'c' }, samples: [[NOW, 1]] }]);
  assert.match((await ask(new Uint8Array(0))).body, /cannot decode snappy block: the length is cut off/);
  assert.match((await ask(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f))).body, /announces 4294967295 bytes, allowed/);
  for (let cut = 1; cut < whole.length; cut++) {
    const reply = await ask(snappyEncode(whole.subarray(0, cut)));
    assert.equal(reply.status, 400, `cut at ${cut}`);
    assert.match(reply.body, /cannot decode protobuf message: .* at byte \d+/);
  }
  assert.deepEqual(store.dump(), {});
});

test('labels of new series come as bytes if they are in order, else by way of strings; both are known afterwards', async () => {
  const orders = [
    ['__name__', 'm', 'a', '1', 'b', 'ä\u{1f600}'],
    ['b', '2', '__name__', 'm', 'a', '1'],
    ['__name__', 'm', 'a', '', 'b', '3'],
    ['__name__', 'm', 'b', '\u07ff\u0800\uffff'],
  ];
  const stored = [orders[0]!, ['__name__', 'm', 'a', '1', 'b', '2'], ['__name__', 'm', 'b', '3'], orders[3]!];
  for (const some of [[0, 3], [0, 1], [2], [3, 2, 1, 0]]) {
    const { store, post } = setUp();
    const body = (time: number) => {
      const encoder = new WriteV1Encoder();
      for (const i of some) {
        encoder.series(orders[i]!);
        encoder.sample(time, ...words(i));
      }
      return encoder.finish().slice();
    };
    assert.equal((await post(body(NOW))).status, 204);
    const sets = store.labelSets;
    assert.equal((await post(body(NOW + 1))).status, 204);
    assert.equal(store.labelSets, sets, 'the second time none is sent');
    const want = some.map((i) => formatLabels(stored[i]!)).sort();
    assert.deepEqual(Object.keys(store.dump()).sort(), want);
  }
});

test('text that is no UTF-8 is left to the reference decoder', async () => {
  for (const bad of [[0x80], [0xc1, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0xf8]]) {
    const predicted = new PredictedWrite(seeded(5));
    const encoder = new WriteV1Encoder();
    encoder.series(['__name__', 'm', 'x', '#'.repeat(bad.length)]);
    encoder.sample(NOW, ...words(1));
    const body = encoder.finish().slice();
    body.set(bad, Buffer.from(body).indexOf('#'));
    const walked = predicted.walk(snappyEncode(body), 1 << 24, NOW)!;
    assert.equal(walked.unknown.count, 1);
    assert.equal(walked.packed, undefined, String(bad));
  }
});

test('a full table makes room and goes on', () => {
  const predicted = new PredictedWrite(seeded(3), 8192);
  for (let round = 0; round < 5; round++) {
    const encoder = new WriteV1Encoder();
    for (let i = 0; i < 3000; i++) {
      encoder.series(['__name__', 'm', 'i', `${round}-${i}`]);
      encoder.sample(NOW, ...words(i));
    }
    const body = snappyEncode(encoder.finish());
    const walked = predicted.walk(body, 1 << 24, NOW)!;
    assert.equal(walked.unknown.count, 3000);
    predicted.learn(
      walked.unknown,
      Float64Array.from({ length: 3000 }, (_, i) => round * 3000 + i),
      NOW,
    );
    const again = predicted.walk(body, 1 << 24, NOW)!;
    for (let i = 0; i < 3000; i++) if (again.refs[i]! >= 0) assert.equal(again.refs[i], round * 3000 + i);
    assert.ok(again.unknown.count < 3000 && predicted.size <= 8192);
  }
});

test('hostile requests and lines cost nothing but a refusal', async () => {
  for (let seed = 1; seed <= 60; seed++) await fuzzReceive(seed);
});
