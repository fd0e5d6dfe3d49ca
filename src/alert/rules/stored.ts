// Groups of rules that came through the API: one YAML file per namespace and version below a folder, so that each change
// can be looked at and taken back. A file is the same as any rule file.

import path from 'node:path';
import { parse, stringify } from 'yaml';
import type { Disk } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { UserError } from '#base/errors.ts';
import type { GroupConfig } from './contract.ts';
import { parseRuleFile, RuleFileError, type RuleFileOptions } from './file.ts';

/** One group as YAML text, as users write it. */
export type StoredGroup = {
  readonly namespace: string;
  readonly name: string;
  readonly version: number;
  readonly text: string;
};

/** How many versions of a namespace are kept beside the one in force. */
const MAX_VERSIONS = 50;
const MAX_NAMESPACES = 1000;

export class StoredRules {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #options: RuleFileOptions;

  constructor(disk: Disk, folder: string, options: RuleFileOptions = {}) {
    this.#disk = disk;
    this.#folder = folder;
    this.#options = options;
  }

  /** All groups, checked. */
  configs(): GroupConfig[] {
    return this.namespaces().flatMap((namespace) => this.#parse(namespace, this.#current(namespace).text));
  }

  namespaces(): string[] {
    return this.#disk
      .list(this.#folder)
      .filter((entry) => entry.isFolder && this.#versions(entry.name).length > 0)
      .map((entry) => decodeURIComponent(entry.name))
      .filter((namespace) => this.#current(namespace).text !== '');
  }

  groups(namespace?: string): StoredGroup[] {
    const wanted = namespace === undefined ? this.namespaces() : [namespace];
    return wanted.flatMap((name) => {
      const { version, text } = this.#current(name);
      return rawGroups(text).map((group) => ({
        namespace: name,
        name: String(group['name']),
        version,
        text: stringify(group),
      }));
    });
  }

  /** Versions of a namespace that are kept, newest first. */
  history(namespace: string): { version: number; text: string }[] {
    return this.#versions(encodeURIComponent(namespace))
      .map((version) => ({ version, text: this.#read(namespace, version) }))
      .reverse();
  }

  /** Stores a group, new or changed. `wanted` is the name and the version that the caller takes it for, if it cares. */
  put(
    namespace: string,
    text: string,
    wanted: { readonly name?: string; readonly version?: number | undefined } = {},
  ): { version: number; name: string } {
    checkName(namespace);
    const raw = readGroup(text);
    if (wanted.name !== undefined && raw['name'] !== wanted.name) {
      throw new UserError(`cannot store group ${wanted.name}: the group that was sent is ${String(raw['name'])}`);
    }
    const { version, text: current } = this.#current(namespace);
    this.#checkVersion(namespace, version, wanted.version);
    const isNew = !this.namespaces().includes(namespace);
    if (isNew && this.namespaces().length >= MAX_NAMESPACES) {
      throw new UserError(`cannot store group: there are ${MAX_NAMESPACES} namespaces already`);
    }
    const others = rawGroups(current).filter((group) => group['name'] !== raw['name']);
    const at = rawGroups(current).findIndex((group) => group['name'] === raw['name']);
    const groups = [...others];
    groups.splice(at < 0 ? groups.length : at, 0, raw);
    const next = stringify({ groups });
    // Checked as a file of its own first, so that positions are those of the text that was sent.
    parseRuleFile(String(raw['name'] ?? ''), stringify({ groups: [raw] }), this.#options);
    this.#parse(namespace, next);
    this.#write(namespace, version + 1, next);
    return { version: version + 1, name: String(raw['name']) };
  }

  /** False when there is no such group. */
  remove(namespace: string, name: string | undefined, expected?: number): boolean {
    checkName(namespace);
    const { version, text } = this.#current(namespace);
    const groups = rawGroups(text);
    const left = name === undefined ? [] : groups.filter((group) => group['name'] !== name);
    if (left.length === groups.length) return false;
    this.#checkVersion(namespace, version, expected);
    this.#write(namespace, version + 1, left.length > 0 ? stringify({ groups: left }) : '');
    return true;
  }

  /** Makes a former version the newest one again. */
  restore(namespace: string, version: number): number {
    const text = this.#versions(encodeURIComponent(namespace)).includes(version)
      ? this.#read(namespace, version)
      : undefined;
    if (text === undefined) throw new UserError(`cannot restore ${namespace}: version ${version} is not kept`);
    this.#parse(namespace, text);
    const next = this.#current(namespace).version + 1;
    this.#write(namespace, next, text);
    return next;
  }

  fileOf(namespace: string): string {
    return path.join(this.#folder, encodeURIComponent(namespace));
  }

  #checkVersion(namespace: string, version: number, expected: number | undefined): void {
    if (expected === undefined || expected === version) return;
    throw new UserError(`cannot change ${namespace}: it is at version ${version}, not ${expected}`);
  }

  #parse(namespace: string, text: string): readonly GroupConfig[] {
    return text === '' ? [] : parseRuleFile(this.fileOf(namespace), text, this.#options).groups;
  }

  #current(namespace: string): { version: number; text: string } {
    const version = this.#versions(encodeURIComponent(namespace)).at(-1);
    return version === undefined ? { version: 0, text: '' } : { version, text: this.#read(namespace, version) };
  }

  #versions(folder: string): number[] {
    return this.#disk
      .list(path.join(this.#folder, folder))
      .flatMap(({ name }) => (/^\d+\.yml$/.test(name) ? [Number.parseInt(name, 10)] : []))
      .sort((a, b) => a - b);
  }

  #file(namespace: string, version: number): string {
    return path.join(this.fileOf(namespace), `${String(version).padStart(8, '0')}.yml`);
  }

  #read(namespace: string, version: number): string {
    return new TextDecoder().decode(this.#disk.readFile(this.#file(namespace, version)));
  }

  #write(namespace: string, version: number, text: string): void {
    this.#disk.makeFolder(this.fileOf(namespace));
    replaceFile(this.#disk, this.#file(namespace, version), new TextEncoder().encode(text));
    const versions = this.#versions(encodeURIComponent(namespace));
    for (const old of versions.slice(0, Math.max(0, versions.length - MAX_VERSIONS))) {
      this.#disk.remove(this.#file(namespace, old));
    }
  }
}

function checkName(namespace: string): void {
  if (namespace === '' || namespace === '.' || namespace === '..' || namespace.length > 200) {
    throw new UserError(`invalid namespace ${JSON.stringify(namespace)}`);
  }
}

type RawGroup = Record<string, unknown>;

function rawGroups(text: string): RawGroup[] {
  if (text === '') return [];
  return ((parse(text) as { groups?: RawGroup[] } | null)?.groups ?? []) as RawGroup[];
}

/** A group, alone or as the only one of a file, in YAML or JSON. */
function readGroup(text: string): RawGroup {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new RuleFileError([`yaml: ${(error as Error).message.split('\n')[0]}`]);
  }
  if (typeof value === 'object' && value !== null && 'groups' in value) {
    const groups = (value as { groups: unknown }).groups;
    if (!Array.isArray(groups) || groups.length !== 1) throw new RuleFileError(['expected exactly one group']);
    value = groups[0];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RuleFileError(['expected a group of rules']);
  return value as RawGroup;
}
