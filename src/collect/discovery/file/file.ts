// Targets in JSON or YAML files. The folders are watched, so that a change is seen at once; a slow refresh covers what
// the system does not tell. A file that cannot be read keeps its targets.

import path from 'node:path';
import type { Timer } from '#base/clock.ts';
import { duration, list, map, object, string, withDefault } from '#base/config/schema.ts';
import { errorText } from '#base/errors.ts';
import { matchingFiles, watchFolder } from '#base/files.ts';
import type { Discoverer, TargetGroup } from '#model/target.ts';
import { parseJsonGroups, parseYamlGroups } from '../groups.ts';
import { type DiscoveryContext, provider } from '../provider.ts';
import { emptyGroup, refreshing } from '../refresh.ts';

export type FileConfig = { readonly files: readonly string[]; readonly refreshIntervalMs: number };

/** Editors and writers touch a file several times in a row. */
const SETTLE_MS = 50;

export const fileProvider = provider<FileConfig>({
  key: 'file_sd_configs',
  schema: (resolve) => {
    const fields = object(
      { files: list(string()), refresh_interval: withDefault(duration(), 300_000) },
      (value, report) => {
        if (value.files.length === 0) {
          report('files', 'file service discovery config must contain at least one path name');
        }
        for (const name of value.files) {
          if (!/^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$/.test(name)) {
            report('files', `path name ${JSON.stringify(name)} is not valid for file discovery`);
          }
        }
      },
    );
    return map(fields, (value) => ({ files: value.files.map(resolve), refreshIntervalMs: value.refresh_interval }));
  },
  create: (config, context) => createFileDiscoverer(config, context),
});

function createFileDiscoverer(config: FileConfig, context: DiscoveryContext): Discoverer {
  const known = new Map<string, readonly TargetGroup[]>();
  const { clock, log } = context;
  const refresher = refreshing(
    {
      mechanism: 'file',
      intervalMs: config.refreshIntervalMs,
      refresh: async () => readAll(config, context, known),
    },
    context,
  );
  return {
    async run(update, signal) {
      let timer: Timer | undefined;
      let before: readonly TargetGroup[] = [];
      const tell = (groups: readonly TargetGroup[]) => {
        const now = new Set(groups.map(({ source }) => source));
        update([...groups, ...before.filter(({ source }) => !now.has(source)).map(({ source }) => emptyGroup(source))]);
        before = groups;
      };
      const changed = () => {
        timer?.cancel();
        timer = clock.after(SETTLE_MS, () => tell(readAll(config, context, known)), true);
      };
      const watchers = [...new Set(config.files.map((file) => path.dirname(file)))].flatMap((folder) => {
        const complain = (error: unknown) =>
          log.warn('Error adding file watch', { path: folder, err: errorText(error) });
        try {
          return [watchFolder(folder, changed, complain)];
        } catch (error) {
          complain(error);
          return [];
        }
      });
      try {
        await refresher.run((groups) => tell(groups.filter((group) => group.targets.length > 0)), signal);
      } finally {
        timer?.cancel();
        for (const watcher of watchers) watcher.close();
      }
    },
  };
}

function readAll(
  config: FileConfig,
  context: DiscoveryContext,
  known: Map<string, readonly TargetGroup[]>,
): readonly TargetGroup[] {
  const { disk, log, metrics } = context;
  const files = new Set(config.files.flatMap((pattern) => matchingFiles(disk, pattern)));
  for (const file of known.keys()) {
    if (files.has(file)) continue;
    known.delete(file);
    metrics.fileTimestamps.remove(file);
  }
  for (const file of files) {
    try {
      const text = Buffer.from(disk.readFile(file)).toString('utf8');
      const parse = file.toLowerCase().endsWith('.json') ? parseJsonGroups : parseYamlGroups;
      known.set(file, parse(text, file, { __meta_filepath: file }));
      metrics.fileTimestamps.with(file).set(Math.floor(disk.modified(file) / 1000));
    } catch (error) {
      metrics.fileReadErrors.add();
      log.error('Error reading file', { path: file, err: errorText(error) });
    }
  }
  return [...known.values()].flat();
}
