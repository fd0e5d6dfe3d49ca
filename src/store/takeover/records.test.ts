// Logs of newer Prometheus versions than the one that is installed, written by hand as its sources describe them: records of the
// second kind with start times, compressed with zstd, and a snapshot of chunks beside them.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { crc32c } from '#base/crc32c.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { seeded } from '#base/random.ts';
import { snappyEncode } from '#wire/snappy.ts';
import { Block } from '../block/block.ts';
import { PageCache } from '../block/files.ts';
import { blockNames } from '../block/set.ts';
import { decodeChunk } from '../codec/chunk.ts';
import { SampleColumns } from '../codec/samples.ts';
import { needsTakeover, takeOver } from './takeover.ts';

const T = 1_700_000_000_000;

/** Bytes as Go's encoding buffer puts them. */
class Bytes {
  readonly list: number[] = [];
  u8(value: number): this {
    this.list.push(value);
    return this;
  }
  uvarint(value: number): this {
    let rest = BigInt(value);
    while (rest >= 128n) {
      this.list.push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    return this.u8(Number(rest));
  }
  varint(value: number): this {
    const big = BigInt(value);
    let rest = big < 0n ? -big * 2n - 1n : big * 2n;
    while (rest >= 128n) {
      this.list.push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    return this.u8(Number(rest));
  }
  be64(value: number): this {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(value));
    this.list.push(...new Uint8Array(view.buffer));
    return this;
  }
  f64(value: number): this {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    this.list.push(...new Uint8Array(view.buffer));
    return this;
  }
  text(value: string): this {
    this.uvarint(value.length);
    this.list.push(...Buffer.from(value));
    return this;
  }
  done(): Uint8Array {
    return Uint8Array.from(this.list);
  }
}

const series = (ref: number, ...labels: string[]): Uint8Array => {
  const bytes = new Bytes()
    .u8(1)
    .be64(ref)
    .uvarint(labels.length / 2);
  for (const text of labels) bytes.text(text);
  return bytes.done();
};

const histogram = (bytes: Bytes, isInteger: boolean): Bytes => {
  bytes.u8(2).varint(0).f64(0.5);
  if (isInteger) bytes.uvarint(1).uvarint(4);
  else bytes.f64(1).f64(4);
  bytes.f64(7.5).uvarint(1).varint(0).uvarint(2).uvarint(0).uvarint(2);
  if (isInteger) return bytes.varint(2).varint(-1).uvarint(0);
  return bytes.f64(2).f64(1).uvarint(0);
};

/** A page of a segment: whole records, each with the flag of its compression. */
function page(records: readonly Uint8Array[], compression: 0 | 8 | 16): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const record of records) {
    const body = compression === 16 ? zstdCompressSync(record) : compression === 8 ? snappyEncode(record) : record;
    const header = new DataView(new ArrayBuffer(7));
    header.setUint8(0, 1 | compression);
    header.setUint16(1, body.length);
    header.setUint32(3, crc32c(body, 0, body.length));
    parts.push(new Uint8Array(header.buffer), body);
  }
  return Buffer.concat(parts);
}

function contents(folder: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const name of blockNames(nodeDisk, folder)) {
    const block = new Block(nodeDisk, `${folder}/${name}`, new PageCache());
    for (const { labels, chunks } of block.series({ min: -Infinity, max: Infinity })) {
      const samples = new SampleColumns();
      for (const { encoding, bytes } of chunks) decodeChunk(encoding, bytes, samples);
      found[labels[1]!] = Array.from({ length: samples.length }, (_, i) => {
        const h = samples.histograms?.[i];
        const value = h
          ? `${h.integer ? 'integer' : 'float'} ${h.count} ${h.sum} ${h.positiveBuckets}`
          : samples.values[i];
        return `${samples.timestamps[i]! - T} ${value}`;
      });
    }
    block.close();
  }
  return found;
}

for (const [name, compression] of [
  ['plain', 0],
  ['snappy', 8],
  ['zstd', 16],
] as const) {
  test(`records of the second kind are taken over, ${name}`, (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'pharos-records-'));
    t.after(() => rmSync(folder, { recursive: true }));
    mkdirSync(`${folder}/wal`);
    mkdirSync(`${folder}/chunk_snapshot.000001.0000000000`);
    const samples = new Bytes()
      .u8(11)
      .varint(1)
      .varint(T)
      .varint(T - 500)
      .f64(1.5);
    samples.varint(1).varint(0).u8(1).f64(2.5); // The same start as before.
    samples.varint(-1).varint(15_000).u8(0).f64(3.5); // None.
    samples.varint(1).varint(15_000).u8(2).varint(100).f64(4.5); // Its own.
    const integers = histogram(new Bytes().u8(12).varint(3).varint(T).varint(0), true);
    histogram(
      integers
        .varint(0)
        .varint(15_000)
        .u8(2)
        .varint(T - 9),
      true,
    );
    const floats = histogram(
      new Bytes()
        .u8(13)
        .varint(4)
        .varint(T)
        .varint(T - 1),
      false,
    );
    histogram(floats.varint(0).varint(15_000).u8(1), false);
    const records = [
      series(1, '__name__', 'a'),
      series(2, '__name__', 'b'),
      series(3, '__name__', 'h'),
      series(4, '__name__', 'f'),
      samples.done(),
      integers.done(),
      floats.done(),
    ];
    writeFileSync(`${folder}/wal/00000000`, page(records, compression));
    assert.ok(needsTakeover(nodeDisk, folder));
    const taken = takeOver(nodeDisk, folder, { random: seeded(1), nowMs: T });
    assert.deepEqual(taken.problems, []);
    assert.deepEqual(contents(folder), {
      a: ['0 1.5', '15000 3.5'],
      b: ['0 2.5', '15000 4.5'],
      h: ['0 integer 4 7.5 2,1', '15000 integer 4 7.5 2,1'],
      f: ['0 float 4 7.5 2,1', '15000 float 4 7.5 2,1'],
    });
    assert.ok(!needsTakeover(nodeDisk, folder), 'the log and the snapshot, which only repeats it, are gone');
    assert.deepEqual(
      nodeDisk.list(folder).filter(({ name: entry }) => entry.startsWith('chunk_snapshot')),
      [],
    );
  });
}

test('a record of a kind that is not known is reported, and the others are taken', (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'pharos-records-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(`${folder}/wal`);
  const samples = new Bytes().u8(2).be64(1).be64(T).varint(0).varint(0).f64(1);
  writeFileSync(
    `${folder}/wal/00000000`,
    page([series(1, '__name__', 'a'), Uint8Array.of(99, 1, 2), samples.done()], 0),
  );
  const taken = takeOver(nodeDisk, folder, { random: seeded(1), nowMs: T });
  assert.match(taken.problems.map(({ reason }) => reason).join(), /its type 99 is not known/);
  assert.deepEqual(contents(folder), { a: ['0 1'] });
});
