// The websocket prober: upgrades an HTTP/1.1 connection and walks through a conversation of text messages (RFC 6455).

import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { configuredHeaders } from '#clients/http/auth.ts';
import { httpClientFrom } from '#clients/http/config.ts';
import { opened, secure } from './certificates.ts';
import { expand, expectLine } from './conversation.ts';
import type { WebsocketModule } from './modules.ts';
import { type ProbeContext, resolveHost } from './probe.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MAX_MESSAGE_BYTES = 1024 * 1024;
const SWITCHING_PROTOCOLS = 101;

export async function probeWebsocket(module: WebsocketModule, target: string, context: ProbeContext): Promise<boolean> {
  const { clock, page, disk, signal, note } = context;
  const url = new URL(/^wss?:\/\//i.test(target) ? target : `ws://${target}`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isTls = url.protocol === 'wss:';
  let mark = clock.monotonic();
  const phase = (name: string) => {
    const now = clock.monotonic();
    page.gauge('probe_websocket_duration_seconds', 'Duration of the probe by phase.', (now - mark) / 1000, [
      'phase',
      name,
    ]);
    mark = now;
  };
  const address = await resolveHost(host, module, context);
  phase('resolve');
  let socket: net.Socket = net.connect({ host: address, port: Number(url.port || (isTls ? 443 : 80)) });
  const destroy = () => socket.destroy();
  signal.addEventListener('abort', destroy, { once: true });
  try {
    await opened(socket, 'connect');
    if (isTls) socket = await secure(socket, module.http_config?.tls_config, host, context);
    phase('connect');
    const client = module.http_config && httpClientFrom(module.http_config, (file) => file);
    if (client?.oauth2) throw new Error('oauth2 is not available for websockets');
    const headers = { ...module.headers, ...(client ? configuredHeaders(client, disk) : {}) };
    const { status, accepted, rest } = await upgrade(socket, url, headers, signal);
    phase('upgrade');
    page.gauge('probe_websocket_status_code', 'Status of the answer.', status);
    page.gauge('probe_websocket_connection_upgraded', 'Whether the connection was upgraded.', accepted ? 1 : 0);
    if (!accepted) {
      note(`the server did not upgrade: status ${status}`);
      return false;
    }
    const messages = new Messages(socket, rest);
    let isMatched = true;
    for (const { expect, send } of module.query_response) {
      const groups = expect === '' ? [] : await expectLine({ line: () => messages.next() }, expect);
      if (groups === undefined) {
        note(`the connection ended before a message matched ${expect}`);
        isMatched = false;
        break;
      }
      const text = Buffer.from(send, 'latin1').toString('utf8');
      if (text !== '') socket.write(frame(1, Buffer.from(expand(text, groups, (group) => group))));
    }
    page.gauge(
      'probe_websocket_failed_due_to_regex',
      'Whether a regular expression made the probe fail.',
      isMatched ? 0 : 1,
    );
    socket.write(frame(8, Buffer.from([0x03, 0xe8])));
    return isMatched;
  } finally {
    signal.removeEventListener('abort', destroy);
    socket.destroy();
  }
}

function upgrade(
  socket: net.Socket,
  url: URL,
  headers: Readonly<Record<string, string | readonly string[]>>,
  signal: AbortSignal,
): Promise<{ status: number; accepted: boolean; rest: Buffer }> {
  const key = randomBytes(16).toString('base64');
  const proof = createHash('sha1')
    .update(key + GUID)
    .digest('base64');
  return new Promise((resolve, reject) => {
    const request = http.request({
      createConnection: () => socket,
      path: url.pathname + url.search,
      signal,
      headers: {
        host: url.host,
        ...(headers as http.OutgoingHttpHeaders),
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': key,
      },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, accepted: false, rest: Buffer.alloc(0) });
    });
    request.on('upgrade', (response, _socket, rest) => {
      const isProven = response.headers['sec-websocket-accept'] === proof;
      resolve({
        status: response.statusCode ?? 0,
        accepted: response.statusCode === SWITCHING_PROTOCOLS && isProven,
        rest,
      });
    });
    request.end();
  });
}

/** A client masks what it sends. */
function frame(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const masked = Buffer.from(payload.map((byte, i) => byte ^ mask[i & 3]!));
  const length =
    payload.length < 126
      ? Buffer.from([0x80 | payload.length])
      : payload.length < 65_536
        ? Buffer.from([0x80 | 126, payload.length >> 8, payload.length & 255])
        : Buffer.concat([Buffer.from([0x80 | 127, 0, 0, 0, 0]), uint32(payload.length)]);
  return Buffer.concat([Buffer.from([0x80 | opcode]), length, mask, masked]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Messages of the server, put together from their frames; pings are answered. */
class Messages {
  readonly #socket: net.Socket;
  #bytes: Buffer;
  #partial = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: net.Socket, rest: Buffer) {
    this.#socket = socket;
    this.#bytes = rest;
    const end = () => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      if (this.#bytes.length + this.#partial.length > MAX_MESSAGE_BYTES) socket.destroy();
      this.#wake?.();
    });
    for (const event of ['error', 'close', 'end']) socket.on(event, end);
  }

  /** Undefined when the connection has ended. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const got = this.#frame();
      if (got === undefined) {
        if (this.#ended) return undefined;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else if (got.opcode === 8) return undefined;
      else if (got.opcode === 9) this.#socket.write(frame(10, got.payload));
      else if (got.opcode <= 2) {
        this.#partial = Buffer.concat([this.#partial, got.payload]);
        if (!got.isLast) continue;
        const text = this.#partial.toString('utf8');
        this.#partial = Buffer.alloc(0);
        return text;
      }
    }
  }

  #frame(): { opcode: number; isLast: boolean; payload: Buffer } | undefined {
    const bytes = this.#bytes;
    if (bytes.length < 2) return undefined;
    let at = 2;
    let length = bytes[1]! & 0x7f;
    if (length >= 126) {
      const width = length === 126 ? 2 : 8;
      if (bytes.length < 2 + width) return undefined;
      length = width === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
      at += width;
    }
    if (bytes.length < at + length) return undefined;
    this.#bytes = bytes.subarray(at + length);
    return { opcode: bytes[0]! & 15, isLast: (bytes[0]! & 0x80) !== 0, payload: bytes.subarray(at, at + length) };
  }
}
