import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import { seeded } from '#base/random.ts';
import type { Histogram } from '#model/histogram.ts';
import { type Labels, labelsFrom, labelsKey, labelsOf } from '#model/labels.ts';
import { isStale } from '#model/value.ts';
import { WriteV1Encoder } from '#wire/remote/write-v1.ts';
import { snappyEncode } from '#wire/snappy.ts';
import { prometheus, type RunningPrometheus, startPrometheus } from '../../../test/prometheus.ts';
import { Block } from '../block/block.ts';
import { PageCache } from '../block/files.ts';
import { blockNames } from '../block/set.ts';
import { decodeChunk } from '../codec/chunk.ts';
import { SampleColumns } from '../codec/samples.ts';
import { logFiles } from './log-reader.ts';
import { needsTakeover, takeOver } from './takeover.ts';

const HOUR = 3_600_000;
const seed = Number(process.env['SEED'] ?? 7);
console.log(`seed ${seed}`);

type Rows = Map<string, Map<number, string>>;

/** Everything that Prometheus answers, stale markers aside, which its API does not show. */
async function allOfPrometheus(server: RunningPrometheus, at: number): Promise<Rows> {
  const query = encodeURIComponent('{__name__=~".+"}[12h]');
  const data = (await server.get(`/api/v1/query?query=${query}&time=${at / 1000}`)) as {
    result: {
      metric: Record<string, string>;
      values?: [number, string][];
      histograms?: [number, { count: string; sum: string }][];
    }[];
  };
  const rows: Rows = new Map();
  for (const { metric, values = [], histograms = [] } of data.result) {
    const own = new Map<number, string>();
    for (const [time, value] of values) own.set(Math.round(time * 1000), String(Number(value)));
    for (const [time, { count, sum }] of histograms) {
      own.set(Math.round(time * 1000), `histogram ${Number(count)} ${Number(sum)}`);
    }
    rows.set(labelsKey(labelsFrom(Object.entries(metric))), own);
  }
  return rows;
}

function allOfBlocks(folder: string): Rows {
  const rows: Rows = new Map();
  for (const name of blockNames(nodeDisk, folder)) {
    const block = new Block(nodeDisk, `${folder}/${name}`, new PageCache());
    for (const { labels, chunks, deleted } of block.series({ min: -Infinity, max: Infinity })) {
      const own = rows.get(labelsKey(labels)) ?? new Map<number, string>();
      const samples = new SampleColumns();
      for (const { encoding, bytes } of chunks) decodeChunk(encoding, bytes, samples);
      for (let i = 0; i < samples.length; i++) {
        const time = samples.timestamps[i]!;
        const histogram = samples.histograms?.[i];
        if (deleted.some(({ min, max }) => time >= min && time <= max)) continue;
        if (histogram ? histogram.stale : isStale(samples.values, i)) continue;
        own.set(time, histogram ? `histogram ${histogram.count} ${histogram.sum}` : String(samples.values[i]));
      }
      if (own.size > 0) rows.set(labelsKey(labels), own);
    }
    block.close();
  }
  return rows;
}

function assertSameRows(got: Rows, want: Rows): number {
  const text = (rows: Rows) =>
    [...rows]
      .map(([key, own]) => [key, [...own].sort(([a], [b]) => a - b)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  const [gotList, wantList] = [text(got), text(want)];
  assert.deepEqual(
    gotList.map(([key]) => key),
    wantList.map(([key]) => key),
  );
  let samples = 0;
  for (const [i, [key, own]] of wantList.entries()) {
    assert.deepEqual(gotList[i]![1], own, key);
    samples += own.length;
  }
  return samples;
}

type Sending = { readonly labels: Labels; readonly rows: readonly (readonly [number, number | Histogram])[] };

async function send(server: RunningPrometheus, series: readonly Sending[]): Promise<void> {
  const encoder = new WriteV1Encoder();
  for (const { labels, rows } of series) {
    encoder.series(labels);
    for (const [timestamp, value] of rows) {
      if (typeof value === 'object') encoder.histogram({ timestamp, start: 0, value });
      else {
        const words = new Uint32Array(Float64Array.of(value).buffer);
        encoder.sample(timestamp, words[0]!, words[1]!);
      }
    }
  }
  const headers = {
    'content-encoding': 'snappy',
    'content-type': 'application/x-protobuf',
    'x-prometheus-remote-write-version': '0.1.0',
  };
  await server.post('/api/v1/write', headers, snappyEncode(encoder.finish()));
}

function histogramAt(step: number): Histogram {
  return {
    integer: true,
    schema: 2,
    zeroThreshold: 0.001,
    zeroCount: step,
    count: step * 7,
    sum: step * 1.5,
    positiveSpans: [
      { offset: 0, length: 2 },
      { offset: 3, length: 1 },
    ],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(step, step * 2, step * 3),
    negativeBuckets: new Float64Array(0),
    counterReset: 'unknown',
  };
}

test('everything in the folder of a killed Prometheus is taken over', {
  skip: prometheus.skip,
  timeout: 300_000,
}, async (t) => {
  const root = mkdtempSync(`${tmpdir()}/pharos-takeover-`);
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const folder = `${root}/data`;
  const random = seeded(seed);
  const start = Math.floor((Date.now() - 8 * HOUR) / (2 * HOUR)) * 2 * HOUR;
  const run = () =>
    startPrometheus(folder, {
      config: 'storage: {tsdb: {out_of_order_time_window: 6h}}\n',
      flags: ['--enable-feature=native-histograms,exemplar-storage', '--storage.tsdb.retention.time=30d'],
    });
  const value = (i: number, step: number) => (i % 3 === 0 ? step * i : (random.below(1e6) - 5e5) / 7);
  const sendSteps = async (server: RunningPrometheus, from: number, to: number) => {
    for (let first = from; first < to; first += 60) {
      const steps = Array.from({ length: Math.min(60, to - first) }, (_, k) => first + k);
      const series: Sending[] = Array.from({ length: 30 }, (_, i) => ({
        labels: labelsOf({ __name__: `metric_${i % 5}`, instance: `host-${i}`, utf: 'größe' }),
        rows: steps
          .filter((step) => i < 25 || step % 7 === 0)
          .map((step) => [start + step * 15_000 + i, value(i, step)]),
      }));
      series.push({
        labels: labelsOf({ __name__: 'native', instance: 'host-1' }),
        rows: steps.map((step) => [start + step * 15_000, histogramAt(step % 300)]),
      });
      await send(
        server,
        series.filter(({ rows }) => rows.length > 0),
      );
    }
  };
  // Several lives, so that the log has the segments of which a checkpoint is made when the head is cut.
  let at = 0;
  for (const until of [120, 300, 480, 640]) {
    const server = await run();
    await sendSteps(server, at, until);
    at = until;
    await server.end(until === 300 ? 'SIGKILL' : 'SIGTERM');
  }
  let server = await run();
  await sendSteps(server, at, 900);
  // Late samples: new ones into old times.
  const late: Sending[] = Array.from({ length: 10 }, (_, i) => ({
    labels: labelsOf({ __name__: `metric_${i % 5}`, instance: `host-${i}`, utf: 'größe' }),
    rows: Array.from({ length: 50 }, (_, k) => [start + (500 + k * 3) * 15_000 + 7000 + i, k] as const),
  }));
  await send(server, late);
  for (let i = 0; i < 100 && !logFiles(nodeDisk, `${folder}/wal`)[0]?.includes('checkpoint'); i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await sendSteps(server, 900, 1300);
  const deleted = encodeURIComponent('metric_1{instance="host-6"}');
  const range = `start=${(start + 1000 * 15_000) / 1000}&end=${(start + 1100 * 15_000) / 1000}`;
  await server.post(`/api/v1/admin/tsdb/delete_series?match[]=${deleted}&${range}`, {}, new Uint8Array(0));
  const want = await allOfPrometheus(server, start + 12 * HOUR);
  await server.end('SIGKILL');

  const files = logFiles(nodeDisk, `${folder}/wal`);
  const kept = (name: string) => nodeDisk.list(`${folder}/${name}`).length;
  t.diagnostic(`${blockNames(nodeDisk, folder).length} blocks, log ${files.join(' ').replaceAll(folder, '')}`);
  t.diagnostic(`out-of-order log ${kept('wbl')} files, head chunks ${kept('chunks_head')} files`);
  assert.ok(files[0]!.includes('checkpoint'), 'there is a checkpoint');
  assert.ok(needsTakeover(nodeDisk, folder));
  cpSync(folder, `${root}/copy`, { recursive: true });
  const options = { random, nowMs: Date.now() };
  const whole = takeOver(nodeDisk, folder, options);
  const samples = assertSameRows(allOfBlocks(folder), want);
  t.diagnostic(`${samples} samples, ${whole.samples} of them from the log, ${whole.problems.length} problems`);
  assert.ok(!needsTakeover(nodeDisk, folder));
  // The same with passes that hold next to nothing at a time.
  takeOver(nodeDisk, `${root}/copy`, { ...options, seriesPerPass: 7, samplesPerPass: 2000 });
  assertSameRows(allOfBlocks(`${root}/copy`), want);

  // And the way back: Prometheus itself answers the same from what we have made of its folder.
  server = await run();
  const again = await allOfPrometheus(server, start + 12 * HOUR);
  await server.end('SIGKILL');
  assertSameRows(again, want);
});
