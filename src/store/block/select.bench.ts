// Bringing the chunks of a block into kernel memory, as every query over history does, and merging blocks.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { bench } from '#base/bench.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { KernelMemory } from '#base/kernel.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { compareLabels, labelsOf } from '#model/labels.ts';
import { encodeChunks } from '../codec/chunk.ts';
import { SampleColumns } from '../codec/samples.ts';
import { compact } from '../compact/compact.ts';
import { mergedMeta } from './meta.ts';
import { BlockSet } from './set.ts';
import { newUlid } from './ulid.ts';
import { deleteBlock, writeBlock } from './writer.ts';

const HOUR = 3_600_000;
const folder = mkdtempSync(`${tmpdir()}/pharos-bench-`);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

function build(name: string, series: number, blocks: number) {
  const random = seeded(1);
  const path = `${folder}/${name}`;
  nodeDisk.makeFolder(path);
  return Array.from({ length: blocks }, (_, b) => {
    const all = Array.from({ length: series }, (_, i) => {
      const samples = new SampleColumns(480);
      let value = 0;
      for (let k = 0; k < 480; k++) samples.push(b * 2 * HOUR + k * 15_000, (value += random.below(100)));
      const labels = labelsOf({ __name__: `m${i % 10}`, instance: `host-${i % 100}:9100`, id: String(i) });
      return { labels, chunks: encodeChunks(samples) };
    }).sort((a, b) => compareLabels(a.labels, b.labels));
    const ulid = newUlid(b, random);
    const meta = { ulid, minTime: b * 2 * HOUR, maxTime: (b + 1) * 2 * HOUR, stats: {} };
    return writeBlock(nodeDisk, path, { ...meta, compaction: { level: 1, sources: [ulid] }, version: 1 }, all)!;
  });
}

await bench([
  {
    name: 'select a tenth of the series of six blocks',
    unit: 'sample',
    setup: (isFull) => {
      const series = isFull ? 10_000 : 50;
      build('select', series, 6);
      const options = { shard: 0, shards: 1 };
      const set = new BlockSet(nodeDisk, `${folder}/select`, new KernelMemory(), silentLogger, options);
      set.reload();
      return () => {
        let chunks = 0;
        const matchers = [{ type: '=' as const, name: '__name__', value: 'm3' }];
        for (const { count } of set.select(matchers, { min: 0, max: 12 * HOUR })) chunks += count;
        return chunks * 120;
      };
    },
  },
  {
    name: 'merge three blocks into one',
    unit: 'sample',
    setup: (isFull) => {
      const metas = build('merge', isFull ? 5000 : 50, 3);
      const path = `${folder}/merge`;
      let round = 0;
      return () => {
        const meta = mergedMeta(newUlid(1e6 + round++, seeded(round)), metas);
        const blocks = metas.map(({ ulid }) => ulid);
        const { block } = compact({ reason: 'level', folder: path, blocks, parts: [], meta }, nodeDisk);
        deleteBlock(nodeDisk, path, block!.ulid);
        return block!.stats.numSamples!;
      };
    },
  },
]);
