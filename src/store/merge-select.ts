// The selections of blocks and head as one: both are in label order, a series that is in both has its chunks in one list.

import { compareLabels } from '#model/labels.ts';
import type { SeriesChunks } from '#model/query.ts';
import { newChunkList } from './block/window.ts';

export function* mergeSelections(
  blocks: Iterator<SeriesChunks>,
  head: Iterator<SeriesChunks>,
): Generator<SeriesChunks> {
  const joined: SeriesChunks = Object.assign(newChunkList(), { labels: [], deleted: [] });
  let a = blocks.next();
  let b = head.next();
  try {
    while (!a.done || !b.done) {
      const order = a.done ? 1 : b.done ? -1 : compareLabels(a.value.labels, b.value.labels);
      if (order < 0) {
        yield a.value;
        a = blocks.next();
      } else if (order > 0) {
        yield b.value;
        b = head.next();
      } else {
        yield join(a.value, b.value, joined);
        a = blocks.next();
        b = head.next();
      }
    }
  } finally {
    blocks.return?.();
    head.return?.();
  }
}

function join(a: SeriesChunks, b: SeriesChunks, into: SeriesChunks): SeriesChunks {
  const count = a.count + b.count;
  if (count > into.addresses.length) Object.assign(into, newChunkList(count * 2));
  into.count = count;
  for (let at = 0, i = 0, k = 0; at < count; at++) {
    const fromA = i < a.count && (k === b.count || a.minTimes[i]! <= b.minTimes[k]!);
    const source = fromA ? a : b;
    const index = fromA ? i++ : k++;
    into.addresses[at] = source.addresses[index]!;
    into.lengths[at] = source.lengths[index]!;
    into.encodings[at] = source.encodings[index]!;
    into.minTimes[at] = source.minTimes[index]!;
    into.maxTimes[at] = source.maxTimes[index]!;
  }
  // Blocks cut their deleted ranges out themselves; the head's hide its own samples only, but the same delete hid those too.
  return Object.assign(into, { labels: a.labels, deleted: b.deleted.length > 0 ? b.deleted : a.deleted });
}
