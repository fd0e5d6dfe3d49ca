// Data sources against the real databases, and the HTTP kinds against small servers that answer in the recorded shapes.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import type { Frame } from '#view/frame.ts';
import { askMysql, askPostgres } from '#view/sources/databases.ts';
import { askClickhouse, askElasticsearch, askJson, passToPrometheus } from '#view/sources/http.ts';
import { editable, probe, withKeptSecrets } from '#view/sources/probe.ts';
import { type Ask, readSource, type Source, type SourceQuery, Sources } from '#view/sources/source.ts';
import { SourceClients, type SourceTls } from '#view/sources/tls.ts';
import { type Certificate, certificate, noOpenssl } from './certificates.ts';
import { peer } from './peers.ts';
import { freePort } from './running.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-sources-'));
const running: ChildProcess[] = [];
const servers: http.Server[] = [];
const homes: string[] = [folder];
after(async () => {
  for (const one of running) {
    const ended = new Promise((resolve) => one.once('exit', resolve));
    one.kill('SIGTERM');
    await ended;
  }
  for (const one of servers) one.close();
  for (const home of homes) fs.rmSync(home, { recursive: true, force: true });
});

const query = (expr: string, more: Partial<SourceQuery> = {}): SourceQuery => ({
  ref: 'A',
  expr,
  format: 'series',
  extra: {},
  fromMs: 0,
  toMs: 2_000_000_000_000,
  intervalMs: 60_000,
  signal: new AbortController().signal,
  ...more,
});
const table = (frame: Frame | undefined) => frame!.fields.map((field) => [field.name, field.kind, ...field.values]);

async function until(check: () => boolean): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (check()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the database did not start');
}

/** What TLS of a database must do, whichever it is: told by name, with the right and with a wrong authority. */
async function checkTls(ask: Ask, plain: Source, port: number, server: Certificate): Promise<void> {
  const one = query('select 1 as one', { format: 'table' });
  const over = (tls: SourceTls, host = 'localhost') => ask({ ...plain, url: `${host}:${port}`, tls }, one);
  const works = async (tls: SourceTls, host?: string) =>
    assert.deepEqual((await over(tls, host))[0]!.fields[0]!.values.map(Number), [1]);
  const wrong = certificate(folder, `wrong-${plain.kind}`);
  await works({ check: 'full', ca: server.pem });
  await works({ check: 'full', ca: server.certFile });
  await works({ check: 'chain', ca: server.pem }, '127.0.0.1');
  await works({ check: 'none' });
  await assert.rejects(over({ check: 'full' }), /cannot ask data source .*self-signed certificate/);
  await assert.rejects(
    over({ check: 'full', ca: wrong.pem }),
    /cannot ask data source .*(self-signed|unable to verify)/,
  );
  await assert.rejects(over({ check: 'full', ca: '/nowhere.pem' }), /cannot reach data source .*nowhere\.pem/);
}

const mariadb = peer('mariadbd', 'mariadb-server');
test('MariaDB: series and tables, read only, over TLS', { skip: mariadb.skip || noOpenssl }, async () => {
  const data = path.join(folder, 'mariadb');
  const socket = path.join(folder, 'mariadb.sock');
  fs.mkdirSync(data);
  const user = os.userInfo().username;
  execFileSync(
    'mariadb-install-db',
    [`--datadir=${data}`, `--user=${user}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
    { stdio: 'ignore' },
  );
  const [port, tls] = [await freePort(), certificate(folder, 'mariadb')];
  running.push(
    spawn(
      mariadb.path,
      [
        `--datadir=${data}`,
        `--socket=${socket}`,
        ...['--bind-address=127.0.0.1', `--port=${port}`, `--ssl-cert=${tls.certFile}`, `--ssl-key=${tls.keyFile}`],
        `--user=${user}`,
        `--pid-file=${folder}/mariadb.pid`,
      ],
      { stdio: 'ignore' },
    ),
  );
  const run = (sql: string) => spawnSync('mariadb', [`--socket=${socket}`, '-uroot', '-e', sql]);
  await until(() => run('select 1').status === 0);
  const made = run(
    "create database shop; use shop; create table orders (at datetime, city varchar(20), amount decimal(8,2)); insert into orders values ('2026-01-01 00:00:10','a',1.5),('2026-01-01 00:01:10','b',2),('2026-01-01 00:00:40','a',4)",
  );
  assert.equal(made.status, 0, String(made.stderr));
  const source: Source = readSource({
    name: 'Shop',
    kind: 'mysql',
    url: `unix:${socket}`,
    user: 'root',
    database: 'shop',
    allow: ['orders'],
  });
  const ask = askMysql({}, nodeDisk);
  const frames = await ask(
    source,
    query(
      'select $__timeGroupAlias(at, 1m), city, sum(amount) as sold from orders where $__timeFilter(at) group by 1, 2 order by 1',
    ),
  );
  assert.deepEqual(
    frames.map((frame) => [frame.fields[1]!.legend, ...frame.fields[0]!.values, ...frame.fields[1]!.values]),
    [
      ['a', Date.UTC(2026, 0, 1), 5.5],
      ['b', Date.UTC(2026, 0, 1, 0, 1), 2],
    ],
  );
  const [rows] = await ask(
    source,
    query('select city, count(*) as n from orders group by city order by city', { format: 'table' }),
  );
  assert.deepEqual(table(rows), [
    ['city', 'string', 'a', 'b'],
    ['n', 'number', 2, 1],
  ]);
  await tried(source, { mysql: ask });
  await assert.rejects(tried({ ...source, database: 'nowhere' }, { mysql: ask }), /Unknown database 'nowhere'/);
  await assert.rejects(ask(source, query('select * from mysql.user')), /table "mysql.user" is not among/);
  await assert.rejects(
    ask(source, query('select nothing from orders')),
    /cannot ask data source "Shop": Unknown column 'nothing'/,
  );
  run("create user secret@'%' identified by 'p4ss' require ssl");
  const { allow: _, ...open } = { ...source, user: 'secret', password: 'p4ss', database: 'information_schema' };
  await assert.rejects(
    ask({ ...open, url: `localhost:${port}` }, query('select 1')),
    /Access denied for user 'secret'/,
  );
  await checkTls(ask, open, port, tls);
  await assert.rejects(
    ask({ ...open, url: `127.0.0.1:${port}`, tls: { check: 'full', ca: tls.pem } }, query('select 1')),
    /name cannot be checked for 127\.0\.0\.1/,
  );
});

const postgres = peer('postgres', 'postgresql');
test('PostgreSQL: series and tables, read only, over TLS', { skip: postgres.skip || noOpenssl }, async () => {
  const bin = path.dirname(fs.realpathSync(postgres.path));
  // The server refuses to run as root.
  const owner =
    process.getuid?.() === 0
      ? { uid: Number(execFileSync('id', ['-u', 'postgres'])), gid: Number(execFileSync('id', ['-g', 'postgres'])) }
      : {};
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-pg-'));
  if (owner.uid !== undefined) fs.chownSync(home, owner.uid, owner.gid);
  homes.push(home);
  const data = path.join(home, 'data');
  execFileSync(path.join(bin, 'initdb'), ['-D', data, '-U', 'pharos', '--auth=trust', '--no-sync'], {
    stdio: 'ignore',
    cwd: home,
    ...owner,
  });
  const [port, tls] = [await freePort(), certificate(home, 'postgres')];
  for (const file of [tls.certFile, tls.keyFile]) if (owner.uid !== undefined) fs.chownSync(file, owner.uid, owner.gid);
  fs.chmodSync(tls.keyFile, 0o600);
  const settings = [
    `ssl_cert_file=${tls.certFile}`,
    `ssl_key_file=${tls.keyFile}`,
    'ssl=on',
    'listen_addresses=127.0.0.1',
  ];
  running.push(
    spawn(
      path.join(bin, 'postgres'),
      ['-D', data, '-k', home, '-p', String(port), ...settings.flatMap((one) => ['-c', one])],
      { stdio: 'ignore', cwd: home, ...owner },
    ),
  );
  const source: Source = {
    uid: 'pg',
    name: 'PG',
    kind: 'postgres',
    url: `127.0.0.1:${port}`,
    user: 'pharos',
    database: 'postgres',
  };
  const ask = askPostgres({}, nodeDisk);
  let ready = false;
  for (let i = 0; i < 100 && !ready; i++) {
    ready = await ask(source, query('select 1 as one', { format: 'table' })).then(
      () => true,
      () => false,
    );
    if (!ready) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const [rows] = await ask(
    source,
    query("select timestamptz '2026-01-01 00:00:00+00' as at, 'x' as name, 2.5::numeric as v", { format: 'table' }),
  );
  assert.deepEqual(table(rows), [
    ['at', 'time', Date.UTC(2026, 0, 1)],
    ['name', 'string', 'x'],
    ['v', 'number', 2.5],
  ]);
  await tried(source, { postgres: ask });
  await assert.rejects(tried({ ...source, database: 'nowhere' }, { postgres: ask }), /"nowhere" does not exist/);
  await assert.rejects(
    ask(source, query("with x as (select 1) select nextval('s') from x")),
    /cannot ask data source "PG"/,
  );
  await checkTls(ask, source, port, tls);
  await assert.rejects(
    ask({ ...source, tls: { check: 'full', ca: tls.pem, serverName: 'db.example' } }, query('select 1')),
    /db\.example/,
  );
});

async function serve(
  answer: (request: http.IncomingMessage, body: string) => { status?: number; json: unknown },
): Promise<string> {
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { status = 200, json } = answer(request, body);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(json));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const context = {
  clients: new SourceClients({ clock: systemClock, disk: nodeDisk }),
  environment: { SECRET: 'hush' },
};
const source = (kind: Source['kind'], url: string, more: Partial<Source> = {}): Source => ({
  uid: kind,
  name: kind,
  kind,
  url,
  ...more,
});

/** What the button "Test" of the form does. */
const tried = (one: Source, ask: Parameters<typeof probe>[1] = {}) =>
  probe(one, ask, context, 1_000_000, new AbortController().signal);

test('ClickHouse: read only over HTTP', async () => {
  const seen: string[] = [];
  const url = await serve((request, body) => {
    seen.push(`${request.url} ${body}`);
    return {
      json: {
        meta: [
          { name: 'time', type: 'DateTime' },
          { name: 'k', type: 'String' },
          { name: 'v', type: 'UInt64' },
        ],
        data: [['2026-01-01 00:00:00', 'a', '7']],
      },
    };
  });
  const [frame] = await askClickhouse(context)(
    source('clickhouse', url),
    query('SELECT time, k, v FROM t WHERE $__timeFilter(time)'),
  );
  assert.deepEqual(
    [frame!.fields[0]!.values, frame!.fields[1]!.values, frame!.fields[1]!.labels],
    [[Date.UTC(2026, 0, 1)], [7], { k: 'a' }],
  );
  await tried(source('clickhouse', url, { allow: ['t'] }), { clickhouse: askClickhouse(context) });
  assert.match(seen[0]!, /readonly=1.*BETWEEN toDateTime\(0\) AND toDateTime\(2000000000\)/s);
  await assert.rejects(
    askClickhouse(context)(source('clickhouse', url), query('INSERT INTO t VALUES (1)')),
    /only statements that read/,
  );
});

test('over HTTPS the certificate is checked, as far as the source says', { skip: noOpenssl }, async () => {
  const tls = certificate(folder, 'https');
  const server = https.createServer(
    { cert: tls.pem, key: fs.readFileSync(tls.keyFile), requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      response.end(JSON.stringify([{ who: subject?.CN ?? 'nobody' }]));
    },
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  const ask = async (given?: SourceTls) => {
    const [frame] = await askJson(context)(
      source('json', url, given ? { tls: given } : {}),
      query('/', { format: 'table' }),
    );
    return frame!.fields[0]!.values[0];
  };
  await assert.rejects(ask(), /cannot ask data source "json": .*certificate/);
  assert.equal(await ask({ check: 'none' }), 'nobody');
  assert.equal(await ask({ check: 'full', ca: tls.pem }), 'nobody');
  const known = { cert: tls.pem, key: tls.keyFile };
  assert.equal(await ask({ check: 'full', ca: tls.pem, ...known }), 'https');
  await assert.rejects(ask({ check: 'full', ca: tls.pem, serverName: 'other.example' }), /other\.example/);
  const read = (given: object) => readSource({ name: 'J', kind: 'json', url, tls: given });
  assert.throws(() => read({ ca: 'no PEM' }), /"tls.ca" must be PEM/);
  assert.throws(() => read({ check: 'chain' }), /over HTTP "tls.check" is/);
  assert.throws(() => new Sources(nodeDisk, `${folder}/s.json`).put(read({ cert: tls.pem })), /belong together/);
});

test('Elasticsearch: aggregations become series', async () => {
  let asked: Record<string, never> = {};
  const url = await serve((_, body) => {
    asked = JSON.parse(body);
    return {
      json: {
        aggregations: {
          '2': {
            buckets: [
              {
                key: 'web',
                doc_count: 3,
                '3': {
                  buckets: [
                    { key: 1000, doc_count: 1, '1': { value: 5 } },
                    { key: 2000, doc_count: 2, '1': { value: 6 } },
                  ],
                },
              },
            ],
          },
        },
      },
    };
  });
  const extra = {
    metrics: [{ id: '1', type: 'avg', field: 'ms' }],
    bucketAggs: [
      { id: '2', type: 'terms', field: 'app' },
      { id: '3', type: 'date_histogram', field: '@timestamp' },
    ],
  };
  const [frame] = await askElasticsearch(context)(
    source('elasticsearch', url, { database: 'logs-*' }),
    query('status:500', { extra }),
  );
  assert.deepEqual(
    [frame!.fields[0]!.values, frame!.fields[1]!.values, frame!.fields[1]!.labels],
    [[1000, 2000], [5, 6], { app: 'web' }],
  );
  assert.match(JSON.stringify(asked), /"query_string":\{"analyze_wildcard":true,"query":"status:500"\}/);
});

test('JSON: rows below a path, with the credentials of the server', async () => {
  const seen: (string | undefined)[] = [];
  const url = await serve((request) => {
    seen.push(request.url, request.headers.authorization);
    return { json: { data: { items: [{ time: '2026-01-01T00:00:00Z', v: 1, at: { city: 'x' } }] } } };
  });
  const secret = source('json', url, { password: `\${SECRET}`, allow: ['/sales'] });
  const [frame] = await askJson(context)(
    secret,
    query('/sales/today', { format: 'table', extra: { root_selector: 'data.items' } }),
  );
  assert.deepEqual(table(frame), [
    ['time', 'time', Date.UTC(2026, 0, 1)],
    ['v', 'number', 1],
    ['at.city', 'string', 'x'],
  ]);
  assert.deepEqual(seen, ['/sales/today', 'Bearer hush']);
  await tried(secret, { json: askJson(context) });
  assert.equal(seen.at(-2), '/sales');
  await assert.rejects(askJson(context)(secret, query('/secrets')), /not among/);
});

test('any Prometheus: reading paths only', async () => {
  const url = await serve((request) => ({ json: { path: request.url } }));
  const pass = (method: string, at: string) =>
    passToPrometheus(context, source('prometheus', url), {
      method,
      path: at,
      query: new URLSearchParams('query=up'),
      signal: new AbortController().signal,
    });
  assert.equal((await pass('GET', 'api/v1/query')).body.toString(), '{"path":"/api/v1/query?query=up"}');
  await assert.rejects(pass('POST', 'api/v1/admin/tsdb/delete_series'), /not among the reading paths/);
  await assert.rejects(pass('POST', '-/reload'), /not among the reading paths/);
  await assert.rejects(tried(source('prometheus', url)), /cannot ask data source "prometheus": it answered 200/);
  await tried(source('prometheus', await serve(() => ({ json: { status: 'success', data: {} } }))));
});

test('a form gets no secret, and leaves the one that is kept where it belongs', () => {
  const kept = source('json', 'http://a', { password: 'p4ss', headers: { 'X-Key': 'k3y', 'X-Team': 'web' } });
  const shown = editable(kept);
  assert.doesNotMatch(JSON.stringify(shown), /p4ss|k3y/);
  const { hasPassword, hasKey: _, tls: __, ...sent } = shown;
  assert.equal(hasPassword, true);
  assert.deepEqual(withKeptSecrets({ ...sent, name: 'new' }, kept), { ...kept, name: 'new' });
  assert.deepEqual(withKeptSecrets({ ...sent, headers: { 'X-Team': 'db' } }, kept).headers, { 'X-Team': 'db' });
  assert.equal(withKeptSecrets({ ...sent, password: 'other' }, kept).password, 'other');
  const certain = { ...kept, tls: { check: 'full', cert: '/c.pem', key: '-----BEGIN KEY' } } as const;
  const { tls, hasKey } = editable(certain);
  assert.deepEqual([tls, hasKey], [{ check: 'full', cert: '/c.pem' }, true]);
  assert.deepEqual(withKeptSecrets({ ...sent, tls: tls! }, certain).tls, certain.tls);
  assert.throws(() => withKeptSecrets({ ...sent, url: 'http://b' }, kept), /its address changed, so give it again/);
  assert.deepEqual(withKeptSecrets(kept, undefined), kept);
});

test('what a browser may know of sources holds no secret', () => {
  const file = path.join(folder, 'view', 'sources.json');
  const sources = new Sources(nodeDisk, file);
  sources.put(readSource({ name: 'My DB', kind: 'postgres', url: 'db:5432', user: 'u', password: 'p4ss' }));
  assert.deepEqual(
    sources.list().map((one) => one.uid),
    ['pharos', 'my-db'],
  );
  assert.doesNotMatch(JSON.stringify(sources.list()), /p4ss|db:5432/);
  assert.equal(new Sources(nodeDisk, file).find('My DB')?.password, 'p4ss');
  assert.throws(
    () => readSource({ name: 'x', kind: 'oracle', url: 'y' }),
    /"kind" is "oracle", expected one of prometheus/,
  );
});
