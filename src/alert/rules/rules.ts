// All rules of a server: loaded from files and from what the API stored, replaced at a reload without losing alerts, and
// asked by the API. A reload with any invalid file changes nothing.

import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Labels } from '#model/labels.ts';
import type { AlertingRule } from './alerting.ts';
import type { GroupConfig } from './contract.ts';
import { parseRuleFile, RuleFileError, type RuleFileOptions } from './file.ts';
import { glob } from './glob.ts';
import { type GroupOptions, RuleGroup } from './group.ts';
import { removeGroup } from './metrics.ts';

export type RuleSetConfig = {
  /** Patterns of file names. */
  readonly files: readonly string[];
  readonly evaluationIntervalMs: number;
  readonly queryOffsetMs: number;
  readonly externalLabels: Labels;
  readonly externalUrl: string;
};

export type RuleSetOptions = Omit<GroupOptions, 'externalLabels' | 'externalUrl' | 'queryOffsetMs'> & {
  readonly disk: Disk;
  readonly parsing?: RuleFileOptions;
  /** Also restore alerts of groups that appear after the start. */
  readonly restoreNewGroups?: boolean;
};

/** Reads and checks all files; throws one error with every problem of every file. */
export function loadRuleFiles(disk: Disk, patterns: readonly string[], options: RuleFileOptions = {}): GroupConfig[] {
  const problems: string[] = [];
  const groups: GroupConfig[] = [];
  for (const file of patterns.flatMap((pattern) => glob(disk, pattern))) {
    try {
      groups.push(...parseRuleFile(file, new TextDecoder().decode(disk.readFile(file)), options).groups);
    } catch (error) {
      if (error instanceof RuleFileError) problems.push(...error.problems);
      else problems.push(`${file}: ${errorText(error)}`);
    }
  }
  if (problems.length > 0) throw new RuleFileError(problems);
  return groups;
}

export class RuleSet {
  #groups = new Map<string, RuleGroup>();
  #loaded = false;
  #started = false;
  #stopped = false;
  readonly #options: RuleSetOptions;

  constructor(options: RuleSetOptions) {
    this.#options = options;
  }

  /** In the order of their files and names. */
  groups(): RuleGroup[] {
    return [...this.#groups.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  alertingRules(): AlertingRule[] {
    return this.groups().flatMap((group) => group.alertingRules());
  }

  /** Begins evaluating; before, groups only wait, so that the store can get ready. */
  start(): void {
    this.#started = true;
    for (const group of this.#groups.values()) group.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#groups.values()].map((group) => group.stop()));
  }

  /** Puts a configuration in force; `stored` are groups beside those of the files. Throws and changes nothing on an error. */
  async update(config: RuleSetConfig, stored: readonly GroupConfig[] = []): Promise<void> {
    if (this.#stopped) return;
    const { disk, parsing, ...options } = this.#options;
    const configs = [...loadRuleFiles(disk, config.files, parsing), ...stored];
    const shouldRestore = !this.#loaded || this.#options.restoreNewGroups === true;
    this.#loaded = true;
    const groupOptions: GroupOptions = {
      ...options,
      externalLabels: config.externalLabels,
      externalUrl: config.externalUrl,
      queryOffsetMs: config.queryOffsetMs,
    };
    const next = new Map<string, RuleGroup>();
    const before = new Map(this.#groups);
    await Promise.all(
      configs.map(async (groupConfig) => {
        const group = new RuleGroup(groupConfig, config.evaluationIntervalMs, shouldRestore, groupOptions);
        const old = before.get(group.key);
        before.delete(group.key);
        if (old?.equals(group) && this.#sameOutside(config)) {
          next.set(group.key, old);
          return;
        }
        next.set(group.key, group);
        if (old) {
          await old.stop();
          group.copyState(old);
        }
        if (this.#started) group.start();
      }),
    );
    this.#config = config;
    this.#groups = next;
    await Promise.all([...before.values()].map((group) => this.#retire(group)));
  }

  #config: RuleSetConfig | undefined;

  /** Whether what templates see beside the alert is as before. */
  #sameOutside(config: RuleSetConfig): boolean {
    const old = this.#config;
    return (
      old?.externalUrl === config.externalUrl &&
      old.queryOffsetMs === config.queryOffsetMs &&
      old.externalLabels.join('\xff') === config.externalLabels.join('\xff')
    );
  }

  async #retire(group: RuleGroup): Promise<void> {
    const { clock, metrics } = this.#options;
    await group.stop();
    removeGroup(metrics, group.key);
    // A rule that only moved to another group has until then to write its series again.
    clock.after(
      2 * group.intervalMs,
      () => {
        if (this.#stopped) return;
        void group.endAllSeries(clock.now());
      },
      true,
    );
  }
}
