// From our response to bytes on the wire: compression as the client accepts it, streams as they come, nothing for HEAD.

import { Readable } from 'node:stream';
import zlib from 'node:zlib';
import type { Exchange } from './exchange.ts';
import type { HttpResponse } from './http.ts';

/** Smaller answers are not worth compressing. */
const MIN_COMPRESSED_BYTES = 1024;
/** Not events: a compressor would keep them back. */
const COMPRESSIBLE =
  /^(text\/(?!event-stream)|application\/(json|javascript|openmetrics-text|xml|vnd\.apache\.arrow)|image\/svg)/;

/** How many bytes the body had on the way; a promise only where something has to be waited for. */
export function sendResponse(
  exchange: Exchange,
  answer: HttpResponse,
  common: Readonly<Record<string, string>>,
): Promise<number> | number {
  const { body, status } = answer;
  const headers: Record<string, string | readonly string[]> = { ...common, ...answer.headers };
  const isText = typeof body === 'string';
  const isStream = body !== undefined && !isText && !(body instanceof Uint8Array);
  const length = isStream || body === undefined ? 0 : isText ? Buffer.byteLength(body) : body.length;
  const wanted =
    headers['content-encoding'] === undefined &&
    isCompressible(headers) &&
    (isStream || length >= MIN_COMPRESSED_BYTES);
  const encoding = wanted ? acceptedEncoding(exchange.headers['accept-encoding']) : undefined;
  if (wanted) headers['vary'] = [headers['vary'], 'Accept-Encoding'].flat().filter(Boolean).join(', ');
  if (encoding) headers['content-encoding'] = encoding;

  if (exchange.method === 'HEAD' || status === 204 || status === 304) {
    exchange.send(status, headers, undefined, undefined);
    return 0;
  }
  if (isStream) {
    const source = body instanceof Readable ? body : Readable.from(body as AsyncIterable<string | Uint8Array>);
    return exchange.stream(status, headers, encoding ? [source, compressor(encoding)] : [source]);
  }
  const send = (sent: string | Uint8Array | undefined, bytes: number) => {
    exchange.send(status, headers, sent, bytes);
    return bytes;
  };
  if (!encoding || body === undefined) return send(body, length);
  return compress(isText ? Buffer.from(body) : body, encoding).then((small) => send(small, small.length));
}

const isCompressible = (headers: Readonly<Record<string, string | readonly string[]>>): boolean =>
  COMPRESSIBLE.test(String(headers['content-type'] ?? ''));

type Encoding = 'gzip' | 'zstd';

function acceptedEncoding(header: string | string[] | undefined): Encoding | undefined {
  const accepted = new Map<string, number>();
  for (const part of String(header ?? '')
    .toLowerCase()
    .split(',')) {
    const [name = '', ...parameters] = part.trim().split(/\s*;\s*/);
    const quality = parameters.find((p) => p.startsWith('q='));
    accepted.set(name, quality === undefined ? 1 : Number(quality.slice(2)) || 0);
  }
  const quality = (name: Encoding) => accepted.get(name) ?? accepted.get('*') ?? 0;
  if (quality('zstd') > 0 && quality('zstd') >= quality('gzip')) return 'zstd';
  return quality('gzip') > 0 ? 'gzip' : undefined;
}

const compressor = (encoding: Encoding) =>
  encoding === 'zstd' ? zlib.createZstdCompress() : zlib.createGzip({ level: 1 });

function compress(bytes: Uint8Array, encoding: Encoding): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, result: Buffer) => (error ? reject(error) : resolve(result));
    if (encoding === 'zstd') zlib.zstdCompress(bytes, done);
    else zlib.gzip(bytes, { level: 1 }, done);
  });
}
