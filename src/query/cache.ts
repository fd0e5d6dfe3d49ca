// Results of range queries that were asked before: a dashboard that asks again gets the steps that nothing has touched from
// here, and only the others are worked out. Exact, because stores say since when which times have not changed; queries whose
// steps depend on each other, or that said anything besides their result, are worked out as a whole each time.

import { type Labels, labelsKey } from '#model/labels.ts';
import { type FragmentSource, type Grid, gridLength } from '#model/query.ts';
import type { QueryEngine, QueryOptions, QueryResult } from './engine.ts';
import { Annotations } from './execute/annotations.ts';
import { sortedByLabels } from './execute/evaluate.ts';
import { type Vector, withoutEmptyRows } from './execute/vector.ts';
import { inputsOf, type Plan, type QueryPlan } from './plan/plan.ts';
import { timesOf } from './shard/run.ts';

export type ResultCacheOptions = {
  readonly engine: QueryEngine;
  readonly source: FragmentSource;
  /** What all results together may take; 0 keeps none. */
  readonly maxBytes: number;
};

type Entry = {
  readonly grid: Grid;
  readonly vector: Vector;
  readonly bytes: number;
  /** When it was right, in the source's own count. */
  readonly marks: readonly number[];
};
type Piece = { readonly grid: Grid; readonly vector: Vector };

/** A single result larger than this part of the cache is not kept. */
const LARGEST_PART = 8;

export class ResultCache {
  readonly #options: ResultCacheOptions;
  /** The one used last is the last. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(options: ResultCacheOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }
  get hits(): number {
    return this.#hits;
  }
  get misses(): number {
    return this.#misses;
  }

  /** What `engine.range` would return, except that statistics count what was read this time. */
  async range(query: string, grid: Grid, options: QueryOptions): Promise<QueryResult> {
    const { engine, source, maxBytes } = this.#options;
    if (maxBytes === 0 || !source.changes || NAMES_OF_ENDS.test(query)) return engine.range(query, grid, options);
    const plan = engine.plan(query, grid, options);
    const last = grid.start + (gridLength(grid) - 1) * grid.step;
    const lookAhead = lookAheadOf(plan, last);
    if (lookAhead === undefined) return engine.range(query, grid, options);
    const key = JSON.stringify([query, grid.step, grid.start % grid.step, engine.settingsKey(options)]);
    const entry = this.#entries.get(key);
    const { marks, min } = await source.changes(entry?.marks);
    const kept = entry ? untouched(entry, grid.start, last, min - lookAhead) : undefined;
    if (!kept) {
      this.#misses++;
      this.#drop(key);
      const result = await engine.range(query, grid, options);
      this.#keep(key, grid, result, marks);
      return result;
    }
    this.#hits++;
    const pieces: Piece[] = [kept];
    let samples = 0;
    let bytes = 0;
    let series = 0;
    let latest: QueryResult | undefined;
    for (const missing of missingGrids(kept.grid, grid.start, last)) {
      latest = await engine.range(query, missing, options);
      if (!latest.annotations.isEmpty || latest.data.type !== 'matrix') {
        this.#drop(key);
        return engine.range(query, grid, options);
      }
      samples += latest.stats.samples.total;
      bytes += latest.stats.bytes;
      series += latest.stats.series;
      pieces.push({ grid: missing, vector: latest.data.vector });
    }
    const timings = latest?.stats.timings ?? { parseMs: 0, planMs: 0, evalMs: 0, totalMs: 0 };
    const result: QueryResult = {
      ...{ query, plan, annotations: new Annotations(), nodes: new Map() },
      data: { type: 'matrix', grid, vector: joined(grid, pieces) },
      stats: { timings, samples: { total: samples, peak: latest?.stats.samples.peak ?? 0 }, bytes, series },
    };
    // A part of what is there already is no reason to forget the rest.
    if (pieces.length > 1 || kept.grid !== entry!.grid) this.#keep(key, grid, result, marks);
    else this.#touch(key, { ...entry!, marks });
    return result;
  }

  #touch(key: string, entry: Entry): void {
    this.#drop(key);
    this.#entries.set(key, entry);
    this.#bytes += entry.bytes;
  }

  #keep(key: string, grid: Grid, { data, annotations }: QueryResult, marks: readonly number[]): void {
    if (data.type !== 'matrix' || !annotations.isEmpty) return;
    const { maxBytes } = this.#options;
    const bytes = sizeOf(data.vector) + 2 * key.length + 200;
    if (bytes * LARGEST_PART > maxBytes) return;
    this.#touch(key, { grid, vector: data.vector, bytes, marks });
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= maxBytes) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}

/** The steps of an entry that lie in the range, when none of what they depend on is at `changedFrom` or later. */
function untouched({ grid, vector }: Entry, start: number, last: number, changedFrom: number): Piece | undefined {
  const { step } = grid;
  const entryLast = grid.start + (gridLength(grid) - 1) * step;
  const lastValid = Math.min(entryLast, Math.ceil((changedFrom - grid.start) / step - 1) * step + grid.start);
  const from = Math.max(grid.start, start);
  const to = Math.min(lastValid, last);
  if (!(to >= from)) return undefined;
  if (lastValid === entryLast && from === start && to === last) {
    // Nothing is to be worked out; the whole entry stays.
    return { grid, vector };
  }
  return {
    grid: { start: from, end: to, step },
    vector: part(vector, (from - grid.start) / step, (to - from) / step + 1),
  };
}

function part(vector: Vector, first: number, steps: number): Vector {
  const rows = vector.labels.length;
  const values = new Float64Array(rows * steps);
  const kinds = new Uint8Array(rows * steps);
  const histograms: Vector['histograms'] = vector.histograms ? new Map() : undefined;
  for (let row = 0; row < rows; row++) {
    const at = row * vector.steps + first;
    values.set(vector.values.subarray(at, at + steps), row * steps);
    kinds.set(vector.kinds.subarray(at, at + steps), row * steps);
    for (let step = 0; histograms && step < steps; step++) {
      const histogram = vector.histograms!.get(at + step);
      if (histogram) histograms.set(row * steps + step, histogram);
    }
  }
  return { ...vector, steps, values, kinds, histograms };
}

/** What lies before and behind what is there. */
function missingGrids({ start, end, step }: Grid, from: number, to: number): Grid[] {
  const grids: Grid[] = [];
  if (from < start) grids.push({ start: from, end: start - step, step });
  if (to > end) grids.push({ start: end + step, end: to, step });
  return grids;
}

function joined(grid: Grid, pieces: readonly Piece[]): Vector {
  const steps = gridLength(grid);
  const rows = new Map<string, number>();
  const labels: Labels[] = [];
  for (const { vector } of pieces) {
    for (const set of vector.labels) {
      const key = labelsKey(set);
      if (rows.has(key)) continue;
      rows.set(key, labels.length);
      labels.push(set);
    }
  }
  const values = new Float64Array(labels.length * steps);
  const kinds = new Uint8Array(labels.length * steps);
  let histograms: Vector['histograms'];
  for (const { grid: own, vector } of pieces) {
    // The whole entry may reach beyond the grid at both ends.
    const skipped = Math.max(0, (grid.start - own.start) / grid.step);
    const offset = Math.max(0, (own.start - grid.start) / grid.step);
    const count = Math.min(vector.steps - skipped, steps - offset);
    vector.labels.forEach((set, row) => {
      const source = row * vector.steps + skipped;
      const target = rows.get(labelsKey(set))! * steps + offset;
      values.set(vector.values.subarray(source, source + count), target);
      kinds.set(vector.kinds.subarray(source, source + count), target);
      for (let step = 0; vector.histograms && step < count; step++) {
        const histogram = vector.histograms.get(source + step);
        if (histogram) (histograms ??= new Map()).set(target + step, histogram);
      }
    });
  }
  const dropName = new Uint8Array(labels.length);
  return sortedByLabels(withoutEmptyRows({ steps, labels, dropName, values, kinds, histograms }));
}

const BYTES_PER_POINT = 9;
const BYTES_PER_LABEL = 40;
const BYTES_PER_HISTOGRAM = 1000;

function sizeOf({ values, labels, histograms }: Vector): number {
  let bytes = values.length * BYTES_PER_POINT + (histograms?.size ?? 0) * BYTES_PER_HISTOGRAM;
  for (const set of labels) bytes += set.length * BYTES_PER_LABEL;
  return bytes;
}

/** What makes a step depend on where the whole query begins or ends, wherever in the text. */
const NAMES_OF_ENDS = /\b(?:start|end|range)\b/;

/** Functions that look at all steps at once, or fail for what they see at different steps. */
const WHOLE = [
  'label_replace',
  'label_join',
  'info',
  'limitk',
  'sort',
  'sort_desc',
  'sort_by_label',
  'sort_by_label_desc',
];

/** How far behind its own time a step may look, or undefined if steps depend on more than what is near their own time. */
function lookAheadOf({ type, nodes }: QueryPlan, last: number): number | undefined {
  if (type !== 'vector' && type !== 'scalar') return undefined;
  let ahead = 0;
  // The last inner step of a subquery may lie up to a step before that of another outer step.
  let inner = 0;
  for (const node of nodes) {
    if ('at' in node && node.at !== undefined) return undefined;
    if (node.kind === 'samples' || node.kind === 'info') return undefined;
    if (node.kind === 'call' && WHOLE.includes(node.name)) return undefined;
    if (node.kind === 'aggregate' && node.op === 'limitk') return undefined;
    if (node.kind === 'window') {
      if (node.dropName && !hasDistinctNames(node.input)) return undefined;
      inner += Math.max(0, node.input.grid.step);
    }
    if (node.kind === 'fetch') {
      const { fragment } = node;
      if (fragment.at !== undefined) return undefined;
      if (node.dropName && !namesOne(fragment.matchers)) return undefined;
      ahead = Math.max(ahead, timesOf(fragment).max - last);
    }
  }
  return ahead + inner;
}

const namesOne = (matchers: readonly { readonly type: string; readonly name: string }[]): boolean =>
  matchers.some(({ type, name }) => type === '=' && name === '__name__');

/** Whether rows stay distinct without their names, whichever of them there are. */
function hasDistinctNames(plan: Plan): boolean {
  if (plan.kind === 'fetch') return plan.dropName || namesOne(plan.fragment.matchers);
  if (plan.kind === 'aggregate') return !plan.without && !plan.labels.includes('__name__');
  const inputs = inputsOf(plan);
  return inputs.length === 1 && plan.kind !== 'spread' && hasDistinctNames(inputs[0]!);
}
