// Pages through zlib's gzip at all levels and strategies, and damaged: the kernel gives back what went in or leaves it to zlib.

import assert from 'node:assert/strict';
import zlib from 'node:zlib';
import { systemClock } from '#base/clock.ts';
import { type Random, seeded, systemRandom } from '#base/random.ts';
import { RawBuffers } from '#clients/http/reply.ts';
import { Inflater } from './inflate.ts';
import { LineScratch } from './lines.ts';
import { Slab } from './slab.ts';

/** Lines of an exposition, noise, or bytes that repeat from near and far. */
function pageOf(random: Random): Buffer {
  const size = 1 + random.below(random.below(20) === 0 ? 100_000 : 4000);
  const kind = random.below(3);
  if (kind === 0) {
    let text = '';
    for (let i = 0; text.length < size; i++)
      text += `some_metric_total{code="${i % 7}",n="${i}"} ${random.next() * 1e6}\n`;
    return Buffer.from(text);
  }
  const bytes = Buffer.alloc(size);
  const symbols = 1 + random.below(256);
  for (let i = 0; i < size; i++) {
    const back = 1 + random.below(kind === 1 ? 30 : 40_000);
    bytes[i] = i >= back && random.below(4) > 0 ? bytes[i - back]! : random.below(symbols);
  }
  return bytes;
}

/** Throws when something else comes out than went in, or when much is left to zlib that need not be. */
export function fuzzInflate(seed: number, pages: number): void {
  const random = seeded(seed);
  const buffers = new RawBuffers();
  const inflater = new Inflater(new LineScratch(new Slab()), buffers);
  for (let i = 0; i < pages; i++) {
    const page = pageOf(random);
    const packed = zlib.gzipSync(page, {
      level: random.below(10),
      strategy: random.below(5),
      memLevel: 1 + random.below(9),
    });
    const note = `seed ${seed}, page ${i}`;
    const found = inflater.gunzip(packed);
    assert.ok(found && page.equals(found), note);
    buffers.release(found);
    const damaged = Buffer.from(packed.subarray(0, packed.length - (random.below(2) === 0 ? random.below(20) : 0)));
    for (let k = random.below(4); k > 0; k--) damaged[random.below(damaged.length)]! ^= 1 << random.below(8);
    const other = inflater.gunzip(damaged);
    if (other) assert.ok(zlib.gunzipSync(damaged).equals(other), note);
  }
}

if (process.env['PHAROS_FUZZ_SECONDS']) {
  const end = systemClock.monotonic() + Number(process.env['PHAROS_FUZZ_SECONDS']) * 1000;
  let runs = 0;
  for (; systemClock.monotonic() < end; runs++) fuzzInflate(systemRandom.below(2 ** 31), 100);
  console.log(`  ${runs} runs without a difference`);
}
