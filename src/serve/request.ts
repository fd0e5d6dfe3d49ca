// From an exchange to a handler's request: query string and form fields in one place, the body read once, inflated, within its limit.

import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { type Exchange, tooLargeFor } from './exchange.ts';
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
  exchange: Exchange,
  target: Target,
  user: string | undefined,
  maxBodyBytes: number,
  client: { readonly signal: AbortSignal },
): HttpRequest | Promise<HttpRequest> {
  const built = new Incoming(exchange, target, user, maxBodyBytes, client);
  const type = exchange.headers['content-type'];
  if (exchange.method === 'POST' && type?.startsWith('application/x-www-form-urlencoded') && !target.route.rawForm) {
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
  readonly #exchange: Exchange;
  readonly #client: { readonly signal: AbortSignal };
  readonly #limit: number;
  #body: Promise<Buffer> | undefined;

  constructor(
    exchange: Exchange,
    { route, params, path, search }: Target,
    user: string | undefined,
    maxBodyBytes: number,
    client: { readonly signal: AbortSignal },
  ) {
    this.#exchange = exchange;
    this.#client = client;
    this.#limit = route.maxBodyBytes ?? maxBodyBytes;
    this.method = exchange.method;
    this.path = path;
    this.params = params;
    this.query = new URLSearchParams(search);
    this.headers = exchange.headers;
    this.user = user;
  }

  get remoteAddress(): string {
    return this.#exchange.remoteAddress;
  }

  get connection(): object {
    return this.#exchange.connection;
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
    this.#body ??= readBody(this.#exchange, limit);
    return this.#body;
  }
}

async function readBody(exchange: Exchange, limit: number): Promise<Buffer> {
  const tooLarge = () => tooLargeFor(limit);
  if (Number(exchange.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const raw = await exchange.read(limit);
  const encoding = exchange.headers['content-encoding']?.trim().toLowerCase();
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
