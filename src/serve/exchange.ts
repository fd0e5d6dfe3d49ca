// One request and its answer on the wire, whatever carries them: what the server asks of HTTP/1.1 and HTTP/2 alike.
// Implementations: node-exchange.ts (everything) and plain-lane.ts (the requests that are plain, faster).

import type { IncomingHttpHeaders } from 'node:http';
import type { Readable, Transform } from 'node:stream';
import { ApiError } from './http.ts';

export type ResponseHeaders = Readonly<Record<string, string | readonly string[]>>;

export interface Exchange {
  readonly method: string;
  /** As sent: path and query string. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly remoteAddress: string;
  /** Equal for requests that came over the same connection. */
  readonly connection: object;
  /** Names in the client's certificate; none without one. */
  readonly peerNames: readonly string[];
  /** The body as sent; rejects when it is longer than `limit` or the client goes away. Called once at most. */
  read(limit: number): Promise<Buffer>;
  /** Called when the client goes away before the answer is out. */
  whenGone(callback: () => void): void;
  /** The whole answer; `bytes` is the body's length, undefined where the status or the method allows no body. */
  send(
    status: number,
    headers: ResponseHeaders,
    body: string | Uint8Array | undefined,
    bytes: number | undefined,
  ): void;
  /** An answer whose length is not known yet, through what changes it on its way; resolves with its bytes when it is out, rejects when it cannot be. */
  stream(status: number, headers: ResponseHeaders, body: readonly [Readable, ...Transform[]]): Promise<number>;
  /** Ends the connection: an answer cannot be completed. */
  cut(): void;
}

/** Bodies up to this size get their memory when they are announced, and are copied once. */
const MAX_AHEAD_BYTES = 1024 * 1024;

/** Puts the pieces of a body together within a limit; the memory of the whole is nobody else's. */
export class BodyPieces {
  readonly #limit: number;
  readonly #whole: Buffer | undefined;
  readonly #pieces: Buffer[] = [];
  #length = 0;

  constructor(limit: number, announced: number) {
    this.#limit = limit;
    if (announced <= Math.min(limit, MAX_AHEAD_BYTES)) this.#whole = Buffer.from(new ArrayBuffer(announced));
  }

  /** Throws once it is too much. */
  add(piece: Buffer): void {
    const before = this.#length;
    this.#length += piece.length;
    if (this.#length > this.#limit) throw tooLargeFor(this.#limit);
    if (!this.#whole) this.#pieces.push(piece);
    else if (this.#length <= this.#whole.length) this.#whole.set(piece, before);
    else throw new ApiError('bad_data', 'the request body is longer than it was announced');
  }

  whole(): Buffer {
    if (this.#whole) return this.#length === this.#whole.length ? this.#whole : this.#whole.subarray(0, this.#length);
    const whole = Buffer.from(new ArrayBuffer(this.#length));
    let at = 0;
    for (const piece of this.#pieces) at += piece.copy(whole, at);
    return whole;
  }
}

export const tooLargeFor = (limit: number) =>
  new ApiError('too_large', `the request body is larger than ${limit} bytes`);
