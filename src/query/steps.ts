// Results of range queries taken apart by steps and put together again: which steps of an earlier result still hold, which are
// missing, and for which queries that can be said at all.

import { type Labels, labelsKey } from '#model/labels.ts';
import { type Grid, gridLength } from '#model/query.ts';
import { sortedByLabels } from './execute/order.ts';
import type { Pace } from './execute/pace.ts';
import { type Vector, withoutEmptyRows } from './execute/vector.ts';
import { inputsOf, type Plan, type QueryPlan } from './plan/plan.ts';
import { timesOf } from './shard/run.ts';

export type Piece = { readonly grid: Grid; readonly vector: Vector };

/** The steps of an entry that lie in the range, when none of what they depend on is at `changedFrom` or later. */
export function untouched(
  { grid, vector }: Piece,
  start: number,
  last: number,
  changedFrom: number,
): Piece | undefined {
  const { step } = grid;
  const entryLast = grid.start + (gridLength(grid) - 1) * step;
  const lastValid = Math.min(entryLast, Math.ceil((changedFrom - grid.start) / step - 1) * step + grid.start);
  const from = Math.max(grid.start, start);
  const to = Math.min(lastValid, last);
  if (!(to >= from)) return undefined;
  // Nothing is to be worked out; the whole entry stays.
  if (lastValid === entryLast && from === start && to === last) return { grid, vector };
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
export function missingGrids({ start, end, step }: Grid, from: number, to: number): Grid[] {
  const grids: Grid[] = [];
  if (from < start) grids.push({ start: from, end: start - step, step });
  if (to > end) grids.push({ start: end + step, end: to, step });
  return grids;
}

export async function joined(grid: Grid, pieces: readonly Piece[], pace: Pace): Promise<Vector> {
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
    for (const [row, set] of vector.labels.entries()) {
      const source = row * vector.steps + skipped;
      const target = rows.get(labelsKey(set))! * steps + offset;
      values.set(vector.values.subarray(source, source + count), target);
      kinds.set(vector.kinds.subarray(source, source + count), target);
      for (let step = 0; vector.histograms && step < count; step++) {
        const histogram = vector.histograms.get(source + step);
        if (histogram) (histograms ??= new Map()).set(target + step, histogram);
      }
      if (pace.did(count)) await pace.giveWay();
    }
  }
  const dropName = new Uint8Array(labels.length);
  return sortedByLabels(withoutEmptyRows({ steps, labels, dropName, values, kinds, histograms }), pace);
}

/** What makes a step depend on where the whole query begins or ends, wherever in the text. */
export const NAMES_OF_ENDS = /\b(?:start|end|range)\b/;

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
export function lookAheadOf({ type, nodes }: QueryPlan, last: number): number | undefined {
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

/** The latest time that any selector of a plan looks at; undefined where only running it shows that. */
export function latestTimeOf({ nodes }: QueryPlan): number | undefined {
  let latest = -Infinity;
  for (const node of nodes) {
    if (node.kind === 'info') return undefined;
    if (node.kind === 'fetch') latest = Math.max(latest, timesOf(node.fragment).max);
    if (node.kind === 'samples') latest = Math.max(latest, node.times.max + (node.extend?.lookback ?? 0));
  }
  return latest;
}
