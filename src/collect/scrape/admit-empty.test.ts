// honor_labels and labels that a page exposes empty.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAdmit } from './admit.ts';

const job = (honorLabels: boolean) =>
  createAdmit({
    honorLabels,
    metricRelabelRules: [],
    limits: { labels: 0, labelNameLength: 0, labelValueLength: 0 },
    nameValidation: 'utf8',
  });

test("an empty label of the page keeps the target's away when labels are honoured, and only then", () => {
  const exposed = ['__name__', 'pushed', 'job', 'batch'];
  const target = ['instance', 'gateway:9091', 'job', 'push'];
  assert.deepEqual(job(true).labels(exposed, target, ['instance']), ['__name__', 'pushed', 'job', 'batch']);
  assert.deepEqual(job(true).labels(exposed, target), [
    '__name__',
    'pushed',
    'instance',
    'gateway:9091',
    'job',
    'batch',
  ]);
  assert.deepEqual(job(false).labels(exposed, target, ['instance']), [
    '__name__',
    'pushed',
    'exported_job',
    'batch',
    'instance',
    'gateway:9091',
    'job',
    'push',
  ]);
});
