// Debian's amtool against the role `alertmanager`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { peer } from './peers.ts';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const run = promisify(execFile);
const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');
const amtool = peer('amtool', 'prometheus-alertmanager');

const TOOLS = [
  { name: 'amtool', command: amtool.path, before: [], skip: amtool.skip },
  { name: 'pharos am', command: LAUNCHER, before: ['am'], skip: false },
] as const;

for (const { name, command, before, skip } of TOOLS)
  test(`${name} adds, queries, silences, expires and tests routes`, { skip }, async (t) => {
    const folder = temporaryFolder(t);
    const port = await freePort();
    fs.writeFileSync(
      path.join(folder, 'am.yml'),
      `
route: { receiver: all, group_by: [alertname], routes: [{ matchers: [team="db"], receiver: db }] }
receivers: [{ name: all }, { name: db, webhook_configs: [{ url: 'http://127.0.0.1:1/secret-path' }] }]
`,
    );
    const server = start(t, LAUNCHER, [
      'alertmanager',
      `--config.file=${folder}/am.yml`,
      `--storage.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const url = `http://127.0.0.1:${port}`;
    await eventually('the alertmanager is ready', () => get(`${url}/-/ready`));
    assert.match(server.output(), /msg="Listening on" address=127\.0\.0\.1:\d+/);
    const tool = async (...args: string[]) =>
      (await run(command, [...before, `--alertmanager.url=${url}`, ...args])).stdout;
    await tool('alert', 'add', 'alertname=Slow', 'team=db', '--annotation=summary=it is slow');
    await tool('alert', 'add', 'alertname=Down', 'team=web');
    assert.match(await tool('alert', 'query'), /Slow .*it is slow/);
    assert.doesNotMatch(await tool('alert', 'query', 'team=web'), /Slow/);
    const id = (await tool('silence', 'add', 'team=web', '--comment=work', '--duration=1h')).trim();
    assert.match(await tool('silence', 'query'), new RegExp(`${id} +team="web" .*work`));
    await eventually('the silence holds', async () => !(await tool('alert', 'query')).includes('Down'));
    await tool('silence', 'expire', id);
    assert.match(await tool('alert', 'query'), /Down/);
    assert.equal((await tool('config', 'routes', 'test', 'team=db')).trim(), 'db');
    const shown = await tool('config', 'show');
    assert.match(shown, /receiver: db/);
    assert.doesNotMatch(shown, /secret-path/);
    fs.writeFileSync(path.join(folder, 'am.yml'), 'route: {}\n');
    const reload = await fetch(`${url}/-/reload`, { method: 'POST' });
    assert.deepEqual(
      [reload.status, /root route must specify a default receiver/.test(await reload.text())],
      [500, true],
    );
    assert.match(await tool('config', 'show'), /receiver: db/, 'the configuration before stays in force');
  });
