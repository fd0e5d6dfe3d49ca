// A file that lies in the data folder while the server runs: one that is there at the start was left by a run that did not end
// well. `prometheus_tsdb_clean_start` tells, as Prometheus' own lock file does.

import path from 'node:path';
import type { Disk } from '#base/disk/disk.ts';
import type { Registry } from '#model/registry.ts';

const FILE = 'running';

/** The result is called when the run has ended well. */
export function noteStart(folder: string, disk: Disk, registry: Registry): () => void {
  const file = path.join(folder, FILE);
  const isClean = !disk.exists(file);
  registry
    .gauge('prometheus_tsdb_clean_start', '1: the run before ended well or there was none, 0: it did not.')
    .set(isClean ? 1 : 0);
  disk.makeFolder(folder);
  if (isClean) disk.open(file, 'create').close();
  return () => disk.remove(file);
}
