// Whether a server grows with its uptime: a constant load of samples every second, a tenth of the series replaced every minute, and
// blocks of a minute instead of two hours, so that each minute passes a block's whole life: cut, merged, dropped by retention.
// 20 minutes of it (PHAROS_SOAK_MINUTES) are 40 hours. Prints memory as it goes, and how the last quarter compares.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { labelsOf } from '#model/labels.ts';
import { WriteV1Encoder } from '#wire/remote/write-v1.ts';
import { snappyEncode } from '#wire/snappy.ts';
import { eventually, freePort, get } from './running.ts';

const isFull = process.env['PHAROS_BENCH'] === 'full';
const MINUTES = isFull ? Number(process.env['PHAROS_SOAK_MINUTES'] ?? 20) : 0.05;
const SERIES = isFull ? 10_000 : 100;
const BATCH = 2000;
const STEP_MS = 1000;

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-soak-'));
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
fs.writeFileSync(path.join(folder, 'config.yml'), 'global: { scrape_interval: 1m }\n');
const child = spawn(
  LAUNCHER,
  [
    'server',
    `--config.file=${folder}/config.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.enable-remote-write-receiver',
    '--storage.tsdb.min-block-duration=1m',
    '--storage.tsdb.retention.time=10m',
    ...process.argv.slice(2),
  ],
  { stdio: 'ignore' },
);

/** Labels of series `i` in a minute: a tenth has another pod every minute. */
const labels = (i: number, minute: number) =>
  labelsOf({
    __name__: `soak_metric_${i % 100}`,
    instance: `10.0.0.${i % 50}:9100`,
    job: 'soak',
    namespace: `team-${i % 7}`,
    pod: i % 10 === 0 ? `pod-${i}-${minute}` : `pod-${i}`,
    zone: 'eu-west-1',
  });

const value = new Float64Array(1);
const words = new Uint32Array(value.buffer);

async function send(time: number, minute: number): Promise<void> {
  for (let from = 0; from < SERIES; from += BATCH) {
    const encoder = new WriteV1Encoder();
    for (let i = from; i < Math.min(SERIES, from + BATCH); i++) {
      value[0] = Math.floor(time / 1000) * (1 + (i % 13)) + (i % 3 === 0 ? Math.random() : 0);
      encoder.series(labels(i, minute));
      encoder.sample(time, words[0]!, words[1]!);
    }
    const response = await fetch(`${url}/api/v1/write`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
      body: new Uint8Array(snappyEncode(encoder.finish())),
    });
    if (!response.ok) throw new Error(`write: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  }
}

const rssMb = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1024;
const mean = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0) / list.length;
const metric = (page: string, name: string): number => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(page)?.[1]);

try {
  await eventually('the server is ready', () => get(`${url}/-/ready`));
  const begun = Date.now();
  const seen: number[] = [];
  let minute = 0;
  console.log('minute   RSS MB   head series   head MB   blocks');
  for (let step = 0; Date.now() - begun < MINUTES * 60_000; step++) {
    await send(Date.now(), minute);
    seen.push(rssMb());
    const now = Math.floor((Date.now() - begun) / 60_000);
    if (now > minute || step === 0) {
      minute = now;
      const page = (await get(`${url}/metrics`)) ?? '';
      const blocks = fs.readdirSync(`${folder}/data`).filter((name) => /^[0-9A-Z]{26}$/.test(name)).length;
      console.log(
        [
          String(minute).padStart(6),
          rssMb().toFixed(1).padStart(8),
          String(metric(page, 'prometheus_tsdb_head_series')).padStart(13),
          (metric(page, 'pharos_store_head_bytes') / 2 ** 20).toFixed(1).padStart(9),
          String(blocks).padStart(8),
        ].join(' '),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, begun + (step + 1) * STEP_MS - Date.now())));
  }
  const quarter = Math.max(1, Math.floor(seen.length / 4));
  const [third, last] = [seen.slice(-2 * quarter, -quarter), seen.slice(-quarter)];
  if (third.length > 0) {
    console.log(
      `RSS, mean of the third quarter: ${mean(third).toFixed(1)} MB, of the last: ${mean(last).toFixed(1)} MB`,
    );
  }
} finally {
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  fs.rmSync(folder, { recursive: true, force: true });
}
