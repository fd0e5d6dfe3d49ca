// Queries over the own shards and, beside them, servers that are read from remotely. Who is asked for what is decided here;
// a shard's thread fetches and decodes, and each series is worked out in the shard in which it would live. A server that
// does not answer is a warning with the result, as in Prometheus.

import { errorText } from '#base/errors.ts';
import type { Client } from '#base/thread.ts';
import type { RemoteReadConfig } from '#collect/read/config.ts';
import { compareLabels, type Labels, labelsKey } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type {
  Annotation,
  Columns,
  Fragment,
  FragmentSource,
  OtherSeries,
  QueryLimits,
  RawSeries,
  SelectRequest,
  SourceChanges,
  TimeRange,
} from '#model/query.ts';
import { mergeSeries } from '#query/shard/beside.ts';
import { timesOf } from '#query/shard/run.ts';
import type { ShardApi } from './protocol.ts';
import type { ShardedSource } from './source.ts';

const NO_LIMITS: QueryLimits = { maxSamples: Infinity, maxSeries: Infinity, maxBytes: 2 ** 31 };

export class SourceWithRemotes implements FragmentSource {
  readonly #own: ShardedSource;
  readonly #clients: () => readonly Client<ShardApi>[];
  readonly #reads: () => readonly RemoteReadConfig[];
  /** What the own store may still lack at its beginning. */
  readonly #marginMs: number;
  #next = 0;
  #knownReads: readonly RemoteReadConfig[] | undefined;
  /** Counts changes of which servers are read from. */
  #readsMark = 0;

  constructor(
    own: ShardedSource,
    clients: () => readonly Client<ShardApi>[],
    reads: () => readonly RemoteReadConfig[],
    marginMs: number,
  ) {
    this.#own = own;
    this.#clients = clients;
    this.#reads = reads;
    this.#marginMs = marginMs;
  }

  async run(fragment: Fragment, limits: QueryLimits, signal: AbortSignal): Promise<Columns> {
    const others = await this.#others({ matchers: fragment.matchers, range: timesOf(fragment) }, limits, signal);
    if (!others) return this.#own.run(fragment, limits, signal);
    const columns = await this.#own.run(fragment, limits, signal, others.series);
    return { ...columns, annotations: [...columns.annotations, ...others.annotations] };
  }

  async select(request: SelectRequest, limits: QueryLimits, signal: AbortSignal): Promise<readonly RawSeries[]> {
    const others = await this.#others(request, limits, signal);
    return this.#own.select(request, limits, signal, others?.series);
  }

  async series(matchers: readonly (readonly Matcher[])[], range: TimeRange, limit: number): Promise<readonly Labels[]> {
    const own = await this.#own.series(matchers, range, limit);
    const { signal } = new AbortController();
    const found = await Promise.all(matchers.map((set) => this.#others({ matchers: set, range }, NO_LIMITS, signal)));
    if (found.every((others) => others === undefined)) return own;
    const all = new Map(own.map((labels) => [labelsKey(labels), labels]));
    for (const others of found) for (const { labels } of others?.series ?? []) all.set(labelsKey(labels), labels);
    const sorted = [...all.values()].sort(compareLabels);
    return limit > 0 ? sorted.slice(0, limit) : sorted;
  }

  /** Names and values of labels are those of the own store: remote read cannot be asked for them. */
  labelNames(...asked: Parameters<FragmentSource['labelNames']>): Promise<readonly string[]> {
    return this.#own.labelNames(...asked);
  }

  labelValues(...asked: Parameters<FragmentSource['labelValues']>): Promise<readonly string[]> {
    return this.#own.labelValues(...asked);
  }

  exemplars(...asked: Parameters<FragmentSource['exemplars']>): ReturnType<FragmentSource['exemplars']> {
    return this.#own.exemplars(...asked);
  }

  metadata(...asked: Parameters<FragmentSource['metadata']>): ReturnType<FragmentSource['metadata']> {
    return this.#own.metadata(...asked);
  }

  /** What other servers have can have changed at any time. */
  changes(since: readonly number[] | undefined): SourceChanges | Promise<SourceChanges> {
    const reads = this.#reads();
    if (reads !== this.#knownReads) {
      this.#knownReads = reads;
      this.#readsMark++;
    }
    const mark = this.#readsMark;
    const changes = this.#own.changes(since?.slice(0, -1));
    // What was read from servers that are not configured any more is no answer either.
    const isAll = reads.length > 0 || (since !== undefined && since.at(-1) !== mark);
    const marked = (known: SourceChanges): SourceChanges => ({
      ...known,
      marks: [...known.marks, mark],
      ...(isAll ? { min: -Infinity, series: true, heads: undefined } : {}),
    });
    return changes instanceof Promise ? changes.then(marked) : marked(changes);
  }

  /** Undefined when no server has to be asked. */
  async #others(request: SelectRequest, limits: QueryLimits, signal: AbortSignal): Promise<OtherSeries | undefined> {
    const reads = this.#reads().filter((read) => hasRequired(request.matchers, read.required));
    if (reads.length === 0) return undefined;
    const oldest = reads.every((read) => read.readRecent) ? Infinity : await this.#oldest();
    const annotations: Annotation[] = [];
    const asked = reads.flatMap((read) => {
      const range = read.readRecent ? request.range : olderThan(request.range, oldest);
      return range ? [{ read, range }] : [];
    });
    if (asked.length === 0) return undefined;
    const clients = this.#clients();
    const found = await Promise.all(
      asked.map(async ({ read, range }) => {
        const client = clients[this.#next++ % clients.length]!;
        try {
          return await client.readRemote({ name: read.name, select: { ...request, range }, limits }, { signal });
        } catch (error) {
          signal.throwIfAborted();
          annotations.push({ level: 'warning', code: 'remote_read', metric: errorText(error), count: 1 });
          return [];
        }
      }),
    );
    return { series: together(found), annotations };
  }

  async #oldest(): Promise<number> {
    const times = await Promise.all(this.#clients().map((client) => client.oldest(undefined)));
    return Math.min(...times) + this.#marginMs;
  }
}

/** Every required equality is part of the selector. */
function hasRequired(matchers: readonly Matcher[], required: Labels): boolean {
  for (let i = 0; i < required.length; i += 2) {
    const [name, value] = [required[i], required[i + 1]];
    if (!matchers.some((m) => m.type === '=' && m.name === name && m.value === value)) return false;
  }
  return true;
}

/** The part of the range that the own store does not reach back to. */
function olderThan(range: TimeRange, oldest: number): TimeRange | undefined {
  if (range.min > oldest) return undefined;
  return { min: range.min, max: Math.min(range.max, oldest) };
}

/** Of samples that several servers have, those of the one that is configured first count. */
function together(found: readonly (readonly RawSeries[])[]): RawSeries[] {
  if (found.length === 1) return [...found[0]!];
  const all = new Map<string, RawSeries>();
  for (const series of found.flat()) {
    const key = labelsKey(series.labels);
    const before = all.get(key);
    all.set(key, before ? mergeSeries(before, series) : series);
  }
  return [...all.values()];
}
