// Steps over ranges of rows, which the host drives in slices: truncation, what the log still needs, and reopening after a restart.

import { setNextLogId } from './append';
import { C_FLAGS, C_MAX, C_MIN, C_NEXT, closedChunk, closeOpen, dropBefore, dropOutOfOrder, ENCODING_STARTS, reopen } from './head';
import {
  dropExtra,
  E_OOO_COUNT,
  E_OOO_FIRST,
  E_OOO_OPEN,
  E_OOO_SEGMENT,
  extraOf,
  F_HAS_TIME,
  isAlive,
  R_ENCODING,
  R_EXTRA,
  R_FIRST,
  R_FLAGS,
  R_LOG_ID,
  R_MIN_TIME,
  R_SEGMENT,
  rowCount,
  rowOf,
} from './table';
import { X_LAST_TIME } from './xor';

/** Drops what is before `min` from rows [from, to) and, if `epoch` is not negative, out-of-order chunks up to it. */
export function truncateRows(from: u32, to: u32, min: f64, epoch: i32): void {
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    if (!isAlive(row)) continue;
    dropBefore(row, <i64>min);
    if (epoch >= 0) dropOutOfOrder(row, <u32>epoch);
    if (load<u8>(row, R_ENCODING) != ENCODING_STARTS) dropExtra(row);
  }
}

/** The oldest sample segment that rows [from, to) still need, or 0xffffffff. */
export function oldestSegment(from: u32, to: u32): u32 {
  let oldest: u32 = 0xffffffff;
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    if (!isAlive(row)) continue;
    const open = load<u32>(row, R_SEGMENT);
    if (open && open < oldest) oldest = open;
    const late = load<u32>(extraOf(row), E_OOO_SEGMENT);
    if (late && late < oldest) oldest = late;
  }
  return oldest;
}

/** Collects the slots in [from, to) that need a sample segment below `segment`; returns how many. */
export function pinnedRows(from: u32, to: u32, segment: u32, out: usize): u32 {
  let count: u32 = 0;
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    if (!isAlive(row)) continue;
    const open = load<u32>(row, R_SEGMENT);
    const late = load<u32>(extraOf(row), E_OOO_SEGMENT);
    if (!(open && open < segment) && !(late && late < segment)) continue;
    store<u32>(out + (<usize>count << 2), slot);
    count++;
  }
  return count;
}

/** From now on the samples of the row's open chunk are needed from `segment` on only. */
export function movePin(slot: u32, segment: u32): void {
  const row = rowOf(slot);
  if (load<u8>(row, R_ENCODING)) store<u32>(row, segment, R_SEGMENT);
}

/** A new generation of the log begins: no series is in it yet. */
export function forgetLog(): void {
  setNextLogId(1);
  for (let slot: u32 = 0; slot < rowCount; slot++) {
    const row = rowOf(slot);
    store<u32>(row, 0, R_LOG_ID);
    store<u32>(row, 0, R_SEGMENT);
    if (load<u32>(row, R_EXTRA)) store<u32>(extraOf(row), 0, E_OOO_SEGMENT);
  }
}

/** Between two generations of the log: open chunks of rows [from, to) become closed ones that can be opened again. */
export function shelveRows(from: u32, to: u32): void {
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    const encoding = load<u8>(row, R_ENCODING);
    if (!isAlive(row) || (encoding != 1 && encoding != 4)) continue;
    closeOpen(row);
    store<u8>(closedChunk, 2, C_FLAGS);
  }
}

/** Opens again what was open when it was logged, in rows [from, to). */
export function reopenRows(from: u32, to: u32, times: usize, values: usize, starts: usize, state: usize, range: f64): void {
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    if (isAlive(row) && !load<u8>(row, R_ENCODING)) reopen(row, times, values, starts, state, <i64>range);
  }
}

/** Lowest and highest time of rows [from, to), as f64 at `out` (in-order) and `out` + 16 (out of order); unchanged if none. */
export function timesOf(from: u32, to: u32, out: usize): void {
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    if (!isAlive(row)) continue;
    const first = <usize>load<u32>(row, R_FIRST);
    if (first) bounds(out, load<i64>(first, C_MIN), load<i64>(row, X_LAST_TIME));
    else if (load<u8>(row, R_ENCODING)) bounds(out, load<i64>(row, R_MIN_TIME), load<i64>(row, X_LAST_TIME));
    const extra = extraOf(row);
    for (let chunk = <usize>load<u32>(extra, E_OOO_FIRST); chunk; chunk = <usize>load<u32>(chunk, C_NEXT))
      bounds(out + 16, load<i64>(chunk, C_MIN), load<i64>(chunk, C_MAX));
    const late = <u32>load<u16>(extra, E_OOO_COUNT);
    const list = <usize>load<u32>(extra, E_OOO_OPEN);
    if (late) bounds(out + 16, load<i64>(list), load<i64>(list + (<usize>(late - 1) << 4)));
  }
}

function bounds(out: usize, min: i64, max: i64): void {
  if (<f64>min < load<f64>(out)) store<f64>(out, <f64>min);
  if (<f64>max > load<f64>(out, 8)) store<f64>(out, <f64>max, 8);
}
