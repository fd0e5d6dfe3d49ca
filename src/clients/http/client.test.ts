// The HTTP client against real servers: both ways of the client give the same, credentials stay with their origin, tokens
// are fetched once, proxies are asked, certificates checked, and limits hold.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { createHttpClient, type HttpCall } from './client.ts';
import { DEFAULT_HTTP_CLIENT, type HttpClientConfig } from './config.ts';
import { isExcluded, proxyFor } from './proxy.ts';

const client = (config: Partial<HttpClientConfig> = {}) =>
  createHttpClient({ ...DEFAULT_HTTP_CLIENT, ...config }, { clock: systemClock, disk: nodeDisk });
const call = (url: string, more: Partial<HttpCall> = {}): HttpCall => ({
  url,
  timeoutMs: 5000,
  maxBodyBytes: 1 << 20,
  ...more,
});

async function listen(server: net.Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const shut = (...servers: (http.Server | https.Server)[]) => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
};

test('bodies of every kind, over one kept connection', async () => {
  let connections = 0;
  const big = Buffer.alloc(300_000, 'x');
  const server = http.createServer((request, response) => {
    if (request.url === '/chunked') {
      response.write('a'.repeat(70_000));
      response.end('b'.repeat(70_000));
    } else if (request.url === '/big') response.writeHead(200, { 'content-length': big.length }).end(big);
    else if (request.url === '/none') response.writeHead(204).end();
    else if (request.method === 'POST') request.pipe(response);
    else response.end('hello');
  });
  server.on('connection', () => connections++);
  const base = `http://${await listen(server)}`;
  const c = client();
  assert.equal((await c.call(call(`${base}/`))).body.toString(), 'hello');
  const chunked = await c.call(call(`${base}/chunked`));
  assert.equal(chunked.body.toString(), 'a'.repeat(70_000) + 'b'.repeat(70_000));
  c.recycle(chunked.body);
  for (let i = 0; i < 3; i++) {
    const reply = await c.call(call(`${base}/big`));
    assert.ok(reply.body.equals(big));
    c.recycle(reply.body);
  }
  assert.equal((await c.call(call(`${base}/none`))).status, 204);
  assert.equal((await c.call(call(`${base}/`, { method: 'POST', body: 'ping' }))).body.toString(), 'ping');
  assert.equal(connections, 1);
  await assert.rejects(c.call(call(`${base}/big`, { maxBodyBytes: 299_999 })), { code: 'body_too_large' });
  await assert.rejects(c.call(call(`${base}/chunked`, { maxBodyBytes: 100_000 })), { code: 'body_too_large' });
  // The other way of the client, which a signal asks for.
  const { signal } = new AbortController();
  assert.ok((await c.call(call(`${base}/big`, { signal }))).body.equals(big));
  await assert.rejects(c.call(call(`${base}/big`, { signal, maxBodyBytes: 299_999 })), { code: 'body_too_large' });
  c.close();
  shut(server);
});

test('a connection that the server closed in between is replaced', async () => {
  const server = http.createServer((_, response) => response.end('ok'));
  const base = `http://${await listen(server)}`;
  const c = client();
  assert.equal((await c.call(call(base))).body.toString(), 'ok');
  server.closeAllConnections();
  await new Promise((resolve) => systemClock.after(20, () => resolve(undefined)));
  assert.equal((await c.call(call(base))).body.toString(), 'ok');
  c.close();
  shut(server);
});

test('credentials from text and files go to their own origin only', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-http-'));
  const file = path.join(folder, 'token');
  fs.writeFileSync(file, 'first\n');
  const seen: (string | undefined)[] = [];
  const other = http.createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end('other');
  });
  const otherUrl = `http://${await listen(other)}`;
  const server = http.createServer((request, response) => {
    seen.push(request.headers.authorization);
    assert.equal(request.headers['x-extra'], 'a, b');
    if (request.url === '/away') response.writeHead(302, { location: otherUrl }).end();
    else if (request.url === '/here') response.writeHead(307, { location: '/end' }).end();
    else response.end('own');
  });
  const base = `http://${await listen(server)}`;
  const headers = { 'X-Extra': [{ text: 'a' }, { text: 'b' }] };
  const bearer = client({ authorization: { type: 'Bearer', credentials: { file } }, headers });
  assert.equal((await bearer.call(call(`${base}/here`))).body.toString(), 'own');
  fs.writeFileSync(file, 'second');
  assert.equal((await bearer.call(call(`${base}/away`))).body.toString(), 'other');
  const basic = client({
    basicAuth: { username: { text: 'u' }, password: { text: 'p' } },
    headers,
    followRedirects: false,
  });
  assert.equal((await basic.call(call(`${base}/away`))).status, 302);
  assert.deepEqual(seen, ['Bearer first', 'Bearer first', 'Bearer second', undefined, `Basic ${btoa('u:p')}`]);
  const missing = client({ authorization: { type: 'Bearer', credentials: { file: `${file}.none` } } });
  await assert.rejects(missing.call(call(base)), /unable to read file .*token\.none/);
  for (const c of [bearer, basic, missing]) c.close();
  shut(server, other);
  fs.rmSync(folder, { recursive: true });
});

test('OAuth 2: one token for many requests, a new one when it has run out', async () => {
  let issued = 0;
  const issuer = http.createServer((request, response) => {
    assert.equal(request.headers.authorization, `Basic ${btoa('id:s%2Fecret')}`);
    let form = '';
    request.on('data', (part) => (form += part));
    request.on('end', () => {
      assert.equal(form, 'grant_type=client_credentials&scope=a+b&audience=x');
      response.end(
        JSON.stringify({ access_token: `t${++issued}`, token_type: 'bearer', expires_in: issued === 1 ? 3600 : 5 }),
      );
    });
  });
  const tokenUrl = `http://${await listen(issuer)}/token`;
  const seen: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end();
  });
  const base = `http://${await listen(server)}`;
  const oauth2 = {
    clientId: 'id',
    clientSecret: { text: 's/ecret' },
    grantType: 'client_credentials',
    claims: {},
    scopes: ['a', 'b'],
    tokenUrl,
    endpointParams: { audience: 'x' },
    tls: undefined,
    proxy: DEFAULT_HTTP_CLIENT.proxy,
  };
  const c = client({ oauth2 });
  await Promise.all([c.call(call(base)), c.call(call(base))]);
  await c.call(call(base));
  assert.deepEqual(seen, ['Bearer t1', 'Bearer t1', 'Bearer t1']);
  const short = client({ oauth2 });
  await short.call(call(base));
  await short.call(call(base));
  assert.deepEqual(seen.slice(3), ['Bearer t2', 'Bearer t3']);
  c.close();
  short.close();
  shut(issuer, server);
});

test('proxies', async () => {
  const asked: string[] = [];
  const proxy = http.createServer((request, response) => {
    asked.push(request.url!);
    response.end('through the proxy');
  });
  proxy.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    const [host, port] = request.url!.split(':');
    const onward = net.connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  const server = http.createServer((_, response) => response.end('direct'));
  const target = await listen(server);
  const url = `http://${await listen(proxy)}`;
  const c = client({ proxy: { ...DEFAULT_HTTP_CLIENT.proxy, url } });
  await c.call(call(`http://${target}/`));
  assert.equal(asked.length, 1);
  c.close();
  const around = client({ proxy: { ...DEFAULT_HTTP_CLIENT.proxy, url, noProxy: '127.0.0.0/8' } });
  assert.equal((await around.call(call(`http://${target}/`))).body.toString(), 'direct');
  assert.equal(asked.length, 1);
  around.close();
  shut(proxy, server);
});

test('which proxy', () => {
  const of = (url: string, environment: Record<string, string>) =>
    proxyFor(new URL(url), { fromEnvironment: true, connectHeaders: {} }, environment);
  assert.equal(of('http://a.b', { HTTP_PROXY: 'p:1', NO_PROXY: 'x' }), 'http://p:1');
  assert.equal(of('https://a.b', { http_proxy: 'p:1' }), undefined);
  assert.equal(of('http://localhost:9', { HTTP_PROXY: 'p:1' }), undefined);
  const excluded = (url: string, list: string) => isExcluded(new URL(url), list);
  assert.ok(excluded('http://a.b.c', '.b.c') && excluded('http://b.c', 'b.c') && excluded('http://x.b.c', 'b.c'));
  assert.ok(!excluded('http://b.c', '.b.c') && !excluded('http://bb.c', 'b.c') && !excluded('http://b.c:81', 'b.c:80'));
  assert.ok(
    excluded('http://10.1.2.3', '10.0.0.0/8') &&
      !excluded('http://11.1.2.3', '10.0.0.0/8') &&
      excluded('http://q', '*'),
  );
});

const openssl = spawnSync('openssl', ['version']).status === 0;
test('TLS: own authorities, client certificates, and what is refused', {
  skip: openssl ? false : 'openssl is not installed',
}, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-tls-'));
  const at = (name: string) => path.join(folder, name);
  const result = spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    at('key.pem'),
    '-out',
    at('cert.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost,IP:127.0.0.1',
  ]);
  assert.equal(result.status, 0, String(result.stderr));
  const server = https.createServer(
    {
      key: fs.readFileSync(at('key.pem')),
      cert: fs.readFileSync(at('cert.pem')),
      ca: fs.readFileSync(at('cert.pem')),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) =>
      response.end((request.socket as unknown as { authorized: boolean }).authorized ? 'known' : 'unknown'),
  );
  const url = `https://${await listen(server)}/`;
  const insecure = client({ tls: { insecureSkipVerify: true }, enableHttp2: false });
  const trusting = client({
    tls: { insecureSkipVerify: false, caFile: at('cert.pem'), certFile: at('cert.pem'), keyFile: at('key.pem') },
    enableHttp2: false,
  });
  const strict = client({ enableHttp2: false });
  const misnamed = client({
    tls: { insecureSkipVerify: false, caFile: at('cert.pem'), serverName: 'other.example' },
    enableHttp2: false,
  });
  assert.equal((await insecure.call(call(url))).body.toString(), 'unknown');
  assert.equal((await trusting.call(call(url))).body.toString(), 'known');
  await assert.rejects(
    strict.call(call(url)),
    /^OperatingError: tls: failed to verify certificate: x509: certificate signed by unknown authority/,
  );
  await assert.rejects(misnamed.call(call(url)), /x509: certificate is not valid for/);
  for (const c of [insecure, trusting, strict, misnamed]) c.close();
  shut(server);
  fs.rmSync(folder, { recursive: true });
});

test('a Unix socket instead of the host', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-unix-'));
  const socketPath = path.join(folder, 's');
  const server = http.createServer((request, response) => response.end(request.headers.host));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const c = client();
  assert.equal((await c.call(call('http://localhost/metrics', { socketPath }))).body.toString(), 'localhost');
  await assert.rejects(
    c.call(call('http://localhost/', { socketPath: `${socketPath}x` })),
    /dial unix .*: connect: no such file or directory/,
  );
  c.close();
  shut(server);
  fs.rmSync(folder, { recursive: true });
});

test('headers cannot be smuggled in', async () => {
  const c = client();
  await assert.rejects(c.call(call('http://127.0.0.1:1/', { headers: { a: 'b\r\nc: d' } })), /invalid header field/);
  await assert.rejects(c.call(call('ftp://x/')), /unsupported protocol scheme "ftp"/);
  await assert.rejects(c.call(call('http://')), /invalid URL/);
  c.close();
});
