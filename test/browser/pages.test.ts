// The pages in a real browser against a running `pharos up`: each shows its data, passes axe's WCAG AA rules in both themes,
// asks no other host, works in Chinese, on a narrow screen, and below a path prefix.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axe, pagesOf, skip } from './browser.ts';

const { base, visit } = pagesOf({
  role: 'up',
  prefix: '/some/prefix',
  ready: '/api/v1/query?query=up',
  isReady: (answer) => answer.includes('"value"'),
});

const PAGES: readonly (readonly [address: string, heading: string])[] = [
  ['/', ''],
  ['/dashboards', 'Dashboards'],
  ['/query?g0.expr=up&g0.tab=graph', 'Explore'],
  ['/query?g0.expr=up&g0.tab=table', 'Explore'],
  ['/graph?g0.expr=up&g0.tab=1', 'Explore'],
  ['/metric-browser?metric=up', 'Metrics'],
  ['/targets', 'Targets'],
  ['/service-discovery', 'Service discovery'],
  ['/config', 'Configuration'],
  ['/flags', 'Flags'],
  ['/status', 'Status'],
  ['/tsdb-status', 'Storage'],
  ['/cardinality', 'Cardinality'],
  ['/queries', 'Queries'],
  ['/shards', 'Shards'],
  ['/alerts', 'Alerts'],
  ['/rules', 'Rules'],
  ['/alert-history', 'History'],
  ['/alert-groups', 'Alert groups'],
  ['/silences?new=alertname%3D%22X%22', 'Silences'],
  ['/route-tester?labels=alertname%3D%22X%22', 'Route tester'],
  ['/push-groups', 'Push groups'],
  ['/data-sources', 'Data sources'],
  ['/alertmanager-discovery', ''],
  ['/d/hosts', ''],
];

test('every page stands, is accessible and asks nobody else', { skip }, async (t) => {
  for (const [address, heading] of PAGES) {
    await t.test(address, async () => {
      const { page, faults, close } = await visit(address);
      await page.waitForSelector('h1');
      await page.waitForLoadState('networkidle');
      if (heading) assert.equal(await page.locator('h1').first().innerText(), heading);
      assert.deepEqual(await page.locator('[role=alert]').allInnerTexts(), [], 'failures on the page');
      assert.deepEqual(await axe(page), []);
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.reload();
      await page.waitForSelector('h1');
      await page.waitForLoadState('networkidle');
      assert.deepEqual(await axe(page), [], 'in the dark');
      assert.deepEqual(faults, []);
      await close();
    });
  }
});

test('a query is typed, run, drawn and listed', { skip }, async () => {
  const { page, faults, close } = await visit('/query');
  const editor = page.locator('.cm-content').first();
  await editor.click();
  await page.keyboard.type('vector(1) + 1');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Run' }).click();
  await page.waitForSelector('.plot canvas');
  assert.match(page.url(), /g0\.expr=vector%281%29\+%2B\+1/);
  await page.getByRole('tab', { name: 'Table' }).click();
  await page.waitForSelector('table.data tbody tr');
  assert.equal(await page.locator('table.data tbody tr td.num').first().innerText(), '2');
  await page.getByRole('tab', { name: 'Explain' }).click();
  await page.getByText('binaryExpr').first().waitFor();
  assert.deepEqual(faults, []);
  await close();
});

test('a wrong query says what is wrong and how to get on', { skip }, async () => {
  const { page, close } = await visit('/query?g0.expr=sum(up&g0.tab=table');
  const alert = page.getByRole('alert').first();
  await alert.waitFor();
  const said = await alert.innerText();
  assert.match(said, /parse error/);
  assert.match(said, /Change what the message names/);
  await page.goto(`${base()}/query?g0.expr=no_such_metric_at_all&g0.tab=table`);
  await page.getByText('No series is called no_such_metric_at_all').waitFor();
  await close();
});

test('Chinese, dark, narrow', { skip }, async () => {
  const { page, faults, close } = await visit('/targets', {
    locale: 'zh-CN',
    colorScheme: 'dark',
    viewport: { width: 390, height: 800 },
  });
  await page.waitForSelector('h1');
  assert.equal(await page.locator('h1').innerText(), '抓取目标');
  await page.waitForLoadState('networkidle');
  assert.ok(
    await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth'),
    'the page scrolls sideways',
  );
  assert.deepEqual(await axe(page), []);
  assert.deepEqual(faults, []);
  await close();
});

const NARROW = [
  '/',
  '/query?g0.expr=up',
  '/metric-browser?metric=up',
  '/alerts',
  '/rules',
  '/silences',
  '/data-sources',
  '/d/pharos',
];

test('no page scrolls sideways on a narrow screen, in both languages', { skip }, async (t) => {
  for (const address of NARROW)
    for (const locale of ['en-US', 'zh-CN'])
      await t.test(`${address} ${locale}`, async () => {
        const { page, close } = await visit(address, { locale, viewport: { width: 390, height: 800 } });
        await page.waitForSelector('h1');
        await page.waitForLoadState('networkidle');
        assert.equal(await page.evaluate('Math.max(0, document.documentElement.scrollWidth - window.innerWidth)'), 0);
        await close();
      });
});

test('a dashboard is imported, edited, saved, and has versions', { skip }, async () => {
  const { page, faults, close } = await visit('/dashboards');
  await page.getByRole('button', { name: 'Import' }).click();
  const classic = {
    title: 'From elsewhere',
    schemaVersion: 16,
    panels: [
      {
        id: 1,
        type: 'graph',
        title: 'Ups',
        gridPos: { x: 0, y: 0, w: 24, h: 8 },
        targets: [{ expr: 'up', legendFormat: '{{job}}' }],
      },
      { id: 2, type: 'odd-panel', title: 'Odd', gridPos: { x: 0, y: 8, w: 12, h: 4 } },
    ],
  };
  await page.getByLabel('JSON of the dashboard').fill(JSON.stringify(classic));
  await page.getByText('panels of type "odd-panel" have no counterpart').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Import' }).click();
  await page.waitForURL(/\/d\/from-elsewhere/);
  await page.locator('section[aria-label="Ups"] .plot canvas').waitFor();
  await page.getByRole('button', { name: 'Dashboard menu' }).click();
  await page.getByRole('menuitem', { name: 'Edit' }).click();
  await page.getByRole('button', { name: 'Add panel' }).click();
  await page.getByLabel('Title').first().fill('Mine');
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('button', { name: 'Dashboard menu' }).waitFor();
  const stored = (await (await fetch(`${base()}/api/v1/view/dashboards/from-elsewhere`)).json()) as {
    data: { dashboard: { panels: { title: string }[] }; meta: { version: number } };
  };
  assert.deepEqual(
    { titles: stored.data.dashboard.panels.map((panel) => panel.title), version: stored.data.meta.version },
    { titles: ['Ups', 'Odd', 'Mine'], version: 2 },
  );
  assert.deepEqual(faults, []);
  await close();
});

test('what is loaded before anything is shown stays small', { skip }, async () => {
  const { page, close } = await visit('/targets');
  await page.waitForSelector('h1');
  await page.waitForLoadState('networkidle');
  const bytes = (await page.evaluate(
    "performance.getEntriesByType('resource').filter((one) => one.name.endsWith('.js')).reduce((sum, one) => sum + one.encodedBodySize, 0)",
  )) as number;
  assert.ok(bytes > 10_000 && bytes <= 250_000, `${bytes} bytes of script`);
  await close();
});
