// Fetches a target's page: one HTTP call, then the content encoding taken off, each within its limit, so that an endless
// body or a bomb costs a bounded amount of memory and harms nobody else.

import zlib from 'node:zlib';
import { errorCode, OperatingError } from '#base/errors.ts';
import type { HttpCall, HttpClient, HttpReply, PreparedCall } from '#clients/http/client.ts';
import { tooLarge } from '#clients/http/reply.ts';
import { formatValue } from '#model/value.ts';
import { acceptHeader } from '#wire/exposition/formats.ts';
import type { Inflater } from './inflate.ts';
import type { JobSpec, TargetSpec } from './spec.ts';

/** The largest page read when the job sets no body_size_limit. */
export const MAX_PAGE_BYTES = 512 * 1024 * 1024;

export type Page = { readonly body: Uint8Array; readonly contentType: string | undefined };

/** Either a page or the error for the targets page. */
export type PageDone = (error: unknown, page: Page | undefined, source: PageSource) => void;

/** The way to one target's page: what is the same in every scrape is worked out once. */
export class PageSource {
  readonly #client: HttpClient;
  readonly #inflater: Inflater;
  readonly #call: HttpCall;
  readonly #prepared: PreparedCall | undefined;
  readonly #limitBytes: number;
  /** Size of the last page, for inflating the next. */
  #sizeHint = 0;

  constructor(client: HttpClient, inflater: Inflater, job: JobSpec, target: TargetSpec) {
    this.#client = client;
    this.#inflater = inflater;
    this.#limitBytes = job.limits.bodySizeBytes || MAX_PAGE_BYTES;
    this.#call = {
      url: target.url,
      headers: {
        accept: acceptHeader(job.protocols, job.escaping),
        'accept-encoding': job.enableCompression ? 'gzip,zstd,deflate' : 'identity',
        'x-prometheus-scrape-timeout-seconds': formatValue(target.timeoutMs / 1000),
      },
      timeoutMs: target.timeoutMs,
      // A page of exactly the limit is too large as well.
      maxBodyBytes: this.#limitBytes - 1,
      ...(target.socketPath ? { socketPath: target.socketPath } : {}),
    };
    this.#prepared = client.prepare(this.#call);
  }

  /** The callback is never called before this returns. `traceParent`: the span that the request belongs to. */
  read(done: PageDone, traceParent?: string): void {
    const settle = (error: Error | undefined, reply: HttpReply | undefined) => {
      let page: Page;
      try {
        if (!reply) throw this.#worded(error);
        page = this.#pageOf(reply);
      } catch (failure) {
        done(failure, undefined, this);
        return;
      }
      done(undefined, page, this);
    };
    if (this.#prepared && traceParent === undefined) this.#prepared.begin(settle);
    else {
      const call = traceParent === undefined ? this.#call : withHeader(this.#call, 'traceparent', traceParent);
      this.#client.call(call).then(
        (reply) => settle(undefined, reply),
        (error) => settle(error, undefined),
      );
    }
  }

  /** Gives the page's memory back. */
  recycle(page: Page): void {
    this.#client.recycle(page.body);
  }

  #worded(error: unknown): unknown {
    const code = errorCode(error);
    if (code === 'body_too_large') return error;
    const message = `Get ${JSON.stringify(this.#call.url)}: ${messageOf(error)}`;
    return new OperatingError(code ?? 'network', message, { cause: error });
  }

  #pageOf(reply: HttpReply): Page {
    if (reply.status !== 200) {
      this.#client.recycle(reply.body);
      const text = reply.statusText || STATUS_TEXTS[reply.status] || '';
      throw new OperatingError('status', `server returned HTTP status ${reply.status}${text ? ` ${text}` : ''}`);
    }
    const encoding = reply.headers.get('content-encoding')?.trim().toLowerCase() ?? '';
    const body = this.#decoded(reply.body, encoding);
    if (body !== reply.body) this.#client.recycle(reply.body);
    if (body.length > 0) this.#sizeHint = body.length;
    return { body, contentType: reply.headers.get('content-type') };
  }

  #decoded(body: Buffer, encoding: string): Uint8Array {
    const page = encoding === 'gzip' ? this.#inflater.gunzip(body) : undefined;
    if (page && page.length >= this.#limitBytes) throw tooLarge();
    return page ?? decode(body, encoding, this.#limitBytes, this.#sizeHint);
  }
}

const withHeader = (call: HttpCall, name: string, value: string): HttpCall => ({
  ...call,
  headers: { ...call.headers, [name]: value },
});

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

function decode(body: Buffer, encoding: string, limit: number, sizeHint: number): Uint8Array {
  // One chunk that holds the whole page saves growing and joining.
  const options = { maxOutputLength: limit - 1, chunkSize: Math.max(16_384, Math.min(sizeHint + 4096, 1 << 26)) };
  try {
    switch (encoding) {
      case '':
      case 'identity':
        return body;
      case 'gzip':
      case 'x-gzip':
        return zlib.gunzipSync(body, options);
      case 'deflate':
        // Some servers send raw deflate under this name.
        return (body[0]! & 0x0f) === 8 ? zlib.inflateSync(body, options) : zlib.inflateRawSync(body, options);
      case 'zstd':
        return zlib.zstdDecompressSync(body, options);
    }
  } catch (error) {
    if (errorCode(error) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw new OperatingError('encoding', `${encoding}: ${decodeText(error)}`, { cause: error });
  }
  throw new OperatingError('encoding', `unsupported Content-Encoding ${JSON.stringify(encoding)}`);
}

const decodeText = (error: unknown) =>
  errorCode(error) === 'Z_BUF_ERROR' ? 'unexpected EOF' : messageOf(error) || 'invalid data';

/** Without the causes: the message already says in Prometheus' words what the system said in its own. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
