// How long a health check takes while the heaviest queries run, beside how long it takes when nothing does: over HTTP, asked from
// this process every few milliseconds. Inside `npm test` it runs tiny, so that it never rots.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { labelsOf } from '../src/model/labels.ts';
import { WriteV1Encoder } from '../src/wire/remote/write-v1.ts';
import { snappyEncode } from '../src/wire/snappy.ts';
import { freePort, PHAROS } from './programs.ts';

const isFull = process.env['PHAROS_BENCH'] === 'full';
const SERIES = isFull ? 50_000 : 100;
const SAMPLES = isFull ? 40 : 5;
const STEP_MS = 15_000;
const BATCH = 5000;

const QUERIES: readonly string[] = [
  'm_total',
  'rate(m_total[5m])',
  'sum by (zone) (rate(m_total[5m]))',
  'quantile by (zone) (0.9, m_total)',
  'topk(5, m_total)',
  'm_total * on (host) group_left (zone) rate(m_total[5m])',
  'max_over_time(m_total[5m:15s])',
  'max_over_time(vector(1)[1h:1ms])',
  'label_replace(m_total, "short", "$1", "host", "h(.*)")',
];

const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const folder = mkdtempSync(path.join(tmpdir(), 'pharos-health-bench-'));
writeFileSync(path.join(folder, 'config.yml'), 'global: {}\n');
const args = [
  'server',
  `--storage.tsdb.path=${folder}/data`,
  `--web.listen-address=127.0.0.1:${port}`,
  '--web.enable-remote-write-receiver',
  '--log.level=warn',
  `--config.file=${folder}/config.yml`,
];
const start = Math.floor(Date.now() / STEP_MS) * STEP_MS - SAMPLES * STEP_MS;

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
/** Milliseconds until the health check has answered. */
function health(): Promise<number> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    http
      .get(`${url}/-/healthy`, { agent }, (response) => {
        response.resume().on('end', () => {
          if (response.statusCode === 200) resolve(performance.now() - begun);
          else reject(new Error(`/-/healthy: ${response.statusCode}`));
        });
      })
      .on('error', reject);
  });
}

async function load(): Promise<void> {
  const words = new Uint32Array(new Float64Array(1).buffer);
  for (let from = 0; from < SERIES; from += BATCH) {
    const encoder = new WriteV1Encoder();
    for (let i = from; i < Math.min(SERIES, from + BATCH); i++) {
      encoder.series(labelsOf({ __name__: 'm_total', host: `h${i}`, zone: `z${i % 20}` }));
      for (let k = 0; k < SAMPLES; k++) {
        new Float64Array(words.buffer)[0] = k * (1 + (i % 7));
        encoder.sample(start + k * STEP_MS, words[0]!, words[1]!);
      }
    }
    const response = await fetch(`${url}/api/v1/write`, {
      method: 'POST',
      headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
      body: snappyEncode(encoder.finish()) as Uint8Array<ArrayBuffer>,
    });
    if (!response.ok) throw new Error(`write: ${response.status} ${await response.text()}`);
  }
}

/** Health checks until `until` resolves. */
async function watched(until: Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  let isOver = false;
  void until.finally(() => {
    isOver = true;
  });
  do {
    times.push(await health());
    await new Promise((resolve) => setTimeout(resolve, 3));
  } while (!isOver);
  return times.sort((a, b) => a - b);
}

const shown = (times: readonly number[]): string =>
  [times[times.length >> 1]!, times[Math.floor(times.length * 0.99)]!, times.at(-1)!]
    .map((ms) => ms.toFixed(1).padStart(9))
    .join('');

const child = spawn(PHAROS, args, { stdio: 'inherit' });
try {
  for (
    let tries = 0;
    (await fetch(`${url}/-/ready`).then(
      (r) => r.ok,
      () => false,
    )) === false;
    tries++
  ) {
    if (tries > 600) throw new Error('the server is not ready');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await load();
  const end = start + (SAMPLES - 1) * STEP_MS;
  console.log(`${SERIES} series; health checks in ms:           p50      p99      max   query, s`);
  const idle = await watched(new Promise((resolve) => setTimeout(resolve, isFull ? 1000 : 20)));
  console.log(`${'(nothing runs)'.padEnd(58)}${shown(idle)}`);
  for (const query of QUERIES) {
    const parameters = new URLSearchParams({ query, start: `${start / 1000}`, end: `${end / 1000}`, step: '15' });
    const begun = performance.now();
    const answer = fetch(`${url}/api/v1/query_range?${parameters}`).then(async (response) => {
      const bytes = (await response.arrayBuffer()).byteLength;
      if (!response.ok) throw new Error(`${query}: ${response.status}, ${bytes} bytes`);
    });
    const times = await watched(answer);
    await answer;
    const seconds = (performance.now() - begun) / 1000;
    console.log(`${query.padEnd(58)}${shown(times)}${seconds.toFixed(2).padStart(9)}`);
  }
} finally {
  agent.destroy();
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  rmSync(folder, { recursive: true, force: true });
}
