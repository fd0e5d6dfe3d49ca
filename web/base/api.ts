// The client of the server's APIs: Prometheus' envelope under /api/v1, Alertmanager's plain JSON, the dashboards'. A
// request that fails becomes an ApiFailure that says what was asked, so that pages can show it and how to get on.

import { ROLE } from './role.ts';
import { PREFIX } from './router.tsx';

export type Params = Readonly<Record<string, string | number | boolean | undefined | readonly string[]>>;

export class ApiFailure extends Error {
  readonly request: string;
  readonly status: number;
  readonly kind: string;
  constructor(request: string, status: number, kind: string, message: string) {
    super(message);
    this.name = 'ApiFailure';
    this.request = request;
    this.status = status;
    this.kind = kind;
  }
}

export type Envelope<T> = {
  readonly data: T;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  /** Milliseconds from asking to having the answer parsed. */
  readonly tookMs: number;
  readonly bytes: number;
};

export function withParams(path: string, params?: Params): string {
  const query = encodeParams(params).toString();
  return query ? `${path}?${query}` : path;
}

export function encodeParams(params?: Params): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value === undefined) continue;
    if (typeof value === 'object') for (const one of value) query.append(name, one);
    else query.set(name, String(value));
  }
  return query;
}

export type RequestOptions = {
  readonly params?: Params;
  readonly method?: string;
  readonly body?: unknown;
  /** A body that is sent as it is. */
  readonly text?: string;
  readonly signal?: AbortSignal;
};

/** Sends a request below the prefix and returns the response's text; failures of any kind are ApiFailures. */
async function send(path: string, options: RequestOptions = {}): Promise<string> {
  const method = options.method ?? 'GET';
  const formPost = method === 'FORM';
  const url = PREFIX + (formPost ? path : withParams(path, options.params));
  const name = `${formPost ? 'POST' : method} ${path}`;
  let response: Response;
  try {
    response = await fetch(url, {
      method: formPost ? 'POST' : method,
      credentials: 'same-origin',
      headers: {
        accept: 'application/json',
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(formPost ? { body: encodeParams(options.params) } : {}),
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.text === undefined ? {} : { body: options.text }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiFailure(name, 0, 'unreachable', error instanceof Error ? error.message : String(error));
  }
  const text = await response.text();
  if (response.ok) return text;
  throw failureOf(name, response.status, response.statusText, text);
}

function failureOf(name: string, status: number, statusText: string, text: string): ApiFailure {
  try {
    const body = JSON.parse(text) as { error?: string; errorType?: string; message?: string } | string;
    if (typeof body === 'string') return new ApiFailure(name, status, 'error', body);
    const message = body.error ?? body.message;
    if (message !== undefined) return new ApiFailure(name, status, body.errorType ?? 'error', message);
  } catch {
    // Not JSON: a proxy's page or plain text; its first line says more than nothing.
  }
  const plain = text.startsWith('<') ? '' : text.trim().slice(0, 300);
  return new ApiFailure(name, status, 'error', plain || `${status} ${statusText}`);
}

function parse<T>(text: string, name: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ApiFailure(name, 200, 'malformed', `${name}: the answer is not JSON: ${text.slice(0, 80)}`);
  }
}

/** Plain JSON, as Alertmanager and the dashboards' API answer. */
export async function plain<T>(path: string, options?: RequestOptions): Promise<T> {
  const text = await send(path, options);
  return (text === '' ? undefined : parse<T>(text, path)) as T;
}

/** Prometheus' envelope, with warnings and what the answer cost to get. */
export async function ask<T>(path: string, options?: RequestOptions): Promise<Envelope<T>> {
  const started = performance.now();
  const text = await send(path, options);
  const body = parse<{ data: T; warnings?: string[]; infos?: string[] }>(text, path);
  return {
    data: body.data,
    warnings: body.warnings ?? [],
    infos: body.infos ?? [],
    tookMs: performance.now() - started,
    bytes: text.length,
  };
}

/** The data of an envelope alone. */
export async function get<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> {
  return (await ask<T>(path, { ...(params ? { params } : {}), ...(signal ? { signal } : {}) })).data;
}

/** Alone it answers where its namesake does, inside the server below its name. */
export const ALERTMANAGER = ROLE === 'alertmanager' ? '/api/v2' : '/alertmanager/api/v2';
export const VIEW = '/api/v1/view';
