// Remote read's bytes, both sides against each other: requests, sampled answers, streams of frames cut anywhere, damage.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Histogram } from '#model/histogram.ts';
import { isStale, setStale } from '#model/value.ts';
import {
  chunkFrames,
  decodeChunkFrame,
  decodeReadRequest,
  decodeReadResponse,
  encodeReadRequest,
  encodeReadSeries,
  joinReadResponse,
  readFrames,
  SAMPLES,
  STREAMED_XOR_CHUNKS,
} from './read.ts';

const histogram: Histogram = {
  integer: true,
  schema: 0,
  zeroThreshold: 0.001,
  zeroCount: 1,
  count: 6,
  sum: 12.5,
  positiveSpans: [{ offset: 0, length: 2 }],
  negativeSpans: [],
  positiveBuckets: Float64Array.of(2, 3),
  negativeBuckets: new Float64Array(0),
  counterReset: 'unknown',
};

test('a request comes back as it was asked', () => {
  const matchers = [
    { type: '=', name: '__name__', value: 'up' },
    { type: '!=', name: 'a', value: '' },
    { type: '=~', name: 'b', value: 'x.*' },
    { type: '!~', name: 'c', value: 'y|z' },
  ] as const;
  const asked = decodeReadRequest(encodeReadRequest({ start: -1000, end: 1_700_000_000_000, matchers }));
  assert.deepEqual(asked.queries, [{ start: -1000, end: 1_700_000_000_000, matchers }]);
  assert.deepEqual(asked.accepted, [STREAMED_XOR_CHUNKS, SAMPLES]);
});

test('samples and histograms of a series come back in time order, stale markers with their bits', () => {
  const values = Float64Array.of(1.5, 12.5, 0);
  setStale(values, 2);
  const series = {
    labels: ['__name__', 'a'],
    timestamps: Float64Array.of(10, 20, 30),
    values,
    histograms: new Map([[1, histogram]]),
  };
  const [back] = decodeReadResponse(joinReadResponse([[encodeReadSeries(series)], []]));
  assert.deepEqual(back?.labels, series.labels);
  assert.deepEqual([...back.timestamps], [10, 20, 30]);
  assert.equal(back.values[0], 1.5);
  assert(isStale(back.values, 2));
  assert.deepEqual(back.histograms?.get(1)?.positiveBuckets, histogram.positiveBuckets);
  assert.equal(back.histograms?.size, 1);
});

const chunks = [
  { encoding: 1, minTime: 0, maxTime: 9, bytes: Uint8Array.from({ length: 300 }, (_, i) => i) },
  { encoding: 2, minTime: 10, maxTime: 19, bytes: Uint8Array.of(1, 2, 3) },
];

async function* pieces(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.slice(i, i + size);
}

async function messages(bytes: Uint8Array, size: number, maxBytes = 10_000): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const message of readFrames(pieces(bytes, size), maxBytes)) all.push(message.slice());
  return all;
}

test('frames are read however the stream is cut', async () => {
  const bytes = Buffer.concat([...chunkFrames(0, ['a', 'b'], chunks, 100)]);
  for (const size of [1, 7, 100, bytes.length]) {
    const series = (await messages(bytes, size)).flatMap(decodeChunkFrame);
    assert.deepEqual(
      series.map(({ labels }) => labels),
      [
        ['a', 'b'],
        ['a', 'b'],
      ],
    );
    assert.deepEqual(
      series.flatMap((one) => one.chunks),
      chunks,
    );
  }
});

test('damage, frames beyond the limit and an early end are told', async () => {
  const bytes = Buffer.concat([...chunkFrames(0, ['a', 'b'], chunks, 100)]);
  const damaged = Uint8Array.from(bytes);
  damaged[20]! ^= 1;
  await assert.rejects(messages(damaged, 64), /does not have its checksum/);
  await assert.rejects(messages(bytes, 64, 50), /larger than chunked_read_limit \(50 bytes\)/);
  await assert.rejects(messages(bytes.subarray(0, bytes.length - 1), 64), /ends within a frame/);
  await assert.rejects(messages(new Uint8Array(20).fill(0x80), 64), /no stream of frames/);
});
