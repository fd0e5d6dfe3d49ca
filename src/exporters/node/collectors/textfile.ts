// Metrics that others leave in files: every *.prom in the folders given. A file that is wrong spoils only itself, and says so.

import fs from 'node:fs';
import path from 'node:path';
import { errorText } from '#base/errors.ts';
import { exposedFamilies } from '#wire/families/expose.ts';
import { parseFamilies } from '#wire/families/text.ts';
import type { ParsedFamily, ParsedMetric } from '#wire/families/types.ts';
import { Page } from '../../page.ts';
import type { CollectorMaker, Host } from '../host.ts';

type Joined = { name: string; type: ParsedFamily['type']; help: string; metrics: ParsedMetric[] };

export const textfile: CollectorMaker = (host) => {
  const patterns = host.flag('collector.textfile.directory').split('\n').filter(Boolean);
  return {
    collect() {
      const page = new Page();
      const families = new Map<string, Joined>();
      let failed = 0;
      for (const folder of patterns.flatMap(expand)) {
        let names: string[];
        try {
          names = host.files.list(folder);
        } catch (error) {
          failed = 1;
          host.log.error('failed to read textfile collector directory', { path: folder, err: errorText(error) });
          continue;
        }
        for (const name of names) {
          if (!name.endsWith('.prom')) continue;
          const file = path.join(folder, name);
          try {
            readFile(host, file, families);
            page.gauge(
              'node_textfile_mtime_seconds',
              'When a text file was changed.',
              host.files.modifiedSeconds(file),
              ['file', file],
            );
          } catch (error) {
            failed = 1;
            host.log.error('failed to collect textfile data', { file, err: errorText(error) });
          }
        }
      }
      page.gauge('node_textfile_scrape_error', '1 if a text file or folder could not be read.', failed);
      const read = exposedFamilies(families.values()).map((family) => ({ ...family, samples: [...family.samples] }));
      return [...page.families(), ...read];
    },
  };
};

function readFile(host: Host, file: string, families: Map<string, Joined>): void {
  const parsed = parseFamilies(host.files.utf8(file), true);
  if (parsed.hasTimestamps)
    throw new Error(`textfile ${JSON.stringify(file)} contains unsupported client-side timestamps`);
  for (const family of parsed.families)
    if (families.has(family.name) && families.get(family.name)!.type !== family.type)
      throw new Error(`metric family ${family.name} has another type in another file`);
  for (const { name, type, help, metrics } of parsed.families) {
    const sorted = metrics.map((metric) => ({ labels: sortPairs(metric.labels), value: metric.value }));
    const known = families.get(name);
    if (known) known.metrics.push(...sorted);
    else families.set(name, { name, type, help: help || `Metric read from ${file}`, metrics: sorted });
  }
}

function sortPairs(labels: readonly string[]): string[] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i]!, labels[i + 1]!]);
  return pairs.sort((a, b) => (a[0] < b[0] ? -1 : 1)).flat();
}

/** A folder, or all that match a pattern with wildcards. */
function expand(pattern: string): string[] {
  return /[*?[]/.test(pattern) ? fs.globSync(pattern).sort() : [pattern];
}
