// Takes an HTTP/1.1 reply apart as it arrives. It trusts nothing that the server says: headers, lengths and chunks are bounded,
// and whatever is wrong throws. One parser serves a connection for its life; heads that repeat are not taken apart again.

import { OperatingError } from '#base/errors.ts';

export type RawReply = {
  readonly status: number;
  readonly statusText: string;
  /** Lower-case names; repeated headers joined with ", ". Without Date and Content-Length. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
};

/** What connections of one client share: the buffer that sockets read into, and body buffers to be used again. */
export class RawBuffers {
  readonly read = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #free = new Map<number, Buffer[]>();
  /** What has been handed out and not come back: nothing else may be released, and nothing twice. */
  readonly #out = new WeakMap<ArrayBufferLike, Buffer>();
  #keptBytes = 0;

  /** At least `bytes` long; what is in it is of no meaning. */
  acquire(bytes: number): Buffer {
    if (bytes < SMALLEST_KEPT_BYTES) return Buffer.allocUnsafe(bytes);
    const size = 2 ** Math.ceil(Math.log2(bytes));
    let buffer = this.#free.get(size)?.pop();
    if (buffer) this.#keptBytes -= size;
    else buffer = Buffer.allocUnsafeSlow(size);
    this.#out.set(buffer.buffer, buffer);
    return buffer;
  }

  /** A buffer from `acquire`, or a part of one, that nobody looks at any more. Others are left alone. */
  release(part: Uint8Array): void {
    const buffer = this.#out.get(part.buffer);
    if (!buffer) return;
    this.#out.delete(part.buffer);
    const size = buffer.length;
    if (this.#keptBytes + size > MAX_KEPT_BYTES) return;
    this.#keptBytes += size;
    const free = this.#free.get(size);
    if (free) free.push(buffer);
    else this.#free.set(size, [buffer]);
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

/** Status line and headers of a reply; servers that send more are broken. */
const MAX_HEAD_BYTES = 256 * 1024;
/** Interim replies (1xx) before the real one. */
const MAX_INTERIM = 8;

const HEAD_END = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');
const NOTHING = Buffer.alloc(0);

export const tooLarge = (): OperatingError => new OperatingError('body_too_large', 'body size limit exceeded');

type Phase = 'head' | 'length' | 'chunkSize' | 'chunk' | 'chunkEnd' | 'trailer' | 'close' | 'done';

/** A head without what changes from reply to reply. */
type Head = {
  readonly shape: string;
  readonly status: number;
  readonly statusText: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly mustClose: boolean;
  readonly isChunked: boolean;
};

const DATE = /\r\ndate:[^\r\n]*/i;
const LENGTH = /\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?=\r\n|$)/i;

export class ReplyParser {
  mustClose = false;
  readonly #buffers: RawBuffers;
  #maxBodyBytes = 0;
  #isHead = false;
  #phase: Phase = 'done';
  /** A head or line that has not arrived wholly. */
  #begun: Buffer = NOTHING;
  #head: Head | undefined;
  #body: Buffer | undefined;
  #size = 0;
  #left = 0;
  #interim = 0;

  constructor(buffers: RawBuffers) {
    this.#buffers = buffers;
  }

  /** For the next reply. */
  reset(maxBodyBytes: number, isHead: boolean): void {
    this.mustClose = false;
    this.#maxBodyBytes = maxBodyBytes;
    this.#isHead = isHead;
    this.#phase = 'head';
    this.#begun = NOTHING;
    this.#body = undefined;
    this.#size = 0;
    this.#left = 0;
    this.#interim = 0;
  }

  /** Of a reply that is complete; the body is the caller's. */
  reply(): RawReply {
    const { status, statusText, headers } = this.#head!;
    const body = this.#body?.subarray(0, this.#size) ?? NOTHING;
    this.#body = undefined;
    return { status, statusText, headers, body };
  }

  /** The reply is not wanted any more. */
  drop(): void {
    if (this.#body) this.#buffers.release(this.#body);
    this.#body = undefined;
    this.#phase = 'done';
  }

  /** True when the reply is complete. The bytes are not looked at afterwards. */
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
    throw new OperatingError('eof', this.#phase === 'head' && this.#begun.length === 0 ? 'EOF' : 'unexpected EOF');
  }

  #step(bytes: Buffer): Buffer | undefined {
    switch (this.#phase) {
      case 'head': {
        const { text, rest } = this.#until(bytes, HEAD_END);
        if (text !== undefined) this.#readHead(text);
        return rest;
      }
      case 'length':
      case 'chunk': {
        const whole = bytes.length <= this.#left;
        const part = whole ? bytes : bytes.subarray(0, this.#left);
        this.#keep(part);
        this.#left -= part.length;
        if (this.#left === 0) this.#phase = this.#phase === 'length' ? 'done' : 'chunkEnd';
        return whole ? undefined : bytes.subarray(part.length);
      }
      case 'close':
        this.#keep(bytes);
        return undefined;
      case 'chunkEnd':
      case 'chunkSize':
      case 'trailer': {
        const { text, rest } = this.#until(bytes, LINE_END);
        if (text !== undefined) this.#chunkLine(text);
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
  #until(bytes: Buffer, mark: Buffer): { text: string | undefined; rest: Buffer | undefined } {
    const before = this.#begun.length;
    const all = before === 0 ? bytes : Buffer.concat([this.#begun, bytes]);
    const at = all.indexOf(mark, Math.max(0, before - mark.length));
    if (at < 0) {
      if (all.length > MAX_HEAD_BYTES) {
        throw new OperatingError('protocol', `server sent more than ${MAX_HEAD_BYTES} bytes of headers`);
      }
      this.#begun = Buffer.from(all);
      return { text: undefined, rest: undefined };
    }
    this.#begun = NOTHING;
    return { text: all.toString('latin1', 0, at), rest: all.subarray(at + mark.length) };
  }

  #readHead(text: string): void {
    const undated = text.replace(DATE, '');
    const length = LENGTH.exec(undated);
    const shape = length
      ? undated.slice(0, length.index) + undated.slice(length.index + length[0].length)
      : `${undated}\r\n`;
    let head = this.#head;
    if (head?.shape !== shape) {
      const read = readHead(text, shape);
      if (!read) {
        if (++this.#interim > MAX_INTERIM) {
          throw new OperatingError('protocol', 'too many 1xx informational responses');
        }
        return;
      }
      head = read;
      this.#head = head;
    }
    this.mustClose = head.mustClose;
    if (this.#isHead || head.status === 204 || head.status === 304) this.#phase = 'done';
    else if (head.isChunked) this.#phase = 'chunkSize';
    else if (length) {
      this.#left = Number(length[1]);
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
    body.set(part, this.#size);
    this.#size = size;
  }
}

/** Undefined for an interim reply. */
function readHead(text: string, shape: string): Head | undefined {
  const lines = text.split('\r\n');
  const match = /^HTTP\/1\.([01]) (\d{3})(?: (.*))?$/.exec(lines[0]!);
  if (!match)
    throw new OperatingError('protocol', `malformed HTTP response ${JSON.stringify(lines[0]!.slice(0, 100))}`);
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':');
    if (colon <= 0) throw new OperatingError('protocol', `malformed MIME header line: ${line.slice(0, 100)}`);
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  const status = Number(match[2]);
  if (status < 200) return undefined;
  const isOld = match[1] === '0';
  const connection = headers.get('connection')?.toLowerCase() ?? '';
  const encoding = headers.get('transfer-encoding')?.toLowerCase();
  const length = headers.get('content-length');
  if (encoding !== undefined && encoding !== 'chunked' && status !== 204 && status !== 304) {
    throw new OperatingError('protocol', `unsupported transfer encoding: ${JSON.stringify(encoding)}`);
  }
  if (encoding === undefined && length !== undefined && !/^\d{1,15}$/.test(length)) {
    throw new OperatingError('protocol', `bad Content-Length ${JSON.stringify(length)}`);
  }
  headers.delete('date');
  headers.delete('content-length');
  return {
    shape,
    status,
    statusText: match[3] ?? '',
    headers,
    mustClose: isOld ? !connection.includes('keep-alive') : connection.includes('close'),
    isChunked: encoding !== undefined,
  };
}
