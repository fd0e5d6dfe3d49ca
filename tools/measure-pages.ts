// Measures the pages of a running server in a real browser: node tools/run.mjs tools/measure-pages.ts [address]. Prints the
// time to the first page from a cold cache, the script it loads, a dashboard of 50 panels, and drawing 200 series of 1,000
// points. The dashboard it makes for that is deleted again.

import { chromium } from 'playwright-core';

const base = (process.argv[2] ?? 'http://127.0.0.1:9090').replace(/\/$/, '');
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});
const show = (what: string, value: number, unit: string) => console.log(`${what}: ${value.toFixed(0)} ${unit}`);

async function firstPage(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const started = performance.now();
    await page.goto(`${base}/targets`);
    await page.waitForSelector('h1');
    show('first page, cold cache', performance.now() - started, 'ms');
    if (i === 0)
      show(
        'script loaded for it, compressed',
        (await page.evaluate(
          "performance.getEntriesByType('resource').filter((one) => one.name.endsWith('.js')).reduce((sum, one) => sum + one.encodedBodySize, 0)",
        )) as number,
        'bytes',
      );
    await context.close();
  }
}

async function fiftyPanels(): Promise<void> {
  const panels = Array.from({ length: 50 }, (_, i) => ({
    id: i + 1,
    type: 'timeseries',
    title: `P${i}`,
    grid: { x: (i % 8) * 3, y: Math.floor(i / 8) * 3, w: 3, h: 3 },
    queries: [{ ref: 'A', expr: `up + ${i}` }],
    options: { legend: { show: false } },
  }));
  const address = `${base}/api/v1/view/dashboards/measure-fifty`;
  await fetch(address, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      dashboard: {
        schema: 'pharos/1',
        uid: 'measure-fifty',
        title: 'Fifty',
        time: { from: 'now-15m', to: 'now' },
        panels,
      },
    }),
  });
  for (let i = 0; i < 5; i++) {
    const context = await browser.newContext({ viewport: { width: 1900, height: 1300 } });
    const page = await context.newPage();
    const tools = await context.newCDPSession(page);
    await tools.send('Performance.enable');
    const started = performance.now();
    await page.goto(`${base}/d/measure-fifty`);
    await page.locator('.plot canvas').nth(49).waitFor({ timeout: 60_000 });
    show('dashboard of 50 panels, cold cache', performance.now() - started, 'ms');
    const { metrics } = await tools.send('Performance.getMetrics');
    const task = metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0;
    show("  of which the page's own thread worked", task * 1000, 'ms');
    await context.close();
  }
  await fetch(address, { method: 'DELETE' });
}

async function manySeries(): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  const page = await context.newPage();
  await page.route('**/api/v1/query_range*', async (route) => {
    const query = new URL(route.request().url()).searchParams;
    const result = Array.from({ length: 200 }, (_, i) => {
      const values: [number, string][] = [];
      for (let at = Number(query.get('start')); at <= Number(query.get('end')); at += Number(query.get('step')))
        values.push([at, String(Math.sin(at / 50 + i) + i)]);
      return { metric: { __name__: 'x', i: String(i) }, values };
    });
    await route.fulfill({ json: { status: 'success', data: { resultType: 'matrix', result } } });
  });
  await page.goto(`${base}/query?g0.expr=x&g0.step_input=1s&from=1795228000000&to=1795229000000`);
  await page.locator('.plot canvas').waitFor();
  await page.waitForTimeout(2000);
  const longest = (await page.evaluate(
    "new Promise((resolve) => { const seen = [0]; new PerformanceObserver((list) => { for (const one of list.getEntries()) seen.push(one.duration); }).observe({ type: 'longtask' }); const click = () => document.querySelector('.legend button').click(); click(); setTimeout(click, 1000); setTimeout(() => resolve(Math.max(...seen)), 3000); })",
  )) as number;
  show('drawing 200 series of 1,000 points anew, longest task (0: below 50 ms)', longest, 'ms');
  await context.close();
}

await firstPage();
await fiftyPanels();
await manySeries();
await browser.close();
