// The query API over samples in memory: shapes, numbers, errors and their statuses, formats, explain, cancelling.

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { labelsOf } from '#model/labels.ts';
import { QueryDesk } from '#query/desk.ts';
import { QueryEngine } from '#query/engine.ts';
import { MemorySource } from '#query/memory-twin.ts';
import { ApiError, ERROR_STATUS, type HttpRequest, type HttpResponse } from './http.ts';
import { queryRoutes } from './query.ts';

const source = new MemorySource(2);
for (const host of ['a', 'b']) {
  for (let i = 0; i <= 60; i++) {
    source.add(labelsOf({ __name__: 'hits_total', host }), i * 15_000, i * (host === 'a' ? 3 : 1e-7));
  }
}
const engine = new QueryEngine({ source, clock: systemClock, features: ['promql-experimental-functions'] });
const desk = new QueryDesk({ clock: systemClock, maxConcurrent: 4, maxWaiting: 4 });
const routes = queryRoutes({ engine, source, desk, clock: systemClock, ready: () => true });

async function ask(path: string, headers: Record<string, string> = {}): Promise<HttpResponse & { text: string }> {
  const url = new URL(path, 'http://localhost');
  for (const route of routes) {
    const pattern = new RegExp(`^${route.pattern.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`);
    const match = pattern.exec(url.pathname);
    if (!match) continue;
    const request: HttpRequest = {
      ...{ method: 'GET', path: url.pathname, params: { ...match.groups }, query: url.searchParams, headers },
      ...{ remoteAddress: '127.0.0.1', user: undefined, body: async () => Buffer.alloc(0) },
      signal: new AbortController().signal,
    };
    const response = await route.handler(request);
    let text = '';
    if (response.body instanceof Readable) for await (const piece of response.body) text += piece;
    else
      text =
        typeof response.body === 'string' ? response.body : Buffer.from(response.body as Uint8Array).toString('latin1');
    return { ...response, text };
  }
  throw new Error(`no route for ${path}`);
}

const data = async (path: string) => JSON.parse((await ask(path)).text).data;

async function refusal(path: string): Promise<string> {
  try {
    await ask(path);
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return `${ERROR_STATUS[error.type]} ${error.type}: ${error.message}`;
  }
  return assert.fail(`${path} was answered`);
}

test('instant results have the shapes and numbers of Prometheus', async () => {
  assert.deepEqual(await data('/api/v1/query?query=hits_total&time=600.5'), {
    resultType: 'vector',
    result: [
      { metric: { __name__: 'hits_total', host: 'a' }, value: [600.5, '120'] },
      { metric: { __name__: 'hits_total', host: 'b' }, value: [600.5, '0.000004'] },
    ],
  });
  assert.deepEqual(await data('/api/v1/query?query=1e-7&time=0'), { resultType: 'scalar', result: [0, '1e-07'] });
  assert.deepEqual(await data('/api/v1/query?query=1/0&time=0.001'), { resultType: 'scalar', result: [0.001, '+Inf'] });
  assert.deepEqual(await data('/api/v1/query?query="x"&time=1'), { resultType: 'string', result: [1, 'x'] });
  assert.deepEqual(await data('/api/v1/query?query=hits_total{host="a"}[31s]&time=60'), {
    resultType: 'matrix',
    result: [
      {
        metric: { __name__: 'hits_total', host: 'a' },
        values: [
          [30, '6'],
          [45, '9'],
          [60, '12'],
        ],
      },
    ],
  });
});

test('range results are series over the grid', async () => {
  const got = await data('/api/v1/query_range?query=sum(increase(hits_total{host="a"}[1m]))&start=300&end=360&step=30');
  assert.deepEqual(got, {
    resultType: 'matrix',
    result: [
      {
        metric: {},
        values: [
          [300, '12'],
          [330, '12'],
          [360, '12'],
        ],
      },
    ],
  });
});

test('what is wrong is named with its parameter', async () => {
  const cases = [
    [
      '/api/v1/query?query=sum(',
      '400 bad_data: invalid parameter "query": 1:5: parse error: unclosed left parenthesis',
    ],
    [
      '/api/v1/query?query=up&time=x',
      `400 bad_data: invalid parameter "time": invalid time value for 'time': cannot parse "x" to a valid timestamp`,
    ],
    [
      '/api/v1/query?query=up&timeout=x',
      '400 bad_data: invalid parameter "timeout": cannot parse "x" to a valid duration',
    ],
    ['/api/v1/query?query=up&limit=-1', '400 bad_data: invalid parameter "limit": limit must be non-negative'],
    [
      '/api/v1/query_range?query=up&start=10&end=5&step=1',
      '400 bad_data: invalid parameter "end": end timestamp must not be before start time',
    ],
    [
      '/api/v1/query_range?query=up&start=0&end=5&step=0',
      '400 bad_data: invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    ],
    [
      '/api/v1/query_range?query=up&start=0&end=11002&step=1',
      '400 bad_data: exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    ],
    [
      '/api/v1/query_range?query=up[5m]&start=0&end=5&step=1',
      '400 bad_data: invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    ],
    [
      '/api/v1/query?query=up%2Bon(x)group_left(x)up',
      '400 bad_data: invalid parameter "query": 1:3: parse error: label "x" must not occur in ON and GROUP clause at once',
    ],
    [
      '/api/v1/query?time=600&query=label_replace(hits_total,"host","","","")',
      '422 execution: vector cannot contain metrics with the same labelset',
    ],
    ['/api/v1/series', '400 bad_data: no match[] parameter provided'],
    ['/api/v1/labels?match[]={}', '400 bad_data: match[] must contain at least one non-empty matcher'],
    ['/api/v1/status/queries/77/cancel', '404 not_found: no query 77 is active'],
  ] as const;
  for (const [path, expected] of cases) assert.equal(await refusal(path), expected);
});

test('a subquery of more steps than anything could hold is refused before it begins', async () => {
  assert.equal(
    await refusal('/api/v1/query?query=max_over_time(hits_total[100y:1ms])&time=600'),
    '422 execution: query processing would load too many samples into memory in query execution (limit 50000000)',
  );
});

test('labels, values, series, with limits', async () => {
  assert.deepEqual(await data('/api/v1/labels'), ['__name__', 'host']);
  assert.deepEqual(await data('/api/v1/label/host/values'), ['a', 'b']);
  assert.deepEqual(await data('/api/v1/label/U__h_6f_st/values'), ['a', 'b']);
  const limited = JSON.parse((await ask('/api/v1/label/host/values?limit=1')).text);
  assert.deepEqual([limited.data, limited.warnings], [['a'], ['results truncated due to limit']]);
  assert.deepEqual(await data('/api/v1/series?match[]=hits_total{host="b"}'), [{ __name__: 'hits_total', host: 'b' }]);
});

test('annotations, limits and statistics come with the result', async () => {
  const answer = JSON.parse((await ask('/api/v1/query?query=quantile(3,hits_total)&time=600&stats=all')).text);
  assert.deepEqual(answer.warnings, ['PromQL warning: quantile value should be between 0 and 1, got 3 (1:10)']);
  assert.equal(answer.data.stats.samples.totalQueryableSamples > 0, true);
  const stats = async (query: string) =>
    (await data(`/api/v1/query_range?query=${encodeURIComponent(query)}&start=600&end=630&step=30&stats=all`)).stats;
  const perStep = async (query: string) => (await stats(query)).samples.totalQueryableSamplesPerStep;
  assert.deepEqual(await perStep('rate(hits_total[1m])'), [
    [600, 8],
    [630, 8],
  ]);
  assert.deepEqual(await perStep('hits_total{host="a"} + max_over_time(hits_total{host="a"}[45s:15s] @ 300)'), [
    [600, 4],
    [630, 4],
  ]);
  assert.equal((await stats('sum(hits_total)')).samples.totalQueryableSamples, 4);
  const cut = JSON.parse((await ask('/api/v1/query?query=hits_total&time=600&limit=1')).text);
  assert.deepEqual([cut.data.result.length, cut.warnings], [1, ['results truncated due to limit']]);
});

test('a query explains itself', async () => {
  const { plan } = await data('/api/v1/query?query=sum%20by%20(host)(rate(hits_total[5m]))&explain=true');
  assert.equal(plan.step, 'in the shards: sum by (host) of rate over 5m of {__name__="hits_total"}');
  const twice = await data('/api/v1/query?query=hits_total%2Bhits_total&analyze=true&time=600');
  const [left, right] = twice.plan.inputs;
  assert.equal(left.id, right.id);
  assert.equal(left.series, 2);
});

test('expressions are laid out and shown as trees', async () => {
  assert.equal(await data('/api/v1/format_query?query=sum(up)by(job)'), 'sum by (job) (up)');
  const tree = await data('/api/v1/parse_query?query=up%2B1');
  assert.deepEqual([tree.type, tree.op, tree.lhs.name, tree.rhs.val], ['binaryExpr', '+', 'up', '1']);
});

test('CSV and Arrow', async () => {
  const csv = await ask('/api/v1/query?query=hits_total&time=600&format=csv');
  assert.equal(csv.text, 'timestamp,value,__name__,host\r\n600,120,hits_total,a\r\n600,0.000004,hits_total,b\r\n');
  const arrow = await ask('/api/v1/query?query=hits_total&time=600', { accept: 'application/vnd.apache.arrow.stream' });
  assert.equal(arrow.headers?.['content-type'], 'application/vnd.apache.arrow.stream');
  assert.equal(arrow.text.slice(0, 4), '\xff\xff\xff\xff');
  assert.equal(arrow.text.slice(-8), '\xff\xff\xff\xff\0\0\0\0');
});

test('the features of the language', async () => {
  const found = await data('/api/v1/features');
  assert.equal(found.promql.fill, false);
  assert.equal(found.promql_functions.info, true);
  assert.equal(found.promql_operators.limitk, true);
});
