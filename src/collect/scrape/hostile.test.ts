// Servers that are broken or mean below HTTP: half-closed and reset connections, replies that never end, lengths and encodings that
// are lies, bombs. Each is down with the reason, within its limits, and nothing of it is stored.

import assert from 'node:assert/strict';
import net, { type AddressInfo } from 'node:net';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { type AppendResult, labelSetsOf, type SampleBatch } from '#model/batch.ts';
import { labelValue, METRIC_NAME } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { ScrapePool } from './pool.ts';
import type { JobSpec, TargetSpec } from './spec.ts';
import { JOB } from './spec-twin.ts';

const LIMIT_BYTES = 100_000;
const HOSTILE: JobSpec = { ...JOB, limits: { ...JOB.limits, bodySizeBytes: LIMIT_BYTES } };

/** What a server does once a request has come. */
type Behaviour = (socket: net.Socket) => void;
type Server = { readonly url: string; close(): void };

async function listen(behave: Behaviour): Promise<Server> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('data', () => behave(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Writes until nobody takes it any more. */
function pour(socket: net.Socket, part: Buffer): void {
  const more = () => {
    while (!socket.destroyed && socket.write(part));
    if (!socket.destroyed) socket.once('drain', more);
  };
  more();
}

function drip(socket: net.Socket, text: string): void {
  let at = 0;
  const next = () => {
    if (socket.destroyed) return;
    socket.write(text[at++ % text.length]!);
    systemClock.after(20, next, true);
  };
  next();
}

const TYPE = 'Content-Type: text/plain; version=0.0.4\r\n';
const head = (more: string) => `HTTP/1.1 200 OK\r\n${TYPE}${more}\r\n\r\n`;
const encoded = (name: string, body: Buffer): Behaviour => {
  return (socket) => {
    socket.write(head(`Content-Encoding: ${name}\r\nContent-Length: ${body.length}`));
    socket.write(body);
  };
};
const BOMB = Buffer.alloc(3_000_000, 'a 1\n');

const DOWN: Readonly<Record<string, readonly [Behaviour, RegExp]>> = {
  'half-closed before anything': [(socket) => socket.end(), /: EOF$/],
  'half-closed in the head': [(socket) => socket.end('HTTP/1.1 200 OK\r\nContent-'), /: unexpected EOF$/],
  'half-closed in the body': [(socket) => socket.end(`${head('Content-Length: 100')}a 1\n`), /: unexpected EOF$/],
  'half-closed in a chunk': [
    (socket) => socket.end(`${head('Transfer-Encoding: chunked')}8\r\na 1\n`),
    /: unexpected EOF$/,
  ],
  'half-closed without the last chunk': [
    (socket) => socket.end(`${head('Transfer-Encoding: chunked')}4\r\na 1\n\r\n`),
    /: unexpected EOF$/,
  ],
  'reset in the body': [
    (socket) => {
      socket.write(`${head('Content-Length: 100')}a 1\n`);
      systemClock.after(10, () => socket.resetAndDestroy());
    },
    /connection reset by peer$/,
  ],
  'a length that never comes': [
    (socket) => socket.write(`${head('Content-Length: 100')}a 1\n`),
    /context deadline exceeded$/,
  ],
  'a length beyond the limit': [(socket) => socket.write(head('Content-Length: 100001')), /^body size limit exceeded$/],
  'a head without end': [
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      pour(socket, Buffer.from(`X-More: ${'x'.repeat(1000)}\r\n`.repeat(20)));
    },
    /server sent more than 262144 bytes of headers$/,
  ],
  'a body without end': [
    (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${TYPE}\r\n`);
      pour(socket, Buffer.alloc(20_000, 'a 1\n'));
    },
    /^body size limit exceeded$/,
  ],
  'chunks without end': [
    (socket) => {
      socket.write(head('Transfer-Encoding: chunked'));
      pour(socket, Buffer.from(`1000\r\n${'a 1\n'.repeat(1024)}\r\n`));
    },
    /^body size limit exceeded$/,
  ],
  'a byte now and then': [
    (socket) => drip(socket, `${head('Content-Length: 4000')}${'a 1\n'.repeat(1000)}`),
    /context deadline exceeded$/,
  ],
  'interim replies without end': [
    (socket) => pour(socket, Buffer.from('HTTP/1.1 102 Processing\r\n\r\n')),
    /too many 1xx informational responses$/,
  ],
  'no HTTP at all': [(socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n'), /malformed HTTP response "SSH-2\.0/],
  'TLS on a plain port': [(socket) => socket.end(Buffer.from('15030300020246', 'hex')), /EOF$|malformed HTTP response/],
  'a gzip bomb': [encoded('gzip', zlib.gzipSync(BOMB)), /^body size limit exceeded$/],
  'a deflate bomb': [encoded('deflate', zlib.deflateSync(BOMB)), /^body size limit exceeded$/],
  'a raw deflate bomb': [encoded('deflate', zlib.deflateRawSync(BOMB)), /^body size limit exceeded$/],
  'a zstd bomb': [encoded('zstd', zlib.zstdCompressSync(BOMB)), /^body size limit exceeded$/],
  'no deflate': [encoded('deflate', Buffer.from('a 1\n')), /^deflate: /],
  'no zstd': [encoded('zstd', Buffer.from('a 1\n')), /^zstd: /],
  'half a zstd frame': [encoded('zstd', zlib.zstdCompressSync(Buffer.from('a 1\n')).subarray(0, 10)), /^zstd: /],
  'an empty gzip body': [encoded('gzip', Buffer.alloc(0)), /^gzip: unexpected EOF$/],
  'another encoding': [encoded('br', Buffer.from('a 1\n')), /^unsupported Content-Encoding "br"$/],
  'encoded twice': [encoded('gzip, gzip', Buffer.from('a 1\n')), /^unsupported Content-Encoding "gzip, gzip"$/],
};

class Names {
  readonly stored = new Map<string, Set<string>>();
  readonly #refs: { readonly target: string; readonly name: string }[] = [];

  async append(batch: SampleBatch): Promise<AppendResult> {
    const refs = Float64Array.from(labelSetsOf(batch), (labels) => {
      return this.#refs.push({ target: labelValue(labels, 'instance'), name: labelValue(labels, METRIC_NAME) }) - 1;
    });
    for (const ref of batch.refs) {
      const { target, name } = this.#refs[ref < 0 ? refs[-ref - 1]! : ref]!;
      if (!this.stored.has(target)) this.stored.set(target, new Set());
      this.stored.get(target)!.add(name);
    }
    return { refs, rejections: [], created: refs.length };
  }
}

const targetOf = (name: string, url: string): TargetSpec => ({
  id: name,
  url,
  labels: ['instance', name, 'job', 'j'],
  intervalMs: 5000,
  timeoutMs: 4500,
  phase: 0,
  socketPath: undefined,
  nativeHistograms: false,
  alwaysClassicHistograms: false,
  convertClassicHistograms: false,
  forcedError: undefined,
});

const REPORT = [
  'scrape_duration_seconds',
  'scrape_samples_post_metric_relabeling',
  'scrape_samples_scraped',
  'scrape_series_added',
  'up',
];

test('hostile servers harm themselves only', async () => {
  const names = Object.keys(DOWN);
  const servers = await Promise.all(Object.values(DOWN).map(([behave]) => listen(behave)));
  // These are odd, and good enough.
  const good = {
    fine: await listen((socket) => socket.write(`${head('Content-Length: 4')}a 1\n`)),
    'more than it said': await listen((socket) => socket.write(`${head('Content-Length: 4')}a 1\nb 2\n`)),
    'closed after the body': await listen((socket) => socket.end(`HTTP/1.0 200 OK\r\n${TYPE}\r\na 1\n`)),
    'in single bytes': await listen((socket) => {
      const text = `${head('Transfer-Encoding: chunked')}4;x=1\r\na 1\n\r\n0\r\nX: y\r\n\r\n`;
      for (const byte of text) socket.write(byte);
    }),
    'from the far future': await listen((socket) => {
      const page = 'a 1\nb 2 9999999999999\n';
      socket.write(head(`Content-Length: ${page.length}`) + page);
    }),
  };
  const appender = new Names();
  const pool = new ScrapePool({
    ...{ clock: systemClock, disk: nodeDisk, log: silentLogger, registry: new Registry() },
    appender,
    offsetSeed: 0,
  });
  const all: [string, Server][] = [
    ...names.map((name, i) => [name, servers[i]!] as [string, Server]),
    ...Object.entries(good),
  ];
  pool.apply([{ job: HOSTILE, targets: all.map(([name, { url }]) => targetOf(name, url)) }]);
  // Twice each, so that a connection that was kept is met again.
  const seen = new Map<string, number[]>();
  while (all.some(([name]) => (seen.get(name)?.length ?? 0) < 2)) {
    await new Promise((resolve) => systemClock.after(20, () => resolve(undefined)));
    for (const { id, lastScrape } of pool.statuses()) {
      const times = seen.get(id) ?? [];
      if (lastScrape > 0 && times.at(-1) !== lastScrape) seen.set(id, [...times, lastScrape]);
    }
  }
  const statuses = new Map(pool.statuses().map((status) => [status.id, status]));
  await pool.stop();
  for (const [, server] of all) server.close();
  for (const name of names) {
    const { health, lastError } = statuses.get(name)!;
    assert.match(lastError, DOWN[name]![1], name);
    assert.equal(health, 'down', name);
    assert.deepEqual([...appender.stored.get(name)!].sort(), REPORT, name);
  }
  for (const name of Object.keys(good)) {
    const { health, lastError } = statuses.get(name)!;
    assert.deepEqual([health, lastError], ['up', ''], name);
    assert.deepEqual([...appender.stored.get(name)!].sort(), ['a', ...REPORT], name);
  }
});
