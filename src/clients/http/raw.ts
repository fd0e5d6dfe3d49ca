// A small HTTP/1.1 client over plain sockets: one kept-alive connection to one origin, one request at a time. Scraping uses
// it because it costs a quarter of a full client. It trusts nothing that the server says: headers, lengths and chunks are
// bounded, and whatever is wrong ends the connection.

import net from 'node:net';
import type { Clock, Timer } from '#base/clock.ts';
import { OperatingError } from '#base/errors.ts';

export type RawReply = {
  readonly status: number;
  readonly statusText: string;
  /** Lower-case names; repeated headers joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
};

/** What connections of one client share: the buffer that sockets read into, and body buffers to be used again. */
export class RawBuffers {
  readonly read = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #free = new Map<number, ArrayBuffer[]>();
  /** What has been handed out and not come back: nothing else may be released, and nothing twice. */
  readonly #out = new WeakSet<ArrayBufferLike>();
  #keptBytes = 0;

  /** At least `bytes` long; what is in it is of no meaning. */
  acquire(bytes: number): Buffer {
    if (bytes < SMALLEST_KEPT_BYTES) return Buffer.allocUnsafe(bytes);
    const size = 2 ** Math.ceil(Math.log2(bytes));
    let memory = this.#free.get(size)?.pop();
    if (memory) this.#keptBytes -= size;
    else memory = Buffer.allocUnsafeSlow(size).buffer;
    this.#out.add(memory);
    return Buffer.from(memory);
  }

  /** A buffer from `acquire`, or a part of one, that nobody looks at any more. Others are left alone. */
  release(part: Uint8Array): void {
    const memory = part.buffer;
    if (!this.#out.delete(memory) || !(memory instanceof ArrayBuffer)) return;
    const size = memory.byteLength;
    if (this.#keptBytes + size > MAX_KEPT_BYTES) return;
    this.#keptBytes += size;
    const free = this.#free.get(size);
    if (free) free.push(memory);
    else this.#free.set(size, [memory]);
  }
}

/** For replies without a Content-Length. */
const FIRST_BODY_BYTES = 64 * 1024;
/** The most that is reserved because a server announces it; the rest is reserved as it comes. */
const MAX_TRUSTED_BYTES = 4 * 1024 * 1024;
const READ_BYTES = 64 * 1024;
const SMALLEST_KEPT_BYTES = 1024;
/** Body buffers that wait to be used again; the collector of garbage would run for them many times a second otherwise. */
const MAX_KEPT_BYTES = 32 * 1024 * 1024;

export type RawOrigin = { readonly host: string; readonly port: number; readonly socketPath?: string };

/** Status line and headers of a reply; servers that send more are broken. */
const MAX_HEAD_BYTES = 256 * 1024;
/** Interim replies (1xx) before the real one. */
const MAX_INTERIM = 8;

type Pending = {
  readonly resolve: (reply: RawReply) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
  readonly maxBodyBytes: number;
  readonly isHead: boolean;
};

export class RawConnection {
  readonly #origin: RawOrigin;
  readonly #clock: Clock;
  readonly #buffers: RawBuffers;
  #socket: net.Socket | undefined;
  #pending: Pending | undefined;
  #parser: ReplyParser | undefined;
  #received = 0;
  #closed = false;

  constructor(origin: RawOrigin, clock: Clock, buffers: RawBuffers) {
    this.#origin = origin;
    this.#clock = clock;
    this.#buffers = buffers;
  }

  /** Sends a whole request and waits for the reply. A connection that was kept alive and turns out dead is replaced once. */
  async send(
    request: Uint8Array,
    options: { timeoutMs: number; maxBodyBytes: number; isHead?: boolean },
  ): Promise<RawReply> {
    const reused = this.#socket !== undefined && !this.#socket.destroyed;
    const started = this.#clock.monotonic();
    try {
      return await this.#once(request, options);
    } catch (error) {
      const left = options.timeoutMs - (this.#clock.monotonic() - started);
      const isStale = reused && this.#received === 0 && !(error instanceof OperatingError && error.code === 'timeout');
      if (!isStale || left <= 0 || this.#closed) throw error;
      return this.#once(request, { ...options, timeoutMs: left });
    }
  }

  close(): void {
    this.#closed = true;
    this.#fail(new OperatingError('closed', 'connection closed'));
  }

  #once(
    request: Uint8Array,
    options: { timeoutMs: number; maxBodyBytes: number; isHead?: boolean },
  ): Promise<RawReply> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(options.timeoutMs, () =>
        this.#fail(new OperatingError('timeout', 'context deadline exceeded')),
      );
      this.#received = 0;
      this.#parser = new ReplyParser(options.maxBodyBytes, options.isHead ?? false, this.#buffers);
      this.#pending = {
        resolve,
        reject,
        timer,
        maxBodyBytes: options.maxBodyBytes,
        isHead: options.isHead ?? false,
      };
      const socket = this.#socket && !this.#socket.destroyed ? this.#socket : this.#connect();
      socket.ref();
      socket.write(request);
    });
  }

  #connect(): net.Socket {
    const { host, port, socketPath } = this.#origin;
    // What is read is taken before the call returns, so that one buffer serves all sockets of the thread.
    const onread = {
      buffer: this.#buffers.read,
      callback: (length: number, buffer: Uint8Array) => {
        if (socket === this.#socket) this.#onData(Buffer.from(buffer.buffer, buffer.byteOffset, length));
        return true;
      },
    };
    const socket: net.Socket = socketPath
      ? net.connect({ path: socketPath, onread })
      : net.connect({ host, port, noDelay: true, onread });
    this.#socket = socket;
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
    const parser = this.#parser;
    if (!this.#pending || !parser) {
      // Bytes that nobody asked for: the connection cannot be trusted any more.
      this.#drop();
      return;
    }
    this.#received += chunk.length;
    try {
      if (parser.push(chunk)) this.#finish(parser);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #onEnd(): void {
    const parser = this.#parser;
    if (!this.#pending || !parser) return;
    try {
      parser.end();
      this.#finish(parser);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #finish(parser: ReplyParser): void {
    const pending = this.#pending!;
    this.#pending = undefined;
    this.#parser = undefined;
    pending.timer.cancel();
    if (parser.mustClose) this.#drop();
    else this.#socket?.unref();
    pending.resolve(parser.reply());
  }

  #fail(error: Error): void {
    const pending = this.#pending;
    this.#pending = undefined;
    this.#parser = undefined;
    this.#drop();
    if (!pending) return;
    pending.timer.cancel();
    pending.reject(error);
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

type Phase = 'head' | 'length' | 'chunkSize' | 'chunk' | 'chunkEnd' | 'trailer' | 'close' | 'done';

/** Takes a reply as it arrives. */
class ReplyParser {
  mustClose = false;
  readonly #maxBodyBytes: number;
  readonly #isHead: boolean;
  readonly #buffers: RawBuffers;
  #phase: Phase = 'head';
  #head: Buffer = Buffer.alloc(0);
  #status = 0;
  #statusText = '';
  #headers = new Map<string, string>();
  #body: Buffer | undefined;
  #size = 0;
  #left = 0;
  #interim = 0;

  constructor(maxBodyBytes: number, isHead: boolean, buffers: RawBuffers) {
    this.#maxBodyBytes = maxBodyBytes;
    this.#isHead = isHead;
    this.#buffers = buffers;
  }

  reply(): RawReply {
    const body = this.#body?.subarray(0, this.#size) ?? Buffer.alloc(0);
    return { status: this.#status, statusText: this.#statusText, headers: this.#headers, body };
  }

  /** True when the reply is complete. */
  push(bytes: Buffer): boolean {
    let rest: Buffer | undefined = bytes;
    while (rest && rest.length > 0 && this.#phase !== 'done') rest = this.#step(rest);
    // Anything behind the reply was not asked for.
    if (this.#phase === 'done' && rest && rest.length > 0) this.mustClose = true;
    return this.#phase === 'done';
  }

  /** The server closed the connection. */
  end(): void {
    if (this.#phase === 'close') {
      this.#phase = 'done';
      return;
    }
    throw new OperatingError('eof', this.#phase === 'head' && this.#head.length === 0 ? 'EOF' : 'unexpected EOF');
  }

  #step(bytes: Buffer): Buffer | undefined {
    switch (this.#phase) {
      case 'head': {
        const { line: head, rest } = this.#until(bytes, '\r\n\r\n');
        if (head === undefined) return undefined;
        this.#readHead(head);
        return rest;
      }
      case 'length':
      case 'chunk': {
        const part = bytes.subarray(0, this.#left);
        this.#keep(part);
        this.#left -= part.length;
        if (this.#left === 0) this.#phase = this.#phase === 'length' ? 'done' : 'chunkEnd';
        return bytes.subarray(part.length);
      }
      case 'close':
        this.#keep(bytes);
        return undefined;
      case 'chunkEnd':
      case 'chunkSize':
      case 'trailer': {
        const { line, rest } = this.#until(bytes, '\r\n');
        if (line !== undefined) this.#chunkLine(line);
        return rest;
      }
      case 'done':
        return bytes;
    }
  }

  #chunkLine(line: string): void {
    if (this.#phase === 'chunkEnd') {
      if (line !== '') throw new OperatingError('protocol', 'malformed chunked encoding');
      this.#phase = 'chunkSize';
    } else if (this.#phase === 'trailer') {
      if (line === '') this.#phase = 'done';
    } else {
      const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line)?.[1];
      if (size === undefined) throw new OperatingError('protocol', 'invalid byte in chunk length');
      this.#left = Number.parseInt(size, 16);
      this.#phase = this.#left === 0 ? 'trailer' : 'chunk';
    }
  }

  /** Text up to a mark that may be split over several arrivals. */
  #until(bytes: Buffer, mark: string): { line: string | undefined; rest: Buffer | undefined } {
    const before = this.#head.length;
    const all = before === 0 ? bytes : Buffer.concat([this.#head, bytes]);
    const at = all.indexOf(mark, Math.max(0, before - mark.length));
    if (at < 0) {
      if (all.length > MAX_HEAD_BYTES) {
        throw new OperatingError('protocol', `server sent more than ${MAX_HEAD_BYTES} bytes of headers`);
      }
      this.#head = Buffer.from(all);
      return { line: undefined, rest: undefined };
    }
    this.#head = Buffer.alloc(0);
    return { line: all.toString('latin1', 0, at), rest: all.subarray(at + mark.length) };
  }

  #readHead(head: string): void {
    const lines = head.split('\r\n');
    const match = /^HTTP\/1\.([01]) (\d{3})(?: (.*))?$/.exec(lines[0]!);
    if (!match)
      throw new OperatingError('protocol', `malformed HTTP response ${JSON.stringify(lines[0]!.slice(0, 100))}`);
    this.#status = Number(match[2]);
    this.#statusText = match[3] ?? '';
    this.#headers = new Map();
    for (const line of lines.slice(1)) {
      const colon = line.indexOf(':');
      if (colon <= 0) throw new OperatingError('protocol', `malformed MIME header line: ${line.slice(0, 100)}`);
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      const before = this.#headers.get(name);
      this.#headers.set(name, before === undefined ? value : `${before}, ${value}`);
    }
    if (this.#status < 200) {
      if (++this.#interim > MAX_INTERIM) throw new OperatingError('protocol', 'too many 1xx informational responses');
      return;
    }
    this.#chooseBody(match[1] === '0');
  }

  #chooseBody(isOld: boolean): void {
    const connection = this.#headers.get('connection')?.toLowerCase() ?? '';
    this.mustClose = isOld ? !connection.includes('keep-alive') : connection.includes('close');
    const encoding = this.#headers.get('transfer-encoding')?.toLowerCase();
    const length = this.#headers.get('content-length');
    if (this.#isHead || this.#status === 204 || this.#status === 304) this.#phase = 'done';
    else if (encoding !== undefined) {
      if (encoding !== 'chunked') {
        throw new OperatingError('protocol', `unsupported transfer encoding: ${JSON.stringify(encoding)}`);
      }
      this.#phase = 'chunkSize';
    } else if (length !== undefined) {
      if (!/^\d{1,15}$/.test(length))
        throw new OperatingError('protocol', `bad Content-Length ${JSON.stringify(length)}`);
      this.#left = Number(length);
      if (this.#left > this.#maxBodyBytes) throw tooLarge();
      this.#phase = this.#left === 0 ? 'done' : 'length';
    } else {
      this.mustClose = true;
      this.#phase = 'close';
    }
  }

  #keep(part: Buffer): void {
    const size = this.#size + part.length;
    if (size > this.#maxBodyBytes) throw tooLarge();
    let body = this.#body;
    if (!body || body.length < size) {
      // With a Content-Length the first buffer holds everything: `#left` is what is still to come.
      const wanted =
        this.#phase === 'length' ? this.#size + this.#left : Math.max(size, FIRST_BODY_BYTES, this.#size * 2);
      const larger = this.#buffers.acquire(Math.min(wanted, Math.max(size, MAX_TRUSTED_BYTES)));
      if (body) {
        body.copy(larger, 0, 0, this.#size);
        this.#buffers.release(body);
      }
      body = larger;
      this.#body = body;
    }
    part.copy(body, this.#size);
    this.#size = size;
  }
}

export const tooLarge = (): OperatingError => new OperatingError('body_too_large', 'body size limit exceeded');
