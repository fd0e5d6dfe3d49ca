// The targets API: what is shown of active and dropped targets, links that work from elsewhere, metadata, relabeling steps.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { list } from '#base/config/schema.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { DEFAULT_GLOBAL, jobSection, jobsFrom } from '#collect/config.ts';
import { Targets } from '#collect/targets.ts';
import { Registry } from '#model/registry.ts';
import { ApiError, type HttpRequest } from './http.ts';
import { globalUrl, targetRoutes } from './targets.ts';

const CONFIG = `
- job_name: web
  static_configs: [{targets: ["localhost:9090", "drop:1"], labels: {__meta_x: y}}]
  relabel_configs:
    - {source_labels: [__address__], regex: "drop.*", action: drop}
    - {source_labels: [__meta_x], target_label: x}
- job_name: api
  static_configs: [{targets: ["h:1"]}]
`;

async function routes() {
  const sections = loadYaml(CONFIG, list(jobSection((file) => file)), 'c.yml');
  const jobs = jobsFrom(sections, DEFAULT_GLOBAL, {}, (_, message) => assert.fail(message));
  let wake = () => {};
  const assigned = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const targets = new Targets({
    clock: systemClock,
    disk: nodeDisk,
    log: silentLogger,
    environment: {},
    registry: new Registry(),
    workers: 1,
    assign: (_, assignments) => {
      if (assignments.length === 2) wake();
    },
  });
  targets.apply(jobs);
  await assigned;
  const ids = new Map(targets.active().map(({ job, spec }) => [job.spec.name, spec.id]));
  const all = targetRoutes({
    targets,
    statuses: async () => [
      {
        job: 'web',
        id: ids.get('web')!,
        health: 'down',
        lastError: 'EOF',
        lastScrape: 1_600_000_000_123,
        lastDurationSeconds: 0.5,
      },
    ],
    families: async () => [
      { job: 'web', target: ids.get('web')!, family: 'm', metadata: { type: 'counter', help: 'M.', unit: '' } },
      { job: 'api', target: ids.get('api')!, family: 'n', metadata: { type: 'gauge', help: 'N.', unit: 'bytes' } },
    ],
    parseSelector: (text) => {
      if (text !== '{job="api"}') throw new Error('unexpected end of input');
      return [{ type: '=', name: 'job', value: 'api' }];
    },
    configText: () => 'global: {}',
    jobText: (name) => (name === 'a' ? 'job_name: a\n' : undefined),
    externalUrl: 'https://mon.example/p',
    listenPort: 9090,
  });
  return {
    stop: () => targets.stop(),
    get: async (path: string) => {
      const url = new URL(path, 'http://x/api/v1/');
      const route = all.find(({ pattern }) => pattern === url.pathname)!;
      const response = await route.handler({ query: url.searchParams } as HttpRequest);
      return JSON.parse(String(response.body)).data;
    },
  };
}

test('targets, pools, configuration', async () => {
  const { get, stop } = await routes();
  const { activeTargets, droppedTargets, droppedTargetCounts } = await get('targets');
  assert.deepEqual(
    activeTargets.map((t: { scrapePool: string }) => t.scrapePool),
    ['api', 'web'],
  );
  const [api, web] = activeTargets;
  assert.deepEqual([api.health, api.lastError, api.lastScrape], ['unknown', '', '0001-01-01T00:00:00Z']);
  assert.deepEqual(web.labels, { instance: 'localhost:9090', job: 'web', x: 'y' });
  assert.equal(web.discoveredLabels.__meta_x, 'y');
  assert.deepEqual(
    [web.health, web.lastError, web.lastScrape, web.lastScrapeDuration],
    ['down', 'EOF', '2020-09-13T12:26:40.123Z', 0.5],
  );
  assert.deepEqual([web.scrapeUrl, web.globalUrl], ['http://localhost:9090/metrics', 'https://mon.example/metrics']);
  assert.deepEqual([web.scrapeInterval, web.scrapeTimeout], ['1m', '10s']);
  assert.equal(droppedTargets[0].discoveredLabels.__address__, 'drop:1');
  assert.deepEqual(droppedTargetCounts, { web: 1, api: 0 });
  assert.equal((await get('targets?state=active&scrapePool=api')).activeTargets.length, 1);
  assert.deepEqual((await get('targets?state=dropped')).activeTargets, []);
  assert.deepEqual(await get('scrape_pools'), { scrapePools: ['api', 'web'] });
  assert.deepEqual(await get('status/config'), { yaml: 'global: {}' });
  stop();
});

test('metadata by target', async () => {
  const { get, stop } = await routes();
  assert.deepEqual(await get('targets/metadata?match_target={job="api"}'), [
    { target: { instance: 'h:1', job: 'api' }, metric: 'n', type: 'gauge', help: 'N.', unit: 'bytes' },
  ]);
  assert.equal((await get('targets/metadata?metric=m'))[0].metric, undefined);
  assert.equal((await get('targets/metadata?limit=1')).length, 1);
  await assert.rejects(get('targets/metadata?match_target=x'), ApiError);
  await assert.rejects(get('targets/metadata?limit=x'), /limit must be a number/);
  stop();
});

test('relabeling step by step', async () => {
  const { get, stop } = await routes();
  const { steps } = await get(
    `targets/relabel_steps?scrapePool=web&labels=${encodeURIComponent('{"__address__":"a","__meta_x":"z"}')}`,
  );
  assert.deepEqual(
    steps.map(({ keep }: { keep: boolean }) => keep),
    [true, true],
  );
  assert.equal(steps[1].output.x, 'z');
  assert.deepEqual(steps[1].rule, {
    source_labels: ['__meta_x'],
    separator: ';',
    regex: '(.*)',
    target_label: 'x',
    replacement: '$1',
    action: 'replace',
  });
  await assert.rejects(get('targets/relabel_steps?scrapePool=none&labels={}'), /not found/);
  await assert.rejects(get('targets/relabel_steps?scrapePool=web&labels=[]'), /expected an object/);
  await assert.rejects(get('targets/relabel_steps?labels={}'), /no scrapePool parameter provided/);
  stop();
});

test('links to targets on this host', () => {
  const options = { externalUrl: 'https://mon.example:8443/x', listenPort: 9090 };
  assert.equal(globalUrl('http://127.0.0.1:9090/metrics', options), 'https://mon.example:8443/metrics');
  assert.equal(globalUrl('http://localhost:9100/metrics?a=b', options), 'http://mon.example:9100/metrics?a=b');
  assert.equal(globalUrl('http://[::1]:9100/m', options), 'http://mon.example:9100/m');
  assert.equal(globalUrl('http://other:9100/m', options), 'http://other:9100/m');
});
