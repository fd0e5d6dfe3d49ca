// The server goes away while a page is open: every page says what failed and how to get on, and recovers by itself or by
// "Try again" once the server is back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pagesOf, skip } from './browser.ts';

const server = pagesOf({
  role: 'up',
  ready: '/api/v1/query?query=up',
  isReady: (answer) => answer.includes('"value"'),
});

test('targets, a dashboard and Explore while the server is unreachable, and after', { skip }, async (t) => {
  const open = async (address: string) => {
    const visit = await server.visit(address);
    await visit.page.waitForSelector('h1');
    await visit.page.waitForLoadState('networkidle');
    return visit;
  };
  /** As if the server had died: every request fails as it does then. */
  const cut = (visit: Awaited<ReturnType<typeof open>>) => visit.page.context().setOffline(true);
  const back = (visit: Awaited<ReturnType<typeof open>>) => visit.page.context().setOffline(false);

  await t.test('/targets asks again by itself', async () => {
    const visit = await open('/targets');
    const { page } = visit;
    await cut(visit);
    const alert = page.getByRole('alert');
    await alert.waitFor({ timeout: 60_000 });
    assert.match(await alert.innerText(), /The targets could not be loaded[\s\S]*Check that it runs/);
    assert.ok((await page.locator('table.data tbody tr').count()) > 0, 'what was there is still shown');
    await back(visit);
    await alert.waitFor({ state: 'detached', timeout: 60_000 });
    await visit.close();
  });

  await t.test('/query says what failed, and works again', async () => {
    const visit = await open('/query?g0.expr=up&g0.tab=table');
    const { page } = visit;
    await cut(visit);
    await page.getByRole('button', { name: 'Run' }).click();
    const alert = page.getByRole('alert').first();
    await alert.waitFor({ timeout: 60_000 });
    assert.match(await alert.innerText(), /The query failed[\s\S]*Check that it runs/);
    await back(visit);
    await alert.getByRole('button', { name: 'Try again' }).click();
    await page.locator('table.data tbody tr').first().waitFor();
    await visit.close();
  });

  await t.test('a dashboard keeps its drawings and names what failed', async () => {
    const visit = await open('/d/pharos?refresh=5s');
    const { page } = visit;
    await page.locator('.plot canvas').first().waitFor();
    await cut(visit);
    const sign = page.locator('section.panel header [aria-label*="fetch"]').first();
    await sign.waitFor({ timeout: 60_000 });
    await back(visit);
    await sign.waitFor({ state: 'detached', timeout: 60_000 });
    await page.locator('.plot canvas').first().waitFor();
    await visit.close();
  });
});
