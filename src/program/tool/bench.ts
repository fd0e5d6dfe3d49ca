// `pharos tool tsdb bench write`: how fast samples are taken, over the series of a file, as promtool's command of the same name
// measures it.

import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { UserError } from '#base/errors.ts';
import { KernelMemory } from '#base/kernel.ts';
import { silentLogger } from '#base/log.ts';
import { newSeries } from '#model/batch.ts';
import { type Labels, labelsFrom, labelsKey } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { DEFAULT_STORE_OPTIONS } from '#store/options.ts';
import { openShardStore } from '#store/shard.ts';
import { type Streams, SUCCESS, toolCommand } from './command.ts';

const DEFAULT_FILE = '../../tsdb/testdata/20kseries.json';
/** Series of one append, and time between two of them. */
const BATCH = 1000;
const STEP_MS = 30_000;
const FIRST_VALUE = 123_456_789;

export const benchWrite = toolCommand({
  name: 'tsdb bench write',
  summary: 'Measures how fast samples are taken',
  operands: '[file with series]',
  flags: {
    out: { kind: 'text', default: 'benchout', help: 'Folder for what is written; what is there is removed.' },
    metrics: { kind: 'integer', default: 10_000, min: 1, help: 'How many series to read.' },
    scrapes: { kind: 'integer', default: 3000, min: 1, help: 'How many scrapes to simulate.' },
  },
  run: async ({ out, metrics, scrapes }, [file = DEFAULT_FILE], streams) => {
    if (!nodeDisk.exists(file)) throw new UserError(`open ${file}: no such file or directory`);
    nodeDisk.remove(out);
    nodeDisk.makeFolder(out);
    const { result: series } = await stage('readData', streams, async () =>
      readSeries(new TextDecoder().decode(nodeDisk.readFile(file)), metrics),
    );
    const store = openShardStore({
      disk: nodeDisk,
      clock: systemClock,
      registry: new Registry(),
      logger: silentLogger,
      memory: new KernelMemory(),
      folder: `${out}/storage`,
      shard: 0,
      shards: 1,
      options: { ...DEFAULT_STORE_OPTIONS, maxAheadMs: 0 },
    });
    await store.ready();
    const { seconds } = await stage('ingestScrapes', streams, async () => {
      await ingest(series, scrapes, (batch) => store.append(batch));
      streams.out('ingestion completed\n');
    });
    const total = series.length * scrapes;
    streams.out(` > total samples: ${total}\n > samples/sec: ${total / seconds}\n`);
    await stage('stopStorage', streams, async () => store.close());
    return SUCCESS;
  },
});

type Append = ReturnType<typeof openShardStore>['append'];

async function ingest(series: readonly Labels[], scrapes: number, append: Append): Promise<void> {
  const batches = Array.from({ length: Math.ceil(series.length / BATCH) }, (_, i) => {
    const labels = series.slice(i * BATCH, (i + 1) * BATCH);
    return { labels, refs: Float64Array.from(labels, (_, at) => newSeries(at)) };
  });
  for (let scrape = 1; scrape <= scrapes; scrape++) {
    for (const batch of batches) {
      const count = batch.labels.length;
      const { refs } = await append({
        refs: batch.refs,
        timestamps: new Float64Array(count).fill(scrape * STEP_MS),
        values: new Float64Array(count).fill(FIRST_VALUE + scrape * 1000),
        series: scrape === 1 ? batch.labels : [],
      });
      if (scrape === 1) batch.refs = Float64Array.from(refs);
    }
  }
}

async function stage<T>(
  name: string,
  streams: Streams,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly seconds: number }> {
  streams.out(`>> start stage=${name}\n`);
  const began = systemClock.monotonic();
  const result = await work();
  const seconds = (systemClock.monotonic() - began) / 1000;
  streams.out(`>> completed stage=${name} duration=${seconds}s\n`);
  return { result, seconds };
}

/** Lines of JSON objects, each a series; of equal ones the first. */
function readSeries(text: string, limit: number): Labels[] {
  const found = new Map<string, Labels>();
  for (const line of text.split('\n')) {
    if (found.size >= limit) break;
    if (line.trim() === '') continue;
    const labels = labelsFrom(Object.entries(JSON.parse(line) as Record<string, string>));
    if (!found.has(labelsKey(labels))) found.set(labelsKey(labels), labels);
  }
  return [...found.values()];
}
