import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import bcrypt from 'bcryptjs';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import type { WebConfig } from './access.ts';
import { ApiError, type Route, success, text } from './http.ts';
import { lifecycleRoutes } from './lifecycle.ts';
import { HttpServer, type ServerOptions } from './server.ts';
import { loadWebConfig, openSslName } from './web-config.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-serve-'));
const open: HttpServer[] = [];
after(async () => {
  await Promise.all(open.map((server) => server.stop()));
  fs.rmSync(folder, { recursive: true });
});

const routes: Route[] = [
  {
    methods: ['GET', 'POST'],
    pattern: '/echo/:name',
    handler: (r) => success({ name: r.params['name'], q: [...r.query], user: r.user ?? null }),
  },
  {
    methods: ['PUT'],
    pattern: '/body',
    handler: async (r) => text(String((await r.body()).length)),
    role: 'write',
    maxBodyBytes: 5000,
  },
  { methods: ['GET'], pattern: '/files/*path', handler: (r) => text(r.params['path'] ?? '') },
  { methods: ['GET'], pattern: '/large', handler: () => text('x'.repeat(10_000)) },
  {
    methods: ['GET'],
    pattern: '/stream',
    handler: () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: parts() }),
  },
  {
    methods: ['GET'],
    pattern: '/unchanged',
    handler: () => ({ status: 304, headers: { 'content-type': 'text/html', etag: '"1"' } }),
  },
  { methods: ['GET'], pattern: '/bad', handler: () => Promise.reject(new ApiError('bad_data', 'no')) },
  { methods: ['GET'], pattern: '/bug', handler: () => Promise.reject(new Error('broken')) },
  { methods: ['DELETE'], pattern: '/all', handler: () => text('gone'), role: 'admin' },
];

async function* parts() {
  for (let i = 0; i < 3; i++) yield `part ${i}\n`;
}

async function serve(config?: WebConfig, options: Partial<ServerOptions> = {}): Promise<number> {
  const server = new HttpServer(
    {
      addresses: ['127.0.0.1:0'],
      prefix: '',
      corsOrigin: /^(?:.*)$/,
      readTimeoutMs: 5000,
      maxConnections: 100,
      maxBodyBytes: 1e6,
      ...options,
    },
    [...routes, ...lifecycle],
    systemClock,
    silentLogger,
    () => {},
  );
  if (config) server.configure(config);
  const [address] = await server.listen();
  open.push(server);
  return address!.port;
}

let isReady: true | string = 'loading';
const lifecycle = lifecycleRoutes({
  name: 'Prometheus Server',
  enabled: true,
  ready: () => isReady,
  reload: () => Promise.reject(new Error('line 3')),
  quit: () => {},
  version: { version: '1' },
});

type Answer = { status: number; headers: http.IncomingHttpHeaders; body: Buffer; text: string };
function ask(
  port: number,
  target: string,
  options: https.RequestOptions & { body?: string | Buffer; tls?: boolean } = {},
): Promise<Answer> {
  const { body, tls, ...rest } = options;
  return new Promise((resolve, reject) => {
    const request = (tls ? https : http).request(
      { host: '127.0.0.1', port, path: target, agent: false, ...rest },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const all = Buffer.concat(chunks);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: all, text: all.toString() });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

let port: number;
before(async () => {
  port = await serve();
});

test('an answer without a body, though of a kind that is compressed', async () => {
  const answer = await ask(await serve(), '/unchanged', { headers: { 'accept-encoding': 'gzip' } });
  assert.deepEqual([answer.status, answer.headers.etag, answer.text], [304, '"1"', '']);
});

test('routes: segments, rest, query and form fields in one place, HEAD, wrong method, unknown path', async () => {
  assert.deepEqual(JSON.parse((await ask(port, '/echo/a%2Fb?x=1')).text), {
    status: 'success',
    data: { name: 'a/b', q: [['x', '1']], user: null },
  });
  const form = await ask(port, '/echo/n?x=1', {
    method: 'POST',
    body: 'x=2&y=%C3%A9',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  assert.deepEqual(JSON.parse(form.text).data.q, [
    ['x', '1'],
    ['x', '2'],
    ['y', 'é'],
  ]);
  assert.equal((await ask(port, '/files/a/b.js')).text, 'a/b.js');
  const head = await ask(port, '/large', { method: 'HEAD' });
  assert.deepEqual([head.status, head.body.length], [200, 0]);
  const wrong = await ask(port, '/large', { method: 'POST' });
  assert.deepEqual([wrong.status, wrong.headers.allow], [405, 'GET']);
  assert.deepEqual([(await ask(port, '/none')).status, (await ask(port, '/none')).text], [404, '404 page not found\n']);
});

test("errors have Prometheus' envelope and status; a bug is a 500 and nothing more", async () => {
  const bad = await ask(port, '/bad');
  assert.deepEqual([bad.status, JSON.parse(bad.text)], [400, { status: 'error', errorType: 'bad_data', error: 'no' }]);
  assert.equal((await ask(port, '/bug')).status, 500);
});

test('compression as the client accepts it', async () => {
  const plain = await ask(port, '/large');
  assert.deepEqual([plain.headers['content-encoding'], plain.body.length], [undefined, 10_000]);
  const gzip = await ask(port, '/large', { headers: { 'accept-encoding': 'gzip' } });
  assert.deepEqual([gzip.headers['content-encoding'], zlib.gunzipSync(gzip.body).length], ['gzip', 10_000]);
  const zstd = await ask(port, '/large', { headers: { 'accept-encoding': 'gzip;q=0.5, zstd' } });
  assert.deepEqual([zstd.headers['content-encoding'], zlib.zstdDecompressSync(zstd.body).length], ['zstd', 10_000]);
  assert.equal(
    (await ask(port, '/large', { headers: { 'accept-encoding': 'gzip;q=0' } })).headers['content-encoding'],
    undefined,
  );
  const stream = await ask(port, '/stream', { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(zlib.gunzipSync(stream.body).toString(), 'part 0\npart 1\npart 2\n');
});

test('bodies are inflated and limited before and after', async () => {
  const put = (body: Buffer, encoding?: string) =>
    ask(port, '/body', { method: 'PUT', body, headers: encoding ? { 'content-encoding': encoding } : {} });
  assert.equal((await put(Buffer.alloc(4000))).text, '4000');
  assert.equal((await put(zlib.gzipSync(Buffer.alloc(4000)), 'gzip')).text, '4000');
  assert.equal((await put(zlib.zstdCompressSync(Buffer.alloc(4000)), 'zstd')).text, '4000');
  assert.equal((await put(Buffer.alloc(6000))).status, 413);
  assert.equal((await put(zlib.gzipSync(Buffer.alloc(100_000_000)), 'gzip')).status, 413, 'a gzip bomb');
  assert.equal((await put(Buffer.from('not gzip'), 'gzip')).status, 400);
  assert.equal((await put(Buffer.from('x'), 'rot13')).status, 400);
});

test('lifecycle in the words of Prometheus', async () => {
  assert.equal((await ask(port, '/-/healthy')).text, 'Prometheus Server is Healthy.\n');
  assert.deepEqual([(await ask(port, '/-/ready')).status], [503]);
  isReady = true;
  assert.equal((await ask(port, '/-/ready')).text, 'Prometheus Server is Ready.\n');
  const reload = await ask(port, '/-/reload', { method: 'POST' });
  assert.deepEqual([reload.status, reload.text], [500, 'failed to reload config: line 3']);
  assert.equal((await ask(port, '/-/reload')).status, 405);
  assert.equal((await ask(port, '/version')).text, '{"version":"1"}');
});

test('CORS: any origin, or only those that match', async () => {
  const any = await ask(port, '/version', { headers: { origin: 'http://a.example' } });
  assert.equal(any.headers['access-control-allow-origin'], '*');
  const strict = await serve(undefined, { corsOrigin: /^(?:https:\/\/.*\.example)$/ });
  assert.equal(
    (await ask(strict, '/version', { headers: { origin: 'https://a.example' } })).headers[
      'access-control-allow-origin'
    ],
    'https://a.example',
  );
  assert.equal(
    (await ask(strict, '/version', { headers: { origin: 'https://evil.test' } })).headers[
      'access-control-allow-origin'
    ],
    undefined,
  );
});

test('a prefix moves every route', async () => {
  const prefixed = await serve(undefined, { prefix: '/mon' });
  assert.equal((await ask(prefixed, '/mon/version')).status, 200);
  assert.equal((await ask(prefixed, '/version')).status, 404);
  assert.deepEqual([(await ask(prefixed, '/')).status, (await ask(prefixed, '/')).headers.location], [302, '/mon/']);
});

function webConfig(content: string): WebConfig {
  const file = path.join(folder, 'web.yml');
  fs.writeFileSync(file, content);
  return loadWebConfig(file, nodeDisk);
}
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

test('users, roles, tokens, headers, rate limit', async () => {
  const hash = bcrypt.hashSync('secret', 4);
  const config = webConfig(`
basic_auth_users: { ann: "${hash}", bob: "${hash}", cid: "${hash}" }
roles: { bob: read, cid: write }
bearer_tokens: [{ name: ci, token: t0ken, role: write }]
http_server_config: { headers: { X-Frame-Options: deny } }
`);
  const guarded = await serve(config);
  const none = await ask(guarded, '/version');
  assert.deepEqual(
    [none.status, none.headers['www-authenticate'], none.headers['x-frame-options']],
    [401, 'Basic', 'deny'],
  );
  assert.equal((await ask(guarded, '/version', { headers: basic('ann', 'wrong') })).status, 401);
  assert.equal((await ask(guarded, '/version', { headers: basic('eve', 'secret') })).status, 401);
  assert.equal(JSON.parse((await ask(guarded, '/echo/x', { headers: basic('bob', 'secret') })).text).data.user, 'bob');
  const may = async (headers: Record<string, string>) => [
    (await ask(guarded, '/body', { method: 'PUT', body: 'x', headers })).status,
    (await ask(guarded, '/all', { method: 'DELETE', headers })).status,
  ];
  assert.deepEqual(await may(basic('bob', 'secret')), [403, 403]);
  assert.deepEqual(await may(basic('cid', 'secret')), [200, 403]);
  assert.deepEqual(await may(basic('ann', 'secret')), [200, 200]);
  assert.deepEqual(await may({ authorization: 'Bearer t0ken' }), [200, 403]);
  const slow = await serve(webConfig('rate_limit: { interval: 1h, burst: 2 }'));
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await ask(slow, '/version')).status);
  assert.deepEqual(statuses, [200, 200, 429]);
});

test('TLS, HTTP/2, client certificates and their names, a changed certificate', async () => {
  const ssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const certificate = (name: string) => {
    ssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${name}`,
    );
    fs.writeFileSync(path.join(folder, `${name}.ext`), `subjectAltName=DNS:${name},IP:127.0.0.1`);
    ssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    );
  };
  ssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=ca',
  );
  for (const name of ['server', 'other', 'friend', 'stranger']) certificate(name);
  const file = (name: string) => fs.readFileSync(path.join(folder, name));
  const yaml = (server: string) => `
tls_server_config:
  cert_file: ${server}.pem
  key_file: ${server}.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [friend]
`;
  const tlsPort = await serve(webConfig(yaml('server')));
  const as = (name: string) => ({
    tls: true,
    ca: file('ca.pem'),
    cert: file(`${name}.pem`),
    key: file(`${name}.key`),
    servername: 'server',
  });
  assert.equal((await ask(tlsPort, '/version', as('friend'))).status, 200);
  assert.equal((await ask(tlsPort, '/version', as('stranger'))).status, 403);
  await assert.rejects(ask(tlsPort, '/version', { tls: true, ca: file('ca.pem'), servername: 'server' }));
  const session = http2.connect(`https://127.0.0.1:${tlsPort}`, as('friend'));
  const status = await new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/version' });
    stream.on('response', (headers) => resolve(headers[':status']));
    stream.on('error', reject);
    session.on('error', reject);
    stream.resume();
  });
  session.close();
  assert.equal(status, 200);
  open.at(-1)!.configure(webConfig(yaml('other')));
  assert.equal(
    (await ask(tlsPort, '/version', { ...as('friend'), servername: 'other' })).status,
    200,
    'the new certificate is in use',
  );
});

test('web configuration mistakes have their position', () => {
  const message = (content: string) => {
    try {
      webConfig(content);
    } catch (error) {
      return (error as Error).message.replace(`${folder}/`, '');
    }
    return 'accepted';
  };
  assert.match(
    message('basic_auth_users: { ann: secret }'),
    /^web\.yml:1:26: basic_auth_users\.ann: expected a bcrypt hash$/,
  );
  assert.match(message('tls_server_config: { cert_file: a }'), /key_file: one of key or key_file is required/);
  assert.match(message('roles: { ann: read }'), /there is no user ann/);
  assert.match(message('tls_config: {}'), /field tls_config is not known in the top level/);
  assert.doesNotMatch(message('basic_auth_users: { ann: hunter2 }'), /hunter2/, 'secrets stay out of messages');
});

test("Go's cipher names", () => {
  assert.deepEqual(
    [
      'TLS_AES_128_GCM_SHA256',
      'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
      'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
      'TLS_RSA_WITH_AES_256_CBC_SHA',
    ].map(openSslName),
    ['TLS_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305', 'AES256-SHA'],
  );
});

test('garbage on the wire and too many connections harm nobody else', async () => {
  const small = await serve(undefined, { maxConnections: 1 });
  const first = net.connect(small, '127.0.0.1');
  await new Promise((resolve) => first.once('connect', resolve));
  await assert.rejects(ask(small, '/version'));
  first.destroy();
  await new Promise((resolve) => first.once('close', resolve));
  const garbage = await new Promise<string>((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('NONSENSE\r\n\r\n'));
    socket.on('data', (bytes) => resolve(bytes.toString()));
  });
  assert.match(garbage, /^HTTP\/1\.1 400 /);
  assert.equal((await ask(port, '/version')).status, 200);
});

test('a client that goes away aborts the signal', async () => {
  let aborted: (reason: unknown) => void = () => {};
  const seen = new Promise((resolve) => {
    aborted = resolve;
  });
  const server = new HttpServer(
    {
      addresses: ['127.0.0.1:0'],
      prefix: '',
      corsOrigin: /^$/,
      readTimeoutMs: 5000,
      maxConnections: 10,
      maxBodyBytes: 1000,
    },
    [
      {
        methods: ['GET'],
        pattern: '/',
        handler: ({ signal }) =>
          new Promise((_, reject) =>
            signal.addEventListener('abort', () => {
              aborted(signal.reason);
              reject(signal.reason);
            }),
          ),
      },
    ],
    systemClock,
    silentLogger,
    () => {},
  );
  const [address] = await server.listen();
  open.push(server);
  const request = http.get({ host: '127.0.0.1', port: address!.port, path: '/' });
  request.on('error', () => {});
  setTimeout(() => request.destroy(), 50);
  assert.match(String(await seen), /the client has gone away/);
});
