// Jobs from configuration text: defaults, what global values fill in, what is refused and where.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadYaml } from '#base/config/load.ts';
import { list, object, withDefault } from '#base/config/schema.ts';
import { DEFAULT_GLOBAL, globalSection, jobSection, jobsFrom, type ScrapeJob } from './config.ts';

const schema = object({
  global: withDefault(globalSection, DEFAULT_GLOBAL),
  scrape_configs: list(jobSection((file) => `/etc/${file}`)),
});

function load(text: string): ScrapeJob[] {
  const { global, scrape_configs } = loadYaml(text, schema, 'p.yml');
  return jobsFrom(scrape_configs, global, {}, (index, message) => {
    throw new Error(`scrape_configs[${index}]: ${message}`);
  });
}

test('a job with nothing but a name has the documented defaults', () => {
  const [job] = load('scrape_configs: [{job_name: a}]');
  assert.equal(job?.intervalMs, 60_000);
  assert.equal(job.timeoutMs, 10_000);
  assert.equal(job.metricsPath, '/metrics');
  assert.equal(job.scheme, 'http');
  assert.deepEqual(job.spec.protocols, [
    'OpenMetricsText1.0.0',
    'OpenMetricsText0.0.1',
    'PrometheusText1.0.0',
    'PrometheusText0.0.4',
  ]);
  assert.equal(job.spec.honorTimestamps, true);
  assert.equal(job.spec.escaping, 'allow-utf-8');
  assert.equal(job.spec.http.followRedirects, true);
});

test('global values fill in what a job leaves out', () => {
  const [a, b] = load(`
global:
  scrape_interval: 5s
  sample_limit: 10
  body_size_limit: 1MB
  metric_name_validation_scheme: legacy
  scrape_native_histograms: true
  scrape_failure_log_file: fail.log
scrape_configs:
  - job_name: a
  - job_name: b
    scrape_interval: 1m
    sample_limit: 20
    scrape_native_histograms: false
    metric_name_validation_scheme: utf8
    bearer_token_file: token
    static_configs: [{targets: ['x:1'], labels: {l: v}}]
`);
  assert.deepEqual([a?.intervalMs, a?.timeoutMs, a?.spec.limits.samples], [5000, 5000, 10]);
  assert.deepEqual([b?.intervalMs, b?.timeoutMs, b?.spec.limits.samples], [60_000, 5000, 20]);
  assert.equal(a?.spec.limits.bodySizeBytes, 1 << 20);
  assert.equal(a.spec.escaping, 'underscores');
  assert.equal(b?.spec.escaping, 'allow-utf-8');
  assert.equal(a.spec.protocols[0], 'PrometheusProto');
  assert.equal(b.spec.protocols[0], 'OpenMetricsText1.0.0');
  assert.equal(a.spec.failureLogFile, '/etc/fail.log');
  assert.deepEqual(b.spec.http.authorization, { type: 'Bearer', credentials: { file: '/etc/token' } });
  assert.deepEqual(b.discoveries, [{ key: 'static_configs', config: { targets: ['x:1'], labels: { l: 'v' } } }]);
});

test('what is wrong is refused at its place', () => {
  const refused = (text: string, expected: RegExp) => assert.throws(() => load(text), expected, text);
  refused('scrape_configs: [{job_name: ""}]', /p\.yml:1:\d+: scrape_configs\[0\]\.job_name: job_name is empty/);
  refused('scrape_configs: [{}]', /scrape_configs\[0\]\.job_name: field job_name is required/);
  refused('scrape_configs: [{job_name: a}, {job_name: a}]', /found multiple scrape configs with job name "a"/);
  refused(
    'scrape_configs: [{job_name: a, scrape_timeout: 2m}]',
    /scrape timeout greater than scrape interval for scrape config with job name "a"/,
  );
  refused(
    'scrape_configs:\n- job_name: a\n  scrape_intervall: 1s',
    /p\.yml:3:3: .*field scrape_intervall is not known.*did you mean scrape_interval/,
  );
  refused(
    'scrape_configs: [{job_name: a, static_configs: [{targets: ["http://x/y"]}]}]',
    /"http:\/\/x\/y" is not a valid hostname/,
  );
  refused(
    'scrape_configs: [{job_name: a, ec2_sd_configs: [{region: b}]}]',
    /ec2_sd_configs: discovery by ec2 is not built in; .*http_sd_configs/,
  );
  refused('scrape_configs: [{job_name: a, basic_auth: {username: u}, bearer_token: t}]', /at most one of basic_auth/);
  refused('scrape_configs: [{job_name: a, tls_config: {cert_file: c}}]', /tls_config\.key: .*must be configured/);
  refused(
    'scrape_configs: [{job_name: a, scrape_protocols: [PrometheusText0.0.4, PrometheusText0.0.4]}]',
    /duplicated protocol/,
  );
  refused('scrape_configs: [{job_name: a, fallback_scrape_protocol: Text}]', /expected one of PrometheusProto/);
  refused(
    'scrape_configs: [{job_name: a, metric_name_validation_scheme: legacy, metric_name_escaping_scheme: allow-utf-8}]',
    /utf8 metric names requested/,
  );
  refused('scrape_configs: [{job_name: a, authorization: {type: Basic}}]', /use "basic_auth" instead/);
  refused('global: {scrape_timeout: 2m}', /global scrape timeout greater than scrape interval/);
});
