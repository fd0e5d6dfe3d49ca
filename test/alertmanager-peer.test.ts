// The same alerts and configuration given to Debian's Alertmanager and to ours: what receivers get is compared byte by byte. Times of sending
// and what Debian's release cannot know are taken out first.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { mailServer } from '#clients/smtp/server.suite.ts';
import { peer } from './peers.ts';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');
const upstream = peer('prometheus-alertmanager', 'prometheus-alertmanager');

const START = '2026-01-02T03:04:05.678Z';
const alert = (labels: Record<string, string>, annotations: Record<string, string>, minutes: number, end?: string) => ({
  labels,
  annotations,
  startsAt: new Date(Date.parse(START) + minutes * 60_000).toISOString(),
  ...(end ? { endsAt: end } : {}),
  generatorURL: 'http://prom:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1',
});
const ALERTS = [
  alert(
    { alertname: 'Down', instance: 'b:9100', job: 'node', severity: 'critical', cluster: 'x' },
    { summary: 'b is <down> & "out"', description: 'line one\nline two, ümlaut 漢字' },
    0,
  ),
  alert(
    { alertname: 'Down', instance: 'a:9100', job: 'node', severity: 'critical', cluster: 'x' },
    { summary: "a's gone", runbook: 'http://r/' },
    1,
  ),
  alert({ alertname: 'Down', instance: 'c:9100', job: 'blackbox', severity: 'warning', cluster: 'x' }, {}, 2),
  alert({ alertname: 'Slow', instance: 'a:9100', cluster: 'y', severity: 'warning' }, { summary: 'slow\u2028' }, 3),
];

type Request = { readonly path: string; readonly body: string; readonly type: string };

/** Takes what receivers are sent; the first part of the path says from whom. */
async function sink(t: TestContext): Promise<{ requests: Request[]; url: string }> {
  const requests: Request[] = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (bytes: Buffer) => (body += bytes.toString()));
    request.on('end', () => {
      requests.push({ path: request.url ?? '', body, type: request.headers['content-type'] ?? '' });
      response.setHeader('content-type', 'application/json');
      response.end(
        request.url?.includes('gettoken')
          ? '{"errcode":0,"access_token":"t"}'
          : '{"ok":true,"errcode":0,"result":{"message_id":1,"chat":{"id":5}}}',
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { requests, url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}` };
}

const configuration = (hook: string, mailPort: number, template: string) => `
global:
  smtp_smarthost: 127.0.0.1:${mailPort}
  smtp_from: Alerts <am@example.org>
  smtp_require_tls: false
  opsgenie_api_url: ${hook}/opsgenie/
  opsgenie_api_key: key
  victorops_api_url: ${hook}/victorops/
  victorops_api_key: key
  pagerduty_url: ${hook}/pagerduty
  slack_api_url: ${hook}/slack
  wechat_api_url: ${hook}/wechat/
  wechat_api_secret: s
  wechat_api_corp_id: c
  telegram_api_url: ${hook}/telegram
templates: ['${template}']
route: { receiver: all, group_by: [alertname, cluster], group_wait: 1s, group_interval: 2s, repeat_interval: 1h }
receivers:
- name: all
  webhook_configs:
  - { url: '${hook}/webhook' }
  - { url: '${hook}/limited', max_alerts: 2 }
  email_configs:
  - { to: 'one@example.org, Zwei <two@example.org>', send_resolved: true, headers: { Subject: '{{ template "own.subject" . }} ü' }, text: '{{ template "own.text" . }}' }
  slack_configs:
  - { channel: '#a', send_resolved: true, title: '{{ template "own.subject" . }}', text: '{{ template "own.text" . }}', fields: [{ title: 'f', value: '{{ .CommonLabels.cluster }}' }], actions: [{ type: button, text: 'go', url: 'http://x/{{ .GroupLabels.alertname }}' }] }
  - { channel: '#default' }
  opsgenie_configs:
  - { message: '{{ template "own.subject" . }}', tags: 'a,{{ .CommonLabels.cluster }}', priority: P1, details: { own: '{{ .Status }}' } }
  victorops_configs:
  - { routing_key: r, custom_fields: { own: '{{ .Status }}' } }
  pagerduty_configs:
  - { routing_key: r, severity: '{{ .CommonLabels.alertname | toLower }}', details: { own: '{{ .Status }}', firing: '{{ template "pagerduty.default.instances" .Alerts.Firing }}', resolved: '{{ template "pagerduty.default.instances" .Alerts.Resolved }}' } }
  wechat_configs:
  - { to_user: u, agent_id: '1', message: '{{ template "own.text" . }}' }
  telegram_configs:
  - { bot_token: '1:x', chat_id: 5, parse_mode: HTML, message: '{{ template "own.subject" . }}' }
`;

const TEMPLATES = `{{ define "own.subject" }}[{{ .Status | toUpper }}:{{ len .Alerts.Firing }}] {{ .GroupLabels.SortedPairs.Values | join " " }} {{ (.CommonLabels.Remove (stringSlice "job")).SortedPairs.Names | join "," }}{{ end }}
{{ define "own.text" }}{{ range .Alerts }}{{ .Status }} {{ .Labels.instance }} {{ .Annotations.summary }} {{ .StartsAt.UTC.Format "15:04:05.000" }} {{ .Fingerprint }} {{ .GeneratorURL }}
{{ range .Labels.SortedPairs }}{{ .Name }}={{ .Value | printf "%q" }};{{ end }}
{{ end }}{{ .ExternalURL }} {{ reReplaceAll "o(.)" "0$1" .Receiver }} {{ title "two words" }}
{{ end }}`;

/** All that one alertmanager sends, by receiver, in the order of sending within each group. */
async function run(t: TestContext, command: string, args: readonly string[]): Promise<Map<string, string[]>> {
  const folder = temporaryFolder(t);
  const hook = await sink(t);
  const mail = await mailServer();
  t.after(() => mail.close());
  const port = await freePort();
  const template = path.join(folder, 'own.tmpl');
  fs.writeFileSync(template, TEMPLATES);
  fs.writeFileSync(path.join(folder, 'am.yml'), configuration(hook.url, mail.port, template));
  start(t, command, [
    ...args,
    `--config.file=${folder}/am.yml`,
    `--storage.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.external-url=http://am.example/am',
    '--web.route-prefix=/',
    '--cluster.listen-address=',
  ]);
  await eventually('it is ready', () => get(`http://127.0.0.1:${port}/-/ready`));
  const post = async (alerts: unknown) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alerts),
    });
    assert.equal(response.status, 200);
  };
  const count = (what: string) => hook.requests.filter(({ path }) => path.startsWith(what)).length;
  const all = ['/webhook', '/limited', '/slack', '/opsgenie', '/victorops', '/pagerduty', '/wechat', '/telegram'];
  await post(ALERTS);
  await eventually('both groups are told of', () => all.every((what) => count(what) >= 2) && mail.mails.length >= 2);
  // Posted together, so that both find it in one message.
  await post(ALERTS.slice(0, 1).map((one) => ({ ...one, endsAt: '2026-01-02T05:00:00.000Z' })));
  await eventually('the resolution is told of', () => count('/webhook') >= 3 && mail.mails.length >= 3);
  await post(ALERTS.slice(1).map((one) => ({ ...one, endsAt: '2026-01-02T05:01:00.000Z' })));
  await eventually('everything is resolved', () => count('/webhook') >= 5 && mail.mails.length >= 5);
  await eventually('the others know', () => count('/pagerduty') >= 5 && count('/victorops') >= 5);
  const received = new Map<string, string[]>();
  const add = (what: string, text: string) => received.set(what, [...(received.get(what) ?? []), text]);
  for (const { path, body, type } of hook.requests)
    if (!path.includes('gettoken')) add(path.split('/')[1]!, `${path}\n${type}\n${sent(path, body, hook.url)}`);
  for (const { from, to, text } of mail.mails) add('email', `${from} -> ${to.join()}\n${mailBody(text)}`);
  for (const texts of received.values()) texts.sort();
  return received;
}

/** Webhooks and Slack as they are; of the services' own formats what they say, whatever the order and without what is empty. */
function sent(path: string, body: string, url: string): string {
  const text = body.replaceAll(url, 'HOOK');
  if (/^\/(webhook|limited|slack)/.test(path) || text === '') return text;
  const canonical = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const entries = Object.entries(value)
      .map(([name, field]) => [name, canonical(field)] as const)
      .filter(([, field]) => field !== '' && JSON.stringify(field) !== '{}');
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return JSON.stringify(canonical(JSON.parse(text)), null, 1);
}

/** Headers in one order, without what differs with each message; of the HTML only that it is there, for it looks different. */
function mailBody(text: string): string {
  const boundary = /boundary=(\S+)/.exec(text)?.[1] ?? '';
  const plain = text.replaceAll(boundary, 'BOUNDARY').replace(/;\s+boundary/, '; boundary');
  const end = plain.indexOf('\r\n\r\n');
  const headers = plain
    .slice(0, end)
    .replace(/^(Message-Id|Date): .*$/gm, '$1')
    .split(/\r\n(?! )/)
    .sort();
  const body = plain.slice(end + 4).replace(/(text\/html; charset=UTF-8)\r\n\r\n[\s\S]*?--BOUNDARY/, '$1 --BOUNDARY');
  return `${headers.join('\n')}\n\n${body}`;
}

test("receivers get from us what they get from Debian's Alertmanager", { skip: upstream.skip }, async (t) => {
  const ours = await run(t, LAUNCHER, ['alertmanager']);
  let theirs = await run(t, upstream.path, []);
  // With how many alerts of a request Debian's Alertmanager begins depends on how its threads meet: it may try again.
  for (let tries = 1; tries < 5 && !isDeepStrictEqual(ours, theirs); tries++) theirs = await run(t, upstream.path, []);
  assert.deepEqual([...ours.keys()].sort(), [...theirs.keys()].sort());
  for (const [name, texts] of theirs) await t.test(name, () => assert.deepEqual(ours.get(name), texts));
});

/** Without times and ids, keys in order, and without what Debian's release does not know. */
function comparable(text: string): string {
  const plain = text
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME');
  const ordered = (value: unknown): unknown => {
    // Silences that end together come in any order.
    const isSilences = Array.isArray(value) && value.every((one) => typeof one === 'object' && 'createdBy' in one);
    if (isSilences) return value.map((one) => JSON.stringify(ordered(one))).sort();
    if (Array.isArray(value)) return value.map(ordered);
    if (typeof value !== 'object' || value === null) return value;
    const fields = Object.entries(value).filter(([name]) => name !== 'mutedBy' && name !== 'routeLabels');
    if ('matchers' in value || !('fingerprint' in value || 'receiver' in value || 'state' in value)) {
      const old = fields.filter(([name]) => !('name' in value && name === 'labels') && name !== 'annotations');
      return Object.fromEntries(old.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, ordered(v)]));
    }
    return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, ordered(v)]));
  };
  return JSON.stringify(ordered(JSON.parse(plain)));
}

test("the API answers as Debian's Alertmanager does", { skip: upstream.skip }, async (t) => {
  const folder = temporaryFolder(t);
  fs.writeFileSync(
    path.join(folder, 'am.yml'),
    `
route:
  receiver: all
  group_by: [alertname]
  group_wait: 1s
  routes: [{ matchers: [team="db"], receiver: db }, { matchers: [team="web"], receiver: web, continue: true }]
inhibit_rules: [{ source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [host] }]
receivers: [{ name: all }, { name: db }, { name: web }]
`,
  );
  const open = async (command: string, args: readonly string[], data: string) => {
    const port = await freePort();
    start(t, command, [
      ...args,
      `--config.file=${folder}/am.yml`,
      `--storage.path=${folder}/${data}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ]);
    await eventually('it is ready', () => get(`http://127.0.0.1:${port}/-/ready`));
    return `http://127.0.0.1:${port}`;
  };
  const bases = await Promise.all([open(upstream.path, [], 'theirs'), open(LAUNCHER, ['alertmanager'], 'ours')]);
  const ask = async (base: string, method: string, path: string, body: unknown, more: Record<string, string>) => {
    const headers = { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...more };
    const sent = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(base + path, { method, headers, ...(body === undefined ? {} : { body: sent }) });
    const text = await response.text();
    const code = /^\{"code":(\d+)/.exec(text)?.[1] ?? '';
    return response.status === 200 && method === 'GET' ? `200 ${comparable(text)}` : `${response.status} ${code}`;
  };
  const same = async (method: string, path: string, body?: unknown, more: Record<string, string> = {}) => {
    const [theirs, ours] = await Promise.all(bases.map((base) => ask(base, method, path, body, more)));
    assert.equal(ours, theirs, `${method} ${path} ${JSON.stringify(body)} ${JSON.stringify(more)}`);
  };
  const now = Date.now();
  const at = (ms: number) => new Date(now + ms).toISOString();
  const bad = { alertname: 'Bad' };
  const bodies = [[], '{', {}, [{}], [{ labels: {} }], [{ labels: { a: 1 } }], [{ labels: { '': 'x' } }]];
  const broken = [
    [{ labels: bad, startsAt: at(0), endsAt: at(-1000) }],
    [{ labels: bad, startsAt: 'nonsense' }],
    [{ labels: bad, generatorURL: '::' }],
    ...['x y', 5].map((generatorURL) => [{ labels: bad, generatorURL }]),
    ...[{ a: null }, [], 'x', null].map((labels) => [{ labels }]),
    ...[{ a: 1 }, [], 'x'].map((annotations) => [{ labels: bad, annotations }]),
    [{ labels: bad, endsAt: 5 }],
    [{ labels: {} }, { labels: { '': 'x' } }],
    ...['null', '"x"', '5', ''],
  ];
  for (const body of [...bodies, ...broken]) await same('POST', '/api/v2/alerts', body);
  await same('POST', '/api/v2/alerts', [
    {
      labels: { alertname: 'Up', team: 'db', empty: '' },
      annotations: { x: 'y', e: '' },
      startsAt: at(-60_000),
      endsAt: at(600_000),
      generatorURL: 'http://g/',
    },
    { labels: { alertname: 'W', severity: 'warning', host: 'h' } },
    { labels: { alertname: 'C', severity: 'critical', host: 'h' } },
    { labels: { alertname: 'Web', team: 'web' } },
  ]);
  await same('POST', '/api/v2/alerts', [{ labels: { alertname: 'Fine' } }, { labels: {} }]);
  for (const type of ['text/plain', 'application/xml', 'application/json; charset=utf-8'])
    await same('POST', '/api/v2/alerts', [{ labels: { alertname: 'Fine' } }], { 'content-type': type });
  const silence = (matchers: unknown, more: object = {}) => ({
    ...{ matchers, startsAt: at(0), endsAt: at(3_600_000), createdBy: 'me', comment: 'c', ...more },
  });
  const one = [{ name: 'alertname', value: 'C', isRegex: false }];
  const silences = [
    silence(one),
    silence(one, { comment: undefined }),
    silence([]),
    silence([{ name: 'a', value: '', isRegex: false }]),
    silence([{ name: 'a', value: '.*', isRegex: true }]),
    silence([{ name: 'a', value: '(', isRegex: true }]),
    silence([{ name: '', value: 'x', isRegex: false }]),
    silence([{ name: 'a', value: 'x' }]),
    silence(one, { endsAt: at(-1000) }),
    silence(one, { startsAt: at(-7_200_000), endsAt: at(-3_600_000) }),
    silence(one, { startsAt: 'x' }),
    silence(one, { id: '11111111-1111-4111-8111-111111111111' }),
    ...[undefined, null, 'x', [{}], [{ name: 'a', isRegex: false }]].map((matchers) => silence(matchers)),
    silence([{ name: 'a', value: 'x', isRegex: 'no' }]),
    silence([{ name: 'a', value: 'x', isRegex: false, isEqual: false }]),
    ...[5, '', undefined].map((createdBy) => silence(one, { createdBy })),
    ...['', undefined, 5].map((startsAt) => silence(one, { startsAt })),
    ...[5, 'nonsense'].map((id) => silence(one, { id })),
    silence(one, { startsAt: at(0), endsAt: at(0) }),
    ...['[', '[]', 'null', '""', ''],
  ];
  for (const body of silences) await same('POST', '/api/v2/silences', body);
  const processed = (base: string) =>
    eventually(
      'every alert is in a group',
      async () => !((await get(`${base}/api/v2/alerts`)) ?? '').includes('unprocessed'),
    );
  await Promise.all(bases.map(processed));
  const queries = ['', 'active=false', 'silenced=false', 'inhibited=false', 'unprocessed=false'];
  queries.push('filter=alertname%3D%22Up%22', 'filter=alertname%3D~%22U.*%22&filter=team!%3Ddb', 'filter=foo');
  queries.push('filter=a%3D~%22(%22', 'receiver=db', 'receiver=d', 'receiver=(', 'foo=bar');
  queries.push('active=x', 'silenced=1', 'inhibited=TRUE', 'unprocessed=f', 'active=', 'active=false&active=true');
  queries.push('filter=', 'filter=%7B%7D', 'filter=a%3D%22', 'filter=%7Ba%3D%22b%22', 'filter=a%3Db,c%3Dd');
  queries.push('filter=team%3D', 'filter=team!%3D', 'filter=team%3D~.%2B');
  for (const query of queries) {
    await same('GET', `/api/v2/alerts?${query}`);
    await same('GET', `/api/v2/alerts/groups?${query}`);
  }
  const wanted = ['', 'alertname%3DC', 'alertname%3DX', 'foo', 'alertname%3D~C', 'alertname!%3DX', 'a!%3Dx', 'a%3Dx'];
  for (const filter of wanted) await same('GET', `/api/v2/silences${filter === '' ? '' : `?filter=${filter}`}`);
  const unknown = '/api/v2/silence/11111111-1111-4111-8111-111111111111';
  for (const path of [unknown, '/api/v2/silence/nonsense', '/api/v2/silence/', '/api/v2/silence/%20']) {
    await same('GET', path);
    // Debian's release answers 500 where the present one answers 404.
    if (path !== unknown) await same('DELETE', path);
  }
  const made = await Promise.all(
    bases.map(async (base) => {
      const answer = await fetch(`${base}/api/v2/silences`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(silence([{ name: 'n', value: 'x', isRegex: false }])),
      });
      return ((await answer.json()) as { silenceID: string }).silenceID;
    }),
  );
  for (const method of ['GET', 'DELETE', 'DELETE', 'GET']) {
    const answers = bases.map((base, i) => ask(base, method, `/api/v2/silence/${made[i]}`, undefined, {}));
    const [theirs, ours] = await Promise.all(answers);
    assert.equal(ours, theirs, `${method} of a silence`);
  }
  const paths = ['status', 'receivers', 'alerts', 'alerts/groups', 'silences', unknown.slice(8), 'nothing', ''];
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
    for (const path of paths)
      if (method !== 'DELETE' || path !== unknown.slice(8)) await same(method, `/api/v2/${path}`);
  for (const accept of ['text/html', 'application/xml', 'text/html, */*;q=0.8'])
    await same('GET', '/api/v2/alerts', undefined, { accept });
  await same('GET', '/api/v2/receivers');
});
