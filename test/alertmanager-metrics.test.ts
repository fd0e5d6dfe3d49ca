// The metrics of our alertmanager have the names, types and labels of upstream's: those of Debian's release are read off it, those
// that came later are listed here.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { peer } from './peers.ts';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');
const upstream = peer('prometheus-alertmanager', 'prometheus-alertmanager');

/** Of the runtime and of libraries, or gone since. */
const NOT_OURS =
  /^(go_|promhttp_|net_conntrack_|process_virtual_memory_|alertmanager_marked_alerts|alertmanager_config_hash$)/;

/** Since Debian's release: name, type, labels. */
const NEWER = `
alertmanager_alerts_limited_total counter
alertmanager_alerts_per_alert_limit gauge
alertmanager_alerts_subscriber_channel_writes_total counter subscriber
alertmanager_build_info gauge branch,goarch,goos,goversion,revision,tags,version
alertmanager_cluster_peer_name_conflicts_total counter
alertmanager_config_hash gauge
alertmanager_dispatcher_aggregation_group_creation_given_up_total counter
alertmanager_dispatcher_aggregation_group_creation_retries_total counter
alertmanager_dispatcher_aggregation_group_limit_reached_total counter
alertmanager_http_request_duration_seconds histogram code,handler,method
alertmanager_inhibition_rules gauge
alertmanager_nflog_maintenance_errors_total counter
alertmanager_nflog_maintenance_total counter
alertmanager_notifications_failed_total counter integration,reason
alertmanager_notifications_suppressed_total counter reason
alertmanager_silences_gc_errors_total counter
alertmanager_silences_maintenance_errors_total counter
alertmanager_silences_maintenance_total counter
alertmanager_silences_matcher_compile_errors_total counter stage
alertmanager_silences_matcher_index_size gauge
alertmanager_silences_query_silences_scanned_total counter
alertmanager_silences_query_silences_skipped_total counter
alertmanager_silences_state_size gauge
alertmanager_silences_version_index_size gauge
`;

/** Families that have samples: name -> type and labels. */
function familiesOf(text: string): Map<string, string> {
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
  const labels = new Map<string, Set<string>>();
  for (const [, sample, pairs = ''] of text.matchAll(/^([a-zA-Z_:]+)(?:\{(.*)\})? \S+$/gm)) {
    const name = types.has(sample!) ? sample! : sample!.replace(/_(bucket|sum|count)$/, '');
    const known = labels.get(name) ?? new Set();
    for (const [, label] of pairs.matchAll(/([a-zA-Z_]+)="/g))
      if (label !== 'le' && label !== 'quantile') known.add(label!);
    labels.set(name, known);
  }
  return new Map([...labels].map(([name, known]) => [name, `${types.get(name)} ${[...known].sort()}`.trim()]));
}

async function metricsOf(t: TestContext, command: string, args: readonly string[]): Promise<Map<string, string>> {
  const folder = temporaryFolder(t);
  const hook = http.createServer((request, response) => request.resume().on('end', () => response.end()));
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  t.after(() => hook.close());
  fs.writeFileSync(
    path.join(folder, 'am.yml'),
    `
route: { receiver: hook, group_wait: 0s }
receivers: [{ name: hook, webhook_configs: [{ url: 'http://127.0.0.1:${(hook.address() as net.AddressInfo).port}/' }] }]
`,
  );
  const port = await freePort();
  start(t, command, [
    ...args,
    `--config.file=${folder}/am.yml`,
    `--storage.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    `--cluster.listen-address=127.0.0.1:${await freePort()}`,
    '--cluster.advertise-address=127.0.0.1:9094',
  ]);
  const url = `http://127.0.0.1:${port}`;
  await eventually('it is ready', () => get(`${url}/-/ready`));
  const headers = { 'content-type': 'application/json' };
  const alerts = JSON.stringify([{ labels: { alertname: 'Up' } }]);
  await fetch(`${url}/api/v2/alerts`, { method: 'POST', headers, body: alerts });
  const read = async () => familiesOf((await get(`${url}/metrics`))!);
  await eventually('it has notified', async () =>
    / [1-9]/.test(
      /^alertmanager_notifications_total\{integration="webhook".*$/m.exec((await get(`${url}/metrics`))!)?.[0] ?? '',
    ),
  );
  await read();
  return read();
}

test('every metric of upstream is there, with its type and labels', { skip: upstream.skip }, async (t) => {
  const theirs = await metricsOf(t, upstream.path, []);
  const ours = await metricsOf(t, LAUNCHER, ['alertmanager']);
  const expected = new Map([...theirs].filter(([name]) => !NOT_OURS.test(name)));
  for (const line of NEWER.trim().split('\n')) {
    const [name = '', ...rest] = line.split(' ');
    expected.set(name, rest.join(' '));
  }
  const found = new Map([...ours].filter(([name]) => expected.has(name)));
  assert.deepEqual(Object.fromEntries([...found].sort()), Object.fromEntries([...expected].sort()));
});
