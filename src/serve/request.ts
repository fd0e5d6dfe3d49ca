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

export async function buildRequest(
  request: http.IncomingMessage | http2.Http2ServerRequest,
  target: Target,
  user: string | undefined,
  maxBodyBytes: number,
  signal: AbortSignal,
): Promise<HttpRequest> {
  const query = new URLSearchParams(target.search);
  let body: Promise<Buffer> | undefined;
  const readOnce = (limit: number) => {
    body ??= readBody(request, limit);
    return body;
  };
  const type = request.headers['content-type'];
  if (request.method === 'POST' && type?.startsWith('application/x-www-form-urlencoded') && !target.route.rawForm) {
    const form = new URLSearchParams((await readOnce(MAX_FORM_BYTES)).toString('utf8'));
    for (const [name, value] of form) query.append(name, value);
  }
  return {
    method: request.method ?? 'GET',
    path: target.path,
    params: target.params,
    query,
    headers: request.headers,
    remoteAddress: request.socket.remoteAddress ?? '',
    user,
    body: () => readOnce(target.route.maxBodyBytes ?? maxBodyBytes),
    signal,
  };
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
