// The series of all shards as one source for queries. A series lives in exactly one shard, so answers are united, never
// merged sample by sample; partial aggregates are folded by the query engine's own rule.

import type { Client } from '#base/thread.ts';
import type { Metadata } from '#model/batch.ts';
import type { ChangeBoard, Changes, HeadBounds } from '#model/board.ts';
import { compareLabels, compareText, hashLabels, type Labels, shardOf } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type {
  Columns,
  Fragment,
  FragmentSource,
  QueryLimits,
  RawSeries,
  SelectRequest,
  SourceChanges,
  TimeRange,
} from '#model/query.ts';
import { timesOf } from '#query/shard/run.ts';
import type { EncodedSeries, EncodeRead } from './encode-read.ts';
import { LabelUnpacker } from './label-line.ts';
import type { ShardApi } from './protocol.ts';

type MatcherSets = readonly (readonly Matcher[])[];

/** Puts the columns of several shards together. */
type Merge = (fragment: Fragment, parts: readonly Columns[], signal: AbortSignal) => Promise<Columns>;

/** A shard that had no series which matches, when its changes were at `mark`, from a time on. */
type Empty = { readonly mark: number; readonly from: number };

export class ShardedSource implements FragmentSource {
  readonly #clients: () => readonly Client<ShardApi>[];
  readonly #merge: Merge;
  /** Where shards write down what has changed; they are asked where that does not say it. */
  readonly #boards: readonly ChangeBoard[];
  readonly #unpackers = new WeakMap<Client<ShardApi>, LabelUnpacker>();
  /** By the matchers of a parsed query, which stay the same objects as long as its text is asked for again. */
  readonly #empty = new WeakMap<readonly Matcher[], (Empty | undefined)[]>();

  constructor(clients: () => readonly Client<ShardApi>[], merge: Merge, boards: readonly ChangeBoard[] = []) {
    this.#clients = clients;
    this.#merge = merge;
    this.#boards = boards;
  }

  async run(
    fragment: Fragment,
    limits: QueryLimits,
    signal: AbortSignal,
    beside?: readonly RawSeries[],
  ): Promise<Columns> {
    const clients = this.#clients();
    if (beside) {
      const others = this.#dealt(beside);
      const parts = clients.map((client, i) => this.#run(client, { fragment, limits, beside: others[i]! }, signal));
      return this.#merge(fragment, await Promise.all(parts), signal);
    }
    const { min } = timesOf(fragment);
    const empty = this.#emptyOf(fragment.matchers);
    const asked = clients.map((_, shard) => shard).filter((shard) => !this.#isEmpty(shard, empty[shard], min));
    if (asked.length === 0) asked.push(0);
    const ask = async (shard: number) => {
      const mark = this.#boards[shard]?.mark ?? 0;
      const columns = await this.#run(clients[shard]!, { fragment, limits }, signal);
      empty[shard] = columns.nothingMatches ? { mark, from: min } : undefined;
      return columns;
    };
    return this.#merge(fragment, await Promise.all(asked.map(ask)), signal);
  }

  async #run(client: Client<ShardApi>, request: Parameters<ShardApi['run']>[0], signal: AbortSignal): Promise<Columns> {
    const unpacker = this.#unpackerOf(client);
    // What comes after the query was given up may have texts that later answers refer to.
    const columns = await client.run(request, { signal, late: ({ labels }) => unpacker.unpack(labels) });
    return { ...columns, labels: unpacker.unpack(columns.labels) };
  }

  #unpackerOf(client: Client<ShardApi>): LabelUnpacker {
    let unpacker = this.#unpackers.get(client);
    if (!unpacker) {
      unpacker = new LabelUnpacker();
      this.#unpackers.set(client, unpacker);
    }
    return unpacker;
  }

  /** What is known about shards in which nothing matches. */
  #emptyOf(matchers: readonly Matcher[]): (Empty | undefined)[] {
    let empty = this.#empty.get(matchers);
    if (!empty) {
      empty = [];
      this.#empty.set(matchers, empty);
    }
    return empty;
  }

  #isEmpty(shard: number, empty: Empty | undefined, from: number): boolean {
    const board = this.#boards[shard];
    return !!empty && !!board && from >= empty.from && !board.seriesChangedSince(empty.mark);
  }

  async select(
    select: SelectRequest,
    limits: QueryLimits,
    signal: AbortSignal,
    beside?: readonly RawSeries[],
  ): Promise<readonly RawSeries[]> {
    const others = beside && this.#dealt(beside);
    const parts = await this.#all((client, i) =>
      client.select({ select, limits, ...(others ? { beside: others[i]! } : {}) }, { signal }),
    );
    return parts.flat();
  }

  /** What all shards have for remote read. */
  encodeRead(request: EncodeRead, signal: AbortSignal): Promise<readonly EncodedSeries[]> {
    return this.#all((client) => client.encodeRead(request, { signal }));
  }

  /** Series from elsewhere, each for the shard in which it would live. */
  #dealt(series: readonly RawSeries[]): readonly RawSeries[][] {
    const shards = this.#clients().length;
    const dealt = Array.from({ length: shards }, (): RawSeries[] => []);
    for (const one of series) dealt[shardOf(hashLabels(one.labels), shards)]!.push(one);
    return dealt;
  }

  async labelNames(matchers: MatcherSets, range: TimeRange, limit: number): Promise<readonly string[]> {
    return united(await this.#all((client) => client.labelNames({ matchers, range, limit })), compareText, limit);
  }

  async labelValues(name: string, matchers: MatcherSets, range: TimeRange, limit: number): Promise<readonly string[]> {
    return united(
      await this.#all((client) => client.labelValues({ name, matchers, range, limit })),
      compareText,
      limit,
    );
  }

  async series(matchers: MatcherSets, range: TimeRange, limit: number): Promise<readonly Labels[]> {
    const parts = await this.#all(async (client) =>
      this.#unpackerOf(client).unpack(await client.series({ matchers, range, limit })),
    );
    const all = parts.flat().sort(compareLabels);
    return limit > 0 ? all.slice(0, limit) : all;
  }

  async exemplars(matchers: MatcherSets, range: TimeRange): ReturnType<FragmentSource['exemplars']> {
    const all = await this.#all((client) => client.exemplars({ matchers, range, limit: 0 }));
    return all.flat().sort((a, b) => compareLabels(a.labels, b.labels));
  }

  async metadata(metric: string | undefined, limit: number): Promise<ReadonlyMap<string, readonly Metadata[]>> {
    const merged = new Map<string, Metadata[]>();
    for (const part of await this.#all((client) => client.metadata({ metric, limit }))) {
      for (const [family, entries] of part) {
        if (limit > 0 && merged.size >= limit && !merged.has(family)) continue;
        const known = merged.get(family) ?? [];
        for (const entry of entries) {
          if (!known.some((k) => k.type === entry.type && k.help === entry.help && k.unit === entry.unit))
            known.push(entry);
        }
        merged.set(family, known);
      }
    }
    return merged;
  }

  changes(since: readonly number[] | undefined): SourceChanges | Promise<SourceChanges> {
    const boards = this.#boards;
    const known = since?.length === boards.length ? since : undefined;
    const told = boards.map((board, i) => board.since(known?.[i] ?? -1));
    return told.length > 0 && told.every((changes) => changes !== undefined) ? together(told) : this.#asked(since);
  }

  async #asked(since: readonly number[] | undefined): Promise<SourceChanges> {
    const clients = this.#clients();
    const known = since?.length === clients.length ? since : undefined;
    return together(await Promise.all(clients.map((client, i) => client.changes(known?.[i] ?? -1))));
  }

  #all<T>(ask: (client: Client<ShardApi>, index: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#clients().map(ask));
  }
}

function together(parts: readonly (Changes & { readonly head?: HeadBounds })[]): SourceChanges {
  const changes = {
    marks: parts.map(({ mark }) => mark),
    min: Math.min(...parts.map(({ min }) => min)),
    series: parts.some(({ series }) => series),
  };
  const heads = parts.flatMap(({ head }) => (head ? [head] : []));
  if (heads.length < parts.length) return changes;
  const [min, max] = [Math.max(...heads.map((head) => head.min)), Math.min(...heads.map((head) => head.max))];
  return { ...changes, heads: { min, max } };
}

function united(
  parts: readonly (readonly string[])[],
  compare: (a: string, b: string) => number,
  limit: number,
): string[] {
  const all = [...new Set(parts.flat())].sort(compare);
  return limit > 0 ? all.slice(0, limit) : all;
}
