// Pages of every format, damaged at random: a reader must come to an end, and may fail only with an ExpositionError.

import { systemClock } from '#base/clock.ts';
import { type Random, seeded, systemRandom } from '#base/random.ts';
import type { MetricFamily } from '#model/family.ts';
import { CreatedReader } from './created.ts';
import { type EntryReader, ExpositionError } from './entries.ts';
import { NhcbReader } from './nhcb.ts';
import { ProtobufReader } from './protobuf-read.ts';
import { writeProtobuf } from './protobuf-write.ts';
import { TextReader, withLastLinebreak } from './text.ts';
import { writeOpenMetrics, writeText } from './write.ts';

function families(random: Random): MetricFamily[] {
  const types = ['counter', 'gauge', 'histogram', 'summary', 'unknown'] as const;
  return Array.from({ length: 1 + random.below(4) }, (_, i) => {
    const type = types[random.below(types.length)]!;
    const labels = random.below(2) ? ['l', `v${random.below(3)}"\\\n`] : [];
    const value = random.next() * 10;
    const samples =
      type === 'histogram'
        ? [
            { suffix: '_bucket', labels: [...labels, 'le', '1'].slice(-2), value: 1 },
            { suffix: '_bucket', labels: ['le', '+Inf'], value: 2 },
            { suffix: '_count', labels: [], value: 2 },
            { suffix: '_sum', labels: [], value },
          ]
        : [{ suffix: '', labels, value, ...(random.below(2) ? { timestamp: random.below(1e9) } : {}) }];
    return { name: `m${i}${random.below(4) ? '' : '.x'}`, type, help: 'Help\n"it".', samples };
  });
}

function damage(random: Random, page: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(page);
  for (let i = random.below(4); i > 0 && bytes.length > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
  return random.below(3) === 0 ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes;
}

/** Throws when a reader fails in another way, or does not end. */
export function fuzzReaders(seed: number): void {
  const random = seeded(seed);
  const some = families(random);
  const options = {
    nativeHistograms: random.below(2) === 0,
    alwaysClassic: random.below(2) === 0,
    convertClassic: random.below(2) === 0,
  };
  const text = damage(random, Buffer.from(writeText(some)));
  const openMetrics = damage(random, Buffer.from(writeOpenMetrics(some)));
  const protobuf = damage(random, writeProtobuf(some, 'allow-utf-8'));
  const makers: [string, () => EntryReader][] = [
    ['text', () => textReader('text', withLastLinebreak(text))],
    ['converted', () => new NhcbReader(textReader('text', withLastLinebreak(text)), options.alwaysClassic)],
    ['openmetrics', () => textReader('openmetrics', openMetrics)],
    ['created', () => new CreatedReader(openMetrics)],
    ['protobuf', () => new ProtobufReader(protobuf, options)],
    ['noise', () => new ProtobufReader(random.bytes(random.below(200)), options)],
  ];
  for (const [what, make] of makers) {
    try {
      readThrough(make());
    } catch (error) {
      if (!(error instanceof ExpositionError)) throw new Error(`seed ${seed}, ${what}: ${error}`, { cause: error });
    }
  }
}

function textReader(format: 'text' | 'openmetrics', page: Uint8Array): TextReader {
  const reader = new TextReader(format);
  reader.reset(page);
  return reader;
}

const MAX_ENTRIES = 100_000;

function readThrough(reader: EntryReader): void {
  for (let i = 0; i < MAX_ENTRIES; i++) {
    const kind = reader.next();
    if (kind === 'end') return;
    if (kind !== 'series' && kind !== 'histogram') continue;
    reader.key();
    reader.labels();
    reader.exemplars();
  }
  throw new Error('the reader does not end');
}

if (process.env['PHAROS_FUZZ_SECONDS']) {
  const end = systemClock.monotonic() + Number(process.env['PHAROS_FUZZ_SECONDS']) * 1000;
  let runs = 0;
  for (; systemClock.monotonic() < end; runs++) fuzzReaders(systemRandom.below(2 ** 31));
  console.log(`  ${runs} runs`);
}
