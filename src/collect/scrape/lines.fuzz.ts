// Both tables read the same random and hostile pages, scrape after scrape; every row, bit for bit, every label set, count,
// error and stale marker must be the same. A seed reproduces a run.

import assert from 'node:assert/strict';
import { systemClock } from '#base/clock.ts';
import { type Random, seeded, systemRandom } from '#base/random.ts';
import { labelSetsOf, type SampleBatch } from '#model/batch.ts';
import type { Labels } from '#model/labels.ts';
import { packSeries, unpackSeries } from '#model/packed.ts';
import { TextReader, withLastLinebreak } from '#wire/exposition/text.ts';
import { createAdmit } from './admit.ts';
import { FamilyNotes } from './families.ts';
import { LineScratch, LineTable } from './lines.ts';
import { Rows } from './rows.ts';
import { Slab } from './slab.ts';
import { type ReadOptions, type SeriesMemory, SeriesTable } from './table.ts';

type Format = 'text' | 'openmetrics';

const pick = <T>(random: Random, from: readonly T[]): T => from[random.below(from.length)]!;

const NAMES = ['a', 'a_total', 'http_requests_total', 'h_bucket', 'h_sum', 's', ':x', '{"my.metric"}', 'aa'];
const LABELS = [
  '',
  '{}',
  '{x="1"}',
  '{x="2"}',
  '{le="1"}',
  '{le="+Inf",}',
  '{x="a\\"b\\\\"}',
  '{x="}"}',
  '{y="ü",x="1"}',
  '{quantile="0.5"}',
  '{"q.q"="1"}',
  '{x="drop"}',
  `{x="${'l'.repeat(70)}"}`,
  '{le="0.5"}',
  '{le="10"}',
  '{le="0.10"}',
  '{le="100000"}',
  '{le="1000000"}',
  '{le="1e6"}',
  '{le="0.0001"}',
  '{le="0.00001"}',
  '{le="00.5"}',
  '{le="12345.678"}',
  '{le="NaN"}',
  '{quantile="1"}',
  '{quantile=".9"}',
  '{instance="own"}',
  '{job=""}',
  '{x="",z="1"}',
  '{__name__="other"}',
  '{zz="1",a="2",kk="3",jj="4"}',
  '{ x = "1" , y="2" }',
];
const BROKEN = [
  '9a 1',
  'a{ 1',
  'a{x=1} 1',
  'a',
  'a{x="1"',
  'a 1 2 3',
  'a{x="1",x="2"} 1',
  'a 1e',
  '\0',
  '# TYPE a nonsense',
  'a{x="1"}1',
  '{x="1"} 2',
  '  a 1',
  '\t',
  '#',
  '# HELP',
  'a{x="\n"} 1',
  'a 1 # {x="1"} 2',
  'a 1 # {x="1"} 2 3.5',
  'a  1',
  'a 0x1p-2',
  'a 1_0',
  'a - 1',
  'a 1 -5',
  '# EOF',
];
const COMMENTS = [
  '# TYPE h histogram',
  '# TYPE s summary',
  '# TYPE a gauge',
  '# HELP a Some text.',
  '# HELP a Other \\n text',
  '# TYPE a counter',
];

function numberText(random: Random): string {
  switch (random.below(12)) {
    case 0:
      return pick(random, [
        'NaN',
        '+Inf',
        '-Inf',
        'Inf',
        'nan',
        'inf',
        '-0',
        '0',
        '+1',
        '.5',
        '1.',
        '-.5e-3',
        'infinity',
        '1e400',
        '5e-324',
        '2.2250738585072014e-308',
        '1.7976931348623157e308',
        '9007199254740993',
        '9007199254740992',
        '18446744073709551615',
        '1e22',
        '1e23',
        '123456789012345678901234567890',
      ]);
    case 1:
      return String(random.next() * 10 ** (random.below(40) - 20));
    case 2:
      return random.next().toExponential(random.below(18));
    case 3:
      return `${random.below(1e9)}${random.below(1e9)}`;
    case 4: {
      // Any double at all.
      const value = new DataView(random.bytes(8).slice().buffer).getFloat64(0);
      return Number.isFinite(value) ? String(value) : '1';
    }
    case 5:
      return (random.below(1e6) / 1000).toFixed(random.below(6));
    case 6:
      return `${random.below(1e9)}.${String(random.below(1e9)).padStart(9, '0')}e${random.below(620) - 320}`;
    default:
      return String(random.below(100_000));
  }
}

function line(random: Random, format: Format): string {
  const roll = random.below(100);
  if (roll < 1) return pick(random, BROKEN);
  if (roll < 10) return pick(random, COMMENTS);
  const name = pick(random, NAMES);
  const labels = name.startsWith('{') ? '' : pick(random, LABELS);
  const blank = format === 'text' && random.below(10) === 0 ? pick(random, ['  ', '\t', ' \t']) : ' ';
  let text = `${name}${labels}${blank}${numberText(random)}`;
  if (random.below(12) === 0) {
    text +=
      format === 'text' ? ` ${random.below(1e9)}${random.below(1000)}` : ` ${random.below(1e9)}.${random.below(1000)}`;
  }
  if (format === 'text' && random.below(30) === 0) text += ' ';
  if (format === 'openmetrics' && random.below(20) === 0) text += ` # {id="${random.below(9)}"} ${random.below(9)}`;
  return text;
}

/** The page of one scrape: the lines of the one before, with some changes. */
function nextLines(random: Random, lines: readonly string[], format: Format): string[] {
  const next: string[] = [];
  for (const old of lines) {
    const roll = random.below(40);
    if (roll === 0) continue;
    if (roll === 1) next.push(line(random, format));
    if (roll === 2) next.unshift(old);
    else if (roll < 20) next.push(old);
    else next.push(/^[a-z:]/.test(old) ? old.replace(/ [^ ]*$/, () => ` ${numberText(random)}`) : old);
  }
  while (next.length < 5 || random.below(4) === 0) next.push(line(random, format));
  if (random.below(20) === 0) next.sort();
  return next;
}

function pageOf(random: Random, lines: readonly string[], format: Format): Buffer {
  const end = format === 'openmetrics' ? (random.below(30) === 0 ? '' : '# EOF\n') : '';
  const text = `${lines.join('\n')}${format === 'text' && random.below(3) === 0 ? '' : '\n'}${end}`;
  const page = Buffer.from(text);
  if (random.below(30) === 0 && page.length > 0) page[random.below(page.length)] = random.below(256);
  return random.below(50) === 0 ? page.subarray(0, random.below(page.length + 1)) : page;
}

type Side = {
  readonly rows: Rows;
  readonly table: SeriesMemory;
  readonly read: (page: Buffer, format: Format, options: ReadOptions) => unknown;
  readonly numbers: Map<string, number>;
  /** What was last told of each series: one that repeats may be left out. */
  readonly exemplars: Map<number, string>;
};

function sides(): Side[] {
  const slab = new Slab();
  const [plainRows, fastRows] = [new Rows(slab), new Rows(slab)];
  const plain = new SeriesTable();
  const fast = new LineTable(new LineScratch(slab));
  return [
    {
      rows: plainRows,
      table: plain,
      read(page, format, options) {
        const reader = new TextReader(format);
        reader.reset(format === 'text' ? withLastLinebreak(page) : page);
        return plain.read(reader, plainRows, new FamilyNotes(), options);
      },
      numbers: new Map(),
      exemplars: new Map(),
    },
    {
      rows: fastRows,
      table: fast,
      read: (page, format, options) => fast.read(page, format, fastRows, options).counts,
      numbers: new Map(),
      exemplars: new Map(),
    },
  ];
}

/** One scrape on one side, told in full. */
function scrape(side: Side, page: Buffer, format: Format, options: ReadOptions, random: number): unknown {
  const { rows, table } = side;
  rows.reset();
  let counts: unknown;
  let error = '';
  try {
    counts = side.read(page, format, options);
  } catch (failure) {
    error = String(failure);
  }
  if (error !== '' || random % 17 === 0) {
    table.abort();
    rows.reset();
    table.markAll(rows, options.timestamp);
    return { error, stale: staleRefs(rows.batch()) };
  }
  const batch = rows.batch();
  const refs = Float64Array.from(labelSetsOf(batch), (labels) => numberOf(side, labels));
  if (random % 13 === 0 && refs.length > 0) refs[0] = Number.NaN;
  const told = tell(side, batch, refs);
  table.settle(refs);
  const missing = table.missing() > 0;
  rows.reset();
  table.markMissing(rows, options.timestamp);
  const stale = staleRefs(rows.batch());
  if (random % 19 === 0) table.forget(new Set([1, 3, 5]));
  return { counts, told, missing, stale, live: [...table.liveRefs()].sort() };
}

function numberOf(side: Side, labels: Labels): number {
  const key = labels.join('\xff');
  if (!side.numbers.has(key)) side.numbers.set(key, side.numbers.size);
  return side.numbers.get(key)!;
}

function tell(side: Side, batch: SampleBatch, refs: Float64Array): unknown {
  if (batch.packed) {
    // What the kernel wrote must be what the host would have written: hashes, order, padding.
    const { bytes } = packSeries(unpackSeries(batch.packed));
    assert.ok(Buffer.from(batch.packed.bytes).equals(bytes), 'label sets as the host packs them');
  }
  const words = new Uint32Array(batch.values.buffer);
  return {
    rows: Array.from(batch.refs, (ref, i) =>
      [
        ref < 0 ? `new ${refs[-ref - 1]}` : ref,
        batch.timestamps[i],
        words[i * 2 + 1]!.toString(16),
        words[i * 2]!.toString(16),
      ].join(' '),
    ),
    series: labelSetsOf(batch),
    exemplars: (batch.exemplars ?? []).filter(({ ref, exemplar }) => {
      const number = ref < 0 ? refs[-ref - 1]! : ref;
      const text = JSON.stringify([exemplar.labels, exemplar.value]);
      const isNew = side.exemplars.get(number) !== text;
      side.exemplars.set(number, text);
      return isNew;
    }),
  };
}

const staleRefs = (batch: SampleBatch) => [...batch.refs].sort((a, b) => a - b);

const PLAIN_JOB = {
  metricRelabelRules: [],
  limits: { labels: 0, labelNameLength: 0, labelValueLength: 0 },
  nameValidation: 'utf8',
} as const;

/** Throws when the two differ. */
export function fuzzLines(seed: number, scrapes: number): void {
  const random = seeded(seed);
  const [plain, fast] = sides() as [Side, Side];
  let lines: string[] = [];
  const target = ['instance', 'h:1', 'job', 'j', 'zz', random.below(2) === 0 ? 'ü' : 'z'];
  const isPlain = seed % 2 === 1;
  const join = createAdmit({ ...PLAIN_JOB, honorLabels: seed % 4 === 1 }).labels;
  const format = pick(random, ['text', 'openmetrics'] as const);
  for (let round = 0; round < scrapes; round++) {
    lines = nextLines(random, lines, format);
    const page = pageOf(random, lines, format);
    const options: ReadOptions = {
      timestamp: 1e12 + round * 1000,
      honorTimestamps: seed % 3 !== 0,
      trackTimestampsStaleness: seed % 5 === 0,
      maxTimestamp: 1e12 + 2e11,
      ...(isPlain
        ? { admit: (labels, emptyNames) => join(labels, target, emptyNames), plainLabels: target }
        : { admit: (labels) => (labels.includes('drop') ? undefined : labels) }),
    };
    const roll = random.below(1000);
    const results = [plain, fast].map((side) => scrape(side, page, format, options, roll));
    assert.deepEqual(
      results[1],
      results[0],
      `seed ${seed}, scrape ${round}, page ${JSON.stringify(page.toString('latin1'))}`,
    );
    // A broken line ends every scrape: take it out again.
    lines = lines.filter((text) => !BROKEN.includes(text) || random.below(3) > 0);
  }
}

if (process.env['PHAROS_FUZZ_SECONDS']) {
  const end = systemClock.monotonic() + Number(process.env['PHAROS_FUZZ_SECONDS']) * 1000;
  let runs = 0;
  for (; systemClock.monotonic() < end; runs++) fuzzLines(systemRandom.below(2 ** 31), 40);
  console.log(`  ${runs} runs without a difference`);
}
