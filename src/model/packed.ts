// Label sets as bytes, one record after the other: what receivers hand over that never made strings of them, and what goes
// to another thread, for which it is one buffer instead of a string per name and value. Kernels read and write the same records.

import { hashLabels, type Labels } from './labels.ts';

/**
 * `count` records, each on a multiple of 4 bytes: hash of the labels, number of labels and bytes of text (a word each, little
 * end first), the length of every name and value (a word each), and their text in UTF-8 without gaps.
 */
export type PackedSeries = { readonly count: number; readonly bytes: Uint8Array };

const HEADER_WORDS = 3;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export function packSeries(series: readonly Labels[]): PackedSeries {
  let room = 0;
  for (const labels of series) {
    room += HEADER_WORDS * 4 + labels.length * 4 + 3;
    for (const text of labels) room += text.length * 3;
  }
  const buffer = new ArrayBuffer((room + 3) & ~3);
  const words = new Uint32Array(buffer);
  const bytes = new Uint8Array(buffer);
  let at = 0;
  for (const labels of series) {
    let lengthAt = at / 4 + HEADER_WORDS;
    const begin = at + HEADER_WORDS * 4 + labels.length * 4;
    let end = begin;
    for (const text of labels) {
      const written = putText(bytes, end, text);
      words[lengthAt++] = written;
      end += written;
    }
    words[at / 4] = hashLabels(labels);
    words[at / 4 + 1] = labels.length / 2;
    words[at / 4 + 2] = end - begin;
    at = (end + 3) & ~3;
  }
  return { count: series.length, bytes: bytes.slice(0, at) };
}

function putText(bytes: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return encoder.encodeInto(text, bytes.subarray(at)).written;
    bytes[at + i] = code;
  }
  return text.length;
}

export function unpackSeries({ count, bytes }: PackedSeries): Labels[] {
  const words = wordsOf(bytes);
  const series: Labels[] = [];
  for (let i = 0, at = 0; i < count; i++) {
    series.push(labelsAt(words, bytes, at));
    at = recordEnd(words, at);
  }
  return series;
}

/** The labels of the record that begins at byte `at`. */
export function labelsAt(words: Uint32Array, bytes: Uint8Array, at: number): Labels {
  const texts = words[at / 4 + 1]! * 2;
  const labels: string[] = new Array(texts);
  let textAt = at + (HEADER_WORDS + texts) * 4;
  for (let i = 0; i < texts; i++) {
    const length = words[at / 4 + HEADER_WORDS + i]!;
    labels[i] = decoder.decode(bytes.subarray(textAt, textAt + length));
    textAt += length;
  }
  return labels;
}

/** Where the record at byte `at` ends and the next one begins. */
export function recordEnd(words: Uint32Array, at: number): number {
  const word = at / 4;
  return (at + (HEADER_WORDS + words[word + 1]! * 2) * 4 + words[word + 2]! + 3) & ~3;
}

/** The records as words: hash first, then number of labels. */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
}

/** One list of records for each of `shards`, and of which record in the whole each came. */
export function splitPacked(
  packed: PackedSeries,
  shards: number,
): { readonly shardOf: Uint8Array; readonly parts: readonly PackedSeries[] } {
  const { count, bytes } = packed;
  const words = wordsOf(bytes);
  const shardOf = new Uint8Array(count);
  const sizes = new Uint32Array(shards);
  const counts = new Uint32Array(shards);
  for (let i = 0, at = 0; i < count; i++) {
    const shard = words[at / 4]! % shards;
    const end = recordEnd(words, at);
    shardOf[i] = shard;
    sizes[shard]! += end - at;
    counts[shard]!++;
    at = end;
  }
  const targets = Array.from(sizes, (size) => new Uint8Array(size));
  sizes.fill(0);
  for (let i = 0, at = 0; i < count; i++) {
    const shard = shardOf[i]!;
    const end = recordEnd(words, at);
    targets[shard]!.set(bytes.subarray(at, end), sizes[shard]!);
    sizes[shard]! += end - at;
    at = end;
  }
  return { shardOf, parts: targets.map((target, shard) => ({ count: counts[shard]!, bytes: target })) };
}
