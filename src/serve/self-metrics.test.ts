import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelsOf } from '#model/labels.ts';
import { describeFamily } from './self-metrics.ts';

test('families in the JSON form of protocol buffers', () => {
  const labels = labelsOf({ a: 'b' });
  assert.deepEqual(
    describeFamily({ name: 'g', type: 'gauge', help: 'G.', samples: [{ suffix: '', labels, value: Infinity }] }),
    {
      name: 'g',
      help: 'G.',
      type: 'GAUGE',
      metric: [{ label: [{ name: 'a', value: 'b' }], gauge: { value: 'Infinity' } }],
    },
  );
  const bucket = (le: string, value: number) => ({ suffix: '_bucket', labels: labelsOf({ a: 'b', le }), value });
  const histogram = describeFamily({
    ...{ name: 'h', type: 'histogram', help: '' },
    samples: [
      bucket('0.5', 1),
      bucket('+Inf', 3),
      { suffix: '_sum', labels, value: 4.5 },
      { suffix: '_count', labels, value: 3 },
    ],
  });
  assert.deepEqual(histogram['metric'], [
    {
      label: [{ name: 'a', value: 'b' }],
      histogram: {
        sampleCount: '3',
        sampleSum: 4.5,
        bucket: [
          { cumulativeCount: '1', upperBound: 0.5 },
          { cumulativeCount: '3', upperBound: 'Infinity' },
        ],
      },
    },
  ]);
  const counter = describeFamily({
    name: 'c',
    type: 'counter',
    help: '',
    samples: [{ suffix: '_total', labels: [], value: 2 }],
  });
  assert.deepEqual([counter.name, counter['metric']], ['c_total', [{ label: [], counter: { value: 2 } }]]);
});
