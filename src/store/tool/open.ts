// What the command line tools have in common: the blocks of a folder opened for reading, printing, and asking for one.

import type { Disk } from '#base/disk/disk.ts';
import { UserError } from '#base/errors.ts';
import { formatSize } from '#base/units.ts';
import { Block } from '../block/block.ts';
import { PageCache } from '../block/files.ts';
import type { BlockMeta } from '../block/meta.ts';
import { blockNames } from '../block/set.ts';

/** In order of time. The caller closes them. */
export function openBlocks(disk: Disk, folder: string): Block[] {
  if (!disk.exists(folder)) throw new UserError(`cannot read ${folder}: there is no such folder`);
  const cache = new PageCache();
  const blocks = blockNames(disk, folder).map((name) => new Block(disk, `${folder}/${name}`, cache));
  return blocks.sort((a, b) => a.meta.minTime - b.meta.minTime);
}

/** A block by name, or the newest one. */
export function openBlock(disk: Disk, folder: string, name: string | undefined): Block {
  const blocks = openBlocks(disk, folder);
  const chosen = name === undefined ? blocks.at(-1) : blocks.find(({ meta }) => meta.ulid === name);
  for (const block of blocks) if (block !== chosen) block.close();
  if (!chosen) throw new UserError(name === undefined ? `${folder} has no blocks` : `${folder} has no block ${name}`);
  return chosen;
}

/** "2h0m0s": a duration as Go prints it. */
export function goDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (ms < 1000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = `${(ms % 60_000) / 1000}s`;
  return hours > 0 ? `${hours}h${minutes}m${seconds}` : minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

const HEADINGS = ['BLOCK ULID', 'MIN TIME', 'MAX TIME', 'DURATION', 'NUM SAMPLES', 'NUM CHUNKS', 'NUM SERIES', 'SIZE'];

/** The table of `tsdb list`. */
export function formatBlocks(
  blocks: readonly (BlockMeta & { readonly sizeBytes: number })[],
  isHumanReadable: boolean,
): string {
  const time = (ms: number) =>
    isHumanReadable ? new Date(ms).toISOString().replace(/T(.*)\.\d+Z$/, ' $1 +0000 UTC') : String(ms);
  const rows = blocks.map(({ ulid, minTime, maxTime, stats, sizeBytes }) => [
    ulid,
    time(minTime),
    time(maxTime),
    goDuration(maxTime - minTime),
    String(stats.numSamples ?? 0),
    String(stats.numChunks ?? 0),
    String(stats.numSeries ?? 0),
    isHumanReadable ? formatSize(sizeBytes) : String(sizeBytes),
  ]);
  const all = [HEADINGS, ...rows];
  const widths = HEADINGS.map((_, column) => Math.max(11, ...all.map((row) => row[column]!.length)) + 2);
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column < row.length - 1 ? cell.padEnd(widths[column]!) : cell)).join('');
  return `${all.map(line).join('\n')}\n`;
}

export function listBlocks(disk: Disk, folder: string, isHumanReadable: boolean): string {
  const blocks = openBlocks(disk, folder);
  const infos = blocks.map((block) => ({ ...block.meta, sizeBytes: block.sizeBytes }));
  for (const block of blocks) block.close();
  return formatBlocks(infos, isHumanReadable);
}
