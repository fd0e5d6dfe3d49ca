// The HTTP server: listens, authenticates, routes, and turns a handler's answer into bytes. Every role of the program
// serves through it. It knows nothing of what is served.

import type http from 'node:http';
import type http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '#base/clock.ts';
import { errorCode, errorText, OperatingError, UserError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { OpenSpan, Tracer } from '#clients/otlp/tracer.ts';
import { type Identity, mayDo, OPEN_WEB_CONFIG, type WebConfig } from './access.ts';
import { ApiError, failure, type HttpResponse, type Route, text } from './http.ts';
import type { HttpMetrics } from './http-metrics.ts';
import { buildRequest } from './request.ts';
import { sendResponse } from './response.ts';
import { Router } from './router.ts';

export type ServerOptions = {
  /** "host:port", ":port", "[::1]:port". */
  readonly addresses: readonly string[];
  /** Where the routes begin, without a slash at the end: '' or '/prometheus'. */
  readonly prefix: string;
  /** Matched whole against the Origin header. */
  readonly corsOrigin: RegExp;
  readonly readTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxBodyBytes: number;
};

type NodeServer = http.Server | http2.Http2SecureServer;
type NodeRequest = http.IncomingMessage | http2.Http2ServerRequest;
type NodeResponse = http.ServerResponse | http2.Http2ServerResponse;

/** How long open requests may go on after stop() was called. */
const DRAIN_MS = 10_000;

export class HttpServer {
  readonly #options: ServerOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #tracer: Tracer | undefined;
  readonly #metrics: HttpMetrics;
  #router: Router;
  #config: WebConfig = OPEN_WEB_CONFIG;
  #servers: NodeServer[] = [];
  #connections = 0;
  #tokens = 0;
  #tokensAt = 0;
  #stopping = false;

  constructor(
    options: ServerOptions,
    routes: readonly Route[],
    clock: Clock,
    logger: Logger,
    metrics: HttpMetrics,
    tracer?: Tracer,
  ) {
    this.#options = options;
    this.#tracer = tracer;
    this.#router = new Router(routes);
    this.#clock = clock;
    this.#logger = logger;
    this.#metrics = metrics;
  }

  /** Takes effect for new requests; certificates for new connections. Whether TLS is used at all is fixed at `listen`. */
  configure(config: WebConfig): void {
    if (this.#servers.length > 0 && Boolean(config.tls) !== Boolean(this.#config.tls)) {
      throw new OperatingError('needs_restart', 'cannot switch TLS on or off while listening: restart the server');
    }
    for (const server of this.#servers)
      if (config.tls && 'setSecureContext' in server) server.setSecureContext(config.tls);
    this.#config = config;
    this.#tokens = config.rateLimit?.burst ?? 0;
  }

  /** Resolves with the addresses actually bound. */
  async listen(): Promise<readonly AddressInfo[]> {
    const bound: AddressInfo[] = [];
    for (const address of this.#options.addresses) {
      const { host, port } = splitAddress(address);
      const server = this.#create();
      await new Promise<void>((resolve, reject) => {
        server.once('error', (error) =>
          reject(
            new OperatingError(errorCode(error) ?? 'listen', `cannot listen on ${address}: ${errorText(error)}`, {
              cause: error,
            }),
          ),
        );
        server.listen({ port, ...(host === '' ? {} : { host }) }, () => resolve());
      });
      this.#servers.push(server);
      bound.push(server.address() as AddressInfo);
    }
    return bound;
  }

  /** Stops accepting, lets open requests end, then cuts what is left. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            const cut = this.#clock.after(
              DRAIN_MS,
              () => 'closeAllConnections' in server && server.closeAllConnections(),
            );
            server.close(() => {
              cut.cancel();
              resolve();
            });
            if ('closeIdleConnections' in server) server.closeIdleConnections();
          }),
      ),
    );
  }

  #create(): NodeServer {
    const { readTimeoutMs } = this.#options;
    const tls = this.#config.tls;
    const limits = {
      requestTimeout: readTimeoutMs,
      headersTimeout: Math.min(60_000, readTimeoutMs),
      keepAliveTimeout: readTimeoutMs,
    };
    const handle = (request: NodeRequest, response: NodeResponse) => void this.#handle(request, response);
    const server: NodeServer = tls
      ? process
          .getBuiltinModule('node:http2')
          .createSecureServer(
            { ...tls, allowHTTP1: true, ...(this.#config.http2 ? {} : { ALPNProtocols: ['http/1.1'] }) },
            handle,
          )
      : // Imported by name, the module would load all it can export, a web socket client and `fetch` among it.
        process.getBuiltinModule('node:http').createServer({ ...limits, noDelay: true }, handle);
    server.on('connection', (socket) => {
      if (this.#connections >= this.#options.maxConnections) {
        this.#logger.warn('connection refused: too many are open', { limit: this.#options.maxConnections });
        socket.destroy();
        return;
      }
      this.#connections++;
      socket.once('close', () => this.#connections--);
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
      socket.end(
        `HTTP/1.1 ${error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request'}\r\nConnection: close\r\n\r\n`,
      );
    });
    return server;
  }

  async #handle(request: NodeRequest, response: NodeResponse): Promise<void> {
    const started = this.#clock.monotonic();
    const client = new Watch(response);
    let handler = 'unknown';
    let answer: HttpResponse;
    const span = this.#tracer?.isOn ? this.#span(this.#tracer, request) : undefined;
    try {
      const admitted = this.#admit(request);
      const identity = admitted instanceof Promise ? await admitted : admitted;
      const target = this.#route(request);
      if (identity && 'pattern' in target) handler = target.pattern;
      if (!identity) answer = unauthorized();
      else if (!('pattern' in target)) answer = target;
      else if (!mayDo(identity.role, target.route.role ?? 'read')) {
        answer = failure('forbidden', `user ${identity.user} may not do this: it needs the role ${target.route.role}`);
      } else {
        const built = buildRequest(request, target, identity.user || undefined, this.#options.maxBodyBytes, client);
        const ready = built instanceof Promise ? await built : built;
        const answered = span
          ? this.#tracer!.within(span, () => target.route.handler(ready))
          : target.route.handler(ready);
        answer = answered instanceof Promise ? await answered : answered;
      }
    } catch (error) {
      answer = this.#failed(error, handler);
    }
    let sizeBytes = 0;
    try {
      const sent = sendResponse(request, response, answer, this.#commonHeaders(request));
      sizeBytes = sent instanceof Promise ? await sent : sent;
    } catch (error) {
      if (!client.isGone) this.#logger.warn('cannot send response', { handler, err: error });
      response.destroy?.();
    }
    const seconds = (this.#clock.monotonic() - started) / 1000;
    this.#metrics({ handler, method: request.method ?? 'GET', code: answer.status, seconds, sizeBytes });
    span?.end(
      {
        'http.request.method': request.method ?? 'GET',
        'http.route': handler,
        'http.response.status_code': answer.status,
        'user_agent.original': request.headers['user-agent'] ?? '',
      },
      answer.status >= 500 ? `HTTP status ${answer.status}` : '',
    );
  }

  #span(tracer: Tracer, request: NodeRequest): OpenSpan | undefined {
    const [path = '/'] = (request.url ?? '/').split('?');
    const header = request.headers['traceparent'];
    return tracer.begin(`${request.method} ${path}`, 'server', Array.isArray(header) ? header[0] : header);
  }

  /** Rate limit, client certificate, user. Undefined: not authenticated. */
  #admit(request: NodeRequest): Identity | undefined | Promise<Identity | undefined> {
    const { rateLimit, allowedSans, authentication } = this.#config;
    if (rateLimit) {
      const now = this.#clock.monotonic();
      this.#tokens = Math.min(rateLimit.burst, this.#tokens + (now - this.#tokensAt) / rateLimit.interval);
      this.#tokensAt = now;
      if (this.#tokens < 1)
        throw new ApiError('too_many_requests', 'too many requests: see rate_limit in the web configuration');
      this.#tokens--;
    }
    if (allowedSans.length > 0) {
      const names =
        (request.socket as TLSSocket)
          .getPeerCertificate?.()
          .subjectaltname?.split(', ')
          .map((name) => name.replace(/^[^:]+:/, '')) ?? [];
      if (!names.some((name) => allowedSans.includes(name)))
        throw new ApiError('forbidden', 'the client certificate has no allowed name');
    }
    if (!authentication) return { user: '', role: 'admin' };
    return authentication.identify(request.headers.authorization);
  }

  #commonHeaders(request: NodeRequest): Record<string, string> {
    return {
      ...this.#config.headers,
      ...this.#cors(request),
      ...(this.#stopping ? { connection: 'close' } : {}),
    };
  }

  #route(
    request: NodeRequest,
  ): { route: Route; pattern: string; params: Record<string, string>; path: string; search: string } | HttpResponse {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    const full = mark < 0 ? url : url.slice(0, mark);
    const { prefix } = this.#options;
    if (prefix !== '' && full === '/') return { status: 302, headers: { location: `${prefix}/` } };
    if (!full.startsWith(`${prefix}/`) && full !== prefix) return text('404 page not found\n', 404);
    const path = full.slice(prefix.length) || '/';
    if (request.method === 'OPTIONS') return { status: 204 };
    const match = this.#router.find(request.method ?? 'GET', path);
    if (match.kind === 'notFound') return text('404 page not found\n', 404);
    if (match.kind === 'wrongMethod') {
      const answer = text('Method Not Allowed\n', 405);
      return { ...answer, headers: { ...answer.headers, allow: match.allowed.join(', ') } };
    }
    return {
      route: match.route,
      pattern: match.route.pattern,
      params: match.params,
      path,
      search: mark < 0 ? '' : url.slice(mark + 1),
    };
  }

  #cors(request: NodeRequest): Record<string, string> {
    const origin = request.headers.origin;
    if (typeof origin !== 'string' || !this.#options.corsOrigin.test(origin)) return {};
    return {
      'access-control-allow-headers': 'Accept, Authorization, Content-Type, Origin',
      'access-control-allow-methods': 'GET, POST, OPTIONS',
      'access-control-allow-origin': this.#options.corsOrigin.source === '^(?:.*)$' ? '*' : origin,
      'access-control-expose-headers': 'Date',
      vary: 'Origin',
    };
  }

  #failed(error: unknown, handler: string): HttpResponse {
    if (error instanceof ApiError) return failure(error.type, error.message);
    if (error instanceof UserError) return failure('bad_data', error.message);
    const code = errorCode(error);
    if (code === 'canceled') return failure('canceled', errorText(error));
    if (error instanceof OperatingError) return failure(code === 'timeout' ? 'timeout' : 'unavailable', error.message);
    this.#logger.error('request failed', {
      handler,
      err: error,
      stack: error instanceof Error ? error.stack : undefined,
    });
    return failure('internal', errorText(error));
  }
}

/** Learns when a client goes away before its answer is out. The signal is made for who asks for it. */
class Watch {
  isGone = false;
  #controller: AbortController | undefined;

  constructor(response: NodeResponse) {
    response.on('close', () => {
      if (response.writableFinished) return;
      this.isGone = true;
      this.#controller?.abort(goneAway());
    });
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.isGone) this.#controller.abort(goneAway());
    }
    return this.#controller.signal;
  }
}

const goneAway = () => new OperatingError('canceled', 'the client has gone away');

function unauthorized(): HttpResponse {
  const answer = text('Unauthorized\n', 401);
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': 'Basic' } };
}

export function splitAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(address);
  if (!match || Number(match[3]) > 65_535)
    throw new UserError(`invalid listen address ${JSON.stringify(address)}: expected host:port`);
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3]) };
}
