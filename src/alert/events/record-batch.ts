// Records as Kafka stores them: a batch of version 2 with its checksum, and the request that carries it.

import zlib from 'node:zlib';
import { crc32c } from '#base/crc32c.ts';
import { OperatingError } from '#base/errors.ts';
import { type KafkaReader, KafkaWriter } from '#exporters/kafka/protocol.ts';

export const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** As the batch's attributes number them. */
const CODECS: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, zstd: 4 };
const NO_PRODUCER = -1n;

export type BatchOptions = { readonly key: Buffer; readonly nowMs: number; readonly compression: Compression };

export function recordBatch(values: readonly Buffer[], { key, nowMs, compression }: BatchOptions): Buffer {
  const records = compressed(Buffer.concat(values.map((value, offset) => record(key, value, offset))), compression);
  const time = BigInt(Math.floor(nowMs));
  const body = Buffer.concat([
    new KafkaWriter()
      .int16(CODECS[compression])
      .int32(values.length - 1)
      .int64(time)
      .int64(time)
      .int64(NO_PRODUCER)
      .int16(-1)
      .int32(-1)
      .int32(values.length)
      .bytes(),
    records,
  ]);
  const head = new KafkaWriter()
    .int64(0n)
    .int32(4 + 1 + 4 + body.length)
    .int32(-1)
    .int8(2)
    .int32(crc32c(body) | 0)
    .bytes();
  return Buffer.concat([head, body]);
}

function compressed(records: Buffer, compression: Compression): Buffer {
  if (compression === 'gzip') return zlib.gzipSync(records);
  return compression === 'zstd' ? zlib.zstdCompressSync(records) : records;
}

function record(key: Buffer, value: Buffer, offset: number): Buffer {
  const body = Buffer.concat([
    Buffer.from([0]),
    ...[varint(0), varint(offset)],
    ...[varint(key.length), key],
    ...[varint(value.length), value],
    varint(0),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

/** Zigzag, seven bits at a time. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value * 2;
  while (rest > 0x7f) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

export type Produced = {
  readonly topic: string;
  readonly partition: number;
  /** How many brokers must have it: 0 none, 1 the leader, -1 all in sync. */
  readonly acks: number;
  readonly timeoutMs: number;
  readonly batch: Buffer;
};

export const PRODUCE = 0;
export const PRODUCE_VERSION = 3;

export function produceRequest({ topic, partition, acks, timeoutMs, batch }: Produced): Buffer {
  const head = new KafkaWriter()
    .int16(-1)
    .int16(acks)
    .int32(timeoutMs)
    .int32(1)
    .string(topic)
    .int32(1)
    .int32(partition)
    .int32(batch.length);
  return Buffer.concat([head.bytes(), batch]);
}

/** Throws when the broker did not take it. */
export function checkProduced(reader: KafkaReader): void {
  const codes = reader.array(() => {
    reader.string();
    return reader.array(() => {
      reader.int32();
      const code = reader.int16();
      reader.int64();
      reader.int64();
      return code;
    });
  });
  const code = codes.flat().find((one) => one !== 0);
  if (code !== undefined) throw new OperatingError('broker', `the broker answered with error ${code}`);
}

/** The partition that records with this key go to, as Kafka's own clients choose it: murmur2. */
export function partitionOf(key: Buffer, partitions: number): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ key.length;
  const whole = key.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k = Math.imul(key.readInt32LE(i), m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  for (let i = key.length - 1; i >= whole; i--) h ^= key[i]! << (8 * (i - whole));
  if (key.length > whole) h = Math.imul(h, m);
  h = Math.imul(h ^ (h >>> 13), m);
  h ^= h >>> 15;
  return (h & 0x7fffffff) % partitions;
}
