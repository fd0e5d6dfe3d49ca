// The main thread's half: labels and URLs of targets, limits, spreading over workers, what a reload touches, and the API.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { list } from '#base/config/schema.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { formatLabels, labelsToRecord } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { DEFAULT_GLOBAL, jobSection, jobsFrom, type ScrapeJob } from './config.ts';
import { discoveredLabels, populateLabels, targetUrl } from './labels.ts';
import { compileRules } from './relabel/relabel.ts';
import type { Assignment } from './scrape/spec.ts';
import { Targets } from './targets.ts';

function jobs(yaml: string): ScrapeJob[] {
  const sections = loadYaml(yaml, list(jobSection((file) => file)), 'jobs.yml');
  return jobsFrom(sections, DEFAULT_GLOBAL, {}, (_, message) => {
    throw new Error(message);
  });
}

function populate(yaml: string, target: Record<string, string>, group: Record<string, string> = {}) {
  const [job] = jobs(`[{job_name: j, ${yaml}}]`);
  const populated = populateLabels(discoveredLabels(job!, target, group), compileRules(job!.relabelRules));
  if (populated.kind === 'dropped') return 'dropped';
  return populated.kind === 'invalid' ? populated.reason : { job: job!, ...populated };
}

function url(yaml: string, target: Record<string, string>): string {
  const found = populate(yaml, target);
  assert.ok(typeof found === 'object', String(found));
  return targetUrl(found.job, found.labels);
}

test('labels before and after relabeling', () => {
  const found = populate(
    'scheme: https, metrics_path: /m, params: {module: [a, b]}, relabel_configs: [{source_labels: [__meta_x], target_label: x}]',
    { __address__: 'h:1', own: 't' },
    { own: 'g', group: 'g', __meta_x: 'y' },
  );
  assert.ok(typeof found === 'object');
  assert.deepEqual(labelsToRecord(found.labels), {
    __address__: 'h:1',
    __always_scrape_classic_histograms__: 'false',
    __convert_classic_histograms_to_nhcb__: 'false',
    __metrics_path__: '/m',
    __param_module: 'a',
    __scheme__: 'https',
    __scrape_interval__: '1m',
    __scrape_native_histograms__: 'false',
    __scrape_timeout__: '10s',
    group: 'g',
    instance: 'h:1',
    job: 'j',
    own: 't',
    x: 'y',
  });
});

test('URLs', () => {
  assert.equal(
    url('scheme: https, params: {b: ["1 2", "x&y"], a: [z]}', { __address__: 'h:1' }),
    'https://h:1/metrics?a=z&b=1+2&b=x%26y',
  );
  assert.equal(
    url('params: {target: [old]}', { __address__: 'h', __param_target: 'new', __metrics_path__: '/a b' }),
    'http://h/a%20b?target=new',
  );
  assert.equal(url('honor_labels: true', { __address__: '[::1]:9' }), 'http://[::1]:9/metrics');
});

test('targets that cannot be', () => {
  assert.equal(populate('honor_labels: true', {}), 'no address');
  assert.equal(
    populate('relabel_configs: [{target_label: __address__, replacement: "a/b"}]', { __address__: 'x' }),
    '"a/b" is not a valid hostname',
  );
  assert.equal(
    populate('honor_labels: true', { __address__: 'x', __scrape_interval__: 'soon' }),
    'error parsing scrape interval: not a valid duration string: "soon"',
  );
  assert.equal(
    populate('honor_labels: true', { __address__: 'x', __scrape_interval__: '0s' }),
    'scrape interval cannot be 0',
  );
  assert.equal(
    populate('honor_labels: true', { __address__: 'x', __scrape_timeout__: '2m' }),
    'scrape timeout cannot be greater than scrape interval ("2m" > "1m")',
  );
  assert.equal(
    populate('relabel_configs: [{action: drop, regex: "", source_labels: [none]}]', { __address__: 'x' }),
    'dropped',
  );
});

function newTargets(workers: number) {
  const assigned: Assignment[][] = Array.from({ length: workers }, () => []);
  let calls = 0;
  const waiting: (() => void)[] = [];
  const registry = new Registry();
  const targets = new Targets({
    clock: systemClock,
    disk: nodeDisk,
    log: silentLogger,
    environment: {},
    registry,
    workers,
    assign: (worker, assignments) => {
      assigned[worker] = [...assignments];
      calls++;
      for (const wake of waiting.splice(0)) wake();
    },
  });
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return { targets, assigned, until, calls: () => calls, registry };
}

const count = (assigned: readonly Assignment[][]) =>
  assigned.flat().reduce((sum, { targets }) => sum + targets.length, 0);

test('targets are spread over workers, and a reload that changes nothing hands out nothing', async () => {
  const yaml = (more: string) =>
    `[{job_name: a, static_configs: [{targets: [${Array.from({ length: 40 }, (_, i) => `"h${i}:1"`)}]}]${more}}, {job_name: b, static_configs: [{targets: ["x:1"]}]}]`;
  const { targets, assigned, until, calls } = newTargets(3);
  targets.apply(jobs(yaml('')));
  await until(() => count(assigned) === 41);
  assert.deepEqual(
    assigned.map((list) => count([list])),
    [41, 0, 0],
    'few targets share a worker',
  );
  const places = () => new Map(targets.active().map(({ spec, worker }) => [spec.id, worker]));
  const before = places();
  const callsBefore = calls();
  targets.apply(jobs(yaml('')));
  assert.equal(calls(), callsBefore);
  targets.apply(jobs(yaml(', sample_limit: 7')));
  assert.deepEqual(places(), before, 'other limits are no other targets');
  assert.ok(assigned.flat().some(({ job }) => job.name === 'a' && job.limits.samples === 7));
  targets.apply(jobs('[{job_name: b, static_configs: [{targets: ["x:1"]}]}]'));
  await until(() => count(assigned) === 1);
  targets.stop();
});

test('many targets use all workers, and stay where they are when others come and go', async () => {
  const yaml = (from: number, to: number) =>
    `[{job_name: a, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{targets: [${Array.from({ length: to - from }, (_, i) => `"h${from + i}:1"`)}]}]}]`;
  const { targets, assigned, until } = newTargets(3);
  const places = () => new Map(targets.active().map(({ spec, worker }) => [spec.id, worker]));
  targets.apply(jobs(yaml(0, 70)));
  await until(() => count(assigned) === 70);
  assert.deepEqual(
    assigned.map((list) => count([list])),
    [50, 20, 0],
  );
  targets.apply(jobs(yaml(0, 400)));
  await until(() => count(assigned) === 400);
  assert.ok(assigned.every((list) => count([list]) > 100));
  const before = places();
  targets.apply(jobs(yaml(300, 500)));
  await until(() => count(assigned) === 200);
  const after = places();
  assert.equal([...after].filter(([id, worker]) => before.get(id) === worker).length, 100);
  targets.stop();
});

test('limits on targets: too many are all down, dropped ones are counted and not all kept', async () => {
  const { targets, assigned, until, registry } = newTargets(1);
  targets.apply(
    jobs(`
- job_name: many
  target_limit: 1
  static_configs: [{targets: ["a:1", "b:1", "a:1"]}]
- job_name: dropping
  keep_dropped_targets: 1
  static_configs: [{targets: ["c:1", "d:1", "e:1"]}]
  relabel_configs: [{source_labels: [__address__], regex: "c.*", action: keep}]
`),
  );
  await until(() => count(assigned) === 3);
  const errors = new Set(targets.active().map(({ job, spec }) => `${job.spec.name}: ${spec.forcedError}`));
  assert.deepEqual(
    [...errors],
    ['many: target_limit exceeded (number of targets: 2, limit: 1)', 'dropping: undefined'],
  );
  assert.deepEqual(targets.droppedCounts(), { many: 0, dropping: 2 });
  assert.deepEqual(
    targets.dropped().map(({ discovered }) => formatLabels(discovered).includes('"d:1"')),
    [true],
  );
  const families = registry.families().find(({ name }) => name === 'prometheus_target_scrape_pool_targets');
  assert.deepEqual(
    families?.samples.map(({ labels, value }) => [labels[1], value]),
    [
      ['many', 2],
      ['dropping', 1],
    ],
  );
  targets.stop();
});
