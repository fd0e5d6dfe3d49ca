// Labels: the identity of a series. A flat array [name, value, name, value, ...] sorted by name in byte order, without
// empty values: plain data, so it crosses threads by structured clone. Every function here keeps that order.

import { assert } from '#base/assert.ts';

export type Labels = readonly string[];

export const METRIC_NAME = '__name__';
export const NO_LABELS: Labels = [];

/** Labels from pairs in any order. Empty values are left out; of equal names the last one wins. */
export function labelsFrom(pairs: Iterable<readonly [string, string]>): Labels {
  const map = new Map(pairs);
  const names = [...map.keys()].filter((name) => map.get(name) !== '').sort(compareText);
  const flat: string[] = [];
  for (const name of names) flat.push(name, map.get(name)!);
  return flat;
}

export function labelsOf(record: Readonly<Record<string, string>>): Labels {
  return labelsFrom(Object.entries(record));
}

export function labelsToRecord(labels: Labels): Record<string, string> {
  const record: Record<string, string> = {};
  for (let i = 0; i < labels.length; i += 2) record[labels[i]!] = labels[i + 1]!;
  return record;
}

/** The value of a label; '' when it is absent, which PromQL treats as the same thing. */
export function labelValue(labels: Labels, name: string): string {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1]!;
  return '';
}

/** With one label set, replaced, or removed (value ''). */
export function withLabel(labels: Labels, name: string, value: string): Labels {
  const flat: string[] = [];
  let placed = value === '';
  for (let i = 0; i < labels.length; i += 2) {
    const current = labels[i]!;
    if (current === name) continue;
    if (!placed && compareText(name, current) < 0) {
      flat.push(name, value);
      placed = true;
    }
    flat.push(current, labels[i + 1]!);
  }
  if (!placed) flat.push(name, value);
  return flat;
}

export function keepLabels(labels: Labels, keep: (name: string) => boolean): Labels {
  const flat: string[] = [];
  for (let i = 0; i < labels.length; i += 2) if (keep(labels[i]!)) flat.push(labels[i]!, labels[i + 1]!);
  return flat;
}

/** Labels that say what a metric is; operations that change its meaning drop them. */
export const METADATA_LABELS: readonly string[] = ['__name__', '__type__', '__unit__'];
export const isMetadataLabel = (name: string): boolean =>
  name === METRIC_NAME || name === '__type__' || name === '__unit__';

export const dropMetadata = (labels: Labels): Labels => {
  // Names are in order: behind the metric's come those with two underscores, and then all others.
  if (labels[0] === '__name__' && !labels[2]?.startsWith('__')) return labels.slice(2);
  for (let i = 0; i < labels.length; i += 2) {
    if (isMetadataLabel(labels[i]!)) return keepLabels(labels, (name) => !isMetadataLabel(name));
  }
  return labels;
};

export function equalLabels(a: Labels, b: Labels): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The order of Prometheus' answers: pair by pair, a prefix before what extends it. */
export function compareLabels(a: Labels, b: Labels): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const order = compareText(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** A string that two label sets share exactly when they are equal; for use as a Map key. */
export function labelsKey(labels: Labels): string {
  return labels.join('\xff');
}

/** As PromQL writes it: metric{name="value", ...}. Names that need quoting are quoted. */
export function formatLabels(labels: Labels): string {
  const parts: string[] = [];
  let metric = '';
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!;
    const value = labels[i + 1]!;
    if (name === METRIC_NAME && isLegacyMetricName(value)) metric = value;
    else if (name === METRIC_NAME) parts.unshift(quote(value));
    else parts.push(`${isLegacyLabelName(name) ? name : quote(name)}=${quote(value)}`);
  }
  return parts.length > 0 || metric === '' ? `${metric}{${parts.join(', ')}}` : metric;
}

/** A Go string literal. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(/\\u00([01][0-9a-f])|\x7f/g, (all, hex) =>
    hex ? `\\x${hex}` : all === '\x7f' ? '\\x7f' : all,
  );
}

export function isLegacyMetricName(name: string): boolean {
  return /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);
}

export function isLegacyLabelName(name: string): boolean {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);
}

const utf8 = new TextEncoder();

/**
 * The stable 32-bit hash that places a series: FNV-1a over `name 0xff value 0xff` in UTF-8, finished by Murmur3's mixer.
 * Kernels compute the same from bytes. It decides the shard (`hash mod N`), so it must never change.
 */
export function hashLabels(labels: Labels): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < labels.length; i++) {
    const text = labels[i]!;
    let ascii = true;
    const before = hash;
    for (let k = 0; k < text.length; k++) {
      const code = text.charCodeAt(k);
      if (code > 127) {
        ascii = false;
        break;
      }
      hash = Math.imul(hash ^ code, 0x01000193);
    }
    if (!ascii) {
      hash = before;
      for (const byte of utf8.encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
    }
    hash = Math.imul(hash ^ 0xff, 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function shardOf(hash: number, shards: number): number {
  assert(shards > 0, `shards ${shards}`);
  return hash % shards;
}

/** Order by UTF-8 bytes, which is Go's: it differs from JavaScript's only beyond the basic plane. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // A surrogate stands for a code point above every other code unit.
    const xIsHigh = x >= 0xd800 && x < 0xe000;
    const yIsHigh = y >= 0xd800 && y < 0xe000;
    if (xIsHigh !== yIsHigh) return xIsHigh ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}
