import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cardinality } from '#store/head/cardinality.ts';
import { mergeCardinality } from '#store/head/cardinality.ts';
import { ApiError, type HttpRequest } from './http.ts';
import { tsdbRoutes } from './tsdb.ts';

const part = (over: Partial<Cardinality>): Cardinality => ({
  numSeries: 0,
  numLabelPairs: 0,
  chunkCount: 0,
  minTime: 2 ** 52,
  maxTime: -(2 ** 52),
  seriesCountByMetricName: [],
  labelValueCountByLabelName: [],
  memoryInBytesByLabelName: [],
  seriesCountByLabelValuePair: [],
  churnByMetricName: [],
  unusedByMetricName: [],
  memoryBytes: 0,
  refusals: [],
  ...over,
});

async function get(pattern: string, query: string, parts: readonly Cardinality[]) {
  const routes = tsdbRoutes({
    cardinality: async (limit) => mergeCardinality(parts, limit),
    replay: async () => [
      { doneBytes: 5, totalBytes: 10 },
      { doneBytes: 7, totalBytes: 7 },
    ],
  });
  const route = routes.find((candidate) => candidate.pattern === pattern)!;
  return String((await route.handler({ query: new URLSearchParams(query) } as HttpRequest)).body);
}

test('shards are added up and the largest come first', async () => {
  const a = part({
    numSeries: 3,
    minTime: 5,
    maxTime: 9,
    seriesCountByMetricName: [
      { name: 'x', value: 2 },
      { name: 'y', value: 1 },
    ],
    refusals: [{ limit: 'series', count: 2, last: 'first' }],
  });
  const b = part({
    numSeries: 4,
    minTime: 7,
    maxTime: 11,
    seriesCountByMetricName: [{ name: 'y', value: 4 }],
    refusals: [{ limit: 'series', count: 1, last: 'second' }],
  });
  const { data } = JSON.parse(await get('/api/v1/status/tsdb', 'limit=1', [a, b]));
  assert.equal(data.headStats.numSeries, 7);
  assert.deepEqual([data.headStats.minTime, data.headStats.maxTime], [5, 11]);
  assert.deepEqual(data.seriesCountByMetricName, [{ name: 'y', value: 5 }]);
  assert.deepEqual(data.refusals, [{ limit: 'series', count: 3, last: 'first' }]);
});

test('an empty head has the times that Prometheus gives it; limits are checked', async () => {
  const body = await get('/api/v1/status/tsdb', '', [part({})]);
  assert.match(body, /"minTime":9223372036854775807,"maxTime":-9223372036854775808/);
  for (const query of ['limit=0', 'limit=x', 'limit=10001']) {
    await assert.rejects(get('/api/v1/status/tsdb', query, []), ApiError);
  }
  assert.deepEqual(JSON.parse(await get('/api/v1/status/walreplay', '', [])).data, { min: 0, max: 17, current: 12 });
});
