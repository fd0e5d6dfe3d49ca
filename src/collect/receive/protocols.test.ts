// What is sent in by protocols of others, with their real senders where Debian has them: collectd over both its plugins,
// gmond, the influx client, plugins of Nagios; and the grammars of the lines by themselves.

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createCipheriv, createHash, createHmac } from 'node:crypto';
import dgram from 'node:dgram';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { SimClock } from '#base/clock-sim.ts';
import { loadYaml } from '#base/config/load.ts';
import { silentLogger } from '#base/log.ts';
import { Registry } from '#model/registry.ts';
import { decodeCollectd } from '#wire/collectd/network.ts';
import { BUILT_IN_TYPES, parseTypesDb } from '#wire/collectd/values.ts';
import { decodeGanglia } from '#wire/ganglia.ts';
import { parseGraphite } from '#wire/graphite.ts';
import { type InfluxPoint, PRECISIONS, parseInflux } from '#wire/influx/line.ts';
import { parseNagios } from '#wire/nagios.ts';
import { parseStatsd } from '#wire/statsd.ts';
import { peer } from '../../../test/peers.ts';
import { ReceiveMetrics } from './feed.ts';
import { cleanups, setUp, until } from './receivers.suite.ts';
import type { Receivers } from './receivers.ts';
import { StatsdReceiver, statsdSection } from './statsd.ts';
import { StoreTwin } from './store-twin.ts';

const temporary = () => fs.mkdtempSync(path.join(os.tmpdir(), 'receive-'));

/** The receivers behind a real HTTP server. */
async function serve(receivers: Receivers): Promise<number> {
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url!, 'http://x');
    if (url.pathname === '/ping') {
      response.writeHead(204, { 'x-influxdb-version': '1.8.0' }).end();
      return;
    }
    const headers = request.headers as Record<string, string>;
    const body = Buffer.concat(chunks);
    const reply = await receivers.receive({ path: url.pathname, query: url.search.slice(1), headers, body });
    response.writeHead(reply.status, reply.headers).end(reply.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}

test("Influx' line protocol", () => {
  const read = (text: string, unit = 'ns') => {
    const points: InfluxPoint[] = [];
    const bad: string[] = [];
    parseInflux(
      text,
      PRECISIONS[unit]!,
      (point) => points.push(point),
      (line, reason) => bad.push(`${line}: ${reason}`),
    );
    return { points, bad };
  };
  assert.deepEqual(
    read('cpu,host=a,region=eu\\ west usage=1.5,n=3i,up=t,name="x, y=1 \\"q\\"" 1700000000123456789').points,
    [
      {
        measurement: 'cpu',
        tags: ['host', 'a', 'region', 'eu west'],
        fields: [
          { name: 'usage', value: 1.5 },
          { name: 'n', value: 3 },
          { name: 'up', value: 1 },
        ],
        time: 1_700_000_000_123,
      },
    ],
  );
  assert.equal(read('a v=1 1700000000', 's').points[0]!.time, 1_700_000_000_000);
  assert.equal(read('a v=1 -5', 'ms').points[0]!.time, -5);
  assert.equal(read('a\\,b,t\\=x=1 v=1').points[0]!.measurement, 'a,b');
  assert.deepEqual(read('a\\,b,t\\=x=1 v=1').points[0]!.tags, ['t=x', '1']);
  assert.equal(read('# note\n\na v=1\r\nb s="two\nlines",v=2\nc v=3').points.length, 3);
  const reasons: readonly [string, RegExp][] = [
    ['cpu', /missing fields/],
    [',a=b v=1', /missing measurement/],
    ['cpu,a v=1', /missing tag value/],
    ['cpu,a= v=1', /missing tag value/],
    ['cpu v', /missing field value/],
    ['cpu v=', /missing field value/],
    ['cpu v=1.2.3', /invalid number/],
    ['cpu v=1.5i', /invalid integer/],
    ['cpu v="x', /unbalanced quotes/],
    ['cpu v=1 soon', /bad timestamp/],
    ['cpu v=-1u', /invalid unsigned/],
  ];
  for (const [line, reason] of reasons) {
    const { points, bad } = read(`ok v=1\n${line}`);
    assert.equal(points.length, 1, line);
    assert.match(bad[0] ?? '', reason, line);
  }
});

test('Graphite lines', () => {
  assert.deepEqual(parseGraphite('a.b.c 1.5 1700000000'), {
    path: 'a.b.c',
    tags: [],
    value: 1.5,
    time: 1_700_000_000_000,
  });
  assert.deepEqual(parseGraphite('disk;host=a;dc=eu 3 -1'), {
    path: 'disk',
    tags: ['host', 'a', 'dc', 'eu'],
    value: 3,
    time: undefined,
  });
  for (const line of ['a', 'a b c', 'a 1 2 3', 'a 1 soon', 'a;b 1', ';x=y 1'])
    assert.equal(typeof parseGraphite(line), 'string', line);
});

test('StatsD lines', () => {
  const [event] = parseStatsd('req:3|c|@0.1|#a:b,flag') as Exclude<ReturnType<typeof parseStatsd>, string>;
  assert.deepEqual(event, {
    name: 'req',
    tags: ['a', 'b', 'flag', 'true'],
    type: 'counter',
    value: 3,
    relative: false,
    member: '3',
    weight: 10,
  });
  for (const line of ['req,a=b:1|c', 'req#a=b:1|c', 'req[a=b]:1|c']) {
    const [first] = parseStatsd(line) as Exclude<ReturnType<typeof parseStatsd>, string>;
    assert.deepEqual([first?.name, first?.tags], ['req', ['a', 'b']], line);
  }
  assert.deepEqual(
    (parseStatsd('t:100:200|ms') as Exclude<ReturnType<typeof parseStatsd>, string>).map((e) => e.value),
    [0.1, 0.2],
  );
  assert.equal((parseStatsd('g:-2|g') as Exclude<ReturnType<typeof parseStatsd>, string>)[0]!.relative, true);
  for (const line of ['', 'x', 'x:1', 'x:1|q', 'x:a|c', 'x:1|c|@2', ':1|c', 'x:-1|c'])
    assert.equal(typeof parseStatsd(line), 'string', line);
});

test('performance data of Nagios plugins', () => {
  const bad: string[] = [];
  const values = parseNagios(
    "OK - fine | time=12ms;100;200 '/var log'=512MB;~:600;@10:20;0;1024 load1=0,5 junk x=U\nmore\ntext | hits=7c",
    (item) => bad.push(item),
  );
  assert.deepEqual(
    values.map((v) => [v.label, v.value, v.unit]),
    [
      ['time', 0.012, 'seconds'],
      ['/var log', 512 * 1024 ** 2, 'bytes'],
      ['load1', 0.5, ''],
      ['hits', 7, 'count'],
    ],
  );
  assert.deepEqual(values[0]!.warning, { low: 0, high: 0.1 });
  assert.deepEqual(values[1]!.warning, { low: -Infinity, high: 600 * 1024 ** 2 });
  assert.equal(values[1]!.max, 1024 ** 3);
  assert.deepEqual(bad, ['junk', 'x=U']);
});

test("gmond's XML", () => {
  const xml = `<?xml version="1.0"?><!DOCTYPE GANGLIA_XML [ <!ELEMENT A (B)*> ]>
    <GANGLIA_XML VERSION="3.7" SOURCE="gmond"><CLUSTER NAME="c &amp; d" LOCALTIME="1">
    <HOST NAME="h1" IP="10.0.0.1" TN="1" TMAX="20"><METRIC NAME="load_one" VAL="0.25" TYPE="float" UNITS=" " TN="2" TMAX="70" DMAX="0" SLOPE="both">
      <EXTRA_DATA><EXTRA_ELEMENT NAME="GROUP" VAL="load"/></EXTRA_DATA></METRIC>
      <METRIC NAME="os" VAL="a > b" TYPE="string"/><METRIC NAME="old" VAL="1" TYPE="int32" TN="100" DMAX="60"/></HOST>
    <HOST NAME="dead" TN="500" TMAX="20"><METRIC NAME="load_one" VAL="1" TYPE="float"/></HOST>
    </CLUSTER></GANGLIA_XML>`;
  assert.deepEqual(decodeGanglia(xml), [
    {
      cluster: 'c & d',
      host: 'h1',
      ip: '10.0.0.1',
      name: 'load_one',
      value: 0.25,
      units: '',
      group: 'load',
      slope: 'both',
      title: '',
    },
  ]);
  assert.throws(() => decodeGanglia('<html></html>'), /no GANGLIA_XML/);
  assert.throws(() => decodeGanglia(xml.slice(0, 300)), /cut off/);
});

/** Parts of a collectd packet. */
const part = (type: number, data: Buffer) => {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(data.length + 4, 2);
  return Buffer.concat([head, data]);
};
const textPart = (type: number, text: string) => part(type, Buffer.from(`${text}\0`));
const hires = (ms: number) => {
  const data = Buffer.alloc(8);
  data.writeBigUInt64BE((BigInt(ms) << 30n) / 1000n + 1n);
  return part(8, data);
};
const loadValues = part(
  6,
  Buffer.concat([
    Buffer.from([0, 2, 1, 2]),
    Buffer.from(new Float64Array([0.5]).buffer),
    Buffer.from([0, 0, 0, 0, 0, 0, 1, 0]),
  ]),
);
const packet = Buffer.concat([
  textPart(0, 'h'),
  hires(1_700_000_000_500),
  textPart(2, 'p'),
  textPart(4, 't'),
  loadValues,
]);

test('collectd packets, signed and encrypted', () => {
  const open = { level: 'none', passwordOf: () => undefined } as const;
  const [values] = decodeCollectd(packet, open);
  assert.deepEqual(values, {
    host: 'h',
    plugin: 'p',
    pluginInstance: '',
    type: 't',
    typeInstance: '',
    time: 1_700_000_000_500,
    values: [0.5, 256],
    kinds: ['gauge', 'derive'],
    names: undefined,
  });
  const user = Buffer.from('u');
  const strict = (level: 'sign' | 'encrypt', password = 'pw') => ({
    level,
    passwordOf: (name: string) => (name === 'u' ? password : undefined),
  });
  const mac = createHmac('sha256', 'pw')
    .update(Buffer.concat([user, packet]))
    .digest();
  const signed = Buffer.concat([part(0x200, Buffer.concat([mac, user])), packet]);
  assert.equal(decodeCollectd(signed, strict('sign')).length, 1);
  assert.throws(() => decodeCollectd(signed, strict('sign', 'other')), /signature is wrong/);
  assert.throws(() => decodeCollectd(packet, strict('sign')), /not signed/);
  assert.throws(() => decodeCollectd(signed, strict('encrypt')), /not encrypted/);
  const iv = Buffer.alloc(16, 3);
  const cipher = createCipheriv('aes-256-ofb', createHash('sha256').update('pw').digest(), iv);
  const plain = Buffer.concat([createHash('sha1').update(packet).digest(), packet]);
  const sealed = part(0x210, Buffer.concat([Buffer.from([0, 1]), user, iv, cipher.update(plain), cipher.final()]));
  assert.equal(decodeCollectd(sealed, strict('encrypt')).length, 1);
  assert.throws(() => decodeCollectd(sealed, strict('encrypt', 'other')), /does not decrypt/);
  for (let cut = 1; cut < packet.length; cut++) {
    try {
      assert.ok(decodeCollectd(packet.subarray(0, cut), open).length === 0, 'no values from part of a packet');
    } catch (error) {
      assert.match((error as Error).message, /cannot decode collectd packet/);
    }
  }
});

test('types.db adds to the built-in types', () => {
  const types = parseTypesDb(
    '# note\nabsolute\tvalue:ABSOLUTE:0:U\nload  shortterm:GAUGE:0:5000, midterm:GAUGE:0:5000, longterm:GAUGE:0:5000\n',
  );
  assert.deepEqual(types.get('load'), BUILT_IN_TYPES.get('load'));
  assert.deepEqual(types.get('absolute'), ['value']);
});

test('Graphite over TCP and UDP with mappings', async () => {
  const { store, receivers } = await setUp(`
graphite:
  listen_tcp: 127.0.0.1:0
  listen_udp: 127.0.0.1:0
  mappings:
    - {match: 'servers.*.cpu.*', name: 'cpu_$2', labels: {host: '$1', kind: 'x'}}
    - {match: 'noise\\..*', match_type: regex, action: drop}
`);
  const socket = net.connect(receivers.ports.get('graphite/tcp')!, '127.0.0.1');
  socket.write('servers.web-1.cpu.user 1.5 1700000000\nnoise.x 1 1700000000\nbro');
  socket.write('ken\nplain.name 2 1700000000');
  socket.end();
  const udp = dgram.createSocket('udp4');
  udp.send('tagged;dc=eu 3 1700000001\n', receivers.ports.get('graphite/udp')!, '127.0.0.1', () => udp.close());
  const wanted = {
    'cpu_user{host="web-1", kind="x"}': '1.5@1700000000000',
    plain_name: '2@1700000000000',
    'tagged{dc="eu"}': '3@1700000001000',
  };
  await until('three samples', () => Object.keys(store.dump()).length === 3);
  assert.deepEqual(store.dump(), wanted);
});

test('StatsD gathers counters, gauges, timers and sets and lets them end', async () => {
  const store = new StoreTwin();
  const clock = new SimClock(1_700_000_000_000);
  const parts = { appender: store, clock, log: silentLogger, metrics: new ReceiveMetrics(new Registry()) };
  const section = loadYaml(
    'ttl: 30s\nmappings: [{match: "api.*.time", name: api_time_seconds, labels: {route: "$1"}, observer_type: histogram, buckets: [0.1, 1]}]',
    statsdSection,
    's.yml',
  );
  const receiver = new StatsdReceiver(parts, section);
  for (const line of [
    'hits:2|c',
    'hits:1|c|@0.5',
    'temp:20|g',
    'temp:+3|g',
    'temp:-1|g',
    'api.pay.time:50|ms',
    'api.pay.time:500|ms',
    'size:7|h',
    'size:9|h',
    'users:ann|s',
    'users:bob|s',
    'users:ann|s',
  ])
    receiver.line(line);
  await receiver.flush();
  const t = 1_700_000_000_000;
  assert.deepEqual(store.dump(), {
    'api_time_seconds_bucket{le="+Inf", route="pay"}': `2@${t}`,
    'api_time_seconds_bucket{le="0.1", route="pay"}': `1@${t}`,
    'api_time_seconds_bucket{le="1", route="pay"}': `2@${t}`,
    'api_time_seconds_count{route="pay"}': `2@${t}`,
    'api_time_seconds_sum{route="pay"}': `0.55@${t}`,
    hits: `4@${t}`,
    size_count: `2@${t}`,
    size_sum: `16@${t}`,
    'size{quantile="0.5"}': `7@${t}`,
    'size{quantile="0.9"}': `9@${t}`,
    'size{quantile="0.99"}': `9@${t}`,
    temp: `22@${t}`,
    users: `2@${t}`,
  });
  await clock.advance(20_000);
  receiver.line('hits:1|c');
  await receiver.flush();
  assert.match(store.dump()['hits']!, /5@1700000020000$/);
  await clock.advance(20_000);
  await receiver.flush();
  assert.match(store.dump()['temp']!, /stale@1700000040000$/);
  assert.equal(receiver.size, 1);
});

test('StatsD over UDP and TCP', async () => {
  const { store, receivers } = await setUp(
    'statsd: {listen_udp: "127.0.0.1:0", listen_tcp: "127.0.0.1:0", flush_interval: 50ms}',
  );
  const udp = dgram.createSocket('udp4');
  udp.send('a:1|c\na:2|c', receivers.ports.get('statsd/udp')!, '127.0.0.1', () => udp.close());
  const socket = net.connect(receivers.ports.get('statsd/tcp')!, '127.0.0.1');
  socket.end('a:4|c\nnonsense\n');
  await until('the sum', () => /(^| )7@/.test(store.dump()['a'] ?? ''));
});

test('the Influx write APIs answer as InfluxDB does', async () => {
  const { store, receivers } = await setUp(
    'influx: {database_label: db, relabel_configs: [{regex: secret, action: labeldrop}]}',
  );
  const post = (where: string, query: string, body: string) =>
    receivers.receive({ path: where, query, headers: {}, body: Buffer.from(body) });
  assert.equal(
    (await post('/write', 'db=mydb&precision=s', 'cpu,host=a,secret=x value=1,idle=2 1700000000')).status,
    204,
  );
  assert.deepEqual(store.dump(), {
    'cpu_idle{db="mydb", host="a"}': '2@1700000000000',
    'cpu{db="mydb", host="a"}': '1@1700000000000',
  });
  const partial = await post('/write', 'precision=s', 'ok v=1 1700000000\nbroken\n');
  assert.equal(partial.status, 400);
  assert.match(partial.body, /^\{"error":"partial write: unable to parse 'broken': missing fields dropped=1"\}$/);
  assert.equal(store.dump()['ok_v'], '1@1700000000000');
  const second = await post('/api/v2/write', 'bucket=b&precision=ms', 'x v=z');
  assert.equal(JSON.parse(second.body).code, 'invalid');
  assert.equal((await post('/write', 'precision=weeks', '')).status, 400);
});

const influx = peer('influx', 'influxdb-client');
test("Influx' own client writes to us", { skip: influx.skip }, async () => {
  const { store, receivers } = await setUp('influx: {}');
  const port = await serve(receivers);
  const args = [
    '-host',
    '127.0.0.1',
    '-port',
    String(port),
    '-database',
    'd',
    '-execute',
    'INSERT cpu,host=a value=0.64,n=3i 1700000000000000000',
  ];
  await promisify(execFile)(influx.path, args);
  assert.deepEqual(store.dump(), { 'cpu_n{host="a"}': '3@1700000000000', 'cpu{host="a"}': '0.64@1700000000000' });
});

const collectd = peer('collectd', 'collectd-core');
const libraries = [
  '/usr/lib',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  ...(process.env['LD_LIBRARY_PATH'] ?? '').split(':'),
];
const yajl = libraries.some((where) => fs.existsSync(`${where}/libyajl.so.2`));
const modules = libraries.map((where) => `${where}/ganglia`).find((where) => fs.existsSync(where)) ?? '';
const noWriteHttp =
  collectd.skip || (yajl ? false : 'a library of the write_http plugin is not installed (Debian: libyajl2)');

async function runCollectd(section: string, plugin: (port: number, udp: number) => string): Promise<void> {
  const folder = temporary();
  fs.writeFileSync(path.join(folder, 'auth'), 'alice: wonder\n');
  const { store, receivers } = await setUp(section.replace('FOLDER', folder));
  const port = await serve(receivers);
  fs.writeFileSync(
    path.join(folder, 'collectd.conf'),
    `Hostname "testhost"\nFQDNLookup false\nBaseDir "${folder}"\nPIDFile "${folder}/pid"\nInterval 1\nTypesDB "/usr/share/collectd/types.db"
LoadPlugin load\nLoadPlugin memory\n${plugin(port, receivers.ports.get('collectd/udp') ?? 0)}\n`,
  );
  const child = spawn(collectd.path, ['-f', '-C', path.join(folder, 'collectd.conf')], { stdio: 'ignore' });
  cleanups.push(() => child.kill('SIGKILL'));
  await until('load and memory', () => {
    const names = Object.keys(store.dump());
    return (
      names.includes('collectd_load_shortterm{instance="testhost"}') &&
      names.includes('collectd_memory{instance="testhost", memory="free"}')
    );
  });
  assert.match(store.dump()['collectd_load_shortterm{instance="testhost"}']!, /^[\d.e-]+@\d{13}/);
  child.kill('SIGTERM');
}

test('collectd sends by its network plugin, encrypted', { skip: collectd.skip }, () =>
  runCollectd(
    'collectd: {listen_udp: "127.0.0.1:0", security_level: encrypt, auth_file: "FOLDER/auth"}',
    (_, udp) =>
      `LoadPlugin network\n<Plugin network>\n<Server "127.0.0.1" "${udp}">\nSecurityLevel Encrypt\nUsername "alice"\nPassword "wonder"\n</Server>\n</Plugin>`,
  ),
);

test('collectd sends by its write_http plugin', { skip: noWriteHttp }, () =>
  runCollectd(
    'collectd: {}',
    (port) =>
      `LoadPlugin write_http\n<Plugin write_http>\n<Node "x">\nURL "http://127.0.0.1:${port}/collectd"\nFormat "JSON"\nBufferSize 4096\n</Node>\n</Plugin>`,
  ),
);

test("collectd's JSON is read, and refused with the place of its mistake", async () => {
  const { store, receivers } = await setUp('collectd: {}');
  const post = (value: unknown) =>
    receivers.receive({ path: '/collectd', query: '', headers: {}, body: Buffer.from(JSON.stringify(value)) });
  const item = {
    values: [1901474177, null],
    dstypes: ['counter', 'gauge'],
    dsnames: ['rx', 'x'],
    time: 1280959128.5,
    interval: 10,
    host: 'leeloo',
    plugin: 'interface',
    plugin_instance: 'eth0',
    type: 'if_octets',
    type_instance: '',
  };
  assert.equal((await post([item, { severity: 'OKAY', message: 'a notification' }])).status, 204);
  assert.deepEqual(store.dump(), {
    'collectd_interface_if_octets_rx_total{instance="leeloo", interface="eth0"}': '1901474177@1280959128500',
  });
  assert.match(
    (await post([{ ...item, dstypes: ['counter'] }])).body,
    /\[0\]: values, dstypes and dsnames have different lengths/,
  );
  // What is wrong costs only itself.
  const mixed = await post([
    { ...item, time: 'x' },
    { ...item, host: 'other' },
  ]);
  assert.equal(mixed.status, 400);
  assert.match(mixed.body, /\[0\]\.time: expected seconds/);
  assert.equal(
    store.dump()['collectd_interface_if_octets_rx_total{instance="other", interface="eth0"}'],
    '1901474177@1280959128500',
  );
  assert.match((await post({})).body, /expected a list/);
});

const gmond = peer('gmond', 'ganglia-monitor');
test('gmond is polled', { skip: gmond.skip }, async () => {
  const folder = temporary();
  const probe = net.createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as net.AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  fs.writeFileSync(
    path.join(folder, 'gmond.conf'),
    `globals { daemonize = no setuid = no debug_level = 0 mute = no deaf = no host_dmax = 0 cleanup_threshold = 300 gexec = no send_metadata_interval = 1 }
cluster { name = "test" owner = "o" latlong = "l" url = "u" }
host { location = "l" }
udp_send_channel { host = 127.0.0.1 port = ${port} ttl = 1 }
udp_recv_channel { bind = 127.0.0.1 port = ${port} }
tcp_accept_channel { bind = 127.0.0.1 port = ${port} }
modules { module { name = "core_metrics" } module { name = "load_module" path = "${modules}/modload.so" } module { name = "mem_module" path = "${modules}/modmem.so" } }
collection_group { collect_once = yes time_threshold = 20 metric { name = "heartbeat" } }
collection_group { collect_every = 1 time_threshold = 1 metric { name = "load_one" value_threshold = 0.0 } metric { name = "mem_free" value_threshold = 0.0 } }
`,
  );
  const child: ChildProcess = spawn(gmond.path, ['-c', path.join(folder, 'gmond.conf'), '-f'], { stdio: 'ignore' });
  cleanups.push(() => child.kill('SIGKILL'));
  const { store } = await setUp(`ganglia: [{address: "127.0.0.1:${port}", interval: 200ms, labels: {dc: eu}}]`);
  await until('load_one', () =>
    Object.keys(store.dump()).some((name) => name.startsWith('ganglia_load_one{') && name.includes('dc="eu"')),
  );
  const up = Object.entries(store.dump()).find(([name]) => name.startsWith('up{'))!;
  assert.match(up[1], /1@\d+$/);
  child.kill('SIGTERM');
  await until('down', () => /0@\d+$/.test(store.dump()[up[0]]!));
  const load = Object.entries(store.dump()).find(([name]) => name.startsWith('ganglia_load_one{'))!;
  assert.match(load[1], /stale@\d+$/);
});

const plugins = '/usr/lib/nagios/plugins';
const noPlugins = fs.existsSync(`${plugins}/check_load`)
  ? false
  : 'check_load is not installed (Debian: monitoring-plugins-basic)';
test('plugins of Nagios are run', { skip: noPlugins }, async () => {
  const { store } = await setUp(`
nagios:
  - {name: load, command: [${plugins}/check_load, -w, '900,900,900', -c, '999,999,999'], interval: 100ms}
  - {name: disk, command: [${plugins}/check_disk, -w, '1%', -c, '0%', -p, /], interval: 100ms}
  - {name: bad, command: [${plugins}/check_dummy, '2', broken], interval: 100ms}
  - {name: missing, command: [/no/such/plugin], interval: 100ms}
`);
  const has = (start: string) => Object.entries(store.dump()).find(([name]) => name.startsWith(start))?.[1];
  await until(
    'all checks',
    () =>
      has('nagios_perfdata{check="load"') !== undefined &&
      has('nagios_perfdata_bytes{check="disk"') !== undefined &&
      has('up{instance="missing"') !== undefined &&
      has('nagios_check_status{check="bad"') !== undefined,
  );
  assert.match(has('nagios_check_status{check="load"')!, /^0@/);
  assert.match(has('nagios_check_status{check="bad"')!, /^2@/);
  assert.match(has('up{instance="missing"')!, /^0@/);
  assert.match(has('nagios_perfdata_warning{check="load"')!, /^900@/);
});
