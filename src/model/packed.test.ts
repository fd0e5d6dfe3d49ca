// Packing is undone by unpacking, for any text, and splitting keeps every record, in order, in the shard of its hash.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#base/random.ts';
import { labelSetsOf, type SampleBatch, withLabelSets } from './batch.ts';
import { hashLabels, type Labels, shardOf } from './labels.ts';
import { packSeries, splitPacked, unpackSeries } from './packed.ts';

const TEXTS = ['', 'a', 'up', 'instance', 'ä', '日本語', 'x'.repeat(300), '\u{1f600}', '10.0.0.1:9100'];

function someSeries(seed: number): Labels[] {
  const random = seeded(seed);
  const text = () => TEXTS[random.below(TEXTS.length)]!;
  return Array.from({ length: random.below(40) }, () => Array.from({ length: random.below(6) * 2 }, text));
}

test('what is packed comes out again', (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1e6);
  t.diagnostic(`SEED=${seed}`);
  for (let i = 0; i < 50; i++) {
    const series = someSeries(seed + i);
    const packed = packSeries(series);
    assert.equal(packed.count, series.length);
    assert.deepEqual(unpackSeries(packed), series);
  }
});

test('splitting goes by the hash of the labels', (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1e6);
  t.diagnostic(`SEED=${seed}`);
  for (let i = 0; i < 50; i++) {
    const series = someSeries(seed + i);
    const { shardOf: placed, parts } = splitPacked(packSeries(series), 3);
    assert.deepEqual(
      [...placed],
      series.map((labels) => shardOf(hashLabels(labels), 3)),
    );
    for (const [shard, part] of parts.entries()) {
      assert.deepEqual(
        unpackSeries(part),
        series.filter((_, index) => placed[index] === shard),
      );
    }
  }
});

test('a batch reads the same with its label sets as bytes or as strings', () => {
  const series: Labels[] = [
    ['__name__', 'up'],
    ['__name__', 'up', 'job', 'ä'],
  ];
  const rows = { refs: new Float64Array(0), timestamps: new Float64Array(0), values: new Float64Array(0) };
  const packed: SampleBatch = { ...rows, series: [], packed: packSeries(series) };
  assert.deepEqual(labelSetsOf(packed), series);
  assert.deepEqual(withLabelSets(packed), { ...rows, series });
  const plain: SampleBatch = { ...rows, series };
  assert.equal(withLabelSets(plain), plain);
});
