// Every prober against servers made here: TLS and its certificates, STARTTLS, HTTP/2, proxies, redirects, gRPC, WebSocket, Unix
// sockets, ping; and what makes a probe fail says so in its log.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import tls from 'node:tls';
import zlib from 'node:zlib';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { writeText } from '#wire/exposition/write.ts';
import { peer } from '../../../test/peers.ts';
import { moduleSchema } from './modules.ts';
import { probe } from './probe.ts';

const openssl = peer('openssl', 'openssl');
const ping = peer('ping', 'iputils-ping');

let folder = '';
before(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-probe-'));
  if (openssl.path === '') return;
  const subject = '/C=DE/O=Pharos, Inc./CN=localhost';
  const names = 'subjectAltName=DNS:localhost,DNS:probe.example,IP:127.0.0.1';
  execFileSync(
    openssl.path,
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -keyout key.pem -out cert.pem`
      .split(' ')
      .concat('-subj', subject, '-addext', names),
    { cwd: folder, stdio: 'ignore' },
  );
});
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const certificate = () => ({
  cert: fs.readFileSync(path.join(folder, 'cert.pem')),
  key: fs.readFileSync(path.join(folder, 'key.pem')),
});

function listen(t: TestContext, server: net.Server): Promise<number> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port)),
  );
}

type Outcome = { ok: boolean; log: string; page: Map<string, number>; lines: string[] };

async function run(yaml: string, target: string, hostname?: string): Promise<Outcome> {
  const module = loadYaml(yaml, moduleSchema, 'test');
  const { families, ok, log } = await probe(module, target, 10_000, systemClock, nodeDisk, hostname);
  const lines = writeText(families)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const page = new Map(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))] as const));
  assert.equal(page.size, lines.length, `a series twice: ${lines.join('\n')}`);
  assert.equal(page.get('probe_success'), ok ? 1 : 0);
  assert.equal(page.get('probe_timeout_seconds'), 10);
  return { ok, log: log.join('\n'), page, lines };
}

test('https: HTTP/2 where it is offered, and what the certificate says', { skip: openssl.skip }, async (t) => {
  const server = http2.createSecureServer({ ...certificate(), allowHTTP1: true }, (request, response) => {
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.end(`${request.httpVersion} ${request.headers[':authority'] ?? request.headers.host}`);
  });
  const port = await listen(t, server);
  const ca = path.join(folder, 'cert.pem');
  const two = await run(
    `{prober: http, http: {tls_config: {ca_file: ${ca}}, valid_http_versions: ["HTTP/2.0"], fail_if_not_ssl: true,
      fail_if_header_matches: [{header: set-cookie, regexp: "^c="}], fail_if_header_not_matches: [{header: set-cookie, regexp: "^b="}],
      fail_if_body_not_matches_regexp: ["^2.0 probe.example$"]}}`,
    `https://localhost:${port}/`,
    'probe.example',
  );
  assert.ok(two.ok, two.log);
  assert.equal(two.page.get('probe_http_version'), 2);
  const x509 = new X509Certificate(certificate().cert);
  const expires = Date.parse(x509.validTo) / 1000;
  assert.equal(two.page.get('probe_ssl_earliest_cert_expiry'), expires);
  assert.equal(two.page.get('probe_ssl_last_chain_expiry_timestamp_seconds'), expires);
  const info = two.lines.find((line) => line.startsWith('probe_ssl_last_chain_info')) ?? '';
  const fingerprint = x509.fingerprint256.replaceAll(':', '').toLowerCase();
  assert.ok(info.includes(`fingerprint_sha256="${fingerprint}"`), info);
  assert.ok(info.includes('subject="CN=localhost,O=Pharos\\\\, Inc.,C=DE"'), info);
  assert.ok(info.includes('subjectalternative="localhost,probe.example"'), info);
  assert.equal(two.page.get('probe_tls_version_info{version="TLS 1.3"}'), 1);
  assert.ok(two.lines.some((line) => /^probe_tls_cipher_info\{cipher="TLS_AES_/.test(line)));

  const one = await run(
    '{prober: http, http: {enable_http2: false, tls_config: {insecure_skip_verify: true, max_version: TLS12}}}',
    `https://127.0.0.1:${port}`,
  );
  assert.equal(one.page.get('probe_http_version'), 1.1);
  assert.equal(one.page.get('probe_tls_version_info{version="TLS 1.2"}'), 1);

  const strict = await run('{prober: http}', `https://127.0.0.1:${port}`);
  assert.match(strict.log, /self.signed certificate/);
  const plain = await run(
    '{prober: http, http: {fail_if_ssl: true, tls_config: {insecure_skip_verify: true}}}',
    `https://127.0.0.1:${port}`,
  );
  assert.match(plain.log, /came over TLS/);
});

test('http: redirects, credentials for the first origin only, bodies, headers, compression, limits', async (t) => {
  const seen: string[] = [];
  const other = await listen(
    t,
    http.createServer((request, response) => {
      seen.push(`other ${request.url} ${request.headers.authorization}`);
      response.end('there');
    }),
  );
  const port = await listen(
    t,
    http.createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      seen.push(
        `${request.method} ${request.url} ${request.headers.authorization} ${request.headers['x-key']} ${body}`,
      );
      if (request.url === '/away') response.writeHead(302, { location: `http://127.0.0.1:${other}/new` }).end();
      else if (request.url === '/loop') response.writeHead(301, { location: '/loop' }).end();
      else if (request.url === '/zip')
        response.setHeader('content-encoding', 'gzip').end(zlib.gzipSync('unzipped'.repeat(100)));
      else response.setHeader('last-modified', 'Wed, 21 Oct 2015 07:28:00 GMT').end('here');
    }),
  );
  const at = `127.0.0.1:${port}`;
  const keyFile = path.join(folder, 'key.txt');
  fs.writeFileSync(keyFile, 'from a file\n');
  const away = await run(
    `{prober: http, http: {basic_auth: {username: me, password: pw}, http_headers: {X-Key: {files: [${keyFile}]}}}}`,
    `${at}/away`,
  );
  assert.ok(away.ok, away.log);
  assert.equal(away.page.get('probe_http_redirects'), 1);
  const basic = `Basic ${Buffer.from('me:pw').toString('base64')}`;
  assert.deepEqual(seen.splice(0), [`GET /away ${basic} from a file `, 'other /new undefined']);
  const stay = await run('{prober: http, http: {follow_redirects: false, valid_status_codes: [302]}}', `${at}/away`);
  assert.ok(stay.ok, stay.log);
  assert.match((await run('{prober: http}', `${at}/loop`)).log, /stopped after 10 redirects/);
  seen.length = 0;
  fs.writeFileSync(path.join(folder, 'body.txt'), 'the body');
  const post = await run(
    `{prober: http, http: {method: POST, body_file: ${path.join(folder, 'body.txt')}, authorization: {credentials: token}}}`,
    at,
  );
  assert.equal(post.page.get('probe_http_last_modified_timestamp_seconds'), 1445412480);
  assert.deepEqual(seen.splice(0), ['POST / Bearer token undefined the body']);
  const zip = await run(
    '{prober: http, http: {compression: gzip, fail_if_body_not_matches_regexp: ["unzipped"]}}',
    `${at}/zip`,
  );
  assert.ok(zip.ok, zip.log);
  assert.equal(zip.page.get('probe_http_uncompressed_body_length'), 800);
  assert.match((await run('{prober: http, http: {body_size_limit: 2B}}', at)).log, /larger than 2 bytes/);
  const http3 = await run('{prober: http, http: {enable_http2: false, enable_http3: true}}', at);
  assert.equal(http3.ok, false);
  assert.match(http3.log, /HTTP\/3 cannot be probed: the runtime has no QUIC/);
  const json = await listen(
    t,
    http.createServer((_, response) => response.end('{"status": {"ready": true, "lag": 7}}')),
  );
  const cel = (option: string, expression: string) =>
    run(`{prober: http, http: {${option}: '${expression}'}}`, `127.0.0.1:${json}`);
  assert.ok((await cel('fail_if_body_json_not_matches_cel', 'body.status.ready && body.status.lag < 10')).ok);
  const late = await cel('fail_if_body_json_matches_cel', 'body.status.lag > 5');
  assert.equal(late.page.get('probe_failed_due_to_cel'), 1);
  assert.match(late.log, /matches body\.status\.lag > 5/);
  assert.match((await cel('fail_if_body_json_matches_cel', 'body.nothing')).log, /no key nothing/);
  const noJson = await run('{prober: http, http: {fail_if_body_json_matches_cel: "body.a"}}', at);
  assert.match(noJson.log, /cannot be judged/);
  await assert.rejects(cel('fail_if_body_json_matches_cel', 'boody'), /unknown name boody/);
  assert.match((await run('{prober: http, http: {headers: {Host: a}}}', at, 'b')).log, /host header defined both/);
});

test('http through a proxy: asked for whole URLs, or to connect', { skip: openssl.skip }, async (t) => {
  const requests: string[] = [];
  const secured = await listen(
    t,
    tls.createServer(certificate(), (socket) => {
      socket.on('error', () => {});
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    }),
  );
  const proxy = http.createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
    response.end('by proxy');
  });
  proxy.on('connect', (request, socket: net.Socket) => {
    requests.push(`CONNECT ${request.url} ${request.headers['x-proxy']}`);
    const through = net.connect(secured, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(through).pipe(socket);
    });
    for (const end of [socket, through]) end.on('error', () => {});
  });
  const port = await listen(t, proxy);
  const whole = await run(
    `{prober: http, http: {proxy_url: "http://u:p@127.0.0.1:${port}", skip_resolve_phase_with_proxy: true, fail_if_body_not_matches_regexp: [by proxy]}}`,
    'http://no-such-host.invalid/path',
  );
  assert.ok(whole.ok, whole.log);
  const through = await run(
    `{prober: http, http: {proxy_url: "http://127.0.0.1:${port}", proxy_connect_header: {X-Proxy: [secret]}, tls_config: {insecure_skip_verify: true}}}`,
    `https://127.0.0.1:${secured}`,
  );
  assert.ok(through.ok, through.log);
  assert.deepEqual(requests, [
    `GET http://no-such-host.invalid/path Basic ${Buffer.from('u:p').toString('base64')}`,
    `CONNECT 127.0.0.1:${secured} secret`,
  ]);
});

test('tcp: STARTTLS, expected bytes, labels from what was matched', { skip: openssl.skip }, async (t) => {
  const port = await listen(
    t,
    net.createServer((socket) => {
      socket.write('220 mail.example ESMTP Server-1.2\r\n');
      socket.once('data', () => {
        socket.write('250-mail.example\r\n250 STARTTLS\r\n');
        socket.once('data', () => {
          socket.write('220 go\r\n');
          const secured = new tls.TLSSocket(socket, { isServer: true, ...certificate() });
          secured.on('error', () => {});
          secured.once('data', () => secured.write('250 secure\r\n'));
        });
      });
    }),
  );
  const mail = await run(
    `prober: tcp
tcp:
  tls_config: {insecure_skip_verify: true}
  query_response:
    - {expect: "^220 ([^ ]+) ESMTP (.+)$", labels: [{name: software, value: "\${2}"}, {name: host, value: "is $1"}]}
    - {send: "EHLO prober\\r"}
    - {expect: "^250 STARTTLS"}
    - {send: "STARTTLS\\r"}
    - {expect: "^220"}
    - {starttls: true}
    - {send: "EHLO prober\\r"}
    - {expect: "^250 secure"}
`,
    `127.0.0.1:${port}`,
  );
  assert.ok(mail.ok, mail.log);
  assert.equal(mail.page.get('probe_expect_info{host="is mail.example",software="Server-1.2"}'), 1);
  assert.ok(mail.page.get('probe_ssl_earliest_cert_expiry')! > 0);

  const heard: Buffer[] = [];
  const binary = await listen(
    t,
    net.createServer((socket) => {
      socket.once('data', (data) => {
        heard.push(data);
        socket.end(Buffer.from([0x53]));
      });
    }),
  );
  const steps = (expected: string) =>
    `prober: tcp\ntcp: {query_response: [{send: !!binary AAAACATSFi8=}, {expect_bytes: ${expected}}]}`;
  assert.ok((await run(steps('S'), `127.0.0.1:${binary}`)).ok);
  assert.deepEqual([...heard[0]!.subarray(0, 8)], [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]);
  const wrong = await run(steps('N'), `127.0.0.1:${binary}`);
  assert.equal(wrong.page.get('probe_failed_due_to_bytes'), 1);
});

test('unix: a conversation over a socket file', async (t) => {
  const file = path.join(folder, 'service.sock');
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => socket.write(data.toString() === 'PING\n' ? 'PONG\n' : 'WHAT\n'));
  });
  await new Promise<void>((resolve) => server.listen(file, resolve));
  t.after(() => server.close());
  const steps = '{prober: unix, unix: {query_response: [{send: PING}, {expect: "^PONG"}]}}';
  assert.ok((await run(steps, file)).ok);
  assert.match((await run(steps, path.join(folder, 'none.sock'))).log, /ENOENT/);
});

test('grpc: the health of a service', { skip: openssl.skip }, async (t) => {
  const answer = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    let body = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      body = Buffer.concat([body, chunk]);
    });
    stream.on('end', () => {
      const service = body.subarray(7).toString();
      const isKnown = service !== 'unknown' && headers['x-token'] === 'secret';
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () =>
        stream.sendTrailers({ 'grpc-status': isKnown ? '0' : '5', 'grpc-message': isKnown ? '' : 'unknown%20service' }),
      );
      if (isKnown) stream.end(Buffer.from([0, 0, 0, 0, 2, 8, service === 'down' ? 2 : 1]));
      else stream.end();
    });
  };
  const plain = await listen(t, http2.createServer().on('stream', answer));
  const module = (service: string, extra = '') =>
    `{prober: grpc, grpc: {service: ${service}, metadata: {X-Token: [secret]}${extra}}}`;
  const up = await run(module('good'), `127.0.0.1:${plain}`);
  assert.ok(up.ok, up.log);
  assert.equal(up.page.get('probe_grpc_healthcheck_response{serving_status="SERVING"}'), 1);
  assert.equal(up.page.get('probe_grpc_ssl'), 0);
  const down = await run(module('down'), `127.0.0.1:${plain}`);
  assert.equal(down.page.get('probe_grpc_healthcheck_response{serving_status="NOT_SERVING"}'), 1);
  assert.equal(down.ok, false);
  const unknown = await run(module('unknown'), `127.0.0.1:${plain}`);
  assert.equal(unknown.page.get('probe_grpc_status_code'), 5);
  assert.match(unknown.log, /unknown service/);
  assert.equal((await run(module('good'), '127.0.0.1:1')).page.get('probe_grpc_status_code'), 14);
  const secured = await listen(t, http2.createSecureServer(certificate()).on('stream', answer));
  const safe = await run(
    module('good', ', tls: true, tls_config: {insecure_skip_verify: true}'),
    `127.0.0.1:${secured}`,
  );
  assert.ok(safe.ok, safe.log);
  assert.equal(safe.page.get('probe_grpc_ssl'), 1);
});

test('websocket: the upgrade and a conversation', async (t) => {
  const server = http.createServer((_, response) => response.writeHead(403).end('no'));
  const asked: (string | undefined)[] = [];
  server.on('upgrade', (request, socket) => {
    asked.push(request.headers.authorization, String(request.headers['x-some-header']));
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    );
    // A ping, and a greeting in two frames.
    socket.write(Buffer.from([0x89, 0, 0x01, 7, ...Buffer.from('Hello, '), 0x80, 5, ...Buffer.from('probe')]));
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      for (let at = 0; at < data.length; ) {
        const length = data[at + 1]! & 127;
        const mask = data.subarray(at + 2, at + 6);
        const text = Buffer.from(
          data.subarray(at + 6, at + 6 + length).map((byte, i) => byte ^ mask[i & 3]!),
        ).toString();
        if (text === "I'm probe") socket.write(Buffer.from([0x81, 7, ...Buffer.from('Welcome')]));
        at += 6 + length;
      }
    });
  });
  const port = await listen(t, server);
  const module = (last: string) => `prober: websocket
websocket:
  http_config: {basic_auth: {username: user, password: password}}
  headers: {X-Some-Header: my_header}
  query_response: [{expect: "^Hello, (.+)", send: "I'm \${1}"}, {expect: "${last}"}]
`;
  const good = await run(module('^Welcome$'), `ws://127.0.0.1:${port}/chat`);
  assert.ok(good.ok, good.log);
  assert.equal(good.page.get('probe_websocket_connection_upgraded'), 1);
  assert.equal(good.page.get('probe_websocket_status_code'), 101);
  assert.deepEqual(asked, [`Basic ${Buffer.from('user:password').toString('base64')}`, 'my_header']);
  const refusing = await listen(
    t,
    http.createServer((_, response) => response.writeHead(403).end('no')),
  );
  const refused = await run('{prober: websocket}', `127.0.0.1:${refusing}`);
  assert.equal(refused.page.get('probe_websocket_status_code'), 403);
  assert.equal(refused.ok, false);
});

test('icmp: an echo of this host, and a reason where there is none', { skip: ping.skip }, async () => {
  const echo = await run('{prober: icmp, icmp: {preferred_ip_protocol: ip4}}', '127.0.0.1');
  if (/not permitted/.test(echo.log)) return assert.equal(echo.ok, false);
  assert.ok(echo.ok, echo.log);
  assert.ok(echo.page.get('probe_icmp_reply_hop_limit')! > 0);
  for (const phase of ['resolve', 'setup', 'rtt'])
    assert.ok(echo.page.has(`probe_icmp_duration_seconds{phase="${phase}"}`), phase);
  const none = await run('{prober: icmp, icmp: {source_ip_address: 203.0.113.1}}', '127.0.0.1');
  assert.equal(none.ok, false);
  assert.match(none.log, /203\.0\.113\.1|assign requested address/);
});

test('http with OAuth 2: a token is fetched for the probe, and a refused one is the reason', async (t) => {
  const forms: string[] = [];
  const tokens = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    forms.push(`${request.headers['authorization'] ?? ''} ${body}`);
    const isKnown = body.includes('client_secret=right') || request.headers['authorization']?.startsWith('Basic ');
    response
      .writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' })
      .end(isKnown ? '{"access_token":"t0ken","token_type":"Bearer","expires_in":60}' : '{"error":"invalid_client"}');
  });
  const tokenPort = await listen(t, tokens);
  const guarded = await listen(
    t,
    http.createServer((request, response) =>
      response.writeHead(request.headers['authorization'] === 'Bearer t0ken' ? 200 : 403).end(),
    ),
  );
  const module = (secret: string, url: string) =>
    `{prober: http, http: {oauth2: {client_id: me, client_secret: ${secret}, token_url: "${url}", scopes: [read]}}}`;
  const good = await run(module('right', `http://127.0.0.1:${tokenPort}/token`), `127.0.0.1:${guarded}`);
  assert.ok(good.ok, good.log);
  assert.equal(good.page.get('probe_http_status_code'), 200);
  assert.match(forms.join('\n'), /grant_type=client_credentials.*scope=read|scope=read.*grant_type=client_credentials/);
  const dead = await run(module('right', 'http://127.0.0.1:1/token'), `127.0.0.1:${guarded}`);
  assert.equal(dead.ok, false);
  assert.match(dead.log, /ECONNREFUSED|connection refused/);
  const plain = await run('{prober: http}', `127.0.0.1:${guarded}`);
  assert.equal(plain.page.get('probe_http_status_code'), 403);
});

/** The query's bytes as an answer with one address. */
function answerTo(query: Buffer): Buffer {
  const answer = Buffer.from(query);
  answer.writeUInt16BE(0x8180, 2);
  answer.writeUInt16BE(1, 6);
  return Buffer.concat([answer, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1])]);
}

/** Answers each query with its length before it, in two pieces. */
function answerOverTcp(socket: net.Socket): void {
  socket.on('error', () => {});
  socket.on('data', (bytes: Buffer) => {
    const answer = answerTo(bytes.subarray(2));
    const length = Buffer.alloc(2);
    length.writeUInt16BE(answer.length);
    socket.write(length);
    socket.write(answer);
  });
}

test('dns over TCP and over TLS, with the certificate judged', { skip: openssl.skip }, async (t) => {
  const module = (extra: string) =>
    `{prober: dns, dns: {query_name: example.org, query_type: A, transport_protocol: tcp${extra}}}`;
  const plain = await listen(t, net.createServer(answerOverTcp));
  const tcp = await run(module(''), `127.0.0.1:${plain}`);
  assert.ok(tcp.ok, tcp.log);
  assert.equal(tcp.page.get('probe_dns_answer_rrs'), 1);
  const secured = await listen(t, tls.createServer(certificate(), answerOverTcp));
  const trusted = `, dns_over_tls: true, tls_config: {ca_file: ${folder}/cert.pem, server_name: localhost}`;
  const dot = await run(module(trusted), `127.0.0.1:${secured}`);
  assert.ok(dot.ok, dot.log);
  assert.equal(dot.page.get('probe_dns_query_succeeded'), 1);
  const untrusted = await run(module(', dns_over_tls: true'), `127.0.0.1:${secured}`);
  assert.equal(untrusted.ok, false);
  assert.match(untrusted.log, /self.signed|certificate/i);
  const notTls = await run(module(trusted), `127.0.0.1:${plain}`);
  assert.equal(notTls.ok, false);
});

test('servers that take connections and never answer end with the time-out, of every prober', async (t) => {
  const silent = await listen(t, net.createServer());
  const mute = path.join(folder, 'mute');
  const local = net.createServer();
  await new Promise<void>((resolve) => local.listen(mute, resolve));
  t.after(() => local.close());
  const modules: Readonly<Record<string, string>> = {
    http: '{prober: http, timeout: 200ms}',
    https: '{prober: http, timeout: 200ms}',
    tcp: '{prober: tcp, timeout: 200ms, tcp: {query_response: [{expect: "^HELLO"}]}}',
    tls: '{prober: tcp, timeout: 200ms, tcp: {tls: true}}',
    dns: '{prober: dns, timeout: 200ms, dns: {query_name: a.b, transport_protocol: tcp}}',
    grpc: '{prober: grpc, timeout: 200ms}',
    websocket: '{prober: websocket, timeout: 200ms}',
    unix: '{prober: unix, timeout: 200ms, unix: {query_response: [{expect: "^HELLO"}]}}',
  };
  for (const [name, yaml] of Object.entries(modules)) {
    const target =
      name === 'https'
        ? `https://127.0.0.1:${silent}`
        : name === 'unix'
          ? mute
          : name === 'websocket'
            ? `ws://127.0.0.1:${silent}`
            : `127.0.0.1:${silent}`;
    const { ok, log, families } = await probe(
      loadYaml(yaml, moduleSchema, 'test'),
      target,
      undefined,
      systemClock,
      nodeDisk,
    );
    assert.equal(ok, false, name);
    assert.match(log.join('\n'), /200 ms/, name);
    assert.match(writeText(families), /^probe_success 0$/m, name);
  }
});
