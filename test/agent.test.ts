// The agent through a bad day: its remote is away, the agent is killed, and afterwards every sample it scraped is there.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { peer } from './peers.ts';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');
const prometheus = peer('prometheus', 'prometheus');

type Matrix = { data?: { result: { values: [number, string][] }[] } };

test('an agent loses nothing by an outage and a kill', { skip: prometheus.skip }, async (t) => {
  const folder = temporaryFolder(t);
  const [agentPort, remotePort] = [await freePort(), await freePort()];
  fs.writeFileSync(path.join(folder, 'empty.yml'), '');
  fs.writeFileSync(
    path.join(folder, 'agent.yml'),
    `
global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs:
  - job_name: agent
    static_configs: [{ targets: ['127.0.0.1:${agentPort}'] }]
remote_write:
  - url: http://127.0.0.1:${remotePort}/api/v1/write
    queue_config: { batch_send_deadline: 50ms, max_backoff: 100ms }
`,
  );
  const startAgent = () =>
    start(t, LAUNCHER, [
      'agent',
      `--config.file=${folder}/agent.yml`,
      `--storage.agent.path=${folder}/agent`,
      `--web.listen-address=127.0.0.1:${agentPort}`,
      '--storage.shards=2',
    ]);
  const agentUrl = `http://127.0.0.1:${agentPort}`;
  const pending = async () => {
    const page = (await get(`${agentUrl}/metrics`)) ?? '';
    return Number(/^prometheus_remote_storage_samples_pending\S* (\d+)/m.exec(page)?.[1] ?? 0);
  };

  // Nobody listens where the agent sends.
  const first = startAgent();
  await eventually('the agent is ready', () => get(`${agentUrl}/-/ready`));
  const once = await eventually('a scrape waits', async () => (await pending()) || undefined);
  await eventually('more scrapes wait', async () => (await pending()) > 4 * once);
  await first.stop('SIGKILL');
  const killedAt = Date.now();

  const startRemote = () =>
    start(t, prometheus.path, [
      `--config.file=${folder}/empty.yml`,
      `--storage.tsdb.path=${folder}/remote`,
      `--web.listen-address=127.0.0.1:${remotePort}`,
      '--web.enable-remote-write-receiver',
    ]);
  const remote = startRemote();
  const again = startAgent();
  const ups = async () => {
    const query = `up{job="agent"}[10m]`;
    const url = `http://127.0.0.1:${remotePort}/api/v1/query?query=${encodeURIComponent(query)}`;
    return ((JSON.parse((await get(url)) ?? '{}') as Matrix).data?.result[0]?.values ?? []).map(
      ([time]) => time * 1000,
    );
  };
  const times = await eventually('samples of both lives', async () => {
    const all = await ups();
    return all.some((time) => time < killedAt) && all.some((time) => time > killedAt) ? all : undefined;
  });
  const before = times.filter((time) => time < killedAt);
  // Scraped every 200 ms: a lost sample would leave a hole.
  for (let i = 1; i < before.length; i++) {
    const hole = before[i]! - before[i - 1]!;
    assert.ok(hole < 5000, `${hole} ms between samples ${i - 1} and ${i} of ${before.length}`);
  }
  assert.ok(before.length >= 2, `${before.length} samples from before the kill`);

  // The remote goes and comes back on its own data: what was scraped meanwhile arrives, in order, next to what it had.
  await remote.stop('SIGKILL');
  const goneAt = Date.now();
  await eventually('scrapes pile up', async () => (await pending()) > 20 * once);
  const backAt = Date.now();
  startRemote();
  const later = await eventually('samples of the outage and after it', async () => {
    const all = await ups();
    return all.some((time) => time > backAt + 1000) ? all : undefined;
  });
  const during = later.filter((time) => time > goneAt - 2000 && time < backAt + 1000);
  assert.ok(during.length >= 10, `${during.length} samples around the outage`);
  for (let i = 1; i < during.length; i++) {
    const hole = during[i]! - during[i - 1]!;
    assert.ok(hole < 2000, `${hole} ms between samples ${i - 1} and ${i} of ${during.length} around the outage`);
  }
  const failed = /^prometheus_remote_storage_samples_failed_total\S* (\d+)/m.exec(
    (await get(`${agentUrl}/metrics`)) ?? '',
  );
  assert.equal(failed?.[1], '0', 'nothing was refused');
  assert.match((await get(`${agentUrl}/metrics`)) ?? '', /^prometheus_config_last_reload_successful 1$/m);
  assert.equal(await again.stop('SIGTERM'), 0, again.output());
});

test('an agent says what it cannot do', async (t) => {
  const folder = temporaryFolder(t);
  const run = async (text: string) => {
    fs.writeFileSync(path.join(folder, 'agent.yml'), text);
    const running = start(t, LAUNCHER, [
      'agent',
      `--config.file=${folder}/agent.yml`,
      '--web.listen-address=127.0.0.1:0',
    ]);
    const code = await new Promise((resolve) => running.process.once('close', resolve));
    assert.equal(code, 2, running.output());
    return running.output();
  };
  assert.match(await run('remote_read: [{url: "http://a"}]\n'), /field remote_read is not allowed in agent mode/);
  const alerting = 'alerting: {alert_relabel_configs: [{source_labels: [a], target_label: b}]}\n';
  assert.match(await run(alerting), /field alerting is not allowed in agent mode/);
  assert.match(await run('rule_files: [a.yml]\n'), /field rule_files is not allowed in agent mode/);
});
