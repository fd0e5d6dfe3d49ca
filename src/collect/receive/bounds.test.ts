// What receivers refuse, and that a mistake costs only itself: times, items, addresses, files.

import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { loadYaml } from '#base/config/load.ts';
import { receiveSection } from './config.ts';
import { setUp, until } from './receivers.suite.ts';

test('a time from the far future is refused by every protocol', async () => {
  const { store, receivers, registry } = await setUp('graphite: {listen_tcp: "127.0.0.1:0"}\ncollectd: {}');
  const ahead = Math.floor(Date.now() / 1000) + 86_400;
  const socket = net.connect(receivers.ports.get('graphite/tcp')!, '127.0.0.1');
  // Milliseconds where seconds are expected: the usual mistake.
  socket.end(`late 1 ${Date.now()}\nahead 1 ${ahead}\ngood 1 ${ahead - 86_400}\n`);
  await until('the good line', () => store.dump()['good'] !== undefined);
  const item = { values: [1], dstypes: ['gauge'], dsnames: ['value'], time: ahead, host: 'h', plugin: 'p', type: 't' };
  await receivers.receive({ path: '/collectd', query: '', headers: {}, body: Buffer.from(JSON.stringify([item])) });
  assert.deepEqual(Object.keys(store.dump()), ['good']);
  const invalid = registry.families().find(({ name }) => name === 'pharos_receive_invalid_total');
  assert.deepEqual(invalid?.samples.map(({ value }) => value).sort(), [1, 2]);
});

test('mistakes of the section are told with their place', () => {
  const refused = (text: string, message: RegExp) =>
    assert.throws(() => loadYaml(text, receiveSection, 'r.yml'), message);
  refused('graphite: {listen_tcp: nowhere}', /r\.yml:1:24: graphite\.listen_tcp: invalid listen address "nowhere"/);
  refused('statsd: {flush_interval: 0s}', /1:26: statsd\.flush_interval: expected a duration above 0/);
  refused('statsd: {buckets: [2, 1]}', /bounds must go up/);
  refused('statsd: {quantiles: [0.5, 2]}', /2 is not between 0 and 1/);
  refused('ganglia: [{address: host}]', /invalid listen address "host"/);
});

test('a file that cannot be read costs only its protocol', async () => {
  const { store, receivers } = await setUp('collectd: {types_db: /nowhere/types.db}\ninflux: {}');
  const body = Buffer.from('m value=1 1000000000');
  assert.equal((await receivers.receive({ path: '/write', query: 'precision=ns', headers: {}, body })).status, 204);
  assert.equal((await receivers.receive({ path: '/collectd', query: '', headers: {}, body })).status, 404);
  assert.deepEqual(Object.keys(store.dump()), ['m']);
});
