// From records of label sets (src/model/packed.ts) to series, many in one call. What is unusual ends the call: the host
// looks at that record and goes on behind it.

import { isBefore } from './packed';
import { R_GENERATION, rowOf, seriesCreate, seriesFind } from './table';

const HEADER: usize = 12;

/** Where the record is at which the last call ended. */
export let resolvedTo: usize = 0;
/** How many series the last call made. */
export let resolvedNew: u32 = 0;

/**
 * Finds or makes the series of `count` records from `at` on and writes their refs (f64) to `refs`. Ends before a record with
 * more than `maxLabels` or `maxBytes`, with labels that cannot be, or that would make more series than `maxNew`. Returns how
 * many records are done.
 */
export function resolveRecords(
  at: usize,
  count: u32,
  refs: usize,
  shard: u32,
  maxNew: u32,
  maxLabels: u32,
  maxBytes: u32,
): u32 {
  let done: u32 = 0;
  resolvedNew = 0;
  for (; done < count; done++) {
    const labels = load<u32>(at, 4);
    const bytes = load<u32>(at, 8);
    if (labels > maxLabels || bytes > maxBytes) break;
    const lengths = at + HEADER;
    const text = lengths + (<usize>labels << 3);
    let slot = seriesFind(lengths, text, labels);
    if (slot < 0) {
      if (resolvedNew == maxNew || !isValid(lengths, text, labels)) break;
      slot = seriesCreate(lengths, text, labels);
      if (slot < 0) break;
      resolvedNew++;
    }
    const high = ((<u64>shard << 15) | <u64>load<u16>(rowOf(<u32>slot), R_GENERATION)) << 32;
    store<f64>(refs + (<usize>done << 3), <f64>(high | <u64>slot));
    at = (text + <usize>bytes + 3) & ~3;
  }
  resolvedTo = at;
  return done;
}

/** Names in order, each once, nothing empty. */
function isValid(lengths: usize, text: usize, labels: u32): bool {
  let before: usize = 0;
  let beforeLength: u32 = 0;
  for (let i: u32 = 0; i < labels; i++) {
    const nameLength = load<u32>(lengths);
    const valueLength = load<u32>(lengths, 4);
    if (nameLength == 0 || valueLength == 0) return false;
    if (i != 0 && !isBefore(before, beforeLength, text, nameLength)) return false;
    before = text;
    beforeLength = nameLength;
    text += <usize>(nameLength + valueLength);
    lengths += 8;
  }
  return labels != 0;
}
