// What receiving costs per sample, from the compressed body to the batch for the store: 2,000 samples a request, 10,000 series.

import { bench } from '#base/bench.ts';
import { systemClock } from '#base/clock.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { type Appender, newSeriesCount } from '#model/batch.ts';
import { Registry } from '#model/registry.ts';
import { WriteV1Encoder } from '#wire/remote/write-v1.ts';
import { WriteV2Encoder } from '#wire/remote/write-v2.ts';
import { snappyEncode } from '#wire/snappy.ts';
import { RemoteWriteReceiver } from './remote-write.ts';

const PER_REQUEST = 2000;

function requests(version: 1 | 2, series: number, steps: number): Uint8Array[] {
  const random = seeded(9);
  const bodies: Uint8Array[] = [];
  const now = systemClock.now() - 3_600_000;
  for (let step = 0; step < steps; step++) {
    for (let first = 0; first < series; first += PER_REQUEST) {
      const v1 = new WriteV1Encoder();
      const v2 = new WriteV2Encoder();
      for (let i = first; i < Math.min(series, first + PER_REQUEST); i++) {
        const labels = [
          '__name__',
          `http_requests_total_${i % 50}`,
          'code',
          '200',
          'instance',
          `host-${i}.example.com:9100`,
          'job',
          'api',
          'path',
          `/api/v1/resource/${i % 100}`,
        ];
        const words = new Uint32Array(Float64Array.of(random.next() * 1e6).buffer);
        if (version === 1) {
          v1.series(labels);
          v1.sample(now + step * 15_000, words[0]!, words[1]!);
        } else {
          v2.series(labels);
          v2.sample(now + step * 15_000, 0, words[0]!, words[1]!);
        }
      }
      bodies.push(snappyEncode(version === 1 ? v1.finish() : v2.finish()).slice());
    }
  }
  return bodies;
}

/** Gives numbers and forgets. */
function sink(): Appender {
  let slots = 0;
  return {
    append: (batch) =>
      Promise.resolve({ refs: new Float64Array(newSeriesCount(batch)).map(() => slots++), rejections: [], created: 0 }),
  };
}

const HEADERS = {
  1: { 'content-type': 'application/x-protobuf' },
  2: { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' },
} as const;

await bench(
  ([1, 2] as const).map((version) => ({
    name: `remote write ${version}.0, series known`,
    unit: 'sample',
    setup(isFull) {
      const series = isFull ? 10_000 : 100;
      const bodies = requests(version, series, isFull ? 10 : 2);
      const receiver = new RemoteWriteReceiver({
        appender: sink(),
        clock: systemClock,
        random: seeded(1),
        registry: new Registry(),
        log: silentLogger,
      });
      return async () => {
        for (const body of bodies) await receiver.receive({ path: '', query: '', headers: HEADERS[version], body });
        return series * (isFull ? 10 : 2);
      };
    },
  })),
);
