// The whole configuration file: what every section takes, what is refused and with which words, and files that others wrote:
// the ones of a checkout of Prometheus (PROMETHEUS_SOURCE names its folder) and a user's own.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { ConfigError } from '#base/config/load.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText } from '#base/errors.ts';
import { loadServerConfig, parseServerConfig, type ServerConfig } from './config.ts';

const load = (text: string): ServerConfig => parseServerConfig(text, '/etc/p/p.yml', nodeDisk, {}, {});

test('remote_read: defaults, and every field', () => {
  const { reads } = load(`
remote_read:
  - url: http://a/read
  - url: https://b/read
    name: b
    remote_timeout: 10s
    chunked_read_limit: 1000
    headers: {X-Tenant: t}
    read_recent: true
    required_matchers: {job: special}
    filter_external_labels: false
    basic_auth: {username: u, password_file: secret}
`);
  const [a, b] = reads;
  assert.equal(a?.timeoutMs, 60_000);
  assert.equal(a.maxFrameBytes, 50_000_000);
  assert.equal(a.readRecent, false);
  assert.equal(a.filterExternalLabels, true);
  assert.match(a.name, /^[0-9a-f]{8}$/);
  assert.equal(b?.name, 'b');
  assert.equal(b.timeoutMs, 10_000);
  assert.equal(b.maxFrameBytes, 1000);
  assert.deepEqual(b.headers, { 'X-Tenant': 't' });
  assert.equal(b.readRecent, true);
  assert.deepEqual(b.required, ['job', 'special']);
  assert.equal(b.filterExternalLabels, false);
  assert.deepEqual(b.http.basicAuth?.password, { file: '/etc/p/secret' });
});

test('tracing: defaults, and every field', () => {
  assert.equal(load('').tracing, undefined);
  const plain = load('tracing: {endpoint: "localhost:4317"}').tracing;
  assert.equal(plain?.protocol, 'grpc');
  assert.equal(plain.fraction, 0);
  assert.equal(plain.timeoutMs, 10_000);
  const full = load(`
tracing:
  endpoint: collector:4318
  client_type: http
  sampling_fraction: 0.25
  insecure: true
  compression: gzip
  timeout: 5s
  headers: {X-A: b}
  tls_config: {ca_file: ca.pem}
`).tracing;
  assert.deepEqual(full, {
    protocol: 'http',
    endpoint: 'collector:4318',
    fraction: 0.25,
    insecure: true,
    tls: { insecureSkipVerify: false, caFile: '/etc/p/ca.pem' },
    headers: { 'X-A': 'b' },
    gzip: true,
    timeoutMs: 5000,
  });
});

test('settings that mean nothing here are taken and told', () => {
  const { notes } = load(`
runtime: {gogc: 50}
storage: {tsdb: {chunk_encoding: {floats: xor2}, stale_series_compaction_threshold: 0.5}}
remote_write: [{url: "localhost:9090"}]
`);
  assert.deepEqual(
    notes.map((note) => note.split(/[ :]/)[0]),
    [
      'runtime.gogc',
      'storage.tsdb.chunk_encoding.floats',
      'storage.tsdb.stale_series_compaction_threshold',
      '"localhost',
    ],
  );
  assert.deepEqual(load('storage: {tsdb: {chunk_encoding: {floats: xor}}}').notes, []);
});

/** Text that is refused; the place, and what Prometheus says about it. */
const REFUSED: readonly (readonly [string, string, string])[] = [
  ['remote_read: [{url: ""}]', '1:21', 'url for remote_read is empty'],
  ['remote_read: [{url: "http://a", headers: {Host: x}}]', '1:42', 'Host is a reserved header. It must not be changed'],
  [
    'remote_read: [{url: "http://a", headers: {authorization: x}}]',
    '1:42',
    'authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter',
  ],
  [
    'remote_read: [{url: "http://a", name: q}, {url: "http://b", name: q}]',
    '1:14',
    'found multiple remote read configs with job name "q"',
  ],
  [
    'remote_write: [{url: "http://a", name: q}, {url: "http://b", name: q}]',
    '1:15',
    'found multiple remote write configs with job name "q"',
  ],
  ['remote_write:\n  -', '2:4', 'empty or null section in remote_write'],
  [
    'remote_write: [{url: "http://a", queue_config: {min_shards: 5, max_shards: 2}}]',
    '1:61',
    'remote write queue min_shards must not be greater than max_shards',
  ],
  [
    'remote_write: [{url: "http://a", queue_config: {min_backoff: 5s, max_backoff: 2s}}]',
    '1:79',
    'remote write queue max_backoff must not be less than min_backoff',
  ],
  ['remote_write: [{url: "http://a", queue_config: {capacity: 0}}]', '1:59', 'expected a whole number of 1 or more'],
  ['tracing: {}', '1:10', 'tracing endpoint must be set'],
  [
    'tracing: {endpoint: a, compression: snappy}',
    '1:37',
    'invalid compression type snappy provided, valid options: gzip',
  ],
  [
    'tracing: {endpoint: a, headers: {authorization: x}}',
    '1:33',
    'custom authorization header configuration is not yet supported',
  ],
  ['rule_files: ["a/*/b.yml"]', '1:14', 'invalid rule file path "a/*/b.yml"'],
  ['scrape_config_files: ["a/*/b.yml"]', '1:23', 'invalid scrape config file path "a/*/b.yml"'],
  ['scrape_configs:\n  - job_name: a\n    static_configs:\n      -', '4:8', 'empty or null section in static_configs'],
  ['scrape_configs:\n  - job_name: a\n    body_size_limit: 100', '3:22', 'expected a size with its unit'],
  ['scrape_configs:\n  - job_name: a\n  - job_name: a', '3:5', 'found multiple scrape configs with job name "a"'],
  [
    'scrape_configs:\n  - job_name: a\n    kubernetes_sd_configs:\n      - role: pod\n        selectors: [{role: pod, field: "metadata.status-Running"}]',
    '5:20',
    "invalid selector: 'metadata.status-Running'; can't understand 'metadata.status-Running'",
  ],
  [
    'scrape_configs:\n  - job_name: a\n    kubernetes_sd_configs:\n      - role: pod\n        selectors: [{role: pod, label: "app in (a, b),x y"}]',
    '5:20',
    "can't understand 'x y'",
  ],
  [
    'storage: {tsdb: {retention: {percentage: 101}}}',
    '1:42',
    "'storage.tsdb.retention.percentage' must be in the range [0, 100]",
  ],
  ['storage: {tsdb: {chunk_encoding: {floats: XOR}}}', '1:43', 'expected one of xor, xor2'],
  [
    'global: {metric_name_validation_scheme: legacy}\notlp: {translation_strategy: NoTranslation}',
    '2:7',
    'OTLP translation strategy "NoTranslation" is not allowed when UTF8 is disabled',
  ],
  ['global: {external_labels: {!!binary "/w==": value}}', '1:37', 'is not base64 of UTF-8 text'],
  ['global: {external_labels: {name: !!binary "/w=="}}', '1:43', 'is not base64 of UTF-8 text'],
];

for (const [text, position, message] of REFUSED) {
  test(`refused: ${text.replaceAll('\n', ' ')}`, () => {
    assert.throws(
      () => load(text),
      (error: unknown) => {
        assert(error instanceof ConfigError, errorText(error));
        assert.equal(`${error.problems[0]?.position.line}:${error.problems[0]?.position.column}`, position);
        assert(error.message.includes(message), error.message);
        return true;
      },
    );
  });
}

test('a problem between files names the file it is in', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-config-'));
  try {
    fs.writeFileSync(
      path.join(folder, 'main.yml'),
      'scrape_config_files: ["more*.yml"]\nscrape_configs: [{job_name: a}]\n',
    );
    fs.writeFileSync(path.join(folder, 'more1.yml'), '# one more\nscrape_configs:\n  - job_name: a\n');
    assert.throws(
      () => loadServerConfig(path.join(folder, 'main.yml'), nodeDisk, {}, {}),
      /more1.yml:3:5: scrape_configs\[0\]: found multiple scrape configs with job name "a"/,
    );
    fs.writeFileSync(path.join(folder, 'main.yml'), Buffer.from('global: {}\n# \xff\n', 'latin1'));
    assert.throws(
      () => loadServerConfig(path.join(folder, 'main.yml'), nodeDisk, {}, {}),
      /main.yml:2:1: the file is not UTF-8/,
    );
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

const SOURCE = process.env['PROMETHEUS_SOURCE'] ?? path.resolve('..', 'prometheus');
const skipSource = fs.existsSync(path.join(SOURCE, 'config/testdata')) ? false : 'set PROMETHEUS_SOURCE to a checkout';
const filesOf = (folder: string, keep: RegExp): string[] =>
  fs
    .readdirSync(path.join(SOURCE, folder))
    .filter((name) => keep.test(name))
    .map((name) => path.join(SOURCE, folder, name));
const environment = { FOO: 'hello' };

/** Providers that are not built in are the one thing that a good file may be refused for. */
const PROVIDER =
  /discovery by \w+ is not built in; run a small HTTP service that lists the targets and use http_sd_configs/;

test('good files of Prometheus and its documented examples load as they are', { skip: skipSource }, () => {
  const files = [
    ...filesOf('config/testdata', /\.good\.yml$/),
    ...filesOf('documentation/examples', /^prometheus.*\.yml$/),
  ];
  let loaded = 0;
  for (const file of files) {
    try {
      loadServerConfig(file, nodeDisk, environment, {});
      loaded++;
    } catch (error) {
      assert(error instanceof ConfigError, `${file}: ${errorText(error)}`);
      for (const problem of error.problems) assert.match(problem.message, PROVIDER, `${file}: ${error.message}`);
    }
  }
  assert(loaded > 50, `${loaded} of ${files.length}`);
});

test('bad files of Prometheus are refused at a position', { skip: skipSource }, () => {
  for (const file of filesOf('config/testdata', /\.(bad|incompatible)\.yml$/)) {
    assert.throws(
      () => loadServerConfig(file, nodeDisk, environment, {}),
      (error: unknown) => {
        assert(error instanceof ConfigError, `${file}: ${errorText(error)}`);
        assert((error.position?.line ?? 0) > 0, file);
        return true;
      },
      file,
    );
  }
});

const SEEDS = process.env['PHAROS_SEEDS'] ?? path.resolve('..', 'shared', 'seeds');
const seed = fs.existsSync(SEEDS) && fs.readdirSync(SEEDS).find((name) => name.startsWith('001'));

test('the file in a user’s own description loads as it is', { skip: seed ? false : 'set PHAROS_SEEDS' }, () => {
  const text = fs.readFileSync(path.join(SEEDS, seed || ''), 'utf8');
  const [, block = ''] = /\n {2}prometheus\.yml: \|\n([\s\S]*?)\n```/.exec(text) ?? [];
  const { jobs, global, alerting } = load(block.replace(/^ {4}/gm, ''));
  assert.deepEqual(
    jobs.map(({ spec }) => spec.name),
    ['prometheus'],
  );
  assert.equal(global.scrape_interval, 15_000);
  assert.equal(alerting.alertmanagers.length, 1);
});
