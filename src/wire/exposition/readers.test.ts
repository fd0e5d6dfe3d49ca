// Protobuf pages, conversion of classic histograms, start timestamps; and readers under random damage: the only way to fail
// is an ExpositionError.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricFamily } from '#model/family.ts';
import { formatLabels } from '#model/labels.ts';
import { CreatedReader } from './created.ts';
import type { EntryReader } from './entries.ts';
import { NhcbReader } from './nhcb.ts';
import { ProtobufReader } from './protobuf-read.ts';
import { writeProtobuf } from './protobuf-write.ts';
import { fuzzReaders } from './readers.fuzz.ts';
import { TextReader } from './text.ts';

const PLAIN = { nativeHistograms: true, alwaysClassic: false, convertClassic: false };

function tell(reader: EntryReader): string[] {
  const told: string[] = [];
  for (let kind = reader.next(); kind !== 'end'; kind = reader.next()) {
    if (kind === 'type') told.push(`type ${reader.familyName} ${reader.familyType}`);
    else if (kind === 'help' || kind === 'unit') told.push(`${kind} ${reader.familyName} ${reader.familyText}`);
    else if (kind !== 'comment') {
      const h = reader.histogram;
      const value = h
        ? `schema ${h.schema} count ${h.count} sum ${h.sum} [${h.positiveBuckets}] ${h.customValues ? `<${h.customValues}>` : ''}`.trim()
        : String(reader.value);
      const time = Number.isNaN(reader.timestamp) ? '' : ` @${reader.timestamp}`;
      const start = reader.start ? ` from ${reader.start}` : '';
      const exemplars = reader.exemplars().map((e) => ` # ${formatLabels(e.labels)} ${e.value} @${e.timestamp}`);
      told.push(`${formatLabels(reader.labels())} ${value}${time}${start}${exemplars.join('')}`);
    }
  }
  return told;
}

const FAMILIES: readonly MetricFamily[] = [
  {
    name: 'c_total',
    type: 'counter',
    help: 'C.',
    samples: [
      {
        suffix: '',
        labels: ['l', 'v'],
        value: 3,
        timestamp: 5000,
        exemplar: { labels: ['id', 'x'], value: 0.5, timestamp: 1234 },
      },
    ],
  },
  { name: 'g', type: 'gauge', help: '', unit: 'bytes', samples: [{ suffix: '', labels: [], value: Number.NaN }] },
  {
    name: 's',
    type: 'summary',
    help: 'S.',
    samples: [
      { suffix: '', labels: ['quantile', '0.5'], value: 7 },
      { suffix: '_sum', labels: [], value: 9 },
      { suffix: '_count', labels: [], value: 2 },
    ],
  },
  {
    name: 'h',
    type: 'histogram',
    help: 'H.',
    samples: [
      { suffix: '_bucket', labels: ['a', 'b', 'le', '1'], value: 2 },
      { suffix: '_bucket', labels: ['a', 'b', 'le', '+Inf'], value: 5 },
      { suffix: '_sum', labels: ['a', 'b'], value: 1.5 },
      { suffix: '_count', labels: ['a', 'b'], value: 5 },
    ],
  },
];
const NATIVE: MetricFamily = {
  name: 'n',
  type: 'histogram',
  help: '',
  samples: [
    {
      suffix: '',
      labels: [],
      value: 0,
      histogram: {
        integer: true,
        schema: 3,
        zeroThreshold: 0.001,
        zeroCount: 1,
        count: 10,
        sum: 12.5,
        positiveSpans: [
          { offset: -2, length: 2 },
          { offset: 3, length: 1 },
        ],
        negativeSpans: [],
        positiveBuckets: Float64Array.of(4, 2, 3),
        negativeBuckets: new Float64Array(0),
        counterReset: 'unknown',
      },
    },
  ],
};

test('protobuf', () => {
  assert.deepEqual(tell(new ProtobufReader(writeProtobuf([...FAMILIES, NATIVE], 'allow-utf-8'), PLAIN)), [
    'help c_total C.',
    'type c_total counter',
    'c_total{l="v"} 3 @5000 # {id="x"} 0.5 @1234',
    'help g ',
    'type g gauge',
    'unit g bytes',
    'g NaN',
    'help s S.',
    'type s summary',
    's_count 2',
    's_sum 9',
    's{quantile="0.5"} 7',
    'help h H.',
    'type h histogram',
    'h_count{a="b"} 5',
    'h_sum{a="b"} 1.5',
    'h_bucket{a="b", le="1.0"} 2',
    'h_bucket{a="b", le="+Inf"} 5',
    'help n ',
    'type n histogram',
    'n schema 3 count 10 sum 12.5 [4,2,3]',
  ]);
  const classicOnly = tell(
    new ProtobufReader(writeProtobuf([NATIVE], 'allow-utf-8'), { ...PLAIN, nativeHistograms: false }),
  );
  assert.deepEqual(classicOnly.slice(2), ['n_count 10', 'n_sum 12.5', 'n_bucket{le="+Inf"} 10']);
  const converted = tell(
    new ProtobufReader(writeProtobuf(FAMILIES, 'allow-utf-8'), { ...PLAIN, convertClassic: true }),
  );
  assert.equal(converted.at(-1), 'h{a="b"} schema -53 count 5 sum 1.5 [2,3] <1>');
});

const TEXT = `# TYPE h histogram
h_bucket{a="1",le="1"} 2
h_bucket{a="1",le="10"} 2
h_bucket{a="1",le="+Inf"} 5
h_sum{a="1"} 9
h_count{a="1"} 5
h_count{a="2"} 3
h_bucket{a="2",le="0.5"} 1.5
h_sum{a="2"} 4
h_bucket{a="3",le="1"} 5
h_bucket{a="3",le="2"} 4
# TYPE g gauge
g 1
h_bucket{a="9",le="1"} 2
`;

test('classic histograms become native ones with custom buckets', () => {
  const read = (keeps: boolean) => {
    const text = new TextReader('text');
    text.reset(Buffer.from(TEXT));
    return tell(new NhcbReader(text, keeps));
  };
  assert.deepEqual(read(false), [
    'type h histogram',
    'h{a="1"} schema -53 count 5 sum 9 [2,0,3] <1,10>',
    'h{a="2"} schema -53 count 3 sum 4 [1.5,1.5] <0.5>',
    'type g gauge',
    'g 1',
    'h_bucket{a="9", le="1"} 2',
  ]);
  assert.equal(read(true).length, read(false).length + 10);
});

test('created lines become start timestamps', () => {
  const page = `# TYPE c counter
c_total{x="1"} 3 # {id="a"} 1
c_created{x="1"} 1520872607.123
c_total{x="2"} 4
# TYPE g gauge
g_created 7
# TYPE h histogram
h_bucket{le="+Inf"} 1
h_count 1
h_sum 1
h_created 10
# EOF
`;
  assert.deepEqual(tell(new CreatedReader(Buffer.from(page))), [
    'type c counter',
    'c_total{x="1"} 3 from 1520872607123 # {id="a"} 1 @NaN',
    'c_total{x="2"} 4',
    'type g gauge',
    'g_created 7',
    'type h histogram',
    'h_bucket{le="+Inf"} 1 from 10000',
    'h_count 1 from 10000',
    'h_sum 1 from 10000',
  ]);
});

test('damaged pages fail in one way only', () => {
  for (let seed = 1; seed <= 300; seed++) fuzzReaders(seed);
});
