// The shipped dashboards against pages of the exporters they are made for: every panel shows data, none an error.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { eventually } from '../running.ts';
import { EXPORTERS, exposition } from '../simulated-exporters.ts';
import { pagesOf, skip } from './browser.ts';

const began = performance.now();
const exporters = http.createServer((request, response) => {
  const table = EXPORTERS[(request.url ?? '').slice(1)];
  response.writeHead(table === undefined ? 404 : 200, { 'content-type': 'text/plain; version=0.0.4' });
  response.end(table === undefined ? '' : exposition(table, (performance.now() - began) / 1000));
});
// Before the server starts, so that its configuration can name the port.
before(async () => {
  await new Promise<void>((resolve) => exporters.listen(0, '127.0.0.1', resolve));
});
after(() => exporters.close());

function configure(folder: string): string {
  const { port } = exporters.address() as AddressInfo;
  const jobs = Object.keys(EXPORTERS).map((name) => ({
    job_name: name,
    scrape_interval: '1s',
    metrics_path: `/${name}`,
    static_configs: [{ targets: [`127.0.0.1:${port}`] }],
  }));
  fs.writeFileSync(`${folder}/prometheus.json`, JSON.stringify({ scrape_configs: jobs }));
  return `${folder}/prometheus.json`;
}

const server = pagesOf({
  role: 'server',
  args: (folder) => [`--config.file=${configure(folder)}`, `--storage.tsdb.path=${folder}/data`, '--storage.shards=1'],
  ready: `/api/v1/query?query=${encodeURIComponent(`count(min_over_time(up[10s] offset 3s) == 1) == ${Object.keys(EXPORTERS).length}`)}`,
  isReady: (answer) => answer.includes('"value"'),
});

for (const uid of Object.keys(EXPORTERS)) {
  test(`${uid}: every panel has data`, { skip }, async () => {
    const { page, faults, close } = await server.visit(`/d/${uid}?from=now-5m&to=now`, {
      viewport: { width: 1500, height: 3200 },
    });
    await page.locator('section.panel').first().waitFor();
    const bad = () =>
      page
        .locator('section.panel:has(.panel-empty, [role=alert], .panel-wait)')
        .evaluateAll((all) =>
          all.map((one) => `${one.getAttribute('aria-label')}: ${(one as unknown as { innerText: string }).innerText}`),
        );
    // A rate needs a step of the grid after its second sample.
    await eventually(`data in every panel of ${uid}`, async () => {
      await page.waitForLoadState('networkidle');
      const seen = await bad();
      if (seen.length === 0) return true;
      await page.getByRole('button', { name: 'Refresh now' }).click();
      await page.waitForTimeout(1000);
      throw new Error(seen.join('\n'));
    });
    assert.deepEqual(faults, []);
    await close();
  });
}
