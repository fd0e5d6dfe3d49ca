// A request that Node's own servers parsed: HTTP/2, TLS, and what of HTTP/1 is not plain (chunked bodies, upgrades,
// expectations, anything malformed, which Node answers itself).

import type http from 'node:http';
import type http2 from 'node:http2';
import type { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import { OperatingError } from '#base/errors.ts';
import { BodyPieces, type Exchange, type ResponseHeaders } from './exchange.ts';

type NodeRequest = http.IncomingMessage | http2.Http2ServerRequest;
// biome-ignore lint/suspicious/noExplicitAny: the two kinds of response share these calls but no type
type NodeResponse = (http.ServerResponse | http2.Http2ServerResponse) & any;

export class NodeExchange implements Exchange {
  readonly #request: NodeRequest;
  readonly #response: NodeResponse;

  constructor(request: NodeRequest, response: NodeResponse) {
    this.#request = request;
    this.#response = response;
  }

  get method(): string {
    return this.#request.method ?? 'GET';
  }

  get url(): string {
    return this.#request.url ?? '/';
  }

  get headers(): http.IncomingHttpHeaders {
    return this.#request.headers;
  }

  get remoteAddress(): string {
    return this.#request.socket.remoteAddress ?? '';
  }

  get connection(): object {
    return 'stream' in this.#request ? (this.#request.stream.session ?? this.#request) : this.#request.socket;
  }

  get peerNames(): readonly string[] {
    const certificate = (this.#request.socket as TLSSocket).getPeerCertificate?.();
    return certificate?.subjectaltname?.split(', ').map((name) => name.replace(/^[^:]+:/, '')) ?? [];
  }

  /** By events: an iterator over a stream costs more than the body of most requests. */
  read(limit: number): Promise<Buffer> {
    const request = this.#request;
    const pieces = new BodyPieces(limit, Number(request.headers['content-length'] ?? Number.NaN));
    return new Promise((resolve, reject) => {
      request.on('data', (piece: Buffer) => {
        try {
          pieces.add(piece);
        } catch (error) {
          request.removeAllListeners('data');
          request.resume();
          reject(error);
        }
      });
      request.on('end', () => resolve(pieces.whole()));
      request.on('error', reject);
      request.on('close', () => {
        if (!request.readableEnded) reject(new OperatingError('canceled', 'the client has gone away'));
      });
    });
  }

  whenGone(callback: () => void): void {
    this.#response.on('close', () => {
      if (!this.#response.writableFinished) callback();
    });
  }

  send(
    status: number,
    headers: ResponseHeaders,
    body: string | Uint8Array | undefined,
    bytes: number | undefined,
  ): void {
    this.#head(status, bytes === undefined ? headers : { ...headers, 'content-length': String(bytes) });
    // A text goes out in one write with the headers, bytes would be a second one.
    this.#response.end(body);
  }

  async stream(status: number, headers: ResponseHeaders, body: readonly [Readable, ...Transform[]]): Promise<number> {
    this.#head(status, headers);
    let sentBytes = 0;
    const meter = async function* (chunks: AsyncIterable<string | Uint8Array>) {
      for await (const chunk of chunks) {
        sentBytes += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.length;
        yield chunk;
      }
    };
    await pipeline([...body, meter, this.#response]);
    return sentBytes;
  }

  cut(): void {
    this.#response.destroy?.();
  }

  #head(status: number, headers: ResponseHeaders): void {
    // HTTP/2 has no such header: its connections are closed otherwise.
    const { connection, ...others } = headers;
    this.#response.writeHead(status, this.#request.httpVersionMajor === 2 || !connection ? others : headers);
  }
}
