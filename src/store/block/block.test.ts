import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import { seeded } from '#base/random.ts';
import { compareLabels, formatLabels, type Labels, labelsOf } from '#model/labels.ts';
import { peer } from '../../../test/peers.ts';
import { encodeChunks } from '../codec/chunk.ts';
import { SampleColumns } from '../codec/samples.ts';
import { Block } from './block.ts';
import { PageCache } from './files.ts';
import type { BlockMeta } from './meta.ts';
import { newUlid } from './ulid.ts';
import { type BlockSeries, writeBlock } from './writer.ts';

const HOUR = 3_600_000;
const START = 1_699_999_200_000 - (1_699_999_200_000 % (2 * HOUR));

function temporaryFolder(t: { after(f: () => void): void }): string {
  const folder = mkdtempSync(`${tmpdir()}/pharos-block-`);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function someSeries(count: number, samples = 300): { labels: Labels; samples: SampleColumns }[] {
  const random = seeded(7);
  return Array.from({ length: count }, (_, i) => {
    const columns = new SampleColumns();
    let value = 0;
    for (let k = 0; k < samples; k++) columns.push(START + k * 15_000, (value += random.below(100)));
    const labels = labelsOf({
      __name__: i % 2 ? 'requests_total' : 'größe_bytes',
      instance: `host-${i % 97}:9100`,
      path: `/${'x'.repeat(i % 200)}`,
      series: String(i),
    });
    return { labels, samples: columns };
  }).sort((a, b) => compareLabels(a.labels, b.labels));
}

const encode = (series: ReturnType<typeof someSeries>): BlockSeries[] =>
  series.map(({ labels, samples }) => ({ labels, chunks: encodeChunks(samples) }));

function meta(): BlockMeta {
  const ulid = newUlid(START, seeded(1));
  return {
    ulid,
    minTime: START,
    maxTime: START + 2 * HOUR,
    stats: {},
    compaction: { level: 1, sources: [ulid] },
    version: 1,
  };
}

test('a block reads as it was written', (t) => {
  const folder = temporaryFolder(t);
  const series = someSeries(500);
  const written = writeBlock(nodeDisk, folder, meta(), encode(series))!;
  assert.deepEqual(written.stats, { numSamples: 150_000, numFloatSamples: 150_000, numSeries: 500, numChunks: 1500 });
  const block = new Block(nodeDisk, `${folder}/${written.ulid}`, new PageCache(1 << 20));
  t.after(() => block.close());
  assert.deepEqual(block.meta, written);
  const expected = encode(series);
  let at = 0;
  for (const { labels, chunks } of block.series(block.range)) {
    const want = expected[at++]!;
    assert.deepEqual(labels, want.labels);
    assert.deepEqual(chunks, want.chunks);
  }
  assert.equal(at, expected.length);
  assert.deepEqual(block.index.labelNames, ['__name__', 'instance', 'path', 'series']);
  assert.equal(block.index.valueCount('instance'), 97);
  const own = expected.filter(({ labels }) => labels.includes('host-3:9100'));
  const postings = block.index.postingsAt(block.index.find('instance', 'host-3:9100')!);
  assert.deepEqual(
    [...postings].map((ref) => block.index.labels(ref)),
    own.map(({ labels }) => labels),
  );
  assert.equal(block.index.find('instance', 'host-x'), undefined);
  for (let i = 0; i < block.index.symbols.count; i++) {
    assert.equal(block.index.symbols.find(block.index.symbols.at(i)), i);
  }
  assert.equal(block.index.symbols.find('no such symbol'), undefined);
});

const promtool = peer('promtool', 'prometheus');

test('promtool lists, analyses and dumps our blocks', { skip: promtool.skip }, (t) => {
  const folder = temporaryFolder(t);
  const series = someSeries(60, 200);
  const written = writeBlock(nodeDisk, folder, meta(), encode(series))!;
  // promtool's dump wants a log folder beside the blocks.
  nodeDisk.makeFolder(`${folder}/wal`);
  const run = (...args: string[]) => {
    const result = spawnSync(promtool.path, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
    assert.equal(result.status, 0, result.stderr);
    return result.stdout;
  };
  assert.match(run('tsdb', 'list', folder), new RegExp(`${written.ulid} .* 12000 +100 |${written.ulid}.*12000`));
  assert.match(run('tsdb', 'analyze', folder), /^Series: 60$/m);
  const dumped = run('tsdb', 'dump', folder).trimEnd().split('\n');
  const expected = series.flatMap(({ labels, samples }) =>
    Array.from({ length: samples.length }, (_, i) => {
      const pairs: string[] = [];
      for (let k = 0; k < labels.length; k += 2) pairs.push(`${labels[k]}=${JSON.stringify(labels[k + 1])}`);
      return `{${pairs.join(', ')}} ${samples.values[i]} ${samples.timestamps[i]}`;
    }),
  );
  assert.equal(dumped.length, expected.length);
  assert.equal(dumped.sort().join('\n'), expected.sort().join('\n'));
});

test('a flipped bit is noticed wherever it is', (t) => {
  const folder = temporaryFolder(t);
  const written = writeBlock(nodeDisk, folder, meta(), encode(someSeries(20, 50)))!;
  const path = `${folder}/${written.ulid}`;
  const good = [...new Block(nodeDisk, path, new PageCache()).series({ min: -Infinity, max: Infinity })].map((s) =>
    formatLabels(s.labels),
  );
  assert.equal(good.length, 20);
  const random = seeded(3);
  for (const name of ['index', 'chunks/000001']) {
    const whole = nodeDisk.readFile(`${path}/${name}`);
    for (let round = 0; round < 60; round++) {
      const bytes = whole.slice();
      const at = random.below(bytes.length);
      bytes[at]! ^= 1 << random.below(8);
      rmSync(`${path}/${name}`);
      const file = nodeDisk.open(`${path}/${name}`, 'create');
      file.write(bytes);
      file.close();
      const block = new Block(nodeDisk, path, new PageCache());
      let same = true;
      try {
        const read = [...block.series({ min: -Infinity, max: Infinity })];
        same = read.every(({ labels }, i) => formatLabels(labels) === good[i]);
        for (const label of block.index.labelNames)
          for (const v of block.index.values(label)) block.index.postingsAt(v.offset);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'corrupt', String(error));
        same = true;
      } finally {
        block.close();
      }
      assert.ok(same, `${name} byte ${at}: a wrong answer`);
    }
    rmSync(`${path}/${name}`);
    const file = nodeDisk.open(`${path}/${name}`, 'create');
    file.write(whole);
    file.close();
  }
});
