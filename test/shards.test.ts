// A shard's thread is killed under load: what was acknowledged is there afterwards, and the main thread answers all the while.

import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { sleep, systemClock } from '../src/base/clock.ts';
import { errorText } from '../src/base/errors.ts';
import { silentLogger } from '../src/base/log.ts';
import { newSeries, type SampleBatch } from '../src/model/batch.ts';
import { ChangeBoard } from '../src/model/board.ts';
import { hashLabels, type Labels, labelsOf, labelValue, shardOf, withLabel } from '../src/model/labels.ts';
import type { ShardData } from '../src/program/shard.ts';
import { QueryEngine } from '../src/query/engine.ts';
import { merging } from '../src/query/shard/merge.ts';
import { ShardPool } from '../src/scale/shards/pool.ts';
import { ShardedSource } from '../src/scale/shards/source.ts';
import { DEFAULT_STORE_OPTIONS } from '../src/store/options.ts';
import { eventually, temporaryFolder } from './running.ts';

const SHARDS = 2;
const SERIES = 50;

const dataOf = (folder: string, shard: number): ShardData => ({
  shard,
  shards: SHARDS,
  folder,
  store: DEFAULT_STORE_OPTIONS,
  exchange: { acceptedMessages: [], features: [], lookbackMs: 300_000, flushMs: 0 },
  offsetSeed: 0,
  log: { 'log.level': 'error', 'log.format': 'logfmt' },
});

/** Series of one shard each, so that whole batches are acknowledged or not. */
const seriesOf = (shard: number) =>
  Array.from({ length: 1000 }, (_, i) => labelsOf({ __name__: 'load', i: String(i) }))
    .filter((labels) => shardOf(hashLabels(labels), SHARDS) === shard)
    .slice(0, SERIES);

test('shards where nothing matches are not asked again until they get series', async (t) => {
  const folder = path.join(temporaryFolder(t), 'data');
  const boards = Array.from({ length: SHARDS }, () => new ChangeBoard());
  const pool: ShardPool = new ShardPool({
    shards: SHARDS,
    entry: new URL('../src/program/shard.ts', import.meta.url),
    dataOf: (shard) => ({ ...dataOf(folder, shard), board: boards[shard]!.memory }),
    onUp: async () => {},
    clock: systemClock,
    logger: silentLogger,
  });
  await pool.start();
  t.after(() => pool.stop().catch(() => {}));
  const asked = [0, 0];
  const counted = pool.clients().map((client, shard) => ({
    ...client,
    run: (...call: Parameters<typeof client.run>) => {
      asked[shard]!++;
      return client.run(...call);
    },
  }));
  const source = new ShardedSource(() => counted, merging(systemClock), boards);
  const engine = new QueryEngine({ source, clock: systemClock });
  const now = Date.now();
  const append = (shard: number, series: readonly Labels[], time = now) =>
    pool.client(shard).append({
      refs: Float64Array.from(series, (_, i) => newSeries(i)),
      timestamps: new Float64Array(series.length).fill(time),
      values: new Float64Array(series.length).fill(shard),
      series,
    });
  const count = async (time = now) => {
    const { data } = await engine.instant('count({__name__="load",x=~".+"})', time);
    return data.type === 'vector' ? (data.vector.values[0] ?? 0) : -1;
  };
  const labelled = (shard: number) => seriesOf(shard).map((labels) => withLabel(labels, 'x', '1'));
  const mine = (shard: number) =>
    [...labelled(0), ...labelled(1)].filter((labels) => shardOf(hashLabels(labels), SHARDS) === shard);
  await append(0, seriesOf(0));
  await append(1, seriesOf(1));
  await append(0, mine(0).slice(0, 3));
  assert.equal(await count(), 3);
  assert.deepEqual(asked, [1, 1]);
  assert.equal(await count(), 3);
  assert.deepEqual(asked, [2, 1]);
  await append(1, seriesOf(1), now + 1);
  assert.equal(await count(now + 1), 3);
  assert.deepEqual(asked, [3, 1], 'samples of known series change nothing');
  await append(1, mine(1).slice(0, 2));
  assert.equal(await count(now + 1), 5);
  assert.deepEqual(asked, [4, 2]);
  assert.equal(await count(now + 1), 5);
  assert.deepEqual(asked, [5, 3]);
});

test('killing a shard under load loses nothing acknowledged and never stops health checks', async (t) => {
  const folder = path.join(temporaryFolder(t), 'data');
  const pool: ShardPool = new ShardPool({
    shards: SHARDS,
    entry: new URL('../src/program/shard.ts', import.meta.url),
    dataOf: (shard) => dataOf(folder, shard),
    onUp: async () => {},
    clock: systemClock,
    logger: silentLogger,
  });
  await pool.start();
  t.after(() => pool.stop().catch(() => {}));

  let unhealthy = 0;
  let checks = 0;
  const server = http.createServer((_, response) => response.end('ok'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const ended = new AbortController();
  const health = (async () => {
    while (!ended.signal.aborted) {
      const ok = await fetch(`http://127.0.0.1:${port}/`).then(
        (r) => r.ok,
        () => false,
      );
      checks++;
      if (!ok) unhealthy++;
      await sleep(systemClock, 5);
    }
  })();

  const now = Date.now();
  const acknowledged: number[] = Array.from({ length: SHARDS }, () => 0);
  let failures = 0;
  const load = async (shard: number) => {
    const series = seriesOf(shard);
    for (let round = 1; !ended.signal.aborted; round++) {
      const batch: SampleBatch = {
        refs: Float64Array.from(series, (_, i) => newSeries(i)),
        timestamps: new Float64Array(SERIES).fill(now + round),
        values: new Float64Array(SERIES).fill(round),
        series,
      };
      for (;;) {
        if (ended.signal.aborted) return;
        try {
          const { rejections } = await pool.client(shard).append(batch);
          // A repeated batch finds its own samples: equal ones are no duplicates.
          assert.deepEqual(rejections, [], `round ${round}`);
          acknowledged[shard] = round;
          break;
        } catch (error) {
          if (!/ended with code|not running/.test(errorText(error))) throw error;
          failures++;
          await sleep(systemClock, 5);
        }
      }
    }
  };
  const loads = [load(0), load(1)];
  for (let kill = 0; kill < 3; kill++) {
    await eventually('load goes on', () => acknowledged[0]! > (kill + 1) * 20 && acknowledged[1]! > (kill + 1) * 20);
    await pool.kill(0);
    await eventually('the shard is back', () => pool.states()[0]!.up && pool.states()[0]!.restarts === kill + 1);
  }
  ended.abort();
  await Promise.all([...loads, health]);

  assert.ok(failures > 0, 'the kills were felt');
  assert.ok(checks > 0);
  assert.equal(unhealthy, 0, `${unhealthy} of ${checks} health checks failed`);
  assert.equal(pool.states()[1]!.restarts, 0, 'the other shard went on');
  const limits = { maxSamples: 1e7, maxSeries: 1e5, maxBytes: 1e9 };
  for (let shard = 0; shard < SHARDS; shard++) {
    const found = await pool.client(shard).select({
      select: { matchers: [{ type: '=', name: '__name__', value: 'load' }], range: { min: now, max: now + 1e6 } },
      limits,
    });
    assert.equal(found.length, SERIES);
    for (const { labels, timestamps } of found) {
      const stored = new Set(timestamps);
      for (let round = 1; round <= acknowledged[shard]!; round++) {
        assert.ok(
          stored.has(now + round),
          `shard ${shard}, series ${labelValue(labels, 'i')}: round ${round} of ${acknowledged[shard]} is lost`,
        );
      }
    }
  }
});
