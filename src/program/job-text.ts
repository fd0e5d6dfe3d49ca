// One scrape job as it is written in the configuration, for the page that shows it. Secrets are hidden already.

import { isMap, isSeq, parseDocument } from 'yaml';
import type { ServerConfig } from './config.ts';

/** Undefined when no file has a job of that name. */
export function jobText(config: ServerConfig, name: string): string | undefined {
  for (const read of [() => config.shown, ...config.shownFiles]) {
    const jobs = parseDocument(read()).get('scrape_configs');
    if (!isSeq(jobs)) continue;
    const job = jobs.items.find((item) => isMap(item) && String(item.get('job_name')) === name);
    if (!isMap(job)) continue;
    const own = parseDocument('');
    own.contents = job as unknown as typeof own.contents;
    return own.toString({ lineWidth: 0 });
  }
  return undefined;
}
