// An outage of hours in minutes: a process appends the scrapes of the time as fast as it can while the remote refuses everything,
// is killed twice and goes on each time, then the remote comes back. Checked: nothing is lost, each series arrives in order, and a
// queue that may not grow gives up its oldest samples, counts them, and delivers the rest. Told: how fast the backlog goes away.

import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { object } from '#base/config/schema.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { systemRandom } from '#base/random.ts';
import { type Appender, newSeries, type SampleBatch, seriesRef } from '#model/batch.ts';
import { labelsOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { decodeWriteV1 } from '#wire/remote/write-v1.ts';
import { decodeWriteV2 } from '#wire/remote/write-v2.ts';
import { snappyDecode } from '#wire/snappy.ts';
import { remoteConfigs, remoteWriteSections } from './config.ts';
import { Remotes } from './remotes.ts';
import { Tee } from './tee.ts';

const isFull = process.env['PHAROS_BENCH'] === 'full';
const SERIES = isFull ? 10_000 : 50;
/** Scrapes of every series; at 15 s each, the full size is six hours. */
const STEPS = isFull ? 1440 : 40;
const STEP_MS = 15_000;
const PER_BATCH = 1000;

type Job = {
  readonly folder: string;
  readonly url: string;
  readonly version: 1 | 2;
  readonly maxDisk: string;
  readonly from: number;
};
type Told = { readonly step: number; readonly pending: number; readonly dropped: number };

/** The process that is killed: appends from a step on, and tells what is acknowledged. */
async function append({ folder, url, version, maxDisk, from }: Job): Promise<void> {
  const message = version === 1 ? 'prometheus.WriteRequest' : 'io.prometheus.write.v2.Request';
  const text = `remote_write: [{url: "${url}", protobuf_message: ${message}, queue_config: {max_disk_size: ${maxDisk}, max_shards: 4, min_backoff: 5ms, max_backoff: 50ms, batch_send_deadline: 20ms}}]`;
  const section = loadYaml(text, object({ remote_write: remoteWriteSections }), 'outage.yml').remote_write;
  let slots = 0;
  const store: Appender = {
    append: async (batch) => ({
      refs: Float64Array.from(batch.series, () => seriesRef(0, 0, slots++)),
      rejections: [],
      created: batch.series.length,
    }),
  };
  const tee = new Tee(store);
  const registry = new Registry();
  const parts = { disk: nodeDisk, clock: systemClock, log: silentLogger, random: systemRandom, environment: {} };
  const remotes = new Remotes({
    ...parts,
    tee,
    folder,
    shard: 0,
    shards: 1,
    registry,
    syncMs: () => 1000,
    flushMs: 1000,
  });
  await remotes.apply([...remoteConfigs(section, (file) => file)], []);
  const sum = (name: string) => {
    remotes.report();
    const family = registry.families().find((one) => one.name === name);
    return family?.samples.reduce((all, { value }) => all + value, 0) ?? 0;
  };
  const tell = (step: number) =>
    process.send!({
      step,
      pending: sum('prometheus_remote_storage_samples_pending'),
      dropped: sum('prometheus_remote_storage_samples_dropped_total'),
    } satisfies Told);
  const known = new Map<number, Float64Array>();
  for (let step = from; step < STEPS; step++) {
    for (let first = 0; first < SERIES; first += PER_BATCH) {
      const rows = Array.from({ length: Math.min(PER_BATCH, SERIES - first) }, (_, i) => first + i);
      const refs = known.get(first);
      const batch: SampleBatch = {
        refs: refs ?? Float64Array.from(rows, (_, i) => newSeries(i)),
        timestamps: new Float64Array(rows.length).fill(step * STEP_MS),
        values: new Float64Array(rows.length).fill(step),
        series: refs
          ? []
          : rows.map((i) => labelsOf({ __name__: 'm_total', instance: `host-${i % 97}:9100`, i: String(i) })),
      };
      const result = await tee.append(batch);
      if (!refs) known.set(first, result.refs);
    }
    if (step % Math.max(1, STEPS >> 5) === 0 || step === STEPS - 1) tell(step);
    // A scrape ends, and the sender has its turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    tell(STEPS - 1);
  }
}

/** What has arrived: the last step of each series, and whether one was missing before it. */
class Arrivals {
  readonly last = new Int32Array(SERIES).fill(-1);
  /** Steps of each series that have arrived. */
  readonly taken = new Int32Array(SERIES);
  samples = 0;
  again = 0;
  isAway = true;
  refused = 0;
  readonly #mayLose: boolean;

  /** With losses, what was under way while older samples were given up comes first: behind it is a hole. */
  constructor(mayLose: boolean) {
    this.#mayLose = mayLose;
  }

  take(body: Uint8Array, version: string | undefined): void {
    let series = -1;
    const sample = (timestamp: number) => {
      const step = timestamp / STEP_MS;
      this.samples++;
      // What was under way when a process was killed comes twice.
      if (step <= this.last[series]!) {
        this.again++;
        return;
      }
      if (this.last[series] === -1) assert.ok(step === 0 || this.#mayLose, `series ${series} begins with ${step}`);
      else if (!this.#mayLose) assert.equal(step, this.last[series]! + 1, `series ${series}`);
      this.taken[series]!++;
      this.last[series] = step;
    };
    const none = () => assert.fail('nothing else was sent');
    const sink = {
      series: (pairs: readonly string[]) => {
        series = Number(pairs[pairs.indexOf('i') + 1]);
      },
      sample,
      ...{ histogram: none, exemplar: none, metadata: none, seriesMetadata: () => {}, invalid: none },
    };
    const bytes = snappyDecode(body, 1 << 26);
    if (version === '2.0.0') decodeWriteV2(bytes, sink);
    else decodeWriteV1(bytes, sink);
  }
}

async function outage(version: 1 | 2, maxDisk: string, mayLose: boolean): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-outage-'));
  const arrivals = new Arrivals(mayLose);
  let failure: unknown;
  const server = http.createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (arrivals.isAway) arrivals.refused++;
    else {
      try {
        arrivals.take(Buffer.concat(parts), request.headers['x-prometheus-remote-write-version'] as string);
      } catch (error) {
        failure ??= error;
      }
    }
    response.writeHead(arrivals.isAway ? 503 : 204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  let child: ChildProcess | undefined;
  try {
    let step = -1;
    let told: Told = { step: -1, pending: 0, dropped: 0 };
    /** Runs the process from the step after the last that was acknowledged until `done`. */
    const run = (done: (told: Told) => boolean) =>
      new Promise<void>((resolve, reject) => {
        const job: Job = { folder, url, version, maxDisk, from: step + 1 };
        const process_ = fork(import.meta.filename, {
          execArgv: ['--disable-warning=ExperimentalWarning'],
          env: { ...process.env, OUTAGE_JOB: JSON.stringify(job) },
        });
        child = process_;
        process_.on('message', (message: Told) => {
          told = message;
          step = Math.max(step, told.step);
          if (failure !== undefined) reject(failure);
          else if (done(told)) resolve();
        });
        process_.once('exit', (code) => reject(new Error(`the process has ended with ${code}`)));
      });
    const kill = () =>
      new Promise<void>((resolve) => {
        child!.removeAllListeners('exit');
        child!.once('exit', () => resolve());
        child!.kill('SIGKILL');
      });
    for (const part of [0.4, 0.7]) {
      await run((now) => now.step >= STEPS * part);
      await kill();
    }
    let cameBack = 0;
    let backlog = 0;
    await run((now) => {
      if (now.step < STEPS - 1) return false;
      if (arrivals.isAway && arrivals.refused > 0) {
        arrivals.isAway = false;
        backlog = now.pending;
        cameBack = systemClock.monotonic();
      }
      return !arrivals.isAway && now.pending === 0;
    });
    const seconds = (systemClock.monotonic() - cameBack) / 1000;
    await kill();
    assert.ok(
      arrivals.last.every((last) => last === STEPS - 1),
      'the newest sample of every series has arrived',
    );
    const isWhole = arrivals.taken.every((taken) => taken === STEPS);
    if (mayLose) assert.ok(!isWhole && told.dropped > 0, `${told.dropped} samples are counted as dropped`);
    else assert.ok(isWhole && told.dropped === 0, `every sample has arrived, ${told.dropped} dropped`);
    if (isFull) {
      console.log(
        `  version ${version}.0, ${maxDisk} of disk: ${SERIES} series, ${((STEPS * STEP_MS) / 3_600_000).toFixed(1)} h, killed twice: ` +
          `${backlog} samples waited, gone in ${seconds.toFixed(1)} s (${Math.round(backlog / seconds)} a second), ` +
          `${arrivals.again} came twice, ${told.dropped} dropped`,
      );
    }
  } finally {
    child?.kill('SIGKILL');
    server.closeAllConnections();
    server.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const job = process.env['OUTAGE_JOB'];
if (job) await append(JSON.parse(job) as Job);
else {
  await outage(1, '10GB', false);
  if (isFull) await outage(2, '10GB', false);
  // Less than the outage brings; segments are too large for a tiny run.
  if (isFull) await outage(1, '60MB', true);
}
