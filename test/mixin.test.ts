// The metrics that the public Prometheus mixin draws and alerts on: every name is there, with the labels that its queries use.
// The list is ours, worked out from what the mixin asks for; the old names of remote write, which it takes where they are, are not in it.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');

/** Name, and the labels that queries select or group by. */
const WANTED = `
prometheus_build_info version
process_start_time_seconds
prometheus_config_last_reload_successful
prometheus_engine_queries
prometheus_engine_queries_concurrent_max
prometheus_engine_query_duration_seconds quantile slice
prometheus_engine_query_duration_seconds_count slice
prometheus_notifications_alertmanagers_discovered
prometheus_notifications_errors_total alertmanager
prometheus_notifications_queue_capacity
prometheus_notifications_queue_length
prometheus_notifications_sent_total alertmanager
prometheus_remote_storage_enqueue_retries_total remote_name url
prometheus_remote_storage_queue_highest_sent_timestamp_seconds remote_name url
prometheus_remote_storage_queue_highest_timestamp_seconds remote_name url
prometheus_remote_storage_samples_dropped_total remote_name url reason
prometheus_remote_storage_samples_failed_total remote_name url
prometheus_remote_storage_samples_in_total
prometheus_remote_storage_samples_pending remote_name url
prometheus_remote_storage_samples_retried_total remote_name url
prometheus_remote_storage_samples_total remote_name url
prometheus_remote_storage_shard_capacity remote_name url
prometheus_remote_storage_shards remote_name url
prometheus_remote_storage_shards_desired remote_name url
prometheus_remote_storage_shards_max remote_name url
prometheus_remote_storage_shards_min remote_name url
prometheus_rule_evaluation_failures_total rule_group
prometheus_rule_group_iterations_missed_total rule_group
prometheus_rule_group_rules rule_group
prometheus_sd_discovered_targets name config
prometheus_sd_kubernetes_failures_total
prometheus_sd_refresh_failures_total mechanism config
prometheus_target_interval_length_seconds_count interval
prometheus_target_interval_length_seconds_sum interval
prometheus_target_metadata_cache_entries scrape_job
prometheus_target_scrape_pool_exceeded_label_limits_total
prometheus_target_scrape_pool_exceeded_target_limit_total
prometheus_target_scrapes_exceeded_body_size_limit_total
prometheus_target_scrapes_exceeded_sample_limit_total
prometheus_target_scrapes_sample_duplicate_timestamp_total
prometheus_target_scrapes_sample_out_of_bounds_total
prometheus_target_scrapes_sample_out_of_order_total
prometheus_target_sync_failed_total scrape_job
prometheus_target_sync_length_seconds_sum scrape_job
prometheus_tsdb_clean_start
prometheus_tsdb_compactions_failed_total
prometheus_tsdb_head_chunks
prometheus_tsdb_head_samples_appended_total
prometheus_tsdb_head_series
prometheus_tsdb_reloads_failures_total
prometheus_tsdb_wal_segment_current
prometheus_wal_watcher_current_segment consumer
`;

test('all metrics of the public mixin are exported with their labels', async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const targets = path.join(folder, 'targets.json');
  fs.writeFileSync(targets, '[]');
  fs.writeFileSync(
    path.join(folder, 'p.yml'),
    `
global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [rules.yml]
alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:1'] }] }] }
scrape_configs:
  - job_name: itself
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
  - job_name: listed
    http_sd_configs: [{ url: 'http://127.0.0.1:1/', refresh_interval: 1s }]
remote_write:
  - { url: 'http://127.0.0.1:1/w', name: there }
`,
  );
  fs.writeFileSync(
    path.join(folder, 'rules.yml'),
    'groups: [{ name: g, rules: [{ alert: Always, expr: vector(1) }, { record: "a:b", expr: vector(1) }] }]\n',
  );
  const run = () =>
    start(t, LAUNCHER, [
      'server',
      `--config.file=${folder}/p.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--storage.shards=2',
    ]);
  const url = `http://127.0.0.1:${port}`;
  const first = run();
  await eventually('a scrape, and another', async () => {
    const answer = await get(
      `${url}/api/v1/query?query=${encodeURIComponent('count_over_time(up{job="itself"}[1m])>2')}`,
    );
    return answer?.includes('"value"');
  });
  const page = await eventually('failed alerts', async () => {
    const found = (await get(`${url}/metrics`)) ?? '';
    return /^prometheus_notifications_errors_total\{.* [1-9]/m.test(found) && found;
  });
  for (const line of WANTED.trim().split('\n')) {
    const [name = '', ...labels] = line.split(' ');
    const series = page.split('\n').filter((text) => text.startsWith(`${name}{`) || text.startsWith(`${name} `));
    assert(series.length > 0, `${name} is not exported`);
    assert(
      series.some((text) => labels.every((label) => new RegExp(`[{,]${label}="`).test(text))),
      `${name} has no series with ${labels.join(', ')}: ${series[0]}`,
    );
  }
  const value = (text: string, name: string) =>
    Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
  assert.equal(value(page, 'prometheus_sd_discovered_targets\\{config="itself",name="scrape"\\}'), 1);
  assert.equal(value(page, 'prometheus_tsdb_clean_start'), 1);
  await first.stop('SIGKILL');
  const second = run();
  await eventually('ready again', () => get(`${url}/-/ready`));
  assert.equal(value((await get(`${url}/metrics`)) ?? '', 'prometheus_tsdb_clean_start'), 0);
  assert.equal(await second.stop(), 0, second.output());
  const third = run();
  await eventually('ready once more', () => get(`${url}/-/ready`));
  assert.equal(value((await get(`${url}/metrics`)) ?? '', 'prometheus_tsdb_clean_start'), 1);
  assert.equal(await third.stop(), 0, third.output());
});
