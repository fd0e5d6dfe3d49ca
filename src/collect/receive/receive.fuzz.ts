// Receivers under hostile input: mutated remote write requests (kernel and reference decoder must agree), mutated OTLP,
// collectd packets and lines of every protocol. Nothing may throw but the errors that become a 400. A seed reproduces a run.

import assert from 'node:assert/strict';
import { systemClock } from '#base/clock.ts';
import { SimClock } from '#base/clock-sim.ts';
import { errorCode } from '#base/errors.ts';
import { silentLogger } from '#base/log.ts';
import { type Random, seeded, systemRandom } from '#base/random.ts';
import { Registry } from '#model/registry.ts';
import { decodeCollectd } from '#wire/collectd/network.ts';
import { decodeGanglia } from '#wire/ganglia.ts';
import { parseGraphite } from '#wire/graphite.ts';
import { PRECISIONS, parseInflux } from '#wire/influx/line.ts';
import { parseNagios } from '#wire/nagios.ts';
import { decodeOtlpProtobuf } from '#wire/otlp/protobuf.ts';
import { ProtoWriter } from '#wire/protobuf.ts';
import { decodeReadRequest } from '#wire/remote/read.ts';
import { WriteV1Encoder } from '#wire/remote/write-v1.ts';
import { WriteV2Encoder } from '#wire/remote/write-v2.ts';
import { snappyDecode, snappyEncode } from '#wire/snappy.ts';
import { parseStatsd } from '#wire/statsd.ts';
import { RemoteWriteReceiver } from './remote-write.ts';
import { StoreTwin } from './store-twin.ts';

const NOW = 1_700_000_000_000;

function receiver() {
  const store = new StoreTwin();
  const parts = {
    appender: store,
    clock: new SimClock(NOW),
    random: seeded(1),
    registry: new Registry(),
    log: silentLogger,
  };
  return { store, remote: new RemoteWriteReceiver(parts) };
}

function validV1(random: Random): Uint8Array {
  const encoder = new WriteV1Encoder();
  for (let i = random.below(6); i >= 0; i--) {
    encoder.series(
      ['__name__', `m${random.below(4)}`, 'x', 'y'.repeat(random.below(30))].slice(0, 2 + 2 * random.below(2)),
    );
    for (let k = random.below(3); k >= 0; k--)
      encoder.sample(NOW + random.below(1000), random.below(2 ** 31), random.below(2 ** 31));
    if (random.below(4) === 0) encoder.exemplar(['trace_id', 'a'], 1, NOW);
  }
  if (random.below(3) === 0) encoder.metadata('m', { type: 'counter', help: 'h', unit: '' });
  return encoder.finish().slice();
}

function validV2(random: Random): Uint8Array {
  const encoder = new WriteV2Encoder();
  for (let i = random.below(4); i >= 0; i--) {
    encoder.series(['__name__', `m${random.below(4)}`]);
    encoder.sample(NOW + random.below(1000), NOW, random.below(2 ** 31), random.below(2 ** 31));
  }
  return encoder.finish().slice();
}

/** Flips, cuts, doubles and inserts. */
function mutate(random: Random, bytes: Uint8Array): Uint8Array {
  let out = Uint8Array.from(bytes);
  for (let i = random.below(4); i > 0 && out.length > 0; i--) {
    const at = random.below(out.length);
    const kind = random.below(4);
    if (kind === 0) out[at]! ^= 1 << random.below(8);
    else if (kind === 1) out = out.slice(0, at);
    else if (kind === 2) out[at] = [0, 0x7f, 0x80, 0xff][random.below(4)]!;
    else out = Uint8Array.from([...out.slice(0, at), ...out.slice(Math.max(0, at - random.below(8)))]);
  }
  return out;
}

const CODES = new Set([
  'protobuf_corrupt',
  'snappy_corrupt',
  'too_large',
  'collectd_packet',
  'ganglia_xml',
  'otlp_json',
]);

/** Runs a decoder; only its own errors may come out of it. */
function survives(what: string, seed: number, decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    assert.ok(CODES.has(errorCode(error) ?? ''), `seed ${seed}: ${what}: ${(error as Error).stack}`);
  }
}

async function agree(random: Random, seed: number): Promise<void> {
  const fast = receiver();
  const slow = receiver();
  const second = receiver();
  for (let round = 0; round < 4; round++) {
    const body = random.below(2) === 0 ? validV1(random) : mutate(random, validV1(random));
    // A field that nobody knows makes the kernel step aside.
    const unusual = new ProtoWriter();
    unusual.varint(100, 1);
    unusual.raw(body);
    const headers = { 'content-type': 'application/x-protobuf' };
    const ask = (to: RemoteWriteReceiver, bytes: Uint8Array) =>
      to.receive({ path: '', query: '', headers, body: snappyEncode(bytes) });
    const [a, b] = [await ask(fast.remote, body), await ask(slow.remote, unusual.finish())];
    assert.equal(a.status, b.status, `seed ${seed}: ${a.body} against ${b.body}`);
    assert.ok(a.status === 204 || a.status === 400, `seed ${seed}: status ${a.status}: ${a.body}`);
    assert.deepEqual(fast.store.dump(), slow.store.dump(), `seed ${seed}`);
    const v2 = { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' };
    const reply = await second.remote.receive({
      path: '',
      query: '',
      headers: v2,
      body: snappyEncode(mutate(random, validV2(random))),
    });
    assert.ok(reply.status === 204 || reply.status === 400, `seed ${seed}: status ${reply.status}: ${reply.body}`);
    const raw = await second.remote.receive({ path: '', query: '', headers, body: mutate(random, snappyEncode(body)) });
    assert.ok(raw.status === 204 || raw.status === 400, `seed ${seed}: status ${raw.status}`);
  }
}

const LINES = [
  'cpu,host=a\\ b value=1.5,n=3i,s="x y" 1700000000000000000\nmem v=t',
  'a.b.c;t=v 1.5 1700000000',
  'req,a=b:3:4|ms|@0.5|#x:y',
  "OK | 'a b'=1ms;2;@3:4;0;9 c=5% | d=1\nmore | e=2",
  '<GANGLIA_XML><CLUSTER NAME="c"><HOST NAME="h"><METRIC NAME="m" VAL="1" TYPE="float"/></HOST></CLUSTER></GANGLIA_XML>',
];

function decoders(random: Random, seed: number): void {
  const noise = random.bytes(random.below(200));
  for (const bytes of [noise, mutate(random, validV1(random)), mutate(random, validV2(random))]) {
    survives('snappy', seed, () => snappyDecode(bytes, 1 << 20));
    survives('otlp', seed, () => decodeOtlpProtobuf(bytes));
    survives('read', seed, () => decodeReadRequest(bytes));
    survives('collectd', seed, () => decodeCollectd(bytes, { level: 'none', passwordOf: () => undefined }));
  }
  for (const line of LINES) {
    const text = Buffer.from(mutate(random, Buffer.from(line))).toString('utf8');
    survives('influx', seed, () =>
      parseInflux(
        text,
        PRECISIONS['ns']!,
        () => {},
        () => {},
      ),
    );
    survives('graphite', seed, () => parseGraphite(text));
    survives('statsd', seed, () => parseStatsd(text));
    survives('nagios', seed, () => parseNagios(text, () => {}));
    survives('ganglia', seed, () => decodeGanglia(text));
  }
}

/** Throws when the kernel and the reference differ, or when anything but a refusal comes of bad input. */
export async function fuzzReceive(seed: number): Promise<void> {
  await agree(seeded(seed), seed);
  decoders(seeded(seed), seed);
}

if (process.env['PHAROS_FUZZ_SECONDS']) {
  const end = systemClock.monotonic() + Number(process.env['PHAROS_FUZZ_SECONDS']) * 1000;
  let runs = 0;
  for (; systemClock.monotonic() < end; runs++) await fuzzReceive(systemRandom.below(2 ** 31));
  console.log(`  ${runs} runs without a difference`);
}
