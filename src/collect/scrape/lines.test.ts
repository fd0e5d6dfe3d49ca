// The kernel's table against the plain one on random pages, numbers against JavaScript's, and what only a table in kernel
// memory can get wrong: growing, order, memory given back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KernelMemory, loadKernel } from '#base/kernel.ts';
import { seeded } from '#base/random.ts';
import { labelSetsOf, newSeries } from '#model/batch.ts';
import { fuzzLines } from './lines.fuzz.ts';
import { LineScratch, LineTable } from './lines.ts';
import { Rows } from './rows.ts';
import { Slab } from './slab.ts';
import type { ReadOptions } from './table.ts';

const OPTIONS: ReadOptions = {
  timestamp: 1000,
  honorTimestamps: true,
  trackTimestampsStaleness: false,
  maxTimestamp: 1e15,
  admit: (labels) => labels,
};

test('both tables agree on random pages', () => {
  for (let seed = 1; seed <= 60; seed++) fuzzLines(seed, 25);
});

test('numbers are those of JavaScript, to the bit', () => {
  const slab = new Slab(new KernelMemory());
  type Kernel = { readNumber(at: number): number; numberValue: { value: number }; numberEnd: { value: number } };
  const scratch = new LineScratch(slab);
  const kernel = scratch.kernel as unknown as Kernel;
  const at = slab.allocate(400);
  const seed = 7;
  const random = seeded(seed);
  let judged = 0;
  for (let i = 0; i < 200_000; i++) {
    const digits = 1 + random.below(19);
    let text = '';
    for (let k = 0; k < digits; k++) text += String(random.below(10));
    if (random.below(2) === 0) text = `${text.slice(0, random.below(digits))}.${text.slice(random.below(digits))}`;
    if (random.below(2) === 0) text += `e${random.below(700) - 350}`;
    if (random.below(4) === 0) text = `-${text}`;
    if (!/\d/.test(text.replace(/e.*/, ''))) continue;
    slab.memory.u8.fill(0, at, at + 400);
    slab.memory.u8.set(Buffer.from(`${text}\n`), at);
    if (!kernel.readNumber(at)) continue;
    judged++;
    assert.ok(Object.is(kernel.numberValue.value, Number(text)), `seed ${seed}: ${text}`);
    assert.equal(kernel.numberEnd.value, at + text.length);
  }
  assert.ok(judged > 100_000, `the kernel judged ${judged}`);
});

test('tables grow, keep the order of the page, and give their memory back', () => {
  const slab = new Slab();
  const scratch = new LineScratch(slab);
  const rows = new Rows(slab);
  const before = slab.usedBytes;
  const table = new LineTable(scratch);
  const page = (from: number, to: number) =>
    Buffer.from(
      Array.from({ length: to - from }, (_, i) => `series_${from + i}{l="${'v'.repeat((from + i) % 50)}"} ${i}\n`).join(
        '',
      ),
    );
  const read = (body: Buffer) => {
    rows.reset();
    const { counts } = table.read(body, 'text', rows, OPTIONS);
    table.settle(Float64Array.from({ length: rows.seriesCount }, (_, i) => i));
    return counts;
  };
  assert.equal(read(page(0, 20_000)).seriesAdded, 20_000);
  assert.equal(read(page(0, 20_000)).seriesAdded, 0);
  assert.equal(rows.length, 20_000);
  assert.equal(read(page(5000, 25_000)).seriesAdded, 5000);
  assert.equal(table.missing(), 5000);
  assert.equal(table.size, 20_000);
  table.clear();
  assert.ok(slab.usedBytes - before < 4_000_000, 'only scratch memory is left');
  const again = () => {
    const other = new LineTable(scratch);
    rows.reset();
    other.read(page(0, 20_000), 'text', rows, OPTIONS);
    other.clear();
    return slab.memory.usedBytes;
  };
  const reused = again();
  assert.equal(again(), reused, 'a table of the same size takes no new memory');
});

test('the kernel has what the host calls', () => {
  const kernel = loadKernel<Record<string, unknown>>('wire', new KernelMemory());
  for (const name of ['scan', 'find', 'put', 'enter', 'arrange', 'unseen'])
    assert.equal(typeof kernel[name], 'function');
});

test('plain series of a page seen for the first time never become strings', () => {
  const slab = new Slab();
  const rows = new Rows(slab);
  const table = new LineTable(new LineScratch(slab));
  const page = ['# HELP h Time.', '# TYPE h histogram'];
  for (let i = 0; i < 3000; i++) page.push(`h_bucket{path="/p${i}",le="${i % 7 === 0 ? '+Inf' : i % 100}"} ${i}`);
  page.push('# TYPE g gauge', 'g 1.5 1234', 'with_all{z="1",instant="ü",j="x"} NaN', '');
  const { counts } = table.read(Buffer.from(page.join('\n')), 'text', rows, {
    ...OPTIONS,
    admit: (labels) => assert.fail(labels.join()),
    plainLabels: ['instance', 'h:1', 'job', 'j'],
  });
  assert.equal(counts.seriesAdded, 3002);
  const batch = rows.batch();
  const series = labelSetsOf(batch);
  const bucket = ['__name__', 'h_bucket', 'instance', 'h:1', 'job', 'j'];
  assert.deepEqual(series[0], [...bucket, 'le', '+Inf', 'path', '/p0']);
  assert.deepEqual(series[101], [...bucket, 'le', '1.0', 'path', '/p101']);
  assert.deepEqual(series[3000], ['__name__', 'g', 'instance', 'h:1', 'job', 'j']);
  assert.deepEqual(series[3001], [
    '__name__',
    'with_all',
    'instance',
    'h:1',
    'instant',
    'ü',
    'j',
    'x',
    'job',
    'j',
    'z',
    '1',
  ]);
  assert.deepEqual([...batch.refs.subarray(3000)], [newSeries(3000), newSeries(3001)]);
  assert.deepEqual([...batch.timestamps.subarray(2999)], [1000, 1234, 1000]);
});

test('an exemplar is taken when it is new, and again when the page it came with was not', () => {
  const slab = new Slab();
  const rows = new Rows(slab);
  const table = new LineTable(new LineScratch(slab));
  const read = (exemplar: string) => {
    rows.reset();
    table.read(
      Buffer.from(`a_total 1 # {id="${exemplar}"} 2\nb 1 # {id="same"} 3 4.5\n# EOF\n`),
      'openmetrics',
      rows,
      OPTIONS,
    );
    table.settle(Float64Array.from({ length: rows.seriesCount }, (_, i) => i));
    assert.equal(rows.length, 2);
    return rows.exemplars.map(({ exemplar: { labels } }) => labels[1]);
  };
  assert.deepEqual(read('x'), ['x', 'same']);
  assert.deepEqual(read('x'), []);
  assert.deepEqual(read('y'), ['y']);
  table.abort();
  assert.deepEqual(read('y'), ['y', 'same']);
  assert.deepEqual(read('y'), []);
});
