import assert from 'node:assert/strict';
import http from 'node:http';
import type net from 'node:net';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { PushProxy } from './push.ts';
import { planPush } from './request.ts';

const plan = (client: string, query: string, body: Record<string, unknown> = {}, user?: string) =>
  planPush(client, new URLSearchParams(query), body, user);

test('parameters: query before body, any case, the rest is the message', () => {
  assert.deepEqual(plan('x', 'SENDER_TYPE=rtx_group&sender=k', { Sender: 'other', message: 'hi', more: 1 }), {
    senderType: 'rtx_group',
    sender: 'k',
    users: [],
    messages: ['hi'],
  });
  assert.deepEqual(plan('x', '', { sender_type: 'wechat', username: 'ann, bob', a: 1, b: [2] }), {
    senderType: 'wechat',
    sender: '',
    users: ['ann', 'bob'],
    messages: ['{"a":1,"b":[2]}'],
  });
});

test('every alert of a batch is a message', () => {
  const alerts = [
    { status: 'firing', labels: { alertname: 'Down', host: 'a' }, annotations: { summary: 'a is down' } },
    { status: 'resolved', labels: { alertname: 'Slow' }, endsAt: '2026-01-01T00:00:00Z' },
  ];
  assert.deepEqual(plan('alertmanager', 'sender_type=rtx_group&sender=k', { version: '4', alerts }).messages, [
    '[FIRING] Down\nsummary: a is down\nhost: a',
    '[RESOLVED] Slow\nuntil: 2026-01-01T00:00:00Z',
  ]);
});

test('grafana: title, message, state; the basic auth user is the receiver', () => {
  const asked = plan(
    'grafana',
    'sender_type=wechat',
    { title: 'Disk', message: 'is full', state: 'alerting', evalMatches: [] },
    'ann',
  );
  assert.deepEqual([asked.users, asked.messages], [['ann'], ['[alerting] Disk\nis full']]);
});

test('mistakes', () => {
  assert.throws(() => plan('x', ''), /sender_type must be one of wechat, rtx_group, got ""/);
  assert.throws(() => plan('x', 'sender_type=rtx_group', { a: 1 }), /sender must be the group bot's key/);
  assert.throws(() => plan('x', 'sender_type=wechat&message=m'), /username must name at least one receiver/);
  assert.throws(() => plan('x', 'sender_type=rtx_group&sender=k'), /nothing to send/);
});

test('each receiver and message has its outcome; what fails for now is tried again', async (t) => {
  const seen: string[] = [];
  let refusals = 1;
  const server = http.createServer((request, response) => {
    let text = '';
    request.on('data', (bytes: Buffer) => (text += bytes.toString()));
    request.on('end', () => {
      const { pathname } = new URL(request.url ?? '/', 'http://x');
      seen.push(pathname);
      if (pathname === '/gettoken') response.end('{"access_token":"T"}');
      else if (pathname === '/bot' && refusals-- > 0) response.writeHead(503).end();
      else if (text.includes('"eve"')) response.end('{"errcode":60111,"errmsg":"no such user"}');
      else response.end('{"errcode":0}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const base = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const proxy = new PushProxy(createHttpClient(undefined, { clock: systemClock, disk: nodeDisk }), systemClock);
  const settings = { botUrl: `${base}/bot`, appUrl: base, corpId: 'c', appSecret: 's', agentId: '7' };
  const { signal } = new AbortController();
  const group = await proxy.push(plan('x', 'sender_type=rtx_group&sender=k&message=m'), settings, signal);
  assert.deepEqual([group, seen], [[{ receiver: 'group', message: 0, ok: true, error: '' }], ['/bot', '/bot']]);
  const users = await proxy.push(plan('x', 'sender_type=wechat&username=ann,eve&message=m'), settings, signal);
  assert.deepEqual(
    users.map((u) => `${u.receiver} ${u.ok} ${u.error}`),
    ['ann true ', 'eve false 60111: no such user'],
  );
  const without = await proxy.push(
    plan('x', 'sender_type=wechat&username=ann&message=m'),
    { ...settings, corpId: '' },
    signal,
  );
  assert.match(without[0]!.error, /need wechat_api_corp_id/);
});
