// Explore with exemplars and native histograms, as a scraped program has them: points with their trace on the graph, a heat
// map of buckets, bars in the table.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { eventually } from '../running.ts';
import { axe, pagesOf, skip } from './browser.ts';

let scrapes = 0;
const program = http.createServer((_, response) => {
  scrapes++;
  const bucket = (le: string, share: number) =>
    `took_seconds_bucket{le="${le}"} ${scrapes * share} # {trace_id="t${scrapes}"} ${Number(le) / 2 || 3}`;
  response.writeHead(200, { 'content-type': 'application/openmetrics-text; version=1.0.0; charset=utf-8' });
  response.end(
    [
      '# TYPE took_seconds histogram',
      ...[bucket('0.1', 2), bucket('1.0', 5), bucket('+Inf', 6)],
      `took_seconds_count ${scrapes * 6}`,
      `took_seconds_sum ${scrapes * 4}`,
      '# EOF',
      '',
    ].join('\n'),
  );
});
before(async () => {
  await new Promise<void>((resolve) => program.listen(0, '127.0.0.1', resolve));
});
after(() => program.close());

function configure(folder: string): string {
  const targets = [`127.0.0.1:${(program.address() as AddressInfo).port}`];
  const job = (job_name: string, more: object) => ({
    ...{ job_name, scrape_interval: '1s', static_configs: [{ targets }] },
    ...more,
  });
  const config = {
    storage: { exemplars: { max_exemplars: 1000 } },
    scrape_configs: [job('classic', {}), job('native', { convert_classic_histograms_to_nhcb: true })],
  };
  fs.writeFileSync(`${folder}/prometheus.json`, JSON.stringify(config));
  return `${folder}/prometheus.json`;
}

const server = pagesOf({
  role: 'server',
  args: (folder) => [
    ...[`--config.file=${configure(folder)}`, `--storage.tsdb.path=${folder}/data`, '--storage.shards=1'],
    '--enable-feature=exemplar-storage',
  ],
  ready: `/api/v1/query?query=${encodeURIComponent('histogram_count(rate(took_seconds{job="native"}[10s])) > 0 and on() count_over_time(up[10s]) > 5')}`,
  isReady: (answer) => answer.includes('"value"'),
});
const address = (expr: string, more: string) =>
  `/query?g0.expr=${encodeURIComponent(expr)}&from=now-1m&to=now&g0.step_input=1s&${more}`;

test('exemplars are points on the graph that tell their trace', { skip }, async () => {
  const expr = 'histogram_quantile(0.9, sum by (le) (rate(took_seconds_bucket{job="classic"}[10s])))';
  const { page, faults, close } = await server.visit(address(expr, 'g0.tab=graph&g0.show_exemplars=1'));
  await page.locator('.plot canvas').waitFor();
  assert.ok(await page.getByLabel('Exemplars').isChecked());
  await eventually('the trace of a point', async () => {
    await page.getByRole('button', { name: 'Run' }).click();
    await page.waitForLoadState('networkidle');
    const area = (await page.locator('.plot .u-over').boundingBox())!;
    for (const share of [0.9, 0.94, 0.97, 0.99]) {
      await page.mouse.move(area.x + area.width * share, area.y + area.height / 2);
      const texts = await page.locator('.plot-tip-mark').allInnerTexts();
      if (texts.some((text) => /trace_id="t\d+"/.test(text))) return true;
    }
    return false;
  });
  assert.deepEqual(await axe(page), []);
  assert.deepEqual(faults, []);
  await close();
});

test('a native histogram is a heat map of its buckets, and bars in the table', { skip }, async () => {
  const expr = 'rate(took_seconds{job="native"}[10s])';
  const { page, faults, close } = await server.visit(address(expr, 'g0.tab=heat'));
  const map = page.locator('canvas').first();
  await map.waitFor();
  const area = (await map.boundingBox())!;
  await eventually('a cell of the map', async () => {
    for (const share of [0.3, 0.5, 0.7, 0.8]) {
      await page.mouse.move(area.x + area.width * 0.97, area.y + area.height * share);
      if (await page.locator('.plot-tip:visible').count()) return true;
    }
    await page.getByRole('button', { name: 'Run' }).click();
    return false;
  });
  await page.getByRole('tab', { name: 'Table' }).click();
  const cell = page.locator('table.data td.num').first();
  await cell.waitFor();
  assert.match(await cell.innerText(), /count [\d.]+, sum [\d.]+/);
  await page.getByRole('tab', { name: 'Explain' }).click();
  await page.getByText('Plan and what it cost').waitFor();
  await page
    .getByText(/samples read/)
    .first()
    .waitFor();
  assert.deepEqual(await axe(page), []);
  assert.deepEqual(faults, []);
  await close();
});
