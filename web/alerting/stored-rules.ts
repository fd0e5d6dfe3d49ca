// Groups of rules that are kept through the API: read as YAML, changed as objects, so that fields that no form shows stay,
// and written back unless somebody else was faster.

import { get, plain } from '../base/api.ts';
import type { RuleGroup } from './types.ts';

const PATH = '/api/v1/rules/groups';

export type StoredGroup = {
  readonly namespace: string;
  readonly name: string;
  readonly version: number;
  readonly text: string;
};
/** A rule as its file has it. */
export type StoredRule = {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly keep_firing_for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
};
export type GroupFile = { readonly name: string; readonly interval?: string; readonly rules: readonly StoredRule[] };

export const storedGroups = async (signal?: AbortSignal): Promise<readonly StoredGroup[]> =>
  (await get<{ groups: readonly StoredGroup[] }>(PATH, undefined, signal)).groups;

const address = (namespace: string, name: string): string =>
  `${PATH}/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;

/** The stored group behind one that is in force; undefined for groups of files. */
export const storedOf = (group: RuleGroup, stored: readonly StoredGroup[]): StoredGroup | undefined =>
  stored.find((one) => one.name === group.name && group.file.endsWith(`/rules/${one.namespace}`));

export async function readGroup(text: string): Promise<GroupFile> {
  const { parse } = await import('yaml');
  const group = parse(text) as GroupFile;
  return { ...group, rules: group.rules ?? [] };
}

async function findGroup(namespace: string, name: string): Promise<StoredGroup | undefined> {
  const { groups } = await get<{ groups: readonly StoredGroup[] }>(`${PATH}/${encodeURIComponent(namespace)}`);
  return groups.find((group) => group.name === name);
}

/** Stores a group as it was written: YAML or JSON. */
export const putGroup = (namespace: string, name: string, text: string, version?: number): Promise<unknown> =>
  plain(`${address(namespace, name)}${version === undefined ? '' : `?version=${version}`}`, {
    method: 'PUT',
    text,
  });

export const deleteGroup = (namespace: string, name: string): Promise<unknown> =>
  plain(address(namespace, name), { method: 'DELETE' });

/** Puts a rule into a group, in the place of the one at `index` or at the end; a group that does not exist is made. */
export async function putRule(namespace: string, name: string, rule: StoredRule, index?: number): Promise<void> {
  const stored = await findGroup(namespace, name);
  const group: GroupFile = stored ? await readGroup(stored.text) : { name, rules: [] };
  const rules = index === undefined ? [...group.rules, rule] : group.rules.map((one, i) => (i === index ? rule : one));
  await putGroup(namespace, name, JSON.stringify({ ...group, rules }), stored?.version);
}

/** Takes a rule out; the group goes with its last rule. */
export async function deleteRule(namespace: string, name: string, index: number): Promise<void> {
  const stored = await findGroup(namespace, name);
  if (!stored) return;
  const group = await readGroup(stored.text);
  const rules = group.rules.filter((_, i) => i !== index);
  if (rules.length === 0) await deleteGroup(namespace, name);
  else await putGroup(namespace, name, JSON.stringify({ ...group, rules }), stored.version);
}
