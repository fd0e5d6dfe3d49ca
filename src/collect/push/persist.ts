// The persistence file of the push gateway: a header line with a checksum, then one line per group, table and reader. It is replaced
// as a whole and durably, so a crash leaves either the old content or the new one.

import { dirname } from 'node:path';
import { crc32c } from '#base/crc32c.ts';
import type { Disk } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { OperatingError } from '#base/errors.ts';
import { decodeGroup, decodeReader, decodeTable, encodeGroup, encodeReader, encodeTable } from './codec.ts';
import type { Group, GroupOptions, PushState, Reader, Table } from './state.ts';
import { groupKey } from './state.ts';
import { readPushgatewayFile } from './takeover.ts';

const MAGIC = 'pharos-push';
const VERSION = 1;

export function writePushFile(disk: Disk, path: string, state: PushState): void {
  const lines: string[] = [];
  for (const group of state.groups.values()) lines.push(`group ${encodeGroup(group)}\n`);
  for (const table of state.tables.values()) lines.push(`table ${encodeTable(table)}\n`);
  for (const [name, reader] of state.readers)
    lines.push(`reader ${encodeURIComponent(name)} ${encodeReader(reader)}\n`);
  const body = Buffer.from(lines.join(''));
  const header = Buffer.from(`${MAGIC} ${VERSION} ${crc32c(body).toString(16).padStart(8, '0')}\n`);
  disk.makeFolder(dirname(path));
  replaceFile(disk, path, Buffer.concat([header, body]));
}

export type Restored = {
  readonly groups: Map<string, Group>;
  readonly tables: Map<string, Table>;
  readonly readers: Map<string, Reader>;
  /** Where Pushgateway's file is kept, if this was one. */
  readonly takenOver: string | undefined;
};

/**
 * Undefined when there is no file. Throws an operating error when it is damaged or foreign. Pushgateway's own file is taken over:
 * its groups get the options given, and a copy of the file stays beside it for the way back.
 */
export function readPushFile(disk: Disk, path: string, options: GroupOptions): Restored | undefined {
  if (!disk.exists(path)) return undefined;
  const bytes = Buffer.from(disk.readFile(path));
  const end = bytes.indexOf(10);
  const header = /^pharos-push (\d+) ([0-9a-f]{8})$/.exec(bytes.toString('latin1', 0, Math.max(0, Math.min(end, 64))));
  if (!header) return takeOver(disk, path, bytes, options);
  if (Number(header[1]) !== VERSION)
    throw new OperatingError('foreign', `cannot read ${path}: its version is ${header[1]}, expected ${VERSION}`);
  const body = bytes.subarray(end + 1);
  if (crc32c(body).toString(16).padStart(8, '0') !== header[2])
    throw new OperatingError('corrupt', `cannot read ${path}: its checksum does not match`);
  const restored: Restored = { groups: new Map(), tables: new Map(), readers: new Map(), takenOver: undefined };
  for (const line of body.toString('utf8').split('\n')) {
    const at = line.indexOf(' ');
    const rest = line.slice(at + 1);
    switch (line.slice(0, Math.max(0, at))) {
      case 'group': {
        const group = decodeGroup(rest);
        restored.groups.set(groupKey(group.labels), group);
        break;
      }
      case 'table': {
        const table = decodeTable(rest);
        restored.tables.set(table.name, table);
        break;
      }
      case 'reader': {
        const space = rest.indexOf(' ');
        restored.readers.set(decodeURIComponent(rest.slice(0, space)), decodeReader(rest.slice(space + 1)));
        break;
      }
    }
  }
  return restored;
}

function takeOver(disk: Disk, path: string, bytes: Uint8Array, options: GroupOptions): Restored {
  let groups: Map<string, Group>;
  try {
    groups = readPushgatewayFile(bytes, options);
  } catch (error) {
    throw new OperatingError('foreign', `cannot read ${path}: it is neither this program's nor Pushgateway's`, {
      cause: error,
    });
  }
  const kept = `${path}.pushgateway`;
  replaceFile(disk, kept, bytes);
  return { groups, tables: new Map(), readers: new Map(), takenOver: kept };
}
