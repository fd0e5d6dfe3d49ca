// Swapping the binary: Debian's Prometheus runs for a while, stops, and `pharos server` goes on with the same command line on
// the same folder. What was asked before is answered the same; and a snapshot takes everything back.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { peer } from './peers.ts';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const PHAROS = path.join(import.meta.dirname, '..', 'pharos');
const prometheus = peer('prometheus', 'prometheus');

const config = (port: number) => `
global: { scrape_interval: 1s, evaluation_interval: 1s, external_labels: { region: eu } }
rule_files: [rules/*.yml]
remote_write:
  - url: http://127.0.0.1:${port}/api/v1/write
    name: self
    write_relabel_configs:
      - { source_labels: [__name__], regex: up, action: keep }
      - { target_label: sent, replacement: 'yes' }
scrape_configs:
  - job_name: self
    relabel_configs: [{ target_label: zone, replacement: a }]
    static_configs: [{ targets: ['127.0.0.1:${port}'], labels: { team: x } }]
  - job_name: nobody
    static_configs: [{ targets: ['127.0.0.1:1'] }]
`;
const RULES = `
groups:
  - name: g
    rules:
      - { record: 'job:up:sum', expr: 'sum by (job) (up)' }
      - alert: Always
        expr: up == 1
        for: 1s
        labels: { severity: page }
        annotations: { summary: 'It is {{ $value }} at {{ $labels.instance }}' }
`;

type Answer = { status: number; body: unknown };

async function ask(url: string): Promise<Answer> {
  const response = await fetch(url);
  const text = await response.text();
  try {
    return { status: response.status, body: JSON.parse(text) };
  } catch {
    return { status: response.status, body: text };
  }
}

/** What must not change with the binary, at a time that both know. */
const queries = (at: number): string[] => [
  `query?query=up&time=${at}`,
  `query?query=job:up:sum&time=${at}`,
  `query?query=sort(count+by(job)({__name__%3D~".%2B"}))&time=${at}`,
  `query?query=ALERTS&time=${at}`,
  `query?query=up{sent="yes"}[10s]&time=${at}`,
  `query?query=histogram_quantile(0.9,prometheus_http_request_duration_seconds_bucket)&time=${at}`,
  `query?query="text"&time=${at}`,
  `query?query=1%2B1&time=${at}`,
  `query_range?query=delta(process_resident_memory_bytes[5s])&start=${at - 4}&end=${at}&step=1`,
  `query_range?query=scrape_samples_scraped&start=${at - 4}&end=${at}&step=1`,
  `series?match[]=up&start=${at - 10}&end=${at}`,
  `labels?match[]=up&start=${at - 10}&end=${at}`,
  `label/job/values?start=${at - 10}&end=${at}`,
  `label/__name__/values?match[]={job="self"}&start=${at - 10}&end=${at}`,
];

/** Kinds of answers rather than their values: what they hold goes on changing. */
function outline(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [outline(value[0])];
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, inner]): [string, unknown] => [key, outline(inner)])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Mistakes, and what is said of them in the envelope. */
const MISTAKES: readonly string[] = [
  'query_range?query=up&start=1&end=0&step=1',
  'query_range?query=up&start=1&end=2&step=0',
  'query_range?query=up&start=1&end=20000&step=1',
  'query_range?query=up&start=1&end=2&step=x',
  'query_range?query=up&start=1&end=2',
  'query?query=1%2B',
  'query?query=up&timeout=x',
  'query?query=sum(up',
  'query?query=foo(up)',
  'query?query=rate(up)',
  'series',
  'series?match[]={',
  'labels?match[]={',
  'query_exemplars?query=up&start=5&end=3',
  'format_query?query=(',
  'targets/metadata?limit=x',
  'metadata?limit=x',
  'rules?type=x',
  'nonsense',
];

const { skip } = prometheus;

test('the binary is swapped: same command line, same folder, same answers; and back by a snapshot', {
  skip,
}, async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const api = `${base}/api/v1`;
  fs.mkdirSync(`${folder}/rules`);
  fs.writeFileSync(`${folder}/prometheus.yml`, config(port));
  fs.writeFileSync(`${folder}/rules/a.yml`, RULES);
  const command = [
    '--config.file=prometheus.yml',
    '--storage.tsdb.path=metrics2/',
    '--storage.tsdb.retention=30d',
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.enable-remote-write-receiver',
    '--web.enable-admin-api',
    '--web.enable-lifecycle',
    '--web.console.templates=consoles',
    '--web.console.libraries=console_libraries',
    '--web.local-assets=/usr/share/prometheus/web/',
    '--storage.tsdb.wal-compression',
    '--storage.remote.flush-deadline=1s',
    '--enable-feature=exemplar-storage,memory-snapshot-on-shutdown',
  ];
  const theirs = start(t, prometheus.path, command, { cwd: folder });
  await eventually('Prometheus is ready', () => get(`${base}/-/ready`));
  const instant = async (query: string) =>
    (JSON.parse((await get(`${api}/query?query=${encodeURIComponent(query)}`)) ?? '{}') as QueryAnswer).data?.result;
  await eventually('the alert fires and samples come back', async () => {
    const [alerts, sent, sum] = await Promise.all([
      instant('ALERTS{alertstate="firing"}'),
      instant('count_over_time(up{sent="yes"}[10s]) > 2'),
      instant('count_over_time(job:up:sum[10s]) > 6'),
    ]);
    return alerts && sent && sum && alerts.length > 0 && sent.length > 0 && sum.length > 0;
  });
  const at = Math.floor(Date.now() / 1000) - 1;
  const asked = [...queries(at), ...MISTAKES];
  const before = new Map<string, Answer>();
  for (const address of asked) before.set(address, await ask(`${api}/${address}`));
  const shapes = ['targets?state=active', 'rules', 'alerts', 'status/tsdb', 'status/walreplay', 'scrape_pools'];
  const outlines = new Map<string, unknown>();
  for (const address of shapes) outlines.set(address, outline((await ask(`${api}/${address}`)).body));
  assert.equal(await theirs.stop('SIGTERM'), 0, theirs.output());

  const ours = start(t, PHAROS, ['server', ...command], { cwd: folder });
  await eventually('Pharos is ready', () => get(`${base}/-/ready`));
  for (const address of asked) {
    const [was, is] = [before.get(address)!, await ask(`${api}/${address}`)];
    if (was.status >= 400) {
      const { errorType: type } = was.body as { errorType?: string };
      assert.deepEqual([is.status, (is.body as { errorType?: string }).errorType], [was.status, type], address);
    } else assert.deepEqual(sorted(is), sorted(was), address);
  }
  await eventually('the alert fires here as well', async () => {
    const { data } = (await ask(`${api}/alerts`)).body as { data: { alerts: { state: string }[] } };
    return data.alerts.some(({ state }) => state === 'firing');
  });
  for (const address of shapes) {
    const is = outline((await ask(`${api}/${address}`)).body);
    assert.deepEqual(missing(outlines.get(address), is), [], `${address} has every field`);
  }
  assert.match((await get(`${base}/federate?match[]=up`)) ?? '', /^up\{.*region="eu".*\} 1 /m);
  for (const flag of ['storage.tsdb.wal-compression', 'web.local-assets']) {
    assert.match(ours.output(), new RegExp(`flag makes no difference here.*${flag}`));
  }
  const flags = (await ask(`${api}/status/flags`)).body as { data: Record<string, string> };
  assert.equal(flags.data['storage.tsdb.retention'], '30d');
  await eventually('new samples are stored and sent', async () => {
    const [fresh, sent] = await Promise.all([
      instant(`timestamp(up{job="self",sent=""}) > ${at + 2}`),
      instant(`timestamp(up{job="self",sent="yes"}) > ${at + 2}`),
    ]);
    return (fresh?.length ?? 0) > 0 && (sent?.length ?? 0) > 0;
  });
  const later = Math.floor(Date.now() / 1000) - 1;
  const ourAnswers = new Map<string, Answer>();
  for (const address of [...queries(at), ...queries(later)]) ourAnswers.set(address, await ask(`${api}/${address}`));
  const taken = (await (await fetch(`${api}/admin/tsdb/snapshot`, { method: 'POST' })).json()) as {
    data: { name: string };
  };
  assert.equal(await ours.stop('SIGTERM'), 0, ours.output());

  const back = command.map((flag) =>
    flag.startsWith('--storage.tsdb.path') ? `--storage.tsdb.path=metrics2/snapshots/${taken.data.name}` : flag,
  );
  const again = start(t, prometheus.path, back, { cwd: folder });
  await eventually('Prometheus is ready again', () => get(`${base}/-/ready`));
  for (const [address, was] of ourAnswers) {
    assert.deepEqual(sorted(await ask(`${api}/${address}`)), sorted(was), `back: ${address}`);
  }
  assert.equal(await again.stop('SIGTERM'), 0, again.output());
});

type QueryAnswer = { data?: { result: { metric: Record<string, string>; value: [number, string] }[] } };

/** Instant vectors have no order, and 2.42 tells less about an answer (`infos`). */
function sorted(answer: Answer): Answer {
  const { infos: _, ...body } = answer.body as { infos?: unknown; data?: { result?: unknown[] } };
  const { data } = body;
  if (!Array.isArray(data?.result)) return answer;
  const order = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  const ordered = data.result.map((item) => JSON.parse(JSON.stringify(item, keysInOrder))).sort(order);
  return { ...answer, body: { ...body, data: { ...data, result: ordered } } };
}

const keysInOrder = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** Fields of one outline that the other lacks or has as another type. */
function missing(wanted: unknown, has: unknown, where = ''): string[] {
  if (Array.isArray(wanted)) {
    if (wanted.length === 0) return [];
    return Array.isArray(has) && has.length > 0 ? missing(wanted[0], has[0], `${where}[]`) : [`${where}[]`];
  }
  if (typeof wanted !== 'object' || wanted === null) return typeof has === 'string' && has === wanted ? [] : [where];
  if (typeof has !== 'object' || has === null) return [where];
  return Object.entries(wanted).flatMap(([key, inner]) =>
    missing(inner, (has as Record<string, unknown>)[key], `${where}.${key}`),
  );
}

const PROGRAM_CONFIG = (port: number, more = '') => `
global: { scrape_interval: 1s, external_labels: { region: eu } }
scrape_configs:
  - job_name: self
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
${more}`;

test('consoles, search, files of users, notifications, reloading by itself, profiles', async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const file = `${folder}/prometheus.yml`;
  fs.writeFileSync(file, PROGRAM_CONFIG(port));
  for (const name of ['consoles', 'libs', 'user/deep']) fs.mkdirSync(`${folder}/${name}`, { recursive: true });
  fs.writeFileSync(`${folder}/libs/head.lib`, '{{define "head"}}<h1>{{.}}</h1>{{end}}');
  fs.writeFileSync(
    `${folder}/consoles/x.html`,
    `{{template "head" "<x>"}}{{$params.a}}|{{$path}}|{{$externalLabels.region}}|{{range query "up"}}{{.Labels.job}}={{.Value}}{{end}}`,
  );
  fs.writeFileSync(`${folder}/consoles/bad.html`, '{{nothing}}');
  fs.writeFileSync(`${folder}/user/deep/a.json`, '{}');
  fs.writeFileSync(
    `${folder}/arguments`,
    `--config.file=${file}\n# a comment\n--storage.tsdb.path=${folder}/data\n--web.listen-address=127.0.0.1:${port}\n`,
  );
  const flags = [
    `--web.console.templates=${folder}/consoles`,
    `--web.console.libraries=${folder}/libs`,
    `--web.user-assets=${folder}/user`,
    '--web.page-title=A <title>',
    '--web.max-notifications-subscribers=1',
    '--web.search.max-limit=50',
    '--config.auto-reload',
    '--config.auto-reload-interval=1s',
    '--enable-feature=search-api,nonsense',
  ];
  const server = start(t, PHAROS, ['server', `@${folder}/arguments`, ...flags]);
  await eventually('it is ready', () => get(`${base}/-/ready`));
  assert.match(server.output(), /Unknown option for --enable-feature.*option=nonsense/);
  const console = await eventually('the console has data', async () => {
    const page = await get(`${base}/consoles/x.html?a=1%3C2&b=3`);
    return page?.includes('self=1') ? page : undefined;
  });
  assert.equal(console, '<h1>&lt;x&gt;</h1>1&lt;2|x.html|eu|self=1');
  const status = async (address: string) => (await fetch(`${base}${address}`)).status;
  assert.deepEqual(
    await Promise.all(
      [
        '/consoles/bad.html',
        '/consoles/no.html',
        '/consoles/..%2fprometheus.yml',
        '/user/deep/a.json',
        '/user/..%2fprometheus.yml',
      ].map(status),
    ),
    [500, 404, 404, 200, 404],
  );
  assert.match((await get(`${base}/query`)) ?? '', /<title>A &lt;title><\/title>/);

  const search = async (what: string) => {
    const response = await fetch(`${base}/api/v1/search/${what}`);
    const lines = (await response.text()).trimEnd().split('\n');
    return { status: response.status, lines: lines.map((line) => JSON.parse(line)) };
  };
  const names = await search(
    'metric_names?search[]=sample_scr&sort_by=score&include_metadata=true&limit=2&batch_size=1',
  );
  assert.deepEqual(names.lines.at(-1), { status: 'success', has_more: false });
  assert.ok(names.lines[0].results[0].name.includes('samples_scraped'), JSON.stringify(names));
  assert.deepEqual((await search('label_values?label=job')).lines, [
    { results: [{ value: 'self' }] },
    { status: 'success', has_more: false },
  ]);
  assert.equal(
    (await search('label_names?limit=51')).lines[0].error,
    'limit 51 exceeds the configured maximum (50, see --web.search.max-limit)',
  );

  const live = await fetch(`${base}/api/v1/notifications/live`);
  assert.equal(live.headers.get('content-type'), 'text/event-stream');
  assert.equal(await status('/api/v1/notifications/live'), 204, 'one more is too many');
  fs.writeFileSync(file, PROGRAM_CONFIG(port, '  - job_name: self\n'));
  const active = await eventually('the failed reload is told', async () => {
    const answer = (await ask(`${base}/api/v1/notifications`)).body as { data: { text: string; active: boolean }[] };
    return answer.data[0];
  });
  assert.deepEqual([active.text, active.active], ['Configuration reload has failed.', true]);
  fs.writeFileSync(file, PROGRAM_CONFIG(port, '  - job_name: other\n'));
  await eventually('the new job is there', async () => (await get(`${base}/api/v1/scrape_pools`))?.includes('other'));
  const events = live.body!.pipeThrough(new TextDecoderStream()).getReader();
  let heard = '';
  while (!heard.includes('"active":false')) heard += (await events.read()).value ?? assert.fail(`only heard ${heard}`);
  assert.match(heard, /^:\n\ndata: \{"text":"Configuration reload has failed\.","date":"[^"]+","active":true\}\n\n/);
  await events.cancel();

  const profile = await fetch(`${base}/debug/pprof/profile?seconds=0.2`);
  assert.deepEqual([...new Uint8Array(await profile.arrayBuffer()).subarray(0, 2)], [0x1f, 0x8b]);
  assert.equal(await status('/debug/pprof/goroutine'), 404);
  const own = (await ask(`${base}/api/v1/status/self_metrics?metric_name_pattern=prometheus_build_info`)).body;
  assert.equal((own as { data: { name: string }[] }).data[0]?.name, 'prometheus_build_info');
  assert.equal(await server.stop('SIGTERM'), 0, server.output());
});

test('one command is server or agent, and flags of the other are refused', async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const file = `${folder}/prometheus.yml`;
  fs.writeFileSync(file, PROGRAM_CONFIG(port));
  const run = async (...args: string[]) => {
    const running = start(t, PHAROS, ['server', `--config.file=${file}`, ...args]);
    const code = await new Promise((resolve) => running.process.once('close', resolve));
    return [code, running.output()];
  };
  assert.deepEqual(await run('--agent', '--storage.tsdb.path=x', '--query.timeout=1m'), [
    3,
    'pharos: The following flag(s) can not be used in agent mode: ["--storage.tsdb.path" "--query.timeout"]\n',
  ]);
  assert.deepEqual(await run('--storage.agent.path=x'), [
    3,
    'pharos: The following flag(s) can only be used in agent mode: ["--storage.agent.path"]\n',
  ]);
  assert.deepEqual(await run('more'), [2, 'pharos: unexpected more\n']);
  const address = `--web.listen-address=127.0.0.1:${port}`;
  const flags = [`--storage.agent.path=${folder}/agent`, '--storage.agent.retention.max-time=1h', address];
  const agent = start(t, PHAROS, ['server', '--agent', `--config.file=${file}`, ...flags]);
  const base = `http://127.0.0.1:${port}`;
  assert.equal(await eventually('the agent is ready', () => get(`${base}/-/ready`)), 'Prometheus Agent is Ready.\n');
  const { status, body } = await ask(`${base}/api/v1/query?query=up`);
  const refusal = { status: 'error', errorType: 'execution', error: 'unavailable with Prometheus Agent' };
  assert.deepEqual([status, body], [422, refusal]);
  const pool = (await ask(`${base}/api/v1/scrape_pools/config?scrapePool=self`)).body as { data: { yaml: string } };
  assert.match(pool.data.yaml, /^job_name: self\nstatic_configs:/);
  assert.equal((await ask(`${base}/api/v1/scrape_pools/config?scrapePool=nobody`)).status, 400);
  assert.match(agent.output(), /flag makes no difference here.*storage\.agent\.retention\.max-time/);
  assert.equal(await agent.stop('SIGTERM'), 0, agent.output());
});
