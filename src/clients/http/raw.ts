// A small HTTP/1.1 client over plain sockets: one kept-alive connection to one origin, one request at a time. Scraping uses
// it because it costs a small part of a full client. Whatever is wrong with a reply ends the connection.

import net from 'node:net';
import { assert } from '#base/assert.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { OperatingError } from '#base/errors.ts';
import { type RawBuffers, type RawReply, ReplyParser } from './reply.ts';

export type RawOrigin = {
  readonly host: string;
  readonly port: number;
  readonly socketPath?: string;
  /** In place of the system's. */
  readonly lookup?: net.LookupFunction | undefined;
};

/** Answers a request: either a reply or an error. */
export type RawDone = (error: Error | undefined, reply: RawReply | undefined) => void;

export type RawLimits = { readonly timeoutMs: number; readonly maxBodyBytes: number; readonly isHead?: boolean };

export class RawConnection {
  readonly #origin: RawOrigin;
  readonly #clock: Clock;
  readonly #buffers: RawBuffers;
  readonly #parser: ReplyParser;
  #socket: net.Socket | undefined;
  // Of the request under way:
  #done: RawDone | undefined;
  #request: Uint8Array | undefined;
  #limits: RawLimits | undefined;
  #timer: Timer | undefined;
  #received = 0;
  /** The connection was kept alive, so that the server may have closed it meanwhile. */
  #mayBeStale = false;
  #closed = false;

  constructor(origin: RawOrigin, clock: Clock, buffers: RawBuffers) {
    this.#origin = origin;
    this.#clock = clock;
    this.#buffers = buffers;
    this.#parser = new ReplyParser(buffers);
  }

  /** Whether there is a connection that is open as far as this side knows. */
  get isOpen(): boolean {
    return this.#socket !== undefined && !this.#socket.destroyed;
  }

  /** Sends a whole request and waits for the reply. A connection that was kept alive and turns out dead is replaced once. */
  send(request: Uint8Array, limits: RawLimits): Promise<RawReply> {
    return new Promise((resolve, reject) => {
      this.begin(request, limits, (error, reply) => (reply ? resolve(reply) : reject(error)));
    });
  }

  /** The same with a callback, which is never called before this returns. */
  begin(request: Uint8Array, limits: RawLimits, done: RawDone): void {
    assert(!this.#done, 'one request at a time');
    this.#done = done;
    this.#request = request;
    this.#limits = limits;
    this.#received = 0;
    this.#mayBeStale = this.isOpen;
    // The timer, not the socket, keeps the program alive.
    this.#timer = this.#clock.after(limits.timeoutMs, () => {
      this.#mayBeStale = false;
      this.#fail(new OperatingError('timeout', 'context deadline exceeded'));
    });
    this.#parser.reset(limits.maxBodyBytes, limits.isHead ?? false);
    const socket = this.#mayBeStale ? this.#socket! : this.#connect();
    socket.write(request);
  }

  close(): void {
    this.#closed = true;
    this.#fail(new OperatingError('closed', 'connection closed'));
  }

  #connect(): net.Socket {
    const { host, port, socketPath, lookup } = this.#origin;
    // What is read is taken before the call returns, so that one buffer serves all sockets of the thread.
    const onread = {
      buffer: this.#buffers.read,
      callback: (length: number, buffer: Uint8Array) => {
        if (socket === this.#socket) this.#onData((buffer as Buffer).subarray(0, length));
        return true;
      },
    };
    const socket: net.Socket = socketPath
      ? net.connect({ path: socketPath, onread })
      : net.connect({ host, port, noDelay: true, onread, ...(lookup ? { lookup } : {}) });
    this.#socket = socket;
    socket.unref();
    socket.on('error', (error) => {
      if (socket === this.#socket) this.#fail(dialError(error, this.#origin));
    });
    socket.on('close', () => {
      if (socket !== this.#socket) return;
      this.#socket = undefined;
      this.#onEnd();
    });
    return socket;
  }

  #onData(chunk: Buffer): void {
    if (!this.#done) {
      // Bytes that nobody asked for: the connection cannot be trusted any more.
      this.#drop();
      return;
    }
    this.#received += chunk.length;
    try {
      if (!this.#parser.push(chunk)) return;
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#finish();
  }

  #onEnd(): void {
    if (!this.#done) return;
    try {
      this.#parser.end();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#finish();
  }

  #finish(): void {
    const done = this.#done!;
    this.#forget();
    if (this.#parser.mustClose) this.#drop();
    done(undefined, this.#parser.reply());
  }

  #fail(error: Error): void {
    this.#drop();
    const done = this.#done;
    if (!done) return;
    if (this.#mayBeStale && this.#received === 0 && !this.#closed) {
      // Within the same deadline.
      this.#mayBeStale = false;
      this.#parser.reset(this.#limits!.maxBodyBytes, this.#limits!.isHead ?? false);
      this.#connect().write(this.#request!);
      return;
    }
    this.#forget();
    this.#parser.drop();
    done(error, undefined);
  }

  #forget(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#done = undefined;
    this.#request = undefined;
    this.#limits = undefined;
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}

/** Node's socket errors in the words of Go's dialer. */
export function dialError(error: Error & { code?: string; address?: string; port?: number }, origin: RawOrigin): Error {
  const where = origin.socketPath
    ? `dial unix ${origin.socketPath}`
    : `dial tcp ${error.address ? `${error.address.includes(':') ? `[${error.address}]` : error.address}:${error.port ?? origin.port}` : `${origin.host}:${origin.port}`}`;
  // A host with several addresses fails with one error per address; the last one tells.
  if (error instanceof AggregateError && error.errors.length > 0) {
    return dialError(error.errors[error.errors.length - 1] as Error, origin);
  }
  const wrap = (message: string) => new OperatingError(error.code ?? 'network', message, { cause: error });
  switch (error.code) {
    case 'ECONNREFUSED':
      return wrap(`${where}: connect: connection refused`);
    case 'EHOSTUNREACH':
      return wrap(`${where}: connect: no route to host`);
    case 'ENETUNREACH':
      return wrap(`${where}: connect: network is unreachable`);
    case 'ETIMEDOUT':
      return wrap(`${where}: connect: connection timed out`);
    case 'ENOENT':
      return wrap(`${where}: connect: no such file or directory`);
    case 'EACCES':
      return wrap(`${where}: connect: permission denied`);
    case 'ENOTFOUND':
      return wrap(`dial tcp: lookup ${origin.host}: no such host`);
    case 'EAI_AGAIN':
      return wrap(`dial tcp: lookup ${origin.host}: server misbehaving`);
    case 'ECONNRESET':
      return wrap('read: connection reset by peer');
    case 'EPIPE':
      return wrap('write: broken pipe');
    default:
      return error;
  }
}
