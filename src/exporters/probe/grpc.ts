// The grpc prober: one call of grpc.health.v1.Health/Check over HTTP/2. The messages are so small that they are written and read by
// hand: a request has field 1, the service; an answer has field 1, the status.

import http2 from 'node:http2';
import net from 'node:net';
import { opened, secure } from './certificates.ts';
import type { GrpcModule } from './modules.ts';
import { type ProbeContext, resolveHost } from './probe.ts';

const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const SERVING = 1;
const OK = 0;
const UNAVAILABLE = 14;
const MAX_ANSWER_BYTES = 65_536;

export async function probeGrpc(module: GrpcModule, target: string, context: ProbeContext): Promise<boolean> {
  const { clock, page, signal, note } = context;
  const url = new URL(/^https?:\/\//.test(target) ? target : `http://${target}`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const phase = (name: string, ms: number) =>
    page.gauge('probe_grpc_duration_seconds', 'Duration of the probe by phase.', ms / 1000, ['phase', name]);
  const started = clock.monotonic();
  const address = await resolveHost(host, module, context);
  const resolved = clock.monotonic();
  phase('resolve', resolved - started);
  page.gauge('probe_grpc_ssl', 'Whether the call went over TLS.', module.tls ? 1 : 0);
  let socket: net.Socket = net.connect({ host: address, port: Number(url.port || (module.tls ? 443 : 80)) });
  const destroy = () => socket.destroy();
  signal.addEventListener('abort', destroy, { once: true });
  let answer: { code: number; status: number | undefined; message: string };
  try {
    await opened(socket, 'connect');
    if (module.tls) socket = await secure(socket, module.tls_config, host, context, ['h2']);
    answer = await check(module, socket, `${module.tls ? 'https' : 'http'}://${url.host}`);
  } catch (error) {
    answer = { code: UNAVAILABLE, status: undefined, message: String(error) };
  } finally {
    signal.removeEventListener('abort', destroy);
    socket.destroy();
  }
  phase('check', clock.monotonic() - resolved);
  const { code, status, message } = answer;
  for (const [number, name] of STATUSES.entries())
    page.gauge('probe_grpc_healthcheck_response', 'What the health check answered.', number === status ? 1 : 0, [
      'serving_status',
      name,
    ]);
  page.gauge('probe_grpc_status_code', 'Status code of the call.', code);
  note(`status code ${code} ${message}, ${status === undefined ? 'no answer' : STATUSES[status]}`);
  return code === OK && status === SERVING;
}

function check(
  module: GrpcModule,
  socket: net.Socket,
  origin: string,
): Promise<{ code: number; status: number | undefined; message: string }> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(origin, { createConnection: () => socket });
    session.on('error', reject);
    const metadata = Object.fromEntries(
      Object.entries(module.metadata).map(([name, values]) => [name.toLowerCase(), [...values]] as const),
    );
    const stream = session.request({
      ...metadata,
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const service = Buffer.from(module.service);
    const message = service.length === 0 ? service : Buffer.concat([Buffer.from([10, service.length]), service]);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    let headers: http2.IncomingHttpHeaders = {};
    let body = Buffer.alloc(0);
    stream.on('response', (got) => {
      headers = { ...headers, ...got };
    });
    stream.on('trailers', (got) => {
      headers = { ...headers, ...got };
    });
    stream.on('data', (chunk: Buffer) => {
      if (body.length < MAX_ANSWER_BYTES) body = Buffer.concat([body, chunk]);
    });
    stream.on('error', reject);
    stream.on('end', () => {
      session.close();
      const code = Number(headers['grpc-status'] ?? UNAVAILABLE);
      const text = decodeURIComponent(String(headers['grpc-message'] ?? ''));
      resolve({ code, status: code === OK ? statusOf(body.subarray(5)) : undefined, message: text });
    });
    stream.end(Buffer.concat([head, message]));
  });
}

/** Absent is 0. */
const statusOf = (message: Buffer): number => (message.length >= 2 && message[0] === 8 ? message[1]! : 0);
