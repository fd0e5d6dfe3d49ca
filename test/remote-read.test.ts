// Queries that take in other servers by remote read: Debian's Prometheus, which streams chunks, and a server of our own. What
// is spread over several servers gives the results that one server with everything gives.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { WriteV1Encoder } from '../src/wire/remote/write-v1.ts';
import { snappyEncode } from '../src/wire/snappy.ts';
import { prometheus, startPrometheus } from './prometheus.ts';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');
const MINUTE = 60_000;

/** Counters of three instances, a sample each minute; the last instance is only there with `all`. */
function request(from: number, to: number, external: readonly string[], all: boolean): Uint8Array<ArrayBuffer> {
  const encoder = new WriteV1Encoder();
  const words = new Uint32Array(2);
  const value = new Float64Array(words.buffer);
  for (const [i, instance] of ['a', 'b', ...(all ? ['old'] : [])].entries()) {
    encoder.series(['__name__', 'requests_total', 'instance', instance, ...external]);
    for (let time = from; time < to; time += MINUTE) {
      value[0] = (time / MINUTE - 28_000_000) * (i + 1);
      encoder.sample(time, words[0]!, words[1]!);
    }
  }
  return Uint8Array.from(snappyEncode(encoder.finish()));
}

const HEADERS = {
  'content-encoding': 'snappy',
  'content-type': 'application/x-protobuf',
  'x-prometheus-remote-write-version': '0.1.0',
};

type Answer = { data: { result: unknown[] }; warnings?: string[] };

test('series of other servers take part in queries', { skip: prometheus.skip }, async (t) => {
  const folder = temporaryFolder(t);
  const theirs = await startPrometheus(path.join(folder, 'theirs'));
  t.after(() => theirs.end('SIGKILL'));
  const now = Math.floor(Date.now() / MINUTE) * MINUTE;
  const [begin, middle] = [now - 100 * MINUTE, now - 40 * MINUTE];

  const pharos = async (name: string, config: string) => {
    const port = await freePort();
    fs.writeFileSync(path.join(folder, `${name}.yml`), config);
    const running = start(t, LAUNCHER, [
      'server',
      `--config.file=${folder}/${name}.yml`,
      `--storage.tsdb.path=${folder}/${name}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
      '--web.enable-lifecycle',
      '--storage.shards=2',
    ]);
    const url = `http://127.0.0.1:${port}`;
    await eventually(`${name} is ready`, () => get(`${url}/-/ready`)).catch((error) => {
      throw new Error(running.output(), { cause: error });
    });
    const send = async (body: Uint8Array<ArrayBuffer>) => {
      const response = await fetch(`${url}/api/v1/write`, { method: 'POST', headers: HEADERS, body });
      assert.equal(response.status, 204, await response.text());
    };
    const query = async (what: string): Promise<Answer> =>
      JSON.parse((await get(`${url}/api/v1/${what}`)) ?? '{"data":{"result":[]}}') as Answer;
    return { url, send, query, running };
  };
  const reads = (address: string, more: string) => `
global: { external_labels: { region: eu } }
remote_read:
  - url: ${address}/api/v1/read
    name: them
${more}
`;
  const mixed = await pharos('mixed', reads(theirs.url, '    read_recent: true'));
  const whole = await pharos('whole', 'global: { external_labels: { region: eu } }');
  const chained = await pharos(
    'chained',
    reads(whole.url, '    read_recent: true\n    required_matchers: { instance: a }'),
  );

  // The older half is there only, with the external label it was sent with; the newer half is here and, in part, there too.
  await theirs.post('/api/v1/write', HEADERS, request(begin, middle, ['region', 'eu'], true));
  const overlap = request(middle, middle + 5 * MINUTE, ['region', 'eu'], false);
  await theirs.post('/api/v1/write', HEADERS, overlap);
  await mixed.send(request(middle, now, [], false));
  await whole.send(request(begin, middle, [], true));
  await whole.send(request(middle, now, [], false));

  const at = `time=${(middle + 10 * MINUTE) / 1000}`;
  const range = `start=${(begin + 5 * MINUTE) / 1000}&end=${now / 1000}&step=120`;
  const questions = [
    ...[
      'requests_total',
      'rate(requests_total[30m])',
      'sum(rate(requests_total[30m]))',
      'count_over_time(requests_total[1h])',
    ],
    ...['requests_total[30m]', 'sum by (instance) (increase(requests_total{instance!="b"}[45m]))'],
  ].flatMap((expr) => {
    const instant = `query?query=${encodeURIComponent(expr)}&${at}`;
    return /\]$/.test(expr) ? [instant] : [instant, `query_range?query=${encodeURIComponent(expr)}&${range}`];
  });
  for (const question of questions) {
    const [got, wanted] = [await mixed.query(question), await whole.query(question)];
    assert(wanted.data.result.length > 0, question);
    assert.equal(got.warnings, undefined, question);
    assert.deepEqual(got.data, wanted.data, question);
  }
  const series = `series?match[]=requests_total&start=${begin / 1000}&end=${now / 1000}`;
  assert.deepEqual((await mixed.query(series)).data, (await whole.query(series)).data);

  // Only selectors that have what is required are passed on; the answer of one of ours is streamed as well.
  const asked = (selector: string) => chained.query(`query?query=count(${encodeURIComponent(selector)})&${at}`);
  assert.deepEqual((await asked('requests_total')).data.result, []);
  assert.deepEqual((await asked('requests_total{instance=~"a"}')).data.result, []);
  assert.equal((await asked('requests_total{instance="a"}')).data.result.length, 1);

  // Without read_recent nobody is asked for times that the store has, but for a margin at its beginning.
  fs.writeFileSync(path.join(folder, 'mixed.yml'), reads(theirs.url, ''));
  assert.equal((await fetch(`${mixed.url}/-/reload`, { method: 'POST' })).status, 200);
  assert.deepEqual(await mixed.query(questions[1]!), await whole.query(questions[1]!));

  // A server that does not answer is a warning with the own series.
  await theirs.end('SIGKILL');
  const alone = await mixed.query(questions[0]!);
  assert.equal(alone.data.result.length, 2);
  assert.match(alone.warnings?.[0] ?? '', /remote_read: .*connection refused/);
  const own = (await get(`${mixed.url}/metrics`)) ?? '';
  assert.match(
    own,
    /^prometheus_remote_read_client_queries_total\{.*code="200".*remote_name="them".*response_type="chunked".*\} [1-9]/m,
  );
  assert.match(own, /^prometheus_remote_read_client_queries\{.*\} 0$/m);
  for (const { running } of [mixed, whole, chained]) assert.equal(await running.stop(), 0, running.output());
});
