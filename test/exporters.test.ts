// The role `exporter` against the servers it measures, each started from Debian's package for the test.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { peer } from './peers.ts';
import { answers, freePort, PHAROS, type Running, start, temporaryFolder } from './programs.ts';
import { labelsByMetric, notOnPage, unknownToPages } from './shipped-rules.ts';
import { EXPORTERS, seriesOf } from './simulated-exporters.ts';

const mysqld = peer('mysqld', 'mariadb-server');
const mysqlInstall = peer('mariadb-install-db', 'mariadb-server');
const postgres = peer('postgres', 'postgresql');
const redis = peer('redis-server', 'redis');
const haproxy = peer('haproxy', 'haproxy');
const nginx = peer('nginx', 'nginx');

const isRoot = process.getuid?.() === 0;

function connects(port: number): () => Promise<boolean> {
  return () =>
    new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', reject);
    });
}

type Exporter = {
  readonly url: string;
  /** The configuration file. */
  readonly file: string;
  readonly program: Running;
  page(path: string): Promise<Map<string, number>>;
};

async function startExporter(t: TestContext, config: string, ...flags: string[]): Promise<Exporter> {
  const file = path.join(temporaryFolder(t), 'exporters.yml');
  fs.writeFileSync(file, config);
  const url = `http://127.0.0.1:${await freePort()}`;
  const program = await start(
    t,
    PHAROS,
    ['exporter', `--config.file=${file}`, `--web.listen-address=${url.slice(7)}`, ...flags],
    answers(`${url}/-/healthy`),
  );
  const page = async (where: string) => {
    const response = await fetch(url + where);
    const text = await response.text();
    assert.equal(response.status, 200, text);
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      lines.map(
        (line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))] as const,
      ),
    );
  };
  return { url, file, page, program };
}

async function startMysql(t: TestContext): Promise<number> {
  const folder = path.join(temporaryFolder(t), 'data');
  const user = isRoot ? ['--user=root'] : [];
  execFileSync(
    mysqlInstall.path,
    [`--datadir=${folder}`, '--auth-root-authentication-method=normal', '--skip-test-db', ...user],
    {
      stdio: 'ignore',
    },
  );
  const port = await freePort();
  await start(
    t,
    mysqld.path,
    [
      '--no-defaults',
      `--datadir=${folder}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      `--socket=${folder}/s.sock`,
      `--pid-file=${folder}/pid`,
      '--performance-schema=ON',
      '--userstat=ON',
      '--log-bin=binlog',
      '--plugin-load-add=query_response_time',
      '--query-response-time-stats=ON',
      ...user,
    ],
    connects(port),
  );
  return port;
}

const MYSQL_OPTIONAL =
  `auto_increment.columns binlog_size engine_innodb_status info_schema.clientstats info_schema.innodb_metrics
  info_schema.innodb_tablespaces info_schema.schemastats info_schema.tablestats info_schema.userstats perf_schema.eventsstatements
  perf_schema.eventswaits perf_schema.file_events perf_schema.indexiowaits perf_schema.tableiowaits perf_schema.tablelocks
  slave_hosts`.split(/\s+/);
const MYSQL_OPTIONAL_FAMILIES: Readonly<Record<string, string>> = {
  mysql_binlog: 'size_bytes files file_number',
  mysql_engine_innodb: 'read_views_open_inside_innodb',
  mysql_info_schema: `auto_increment_column auto_increment_column_max client_statistics_total_connections
    user_statistics_bytes_sent_total table_statistics_rows_changed_total schema_statistics_rows_changed_total
    innodb_metrics_buffer_pool_pages innodb_tablespace_file_size_bytes innodb_tablespace_allocated_size_bytes
    query_response_time_seconds_bucket query_response_time_seconds_count`,
  mysql_perf_schema: `events_statements_total events_statements_seconds_total events_statements_rows_examined_total events_waits_total
    events_waits_seconds_total file_events_total file_events_bytes_total file_events_seconds_total index_io_waits_total
    index_io_waits_seconds_total table_io_waits_total table_io_waits_seconds_total sql_lock_waits_total
    sql_lock_waits_seconds_total external_lock_waits_total external_lock_waits_seconds_total`,
};

test("MariaDB by mysqld_exporter's names, business figures, and a death", {
  skip: mysqld.skip || mysqlInstall.skip,
}, async (t) => {
  const port = await startMysql(t);
  const url = `mysql://root@127.0.0.1:${port}/`;
  const { default: mysql } = await import('mysql2/promise');
  const connection = await mysql.createConnection(url);
  for (const sql of [
    'CREATE DATABASE shop',
    'CREATE TABLE shop.orders (id tinyint unsigned AUTO_INCREMENT PRIMARY KEY, note text)',
    "INSERT INTO shop.orders (note) VALUES ('a'), ('b')",
  ])
    await connection.query(sql);
  await connection.end();
  const exporter = await startExporter(
    t,
    `sources:
  - {name: db, kind: mysql, url: "${url}"}
  - {name: dead, kind: mysql, url: "mysql://root@127.0.0.1:1/"}
  - {name: more, kind: mysql, url: "${url}", collect: [${MYSQL_OPTIONAL.join(', ')}]}
queries:
  - name: orders
    url: ${url}
    sql: "SELECT 'eu' AS region, 3 AS orders, 12.5 AS revenue UNION SELECT 'us', 4, 1 UNION SELECT 'none', NULL, 0"
    interval: 1h
    labels: {shop: main}
    metrics:
      - {name: shop_orders, value: orders, labels: [region], type: counter, help: Orders.}
      - {name: shop_revenue_euros, value: revenue, labels: [region]}
  - {name: broken, url: "${url}", sql: SELECT nonsense, interval: 1h, metrics: [{name: never, value: x}]}
  - {name: slow, url: "${url}", sql: SELECT SLEEP(20) AS x, interval: 1h, timeout: 300ms, metrics: [{name: slow, value: x}]}
`,
  );
  const db = await exporter.page('/metrics/source/db');
  assert.equal(db.get('mysql_up'), 1);
  for (const name of [
    'mysql_global_status_uptime',
    'mysql_global_status_threads_connected',
    'mysql_global_status_commands_total{command="select"}',
    'mysql_global_status_buffer_pool_pages{state="free"}',
    'mysql_global_variables_max_connections',
    'mysql_info_schema_innodb_cmp_compress_ops_total{page_size="8192"}',
    'mysql_info_schema_innodb_cmpmem_pages_used_total{buffer_pool="0",page_size="8192"}',
  ])
    assert.ok(db.has(name), name);
  const more = await exporter.page('/metrics/source/more');
  for (const name of MYSQL_OPTIONAL)
    assert.equal(more.get(`mysql_exporter_collector_success{collector="collect.${name}"}`), 1, name);
  assert.deepEqual(missingFamilies(more, MYSQL_OPTIONAL_FAMILIES), []);
  assert.equal(more.get('mysql_info_schema_auto_increment_column{column="id",schema="shop",table="orders"}'), 3);
  assert.equal(more.get('mysql_info_schema_auto_increment_column_max{column="id",schema="shop",table="orders"}'), 255);
  // Replication needs a replica.
  const known = labelsByMetric(db.keys());
  assert.deepEqual(unknownToPages('mysql.yml', known, /mysql_slave_status_/), []);
  const simulated = seriesOf(EXPORTERS['mysql']!).filter((one) => !one.startsWith('mysql_slave_status_'));
  assert.deepEqual(notOnPage(simulated, known), []);
  assert.ok([...db.keys()].some((key) => /^mysql_version_info\{.*version="\d+\./.test(key)));
  let all = await exporter.page('/metrics');
  while (!all.has('sql_query_success{query="slow"}')) all = await exporter.page('/metrics');
  assert.equal(all.get('mysql_up{source="db"}'), 1);
  assert.equal(all.get('mysql_up{source="dead"}'), 0, 'a dead server fails alone');
  assert.equal(all.get('shop_orders{region="eu",shop="main"}'), 3);
  assert.equal(all.get('shop_orders{region="none",shop="main"}'), undefined, 'NULL is no value');
  assert.equal(all.get('shop_revenue_euros{region="us",shop="main"}'), 1);
  assert.equal(all.get('sql_query_success{query="orders"}'), 1);
  assert.equal(all.get('sql_query_success{query="broken"}'), 0);
  assert.equal(all.get('sql_query_success{query="slow"}'), 0);
});

type Postgres = { readonly url: string; readonly folder: string; readonly port: number };

const postgresIds = () =>
  isRoot
    ? { uid: Number(execFileSync('id', ['-u', 'postgres'])), gid: Number(execFileSync('id', ['-g', 'postgres'])) }
    : {};
const postgresTool = (name: string) => path.join(path.dirname(fs.realpathSync(postgres.path)), name);

async function startPostgres(t: TestContext, prepare: (data: string) => void): Promise<Postgres> {
  const folder = temporaryFolder(t);
  const ids = postgresIds();
  if (isRoot) fs.chownSync(folder, ids.uid!, ids.gid!);
  fs.chmodSync(folder, 0o755);
  const data = path.join(folder, 'data');
  prepare(data);
  const port = await freePort();
  const settings = ['shared_preload_libraries=pg_stat_statements', 'hot_standby=on'].flatMap((one) => ['-c', one]);
  await start(
    t,
    postgresTool('postgres'),
    ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-F', ...settings],
    connects(port),
    { ...ids, cwd: folder },
  );
  return { url: `postgres://me@127.0.0.1:${port}/postgres`, folder, port };
}

/** Families of postgres_exporter that a primary with a replica has; columns below their name. */
const POSTGRES_FAMILIES: Readonly<Record<string, string>> = {
  pg_stat_database: `numbackends xact_commit xact_rollback blks_read blks_hit tup_returned tup_fetched tup_inserted tup_updated
    tup_deleted conflicts temp_files temp_bytes deadlocks blk_read_time blk_write_time active_time_seconds_total`,
  pg_stat_database_conflicts: 'confl_tablespace confl_lock confl_snapshot confl_bufferpin confl_deadlock',
  pg_stat_bgwriter: `checkpoints_timed_total checkpoints_req_total checkpoint_write_time_total checkpoint_sync_time_total
    buffers_checkpoint_total buffers_clean_total maxwritten_clean_total buffers_backend_total buffers_backend_fsync_total
    buffers_alloc_total stats_reset_total`,
  pg_stat_archiver: 'archived_count failed_count last_archive_age',
  pg_database: 'size_bytes connection_limit',
  pg_database_wraparound: 'age_datfrozenxid_seconds age_datminmxid_seconds',
  pg_locks: 'count',
  pg: 'long_running_transactions up static',
  pg_long_running_transactions: 'oldest_timestamp_seconds',
  pg_postmaster: 'start_time_seconds',
  pg_process_idle_seconds: 'bucket sum count',
  pg_replication: 'lag_seconds is_replica',
  pg_replication_slots: `active pg_wal_lsn_diff slot_current_wal_lsn slot_confirmed_flush_lsn slot_is_active wal_status`,
  pg_replication_slot: 'slot_current_wal_lsn slot_confirmed_flush_lsn slot_is_active wal_status',
  pg_roles: 'connection_limit',
  pg_settings: 'max_connections shared_buffers_bytes statement_timeout_seconds fsync',
  pg_stat_activity: 'count max_tx_duration',
  pg_stat_replication: 'pg_current_wal_lsn_bytes pg_wal_lsn_diff',
  pg_stat_statements: 'calls_total seconds_total rows_total block_read_seconds_total block_write_seconds_total',
  pg_stat_user_tables: `seq_scan seq_tup_read idx_scan idx_tup_fetch n_tup_ins n_tup_upd n_tup_del n_tup_hot_upd n_live_tup
    n_dead_tup n_mod_since_analyze last_vacuum last_autovacuum last_analyze last_autoanalyze vacuum_count autovacuum_count
    analyze_count autoanalyze_count index_size_bytes table_size_bytes`,
  pg_statio_user_tables: `heap_blocks_read heap_blocks_hit idx_blocks_read idx_blocks_hit toast_blocks_read toast_blocks_hit
    tidx_blocks_read tidx_blocks_hit`,
  pg_statio_user_indexes: 'idx_blks_read_total idx_blks_hit_total',
  pg_wal: 'segments size_bytes',
  pg_xlog_location: 'bytes',
  pg_scrape_collector: 'success duration_seconds',
  pg_exporter: 'last_scrape_error last_scrape_duration_seconds scrapes_total',
};
const POSTGRES_REPLICA_FAMILIES = {
  pg_replication: 'lag_seconds is_replica last_replay_seconds',
  pg_stat_wal_receiver: `receive_start_lsn flushed_lsn receive_start_tli received_tli last_msg_send_time last_msg_receipt_time
    latest_end_lsn latest_end_time`,
};

/** Names of the table that a page does not have. */
function missingFamilies(page: ReadonlyMap<string, number>, families: Readonly<Record<string, string>>): string[] {
  const there = new Set([...page.keys()].map((key) => key.replace(/\{.*/, '')));
  const wanted = Object.entries(families).flatMap(([name, columns]) =>
    columns
      .trim()
      .split(/\s+/)
      .map((column) => `${name}_${column}`),
  );
  return wanted.filter((name) => !there.has(name));
}

test("PostgreSQL by postgres_exporter's names, a primary and its replica", { skip: postgres.skip }, async (t) => {
  const ids = postgresIds();
  const primary = await startPostgres(t, (data) =>
    execFileSync(postgresTool('initdb'), ['-D', data, '-U', 'me', '-A', 'trust', '--no-sync'], {
      stdio: 'ignore',
      cwd: path.dirname(data),
      ...ids,
    }),
  );
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: primary.url, application_name: 'shop' });
  await client.connect();
  t.after(() => client.end());
  client.on('error', () => {});
  for (const sql of [
    'CREATE EXTENSION pg_stat_statements',
    'CREATE TABLE orders (id int PRIMARY KEY, note text)',
    'INSERT INTO orders SELECT i FROM generate_series(1, 100) AS i',
  ])
    await client.query(sql);
  const replica = await startPostgres(t, (data) =>
    execFileSync(
      postgresTool('pg_basebackup'),
      [
        '-D',
        data,
        '-h',
        '127.0.0.1',
        '-p',
        String(primary.port),
        '-U',
        'me',
        '-R',
        '-C',
        '-S',
        'standby',
        '-c',
        'fast',
        '--no-sync',
      ],
      { stdio: 'ignore', cwd: path.dirname(data), ...ids },
    ),
  );
  const { page } = await startExporter(
    t,
    `sources: [{name: db, kind: postgres, url: "${primary.url}"}, {name: standby, kind: postgres, url: "${replica.url}"}]
queries: [{name: q, url: "${primary.url}", sql: "SELECT 7::bigint AS n, 'a' AS kind", metrics: [{name: business_n, value: n, labels: [kind]}]}]
`,
  );
  // The replica connects, and what was counted is shown, in its own time.
  let db = await page('/metrics/source/db');
  while (![...db.keys()].some((key) => key.startsWith('pg_stat_replication_'))) db = await page('/metrics/source/db');
  assert.deepEqual(missingFamilies(db, POSTGRES_FAMILIES), []);
  assert.equal(db.get('pg_up'), 1);
  assert.equal(db.get('pg_exporter_last_scrape_error'), 0);
  assert.equal(db.get('pg_replication_is_replica'), 0);
  assert.equal(db.get('pg_settings_max_connections'), 100);
  assert.equal(db.get('pg_replication_slots_active{slot_name="standby"}'), 1);
  assert.equal(db.get('pg_process_idle_seconds_count{application_name="shop",state="idle"}'), 1);
  const keys = [...db.keys()];
  for (const pattern of [
    /^pg_stat_database_xact_commit\{datid="\d+",datname="postgres"\}/,
    /^pg_locks_count\{datname="postgres",mode="accesssharelock"\}/,
    /^pg_stat_replication_pg_wal_lsn_diff\{application_name="[^"]+",client_addr="127\.0\.0\.1\/32",pid="\d+",slot_name="standby",state="/,
    /^pg_stat_user_tables_n_live_tup\{datname="postgres",relname="orders",schemaname="public"\}/,
    /^pg_stat_activity_count\{datname="postgres",state="disabled"\}/,
    /^pg_replication_slots_wal_status\{slot_name="standby",slot_type="physical",wal_status="reserved"\}/,
    /^pg_static\{.*short_version="\d+/,
  ])
    assert.ok(
      keys.some((key) => pattern.test(key)),
      String(pattern),
    );
  const standby = await page('/metrics/source/standby');
  assert.deepEqual(missingFamilies(standby, POSTGRES_REPLICA_FAMILIES), []);
  assert.equal(standby.get('pg_exporter_last_scrape_error'), 0);
  assert.equal(standby.get('pg_replication_is_replica'), 1);
  const known = labelsByMetric([...db.keys(), ...standby.keys()]);
  assert.deepEqual(unknownToPages('postgres.yml', known), []);
  assert.deepEqual(notOnPage(seriesOf(EXPORTERS['postgresql']!), known), []);
  // Queries run by their own schedule: the first page may come before the first answer.
  let all = await page('/metrics');
  while (!all.has('sql_query_success{query="q"}')) all = await page('/metrics');
  assert.equal(all.get('business_n{kind="a"}'), 7);
});

test("Redis: a replica, a cluster's node and a sentinel", { skip: redis.skip }, async (t) => {
  const folder = temporaryFolder(t);
  const [main, replica, node, sentinel] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const startRedis = (port: number, ...flags: string[]) =>
    start(
      t,
      redis.path,
      ['--port', String(port), '--save', '', '--dir', folder, '--bind', '127.0.0.1', ...flags],
      connects(port),
    );
  await startRedis(main);
  await new Promise<void>((resolve, reject) => {
    const socket = net.connect(main, '127.0.0.1', () => socket.write('SET key value EX 1000\r\n'));
    socket.on('error', reject).once('data', () => resolve(void socket.destroy()));
  });
  await startRedis(replica, '--replicaof', `127.0.0.1 ${main}`);
  await startRedis(node, '--cluster-enabled', 'yes', '--cluster-config-file', `${node}.conf`);
  const file = path.join(folder, 'sentinel.conf');
  fs.writeFileSync(
    file,
    `port ${sentinel}\nbind 127.0.0.1\ndir ${folder}\nsentinel monitor shop 127.0.0.1 ${main} 1\n`,
  );
  await start(t, redis.path, [file, '--sentinel'], connects(sentinel));
  const source = (name: string, port: number) => `{name: ${name}, kind: redis, url: "redis://127.0.0.1:${port}"}`;
  const { page } = await startExporter(
    t,
    `sources: [${source('main', main)}, ${source('replica', replica)}, ${source('node', node)}, ${source('sentinel', sentinel)}]\n`,
  );
  const address = `master_host="127.0.0.1",master_port="${main}"`;
  let copy = await page('/metrics/source/replica');
  while (copy.get(`redis_master_link_up{${address}}`) !== 1) copy = await page('/metrics/source/replica');
  assert.equal(copy.get(`redis_slave_info{${address},read_only="1"}`), 1);
  assert.ok(copy.has(`redis_slave_repl_offset{${address}}`));
  assert.ok(copy.has(`redis_master_last_io_seconds_ago{${address}}`));
  await page('/metrics/source/main');
  const isOnline = (key: string) => /^redis_connected_slave_offset_bytes\{.*slave_state="online"/.test(key);
  let first = await page('/metrics/source/main');
  while (![...first.keys()].some(isOnline)) first = await page('/metrics/source/main');
  assert.ok(first.get('redis_latency_percentiles_usec{cmd="info",quantile="0.99"}')! > 0);
  assert.ok(first.get('redis_commands_latencies_usec_bucket{cmd="info",le="+Inf"}')! >= 1);
  assert.equal(first.get('redis_config_client_output_buffer_limit_bytes{class="pubsub",limit="hard"}'), 33554432);
  assert.equal(first.get('redis_config_client_output_buffer_limit_overcome_seconds{class="pubsub",limit="soft"}'), 60);
  assert.ok(first.has('redis_slowlog_last_id') && first.has('redis_last_slow_execution_duration_seconds'));
  const known = labelsByMetric([...first.keys(), ...copy.keys()]);
  assert.deepEqual(unknownToPages('redis.yml', known), []);
  assert.deepEqual(notOnPage(seriesOf(EXPORTERS['redis']!), known), []);
  const member = await page('/metrics/source/node');
  assert.equal(member.get('redis_cluster_enabled'), 1);
  assert.equal(member.get('redis_cluster_state'), 0, 'no slots are assigned');
  assert.equal(member.get('redis_cluster_known_nodes'), 1);
  let watch = await page('/metrics/source/sentinel');
  const master = `master_address="127.0.0.1:${main}",master_name="shop"`;
  while (watch.get(`redis_sentinel_master_status{${master},master_status="ok"}`) !== 1)
    watch = await page('/metrics/source/sentinel');
  assert.equal(watch.get('redis_sentinel_masters'), 1);
  assert.equal(watch.get(`redis_sentinel_master_sentinels{${master}}`), 1);
});

test("Redis by redis_exporter's names, with a password", { skip: redis.skip }, async (t) => {
  const port = await freePort();
  await start(
    t,
    redis.path,
    [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--requirepass',
      's3:cret',
      '--dir',
      temporaryFolder(t),
    ],
    connects(port),
  );
  const { page } = await startExporter(
    t,
    `sources: [{name: a, kind: redis, url: "redis://:s3%3Acret@127.0.0.1:${port}"}, {name: wrong, kind: redis, url: "redis://:no@127.0.0.1:${port}"}]\n`,
  );
  const a = await page('/metrics/source/a');
  assert.equal(a.get('redis_up'), 1);
  for (const name of [
    'redis_memory_used_bytes',
    'redis_connected_clients',
    'redis_commands_processed_total',
    'redis_slowlog_length',
    'redis_config_maxclients',
    'redis_start_time_seconds',
    'redis_mem_not_counted_for_eviction_bytes',
    'redis_allocator_rss_ratio',
    'redis_commands_total{cmd="info"}',
  ])
    if (name !== 'redis_commands_total{cmd="info"}') assert.ok(a.has(name), name);
  assert.ok((await page('/metrics/source/a')).get('redis_commands_total{cmd="info"}')! >= 1);
  assert.equal((await page('/metrics/source/wrong')).get('redis_up'), 0);
});

test("HAProxy and nginx by their exporters' names", { skip: haproxy.skip || nginx.skip }, async (t) => {
  const folder = temporaryFolder(t);
  const [web, front, stats] = [await freePort(), await freePort(), await freePort()];
  fs.writeFileSync(
    path.join(folder, 'nginx.conf'),
    `pid ${folder}/nginx.pid; error_log stderr; daemon off; master_process off; events {}
http { access_log off; client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
server { listen 127.0.0.1:${web}; location /status { stub_status; } location / { return 200 "ok"; } } }`,
  );
  await start(
    t,
    nginx.path,
    ['-c', path.join(folder, 'nginx.conf'), '-p', folder],
    answers(`http://127.0.0.1:${web}/`),
  );
  const socket = path.join(folder, 'haproxy.sock');
  fs.writeFileSync(
    path.join(folder, 'haproxy.cfg'),
    `global
  stats socket ${socket} mode 600
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend fe
  bind 127.0.0.1:${front}
  default_backend be
frontend stats
  bind 127.0.0.1:${stats}
  stats enable
  stats uri /stats
backend be
  server good 127.0.0.1:${web} check inter 100ms
  server bad 127.0.0.1:1 check inter 100ms fall 1
`,
  );
  await start(t, haproxy.path, ['-db', '-f', path.join(folder, 'haproxy.cfg')], answers(`http://127.0.0.1:${front}/`));
  const { page } = await startExporter(
    t,
    `sources:
  - {name: web, kind: nginx, url: "http://127.0.0.1:${web}/status"}
  - {name: csv, kind: haproxy, url: "http://127.0.0.1:${stats}/stats"}
  - {name: sock, kind: haproxy, url: "unix://${socket}"}
`,
  );
  const status = await page('/metrics/source/web');
  assert.equal(status.get('nginx_up'), 1);
  assert.deepEqual(unknownToPages('nginx.yml', labelsByMetric(status.keys())), []);
  assert.deepEqual(notOnPage(seriesOf(EXPORTERS['nginx']!), labelsByMetric(status.keys())), []);
  assert.notDeepEqual(unknownToPages('nginx.yml', new Map()), [], 'what is not there is noticed');
  assert.ok(status.get('nginx_http_requests_total')! >= 2);
  assert.ok(status.has('nginx_connections_accepted'));
  for (const name of ['csv', 'sock']) {
    let proxy = await page(`/metrics/source/${name}`);
    while (proxy.get('haproxy_server_up{backend="be",server="bad"}') !== 0)
      proxy = await page(`/metrics/source/${name}`);
    assert.equal(proxy.get('haproxy_up'), 1);
    assert.equal(proxy.get('haproxy_server_up{backend="be",server="good"}'), 1);
    assert.equal(proxy.get('haproxy_backend_up{backend="be"}'), 1);
    assert.ok(proxy.get('haproxy_frontend_http_requests_total{frontend="fe"}')! >= 1);
    assert.ok(proxy.get('haproxy_backend_http_responses_total{backend="be",code="2xx"}')! >= 1);
    // HAProxy's own exporter says "proxy".
    assert.deepEqual(unknownToPages('haproxy.yml', labelsByMetric(proxy.keys()), /^label proxy /), []);
  }
});

test('probes over HTTP and TCP tell success, phases and why they fail', async (t) => {
  const { page, url } = await startExporter(
    t,
    `modules:
  http_2xx: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}
  http_teapot: {prober: http, http: {valid_status_codes: [418], fail_if_body_not_matches_regexp: ["tea"]}}
  tcp_connect: {prober: tcp, tcp: {preferred_ip_protocol: ip4}}
  banner: {prober: tcp, tcp: {query_response: [{expect: "^HELLO (\\\\w+)", send: "I am \${1}"}, {expect: "^OK$"}]}}
`,
  );
  const self = `127.0.0.1:${url.split(':')[2]}`;
  const good = await page(`/probe?target=${self}/-/healthy&module=http_2xx`);
  assert.equal(good.get('probe_success'), 1);
  assert.equal(good.get('probe_http_status_code'), 200);
  for (const phase of ['resolve', 'connect', 'tls', 'processing', 'transfer'])
    assert.ok(good.has(`probe_http_duration_seconds{phase="${phase}"}`), phase);
  assert.equal((await page(`/probe?target=${self}/nothing&module=http_2xx`)).get('probe_success'), 0);
  const teapot = await page(`/probe?target=${self}/-/healthy&module=http_teapot`);
  assert.equal(teapot.get('probe_failed_due_to_regex'), 1);
  assert.equal((await page(`/probe?target=${self}&module=tcp_connect`)).get('probe_success'), 1);
  assert.equal((await page('/probe?target=127.0.0.1:1&module=tcp_connect')).get('probe_success'), 0);
  assert.match(await (await fetch(`${url}/probe?target=${self}/nothing&debug=true`)).text(), /invalid status 404/);
  assert.equal((await fetch(`${url}/probe?target=x&module=none`)).status, 400);

  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.write('noise\nHELLO you\r\n');
    socket.on('data', (data) => socket.write(data.toString() === 'I am you\n' ? 'OK\n' : 'WHO?\n'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const port = (server.address() as net.AddressInfo).port;
  assert.equal((await page(`/probe?target=127.0.0.1:${port}&module=banner`)).get('probe_success'), 1);
});

test('the file is read again on request, by signal and by itself; a wrong one changes nothing', async (t) => {
  const modules = (...names: string[]) => `modules:\n${names.map((name) => `  ${name}: {prober: tcp}\n`).join('')}`;
  const { url, file, page, program } = await startExporter(
    t,
    `${modules('one')}queries:\n  - name: q\n    url: mysql://me:hidden@127.0.0.1:1/\n    sql: select 1\n    metrics: [{name: m, value: v}]\n`,
    '--config.enable-auto-reload',
    '--config.auto-reload-interval=1',
    '--history.limit=2',
    '--log.prober=debug',
  );
  const self = url.slice(7);
  const probes = async (module: string) => (await fetch(`${url}/probe?target=${self}&module=${module}`)).status;
  const until = async (module: string) => {
    while ((await probes(module)) !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  assert.equal(await probes('one'), 200);
  assert.equal(await probes('two'), 400);
  assert.match(await (await fetch(`${url}/config`)).text(), /one: \{prober: tcp\}[\s\S]*mysql:\/\/me:<secret>@/);
  fs.writeFileSync(file, modules('two'));
  await until('two');
  assert.equal(await probes('one'), 400, 'what is gone is gone');
  const before = await page('/metrics');
  assert.equal(before.get('blackbox_exporter_config_last_reload_successful'), 1);
  assert.ok(before.get('blackbox_module_unknown_total')! >= 2);
  fs.writeFileSync(file, 'modules: {two: {prober: none}}');
  const refused = await fetch(`${url}/-/reload`, { method: 'POST' });
  assert.equal(refused.status, 500);
  assert.match(await refused.text(), /failed to reload config: .*exporters\.yml.*none/);
  assert.equal((await fetch(`${url}/-/reload`)).status, 405);
  assert.equal(await probes('two'), 200, 'the one before stays in force');
  assert.equal((await page('/metrics')).get('blackbox_exporter_config_last_reload_successful'), 0);
  fs.writeFileSync(file, modules('three'));
  process.kill(program.pid, 'SIGHUP');
  await until('three');
  const good = await fetch(`${url}/-/reload`, { method: 'POST' });
  assert.equal(good.status, 200);

  // The last probes: two at most, and failures before them.
  const failing = '127.0.0.1:1';
  await fetch(`${url}/probe?target=${failing}&module=three`);
  for (let i = 0; i < 3; i++) await probes('three');
  const list = await (await fetch(`${url}/`)).text();
  assert.equal([...list.matchAll(/<td>Success<\/td>/g)].length, 2);
  assert.equal([...list.matchAll(/<b>Failure<\/b>/g)].length, 1);
  const logs = await (await fetch(`${url}/logs?target=${failing}`)).text();
  assert.match(logs, /failure\n[\s\S]*ECONNREFUSED[\s\S]*probe_success 0/);
  assert.equal(
    await (await fetch(`${url}/${/logs\?id=\d+(?=">Logs<\/a><\/td><\/tr>\s*<\/table>)/.exec(list)![0]}`)).text(),
    logs,
  );
  for (const [query, status] of [
    ['', 400],
    ['id=1&target=x', 400],
    ['module=three', 400],
    ['id=99999', 404],
    ['target=nobody', 404],
  ] as const)
    assert.equal((await fetch(`${url}/logs?${query}`)).status, status, query);
  assert.match(
    program.output(),
    /level=error msg="probe failed" module=three target=127\.0\.0\.1:1 err=.*ECONNREFUSED/,
  );
  assert.match(program.output(), /level=debug msg="probe succeeded" module=one/);
});
