// The appender of one shard's thread: splits a batch by the shard that each series belongs to, keeps its own part and
// hands the others over in one message each. With one shard, or when all rows are its own, the batch passes through untouched.

import { OperatingError } from '#base/errors.ts';
import {
  ALL_TAKEN,
  type AppendResult,
  newSeries,
  newSeriesCount,
  type Rejection,
  type SampleBatch,
  type SplitAppender,
  type SplitRows,
  shardOfRef,
} from '#model/batch.ts';
import { ColumnBuffers } from '#model/columns.ts';
import { packSeries, splitPacked } from '#model/packed.ts';

/** The way to one shard's store. */
export type ShardWay = {
  append(batch: SampleBatch): Promise<AppendResult>;
  /** Takes a part of SplitRows; what it needs of the bytes later it copies. */
  appendPart(bytes: Uint8Array): Promise<AppendResult>;
};

export class ShardedAppender implements SplitAppender {
  readonly shards: number;
  readonly #wayTo: (shard: number) => ShardWay;
  readonly #buffers = new ColumnBuffers();

  /** `wayTo` gives the way to a shard's store: direct for the own one, a message for others. */
  constructor(shards: number, wayTo: (shard: number) => ShardWay) {
    this.shards = shards;
    this.#wayTo = wayTo;
  }

  async append(batch: SampleBatch): Promise<AppendResult> {
    if (this.shards === 1) return this.#wayTo(0).append(batch);
    const { parts, places } = splitBatch(batch, this.shards, this.#buffers);
    const appends = parts.map((part) => this.#wayTo(part.shard).append(part.batch));
    try {
      const results = await all(appends);
      // All rows in one shard: they keep their places, so its answer is the answer.
      return results.length === 1 ? results[0]! : mergeResults(places, parts, results);
    } finally {
      for (const part of parts) this.#buffers.giveBack(part.batch);
    }
  }

  async appendSplit({ shardOf, parts }: SplitRows): Promise<AppendResult> {
    if (parts.length === 1) return this.#wayTo(parts[0]!.shard).appendPart(parts[0]!.bytes);
    const results = await all(parts.map((part) => this.#wayTo(part.shard).appendPart(part.bytes)));
    if (results.every((result) => result.rejections.length === 0)) return ALL_TAKEN;
    return mergeResults({ ...NO_PLACES, rows: shardOf }, parts, results);
  }
}

async function all(appends: readonly Promise<AppendResult>[]): Promise<readonly AppendResult[]> {
  const outcomes = await Promise.allSettled(appends);
  const failed = outcomes.filter((o): o is PromiseRejectedResult => o.status === 'rejected');
  if (failed.length > 0) {
    // Parts that went in stay in: the sender repeats the whole batch and equal samples are no duplicates.
    throw new OperatingError('shard_down', `cannot append to ${failed.length} of ${appends.length} shards`, {
      cause: failed[0]!.reason,
    });
  }
  return outcomes.map((o) => (o as PromiseFulfilledResult<AppendResult>).value);
}

/** The memory of a part that is not shared, for handing it to another thread without a copy; it cannot be read afterwards. */
export function batchBuffers(batch: SampleBatch): ArrayBuffer[] {
  const columns = [batch.refs, batch.timestamps, batch.values, batch.starts, batch.packed?.bytes];
  const buffers = columns.flatMap((column) => (column?.buffer instanceof ArrayBuffer ? [column.buffer] : []));
  return [...new Set(buffers)];
}

type Part = { readonly shard: number; readonly batch: SampleBatch };

/** Which shard each row, label set, histogram and exemplar of a batch goes to, in their order. */
type Places = {
  readonly rows: Uint8Array;
  readonly series: Uint8Array;
  readonly histograms: Uint8Array;
  readonly exemplars: Uint8Array;
};
const NONE = new Uint8Array(0);
const NO_PLACES: Places = { rows: NONE, series: NONE, histograms: NONE, exemplars: NONE };

/** One part for each shard that has something; metadata goes with every part, as any shard may be asked for it. */
export function splitBatch(
  batch: SampleBatch,
  shards: number,
  buffers: ColumnBuffers,
): { readonly parts: Part[]; readonly places: Places } {
  const { refs } = batch;
  // Label sets go on as bytes: to another thread that is one buffer instead of a string per name and value.
  const packed = batch.packed ?? (batch.series.length > 0 ? packSeries(batch.series) : undefined);
  const split = packed && splitPacked(packed, shards);
  const series = split?.shardOf ?? new Uint8Array(0);
  const counts = new Uint32Array(shards);
  const local = new Int32Array(series.length);
  for (let i = 0; i < local.length; i++) local[i] = counts[series[i]!]!++;
  const shardOf = (ref: number) => (ref < 0 ? series[-ref - 1]! : shardOfRef(ref));
  const localRef = (ref: number) => (ref < 0 ? newSeries(local[-ref - 1]!) : ref);
  const rows = new Uint8Array(refs.length);
  counts.fill(0);
  for (let i = 0; i < rows.length; i++) {
    const ref = refs[i]!;
    const shard = ref < 0 ? series[-ref - 1]! : shardOfRef(ref);
    rows[i] = shard;
    counts[shard]!++;
  }
  const histograms = Uint8Array.from(batch.histograms ?? [], ({ ref }) => shardOf(ref));
  const exemplars = Uint8Array.from(batch.exemplars ?? [], ({ ref }) => shardOf(ref));
  const columns = spreadRows(batch, rows, counts, localRef, buffers);
  const parts: Part[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const own = split?.parts[shard];
    const ownHistograms = batch.histograms?.filter((_, i) => histograms[i] === shard) ?? [];
    const ownExemplars = batch.exemplars?.filter((_, i) => exemplars[i] === shard) ?? [];
    if (counts[shard] === 0 && !own?.count && ownHistograms.length === 0 && ownExemplars.length === 0) continue;
    parts.push({
      shard,
      batch: {
        ...columns[shard]!,
        series: [],
        ...(own?.count ? { packed: own } : {}),
        ...(ownHistograms.length > 0
          ? { histograms: ownHistograms.map((row) => ({ ...row, ref: localRef(row.ref) })) }
          : {}),
        ...(ownExemplars.length > 0
          ? { exemplars: ownExemplars.map((row) => ({ ...row, ref: localRef(row.ref) })) }
          : {}),
        ...(batch.metadata ? { metadata: batch.metadata } : {}),
      },
    });
  }
  if (parts.length === 0 && batch.metadata?.length) parts.push({ shard: 0, batch });
  return { parts, places: { rows, series, histograms, exemplars } };
}

type Columns = Pick<SampleBatch, 'refs' | 'timestamps' | 'values' | 'starts'>;

/** The rows of each shard, in one buffer per shard. */
function spreadRows(
  batch: SampleBatch,
  shardOf: Uint8Array,
  counts: Uint32Array,
  localRef: (ref: number) => number,
  buffers: ColumnBuffers,
): readonly Columns[] {
  // First which rows, shard by shard: then each column is gathered in a loop that decides nothing.
  const order = new Uint32Array(shardOf.length);
  const next = new Uint32Array(counts.length);
  for (let shard = 1; shard < counts.length; shard++) next[shard] = next[shard - 1]! + counts[shard - 1]!;
  for (let i = 0; i < shardOf.length; i++) order[next[shardOf[i]!]!++] = i;
  const columns: Columns[] = [];
  let from = 0;
  for (const count of counts) {
    columns.push(gathered(batch, order.subarray(from, from + count), localRef, buffers));
    from += count;
  }
  return columns;
}

function gathered(
  batch: SampleBatch,
  rows: Uint32Array,
  localRef: (ref: number) => number,
  buffers: ColumnBuffers,
): Columns {
  const { starts } = batch;
  const count = rows.length;
  const target = buffers.take(count * (starts ? 4 : 3));
  const column = (number: number) => target.subarray(number * count, (number + 1) * count);
  const refs = column(0);
  gather(batch.refs, rows, refs);
  if (newSeriesCount(batch) > 0) for (let i = 0; i < count; i++) if (refs[i]! < 0) refs[i] = localRef(refs[i]!);
  gather(batch.timestamps, rows, column(1));
  gatherBits(batch.values, rows, column(2));
  if (starts) gather(starts, rows, column(3));
  return { refs, timestamps: column(1), values: column(2), ...(starts ? { starts: column(3) } : {}) };
}

function gather(source: Float64Array, rows: Uint32Array, target: Float64Array): void {
  for (let i = 0; i < rows.length; i++) target[i] = source[rows[i]!]!;
}

/** By halves, which keeps the bits of stale markers. */
function gatherBits(source: Float64Array, rows: Uint32Array, target: Float64Array): void {
  const from = new Uint32Array(source.buffer, source.byteOffset, source.length * 2);
  const to = new Uint32Array(target.buffer, target.byteOffset, target.length * 2);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    to[i * 2] = from[row * 2]!;
    to[i * 2 + 1] = from[row * 2 + 1]!;
  }
}

/** Indexes at which a list says `shard`. */
function placesOf(list: Uint8Array, shard: number): number[] {
  const places: number[] = [];
  for (let i = 0; i < list.length; i++) if (list[i] === shard) places.push(i);
  return places;
}

function mergeResults(
  places: Places,
  parts: readonly { readonly shard: number }[],
  results: readonly AppendResult[],
): AppendResult {
  const refs = new Float64Array(places.series.length).fill(Number.NaN);
  const rejections: Rejection[] = [];
  let created = 0;
  parts.forEach(({ shard }, p) => {
    const result = results[p]!;
    created += result.created;
    if (refs.length > 0) {
      placesOf(places.series, shard).forEach((whole, local) => {
        refs[whole] = result.refs[local]!;
      });
    }
    if (result.rejections.length === 0) return;
    const whole = {
      sample: placesOf(places.rows, shard),
      histogram: placesOf(places.histograms, shard),
      exemplar: placesOf(places.exemplars, shard),
    };
    for (const rejection of result.rejections) {
      rejections.push({ ...rejection, index: whole[rejection.kind][rejection.index]! });
    }
  });
  if (rejections.length > 0) rejections.sort((a, b) => a.index - b.index);
  return { refs, rejections, created };
}
