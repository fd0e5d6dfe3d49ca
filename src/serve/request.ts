// From Node's request to ours: query string and form fields in one place, the body read once, inflated, within its limit.

import type http from 'node:http';
import type http2 from 'node:http2';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { ApiError, type HttpRequest, type Route } from './http.ts';

const inflaters: Readonly<Record<string, (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>>> = {
  gzip: promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip),
  deflate: promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflate),
  zstd: promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress),
  br: promisify<Buffer, zlib.BrotliOptions, Buffer>(zlib.brotliDecompress),
};
/** Fields of a form are text for a person or a query; more is an attack. */
const MAX_FORM_BYTES = 10 * 1024 * 1024;

type Target = {
  readonly route: Route;
  readonly params: Record<string, string>;
  readonly path: string;
  readonly search: string;
};

/** At once where no form has to be read first. */
export function buildRequest(
  request: http.IncomingMessage | http2.Http2ServerRequest,
  target: Target,
  user: string | undefined,
  maxBodyBytes: number,
  client: { readonly signal: AbortSignal },
): HttpRequest | Promise<HttpRequest> {
  const built = new Incoming(request, target, user, maxBodyBytes, client);
  const type = request.headers['content-type'];
  if (request.method === 'POST' && type?.startsWith('application/x-www-form-urlencoded') && !target.route.rawForm) {
    return built.withForm();
  }
  return built;
}

class Incoming implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly params: Record<string, string>;
  readonly query: URLSearchParams;
  readonly headers: HttpRequest['headers'];
  readonly user: string | undefined;
  readonly #request: http.IncomingMessage | http2.Http2ServerRequest;
  readonly #client: { readonly signal: AbortSignal };
  readonly #limit: number;
  #body: Promise<Buffer> | undefined;

  constructor(
    request: http.IncomingMessage | http2.Http2ServerRequest,
    { route, params, path, search }: Target,
    user: string | undefined,
    maxBodyBytes: number,
    client: { readonly signal: AbortSignal },
  ) {
    this.#request = request;
    this.#client = client;
    this.#limit = route.maxBodyBytes ?? maxBodyBytes;
    this.method = request.method ?? 'GET';
    this.path = path;
    this.params = params;
    this.query = new URLSearchParams(search);
    this.headers = request.headers;
    this.user = user;
  }

  get remoteAddress(): string {
    return this.#request.socket.remoteAddress ?? '';
  }

  get signal(): AbortSignal {
    return this.#client.signal;
  }

  body(): Promise<Buffer> {
    return this.#readOnce(this.#limit);
  }

  async withForm(): Promise<HttpRequest> {
    const form = new URLSearchParams((await this.#readOnce(MAX_FORM_BYTES)).toString('utf8'));
    for (const [name, value] of form) this.query.append(name, value);
    return this;
  }

  #readOnce(limit: number): Promise<Buffer> {
    this.#body ??= readBody(this.#request, limit);
    return this.#body;
  }
}

async function readBody(request: http.IncomingMessage | http2.Http2ServerRequest, limit: number): Promise<Buffer> {
  const tooLarge = () => new ApiError('too_large', `the request body is larger than ${limit} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) throw tooLarge();
    chunks.push(chunk);
  }
  const raw = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
  const encoding = request.headers['content-encoding']?.trim().toLowerCase();
  // Snappy belongs to the protocols that use it: their handlers decode it.
  if (!encoding || encoding === 'identity' || encoding === 'snappy') return raw;
  const inflate = inflaters[encoding];
  if (!inflate) throw new ApiError('bad_data', `cannot decode the request body: unknown content encoding ${encoding}`);
  try {
    return await inflate(raw, { maxOutputLength: limit });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge();
    throw new ApiError('bad_data', `cannot decode the request body as ${encoding}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
