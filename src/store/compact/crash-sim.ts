// One seeded life of a folder of blocks on the simulated disk: heads become blocks, blocks are merged, deleted from, cleaned,
// retained, a Prometheus log is taken over; and at some call the machine goes down. After each start the folder must be in
// order by itself, and every sample there that was there before, once.

import assert from 'node:assert/strict';
import { SimClock } from '#base/clock-sim.ts';
import type { Disk } from '#base/disk/disk.ts';
import { SimDisk } from '#base/disk/sim.ts';
import { silentLogger } from '#base/log.ts';
import { type Random, seeded } from '#base/random.ts';
import { compareLabels, formatLabels, type Labels, labelsOf } from '#model/labels.ts';
import type { TimeRange } from '#model/query.ts';
import { Block } from '../block/block.ts';
import { PageCache } from '../block/files.ts';
import { writePart } from '../block/part.ts';
import { blockNames } from '../block/set.ts';
import type { SeriesChunkSource } from '../chunks.ts';
import { decodeChunk, encodeChunks } from '../codec/chunk.ts';
import { SampleColumns } from '../codec/samples.ts';
import { blockWork } from './work.ts';

const HOUR = 3_600_000;
const FOLDER = '/data';
const STEP_MS = 600_000;

type Contents = Map<string, Map<number, number>>;

class Life {
  readonly #random: Random;
  readonly #disk: SimDisk;
  readonly #sets: readonly Labels[];
  /** What blocks must hold. */
  #stored: Contents = new Map();
  /** What a call that was under way when the machine went down may have done or not. */
  #maybe: { stored: Contents } | undefined;
  #nextRange = 0;
  samples = 0;

  constructor(seed: number) {
    this.#random = seeded(seed);
    this.#disk = new SimDisk(this.#random);
    this.#sets = Array.from({ length: 2 + this.#random.below(6) }, (_, i) =>
      labelsOf({ __name__: `m${i % 3}`, id: String(i) }),
    ).sort(compareLabels);
  }

  /** Works until the machine goes down. */
  live(): void {
    const disk = this.#disk.view();
    const clock = new SimClock(1_700_000_000_000 + this.#random.below(1e9));
    const work = blockWork({ disk, folder: FOLDER, random: this.#random, clock, logger: silentLogger });
    this.#disk.crashAt(this.#disk.calls + 1 + this.#random.below(this.#random.below(3) === 0 ? 400 : 60));
    try {
      work.prepare(undefined);
      this.#checkServed(disk);
      for (let turn = 0; turn < 60; turn++) this.#turn(disk, work);
    } catch (error) {
      if (!this.#disk.crashed) throw error;
    }
  }

  #turn(disk: Disk, work: ReturnType<typeof blockWork>): void {
    const what = this.#random.below(10);
    if (what < 4) this.#cutHead(disk, work);
    else if (what < 7) {
      const done = work.next({ retentionMs: 0 });
      if (done) work.remove(done.obsolete);
    } else if (what === 7) this.#delete(work);
    else if (what === 8) {
      const done = work.cleanTombstones(undefined);
      if (done) work.remove(done.obsolete);
    } else this.#checkServed(disk);
  }

  #cutHead(disk: Disk, work: ReturnType<typeof blockWork>): void {
    // Sometimes once more for an old stretch: that is what late samples look like.
    const isLate = this.#nextRange > 0 && this.#random.below(4) === 0;
    const min = isLate ? this.#random.below(this.#nextRange) * 2 * HOUR : this.#nextRange * 2 * HOUR;
    const range = { min, max: min + 2 * HOUR - 1 };
    const added = this.#randomContents(range);
    const sources = [0, 1].map((shard) =>
      sourceOf(
        added,
        this.#sets.filter((_, i) => i % 2 === shard),
        range,
      ),
    );
    disk.makeFolder(`${FOLDER}/parts`);
    const parts = sources.map((source, i) => {
      const path = `${FOLDER}/parts/${i}`;
      const steps = writePart(disk, path, source, range);
      while (!steps.next().done);
      return path;
    });
    const after = union(this.#stored, added);
    this.#maybe = { stored: after };
    work.writeHead({ parts, minTime: min, maxTime: range.max + 1, outOfOrder: isLate });
    this.#stored = after;
    this.#maybe = undefined;
    if (!isLate) this.#nextRange++;
  }

  #randomContents(range: TimeRange): Contents {
    const contents: Contents = new Map();
    for (const labels of this.#sets) {
      if (this.#random.below(4) === 0) continue;
      const rows = new Map<number, number>();
      for (let time = range.min; time <= range.max; time += STEP_MS) {
        // A value that depends on nothing but place and time: which of two equal samples is kept cannot be seen.
        if (this.#random.below(3) > 0) rows.set(time, (time / 1000) * (1 + this.#sets.indexOf(labels)));
      }
      if (rows.size > 0) contents.set(formatLabels(labels), rows);
      this.samples += rows.size;
    }
    return contents;
  }

  #delete(work: ReturnType<typeof blockWork>): void {
    const labels = this.#sets[this.#random.below(this.#sets.length)]!;
    const start = this.#random.below((this.#nextRange + 1) * 2 * HOUR);
    const range = { min: start, max: start + this.#random.below(4 * HOUR) };
    const matchers = [labels[0]!, labels[2]!].map((name, i) => ({
      type: '=' as const,
      name,
      value: labels[i * 2 + 1]!,
    }));
    const after: Contents = new Map(this.#stored);
    const key = formatLabels(labels);
    const kept = [...(after.get(key) ?? [])].filter(([time]) => time < range.min || time > range.max);
    if (kept.length > 0) after.set(key, new Map(kept));
    else after.delete(key);
    this.#maybe = { stored: after };
    work.delete({ matchers: [matchers], range });
    this.#stored = after;
    this.#maybe = undefined;
  }

  #checkServed(disk: Disk): void {
    assert.equal(textOf(read(disk)), textOf(this.#stored));
  }

  /** The power comes back; what was under way has happened, or not, or for a deletion in some blocks. */
  restart(): void {
    this.#disk.restart(true);
    const disk = this.#disk.view();
    const clock = new SimClock(1_800_000_000_000);
    blockWork({ disk, folder: FOLDER, random: this.#random, clock, logger: silentLogger }).prepare(undefined);
    const leftovers = disk.list(FOLDER).filter(({ name }) => name.includes('tmp') || name === 'parts');
    assert.deepEqual(leftovers, [], 'nothing half-done is left');
    const found = read(disk);
    const maybe = this.#maybe?.stored ?? this.#stored;
    for (const [key, rows] of union(this.#stored, maybe)) {
      for (const [time, value] of rows) {
        const must = this.#stored.get(key)?.has(time) && maybe.get(key)?.has(time);
        const got = found.get(key)?.get(time);
        assert.ok(got === value || (got === undefined && !must), `${key} at ${time}: ${got}, not ${value}`);
      }
    }
    for (const [key, rows] of found) {
      for (const time of rows.keys()) {
        const may = this.#stored.get(key)?.has(time) || maybe.get(key)?.has(time);
        assert.ok(may, `${key} at ${time} has come from nowhere`);
      }
    }
    this.#stored = found;
    this.#maybe = undefined;
    // A stretch that may be there or not is a late one from now on.
    if (found.size > 0) {
      const last = Math.max(...[...found.values()].flatMap((rows) => [...rows.keys()]));
      this.#nextRange = Math.max(this.#nextRange, Math.floor(last / (2 * HOUR)) + 1);
    }
  }
}

function union(a: Contents, b: Contents): Contents {
  const all: Contents = new Map([...a].map(([key, rows]) => [key, new Map(rows)]));
  for (const [key, rows] of b) all.set(key, new Map([...(all.get(key) ?? []), ...rows]));
  return all;
}

const textOf = (contents: Contents): string =>
  [...contents]
    .map(([key, rows]) => `${key} ${[...rows].sort(([a], [b]) => a - b).join(' ')}`)
    .sort()
    .join('\n');

function sourceOf(contents: Contents, sets: readonly Labels[], range: TimeRange): SeriesChunkSource {
  const series = sets.flatMap((labels) => {
    const rows = contents.get(formatLabels(labels));
    if (!rows) return [];
    const samples = new SampleColumns();
    for (const [time, value] of rows) samples.push(time, value);
    return [{ labels, chunks: encodeChunks(samples), deleted: [] }];
  });
  return { range, series: () => series };
}

/** What readers are served, each sample once. */
function read(disk: Disk): Contents {
  const names = blockNames(disk, FOLDER);
  const blocks = names.map((name) => new Block(disk, `${FOLDER}/${name}`, new PageCache()));
  const parents = new Set(blocks.flatMap(({ meta }) => meta.compaction.parents ?? []).map(({ ulid }) => ulid));
  const contents: Contents = new Map();
  for (const block of blocks) {
    if (parents.has(block.meta.ulid) || block.meta.compaction.deletable) continue;
    for (const { labels, chunks, deleted } of block.series({ min: -Infinity, max: Infinity })) {
      const rows = contents.get(formatLabels(labels)) ?? new Map<number, number>();
      for (const { encoding, bytes } of chunks) {
        const samples = new SampleColumns();
        decodeChunk(encoding, bytes, samples);
        for (let i = 0; i < samples.length; i++) {
          const time = samples.timestamps[i]!;
          if (!deleted.some(({ min, max }) => time >= min && time <= max)) rows.set(time, samples.values[i]!);
        }
      }
      if (rows.size > 0) contents.set(formatLabels(labels), rows);
    }
    block.close();
  }
  return contents;
}

/** A life with so many crashes. */
export function runBlockCrashes(seed: number, crashes: number): { readonly samples: number } {
  const life = new Life(seed);
  try {
    for (let i = 0; i < crashes; i++) {
      life.live();
      life.restart();
    }
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  }
  return { samples: life.samples };
}
