// The contract between the HTTP server and everything that answers requests: what a handler gets, what it returns, and
// the JSON envelope of Prometheus' API. A room's API is a function that returns routes; program/ mounts them.

import type { Readable } from 'node:stream';

export type Role = 'read' | 'write' | 'admin';

export type HttpRequest = {
  readonly method: string;
  /** Decoded path below the route prefix. */
  readonly path: string;
  /** Path segments that the route's pattern named. */
  readonly params: Readonly<Record<string, string>>;
  /** Query string and, for POST forms, the body's fields after it. */
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Stands for the connection: equal for requests that came over the same one. */
  readonly connection?: object;
  readonly remoteAddress: string;
  /** The authenticated user's name, when the server asks for one. */
  readonly user: string | undefined;
  /** The whole body, decompressed, within the route's limit. Empty for GET. */
  body(): Promise<Buffer>;
  /** Aborted when the client goes away or the server stops waiting. */
  readonly signal: AbortSignal;
};

export type HttpResponse = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Streams and iterables are sent as they come; strings and buffers may be compressed as the client accepts. */
  readonly body?: string | Uint8Array | Readable | AsyncIterable<string | Uint8Array>;
};

export type Handler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

export type Route = {
  /** 'GET', 'POST' ...; GET answers HEAD as well. */
  readonly methods: readonly string[];
  /** Segments; ':name' takes one segment, '*name' the rest. */
  readonly pattern: string;
  readonly handler: Handler;
  /** What the user must be allowed to do; 'read' unless said otherwise. */
  readonly role?: Role;
  readonly maxBodyBytes?: number;
  /** The body of a form POST is left to the handler instead of being read into `query`. */
  readonly rawForm?: boolean;
};

/** Prometheus' error types, in the envelope's `errorType`, with the status each is sent with. */
export const ERROR_STATUS = {
  bad_data: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  not_acceptable: 406,
  too_large: 413,
  too_many_requests: 429,
  canceled: 499,
  execution: 422,
  internal: 500,
  unavailable: 503,
  timeout: 503,
} as const;
export type ErrorType = keyof typeof ERROR_STATUS;

/** Thrown by handlers; becomes an error envelope. */
export class ApiError extends Error {
  readonly type: ErrorType;
  constructor(type: ErrorType, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ApiError';
    this.type = type;
  }
}

export const json = (value: unknown, status = 200): HttpResponse => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

/** `{"status":"success","data":...}` */
export const success = (
  data: unknown,
  extra?: { warnings?: readonly string[]; infos?: readonly string[] },
): HttpResponse =>
  json({
    status: 'success',
    data,
    ...(extra?.warnings?.length ? { warnings: extra.warnings } : {}),
    ...(extra?.infos?.length ? { infos: extra.infos } : {}),
  });

export const failure = (type: ErrorType, message: string): HttpResponse =>
  json({ status: 'error', errorType: type, error: message }, ERROR_STATUS[type]);

export const text = (body: string, status = 200, contentType = 'text/plain; charset=utf-8'): HttpResponse => ({
  status,
  headers: { 'content-type': contentType },
  body,
});
