// Reads the configuration again by itself when a file that it is made of has changed: the file, its rule files, its files of
// scrape jobs. What was tried and failed is not tried again before something changes once more.

import { createHash } from 'node:crypto';
import { type Clock, every, type Timer } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { globFiles, type ServerConfig } from './config.ts';
import { featuresOf } from './flags.ts';

const MIN_INTERVAL_MS = 1000;

export type AutoReloadFlags = {
  readonly 'config.file': string;
  readonly 'config.auto-reload': boolean;
  readonly 'config.auto-reload-interval': number;
  readonly 'enable-feature': readonly string[];
};

/** Changes whenever the content, or the number, of the files that a configuration is made of does. */
export function configDigest(file: string, config: ServerConfig, disk: Disk): string {
  const hash = createHash('sha256');
  for (const pattern of [file, ...config.scrapeConfigFiles, ...config.ruleFiles]) {
    for (const name of globFiles(pattern, disk)) {
      hash.update(`${name}\0`);
      if (disk.exists(name)) hash.update(disk.readFile(name));
      hash.update('\0');
    }
  }
  return hash.digest('base64');
}

/** Undefined when nobody asked for it. */
export function autoReload(
  flags: AutoReloadFlags,
  config: () => ServerConfig,
  reload: () => Promise<void>,
  disk: Disk,
  clock: Clock,
  logger: Logger,
): Timer | undefined {
  const file = flags['config.file'];
  const isAsked = flags['config.auto-reload'] || featuresOf(flags).has('auto-reload-config');
  if (!isAsked || file === '') return undefined;
  const intervalMs = Math.max(MIN_INTERVAL_MS, flags['config.auto-reload-interval']);
  logger.info('the configuration is read again when it changes', { intervalMs });
  let seen = configDigest(file, config(), disk);
  return every(clock, intervalMs, async () => {
    try {
      const now = configDigest(file, config(), disk);
      if (now === seen) return;
      seen = now;
      logger.info('files of the configuration have changed', { file });
      await reload();
      // The new configuration may be made of other files.
      seen = configDigest(file, config(), disk);
    } catch (error) {
      logger.error('cannot reload the configuration; the one before stays in force', { err: errorText(error) });
    }
  });
}
