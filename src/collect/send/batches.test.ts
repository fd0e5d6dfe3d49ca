// Requests out of records, whatever the way they are made: every sample arrives with its bits, each series in order within its lane,
// and equal series never in two lanes of a window. Random; prints its seed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#base/random.ts';
import { labelsOf } from '#model/labels.ts';
import { decodeWriteV1 } from '#wire/remote/write-v1.ts';
import { decodeWriteV2 } from '#wire/remote/write-v2.ts';
import { snappyDecode } from '#wire/snappy.ts';
import { BatchMaker, type WriteVersion } from './batches.ts';
import { type QueuedBatch, type QueuedSeries, RecordWriter, readRecord } from './record.ts';

const NOW = 1_700_000_000_000;
type Row = { readonly series: number; readonly time: number; readonly low: number; readonly high: number };

const labelsFor = (series: number) =>
  labelsOf({ __name__: `metric_${series % 7}`, instance: `host-${series}:9100`, odd: 'ü'.repeat(series % 5) });
const nameOf = (pairs: readonly string[]) => `${pairs[pairs.indexOf('instance') + 1]}`;

/** Writes rows as records of one segment, naming each series the first time. */
function recordsOf(batches: readonly (readonly Row[])[]): {
  records: QueuedBatch[];
  series: Map<number, QueuedSeries>;
} {
  const writer = new RecordWriter();
  const named = new Map<number, number>();
  const series = new Map<number, QueuedSeries>();
  const records = batches.map((rows) => {
    writer.reset();
    for (const row of rows) {
      let id = named.get(row.series);
      if (id === undefined) {
        id = named.size;
        named.set(row.series, id);
        writer.series(id, labelsFor(row.series));
      }
      writer.sample(id, row.time, 0, row.low, row.high);
    }
    return readRecord(writer.finish().slice(), series);
  });
  return { records, series };
}

/** What each lane sends, by series, in the order of sending. */
function sent(version: WriteVersion, body: Uint8Array, into: Map<string, string[]>): number {
  let current = '';
  let points = 0;
  const sink = {
    series(pairs: readonly string[]) {
      current = nameOf(pairs);
    },
    sample(time: number, _start: number, low: number, high: number) {
      points++;
      into.set(current, [...(into.get(current) ?? []), `${time} ${low} ${high}`]);
    },
    histogram() {},
    exemplar() {},
    metadata() {},
    seriesMetadata() {},
    invalid(reason: string) {
      assert.fail(reason);
    },
  };
  const plain = snappyDecode(body, 1 << 24);
  if (version === 1) decodeWriteV1(plain, sink);
  else decodeWriteV2(plain, sink);
  return points;
}

const SPECIAL = [
  [0, 0],
  [0x00000002, 0x7ff00000],
  [0xffffffff, 0xffffffff],
  [0, 0x80000000],
] as const;

for (const version of [1, 2] as const) {
  test(`all samples arrive in order, version ${version}.0`, () => {
    const seed = 20_000 + version;
    const random = seeded(seed);
    for (let turn = 0; turn < 40; turn++) {
      const maker = new BatchMaker(version);
      const targets = 1 + random.below(6);
      const maxPoints = 1 + random.below(60);
      const messy = random.below(4) === 0;
      const batches: Row[][] = [];
      for (let round = 0; round < 8; round++) {
        for (let target = 0; target < targets; target++) {
          // Mostly the same series in the same order; sometimes one more, one less, or a wild mixture.
          const count = 1 + ((target * 13) % 40) + (random.below(5) === 0 ? 1 : 0);
          const time = random.below(20) === 0 ? random.below(1000) : NOW + round * 15_000 + target;
          batches.push(
            Array.from({ length: count }, (_, i) => {
              const [low, high] =
                random.below(4) === 0
                  ? SPECIAL[random.below(SPECIAL.length)]!
                  : [random.below(2 ** 32), random.below(2 ** 32)];
              const series = messy ? random.below(60) : target * 100 + i;
              return { series, time: random.below(50) === 0 ? time + 1 : time, low, high };
            }),
          );
        }
      }
      const { records, series } = recordsOf(batches);
      const wanted = new Map<string, string[]>();
      for (const rows of batches) {
        for (const { series: number, time, low, high } of rows) {
          const name = nameOf(labelsFor(number));
          wanted.set(name, [...(wanted.get(name) ?? []), `${time} ${low} ${high}`]);
        }
      }
      const arrived = new Map<string, string[]>();
      for (let at = 0; at < records.length; ) {
        const some = records.slice(at, (at += 1 + random.below(8)));
        const lanes = 1 + random.below(5);
        const made = maker.make({ records: some, series }, lanes, {
          maxPoints,
          oldest: 0,
          metadata: new Map(),
          metadataVersion: 0,
        });
        const laneOfSeries = new Map<string, number>();
        made.lanes.forEach((requests, lane) => {
          const own = new Map<string, string[]>();
          for (const { body, counts } of requests) {
            assert.equal(sent(version, body, own), counts.samples);
            assert(counts.samples <= maxPoints, `seed ${seed}, turn ${turn}: ${counts.samples} of ${maxPoints}`);
          }
          for (const [name, samples] of own) {
            assert.equal(laneOfSeries.get(name), undefined, `seed ${seed}, turn ${turn}: ${name} is in two lanes`);
            laneOfSeries.set(name, lane);
            arrived.set(name, [...(arrived.get(name) ?? []), ...samples]);
          }
        });
      }
      assert.deepEqual(new Map([...arrived].sort()), new Map([...wanted].sort()), `seed ${seed}, turn ${turn}`);
    }
  });
}

test('points that are too old stay behind, and templates are not used for them', () => {
  const rows = (time: number) => [0, 1, 2].map((series) => ({ series, time, low: 1, high: 2 }));
  const { records, series } = recordsOf([rows(NOW), rows(NOW + 1), rows(NOW + 2), rows(NOW + 3)]);
  const maker = new BatchMaker(1);
  const options = { maxPoints: 100, oldest: 0, metadata: new Map(), metadataVersion: 0 };
  maker.make({ records: records.slice(0, 3), series }, 1, options);
  const { lanes, dropped } = maker.make({ records, series }, 1, { ...options, oldest: NOW + 2 });
  assert.equal(dropped.tooOld.samples, 6);
  assert.equal(lanes[0]![0]!.counts.samples, 6);
  assert.equal(lanes[0]![0]!.highestTime, NOW + 3);
});

test('requests of version 2.0 tell the metadata of the moment, also those that fill templates', () => {
  const rows = (time: number) => [0, 1, 2, 3].map((series) => ({ series, time, low: 1, high: 2 }));
  const { records, series } = recordsOf([0, 1, 2, 3, 4].map((step) => rows(NOW + step)));
  const maker = new BatchMaker(2);
  const told = (record: QueuedBatch, help: string | undefined, metadataVersion: number) => {
    const metadata = new Map(help === undefined ? [] : [['metric_1', { type: 'gauge', help, unit: '' } as const]]);
    const { lanes } = maker.make({ records: [record], series }, 1, {
      maxPoints: 5,
      oldest: 0,
      metadata,
      metadataVersion,
    });
    const found: string[] = [];
    let current = '';
    const pass = () => {};
    for (const { body } of lanes[0]!) {
      decodeWriteV2(snappyDecode(body, 1 << 20), {
        series: (pairs) => {
          current = nameOf(pairs);
        },
        seriesMetadata: (one) => found.push(`${current}: ${one.type} ${one.help}`),
        invalid: (reason) => assert.fail(reason),
        ...{ sample: pass, histogram: pass, exemplar: pass, metadata: pass },
      });
    }
    return found;
  };
  const wanted = (help: string) => [`host-1:9100: gauge ${help}`];
  assert.deepEqual(told(records[0]!, undefined, 0), []);
  assert.deepEqual(told(records[1]!, 'first', 1), wanted('first'));
  assert.deepEqual(told(records[2]!, 'first', 1), wanted('first'));
  assert.deepEqual(told(records[3]!, 'second', 2), wanted('second'));
  assert.deepEqual(told(records[4]!, 'second', 2), wanted('second'));
});
