// The linter on the shipped catalogs: every mistake of the first draft is found, the corrected one is clean; and what is generated.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { peer } from '../../../test/peers.ts';
import { temporaryFolder } from '../../../test/programs.ts';
import { readCatalog } from './catalog.ts';
import { generateCode, generateDashboard, generateDocument, generateRules } from './generate.ts';
import { lintCatalog, type RuleName } from './lint.ts';
import { catalogOfPage, comparePage } from './page.ts';

const load = (name: string) => {
  const file = path.join(import.meta.dirname, '..', '..', '..', 'catalog', name);
  return readCatalog(fs.readFileSync(file, 'utf8'), name);
};
const original = load('bkbcs-original.yml');
const corrected = load('bkbcs.yml');
const promtool = peer('promtool', 'prometheus');

test('every mistake of the first draft is found', () => {
  const findings = lintCatalog(original);
  const of = (rule: RuleName) => findings.filter((finding) => finding.rule === rule).map((finding) => finding.metric);
  assert.equal(original.modules.flatMap((module) => module.metrics).length, 48);
  assert.deepEqual(
    original.modules.map((module) => module.metrics.length),
    [3, 3, 8, 0, 6, 0, 9, 6, 4, 9],
  );
  assert.equal(of('missing-prefix').length, 42);
  assert.equal(of('segment-order').length, 6);
  assert.deepEqual(of('gauge-total'), [
    'dns_total',
    'scheduler_resource_total',
    'scheduler_pod_total',
    'scheduler_scheule_total',
    'scheduler_cpu_resource_total',
    'scheduler_mem_resource_total',
    'ip_pools_total',
    'ip_available_total',
    'ip_active_total',
    'ip_reserved_total',
  ]);
  assert.deepEqual(of('event-gauge'), ['scheduler_scheule_total']);
  assert.deepEqual(of('misspelling'), ['scheduler_scheule_total']);
  assert.deepEqual(of('histogram-total'), ['bkbcs_datawatch_mesos_storage_latency_total']);
  assert.deepEqual(of('duration-type'), ['storage_operator_latency_seconds']);
  assert.equal(of('unit-not-base').length, 6);
  assert.ok(findings.some((one) => one.rule === 'unit-not-base' && one.message.includes('as other metrics here do')));
  assert.deepEqual(of('outcome-words'), ['dns_request_total', 'scheduler_scheule_total']);
  assert.deepEqual(of('foreign-module'), ['storage_operator_total', 'storage_operator_latency_seconds']);
  assert.deepEqual(of('type-missing'), ['bkbcs_datawatch_mesos_cluster_state', 'bkbcs_datawatch_mesos_role_state']);
});

test('the corrected catalog has the same metrics and no findings', () => {
  assert.deepEqual(lintCatalog(corrected), []);
  assert.deepEqual(
    corrected.modules.map((module) => [module.name, module.metrics.length]),
    original.modules.map((module) => [module.name, module.metrics.length]),
  );
});

test('a live page is held against scheme and catalog', () => {
  const page = catalogOfPage(
    '# TYPE bkbcs_service_api_requests_total gauge\nbkbcs_service_api_requests_total{api="get",odd="1"} 1\n# TYPE mem_mb gauge\nmem_mb 1\n# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1\n',
    corrected.scheme,
  );
  const rules = lintCatalog(page).map(({ metric, rule }) => `${metric} ${rule}`);
  assert.ok(rules.includes('bkbcs_service_api_requests_total gauge-total'));
  assert.ok(rules.includes('mem_mb missing-prefix'));
  assert.ok(rules.includes('mem_mb unit-not-base'));
  assert.ok(rules.includes('mem_mb help-missing'));
  const differences = comparePage(page, corrected).map(({ metric, message }) => `${metric} ${message}`);
  assert.deepEqual(differences, [
    'bkbcs_service_api_requests_total is a gauge, in the catalog a counter',
    'bkbcs_service_api_requests_total has a label odd that the catalog does not know',
    'mem_mb is not in the catalog',
    'bkbcs_service_api_request_errors_total is missing from the page, which has other metrics of api',
    'bkbcs_service_api_request_latency_seconds is missing from the page, which has other metrics of api',
  ]);
});

test('code, document and dashboard name every metric', () => {
  const names = corrected.modules.flatMap((module) => module.metrics.map((metric) => metric.name));
  const dashboard = generateDashboard(corrected);
  assert.doesNotThrow(() => JSON.parse(dashboard));
  for (const text of [generateCode(corrected), generateDocument(corrected), dashboard])
    for (const name of names) assert.ok(text.includes(name), name);
});

test('promtool accepts the rules, one alert at least for each module with metrics', { skip: promtool.skip }, (t) => {
  const rules = generateRules(corrected);
  const file = path.join(temporaryFolder(t), 'rules.yml');
  fs.writeFileSync(file, rules);
  assert.match(execFileSync(promtool.path, ['check', 'rules', file], { encoding: 'utf8' }), /SUCCESS: \d+ rules found/);
  for (const module of corrected.modules)
    if (module.metrics.length > 0) assert.ok(rules.includes(`bkbcs-${module.name}"`), module.name);
});
