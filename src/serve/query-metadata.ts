// The answer of /api/v1/metadata: for each metric every distinct thing that targets say about it. Metrics that came without a
// target, by remote write, have what the store was told.

import type { Metadata } from '#model/batch.ts';
import { compareText } from '#model/labels.ts';

export type TargetMetadata = { readonly family: string; readonly metadata: Metadata };

export type MetadataQuery = {
  readonly metric: string | undefined;
  /** Metrics, and entries of each; below 1: all. */
  readonly limit: number;
  readonly perMetric: number;
};

export function shownMetadata(
  stored: ReadonlyMap<string, readonly Metadata[]>,
  ofTargets: readonly TargetMetadata[],
  { metric, limit, perMetric }: MetadataQuery,
): Record<string, Metadata[]> {
  const entries = new Map<string, Map<string, Metadata>>();
  for (const { family, metadata } of ofTargets) {
    if (metric !== undefined && family !== metric) continue;
    const known = entries.get(family) ?? new Map<string, Metadata>();
    known.set(JSON.stringify([metadata.type, metadata.help, metadata.unit]), metadata);
    entries.set(family, known);
  }
  for (const [family, found] of stored) {
    if (entries.has(family) || (metric !== undefined && family !== metric)) continue;
    entries.set(family, new Map(found.map((entry, i) => [String(i), entry])));
  }
  const shown: [string, Metadata[]][] = [...entries.keys()]
    .sort(compareText)
    .slice(0, limit > 0 ? limit : undefined)
    .map((family) => [family, [...entries.get(family)!.values()].slice(0, perMetric > 0 ? perMetric : undefined)]);
  return Object.fromEntries(shown);
}
