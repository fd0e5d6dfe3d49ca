// Which metadata is shown where targets and store know some.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metadata } from '#model/batch.ts';
import { shownMetadata } from './query-metadata.ts';

const entry = (help: string): Metadata => ({ type: 'counter', help, unit: '' });
const ALL = { metric: undefined, limit: -1, perMetric: -1 };

test('distinct entries of targets, and those of the store for metrics that no target has', () => {
  const stored = new Map([
    ['b_total', [entry('old')]],
    ['a_total', [entry('written')]],
  ]);
  const ofTargets = ['one', 'two', 'one'].map((help) => ({ family: 'b_total', metadata: entry(help) }));
  assert.deepEqual(shownMetadata(stored, ofTargets, ALL), {
    a_total: [entry('written')],
    b_total: [entry('one'), entry('two')],
  });
  assert.deepEqual(shownMetadata(stored, ofTargets, { ...ALL, metric: 'b_total', perMetric: 1 }), {
    b_total: [entry('one')],
  });
  assert.deepEqual(Object.keys(shownMetadata(stored, ofTargets, { ...ALL, limit: 1 })), ['a_total']);
  assert.deepEqual(shownMetadata(new Map(), [], ALL), {});
});
