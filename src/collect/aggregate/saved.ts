// The state of aggregation on disk: one file per shard, JSON lines under a checksum, replaced as a whole. State of other
// rules than today's, or from long ago, is not taken.

import { join } from 'node:path';
import { crc32c } from '#base/crc32c.ts';
import type { Disk } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { SavedSeries } from './aggregator.ts';
import type { AggregateRule } from './config.ts';

const VERSION = 1;
/** Counters of series that were away longer begin anew. */
const MAX_AGE_MS = 15 * 60_000;

const fileOf = (folder: string, shard: number) => join(folder, `aggregate-${shard}.json`);

export function saveState(
  disk: Disk,
  folder: string,
  shard: number,
  rules: readonly AggregateRule[],
  series: readonly SavedSeries[],
): void {
  const lines = series
    .filter(({ last }) => !Number.isNaN(last))
    .map(({ rule, labels, last, seenAt }) => JSON.stringify([rule, seenAt, String(last), ...labels]));
  const body = [JSON.stringify({ version: VERSION, rules }), ...lines].join('\n');
  const bytes = Buffer.from(body);
  disk.makeFolder(folder);
  replaceFile(disk, fileOf(folder, shard), Buffer.concat([Buffer.from(`${crc32c(bytes)}\n`), bytes]));
}

export function loadState(
  disk: Disk,
  folder: string,
  shard: number,
  rules: readonly AggregateRule[],
  nowMs: number,
  log: Logger,
): SavedSeries[] {
  const path = fileOf(folder, shard);
  if (!disk.exists(path)) return [];
  try {
    const text = Buffer.from(disk.readFile(path)).toString('utf8');
    const end = text.indexOf('\n');
    const body = text.slice(end + 1);
    if (Number(text.slice(0, end)) !== crc32c(Buffer.from(body))) throw new Error('its checksum is wrong');
    const [head = '', ...lines] = body.split('\n');
    const { version, rules: of } = JSON.parse(head) as { version: number; rules: unknown };
    if (version !== VERSION || JSON.stringify(of) !== JSON.stringify(rules)) return [];
    return lines
      .map((line): SavedSeries => {
        const [rule, seenAt, last, ...labels] = JSON.parse(line) as [number, number, string, ...string[]];
        return { rule, seenAt, last: Number(last), labels };
      })
      .filter(({ seenAt }) => nowMs - seenAt <= MAX_AGE_MS);
  } catch (error) {
    log.warn('the state of aggregation cannot be read; it begins anew', { path, err: errorText(error) });
    return [];
  }
}
