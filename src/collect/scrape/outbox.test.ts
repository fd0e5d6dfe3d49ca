// Many targets, few batches: every target hears of its own part only, says its labels again when the store has lost them, and
// goes on after a batch that was lost as a whole.

import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { type AppendResult, labelSetsOf, type Rejection, type SampleBatch } from '#model/batch.ts';
import { labelValue, METRIC_NAME } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { Outbox, type Sender } from './outbox.ts';
import { ScrapePool } from './pool.ts';
import { Rows } from './rows.ts';
import { Slab } from './slab.ts';
import type { TargetSpec } from './spec.ts';
import { JOB } from './spec-twin.ts';

function targetAt(url: string, name: string): TargetSpec {
  return {
    id: name,
    url: `${url}/${name}`,
    labels: ['instance', name, 'job', 'j'],
    intervalMs: 100,
    timeoutMs: 90,
    phase: 0,
    socketPath: undefined,
    nativeHistograms: false,
    alwaysClassicHistograms: false,
    convertClassicHistograms: false,
    forcedError: undefined,
  };
}

const NO_RESULT: AppendResult = { refs: new Float64Array(0), rejections: [], created: 0 };

test('each part hears of its own rows', async () => {
  const rows = new Rows(new Slab());
  const rejections: Rejection[] = [1, 2, 5].map((index) => ({
    kind: 'sample',
    index,
    reason: 'outOfOrder',
    detail: `row ${index}`,
  }));
  const batches: SampleBatch[] = [];
  const appender = {
    append: async (batch: SampleBatch) => {
      batches.push(batch);
      return { ...NO_RESULT, rejections };
    },
  };
  const outbox = new Outbox(appender, rows, systemClock);
  const heard: string[][] = [];
  const sender = (name: string): Sender => ({
    taken: (_, __, own) => heard.push([name, ...own.map(({ detail }) => detail)]),
    lost: () => assert.fail('nothing was lost'),
  });
  for (const [name, count] of [
    ['a', 2],
    ['b', 1],
    ['c', 3],
  ] as const) {
    const from = rows.mark();
    for (let i = 0; i < count; i++) rows.push(i, 1000, i);
    outbox.add(sender(name), from, 50);
  }
  // What was taken back leaves no trace.
  const from = rows.mark();
  rows.push(9, 1000, 9, 500);
  rows.addSeries(['x', 'y']);
  rows.rollback(from);
  outbox.flush();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(batches.length, 1);
  assert.deepEqual([...batches[0]!.refs], [0, 1, 0, 0, 1, 2]);
  assert.deepEqual([batches[0]!.packed, batches[0]!.starts], [undefined, undefined]);
  assert.deepEqual(heard, [
    ['a', 'row 1'],
    ['b', 'row 2'],
    ['c', 'row 5'],
  ]);
});

test('unknown numbers and lost batches make targets say their labels again', async (t) => {
  const server = http.createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' }).end(`m{path="${request.url}"} 1\nn 2\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const names = Array.from({ length: 20 }, (_, i) => `t${i}`);
  let batches = 0;
  let round = 0;
  /** Numbers given out in a round are unknown in the next, as after a restart of the store. */
  const known = new Map<number, string>();
  let mode: 'take' | 'lose' = 'take';
  const wrong: string[] = [];
  const appender = {
    append: async (batch: SampleBatch): Promise<AppendResult> => {
      batches++;
      if (mode === 'lose') throw new Error('the store is away');
      const series = labelSetsOf(batch);
      const refs = Float64Array.from(series, (labels) => {
        const ref = round * 1e6 + known.size;
        known.set(ref, labels.join());
        return ref;
      });
      const rejections: Rejection[] = [];
      for (let i = 0; i < batch.refs.length; i++) {
        const ref = batch.refs[i]!;
        if (ref >= 0 && !known.has(ref))
          rejections.push({ kind: 'sample', index: i, reason: 'unknownRef', detail: '' });
        const labels = ref < 0 ? series[-ref - 1]! : undefined;
        if (labels && labelValue(labels, METRIC_NAME) === 'n' && batch.values[i] !== 2) wrong.push(labels.join());
      }
      return { refs, rejections, created: refs.length };
    },
  };
  const pool = new ScrapePool({
    clock: systemClock,
    disk: nodeDisk,
    log: silentLogger,
    registry: new Registry(),
    appender,
    offsetSeed: 0,
  });
  const until = async (what: () => boolean) => {
    while (!what()) await new Promise((resolve) => systemClock.after(10, () => resolve(undefined)));
  };
  const allKnown = () => known.size >= names.length * 7;
  pool.apply([{ job: JOB, targets: names.map((name) => targetAt(url, name)) }]);
  t.after(() => pool.stop());
  await until(allKnown);
  for (round = 1; round < 3; round++) {
    known.clear();
    await until(allKnown);
  }
  mode = 'lose';
  const before = batches;
  await until(() => batches > before + 2);
  known.clear();
  mode = 'take';
  await until(allKnown);
  await pool.stop();
  assert.deepEqual(wrong, []);
  assert.equal(known.size, names.length * 7, 'every series was said once');
  assert.ok(pool.statuses().length === 0);
});
