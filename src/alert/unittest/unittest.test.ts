import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { peer } from '../../../test/peers.ts';
import { readTestFile } from './file.ts';
import { junitXml } from './report.ts';
import { runTestFile } from './run.ts';
import { memoryStorage } from './storage.ts';

const SHIPPED = path.join(import.meta.dirname, '../../../deploy/rules/tests');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-unittest-'));
after(() => fs.rmSync(folder, { recursive: true }));

const run = (file: string) =>
  runTestFile(readTestFile(nodeDisk, file, assert.fail), {
    disk: nodeDisk,
    clock: systemClock,
    newStorage: (stepMs) => memoryStorage(systemClock, stepMs, []),
  });

for (const file of fs.readdirSync(SHIPPED)) {
  test(`the unit tests of shipped rules pass: ${file}`, async () => {
    const results = await run(path.join(SHIPPED, file));
    assert.ok(results.length > 0);
    assert.deepEqual(
      results.filter(({ failures }) => failures.length > 0),
      [],
    );
  });
}

const RULES = `groups:
- name: second
  rules:
  - record: job:double
    expr: job:sum * 2
- name: first
  rules:
  - record: job:sum
    expr: sum by (job) (a)
  - alert: Big
    expr: job:sum > 3
    for: 2m
    keep_firing_for: 2m
    labels: {severity: page, env: '{{ $externalLabels.env }}'}
    annotations: {summary: '{{ $labels.job }} at {{ $value }} {{ $externalURL }}'}
`;
const TESTS = `rule_files: [rules.yml]
evaluation_interval: 1m
group_eval_order: [first, second]
tests:
- name: good
  interval: 1m
  external_labels: {env: prod}
  external_url: http://x
  input_series:
  - {series: 'a{job="x",i="1"}', values: '1+1x5 1x10'}
  - {series: 'a{job="y"}', values: '1 _x3 stale 0x10'}
  - {series: 'h', values: '{{schema:1 sum:3 count:4 buckets:[1 2 1]}}x20'}
  alert_rule_test:
  - {eval_time: 3m, alertname: Big}
  - eval_time: 5m
    alertname: Big
    exp_alerts: [{exp_labels: {job: x, severity: page, env: prod}, exp_annotations: {summary: x at 6 http://x}}]
  - eval_time: 7m
    alertname: Big
    exp_alerts: [{exp_labels: {job: x, severity: page, env: prod}, exp_annotations: {summary: x at 6 http://x}}]
  - {eval_time: 8m, alertname: Big}
  promql_expr_test:
  - expr: job:double
    eval_time: 5m
    exp_samples: [{labels: 'job:double{job="x"}', value: 12}, {labels: 'job:double{job="y"}', value: 0}]
  - {expr: h, eval_time: 5m, exp_samples: [{labels: h, histogram: '{{schema:1 sum:3 count:4 counter_reset_hint:not_reset buckets:[1 2 1]}}'}]}
  - {expr: 1 / 0, eval_time: 0, exp_samples: [{labels: '{}', value: .inf}]}
- name: bad
  interval: 1m
  input_series: [{series: 'a{job="x"}', values: '4x10'}]
  alert_rule_test:
  - eval_time: 4m
    alertname: Big
    exp_alerts: [{exp_labels: {job: other}}]
  promql_expr_test:
  - {expr: job:double, eval_time: 5m, exp_samples: [{labels: 'job:double{job="x"}', value: 9}]}
  - {expr: nothing, eval_time: 5m, exp_samples: [{labels: b, value: 1}]}
`;
fs.writeFileSync(path.join(folder, 'rules.yml'), RULES);
fs.writeFileSync(path.join(folder, 'tests.yml'), TESTS);

test('failures are told as promtool tells them', async () => {
  const [good, bad] = await run(path.join(folder, 'tests.yml'));
  assert.deepEqual(good!.failures, []);
  assert.deepEqual(bad!.failures, [
    `    name: bad,
    alertname: Big, time: 4m, 
        exp:[
            0:
              Labels:{alertname="Big", job="other"}
              Annotations:{}
            ], 
        got:[
            0:
              Labels:{alertname="Big", job="x", severity="page"}
              Annotations:{summary="x at 4 "}
            ]`,
    `    expr: "job:double", time: 5m,
        exp: {__name__="job:double", job="x"} 9E+00
        got: {__name__="job:double", job="x"} 8E+00`,
    `    expr: "nothing", time: 5m,
        exp: {__name__="b"} 1E+00
        got: nil`,
  ]);
  assert.match(junitXml([{ file: 'f', cases: [good!, bad!] }], 'now'), /tests="2" failures="1" errors="0"/);
});

const promtool = peer('promtool', 'prometheus');

test('promtool tells the same failures', { skip: promtool.skip }, async () => {
  // Debian's promtool knows neither histograms in expectations nor external labels in this form of file; "bad" has none.
  const only = TESTS.replace(/- name: good[\s\S]*(?=- name: bad)/, '');
  fs.writeFileSync(path.join(folder, 'only.yml'), only);
  const { stderr } = spawnSync(promtool.path, ['test', 'rules', 'only.yml'], { cwd: folder, encoding: 'utf8' });
  const [bad] = await run(path.join(folder, 'only.yml'));
  assert.equal(`  FAILED:\n${bad!.failures.join('\n')}\n`, stderr);
});

test('a rule that fails ends its test', async () => {
  fs.writeFileSync(path.join(folder, 'r2.yml'), 'groups: [{name: g, rules: [{record: r, expr: "a * on () b"}]}]');
  fs.writeFileSync(
    path.join(folder, 't2.yml'),
    'rule_files: [r2.yml]\ntests: [{input_series: [{series: "a{x=\\"1\\"}", values: 1x9}, {series: "a{x=\\"2\\"}", values: 1x9}, {series: b, values: 1x9}, {series: "b{x=\\"1\\"}", values: 1x9}], promql_expr_test: [{expr: r, eval_time: 5m}]}]',
  );
  const [only] = await run(path.join(folder, 't2.yml'));
  assert.equal(only!.name, 'unnamed#0');
  assert.equal(only!.failures.length, 1);
  assert.match(only!.failures[0]!, /^ {4}rule: r, time: 0s, err: found duplicate series for the match group/);
});
