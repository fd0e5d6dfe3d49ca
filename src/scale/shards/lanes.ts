// What goes over the lanes between the threads of shards, and from the main thread to them: rows of known series, and ordinary
// remote write requests. Everything else, and what brings label sets, is a call (protocol.ts).

import type { Lane, LaneServer } from '#base/lane.ts';
import type { Client } from '#base/thread.ts';
import type { Answer } from '#collect/receive/exchange.ts';
import { ALL_TAKEN, type Appender, type AppendResult, type SampleBatch } from '#model/batch.ts';
import { ColumnBuffers } from '#model/columns.ts';
import { batchBuffers, type ShardWay } from './append.ts';
import type { ShardApi } from './protocol.ts';

const ASKED = { append: 1, appendWithStarts: 2, write: 3 } as const;

/** Bytes of the rings between two shards, in each direction, and of those from the main thread and back. */
export const PEER_RING_BYTES = 512 * 1024;
export const REQUEST_RING_BYTES = 1024 * 1024;
export const ANSWER_RING_BYTES = 64 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The way to a shard that lives in another thread. */
export class ShardPeer implements ShardWay {
  readonly client: Client<ShardApi>;
  readonly #lane: Lane;

  constructor(client: Client<ShardApi>, lane: Lane) {
    this.client = client;
    this.#lane = lane;
  }

  append(batch: SampleBatch): Promise<AppendResult> {
    const bytes = columnsOf(batch);
    return bytes
      ? this.#lane.ask(batch.starts ? ASKED.appendWithStarts : ASKED.append, bytes).then(resultOf)
      : this.client.append(batch, { transfer: batchBuffers(batch) });
  }

  appendPart(bytes: Uint8Array): Promise<AppendResult> {
    return this.#lane.ask(ASKED.append, bytes).then(resultOf);
  }
}

/** A request of remote write 1.0 in snappy, to be decoded in the lane's shard. */
export const sendWrite = (lane: Lane, body: Uint8Array): Promise<Answer> =>
  lane.ask(ASKED.write, body).then((bytes) => (bytes ? (JSON.parse(decoder.decode(bytes)) as Answer) : WRITTEN));
const WRITTEN: Answer = { status: 204, headers: {}, body: '' };

/** Answers what comes over lanes in a shard's thread. */
export function shardLaneServer(own: Appender, write: (body: Uint8Array) => Promise<Answer>): LaneServer {
  const append = appendBytes(own);
  return (kind, bytes) =>
    kind === ASKED.write
      ? write(bytes).then((answer) =>
          answer.status === 204 && Object.keys(answer.headers).length === 0
            ? undefined
            : encoder.encode(JSON.stringify(answer)),
        )
      : append(bytes, kind === ASKED.appendWithStarts).then(answerOf);
}

/** The way to the own store. */
export function ownWay(own: Appender): ShardWay {
  const append = appendBytes(own);
  return { append: (batch) => own.append(batch), appendPart: (bytes) => append(bytes, false) };
}

/** Appends what `columnsOf` has written: where it lies if that will do, else from a copy in memory that is used again. */
function appendBytes(own: Appender): (bytes: Uint8Array, withStarts: boolean) => Promise<AppendResult> {
  const buffers = new ColumnBuffers();
  const appendCopy = async (bytes: Uint8Array, withStarts: boolean): Promise<AppendResult> => {
    const all = buffers.take(bytes.length / 8);
    new Uint8Array(all.buffer, 0, bytes.length).set(bytes);
    const batch = batchOf(all, withStarts);
    try {
      return await own.append(batch);
    } finally {
      buffers.giveBack(batch);
    }
  };
  return (bytes, withStarts) => {
    if (!own.readsAtOnce || bytes.byteOffset % 8 !== 0) return appendCopy(bytes, withStarts);
    return own.append(batchOf(new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8), withStarts));
  };
}

/** The columns of a batch as the bytes of one part, if there is nothing else in it and they lie one behind the other. */
function columnsOf(batch: SampleBatch): Uint8Array | undefined {
  const { refs, timestamps, values, starts, packed, series, histograms, exemplars, metadata } = batch;
  if (packed || series.length > 0 || histograms?.length || exemplars?.length || metadata?.length) return undefined;
  const bytes = refs.byteLength;
  const columns = [refs, timestamps, values, ...(starts ? [starts] : [])];
  const follows = (column: Float64Array, i: number) =>
    column.buffer === refs.buffer && column.byteOffset === refs.byteOffset + i * bytes;
  return columns.every(follows) ? new Uint8Array(refs.buffer, refs.byteOffset, bytes * columns.length) : undefined;
}

function batchOf(all: Float64Array, withStarts: boolean): SampleBatch {
  const rows = all.length / (withStarts ? 4 : 3);
  const batch = {
    refs: all.subarray(0, rows),
    timestamps: all.subarray(rows, rows * 2),
    values: all.subarray(rows * 2, rows * 3),
    series: [],
  };
  return withStarts ? { ...batch, starts: all.subarray(rows * 3) } : batch;
}

const answerOf = ({ rejections }: AppendResult): Uint8Array | undefined =>
  rejections.length === 0 ? undefined : encoder.encode(JSON.stringify(rejections));

const resultOf = (bytes: Uint8Array | undefined): AppendResult =>
  bytes ? { ...ALL_TAKEN, rejections: JSON.parse(decoder.decode(bytes)) as AppendResult['rejections'] } : ALL_TAKEN;
