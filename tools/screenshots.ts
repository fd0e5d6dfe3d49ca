// Takes pictures of the main pages of a running server into docs/screenshots: node tools/run.mjs tools/screenshots.ts
// [address]. Needs Debian's chromium; the server should have run for some minutes, so that there is something to see.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

const base = (process.argv[2] ?? 'http://127.0.0.1:9090').replace(/\/$/, '');
const FOLDER = path.join(import.meta.dirname, '..', 'docs', 'screenshots');
const SETTLE_MS = 6000;

const PICTURES: readonly {
  readonly name: string;
  readonly path: string;
  readonly dark?: boolean;
  readonly chinese?: boolean;
  readonly narrow?: boolean;
}[] = [
  { name: 'home', path: '/' },
  { name: 'home-dark', path: '/', dark: true },
  { name: 'home-narrow', path: '/', narrow: true },
  {
    name: 'explore',
    path: '/query?g0.expr=sum%20by%20(mode)%20(rate(node_cpu_seconds_total%5B1m%5D))&g0.stacked=1&from=now-15m&to=now',
  },
  { name: 'metrics', path: '/metric-browser?metric=prometheus_http_request_duration_seconds&from=now-15m&to=now' },
  { name: 'targets', path: '/targets' },
  { name: 'alerts', path: '/alerts', dark: true },
  { name: 'silence', path: '/silences?new=alertname%3D%22HostBusy%22' },
  { name: 'cardinality', path: '/cardinality' },
  { name: 'dashboards', path: '/dashboards' },
  { name: 'chinese', path: '/d/pharos', chinese: true },
];

/** Without a font for them Chinese texts would be rows of boxes. */
const hasChineseFont = spawnSync('fc-list', [':lang=zh'], { encoding: 'utf8' }).stdout?.trim() !== '';

fs.mkdirSync(FOLDER, { recursive: true });
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});
for (const picture of PICTURES) {
  if (picture.chinese && !hasChineseFont) {
    console.log(`left out: ${picture.name} (no font for Chinese is installed)`);
    continue;
  }
  const context = await browser.newContext({
    viewport: picture.narrow ? { width: 390, height: 844 } : { width: 1360, height: 860 },
    colorScheme: picture.dark ? 'dark' : 'light',
    locale: picture.chinese ? 'zh-CN' : 'en-US',
  });
  const page = await context.newPage();
  await page.goto(base + picture.path);
  await page.waitForTimeout(SETTLE_MS);
  await page.screenshot({ path: path.join(FOLDER, `${picture.name}.png`) });
  console.log(`docs/screenshots/${picture.name}.png`);
  await context.close();
}
await browser.close();
