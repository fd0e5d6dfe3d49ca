// What a newcomer does first: start it, look at it, stop it. One real sample goes all the way.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');

const config = (port: number) => `
global: { scrape_interval: 1s, scrape_timeout: 1s, external_labels: { where: here } }
scrape_configs:
  - job_name: pharos
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
`;

type QueryAnswer = { data: { result: { metric: Record<string, string>; value: [number, string] }[] } };

for (const shards of [1, 2]) {
  test(`one sample goes all the way, with ${shards} shards`, async (t) => {
    const folder = temporaryFolder(t);
    const port = await freePort();
    fs.writeFileSync(path.join(folder, 'prometheus.yml'), config(port));
    const url = `http://127.0.0.1:${port}`;
    const args = [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--storage.shards=${shards}`,
    ];
    const server = start(t, LAUNCHER, ['server', ...args]);
    await eventually('the server is ready', () => get(`${url}/-/ready`));
    assert.match((await get(`${url}/-/healthy`)) ?? '', /is Healthy/);
    const up = await eventually('up is stored', async () => {
      const answer = JSON.parse((await get(`${url}/api/v1/query?query=up`)) ?? '{}') as QueryAnswer;
      return answer.data?.result[0];
    });
    assert.deepEqual([up.metric, up.value[1]], [{ __name__: 'up', instance: `127.0.0.1:${port}`, job: 'pharos' }, '1']);
    assert.match((await get(`${url}/targets`)) ?? '', /<!doctype html>/i, 'a page is served');
    assert.match((await get(`${url}/metrics`)) ?? '', /^prometheus_build_info\{/m);
    assert.match((await get(`${url}/version`)) ?? '', /"version":"3\./);
    assert.equal(await server.stop('SIGTERM'), 0, server.output());

    const again = start(t, LAUNCHER, ['server', ...args]);
    await eventually('it is ready again', () => get(`${url}/-/ready`));
    const old = JSON.parse((await get(`${url}/api/v1/query?query=up&time=${up.value[0]}`)) ?? '{}') as QueryAnswer;
    assert.equal(old.data.result[0]?.value[1], '1', 'what was stored is there after a restart');
    again.process.kill('SIGINT');
    again.process.kill('SIGINT');
    const code = await again.stop('SIGINT');
    assert.ok(code === 130 || code === 0, `exit ${code}`);
  });
}

test('the command explains itself and its mistakes', async (t) => {
  const run = async (...args: string[]) => {
    const running = start(t, LAUNCHER, args);
    const code = await new Promise((resolve) => running.process.once('close', resolve));
    return { code, output: running.output() };
  };
  const help = await run('help');
  assert.deepEqual([help.code, /^ {2}server /m.test(help.output)], [0, true]);
  const server = await run('server', '--help');
  assert.deepEqual([server.code, /--storage\.tsdb\.path="data\/"/.test(server.output)], [0, true]);
  assert.match((await run('--version')).output, /^pharos, version \d+\.\d+\.\d+/);
  const mistake = await run('server', '--config.fil=x');
  assert.deepEqual(mistake, { code: 2, output: 'pharos: unknown flag --config.fil, did you mean --config.file?\n' });
  assert.deepEqual((await run('sever')).output, 'pharos: unknown role sever, did you mean server?\n');
  const missing = await run('server', '--config.file=/nonexistent.yml');
  assert.deepEqual(
    [missing.code, missing.output.split('\n').at(-2)],
    [2, 'pharos: cannot read the configuration: there is no file /nonexistent.yml'],
  );
});
