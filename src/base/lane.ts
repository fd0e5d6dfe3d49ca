// A lane between two threads for what is asked thousands of times a second: bytes go through rings in shared memory, so that
// nothing is serialized, allocated or collected for them. The port only wakes the other side when it rests, and carries what
// the ring has no room for. An answer without bytes says "done"; calls of other kinds go over a Connection (thread.ts).

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { assert } from './assert.ts';
import { errorCode, errorText, OperatingError } from './errors.ts';

/** One side of a lane; its port is to be transferred to the thread that gets it. */
export type LaneEnd = {
  readonly port: MessagePort;
  readonly outgoing: SharedArrayBuffer;
  readonly incoming: SharedArrayBuffer;
};

/** `forth` and `back`: bytes of the rings from the first end to the second and back; powers of two. */
export function newLane(forth: number, back: number): [LaneEnd, LaneEnd] {
  const { port1, port2 } = new MessageChannel();
  const there = new SharedArrayBuffer(HEADER_BYTES + forth);
  const here = new SharedArrayBuffer(HEADER_BYTES + back);
  return [
    { port: port1, outgoing: there, incoming: here },
    { port: port2, outgoing: here, incoming: there },
  ];
}

/** `bytes` are a view that is valid during the call only. Resolves with the answer's bytes; undefined: done. */
export type LaneServer = (kind: number, bytes: Uint8Array) => Promise<Uint8Array | undefined>;

// Words of a ring's header, each on a cache line of its own: where the writer and the reader are (they count bytes and wrap at
// 2^32), and whether the reader is awake or has been woken.
const HEAD = 0;
const TAIL = 16;
const AWAKE = 32;
const HEADER_BYTES = 256;
// A record: length of its bytes, kind, number of the question and an unused word; then the bytes, up to a multiple of 16.
const RECORD_BYTES = 16;
/** The rest of the ring is empty: it goes on at its beginning. */
const SKIP = 0xffffffff;
/** A ring that is empty begins anew from here on, so that little of it is ever touched. */
const TOUCHED_BYTES = 128 * 1024;
/** Kinds of answers; what is asked has kinds below. */
const DONE = 0x100;
const BYTES = 0x101;
const FAILED = 0x102;
/** For so many records other events wait. */
const RECORDS_PER_TURN = 64;

/** What does not go through the ring. */
type Posted = { readonly kind: number; readonly id: number; readonly bytes: Uint8Array };

class RingWriter {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #capacity: number;
  #head = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory, HEADER_BYTES);
    this.#capacity = this.#bytes.length;
    assert((this.#capacity & (this.#capacity - 1)) === 0, 'a ring is a power of two long');
  }

  /** Whether there was room; `wake` tells whether the reader has to be woken. */
  put(kind: number, id: number, bytes: Uint8Array): { readonly done: boolean; readonly wake: boolean } {
    const capacity = this.#capacity;
    const total = RECORD_BYTES + ((bytes.length + 15) & ~15);
    const used = (this.#head - Atomics.load(this.#words, TAIL)) >>> 0;
    let at = this.#head & (capacity - 1);
    let needed = total;
    if (total > capacity - at || (used === 0 && at > TOUCHED_BYTES)) needed += capacity - at;
    if (needed > capacity - used) return NO_ROOM;
    if (needed > total) {
      this.#words[(HEADER_BYTES + at) / 4 + 1] = SKIP;
      at = 0;
    }
    const word = (HEADER_BYTES + at) / 4;
    this.#words[word] = bytes.length;
    this.#words[word + 1] = kind;
    this.#words[word + 2] = id;
    if (bytes.length > 0) this.#bytes.set(bytes, at + RECORD_BYTES);
    this.#head = (this.#head + needed) | 0;
    Atomics.store(this.#words, HEAD, this.#head);
    return Atomics.exchange(this.#words, AWAKE, 1) === 0 ? WAKE : ROOM;
  }
}
const NO_ROOM = { done: false, wake: false };
const ROOM = { done: true, wake: false };
const WAKE = { done: true, wake: true };

class RingReader {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #capacity: number;
  #tail = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory, HEADER_BYTES);
    this.#capacity = this.#bytes.length;
  }

  /** Takes up to `limit` records; whether there may be more. Once there are none, the writer wakes this side. */
  take(limit: number, each: (kind: number, id: number, bytes: Uint8Array) => void): boolean {
    const words = this.#words;
    let left = limit;
    do {
      while (Atomics.load(words, HEAD) !== this.#tail) {
        if (left-- === 0) return true;
        this.#one(each);
      }
      Atomics.store(words, AWAKE, 0);
      // Whoever wrote before that has not woken this side.
    } while (Atomics.load(words, HEAD) !== this.#tail && Atomics.exchange(words, AWAKE, 1) === 0);
    return false;
  }

  #one(each: (kind: number, id: number, bytes: Uint8Array) => void): void {
    const words = this.#words;
    let at = this.#tail & (this.#capacity - 1);
    let taken = 0;
    if (words[(HEADER_BYTES + at) / 4 + 1] === (SKIP | 0)) {
      taken = this.#capacity - at;
      at = 0;
    }
    const word = (HEADER_BYTES + at) / 4;
    const length = words[word]!;
    const begin = at + RECORD_BYTES;
    try {
      each(words[word + 1]!, words[word + 2]!, this.#bytes.subarray(begin, begin + length));
    } finally {
      this.#tail = (this.#tail + taken + RECORD_BYTES + ((length + 15) & ~15)) | 0;
      Atomics.store(words, TAIL, this.#tail);
    }
  }
}

type Waiting = { resolve(bytes: Uint8Array | undefined): void; reject(error: Error): void };

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NOTHING = new Uint8Array(0);

export class Lane {
  readonly #port: MessagePort;
  readonly #writer: RingWriter;
  readonly #reader: RingReader;
  readonly #serve: LaneServer;
  readonly #waiting = new Map<number, Waiting>();
  /** Bytes whose place in memory is not a multiple of 8 are copied into shared memory one by one, unless they go through here. */
  #even = new Uint8Array(32 * 1024);
  #nextId = 1;
  #closed: Error | undefined;
  #isDraining = false;
  readonly #taken = (kind: number, id: number, bytes: Uint8Array): void => this.#take(kind, id, bytes);

  constructor(end: LaneEnd, serve: LaneServer) {
    this.#port = end.port;
    this.#writer = new RingWriter(end.outgoing);
    this.#reader = new RingReader(end.incoming);
    this.#serve = serve;
    end.port.on('message', (posted: Posted | 0) => {
      if (posted !== 0) this.#take(posted.kind, posted.id, posted.bytes);
      else if (!this.#isDraining) this.#drain();
    });
    end.port.on('close', () => this.close(new OperatingError('thread_down', 'the other thread has ended')));
  }

  /** Kinds are below 256. The bytes are not needed any more when this returns. */
  ask(kind: number, bytes: Uint8Array): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(this.#closed);
        return;
      }
      const id = this.#nextId;
      this.#nextId = (id + 1) & 0x7fffffff;
      this.#waiting.set(id, { resolve, reject });
      this.#send(kind, id, bytes);
    });
  }

  /** Fails every question that waits and all that come. */
  close(reason: Error): void {
    if (this.#closed) return;
    this.#closed = reason;
    for (const waiting of this.#waiting.values()) waiting.reject(reason);
    this.#waiting.clear();
    this.#port.close();
  }

  #send(kind: number, id: number, bytes: Uint8Array): void {
    if (this.#closed) return;
    const { done, wake } = this.#writer.put(kind, id, this.#evened(bytes));
    if (!done) this.#port.postMessage({ kind, id, bytes } satisfies Posted);
    else if (wake) this.#port.postMessage(0);
  }

  #evened(bytes: Uint8Array): Uint8Array {
    if ((bytes.byteOffset & 7) === 0 || bytes.length < 64) return bytes;
    if (bytes.length > this.#even.length) this.#even = new Uint8Array(bytes.length * 2);
    this.#even.set(bytes);
    return this.#even.subarray(0, bytes.length);
  }

  #drain(): void {
    const isMore = this.#reader.take(RECORDS_PER_TURN, this.#taken);
    this.#isDraining = isMore;
    if (isMore) setImmediate(() => this.#drain());
  }

  #take(kind: number, id: number, bytes: Uint8Array): void {
    if (kind < DONE) {
      const fail = (error: unknown) =>
        this.#send(FAILED, id, encoder.encode(JSON.stringify([errorCode(error), errorText(error)])));
      try {
        this.#serve(kind, bytes).then(
          (answer) => this.#send(answer === undefined ? DONE : BYTES, id, answer ?? NOTHING),
          fail,
        );
      } catch (error) {
        fail(error);
      }
      return;
    }
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    if (kind === DONE) waiting.resolve(undefined);
    else if (kind === BYTES) waiting.resolve(bytes.slice());
    else {
      const [code, message] = JSON.parse(decoder.decode(bytes.slice())) as [string | null, string];
      waiting.reject(code === null ? new Error(message) : new OperatingError(code, message));
    }
  }
}
