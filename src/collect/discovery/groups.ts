// Target groups as other programs write them, in files and HTTP answers: a list of {targets, labels}. Keys may be written in
// any case, as Go's JSON reader takes them; unknown ones are errors.

import { loadYaml } from '#base/config/load.ts';
import { list } from '#base/config/schema.ts';
import type { TargetGroup } from '#model/target.ts';
import { staticGroup, targetGroup } from './static/static.ts';

/** Throws an Error that says what is wrong. `labels` is added to every group. */
export function parseJsonGroups(text: string, source: string, labels: Readonly<Record<string, string>>): TargetGroup[] {
  const parsed: unknown = JSON.parse(text);
  if (parsed === null) return [];
  if (!Array.isArray(parsed)) throw new Error(`expected a list of target groups, got ${typeof parsed}`);
  return parsed.map((group, index) => {
    if (group === null) throw new Error('nil target group item found');
    return withLabels(readGroup(group, index), `${source}:${index}`, labels);
  });
}

export function parseYamlGroups(text: string, source: string, labels: Readonly<Record<string, string>>): TargetGroup[] {
  const groups = loadYaml(text.trim() === '' ? '[]' : text, list(staticGroup), source);
  return groups.map((group, index) => withLabels(group, `${source}:${index}`, labels));
}

type PlainGroup = { readonly targets: readonly string[]; readonly labels: Readonly<Record<string, string>> };

function withLabels(group: PlainGroup, source: string, labels: Readonly<Record<string, string>>): TargetGroup {
  return targetGroup({ targets: group.targets, labels: { ...group.labels, ...labels } }, source);
}

function readGroup(group: unknown, index: number): PlainGroup {
  if (typeof group !== 'object' || Array.isArray(group)) throw new Error(`group ${index}: expected an object`);
  let targets: readonly string[] = [];
  let labels: Readonly<Record<string, string>> = {};
  for (const [key, value] of Object.entries(group as object)) {
    switch (key.toLowerCase()) {
      case 'targets':
        if (value !== null && !(Array.isArray(value) && value.every((target) => typeof target === 'string'))) {
          throw new Error(`group ${index}: targets: expected a list of texts`);
        }
        targets = value ?? [];
        break;
      case 'labels':
        if (value !== null && (typeof value !== 'object' || Array.isArray(value))) {
          throw new Error(`group ${index}: labels: expected an object`);
        }
        for (const [name, text] of Object.entries(value ?? {})) {
          if (name === '') throw new Error(`group ${index}: labels: "" is not a valid label name`);
          if (typeof text !== 'string') throw new Error(`group ${index}: labels: ${name}: expected text`);
        }
        labels = value ?? {};
        break;
      default:
        throw new Error(`group ${index}: field ${key} is not known, expected targets or labels`);
    }
  }
  return { targets, labels };
}
