// Rules in the whole program, beside Debian's Prometheus with the same files: the same alerts, annotations and recorded
// series; and pending alerts that survive a restart.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { peer } from './peers.ts';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const PHAROS = path.join(import.meta.dirname, '..', 'pharos');

const RULES = `groups:
- name: recorded
  interval: 1s
  labels: {origin: rules}
  rules:
  - {record: 'app:load:sum', expr: 'sum by (zone) (load)'}
  - {record: 'app:load:ratio', expr: 'load / on (zone) group_left () app:load:sum', labels: {kind: ratio}}
- name: alerts
  interval: 1s
  rules:
  - alert: HighLoad
    expr: load > 5
    labels: {severity: '{{ if gt $value 8.0 }}critical{{ else }}warning{{ end }}'}
    annotations:
      summary: '{{ $labels.host }} in {{ $labels.zone }}: {{ $value | humanize }} {{ $externalLabels.site }}'
      details: '{{ range query "load > 5" | sortByLabel "host" }}{{ .Labels.host }}={{ .Value }} {{ end }}'
      list: '{{ with query "sum(load)" }}{{ . | first | value | humanizePercentage }}{{ end }}'
      broken: '{{ $labels.host | nofield.x }}'
      wrong: '{{ humanize "abc" }}'
  - {alert: Waits, expr: 'load > 1', for: 1h}
  - {alert: Fails, expr: 'load * on () load'}
`.replace(/\n {6}broken:.*/, '');

async function target(t: TestContext): Promise<number> {
  const server = http.createServer((_, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(
      '# TYPE load gauge\nload{host="a",zone="x"} 9\nload{host="b",zone="x"} 6\nload{host="c",zone="y"} 0.5\n',
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

const config = (port: number) => `global: {scrape_interval: 1s, evaluation_interval: 1s, external_labels: {site: lab}}
rule_files: [rules.yml]
scrape_configs:
- {job_name: app, static_configs: [{targets: ['127.0.0.1:${port}']}]}
`;

type RuleAnswer = {
  name: string;
  state?: string;
  health: string;
  lastError?: string;
  alerts?: AlertAnswer[];
  query: string;
};
type AlertAnswer = { labels: object; annotations: object; state: string; value: string };

async function rulesOf(base: string): Promise<RuleAnswer[]> {
  const answer = JSON.parse((await get(`${base}/api/v1/rules`))!) as { data: { groups: { rules: RuleAnswer[] }[] } };
  return answer.data.groups.flatMap((group) => group.rules);
}

async function seriesOf(base: string, query: string): Promise<unknown[]> {
  const answer = JSON.parse((await get(`${base}/api/v1/query?query=${encodeURIComponent(query)}`))!) as {
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  return answer.data.result
    .map(({ metric, value }) => ({ metric, value: value[1] }))
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** What both must say alike: not the times. */
const comparable = (rules: RuleAnswer[]) =>
  rules.map(({ name, state, health, query, alerts }) => ({
    ...{ name, state, health, query },
    alerts: alerts
      ?.map(({ labels, annotations, state, value }) => ({ labels, annotations, state, value }))
      .sort((a, b) => (JSON.stringify(a.labels) < JSON.stringify(b.labels) ? -1 : 1)),
  }));

const prometheus = peer('prometheus', 'prometheus');

test('rules give what Prometheus gives', { skip: prometheus.skip }, async (t) => {
  const folder = temporaryFolder(t);
  fs.writeFileSync(path.join(folder, 'rules.yml'), RULES);
  // Debian's Prometheus does not know labels of groups yet.
  fs.mkdirSync(path.join(folder, 'old'));
  const old = RULES.replace('  labels: {origin: rules}\n', '')
    .replace("(load)'}", "(load)', labels: {origin: rules}}")
    .replace('{kind: ratio}', '{kind: ratio, origin: rules}');
  fs.writeFileSync(path.join(folder, 'old', 'rules.yml'), old);
  const port = await target(t);
  for (const file of ['p.yml', 'old/p.yml']) fs.writeFileSync(path.join(folder, file), config(port));
  const ports = [await freePort(), await freePort()];
  const [ours, theirs] = ports.map((p) => `http://127.0.0.1:${p}`) as [string, string];
  start(t, PHAROS, [
    'server',
    `--config.file=${folder}/p.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${ports[0]}`,
    '--storage.shards=2',
    '--web.external-url=http://same/',
    '--web.route-prefix=/',
  ]);
  start(t, prometheus.path, [
    `--config.file=${folder}/old/p.yml`,
    `--storage.tsdb.path=${folder}/other`,
    `--web.listen-address=127.0.0.1:${ports[1]}`,
    '--web.external-url=http://same/',
    '--web.route-prefix=/',
  ]);
  const settled = (base: string) =>
    eventually(
      `${base} has evaluated its rules`,
      async () => {
        const rules = await rulesOf(base);
        const stored = await seriesOf(base, 'ALERTS{alertstate="firing"}');
        const ratio = await seriesOf(base, 'app:load:ratio');
        return rules.length === 5 && stored.length === 2 && ratio.length === 3 ? rules : undefined;
      },
      60_000,
    );
  await Promise.all([settled(ours), settled(theirs)]);
  // A page taken in the middle of an evaluation shows rules of two rounds: asked again then.
  const a = await eventually('both say the same of their rules', async () => {
    const [mine, other] = [await rulesOf(ours), await rulesOf(theirs)];
    assert.deepEqual(comparable(mine), comparable(other));
    return mine;
  });
  const failing = a.find((rule) => rule.name === 'Fails')!;
  assert.equal(failing.health, 'err');
  assert.match(failing.lastError!, /many-to-many matching not allowed/);
  for (const query of ['{__name__=~"app:.*"}', 'ALERTS', 'count by (alertname) (ALERTS_FOR_STATE)']) {
    assert.deepEqual(await seriesOf(ours, query), await seriesOf(theirs, query), query);
  }

  // The past of the recording rules as blocks, asked of each of the two.
  const now = Math.floor(performance.timeOrigin / 1000 + performance.now() / 1000);
  for (const [i, url] of [ours, theirs].entries()) {
    const into = path.join(folder, `blocks${i}`);
    const run = (...args: string[]) => execFileSync(PHAROS, ['tool', 'tsdb', ...args], { encoding: 'utf8' });
    const when = [`--start=${now - 300}`, `--end=${now + 3}`];
    run('create-blocks-from', 'rules', `--url=${url}`, ...when, `--output-dir=${into}`, `${folder}/rules.yml`);
    const dumped = run('dump', into)
      .split('\n')
      .filter((line) => line.includes('app:load:sum') && line.includes('"x"'));
    assert.ok(dumped.length > 0, `${url}: ${run('dump', into)}`);
    for (const line of dumped) assert.match(line, /origin="rules", zone="x"\} 15 \d+$/);
  }
});

test('a pending alert is pending since the same time after a restart', async (t) => {
  const folder = temporaryFolder(t);
  fs.writeFileSync(path.join(folder, 'rules.yml'), RULES);
  fs.writeFileSync(path.join(folder, 'p.yml'), config(await target(t)));
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const run = () =>
    start(t, PHAROS, [
      'server',
      `--config.file=${folder}/p.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--storage.shards=2',
    ]);
  const pendingSince = async (): Promise<number | undefined> => {
    const [value] = (await seriesOf(base, 'ALERTS_FOR_STATE{alertname="Waits",host="a"}')) as { value: string }[];
    return value && Number(value.value);
  };
  const first = run();
  const before = await eventually('the alert is pending', pendingSince);
  await first.stop('SIGTERM');
  run();
  type Active = { labels: Record<string, string>; activeAt: string };
  const after = await eventually(
    'the alert is pending again and restored',
    async () => {
      const rules = (await rulesOf(base)) as unknown as { name: string; alerts: Active[] }[];
      const alert = rules.find((rule) => rule.name === 'Waits')?.alerts.find((a) => a.labels['host'] === 'a');
      // It counts as started later by the length of the outage; without restoring it would be the time of the restart.
      const value = await pendingSince();
      return alert && value && Math.floor(Date.parse(alert.activeAt) / 1000) === value ? value : undefined;
    },
    60_000,
  );
  assert.ok(after >= before, `${after} ${before}`);
});

test('what is older than any head takes is backfilled into blocks, alerts are explained as of when they fired, runbooks are served', async (t) => {
  const folder = temporaryFolder(t);
  const hour = 3_600_000;
  const from = Math.floor(Date.now() / hour) * hour - 30 * hour;
  const samples = Array.from({ length: 240 }, (_, i) => `load{host="a"} ${i} ${(from + i * 60_000) / 1000}\n`);
  fs.writeFileSync(path.join(folder, 'old.om'), `# TYPE load gauge\n${samples.join('')}# EOF\n`);
  execFileSync(PHAROS, ['tool', 'tsdb', 'create-blocks-from', 'openmetrics', `${folder}/old.om`, `${folder}/data`]);
  fs.writeFileSync(
    path.join(folder, 'rules.yml'),
    `groups:
- name: past
  interval: 1m
  rules:
  - {record: 'load:double', expr: load * 2}
  - {record: 'load:four', expr: 'load:double * 2'}
- name: now
  interval: 1s
  rules:
  - {alert: Late, expr: 'vector(time()) > ${Date.now() / 1000 + 3}'}
`,
  );
  fs.writeFileSync(path.join(folder, 'p.yml'), 'rule_files: [rules.yml]\n');
  fs.writeFileSync(path.join(folder, 'am.yml'), 'route: {receiver: mine}\nreceivers: [{name: mine}]\n');
  const base = `http://127.0.0.1:${await freePort()}`;
  start(t, PHAROS, [
    'up',
    `--config.file=${folder}/p.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=${new URL(base).host}`,
    '--storage.shards=2',
    '--alertmanager.alerts.per-alertname-limit=7',
    `--alertmanager.config.file=${folder}/am.yml`,
  ]);
  await eventually('the server is ready', () => get(`${base}/-/ready`));
  const range = `start=${from / 1000}&end=${from / 1000 + 3 * 3600}`;
  const done = await fetch(`${base}/api/v1/rules/backfill?group=past&${range}`, { method: 'POST' });
  const answer = (await done.json()) as { data: { samples: number } };
  assert.equal(done.status, 200, JSON.stringify(answer));
  assert.ok(answer.data.samples >= 2 * 180, String(answer.data.samples));
  const query = (text: string) =>
    get(`${base}/api/v1/query?query=${encodeURIComponent(text)}&time=${from / 1000 + 7200}`).then(
      (body) => (JSON.parse(body!) as { data: { result: { value: [number, string] }[] } }).data.result[0]?.value[1],
    );
  // The group's slot within its minute decides which of two neighbouring samples was the last.
  const double = Number(await query('load:double'));
  assert.ok(double === 2 * 119 || double === 2 * 120, String(double));
  assert.equal(Number(await query('load:four')), 2 * double, 'a rule sees what the one before it gave');

  const explain = async (more: string) => {
    const text = await get(`${base}/api/v1/alerts/explain?match[]=${encodeURIComponent('{alertname="Late"}')}${more}`);
    return (JSON.parse(text!) as { data: { alerts: { alert: { activeAt: string }; evaluatedAt: string }[] } }).data
      .alerts[0];
  };
  const fired = await eventually('the alert fires', () => explain('&time=fired'));
  assert.equal(Date.parse(fired.evaluatedAt), Date.parse(fired.alert.activeAt));
  assert.notEqual((await explain(''))!.evaluatedAt, fired.evaluatedAt);
  assert.equal((await fetch(`${base}/api/v1/alerts/explain?match[]=up&time=x`)).status, 400);
  const watchdog = await eventually(
    'a shipped alert is there',
    async () => {
      const rules = await rulesOf(base);
      return rules.flatMap((rule) => rule.alerts ?? []).find(({ annotations }) => 'runbook_url' in annotations);
    },
    150_000,
  );
  const { runbook_url: url } = watchdog.annotations as { runbook_url: string };
  assert.match(url, /\/docs\/runbooks\/\w+\.md#\w+$/);
  const page = await get(`${base}${new URL(url).pathname}`);
  assert.ok(page?.includes(`id="${new URL(url).hash.slice(1)}"`), url);
  assert.match((await get(`${base}/metrics`)) ?? '', /^alertmanager_alerts_per_alert_limit 7$/m);
  assert.match((await get(`${base}/alertmanager/api/v2/status`)) ?? '', /receiver: mine/);
});
