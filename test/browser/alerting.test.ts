// Alerting in a real browser: rules are made, changed and deleted; a panel becomes a rule; alerts are explained,
// acknowledged and silenced, also in windows that recur; an alertmanager alone has pages of its own.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { axe, pagesOf, skip } from './browser.ts';

const CONFIG = `route:
  receiver: ops
  group_by: [alertname]
  group_wait: 1s
receivers:
  - name: ops
    webhook_configs:
      - url: http://127.0.0.1:9/
`;

function writeConfig(folder: string): string {
  const file = `${folder}/alertmanager.yml`;
  fs.writeFileSync(file, CONFIG);
  return file;
}

const server = pagesOf({
  role: 'up',
  args: (folder) => [
    `--storage.tsdb.path=${folder}/data`,
    '--storage.shards=1',
    `--alertmanager.config.file=${writeConfig(folder)}`,
  ],
  ready: '/api/v1/query?query=up',
  isReady: (answer) => answer.includes('"value"'),
});

const alone = pagesOf({
  role: 'alertmanager',
  args: (folder) => [`--config.file=${writeConfig(folder)}`, `--storage.path=${folder}/am`],
  ready: '/-/ready',
});

type Rules = { data: { groups: { name: string; version: number; text: string }[] } };
const groups = async () => ((await server.call('GET', '/api/v1/rules/groups')) as Rules).data.groups;

test('an alerting rule is made, tried, changed and deleted', { skip }, async () => {
  const { page, faults, close } = await server.visit('/rules');
  page.on('dialog', (dialog) => dialog.accept());
  await page.getByRole('button', { name: 'New alert rule' }).click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('AnythingUp');
  await page.locator('.cm-content').click();
  await page.keyboard.type('up');
  // Escape closes the completions, not the dialog.
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.getByText('Nothing is compared').waitFor();
  await page.keyboard.type(' == 1');
  await page.getByRole('button', { name: 'Try it' }).click();
  await page.getByText(/^\d alerts? now$/).waitFor();
  await page.getByLabel('Holds for').fill('0');
  await page.getByLabel('Summary').fill('{{ $labels.job }} is up');
  await page.getByLabel('More labels').fill('team="web"');
  await page.getByRole('button', { name: 'Save rule' }).click();
  const section = page.locator('section[aria-label="alerts"]');
  await section.getByText('AnythingUp').waitFor();
  await section.getByRole('button', { name: 'Edit AnythingUp' }).click();
  assert.equal(await page.getByLabel('More labels').inputValue(), 'team="web"');
  await page.getByLabel('Holds for').fill('1s');
  await page.getByRole('button', { name: 'Save rule' }).click();
  await section.getByText('fires after 1s').waitFor();
  assert.match((await groups())[0]!.text, /alert: AnythingUp\s+expr: up == 1\s+for: 1s/);
  await section.getByRole('button', { name: 'Edit as YAML' }).click();
  const text = await page.getByLabel('The group as YAML').inputValue();
  await page.getByLabel('The group as YAML').fill(`${text}  - record: job:up:sum\n    expr: sum by (job) (up)\n`);
  await page.getByRole('button', { name: 'Save group' }).click();
  await section.getByText('job:up:sum', { exact: true }).waitFor();
  await section.getByRole('button', { name: 'Delete job:up:sum' }).click();
  await section.getByText('job:up:sum', { exact: true }).waitFor({ state: 'detached' });
  assert.deepEqual(faults, []);
  await close();
});

test('a rule whose selector never matched says so', { skip }, async () => {
  const group = { name: 'ghosts', interval: '1s', rules: [{ alert: 'Ghost', expr: 'no_such_metric > 0' }] };
  await server.call('PUT', '/api/v1/rules/groups/own/ghosts', group);
  const { page, close } = await server.visit('/rules');
  await page.locator('section[aria-label="ghosts"]').getByText('Never matched a series: no_such_metric').waitFor();
  await page.goto(`${server.base()}/alerts`);
  await page.locator('section[aria-label="Ghost"]').getByText('Never matched a series').first().waitFor();
  await close();
});

test('the alert is explained, acknowledged, silenced', { skip }, async () => {
  const { page, faults, close } = await server.visit('/alerts');
  const rule = page.locator('section[aria-label="AnythingUp"]');
  await rule.getByText('Firing').first().waitFor({ timeout: 60_000 });
  if ((await rule.getByRole('button', { name: 'Why?' }).count()) === 0) await rule.locator('.rule-head').click();
  await rule.getByRole('button', { name: 'Why?' }).first().click();
  await rule.getByText('The result').waitFor();
  assert.deepEqual(await axe(page), []);
  await page.goto(`${server.base()}/alert-groups`);
  const group = page.locator('section', { hasText: 'AnythingUp' }).first();
  await group.waitFor();
  await group.getByRole('button', { name: 'Acknowledge' }).first().click();
  await page.getByLabel('Your name').fill('Ada');
  await page.getByLabel('Comment').fill('looking');
  await page.getByRole('dialog').getByRole('button', { name: 'Acknowledge' }).click();
  await group.getByText('Acknowledged by Ada looking').waitFor();
  await group.getByRole('link', { name: 'Silence' }).first().click();
  await page.getByText(/^Would silence 1 alerts? now$/).waitFor();
  assert.equal(await page.getByLabel('Your name').inputValue(), 'Ada');
  await page.getByLabel('Why').fill('known');
  await page.getByLabel('End it when its alerts resolve').check();
  await page.getByRole('button', { name: 'Save silence' }).click();
  await page.getByText('ends when its alerts resolve').waitFor();
  assert.deepEqual(faults, []);
  await close();
});

type Silences = { comment: string; recurring?: unknown; status: { state: string } }[];

test('a silence recurs, is edited as it was given, and expires', { skip }, async () => {
  const { page, faults, close } = await server.visit('/silences?new=job%3D%22nightly%22', {
    timezoneId: 'Asia/Shanghai',
  });
  await page.getByLabel('Recurring: only within these windows').check();
  for (const day of ['Sat', 'Sun']) await page.getByText(day, { exact: true }).click();
  await page.getByLabel('Your name').fill('Ada');
  await page.getByLabel('Why').fill('backup');
  assert.deepEqual(await axe(page), []);
  await page.getByRole('button', { name: 'Save silence' }).click();
  const silence = page.locator('section[aria-label="backup"]');
  await silence.getByText('Sat Sun · 22:00–06:00 (+1) · Asia/Shanghai').waitFor();
  const stored = async () =>
    ((await server.call('GET', '/alertmanager/api/v2/silences')) as Silences).filter((one) => one.comment === 'backup');
  assert.deepEqual((await stored())[0]!.recurring, [
    {
      weekdays: ['saturday', 'sunday'],
      times: [{ start_time: '22:00', end_time: '24:00' }],
      location: 'Asia/Shanghai',
    },
    { weekdays: ['monday', 'sunday'], times: [{ start_time: '00:00', end_time: '06:00' }], location: 'Asia/Shanghai' },
  ]);
  await silence.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('To', { exact: true }).fill('23:00');
  await page.getByRole('button', { name: 'Save silence' }).click();
  await silence.getByText('Sat Sun · 22:00–23:00 · Asia/Shanghai').waitFor();
  await silence.getByRole('button', { name: 'Expire' }).click();
  await silence.waitFor({ state: 'detached' });
  assert.equal(
    (await stored()).every((one) => one.status.state === 'expired'),
    true,
  );
  assert.deepEqual(faults, []);
  await close();
});

test('a panel becomes a rule in force, with the way back to the panel', { skip }, async () => {
  const { page, faults, close } = await server.visit('/d/pharos');
  const panel = page.locator('section.panel', { has: page.locator('.plot canvas') }).first();
  await panel.waitFor();
  await panel.locator('.panel-menu').click();
  await page.getByRole('menuitem', { name: 'Make an alert rule' }).click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('FromPanel');
  await page.getByRole('button', { name: 'Save rule' }).click();
  await page.waitForURL(/\/rules$/);
  await page.locator('section[aria-label="pharos"]').getByText('FromPanel').waitFor();
  const group = (await groups()).find((one) => one.name === 'pharos');
  assert.match(group!.text, /dashboard: \S+\/d\/pharos\?viewPanel=\d+/);
  assert.deepEqual(faults, []);
  await close();
});

test('an alertmanager alone has its own pages, without errors', { skip }, async () => {
  await alone.call('POST', '/api/v2/alerts', [{ labels: { alertname: 'DiskFull' }, annotations: { summary: 'full' } }]);
  for (const address of ['/', '/silences', '/alert-history', '/route-tester?labels=alertname%3D%22X%22', '/status']) {
    const { page, faults, close } = await alone.visit(address);
    page.on(
      'response',
      (response) => response.status() >= 400 && faults.push(`${response.status()} ${response.url()}`),
    );
    await page.reload();
    await page.waitForSelector('h1');
    await page.waitForLoadState('networkidle');
    assert.deepEqual(await page.locator('nav a').allInnerTexts(), [
      'Alert groups',
      'Silences',
      'History',
      'Route tester',
      'Status',
    ]);
    assert.deepEqual(await page.locator('[role=alert]').allInnerTexts(), [], address);
    assert.deepEqual(await axe(page), [], address);
    assert.deepEqual(faults, [], address);
    await close();
  }
});

test("links of Alertmanager's own pages lead to the same here", { skip }, async () => {
  const { page, close } = await alone.visit('/#/silences/new?filter=%7Balertname%3D%22DiskFull%22%7D');
  await page.getByText('Would silence 1 alert now').waitFor();
  await page.goto(`${alone.base()}/#/alerts?receiver=ops`);
  await page.getByText('DiskFull').first().waitFor();
  await close();
});
