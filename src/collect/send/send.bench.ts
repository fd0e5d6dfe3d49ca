// What sending on costs per sample, without the network: taking samples into the disk queue, and from the queue to compressed
// requests of 2,000 samples. 10,000 series in batches of 1,000, as scrapes bring them.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bench } from '#base/bench.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { type Appender, newSeries, type SampleBatch, seriesRef } from '#model/batch.ts';
import { labelsOf } from '#model/labels.ts';
import { BatchMaker } from './batches.ts';
import { Outlet } from './outlet.ts';
import { DiskQueue } from './queue.ts';
import { type QueuedBatch, type QueuedSeries, readRecord } from './record.ts';
import { Tee } from './tee.ts';

const PER_BATCH = 1000;
const NOW = 1_700_000_000_000;

/** Batches of some rounds of scrapes; the first round names the series, the others refer to them. */
function batches(series: number, rounds: number): SampleBatch[] {
  const random = seeded(9);
  const all: SampleBatch[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let first = 0; first < series; first += PER_BATCH) {
      const count = Math.min(PER_BATCH, series - first);
      const rows = Array.from({ length: count }, (_, i) => first + i);
      all.push({
        series: round > 0 ? [] : rows.map(labelsFor),
        refs: Float64Array.from(rows, (row, i) => (round > 0 ? seriesRef(0, 0, row) : newSeries(i))),
        timestamps: new Float64Array(count).fill(NOW + round * 15_000),
        values: Float64Array.from(rows, () => Math.floor(random.next() * 1e6)),
      });
    }
  }
  return all;
}

const labelsFor = (i: number) =>
  labelsOf({
    __name__: `http_requests_total_${i % 50}`,
    code: '200',
    instance: `host-${i}.example.com:9100`,
    job: 'api',
    path: `/api/v1/resource/${i % 100}`,
  });

function store(): Appender {
  let slots = 0;
  return {
    append: (batch) =>
      Promise.resolve({
        refs: Float64Array.from(batch.series, () => seriesRef(0, 0, slots++)),
        rejections: [],
        created: batch.series.length,
      }),
  };
}

function outletOf(): { readonly tee: Tee; readonly queue: DiskQueue; readonly remove: () => void } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-send-'));
  process.setMaxListeners(0);
  process.once('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  const queue = new DiskQueue(nodeDisk, folder, { maxBytes: 2 ** 32, segmentBytes: 2 ** 24 }, silentLogger);
  const options = { externalLabels: [], relabel: (labels: readonly string[]) => labels };
  const outlet = new Outlet(queue, { ...options, sendExemplars: false, sendHistograms: false }, () => {});
  const tee = new Tee(store());
  tee.setOutlets([outlet]);
  return { tee, queue, remove: () => fs.rmSync(folder, { recursive: true, force: true }) };
}

await bench([
  {
    name: 'into the queue',
    unit: 'sample',
    setup(isFull) {
      const [series, rounds] = isFull ? [10_000, 20] : [100, 3];
      const all = batches(series, rounds);
      return async () => {
        const { tee, queue, remove } = outletOf();
        for (const batch of all) await tee.append(batch);
        await queue.close();
        remove();
        return series * rounds;
      };
    },
  },
  ...([1, 2] as const).flatMap((version) =>
    [1, 4].map((lanes) => ({
      name: `from the queue to requests of version ${version}.0, ${lanes} at a time`,
      unit: 'sample',
      setup(isFull: boolean) {
        const [series, rounds] = isFull ? [10_000, 20] : [100, 3];
        const { tee, queue } = outletOf();
        const ready = (async () => {
          for (const batch of batches(series, rounds)) await tee.append(batch);
        })();
        return async () => {
          await ready;
          let cursor = queue.start;
          let names = new Map<number, QueuedSeries>();
          let segment = -1;
          const maker = new BatchMaker(version);
          let samples = 0;
          for (;;) {
            const records: QueuedBatch[] = [];
            for (let points = 0; points < lanes * 2000; ) {
              const found = queue.read(cursor);
              if (!found) break;
              if (found.at.segment !== segment) {
                if (records.length > 0) break;
                segment = found.at.segment;
                names = new Map();
              }
              records.push(readRecord(found.bytes, names));
              points += found.points;
              cursor = found.next;
            }
            if (records.length === 0) return samples;
            const options = { maxPoints: 2000, oldest: 0, metadata: new Map(), metadataVersion: 0 };
            const made = maker.make({ records, series: names }, lanes, options);
            for (const { counts } of made.lanes.flat()) samples += counts.samples;
          }
        };
      },
    })),
  ),
]);
