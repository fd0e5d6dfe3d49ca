// D-Bus against the real bus daemon and busctl, and values of every type there and back.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { peer } from '../../../test/peers.ts';
import { start, temporaryFolder } from '../../../test/programs.ts';
import { DBUS_REFUSED, DbusConnection, socketOf } from './dbus.ts';
import { type DbusValue, MessageType, readMessage, writeMessage } from './message.ts';
import { busctl, busFiles, serveOnBus, servePeer } from './service.suite.ts';

const daemon = peer('dbus-daemon', 'dbus-daemon');
const control = peer('busctl', 'systemd');

const SIGNATURE = 'ybnqiuxtdsogasa{sv}(sa(ub))v';
const BODY: DbusValue[] = [
  255,
  true,
  -2,
  65535,
  -2147483648,
  4294967295,
  -(2n ** 63n),
  2n ** 64n - 1n,
  0.1,
  'grüß',
  '/a/b',
  'a{sv}',
  ['x', '', 'yz'],
  [['k', { signature: 'u', value: 7 }]],
  [
    's',
    [
      [1, true],
      [2, false],
    ],
  ],
  { signature: 'as', value: ['in', 'side'] },
];

/** As it is read: variants are their value alone. */
const plain = (value: DbusValue): DbusValue =>
  Array.isArray(value)
    ? value.map(plain)
    : typeof value === 'object'
      ? plain((value as { value: DbusValue }).value)
      : value;

test('values of every type there and back, however the bytes are cut', () => {
  const bytes = writeMessage({
    type: MessageType.call,
    serial: 9,
    path: '/p',
    interface: 'i.f',
    member: 'M',
    signature: SIGNATURE,
    body: BODY,
  });
  const { message, size } = readMessage(Buffer.concat([bytes, Buffer.from('next')]))!;
  assert.equal(size, bytes.length);
  assert.deepEqual(message.body, BODY.map(plain));
  assert.equal(message.member, 'M');
  for (let length = 0; length < bytes.length; length++)
    assert.equal(readMessage(bytes.subarray(0, length)), undefined, `${length} bytes`);
});

test('messages grow as they need', () => {
  const body = [Array.from({ length: 1000 }, (_, i) => [`name ${i}`, i])];
  const bytes = writeMessage({ type: MessageType.reply, serial: 1, replySerial: 1, signature: 'a(su)', body });
  assert.deepEqual(readMessage(bytes)!.message.body, body);
});

test('nonsense is an error, not a crash', () => {
  const bytes = writeMessage({ type: MessageType.reply, serial: 1, replySerial: 1, signature: 'as', body: [['a']] });
  assert.throws(() => readMessage(Buffer.from('HTTP/1.1 400 Bad Request\r\n')), /byte order/);
  const longer = Buffer.from(bytes);
  longer.writeUInt32LE(10_000, longer.length - 10);
  assert.throws(() => readMessage(longer), /ends after the message|ends within/);
  assert.throws(() => socketOf('tcp:host=a'), /names no Unix socket/);
  assert.equal(socketOf('tcp:host=a;unix:path=/a%20b,guid=1'), '/a b');
});

test('the bus daemon understands us, and busctl our service', { skip: daemon.skip || control.skip }, async (t) => {
  const { socket, args } = busFiles(temporaryFolder(t));
  await start(t, daemon.path, args, async () => fs.existsSync(socket));
  const service = await serveOnBus(socket, 'org.example.Echo', ({ member, body }) =>
    member === 'Echo' ? { signature: SIGNATURE, body: BODY } : member === 'Say' ? { signature: 's', body } : undefined,
  );
  t.after(() => service.destroy());
  const abort = new AbortController();
  t.after(() => abort.abort());
  const connection = await DbusConnection.open(socket, true, abort.signal);
  const echo = { destination: 'org.example.Echo', path: '/', interface: 'org.example.Echo' };
  assert.deepEqual(await connection.call({ ...echo, member: 'Echo' }), BODY.map(plain));
  assert.deepEqual(await connection.call({ ...echo, member: 'Say', signature: 's', body: ['hello'] }), ['hello']);
  await assert.rejects(connection.call({ ...echo, member: 'Nothing' }), { code: DBUS_REFUSED });
  await assert.rejects(
    connection.call({ ...echo, destination: 'org.example.None', member: 'Echo' }),
    /ServiceUnknown|not provided/,
  );
  assert.equal(
    (await busctl(socket, 'call', 'org.example.Echo', '/', 'org.example.Echo', 'Say', 's', 'out')).trim(),
    's "out"',
  );
  assert.match(
    await busctl(socket, 'call', 'org.example.Echo', '/', 'org.example.Echo', 'Echo'),
    /18446744073709551615 0\.1 "gr/,
  );
  const late = connection.call({ ...echo, member: 'Echo' });
  connection.close();
  await assert.rejects(late, /closed/);
});

test('a peer without a bus; one that is none', async (t) => {
  const folder = temporaryFolder(t);
  const abort = new AbortController();
  t.after(() => abort.abort());
  const file = path.join(folder, 'peer');
  const server = await servePeer(file, ({ body }) => ({ signature: 'v', body: [{ signature: 's', value: body[1]! }] }));
  t.after(() => server.close());
  const connection = await DbusConnection.open(file, false, abort.signal);
  assert.equal(await connection.property('a.b', '/', 'a.b.C', 'Name'), 'Name');
  const closing = net.createServer((socket) => socket.end('who are you?\r\n'));
  t.after(() => closing.close());
  await new Promise<void>((resolve) => closing.listen(path.join(folder, 'other'), resolve));
  await assert.rejects(
    DbusConnection.open(path.join(folder, 'other'), false, abort.signal),
    /refuses this user|closed/,
  );
});
