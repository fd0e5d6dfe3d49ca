// Spans over real connections: what a collector gets over HTTP and over gRPC, which traces are kept, and what becomes of
// spans that cannot be sent.

import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { ProtoReader } from '#wire/protobuf.ts';
import type { TracingConfig } from './config.ts';
import { Tracer } from './tracer.ts';

const CONFIG: TracingConfig = {
  protocol: 'http',
  endpoint: '',
  fraction: 1,
  insecure: true,
  tls: undefined,
  headers: { 'X-Tenant': 'a' },
  gzip: false,
  timeoutMs: 5000,
};

const tracerOf = () =>
  new Tracer({
    clock: systemClock,
    disk: nodeDisk,
    random: seeded(3),
    log: silentLogger,
    environment: {},
    resource: { 'service.name': 'prometheus' },
    version: '1',
  });

type Received = { readonly path: string; readonly headers: http.IncomingHttpHeaders; readonly body: Buffer };

async function httpCollector(t: TestContext, statuses: number[] = []) {
  const received: Received[] = [];
  const server = http.createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    received.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(parts) });
    response.writeHead(statuses.shift() ?? 200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { received, endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function grpcCollector(t: TestContext, statuses: number[] = []) {
  const received: Received[] = [];
  const server = http2.createServer();
  server.on('stream', async (stream, headers) => {
    const parts: Buffer[] = [];
    for await (const part of stream) parts.push(part as Buffer);
    received.push({ path: String(headers[':path']), headers, body: Buffer.concat(parts) });
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(statuses.shift() ?? 0) }));
    stream.end(Buffer.alloc(5));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { received, endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** Fields of a message, each as a list: numbers, and bytes for everything with a length. */
function fields(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const reader = new ProtoReader(bytes);
  const found = new Map<number, (number | Uint8Array)[]>();
  while (reader.more()) {
    const tag = reader.tag();
    const kind = tag & 7;
    const value =
      kind === 2
        ? reader.view().slice()
        : kind === 1
          ? Number(reader.fixed64())
          : kind === 5
            ? reader.fixed32()
            : reader.uint64();
    found.set(tag >>> 3, [...(found.get(tag >>> 3) ?? []), value]);
  }
  return found;
}
const inner = (message: Map<number, (number | Uint8Array)[]>, field: number) =>
  (message.get(field) ?? []) as Uint8Array[];
const words = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('utf8');

function spansOf(body: Uint8Array) {
  const [scoped] = inner(fields(inner(fields(body), 1)[0]!), 2);
  return inner(fields(scoped!), 2).map((bytes) => {
    const span = fields(bytes);
    const [status] = inner(span, 15);
    return {
      trace: Buffer.from(inner(span, 1)[0]!).toString('hex'),
      id: Buffer.from(inner(span, 2)[0]!).toString('hex'),
      parent: Buffer.from(inner(span, 4)[0] ?? []).toString('hex'),
      name: words(inner(span, 5)[0]),
      kind: span.get(6)?.[0],
      nanos: (span.get(8)![0] as number) - (span.get(7)![0] as number),
      attributes: Object.fromEntries(
        inner(span, 9).map((pair) => {
          const [key, value] = [fields(pair), fields(inner(fields(pair), 2)[0]!)];
          const [[, [only]]] = [...value] as [[number, [number | Uint8Array]]];
          return [words(inner(key, 1)[0]), typeof only === 'number' ? only : words(only)];
        }),
      ),
      status: status ? { message: words(inner(fields(status), 2)[0]), code: fields(status).get(3)?.[0] } : undefined,
    };
  });
}

test('a collector gets spans over HTTP, with their parents', async (t) => {
  const { received, endpoint } = await httpCollector(t);
  const tracer = tracerOf();
  await tracer.apply({ ...CONFIG, endpoint, gzip: true });
  const parent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
  const span = tracer.begin('GET /api', 'server', parent)!;
  await tracer.within(span, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    tracer.record('work', 'internal', 12.5, { samples: 7, share: 0.5, query: 'up' }, 'went wrong');
  });
  span.end({ 'http.route': '/api' });
  await tracer.stop();
  const [{ path, headers, body } = { path: '', headers: {}, body: Buffer.alloc(0) }] = received;
  assert.equal(path, '/v1/traces');
  assert.equal(headers['content-type'], 'application/x-protobuf');
  assert.equal(headers['x-tenant'], 'a');
  const [work, outer] = spansOf(gunzipSync(body));
  assert.equal(outer?.trace, 'ab'.repeat(16));
  assert.equal(outer.parent, 'cd'.repeat(8));
  assert.equal(outer.kind, 2);
  assert.equal(outer.status, undefined);
  assert.equal(work?.trace, outer.trace);
  assert.equal(work.parent, outer.id);
  // Nanoseconds since 1970 do not fit a double exactly.
  assert(Math.abs(work.nanos - 12_500_000) < 1000, String(work.nanos));
  assert.deepEqual(work.attributes['samples'], 7);
  assert.deepEqual(work.attributes['query'], 'up');
  assert.deepEqual(work.status, { message: 'went wrong', code: 2 });
});

for (const gzip of [false, true]) {
  test(`a collector gets spans over gRPC${gzip ? ', compressed' : ''}`, async (t) => {
    const { received, endpoint } = await grpcCollector(t);
    const tracer = tracerOf();
    await tracer.apply({ ...CONFIG, protocol: 'grpc', endpoint, gzip });
    tracer.record('work', 'internal', 1, {});
    await tracer.stop();
    const [{ path, headers, body } = { path: '', headers: {}, body: Buffer.alloc(0) }] = received;
    assert.equal(path, '/opentelemetry.proto.collector.trace.v1.TraceService/Export');
    assert.equal(headers['content-type'], 'application/grpc');
    assert.equal(headers['x-tenant'], 'a');
    assert.equal(body.readUInt32BE(1), body.length - 5);
    assert.equal(body[0], gzip ? 1 : 0);
    const message = body.subarray(5);
    assert.equal(spansOf(gzip ? gunzipSync(message) : message)[0]?.name, 'work');
  });
}

test('what a collector cannot take now is sent again, what it refuses is not', async (t) => {
  for (const protocol of ['http', 'grpc'] as const) {
    const collector = protocol === 'http' ? httpCollector : grpcCollector;
    const { received, endpoint } = await collector(t, protocol === 'http' ? [503, 200, 400, 200] : [14, 0, 3, 0]);
    const tracer = tracerOf();
    await tracer.apply({ ...CONFIG, protocol, endpoint });
    const sent = async (name: string) => {
      tracer.record(name, 'internal', 1, {});
      await tracer.flush();
      const body = received.at(-1)!.body;
      return spansOf(protocol === 'http' ? body : body.subarray(5)).map((span) => span.name);
    };
    assert.deepEqual(await sent('a'), ['a']);
    assert.deepEqual(await sent('b'), ['a', 'b']);
    assert.deepEqual(await sent('c'), ['c']);
    assert.deepEqual(await sent('d'), ['d']);
    await tracer.stop();
    assert.equal(received.length, 4);
  }
});

test('a share of traces is kept, and what came in decides for itself', async () => {
  const tracer = tracerOf();
  assert.equal(tracer.begin('off', 'server'), undefined);
  await tracer.apply({ ...CONFIG, endpoint: '127.0.0.1:1', fraction: 0.25 });
  let kept = 0;
  for (let i = 0; i < 2000; i++) if (tracer.begin('x', 'server')) kept++;
  assert(kept > 400 && kept < 600, `${kept} of 2000`);
  const header = (flags: string) => `00-${'0f'.repeat(16)}-${'01'.repeat(8)}-${flags}`;
  for (let i = 0; i < 50; i++) {
    assert(tracer.begin('x', 'server', header('01')));
    assert.equal(tracer.begin('x', 'server', header('00')), undefined);
  }
  await tracer.stop();
});
