// The pages without a mouse: the skip link, the navigation, menus, dialogs and the query editor, which must not trap the focus.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { pagesOf, skip } from './browser.ts';

const server = pagesOf({
  role: 'up',
  ready: '/api/v1/query?query=up',
  isReady: (answer) => answer.includes('"value"'),
});

const focused = (page: Page) =>
  page.evaluate(
    "(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent || '').trim()",
  );

/** Presses Tab until the focus is there; fails when it never comes. */
async function tabTo(page: Page, name: string | RegExp, most = 120): Promise<void> {
  const seen: unknown[] = [];
  for (let i = 0; i < most; i++) {
    await page.keyboard.press('Tab');
    const now = (await focused(page)) as string;
    seen.push(now.slice(0, 30));
    if (typeof name === 'string' ? now === name : name.test(now)) return;
  }
  assert.fail(`the focus never reached ${String(name)}: ${seen.join(' | ')}`);
}

test('skip link, navigation, reload', { skip }, async () => {
  const { page, close } = await server.visit('/targets');
  await page.waitForSelector('h1');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Skip to content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate('document.activeElement.id'), 'content');
  await page.reload();
  await page.waitForSelector('h1');
  await tabTo(page, 'Silences');
  const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
  assert.notEqual(outline, 'none', 'the focus is not seen');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/silences$/);
  await close();
});

test('a dialog takes the focus, keeps it, and gives it back', { skip }, async () => {
  const { page, close } = await server.visit('/dashboards');
  await page.waitForSelector('h1');
  await tabTo(page, 'Import');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate("document.activeElement.closest('[role=dialog]') !== null"), true);
  }
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(await focused(page), 'Import');
  await close();
});

test("a panel's menu is opened, walked and closed", { skip }, async () => {
  const { page, close } = await server.visit('/d/pharos');
  await page.locator('section.panel').first().waitFor();
  await tabTo(page, /^Menu of /);
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'View large' }).waitFor();
  await page.keyboard.press('ArrowDown');
  assert.match((await focused(page)) as string, /View large|Edit/);
  await page.keyboard.press('Escape');
  await page.getByRole('menuitem', { name: 'View large' }).waitFor({ state: 'detached' });
  await close();
});

test('a query is typed and run, and Tab leaves the editor', { skip }, async () => {
  const { page, close } = await server.visit('/query');
  await page.locator('.cm-content').waitFor();
  await page.locator('.cm-content').focus();
  await page.keyboard.type('vector(1)');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await page.waitForURL(/vector/);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate("document.activeElement.closest('.cm-content') === null"), true, 'a trap');
  await close();
});
