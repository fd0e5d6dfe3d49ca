// The http prober: follows redirects by itself, so that every phase of every hop is measured, and checks status, version, TLS,
// headers and body as the module says.

import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { TLSSocket } from 'node:tls';
import zlib from 'node:zlib';
import { compileSearch } from '../pattern.ts';
import type { HttpModule } from './modules.ts';
import { addTls, type ProbeContext, resolveHost, tlsOptions } from './probe.ts';

const MAX_REDIRECTS = 10;
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const PHASES = ['resolve', 'connect', 'tls', 'processing', 'transfer'] as const;
type Phases = Record<(typeof PHASES)[number], number>;

type Answer = {
  readonly status: number;
  readonly version: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly rawBytes: number;
  readonly body: Buffer;
  readonly isTls: boolean;
};

export async function probeHttp(module: HttpModule, target: string, context: ProbeContext): Promise<boolean> {
  const { page, note } = context;
  let url = new URL(/^https?:\/\//i.test(target) ? target : `http://${target}`);
  const phases: Phases = { resolve: 0, connect: 0, tls: 0, processing: 0, transfer: 0 };
  const follow = module.follow_redirects && !module.no_follow_redirects;
  let redirects = 0;
  let answer: Answer;
  let method = module.method;
  for (;;) {
    const isFirstOrigin =
      redirects === 0 || url.host === new URL(/^https?:/i.test(target) ? target : `http://${target}`).host;
    answer = await ask(module, url, method, isFirstOrigin, phases, context);
    const location = answer.headers.location;
    if (!follow || location === undefined || ![301, 302, 303, 307, 308].includes(answer.status)) break;
    if (++redirects > MAX_REDIRECTS) throw new Error(`stopped after ${MAX_REDIRECTS} redirects`);
    url = new URL(location, url);
    if (answer.status === 303) method = 'GET';
    note(`redirected to ${url.href}`);
  }
  for (const phase of PHASES)
    page.gauge(
      'probe_http_duration_seconds',
      'Duration of the request by phase, all redirects together.',
      phases[phase],
      ['phase', phase],
    );
  page.gauge('probe_http_redirects', 'Redirects followed.', redirects);
  page.gauge('probe_http_ssl', 'Whether the last answer came over TLS.', answer.isTls ? 1 : 0);
  page.gauge('probe_http_status_code', 'Status of the answer.', answer.status);
  page.gauge('probe_http_version', 'Version of HTTP.', Number(answer.version));
  page.gauge(
    'probe_http_content_length',
    'Length that the answer says it has.',
    Number(answer.headers['content-length'] ?? -1),
  );
  page.gauge('probe_http_uncompressed_body_length', 'Length of the body.', answer.body.length);
  const modified = Date.parse(answer.headers['last-modified'] ?? '');
  if (!Number.isNaN(modified))
    page.gauge('probe_http_last_modified_timestamp_seconds', 'Last-Modified of the answer.', modified / 1000);
  return judge(module, answer, context);
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
  const matched: string[] = [];
  const text = answer.body.toString('utf8');
  for (const pattern of module.fail_if_body_matches_regexp)
    if (compileSearch(pattern, 'fail_if_body_matches_regexp')(text)) matched.push(`the body matches ${pattern}`);
  for (const pattern of module.fail_if_body_not_matches_regexp)
    if (!compileSearch(pattern, 'fail_if_body_not_matches_regexp')(text))
      matched.push(`the body does not match ${pattern}`);
  for (const [checks, wanted] of [
    [module.fail_if_header_matches, true],
    [module.fail_if_header_not_matches, false],
  ] as const)
    for (const { header, regexp, allow_missing } of checks) {
      const value = answer.headers[header.toLowerCase()];
      if (value === undefined) {
        if (!allow_missing) matched.push(`header ${header} is missing`);
      } else if (compileSearch(regexp, 'fail_if_header')([value].flat().join(', ')) === wanted)
        matched.push(`header ${header} ${wanted ? 'matches' : 'does not match'} ${regexp}`);
    }
  page.gauge(
    'probe_failed_due_to_regex',
    'Whether a regular expression made the probe fail.',
    matched.length > 0 ? 1 : 0,
  );
  problems.push(...matched);
  for (const problem of problems) note(problem);
  return problems.length === 0;
}

async function ask(
  module: HttpModule,
  url: URL,
  method: string,
  withCredentials: boolean,
  phases: Phases,
  context: ProbeContext,
): Promise<Answer> {
  const { clock, page, signal, disk, note } = context;
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  let mark = clock.monotonic();
  const lap = (phase: keyof Phases) => {
    const now = clock.monotonic();
    phases[phase] += (now - mark) / 1000;
    mark = now;
  };
  const address = await resolveHost(host, module, context);
  lap('resolve');
  const headers: Record<string, string> = { host: url.host, 'user-agent': 'Pharos', ...lowerKeys(module.headers) };
  if (module.compression !== '') headers['accept-encoding'] = module.compression;
  if (withCredentials && module.basic_auth) {
    const { username, password } = module.basic_auth;
    headers['authorization'] = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  } else if (withCredentials && module.bearer_token) headers['authorization'] = `Bearer ${module.bearer_token}`;
  if (module.body !== '') headers['content-length'] = String(Buffer.byteLength(module.body));
  return new Promise((resolve, reject) => {
    const request = (isTls ? https : http).request({
      host: address,
      family: net.isIP(address),
      port: Number(url.port || (isTls ? 443 : 80)),
      path: url.pathname + url.search,
      method,
      headers,
      agent: false,
      signal,
      ...(isTls ? tlsOptions(module.tls_config, host, disk) : {}),
    });
    request.on('error', reject);
    request.on('socket', (socket) => {
      socket.on('connect', () => lap('connect'));
      socket.on('secureConnect', () => {
        lap('tls');
        addTls(page, socket as TLSSocket);
      });
    });
    request.on('response', async (response) => {
      lap('processing');
      try {
        const chunks: Buffer[] = [];
        let rawBytes = 0;
        const limit = module.body_size_limit || MAX_BODY_BYTES;
        for await (const chunk of response as AsyncIterable<Buffer>) {
          rawBytes += chunk.length;
          if (rawBytes > limit) throw new Error(`the body is larger than ${limit} bytes`);
          chunks.push(chunk);
        }
        lap('transfer');
        const body = inflate(Buffer.concat(chunks), response.headers['content-encoding'], limit);
        note(`${url.href} answered ${response.statusCode}`);
        resolve({
          status: response.statusCode ?? 0,
          version: response.httpVersion,
          headers: response.headers,
          rawBytes,
          body,
          isTls,
        });
      } catch (error) {
        reject(error);
      }
    });
    request.end(module.body === '' ? undefined : module.body);
  });
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
