// Merges the chunks of one series from any number of sources. Chunks that touch nothing else are passed on as they are;
// only runs that overlap, that reach beyond the range or that have deleted samples are decoded and written anew.

import { CHUNK_XOR, type TimeRange } from '#model/query.ts';
import type { ChunkedSeries, EncodedChunk } from '../chunks.ts';
import { decodeChunk, encodeChunks, isPlain } from '../codec/chunk.ts';
import { SampleColumns } from '../codec/samples.ts';
import { joinXor } from '../codec/xor.ts';

type Source = { readonly chunk: EncodedChunk; readonly deleted: readonly TimeRange[]; readonly order: number };

/** Chunks in time order without overlap, all within the range. Of samples with equal times the first part's is kept. */
export function mergeSeries(parts: readonly ChunkedSeries[], range: TimeRange): EncodedChunk[] {
  const sources: Source[] = [];
  for (const [order, { chunks, deleted }] of parts.entries()) {
    for (const chunk of chunks) {
      if (chunk.maxTime >= range.min && chunk.minTime <= range.max) sources.push({ chunk, deleted, order });
    }
  }
  sources.sort((a, b) => a.chunk.minTime - b.chunk.minTime || a.order - b.order);
  const merged: EncodedChunk[] = [];
  for (let start = 0; start < sources.length; ) {
    let end = start + 1;
    let maxTime = sources[start]!.chunk.maxTime;
    while (end < sources.length && sources[end]!.chunk.minTime <= maxTime) {
      maxTime = Math.max(maxTime, sources[end]!.chunk.maxTime);
      end++;
    }
    appendRun(merged, withoutCopies(sources.slice(start, end)), range);
    start = end;
  }
  return merged;
}

/** Chunks as they come from heads are short; longer ones need less room for their heads and their places in the index. */
const JOINED_SAMPLES = 480;

/** Makes one chunk of several short ones that follow each other closely. Only floats: histograms begin anew for a reason. */
export function joinChunks(chunks: readonly EncodedChunk[]): readonly EncodedChunk[] {
  if (chunks.length < 2) return chunks;
  const joined: EncodedChunk[] = [];
  for (let start = 0; start < chunks.length; ) {
    const first = chunks[start]!;
    let end = start + 1;
    let samples = first.samples;
    while (end < chunks.length && samples + chunks[end]!.samples <= JOINED_SAMPLES) {
      const [before, next] = [chunks[end - 1]!, chunks[end]!];
      const isClose = next.minTime - before.maxTime <= Math.max(1, before.maxTime - before.minTime);
      if (first.encoding !== CHUNK_XOR || next.encoding !== CHUNK_XOR || !isClose) break;
      samples += next.samples;
      end++;
    }
    const run = chunks.slice(start, end);
    joined.push(run.length === 1 ? first : joinedChunk(run, samples));
    start = end;
  }
  return joined;
}

function joinedChunk(chunks: readonly EncodedChunk[], samples: number): EncodedChunk {
  return {
    encoding: CHUNK_XOR,
    minTime: chunks[0]!.minTime,
    maxTime: chunks.at(-1)!.maxTime,
    samples,
    bytes: joinXor(chunks.map(({ bytes }) => bytes)),
  };
}

/** Without chunks that are there twice, as replicas and repeated compactions leave them. */
function withoutCopies(run: readonly Source[]): readonly Source[] {
  if (run.length === 1) return run;
  return run.filter(
    (source, i) =>
      !run
        .slice(0, i)
        .some((other) => sameChunk(source.chunk, other.chunk) && sameRanges(source.deleted, other.deleted)),
  );
}

function sameChunk(a: EncodedChunk, b: EncodedChunk): boolean {
  return (
    a.minTime === b.minTime &&
    a.maxTime === b.maxTime &&
    a.encoding === b.encoding &&
    a.bytes.length === b.bytes.length &&
    a.bytes.every((byte, i) => byte === b.bytes[i])
  );
}

function sameRanges(a: readonly TimeRange[], b: readonly TimeRange[]): boolean {
  return a.length === b.length && a.every((range, i) => range.min === b[i]!.min && range.max === b[i]!.max);
}

function appendRun(merged: EncodedChunk[], run: readonly Source[], range: TimeRange): void {
  const [only] = run;
  if (run.length === 1 && only && isUntouched(only, range)) {
    merged.push(only.chunk);
    return;
  }
  for (const chunk of encodeChunks(mergeSamples(run, range))) merged.push(chunk);
}

function isUntouched({ chunk, deleted }: Source, range: TimeRange): boolean {
  return (
    isPlain(chunk.encoding) &&
    chunk.minTime >= range.min &&
    chunk.maxTime <= range.max &&
    !deleted.some(({ min, max }) => min <= chunk.maxTime && max >= chunk.minTime)
  );
}

/** Samples of a run in time order, cut and with deleted ones left out. */
function mergeSamples(run: readonly Source[], range: TimeRange): SampleColumns {
  const columns = run.map(({ chunk }) => {
    const samples = new SampleColumns(chunk.samples);
    decodeChunk(chunk.encoding, chunk.bytes, samples);
    return samples;
  });
  const next = new Uint32Array(run.length);
  const out = new SampleColumns(columns.reduce((sum, samples) => sum + samples.length, 0));
  for (;;) {
    let time = Infinity;
    for (let i = 0; i < columns.length; i++) {
      if (next[i]! < columns[i]!.length) time = Math.min(time, columns[i]!.timestamps[next[i]!]!);
    }
    if (time === Infinity) return out;
    // Of equal times the sample of the first part wins, whichever chunk of the run it is in.
    let winner = -1;
    for (let i = 0; i < columns.length; i++) {
      const samples = columns[i]!;
      if (next[i]! >= samples.length || samples.timestamps[next[i]!] !== time) continue;
      if (!isDeleted(run[i]!.deleted, time) && (winner < 0 || run[i]!.order < run[winner]!.order)) winner = i;
    }
    if (winner >= 0 && time >= range.min && time <= range.max) out.pushFrom(columns[winner]!, next[winner]!);
    for (let i = 0; i < columns.length; i++) {
      while (next[i]! < columns[i]!.length && columns[i]!.timestamps[next[i]!] === time) next[i]!++;
    }
  }
}

const isDeleted = (deleted: readonly TimeRange[], time: number): boolean =>
  deleted.some(({ min, max }) => time >= min && time <= max);
