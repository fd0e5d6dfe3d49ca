// The HTTP server: listens, authenticates, routes, and turns a handler's answer into bytes. Every role of the program
// serves through it. It knows nothing of what is served.

import type http from 'node:http';
import type http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import { errorCode, errorText, OperatingError, UserError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { OpenSpan, Tracer } from '#clients/otlp/tracer.ts';
import { type Identity, mayDo, OPEN_WEB_CONFIG, type WebConfig } from './access.ts';
import type { Exchange } from './exchange.ts';
import { ApiError, failure, type HttpResponse, type Route, text } from './http.ts';
import type { HttpMetrics } from './http-metrics.ts';
import { NodeExchange } from './node-exchange.ts';
import { PlainLane } from './plain-lane.ts';
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
  readonly #lanes: PlainLane[] = [];
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
    for (const lane of this.#lanes) lane.close();
    await Promise.all(
      this.#servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            const cut = this.#clock.after(DRAIN_MS, () => {
              for (const lane of this.#lanes) lane.cut();
              if ('closeAllConnections' in server) server.closeAllConnections();
            });
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
    if (tls) {
      const versions = this.#config.http2 ? {} : { ALPNProtocols: ['http/1.1'] };
      return this.#watch(
        process
          .getBuiltinModule('node:http2')
          .createSecureServer(
            { ...tls, allowHTTP1: true, ...versions },
            (request, response) => void this.#handle(new NodeExchange(request, response)),
          ),
        () => {},
      );
    }
    // Imported by name, the module would load all it can export, a web socket client and `fetch` among it.
    const http = process.getBuiltinModule('node:http');
    const server = http.createServer(
      { ...limits, noDelay: true },
      (request, response) => void this.#handle(new NodeExchange(request, response)),
    );
    const [nodes] = server.listeners('connection');
    assert(nodes, "Node's server takes connections by an event");
    server.removeAllListeners('connection');
    const lane = new PlainLane({
      clock: this.#clock,
      timeoutMs: readTimeoutMs,
      handle: (exchange) => void this.#handle(exchange),
      handOver: (socket) => nodes.call(server, socket),
      statusText: (status) => http.STATUS_CODES[status] ?? 'Unknown',
    });
    this.#lanes.push(lane);
    return this.#watch(server, (socket) => lane.take(socket));
  }

  #watch(server: NodeServer, take: (socket: Socket) => void): NodeServer {
    server.on('connection', (socket: Socket) => {
      if (this.#connections >= this.#options.maxConnections) {
        this.#logger.warn('connection refused: too many are open', { limit: this.#options.maxConnections });
        socket.destroy();
        return;
      }
      this.#connections++;
      socket.once('close', () => this.#connections--);
      take(socket);
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
      socket.end(
        `HTTP/1.1 ${error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request'}\r\nConnection: close\r\n\r\n`,
      );
    });
    return server;
  }

  async #handle(exchange: Exchange): Promise<void> {
    const started = this.#clock.monotonic();
    const client = new Watch(exchange);
    let handler = 'unknown';
    let answer: HttpResponse;
    const span = this.#tracer?.isOn ? this.#span(this.#tracer, exchange) : undefined;
    try {
      const admitted = this.#admit(exchange);
      const identity = admitted instanceof Promise ? await admitted : admitted;
      const target = this.#route(exchange);
      if (identity && 'pattern' in target) handler = target.pattern;
      if (!identity) answer = unauthorized();
      else if (!('pattern' in target)) answer = target;
      else if (!mayDo(identity.role, target.route.role ?? 'read')) {
        answer = failure('forbidden', `user ${identity.user} may not do this: it needs the role ${target.route.role}`);
      } else {
        const built = buildRequest(exchange, target, identity.user || undefined, this.#options.maxBodyBytes, client);
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
      const sent = sendResponse(exchange, answer, this.#commonHeaders(exchange));
      sizeBytes = sent instanceof Promise ? await sent : sent;
    } catch (error) {
      if (!client.isGone) this.#logger.warn('cannot send response', { handler, err: error });
      exchange.cut();
    }
    const seconds = (this.#clock.monotonic() - started) / 1000;
    this.#metrics({ handler, method: exchange.method, code: answer.status, seconds, sizeBytes });
    span?.end(
      {
        'http.request.method': exchange.method,
        'http.route': handler,
        'http.response.status_code': answer.status,
        'user_agent.original': exchange.headers['user-agent'] ?? '',
      },
      answer.status >= 500 ? `HTTP status ${answer.status}` : '',
    );
  }

  #span(tracer: Tracer, exchange: Exchange): OpenSpan | undefined {
    const [path = '/'] = exchange.url.split('?');
    const header = exchange.headers['traceparent'];
    return tracer.begin(`${exchange.method} ${path}`, 'server', Array.isArray(header) ? header[0] : header);
  }

  /** Rate limit, client certificate, user. Undefined: not authenticated. */
  #admit(exchange: Exchange): Identity | undefined | Promise<Identity | undefined> {
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
      if (!exchange.peerNames.some((name) => allowedSans.includes(name)))
        throw new ApiError('forbidden', 'the client certificate has no allowed name');
    }
    if (!authentication) return { user: '', role: 'admin' };
    return authentication.identify(exchange.headers['authorization']);
  }

  #commonHeaders(exchange: Exchange): Record<string, string> {
    return {
      ...this.#config.headers,
      ...this.#cors(exchange),
      ...(this.#stopping ? { connection: 'close' } : {}),
    };
  }

  #route(
    exchange: Exchange,
  ): { route: Route; pattern: string; params: Record<string, string>; path: string; search: string } | HttpResponse {
    const { method, url } = exchange;
    const mark = url.indexOf('?');
    const full = mark < 0 ? url : url.slice(0, mark);
    const { prefix } = this.#options;
    if (prefix !== '' && full === '/') return { status: 302, headers: { location: `${prefix}/` } };
    if (!full.startsWith(`${prefix}/`) && full !== prefix) return text('404 page not found\n', 404);
    const path = full.slice(prefix.length) || '/';
    if (method === 'OPTIONS') return { status: 204 };
    const match = this.#router.find(method, path);
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

  #cors(exchange: Exchange): Record<string, string> {
    const origin = exchange.headers['origin'];
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

  constructor(exchange: Exchange) {
    exchange.whenGone(() => {
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
