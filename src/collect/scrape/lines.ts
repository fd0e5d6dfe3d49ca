// Text pages through the kernel: a target's lines in order in kernel memory, 32 bytes each. The kernel reads what it knows;
// lines that are new, rare or wrong come here, one at a time, and go through the plain reader. Same contract and same
// results as table.ts, which a test holds against this one.

import { loadKernel } from '#base/kernel.ts';
import type { SeriesRef } from '#model/batch.ts';
import type { Labels } from '#model/labels.ts';
import { TextReader, withLastLinebreak } from '#wire/exposition/text.ts';
import { FamilyNotes } from './families.ts';
import type { Rows } from './rows.ts';
import { GrowingBlock, Slab } from './slab.ts';
import { noCounts, type ReadCounts, type ReadOptions, type SeriesMemory } from './table.ts';

type WireKernel = {
  stateAddress(): number;
  powersAddress(): number;
  exactAddress(): number;
  find(at: number, length: number, table: number, index: number, mask: number): number;
  enter(table: number, from: number, count: number, index: number, mask: number): void;
  put(table: number, slot: number, at: number, length: number, ref: number, seen: number, flags: number): void;
  keepExemplar(table: number, slot: number, at: number, end: number): void;
  isOrdered(visits: number, visited: number): number;
  arrange(from: number, to: number, visits: number, visited: number): void;
  setTarget(address: number, count: number): void;
  inflate(from: number, length: number, to: number, size: number): number;
  unseen(table: number, count: number, iteration: number, refs: number): number;
  scan(
    end: number,
    table: number,
    count: number,
    index: number,
    mask: number,
    iteration: number,
    options: number,
    defaultTimestamp: number,
    maxTimestamp: number,
    refs: number,
    timestamps: number,
    values: number,
    capacity: number,
    visits: number,
  ): number;
};

// As in kernel/lib/lines.ts.
const SLOT_BYTES = 32;
const [REF, LENGTH, SEEN, FLAGS, EXEMPLAR] = [1, 4, 5, 6, 7] as const;
const SLOT_WORDS = SLOT_BYTES / 4;
const SLOT_DOUBLES = SLOT_BYTES / 8;
const [COMMENT, DROPPED, LIVE, TYPE] = [1, 2, 4, 8] as const;
const [HONOR, TRACK, OPENMETRICS] = [1, 2, 4] as const;
const [END, LINE, NEEDS_INDEX, TABLE_FULL, LABELS_FULL] = [0, 1, 2, 4, 5] as const;
const [AT, CURSOR, ROW, VISITED, TYPE_AT, SCRAPED, ADDED, DUPLICATES, OUT_OF_BOUNDS] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8,
] as const;
const [COUNT, SERIES, LABELS_AT, TAKES_NEW, CAPACITY, LABELS_END, BOUNDS_AT, BOUNDS, STATE_WORDS] = [
  9, 10, 11, 12, 13, 14, 15, 16, 24,
] as const;
/** Bounds that the family writes as floats. */
const [LE, QUANTILE] = [1, 2] as const;

/** Bytes behind a page that the kernel may read. */
const PADDING = 64;
const USUAL_PAGE_BYTES = 1 << 20;

const NONE = new Float64Array(0);

/** What the tables of one worker share: the kernel, the page being read, and scratch memory. */
export class LineScratch {
  readonly slab: Slab;
  readonly kernel: WireKernel;
  readonly page: GrowingBlock;
  readonly index: GrowingBlock;
  readonly visits: GrowingBlock;
  readonly #target: GrowingBlock;
  readonly state: number;
  readonly readers = { text: new TextReader('text'), openmetrics: new TextReader('openmetrics') };

  constructor(slab: Slab) {
    this.slab = slab;
    this.kernel = loadKernel<WireKernel>('wire', slab.memory);
    this.page = new GrowingBlock(slab, 1 << 16);
    this.index = new GrowingBlock(slab, 1 << 12);
    this.visits = new GrowingBlock(slab, 1 << 12);
    this.#target = new GrowingBlock(slab, 1 << 9);
    this.state = this.kernel.stateAddress() / 4;
    fillPowers(this.kernel, slab);
  }

  /** Brings a page into kernel memory; returns its address. */
  load(body: Uint8Array): number {
    this.page.shrink(Math.max(USUAL_PAGE_BYTES, body.length + PADDING));
    this.page.grow(body.length + PADDING);
    const { u8 } = this.slab.memory;
    u8.set(body, this.page.address);
    u8.fill(0, this.page.address + body.length, this.page.address + body.length + PADDING);
    return this.page.address;
  }

  /** Tells the kernel what it has to add to the labels of new series. */
  setTarget(labels: Labels): void {
    let at = 0;
    for (let i = 0; i < labels.length; i += 2) {
      const [name, value] = [encoder.encode(labels[i]!), encoder.encode(labels[i + 1]!)];
      this.#target.grow(at + 12 + name.length + value.length, at);
      const { u8, u32 } = this.slab.memory;
      const from = this.#target.address + at;
      u32[from / 4] = name.length;
      u32[from / 4 + 1] = value.length;
      u8.set(name, from + 8);
      u8.set(value, from + 8 + name.length);
      at = (at + 11 + name.length + value.length) & ~3;
    }
    this.kernel.setTarget(this.#target.address, labels.length / 2);
  }
}

const encoder = new TextEncoder();

/** 128-bit mantissas of the powers of ten, cut off, and the powers that a double holds exactly. */
function fillPowers(kernel: WireKernel, slab: Slab): void {
  const view = new DataView(slab.memory.memory.buffer);
  for (let power = -342; power <= 308; power++) {
    const size = 10n ** BigInt(Math.abs(power));
    const bits = size.toString(2).length;
    const shift = BigInt(128 - bits);
    const mantissa = power < 0 ? (1n << BigInt(127 + bits)) / size : shift >= 0n ? size << shift : size >> -shift;
    const at = kernel.powersAddress() + (power + 342) * 16;
    view.setBigUint64(at, mantissa & 0xffffffffffffffffn, true);
    view.setBigUint64(at + 8, mantissa >> 64n, true);
  }
  for (let power = 0; power <= 22; power++) view.setFloat64(kernel.exactAddress() + power * 8, 10 ** power, true);
}

export type LineResult = {
  readonly counts: ReadCounts;
  /** When the page's comments changed; undefined: as before. */
  readonly families: FamilyNotes | undefined;
};

export class LineTable implements SeriesMemory {
  readonly #scratch: LineScratch;
  #address = 0;
  #capacity = 0;
  #count = 0;
  #iteration = 0;
  #hasFresh = false;
  /** Exemplars of the last read are known, should it have been for nothing. */
  #hasExemplars = false;
  /** Stays set until a page with the change was read to its end. */
  #commentsChanged = false;
  /** Live series of the scrape before that the last page does not have. */
  #gone = NONE;

  constructor(scratch: LineScratch) {
    this.#scratch = scratch;
  }

  get size(): number {
    return this.#count;
  }

  read(body: Uint8Array, format: 'text' | 'openmetrics', rows: Rows, options: ReadOptions): LineResult {
    const scratch = this.#scratch;
    const { kernel, slab } = scratch;
    const page = format === 'text' ? withLastLinebreak(body) : body;
    const start = scratch.load(page);
    const end = start + page.length;
    const reader = scratch.readers[format];
    const before = this.#count;
    const state = scratch.state;
    let isIndexed = false;
    let mask = 0;
    let typeSeen = 0;
    const counts = noCounts();
    this.#iteration = (this.#iteration % 0xffffffff) + 1;
    this.#hasFresh = false;
    this.#hasExemplars = false;
    slab.memory.u32.fill(0, state, state + STATE_WORDS);
    slab.memory.u32[state + AT] = start;
    slab.memory.u32[state + ROW] = rows.length;
    const flags =
      (options.honorTimestamps ? HONOR : 0) |
      (options.trackTimestampsStaleness ? TRACK : 0) |
      (format === 'openmetrics' ? OPENMETRICS : 0);
    reader.reset(page);
    for (;;) {
      const visited = slab.memory.u32[state + VISITED]!;
      scratch.visits.grow((Math.max(this.#count, this.#capacity) + 1024) * 4, visited * 4);
      const input = slab.memory.u32;
      input[state + TAKES_NEW] = isIndexed && options.plainLabels ? 1 : 0;
      input[state + CAPACITY] = this.#capacity;
      input[state + SERIES] = rows.seriesCount;
      input[state + LABELS_AT] = rows.labelsAt;
      input[state + LABELS_END] = rows.labelsEnd;
      const code = kernel.scan(
        end,
        this.#address,
        this.#count,
        isIndexed ? scratch.index.address : 0,
        mask,
        this.#iteration,
        flags,
        options.timestamp,
        options.maxTimestamp,
        rows.refsAddress,
        rows.timestampsAddress,
        rows.valuesAddress,
        rows.capacity,
        scratch.visits.address,
      );
      let words = slab.memory.u32;
      rows.length = words[state + ROW]!;
      const fresh = words[state + COUNT]! - this.#count;
      if (fresh > 0) {
        rows.tookLabels(words[state + SERIES]!, words[state + LABELS_AT]!);
        this.#count += fresh;
        this.#hasFresh = true;
        counts.seriesAdded += fresh;
      }
      if (code === NEEDS_INDEX || code === TABLE_FULL) {
        if (code === TABLE_FULL && this.#count === this.#capacity) this.#grow();
        else if (options.plainLabels) scratch.setTarget(options.plainLabels);
        mask = this.#buildIndex();
        isIndexed = true;
        continue;
      }
      if (code === LABELS_FULL) {
        rows.reserveLabels(rows.labelsEnd - rows.labelsAt + 8192);
        continue;
      }
      if (code === END && format === 'text') break;
      if (code !== LINE && code !== END) {
        rows.reserve(rows.capacity);
        continue;
      }
      // A line for the plain reader. It must know the family's type, which decides how bounds are written.
      const typeAt = words[state + TYPE_AT]!;
      if (typeAt > typeSeen) {
        reader.reset(page, page.length, typeAt - start);
        reader.next();
        typeSeen = typeAt;
      }
      reader.reset(page, page.length, words[state + AT]! - start, true);
      const kind = reader.next();
      if (kind === 'end') break;
      if (this.#count === this.#capacity) this.#grow();
      const isComment = kind !== 'series';
      const from = start + reader.entryStart;
      const length = isComment ? reader.at - reader.entryStart : reader.seriesEnd - reader.entryStart;
      if (!isIndexed || (this.#count + 1) * 2 > mask + 1) {
        mask = this.#buildIndex();
        isIndexed = true;
      }
      const entry = kernel.find(from, length, this.#address, scratch.index.address, mask);
      let slot = entry - 1;
      if (isComment) {
        if (entry === 0) {
          slot = this.#add(from, length, 0, COMMENT | (kind === 'type' ? TYPE : 0), mask);
          this.#commentsChanged ||= kind !== 'comment';
        }
        if (kind === 'type') typeSeen = from;
        this.#visit(slot, entry === 0);
      } else {
        counts.scraped++;
        if (entry === 0) {
          const exposed = reader.labels();
          const labels = options.admit(exposed, reader.emptyNames);
          if (labels) {
            slot = this.#add(from, length, rows.addSeries(labels), 0, mask);
            this.#hasFresh = true;
            counts.seriesAdded++;
          } else slot = this.#add(from, length, 0, DROPPED, mask);
        }
        this.#sample(slot, entry === 0, reader, rows, options, counts);
      }
      words = slab.memory.u32;
      if (typeSeen > words[state + TYPE_AT]!) words[state + TYPE_AT] = typeSeen;
      words[state + BOUNDS_AT] = typeSeen;
      words[state + BOUNDS] = reader.familyType === 'histogram' ? LE : reader.familyType === 'summary' ? QUANTILE : 0;
      words[state + AT] = start + reader.at;
      words[state + CURSOR] = entry === 0 ? words[state + CURSOR]! : slot + 1;
      words[state + ROW] = rows.length;
    }
    const words = slab.memory.u32;
    counts.scraped += words[state + SCRAPED]!;
    counts.added += words[state + ADDED]!;
    counts.duplicates += words[state + DUPLICATES]!;
    counts.outOfBounds += words[state + OUT_OF_BOUNDS]!;
    if (this.#arrange(before)) this.#commentsChanged = true;
    const families = this.#commentsChanged ? readFamilies(page, format) : undefined;
    this.#commentsChanged = false;
    return { counts, families };
  }

  settle(refs: Float64Array): void {
    if (!this.#hasFresh) return;
    this.#hasFresh = false;
    const { f64, u32 } = this.#scratch.slab.memory;
    for (let slot = 0; slot < this.#count; slot++) {
      const at = this.#address / 8 + slot * SLOT_DOUBLES + REF;
      const ref = f64[at]!;
      if (ref >= 0) continue;
      const settled = refs[-ref - 1]!;
      if (Number.isNaN(settled)) this.#bury(slot, u32);
      else f64[at] = settled;
    }
  }

  abort(): void {
    const { f64, u32 } = this.#scratch.slab.memory;
    if (this.#hasExemplars) {
      this.#hasExemplars = false;
      for (let slot = 0; slot < this.#count; slot++) u32[this.#address / 4 + slot * SLOT_WORDS + EXEMPLAR] = 0;
    }
    if (!this.#hasFresh) return;
    this.#hasFresh = false;
    for (let slot = 0; slot < this.#count; slot++) {
      if (f64[this.#address / 8 + slot * SLOT_DOUBLES + REF]! < 0) this.#bury(slot, u32);
    }
  }

  missing(): number {
    return this.#gone.length;
  }

  markMissing(rows: Rows, timestamp: number): void {
    if (this.#gone.length === 0) return;
    // One series may be written in several ways: it is missing only if none of them is there.
    const gone = new Set(this.#gone);
    for (const ref of this.#live()) gone.delete(ref);
    for (const ref of gone) rows.pushStale(ref, timestamp);
    this.#gone = NONE;
  }

  markAll(rows: Rows, timestamp: number): void {
    const { u32 } = this.#scratch.slab.memory;
    for (const ref of new Set([...this.#gone, ...this.#live()])) rows.pushStale(ref, timestamp);
    this.#gone = NONE;
    const words = u32.buffer.byteLength === 0 ? this.#scratch.slab.memory.u32 : u32;
    for (let slot = 0; slot < this.#count; slot++) {
      words[this.#address / 4 + slot * SLOT_WORDS + FLAGS]! &= ~LIVE;
    }
  }

  forget(refs: ReadonlySet<SeriesRef>): void {
    const { f64, u32 } = this.#scratch.slab.memory;
    for (let slot = 0; slot < this.#count; slot++) {
      const isSeries = (u32[this.#address / 4 + slot * SLOT_WORDS + FLAGS]! & (COMMENT | DROPPED)) === 0;
      if (isSeries && refs.has(f64[this.#address / 8 + slot * SLOT_DOUBLES + REF]!)) this.#bury(slot, u32);
    }
    this.#gone = this.#gone.filter((ref) => !refs.has(ref));
  }

  liveRefs(): Set<SeriesRef> {
    return new Set([...this.#gone, ...this.#live()]);
  }

  /** Gives the memory back; the table is empty afterwards. */
  clear(): void {
    if (this.#capacity > 0) this.#scratch.slab.release(this.#address, this.#capacity * SLOT_BYTES);
    this.#address = 0;
    this.#capacity = 0;
    this.#count = 0;
    this.#gone = NONE;
  }

  *#live(): Iterable<SeriesRef> {
    const { f64, u32 } = this.#scratch.slab.memory;
    for (let slot = 0; slot < this.#count; slot++) {
      if ((u32[this.#address / 4 + slot * SLOT_WORDS + FLAGS]! & LIVE) !== 0) {
        yield f64[this.#address / 8 + slot * SLOT_DOUBLES + REF]!;
      }
    }
  }

  /** The slot matches nothing any more; the next arrangement drops it. */
  #bury(slot: number, u32: Uint32Array): void {
    const at = this.#address / 4 + slot * SLOT_WORDS;
    u32.fill(0, at, at + SLOT_WORDS);
    u32[at + LENGTH] = 0xffffffff;
  }

  #add(from: number, length: number, ref: number, flags: number, mask: number): number {
    const { kernel, index } = this.#scratch;
    const slot = this.#count++;
    kernel.put(this.#address, slot, from, length, ref, 0, flags);
    kernel.enter(this.#address, slot, this.#count, index.address, mask);
    return slot;
  }

  /** Notes that the slot is on the page; false when it was before. */
  #visit(slot: number, isNew: boolean): boolean {
    const { slab, state, visits } = this.#scratch;
    const words = slab.memory.u32;
    const seen = this.#address / 4 + slot * SLOT_WORDS + SEEN;
    if (!isNew && words[seen] === this.#iteration) return false;
    words[seen] = this.#iteration;
    words[visits.address / 4 + words[state + VISITED]!] = slot;
    words[state + VISITED]!++;
    return true;
  }

  #sample(
    slot: number,
    isNew: boolean,
    reader: TextReader,
    rows: Rows,
    options: ReadOptions,
    counts: ReadCounts,
  ): void {
    const isFirst = this.#visit(slot, isNew);
    const words = this.#scratch.slab.memory.u32;
    const flagsAt = this.#address / 4 + slot * SLOT_WORDS + FLAGS;
    if ((words[flagsAt]! & DROPPED) !== 0) return;
    counts.added++;
    const isOwn = options.honorTimestamps && !Number.isNaN(reader.timestamp);
    const timestamp = isOwn ? reader.timestamp : options.timestamp;
    if (!isFirst && !isOwn) {
      counts.duplicates++;
      return;
    }
    const isLive = !isOwn || options.trackTimestampsStaleness;
    words[flagsAt] = isLive ? words[flagsAt]! | LIVE : words[flagsAt]! & ~LIVE;
    if (timestamp > options.maxTimestamp) {
      counts.outOfBounds++;
      return;
    }
    const ref = this.#scratch.slab.memory.f64[this.#address / 8 + slot * SLOT_DOUBLES + REF]!;
    rows.push(ref, timestamp, reader.value);
    const exemplars = reader.exemplars();
    if (exemplars.length === 0) return;
    for (const { labels, value, timestamp: own } of exemplars) {
      rows.exemplars.push({ ref, exemplar: { labels, value, timestamp: Number.isNaN(own) ? timestamp : own } });
    }
    const { kernel, page } = this.#scratch;
    this.#hasExemplars = true;
    kernel.keepExemplar(this.#address, slot, page.address + reader.seriesEnd, page.address + reader.at);
  }

  #grow(): void {
    const { slab } = this.#scratch;
    const capacity = Slab.roundedSize(Math.max(16, this.#capacity * 2) * SLOT_BYTES) / SLOT_BYTES;
    const address = slab.allocate(capacity * SLOT_BYTES);
    if (this.#capacity > 0) {
      slab.memory.u8.copyWithin(address, this.#address, this.#address + this.#count * SLOT_BYTES);
      slab.release(this.#address, this.#capacity * SLOT_BYTES);
    }
    this.#address = address;
    this.#capacity = capacity;
  }

  #buildIndex(): number {
    const { kernel, slab, index } = this.#scratch;
    let places = 64;
    while (places < (this.#count + 16) * 4) places *= 2;
    index.grow(places * 4);
    slab.memory.u32.fill(0, index.address / 4, index.address / 4 + places);
    kernel.enter(this.#address, 0, this.#count, index.address, places - 1);
    return places - 1;
  }

  /** Puts the slots into the order of the page and drops those that are not on it. True when a comment went. */
  #arrange(before: number): boolean {
    const { kernel, slab, state, visits, index } = this.#scratch;
    const visited = slab.memory.u32[state + VISITED]!;
    this.#gone = NONE;
    if (visited === this.#count && before === this.#count && kernel.isOrdered(visits.address, visited) !== 0)
      return false;
    index.grow(this.#count * 8);
    const gone = kernel.unseen(this.#address, this.#count, this.#iteration, index.address);
    this.#gone = slab.memory.f64.slice(index.address / 8, index.address / 8 + gone);
    let commentWent = false;
    const words = slab.memory.u32;
    for (let slot = 0; slot < this.#count && !commentWent; slot++) {
      const at = this.#address / 4 + slot * SLOT_WORDS;
      commentWent = (words[at + FLAGS]! & COMMENT) !== 0 && words[at + SEEN] !== this.#iteration;
    }
    const bytes = Math.max(1, visited) * SLOT_BYTES;
    const capacity = Math.floor(Slab.roundedSize(bytes) / SLOT_BYTES);
    const address = slab.allocate(capacity * SLOT_BYTES);
    kernel.arrange(this.#address, address, visits.address, visited);
    if (this.#capacity > 0) slab.release(this.#address, this.#capacity * SLOT_BYTES);
    this.#address = address;
    this.#capacity = capacity;
    this.#count = visited;
    return commentWent;
  }
}

/** All comments of a page; needed only when one of them changed. */
function readFamilies(page: Uint8Array, format: 'text' | 'openmetrics'): FamilyNotes {
  const notes = new FamilyNotes();
  const reader = new TextReader(format);
  let at = 0;
  while (at >= 0 && at < page.length) {
    if (page[at] === 35) {
      reader.reset(page, page.length, at);
      const kind = reader.next();
      if (kind === 'type') notes.type(reader.familyName, reader.familyType);
      else if (kind === 'help') notes.help(reader.familyName, reader.familyText);
      else if (kind === 'unit') notes.unit(reader.familyName, reader.familyText);
    }
    const newline = page.indexOf(10, at);
    at = newline < 0 ? -1 : newline + 1;
  }
  return notes;
}
