import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import { UserError } from '#base/errors.ts';
import { seeded } from '#base/random.ts';
import { labelsOf } from '#model/labels.ts';
import { peer } from '../../../test/peers.ts';
import { Backfill, backfillOpenMetrics } from '../backfill.ts';
import { importBlocks, verifyBlock } from '../snapshot.ts';
import { analyzeBlock } from './analyze.ts';
import { dump, formatGo, formatHistogram } from './dump.ts';
import { exportBlocks } from './export.ts';
import { listBlocks } from './open.ts';

const promtool = peer('promtool', 'prometheus');
const START = 1_700_000_000_000;
const HOUR = 3_600_000;
const EVER = { min: -(2 ** 52), max: 2 ** 52 };

function temporaryFolder(t: { after(f: () => void): void }): string {
  const folder = mkdtempSync(`${tmpdir()}/pharos-tool-`);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const options = (folder: string) => ({ disk: nodeDisk, folder, random: seeded(5), nowMs: START });

function history(): string {
  const random = seeded(11);
  const lines = ['# HELP load Load.', '# TYPE load gauge'];
  for (let s = 0; s < 12; s++) {
    for (let k = 0; k < 500; k++) {
      const value =
        s === 0 ? k : s === 1 ? k / 1e7 : s === 2 ? -k * 12_345_678.9 : random.next() * 10 ** random.below(25);
      lines.push(`load{host="h${s % 4}",s="${s}",odd="a\\"b\\\\c\\nd"} ${value} ${(START + k * 60_000) / 1000}`);
    }
  }
  lines.push(
    'load{s="special"} NaN 1700000000',
    'load{s="special"} +Inf 1700000001',
    'load{s="special"} -Inf 1700000002',
  );
  return `${lines.join('\n')}\n# EOF\n`;
}

const dumped = (folder: string, format: 'lines' | 'openmetrics' = 'lines') =>
  [...dump(nodeDisk, folder, { range: EVER, matchers: [], format })].join('');

test('history becomes the blocks that promtool makes of it', { skip: promtool.skip }, (t) => {
  const folder = temporaryFolder(t);
  const run = (...args: string[]) => {
    const result = spawnSync(promtool.path, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
    assert.equal(result.status, 0, result.stderr);
    return result.stdout;
  };
  writeFileSync(`${folder}/in.om`, history());
  run('tsdb', 'create-blocks-from', 'openmetrics', `${folder}/in.om`, `${folder}/theirs`);
  for (const name of ['ours', 'ours/wal', 'theirs/wal']) nodeDisk.makeFolder(`${folder}/${name}`);
  const blocks = backfillOpenMetrics(`${folder}/in.om`, options(`${folder}/ours`));
  assert.equal(blocks.length, 5);
  const theirs = run('tsdb', 'dump', `${folder}/theirs`);
  assert.equal(dumped(`${folder}/theirs`), theirs, 'our dump of their blocks');
  assert.equal(run('tsdb', 'dump', `${folder}/ours`), theirs, 'their dump of our blocks');
  assert.equal(dumped(`${folder}/ours`), theirs, 'our dump of our blocks');

  const columns = (text: string, from: number) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) =>
        line
          .split(/\s{2,}/)
          .slice(from, -1)
          .join(' '),
      );
  const [listed, listedByThem] = [
    listBlocks(nodeDisk, `${folder}/theirs`, false),
    run('tsdb', 'list', `${folder}/theirs`),
  ];
  assert.deepEqual(columns(listed, 0), columns(listedByThem, 0));
  const stable = (text: string) =>
    text
      .replace(/^Total Series/m, 'Series')
      .split('\n')
      .sort();
  assert.deepEqual(
    stable(analyzeBlock(nodeDisk, `${folder}/theirs`, { limit: 100, extended: false, matchers: [] })),
    stable(run('tsdb', 'analyze', '--limit=100', `${folder}/theirs`)),
  );
});

test('what is exported and imported again is the same', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(`${folder}/in.om`, history());
  nodeDisk.makeFolder(`${folder}/data`);
  backfillOpenMetrics(`${folder}/in.om`, options(`${folder}/data`));
  const whole = dumped(`${folder}/data`);
  const range = { min: START + HOUR, max: START + 5 * HOUR };
  const matchers = [[{ type: '=' as const, name: 'host', value: 'h1' }]];
  const wanted = whole.split('\n').filter((line) => {
    const time = Number(line.slice(line.lastIndexOf(' ') + 1));
    return line.includes('host="h1"') && time >= range.min && time <= range.max;
  });
  const parts = { range, matchers, blockMs: 3 * HOUR, random: seeded(2), nowMs: START };
  const exported = exportBlocks(nodeDisk, `${folder}/data`, `${folder}/out`, parts);
  assert.ok(exported.length > 1);
  assert.equal(dumped(`${folder}/out`), `${wanted.join('\n')}\n`);
  assert.throws(() => exportBlocks(nodeDisk, `${folder}/data`, `${folder}/out`, parts), /not empty/);

  nodeDisk.makeFolder(`${folder}/new`);
  const taken = importBlocks(nodeDisk, `${folder}/out`, `${folder}/new`, { nowMs: START + 1, random: seeded(3) });
  assert.equal(taken.length, exported.length);
  assert.equal(dumped(`${folder}/new`), `${wanted.join('\n')}\n`);
  // Twice is no harm: the names are new ones, the samples the same.
  importBlocks(nodeDisk, `${folder}/out`, `${folder}/new`, { nowMs: START + 2, random: seeded(4) });
  assert.equal(dumped(`${folder}/new`), `${wanted.join('\n')}\n`);
  const counts = taken.map(({ ulid }) => verifyBlock(nodeDisk, `${folder}/new/${ulid}`).samples);
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    wanted.length,
  );
  // And as text, once around.
  nodeDisk.makeFolder(`${folder}/again`);
  writeFileSync(`${folder}/out.om`, dumped(`${folder}/data`, 'openmetrics'));
  backfillOpenMetrics(`${folder}/out.om`, options(`${folder}/again`));
  assert.equal(dumped(`${folder}/again`), whole);
});

test('a damaged block is not imported', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(`${folder}/in.om`, history());
  nodeDisk.makeFolder(`${folder}/data`);
  const [block] = backfillOpenMetrics(`${folder}/in.om`, options(`${folder}/data`));
  const file = nodeDisk.open(`${folder}/data/${block!.ulid}/chunks/000001`, 'readwrite');
  file.write(Uint8Array.of(0xff, 0xff), 100);
  file.close();
  nodeDisk.makeFolder(`${folder}/new`);
  const into = () => importBlocks(nodeDisk, `${folder}/data`, `${folder}/new`, { nowMs: 1, random: seeded(1) });
  assert.throws(into, { code: 'corrupt' });
});

test('samples in any order, in instalments, give the same blocks', (t) => {
  const folder = temporaryFolder(t);
  const random = seeded(23);
  const rows = Array.from({ length: 3000 }, (_, i) => ({
    labels: labelsOf({ __name__: 'm', s: String(i % 7) }),
    k: i,
  }));
  const build = (name: string, order: typeof rows, maxSamples: number) => {
    nodeDisk.makeFolder(`${folder}/${name}`);
    const backfill = new Backfill({ ...options(`${folder}/${name}`), random: seeded(name.length), maxSamples });
    for (const { labels, k } of order) backfill.add(backfill.series(labels), START + k * 10_000, k * 1.5);
    backfill.finish();
    return dumped(`${folder}/${name}`);
  };
  const sorted = build('a', rows, 1e9);
  const shuffled = rows
    .map((row) => ({ row, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ row }) => row);
  assert.equal(build('bb', shuffled, 1e9), sorted);
  assert.equal(build('ccc', shuffled, 400), sorted);
  assert.equal(sorted.trimEnd().split('\n').length, rows.length);
});

test('mistakes in a file have a position', (t) => {
  const folder = temporaryFolder(t);
  const failing = (text: string) => {
    writeFileSync(`${folder}/bad.om`, text);
    nodeDisk.remove(`${folder}/data`);
    nodeDisk.makeFolder(`${folder}/data`);
    let message = '';
    assert.throws(
      () => backfillOpenMetrics(`${folder}/bad.om`, options(`${folder}/data`)),
      (error) => {
        assert.ok(error instanceof UserError, String(error));
        message = error.message.replace(folder, '');
        return true;
      },
    );
    return message;
  };
  assert.equal(failing('a 1 1\nb 2\n# EOF\n'), '/bad.om:2:1: expected timestamp for series b, got none');
  assert.match(failing('a 1 1\na{ 2 2\n# EOF\n'), /^\/bad\.om:2:1: /);
  assert.match(failing('a 1 1\n'), /^\/bad\.om:2:1: .*EOF/);
});

test("numbers as Go's %g", () => {
  const cases: [number, string][] = [
    [0, '0'],
    [1e6, '1e+06'],
    [123_456, '123456'],
    [1_234_567, '1.234567e+06'],
    [1e-5, '1e-05'],
    [0.0001, '0.0001'],
    [-2.5e-7, '-2.5e-07'],
    [1e300, '1e+300'],
    [Number.NaN, 'NaN'],
    [-Infinity, '-Inf'],
    [-0, '-0'],
    [0.1, '0.1'],
  ];
  for (const [value, want] of cases) assert.equal(formatGo(value), want);
});

test('histograms as Prometheus prints them', () => {
  const text = formatHistogram({
    integer: true,
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 2,
    count: 12,
    sum: 18.4,
    positiveSpans: [
      { offset: 0, length: 2 },
      { offset: 1, length: 2 },
    ],
    negativeSpans: [{ offset: 0, length: 1 }],
    positiveBuckets: Float64Array.of(1, 2, 1, 0),
    negativeBuckets: Float64Array.of(6),
    counterReset: 'unknown',
  });
  assert.equal(text, '{count:12, sum:18.4, [-1,-0.5):6, [-0.001,0.001]:2, (0.5,1]:1, (1,2]:2, (4,8]:1}');
});
