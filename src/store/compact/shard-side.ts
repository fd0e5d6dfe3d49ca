// What a shard does for compaction: writes its slice of a stretch of time as a part, lets go of what has become a block,
// and looks at the blocks again. The functions are called from the main thread, in the order that cycle.ts keeps.

import { dirname } from 'node:path';
import type { Disk } from '#base/disk/disk.ts';
import type { Matcher } from '#model/matcher.ts';
import type { TimeRange } from '#model/query.ts';
import { writePart } from '../block/part.ts';
import { NO_MAX_TIME, NO_MIN_TIME } from '../head/head.ts';
import type { ShardStore } from '../shard.ts';
import { pause } from '../slices.ts';

export type HeadTimes = {
  /** First and last sample in order, and out of order; undefined when there is none. */
  readonly inOrder: TimeRange | undefined;
  readonly outOfOrder: TimeRange | undefined;
  /** The log's size on disk. */
  readonly logBytes: number;
};

// A type alias, not an interface: it has to fit the index signature of a thread's API.
export type ShardSide = {
  headTimes(): Promise<HeadTimes>;
  /** Writes the part of this shard; with `closes`, nothing older than the range's end is taken in order from now on. */
  writePart(request: {
    readonly path: string;
    readonly range: TimeRange;
    readonly closes: boolean;
    /** Only what came out of order, before `beginOutOfOrder`: the rest becomes a block in its own time. */
    readonly onlyLate: boolean;
  }): Promise<number>;
  truncateHead(before: number): Promise<void>;
  beginOutOfOrder(): Promise<number>;
  endOutOfOrder(epoch: number): Promise<void>;
  reloadBlocks(): Promise<void>;
  deleteSeries(request: {
    readonly matchers: readonly (readonly Matcher[])[];
    readonly range: TimeRange;
  }): Promise<void>;
};

export function shardSide(store: ShardStore, disk: Disk): ShardSide {
  return {
    async headTimes() {
      await store.ready();
      const { minTime, maxTime, minOutOfOrderTime, maxOutOfOrderTime } = store.head;
      const isThere = (min: number, max: number) => min <= max && min < NO_MIN_TIME && max > NO_MAX_TIME;
      return {
        inOrder: isThere(minTime, maxTime) ? { min: minTime, max: maxTime } : undefined,
        outOfOrder: isThere(minOutOfOrderTime, maxOutOfOrderTime)
          ? { min: minOutOfOrderTime, max: maxOutOfOrderTime }
          : undefined,
        logBytes: store.logBytes,
      };
    },
    async writePart({ path, range, closes, onlyLate }) {
      await store.ready();
      disk.makeFolder(dirname(path));
      if (closes) store.head.minValidTime = Math.max(store.head.minValidTime, range.max + 1);
      const steps = writePart(disk, path, await store.source(onlyLate), range);
      for (;;) {
        const step = steps.next();
        if (step.done) return step.value;
        await pause();
      }
    },
    truncateHead: (before) => store.truncate(before),
    beginOutOfOrder: async () => store.beginOutOfOrder(),
    endOutOfOrder: (epoch) => store.endOutOfOrder(epoch),
    reloadBlocks: async () => store.reloadBlocks(),
    async deleteSeries({ matchers, range }) {
      for (const set of matchers) await store.delete(set, range);
      store.reloadBlocks(true);
    },
  };
}
