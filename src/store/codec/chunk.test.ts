import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Random, seeded } from '#base/random.ts';
import type { Histogram } from '#model/histogram.ts';
import { CHUNK_XOR } from '#model/query.ts';
import { setStale } from '#model/value.ts';
import { BitWriter } from './bits.ts';
import { decodeChunk, encodeChunks } from './chunk.ts';
import { spansOf } from './histogram-layout.ts';
import { SampleColumns } from './samples.ts';
import { encodeXor, joinXor } from './xor.ts';

const seed = Number(process.env['SEED'] ?? 20_261);
console.log(`seed ${seed}`);

function decodeAll(chunks: ReturnType<typeof encodeChunks>): SampleColumns {
  const all = new SampleColumns();
  for (const chunk of chunks) {
    const before = all.length;
    decodeChunk(chunk.encoding, chunk.bytes, all);
    assert.equal(all.length - before, chunk.samples);
    assert.equal(all.timestamps[before], chunk.minTime);
    assert.equal(all.timestamps[all.length - 1], chunk.maxTime);
  }
  return all;
}

const bits = (samples: SampleColumns) => new BigUint64Array(samples.values.buffer, 0, samples.length);

test('floats keep every bit', () => {
  const random = seeded(seed);
  for (let round = 0; round < 200; round++) {
    const samples = new SampleColumns(1);
    let time = round % 3 === 0 ? -5e11 : 1.7e12;
    const steps = [15_000, 1 + random.below(9000), random.below(70_000) + 1, 2 ** 19 + random.below(99), 1e12];
    for (let i = 0; i < 1 + random.below(300); i++) {
      time += random.below(4) === 0 ? steps[random.below(steps.length)]! : 15_000;
      if (random.below(3) === 0) samples.push(time, i);
      else samples.pushBits(time, random.below(2 ** 32), random.below(2) * random.below(2 ** 32));
      if (random.below(20) === 0) setStale(samples.values, samples.length - 1);
    }
    const decoded = decodeAll(encodeChunks(samples));
    assert.deepEqual(
      decoded.timestamps.subarray(0, decoded.length),
      samples.timestamps.subarray(0, samples.length),
      `round ${round}`,
    );
    assert.deepEqual(bits(decoded), bits(samples), `round ${round}`);
  }
});

test('chunks joined without decoding hold the same samples', () => {
  const random = seeded(seed + 5);
  for (let round = 0; round < 300; round++) {
    const samples = new SampleColumns();
    const chunks: Uint8Array[] = [];
    let time = 1.7e12 - random.below(2) * 3.4e12;
    const kinds = 1 + random.below(4);
    for (let c = 0; c < 2 + random.below(4); c++) {
      const from = samples.length;
      const length = random.below(3) === 0 ? 1 + random.below(3) : 1 + random.below(130);
      for (let i = 0; i < length; i++) {
        time += random.below(5) === 0 ? 1 + random.below(1e6) : 15_000;
        const kind = random.below(kinds);
        if (kind === 0) samples.push(time, 42);
        else if (kind === 1) samples.push(time, random.below(1e6));
        else if (kind === 2) samples.push(time, random.next());
        else samples.pushBits(time, random.below(2 ** 32), random.below(2 ** 32));
      }
      chunks.push(random.below(3) === 0 ? resumed(samples, from) : encodeXor(samples, from, samples.length));
    }
    const decoded = new SampleColumns();
    decodeChunk(CHUNK_XOR, joinXor(chunks), decoded);
    assert.deepEqual(
      decoded.timestamps.subarray(0, decoded.length),
      samples.timestamps.subarray(0, samples.length),
      `round ${round}`,
    );
    assert.deepEqual(bits(decoded), bits(samples), `round ${round}`);
  }
});

/** As an encoder writes that went on after a restart with one sample: the first change uses a window of 64 bits unsaid. */
function resumed(samples: SampleColumns, from: number): Uint8Array {
  const count = Math.min(2, samples.length - from);
  if (count < 2) return encodeXor(samples, from, samples.length);
  // Only the first two samples; the rest of the chunk is left out of the columns.
  samples.length = from + 2;
  const out = new BitWriter();
  const words = new Uint32Array(samples.values.buffer);
  const at = (i: number) => [words[(from + i) * 2 + 1]!, words[(from + i) * 2]!] as const;
  out.bits(2, 16);
  out.varint(samples.timestamps[from]!);
  out.words(...at(0), 64);
  out.uvarint(samples.timestamps[from + 1]! - samples.timestamps[from]!);
  out.bits(0b10, 2);
  out.words(at(0)[0] ^ at(1)[0], at(0)[1] ^ at(1)[1], 64);
  return out.finish();
}

function randomHistogram(random: Random, before: Histogram | undefined, integer: boolean): Histogram {
  const indexes = [-3, -2, 0, 1, 2, 5, 9, 40].filter(() => random.below(3) > 0);
  const grow = (count: number) => count + (integer ? random.below(1000) : random.next() * 100);
  const reset = random.below(10) === 0;
  const buckets = Float64Array.from(indexes, () => grow(before && !reset ? 5000 : 0));
  const negative = Float64Array.from(indexes.slice(0, 2), () => grow(0));
  return {
    integer,
    schema: random.below(8) === 0 ? 1 : 3,
    zeroThreshold: random.below(5) === 0 ? 0.001 : 2 ** -128,
    zeroCount: grow(0),
    count: grow(before?.count ?? 0),
    sum: random.next() * 1e6,
    positiveSpans: spansOf(indexes),
    negativeSpans: spansOf(indexes.slice(0, 2)),
    positiveBuckets: buckets,
    negativeBuckets: negative,
    counterReset: 'unknown',
  };
}

/** Counts by bucket index, without empty ones: what does not depend on the layout. */
function content(histogram: Histogram) {
  const side = (spans: Histogram['positiveSpans'], buckets: Float64Array) => {
    const counts: Record<number, number> = {};
    let index = 0;
    let at = 0;
    for (const { offset, length } of spans) {
      index += offset;
      for (let i = 0; i < length; i++, index++, at++) if (buckets[at] !== 0) counts[index] = buckets[at]!;
    }
    return counts;
  };
  if (histogram.stale) return 'stale';
  return {
    schema: histogram.schema,
    threshold: histogram.zeroThreshold,
    zero: histogram.zeroCount,
    count: histogram.count,
    sum: histogram.sum,
    custom: histogram.customValues && [...histogram.customValues],
    positive: side(histogram.positiveSpans, histogram.positiveBuckets),
    negative: side(histogram.negativeSpans, histogram.negativeBuckets),
  };
}

for (const integer of [true, false]) {
  test(`${integer ? 'integer' : 'float'} histograms survive with changing layouts, resets, staleness and floats between`, () => {
    const random = seeded(seed + 1);
    for (let round = 0; round < 100; round++) {
      const samples = new SampleColumns();
      let before: Histogram | undefined;
      let time = 1.7e12;
      for (let i = 0; i < 150; i++) {
        time += 15_000 + random.below(3);
        const kind = random.below(30);
        if (kind === 0) samples.push(time, random.next());
        else if (kind === 1 && before) {
          samples.pushHistogram(time, { ...before, stale: true, sum: Number.NaN });
          before = undefined;
        } else {
          const fresh: Histogram = randomHistogram(random, before, integer);
          before = round % 5 === 0 ? { ...fresh, counterReset: 'gauge' } : fresh;
          samples.pushHistogram(time, before);
        }
      }
      const decoded = decodeAll(encodeChunks(samples));
      assert.equal(decoded.length, samples.length);
      for (let i = 0; i < samples.length; i++) {
        const [want, got] = [samples.histograms?.[i], decoded.histograms?.[i]];
        assert.equal(decoded.timestamps[i], samples.timestamps[i]);
        assert.deepEqual(got && content(got), want && content(want), `round ${round} sample ${i}`);
      }
    }
  });
}

test('custom buckets keep their bounds', () => {
  const samples = new SampleColumns();
  const bounds = Float64Array.of(-1, 0, 0.005, 0.1, 1 / 3, 2.5, 33_554.43, 1e9);
  for (let i = 0; i < 5; i++) {
    samples.pushHistogram(1000 + i, {
      ...randomHistogram(seeded(seed), undefined, true),
      schema: -53,
      zeroThreshold: 0,
      zeroCount: 0,
      count: 100 + i,
      negativeSpans: [],
      negativeBuckets: new Float64Array(0),
      positiveSpans: [{ offset: 0, length: 3 }],
      positiveBuckets: Float64Array.of(1 + i, 2, 3),
      customValues: bounds,
    });
  }
  const chunks = encodeChunks(samples);
  assert.equal(chunks.length, 1);
  const decoded = decodeAll(chunks);
  assert.deepEqual(decoded.histograms?.[4]?.customValues, bounds);
  assert.deepEqual(decoded.histograms?.[4]?.positiveBuckets, Float64Array.of(5, 2, 3));
});
