// Series of several sources as one stream in label order: what a compaction writes. Each source is at one series at a time,
// so memory does not grow with their size.

import { compareLabels, type Labels } from '#model/labels.ts';
import type { TimeRange } from '#model/query.ts';
import type { ChunkedSeries, EncodedChunk, SeriesChunkSource } from '../chunks.ts';
import { mergeSeries } from './series.ts';

export type MergedSeries = { readonly labels: Labels; readonly chunks: readonly EncodedChunk[] };

/** Of samples that two sources have, the earlier source's is kept. Series without samples in the range are left out. */
export function* mergeSources(sources: readonly SeriesChunkSource[], range: TimeRange): Generator<MergedSeries> {
  const heap = new SourceHeap();
  const iterators = sources.map((source) => source.series(range)[Symbol.iterator]());
  try {
    for (const [order, iterator] of iterators.entries()) heap.advance({ iterator, order, series: undefined });
    for (;;) {
      const first = heap.pop();
      if (!first) return;
      const group = [first];
      while (heap.top && compareLabels(heap.top.series!.labels, first.series!.labels) === 0) group.push(heap.pop()!);
      const { labels } = first.series!;
      const chunks = mergeSeries(
        group.map(({ series }) => series!),
        range,
      );
      if (chunks.length > 0) yield { labels, chunks };
      for (const entry of group) heap.advance(entry);
    }
  } finally {
    for (const iterator of iterators) iterator.return?.();
  }
}

type Entry = { readonly iterator: Iterator<ChunkedSeries>; readonly order: number; series: ChunkedSeries | undefined };

/** A binary heap by labels, then by the order of sources. */
class SourceHeap {
  readonly #entries: Entry[] = [];

  get top(): Entry | undefined {
    return this.#entries[0];
  }

  /** Puts an entry back with its iterator's next series, unless there is none. */
  advance(entry: Entry): void {
    const next = entry.iterator.next();
    if (next.done) return;
    entry.series = next.value;
    const entries = this.#entries;
    let at = entries.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(entries[parent]!, entry)) break;
      entries[at] = entries[parent]!;
      at = parent;
    }
    entries[at] = entry;
  }

  pop(): Entry | undefined {
    const entries = this.#entries;
    const top = entries[0];
    const last = entries.pop();
    if (!top || !last || top === last) return top;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && before(entries[child + 1]!, entries[child]!)) child++;
      if (before(last, entries[child]!)) break;
      entries[at] = entries[child]!;
      at = child;
    }
    entries[at] = last;
    return top;
  }
}

function before(a: Entry, b: Entry): boolean {
  const order = compareLabels(a.series!.labels, b.series!.labels);
  return order !== 0 ? order < 0 : a.order < b.order;
}
