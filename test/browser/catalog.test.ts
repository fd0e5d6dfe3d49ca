// The metric catalog from end to end: the demo program reports it, its discovery files and the node exporter's text files bring it in,
// the generated dashboard shows life in every panel, and the generated alerts fire while the demo is broken and end afterwards.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, freePort } from '../running.ts';
import { pagesOf, skip } from './browser.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const PHAROS = path.join(ROOT, 'pharos');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-catalog-'));
const programs: ChildProcess[] = [];
/** Half of the time it is broken. */
const BREAK = ['--break-every=30', '--break-lasts=15'];
const LIMIT_MS = 240_000;

let textPort = 0;
before(async () => {
  if (skip) return;
  execFileSync(
    PHAROS,
    ['tool', 'generate', 'metrics', path.join(ROOT, 'catalog', 'bkbcs.yml'), `--output=${folder}/made`],
    {
      stdio: 'ignore',
    },
  );
  // As made, but for windows of minutes: a test does not wait so long.
  const file = path.join(folder, 'made', 'bkbcs-rules.yml');
  const rules = fs.readFileSync(file, 'utf8');
  assert.match(rules, /for: 5m/);
  fs.writeFileSync(file, rules.replaceAll('for: 5m', 'for: 2s').replaceAll('[5m]', '[10s]'));
  textPort = await freePort();
  const run = (command: string, ...args: string[]) => programs.push(spawn(command, args, { stdio: 'ignore' }));
  run(
    process.execPath,
    path.join(ROOT, 'examples', 'bkbcs', 'demo.ts'),
    `--port=${await freePort()}`,
    `--sd-folder=${folder}`,
    `--textfile-folder=${folder}/text`,
    ...BREAK,
  );
  const flags = [
    '--collector.disable-defaults',
    '--collector.textfile',
    `--collector.textfile.directory=${folder}/text`,
  ];
  run(PHAROS, 'node-exporter', `--web.listen-address=127.0.0.1:${textPort}`, ...flags);
});
after(() => {
  for (const program of programs) program.kill();
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

function configure(): string {
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [`${folder}/made/bkbcs-rules.yml`],
    scrape_configs: [
      { job_name: 'bkbcs', file_sd_configs: [{ files: [`${folder}/bkbcs/*_sd_config.json`], refresh_interval: '1s' }] },
      {
        job_name: 'executors',
        static_configs: [{ targets: [`127.0.0.1:${textPort}`], labels: { bcs_module: 'container-executor' } }],
      },
    ],
  };
  fs.writeFileSync(`${folder}/prometheus.json`, JSON.stringify(config));
  return `${folder}/prometheus.json`;
}

const MODULES = 'count(count by (bcs_module) ({__name__=~"bkbcs_.*", bcs_module!=""} offset 5s))';
const server = pagesOf({
  role: 'server',
  args: (data) => [`--config.file=${configure()}`, `--storage.tsdb.path=${data}/data`, '--storage.shards=1'],
  ready: `/api/v1/query?query=${encodeURIComponent(`${MODULES} == 8`)}`,
  isReady: (answer) => answer.includes('"value"'),
});

type Alert = { readonly labels: Readonly<Record<string, string>>; readonly state: string };
const firing = async (): Promise<Set<string>> => {
  const { data } = (await server.call('GET', '/api/v1/alerts')) as { data: { alerts: readonly Alert[] } };
  return new Set(data.alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels['alertname']!));
};

test('every panel of the generated dashboard shows life', { skip }, async () => {
  const dashboard = JSON.parse(fs.readFileSync(`${folder}/made/bkbcs-dashboard.json`, 'utf8')) as { panels: unknown[] };
  const saved = (await server.call('POST', '/api/dashboards/db', { dashboard, overwrite: true })) as { url: string };
  const { page, faults, close } = await server.visit(`${saved.url}?from=now-5m&to=now`, {
    viewport: { width: 1500, height: 9000 },
  });
  await page.locator('section.panel').first().waitFor();
  await eventually(
    'data in every panel',
    async () => {
      await page.waitForLoadState('networkidle');
      const bad = await page
        .locator('section.panel:has(.panel-empty, [role=alert], .panel-wait)')
        .evaluateAll((all) => all.map((one) => one.getAttribute('aria-label')));
      if (bad.length === 0) return true;
      await page.getByRole('button', { name: 'Refresh now' }).click();
      await page.waitForTimeout(1000);
      throw new Error(bad.join('\n'));
    },
    LIMIT_MS,
  );
  assert.ok((await page.locator('section.panel').count()) >= 48, 'a panel for each metric of the catalog');
  assert.deepEqual(faults, []);
  await close();
});

test('alerts of the catalog fire while it is broken, are on the page, and end', { skip }, async () => {
  const { data } = (await server.call('GET', '/api/v1/rules?type=alert')) as {
    data: { groups: { rules: { name: string }[] }[] };
  };
  const all = data.groups.flatMap(({ rules }) => rules.map(({ name }) => name));
  const [fired, ended] = [new Set<string>(), new Set<string>()];
  await eventually(
    'every alert fires and ends',
    async () => {
      const now = await firing();
      for (const name of now) fired.add(name);
      for (const name of fired) if (!now.has(name)) ended.add(name);
      const missing = all.filter((name) => !ended.has(name));
      if (missing.length > 0)
        throw new Error(`${missing.filter((name) => !fired.has(name))} did not fire; open: ${missing}`);
      return true;
    },
    LIMIT_MS,
  );
  assert.ok(all.length >= 8, 'one alert at least for each module');
  await eventually('broken again', async () => (await firing()).size > 0, LIMIT_MS);
  const { page, faults, close } = await server.visit('/alerts');
  await eventually(
    'an alert of the catalog on the page',
    async () => (await page.getByText(/bcs-\w+:/).count()) > 0,
    LIMIT_MS,
  );
  assert.deepEqual(faults, []);
  await close();
});
