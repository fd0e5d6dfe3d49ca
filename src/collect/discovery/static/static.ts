// Targets written into the configuration file.

import { list, map, object, record, type Schema, string, withDefault } from '#base/config/schema.ts';
import type { TargetGroup } from '#model/target.ts';
import { provider } from '../provider.ts';

/** `{targets: [...], labels: {...}}`, as it also stands in target files. */
export type StaticGroup = {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
};

export const staticGroup: Schema<StaticGroup> = object({ targets: list(string()), labels: labelSet() });

/** Label names are any UTF-8 text but the empty one. */
export function labelSet(): Schema<Readonly<Record<string, string>>> {
  const checked = map(record(string()), (labels) => {
    for (const name of Object.keys(labels)) if (name === '') throw new Error('"" is not a valid label name');
    return labels;
  });
  return withDefault(checked, {});
}

export const targetGroup = (group: StaticGroup, source: string): TargetGroup => ({
  source,
  targets: group.targets.map((address) => ({ __address__: address })),
  labels: group.labels,
});

export const staticProvider = provider<StaticGroup>({
  key: 'static_configs',
  schema: () => staticGroup,
  create: (config) => ({
    async run(update, signal) {
      update([targetGroup(config, '0')]);
      await aborted(signal);
    },
  }),
});

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
