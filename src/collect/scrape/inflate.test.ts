// Gzip in the kernel: what it takes is what zlib takes, and what is unusual or wrong is left to zlib.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { RawBuffers } from '#clients/http/reply.ts';
import { fuzzInflate } from './inflate.fuzz.ts';
import { Inflater } from './inflate.ts';
import { LineScratch } from './lines.ts';
import { Slab } from './slab.ts';

const inflater = new Inflater(new LineScratch(new Slab()), new RawBuffers());

test('pages of all kinds come out as they went in; damaged ones as zlib reads them, or not at all', () => {
  for (let seed = 1; seed <= 10; seed++) fuzzInflate(seed, 40);
});

test('stored blocks of the largest size, and runs of one byte', () => {
  for (const page of [
    Buffer.alloc(200_000, 'x'),
    Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * i) >> 3)),
  ]) {
    for (const level of [0, 1, 9]) {
      assert.ok(page.equals(inflater.gunzip(zlib.gzipSync(page, { level }))!));
    }
  }
});

test('what is not one plain member of moderate size is left to zlib', () => {
  const page = Buffer.from('up 1\n');
  const plain = zlib.gzipSync(page);
  const named = Buffer.concat([
    plain.subarray(0, 3),
    Buffer.from([8]),
    plain.subarray(4, 10),
    Buffer.from('a\0'),
    plain.subarray(10),
  ]);
  const cases: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    'of nothing': zlib.gzipSync(Buffer.alloc(0)),
    named,
    'two members': Buffer.concat([plain, plain]),
    'cut off': plain.subarray(0, -1),
    'not gzip': zlib.deflateSync(page),
    large: zlib.gzipSync(Buffer.alloc(300_000, 'y')),
  };
  for (const [name, body] of Object.entries(cases)) assert.equal(inflater.gunzip(body), undefined, name);
  assert.equal(inflater.gunzip(plain)?.toString(), 'up 1\n');
});
