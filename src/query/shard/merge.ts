// Puts the columns of several shards together: series side by side, partial aggregates folded into final ones. The
// result does not depend on how many shards there are, but for the last bits of float sums.

import type { Clock } from '#base/clock.ts';
import type { Histogram } from '#model/histogram.ts';
import type { Annotation, Columns, Fragment, FragmentStats } from '#model/query.ts';
import { Aggregation } from '../execute/aggregate.ts';
import { Notes } from '../execute/annotations.ts';
import { Pace, SLICE_MS } from '../execute/pace.ts';
import { vectorFromColumns } from '../execute/vector.ts';
import type { Aggregator } from '../parse/ast.ts';

/** mergeColumns in turns of a few milliseconds, until the signal ends it. */
export const merging =
  (clock: Clock) =>
  (fragment: Fragment, parts: readonly Columns[], signal: AbortSignal): Promise<Columns> =>
    mergeColumns(fragment, parts, new Pace(clock, signal, SLICE_MS));

/** Codes of annotations that stem from the aggregation rather than from the function below it. */
export const AGGREGATION_PREFIX = 'aggregation:';

export async function mergeColumns(fragment: Fragment, parts: readonly Columns[], pace: Pace): Promise<Columns> {
  if (fragment.aggregate) return mergeAggregates(fragment, parts, pace);
  if (parts.length === 1) return parts[0]!;
  const steps = parts[0]!.steps;
  const rows = parts.reduce((sum, part) => sum + part.labels.length, 0);
  const values = new Float64Array(rows * steps);
  const present = new Uint8Array((rows * steps + 7) >> 3);
  const histograms = new Map<number, Histogram>();
  let at = 0;
  for (const part of parts) {
    const points = part.labels.length * steps;
    values.set(part.values.subarray(0, points), at);
    copyBits(part.present, present, at, points);
    for (const [from, h] of part.histograms ?? []) histograms.set(at + from, h);
    at += points;
    if (pace.isDue) await pace.giveWay();
  }
  return {
    labels: parts.flatMap((part) => part.labels),
    steps,
    values,
    present,
    ...(histograms.size > 0 ? { histograms } : {}),
    annotations: mergeAnnotations(parts),
    stats: mergeStats(parts),
    ...(parts.some((part) => part.losesMore) ? { losesMore: true } : {}),
  };
}

function copyBits(from: Uint8Array, to: Uint8Array, at: number, count: number): void {
  const shift = at & 7;
  const first = at >> 3;
  const bytes = (count + 7) >> 3;
  for (let i = 0; i < bytes; i++) {
    const left = count - i * 8;
    const byte = left >= 8 ? from[i]! : from[i]! & ((1 << left) - 1);
    to[first + i]! |= byte << shift;
    if (shift > 0 && first + i + 1 < to.length) to[first + i + 1]! |= byte >> (8 - shift);
  }
}

async function mergeAggregates(fragment: Fragment, parts: readonly Columns[], pace: Pace): Promise<Columns> {
  const { op, by, labels } = fragment.aggregate!;
  const steps = parts[0]!.steps;
  const notes = new Notes();
  const aggregation = new Aggregation(op as Aggregator, { without: !by, labels }, steps, (code, metric) =>
    notes.add(code, metric),
  );
  // All partial results first: a mean that has begun to run takes single samples only.
  for (const { partial, values, labels: names } of parts) {
    for (let row = 0; row < (partial?.rows ?? 0); row++) {
      aggregation.addPartial(values, partial!, row * steps, names[row]!);
      if (pace.did(10 + steps)) await pace.giveWay();
    }
  }
  for (const part of parts) {
    const first = part.partial?.rows ?? 0;
    if (first === part.labels.length) continue;
    const vector = vectorFromColumns(part);
    for (let row = first; row < part.labels.length; row++) {
      aggregation.addRow(vector, row, part.labels[row]!);
      if (pace.did(10 + steps)) await pace.giveWay();
    }
  }
  const result = aggregation.result();
  const present = new Uint8Array((result.kinds.length + 7) >> 3);
  for (let i = 0; i < result.kinds.length; i++) if (result.kinds[i] !== 0) present[i >> 3]! |= 1 << (i & 7);
  const own = notes.list().map((note) => ({ ...note, code: AGGREGATION_PREFIX + note.code }));
  return {
    labels: result.labels,
    steps,
    values: result.values,
    present,
    ...(result.histograms ? { histograms: result.histograms } : {}),
    annotations: [...mergeAnnotations(parts), ...own],
    stats: mergeStats(parts),
    ...(fragment.distinct && hasEqual(parts) ? { collides: true } : {}),
  };
}

/** Whether a signature occurs twice. */
function hasEqual(parts: readonly Columns[]): boolean {
  const all = new Float64Array(parts.reduce((sum, { signatures }) => sum + (signatures?.length ?? 0), 0));
  let at = 0;
  for (const { signatures } of parts) {
    if (!signatures) continue;
    all.set(signatures, at);
    at += signatures.length;
  }
  all.sort();
  for (let i = 1; i < all.length; i++) if (all[i] === all[i - 1]) return true;
  return false;
}

function mergeAnnotations(parts: readonly Columns[]): Annotation[] {
  const merged = new Map<string, Annotation>();
  for (const note of parts.flatMap((part) => part.annotations)) {
    const key = `${note.code}\xff${note.metric}`;
    const before = merged.get(key);
    merged.set(key, before ? { ...note, count: before.count + note.count } : note);
  }
  return [...merged.values()];
}

function mergeStats(parts: readonly Columns[]): FragmentStats {
  const sum = (field: (stats: FragmentStats) => number) => parts.reduce((total, part) => total + field(part.stats), 0);
  return {
    series: sum((stats) => stats.series),
    samples: sum((stats) => stats.samples),
    bytes: sum((stats) => stats.bytes),
    timeMs: Math.max(0, ...parts.map((part) => part.stats.timeMs)),
  };
}
