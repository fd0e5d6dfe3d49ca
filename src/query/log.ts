// The query log: a line of JSON for every query that ended, in the fields that Prometheus' query log has, so that what reads
// those reads these. The file is opened again whenever the configuration is applied, which lets it be rotated.

import type { Disk, DiskFile } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { EndedQuery } from './desk.ts';

export class QueryLog {
  readonly #disk: Disk;
  readonly #logger: Logger;
  #file: DiskFile | undefined;

  constructor(disk: Disk, logger: Logger) {
    this.#disk = disk;
    this.#logger = logger;
  }

  /** Logs into this file from now on; '' ends it. */
  open(path: string): void {
    this.close();
    if (path === '') return;
    try {
      this.#file = this.#disk.open(path, 'append');
    } catch (error) {
      this.#logger.error('cannot open the query log', { file: path, err: errorText(error) });
    }
  }

  write(ended: EndedQuery): void {
    if (!this.#file) return;
    try {
      this.#file.write(Buffer.from(`${logLine(ended)}\n`));
    } catch (error) {
      this.#logger.error('cannot write the query log; it stays closed until the next reload', {
        err: errorText(error),
      });
      this.close();
    }
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

export function logLine({ query, start, end, step, origin, at, tookMs, waitedMs, error, stats }: EndedQuery): string {
  const seconds = (ms: number): number => ms / 1000;
  const timings = stats && {
    evalTotalTime: seconds(stats.timings.totalMs),
    queryPreparationTime: seconds(stats.timings.parseMs + stats.timings.planMs),
    innerEvalTime: seconds(stats.timings.evalMs),
    execQueueTime: seconds(waitedMs),
    execTotalTime: seconds(tookMs + waitedMs),
  };
  return JSON.stringify({
    time: new Date(at).toISOString(),
    level: 'INFO',
    msg: 'promql query logged',
    params: { query, start: new Date(start).toISOString(), end: new Date(end).toISOString(), step: seconds(step) },
    ...origin,
    ...(error === undefined ? {} : { error }),
    stats: {
      timings: timings ?? { execQueueTime: seconds(waitedMs), execTotalTime: seconds(tookMs + waitedMs) },
      samples: { totalQueryableSamples: stats?.samples.total ?? 0, peakSamples: stats?.samples.peak ?? 0 },
    },
  });
}
