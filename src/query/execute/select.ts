// Aggregations that keep series as they are and choose among them at each step: topk, bottomk, limitk, limit_ratio; and
// count_values, which makes series out of values.

import { hashLabels, type Labels, withLabel } from '#model/labels.ts';
import { formatValue } from '#model/value.ts';
import { printHistogram } from '../histogram/print.ts';
import { type Grouping, Groups, groupLabels, type Report } from './aggregate.ts';
import type { Pace } from './pace.ts';
import { FLOAT, HISTOGRAM, takeRows, type Vector, VectorBuilder, withoutEmptyRows } from './vector.ts';

export type Choice = 'topk' | 'bottomk' | 'limitk' | 'limit_ratio';

/** For a single step the rows come in order of rank, group by group. */
export async function choose(
  vector: Vector,
  op: Choice,
  parameter: Float64Array,
  grouping: Grouping,
  report: Report,
  pace: Pace,
): Promise<Vector> {
  const { steps, labels } = vector;
  const groups = new Groups(grouping);
  const groupOf = Int32Array.from(labels, (set) => groups.of(set));
  const kinds = new Uint8Array(vector.kinds.length);
  let ranked: number[] = [];
  for (let step = 0; step < steps; step++) {
    const chosen = chooseAt(vector, op, parameter[step]!, step, groupOf, groups.labels.length, report);
    for (const row of chosen) kinds[row * steps + step] = vector.kinds[row * steps + step]!;
    ranked = chosen;
    if (pace.did(labels.length)) await pace.giveWay();
  }
  const result = { ...vector, kinds };
  return steps === 1 ? takeRows(result, ranked) : withoutEmptyRows(result);
}

function chooseAt(
  vector: Vector,
  op: Choice,
  parameter: number,
  step: number,
  groupOf: Int32Array,
  groups: number,
  report: Report,
): number[] {
  const { steps, labels, kinds, values } = vector;
  const ranking = op === 'topk' || op === 'bottomk';
  const k = op === 'limit_ratio' ? Infinity : Math.min(Math.trunc(parameter), labels.length);
  const ratio = Math.max(-1, Math.min(1, parameter));
  if (op === 'limit_ratio' ? parameter === 0 : k < 1) return [];
  const heaps = Array.from({ length: groups }, () => [] as number[]);
  const sign = op === 'bottomk' ? -1 : 1;
  const elementOf = (row: number) => values[row * steps + step]!;
  const less = (a: number, b: number) => Number.isNaN(elementOf(a)) || sign * elementOf(a) < sign * elementOf(b);
  for (let row = 0; row < labels.length; row++) {
    const kind = kinds[row * steps + step]!;
    if (kind !== FLOAT && kind !== HISTOGRAM) continue;
    const heap = heaps[groupOf[row]!]!;
    if (op === 'limit_ratio') {
      if (inSample(ratio, labels[row]!)) heap.push(row);
    } else if (op === 'limitk') {
      if (heap.length < k) heap.push(row);
    } else if (kind === HISTOGRAM) report(`ignored_in_aggregation/${op}`, '');
    else if (heap.length < k) {
      heap.push(row);
      siftUp(heap, heap.length - 1, less);
    } else if (
      sign * elementOf(heap[0]!) < sign * elementOf(row) ||
      (Number.isNaN(elementOf(heap[0]!)) && !Number.isNaN(elementOf(row)))
    ) {
      heap[0] = row;
      siftDown(heap, 0, less);
    }
  }
  if (ranking) {
    for (const heap of heaps) {
      heap.sort((a, b) => {
        const [x, y] = [elementOf(a), elementOf(b)];
        if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
        return x === y ? a - b : sign * (y - x) > 0 ? 1 : -1;
      });
    }
  }
  return heaps.flat();
}

function siftUp(heap: number[], from: number, less: (a: number, b: number) => boolean): void {
  let at = from;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!less(heap[at]!, heap[parent]!)) return;
    [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
    at = parent;
  }
}

function siftDown(heap: number[], from: number, less: (a: number, b: number) => boolean): void {
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) return;
    if (child + 1 < heap.length && less(heap[child + 1]!, heap[child]!)) child++;
    if (!less(heap[child]!, heap[at]!)) return;
    [heap[at], heap[child]] = [heap[child]!, heap[at]!];
    at = child;
  }
}

/** Whether a series is in the sample of a ratio; a negative ratio is the complement of 1 + ratio. */
export function inSample(ratio: number, labels: Labels): boolean {
  const offset = hashLabels(labels) / 2 ** 32;
  return ratio >= 0 ? offset < ratio : offset >= 1 + ratio;
}

export function countValues(vector: Vector, label: string, grouping: Grouping): Vector {
  const { steps, labels, kinds, values, histograms } = vector;
  const counts = new Map<string, { labels: Labels; at: Float64Array }>();
  const groupedBy = grouping.without ? grouping : { ...grouping, labels: [...grouping.labels, label] };
  for (let row = 0; row < labels.length; row++) {
    let previous: string | undefined;
    let entry: { labels: Labels; at: Float64Array } | undefined;
    for (let step = 0; step < steps; step++) {
      const at = row * steps + step;
      if (kinds[at] !== FLOAT && kinds[at] !== HISTOGRAM) continue;
      const text = kinds[at] === FLOAT ? formatValue(values[at]!) : printHistogram(histograms!.get(at)!);
      if (text !== previous || !entry) {
        const group = groupLabels(withLabel(labels[row]!, label, text), groupedBy);
        const key = group.join('\xff');
        entry = counts.get(key);
        if (!entry) {
          entry = { labels: group, at: new Float64Array(steps) };
          counts.set(key, entry);
        }
        previous = text;
      }
      entry.at[step]!++;
    }
  }
  const builder = new VectorBuilder(steps, counts.size);
  for (const { labels: group, at } of counts.values()) {
    const row = builder.row(group, false);
    for (let step = 0; step < steps; step++) if (at[step]! > 0) builder.float(row, step, at[step]!);
  }
  return builder.build();
}
