// From our response to bytes on the wire: compression as the client accepts it, streams as they come, nothing for HEAD.

import type http from 'node:http';
import type http2 from 'node:http2';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import type { HttpResponse } from './http.ts';

/** Smaller answers are not worth compressing. */
const MIN_COMPRESSED_BYTES = 1024;
/** Not events: a compressor would keep them back. */
const COMPRESSIBLE =
  /^(text\/(?!event-stream)|application\/(json|javascript|openmetrics-text|xml|vnd\.apache\.arrow)|image\/svg)/;

type NodeResponse = http.ServerResponse | http2.Http2ServerResponse;

/** How many bytes the body had on the way; a promise only where something has to be waited for. */
export function sendResponse(
  request: http.IncomingMessage | http2.Http2ServerRequest,
  // biome-ignore lint/suspicious/noExplicitAny: the two kinds of response share these calls but no type
  response: NodeResponse & any,
  answer: HttpResponse,
  common: Readonly<Record<string, string>>,
): Promise<number> | number {
  const { body } = answer;
  const headers: Record<string, string | readonly string[]> = { ...common, ...answer.headers };
  if (request.httpVersionMajor === 2) delete headers['connection'];
  const isText = typeof body === 'string';
  const isStream = body !== undefined && !isText && !(body instanceof Uint8Array);
  const length = isStream || body === undefined ? 0 : isText ? Buffer.byteLength(body) : body.length;
  const wanted =
    headers['content-encoding'] === undefined &&
    isCompressible(headers) &&
    (isStream || length >= MIN_COMPRESSED_BYTES);
  const encoding = wanted ? acceptedEncoding(request.headers['accept-encoding']) : undefined;
  if (wanted) headers['vary'] = [headers['vary'], 'Accept-Encoding'].flat().filter(Boolean).join(', ');
  if (encoding) headers['content-encoding'] = encoding;

  if (request.method === 'HEAD') {
    response.writeHead(answer.status, headers);
    response.end();
    return 0;
  }
  if (isStream) {
    const source = body instanceof Readable ? body : Readable.from(body as AsyncIterable<string | Uint8Array>);
    response.writeHead(answer.status, headers);
    let sentBytes = 0;
    const meter = async function* (chunks: AsyncIterable<string | Uint8Array>) {
      for await (const chunk of chunks) {
        sentBytes += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.length;
        yield chunk;
      }
    };
    const through = encoding
      ? pipeline(source, compressor(encoding), meter, response)
      : pipeline(source, meter, response);
    return through.then(() => sentBytes);
  }
  const send = (sent: string | Uint8Array | undefined, bytes: number) => {
    if (answer.status !== 204 && answer.status !== 304) headers['content-length'] = String(bytes);
    response.writeHead(answer.status, headers);
    // A text goes out in one write with the headers, bytes would be a second one.
    response.end(sent);
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
