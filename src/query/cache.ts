// Results that were asked for before. A dashboard that asks for a range again gets the steps that nothing has touched from here,
// and only the others are worked out; other results are kept as a whole, as they are and as the text that was sent. Exact, because
// stores say since when which times have not changed; steps that depend on each other are never put together.

import { type FragmentSource, type Grid, gridLength, type SourceChanges, type TimeRange } from '#model/query.ts';
import type { QueryEngine, QueryOptions, QueryResult } from './engine.ts';
import { Annotations } from './execute/annotations.ts';
import type { Vector } from './execute/vector.ts';
import { Kept } from './kept.ts';
import type { QueryPlan } from './plan/plan.ts';
import { joined, latestTimeOf, lookAheadOf, missingGrids, NAMES_OF_ENDS, type Piece, untouched } from './steps.ts';

export type ResultCacheOptions = {
  readonly engine: QueryEngine;
  readonly source: FragmentSource;
  /** What all results together may take; 0 keeps none. */
  readonly maxBytes: number;
};

/** A text as it was sent. */
export type Sent = string | Uint8Array;

/** With `marks`: when it was right, in the source's own count. */
type Entry = { readonly marks: readonly number[]; readonly bytes: number } & (
  | { readonly kind: 'steps'; readonly result: QueryResult; readonly grid: Grid; readonly ahead: number }
  | { readonly kind: 'whole'; readonly result: QueryResult; readonly latest: number }
  | { readonly kind: 'answer'; readonly text: Sent; readonly range: TimeRange; readonly isLoose: boolean }
) & { readonly text?: Sent };

/** A single result larger than this part of the cache is not kept. */
const LARGEST_PART = 8;
/** Instants asked for once only; most never come again, so they are kept from the second time on. */
const MAX_SEEN = 1000;
const OVERHEAD_BYTES = 1000;

export class ResultCache {
  readonly #options: ResultCacheOptions;
  readonly #kept: Kept<Entry>;
  readonly #seen = new Set<string>();
  /** Of results that are kept. */
  readonly #keys = new WeakMap<QueryResult, string>();
  #hits = 0;
  #misses = 0;

  constructor(options: ResultCacheOptions) {
    this.#options = options;
    this.#kept = new Kept(options.maxBytes);
  }

  get bytes(): number {
    return this.#kept.bytes;
  }
  get hits(): number {
    return this.#hits;
  }
  get misses(): number {
    return this.#misses;
  }

  /** What `engine.instant` would return, except that a result from here has read nothing. */
  async instant(query: string, time: number, options: QueryOptions): Promise<QueryResult> {
    const { engine } = this.#options;
    if (this.#isOff) return engine.instant(query, time, options);
    const key = `i ${time} ${engine.settingsKey(options)} ${query}`;
    return this.#whole(key, () => engine.instant(query, time, options), this.#isNew(key));
  }

  /** What `engine.range` would return, except that statistics count what was read this time. */
  async range(query: string, grid: Grid, options: QueryOptions): Promise<QueryResult> {
    const { engine } = this.#options;
    if (this.#isOff) return engine.range(query, grid, options);
    const { start, end, step } = grid;
    const settings = engine.settingsKey(options);
    const key = `r ${step} ${start % step} ${settings} ${query}`;
    const entry = this.#kept.get(key);
    let ahead = entry?.kind === 'steps' ? entry.ahead : undefined;
    if (ahead === undefined && !NAMES_OF_ENDS.test(query))
      ahead = lookAheadOf(engine.plan(query, grid, options), lastOf(grid));
    if (ahead !== undefined) return this.#steps(key, query, grid, ahead, options);
    const whole = `w ${start} ${end} ${step} ${settings} ${query}`;
    return this.#whole(whole, () => engine.range(query, grid, options), false);
  }

  /** An answer about series in a range of time, by a key that says all about it. */
  async answer(key: string, range: TimeRange, find: () => Promise<string>): Promise<Sent> {
    if (this.#isOff) return find();
    const entry = this.#kept.get(key);
    const changes = await this.#changes(entry);
    if (entry?.kind === 'answer') {
      const isSame = !changes.series && (changes.min > entry.range.max || entry.isLoose);
      if (isSame) {
        this.#hits++;
        this.#kept.set(key, { ...entry, marks: changes.marks });
        return entry.text;
      }
    }
    this.#misses++;
    this.#kept.delete(key);
    const text = await find();
    const { marks, heads } = changes;
    // Heads that the range reaches into answer with all their series, however samples come.
    const isLoose = heads !== undefined && range.max >= heads.min && range.min <= heads.max;
    this.#keep(key, { kind: 'answer', marks, text, range, isLoose, bytes: sizeOfText(text) + sizeOfKey(key) });
    return text;
  }

  /** The text of a result that has been sent before. */
  textOf(result: QueryResult): Sent | undefined {
    const key = this.#keys.get(result);
    const entry = key === undefined ? undefined : this.#kept.get(key);
    return entry && entry.kind !== 'answer' && entry.result === result ? entry.text : undefined;
  }

  /** Whether the text of a result would be asked for again: it has been found here. */
  wantsText(result: QueryResult): boolean {
    return this.#keys.has(result);
  }

  keepText(result: QueryResult, text: Sent): void {
    const key = this.#keys.get(result)!;
    const entry = this.#kept.get(key);
    if (!entry || entry.kind === 'answer' || entry.result !== result || entry.text !== undefined) return;
    const bytes = entry.bytes + sizeOfText(text);
    if (bytes * LARGEST_PART <= this.#options.maxBytes) this.#kept.set(key, { ...entry, text, bytes });
  }

  get #isOff(): boolean {
    return this.#options.maxBytes === 0 || !this.#options.source.changes;
  }

  #changes(entry: Entry | undefined): SourceChanges | Promise<SourceChanges> {
    return this.#options.source.changes!(entry?.marks);
  }

  /** Whether this is the first time that somebody asks. */
  #isNew(key: string): boolean {
    if (this.#kept.get(key) || this.#seen.delete(key)) return false;
    this.#seen.add(key);
    if (this.#seen.size > MAX_SEEN) for (const oldest of this.#seen) return this.#seen.delete(oldest);
    return true;
  }

  async #whole(key: string, run: () => Promise<QueryResult>, isPassing: boolean): Promise<QueryResult> {
    const entry = this.#kept.get(key);
    const changes = this.#changes(entry);
    const { marks, min } = changes instanceof Promise ? await changes : changes;
    if (entry?.kind === 'whole' && min > entry.latest) {
      this.#hits++;
      this.#kept.set(key, { ...entry, marks });
      return entry.result;
    }
    this.#misses++;
    const result = await run();
    const latest = isPassing ? undefined : latestTimeOf(result.plan);
    if (latest === undefined) return result;
    const kept = unread(result);
    this.#keys.set(kept, key);
    this.#keep(key, { kind: 'whole', marks, result: kept, latest, bytes: sizeOf(kept) + sizeOfKey(key) });
    return result;
  }

  async #steps(key: string, query: string, grid: Grid, ahead: number, options: QueryOptions): Promise<QueryResult> {
    const { engine } = this.#options;
    const found = this.#kept.get(key);
    const entry = found?.kind === 'steps' ? found : undefined;
    const changes = this.#changes(entry);
    const { marks, min } = changes instanceof Promise ? await changes : changes;
    const last = lastOf(grid);
    const piece = entry && pieceOf(entry);
    const kept = piece && untouched(piece, grid.start, last, min - ahead);
    if (!kept) {
      this.#misses++;
      this.#kept.delete(key);
      const result = await engine.range(query, grid, options);
      this.#keepSteps(key, unread(result), grid, ahead, marks);
      return result;
    }
    this.#hits++;
    if (kept.grid === piece.grid && entry!.grid.start === grid.start && lastOf(entry!.grid) === last) {
      this.#kept.set(key, { ...entry!, marks });
      const { result } = entry!;
      return grid.end === entry!.grid.end ? result : { ...result, data: { ...pieceOf(entry!), type: 'matrix', grid } };
    }
    const pieces: Piece[] = [kept];
    const read = { samples: 0, peak: 0, bytes: 0, series: 0 };
    let timings = NO_STATS.timings;
    for (const missing of missingGrids(kept.grid, grid.start, last)) {
      const { data, annotations, stats } = await engine.range(query, missing, options);
      if (!annotations.isEmpty || data.type !== 'matrix') {
        this.#kept.delete(key);
        return engine.range(query, grid, options);
      }
      read.samples += stats.samples.total;
      read.peak = Math.max(read.peak, stats.samples.peak);
      read.bytes += stats.bytes;
      read.series += stats.series;
      timings = stats.timings;
      pieces.push({ grid: missing, vector: data.vector });
    }
    const result: QueryResult = {
      ...{ query, plan: entry!.result.plan, annotations: new Annotations(), nodes: new Map() },
      data: { type: 'matrix', grid, vector: await joined(grid, pieces, engine.pace(options)) },
      stats: {
        timings,
        samples: { total: read.samples, peak: read.peak },
        bytes: read.bytes,
        series: read.series,
      },
    };
    // A part of what is there already is no reason to forget the rest.
    if (pieces.length > 1 || kept.grid !== piece.grid) this.#keepSteps(key, unread(result), grid, ahead, marks);
    else this.#kept.set(key, { ...entry!, marks });
    return result;
  }

  #keepSteps(key: string, result: QueryResult, grid: Grid, ahead: number, marks: readonly number[]): void {
    if (result.data.type !== 'matrix' || !result.annotations.isEmpty) return;
    this.#keys.set(result, key);
    this.#keep(key, { kind: 'steps', marks, result, grid, ahead, bytes: sizeOf(result) + sizeOfKey(key) });
  }

  #keep(key: string, entry: Entry): void {
    if (entry.bytes * LARGEST_PART <= this.#options.maxBytes) this.#kept.set(key, entry);
    else this.#kept.delete(key);
  }
}

const lastOf = (grid: Grid): number => grid.start + (gridLength(grid) - 1) * grid.step;

const pieceOf = ({ grid, result }: Entry & { kind: 'steps' }): Piece => ({
  grid,
  vector: (result.data as { readonly vector: Vector }).vector,
});

const NO_STATS: QueryResult['stats'] = {
  timings: { parseMs: 0, planMs: 0, evalMs: 0, totalMs: 0 },
  samples: { total: 0, peak: 0 },
  bytes: 0,
  series: 0,
};

/** The same result for who gets it without anything being read. */
const unread = (result: QueryResult): QueryResult => ({ ...result, nodes: new Map(), stats: NO_STATS });

const BYTES_PER_POINT = 9;
const BYTES_PER_LABEL = 40;
const BYTES_PER_HISTOGRAM = 1000;
const BYTES_PER_NODE = 500;

const sizeOfKey = (key: string): number => 2 * key.length + OVERHEAD_BYTES;
const sizeOfText = (text: Sent): number => text.length;
const planSize = ({ nodes }: QueryPlan): number => nodes.length * BYTES_PER_NODE;

function sizeOf({ data, plan }: QueryResult): number {
  let bytes = planSize(plan);
  if (data.type === 'samples') {
    for (const { labels, timestamps, histograms } of data.series) {
      bytes += labels.length * BYTES_PER_LABEL + timestamps.length * 24 + (histograms?.size ?? 0) * BYTES_PER_HISTOGRAM;
    }
  } else if (data.type === 'vector' || data.type === 'matrix') {
    const { values, labels, histograms } = data.vector;
    bytes += values.length * BYTES_PER_POINT + (histograms?.size ?? 0) * BYTES_PER_HISTOGRAM;
    for (const set of labels) bytes += set.length * BYTES_PER_LABEL;
  } else if (data.type === 'string') bytes += 2 * data.value.length;
  return bytes;
}
