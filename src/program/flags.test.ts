// The flags of Prometheus 3.14, by name, and what becomes of those that mean nothing here.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { parseFlags } from '#base/flags.ts';
import { createLogger } from '#base/log.ts';
import { logFeatures, PROMETHEUS_FEATURES } from './features.ts';
import { AGENT_FLAGS, SERVER_FLAGS, scrapeFeatures } from './flags.ts';
import { misplacedFlags } from './modes.ts';
import { unusedNotes } from './prometheus-flags.ts';

const COMMON = `config.file config.auto-reload config.auto-reload-interval web.listen-address auto-gomaxprocs auto-gomemlimit
  auto-gomemlimit.ratio auto-gomemlimit.refresh-interval web.config.file web.read-timeout web.max-connections
  web.max-notifications-subscribers web.external-url web.route-prefix web.user-assets web.enable-lifecycle
  web.enable-remote-write-receiver web.remote-write-receiver.accepted-protobuf-messages web.enable-otlp-receiver
  web.console.templates web.console.libraries web.page-title web.cors.origin storage.remote.flush-deadline enable-feature agent
  scrape.adjust-timestamps scrape.timestamp-tolerance scrape.discovery-reload-interval log.level log.format`;
const SERVER = `web.enable-admin-api storage.tsdb.path storage.tsdb.retention.time storage.tsdb.retention.size
  storage.tsdb.min-block-duration storage.tsdb.max-block-duration storage.tsdb.max-block-chunk-segment-size
  storage.tsdb.wal-segment-size storage.tsdb.allow-overlapping-compaction storage.tsdb.wal-compression
  storage.tsdb.wal-compression-type storage.tsdb.head-chunks-write-queue-size storage.tsdb.samples-per-chunk storage.tsdb.no-lockfile
  storage.tsdb.delayed-compaction.max-percent storage.tsdb.delay-compact-file.path storage.tsdb.block-reload-interval
  storage.remote.read-sample-limit storage.remote.read-concurrent-limit storage.remote.read-max-bytes-in-frame
  web.search.max-limit rules.alert.for-outage-tolerance rules.alert.for-grace-period rules.alert.resend-delay
  rules.max-concurrent-evals alertmanager.notification-queue-capacity alertmanager.notification-batch-size
  alertmanager.drain-notification-queue-on-shutdown query.lookback-delta query.timeout query.max-concurrency query.max-samples`;
const AGENT = `storage.agent.path storage.agent.wal-compression storage.agent.wal-compression-type storage.agent.wal-segment-size
  storage.agent.wal-truncate-frequency storage.agent.retention.min-time storage.agent.retention.max-time
  storage.agent.checkpoint-from-in-memory-series storage.agent.checkpoint-batch-size`;
/** Of 2.42, where they are not above. */
const OLDER = `web.local-assets storage.tsdb.retention storage.tsdb.use-lockfile storage.tsdb.allow-overlapping-blocks
  alertmanager.timeout`;
const words = (text: string) => text.split(/\s+/);

test('every flag of Prometheus is taken', () => {
  const missing = (wanted: string, table: object) => words(wanted).filter((name) => !Object.hasOwn(table, name));
  assert.deepEqual(missing(`${COMMON} ${SERVER} ${OLDER}`, SERVER_FLAGS), []);
  assert.deepEqual(missing(`${COMMON} ${AGENT}`, AGENT_FLAGS), []);
});

test('flags of the other mode are refused as Prometheus refuses them', () => {
  const given = (...names: string[]) => new Set(names);
  assert.equal(misplacedFlags(given('config.file', 'query.timeout'), 'server'), undefined);
  assert.equal(
    misplacedFlags(given('storage.tsdb.path', 'agent', 'query.timeout'), 'agent'),
    'The following flag(s) can not be used in agent mode: ["--storage.tsdb.path" "--query.timeout"]',
  );
  assert.equal(
    misplacedFlags(given('storage.agent.path'), 'server'),
    'The following flag(s) can only be used in agent mode: ["--storage.agent.path"]',
  );
});

test('flags that make no difference say why', () => {
  const { given } = parseFlags(SERVER_FLAGS, [
    '--storage.tsdb.wal-compression',
    '--query.timeout=1m',
    '--auto-gomaxprocs',
  ]);
  const notes = unusedNotes(given);
  assert.deepEqual(
    notes.map(({ flag }) => flag),
    ['storage.tsdb.wal-compression', 'auto-gomaxprocs'],
  );
  for (const { why } of notes) assert.match(why, /^\w.{10}/);
});

test('every feature of Prometheus is known, an unknown one is a warning', () => {
  const all = words(`concurrent-rule-eval created-timestamp-zero-ingestion delayed-compaction exemplar-storage
    extra-scrape-metrics histograms-st-encoding memory-snapshot-on-shutdown metadata-wal-records old-ui otlp-deltatocumulative
    otlp-native-delta-ingestion promql-binop-fill-modifiers promql-delayed-name-removal promql-experimental-functions
    promql-extended-range-selectors promql-per-step-stats search-api st-storage st-synthesis type-and-unit-labels
    use-start-timestamps use-uncached-io xor2-encoding auto-reload-config promql-duration-expr native-histograms
    ooo-native-histograms fast-startup`);
  assert.deepEqual(
    all.filter((name) => !Object.hasOwn(PROMETHEUS_FEATURES, name)),
    [],
  );
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', format: 'logfmt' }, systemClock, (line) => lines.push(line));
  logFeatures(new Set(['search-api', 'exemplar-storage', 'old-ui', 'nonsense']), 'server', logger);
  logFeatures(new Set(['search-api']), 'agent', logger);
  assert.deepEqual(
    lines.map((line) => /level=(\w+)/i.exec(line)?.[1]?.toLowerCase()),
    ['info', 'info', 'warn', 'warn', 'warn'],
  );
  assert.match(lines[3]!, /Unknown option for --enable-feature.*option=nonsense/);
  assert.deepEqual(scrapeFeatures({ 'enable-feature': ['st-storage, extra-scrape-metrics'] }), {
    startTimestamps: true,
    extraScrapeMetrics: true,
    typeAndUnitLabels: false,
  });
});
