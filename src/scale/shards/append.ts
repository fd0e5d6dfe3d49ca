// The appender of one shard's thread: splits a batch by the shard that each series belongs to, keeps its own part and
// hands the others over in one message each. With one shard, or when all rows are its own, the batch passes through untouched.

import { OperatingError } from '#base/errors.ts';
import {
  type Appender,
  type AppendResult,
  newSeries,
  type Rejection,
  type SampleBatch,
  shardOfRef,
} from '#model/batch.ts';
import { hashLabels, type Labels, shardOf } from '#model/labels.ts';

export class ShardedAppender implements Appender {
  readonly #shards: number;
  readonly #appenderOf: (shard: number) => Appender;

  /** `appenderOf` gives the way to a shard's store: direct for the own one, a message for others. */
  constructor(shards: number, appenderOf: (shard: number) => Appender) {
    this.#shards = shards;
    this.#appenderOf = appenderOf;
  }

  async append(batch: SampleBatch): Promise<AppendResult> {
    if (this.#shards === 1) return this.#appenderOf(0).append(batch);
    const parts = splitBatch(batch, this.#shards);
    // All rows in one shard: they keep their places, so its answer is the answer. A part is a copy that may be moved away.
    if (parts.length === 1) return this.#appenderOf(parts[0]!.shard).append(parts[0]!.batch);
    const outcomes = await Promise.allSettled(parts.map((part) => this.#appenderOf(part.shard).append(part.batch)));
    const failed = outcomes.filter((o): o is PromiseRejectedResult => o.status === 'rejected');
    if (failed.length > 0) {
      // Parts that went in stay in: the sender repeats the whole batch and equal samples are no duplicates.
      throw new OperatingError('shard_down', `cannot append to ${failed.length} of ${parts.length} shards`, {
        cause: failed[0]!.reason,
      });
    }
    return mergeResults(
      batch,
      parts,
      outcomes.map((o) => (o as PromiseFulfilledResult<AppendResult>).value),
    );
  }
}

/** The memory of a part, for handing it to another thread without a copy; the part cannot be read afterwards. */
export function batchBuffers(batch: SampleBatch): ArrayBuffer[] {
  const columns = [batch.refs, batch.timestamps, batch.values, ...(batch.starts ? [batch.starts] : [])];
  return columns.map((column) => column.buffer as ArrayBuffer);
}

type Part = {
  readonly shard: number;
  readonly batch: SampleBatch;
  /** Index in the whole batch of each of the part's rows, series, histograms and exemplars. */
  readonly rows: Uint32Array;
  readonly series: readonly number[];
  readonly histograms: readonly number[];
  readonly exemplars: readonly number[];
};

/** One part for each shard that has something; metadata goes with every part, as any shard may be asked for it. */
export function splitBatch(batch: SampleBatch, shards: number): Part[] {
  const shardOfSeries = Uint32Array.from(batch.series, (labels) => shardOf(hashLabels(labels), shards));
  const shardOfRow = (ref: number) => (ref < 0 ? shardOfSeries[-ref - 1]! : shardOfRef(ref));
  const rowShards = new Uint8Array(batch.refs.length);
  const counts = new Uint32Array(shards);
  for (let i = 0; i < rowShards.length; i++) {
    const shard = shardOfRow(batch.refs[i]!);
    rowShards[i] = shard;
    counts[shard]!++;
  }
  const localSeries = new Int32Array(batch.series.length);
  const seriesOf: number[][] = Array.from({ length: shards }, () => []);
  for (let i = 0; i < batch.series.length; i++) {
    const list = seriesOf[shardOfSeries[i]!]!;
    localSeries[i] = list.length;
    list.push(i);
  }
  const localRef = (ref: number) => (ref < 0 ? newSeries(localSeries[-ref - 1]!) : ref);
  const histograms = (batch.histograms ?? []).map((row, index) => ({ row, index, shard: shardOfRow(row.ref) }));
  const exemplars = (batch.exemplars ?? []).map((row, index) => ({ row, index, shard: shardOfRow(row.ref) }));

  const parts: Part[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const count = counts[shard]!;
    const ownHistograms = histograms.filter((h) => h.shard === shard);
    const ownExemplars = exemplars.filter((e) => e.shard === shard);
    const series = seriesOf[shard]!;
    if (count === 0 && series.length === 0 && ownHistograms.length === 0 && ownExemplars.length === 0) continue;
    const rows = new Uint32Array(count);
    const refs = new Float64Array(count);
    const timestamps = new Float64Array(count);
    const values = new Float64Array(count);
    const starts = batch.starts && new Float64Array(count);
    let at = 0;
    for (let i = 0; i < rowShards.length; i++) {
      if (rowShards[i] !== shard) continue;
      rows[at] = i;
      refs[at] = localRef(batch.refs[i]!);
      timestamps[at] = batch.timestamps[i]!;
      values[at] = batch.values[i]!;
      if (starts) starts[at] = batch.starts[i]!;
      at++;
    }
    parts.push({
      shard,
      rows,
      series,
      histograms: ownHistograms.map((h) => h.index),
      exemplars: ownExemplars.map((e) => e.index),
      batch: {
        refs,
        timestamps,
        values,
        ...(starts ? { starts } : {}),
        series: series.map((i) => batch.series[i] as Labels),
        ...(ownHistograms.length > 0
          ? { histograms: ownHistograms.map(({ row }) => ({ ...row, ref: localRef(row.ref) })) }
          : {}),
        ...(ownExemplars.length > 0
          ? { exemplars: ownExemplars.map(({ row }) => ({ ...row, ref: localRef(row.ref) })) }
          : {}),
        ...(batch.metadata ? { metadata: batch.metadata } : {}),
      },
    });
  }
  if (parts.length === 0 && batch.metadata?.length) {
    parts.push({ shard: 0, batch, rows: new Uint32Array(0), series: [], histograms: [], exemplars: [] });
  }
  return parts;
}

function mergeResults(batch: SampleBatch, parts: readonly Part[], results: readonly AppendResult[]): AppendResult {
  const refs = new Float64Array(batch.series.length).fill(Number.NaN);
  const rejections: Rejection[] = [];
  let created = 0;
  parts.forEach((part, p) => {
    const result = results[p]!;
    created += result.created;
    part.series.forEach((whole, local) => {
      refs[whole] = result.refs[local]!;
    });
    for (const rejection of result.rejections) {
      const index =
        rejection.kind === 'sample'
          ? part.rows[rejection.index]!
          : rejection.kind === 'histogram'
            ? part.histograms[rejection.index]!
            : part.exemplars[rejection.index]!;
      rejections.push({ ...rejection, index });
    }
  });
  rejections.sort((a, b) => a.index - b.index);
  return { refs, rejections, created };
}
