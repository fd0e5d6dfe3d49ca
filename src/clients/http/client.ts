// The program's HTTP client. Plain HTTP goes over small raw connections; TLS, proxies and streams go through undici. What
// the configuration asks for (credentials, headers, redirects, proxies) is the same on both ways. Every reply has a limit.

import type { LookupFunction } from 'node:net';
import type { Dispatcher } from 'undici';
import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorCode, errorText, OperatingError } from '#base/errors.ts';
import type { CloudAuth } from '../cloud/config.ts';
import type { CloudCall, CloudSigner, SignedRequest } from '../cloud/signer.ts';
import { configuredHeaders, hasSecretFiles, TokenSource } from './auth.ts';
import { DEFAULT_HTTP_CLIENT, type HttpClientConfig } from './config.ts';
import { proxyFor } from './proxy.ts';
import { dialError, RawConnection, type RawDone, type RawLimits, type RawOrigin } from './raw.ts';
import { RawBuffers, tooLarge } from './reply.ts';
import { tlsOptions } from './tls.ts';

export type HttpCall = {
  readonly url: string;
  /** GET unless said otherwise. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly timeoutMs: number;
  /** Bytes of the body as they come over the wire. */
  readonly maxBodyBytes: number;
  readonly signal?: AbortSignal;
  /** Connect to this Unix socket instead of the URL's host. */
  readonly socketPath?: string;
};

export type HttpReply = {
  readonly status: number;
  readonly statusText: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
};

/** A call that is made many times. The callback is never called before `begin` returns. */
export type PreparedCall = { begin(done: HttpDone): void };
export type HttpDone = (error: Error | undefined, reply: HttpReply | undefined) => void;

export type HttpStream = {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: AsyncIterable<Uint8Array>;
};

export interface HttpClient {
  /** Rejects with an OperatingError worded as Go words it; the URL is not part of the message. */
  call(call: HttpCall): Promise<HttpReply>;
  /**
   * The same call with all that can be done once done. Undefined when it cannot: its credentials change, or it goes over TLS or a
   * proxy, or there is something wrong with it, which `call` will say.
   */
  prepare(call: HttpCall): PreparedCall | undefined;
  /** A reply of unknown length that is read as it comes; ends when the signal is aborted. The timeout is for its head. */
  stream(call: HttpCall): Promise<HttpStream>;
  /** Gives the memory of a reply's body back, for those who call often; the body must not be looked at afterwards. */
  recycle(body: Uint8Array): void;
  close(): void;
}

export type HttpEnvironment = {
  readonly clock: Clock;
  readonly disk: Disk;
  /** Shared by the clients of a thread. */
  readonly buffers?: RawBuffers;
  /** How names of servers become addresses, in place of the system's way. */
  readonly lookup?: LookupFunction;
  /** For proxies from HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
};

export const USER_AGENT = 'Pharos/0.1.0';
const MAX_REDIRECTS = 10;
/** Kept-alive connections per origin that wait for work: many targets may be paths of one server. */
const MAX_IDLE_PER_ORIGIN = 64;
const TOKEN_REPLY_BYTES = 1 << 20;

export function createHttpClient(config: HttpClientConfig | undefined, environment: HttpEnvironment): HttpClient {
  return new Client(config ?? DEFAULT_HTTP_CLIENT, environment);
}

class Client implements HttpClient {
  readonly #config: HttpClientConfig;
  readonly #environment: HttpEnvironment;
  readonly #idle = new Map<string, RawConnection[]>();
  readonly #dispatchers = new Map<string, { readonly secrets: string; readonly dispatcher: Dispatcher }>();
  readonly #buffers: RawBuffers;
  readonly #tokens: TokenSource | undefined;
  #tokenClient: Client | undefined;
  #signer: Promise<CloudSigner> | undefined;
  #closed = false;

  constructor(config: HttpClientConfig, environment: HttpEnvironment) {
    this.#config = config;
    this.#environment = environment;
    this.#buffers = environment.buffers ?? new RawBuffers();
    const oauth2 = config.oauth2;
    if (oauth2) {
      const tokenConfig = {
        ...DEFAULT_HTTP_CLIENT,
        proxy: oauth2.proxy,
        ...(oauth2.tls ? { tls: oauth2.tls } : {}),
      };
      this.#tokenClient = new Client(tokenConfig, environment);
      this.#tokens = new TokenSource(oauth2, environment.disk, environment.clock, (url, body, headers) =>
        this.#tokenClient!.call({
          url,
          method: 'POST',
          body,
          headers,
          timeoutMs: 30_000,
          maxBodyBytes: TOKEN_REPLY_BYTES,
        }),
      );
    }
  }

  async call(call: HttpCall): Promise<HttpReply> {
    const started = this.#environment.clock.monotonic();
    return this.#followed(call, (url, method, headers, body) => {
      const timeoutMs = call.timeoutMs - (this.#environment.clock.monotonic() - started);
      if (timeoutMs <= 0) throw new OperatingError('timeout', 'context deadline exceeded');
      const one = { ...call, url: url.href, method, headers, timeoutMs };
      const proxy = this.#proxy(url);
      if (url.protocol === 'http:' && proxy === undefined && !call.signal) return this.#raw(url, one, body);
      return this.#full(url, one, body);
    });
  }

  prepare(call: HttpCall): PreparedCall | undefined {
    let url: URL;
    let request: Uint8Array;
    try {
      url = parseUrl(call.url);
      const isPlain = url.protocol === 'http:' && this.#proxy(url) === undefined && !call.signal;
      if (!isPlain || this.#tokens || this.#config.cloud || hasSecretFiles(this.#config)) return undefined;
      const headers = { 'user-agent': USER_AGENT, ...call.headers, ...this.#fixedCredentials(url) };
      request = requestBytes(url, { ...call, headers }, call.body);
    } catch {
      return undefined;
    }
    const line = lineOf(url, call, this.#environment.lookup);
    return {
      begin: (done) => {
        this.#beginRaw(line, request, (error, reply) => {
          if (reply && this.#config.followRedirects && redirectOf(reply) !== undefined) {
            // Rare enough to begin again with the way that follows.
            this.call(call).then(
              (end) => done(undefined, end),
              (failure) => done(failure, undefined),
            );
          } else done(error, reply);
        });
      },
    };
  }

  stream(call: HttpCall): Promise<HttpStream> {
    return this.#followed(call, (url, method, headers, body) =>
      this.#open(url, { ...call, url: url.href, method, headers }, body).then(({ status, headers, stream }) => ({
        status,
        headers,
        body: stream,
      })),
    );
  }

  recycle(body: Uint8Array): void {
    this.#buffers.release(body);
  }

  close(): void {
    this.#closed = true;
    for (const connections of this.#idle.values()) for (const connection of connections) connection.close();
    this.#idle.clear();
    for (const { dispatcher } of this.#dispatchers.values()) dispatcher.destroy().catch(() => {});
    this.#dispatchers.clear();
    this.#tokenClient?.close();
  }

  async #followed<R extends { readonly status: number; readonly headers: ReadonlyMap<string, string> }>(
    call: HttpCall,
    send: (
      url: URL,
      method: string,
      headers: Record<string, string>,
      body: string | Uint8Array | undefined,
    ) => Promise<R>,
  ): Promise<R> {
    let url = parseUrl(call.url);
    let method = call.method ?? 'GET';
    let body = call.body;
    const origin = url.origin;
    for (let hop = 0; ; hop++) {
      const headers: Record<string, string> = { 'user-agent': USER_AGENT, ...call.headers };
      // Credentials are for the configured origin, not for wherever it sends us.
      if (url.origin === origin) {
        Object.assign(headers, await this.#credentials(url));
        if (this.#config.cloud)
          Object.assign(headers, await this.#signed({ method, url, headers, body }, this.#config.cloud));
      }
      const reply = await send(url, method, headers, body);
      const location = redirectOf(reply);
      if (location === undefined || !this.#config.followRedirects) return reply;
      if (hop + 1 >= MAX_REDIRECTS) throw new OperatingError('redirects', `stopped after ${MAX_REDIRECTS} redirects`);
      url = parseUrl(location, url);
      if (reply.status < 307 && method !== 'GET' && method !== 'HEAD') {
        method = 'GET';
        body = undefined;
      }
    }
  }

  async #credentials(url: URL): Promise<Record<string, string>> {
    const headers = this.#fixedCredentials(url);
    if (this.#tokens) headers['authorization'] = await this.#tokens.authorization();
    return headers;
  }

  async #signed(request: SignedRequest, cloud: CloudAuth): Promise<Record<string, string>> {
    const { clock, disk, environment = {} } = this.#environment;
    this.#signer ??= import('../cloud/signer.ts').then(({ createSigner }) => {
      this.#tokenClient ??= new Client(DEFAULT_HTTP_CLIENT, this.#environment);
      const call: CloudCall = (url, options) =>
        this.#tokenClient!.call({ ...options, url, timeoutMs: 30_000, maxBodyBytes: TOKEN_REPLY_BYTES });
      return createSigner(cloud, { clock, disk, environment, call });
    });
    return (await this.#signer).headers(request);
  }

  /** Those that need no asking. */
  #fixedCredentials(url: URL): Record<string, string> {
    const headers = configuredHeaders(this.#config, this.#environment.disk);
    if (!headers['authorization'] && (url.username || url.password)) {
      const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
    }
    return headers;
  }

  #proxy(url: URL): string | undefined {
    return proxyFor(url, this.#config.proxy, this.#environment.environment ?? {});
  }

  #raw(url: URL, call: HttpCall, body: string | Uint8Array | undefined): Promise<HttpReply> {
    const request = requestBytes(url, call, body);
    return new Promise((resolve, reject) => {
      this.#beginRaw(lineOf(url, call, this.#environment.lookup), request, (error, reply) =>
        reply ? resolve(reply) : reject(error),
      );
    });
  }

  #beginRaw({ key, origin, limits }: Line, request: Uint8Array, done: RawDone): void {
    const connection = this.#idle.get(key)?.pop() ?? new RawConnection(origin, this.#environment.clock, this.#buffers);
    connection.begin(request, limits, (error, reply) => {
      if (reply) this.#park(key, connection);
      done(error, reply);
    });
  }

  #park(key: string, connection: RawConnection): void {
    const idle = this.#idle.get(key);
    if (this.#closed || (idle && idle.length >= MAX_IDLE_PER_ORIGIN)) connection.close();
    else if (idle) idle.push(connection);
    else this.#idle.set(key, [connection]);
  }

  async #full(url: URL, call: HttpCall, body: string | Uint8Array | undefined): Promise<HttpReply> {
    const { clock } = this.#environment;
    const controller = new AbortController();
    const timer = clock.after(call.timeoutMs, () =>
      controller.abort(new OperatingError('timeout', 'context deadline exceeded')),
    );
    const signal = call.signal ? AbortSignal.any([call.signal, controller.signal]) : controller.signal;
    try {
      const { status, headers, stream } = await this.#open(url, { ...call, signal }, body);
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of stream) {
        size += chunk.length;
        if (size > call.maxBodyBytes) throw tooLarge();
        chunks.push(chunk);
      }
      return { status, statusText: '', headers, body: Buffer.concat(chunks, size) };
    } catch (error) {
      throw signal.aborted ? signal.reason : worded(error, url);
    } finally {
      timer.cancel();
      // Whatever is left of the reply is not wanted.
      controller.abort();
    }
  }

  async #open(
    url: URL,
    call: HttpCall,
    body: string | Uint8Array | undefined,
  ): Promise<{ status: number; headers: Map<string, string>; stream: AsyncIterable<Uint8Array> }> {
    const bare = new URL(url);
    bare.username = '';
    bare.password = '';
    try {
      // Loaded by the first request that needs it: it is large, and plain HTTP does without.
      const undici = await import('undici');
      const reply = await undici.request(bare, {
        dispatcher: this.#dispatcher(undici, url, call.socketPath),
        method: (call.method ?? 'GET') as Dispatcher.HttpMethod,
        headers: { ...call.headers },
        headersTimeout: call.timeoutMs,
        bodyTimeout: 0,
        ...(body === undefined ? {} : { body }),
        ...(call.signal ? { signal: call.signal } : {}),
      });
      const headers = new Map<string, string>();
      for (const [name, value] of Object.entries(reply.headers)) {
        if (value !== undefined) headers.set(name.toLowerCase(), Array.isArray(value) ? value.join(', ') : value);
      }
      return { status: reply.statusCode, headers, stream: reply.body };
    } catch (error) {
      throw call.signal?.aborted ? call.signal.reason : worded(error, url);
    }
  }

  /** One dispatcher per way to get there; made anew when a certificate or key file has changed. */
  #dispatcher(undici: typeof import('undici'), url: URL, socketPath: string | undefined): Dispatcher {
    const proxy = this.#proxy(url);
    const key = socketPath ? `unix:${socketPath}` : (proxy ?? 'direct');
    const tls = tlsOptions(this.#config.tls, this.#environment.disk);
    const secrets = JSON.stringify(tls);
    const known = this.#dispatchers.get(key);
    if (known?.secrets === secrets) return known.dispatcher;
    known?.dispatcher.close().catch(() => {});
    const { lookup } = this.#environment;
    const common = { allowH2: this.#config.enableHttp2, connections: null };
    const connectHeaders = Object.fromEntries(
      Object.entries(this.#config.proxy.connectHeaders).map(([name, values]) => [name, values.join(', ')]),
    );
    const dispatcher =
      proxy === undefined
        ? new undici.Agent({
            ...common,
            connect: { ...tls, ...(socketPath ? { socketPath } : {}), ...(lookup ? { lookup } : {}) },
          })
        : new undici.ProxyAgent({ ...common, uri: proxy, requestTls: tls, proxyTls: tls, headers: connectHeaders });
    this.#dispatchers.set(key, { secrets, dispatcher });
    return dispatcher;
  }
}

/** Where a plain call goes, and what it may take. */
type Line = { readonly key: string; readonly origin: RawOrigin; readonly limits: RawLimits };

function lineOf(url: URL, call: HttpCall, lookup: LookupFunction | undefined): Line {
  const port = url.port === '' ? 80 : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const { timeoutMs, maxBodyBytes, socketPath } = call;
  return {
    key: socketPath ?? `${host}:${port}`,
    origin: { host, port, ...(socketPath ? { socketPath } : {}), lookup },
    limits: { timeoutMs, maxBodyBytes, isHead: call.method === 'HEAD' },
  };
}

/** Where a reply sends its reader; undefined when it is the answer. */
function redirectOf(reply: { readonly status: number; readonly headers: ReadonlyMap<string, string> }) {
  return [301, 302, 303, 307, 308].includes(reply.status) ? reply.headers.get('location') : undefined;
}

function parseUrl(text: string, base?: URL): URL {
  if (!URL.canParse(text, base?.href)) throw new OperatingError('url', `parse ${JSON.stringify(text)}: invalid URL`);
  const url = new URL(text, base);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new OperatingError('url', `unsupported protocol scheme ${JSON.stringify(url.protocol.slice(0, -1))}`);
  }
  return url;
}

/** A request as it goes over the wire. Header values with line breaks are refused: they would be other headers. */
export function requestBytes(url: URL, call: HttpCall, body: string | Uint8Array | undefined): Uint8Array {
  let head = `${call.method ?? 'GET'} ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n`;
  for (const [name, value] of Object.entries(call.headers ?? {})) {
    if (/[\r\n\0]/.test(value) || !/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) {
      throw new OperatingError('header', `invalid header field ${JSON.stringify(name)}`);
    }
    head += `${name}: ${value}\r\n`;
  }
  if (body === undefined) return Buffer.from(`${head}\r\n`, 'latin1');
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return Buffer.concat([Buffer.from(`${head}content-length: ${bytes.length}\r\n\r\n`, 'latin1'), bytes]);
}

/** Errors of undici, TLS and sockets in Go's words. */
function worded(error: unknown, url: URL): Error {
  if (error instanceof OperatingError) return error;
  const inner =
    error instanceof Error && error.cause instanceof Error && !errorCode(error)?.startsWith('E') ? error.cause : error;
  const code = errorCode(inner) ?? '';
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  switch (code) {
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return new OperatingError('timeout', 'context deadline exceeded', { cause: error });
    case 'UND_ERR_SOCKET':
      return new OperatingError('eof', 'EOF', { cause: error });
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return tlsError('x509: certificate signed by unknown authority', error);
    case 'CERT_HAS_EXPIRED':
      return tlsError('x509: certificate has expired or is not yet valid', error);
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return tlsError(`x509: certificate is not valid for ${url.hostname}`, error);
  }
  if (inner instanceof Error && code) return dialError(inner, { host: url.hostname, port });
  return new OperatingError(code || 'network', errorText(error), { cause: error });
}

const tlsError = (message: string, cause: unknown) =>
  new OperatingError('tls', `tls: failed to verify certificate: ${message}`, { cause });
