// Events to a broker that speaks as much of Kafka's protocol as producing needs, and reads record batches as the format describes
// them.

import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { systemClock } from '#base/clock.ts';
import { crc32c } from '#base/crc32c.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { KafkaReader, KafkaWriter } from '#exporters/kafka/protocol.ts';
import { Registry } from '#model/registry.ts';
import { parseAlertmanagerConfig } from '../route/config.ts';
import { partitionOf } from './record-batch.ts';
import { EventRecorder } from './recorder.ts';

type Taken = { readonly partition: number; readonly acks: number; readonly key: string; readonly values: string[] };

/** Refuses the first `failures` batches. */
async function broker(failures = 0) {
  const taken: Taken[] = [];
  let left = failures;
  const server = net.createServer((socket) => {
    let received = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE()) {
        const length = received.readInt32BE();
        const body = answer(received.subarray(4, 4 + length));
        received = received.subarray(4 + length);
        if (body) socket.write(Buffer.concat([new KafkaWriter().int32(body.length).bytes(), body]));
      }
    });
  });
  const answer = (request: Buffer): Buffer | undefined => {
    const reader = new KafkaReader(request);
    const [api, version, id, client] = [reader.int16(), reader.int16(), reader.int32(), reader.string()];
    assert.equal(client, 'me');
    const reply = new KafkaWriter().int32(id);
    if (api === 3)
      return reply
        .array([0], () => describe(reply))
        .int32(0)
        .array(['events'], (name) => topic(reply, name))
        .bytes();
    assert.deepEqual([api, version], [0, 3]);
    assert.equal(reader.int16(), -1);
    const acks = reader.int16();
    reader.int32();
    const [name, partition, batch] = reader.array(
      () => [reader.string(), ...reader.array(() => [reader.int32(), reader.blob()] as const)[0]!] as const,
    )[0]!;
    const code = left-- > 0 ? 6 : 0;
    if (code === 0) taken.push({ partition, acks, ...readBatch(batch) });
    if (acks === 0) return undefined;
    return reply.int32(1).string(name).int32(1).int32(partition).int16(code).int64(0n).int64(-1n).int32(0).bytes();
  };
  const describe = (reply: KafkaWriter) =>
    reply
      .int32(7)
      .string('127.0.0.1')
      .int32((server.address() as net.AddressInfo).port)
      .int16(-1);
  const topic = (reply: KafkaWriter, name: string) => {
    reply.int16(0).string(name).int8(0);
    reply.array([0, 1, 2], (id) =>
      reply
        .int16(0)
        .int32(id)
        .int32(7)
        .array([7], (one) => reply.int32(one))
        .array([7], (one) => reply.int32(one)),
    );
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { taken, port: (server.address() as net.AddressInfo).port, close: () => server.close() };
}

function readBatch(batch: Buffer): { key: string; values: string[] } {
  const reader = new KafkaReader(batch);
  assert.deepEqual([reader.int64(), reader.int32(), reader.int32(), reader.int8()], [0, batch.length - 12, -1, 2]);
  assert.equal(reader.int32() >>> 0, crc32c(batch, 21));
  const codec = reader.int16();
  reader.int32();
  reader.int64();
  reader.int64();
  assert.deepEqual([reader.int64(), reader.int16(), reader.int32()], [-1, -1, -1]);
  const count = reader.int32();
  const rest = batch.subarray(61);
  const records = codec === 1 ? zlib.gunzipSync(rest) : codec === 4 ? zlib.zstdDecompressSync(rest) : rest;
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = records[at++]!;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  };
  const text = () => {
    const length = varint();
    at += length;
    return records.toString('utf8', at - length, at);
  };
  let key = '';
  const values = Array.from({ length: count }, (_, offset) => {
    const end = varint() + at;
    assert.equal(records[at++], 0);
    assert.deepEqual([varint(), varint()], [0, offset]);
    key = text();
    const value = text();
    assert.equal(varint(), 0);
    assert.equal(at, end);
    return value;
  });
  return { key, values };
}

const outputsOf = (yaml: string) =>
  parseAlertmanagerConfig(
    `route: {receiver: r}\nreceivers: [{name: r}]\nevent_recorder: {kafka_outputs: [${yaml}]}\n`,
    'am.yml',
    (file) => file,
  ).events;

const recorder = (registry = new Registry()) =>
  new EventRecorder({
    ...{ clock: systemClock, disk: nodeDisk, logger: silentLogger, registry, environment: {} },
    ...{ instance: 'host-1', clusterPosition: () => 0, stdout: () => {} },
  });

for (const [acks, compression] of [
  ['leader', 'none'],
  ['all', 'gzip'],
  ['none', 'zstd'],
] as const)
  test(`events reach the topic: acks ${acks}, compression ${compression}`, async (t) => {
    const kafka = await broker();
    t.after(kafka.close);
    const events = recorder();
    events.apply(
      outputsOf(
        `{brokers: ['127.0.0.1:1', '127.0.0.1:${kafka.port}'], topic: events, client_id: me, acks: ${acks}, compression: ${compression}}`,
      ),
    );
    for (let i = 0; i < 3; i++) events.record({ type: 'alertmanager_startup_event', version: String(i) });
    await events.close();
    // Nobody says that it has come where nobody is asked to.
    for (let tries = 0; tries < 500 && kafka.taken.flatMap(({ values }) => values).length < 3; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual([...new Set(kafka.taken.map(({ key }) => key))], ['host-1']);
    assert.deepEqual(
      [...new Set(kafka.taken.map(({ partition }) => partition))],
      [partitionOf(Buffer.from('host-1'), 3)],
    );
    const values = kafka.taken.flatMap((one) => one.values);
    assert.equal(values.length, 3);
    assert.match(values[2]!, /"version":"2"/);
  });

test('what a broker refuses is tried again; what cannot be sent is counted', async (t) => {
  const kafka = await broker(1);
  t.after(kafka.close);
  const events = recorder();
  events.apply(outputsOf(`{brokers: ['127.0.0.1:${kafka.port}'], topic: events, client_id: me}`));
  events.record({ type: 'alertmanager_startup_event', version: '1' });
  while (kafka.taken.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await events.close();
  assert.equal(kafka.taken.length, 1);
  const registry = new Registry();
  const lonely = recorder(registry);
  lonely.apply(outputsOf("{brokers: ['127.0.0.1:1'], topic: events}"));
  lonely.record({ type: 'alertmanager_startup_event', version: '1' });
  await lonely.close();
  const failures = registry.families().find(({ name }) => name === 'alertmanager_event_kafka_produce_errors_total');
  assert.deepEqual(
    [...failures!.samples].map(({ labels, value }) => [labels, value]),
    [[['error_type', 'network', 'output', 'kafka:127.0.0.1:1/events'], 1]],
  );
});

test('partitions are those that Kafka itself chooses', () => {
  // From the tests of Kafka's own murmur2.
  const hashes: [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  for (const [key, hash] of hashes)
    assert.equal(partitionOf(Buffer.from(key), 1_000_003), (hash & 0x7fffffff) % 1_000_003, key);
});

test('mistakes have upstream meaning', () => {
  const wrong: [string, RegExp][] = [
    ['{topic: t}', /at least one broker is required/],
    ['{brokers: [a]}', /requires a topic/],
    ['{brokers: [a], topic: t, acks: some}', /unknown acks "some"/],
    ['{brokers: [a], topic: t, compression: lz4}', /there is no lz4 here: take one of none, gzip, zstd/],
    ['{brokers: [a], topic: t, format: protobuf}', /events are written as JSON here/],
  ];
  for (const [yaml, pattern] of wrong) assert.throws(() => outputsOf(yaml), pattern);
});
