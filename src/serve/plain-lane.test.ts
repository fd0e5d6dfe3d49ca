// What the plain lane answers itself and what it leaves to Node's server must look the same from outside: every case here
// is bytes on a socket.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { silentLogger } from '#base/log.ts';
import type { Route } from './http.ts';
import { text } from './http.ts';
import { HttpServer } from './server.ts';

let release: () => void = () => {};
let lastSignal: AbortSignal | undefined;
const routes: Route[] = [
  { methods: ['GET'], pattern: '/hello', handler: () => text('hello') },
  { methods: ['POST'], pattern: '/length', handler: async (r) => text(String((await r.body()).length)) },
  { methods: ['POST'], pattern: '/unread', handler: () => text('not read') },
  { methods: ['GET'], pattern: '/umlaut', handler: () => text('grün') },
  { methods: ['GET'], pattern: '/bytes', handler: () => ({ status: 200, body: new Uint8Array([1, 2, 3]) }) },
  { methods: ['GET'], pattern: '/nothing', handler: () => ({ status: 204 }) },
  {
    methods: ['GET'],
    pattern: '/stream',
    handler: () => ({ status: 200, headers: { 'content-type': 'image/png' }, body: Readable.from(['one', 'two']) }),
  },
  {
    methods: ['GET'],
    pattern: '/endless',
    handler: (r) => {
      lastSignal = r.signal;
      return { status: 200, body: endless() };
    },
  },
  {
    methods: ['GET'],
    pattern: '/split',
    handler: () => ({ status: 200, headers: { 'x-a': 'b\r\nx-c: d' }, body: 'x' }),
  },
  {
    methods: ['GET'],
    pattern: '/wait',
    handler: () =>
      new Promise((resolve) => {
        release = () => resolve(text('waited'));
      }),
  },
];

async function* endless() {
  for (;;) yield Buffer.alloc(64 * 1024, 120);
}

const serve = async (readTimeoutMs = 60_000) => {
  const options = {
    addresses: ['127.0.0.1:0'],
    prefix: '',
    corsOrigin: /^$/,
    maxConnections: 100,
    maxBodyBytes: 300_000,
  };
  const server = new HttpServer({ ...options, readTimeoutMs }, routes, systemClock, silentLogger, () => {});
  const [address] = await server.listen();
  return { server, port: address!.port };
};

let main: Awaited<ReturnType<typeof serve>>;
before(async () => {
  main = await serve();
});
after(() => main.server.stop());

/** Sends the pieces one after the other and reads until the server closes, or until `done` says that all is there. */
async function talk(pieces: readonly string[], done: (read: string) => boolean, port = main.port): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let read = '';
  socket.on('data', (bytes) => {
    read += bytes.toString('latin1');
    if (done(read)) socket.destroy();
  });
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  for (const piece of pieces) {
    if (socket.destroyed) break;
    socket.write(piece, 'latin1');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await closed;
  return read;
}

const bodies = (read: string) => read.split(/HTTP\/1\.1 \d+ [^\r]*\r\n(?:[^\r]+\r\n)*\r\n/).slice(1);
const statuses = (read: string) => [...read.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => Number(match[1]));
const answers = (count: number) => (read: string) => statuses(read).length === count && bodies(read).at(-1) !== '';
const closes = () => false;

test('requests in one piece, in many, and several at once', async () => {
  const get = 'GET /hello HTTP/1.1\r\nHost: x\r\n\r\n';
  assert.deepEqual(bodies(await talk([get], answers(1))), ['hello']);
  // A head in pieces is for Node's server, and what follows on that connection as well.
  assert.deepEqual(bodies(await talk([...get, get], answers(2))), ['hello', 'hello']);
  assert.deepEqual(bodies(await talk([get.repeat(100)], answers(100))), Array(100).fill('hello'));
  // The second arrives whole but for its end.
  assert.deepEqual(bodies(await talk([get + get.slice(0, 20), get.slice(20)], answers(2))), ['hello', 'hello']);
});

test('bodies: in one piece, in many, chunked, unread, too long', async () => {
  const post = (path: string, length: number) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
  const hello = 'GET /hello HTTP/1.1\r\nHost: x\r\n\r\n';
  assert.deepEqual(bodies(await talk([`${post('/length', 5)}12345`], answers(1))), ['5']);
  assert.deepEqual(bodies(await talk([`${post('/length', 0)}`], answers(1))), ['0']);
  assert.deepEqual(bodies(await talk([post('/length', 5), '12', '345', hello], answers(2))), ['5', 'hello']);
  assert.deepEqual(bodies(await talk([`${post('/length', 5)}12345${hello}`], answers(2))), ['5', 'hello']);
  const large = 'x'.repeat(250_000);
  assert.deepEqual(bodies(await talk([post('/length', large.length) + large + hello], answers(2))), [
    '250000',
    'hello',
  ]);
  assert.deepEqual(bodies(await talk([post('/unread', large.length), large, hello], answers(2))), [
    'not read',
    'hello',
  ]);
  const longer = large + large;
  const refused = await talk([post('/length', longer.length), longer, hello], answers(2));
  assert.deepEqual(statuses(refused), [413, 200]);
  const chunked = 'POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
  assert.deepEqual(bodies(await talk([hello + chunked + hello], answers(3))), ['hello', '3', 'hello']);
});

test('answers: text beyond ASCII, bytes, nothing, streams, HEAD, the last one', async () => {
  const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
  assert.match(await talk([get('/umlaut')], answers(1)), /content-length: 5\r\n(?:[^\r]+\r\n)*\r\ngr\xc3\xbcn$/);
  assert.match(await talk([get('/bytes')], answers(1)), /content-length: 3\r\n(?:[^\r]+\r\n)*\r\n\x01\x02\x03$/);
  const nothing = await talk([get('/nothing') + get('/hello', 'Connection: close\r\n')], closes);
  assert.match(nothing, /^HTTP\/1\.1 204 No Content\r\n(?:(?!content-length)[^\r]+\r\n)+\r\nHTTP\/1\.1 200 OK\r\n/);
  assert.match(nothing, /connection: close\r\n\r\nhello$/);
  const stream = await talk([get('/stream') + get('/hello', 'Connection: close\r\n')], closes);
  assert.match(stream, /transfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  const head = await talk(['HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'], closes);
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n(?:[^\r]+\r\n)*date: \w{3}, .* GMT\r\n(?:[^\r]+\r\n)*\r\n$/);
});

test('what is not plain is refused as Node does, and a header cannot be split', async () => {
  const refused = [
    'GET /hello HTTP/1.1\r\n\r\n',
    'GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
    'GET /hello HTTP/1.1\r\nHost : x\r\n\r\n',
    'GET /hello HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n',
    'GET /hello HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n',
    'GET /hel lo HTTP/1.1\r\nHost: x\r\n\r\n',
  ];
  for (const request of refused) assert.deepEqual(statuses(await talk([request], closes)), [400], request);
  const long = `GET /hello HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(20_000)}\r\n\r\n`;
  assert.deepEqual(statuses(await talk([long], closes)), [400]);
  const split = await talk(['GET /split HTTP/1.1\r\nHost: x\r\n\r\n'], closes);
  assert.doesNotMatch(split, /x-c/);
});

test('a client that leaves in the middle of a stream or of its body harms nobody', async () => {
  const partly = await talk(['GET /endless HTTP/1.1\r\nHost: x\r\n\r\n'], (read) => read.length > 1e6);
  assert.ok(partly.length > 1e6);
  while (!lastSignal?.aborted) await new Promise((resolve) => setTimeout(resolve, 5));
  const socket = net.connect(main.port, '127.0.0.1');
  socket.end('POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly this');
  socket.resume();
  await once(socket, 'close');
  assert.deepEqual(bodies(await talk(['GET /hello HTTP/1.1\r\nHost: x\r\n\r\n'], answers(1))), ['hello']);
});

test('silent connections are cut after the time-out, a request that is answered late is not', async () => {
  const { server, port } = await serve(50);
  const hello = 'GET /hello HTTP/1.1\r\nHost: x\r\n\r\n';
  assert.deepEqual(bodies(await talk([hello], closes, port)), ['hello']);
  const half = 'POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly this';
  assert.equal(await talk([half], closes, port), '');
  const late = talk(['GET /wait HTTP/1.1\r\nHost: x\r\n\r\n'], answers(1), port);
  await talk([hello], closes, port);
  release();
  assert.deepEqual(bodies(await late), ['waited']);
  await server.stop();
});

test('stopping ends idle connections at once and others after their answer', async () => {
  const { server, port } = await serve();
  const idle = net.connect(port, '127.0.0.1');
  idle.resume();
  await once(idle, 'connect');
  const isNotAsked = () => {};
  release = isNotAsked;
  const busy = talk(['GET /wait HTTP/1.1\r\nHost: x\r\n\r\n'], closes, port);
  while (release === isNotAsked) await new Promise((resolve) => setTimeout(resolve, 5));
  const stopped = server.stop();
  await once(idle, 'close');
  release();
  assert.match(await busy, /connection: close\r\n(?:[^\r]+\r\n)*\r\nwaited$/);
  await stopped;
});
