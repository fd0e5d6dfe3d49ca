// The push gateway as a program: beside Debian's Pushgateway 1.5, across crashes, and as replicas over etcd.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import zlib from 'node:zlib';
import { crc32c } from '#base/crc32c.ts';
import { parsePushProtobuf } from '#collect/push/protobuf.ts';
import type { Histogram } from '#model/histogram.ts';
import { writeProtobuf } from '#wire/exposition/protobuf-write.ts';
import { snappyEncode } from '#wire/snappy.ts';
import { peer } from './peers.ts';
import { answers, freePort, PHAROS, start, temporaryFolder } from './programs.ts';

const upstream = peer('prometheus-pushgateway', 'prometheus-pushgateway');
const etcd = peer('etcd', 'etcd-server');

async function startOurs(
  t: TestContext,
  ...flags: string[]
): Promise<{ url: string; stop(signal: NodeJS.Signals): Promise<void> }> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const running = await start(
    t,
    PHAROS,
    ['pushgateway', `--web.listen-address=${url.slice(7)}`, ...flags],
    answers(`${url}/-/ready`),
  );
  return { url, stop: (signal) => running.stop(signal) };
}

type Step = {
  method: string;
  path: string;
  body?: string | Buffer;
  headers?: Record<string, string>;
  differs?: string;
};

/** Pushes whose status and text must agree. `differs` says why ours (which follows 1.11) does not. */
const STEPS: readonly Step[] = [
  { method: 'POST', path: '/metrics/job/a', body: 'x 1\n' },
  { method: 'POST', path: '/metrics/job/a', body: 'x 1' },
  { method: 'POST', path: '/metrics/job/a', body: 'z 1\n# TYPE w counter\nw{q="1"} 2\n' },
  { method: 'PUT', path: '/metrics/job/put', body: 'p1 1\np2 2\n' },
  { method: 'PUT', path: '/metrics/job/put', body: 'p1 3\n' },
  { method: 'PUT', path: '/metrics/job/emptied', body: 'e1 3\n' },
  { method: 'PUT', path: '/metrics/job/emptied', body: '' },
  { method: 'POST', path: '/metrics/job/b', body: '# TYPE x counter\nx 1\n' },
  { method: 'POST', path: '/metrics/job/c', body: 'x 1 123\n' },
  { method: 'POST', path: '/metrics/job/d', body: 'y{a="b"} 1\ny{a="b"} 2\n' },
  { method: 'POST', path: '/metrics/job/own', body: 'k{job="other",instance="i"} 1\n' },
  { method: 'POST', path: '/metrics/job/own/instance/j', body: 'k{instance="i"} 1\n' },
  {
    method: 'PUT',
    path: '/metrics/job@base64/L3g/inst/yy',
    body: '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 3\nh_sum 4.5\nh_count 3\n# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 3\ns_count 2\n',
  },
  { method: 'POST', path: '/metrics/job/zip', body: zlib.gzipSync('gz 1\n'), headers: { 'content-encoding': 'gzip' } },
  { method: 'POST', path: '/metrics/job/gone', body: 'gone 1\n' },
  { method: 'DELETE', path: '/metrics/job/gone' },
  { method: 'DELETE', path: '/metrics/job/never' },
  { method: 'PUT', path: '/metrics/job/a/x', body: '' },
  { method: 'POST', path: '/metrics/job@base64/a_%40', body: 'y 1\n' },
  { method: 'POST', path: '/metrics/job/foo/l@base64/=', body: 'y 1\n' },
  { method: 'POST', path: '/metrics/job/foo/__l/v', body: 'y 1\n' },
  { method: 'POST', path: '/metrics/job/foo/1l/v', body: 'y 1\n' },
  { method: 'POST', path: '/metrics/job/e', body: 'x{a=b} 1\n' },
  { method: 'POST', path: '/metrics/job/e', body: 'x abc\n' },
  { method: 'POST', path: '/metrics/job/e', body: 'x{a="\\q"} 1\n' },
  { method: 'POST', path: '/metrics/job/e', body: 'x{a="b} 1\n' },
  { method: 'POST', path: '/metrics/job/e', body: 'x{a="1",a="2"} 1\n' },
  { method: 'POST', path: '/metrics/job/e', body: '# TYPE x foo\nx 1\n' },
  { method: 'POST', path: '/metrics/job/e', body: 'x 1\n# TYPE x gauge\n' },
  { method: 'POST', path: '/metrics/job/e', body: '# HELP x a\n# HELP x b\nx 1\n' },
  { method: 'POST', path: '/metrics/job/e', body: 'x 1 2 3\n' },
  { method: 'POST', path: '/metrics/job/e', body: 'x 1 now\n' },
  { method: 'POST', path: '/metrics/job/e', body: '# TYPE x summary\nx{quantile="a"} 1\n' },
  { method: 'POST', path: '/metrics/job/e', body: '3x 1\n' },
  // Bytes that are no UTF-8.
  {
    method: 'POST',
    path: '/metrics/job/e',
    body: Buffer.from('t 1\nx{a="gr\xc3\xbcn",b="\xfc\xffn\\n"} 1\n', 'latin1'),
  },
  { method: 'POST', path: '/metrics/job/utf8', body: Buffer.from('# HELP t \xff\nt 1\n', 'latin1') },
  { method: 'POST', path: '/metrics/job/utf8', body: 'y{a="grün"} 1\n' },
  {
    method: 'POST',
    path: '/metrics/job/tabs',
    body: '# HELP t a \\\\ b\n\n  t  { a = "b" , c="d\\n" , }   +Inf  \nt{a="c"} NaN\n',
  },
  {
    method: 'POST',
    path: '/metrics/job/e',
    body: '{"quoted"} 1\n',
    differs: '1.5 does not know names in braces; ours refuses the name, as UTF-8 names are off or it is legal',
  },
];

/** Texts without protobuf's way of printing a metric; which of two types is called wrong is chance upstream. */
const comparable = (text: string) =>
  text.replace(/ \{ label:.*\} (?=is not|was collected)/g, ' {...} ').replace(/is not a [A-Z]+/, 'is not a TYPE');

/** One connection for each request: a gateway that refuses a push may do so before it has read the body. */
function send(
  url: string,
  method: string,
  body: string | Buffer,
  headers: Record<string, string>,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const length = String(Buffer.byteLength(body));
    const request = http.request(url, { method, agent: false, headers: { ...headers, 'content-length': length } });
    request.on('error', reject);
    request.on('response', async (response) => {
      let text = '';
      for await (const chunk of response.setEncoding('utf8')) text += chunk;
      resolve({ status: response.statusCode ?? 0, text });
    });
    request.end(body);
  });
}

async function run(url: string): Promise<string[]> {
  const results: string[] = [];
  for (const { method, path: where, body, headers, differs } of STEPS) {
    if (differs) continue;
    const response = await send(url + where, method, body ?? '', headers ?? {});
    results.push(`${method} ${where} ${response.status} ${comparable(response.text)}`);
  }
  return results;
}

/** The pushed part of the page; times only as never or some time. */
async function pushedLines(url: string): Promise<string[]> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => /^(# TYPE )?(x|y|z|w|h|s|k|t|p1|p2|e1|gz|gone|push_)/.test(line))
    .map((line) => line.replace(/^(push_\w+\{.*\}) (?!0$).*/, '$1 SOME TIME'));
}

/** /api/v1/metrics, without times and the gateway's own words. */
async function groupsOf(url: string): Promise<string[]> {
  const { data } = (await (await fetch(`${url}/api/v1/metrics`)).json()) as { data: Record<string, unknown>[] };
  const plain = (key: string, value: unknown) => {
    if (key === 'time_stamp') return typeof value === 'string' && value !== '' ? 'SOME TIME' : value;
    if (!/^push_(failure_)?time_seconds$/.test(key)) return sorted(value);
    const { type, metrics } = value as { type: string; metrics: { value: string }[] };
    return {
      type,
      metrics: metrics.map((one) => ({
        ...one,
        value: one.value === '0' ? '0' : one.value.replace(/\d/g, 'd').replace(/d+e/, 'e'),
      })),
    };
  };
  return data.map((group) => JSON.stringify(sorted(group), plain)).sort();
}

const sorted = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

test('answers and shows what Pushgateway does', { skip: upstream.skip }, async (t) => {
  const ours = await startOurs(t);
  const theirs = `http://127.0.0.1:${await freePort()}`;
  await start(
    t,
    upstream.path,
    [`--web.listen-address=${theirs.slice(7)}`, `--persistence.file=${path.join(temporaryFolder(t), 'theirs')}`],
    answers(`${theirs}/-/ready`),
  );
  assert.deepEqual(await run(ours.url), await run(theirs));
  assert.deepEqual(await pushedLines(ours.url), await pushedLines(theirs));
  assert.deepEqual(await groupsOf(ours.url), await groupsOf(theirs));
});

test('what was persisted survives a crash; a damaged file is put aside', async (t) => {
  const file = path.join(temporaryFolder(t), 'push');
  const flags = [`--persistence.file=${file}`, '--persistence.interval=1ms'];
  const first = await startOurs(t, ...flags);
  await fetch(`${first.url}/metrics/job/kept`, { method: 'PUT', body: 'kept{a="NaN"} NaN\n' });
  while (!fs.existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20));
  await first.stop('SIGKILL');
  const second = await startOurs(t, ...flags);
  assert.match(await (await fetch(`${second.url}/metrics`)).text(), /^kept\{a="NaN",instance="",job="kept"\} NaN$/m);
  await second.stop('SIGKILL');
  fs.writeFileSync(file, fs.readFileSync(file).subarray(0, 60));
  const third = await startOurs(t, ...flags);
  assert.doesNotMatch(await (await fetch(`${third.url}/metrics`)).text(), /kept/);
  assert.equal(fs.statSync(`${file}.unreadable`).size, 60);
});

/** Snappy's framing of one block. */
function snappyFramed(content: Uint8Array): Buffer {
  const sum = crc32c(content);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE((((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0);
  const chunk = Buffer.concat([checksum, snappyEncode(content)]);
  const head = Buffer.from([0, chunk.length & 255, chunk.length >> 8, chunk.length >> 16]);
  return Buffer.concat([Buffer.from('ff060000734e61507059', 'hex'), head, chunk]);
}

const PROTOBUF = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

test('native histograms come as protobuf under every encoding, go out as protobuf, and survive a crash', async (t) => {
  const file = path.join(temporaryFolder(t), 'push');
  const flags = [`--persistence.file=${file}`, '--persistence.interval=1ms'];
  const first = await startOurs(t, ...flags);
  const histogram: Histogram = {
    integer: true,
    schema: 3,
    zeroThreshold: 2.938735877055719e-39,
    zeroCount: 1,
    count: 8,
    sum: 18.5,
    positiveSpans: [
      { offset: -2, length: 1 },
      { offset: 3, length: 2 },
    ],
    negativeSpans: [{ offset: 0, length: 1 }],
    positiveBuckets: Float64Array.of(1, 2, 3),
    negativeBuckets: Float64Array.of(1),
    counterReset: 'unknown',
  };
  const encodings: Record<string, (body: Uint8Array) => Uint8Array> = {
    identity: (body) => body,
    gzip: zlib.gzipSync,
    deflate: zlib.deflateSync,
    zstd: zlib.zstdCompressSync,
    snappy: snappyFramed,
  };
  for (const [encoding, encode] of Object.entries(encodings)) {
    const body = writeProtobuf(
      [
        {
          name: 'latency_seconds',
          type: 'histogram',
          help: 'Latency.',
          samples: [{ suffix: '', labels: ['by', encoding], value: Number.NaN, histogram }],
        },
      ],
      'allow-utf-8',
    );
    const headers = { 'content-type': PROTOBUF, ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }) };
    const reply = await send(`${first.url}/metrics/job/${encoding}`, 'POST', Buffer.from(encode(body)), headers);
    assert.equal(reply.status, 200, `${encoding}: ${reply.text}`);
  }
  for (const [encoding, status] of [
    ['gzip', 400],
    ['zstd', 400],
    ['snappy', 400],
    ['brotli-ish', 400],
  ] as const) {
    const reply = await send(`${first.url}/metrics/job/broken`, 'POST', 'x 1\n', { 'content-encoding': encoding });
    assert.equal(reply.status, status, `${encoding}: ${reply.text}`);
  }
  const shown = async (url: string) => {
    const page = await fetch(`${url}/metrics`, { headers: { accept: PROTOBUF } });
    const { families } = parsePushProtobuf(new Uint8Array(await page.arrayBuffer()));
    return families.find((family) => family.name === 'latency_seconds')?.metrics ?? [];
  };
  while (!fs.existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20));
  await first.stop('SIGTERM');
  const second = await startOurs(t, ...flags);
  const metrics = await shown(second.url);
  assert.equal(metrics.length, Object.keys(encodings).length);
  for (const { labels, value } of metrics) {
    assert.equal(labels[labels.indexOf('by') + 1], labels[labels.indexOf('job') + 1]);
    assert.deepEqual(value.kind === 'histogram' && value.native, histogram);
  }
});

test("Pushgateway's own file is taken over at the first start", { skip: upstream.skip }, async (t) => {
  const file = path.join(temporaryFolder(t), 'push');
  const theirs = `http://127.0.0.1:${await freePort()}`;
  const running = await start(
    t,
    upstream.path,
    [`--web.listen-address=${theirs.slice(7)}`, `--persistence.file=${file}`, '--persistence.interval=1ms'],
    answers(`${theirs}/-/ready`),
  );
  await run(theirs);
  const before = await (await fetch(`${theirs}/metrics`)).text();
  await running.stop();
  const flags = [`--persistence.file=${file}`];
  const first = await startOurs(t, ...flags);
  const isPushed = (line: string) => /^(push_|x|y|z|w|h|s|k|t|p1|p2|e1|gz)[^#]*\{/.test(line);
  const linesOf = (page: string) => page.split('\n').filter(isPushed).sort();
  const after = await (await fetch(`${first.url}/metrics`)).text();
  assert.ok(linesOf(before).length > 20, before);
  const series = (lines: string[]) => lines.map((line) => line.replace(/ \S+$/, ''));
  assert.deepEqual(series(linesOf(after)), series(linesOf(before)));
  // Times of pushes are exact to the microsecond; the last digit may be printed otherwise.
  const numbers = (lines: string[]) => lines.map((line) => Number(line.split(' ').at(-1)));
  const [wanted, got] = [numbers(linesOf(before)), numbers(linesOf(after))];
  wanted.forEach((value, i) => {
    assert.ok(Object.is(value, got[i]) || Math.abs(value - got[i]!) < 5e-6, `${linesOf(before)[i]}: ${got[i]}`);
  });
  assert.match(fs.readFileSync(`${file}.pushgateway`, 'latin1'), /MetricGroup/, 'the way back stays open');
  await first.stop('SIGKILL');
  const second = await startOurs(t, ...flags);
  assert.deepEqual(linesOf(await (await fetch(`${second.url}/metrics`)).text()), linesOf(after));
});

test('the page for people shows groups and escapes what was pushed', async (t) => {
  const { url } = await startOurs(t);
  await fetch(`${url}/metrics/job/a/evil@base64/${Buffer.from('<script>').toString('base64url')}`, {
    method: 'PUT',
    body: 'shown 1\n',
  });
  const page = await (await fetch(`${url}/`)).text();
  assert.match(page, /<code>shown<\/code>/);
  assert.match(page, /&#60;script&#62;/);
  const path = /data-path="([^"]+)"/.exec(page)![1]!;
  assert.equal((await fetch(`${url}/${path}`, { method: 'DELETE' })).status, 202);
  assert.doesNotMatch(await (await fetch(`${url}/`)).text(), /shown/);
});

test('a push of 100 MB is refused, packed or not, while pages are served', async (t) => {
  const { url } = await startOurs(t);
  assert.equal((await fetch(`${url}/metrics/job/small`, { method: 'POST', body: 'small 1\n' })).status, 200);
  const body = `# ${'x'.repeat(100 * 1024 * 1024)}\n`;
  const push = (name: string, sent: string | Buffer, headers: Record<string, string> = {}) =>
    fetch(`${url}/metrics/job/${name}`, {
      method: 'POST',
      body: typeof sent === 'string' ? sent : new Uint8Array(sent),
      headers,
    }).then(
      (response) => response.status,
      () => 'closed',
    );
  const pushes = [push('large', body), push('bomb', zlib.gzipSync(body), { 'content-encoding': 'gzip' })];
  const pages = Array.from({ length: 10 }, async () => (await fetch(`${url}/metrics`)).text());
  for (const page of await Promise.all(pages)) assert.match(page, /^small\{.*\} 1$/m);
  for (const status of await Promise.all(pushes)) assert.ok(status === 413 || status === 'closed', `status ${status}`);
  const limited = await startOurs(t, '--push.max-body-size=1MB');
  const refused = await fetch(`${limited.url}/metrics/job/a`, {
    method: 'POST',
    body: `# ${'x'.repeat(2 ** 20)}\n`,
  }).then(
    (response) => response.status,
    () => 'closed',
  );
  assert.ok(refused === 413 || refused === 'closed', `status ${refused}`);
  assert.equal((await fetch(`${limited.url}/metrics/job/a`, { method: 'POST', body: 'small 1\n' })).status, 200);
});

test('replicas share every push through etcd', { skip: etcd.skip }, async (t) => {
  const folder = temporaryFolder(t);
  const client = `http://127.0.0.1:${await freePort()}`;
  const peerUrl = `http://127.0.0.1:${await freePort()}`;
  await start(
    t,
    etcd.path,
    [
      `--data-dir=${folder}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
      '--unsafe-no-fsync',
    ],
    answers(`${client}/health`),
  );
  const flags = [`--push.etcd.endpoints=${client}`];
  const [a, b] = await Promise.all([startOurs(t, ...flags), startOurs(t, ...flags)]);
  // Adding up on two replicas at once: every push counts exactly once.
  const pushes = Array.from({ length: 20 }, (_, i) =>
    fetch(`${(i % 2 === 0 ? a : b).url}/metrics/job/sum?merge=add&push_id=p${i}`, {
      method: 'POST',
      body: '# TYPE jobs_total counter\njobs_total 1\n',
    }),
  );
  for (const response of await Promise.all(pushes)) assert.equal(response.status, 200, await response.clone().text());
  await fetch(`${b.url}/metrics/job/sum?push_id=p3`, {
    method: 'POST',
    body: '# TYPE jobs_total counter\njobs_total 1\n',
  });
  const total = async (url: string) =>
    /^jobs_total\{.*\} (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];
  for (const url of [a.url, b.url]) {
    while ((await total(url)) !== '20') await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await a.stop('SIGKILL');
  assert.equal(await total(b.url), '20');
  const late = await startOurs(t, ...flags);
  assert.equal(await total(late.url), '20');
  // What a reader has got from one replica it does not get from another; another reader does.
  await fetch(`${b.url}/metrics/job/once?pull=clear`, { method: 'PUT', body: 'once 1\n' });
  const has = async (url: string, reader: string) =>
    /^once\{/m.test(await (await fetch(`${url}/metrics?reader=${reader}`)).text());
  while (!(await has(late.url, ''))) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await has(b.url, 'prometheus'), true);
  while (await has(late.url, 'prometheus')) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await has(late.url, 'other'), true);
  const latest = await startOurs(t, ...flags);
  assert.equal(await has(latest.url, 'prometheus'), false, 'progress is known to a replica that starts later');
  await fetch(`${late.url}/metrics/job/sum`, { method: 'DELETE' });
  while ((await total(b.url)) !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
});
