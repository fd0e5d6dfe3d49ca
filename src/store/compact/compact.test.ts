import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import { type Random, seeded } from '#base/random.ts';
import { compareLabels, formatLabels, type Labels, labelsOf } from '#model/labels.ts';
import type { TimeRange } from '#model/query.ts';
import { peer } from '../../../test/peers.ts';
import { Block } from '../block/block.ts';
import { PageCache } from '../block/files.ts';
import { Part, writePart } from '../block/part.ts';
import { addRange } from '../block/tombstones.ts';
import { newUlid } from '../block/ulid.ts';
import { writeBlock } from '../block/writer.ts';
import type { ChunkedSeries, SeriesChunkSource } from '../chunks.ts';
import { decodeChunk, encodeChunks } from '../codec/chunk.ts';
import { SampleColumns } from '../codec/samples.ts';
import { deleteFromBlock } from '../delete.ts';
import { planRetention } from '../retention.ts';
import { cleanFolder, compact, removeBlocks } from './compact.ts';
import { blockRanges, planCompaction, planHead, planRewrite } from './plan.ts';
import { joinChunks } from './series.ts';

const HOUR = 3_600_000;
const seed = Number(process.env['SEED'] ?? 99);
console.log(`seed ${seed}`);
const ALL: TimeRange = { min: -Infinity, max: Infinity };

function temporaryFolder(t: { after(f: () => void): void }): string {
  const folder = mkdtempSync(`${tmpdir()}/pharos-compact-`);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What a source holds, as text by series. */
function content(source: SeriesChunkSource, range = ALL): Map<string, Map<number, number>> {
  const found = new Map<string, Map<number, number>>();
  for (const { labels, chunks, deleted } of source.series(range)) {
    const rows = new Map<number, number>();
    for (const chunk of chunks) {
      const samples = new SampleColumns();
      decodeChunk(chunk.encoding, chunk.bytes, samples);
      for (let i = 0; i < samples.length; i++) {
        const time = samples.timestamps[i]!;
        if (deleted.some(({ min, max }) => time >= min && time <= max) || time < range.min || time > range.max)
          continue;
        if (!rows.has(time)) rows.set(time, samples.values[i]!);
      }
    }
    if (rows.size > 0) found.set(formatLabels(labels), rows);
  }
  return found;
}

const asText = (found: Map<string, Map<number, number>>) =>
  [...found]
    .map(([key, rows]) => `${key} ${[...rows].sort(([a], [b]) => a - b).map((row) => row.join('='))}`)
    .sort()
    .join('\n');

function union(maps: readonly Map<string, Map<number, number>>[]): Map<string, Map<number, number>> {
  const all = new Map<string, Map<number, number>>();
  for (const map of maps) {
    for (const [key, rows] of map) {
      const into = all.get(key) ?? new Map<number, number>();
      all.set(key, into);
      for (const [time, value] of rows) if (!into.has(time)) into.set(time, value);
    }
  }
  return all;
}

/** A source in memory: what a head offers. */
function randomSource(random: Random, min: number, count: number, wild = false): SeriesChunkSource {
  const labelSets = new Map<string, Labels>();
  for (let i = 0; i < count; i++) {
    const labels = labelsOf({ __name__: `m${random.below(5)}`, id: String(random.below(count)) });
    labelSets.set(formatLabels(labels), labels);
  }
  const all: ChunkedSeries[] = [...labelSets.values()].sort(compareLabels).map((labels) => {
    const parts = wild ? 1 + random.below(3) : 1;
    const chunks = Array.from({ length: parts }, () => {
      const samples = new SampleColumns();
      const offset = wild ? random.below(HOUR) : random.below(15_000);
      const length = 1 + random.below(400);
      for (let k = 0; k < length; k++) samples.push(min + offset + k * 15_000, random.below(1e6));
      return encodeChunks(samples);
    }).flat();
    chunks.sort((a, b) => a.minTime - b.minTime);
    const start = min + random.below(HOUR);
    return { labels, chunks, deleted: random.below(4) === 0 ? [{ min: start, max: start + random.below(HOUR) }] : [] };
  });
  return { range: { min, max: min + 2 * HOUR - 1 }, series: () => all };
}

function meta(random: Random, minTime: number, maxTime: number) {
  const ulid = newUlid(Math.max(0, minTime), random);
  return { ulid, minTime, maxTime, stats: {}, compaction: { level: 1, sources: [ulid] }, version: 1 as const };
}

const openBlock = (folder: string, ulid: string) => new Block(nodeDisk, `${folder}/${ulid}`, new PageCache());

test('parts of shards become one block with every sample of its range', (t) => {
  const folder = temporaryFolder(t);
  const random = seeded(seed);
  const sources = [0, 1, 2].map((i) => randomSource(random, i, 250, true));
  const range = { min: 60_000, max: 2 * HOUR - 1 };
  nodeDisk.makeFolder(`${folder}/parts`);
  const parts = sources.map((source, i) => {
    const path = `${folder}/parts/${i}`;
    const steps = writePart(nodeDisk, path, source, range);
    let done = steps.next();
    let count = 0;
    while (!done.done) {
      count++;
      done = steps.next();
    }
    assert.ok(count > 0, 'writes in steps');
    assert.equal(asText(content(new Part(nodeDisk, path), range)), asText(content(source, range)));
    return path;
  });
  const plan = planHead(folder, newUlid(1, random), parts, { minTime: range.min, maxTime: range.max + 1 });
  const { block, obsolete } = compact(plan, nodeDisk);
  assert.deepEqual(obsolete, []);
  const written = openBlock(folder, block!.ulid);
  t.after(() => written.close());
  assert.equal(asText(content(written)), asText(union(sources.map((source) => content(source, range)))));
  let before: number | undefined;
  for (const { chunks } of written.series(ALL)) {
    before = undefined;
    for (const chunk of chunks) {
      assert.ok(before === undefined || chunk.minTime > before, 'chunks do not overlap');
      before = chunk.maxTime;
      assert.ok(chunk.minTime >= range.min && chunk.maxTime <= range.max);
    }
  }
  assert.ok(!nodeDisk.exists(parts[0]!), 'parts are removed');
});

test('compaction runs until nothing is left to do and keeps every sample', (t) => {
  const folder = temporaryFolder(t);
  const random = seeded(seed + 1);
  const expected: Map<string, Map<number, number>>[] = [];
  for (let i = 0; i < 12; i++) {
    const overlapping = i === 4 || i === 9;
    const source = randomSource(random, i * 2 * HOUR - (overlapping ? HOUR : 0), 60);
    const info = meta(random, i * 2 * HOUR - (overlapping ? HOUR : 0), (i + 1) * 2 * HOUR);
    writeBlock(nodeDisk, folder, info, [...source.series(ALL)]);
    const block = openBlock(folder, info.ulid);
    expected.push(content(block));
    block.close();
  }
  const names = () => nodeDisk.list(folder).map(({ name }) => name);
  const rounds: string[] = [];
  for (;;) {
    const metas = names().map((name) => openBlock(folder, name).meta);
    const plan = planCompaction(folder, metas, blockRanges(0), newUlid(1e12 + rounds.length, random));
    if (!plan) break;
    rounds.push(`${plan.reason} ${plan.blocks.length}`);
    removeBlocks(nodeDisk, folder, compact(plan, nodeDisk).obsolete);
  }
  const blocks = names()
    .map((name) => openBlock(folder, name))
    .sort((a, b) => a.meta.minTime - b.meta.minTime);
  t.after(() => {
    for (const block of blocks) block.close();
  });
  assert.equal(asText(union(blocks.map((block) => content(block)))), asText(union(expected)));
  assert.ok(rounds.includes('overlap 2'), rounds.join());
  assert.ok(
    rounds.some((round) => round.startsWith('level')),
    rounds.join(),
  );
  assert.ok(blocks.length < 5, `${blocks.length} blocks after ${rounds.join()}`);
});

test('chunks that follow each other closely become longer ones, bit for bit the same samples', () => {
  assert.deepEqual(joinedSamples(0), [480, 480, 120, 480, 440]);
  assert.deepEqual(joinedSamples(50), [480, 480, 120, 480, 440]);
});

/** Joins chunks of 2000 samples, checks the samples, and says how many each chunk has. */
function joinedSamples(markerEvery: number): number[] {
  const samples = new SampleColumns();
  const random = seeded(seed + 9);
  for (let i = 0; i < 2000; i++) {
    // A gap of half a day in the middle.
    const time = i * 15_000 + (i >= 1080 ? 12 * HOUR : 0);
    if (markerEvery > 0 && random.below(markerEvery) === 0) samples.pushBits(time, 0x7ff00000, 2);
    else samples.push(time, 5000 + random.below(1000));
  }
  const chunks = encodeChunks(samples);
  const joined = joinChunks(chunks);
  const decoded = new SampleColumns();
  for (const { encoding, bytes, minTime, maxTime } of joined) {
    const from = decoded.length;
    decodeChunk(encoding, bytes, decoded);
    assert.equal(decoded.timestamps[from], minTime);
    assert.equal(decoded.timestamps[decoded.length - 1], maxTime);
  }
  const words = (columns: SampleColumns) => new BigUint64Array(columns.values.buffer, 0, columns.length);
  assert.deepEqual(decoded.timestamps.subarray(0, 2000), samples.timestamps.subarray(0, 2000));
  assert.deepEqual(words(decoded), words(samples));
  const bytes = (list: readonly { bytes: Uint8Array }[]) => list.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
  assert.ok(bytes(joined) <= bytes(chunks));
  return joined.map((chunk) => chunk.samples);
}

test('tombstones are gone after a rewrite, and a block with nothing left goes away', (t) => {
  const folder = temporaryFolder(t);
  const random = seeded(seed + 2);
  const info = meta(random, 0, 2 * HOUR);
  writeBlock(nodeDisk, folder, info, [...randomSource(random, 0, 50).series(ALL)]);
  const block = openBlock(folder, info.ulid);
  const m1 = [{ type: '=', name: '__name__', value: 'm1' } as const];
  const m2 = [{ type: '=~', name: '__name__', value: 'm[2]' } as const];
  assert.ok(deleteFromBlock(block, [m1, m2], { min: HOUR / 2, max: HOUR }) > 0);
  const want = content(block);
  for (const [key, rows] of want) {
    const isGone = /^m[12]/.test(key);
    assert.ok(!isGone || ![...rows.keys()].some((time) => time >= HOUR / 2 && time <= HOUR), key);
  }
  const rewritten = compact(planRewrite(folder, newUlid(5, random), block.meta, 'tombstones'), nodeDisk);
  const clean = openBlock(folder, rewritten.block!.ulid);
  assert.equal(clean.tombstones.size, 0);
  assert.equal(asText(content(clean)), asText(want));
  block.close();
  // A crash before the parent is removed: the start removes it.
  assert.deepEqual(cleanFolder(nodeDisk, folder), [info.ulid]);
  const everything = [{ type: '=~', name: '__name__', value: '.+' } as const];
  assert.equal(deleteFromBlock(clean, [everything], ALL), clean.index.seriesCount);
  assert.equal(content(clean).size, 0);
  clean.close();
  const emptied = compact(planRewrite(folder, newUlid(6, random), clean.meta, 'tombstones'), nodeDisk);
  assert.equal(emptied.block, undefined);
  assert.deepEqual(cleanFolder(nodeDisk, folder), [clean.meta.ulid]);
  assert.deepEqual(nodeDisk.list(folder), []);
});

test('retention drops by time, size and share of the disk, and rewrites for selectors', (t) => {
  const folder = temporaryFolder(t);
  const random = seeded(seed + 3);
  const blocks = [0, 1, 2, 3].map((i) => {
    const info = meta(random, i * 2 * HOUR, (i + 1) * 2 * HOUR);
    writeBlock(nodeDisk, folder, info, [...randomSource(random, i * 2 * HOUR, 40).series(ALL)]);
    return openBlock(folder, info.ulid);
  });
  t.after(() => {
    for (const block of blocks) block.close();
  });
  const none = { timeMs: 0, sizeBytes: 0, percentage: 0, selectors: [] };
  const space = { totalBytes: 1e9, otherBytes: 1000 };
  const dropped = (settings: Partial<typeof none>) =>
    planRetention(blocks, { ...none, ...settings }, space)
      .drop.map(({ block, reason }) => `${reason} ${blocks.findIndex(({ meta }) => meta.ulid === block)}`)
      .join(', ');
  assert.equal(dropped({}), '');
  assert.equal(dropped({ timeMs: 4 * HOUR }), 'time 1, time 0');
  assert.equal(dropped({ timeMs: 1 }), 'time 2, time 1, time 0');
  const two = blocks[3]!.sizeBytes + blocks[2]!.sizeBytes + 1000;
  assert.equal(dropped({ sizeBytes: two }), 'size 1, size 0');
  assert.equal(dropped({ sizeBytes: two - 1 }), 'size 2, size 1, size 0');
  assert.equal(dropped({ percentage: (two / 1e9) * 100 + 1e-9, sizeBytes: 1 }), 'size 1, size 0');

  const short = { matchers: [{ type: '=', name: '__name__', value: 'm3' } as const], timeMs: 4 * HOUR };
  const plan = planRetention(blocks, { ...none, selectors: [short] }, space);
  assert.deepEqual(plan.drop, []);
  assert.deepEqual(
    plan.rewrite.map(({ block }) => block),
    [blocks[1]!.meta.ulid, blocks[0]!.meta.ulid],
  );
  const [{ block: name, rules } = { block: '', rules: [] }] = plan.rewrite;
  const old = blocks.find(({ meta }) => meta.ulid === name)!;
  const want = new Map([...content(old)].filter(([key]) => !key.startsWith('m3')));
  const { block } = compact(planRewrite(folder, newUlid(9, random), old.meta, 'retention', rules), nodeDisk);
  const rewritten = openBlock(folder, block!.ulid);
  blocks.splice(blocks.indexOf(old), 1, rewritten);
  old.close();
  assert.equal(asText(content(rewritten)), asText(want));
  const again = planRetention(blocks, { ...none, selectors: [short] }, space);
  assert.deepEqual(
    again.rewrite.map(({ block }) => block),
    [blocks[0]!.meta.ulid],
    'what is done is not done again',
  );
  // A selector that keeps its series for longer than the rest.
  const long = { matchers: short.matchers, timeMs: 0 };
  const longer = planRetention(blocks.slice(2), { ...none, timeMs: 1, selectors: [long] }, space);
  assert.deepEqual(longer.drop, []);
  assert.equal(longer.rewrite.length, 1);
});

test('a compaction that is told to stop leaves nothing behind', (t) => {
  const folder = temporaryFolder(t);
  const random = seeded(seed + 4);
  const infos = [0, 1].map((i) => meta(random, i * 2 * HOUR, (i + 1) * 2 * HOUR));
  for (const info of infos) writeBlock(nodeDisk, folder, info, [...randomSource(random, info.minTime, 20).series(ALL)]);
  const plan = { ...planRewrite(folder, newUlid(3, random), infos[0]!, 'tombstones') };
  assert.throws(() => compact(plan, nodeDisk, AbortSignal.abort()), { name: 'AbortError' });
  assert.equal(nodeDisk.list(folder).length, 2);
  assert.ok(!openBlock(folder, infos[0]!.ulid).meta.compaction.failed);
});

test('a damaged block is marked and left out of later plans', (t) => {
  const folder = temporaryFolder(t);
  const random = seeded(seed + 5);
  const infos = [0, 1, 2, 3].map((i) => meta(random, i * 2 * HOUR, (i + 1) * 2 * HOUR));
  for (const info of infos) writeBlock(nodeDisk, folder, info, [...randomSource(random, info.minTime, 20).series(ALL)]);
  const path = `${folder}/${infos[1]!.ulid}/chunks/000001`;
  const file = nodeDisk.open(path, 'readwrite');
  file.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 50);
  file.close();
  const metas = () => infos.map(({ ulid }) => openBlock(folder, ulid).meta);
  const plan = planCompaction(folder, metas(), blockRanges(0), newUlid(3, random))!;
  assert.throws(() => compact(plan, nodeDisk), { code: 'corrupt' });
  assert.equal(planCompaction(folder, metas(), blockRanges(0), newUlid(4, random)), undefined);
});

test('merged ranges of deletion', () => {
  const text = (ranges: readonly TimeRange[]) => ranges.map(({ min, max }) => `${min}-${max}`).join(' ');
  let ranges: TimeRange[] = [];
  for (const [min, max, want] of [
    [10, 20, '10-20'],
    [30, 40, '10-20 30-40'],
    [21, 21, '10-21 30-40'],
    [0, 5, '0-5 10-21 30-40'],
    [6, 35, '0-40'],
    [50, 60, '0-40 50-60'],
    [-5, 100, '-5-100'],
  ] as const) {
    ranges = addRange(ranges, { min, max });
    assert.equal(text(ranges), want);
  }
});

const promtool = peer('promtool', 'prometheus');

test("compacted blocks take no more bytes than Prometheus'", { skip: promtool.skip }, (t) => {
  const folder = temporaryFolder(t);
  const random = seeded(seed + 6);
  const start = 1_700_006_400_000;
  const lines: string[] = ['# TYPE load gauge'];
  for (let s = 0; s < 200; s++) {
    let value = 0;
    for (let k = 0; k < 480; k++) {
      value += random.below(50);
      lines.push(`load{instance="host-${s % 20}:9100",cpu="${s}"} ${value} ${(start + k * 15_000) / 1000}`);
    }
  }
  lines.push('# EOF', '');
  const input = `${folder}/in.om`;
  const file = nodeDisk.open(input, 'create');
  file.write(new TextEncoder().encode(lines.join('\n')));
  file.close();
  const theirs = `${folder}/theirs`;
  const made = spawnSync(promtool.path, ['tsdb', 'create-blocks-from', 'openmetrics', input, theirs]);
  assert.equal(made.status, 0, String(made.stderr));
  const names = nodeDisk.list(theirs).filter(({ isFolder, name }) => isFolder && name.length === 26);
  assert.equal(names.length, 1);
  const block = openBlock(theirs, names[0]!.name);
  const ours = `${folder}/ours`;
  nodeDisk.makeFolder(ours);
  const info = meta(random, block.meta.minTime, block.meta.maxTime);
  writeBlock(nodeDisk, ours, info, [...block.series(ALL)]);
  const copy = openBlock(ours, info.ulid);
  t.after(() => copy.close());
  assert.equal(asText(content(copy)), asText(content(block)));
  assert.equal(copy.meta.stats.numSamples, block.meta.stats.numSamples);
  assert.ok(copy.sizeBytes <= block.sizeBytes, `${copy.sizeBytes} bytes, theirs ${block.sizeBytes}`);
  block.close();
});
