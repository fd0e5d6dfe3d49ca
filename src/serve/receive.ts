// Where samples are sent in over HTTP: remote write, OTLP, Influx' line protocol, collectd's JSON. The main thread only reads
// the body and hands it to a shard's thread, which decodes it; a receiver that is not switched on says by which flag or
// section it would be.

import type { Answer, Received } from '#collect/receive/exchange.ts';
import { type HttpRequest, type HttpResponse, type Route, text } from './http.ts';

export type ReceiveParts = {
  /** --web.enable-remote-write-receiver */
  readonly remoteWrite: boolean;
  /** --web.enable-otlp-receiver */
  readonly otlp: boolean;
  /** What the configuration file's section `receive` switches on, now. */
  readonly sections: () => { readonly influx: boolean; readonly collectd: boolean };
  /** Hands a request to a thread that decodes it. */
  readonly receive: (request: Received, connection: object | undefined) => Promise<Answer>;
};

/** Header fields that receivers look at. */
const PASSED = [
  'content-type',
  'content-encoding',
  'user-agent',
  'x-prometheus-remote-write-version',
  'x-forwarded-for',
] as const;

export function receiveRoutes(parts: ReceiveParts): readonly Route[] {
  const hand = async (request: HttpRequest, path: string): Promise<HttpResponse> => {
    const headers: Record<string, string> = {};
    for (const name of PASSED) {
      const value = request.headers[name];
      if (typeof value === 'string') headers[name] = value;
    }
    // What is not snappy has been inflated already; remote write takes nothing else, which its receiver says.
    if (headers['content-encoding'] !== 'snappy' && path !== '/api/v1/write') delete headers['content-encoding'];
    const raw = await request.body();
    const body = new Uint8Array(raw.buffer as ArrayBuffer, raw.byteOffset, raw.byteLength);
    const reply = await parts.receive({ path, query: request.query.toString(), headers, body }, request.connection);
    return reply.body === ''
      ? { status: reply.status, headers: reply.headers }
      : { status: reply.status, headers: reply.headers, body: reply.body };
  };
  const route = (pattern: string, path: string, enabled: () => boolean, otherwise: string): Route => ({
    methods: ['POST'],
    pattern,
    role: 'write',
    rawForm: true,
    handler: (request) => (enabled() ? hand(request, path) : text(`${otherwise}\n`, 404)),
  });
  const section = (name: string) =>
    `the receiver needs to be enabled by section receive.${name} of the configuration file`;
  const influx = () => parts.sections().influx;
  return [
    route(
      '/api/v1/write',
      '/api/v1/write',
      () => parts.remoteWrite,
      'remote write receiver needs to be enabled with --web.enable-remote-write-receiver',
    ),
    route(
      '/api/v1/otlp/v1/metrics',
      '/api/v1/otlp/v1/metrics',
      () => parts.otlp,
      'otlp write receiver needs to be enabled with --web.enable-otlp-receiver',
    ),
    ...['', '/influx'].flatMap((prefix) => [
      route(`${prefix}/write`, '/write', influx, section('influx')),
      route(`${prefix}/api/v2/write`, '/api/v2/write', influx, section('influx')),
    ]),
    ...['/influx/ping', '/ping'].map(
      (pattern): Route => ({
        methods: ['GET', 'HEAD'],
        pattern,
        handler: () =>
          influx() ? { status: 204, headers: { 'x-influxdb-version': '1.8.0' } } : text(`${section('influx')}\n`, 404),
      }),
    ),
    route('/collectd', '/collectd', () => parts.sections().collectd, section('collectd')),
  ];
}
