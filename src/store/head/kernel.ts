// The store's kernel as the host sees it, and the head's part of the shard's memory: an arena for the kernel's allocator, kept
// ahead of every call, and fixed areas through which batches, labels and log records pass.

import { type KernelMemory, loadKernel } from '#base/kernel.ts';

export type StoreKernel = {
  init(freeLists: number, arena: number, arenaBytes: number, directory: number, hashes: number, area: number): void;
  slabHeadBytes(): number;
  tableHeadBytes(): number;
  slabExtend(address: number, bytes: number): void;
  slabFree(): number;
  slabAlloc(bytes: number): number;
  slabRelease(address: number, bytes: number): void;
  counts(out: number): void;
  seriesFind(lengths: number, bytes: number, count: number): number;
  seriesHash(): number;
  seriesCreate(lengths: number, bytes: number, count: number): number;
  killEmpty(from: number, to: number, dead: number): number;
  beginSweep(names: number, slots: number): void;
  sweep(names: number, count: number, dead: number, budget: number): number;
  reuseDead(from: number, to: number, dead: number): void;
  pairFind(bytes: number, nameLength: number, valueLength: number, hash: number): number;
  pairHash(bytes: number, nameLength: number, valueLength: number): number;
  pairOfLast(index: number, bytes: number, nameLength: number, valueLength: number): number;
  nameAfter(name: number): number;
  nameFind(bytes: number, length: number): number;
  compareSlots(a: number, b: number): number;
  mergeRuns(from: number, to: number, count: number, run: number): void;
  rowOf(slot: number): number;
  append(
    n: number,
    refs: number,
    times: number,
    values: number,
    starts: number,
    limits: number,
    segment: number,
    out: number,
    rejects: number,
    closed: number,
    fresh: number,
    log: number,
    oooLog: number,
    late: number,
  ): void;
  logRows(
    n: number,
    refs: number,
    times: number,
    values: number,
    starts: number,
    lowest: number,
    highest: number,
    out: number,
    rejects: number,
    fresh: number,
    log: number,
  ): void;
  setFirstGeneration(generation: number): void;
  judgeHistogram(slot: number, time: number, limits: number): number;
  setHistogram(slot: number, encoding: number, min: number, last: number, segment: number): void;
  logIdOf(slot: number): number;
  addClosedChunk(
    slot: number,
    bytes: number,
    length: number,
    encoding: number,
    min: number,
    max: number,
    outOfOrder: number,
  ): number;
  closeChunk(slot: number): number;
  closeLate(slot: number): number;
  chunksOf(
    slot: number,
    min: number,
    max: number,
    out: number,
    room: number,
    state: number,
    late: number,
    onlyLate: number,
  ): number;
  chunksOfMany(
    slots: number,
    count: number,
    min: number,
    max: number,
    second: number,
    table: number,
    chunks: number,
    chunkRoom: number,
    open: number,
    openRoom: number,
  ): number;
  groupSlots(
    groups: number,
    slots: number,
    count: number,
    names: number,
    nameCount: number,
    without: number,
    out: number,
    stride: number,
  ): number;
  regroup(groups: number): void;
  truncateRows(from: number, to: number, min: number, epoch: number): void;
  oldestSegment(from: number, to: number): number;
  pinnedRows(from: number, to: number, segment: number, out: number): number;
  movePin(slot: number, segment: number): void;
  forgetLog(): void;
  setNextLogId(id: number): void;
  reopenRows(
    from: number,
    to: number,
    times: number,
    values: number,
    starts: number,
    state: number,
    range: number,
  ): void;
  timesOf(from: number, to: number, out: number): void;
  shelveRows(from: number, to: number): void;
  nextOooEpoch(): number;
  putManySeries(out: number, slots: number, count: number, room: number, maxPairs: number): number;
  seriesWritten(): number;
  resolveRecords(
    at: number,
    count: number,
    refs: number,
    shard: number,
    maxNew: number,
    maxLabels: number,
    maxBytes: number,
  ): number;
  resolvedEnd(): number;
  resolvedMade(): number;
  openSeries(body: number, bytes: number): void;
  takeSeries(
    pairs: number,
    maxPairs: number,
    lengths: number,
    bytes: number,
    room: number,
    shard: number,
    shards: number,
  ): number;
  takenSlotOf(): number;
  takenIsNew(): number;
  putClosedChunk(out: number, slot: number, chunk: number): number;
  putOpenChunk(out: number, slot: number): number;
  putHostChunk(
    out: number,
    slot: number,
    kind: number,
    min: number,
    max: number,
    bytes: number,
    length: number,
  ): number;
  replayChunks(body: number, bytes: number, map: number, mapSize: number): number;
  replaySamples(
    body: number,
    bytes: number,
    order: number,
    map: number,
    mapSize: number,
    range: number | bigint,
    times: number,
    values: number,
    starts: number,
    state: number,
  ): number;
  replayedSamples(): number;
  skippedSamples(): number;
  orphanedEntries(): number;
  xorEncode(times: number, values: number, starts: number, count: number, chunk: number, state: number): number;
  xorDecode(chunk: number, bytes: number, times: number, values: number, starts: number, state: number): number;
};

/** Offsets in a row that the host reads; the rest is the kernel's alone (kernel/lib/table.ts). */
export const ROW = {
  flags: 48,
  labelCount: 50,
  logId: 52,
  generation: 72,
  first: 76,
  labels: 92,
  extra: 96,
  selected: 100,
} as const;
/** Offset in what a row has beside it, if it has: the first out-of-order chunk. */
export const OUT_OF_ORDER_FIRST = 16;
export const FLAG_ALIVE = 1;

/** Offsets in a name and in a label pair. */
export const NAME = { first: 8, pairs: 12, length: 16, bytes: 20 } as const;
export const PAIR = {
  name: 8,
  length: 12,
  postings: 16,
  count: 20,
  room: 24,
  sibling: 28,
  created: 36,
  bytes: 40,
} as const;
/** In PAIR.room: the postings are not in order. */
export const UNSORTED = 0x8000_0000;

/** Rows of one kernel call; longer batches take several. */
export const MAX_ROWS = 8192;
/** A label set beyond these is refused. */
export const MAX_LABELS = 2048;
export const MAX_SERIES_BYTES = 256 * 1024;
/** The body of a log record. */
export const MAX_RECORD_BYTES = 1024 * 1024;
/** Samples of one chunk that can be decoded. */
const MAX_CHUNK_SAMPLES = 65_536;
const ARENA_STEP_BYTES = 4 * 1024 * 1024;
const MIN_AHEAD_BYTES = 1024 * 1024;
const LOG_SAMPLE_BYTES = 40;

/** The fixed areas. Addresses in the shard's memory. */
export type Areas = {
  readonly refs: number;
  readonly times: number;
  readonly values: number;
  readonly starts: number;
  readonly limits: number;
  readonly out: number;
  readonly rejects: number;
  readonly closed: number;
  readonly fresh: number;
  readonly late: number;
  readonly log: number;
  readonly oooLog: number;
  readonly lengths: number;
  readonly bytes: number;
  /** One record's body, and room behind it for the entry that made it full. */
  readonly record: number;
  readonly pairs: number;
  readonly state: number;
  readonly lateChunk: number;
  readonly chunks: number;
};
export const CHUNK_ENTRIES = 4096;
/** Label pairs of one log record of series. */
export const MAX_RECORD_PAIRS = 65_536;

export class HeadMemory {
  readonly shard: KernelMemory;
  readonly kernel: StoreKernel;
  readonly areas: Areas;
  #arenaBytes = 0;
  #decode: { times: number; values: number; starts: number } | undefined;

  constructor(shard: KernelMemory) {
    this.shard = shard;
    this.kernel = loadKernel<StoreKernel>('store', shard, { moreArena: (bytes) => this.#extend(bytes >>> 0) });
    const freeLists = shard.region(this.kernel.slabHeadBytes());
    const directory = shard.region(this.kernel.tableHeadBytes());
    const hashes = shard.region(MAX_LABELS * 4);
    const encoder = shard.region(4096 + 8192);
    this.areas = {
      refs: shard.region(MAX_ROWS * 8),
      times: shard.region(MAX_ROWS * 8),
      values: shard.region(MAX_ROWS * 8),
      starts: shard.region(MAX_ROWS * 8),
      limits: shard.region(64),
      out: shard.region(128),
      rejects: shard.region(MAX_ROWS * 8),
      closed: shard.region(MAX_ROWS * 8),
      fresh: shard.region(MAX_ROWS * 4),
      late: shard.region(MAX_ROWS * 4),
      log: shard.region(MAX_ROWS * LOG_SAMPLE_BYTES + 64),
      oooLog: shard.region(MAX_ROWS * LOG_SAMPLE_BYTES + 64),
      lengths: shard.region(MAX_LABELS * 8),
      bytes: shard.region(MAX_SERIES_BYTES),
      record: shard.region(MAX_RECORD_BYTES + MAX_SERIES_BYTES),
      pairs: shard.region(MAX_RECORD_PAIRS * 4),
      state: shard.region(64),
      lateChunk: shard.region(2048),
      chunks: shard.region(CHUNK_ENTRIES * 32),
    };
    const arena = shard.region(ARENA_STEP_BYTES);
    this.#arenaBytes = ARENA_STEP_BYTES;
    this.kernel.init(freeLists, arena, ARENA_STEP_BYTES, directory, hashes, encoder);
  }

  /** Room for the samples of the largest chunk; made when it is first needed. */
  get decodeArea(): { times: number; values: number; starts: number } {
    this.#decode ??= {
      times: this.shard.region(MAX_CHUNK_SAMPLES * 8),
      values: this.shard.region(MAX_CHUNK_SAMPLES * 8),
      starts: this.shard.region(MAX_CHUNK_SAMPLES * 8),
    };
    return this.#decode;
  }

  /**
   * Keeps at least `bytes` (and some) ahead for the kernel's allocator, which must not run dry inside a call. Throws an operating
   * error `memory_full`. Views of the memory must be fetched anew afterwards.
   */
  ahead(bytes: number): void {
    const needed = bytes + MIN_AHEAD_BYTES;
    if (this.kernel.slabFree() >>> 0 < needed) this.#extend(needed);
  }

  /** Also called by the kernel, should it need more than was thought. */
  #extend(bytes: number): void {
    const step = Math.ceil(bytes / ARENA_STEP_BYTES) * ARENA_STEP_BYTES;
    const address = this.shard.region(step);
    this.#arenaBytes += step;
    this.kernel.slabExtend(address, step);
  }

  /** Bytes of records that fit into the area for them. */
  get recordRoom(): number {
    return MAX_RECORD_BYTES;
  }

  get arenaBytes(): number {
    return this.#arenaBytes;
  }
}
