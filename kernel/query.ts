// Entry of the query kernel: what src/query calls in its shard's memory. Tables say where the chunks of many series lie; one
// call decodes them series by series into columns, works out one function at every step of a grid, and either keeps the row or
// folds it into the row of its group.

import { COUNT_BITS, decode, HAS_STALE } from './lib/decode';
import { CHUNK_BYTES, S_BYTES, S_CHUNKS, S_COUNT, S_GROUP, S_PLAIN } from './lib/series';
import { dropStale, INSTANT, instants, kahan, TIMESTAMP, windows } from './lib/windows';
import { xorDecode } from './lib/xor';

export { xorDecode };

// A job, as src/query/shard/kernel.ts writes it.
const J_FUNC: usize = 0; // i32
const J_STEPS: usize = 4; // i32
const J_START: usize = 8; // f64
const J_STEP: usize = 16; // f64
const J_WINDOW: usize = 24; // f64
const J_FOLD: usize = 32; // i32, FOLD_*
const J_TIMES: usize = 36; // u32, columns of one series
const J_VALUES: usize = 40; // u32
const J_WORK: usize = 44; // u32, a number (i32) per sample, or start times
const J_SAMPLES: usize = 48; // u32, room in the columns
const J_ROWS: usize = 52; // u32, values of rows that are kept
const J_KINDS: usize = 56; // u32
const J_ROW_SERIES: usize = 60; // u32, of which series (u32) each row is
const J_ROOM: usize = 64; // u32, rows
const J_SUMS: usize = 68; // u32, per group and step: sum or extreme,
const J_RESTS: usize = 72; // u32, what rounding took from it,
const J_COUNTS: usize = 76; // u32, how many samples went in
const J_SEEN: usize = 80; // u32, a byte per series: whether its row was folded
// Results.
const J_KEPT: usize = 84; // u32, rows
const J_STOP: usize = 88; // u32, STOP_*
const J_POINTS: usize = 92; // u32, of the rows kept
const J_READ: usize = 96; // f64, samples looked at
const J_BYTES: usize = 104; // f64, of their chunks
const J_SERIES: usize = 112; // u32, series with any chunk

const FOLD_NONE = 0;
const FOLD_SUM = 1;
const FOLD_AVG = 2;
const FOLD_MIN = 3;
const FOLD_MAX = 4;

// Why a call ended before its last series.
const STOP_PLAIN: u32 = 1; // the series is not for the kernel
const STOP_FULL: u32 = 2; // no room for another row
const STOP_LONG: u32 = 3; // no room for the series' samples
const STOP_CORRUPT: u32 = 4;

const CHUNK_STARTS: u32 = 4;
/** Values beyond this cannot be added up safely by the thousand. */
const LARGE: f64 = 1e290;

/** Works out series [from, to) of the table. Returns where it stopped, which is `to` unless the job says why. */
export function evaluate(job: usize, table: usize, from: u32, to: u32): u32 {
  const func = load<i32>(job, J_FUNC);
  const steps = load<i32>(job, J_STEPS);
  const fold = load<i32>(job, J_FOLD);
  const room = load<u32>(job, J_ROOM);
  const rows = <usize>load<u32>(job, J_ROWS);
  const allKinds = <usize>load<u32>(job, J_KINDS);
  store<u32>(job, 0, J_STOP);
  let kept = load<u32>(job, J_KEPT);
  for (let series = from; series < to; series++) {
    const entry = table + <usize>series * S_BYTES;
    let stop: u32 = 0;
    if (load<u32>(entry, S_PLAIN)) stop = STOP_PLAIN;
    else if (kept == room) stop = STOP_FULL;
    let count = 0;
    if (!stop) {
      count = columns(job, entry);
      if (count == -1) stop = STOP_CORRUPT;
      else if (count == -2) stop = STOP_LONG;
    }
    if (stop) {
      store<u32>(job, stop, J_STOP);
      store<u32>(job, kept, J_KEPT);
      return series;
    }
    if (load<u32>(entry, S_COUNT)) store<u32>(job, load<u32>(job, J_SERIES) + 1, J_SERIES);
    const out = rows + ((<usize>kept * <usize>steps) << 3);
    const kinds = allKinds + <usize>kept * <usize>steps;
    const found = work(job, func, steps, count, out, kinds);
    if (found == 0) continue;
    if (fold != FOLD_NONE && foldRow(job, fold, load<u32>(entry, S_GROUP), steps, out, kinds, found == steps)) {
      store<u8>(<usize>load<u32>(job, J_SEEN) + <usize>series, 1);
      continue;
    }
    store<u32>(<usize>load<u32>(job, J_ROW_SERIES) + (<usize>kept << 2), series);
    store<u32>(job, load<u32>(job, J_POINTS) + found, J_POINTS);
    kept++;
  }
  store<u32>(job, kept, J_KEPT);
  return to;
}

/** Decodes the chunks of a series one behind the other. Returns how many samples, with HAS_STALE, or below 0 why not. */
function columns(job: usize, entry: usize): i32 {
  const times = <usize>load<u32>(job, J_TIMES);
  const values = <usize>load<u32>(job, J_VALUES);
  const chunks = <usize>load<u32>(entry, S_CHUNKS);
  const end = chunks + <usize>load<u32>(entry, S_COUNT) * CHUNK_BYTES;
  let samples: u32 = 0;
  let bytes: u32 = 0;
  for (let chunk = chunks; chunk < end; chunk += CHUNK_BYTES) {
    const address = <usize>load<u32>(chunk);
    samples += (<u32>load<u8>(address) << 8) | <u32>load<u8>(address, 1);
    bytes += load<u32>(chunk, 4);
  }
  if (samples > load<u32>(job, J_SAMPLES)) return -2;
  let count = 0;
  let stale = 0;
  for (let chunk = chunks; chunk < end; chunk += CHUNK_BYTES) {
    const address = <usize>load<u32>(chunk);
    const length = load<u32>(chunk, 4);
    const to = <usize>count << 3;
    if (load<u32>(chunk, 8) == CHUNK_STARTS) {
      const decoded = xorDecode(address, length, times + to, values + to, <usize>load<u32>(job, J_WORK), 0);
      if (decoded < 0) return -1;
      count += decoded;
      stale = HAS_STALE;
    } else {
      const decoded = decode(address, length, times + to, values + to);
      if (decoded < 0) return -1;
      count += decoded & COUNT_BITS;
      stale |= decoded & HAS_STALE;
    }
  }
  store<f64>(job, load<f64>(job, J_READ) + <f64>count, J_READ);
  store<f64>(job, load<f64>(job, J_BYTES) + <f64>bytes, J_BYTES);
  return count | stale;
}

// @ts-ignore: decorator
@inline
function work(job: usize, func: i32, steps: i32, decoded: i32, out: usize, kinds: usize): i32 {
  const times = <usize>load<u32>(job, J_TIMES);
  const values = <usize>load<u32>(job, J_VALUES);
  const start = load<f64>(job, J_START);
  const step = load<f64>(job, J_STEP);
  const window = load<f64>(job, J_WINDOW);
  let count = decoded & COUNT_BITS;
  if (func == INSTANT || func == TIMESTAMP) {
    return instants(func, times, values, count, start, step, steps, window, out, kinds);
  }
  if (decoded & HAS_STALE) count = dropStale(times, values, count);
  return windows(func, times, values, count, <usize>load<u32>(job, J_WORK), start, step, steps, window, out, kinds);
}

/** Folds a row into its group's; false if it has to be kept instead: an average whose sum may overflow needs all its samples. */
function foldRow(job: usize, fold: i32, group: u32, steps: i32, out: usize, kinds: usize, whole: bool): bool {
  const from = (<usize>group * <usize>steps) << 3;
  const sums = <usize>load<u32>(job, J_SUMS) + from;
  const counts = <usize>load<u32>(job, J_COUNTS) + from;
  if (fold == FOLD_AVG && isLarge(out, kinds, steps)) return false;
  if (fold == FOLD_SUM || fold == FOLD_AVG) {
    const rests = <usize>load<u32>(job, J_RESTS) + from;
    if (whole) addWhole(sums, rests, counts, out, steps);
    else addSome(sums, rests, counts, out, kinds, steps);
    return true;
  }
  for (let i: usize = 0; i < <usize>steps; i++) {
    if (!load<u8>(kinds + i)) continue;
    const to = i << 3;
    store<f64>(counts + to, load<f64>(counts + to) + 1);
    if (fold != FOLD_MIN && fold != FOLD_MAX) continue;
    const value = load<f64>(out + to);
    const best = load<f64>(sums + to);
    if ((fold == FOLD_MAX ? value > best : value < best) || isNaN(best)) store<f64>(sums + to, value);
  }
  return true;
}

function isLarge(out: usize, kinds: usize, steps: i32): bool {
  for (let i: usize = 0; i < <usize>steps; i++) if (load<u8>(kinds + i) && abs(load<f64>(out + (i << 3))) > LARGE) return true;
  return false;
}

// Sums begin at -0, to which anything can be added without changing it.

function addSome(sums: usize, rests: usize, counts: usize, out: usize, kinds: usize, steps: i32): void {
  for (let i: usize = 0; i < <usize>steps; i++) {
    if (load<u8>(kinds + i)) addOne(sums + (i << 3), rests + (i << 3), counts + (i << 3), load<f64>(out + (i << 3)));
  }
}

// @ts-ignore: decorator
@inline
function addOne(sum: usize, rest: usize, count: usize, value: f64): void {
  const total = load<f64>(sum);
  store<f64>(rest, kahan(total, value, load<f64>(rest)));
  store<f64>(sum, total + value);
  store<f64>(count, load<f64>(count) + 1);
}

/** Two steps at a time. */
function addWhole(sums: usize, rests: usize, counts: usize, out: usize, steps: i32): void {
  const infinite = f64x2.splat(Infinity);
  const one = f64x2.splat(1);
  const pairs = <usize>(steps & ~1) << 3;
  for (let at: usize = 0; at < pairs; at += 16) {
    const total = v128.load(sums + at);
    const value = v128.load(out + at);
    const next = f64x2.add(total, value);
    const larger = f64x2.ge(f64x2.abs(total), f64x2.abs(value));
    const lost = v128.bitselect(
      f64x2.add(f64x2.sub(total, next), value),
      f64x2.add(f64x2.sub(value, next), total),
      larger,
    );
    const rest = f64x2.add(v128.load(rests + at), lost);
    v128.store(rests + at, v128.andnot(rest, f64x2.eq(f64x2.abs(next), infinite)));
    v128.store(sums + at, next);
    v128.store(counts + at, f64x2.add(v128.load(counts + at), one));
  }
  if (steps & 1) addOne(sums + pairs, rests + pairs, counts + pairs, load<f64>(out + pairs));
}
