// From Node's request to ours: query string and form fields in one place, the body read once, inflated, within its limit.

import type http from 'node:http';
import type http2 from 'node:http2';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { OperatingError } from '#base/errors.ts';
import { ApiError, type HttpRequest, type Route } from './http.ts';

type NodeRequest = http.IncomingMessage | http2.Http2ServerRequest;

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
  request: NodeRequest,
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
  readonly #request: NodeRequest;
  readonly #client: { readonly signal: AbortSignal };
  readonly #limit: number;
  #body: Promise<Buffer> | undefined;

  constructor(
    request: NodeRequest,
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

  get connection(): object {
    return 'stream' in this.#request ? (this.#request.stream.session ?? this.#request) : this.#request.socket;
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

/** Bodies up to this size get their memory when they are announced, and are copied once. */
const MAX_AHEAD_BYTES = 1024 * 1024;

const tooLargeFor = (limit: number) => new ApiError('too_large', `the request body is larger than ${limit} bytes`);

/** By events: an iterator over a stream costs more than the body of most requests. */
function readRaw(request: NodeRequest, limit: number): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? Number.NaN);
  const whole = announced <= Math.min(limit, MAX_AHEAD_BYTES) ? Buffer.from(new ArrayBuffer(announced)) : undefined;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      const before = length;
      length += chunk.length;
      if (length > limit) {
        request.removeAllListeners('data');
        request.resume();
        reject(tooLargeFor(limit));
      } else if (!whole) chunks.push(chunk);
      else if (length <= whole.length) whole.set(chunk, before);
      else reject(new ApiError('bad_data', 'the request body is longer than it was announced'));
    });
    request.on('end', () => {
      if (whole) resolve(length === whole.length ? whole : whole.subarray(0, length));
      else resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length));
    });
    request.on('error', reject);
    request.on('close', () => {
      if (!request.readableEnded) reject(new OperatingError('canceled', 'the client has gone away'));
    });
  });
}

async function readBody(request: NodeRequest, limit: number): Promise<Buffer> {
  const tooLarge = () => tooLargeFor(limit);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const raw = await readRaw(request, limit);
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
