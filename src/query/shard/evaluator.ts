// Works out a fragment in the kernel, a table of series at a time, and hands rows and partial aggregates to a collector. Series
// that are more than floats in order are given back to be worked out by themselves.

import type { Fragment, SeriesChunks, SeriesGroups, SeriesName, TimeRange } from '#model/query.ts';
import { CHUNK_XOR, CHUNK_XOR_STARTS } from '#model/query.ts';
import { executionError } from '../execute/errors.ts';
import { isInstant } from '../functions/series.ts';
import { type Collector, nameOf } from './collect.ts';
import { KernelFold } from './fold.ts';
import { JOB, KERNEL_FOLDS, KERNEL_FUNCTIONS, type QueryKernel, STOP } from './kernel.ts';

const ENTRY_WORDS = 4;
const GROUP_WORD = 3;
const ADDING = ['sum_over_time', 'avg_over_time', 'changes'];
const USUAL_DISTANCE_MS = 15_000;

/** Groups of numbered series, and which of the collector's groups they are. */
export type NumberedGroups = {
  readonly groups: SeriesGroups;
  readonly numbers: number[];
  readonly name: (series: number) => SeriesName;
};

export class Evaluator {
  readonly #kernel: QueryKernel;
  readonly #collector: Collector;
  readonly #fragment: Fragment;
  readonly #func: number;
  readonly #fold: KernelFold | undefined;
  readonly #steps: number;

  constructor(kernel: QueryKernel, collector: Collector) {
    this.#kernel = kernel;
    this.#collector = collector;
    this.#fragment = collector.fragment;
    this.#steps = collector.steps;
    this.#func = KERNEL_FUNCTIONS[this.#fragment.func]!;
    const op = this.#fragment.aggregate?.op;
    this.#fold = op !== undefined && op in KERNEL_FOLDS ? new KernelFold(kernel, op, this.#steps) : undefined;
  }

  /** Whether the kernel can do a fragment's function at all. */
  static can({ func, extend }: Fragment, useStarts: boolean): boolean {
    return func in KERNEL_FUNCTIONS && !extend && !(useStarts && !isInstant(func));
  }

  /** How many series are worked out in one go, so that other work waits for a moment only. */
  get tableSeries(): number {
    // Sums are added up anew in each window: as many additions as samples in it, at a usual distance.
    const { func, window } = this.#fragment;
    const perStep = ADDING.includes(func) ? 1 + window / USUAL_DISTANCE_MS / 8 : 1;
    return Math.max(1, Math.min(512, Math.floor(65_536 / (this.#steps * perStep + 128))));
  }

  /**
   * The series of a table: `name` of each, the groups they are of (all of one without), and what is done with those that are not
   * for the kernel.
   */
  run(
    table: { readonly address: number; readonly count: number },
    name: (index: number) => SeriesName,
    groups: NumberedGroups | undefined,
    plain: (index: number) => void,
  ): void {
    const kernel = this.#kernel;
    const folds = this.#fold !== undefined && this.#assign(table, name, groups);
    const notes = folds && this.#collector.needsSeen;
    if (notes) kernel.u8.fill(0, kernel.seen, kernel.seen + table.count);
    for (let at = 0; at < table.count; ) {
      this.#write(folds);
      at = kernel.exports.evaluate(kernel.job, table.address, at, table.count);
      const stop = this.#collect(name);
      if (stop === STOP.plain) plain(at++);
      else if (stop === STOP.long) this.#makeRoom(table.address + at * 16);
      else if (stop === STOP.corrupt) throw executionError('cannot read a chunk: it ends early');
    }
    if (!notes) return;
    const seen = kernel.u8.slice(kernel.seen, kernel.seen + table.count);
    for (let i = 0; i < table.count; i++) if (seen[i] !== 0) this.#collector.sawFolded(name(i));
  }

  /** One series whose chunks somebody else has found; false if it is not for the kernel. */
  one(series: SeriesChunks, range: TimeRange): boolean {
    const { count, encodings, lengths, addresses, minTimes, maxTimes, deleted } = series;
    if (deleted.length > 0) return false;
    let end = -Infinity;
    for (let i = 0; i < count; i++) {
      const encoding = encodings[i]!;
      if ((encoding !== CHUNK_XOR && encoding !== CHUNK_XOR_STARTS) || minTimes[i]! <= end) return false;
      end = maxTimes[i]!;
    }
    const kernel = this.#kernel;
    kernel.reserveChunks(count);
    const { u32 } = kernel;
    let at = kernel.chunks >>> 2;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      if (maxTimes[i]! < range.min || minTimes[i]! > range.max) continue;
      u32[at++] = addresses[i]!;
      u32[at++] = lengths[i]!;
      u32[at++] = encodings[i]!;
      at++;
      kept++;
    }
    const entry = kernel.table >>> 2;
    u32[entry] = kernel.chunks;
    u32[entry + 1] = kept;
    u32[entry + 2] = 0;
    u32[entry + GROUP_WORD] = 0;
    const name = nameOf(series.labels);
    this.run(
      { address: kernel.table, count: 1 },
      () => name,
      undefined,
      () => {},
    );
    return true;
  }

  /** Puts the collector's group of each series into the table; false if there are too many groups for the kernel. */
  #assign(
    { address, count }: { readonly address: number; readonly count: number },
    name: (index: number) => SeriesName,
    groups: NumberedGroups | undefined,
  ): boolean {
    const all = this.#collector.groups!;
    const { aggregate } = this.#fragment;
    const at = (address >>> 2) + GROUP_WORD;
    if (aggregate!.by && aggregate!.labels.length === 0) {
      all.of([]);
      const { u32 } = this.#kernel;
      for (let i = 0; i < count; i++) u32[at + i * ENTRY_WORDS] = 0;
    } else if (!groups) {
      for (let i = 0; i < count; i++) {
        const group = all.of(this.#collector.shown(name(i)));
        this.#kernel.u32[at + i * ENTRY_WORDS] = group;
      }
    } else {
      groups.groups.assign();
      const known = this.#translated(groups);
      const { u32 } = this.#kernel;
      for (let i = 0; i < count; i++) u32[at + i * ENTRY_WORDS] = known[u32[at + i * ENTRY_WORDS]!]!;
    }
    return this.#fold!.reserve(all.labels.length);
  }

  /** Numbers of the groups to those of the collector. */
  #translated({ groups, numbers, name }: NumberedGroups): readonly number[] {
    const { count } = groups;
    for (let i = numbers.length; i < count; i++) {
      numbers.push(this.#collector.groups!.of(this.#collector.shown(name(groups.memberOf(i)))));
    }
    return numbers;
  }

  #write(folds: boolean): void {
    const kernel = this.#kernel;
    const { grid, offset, at, window, aggregate } = this.#fragment;
    kernel.reserveSamples(1);
    const room = kernel.reserveRows(this.#steps);
    const { u32, f64, job } = kernel;
    const w = job >>> 2;
    const word = JOB.u32;
    u32[w + word.func] = this.#func;
    u32[w + word.steps] = this.#steps;
    u32[w + word.fold] = folds ? KERNEL_FOLDS[aggregate!.op]! : 0;
    u32[w + word.times] = kernel.times;
    u32[w + word.values] = kernel.values;
    u32[w + word.work] = kernel.starts;
    u32[w + word.samples] = kernel.sampleCapacity;
    u32[w + word.rows] = kernel.rows;
    u32[w + word.kinds] = kernel.kinds;
    u32[w + word.rowSeries] = kernel.rowSeries;
    u32[w + word.room] = room;
    u32[w + word.sums] = this.#fold?.address(0) ?? 0;
    u32[w + word.rests] = this.#fold?.address(1) ?? 0;
    u32[w + word.counts] = this.#fold?.address(2) ?? 0;
    u32[w + word.seen] = kernel.seen;
    u32[w + word.kept] = 0;
    u32[w + word.points] = 0;
    u32[w + word.series] = 0;
    const f = job / 8;
    f64[f + JOB.f64.start] = (at ?? grid.start) - offset;
    f64[f + JOB.f64.step] = at === undefined ? grid.step : 0;
    f64[f + JOB.f64.window] = window;
    f64[f + JOB.f64.read] = 0;
    f64[f + JOB.f64.bytes] = 0;
  }

  /** Takes what a call has left. Returns why it stopped. */
  #collect(name: (index: number) => SeriesName): number {
    const { u32, f64, u8, job, rows, kinds, rowSeries } = this.#kernel;
    const w = job >>> 2;
    const kept = u32[w + JOB.u32.kept]!;
    this.#collector.countMany(u32[w + JOB.u32.series]!, f64[job / 8 + JOB.f64.read]!, f64[job / 8 + JOB.f64.bytes]!);
    const stop = u32[w + JOB.u32.stop]!;
    if (kept > 0) {
      const points = kept * this.#steps;
      this.#collector.addRows(
        kept,
        f64.subarray(rows / 8, rows / 8 + points),
        u8.subarray(kinds, kinds + points),
        u32[w + JOB.u32.points]!,
        (row) => name(u32[(rowSeries >>> 2) + row]!),
      );
    }
    return stop;
  }

  /** The series at an entry has more samples than there is room for. */
  #makeRoom(entry: number): void {
    const { u32, u8 } = this.#kernel;
    const first = u32[entry >>> 2]! >>> 2;
    const count = u32[(entry >>> 2) + 1]!;
    let samples = 0;
    for (let i = 0; i < count; i++) {
      const address = u32[first + i * 4]!;
      samples += (u8[address]! << 8) | u8[address + 1]!;
    }
    this.#kernel.reserveSamples(samples);
  }

  /** Hands partial aggregates over and gives memory back. */
  finish(): void {
    if (this.#fold && this.#fold.address(0) !== 0) this.#collector.takeFold(this.#fold);
    this.close();
  }

  close(): void {
    this.#fold?.close();
  }
}
