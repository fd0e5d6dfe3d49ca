// What a line of the query log holds, and that the file follows the configuration.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import type { EndedQuery } from './desk.ts';
import { logLine, QueryLog } from './log.ts';

const ended: EndedQuery = {
  ...{ query: 'up', start: 1_600_000_000_000, end: 1_600_000_060_000, step: 15_000 },
  ...{ at: 1_600_000_061_000, tookMs: 20, waitedMs: 5, error: undefined },
  origin: { httpRequest: { clientIP: '127.0.0.1', method: 'GET', path: '/api/v1/query_range' } },
  stats: {
    timings: { parseMs: 1, planMs: 1, evalMs: 16, totalMs: 18 },
    samples: { total: 40, peak: 9 },
    ...{ bytes: 100, series: 2 },
  },
};

test('a line has the fields of Prometheus', () => {
  assert.deepEqual(JSON.parse(logLine(ended)), {
    time: '2020-09-13T12:27:41.000Z',
    level: 'INFO',
    msg: 'promql query logged',
    params: { query: 'up', start: '2020-09-13T12:26:40.000Z', end: '2020-09-13T12:27:40.000Z', step: 15 },
    httpRequest: { clientIP: '127.0.0.1', method: 'GET', path: '/api/v1/query_range' },
    stats: {
      timings: {
        ...{ evalTotalTime: 0.018, queryPreparationTime: 0.002, innerEvalTime: 0.016 },
        ...{ execQueueTime: 0.005, execTotalTime: 0.025 },
      },
      samples: { totalQueryableSamples: 40, peakSamples: 9 },
    },
  });
  const failed = JSON.parse(logLine({ ...ended, stats: undefined, error: 'too much' }));
  assert.equal(failed.error, 'too much');
  assert.equal(failed.stats.timings.execTotalTime, 0.025);
});

test('the file can be rotated and switched off', (t) => {
  const folder = mkdtempSync(`${tmpdir()}/pharos-query-log-`);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const log = new QueryLog(nodeDisk, silentLogger);
  const file = `${folder}/queries.log`;
  const lines = (path: string) => readFileSync(path, 'utf8').split('\n').length - 1;
  log.write(ended);
  log.open(file);
  log.write(ended);
  log.write(ended);
  renameSync(file, `${file}.1`);
  log.open(file);
  log.write(ended);
  log.open('');
  log.write(ended);
  assert.deepEqual([lines(`${file}.1`), lines(file)], [2, 1]);
  log.open(`${folder}/no/such/folder`);
  log.write(ended);
});
