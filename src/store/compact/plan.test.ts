import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import type { BlockMeta } from '../block/meta.ts';
import { blockRanges, planCompaction, splitByRange } from './plan.ts';
import { uploadedBlocks } from './uploads.ts';

const HOUR = 3_600_000;
const NAME = '01HF7XJCR0X3FD75X20PGD94Q4';

/** "0-20 20-40t 40-60f": blocks by minTime-maxTime; t: full of tombstones, f: failed, o: out of order, s: stale series. */
function blocks(text: string): BlockMeta[] {
  return text.split(' ').map((word) => {
    const [, min = '', max = '', flag = ''] = /^(\d+)-(\d+)([tfos]?)$/.exec(word)!;
    const hints = { o: ['from-out-of-order'], s: ['from-stale-series'] }[flag];
    return {
      ulid: word,
      minTime: Number(min),
      maxTime: Number(max),
      stats: { numSeries: 10, ...(flag === 't' ? { numTombstones: 11 } : {}) },
      compaction: { level: 1, ...(flag === 'f' ? { failed: true } : {}), ...(hints ? { hints } : {}) },
      version: 1,
    };
  });
}

function chosen(text: string, ranges = [20, 60, 180, 540, 1620]): string {
  const plan = planCompaction('data', blocks(text), ranges, NAME);
  return plan ? `${plan.reason}: ${plan.blocks.join(' ')}` : 'nothing';
}

test('levels fill from small to large, without the newest block', () => {
  const cases: readonly [string, string][] = [
    ['0-20', 'nothing'],
    ['0-20 20-40 40-60', 'nothing'],
    ['0-20 20-40 40-60 60-80', 'level: 0-20 20-40 40-60'],
    ['0-20 20-40 60-80', 'nothing'],
    ['0-20 20-40 60-80 80-100', 'level: 0-20 20-40'],
    ['0-60 60-120 120-180 180-200', 'level: 0-60 60-120 120-180'],
    ['0-60 60-80 80-100 100-120 120-140', 'level: 60-80 80-100 100-120'],
    // Blocks that do not fit into a stretch are left alone.
    ['0-20 20-40f 40-60 60-80', 'nothing'],
    ['10-70 70-90 90-110 110-130 130-150', 'level: 70-90 90-110'],
  ];
  for (const [given, want] of cases) assert.equal(chosen(given), want, given);
});

test('overlapping blocks come first, the newest included', () => {
  assert.equal(chosen('0-20 19-40 40-60'), 'overlap: 0-20 19-40');
  assert.equal(chosen('0-20 20-40 30-50 45-60 60-80'), 'overlap: 20-40 30-50 45-60');
  assert.equal(chosen('0-360 340-360 360-380'), 'overlap: 0-360 340-360');
  assert.equal(chosen('0-20o 0-20 20-40'), 'overlap: 0-20o 0-20');
  assert.equal(chosen('0-20f 10-30 30-50'), 'nothing');
});

test('blocks of one kind of partial view stay together', () => {
  assert.equal(chosen('0-20s 0-20 20-40 40-60 60-80'), 'level: 0-20 20-40 40-60');
  assert.equal(chosen('0-20s 10-30s 20-40'), 'overlap: 0-20s 10-30s');
});

test('large blocks with many tombstones, and small ones with nothing else, are rewritten', () => {
  assert.equal(chosen('0-180t 180-200'), 'tombstones: 0-180t');
  assert.equal(chosen('0-20t 20-40'), 'tombstones: 0-20t');
  assert.equal(chosen('0-20t'), 'nothing');
});

test('what a merged block says about itself', () => {
  const metas = blocks('0-20 20-40 40-60 60-80').map((meta, i) => ({
    ...meta,
    compaction: { level: i + 1, sources: [`S${i}`] },
  }));
  const plan = planCompaction('data', metas, [20, 60], NAME)!;
  assert.deepEqual(plan.meta.compaction, {
    level: 4,
    sources: ['S0', 'S1', 'S2'],
    parents: [
      { ulid: '0-20', minTime: 0, maxTime: 20 },
      { ulid: '20-40', minTime: 20, maxTime: 40 },
      { ulid: '40-60', minTime: 40, maxTime: 60 },
    ],
  });
  assert.deepEqual([plan.meta.minTime, plan.meta.maxTime], [0, 60]);
});

test('stretches of time begin at multiples, before 1970 too', () => {
  const meta = (minTime: number, maxTime: number) => ({ ...blocks('0-1')[0]!, minTime, maxTime });
  const groups = splitByRange([meta(-60, -40), meta(-20, 0), meta(0, 20), meta(50, 70)], 60);
  assert.deepEqual(
    groups.map((group) => group.map(({ minTime }) => minTime)),
    [[-60, -20], [0]],
  );
});

test('block lengths follow the retention', () => {
  const hours = (ranges: number[]) => ranges.map((range) => range / HOUR);
  assert.deepEqual(hours(blockRanges(15 * 24 * HOUR)), [2, 6, 18]);
  assert.deepEqual(hours(blockRanges(0)), [2, 6, 18, 54, 162, 486]);
  assert.deepEqual(hours(blockRanges(HOUR)), [2]);
  assert.deepEqual(hours(blockRanges(365 * 24 * HOUR)), [2, 6, 18, 54, 162, 486]);
});

test('blocks of the first level wait until they are listed as uploaded; overlaps may be left alone', (t) => {
  const file = path.join(os.tmpdir(), `uploads-${process.pid}.json`);
  t.after(() => fs.rmSync(file, { force: true }));
  const metas = blocks('0-20 20-40 40-60 60-80');
  const known = () => uploadedBlocks(metas, file, nodeDisk, silentLogger).map(({ ulid }) => ulid);
  assert.deepEqual(
    known(),
    metas.map(({ ulid }) => ulid),
    'no file holds nothing up',
  );
  fs.writeFileSync(file, JSON.stringify({ version: 1, uploaded: ['0-20', '40-60'] }));
  assert.deepEqual(known(), ['0-20'], 'none is merged past one that waits');
  fs.writeFileSync(file, '{"uploaded":');
  assert.equal(known().length, 4);
  fs.writeFileSync(file, '{}');
  assert.deepEqual(known(), []);
  metas[0] = { ...metas[0]!, compaction: { ...metas[0]!.compaction, level: 2 } };
  assert.deepEqual(known(), ['0-20'], 'higher levels do not wait');

  const overlapping = blocks('0-20 10-30 40-60');
  assert.equal(planCompaction('data', overlapping, [20, 60], NAME)?.reason, 'overlap');
  assert.equal(planCompaction('data', overlapping, [20, 60], NAME, { overlaps: false }), undefined);
});
