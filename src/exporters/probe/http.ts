// The http prober: follows redirects by itself, so that every phase of every hop is measured, over HTTP/1.1 or HTTP/2 as the server
// chooses, directly or through a proxy, and checks status, version, TLS, headers and body as the module says.

import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import zlib from 'node:zlib';
import { errorText } from '#base/errors.ts';
import { configuredHeaders, TokenSource } from '#clients/http/auth.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { type HttpClientConfig, httpClientFrom } from '#clients/http/config.ts';
import { proxyFor } from '#clients/http/proxy.ts';
import { compileSearch } from '../pattern.ts';
import { type CelValue, compileCel } from './cel.ts';
import { opened, secure } from './certificates.ts';
import type { HttpModule } from './modules.ts';
import { type ProbeContext, resolveHost } from './probe.ts';

const MAX_REDIRECTS = 10;
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const PHASES = ['resolve', 'connect', 'tls', 'processing', 'transfer'] as const;
type Phases = Record<(typeof PHASES)[number], number>;

type Answer = {
  readonly status: number;
  readonly version: string;
  /** By lower case name, every value. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: Buffer;
  readonly isTls: boolean;
};

/** What is the same for every hop. */
type Request = {
  readonly module: HttpModule;
  readonly client: HttpClientConfig;
  readonly headers: Readonly<Record<string, string>>;
  /** Headers that prove who asks: for the first origin only. */
  readonly credentials: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly phases: Phases;
};

export async function probeHttp(module: HttpModule, target: string, context: ProbeContext): Promise<boolean> {
  const { page, note } = context;
  const first = new URL(/^https?:\/\//i.test(target) ? target : `http://${target}`);
  const request = await prepare(module, first, context);
  const follow = module.follow_redirects && !module.no_follow_redirects;
  let url = first;
  let redirects = 0;
  let answer: Answer;
  let method = module.method || 'GET';
  for (;;) {
    answer = await ask(request, url, method, url.host === first.host, context);
    const location = answer.headers.get('location')?.[0];
    if (!follow || location === undefined || ![301, 302, 303, 307, 308].includes(answer.status)) break;
    if (++redirects > MAX_REDIRECTS) throw new Error(`stopped after ${MAX_REDIRECTS} redirects`);
    url = new URL(location, url);
    if (answer.status === 303 || (answer.status < 303 && method === 'POST')) method = 'GET';
    note(`redirected to ${url.href}`);
  }
  for (const phase of PHASES)
    page.gauge(
      'probe_http_duration_seconds',
      'Duration of the request by phase, all redirects together.',
      request.phases[phase],
      ['phase', phase],
    );
  page.gauge('probe_http_redirects', 'Redirects followed.', redirects);
  page.gauge('probe_http_ssl', 'Whether the last answer came over TLS.', answer.isTls ? 1 : 0);
  page.gauge('probe_http_status_code', 'Status of the answer.', answer.status);
  page.gauge('probe_http_version', 'Version of HTTP.', Number(answer.version));
  page.gauge(
    'probe_http_content_length',
    'Length that the answer says it has.',
    Number(answer.headers.get('content-length')?.[0] ?? -1),
  );
  page.gauge('probe_http_uncompressed_body_length', 'Length of the body.', answer.body.length);
  const modified = Date.parse(answer.headers.get('last-modified')?.[0] ?? '');
  if (!Number.isNaN(modified))
    page.gauge('probe_http_last_modified_timestamp_seconds', 'Last-Modified of the answer.', modified / 1000);
  return judge(module, answer, context);
}

async function prepare(module: HttpModule, url: URL, context: ProbeContext): Promise<Request> {
  const { clock, disk } = context;
  const client = httpClientFrom(module, (file) => file);
  const headers: Record<string, string> = { 'user-agent': 'Pharos', ...lowerKeys(module.headers) };
  if (context.hostname !== undefined) {
    const given = headers['host'];
    if (given !== undefined && given !== context.hostname)
      throw new Error(
        `host header defined both in module (${given}) and with hostname-parameter (${context.hostname})`,
      );
    headers['host'] = context.hostname;
  }
  if (module.compression !== '') headers['accept-encoding'] ??= module.compression;
  const credentials = configuredHeaders(client, disk);
  if (client.oauth2) {
    const tokenClient = createHttpClient({ ...client, oauth2: undefined } as HttpClientConfig, { clock, disk });
    try {
      const source = new TokenSource(client.oauth2, disk, clock, (tokenUrl, body, tokenHeaders) =>
        tokenClient.call({
          url: tokenUrl,
          method: 'POST',
          body,
          headers: tokenHeaders,
          timeoutMs: context.timeoutMs,
          maxBodyBytes: MAX_BODY_BYTES,
          signal: context.signal,
        }),
      );
      credentials['authorization'] = await source.authorization();
    } finally {
      tokenClient.close();
    }
  }
  if (url.username !== '') {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    credentials['authorization'] ??= `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  const body = module.body_file === '' ? Buffer.from(module.body) : Buffer.from(disk.readFile(module.body_file));
  const phases: Phases = { resolve: 0, connect: 0, tls: 0, processing: 0, transfer: 0 };
  return { module, client, headers, credentials, body, phases };
}

function judge(module: HttpModule, answer: Answer, { page, note }: ProbeContext): boolean {
  const problems: string[] = [];
  const valid = module.valid_status_codes;
  if (valid.length > 0 ? !valid.includes(answer.status) : answer.status < 200 || answer.status > 299)
    problems.push(`invalid status ${answer.status}`);
  const version = `HTTP/${answer.version}`;
  if (module.valid_http_versions.length > 0 && !module.valid_http_versions.includes(version))
    problems.push(`invalid version ${version}`);
  if (module.fail_if_ssl && answer.isTls) problems.push('the answer came over TLS');
  if (module.fail_if_not_ssl && !answer.isTls) problems.push('the answer did not come over TLS');
  const matched = mismatches(module, answer);
  page.gauge(
    'probe_failed_due_to_regex',
    'Whether a regular expression made the probe fail.',
    matched.length > 0 ? 1 : 0,
  );
  problems.push(...matched);
  const wrongJson = celProblem(module, answer.body);
  if (module.fail_if_body_json_matches_cel !== '' || module.fail_if_body_json_not_matches_cel !== '')
    page.gauge('probe_failed_due_to_cel', 'Whether a CEL expression made the probe fail.', wrongJson ? 1 : 0);
  if (wrongJson !== undefined) problems.push(wrongJson);
  for (const problem of problems) note(problem);
  return problems.length === 0;
}

/** What CEL expressions find wrong; a body that is no JSON is wrong for all of them. */
function celProblem(module: HttpModule, body: Buffer): string | undefined {
  const { fail_if_body_json_matches_cel: matching, fail_if_body_json_not_matches_cel: other } = module;
  if (matching === '' && other === '') return undefined;
  try {
    const json = JSON.parse(body.toString('utf8')) as CelValue;
    if (matching !== '' && compileCel(matching)(json)) return `the body matches ${matching}`;
    if (other !== '' && !compileCel(other)(json)) return `the body does not match ${other}`;
    return undefined;
  } catch (error) {
    return `the body cannot be judged: ${errorText(error)}`;
  }
}

/** What regular expressions find wrong. */
function mismatches(module: HttpModule, answer: Answer): string[] {
  const found: string[] = [];
  const text = answer.body.toString('utf8');
  for (const pattern of module.fail_if_body_matches_regexp)
    if (compileSearch(pattern, 'fail_if_body_matches_regexp')(text)) found.push(`the body matches ${pattern}`);
  for (const pattern of module.fail_if_body_not_matches_regexp)
    if (!compileSearch(pattern, 'fail_if_body_not_matches_regexp')(text))
      found.push(`the body does not match ${pattern}`);
  for (const [checks, wanted] of [
    [module.fail_if_header_matches, true],
    [module.fail_if_header_not_matches, false],
  ] as const)
    for (const { header, regexp, allow_missing } of checks) {
      const values = answer.headers.get(header.toLowerCase());
      if (values === undefined) {
        if (!allow_missing) found.push(`header ${header} is missing`);
      } else if (values.some(compileSearch(regexp, 'fail_if_header')) === wanted)
        found.push(`header ${header} ${wanted ? 'matches' : 'does not match'} ${regexp}`);
    }
  return found;
}

async function ask(
  request: Request,
  url: URL,
  method: string,
  isFirstOrigin: boolean,
  context: ProbeContext,
): Promise<Answer> {
  const { module, client, phases } = request;
  const { clock, signal, note } = context;
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  let mark = clock.monotonic();
  const lap = (phase: keyof Phases) => {
    const now = clock.monotonic();
    phases[phase] += (now - mark) / 1000;
    mark = now;
  };
  const given = proxyFor(url, client.proxy, process.env);
  const proxy = given === undefined ? undefined : new URL(given);
  const address = proxy && module.skip_resolve_phase_with_proxy ? host : await resolveHost(host, module, context);
  lap('resolve');
  let socket: net.Socket = net.connect(
    proxy
      ? { host: proxy.hostname.replace(/^\[|\]$/g, ''), port: Number(proxy.port || 80) }
      : { host: address, port: Number(url.port || (isTls ? 443 : 80)) },
  );
  const destroy = () => socket.destroy();
  signal.addEventListener('abort', destroy, { once: true });
  try {
    await opened(socket, 'connect');
    if (proxy && isTls) await tunnel(socket, proxy, url, address, client);
    lap('connect');
    let isHttp2 = false;
    if (isTls) {
      const protocols = client.enableHttp2 ? ['h2', 'http/1.1'] : ['http/1.1'];
      const secured = await secure(socket, module.tls_config, context.hostname ?? host, context, protocols);
      socket = secured;
      isHttp2 = secured.alpnProtocol === 'h2';
      lap('tls');
    }
    const headers: Record<string, string> = { host: url.host, ...request.headers };
    if (isFirstOrigin) Object.assign(headers, request.credentials);
    if (proxy && !isTls && proxy.username !== '') headers['proxy-authorization'] = proxyAuthorization(proxy);
    const hasBody = request.body.length > 0 && method !== 'GET' && method !== 'HEAD';
    const body = hasBody || (method === module.method && request.body.length > 0) ? request.body : undefined;
    if (body) headers['content-length'] = String(body.length);
    const path = proxy && !isTls ? url.href : url.pathname + url.search;
    const exchange = isHttp2 ? askHttp2 : askHttp1;
    const {
      status,
      version,
      headers: answered,
      stream,
    } = await exchange(socket, url, method, path, headers, body, signal);
    lap('processing');
    const limit = module.body_size_limit || MAX_BODY_BYTES;
    const raw = await readBody(stream, limit);
    lap('transfer');
    note(`${url.href} answered ${status}`);
    return {
      status,
      version,
      headers: answered,
      body: inflate(raw, answered.get('content-encoding')?.[0], limit),
      isTls,
    };
  } finally {
    signal.removeEventListener('abort', destroy);
    socket.destroy();
  }
}

const proxyAuthorization = (proxy: URL): string =>
  `Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString('base64')}`;

/** Asks a proxy to connect through. */
function tunnel(socket: net.Socket, proxy: URL, url: URL, address: string, client: HttpClientConfig): Promise<void> {
  const authority = `${net.isIP(address) === 6 ? `[${address}]` : address}:${url.port || 443}`;
  const headers: http.OutgoingHttpHeaders = { host: authority };
  if (proxy.username !== '') headers['proxy-authorization'] = proxyAuthorization(proxy);
  for (const [name, values] of Object.entries(client.proxy.connectHeaders)) headers[name] = [...values];
  return new Promise((resolve, reject) => {
    const request = http.request({ createConnection: () => socket, method: 'CONNECT', path: authority, headers });
    request.on('error', reject);
    request.on('connect', (response) => {
      if (response.statusCode === 200) resolve();
      else reject(new Error(`the proxy answered ${response.statusCode}`));
    });
    request.end();
  });
}

type Exchange = (
  socket: net.Socket,
  url: URL,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer | undefined,
  signal: AbortSignal,
) => Promise<{
  status: number;
  version: string;
  headers: ReadonlyMap<string, readonly string[]>;
  stream: AsyncIterable<Buffer>;
}>;

const askHttp1: Exchange = (socket, _url, method, path, headers, body, signal) =>
  new Promise((resolve, reject) => {
    const request = http.request({ createConnection: () => socket, method, path, headers, signal });
    request.on('error', reject);
    request.on('response', (response) => {
      const all = new Map<string, string[]>();
      for (let i = 0; i < response.rawHeaders.length; i += 2) {
        const name = response.rawHeaders[i]!.toLowerCase();
        all.set(name, [...(all.get(name) ?? []), response.rawHeaders[i + 1]!]);
      }
      resolve({ status: response.statusCode ?? 0, version: response.httpVersion, headers: all, stream: response });
    });
    request.end(body);
  });

const askHttp2: Exchange = (socket, url, method, path, { host, ...headers }, body) =>
  new Promise((resolve, reject) => {
    const session = http2.connect(url.origin, { createConnection: () => socket });
    session.on('error', reject);
    const stream = session.request({ ...headers, ':method': method, ':path': path, ':authority': host ?? url.host });
    stream.on('error', reject);
    stream.on('response', (got) => {
      const all = new Map<string, string[]>();
      for (const [name, value] of Object.entries(got))
        if (value !== undefined) all.set(name, [value].flat().map(String));
      resolve({ status: Number(got[':status']), version: '2.0', headers: all, stream });
    });
    stream.end(body);
  });

async function readBody(stream: AsyncIterable<Buffer>, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > limit) throw new Error(`the body is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function inflate(body: Buffer, encoding: string | undefined, maxOutputLength: number): Buffer {
  if (body.length === 0) return body;
  switch (encoding?.toLowerCase()) {
    case 'gzip':
      return zlib.gunzipSync(body, { maxOutputLength });
    case 'deflate':
      return zlib.inflateSync(body, { maxOutputLength });
    case 'br':
      return zlib.brotliDecompressSync(body, { maxOutputLength });
    default:
      return body;
  }
}

const lowerKeys = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
