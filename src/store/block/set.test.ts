import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import { KernelMemory } from '#base/kernel.ts';
import { silentLogger } from '#base/log.ts';
import { type Random, seeded } from '#base/random.ts';
import { compareLabels, formatLabels, hashLabels, type Labels, labelsOf, labelValue } from '#model/labels.ts';
import { compileMatchers, type Matcher, type MatchType } from '#model/matcher.ts';
import type { TimeRange } from '#model/query.ts';
import { decodeChunk, encodeChunks } from '../codec/chunk.ts';
import { SampleColumns } from '../codec/samples.ts';
import { BlockSet } from './set.ts';
import { addRange } from './tombstones.ts';
import { newUlid } from './ulid.ts';
import { writeBlock } from './writer.ts';

const seed = Number(process.env['SEED'] ?? 4711);
console.log(`seed ${seed}`);

type Sample = { readonly time: number; readonly value: number };
type Expected = { readonly labels: Labels; samples: Sample[] };

function randomLabels(random: Random): Labels {
  return labelsOf({
    __name__: `metric_${random.below(4)}`,
    instance: `host-${random.below(12)}`,
    code: random.below(3) === 0 ? '' : String(200 + random.below(60)),
    job: random.below(2) === 0 ? '' : `job${random.below(3)}`,
    id: String(random.below(40)),
  });
}

/** Blocks of an hour each, some of them overlapping, in a folder; and what must come out of them. */
function build(folder: string, random: Random, blocks: number): Map<string, Expected> {
  const expected = new Map<string, Expected>();
  for (let b = 0; b < blocks; b++) {
    const min = b * 3_600_000 - random.below(2) * 1_000_000;
    const labelSets = new Map<string, Labels>();
    for (let i = 0; i < 150; i++) {
      const labels = randomLabels(random);
      labelSets.set(formatLabels(labels), labels);
    }
    const series = [...labelSets.values()].sort(compareLabels).map((labels) => {
      const samples = new SampleColumns();
      const length = 5 + random.below(230);
      for (let k = 0; k < length; k++) samples.push(min + k * 15_000 + b, random.below(1000));
      const key = formatLabels(labels);
      let entry = expected.get(key);
      if (!entry) {
        entry = { labels, samples: [] };
        expected.set(key, entry);
      }
      for (let k = 0; k < samples.length; k++) {
        entry.samples.push({ time: samples.timestamps[k]!, value: samples.values[k]! });
      }
      return { labels, chunks: encodeChunks(samples) };
    });
    const meta = { ulid: newUlid(b, random), minTime: min, maxTime: min + 3_600_001, stats: {} };
    writeBlock(nodeDisk, folder, { ...meta, compaction: { level: 1 }, version: 1 }, series);
  }
  return expected;
}

function open(folder: string, shard = 0, shards = 1) {
  const memory = new KernelMemory();
  const set = new BlockSet(nodeDisk, folder, memory, silentLogger, { shard, shards, cacheBytes: 1 << 18 });
  set.reload();
  const read = (matchers: readonly Matcher[], range: TimeRange) => {
    const found = new Map<string, string>();
    let before: Labels | undefined;
    for (const series of set.select(matchers, range)) {
      assert.ok(!before || compareLabels(before, series.labels) < 0, 'label order');
      before = series.labels;
      const samples = new SampleColumns();
      for (let i = 0; i < series.count; i++) {
        const start = series.addresses[i]!;
        decodeChunk(series.encodings[i]!, memory.u8.slice(start, start + series.lengths[i]!), samples);
      }
      const rows: Sample[] = [];
      for (let i = 0; i < samples.length; i++) rows.push({ time: samples.timestamps[i]!, value: samples.values[i]! });
      found.set(formatLabels(series.labels), rowsText(rows, range));
    }
    for (const [key, text] of found) if (text === '') found.delete(key);
    return found;
  };
  return { set, read };
}

const rowsText = (rows: readonly Sample[], range: TimeRange) =>
  rows
    .filter(({ time }) => time >= range.min && time <= range.max)
    .sort((a, b) => a.time - b.time)
    .map(({ time, value }) => `${value}@${time}`)
    .join(' ');

function randomMatchers(random: Random): Matcher[] {
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  return Array.from({ length: 1 + random.below(3) }, () => {
    const type = pick<MatchType>(['=', '!=', '=~', '!~']);
    const name = pick(['__name__', 'instance', 'code', 'job', 'id', 'absent']);
    const values: Record<string, readonly string[]> = {
      __name__: ['metric_1', 'metric_.*', 'metric_(1|2)', 'metric_[0-2]', ''],
      instance: ['host-3', 'host-1.*', '.*1', 'host-(1|2|7|99)', '.+', '.*'],
      code: ['200', '2..', '21.*', '', '.+', '|200', '(200|201|202)'],
      job: ['job1', 'job.*', '', '.*', 'job(0|1)?'],
      id: ['7', '1?', '[0-9]', '', '1.+'],
      absent: ['', 'x', '.*', '.+'],
    };
    return { type, name, value: pick(values[name]!) };
  });
}

test('matchers select what testing every label set selects, for any number of shards', (t) => {
  const folder = mkdtempSync(`${tmpdir()}/pharos-set-`);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const random = seeded(seed);
  const expected = build(folder, random, 5);
  const whole = open(folder);
  const shards = [0, 1, 2].map((shard) => open(folder, shard, 3));
  t.after(() => {
    for (const { set } of [whole, ...shards]) set.close();
  });
  for (let round = 0; round < 300; round++) {
    const matchers = randomMatchers(random);
    const min = random.below(5 * 3_600_000);
    const range = round % 3 === 0 ? { min: -Infinity, max: Infinity } : { min, max: min + random.below(7_200_000) };
    const test = compileMatchers(matchers);
    const want = new Map<string, string>();
    for (const [key, { labels, samples }] of expected) {
      const text = test(labels) ? rowsText(samples, range) : '';
      if (text !== '') want.set(key, text);
    }
    const what = `round ${round}: ${JSON.stringify(matchers)} ${range.min}..${range.max}`;
    const sorted = (found: Map<string, string>) => [...found].sort(([a], [b]) => (a < b ? -1 : 1));
    assert.deepEqual(sorted(whole.read(matchers, range)), sorted(want), what);
    const parts = shards.map(({ read }) => read(matchers, range));
    assert.deepEqual(sorted(new Map(parts.flatMap((part) => [...part]))), sorted(want), what);
    if (range.min !== -Infinity) continue;
    const matching = [...expected.values()].filter(({ labels }) => test(labels)).map(({ labels }) => labels);
    for (const name of ['instance', 'code', 'absent']) {
      const values = [...new Set(matching.map((labels) => labelValue(labels, name)))].filter((v) => v !== '').sort();
      assert.deepEqual(whole.set.labelValues(name, matchers, range), values, what);
    }
    assert.deepEqual(whole.set.series(matchers, range), matching.sort(compareLabels), what);
    for (const [shard, { set }] of shards.entries()) {
      for (const labels of set.series(matchers, range)) assert.equal(hashLabels(labels) % 3, shard);
    }
  }
});

test('deleted samples are not answered', (t) => {
  const folder = mkdtempSync(`${tmpdir()}/pharos-set-`);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const random = seeded(seed + 1);
  const expected = build(folder, random, 3);
  const { set, read } = open(folder);
  t.after(() => set.close());
  for (const block of set.blocks) {
    const deleted = new Map<number, TimeRange[]>();
    for (const ref of block.index.allPostings) {
      if (random.below(2) === 0) continue;
      const start = block.meta.minTime + random.below(3_600_000);
      const range = { min: start, max: start + random.below(1_800_000) };
      deleted.set(ref, addRange([], range));
      const entry = expected.get(formatLabels(block.index.labels(ref)))!;
      const b = block.meta.minTime;
      // Blocks may overlap, so only the samples of this block go: theirs is the number of the block in the last digit.
      const number = set.blocks.indexOf(block);
      entry.samples = entry.samples.filter(
        ({ time }) => !((time - b - number) % 15_000 === 0 && time >= range.min && time <= range.max),
      );
    }
    block.setTombstones(deleted);
    assert.equal(block.meta.stats.numTombstones, deleted.size);
  }
  const all = { min: -Infinity, max: Infinity };
  const want = [...expected]
    .map(([key, { samples }]) => [key, rowsText(samples, all)])
    .filter(([, text]) => text !== '');
  const found = read([{ type: '!=', name: '__name__', value: '' }], all);
  assert.deepEqual([...found].sort(), want.sort());
});
