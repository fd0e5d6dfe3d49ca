// Sends encoded spans to a collector, by OTLP over HTTP or over gRPC. A failure says whether trying again makes sense.

import http2 from 'node:http2';
import { gzipSync } from 'node:zlib';
import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorCode, errorText, OperatingError } from '#base/errors.ts';
import { createHttpClient } from '../http/client.ts';
import { DEFAULT_HTTP_CLIENT } from '../http/config.ts';
import { tlsOptions } from '../http/tls.ts';
import type { TracingConfig } from './config.ts';

export type SpanExporter = {
  /** Rejects with code `again` when the collector may take the same spans later. */
  send(body: Uint8Array): Promise<void>;
  close(): void;
};

export type ExporterParts = {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly environment: Readonly<Record<string, string | undefined>>;
};

const MAX_REPLY_BYTES = 64 * 1024;
const HTTP_AGAIN = [429, 502, 503, 504];
const GRPC_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
/** Cancelled, deadline exceeded, resource exhausted, aborted, out of range, unavailable, data loss. */
const GRPC_AGAIN = [1, 4, 8, 10, 11, 14, 15];

export function createExporter(config: TracingConfig, parts: ExporterParts): SpanExporter {
  const base = /^https?:\/\//.test(config.endpoint)
    ? config.endpoint.replace(/\/+$/, '')
    : `${config.insecure ? 'http' : 'https'}://${config.endpoint}`;
  if (!URL.canParse(base)) {
    throw new OperatingError('endpoint', `cannot send spans: ${JSON.stringify(config.endpoint)} is no host:port`);
  }
  return config.protocol === 'http' ? overHttp(base, config, parts) : new GrpcExporter(base, config, parts);
}

function overHttp(base: string, config: TracingConfig, parts: ExporterParts): SpanExporter {
  const client = createHttpClient({ ...DEFAULT_HTTP_CLIENT, ...(config.tls ? { tls: config.tls } : {}) }, parts);
  return {
    async send(body) {
      const reply = await client
        .call({
          url: `${base}/v1/traces`,
          method: 'POST',
          headers: {
            ...config.headers,
            'content-type': 'application/x-protobuf',
            ...(config.gzip ? { 'content-encoding': 'gzip' } : {}),
          },
          body: config.gzip ? gzipSync(body) : body,
          timeoutMs: config.timeoutMs,
          maxBodyBytes: MAX_REPLY_BYTES,
        })
        .catch((error: unknown) => {
          throw new OperatingError('again', errorText(error), { cause: error });
        });
      if (reply.status >= 200 && reply.status < 300) return;
      throw new OperatingError(
        HTTP_AGAIN.includes(reply.status) ? 'again' : 'refused',
        `the collector answered ${reply.status}: ${reply.body.toString('utf8', 0, 200).trim()}`,
      );
    },
    close: () => client.close(),
  };
}

class GrpcExporter implements SpanExporter {
  readonly #base: string;
  readonly #config: TracingConfig;
  readonly #parts: ExporterParts;
  #session: http2.ClientHttp2Session | undefined;

  constructor(base: string, config: TracingConfig, parts: ExporterParts) {
    this.#base = base;
    this.#config = config;
    this.#parts = parts;
  }

  async send(body: Uint8Array): Promise<void> {
    const { gzip, headers, timeoutMs } = this.#config;
    const message = gzip ? gzipSync(body) : body;
    const framed = Buffer.alloc(5 + message.length);
    framed[0] = gzip ? 1 : 0;
    framed.writeUInt32BE(message.length, 1);
    framed.set(message, 5);
    try {
      const { status, message: said } = await this.#call(framed, {
        ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
        ':method': 'POST',
        ':path': GRPC_PATH,
        'content-type': 'application/grpc',
        te: 'trailers',
        'grpc-timeout': `${Math.ceil(timeoutMs)}m`,
        ...(gzip ? { 'grpc-encoding': 'gzip' } : {}),
      });
      if (status === 0) return;
      const code = GRPC_AGAIN.includes(status) ? 'again' : 'refused';
      throw new OperatingError(code, `the collector answered with gRPC status ${status}: ${said}`);
    } catch (error) {
      if (errorCode(error) === 'refused' || errorCode(error) === 'again') throw error;
      throw new OperatingError('again', errorText(error), { cause: error });
    }
  }

  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #call(
    body: Uint8Array,
    headers: http2.OutgoingHttpHeaders,
  ): Promise<{ readonly status: number; readonly message: string }> {
    const session = this.#connected();
    return new Promise((resolve, reject) => {
      const stream = session.request(headers);
      const timer = this.#parts.clock.after(this.#config.timeoutMs, () => {
        stream.close(http2.constants.NGHTTP2_CANCEL);
        reject(new OperatingError('timeout', 'context deadline exceeded'));
      });
      let told: http2.IncomingHttpHeaders = {};
      const note = (found: http2.IncomingHttpHeaders) => {
        told = { ...told, ...found };
      };
      // A collector that refuses at once has the status in its headers, others in the trailers.
      stream.on('response', note);
      stream.on('trailers', note);
      stream.on('error', reject);
      stream.on('close', () => {
        timer.cancel();
        const status = told['grpc-status'];
        if (status === undefined) reject(new Error(`no gRPC status with HTTP status ${told[':status'] ?? 'none'}`));
        else resolve({ status: Number(status), message: decodeURIComponent(String(told['grpc-message'] ?? '')) });
      });
      stream.resume();
      stream.end(body);
    });
  }

  #connected(): http2.ClientHttp2Session {
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const { disk } = this.#parts;
    const session = http2.connect(this.#base, tlsOptions(this.#config.tls, disk));
    // Failures are told by the calls that they end.
    session.on('error', () => session.destroy());
    session.unref();
    this.#session = session;
    return session;
  }
}
