import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#base/random.ts';
import { ALL_TAKEN, labelSetsOf, newSeries, type SampleBatch, seriesRef } from '#model/batch.ts';
import { hashLabels, labelsOf, shardOf } from '#model/labels.ts';
import { ShardedAppender, type ShardWay } from './append.ts';
import { ownWay } from './lanes.ts';

/** A shard that remembers what it was given and refuses values below zero. */
class Recorder implements ShardWay {
  readonly rows: { key: string; timestamp: number; value: number }[] = [];
  readonly #shard: number;
  readonly #keys: string[] = [];
  constructor(shard: number) {
    this.#shard = shard;
  }
  async append(batch: SampleBatch) {
    const first = this.#keys.length;
    const series = labelSetsOf(batch);
    this.#keys.push(...series.map((labels) => labels.join()));
    const refs = Float64Array.from(series, (_, i) => seriesRef(this.#shard, 0, first + i));
    const rejections: { kind: 'sample'; index: number; reason: 'outOfBounds'; detail: string }[] = [];
    for (let i = 0; i < batch.refs.length; i++) {
      const slot = batch.refs[i]! < 0 ? first - batch.refs[i]! - 1 : batch.refs[i]! % 2 ** 32;
      if (batch.values[i]! < 0) rejections.push({ kind: 'sample', index: i, reason: 'outOfBounds', detail: '' });
      else this.rows.push({ key: this.#keys[slot]!, timestamp: batch.timestamps[i]!, value: batch.values[i]! });
    }
    return { refs, rejections, created: series.length };
  }
  appendPart(bytes: Uint8Array) {
    return ownWay(this).appendPart(bytes);
  }
}

for (const shards of [1, 2, 3, 5]) {
  test(`every row arrives once, in its series' shard, with ${shards} shards`, async () => {
    const seed = 41 + shards;
    const random = seeded(seed);
    const recorders = Array.from({ length: shards }, (_, i) => new Recorder(i));
    const appender = new ShardedAppender(shards, (shard) => recorders[shard]!);
    const series = Array.from({ length: 40 }, (_, i) => labelsOf({ __name__: 'm', i: String(i) }));
    const known = new Map<number, number>();
    let expected = 0;
    for (let round = 0; round < 20; round++) {
      const picked = Array.from({ length: random.below(30) }, () => random.below(series.length));
      const fresh = [...new Set(picked.filter((s) => !known.has(s)))];
      const values = Float64Array.from(picked, () => random.below(10) - 1);
      const result = await appender.append({
        refs: Float64Array.from(picked, (s) => known.get(s) ?? newSeries(fresh.indexOf(s))),
        timestamps: Float64Array.from(picked, () => round),
        values,
        series: fresh.map((s) => series[s]!),
      });
      assert.equal(result.created, fresh.length, `seed ${seed}`);
      assert.deepEqual(
        result.rejections.map((r) => r.index),
        [...values.keys()].filter((i) => values[i]! < 0),
      );
      for (const [i, s] of fresh.entries()) known.set(s, result.refs[i]!);
      expected += [...values].filter((v) => v >= 0).length;
    }
    assert.equal(
      recorders.reduce((sum, r) => sum + r.rows.length, 0),
      expected,
    );
    recorders.forEach((recorder, shard) => {
      for (const row of recorder.rows) assert.equal(shardOf(hashLabels(row.key.split(',')), shards), shard);
    });
  });
}

test('rows that were split already arrive in their shards, and refusals name the row of the whole', async () => {
  const recorders = [new Recorder(0), new Recorder(1), new Recorder(2)];
  const appender = new ShardedAppender(3, (shard) => recorders[shard]!);
  for (const [shard, recorder] of recorders.entries()) {
    await recorder.append({
      refs: new Float64Array(0),
      timestamps: new Float64Array(0),
      values: new Float64Array(0),
      series: [labelsOf({ s: String(shard) })],
    });
  }
  const part = (shard: number, values: number[]) => ({
    shard,
    bytes: new Uint8Array(
      Float64Array.from([...values.map(() => seriesRef(shard, 0, 0)), ...values.map((_, i) => i), ...values]).buffer,
    ),
  });
  const shardOf = Uint8Array.of(2, 0, 0, 2, 0);
  const result = await appender.appendSplit({ shardOf, parts: [part(0, [1, -1, 3]), part(2, [-4, 5])] });
  assert.deepEqual(
    result.rejections.map(({ index, reason }) => [index, reason]),
    [
      [0, 'outOfBounds'],
      [2, 'outOfBounds'],
    ],
  );
  assert.deepEqual(
    recorders.map(({ rows }) => rows.map(({ value }) => value)),
    [[1, 3], [], [5]],
  );
  const { rejections } = await appender.appendSplit({ shardOf: Uint8Array.of(0), parts: [part(0, [7])] });
  assert.deepEqual(rejections, []);
});

test('a part is copied unless the store has read it when append returns', async () => {
  for (const readsAtOnce of [true, false]) {
    const seen: number[][] = [];
    const own = {
      readsAtOnce,
      append: async ({ refs, timestamps, values }: SampleBatch) => {
        const read = () => void seen.push([...refs, ...timestamps, ...values]);
        if (readsAtOnce) read();
        await new Promise((resolve) => setImmediate(resolve));
        if (!readsAtOnce) read();
        return ALL_TAKEN;
      },
    };
    for (const at of [0, 8, 4]) {
      const memory = new Uint8Array(64);
      const part = memory.subarray(at, at + 48);
      part.set(new Uint8Array(Float64Array.of(1, 2, 3, 4, 5, 6).buffer));
      const appended = ownWay(own).appendPart(part);
      memory.fill(0xff);
      await appended;
    }
    assert.deepEqual(
      seen,
      [1, 2, 3].map(() => [1, 2, 3, 4, 5, 6]),
    );
  }
});
