// Every kind of receiver against a server that takes what it sends: one firing and one resolved alert, then the path, the headers and
// the body that the service documents. Above 600 lines because it is a table of services.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { SimClock } from '#base/clock-sim.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { labelsOf } from '#model/labels.ts';
import { parseAlertmanagerConfig } from '../route/config.ts';
import type { KnownAlert } from '../store.ts';
import { addresses, quotedPrintable } from './email.ts';
import { RECEIVER_KINDS } from './kinds.ts';
import type { Notification } from './receiver.ts';
import { notificationTemplates, renderer } from './render.ts';

type Seen = {
  method: string;
  path: string;
  headers: http.IncomingHttpHeaders;
  text: string;
  json: Record<string, unknown>;
};

const seen: Seen[] = [];
let answerWith: (request: Seen) => { status?: number; body?: string; type?: string } = () => ({});
let base = '';
const server = http.createServer((request, response) => {
  let text = '';
  request.on('data', (bytes: Buffer) => (text += bytes.toString()));
  request.on('end', () => {
    let json: Record<string, unknown> = {};
    if (text.startsWith('{')) json = JSON.parse(text) as Record<string, unknown>;
    const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, text, json };
    seen.push(one);
    const { status = 200, body = '{}', type = 'application/json' } = answerWith(one);
    response.writeHead(status, { 'content-type': type });
    response.end(body);
  });
});
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
});
after(() => server.close());

const NOW = Date.parse('2026-01-02T03:04:05Z');
const GROUP_KEY = '{}:{alertname="Down"}';
const HASH = createHash('sha256').update(GROUP_KEY).digest('hex');
const alert = (name: string, endsAt: number): KnownAlert => ({
  labels: labelsOf({ alertname: 'Down', instance: name, severity: 'critical' }),
  annotations: labelsOf({ summary: `${name} is down` }),
  startsAt: NOW - 60_000,
  endsAt,
  generatorUrl: 'http://prom/graph',
  fingerprint: `f-${name}`,
  updatedAt: NOW,
  timedOut: false,
});

const notification = (isFiring: boolean): Notification => ({
  receiver: 'r',
  groupKey: GROUP_KEY,
  groupLabels: labelsOf({ alertname: 'Down' }),
  routeLabels: {},
  alerts: isFiring ? [alert('a', 0)] : [alert('a', NOW - 1000)],
  changed: new Set(),
  reason: 'first notification',
  now: NOW,
  truncated: 0,
  previous: {},
});

/** What receivers see of the process's environment. */
const environment: Record<string, string> = {};

async function send(kind: string, yaml: string, options: { isFiring?: boolean; global?: string; times?: number } = {}) {
  seen.length = 0;
  const text = `global: {${options.global ?? ''}}\nroute: {receiver: r}\nreceivers:\n- name: r\n  ${kind}_configs:\n  - ${yaml}\n`;
  const config = parseAlertmanagerConfig(text.replaceAll('BASE', base), 'am.yml', (file) => file);
  const clock = new SimClock(NOW);
  const templates = notificationTemplates([], clock);
  const context = {
    clock,
    disk: nodeDisk,
    logger: silentLogger,
    environment,
    externalUrl: 'http://am',
    render: renderer(templates, 'http://am'),
    http: (client: Parameters<typeof createHttpClient>[0]) =>
      createHttpClient(client, { clock: systemClock, disk: nodeDisk }),
  };
  const [built] = config.receivers[0]!.build;
  const integration = built!.make(context, 0);
  let delivery = await integration.notify(notification(options.isFiring ?? true), new AbortController().signal);
  for (let i = 1; i < (options.times ?? 1); i++)
    delivery = await integration.notify(notification(true), new AbortController().signal);
  return { delivery, requests: [...seen], first: seen[0]! };
}

const ok = { ok: true };

test('every kind that upstream has is there', () => {
  const upstream =
    'discord email incidentio jira mattermost msteams msteamsv2 opsgenie pagerduty pushover rocketchat slack sns telegram victorops webex webhook wechat';
  const kinds = RECEIVER_KINDS.map(({ kind }) => kind);
  for (const kind of [...upstream.split(' '), 'wecom', 'dingtalk', 'feishu']) assert.ok(kinds.includes(kind), kind);
});

test('webhook: version 4', async () => {
  answerWith = () => ({});
  const { delivery, first } = await send('webhook', '{url: BASE/hook}');
  assert.deepEqual(delivery, ok);
  assert.equal(first.path, '/hook');
  assert.deepEqual(first.json, {
    receiver: 'r',
    status: 'firing',
    alerts: [
      {
        status: 'firing',
        labels: { alertname: 'Down', instance: 'a', severity: 'critical' },
        annotations: { summary: 'a is down' },
        startsAt: '2026-01-02T03:03:05Z',
        endsAt: '0001-01-01T00:00:00Z',
        generatorURL: 'http://prom/graph',
        fingerprint: 'f-a',
      },
    ],
    groupLabels: { alertname: 'Down' },
    commonLabels: { alertname: 'Down', instance: 'a', severity: 'critical' },
    commonAnnotations: { summary: 'a is down' },
    externalURL: 'http://am',
    version: '4',
    groupKey: GROUP_KEY,
    truncatedAlerts: 0,
  });
});

test('what is tried again and what is not', async () => {
  answerWith = () => ({ status: 503, body: 'later' });
  assert.deepEqual((await send('webhook', '{url: BASE/}')).delivery, {
    ok: false,
    retry: true,
    reason: 'serverError',
    message: 'unexpected status code 503: later',
  });
  answerWith = () => ({ status: 404, body: 'no' });
  assert.deepEqual((await send('webhook', '{url: BASE/}')).delivery, {
    ok: false,
    retry: false,
    reason: 'clientError',
    message: 'unexpected status code 404: no',
  });
  const refused = await send('webhook', '{url: "http://127.0.0.1:1/"}');
  assert.ok(!refused.delivery.ok && refused.delivery.retry, 'nobody listens');
  answerWith = () => ({});
  const broken = await send('discord', `{webhook_url: BASE/, title: '{{ .Nope }}'}`);
  assert.ok(!broken.delivery.ok && !broken.delivery.retry && /cannot expand template/.test(broken.delivery.message));
});

test('chat services', async () => {
  answerWith = () => ({});
  const discord = await send('discord', '{webhook_url: BASE/d, content: hi}');
  assert.deepEqual([discord.delivery, discord.first.json['content']], [ok, 'hi']);
  assert.deepEqual((discord.first.json['embeds'] as { color: number; title: string }[])[0]?.color, 0x992d22);
  assert.match((discord.first.json['embeds'] as { title: string }[])[0]!.title, /^\[FIRING:1\] Down /);

  const teams = await send('msteams', '{webhook_url: BASE/t}', { isFiring: false });
  assert.deepEqual(
    [teams.first.json['@context'], teams.first.json['themeColor']],
    ['http://schema.org/extensions', '2DC72D'],
  );
  const teams2 = await send('msteamsv2', '{webhook_url: BASE/t}');
  assert.equal(
    (teams2.first.json['attachments'] as { contentType: string }[])[0]?.contentType,
    'application/vnd.microsoft.card.adaptive',
  );

  const telegram = await send(
    'telegram',
    '{api_url: BASE, bot_token: tok, chat_id: -12, message: "<b>{{ .Status }}</b>{{ (index .Alerts 0).Labels.instance }}"}',
  );
  assert.deepEqual(
    [
      telegram.first.path,
      telegram.first.json['chat_id'],
      telegram.first.json['parse_mode'],
      telegram.first.json['text'],
    ],
    ['/bottok/sendMessage', '-12', 'HTML', '<b>firing</b>a'],
  );

  const webex = await send(
    'webex',
    '{api_url: BASE/w, room_id: room, http_config: {authorization: {credentials: key}}}',
  );
  assert.deepEqual([webex.first.headers.authorization, webex.first.json['roomId']], ['Bearer key', 'room']);

  const mattermost = await send(
    'mattermost',
    '{webhook_url: BASE/m, channel: ops, priority: {priority: URGENT, requested_ack: true}}',
  );
  assert.deepEqual(mattermost.first.json['priority'], {
    priority: 'urgent',
    requested_ack: true,
    persistent_notifications: false,
  });
  assert.equal((mattermost.first.json['attachments'] as { color: string }[])[0]?.color, 'danger');

  answerWith = () => ({ body: '{"success":true}' });
  const rocket = await send('rocketchat', '{api_url: BASE/, token: t, token_id: u, channel: "#ops"}');
  assert.deepEqual(
    [rocket.delivery, rocket.first.path, rocket.first.headers['x-auth-token'], rocket.first.headers['x-user-id']],
    [ok, '/api/v1/chat.postMessage', 't', 'u'],
  );
  answerWith = () => ({ body: '{"success":false,"error":"no channel"}' });
  const refused = await send('rocketchat', '{api_url: BASE/, token: t, token_id: u, channel: x}');
  assert.ok(!refused.delivery.ok && /error response from Rocketchat: no channel/.test(refused.delivery.message));
});

test('slack: incoming webhook, app token, its own idea of success, updating', async () => {
  answerWith = () => ({ body: 'ok', type: 'text/plain' });
  const hook = await send(
    'slack',
    '{api_url: BASE/hook, channel: "#ops", fields: [{title: T, value: "{{ .Status }}"}]}',
  );
  assert.deepEqual(
    [hook.delivery, hook.first.json['channel'], hook.first.json['username']],
    [ok, '#ops', 'Alertmanager'],
  );
  const [attachment] = hook.first.json['attachments'] as Record<string, unknown>[];
  assert.deepEqual(
    [attachment!['color'], attachment!['fields']],
    ['danger', [{ title: 'T', value: 'firing', short: false }]],
  );
  answerWith = () => ({ body: 'channel_not_found', type: 'text/plain' });
  assert.deepEqual((await send('slack', '{api_url: BASE/hook, channel: c}')).delivery, {
    ok: false,
    retry: false,
    reason: 'clientError',
    message: 'channel "c": received an error response from Slack: channel_not_found',
  });
  answerWith = () => ({ body: '{"ok":true,"ts":"1.2","channel":"C1"}' });
  const app = await send('slack', '{app_token: xoxb, app_url: BASE/api/chat.postMessage, channel: c}');
  assert.deepEqual(
    [app.first.headers.authorization, app.delivery],
    ['Bearer xoxb', { ok: true, data: { threadTs: '1.2', channelId: 'C1' } }],
  );
});

test('paging services', async () => {
  answerWith = () => ({ status: 202 });
  const pager = await send('pagerduty', '{url: BASE/enqueue, routing_key: rk}');
  const payload = pager.first.json['payload'] as Record<string, unknown>;
  assert.deepEqual(
    [pager.delivery, pager.first.json['event_action'], pager.first.json['dedup_key'], payload['severity']],
    [ok, 'trigger', HASH, 'error'],
  );
  assert.equal((payload['custom_details'] as Record<string, unknown>)['num_firing'], '1');
  assert.equal(
    (await send('pagerduty', '{url: BASE/enqueue, routing_key: rk}', { isFiring: false })).first.json['event_action'],
    'resolve',
  );
  const old = await send('pagerduty', '{service_url: BASE/old, service_key: sk}');
  assert.deepEqual(
    [old.first.path, old.first.json['service_key'], old.first.json['incident_key']],
    ['/old', 'sk', HASH],
  );
  answerWith = () => ({ status: 400, body: '{"status":"invalid","message":"bad","errors":["x","y"]}' });
  const bad = await send('pagerduty', '{url: BASE/enqueue, routing_key: rk}');
  assert.ok(!bad.delivery.ok && bad.delivery.message === 'unexpected status code 400: bad: x,y');

  answerWith = () => ({});
  const genie = await send(
    'opsgenie',
    '{api_url: BASE, api_key: k, tags: "a,b", update_alerts: true, responders: [{name: "x,y", type: teams}], priority: P1}',
  );
  assert.deepEqual(
    genie.requests.map((r) => `${r.method} ${r.path}`),
    [
      'POST /v2/alerts',
      `PUT /v2/alerts/${HASH}/message?identifierType=alias`,
      `PUT /v2/alerts/${HASH}/description?identifierType=alias`,
    ],
  );
  assert.deepEqual(
    [
      genie.first.headers.authorization,
      genie.first.json['alias'],
      genie.first.json['tags'],
      genie.first.json['responders'],
    ],
    [
      'GenieKey k',
      HASH,
      ['a', 'b'],
      [
        { name: 'x', type: 'team' },
        { name: 'y', type: 'team' },
      ],
    ],
  );
  assert.equal(
    (await send('opsgenie', '{api_url: BASE, api_key: k}', { isFiring: false })).first.path,
    `/v2/alerts/${HASH}/close?identifierType=alias`,
  );

  const victor = await send(
    'victorops',
    '{api_url: BASE/v, api_key: k, routing_key: team, custom_fields: {f: "{{ .Status }}"}}',
  );
  assert.deepEqual(
    [victor.first.path, victor.first.json['message_type'], victor.first.json['f'], victor.first.json['entity_id']],
    ['/v/k/team', 'CRITICAL', 'firing', HASH],
  );
  assert.equal(
    (await send('victorops', '{api_url: BASE/v, api_key: k, routing_key: t}', { isFiring: false })).first.json[
      'message_type'
    ],
    'RECOVERY',
  );

  const over = await send('pushover', '{api_url: BASE/p, user_key: u, token: t, message: " "}');
  const query = new URLSearchParams(over.first.path.split('?')[1]);
  assert.deepEqual(
    [query.get('user'), query.get('priority'), query.get('message'), query.get('retry')],
    ['u', '2', '(no details)', '60'],
  );

  const incident = await send('incidentio', '{url: BASE/i, alert_source_token: tok}');
  assert.deepEqual([incident.first.headers.authorization, incident.first.json['version']], ['Bearer tok', '1']);

  const sns = await send(
    'sns',
    '{api_url: BASE/, topic_arn: "arn:t.fifo", sigv4: {region: eu, access_key: AK, secret_key: SK}, attributes: {k: v}}',
  );
  const form = new URLSearchParams(sns.first.text);
  assert.deepEqual(
    [form.get('Action'), form.get('MessageGroupId'), form.get('MessageAttributes.entry.1.Name')],
    ['Publish', HASH, 'k'],
  );
  assert.match(
    sns.first.headers.authorization ?? '',
    /^AWS4-HMAC-SHA256 Credential=AK\/20260102\/eu\/sns\/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}$/,
  );
});

test('jira: created, found again, resolved by its transition', async () => {
  let issues: unknown[] = [];
  answerWith = ({ method, path }) => {
    if (path.endsWith('/search')) return { body: JSON.stringify({ issues }) };
    if (method === 'GET') return { body: '{"transitions":[{"id":"31","name":"Done"}]}' };
    return { status: 201 };
  };
  const yaml =
    '{api_url: BASE/rest/api/2, project: OPS, issue_type: Bug, labels: [x], resolve_transition: Done, fields: {customfield_1: "{{ .Status }}"}}';
  const created = await send('jira', yaml);
  assert.deepEqual(
    created.requests.map((r) => `${r.method} ${r.path}`),
    ['POST /rest/api/2/search', 'POST /rest/api/2/issue'],
  );
  const fields = created.requests[1]!.json['fields'] as Record<string, unknown>;
  assert.deepEqual(
    [fields['project'], fields['labels'], fields['customfield_1'], fields['priority']],
    [{ key: 'OPS' }, [`ALERT{${HASH}}`, 'x'], 'firing', { name: 'High' }],
  );
  issues = [{ key: 'OPS-1', fields: { status: { statusCategory: { key: 'new' } } } }];
  const resolved = await send('jira', yaml, { isFiring: false });
  assert.deepEqual(
    resolved.requests.map((r) => `${r.method} ${r.path}`),
    [
      'POST /rest/api/2/search',
      'PUT /rest/api/2/issue/OPS-1',
      'GET /rest/api/2/issue/OPS-1/transitions',
      'POST /rest/api/2/issue/OPS-1/transitions',
    ],
  );
  assert.deepEqual(resolved.requests.at(-1)!.json, { transition: { id: '31' } });
});

test('WeChat applications keep their token; group bots of WeCom, DingTalk and Feishu', async () => {
  answerWith = ({ path }) => (path.includes('gettoken') ? { body: '{"access_token":"T"}' } : { body: '{"errcode":0}' });
  const wechat = await send(
    'wechat',
    '{api_url: BASE/cgi-bin/, api_secret: s, corp_id: c, to_user: bob, message: "{{ .Status }}"}',
    { times: 2 },
  );
  assert.deepEqual(
    wechat.requests.map((r) => r.path),
    [
      '/cgi-bin/gettoken?corpsecret=s&corpid=c',
      '/cgi-bin/message/send?access_token=T',
      '/cgi-bin/message/send?access_token=T',
    ],
  );
  assert.deepEqual(
    [wechat.requests[1]!.json['touser'], wechat.requests[1]!.json['text']],
    ['bob', { content: 'firing' }],
  );
  const wecom = await send('wecom', '{api_url: BASE/send, key: k, message: hi, mentioned_list: ["@all"]}');
  assert.deepEqual(
    [wecom.first.path, wecom.first.json],
    ['/send?key=k', { msgtype: 'text', text: { content: 'hi', mentioned_list: ['@all'], mentioned_mobile_list: [] } }],
  );
  const ding = await send('dingtalk', '{api_url: BASE/robot, access_token: a, secret: SEC, title: t, message: m}');
  assert.match(ding.first.path, new RegExp(`^/robot\\?access_token=a&timestamp=${NOW}&sign=`));
  answerWith = () => ({ body: '{"code":19001,"msg":"bad key"}' });
  const feishu = await send('feishu', '{api_url: BASE/hook/, key: k}');
  assert.deepEqual(
    [feishu.first.path, feishu.first.json['msg_type'], feishu.delivery],
    ['/hook/k', 'interactive', { ok: false, retry: false, reason: 'clientError', message: '19001: bad key' }],
  );
});

/** A mail server of one session: says what it offers, takes what comes. */
function mailServer(extensions: string[], refuse: (line: string) => string | undefined = () => undefined) {
  const lines: string[] = [];
  const mail = net.createServer((socket) => {
    let isData = false;
    let buffer = '';
    socket.write('220 test ESMTP\r\n');
    socket.on('data', (bytes) => {
      buffer += bytes.toString();
      for (let end = buffer.indexOf('\r\n'); end >= 0; end = buffer.indexOf('\r\n')) {
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        lines.push(line);
        if (isData) {
          if (line !== '.') continue;
          isData = false;
          socket.write('250 queued\r\n');
          continue;
        }
        const refusal = refuse(line);
        if (refusal) socket.write(`${refusal}\r\n`);
        else if (line.startsWith('EHLO'))
          socket.write(
            ['test', ...extensions].map((e, i, all) => `250${i < all.length - 1 ? '-' : ' '}${e}\r\n`).join(''),
          );
        else if (line.startsWith('AUTH PLAIN')) socket.write('235 welcome\r\n');
        else if (line === 'DATA') {
          isData = true;
          socket.write('354 go on\r\n');
        } else if (line === 'QUIT') socket.end('221 bye\r\n');
        else socket.write('250 fine\r\n');
      }
    });
    socket.on('error', () => {});
  });
  return new Promise<{ port: number; lines: string[]; close: () => void }>((resolve) => {
    mail.listen(0, '127.0.0.1', () =>
      resolve({ port: (mail.address() as net.AddressInfo).port, lines, close: () => mail.close() }),
    );
  });
}

test('e-mail: envelope, authentication, headers, both bodies', async () => {
  const mail = await mailServer(['AUTH PLAIN LOGIN', '8BITMIME']);
  const yaml = `{smarthost: "127.0.0.1:${mail.port}", from: "Ops <ops@x.org>", to: "a@x.org, B <b@x.org>", require_tls: false, auth_username: u, auth_password: p, text: ".dot\\nümlaut", headers: {subject: "Alarm ü"}}`;
  const { delivery } = await send('email', yaml);
  mail.close();
  assert.deepEqual(delivery, ok);
  const text = mail.lines.join('\n');
  assert.match(text, /EHLO localhost\nAUTH (LOGIN|PLAIN)/);
  assert.match(text, /MAIL FROM:<ops@x\.org>\nRCPT TO:<a@x\.org>\nRCPT TO:<b@x\.org>\nDATA/);
  assert.match(text, /^Subject: =\?utf-8\?q\?Alarm_=C3=BC\?=$/m);
  assert.match(text, /^Date: Fri, 02 Jan 2026 03:04:05 \+0000$/m);
  assert.match(text, /\n\.\.dot\n=C3=BCmlaut\n/, 'dots are doubled');
  assert.match(text, /Content-Type: text\/html; charset=UTF-8/);
});

test('e-mail: what a server refuses is tried again, and encryption is insisted on', async () => {
  const busy = await mailServer([], (line) => (line.startsWith('RCPT') ? '450 try later' : undefined));
  const yaml = (port: number, more = 'require_tls: false') =>
    `{smarthost: "127.0.0.1:${port}", from: o@x.org, to: a@x.org, ${more}}`;
  const later = await send('email', yaml(busy.port));
  busy.close();
  assert.ok(!later.delivery.ok && later.delivery.retry && /450 try later/.test(later.delivery.message));
  const closed = await mailServer([], (line) => (line.startsWith('MAIL') ? '550 no' : undefined));
  const never = await send('email', yaml(closed.port));
  assert.ok(!never.delivery.ok && never.delivery.retry && /550 no/.test(never.delivery.message));
  const plain = await send('email', yaml(closed.port, 'require_tls: true'));
  closed.close();
  assert.ok(!plain.delivery.ok && /does not advertise the STARTTLS extension/.test(plain.delivery.message));
});

test('addresses and quoted-printable', () => {
  assert.deepEqual(addresses('"Last, First" <a@b>, c@d , <e@f>'), ['a@b', 'c@d', 'e@f']);
  assert.equal(quotedPrintable('a=b \nü'), 'a=3Db=20\r\n=C3=BC');
  assert.ok(
    quotedPrintable('x'.repeat(200))
      .split('\r\n')
      .every((line) => line.length <= 76),
  );
});

test('SNS: keys of a profile, and of a role that is taken on with them', async (t) => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-aws-')), 'credentials');
  t.after(() => {
    for (const name of Object.keys(environment)) delete environment[name];
    fs.rmSync(path.dirname(file), { recursive: true });
  });
  fs.writeFileSync(file, '[ops]\naws_access_key_id = AKOPS\naws_secret_access_key = SK\n');
  Object.assign(environment, { AWS_SHARED_CREDENTIALS_FILE: file, AWS_ENDPOINT_URL_STS: `${base}/sts` });
  const ofProfile = await send('sns', '{api_url: BASE/, topic_arn: "arn:t", sigv4: {region: eu, profile: ops}}');
  assert.match(ofProfile.first.headers.authorization ?? '', /Credential=AKOPS\/20260102\/eu\/sns\//);
  const assumed =
    '<AccessKeyId>AKROLE</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>TOK</SessionToken><Expiration>2026-01-02T05:00:00Z</Expiration>';
  answerWith = ({ path }) => (path.startsWith('/sts') ? { body: assumed, type: 'text/xml' } : {});
  const ofRole = await send(
    'sns',
    '{api_url: BASE/, topic_arn: "arn:t", sigv4: {region: eu, profile: ops, role_arn: "arn:aws:iam::1:role/r", external_id: x}}',
  );
  answerWith = () => ({});
  const [asked, published] = ofRole.requests;
  assert.equal(new URLSearchParams(asked!.text).get('ExternalId'), 'x');
  assert.match(asked!.headers.authorization ?? '', /Credential=AKOPS\/20260102\/eu\/sts\//);
  assert.match(
    published!.headers.authorization ?? '',
    /Credential=AKROLE\/.*SignedHeaders=[a-z;-]*x-amz-security-token/,
  );
  assert.equal(published!.headers['x-amz-security-token'], 'TOK');
  const nobody = await send('sns', '{api_url: BASE/, topic_arn: "arn:t", sigv4: {region: eu, profile: other}}');
  assert.ok(!nobody.delivery.ok && /failed to get shared config profile, other/.test(nobody.delivery.message));
});

test('webhook: a body that the configuration lays out', async () => {
  const payload = `{ text: "{{ .CommonLabels.alertname }}: x", "{{ .Status }}": [ "{{ len .Alerts }}", true, 5, null ],
    list: '{{ .GroupLabels.Values | toJson }}', map: "{b: 1, a: [x, '1']}", none: "", word: "a: b: c" }`;
  const { delivery, first } = await send('webhook', `{url: BASE/hook, payload: ${payload}}`);
  assert.deepEqual(delivery, ok);
  assert.equal(
    first.text,
    '{"firing":[1,true,5,null],"list":["Down"],"map":{"a":["x","1"],"b":1},"none":null,"text":{"Down":"x"},"word":"a: b: c"}\n',
  );
});

test('a proxy of the global section serves every kind that calls a service', async () => {
  const kinds: Record<string, string> = {
    discord: '{webhook_url: "http://service.test/x"}',
    incidentio: '{url: "http://service.test/x", alert_source_token: t}',
    jira: '{api_url: "http://service.test/x", project: P, issue_type: T}',
    mattermost: '{webhook_url: "http://service.test/x"}',
    msteams: '{webhook_url: "http://service.test/x"}',
    msteamsv2: '{webhook_url: "http://service.test/x", http_config: {follow_redirects: false}}',
    opsgenie: '{api_url: "http://service.test/x", api_key: k}',
    pagerduty: '{url: "http://service.test/x", routing_key: k}',
    pushover: '{api_url: "http://service.test/x", user_key: u, token: t}',
    rocketchat: '{api_url: "http://service.test/x", token: t, token_id: i, channel: c}',
    slack: '{api_url: "http://service.test/x", channel: c}',
    sns: '{api_url: "http://service.test/", topic_arn: t, sigv4: {region: r, access_key: a, secret_key: s}}',
    telegram: '{api_url: "http://service.test", bot_token: t, chat_id: 1}',
    victorops: '{api_url: "http://service.test/", api_key: k, routing_key: r}',
    webex:
      '{api_url: "http://service.test/x", room_id: r, http_config: {proxy_url: "BASE", authorization: {credentials: c}}}',
    webhook: '{url: "http://service.test/x"}',
    wechat: '{api_url: "http://service.test/", api_secret: s, corp_id: c}',
    dingtalk: '{api_url: "http://service.test/x", access_token: k}',
    feishu: '{api_url: "http://service.test/x", key: k}',
    wecom: '{api_url: "http://service.test/x", key: k}',
  };
  for (const [kind, yaml] of Object.entries(kinds)) {
    const { requests } = await send(kind, yaml, { global: 'http_config: {proxy_url: "BASE"}' });
    assert.match(requests[0]?.headers.host ?? 'nothing came', /^service\.test/, kind);
  }
});

test('mistakes in receivers have their position', () => {
  const message = (yaml: string) => {
    try {
      parseAlertmanagerConfig(`route: {receiver: r}\nreceivers: [{name: r, ${yaml}}]`, 'am.yml', (f) => f);
    } catch (error) {
      return (error as Error).message;
    }
    return 'accepted';
  };
  const wrong: [string, RegExp][] = [
    [
      'slack_configs: [{channel: c}]',
      /am\.yml:2:39: receivers\[0\]\.slack_configs\[0\]: no Slack API URL nor App token set/,
    ],
    ['email_configs: [{to: a@b}]', /no global SMTP smarthost set/],
    ['pagerduty_configs: [{}]', /missing service or routing key/],
    ['telegram_configs: [{bot_token: t}]', /missing chat_id or chat_id_file/],
    ['opsgenie_configs: [{api_key: k, responders: [{name: n, type: cat}]}]', /does not match valid options/],
    [
      'victorops_configs: [{api_key: k, routing_key: r, custom_fields: {entity_id: x}}]',
      /custom field entity_id which cannot be used/,
    ],
    ['wecom_configs: [{key: a, key_file: b}]', /at most one of key & key_file/],
    ['jira_configs: [{project: P}]', /missing issue_type in jira_config/],
    ['sns_configs: [{sigv4: {region: r, access_key: a, secret_key: s}}]', /must provide either a Target ARN/],
  ];
  for (const [yaml, pattern] of wrong) assert.match(message(yaml), pattern, yaml);
});
