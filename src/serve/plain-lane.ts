// HTTP/1.1 for the requests that nearly all are: the whole head in one piece, every header once, a length instead of
// chunks. They are read and answered on the socket itself, at a third of what Node's server costs. Whatever is not
// exactly that is handed to Node's server with its first byte, so this file refuses nothing and guesses nothing.

import type { Socket } from 'node:net';
import { type Readable, type Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Clock, every, type Timer } from '#base/clock.ts';
import { OperatingError } from '#base/errors.ts';
import { BodyPieces, type Exchange, type ResponseHeaders } from './exchange.ts';

/** Node's own limit: longer heads are its to refuse. */
const MAX_HEAD_BYTES = 16 * 1024;
/** What may come in unread, of a body nobody asked for yet or of the next request, before the socket is paused. */
const MAX_HELD_BYTES = 64 * 1024;
/** Clients repeat their headers: blocks of them seen before are not taken apart again. */
const MAX_KNOWN_BLOCKS = 64;
const SWEEP_MS = 1000;

const REQUEST_LINE = /^([A-Z]+) (\/[!-~]*) HTTP\/1\.1$/;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const AROUND_VALUE = /^[ \t]+|[ \t]+$/g;
/** What makes a request more than plain. */
const ODD_HEADERS = ['transfer-encoding', 'expect', 'upgrade', 'http2-settings', 'trailer'];
const PLAIN_CONNECTION = /^(?:keep-alive|close)$/i;
const LENGTH = /^\d{1,15}$/;
const UNFIT_FOR_HEADER = /[^\t\x20-\x7e\x80-\xff]/;

type Headers = Readonly<Record<string, string>>;

export type PlainLaneParts = {
  readonly clock: Clock;
  /** Between requests, and for a body to arrive. */
  readonly timeoutMs: number;
  readonly handle: (exchange: Exchange) => void;
  /** Node's server takes the socket; what was read of it is put back. */
  readonly handOver: (socket: Socket) => void;
  readonly statusText: (status: number) => string;
};

export class PlainLane {
  readonly parts: PlainLaneParts;
  readonly #connections = new Set<Connection>();
  readonly #blocks = new Map<string, Headers>();
  #sweep: Timer | undefined;
  #closing = false;
  #date = '';
  #dateSecond = -1;

  constructor(parts: PlainLaneParts) {
    this.parts = parts;
  }

  take(socket: Socket): void {
    this.#connections.add(new Connection(this, socket));
    this.#sweep ??= every(this.parts.clock, SWEEP_MS, () => this.#sweepNow());
  }

  /** Connections without a request end now, the others after their answer. */
  close(): void {
    this.#closing = true;
    for (const connection of this.#connections) if (connection.isIdle) connection.cut();
  }

  /** Ends them all. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  left(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size > 0) return;
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  /** Undefined: not plain. */
  headersOf(block: string): Headers | undefined {
    const known = this.#blocks.get(block);
    if (known) return known;
    const headers = parseHeaders(block);
    if (!headers) return undefined;
    if (this.#blocks.size >= MAX_KNOWN_BLOCKS) this.#blocks.clear();
    this.#blocks.set(block, headers);
    return headers;
  }

  /** Status line and headers, with the empty line that ends them. */
  head(status: number, headers: ResponseHeaders, framing: string): string {
    let head = `HTTP/1.1 ${status} ${this.parts.statusText(status)}\r\n`;
    for (const name in headers) {
      const value = headers[name]!;
      if (typeof value === 'string') head += headerLine(name, value);
      else for (const one of value) head += headerLine(name, one);
    }
    return `${head}date: ${this.#today()}\r\n${framing}\r\n`;
  }

  #today(): string {
    const second = Math.floor(this.parts.clock.now() / 1000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#date = new Date(second * 1000).toUTCString();
    }
    return this.#date;
  }

  #sweepNow(): void {
    const now = this.parts.clock.monotonic();
    for (const connection of this.#connections) if (connection.deadline <= now) connection.cut();
  }
}

function headerLine(name: string, value: string): string {
  if (UNFIT_FOR_HEADER.test(value)) {
    throw new OperatingError(
      'bad_header',
      `cannot send header ${name}: its value has a character that headers cannot have`,
    );
  }
  return `${name}: ${value}\r\n`;
}

function parseHeaders(block: string): Headers | undefined {
  const headers: Record<string, string> = Object.create(null);
  for (const line of block.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const value = line.slice(colon + 1).replace(AROUND_VALUE, '');
    if (!HEADER_NAME.test(name) || UNFIT_FOR_HEADER.test(value) || name in headers) return undefined;
    headers[name] = value;
  }
  if (!('host' in headers) || ODD_HEADERS.some((name) => name in headers)) return undefined;
  if (!PLAIN_CONNECTION.test(headers['connection'] ?? 'close')) return undefined;
  return LENGTH.test(headers['content-length'] ?? '0') ? headers : undefined;
}

/** One socket: reads a request, waits for its answer, reads the next. */
class Connection {
  readonly #lane: PlainLane;
  readonly #socket: Socket;
  /** When it is cut, unless it gets on; never while an answer is awaited. */
  deadline: number;
  #exchange: PlainExchange | undefined;
  /** Read, but not of the present request. */
  #held: Buffer | undefined;
  /** Bytes of the present body still to come. */
  #left = 0;

  constructor(lane: PlainLane, socket: Socket) {
    this.#lane = lane;
    this.#socket = socket;
    this.deadline = this.#later();
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    socket.on('error', this.#onError);
  }

  get isIdle(): boolean {
    return !this.#exchange;
  }

  cut(): void {
    this.#socket.destroy();
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#left > 0) this.#body(bytes);
    else if (this.#exchange) this.#hold(bytes);
    else this.#request(bytes);
  };

  /** A client that sends no more also reads no more, as far as Node's server is concerned; so here. */
  readonly #onEnd = (): void => {
    this.#socket.end();
  };

  readonly #onClose = (): void => {
    this.#lane.left(this);
    this.#exchange?.gone();
  };

  /** 'close' follows. */
  readonly #onError = (): void => {};

  #request(bytes: Buffer): void {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0 || end > MAX_HEAD_BYTES) {
      this.#handOver(bytes);
      return;
    }
    const head = bytes.toString('latin1', 0, end);
    const lineEnd = head.indexOf('\r\n');
    const line = REQUEST_LINE.exec(lineEnd < 0 ? head : head.slice(0, lineEnd));
    const headers = line && lineEnd > 0 ? this.#lane.headersOf(head.slice(lineEnd + 2)) : undefined;
    if (!line || !headers) {
      this.#handOver(bytes);
      return;
    }
    const length = Number(headers['content-length'] ?? 0);
    this.deadline = length === 0 ? Infinity : this.#later();
    this.#left = length;
    const exchange = new PlainExchange(this.#lane, this.#socket, line[1]!, line[2]!, headers, () => this.#answered());
    this.#exchange = exchange;
    if (length > 0) exchange.expect(length);
    if (bytes.length > end + 4) this.#body(bytes.subarray(end + 4));
    this.#lane.parts.handle(exchange);
  }

  #body(bytes: Buffer): void {
    const own = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left);
    this.#left -= own.length;
    if (own.length > 0) this.#exchange!.arrived(own, this.#left === 0);
    if (this.#left === 0) {
      this.deadline = Infinity;
      if (own.length < bytes.length) this.#hold(bytes.subarray(own.length));
      if (this.#exchange!.isAnswered) this.#next();
    }
  }

  /** Of the next request, sent before this one was answered. */
  #hold(bytes: Buffer): void {
    this.#held = this.#held ? Buffer.concat([this.#held, bytes]) : bytes;
    if (this.#held.length > MAX_HELD_BYTES) this.#socket.pause();
  }

  #answered(): void {
    if (this.#exchange!.isLast || this.#lane.isClosing) {
      this.#socket.end();
      return;
    }
    // What nobody wants of the body passes by.
    this.#socket.resume();
    if (this.#left === 0) this.#next();
    else this.deadline = this.#later();
  }

  #next(): void {
    const socket = this.#socket;
    // Who sends without reading waits until the answers are taken.
    if (socket.writableNeedDrain) {
      socket.once('drain', () => this.#next());
      return;
    }
    this.#exchange = undefined;
    this.deadline = this.#later();
    const held = this.#held;
    if (!held) return;
    this.#held = undefined;
    // Not from within the answer before: a thousand requests in one piece would be a thousand calls deep.
    queueMicrotask(() => {
      if (!socket.destroyed) this.#onData(held);
    });
  }

  #handOver(bytes: Buffer): void {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    this.#lane.left(this);
    socket.unshift(bytes);
    this.#lane.parts.handOver(socket);
    socket.off('error', this.#onError);
  }

  #later(): number {
    return this.#lane.parts.clock.monotonic() + this.#lane.parts.timeoutMs;
  }
}

class PlainExchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly peerNames = [];
  isAnswered = false;
  readonly #lane: PlainLane;
  readonly #socket: Socket;
  readonly #answered: () => void;
  #bodyBytes = 0;
  #bodyIsWhole = true;
  /** Arrived before anybody asked. */
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #reading: { pieces: BodyPieces; resolve: (body: Buffer) => void; reject: (error: unknown) => void } | undefined;
  #whenGone: (() => void) | undefined;

  constructor(lane: PlainLane, socket: Socket, method: string, url: string, headers: Headers, answered: () => void) {
    this.#lane = lane;
    this.#socket = socket;
    this.method = method;
    this.url = url;
    this.headers = headers;
    this.#answered = answered;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get connection(): object {
    return this.#socket;
  }

  /** No request follows on this connection. */
  get isLast(): boolean {
    return this.headers['connection']?.toLowerCase() === 'close';
  }

  /** A body of this length will arrive. */
  expect(length: number): void {
    this.#bodyBytes = length;
    this.#bodyIsWhole = false;
  }

  arrived(piece: Buffer, isEnd: boolean): void {
    this.#bodyIsWhole = isEnd;
    if (this.isAnswered) return;
    if (this.#reading) {
      this.#add(piece);
      if (isEnd) this.#reading.resolve(this.#reading.pieces.whole());
      return;
    }
    this.#early.push(piece);
    this.#earlyBytes += piece.length;
    if (this.#earlyBytes > MAX_HELD_BYTES && !isEnd) this.#socket.pause();
  }

  gone(): void {
    this.#reading?.reject(new OperatingError('canceled', 'the client has gone away'));
    if (!this.isAnswered) this.#whenGone?.();
  }

  read(limit: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#reading = { pieces: new BodyPieces(limit, this.#bodyBytes), resolve, reject };
      const early = this.#early;
      this.#early = [];
      this.#socket.resume();
      for (const piece of early) this.#add(piece);
      if (this.#bodyIsWhole) resolve(this.#reading.pieces.whole());
      else if (this.#socket.destroyed) this.gone();
    });
  }

  whenGone(callback: () => void): void {
    this.#whenGone = callback;
  }

  send(
    status: number,
    headers: ResponseHeaders,
    body: string | Uint8Array | undefined,
    bytes: number | undefined,
  ): void {
    const head = this.#head(status, headers, bytes === undefined ? '' : `content-length: ${bytes}\r\n`);
    const socket = this.#socket;
    if (body === undefined || body.length === 0) socket.write(head, 'latin1');
    else if (typeof body !== 'string') {
      socket.cork();
      socket.write(head, 'latin1');
      socket.write(body);
      socket.uncork();
    } else if (body.length === bytes) {
      // All of it ASCII, which the faster encoding writes alike.
      socket.write(head + body, 'latin1');
    } else {
      socket.cork();
      socket.write(head, 'latin1');
      socket.write(body, 'utf8');
      socket.uncork();
    }
    this.#done();
  }

  async stream(status: number, headers: ResponseHeaders, body: readonly [Readable, ...Transform[]]): Promise<number> {
    this.#socket.write(this.#head(status, headers, 'transfer-encoding: chunked\r\n'), 'latin1');
    let sentBytes = 0;
    const chunks = chunksTo(this.#socket, (bytes) => {
      sentBytes += bytes;
    });
    await pipeline([...body, chunks]);
    this.#done();
    return sentBytes;
  }

  cut(): void {
    this.#socket.destroy();
  }

  #add(piece: Buffer): void {
    try {
      this.#reading!.pieces.add(piece);
    } catch (error) {
      this.#reading!.reject(error);
    }
  }

  #head(status: number, headers: ResponseHeaders, framing: string): string {
    const close = (this.isLast || this.#lane.isClosing) && headers['connection'] === undefined;
    return this.#lane.head(status, headers, close ? `${framing}connection: close\r\n` : framing);
  }

  #done(): void {
    this.isAnswered = true;
    this.#answered();
  }
}

/** Chunks as HTTP/1.1 frames them; waits while the socket is full, fails when it closes. */
function chunksTo(socket: Socket, count: (bytes: number) => void): Writable {
  const failed = () => chunks.destroy(new OperatingError('canceled', 'the client has gone away'));
  const chunks = new Writable({
    write(chunk: Buffer, _encoding, next) {
      count(chunk.length);
      socket.cork();
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
      socket.write(chunk);
      const isRoom = socket.write('\r\n', 'latin1');
      socket.uncork();
      if (isRoom) next();
      else socket.once('drain', next);
    },
    final(done) {
      socket.write('0\r\n\r\n', 'latin1');
      done();
    },
    destroy(error, done) {
      socket.off('close', failed);
      done(error);
    },
  });
  if (socket.destroyed) failed();
  else socket.once('close', failed);
  return chunks;
}
