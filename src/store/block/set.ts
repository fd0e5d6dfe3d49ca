// All blocks of a data folder as one shard sees them: it serves the series that are its own, over any number of blocks, in
// label order. The list follows what compaction and retention do to the folder; a block that goes away while a query
// walks over it is closed when the query ends.

import type { Disk } from '#base/disk/disk.ts';
import { errorCode, errorText } from '#base/errors.ts';
import type { KernelMemory } from '#base/kernel.ts';
import type { Logger } from '#base/log.ts';
import { compareLabels, compareText, hashLabels, type Labels, labelValue, shardOf } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { SeriesChunks, TimeRange } from '#model/query.ts';
import { Block } from './block.ts';
import { PageCache } from './files.ts';
import type { ChunkPlace } from './index-format.ts';
import type { BlockMeta } from './meta.ts';
import { META_FILE } from './meta.ts';
import { type Candidates, findCandidates, intersects } from './postings.ts';
import { isUlid } from './ulid.ts';
import { KernelWindow, newChunkList, RegionPool } from './window.ts';

export type BlockSetOptions = {
  readonly shard: number;
  readonly shards: number;
  /** Memory for pages of index files. */
  readonly cacheBytes?: number;
};

type OpenBlock = { readonly block: Block; metaModified: number; users: number; gone: boolean };
/** A series that matches, in one block. */
type Match = { readonly labels: Labels; readonly places: readonly ChunkPlace[]; readonly ref: number };

/** Candidates of a block for some matchers. */
type Known = Candidates & { readonly areOwn: boolean };

/** How many selections are remembered of a block, and of how many series each at most. */
const MAX_KNOWN = 30;
const MAX_KNOWN_REFS = 10_000;

const NO_DELETED: readonly TimeRange[] = [];

export class BlockSet {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #options: BlockSetOptions;
  readonly #logger: Logger;
  readonly #cache: PageCache;
  readonly #pool: RegionPool;
  #open = new Map<string, OpenBlock>();
  #broken = new Set<string>();
  readonly #known = new WeakMap<Block, Map<string, Known>>();

  constructor(disk: Disk, folder: string, memory: KernelMemory, logger: Logger, options: BlockSetOptions) {
    this.#disk = disk;
    this.#folder = folder;
    this.#options = options;
    this.#logger = logger;
    this.#cache = new PageCache(options.cacheBytes);
    this.#pool = new RegionPool(memory);
  }

  /**
   * Looks at the folder again: new blocks are served from now on, removed ones no more. Blocks whose meta.json has not been
   * written since are not read again, unless that is forced: clocks of file systems are coarse.
   */
  reload(isForced = false): void {
    const present = metaTimes(this.#disk, this.#folder);
    for (const [name, entry] of this.#open) if (!present.has(name)) this.#retire(name, entry);
    for (const [name, metaModified] of present) {
      const known = this.#open.get(name);
      if (known?.metaModified === metaModified && !isForced) continue;
      try {
        if (known) {
          known.block.refresh();
          known.metaModified = metaModified;
        } else {
          const block = new Block(this.#disk, `${this.#folder}/${name}`, this.#cache);
          this.#open.set(name, { block, metaModified, users: 0, gone: false });
        }
        this.#broken.delete(name);
      } catch (error) {
        if (!this.#broken.has(name)) {
          this.#logger.error('cannot open a block; its data is missing from answers', {
            block: name,
            err: errorText(error),
          });
        }
        this.#broken.add(name);
      }
    }
    this.#open = new Map([...this.#open].sort(([, a], [, b]) => a.block.meta.minTime - b.block.meta.minTime));
    this.#hideParents();
  }

  /** A crash may leave a merged block beside its parents: only the merged one is served. */
  #hideParents(): void {
    const parents = new Set(
      [...this.#open.values()].flatMap(({ block }) => block.meta.compaction.parents ?? []).map((p) => p.ulid),
    );
    for (const [name, entry] of this.#open) {
      if (!parents.has(name) && !entry.block.meta.compaction.deletable) continue;
      this.#retire(name, entry);
    }
  }

  /** Not served from now on; walks that are under way go on with the files they hold. */
  #retire(name: string, entry: OpenBlock): void {
    this.#open.delete(name);
    entry.gone = true;
    if (entry.users === 0) entry.block.close();
    else entry.block.hold();
  }

  /** In order of time. */
  get blocks(): readonly Block[] {
    return [...this.#open.values()].map(({ block }) => block);
  }

  /** What each block says about itself, by name. */
  metas(): ReadonlyMap<string, BlockMeta> {
    return new Map(Array.from(this.#open, ([name, { block }]) => [name, block.meta]));
  }

  /** Blocks that could not be opened, by name. */
  get broken(): readonly string[] {
    return [...this.#broken];
  }

  /** The first and last time that blocks may hold; undefined without blocks. */
  get range(): TimeRange | undefined {
    if (this.#open.size === 0) return undefined;
    const ranges = this.blocks.map((block) => block.range);
    return { min: Math.min(...ranges.map((r) => r.min)), max: Math.max(...ranges.map((r) => r.max)) };
  }

  #within(range: TimeRange): OpenBlock[] {
    return [...this.#open.values()].filter(
      ({ block }) => block.meta.minTime <= range.max && block.meta.maxTime > range.min,
    );
  }

  /** Own series of a block that match, in label order. */
  *#matches(block: Block, matchers: readonly Matcher[], range: TimeRange): Generator<Match> {
    const { shard, shards } = this.#options;
    const { refs, test, areOwn } = this.#candidates(block, matchers);
    for (const ref of refs) {
      const { labels, chunks } = block.index.series(ref, range);
      if (chunks.length === 0 || (test && !test(labels))) continue;
      if (!areOwn && shardOf(hashLabels(labels), shards) !== shard) continue;
      yield { labels, places: chunks, ref };
    }
  }

  /** What a block's postings say; kept, since its index never changes. `areOwn`: only series of this shard are left. */
  #candidates(block: Block, matchers: readonly Matcher[]): Known {
    let known = this.#known.get(block);
    if (!known) {
      known = new Map();
      this.#known.set(block, known);
    }
    const key = JSON.stringify(matchers.map(({ type, name, value }) => [type, name, value]));
    let found = known.get(key);
    if (found) return found;
    const { shard, shards } = this.#options;
    const { refs, test } = findCandidates(block.index, matchers);
    const hashes = shards > 1 ? block.hashes : undefined;
    const own = hashes ? refs.filter((ref) => shardOf(hashes.hashOf(ref), shards) === shard) : refs;
    found = { refs: own, test, areOwn: shards === 1 || hashes !== undefined };
    if (own.length > MAX_KNOWN_REFS) return found;
    if (known.size >= MAX_KNOWN) for (const oldest of known.keys()) if (known.delete(oldest)) break;
    known.set(key, found);
    return found;
  }

  /** Whether a block that reaches beyond `from` may have a series of this shard that matches. */
  mayMatch(matchers: readonly Matcher[], from: number): boolean {
    const { shard, shards } = this.#options;
    return this.#within({ min: from, max: Infinity }).some(({ block }) => {
      const { refs, test } = findCandidates(block.index, matchers);
      if (shards === 1) return refs.length > 0;
      const { hashes } = block;
      const hashOf = (ref: number) => hashes?.hashOf(ref) ?? hashLabels(block.index.labels(ref));
      return refs.some((ref) => shardOf(hashOf(ref), shards) === shard && (!test || test(block.index.labels(ref))));
    });
  }

  /** Series with chunks in the range, in label order; what is yielded is valid until the next one is asked for. */
  *select(matchers: readonly Matcher[], range: TimeRange): Generator<SeriesChunks> {
    const entries = this.#within(range);
    for (const entry of entries) entry.users++;
    const walks = entries.map(({ block }) => ({
      block,
      matches: this.#matches(block, matchers, range),
      window: new KernelWindow(block.segments, this.#pool),
      current: undefined as Match | undefined,
    }));
    const list = newChunkList();
    const series = Object.assign(list, { labels: [] as Labels, deleted: NO_DELETED });
    try {
      const advance = (walk: (typeof walks)[number]) => {
        const next = walk.matches.next();
        walk.current = next.done ? undefined : next.value;
      };
      for (const walk of walks) advance(walk);
      for (;;) {
        let labels: Labels | undefined;
        for (const { current } of walks) {
          if (current && (!labels || compareLabels(current.labels, labels) < 0)) labels = current.labels;
        }
        if (!labels) return;
        list.count = 0;
        for (const walk of walks) {
          if (!walk.current || compareLabels(walk.current.labels, labels) !== 0) continue;
          walk.window.load(walk.current.places, walk.block.deletedOf(walk.current.ref), list);
          advance(walk);
        }
        if (list.count === 0) continue;
        sortByTime(list);
        series.labels = labels;
        yield series;
      }
    } finally {
      for (const { window, matches } of walks) {
        window.close();
        matches.return(undefined);
      }
      for (const entry of entries) {
        entry.users--;
        if (entry.gone && entry.users === 0) entry.block.close();
      }
    }
  }

  /** Own series with chunks in the range, each once, in label order. */
  series(matchers: readonly Matcher[], range: TimeRange): Labels[] {
    const found = new Map<string, Labels>();
    for (const { block } of this.#within(range)) {
      for (const { labels } of this.#matches(block, matchers, range)) found.set(labels.join('\xff'), labels);
    }
    return [...found.values()].sort(compareLabels);
  }

  /** Label names of blocks that touch the range, of matching series if there are matchers. In order. */
  labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    const names = new Set<string>();
    for (const { block } of this.#within(range)) {
      if (matchers.length === 0) for (const name of block.index.labelNames) names.add(name);
      else {
        for (const { labels } of this.#matches(block, matchers, range)) {
          for (let i = 0; i < labels.length; i += 2) names.add(labels[i]!);
        }
      }
    }
    return [...names].sort(compareText);
  }

  /** Values of a label, as `labelNames`. */
  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): string[] {
    const values = new Set<string>();
    for (const { block } of this.#within(range)) {
      const { index } = block;
      if (matchers.length === 0) {
        for (const { value } of index.values(name)) values.add(value);
        continue;
      }
      const { refs, test } = findCandidates(index, matchers);
      if (test || refs.length < index.valueCount(name)) {
        for (const ref of refs) {
          const labels = index.labels(ref);
          const value = labelValue(labels, name);
          if (value !== '' && (!test || test(labels))) values.add(value);
        }
      } else {
        for (const { value, offset } of index.values(name)) {
          if (!values.has(value) && intersects(index.postingsAt(offset), refs)) values.add(value);
        }
      }
    }
    return [...values].sort(compareText);
  }

  close(): void {
    for (const { block } of this.#open.values()) block.close();
    this.#open.clear();
  }
}

/** When the meta.json of each block was written; a folder without one is no block. */
function metaTimes(disk: Disk, folder: string): Map<string, number> {
  const times = new Map<string, number>();
  for (const { name, isFolder } of disk.list(folder)) {
    if (!isFolder || !isUlid(name)) continue;
    try {
      const modified = disk.modified(`${folder}/${name}/${META_FILE}`);
      if (modified > 0) times.set(name, modified);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
  return times;
}

/** Names of block folders, in order. */
export const blockNames = (disk: Disk, folder: string): string[] => [...metaTimes(disk, folder).keys()];

/** Blocks come in order of their start, so lists are nearly sorted; chunks of overlapping blocks need not be. */
function sortByTime(list: ReturnType<typeof newChunkList>): void {
  let sorted = true;
  for (let i = 1; i < list.count && sorted; i++) sorted = list.minTimes[i]! >= list.minTimes[i - 1]!;
  if (sorted) return;
  const order = Array.from({ length: list.count }, (_, i) => i).sort((a, b) => list.minTimes[a]! - list.minTimes[b]!);
  list.addresses = Uint32Array.from(order, (i) => list.addresses[i]!);
  list.lengths = Uint32Array.from(order, (i) => list.lengths[i]!);
  list.encodings = Uint8Array.from(order, (i) => list.encodings[i]!);
  const minTimes = Float64Array.from(order, (i) => list.minTimes[i]!);
  list.maxTimes = Float64Array.from(order, (i) => list.maxTimes[i]!);
  list.minTimes = minTimes;
}
