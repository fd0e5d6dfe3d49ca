// What the heads of all shards hold together, exactly: series are spread over shards, so a metric, label or value that is nowhere
// among the largest may be so in the sum. Shards are asked for longer lists until no unseen one can be; values that several
// shards have are counted once, by hashes of 53 bits.

import { type Cardinality, mergeCardinality, type Ranked } from '#store/head/cardinality.ts';

export type CountedShard = {
  cardinality(limit: number): Promise<Cardinality>;
  /** Sorted hashes of the values of every label name. */
  labelValueHashes(): Promise<ReadonlyMap<string, Float64Array>>;
};

const LISTS = [
  'seriesCountByMetricName',
  'memoryInBytesByLabelName',
  'seriesCountByLabelValuePair',
  'churnByMetricName',
  'unusedByMetricName',
] as const;
const GROWTH = 8;

export async function exactCardinality(shards: readonly CountedShard[], limit: number): Promise<Cardinality> {
  if (shards.length === 1) return shards[0]!.cardinality(limit);
  const values = distinctValues(await Promise.all(shards.map((shard) => shard.labelValueHashes())));
  for (let asked = limit * 2; ; asked *= GROWTH) {
    const parts = await Promise.all(shards.map((shard) => shard.cardinality(asked)));
    const isSure = LISTS.every((list) =>
      isExact(
        parts.map((part) => part[list]),
        asked,
        limit,
      ),
    );
    if (!isSure) continue;
    return {
      ...mergeCardinality(parts, limit),
      numLabelPairs: values.reduce((sum, { value }) => sum + value, 0),
      labelValueCountByLabelName: values
        .sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1))
        .slice(0, limit),
    };
  }
}

function distinctValues(shards: readonly ReadonlyMap<string, Float64Array>[]): Ranked[] {
  const names = new Set(shards.flatMap((shard) => [...shard.keys()]));
  return [...names].map((name) => {
    const lists = shards.flatMap((shard) => shard.get(name) ?? []);
    return { name, value: distinctOf(lists) };
  });
}

/** How many different numbers sorted lists hold. */
function distinctOf(lists: readonly Float64Array[]): number {
  const at = lists.map(() => 0);
  for (let count = 0; ; count++) {
    let least = Infinity;
    for (let i = 0; i < lists.length; i++) {
      const list = lists[i]!;
      if (at[i]! < list.length && list[at[i]!]! < least) least = list[at[i]!]!;
    }
    if (least === Infinity) return count;
    for (let i = 0; i < lists.length; i++) while (at[i]! < lists[i]!.length && lists[i]![at[i]!]! === least) at[i]!++;
  }
}

/**
 * Whether lists of the `asked` largest of each shard tell the `limit` largest of the sum: a list that is shorter has everything,
 * in a longer one what is missing is at most as large as the last.
 */
function isExact(lists: readonly (readonly Ranked[])[], asked: number, limit: number): boolean {
  const most = lists.map((list) => (list.length >= asked ? list.at(-1)!.value : 0));
  const unseen = most.reduce((sum, value) => sum + value, 0);
  if (unseen === 0) return true;
  const known = new Map<string, { sum: number; most: number }>();
  lists.forEach((list, i) => {
    for (const { name, value } of list) {
      const entry = known.get(name) ?? { sum: 0, most: unseen };
      known.set(name, { sum: entry.sum + value, most: entry.most + value - most[i]! });
    }
  });
  const sorted = [...known.values()].sort((a, b) => b.sum - a.sum);
  const chosen = sorted.slice(0, limit);
  const least = chosen.at(-1)?.sum ?? 0;
  if (chosen.length < limit || chosen.some((entry) => entry.most > entry.sum)) return false;
  // Of equal ones the names decide, so a tie is sure only between those that are.
  return least > unseen && sorted.slice(limit).every((entry) => entry.most < least || entry.most === entry.sum);
}
