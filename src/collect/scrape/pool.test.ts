// Scraping end to end against real HTTP servers: what is appended, when series end, what the targets page says of targets
// that misbehave, and that nobody else is harmed by them.

import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { type AppendResult, labelSetsOf, type SampleBatch } from '#model/batch.ts';
import { formatLabels, type Labels } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { isStale } from '#model/value.ts';
import { writeProtobuf } from '#wire/exposition/protobuf-write.ts';
import { DEFAULT_RULE } from '../relabel/relabel.ts';
import { ScrapePool } from './pool.ts';
import type { TargetSpec } from './spec.ts';
import { JOB } from './spec-twin.ts';

/** Keeps every sample as text; gives each label set one number. */
class MemoryAppender {
  readonly series: Labels[] = [];
  readonly samples: { series: string; timestamp: number; value: string }[] = [];
  readonly #refs = new Map<string, number>();
  #waiting: { isMet: () => boolean; resolve: () => void }[] = [];

  async append(batch: SampleBatch): Promise<AppendResult> {
    const refs = Float64Array.from(labelSetsOf(batch), (labels) => {
      const key = labels.join('\xff');
      if (!this.#refs.has(key)) {
        this.#refs.set(key, this.series.length);
        this.series.push(labels);
      }
      return this.#refs.get(key)!;
    });
    for (let i = 0; i < batch.refs.length; i++) {
      const ref = batch.refs[i]! < 0 ? refs[-batch.refs[i]! - 1]! : batch.refs[i]!;
      const value = isStale(batch.values, i) ? 'stale' : String(batch.values[i]);
      this.samples.push({ series: formatLabels(this.series[ref]!), timestamp: batch.timestamps[i]!, value });
    }
    for (const { isMet, resolve } of this.#waiting) if (isMet()) resolve();
    return { refs, rejections: [], created: refs.length };
  }

  /** Until so many scrapes of every one of these are stored. */
  scrapes(count: number, ...instances: readonly string[]): Promise<void> {
    const isMet = () =>
      instances.every((instance) => this.valuesOf(`up{instance="${instance}", job="j"}`).length >= count);
    return isMet() ? Promise.resolve() : new Promise((resolve) => this.#waiting.push({ isMet, resolve }));
  }

  valuesOf(series: string): string[] {
    return this.samples.filter((sample) => sample.series === series).map(({ value }) => value);
  }
}

const target = (url: string, more: Partial<TargetSpec> = {}): TargetSpec => ({
  id: url,
  url,
  labels: ['instance', 'i', 'job', 'j'],
  intervalMs: 50,
  timeoutMs: 40,
  phase: 0,
  socketPath: undefined,
  nativeHistograms: false,
  alwaysClassicHistograms: false,
  convertClassicHistograms: false,
  forcedError: undefined,
  ...more,
});

function newPool(appender: MemoryAppender): ScrapePool {
  const registry = new Registry();
  return new ScrapePool({
    clock: systemClock,
    disk: nodeDisk,
    log: silentLogger,
    registry,
    appender,
    offsetSeed: 0,
  });
}

async function serve(handler: http.RequestListener): Promise<{ url: string; close: () => void }> {
  const server = http.createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const plain = { 'content-type': 'text/plain; version=0.0.4' };

test('samples, automatic series, relabeling, stale markers', async () => {
  const pages = [
    'a{x="1"} 1\nb 2\ndropped 9\nc{job="own"} 3\n',
    'b 3\na{x="1"} 2\ndropped 9\nnew NaN\n',
    'a{x="1"} 3\nb 4\nb 5\nc{job="own"} 3\n',
  ];
  let served = 0;
  const server = await serve((request, response) => {
    assert.match(request.headers.accept!, /text\/plain;version=0\.0\.4;q=0\.6,\*\/\*;q=0\.5/);
    response.writeHead(200, plain).end(pages[Math.min(served++, pages.length - 1)]);
  });
  const appender = new MemoryAppender();
  const pool = newPool(appender);
  const drop = { ...DEFAULT_RULE, action: 'drop', sourceLabels: ['__name__'], regex: 'dropped' } as const;
  pool.apply([
    { job: { ...JOB, metricRelabelRules: [drop] }, targets: [target(server.url, { intervalMs: 300, timeoutMs: 250 })] },
  ]);
  await appender.scrapes(3, 'i');
  const [status] = pool.statuses();
  await pool.stop();
  server.close();
  assert.deepEqual([status?.health, status?.lastError], ['up', '']);
  const of = (name: string) => appender.valuesOf(`${name}{instance="i", job="j"}`);
  assert.deepEqual(appender.valuesOf('a{instance="i", job="j", x="1"}').slice(0, 3), ['1', '2', '3']);
  assert.deepEqual(of('b').slice(0, 3), ['2', '3', '4'], 'the second of two equal series is a duplicate');
  assert.deepEqual(appender.valuesOf('c{exported_job="own", instance="i", job="j"}').slice(0, 3), ['3', 'stale', '3']);
  assert.deepEqual(of('new').slice(0, 2), ['NaN', 'stale']);
  assert.deepEqual(of('dropped'), []);
  assert.deepEqual(of('up').slice(0, 3), ['1', '1', '1']);
  assert.deepEqual(of('scrape_samples_scraped').slice(0, 3), ['4', '4', '4']);
  assert.deepEqual(of('scrape_samples_post_metric_relabeling').slice(0, 3), ['3', '3', '4']);
  assert.deepEqual(of('scrape_series_added').slice(0, 3), ['3', '1', '1']);
  const times = new Set(appender.samples.map(({ timestamp }) => timestamp % 300));
  assert.ok(times.size <= 3, `scrape times keep to the plan: ${[...times]}`);
});

test('targets that misbehave are down with the reason, others go on', async () => {
  const cases: [string, http.RequestListener, RegExp][] = [
    [
      'status',
      (_, response) => response.writeHead(503).end('x'),
      /^server returned HTTP status 503 Service Unavailable$/,
    ],
    [
      'syntax',
      (_, response) => response.writeHead(200, plain).end('a 1\nb{ 2\n'),
      /^expected label name, got "2" \("INVALID"\) while parsing: "b\{ 2"$/,
    ],
    [
      'no type',
      (_, response) => response.writeHead(200).end('a 1\n'),
      /^non-compliant scrape target sending blank Content-Type/,
    ],
    [
      'other type',
      (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('a 1\n'),
      /received unsupported Content-Type "text\/html"/,
    ],
    [
      'not gzip',
      (_, response) => response.writeHead(200, { ...plain, 'content-encoding': 'gzip' }).end('a 1\n'),
      /^gzip: /,
    ],
    [
      'cut gzip',
      (_, response) =>
        response.writeHead(200, { ...plain, 'content-encoding': 'gzip' }).end(zlib.gzipSync('a 1\n').subarray(0, 15)),
      /^gzip: unexpected EOF$/,
    ],
    [
      'bomb',
      (_, response) =>
        response
          .writeHead(200, { ...plain, 'content-encoding': 'gzip' })
          .end(zlib.gzipSync(Buffer.alloc(5_000_000, 10))),
      /^body size limit exceeded$/,
    ],
    [
      'large',
      (_, response) => response.writeHead(200, plain).end(Buffer.alloc(100_001, 10)),
      /^body size limit exceeded$/,
    ],
    ['silent', () => {}, /^Get "http:.*": context deadline exceeded$/],
    [
      'endless',
      (_, response) => {
        response.writeHead(200, plain);
        response.write('a 1\n');
      },
      /context deadline exceeded$/,
    ],
    ['loop', (_, response) => response.writeHead(302, { location: '/metrics' }).end(), /stopped after 10 redirects$/],
    [
      'too short',
      (_, response) => {
        response.writeHead(200, { ...plain, 'content-length': 100 });
        response.write('a 1\n');
        response.destroy();
      },
      /EOF$|reset/,
    ],
    [
      'labels',
      (_, response) => response.writeHead(200, plain).end('a{b="1",b="2"} 1\n'),
      /label name "b" is not unique/,
    ],
    [
      'utf8',
      (_, response) => response.writeHead(200, plain).end(Buffer.from('a{b="\xff"} 1\n', 'latin1')),
      /invalid UTF-8 label value/,
    ],
  ];
  const good = await serve((_, response) => response.writeHead(200, plain).end('fine 1\n'));
  const servers = await Promise.all(cases.map(([, handler]) => serve(handler)));
  const liar = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.end('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\na 1\n');
  });
  await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
  const liarUrl = `http://127.0.0.1:${(liar.address() as AddressInfo).port}/metrics`;
  const dead = await serve(() => {});
  dead.close();
  const appender = new MemoryAppender();
  const pool = newPool(appender);
  const slow = { intervalMs: 2000, timeoutMs: 1900 };
  const urls = [...servers.map(({ url }) => url), liarUrl, dead.url, good.url];
  pool.apply([
    {
      job: { ...JOB, limits: { ...JOB.limits, bodySizeBytes: 100_000 } },
      targets: urls.map((url) => target(url, { ...slow, labels: ['instance', url, 'job', 'j'] })),
    },
  ]);
  await appender.scrapes(2, ...urls);
  const statuses = new Map(pool.statuses().map((status) => [status.id, status]));
  await pool.stop();
  for (const server of [...servers, good]) server.close();
  liar.close();
  cases.forEach(([what, , expected], i) => {
    const status = statuses.get(servers[i]!.url)!;
    assert.equal(status.health, 'down', what);
    assert.match(status.lastError, expected, what);
  });
  assert.match(statuses.get(liarUrl)!.lastError, /invalid byte in chunk length$/);
  assert.match(statuses.get(dead.url)!.lastError, /dial tcp 127\.0\.0\.1:\d+: connect: connection refused$/);
  assert.equal(statuses.get(good.url)!.health, 'up');
  assert.deepEqual([...new Set(appender.samples.map(({ series }) => series.split('{')[0]))].sort(), [
    'fine',
    'scrape_duration_seconds',
    'scrape_samples_post_metric_relabeling',
    'scrape_samples_scraped',
    'scrape_series_added',
    'up',
  ]);
});

test('the series of a target that is gone end two intervals later, those of other label rules at once', async () => {
  const server = await serve((_, response) => response.writeHead(200, plain).end('a 1\n'));
  const appender = new MemoryAppender();
  const pool = newPool(appender);
  const job = { ...JOB, name: 'gone' };
  const one = target(server.url, { intervalMs: 200, timeoutMs: 150 });
  pool.apply([{ job, targets: [one] }]);
  await appender.scrapes(2, 'i');
  const rename = { ...DEFAULT_RULE, targetLabel: 'added', replacement: 'x', sourceLabels: ['__name__'] };
  pool.apply([{ job: { ...job, metricRelabelRules: [rename] }, targets: [one] }]);
  await appender.scrapes(5, 'i');
  const old = appender.valuesOf('a{instance="i", job="j"}');
  assert.equal(old.at(-1), 'stale');
  assert.equal(appender.valuesOf('a{added="x", instance="i", job="j"}')[0], '1');
  pool.apply([]);
  const renamed = 'a{added="x", instance="i", job="j"}';
  while (appender.valuesOf(renamed).at(-1) !== 'stale') {
    await new Promise((resolve) => systemClock.after(20, () => resolve(undefined)));
  }
  assert.equal(appender.valuesOf('up{instance="i", job="j"}').at(-1), 'stale');
  const times = appender.samples.filter(({ series }) => series === renamed).map(({ timestamp }) => timestamp);
  assert.ok(times.at(-1)! > times.at(-2)!);
  await pool.stop();
  server.close();
});

test('protobuf, OpenMetrics and text by turns: the series of the page before end, those written again go on', async () => {
  const families = [{ name: 'm', type: 'gauge', help: '', samples: [{ suffix: '', labels: [], value: 7 }] }] as const;
  const pages = [
    { type: 'text/plain', body: 'm 5\nonly_text 1\n' },
    { type: 'application/vnd.google.protobuf', body: writeProtobuf(families, 'allow-utf-8') },
    { type: 'application/openmetrics-text', body: 'm 8\n# EOF\n' },
  ];
  let served = 0;
  const server = await serve((_, response) => {
    const page = pages[Math.min(served++, 2)]!;
    response.writeHead(200, { 'content-type': page.type }).end(page.body);
  });
  const appender = new MemoryAppender();
  const pool = newPool(appender);
  pool.apply([
    { job: { ...JOB, extraMetrics: true }, targets: [target(server.url, { intervalMs: 200, timeoutMs: 150 })] },
  ]);
  while (served < 4) await new Promise((resolve) => systemClock.after(20, () => resolve(undefined)));
  await pool.stop();
  server.close();
  assert.deepEqual(appender.valuesOf('m{instance="i", job="j"}').slice(0, 3), ['5', '7', '8']);
  assert.deepEqual(appender.valuesOf('only_text{instance="i", job="j"}'), ['1', 'stale']);
  assert.equal(appender.valuesOf('scrape_timeout_seconds{instance="i", job="j"}')[0], '0.15');
  assert.equal(appender.valuesOf('scrape_body_size_bytes{instance="i", job="j"}')[0], '16');
});

test('honor_labels with protobuf: labels of the page win, and those that it has empty keep others away', async () => {
  const sample = (labels: string[], value: number) => ({ suffix: '', labels, value });
  const families = [
    {
      name: 'pushed',
      type: 'gauge',
      help: '',
      samples: [sample(['instance', '', 'job', 'batch'], 1), sample(['instance', 'other'], 2)],
    },
  ] as const;
  const server = await serve((_, response) => {
    const body = writeProtobuf(families, 'allow-utf-8');
    response.writeHead(200, { 'content-type': 'application/vnd.google.protobuf' }).end(body);
  });
  const appender = new MemoryAppender();
  const pool = newPool(appender);
  pool.apply([
    { job: { ...JOB, honorLabels: true }, targets: [target(server.url, { labels: ['instance', 'i', 'job', 'j'] })] },
    {
      job: { ...JOB, name: 'plain' },
      targets: [target(server.url, { id: 'plain', labels: ['instance', 'i', 'job', 'plain'] })],
    },
  ]);
  const stored = (series: string) => appender.valuesOf(series)[0];
  const wanted = {
    'pushed{job="batch"}': '1',
    'pushed{instance="other", job="j"}': '2',
    'pushed{exported_job="batch", instance="i", job="plain"}': '1',
    'pushed{exported_instance="other", instance="i", job="plain"}': '2',
  };
  while (!Object.keys(wanted).every((series) => stored(series) !== undefined)) {
    await new Promise((resolve) => systemClock.after(20, () => resolve(undefined)));
  }
  await pool.stop();
  server.close();
  assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((series) => [series, stored(series)])), wanted);
});
