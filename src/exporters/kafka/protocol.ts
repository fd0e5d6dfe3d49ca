// As much of Kafka's binary protocol as measuring needs, in versions that brokers from 0.10 to 4 speak: metadata, offsets of
// partitions, consumer groups and their offsets. Requests and answers are length-prefixed; all numbers are big-endian.

import type net from 'node:net';
import { OperatingError } from '#base/errors.ts';

const CLIENT_ID = 'pharos';
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export class KafkaWriter {
  readonly #parts: Buffer[] = [];
  int8(value: number): this {
    return this.#push(Buffer.from([value & 255]));
  }
  int16(value: number): this {
    const bytes = Buffer.alloc(2);
    bytes.writeInt16BE(value);
    return this.#push(bytes);
  }
  int32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return this.#push(bytes);
  }
  int64(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    return this.#push(bytes);
  }
  string(value: string): this {
    return this.int16(Buffer.byteLength(value)).#push(Buffer.from(value));
  }
  array<T>(items: readonly T[] | null, write: (item: T) => void): this {
    this.int32(items ? items.length : -1);
    for (const item of items ?? []) write(item);
    return this;
  }
  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
  #push(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }
}

export class KafkaReader {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  int8(): number {
    return this.#bytes.readInt8(this.#step(1));
  }
  int16(): number {
    return this.#bytes.readInt16BE(this.#step(2));
  }
  int32(): number {
    return this.#bytes.readInt32BE(this.#step(4));
  }
  /** As a double: offsets stay below 2^53. */
  int64(): number {
    return Number(this.#bytes.readBigInt64BE(this.#step(8)));
  }
  string(): string {
    const length = this.int16();
    const at = this.#step(Math.max(0, length));
    return this.#bytes.toString('utf8', at, at + Math.max(0, length));
  }
  blob(): Buffer {
    const length = Math.max(0, this.int32());
    const at = this.#step(length);
    return this.#bytes.subarray(at, at + length);
  }
  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read);
  }
  #step(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length)
      throw new OperatingError('kafka', "cannot read the broker's answer: it is cut off");
    this.#at += length;
    return at;
  }
}

/** One connection to one broker; requests go one after the other. */
export class KafkaConnection {
  readonly #socket: net.Socket;
  #received = Buffer.alloc(0);
  #correlation = 0;
  #waiting: { resolve: (bytes: Buffer) => void; reject: (error: Error) => void } | undefined;

  readonly #clientId: string;

  constructor(socket: net.Socket, timeoutMs: number, clientId = CLIENT_ID) {
    this.#socket = socket;
    this.#clientId = clientId;
    const fail = (error: Error) => {
      this.#waiting?.reject(error);
      this.#waiting = undefined;
    };
    this.#socket.setTimeout(timeoutMs, () => this.#socket.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    this.#socket.on('error', fail);
    this.#socket.on('close', () => fail(new Error('the broker closed the connection')));
    this.#socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      if (this.#received.length < 4) return;
      const length = this.#received.readInt32BE();
      if (length < 4 || length > MAX_ANSWER_BYTES) this.#socket.destroy(new Error(`an answer of ${length} bytes`));
      else if (this.#received.length >= 4 + length) {
        const answer = this.#received.subarray(4, 4 + length);
        this.#received = this.#received.subarray(4 + length);
        this.#waiting?.resolve(answer);
        this.#waiting = undefined;
      }
    });
  }

  async ask(api: number, version: number, body: Buffer): Promise<KafkaReader> {
    const id = this.#correlation++;
    const answer = await new Promise<Buffer>((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Error('the connection is closed'));
      this.#waiting = { resolve, reject };
      this.#socket.write(this.#framed(api, version, id, body));
    });
    const reader = new KafkaReader(answer);
    if (reader.int32() !== id)
      throw new OperatingError('kafka', "cannot read the broker's answer: it answers another request");
    return reader;
  }

  /** A request that the broker does not answer. */
  async tell(api: number, version: number, body: Buffer): Promise<void> {
    const bytes = this.#framed(api, version, this.#correlation++, body);
    await new Promise<void>((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  #framed(api: number, version: number, id: number, body: Buffer): Buffer {
    const head = new KafkaWriter().int16(api).int16(version).int32(id).string(this.#clientId).bytes();
    return Buffer.concat([new KafkaWriter().int32(head.length + body.length).bytes(), head, body]);
  }

  close(): void {
    this.#socket.destroy();
  }
}

export type KafkaPartition = {
  readonly id: number;
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
};
export type KafkaTopic = {
  readonly name: string;
  readonly isInternal: boolean;
  readonly partitions: readonly KafkaPartition[];
};
export type KafkaBroker = { readonly id: number; readonly host: string; readonly port: number };

export function readMetadata(reader: KafkaReader): {
  brokers: KafkaBroker[];
  controller: number;
  topics: KafkaTopic[];
} {
  const brokers = reader.array(() => {
    const broker = { id: reader.int32(), host: reader.string(), port: reader.int32() };
    reader.string();
    return broker;
  });
  const controller = reader.int32();
  const topics = reader.array(() => {
    reader.int16();
    const name = reader.string();
    const isInternal = reader.int8() !== 0;
    const partitions = reader.array(() => {
      reader.int16();
      const id = reader.int32();
      const leader = reader.int32();
      const replicas = reader.array(() => reader.int32());
      return { id, leader, replicas, inSync: reader.array(() => reader.int32()) };
    });
    return { name, isInternal, partitions };
  });
  return { brokers, controller, topics };
}

/** Metadata of all topics (version 1). */
export const metadataRequest = (): Buffer => new KafkaWriter().array(null, () => {}).bytes();

export const NEWEST = -1n;
export const OLDEST = -2n;

/** ListOffsets, version 1. */
export function offsetsRequest(partitions: ReadonlyMap<string, readonly number[]>, time: bigint): Buffer {
  const writer = new KafkaWriter().int32(-1);
  return writer
    .array([...partitions], ([topic, ids]) =>
      writer.string(topic).array(ids, (id) => void writer.int32(id).int64(time)),
    )
    .bytes();
}

/** Offsets by "topic/partition"; partitions with an error are left out. */
export function readOffsets(reader: KafkaReader): Map<string, number> {
  const found = new Map<string, number>();
  reader.array(() => {
    const topic = reader.string();
    reader.array(() => {
      const id = reader.int32();
      const error = reader.int16();
      reader.int64();
      const offset = reader.int64();
      if (error === 0) found.set(`${topic}/${id}`, offset);
    });
  });
  return found;
}

/** ListGroups, version 0. */
export function readGroups(reader: KafkaReader): string[] {
  const error = reader.int16();
  const groups = reader.array(() => {
    const group = reader.string();
    return { group, protocol: reader.string() };
  });
  if (error !== 0) throw new OperatingError('kafka', `cannot list groups: error ${error}`);
  return groups.filter(({ protocol }) => protocol === 'consumer' || protocol === '').map(({ group }) => group);
}

/** DescribeGroups, version 0: members by group. */
export function readMembers(reader: KafkaReader): Map<string, number> {
  const found = new Map<string, number>();
  reader.array(() => {
    const error = reader.int16();
    const group = reader.string();
    reader.string();
    reader.string();
    reader.string();
    const members = reader.array(() => {
      reader.string();
      reader.string();
      reader.string();
      reader.blob();
      reader.blob();
    });
    if (error === 0) found.set(group, members.length);
  });
  return found;
}

/** OffsetFetch, version 1. */
export function committedRequest(group: string, partitions: ReadonlyMap<string, readonly number[]>): Buffer {
  const writer = new KafkaWriter().string(group);
  return writer
    .array([...partitions], ([topic, ids]) => writer.string(topic).array(ids, (id) => void writer.int32(id)))
    .bytes();
}

/** Committed offsets by "topic/partition"; -1, for none, is left out. */
export function readCommitted(reader: KafkaReader): Map<string, number> {
  const found = new Map<string, number>();
  reader.array(() => {
    const topic = reader.string();
    reader.array(() => {
      const id = reader.int32();
      const offset = reader.int64();
      reader.string();
      const error = reader.int16();
      if (error === 0 && offset >= 0) found.set(`${topic}/${id}`, offset);
    });
  });
  return found;
}
