// The same alerts and configuration given to Debian's Alertmanager and to ours: what receivers get is compared byte by byte. Times of sending
// and what Debian's release cannot know are taken out first.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
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
  const [theirs, ours] = await Promise.all([run(t, upstream.path, []), run(t, LAUNCHER, ['alertmanager'])]);
  assert.deepEqual([...ours.keys()].sort(), [...theirs.keys()].sort());
  for (const [name, texts] of theirs) await t.test(name, () => assert.deepEqual(ours.get(name), texts));
});
