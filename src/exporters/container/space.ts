// How full file systems are: of containers, whose writable layers the Docker API measures, and of the host. Measuring a layer walks
// all its files, so it is done once a minute at most, beside the scrapes, which show the last result.

import fs from 'node:fs/promises';
import type { Clock } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { DockerClient } from '#clients/docker/docker.ts';
import type { Labels } from '#model/labels.ts';
import type { Page } from '../page.ts';
import { merged } from './families.ts';

const REFRESH_MS = 60_000;

/** Bytes that containers have written into their own layer, by id. */
export class LayerSizes {
  readonly #client: DockerClient;
  readonly #clock: Clock;
  readonly #log: Logger;
  #sizes: ReadonlyMap<string, number> = new Map();
  #measuredAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;

  constructor(client: DockerClient, clock: Clock, log: Logger) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  /** The last result; begins to measure again when it is old. Only the first caller waits. */
  async get(): Promise<ReadonlyMap<string, number>> {
    const isFirst = this.#measuredAt === Number.NEGATIVE_INFINITY;
    if (this.#running === undefined && this.#clock.monotonic() - this.#measuredAt >= REFRESH_MS)
      this.#running = this.#measure().finally(() => {
        this.#running = undefined;
        this.#measuredAt = this.#clock.monotonic();
      });
    if (isFirst) await this.#running;
    return this.#sizes;
  }

  async #measure(): Promise<void> {
    try {
      const containers = await this.#client.sizes();
      this.#sizes = new Map(containers.map(({ Id, SizeRw }) => [Id, SizeRw ?? 0] as const));
    } catch (error) {
      this.#log.warn('cannot measure the layers of containers', { err: errorText(error) });
    }
  }
}

export type Space = {
  readonly bytes: number;
  readonly used: number;
  readonly files: number;
  readonly filesFree: number;
};

/** Undefined where it cannot be asked, as when the container has just ended. */
export async function spaceOf(path: string): Promise<Space | undefined> {
  try {
    const { bsize, blocks, bfree, files, ffree } = await fs.statfs(path);
    return { bytes: blocks * bsize, used: (blocks - bfree) * bsize, files, filesFree: ffree };
  } catch {
    return undefined;
  }
}

export function addSpace(page: Page, labels: Labels, device: string, space: Space, used: number): void {
  const named = merged(labels, 'device', device);
  page.gauge('container_fs_usage_bytes', 'Bytes in use on a file system.', used, named);
  page.gauge('container_fs_limit_bytes', 'Bytes of a file system.', space.bytes, named);
  page.gauge('container_fs_inodes_total', 'Inodes of a file system.', space.files, named);
  page.gauge('container_fs_inodes_free', 'Free inodes of a file system.', space.filesFree, named);
}

/** Mounted block devices of the host: each once, where it is mounted first. */
export function mountedDevices(mounts: string): { device: string; point: string }[] {
  const found = new Map<string, string>();
  for (const line of mounts.split('\n')) {
    const [device = '', point = ''] = line.split(' ');
    if (device.startsWith('/dev/') && !found.has(device)) found.set(device, point);
  }
  return [...found].map(([device, point]) => ({ device, point }));
}
