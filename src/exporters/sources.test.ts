// Sources without a Debian package, over their protocols with recorded answers: what a server of each kind says, cut down.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import dgram from 'node:dgram';
import fs from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { writeText } from '#wire/exposition/write.ts';
import { peer } from '../../test/peers.ts';
import { labelsByMetric, notOnPage, unknownToPages } from '../../test/shipped-rules.ts';
import { EXPORTERS, seriesOf } from '../../test/simulated-exporters.ts';
import { KafkaReader, KafkaWriter } from './kafka/protocol.ts';
import { buildQuery } from './probe/dns-message.ts';
import { moduleSchema, type ProbeModule } from './probe/modules.ts';
import { probe } from './probe/probe.ts';
import { Sources } from './sources.ts';

const openssl = peer('openssl', 'openssl');

async function scrape(
  t: TestContext,
  kind: 'clickhouse' | 'elasticsearch' | 'jolokia' | 'kafka',
  url: string,
  collect: readonly string[] = [],
): Promise<string> {
  const client = createHttpClient(undefined, { clock: systemClock, disk: nodeDisk });
  const sources = new Sources([{ name: 'one', kind, url, timeout: 5000, collect }], {
    clock: systemClock,
    log: silentLogger,
    http: client,
    disk: nodeDisk,
  });
  t.after(async () => {
    await sources.close();
    client.close();
  });
  return writeText(await sources.one('one', new AbortController().signal));
}

async function serve(t: TestContext, answer: (url: string, body: string) => string | undefined): Promise<string> {
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const text = answer(request.url!, body);
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const has = (page: string, ...lines: string[]) => {
  for (const line of lines) assert.ok(page.split('\n').includes(line), `${line}\n\nis not on\n\n${page}`);
};

test("ClickHouse by clickhouse_exporter's names", async (t) => {
  const url = await serve(t, (_, sql) => {
    assert.match(sql, / FORMAT JSONEachRow$/);
    if (sql.includes('system.metrics'))
      return '{"metric":"Query","value":"1"}\n{"metric":"ReadonlyReplica","value":"0"}\n';
    if (sql.includes('asynchronous_metrics'))
      return '{"metric":"MaxPartCountForPartition","value":7}\n{"metric":"ReplicasMaxAbsoluteDelay","value":0}\n';
    if (sql.includes('system.events'))
      return ['SelectQuery', 'FailedQuery', 'RejectedInserts', 'ZooKeeperHardwareExceptions']
        .map((event) => `{"event":"${event}","value":"42"}\n`)
        .join('');
    if (sql.includes('system.parts'))
      return '{"database":"shop","table":"orders","bytes":"1000","parts":"2","rows":"30"}\n';
    return '{"name":"default","free_space":"10","total_space":"20"}\n';
  });
  const page = await scrape(t, 'clickhouse', url);
  assert.deepEqual(unknownToPages('clickhouse.yml', labelsByMetric(page.split('\n'))), []);
  has(
    page,
    'ClickHouseMetrics_Query 1',
    'ClickHouseAsyncMetrics_MaxPartCountForPartition 7',
    'ClickHouseProfileEvents_SelectQuery 42',
    'clickhouse_up 1',
    'clickhouse_query 1',
    'clickhouse_max_part_count_for_partition 7',
    'clickhouse_select_query_total 42',
    'clickhouse_table_parts_rows{database="shop",table="orders"} 30',
    'clickhouse_free_space_in_bytes{disk="default"} 10',
  );
});

test("Elasticsearch by elasticsearch_exporter's names", async (t) => {
  const url = await serve(t, (path) =>
    path === '/_cluster/health'
      ? '{"cluster_name":"c","status":"yellow","number_of_nodes":1,"active_shards":5,"unassigned_shards":2}'
      : JSON.stringify({
          nodes: {
            x: {
              name: 'n1',
              host: '10.0.0.1',
              roles: ['data', 'ingest'],
              http: { current_open: 1 },
              indices: { docs: { count: 9, deleted: 1 }, search: { query_total: 4, query_time_in_millis: 1500 } },
              jvm: {
                mem: { heap_used_in_bytes: 100, heap_max_in_bytes: 1000 },
                gc: { collectors: { young: { collection_count: 3, collection_time_in_millis: 250 } } },
              },
              breakers: { parent: { tripped: 1, overhead: 1.5 } },
              indexing_pressure: { memory: { current: { all_in_bytes: 7 }, limit_in_bytes: 70 } },
              process: { cpu: { total_in_millis: 2500 }, mem: { total_virtual_in_bytes: 99 } },
              thread_pool: { search: { rejected: 2 } },
              fs: {
                data: [{ path: '/d', mount: '/ (sda)', available_in_bytes: 11, total_in_bytes: 110 }],
                io_stats: { devices: [{ device_name: 'sda', operations: 8, read_kilobytes: 16 }] },
              },
            },
          },
        }),
  );
  const page = await scrape(t, 'elasticsearch', url);
  assert.deepEqual(unknownToPages('elasticsearch.yml', labelsByMetric(page.split('\n'))), []);
  const node = 'cluster="c",es_client_node="true",es_data_node="true",es_ingest_node="true",es_master_node="false",';
  has(
    page,
    'elasticsearch_up 1',
    'elasticsearch_cluster_health_status{cluster="c",color="yellow"} 1',
    'elasticsearch_cluster_health_status{cluster="c",color="green"} 0',
    'elasticsearch_cluster_health_unassigned_shards{cluster="c"} 2',
    `elasticsearch_indices_docs{${node}host="10.0.0.1",name="n1"} 9`,
    `elasticsearch_indices_search_query_time_seconds{${node}host="10.0.0.1",name="n1"} 1.5`,
    `elasticsearch_jvm_gc_collection_seconds_sum{${node}gc="young",host="10.0.0.1",name="n1"} 0.25`,
    `elasticsearch_breakers_overhead{breaker="parent",${node}host="10.0.0.1",name="n1"} 1.5`,
    `elasticsearch_process_cpu_seconds_total{${node}host="10.0.0.1",name="n1"} 2.5`,
    'elasticsearch_indexing_pressure_current_all_in_bytes{cluster="c",host="10.0.0.1",indexing_pressure="memory",name="n1"} 7',
    'elasticsearch_nodes_roles{cluster="c",host="10.0.0.1",name="n1",role="ingest"} 1',
    'elasticsearch_nodes_roles{cluster="c",host="10.0.0.1",name="n1",role="ml"} 0',
    `elasticsearch_thread_pool_rejected_count{${node}host="10.0.0.1",name="n1",type="search"} 2`,
  );
});

/** Answers of Elasticsearch 8, shortened, by path. */
const ELASTICSEARCH: Readonly<Record<string, unknown>> = {
  '/': {
    cluster_name: 'c',
    cluster_uuid: 'u',
    version: { number: '8.14.0', build_hash: 'h', lucene_version: '9.10.0' },
  },
  '/_cluster/health': { cluster_name: 'c', status: 'green' },
  '/_nodes/stats': { nodes: {} },
  '/_all/_stats': {
    indices: {
      logs: {
        primaries: { docs: { count: 5, deleted: 1 }, store: { size_in_bytes: 50 } },
        total: { docs: { count: 10, deleted: 2 }, search: { query_time_in_millis: 1500, query_total: 3 } },
      },
    },
  },
  '/_alias': { logs: { aliases: { current: {} } } },
  '/_all/_stats?level=shards': {
    indices: { logs: { shards: { 0: [{ routing: { node: 'n', primary: true }, docs: { count: 5 } }] } } },
  },
  '/_cat/shards?format=json': [
    { index: 'logs', state: 'STARTED', node: 'n' },
    { index: 'logs', state: 'UNASSIGNED', node: null },
  ],
  '/_snapshot': { backup: { type: 'fs' } },
  '/_snapshot/backup/_all': {
    snapshots: [
      {
        state: 'SUCCESS',
        version: '8',
        start_time_in_millis: 1000,
        end_time_in_millis: 2000,
        indices: ['a'],
        failures: [],
        shards: { total: 1, failed: 0, successful: 1 },
      },
      {
        state: 'PARTIAL',
        version: '8',
        start_time_in_millis: 5000,
        end_time_in_millis: 7000,
        indices: ['a', 'b'],
        failures: [{}],
        shards: { total: 2, failed: 1, successful: 1 },
      },
    ],
  },
  '/_cluster/settings?include_defaults=true&flat_settings=true': {
    persistent: { 'cluster.max_shards_per_node': '1200', 'cluster.routing.allocation.disk.watermark.low': '200gb' },
    transient: { 'cluster.routing.allocation.enable': 'primaries' },
    defaults: {
      'cluster.routing.allocation.enable': 'all',
      'cluster.routing.allocation.disk.threshold_enabled': 'true',
      'cluster.routing.allocation.disk.watermark.high': '90%',
    },
  },
  '/_slm/status': { operation_mode: 'RUNNING' },
  '/_slm/stats': {
    retention_runs: 4,
    total_snapshots_taken: 9,
    policy_stats: [{ policy: 'daily', snapshots_taken: 9 }],
  },
  '/_ilm/status': { operation_mode: 'STOPPED' },
  '/_all/_ilm/explain': { indices: { logs: { managed: true, phase: 'hot', action: 'rollover', step: 'check' } } },
  '/_data_stream/*/_stats': { data_streams: [{ data_stream: 'd', backing_indices: 2, store_size_bytes: 77 }] },
  '/_tasks?group_by=none': { tasks: [{ action: 'a' }, { action: 'a' }, { action: 'b' }] },
  '/_all/_settings': {
    logs: {
      settings: {
        index: { number_of_replicas: '1', number_of_shards: '3', creation_date: '5000', blocks: { read_only: 'true' } },
      },
    },
  },
};

test('Elasticsearch: collectors that are named, one of them missing on the server', async (t) => {
  const url = await serve(t, (path) => (path in ELASTICSEARCH ? JSON.stringify(ELASTICSEARCH[path]) : undefined));
  const names = 'clustersettings data_stream health-report ilm indices indices_settings shards slm snapshots tasks';
  const page = await scrape(t, 'elasticsearch', url, names.split(' '));
  has(
    page,
    'elasticsearch_up 1',
    'elasticsearch_version{build_hash="h",cluster="c",cluster_uuid="u",lucene_version="9.10.0",version="8.14.0"} 1',
    'elasticsearch_scrape_collector_success{collector="indices"} 1',
    'elasticsearch_scrape_collector_success{collector="health-report"} 0',
    'elasticsearch_indices_docs_primary{cluster="c",index="logs"} 5',
    'elasticsearch_indices_docs_total{cluster="c",index="logs"} 10',
    'elasticsearch_index_stats_search_query_time_seconds_total{cluster="c",index="logs"} 1.5',
    'elasticsearch_indices_aliases{alias="current",cluster="c",index="logs"} 1',
    'elasticsearch_indices_shards_docs{cluster="c",index="logs",node="n",primary="true",shard="0"} 5',
    'elasticsearch_node_shards_total{cluster="c",node="n"} 1',
    'elasticsearch_snapshot_stats_number_of_snapshots{repository="backup"} 2',
    'elasticsearch_snapshot_stats_latest_snapshot_timestamp_seconds{repository="backup"} 1',
    'elasticsearch_snapshot_stats_snapshot_number_of_failures{repository="backup",state="PARTIAL",version="8"} 1',
    'elasticsearch_clustersettings_stats_max_shards_per_node 1200',
    'elasticsearch_clustersettings_stats_shard_allocation_enabled 1',
    'elasticsearch_clustersettings_allocation_watermark_high_ratio 0.9',
    'elasticsearch_clustersettings_allocation_watermark_low_bytes 2.147483648e+11',
    'elasticsearch_slm_stats_operation_mode{operation_mode="RUNNING"} 1',
    'elasticsearch_slm_stats_snapshots_taken_total{policy="daily"} 9',
    'elasticsearch_ilm_status{operation_mode="STOPPED"} 1',
    'elasticsearch_ilm_index_status{action="rollover",index="logs",phase="hot",step="check"} 1',
    'elasticsearch_data_stream_store_size_bytes{data_stream="d"} 77',
    'elasticsearch_task_stats_action{action="a"} 2',
    'elasticsearch_indices_settings_replicas{index="logs"} 1',
    'elasticsearch_indices_settings_total_fields{index="logs"} 1000',
    'elasticsearch_indices_settings_stats_read_only_indices 1',
  );
});

test('a JVM and beans of the application through Jolokia', async (t) => {
  const url = await serve(t, (_, body) => {
    assert.equal(JSON.parse(body).length, 3);
    return JSON.stringify([
      {
        status: 200,
        value: {
          'java.lang:type=Memory': {
            HeapMemoryUsage: { used: 10, committed: 20, max: 30, init: 5 },
            NonHeapMemoryUsage: { used: 1 },
          },
          'java.lang:name=G1 Young,type=GarbageCollector': { CollectionCount: 4, CollectionTime: 1500 },
          'java.lang:type=Threading': { ThreadCount: 12 },
          'java.lang:type=Runtime': { StartTime: 1_700_000_000_000, VmName: 'VM', VmVendor: 'V', VmVersion: '21' },
        },
      },
      { status: 404, error: 'InstanceNotFoundException' },
      {
        status: 200,
        value: {
          'Catalina:name="http-nio, a=b",type=ThreadPool': {
            currentThreadsBusy: 3,
            paused: false,
            nested: { a: 1 },
            text: 'x',
          },
        },
      },
    ]);
  });
  has(
    await scrape(t, 'jolokia', `${url}/jolokia?mbean=${encodeURIComponent('Catalina:type=ThreadPool,name=*')}`),
    'jolokia_up 1',
    'jvm_memory_bytes_used{area="heap"} 10',
    'jvm_memory_used_bytes{area="heap"} 10',
    'jvm_runtime_info{runtime="VM",vendor="V",version="21"} 1',
    'jvm_gc_collection_seconds_sum{gc="G1 Young"} 1.5',
    'jvm_threads_current 12',
    'process_start_time_seconds 1.7e+09',
    'Catalina_ThreadPool_currentThreadsBusy{name="\\"http-nio, a=b\\""} 3',
    'Catalina_ThreadPool_nested_a{name="\\"http-nio, a=b\\""} 1',
  );
});

/** A broker; with SASL nothing is answered before the right password, told by the mechanism that it takes. */
async function startBroker(t: TestContext, sasl?: string, secured?: tls.TlsOptions): Promise<number> {
  const accept = (socket: net.Socket) => {
    let received = Buffer.alloc(0);
    const session: SaslSession = { mechanism: sasl, isOpen: sasl === undefined, exchange: [] };
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE()) {
        const request = new KafkaReader(received.subarray(4, 4 + received.readInt32BE()));
        received = received.subarray(4 + received.readInt32BE());
        const [api, , id] = [request.int16(), request.int16(), request.int32()];
        request.string();
        const body = new KafkaWriter().int32(id);
        if (!answerSasl(session, api, request, body)) {
          if (!session.isOpen) return socket.destroy();
          answerKafka(api, request, body, port);
        }
        const bytes = body.bytes();
        socket.write(Buffer.concat([new KafkaWriter().int32(bytes.length).bytes(), bytes]));
      }
    });
  };
  const server = secured ? tls.createServer(secured, accept) : net.createServer(accept);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return port;
}

type SaslSession = { readonly mechanism: string | undefined; isOpen: boolean; readonly exchange: string[] };

/** The server's side of PLAIN and SCRAM for user "me" with password "pass:word". */
function answerSasl(session: SaslSession, api: number, request: KafkaReader, out: KafkaWriter): boolean {
  if (api === 17) {
    out
      .int16(request.string() === session.mechanism ? 0 : 33)
      .array([session.mechanism ?? 'NONE'], (name) => void out.string(name));
    return true;
  }
  if (api !== 36) return false;
  const message = request.blob().toString();
  const reply = (text: string, error = 0) => {
    out
      .int16(error)
      .string(error === 0 ? '' : text)
      .int32(error === 0 ? text.length : 0);
    if (error === 0) for (const byte of Buffer.from(text)) out.int8(byte);
  };
  session.exchange.push(message);
  if (session.mechanism === 'PLAIN') {
    session.isOpen = message === '\0me\0pass:word';
    reply(session.isOpen ? '' : 'Authentication failed', session.isOpen ? 0 : 58);
    return true;
  }
  const hash = session.mechanism === 'SCRAM-SHA-512' ? 'sha512' : 'sha256';
  const hmac = (key: Uint8Array, text: string) => createHmac(hash, key).update(text).digest();
  if (session.exchange.length === 1) {
    const nonce = /r=(.*)$/.exec(message)![1]!;
    session.exchange.push(`r=${nonce}server,s=${Buffer.from('salt').toString('base64')},i=4096`);
    reply(session.exchange[1]!);
    return true;
  }
  const [first, challenge, final] = session.exchange as [string, string, string];
  const withoutProof = final.replace(/,p=.*$/, '');
  const salted = pbkdf2Sync('pass:word', 'salt', 4096, hash === 'sha256' ? 32 : 64, hash);
  const signed = `${first.slice(3)},${challenge},${withoutProof}`;
  const clientKey = hmac(salted, 'Client Key');
  const signature = hmac(createHash(hash).update(clientKey).digest(), signed);
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!)).toString('base64');
  session.isOpen = final.endsWith(`,p=${proof}`) && first.startsWith('n,,n=me,');
  if (session.isOpen) reply(`v=${hmac(hmac(salted, 'Server Key'), signed).toString('base64')}`);
  else reply('Authentication failed during authentication due to invalid credentials', 58);
  return true;
}

test("Kafka by kafka_exporter's names, groups and their lag", async (t) => {
  const port = await startBroker(t);
  const page = await scrape(t, 'kafka', `kafka://127.0.0.1:${port}`);
  assert.deepEqual(unknownToPages('kafka.yml', labelsByMetric(page.split('\n'))), []);
  assert.deepEqual(notOnPage(seriesOf(EXPORTERS['kafka']!), labelsByMetric(page.split('\n'))), []);
  has(
    page,
    'kafka_up 1',
    'kafka_brokers 1',
    'kafka_topic_partitions{topic="orders"} 1',
    'kafka_topic_partition_current_offset{partition="0",topic="orders"} 100',
    'kafka_topic_partition_oldest_offset{partition="0",topic="orders"} 10',
    'kafka_topic_partition_under_replicated_partition{partition="0",topic="orders"} 1',
    'kafka_consumergroup_members{consumergroup="billing"} 1',
    'kafka_consumergroup_lag{consumergroup="billing",partition="0",topic="orders"} 30',
    'kafka_consumergroup_lag_sum{consumergroup="billing",topic="orders"} 30',
  );
});

test('Kafka over SASL: PLAIN and SCRAM, right and wrong passwords', async (t) => {
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    const port = await startBroker(t, mechanism);
    const url = (password: string, sasl: string) => `kafka://me:${password}@127.0.0.1:${port}?sasl=${sasl}`;
    has(await scrape(t, 'kafka', url('pass%3Aword', mechanism.toLowerCase())), 'kafka_up 1', 'kafka_brokers 1');
    has(await scrape(t, 'kafka', url('wrong', mechanism)), 'kafka_up 0');
    const other = mechanism === 'PLAIN' ? 'SCRAM-SHA-256' : 'PLAIN';
    has(await scrape(t, 'kafka', url('pass%3Aword', other)), 'kafka_up 0');
  }
  await assert.rejects(scrape(t, 'kafka', 'kafka://127.0.0.1?sasl=gssapi'), /unknown sasl GSSAPI/);
  await assert.rejects(scrape(t, 'kafka', 'kafka://127.0.0.1?slas=plain'), /unknown parameter slas/);
});

test('Kafka over TLS with SASL', { skip: openssl.skip }, async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-kafka-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  execFileSync(
    openssl.path,
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3 -keyout key.pem -out cert.pem -subj /CN=kafka -addext subjectAltName=IP:127.0.0.1'.split(
      ' ',
    ),
    { cwd: folder, stdio: 'ignore' },
  );
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => fs.readFileSync(path.join(folder, name)));
  const port = await startBroker(t, 'SCRAM-SHA-512', { key, cert });
  const url = (options: string) => `kafka://me:pass%3Aword@127.0.0.1:${port}?sasl=scram-sha-512&${options}`;
  has(
    await scrape(t, 'kafka', url(`tls=on&ca_file=${path.join(folder, 'cert.pem')}`)),
    'kafka_up 1',
    'kafka_brokers 1',
  );
  has(await scrape(t, 'kafka', url('tls=insecure')), 'kafka_up 1');
  has(await scrape(t, 'kafka', url('tls=on')), 'kafka_up 0');
});

/** What a broker answers, field by field, in the versions that are asked for. */
function answerKafka(api: number, request: KafkaReader, out: KafkaWriter, port: number): void {
  const one = [0];
  switch (api) {
    case 3:
      out.array(one, () => void out.int32(1).string('127.0.0.1').int32(port).string('')).int32(1);
      out.array(one, () => {
        out.int16(0).string('orders');
        out.int8(0);
        out.array(one, () => {
          out.int16(0).int32(0).int32(1);
          out.array([1, 2], (replica) => void out.int32(replica)).array([1], (replica) => void out.int32(replica));
        });
      });
      break;
    case 2: {
      request.int32();
      request.array(() => {
        request.string();
        request.array(() => {
          request.int32();
          const time = request.int64();
          out.array(one, () => {
            out.string('orders').array(
              one,
              () =>
                void out
                  .int32(0)
                  .int16(0)
                  .int64(-1n)
                  .int64(time === -1 ? 100n : 10n),
            );
          });
        });
      });
      break;
    }
    case 16:
      out.int16(0).array(one, () => void out.string('billing').string('consumer'));
      break;
    case 15:
      out.array(one, () => {
        out.int16(0).string('billing').string('Stable').string('consumer').string('range');
        out.array(one, () => void out.string('m').string('c').string('/h').int32(0).int32(0));
      });
      break;
    case 9:
      out.array(one, () => {
        out.string('orders').array(one, () => void out.int32(0).int64(70n).string('').int16(0));
      });
  }
}

test('the dns prober reads answers over UDP and judges them', async (t) => {
  const server = dgram.createSocket('udp4');
  server.on('message', (query, from) => {
    const answer = Buffer.from(query);
    answer.writeUInt16BE(0x8180, 2);
    answer.writeUInt16BE(1, 6);
    // A pointer to the name asked for, type A, class IN, 60 s, 192.0.2.1.
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    server.send(Buffer.concat([answer, record]), from.port, from.address);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const module = (extra: string): ProbeModule =>
    loadYaml(`prober: dns\ntimeout: 2s\ndns: {query_name: example.org, query_type: A${extra}}`, moduleSchema, 'test');
  const run = async (extra: string) => {
    const result = await probe(module(extra), `127.0.0.1:${server.address().port}`, undefined, systemClock, nodeDisk);
    return { ok: result.ok, page: writeText(result.families), log: result.log.join('\n') };
  };
  const good = await run(
    ', validate_answer_rrs: {fail_if_not_matches_regexp: ["example.org.\\\\t.*\\\\tIN\\\\tA\\\\t192.0.2.1"]}',
  );
  assert.ok(good.ok, good.log);
  has(good.page, 'probe_success 1', 'probe_dns_answer_rrs 1', 'probe_dns_query_succeeded 1');
  assert.equal((await run(', validate_answer_rrs: {fail_if_matches_regexp: ["192"]}')).ok, false);
  assert.equal((await run(', valid_rcodes: [NXDOMAIN]')).ok, false);
  assert.equal(buildQuery(1, 'a.b.', 1, 1, true).toString('hex'), '000101000001000000000000016101620000010001');
});

test('servers that take connections and never answer cost their own page only', async (t) => {
  const sockets = new Set<net.Socket>();
  const silent = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const at = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const url = await serve(
    t,
    () => 'Active connections: 1 \nserver accepts handled requests\n 3 3 4 \nReading: 0 Writing: 1 Waiting: 0 \n',
  );
  const client = createHttpClient(undefined, { clock: systemClock, disk: nodeDisk });
  const schemes = {
    clickhouse: 'http',
    elasticsearch: 'http',
    haproxy: 'http',
    jolokia: 'http',
    kafka: 'kafka',
    mysql: 'mysql',
    nginx: 'http',
    postgres: 'postgres',
    redis: 'redis',
  } as const;
  const dead = Object.entries(schemes).map(([kind, scheme]) => ({
    name: `silent-${kind}`,
    kind: kind as keyof typeof schemes,
    url: `${scheme}://me:secret@${at}/`,
    timeout: 300,
  }));
  const lines: string[] = [];
  const log = {
    ...silentLogger,
    warn: (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields)}`),
  };
  const sources = new Sources([...dead, { name: 'good', kind: 'nginx', url, timeout: 5000 }], {
    clock: systemClock,
    log: log as typeof silentLogger,
    http: client,
    disk: nodeDisk,
  });
  t.after(async () => {
    await sources.close();
    client.close();
  });
  const page = writeText(await sources.all(new AbortController().signal));
  has(
    page,
    'nginx_up{source="good"} 1',
    'nginx_http_requests_total{source="good"} 4',
    ...['clickhouse', 'elasticsearch', 'haproxy', 'jolokia', 'kafka', 'mysql', 'nginx', 'pg', 'redis'].map(
      (prefix) => `${prefix}_up{source="silent-${prefix === 'pg' ? 'postgres' : prefix}"} 0`,
    ),
  );
  assert.equal(lines.length, dead.length, lines.join('\n'));
  for (const line of lines) assert.doesNotMatch(line, /secret/, 'no password in the log');
});

test('a collector that does not exist is refused with those that do', () => {
  const client = createHttpClient(undefined, { clock: systemClock, disk: nodeDisk });
  const make = (kind: 'mysql' | 'nginx', collect: string[]) =>
    new Sources([{ name: 's', kind, url: 'http://a', timeout: 1, collect }], {
      clock: systemClock,
      log: silentLogger,
      http: client,
      disk: nodeDisk,
    });
  assert.throws(
    () => make('mysql', ['binlog_siz']),
    /no collector binlog_siz, did you mean binlog_size\?; there are .*perf_schema/,
  );
  assert.throws(() => make('nginx', ['x']), /source s has no collector x; none can be switched on/);
  client.close();
});
