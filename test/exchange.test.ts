// The server beside Debian's Prometheus, which sends to it, takes from it, scrapes its /federate and reads from it; and OTLP
// and Influx over the server's own HTTP.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { crc32c } from '../src/base/crc32c.ts';
import { decodeChunk } from '../src/store/codec/chunk.ts';
import { SampleColumns } from '../src/store/codec/samples.ts';
import { TextReader } from '../src/wire/exposition/text.ts';
import { ProtoReader, ProtoWriter } from '../src/wire/protobuf.ts';
import { STREAMED_XOR_CHUNKS } from '../src/wire/remote/read.ts';
import { readPairs } from '../src/wire/remote/write-v1.ts';
import { snappyEncode } from '../src/wire/snappy.ts';
import { peer } from './peers.ts';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');
const prometheus = peer('prometheus', 'prometheus');

type Answer = {
  data?: { result: { metric: Record<string, string>; value: [number, string]; values: [number, string][] }[] };
};

async function ask(url: string, query: string): Promise<Answer['data']> {
  return (JSON.parse((await get(`${url}/api/v1/query?query=${encodeURIComponent(query)}`)) ?? '{}') as Answer).data;
}

const first = (what: string, url: string, query: string) =>
  eventually(what, async () => (await ask(url, query))?.result[0]);

test('Prometheus sends to us, takes from us, federates and reads us', { skip: prometheus.skip }, async (t) => {
  const folder = temporaryFolder(t);
  const [ours, theirs] = [await freePort(), await freePort()];
  fs.writeFileSync(
    path.join(folder, 'ours.yml'),
    `
global: { scrape_interval: 1s, scrape_timeout: 1s, external_labels: { region: eu } }
scrape_configs:
  - job_name: pharos
    static_configs: [{ targets: ['127.0.0.1:${ours}'] }]
remote_write:
  - url: http://127.0.0.1:${theirs}/api/v1/write
    queue_config: { batch_send_deadline: 100ms }
    write_relabel_configs:
      - { source_labels: [__name__, job], regex: up;pharos, action: keep }
      - { target_label: via, replacement: push }
receive: { influx: {} }
aggregate: [{ match: ['up'], interval: 2s, outputs: [sum, count] }]
`,
  );
  fs.writeFileSync(
    path.join(folder, 'theirs.yml'),
    `
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: p
    static_configs: [{ targets: ['127.0.0.1:${theirs}'] }]
  - job_name: fed
    honor_labels: true
    metrics_path: /federate
    params: { 'match[]': ['{job="pharos"}'] }
    metric_relabel_configs: [{ target_label: via, replacement: federate }]
    static_configs: [{ targets: ['127.0.0.1:${ours}'] }]
remote_write:
  - url: http://127.0.0.1:${ours}/api/v1/write
    queue_config: { batch_send_deadline: 100ms }
    write_relabel_configs: [{ source_labels: [job], regex: p, action: keep }]
remote_read:
  - url: http://127.0.0.1:${ours}/api/v1/read
    read_recent: true
    required_matchers: { asked: remotely }
`,
  );
  const us = start(t, LAUNCHER, [
    'server',
    `--config.file=${folder}/ours.yml`,
    `--storage.tsdb.path=${folder}/ours`,
    `--web.listen-address=127.0.0.1:${ours}`,
    '--web.enable-remote-write-receiver',
    '--web.enable-otlp-receiver',
    '--storage.shards=2',
  ]);
  start(t, prometheus.path, [
    `--config.file=${folder}/theirs.yml`,
    `--storage.tsdb.path=${folder}/theirs`,
    `--web.listen-address=127.0.0.1:${theirs}`,
    '--web.enable-remote-write-receiver',
  ]);
  const [ourUrl, theirUrl] = [`http://127.0.0.1:${ours}`, `http://127.0.0.1:${theirs}`];
  assert.equal((await first('what Prometheus sends', ourUrl, 'up{job="p"}')).value[1], '1');
  const pushed = await first('what we send', theirUrl, 'up{via="push"}');
  assert.deepEqual(pushed.metric, {
    __name__: 'up',
    instance: `127.0.0.1:${ours}`,
    job: 'pharos',
    region: 'eu',
    via: 'push',
  });
  const federated = await first('what is federated', theirUrl, 'up{via="federate", job="pharos"}');
  assert.deepEqual(federated.metric, {
    __name__: 'up',
    instance: `127.0.0.1:${ours}`,
    job: 'pharos',
    region: 'eu',
    via: 'federate',
  });
  const federate = (await get(`${ourUrl}/federate?match[]=up`)) ?? '';
  assert.match(federate, new RegExp(`^up\\{instance="127.0.0.1:${ours}",job="pharos",region="eu"\\} 1 \\d{13}$`, 'm'));

  const asked = { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5', 'accept-encoding': 'gzip' };
  const open = await fetch(`${ourUrl}/federate?match[]={__name__=~".%2B"}`, { headers: asked });
  assert.match(open.headers.get('content-type') ?? '', /^application\/openmetrics-text; version=1\.0\.0/);
  assert.equal(open.headers.get('content-encoding'), 'gzip');
  const page = await open.text();
  const labels = `instance="127.0.0.1:${ours}",job="pharos",region="eu"`;
  // Other targets' lines may come first.
  assert.match(page, new RegExp(`^# TYPE up unknown\n(?:up\\{.*\n)*up\\{${labels}\\} 1 \\d{10}(\\.\\d+)?$`, 'm'));
  const reader = new TextReader('openmetrics');
  reader.reset(Buffer.from(page));
  let series = 0;
  for (let kind = reader.next(); kind !== 'end'; kind = reader.next()) if (kind === 'series') series++;
  assert(series > 50, `${series} series`);

  // Other protocols on the server's own HTTP; what they bring exists here only.
  const post = async (where: string, type: string, body: string | Uint8Array<ArrayBuffer>) => {
    const response = await fetch(`${ourUrl}${where}`, { method: 'POST', headers: { 'content-type': type }, body });
    return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
  };
  assert.equal((await post('/write?db=x', 'text/plain', 'asked_remotely,asked=remotely value=41,more=1')).status, 204);
  const point = { timeUnixNano: `${Date.now()}000000`, asInt: '42' };
  const otlp = {
    resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'by.otlp', gauge: { dataPoints: [point] } }] }] }],
  };
  assert.equal((await post('/api/v1/otlp/v1/metrics', 'application/json', JSON.stringify(otlp))).status, 200);
  assert.equal((await first('what OTLP brings', ourUrl, 'by_otlp')).value[1], '42');
  assert.match((await post('/collectd', 'application/json', '[]')).bytes.toString(), /section receive\.collectd/);

  // Two servers are up: one scraped here, one sent in; the fold of both shards is stored like any series.
  await eventually('both are counted', async () => (await ask(ourUrl, 'up:2s_count'))?.result[0]?.value[1] === '2');

  const remote = await first('what Prometheus reads from us', theirUrl, 'asked_remotely{asked="remotely"}');
  assert.equal(remote.value[1], '41');
  assert.equal(remote.metric['region'], 'eu', 'external labels are added');

  const streamed = await post('/api/v1/read', 'application/x-protobuf', readRequest('asked_remotely'));
  assert.equal(streamed.status, 200);
  assert.deepEqual(readFrames(streamed.bytes), [
    { labels: ['__name__', 'asked_remotely', 'asked', 'remotely', 'region', 'eu'], values: [41] },
  ]);
  assert.equal(await us.stop('SIGTERM'), 0, us.output());
});

/** A request for streamed chunks of one metric in the last hour. */
function readRequest(metric: string): Uint8Array<ArrayBuffer> {
  const writer = new ProtoWriter();
  const query = writer.begin(1);
  writer.varint(1, Date.now() - 3_600_000);
  writer.varint(2, Date.now() + 1000);
  const matcher = writer.begin(3);
  writer.string(2, '__name__');
  writer.string(3, metric);
  writer.end(matcher);
  writer.end(query);
  writer.varint(2, STREAMED_XOR_CHUNKS);
  return Uint8Array.from(snappyEncode(writer.finish()));
}

function readFrames(bytes: Uint8Array): { labels: string[]; values: number[] }[] {
  const found: { labels: string[]; values: number[] }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const outer = new ProtoReader(bytes, at);
    const length = outer.uint64();
    const start = outer.pos + 4;
    assert.equal(
      new DataView(bytes.buffer, bytes.byteOffset).getUint32(outer.pos),
      crc32c(bytes, start, start + length),
    );
    at = start + length;
    const reader = new ProtoReader(bytes, start, at);
    while (reader.more()) {
      const tag = reader.tag();
      if (tag >>> 3 !== 1) {
        reader.skip(tag);
        continue;
      }
      const series = reader.open();
      const from = reader.pos;
      const labels = readPairs(reader, 1);
      reader.pos = from;
      const columns = new SampleColumns();
      while (reader.more()) {
        const inner = reader.tag();
        if (inner >>> 3 !== 2) {
          reader.skip(inner);
          continue;
        }
        const chunk = reader.open();
        let encoding = 0;
        let data = new Uint8Array(0);
        while (reader.more()) {
          const field = reader.tag();
          if (field >>> 3 === 3) encoding = reader.int32();
          else if (field >>> 3 === 4) data = Uint8Array.from(reader.view());
          else reader.skip(field);
        }
        reader.close(chunk);
        decodeChunk(encoding, data, columns);
      }
      reader.close(series);
      found.push({ labels, values: [...columns.values.subarray(0, columns.length)] });
    }
  }
  return found;
}
