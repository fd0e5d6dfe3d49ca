// Brings the log of earlier runs back into an empty head, generation by generation: series, then chunks, then the samples that are
// in no chunk. Works in slices, so that the thread answers meanwhile; damage is reported and passed over.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { type Head, NO_MAX_TIME, NO_MIN_TIME } from './head/head.ts';
import { MAX_RECORD_BYTES, MAX_RECORD_PAIRS, MAX_SERIES_BYTES } from './head/kernel.ts';
import { readDeleted, readExemplar, readHistogram, readMetadata } from './log/fields-read.ts';
import { KIND } from './log/format.ts';
import { type StoredGeneration, segmentsOf } from './log/log.ts';
import { type Damage, readRecords } from './log/reader.ts';
import { inSlices, pause } from './slices.ts';

const SLICE_ROWS = 5000;
const RESERVED_SERIES = 64;
/** What becomes of samples that are not newer than their series; see kernel/lib/log.ts. */
const IN_ORDER = 0;
const LATE = 1;
const EITHER = 2;

export type ReplayReport = {
  segments: number;
  bytes: number;
  series: number;
  chunks: number;
  samples: number;
  histograms: number;
  /** Passed over because a checksum was wrong. */
  damagedBytes: number;
  damages: number;
  /** Entries of series whose own record is lost. */
  orphans: number;
};

export type ReplayOptions = {
  readonly shard: number;
  readonly shards: number;
  /** Whether entries of unknown series are losses; not so in folders of another number of shards. */
  readonly countOrphans: boolean;
  readonly progress?: (doneBytes: number) => void;
};

export const newReport = (): ReplayReport => ({
  segments: 0,
  bytes: 0,
  series: 0,
  chunks: 0,
  samples: 0,
  histograms: 0,
  damagedBytes: 0,
  damages: 0,
  orphans: 0,
});

/** Log numbers of one generation to slots, in the shard's memory. */
class SlotMap {
  readonly #head: Head;
  address = 0;
  size = 0;

  constructor(head: Head) {
    this.#head = head;
  }

  set(id: number, slotAndOne: number): void {
    if (id >= this.size) this.#grow(id + 1);
    this.#head.memory.shard.u32[(this.address >>> 2) + id] = slotAndOne;
  }

  get(id: number): number {
    return id < this.size ? this.#head.memory.shard.u32[(this.address >>> 2) + id]! : 0;
  }

  #grow(atLeast: number): void {
    const size = Math.max(1024, this.size * 2, atLeast);
    const { memory } = this.#head;
    memory.ahead(size * 8);
    const address = memory.kernel.slabAlloc(size * 4) >>> 0;
    const u32 = memory.shard.u32;
    u32.fill(0, address >>> 2, (address >>> 2) + size);
    u32.copyWithin(address >>> 2, this.address >>> 2, (this.address >>> 2) + this.size);
    this.release();
    this.address = address;
    this.size = size;
  }

  release(): void {
    if (this.size > 0) this.#head.memory.kernel.slabRelease(this.address, this.size * 4);
    this.size = 0;
  }
}

export async function replayGenerations(
  head: Head,
  disk: Disk,
  generations: readonly StoredGeneration[],
  options: ReplayOptions,
  report: ReplayReport,
  logger: Logger,
  clock: Clock,
): Promise<void> {
  head.setLimits();
  // Everything that was taken once is taken again, whatever the clock says now.
  const limits = head.memory.areas.limits / 8;
  head.memory.shard.f64[limits] = -(2 ** 52);
  head.memory.shard.f64[limits + 2] = 0;
  head.memory.shard.f64[limits + 3] = Number.MAX_SAFE_INTEGER;
  let sliceStart = clock.monotonic();
  for (const [index, stored] of generations.entries()) {
    if (index > 0) await shelve(head);
    const map = new SlotMap(head);
    for (const stream of ['keep', 'samples'] as const) {
      for (const path of segmentsOf(disk, stored, stream)) {
        const bytes = readSegment(disk, path, report, logger);
        const damaged = (damage: Damage) => {
          report.damages++;
          report.damagedBytes += damage.bytes;
          const text = damage.kind === 'tail' ? 'log ends in a torn record, cut off' : 'log is damaged, passing over';
          logger.warn(text, { segment: path, offset: damage.offset, bytes: damage.bytes });
        };
        for (const { kind, start, end } of readRecords(bytes, damaged)) {
          replayRecord(head, kind, bytes.subarray(start, end), map, options, report, path, logger);
          if (clock.monotonic() - sliceStart > 10) {
            options.progress?.(report.bytes);
            await pause();
            sliceStart = clock.monotonic();
          }
        }
        report.segments++;
        report.bytes += bytes.length;
      }
    }
    map.release();
  }
}

/** What one generation left open may be closed in the next one. */
async function shelve(head: Head): Promise<void> {
  for (const slot of [...head.histograms.slots()]) head.histograms.close(slot, head, undefined);
  await inSlices(head.table.counts().slots, SLICE_ROWS, (from, to) => {
    head.memory.ahead(SLICE_ROWS * 1536);
    head.memory.kernel.shelveRows(from, to);
  });
}

/** After the last generation: opens what was open, and finds out the head's times. */
export async function finishReplay(head: Head): Promise<void> {
  for (const slot of [...head.histograms.slots()]) head.histograms.close(slot, head, undefined);
  const decode = head.memory.decodeArea;
  const times = head.memory.areas.out;
  const f64 = () => head.memory.shard.f64;
  const found = [NO_MIN_TIME, NO_MAX_TIME, NO_MIN_TIME, NO_MAX_TIME];
  await inSlices(head.table.counts().slots, SLICE_ROWS, (from, to) => {
    head.memory.ahead(SLICE_ROWS * 1536);
    const { kernel, areas } = head.memory;
    kernel.reopenRows(from, to, decode.times, decode.values, decode.starts, areas.state, head.options.chunkRangeMs);
    f64().set(found, times / 8);
    kernel.timesOf(from, to, times);
    found.splice(0, 4, ...f64().subarray(times / 8, times / 8 + 4));
  });
  const [min, max, lateMin, lateMax] = found as [number, number, number, number];
  head.sawTimes(min, max, false);
  head.sawTimes(lateMin, lateMax, true);
}

function readSegment(disk: Disk, path: string, report: ReplayReport, logger: Logger): Uint8Array {
  try {
    return disk.readFile(path);
  } catch (error) {
    report.damages++;
    logger.error('cannot read a segment of the log; its data is lost', { segment: path, err: errorText(error) });
    return new Uint8Array(0);
  }
}

function replayRecord(
  head: Head,
  kind: number,
  body: Uint8Array,
  map: SlotMap,
  options: ReplayOptions,
  report: ReplayReport,
  path: string,
  logger: Logger,
): void {
  try {
    const sound = apply(head, kind, body, map, options, report);
    if (sound) return;
  } catch (error) {
    logger.warn('cannot replay a log record', { segment: path, kind, err: errorText(error) });
  }
  report.damages++;
  report.damagedBytes += body.length;
}

/** False if the body does not hold what its kind promises. */
function apply(
  head: Head,
  kind: number,
  body: Uint8Array,
  map: SlotMap,
  options: ReplayOptions,
  report: ReplayReport,
): boolean {
  switch (kind) {
    case KIND.series:
      return applySeries(head, body, map, options, report);
    case KIND.chunks: {
      head.memory.ahead(body.length * 4 + 64 * 1024);
      stage(head, body);
      const { kernel, areas } = head.memory;
      const count = kernel.replayChunks(areas.record, body.length, map.address, map.size);
      if (options.countOrphans) report.orphans += kernel.orphanedEntries();
      report.chunks += Math.max(0, count);
      return count >= 0;
    }
    case KIND.samples:
      return applySamples(head, IN_ORDER, body, map, options, report);
    case KIND.late:
      return applySamples(head, LATE, body, map, options, report);
    case KIND.held:
      return applySamples(head, head.options.outOfOrderWindowMs > 0 ? EITHER : IN_ORDER, body, map, options, report);
    case KIND.histograms: {
      head.memory.ahead(256 * 1024);
      const { id, timestamp, histogram } = readHistogram(body);
      const slot = map.get(id);
      if (slot === 0) report.orphans += options.countOrphans ? 1 : 0;
      else if (head.histograms.append(slot - 1, { timestamp, value: histogram }, head, undefined) === undefined) {
        report.histograms++;
      }
      return true;
    }
    case KIND.exemplars: {
      const { labels, exemplar } = readExemplar(body);
      if (options.countOrphans || head.owns(labels, options.shards)) head.exemplars.add(labels, exemplar);
      return true;
    }
    case KIND.metadata: {
      const { family, metadata } = readMetadata(body);
      head.metadata.set(family, metadata);
      return true;
    }
    case KIND.deleted: {
      const { id, ranges } = readDeleted(body);
      const slot = map.get(id);
      if (slot > 0) for (const range of ranges) head.deletions.add(slot - 1, range);
      return true;
    }
    default:
      return false;
  }
}

function stage(head: Head, body: Uint8Array): void {
  head.memory.shard.u8.set(body, head.memory.areas.record);
}

function applySeries(
  head: Head,
  body: Uint8Array,
  map: SlotMap,
  options: ReplayOptions,
  report: ReplayReport,
): boolean {
  if (body.length > MAX_RECORD_BYTES + MAX_SERIES_BYTES) return false;
  stage(head, body);
  const { kernel, areas } = head.memory;
  kernel.openSeries(areas.record, body.length);
  for (let count = 0; ; count++) {
    // Lists and tables double at most once in so few creations; new pairs take what the body has of them.
    if (count % RESERVED_SERIES === 0) head.table.reserve(body.length * 4 + RESERVED_SERIES * 4096);
    const id = kernel.takeSeries(
      areas.pairs,
      MAX_RECORD_PAIRS,
      areas.lengths,
      areas.bytes,
      MAX_SERIES_BYTES,
      options.shard,
      options.shards,
    );
    if (id === 0) break;
    if (id < 0) return false;
    const slot = kernel.takenSlotOf();
    if (slot > 0) {
      map.set(id, slot);
      if (kernel.takenIsNew()) report.series++;
    }
  }
  return true;
}

function applySamples(
  head: Head,
  order: number,
  body: Uint8Array,
  map: SlotMap,
  options: ReplayOptions,
  report: ReplayReport,
): boolean {
  const { kernel, areas } = head.memory;
  const decode = head.memory.decodeArea;
  // A sample takes two bytes at least, and the allocator three kilobytes at most.
  head.memory.ahead(Math.min(8192, body.length) * 3072);
  stage(head, body);
  const status = kernel.replaySamples(
    areas.record,
    body.length,
    order,
    map.address,
    map.size,
    BigInt(head.options.chunkRangeMs),
    decode.times,
    decode.values,
    decode.starts,
    areas.state,
  );
  report.samples += kernel.replayedSamples();
  if (options.countOrphans) report.orphans += kernel.orphanedEntries();
  return status === 0;
}
