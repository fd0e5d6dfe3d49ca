// Label names and values of the head's series.

import { compareText } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import { matchSlots } from './postings.ts';
import type { SeriesTable } from './table.ts';

/** Names of matching series, of all series without matchers; in order. */
export function labelNamesOf(table: SeriesTable, matchers: readonly Matcher[]): string[] {
  const names = new Set<string>();
  if (matchers.length === 0) for (const name of table.names()) names.add(table.nameOf(name));
  else {
    for (const slot of matchSlots(table, matchers)) {
      const labels = table.labelsOf(slot);
      for (let i = 0; i < labels.length; i += 2) names.add(labels[i]!);
    }
  }
  return [...names].sort(compareText);
}

/** Some values of a label, the latest first, with how many series have each. */
export function someValuesOf(table: SeriesTable, name: string, limit: number): { name: string; series: number }[] {
  const address = table.findName(name);
  const found: { name: string; series: number }[] = [];
  if (address === 0) return found;
  for (const pair of table.pairsOf(address)) {
    if (found.length >= limit) break;
    found.push({ name: table.valueOf(pair), series: table.seriesOfPair(pair) });
  }
  return found;
}

export function labelValuesOf(table: SeriesTable, name: string, matchers: readonly Matcher[]): string[] {
  const address = table.findName(name);
  if (address === 0) return [];
  const values: string[] = [];
  const slots = matchers.length === 0 ? undefined : matchSlots(table, matchers);
  if (slots?.length === 0) return [];
  for (const pair of table.pairsOf(address)) {
    if (!slots || intersects(table.postings(pair), slots)) values.push(table.valueOf(pair));
  }
  return values.sort(compareText);
}

/** Both ascending. */
function intersects(a: Uint32Array, b: Uint32Array): boolean {
  const [few, many] = a.length <= b.length ? [a, b] : [b, a];
  let low = 0;
  for (let i = 0; i < few.length; i++) {
    const slot = few[i]!;
    let high = many.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (many[middle]! < slot) low = middle + 1;
      else high = middle;
    }
    if (low === many.length) return false;
    if (many[low] === slot) return true;
  }
  return false;
}
