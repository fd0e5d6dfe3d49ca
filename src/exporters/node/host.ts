// What a collector of this host gets: the files, where procfs, sysfs and the root file system are mounted, its flags and a clock.
// With other paths the same collectors measure a fixture or, from inside a container, the machine below it.

import path from 'node:path';
import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/log.ts';
import type { Collector } from '../collector.ts';
import type { HostFiles } from './files.ts';
import type { NodeFlag } from './flags.ts';

export type Host = {
  readonly files: HostFiles;
  readonly clock: Clock;
  readonly log: Logger;
  /** The value of a flag: text, 'true' / 'false' for switches, several values joined by a line feed. */
  flag(name: NodeFlag): string;
  proc(...parts: string[]): string;
  sys(...parts: string[]): string;
  root(...parts: string[]): string;
};

export type CollectorMaker = (host: Host) => Pick<Collector, 'collect'>;

export function createHost(
  files: HostFiles,
  clock: Clock,
  log: Logger,
  flags: Readonly<Record<NodeFlag, string>>,
): Host {
  const below = (folder: string, parts: string[]) => (parts.length === 0 ? folder : `${folder}/${parts.join('/')}`);
  const [proc, sys, root] = (['path.procfs', 'path.sysfs', 'path.rootfs'] as const).map((name) =>
    flags[name].replace(/(.)\/+$/, '$1'),
  ) as [string, string, string];
  return {
    files,
    clock,
    log,
    flag: (name) => flags[name],
    proc: (...parts) => below(proc, parts),
    sys: (...parts) => below(sys, parts),
    root: (...parts) => path.join(root, ...parts),
  };
}

/** Lines without the empty last one. */
export function lines(text: string): string[] {
  const all = text.split('\n');
  if (all.at(-1) === '') all.pop();
  return all;
}

/** Fields between runs of white space. */
export const fields = (line: string): string[] => line.trim().split(/\s+/);
