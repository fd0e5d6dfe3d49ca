// What `check config` looks at beside the configuration itself: files that it names, target files, and whether the targets
// written there can be scraped, or called as Alertmanagers, after relabeling.

import { glob } from '#alert/rules/glob.ts';
import type { AlertmanagerConfig } from '#alert/send/config.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { HttpClientConfig, TlsConfig } from '#clients/http/config.ts';
import type { ScrapeJob } from '#collect/config.ts';
import { parseJsonGroups, parseYamlGroups } from '#collect/discovery/groups.ts';
import type { DiscoveryConfig } from '#collect/discovery/providers.ts';
import { targetGroup } from '#collect/discovery/static/static.ts';
import { discoveredLabels, populateLabels } from '#collect/labels.ts';
import { compileRules } from '#collect/relabel/relabel.ts';
import { labelsFrom, labelValue } from '#model/labels.ts';
import type { TargetGroup } from '#model/target.ts';
import type { ServerConfig } from '../config.ts';

export type Warn = (message: string) => void;

/** Throws at the first problem, with promtool's message. `syntaxOnly` looks at no other file. */
export function checkNamedFiles(disk: Disk, config: ServerConfig, syntaxOnly: boolean, warn: Warn): void {
  for (const job of config.jobs) {
    checkClient(disk, job.spec.http, syntaxOnly);
    const groups = groupsOf(disk, job.discoveries, syntaxOnly, (file) =>
      warn(
        `  WARNING: file ${JSON.stringify(file)} for file_sd in scrape job ${JSON.stringify(job.spec.name)} does not exist`,
      ),
    );
    checkTargets(job, groups);
  }
  for (const receiver of config.alerting.alertmanagers) {
    checkClient(disk, receiver.http, syntaxOnly);
    const groups = groupsOf(disk, receiver.discoveries, syntaxOnly, (file) =>
      warn(`  WARNING: file ${JSON.stringify(file)} for file_sd in alertmanager config does not exist`),
    );
    checkReceivers(receiver, groups);
  }
}

function checkClient(disk: Disk, http: HttpClientConfig, syntaxOnly: boolean): void {
  if (syntaxOnly) return;
  const credentials = http.authorization?.credentials;
  if (credentials && 'file' in credentials) {
    checkFile(disk, credentials.file, 'authorization credentials or bearer token');
  }
  if (http.tls) checkTls(disk, http.tls);
}

function checkTls(disk: Disk, tls: TlsConfig): void {
  if (tls.certFile !== undefined) checkFile(disk, tls.certFile, 'client cert');
  if (tls.keyFile !== undefined) checkFile(disk, tls.keyFile, 'client key');
}

function checkFile(disk: Disk, file: string, what: string): void {
  if (file === '' || disk.exists(file)) return;
  throw new UserError(`error checking ${what} file ${JSON.stringify(file)}: stat ${file}: no such file or directory`);
}

type StaticConfig = Parameters<typeof targetGroup>[0];

/** Groups that are written down: in the configuration and in target files. */
function groupsOf(
  disk: Disk,
  discoveries: readonly DiscoveryConfig[],
  syntaxOnly: boolean,
  absent: Warn,
): TargetGroup[] {
  return discoveries.flatMap(({ key, config }, index) => {
    if (key === 'static_configs') return [targetGroup(config as StaticConfig, String(index))];
    if (key !== 'file_sd_configs' || syntaxOnly) return [];
    return (config as { files: readonly string[] }).files.flatMap((pattern) => {
      const files = glob(disk, pattern);
      if (files.length === 0) absent(pattern);
      return files.flatMap((file) => readGroups(disk, pattern, file));
    });
  });
}

function readGroups(disk: Disk, pattern: string, file: string): TargetGroup[] {
  try {
    const text = new TextDecoder().decode(disk.readFile(file));
    return file.toLowerCase().endsWith('.json') ? parseJsonGroups(text, file, {}) : parseYamlGroups(text, file, {});
  } catch (error) {
    throw new UserError(`checking SD file ${JSON.stringify(pattern)}: ${errorText(error)}`);
  }
}

function checkTargets(job: ScrapeJob, groups: readonly TargetGroup[]): void {
  const relabel = compileRules(job.relabelRules);
  for (const group of groups) {
    group.targets.forEach((target, index) => {
      const populated = populateLabels(discoveredLabels(job, target, group.labels), relabel);
      if (populated.kind !== 'invalid') return;
      throw new UserError(`instance ${index} in group ${group.source}: ${populated.reason}`);
    });
  }
}

function checkReceivers({ relabelRules, scheme }: AlertmanagerConfig, groups: readonly TargetGroup[]): void {
  const relabel = compileRules(relabelRules);
  for (const { targets, labels } of groups) {
    for (const target of targets) {
      const kept = relabel(labelsFrom([...Object.entries(labels), ['__scheme__', scheme], ...Object.entries(target)]));
      const address = kept && labelValue(kept, '__address__');
      if (address === undefined) continue;
      if (/^$|\//.test(address)) throw new UserError(`${JSON.stringify(address)} is not a valid hostname`);
    }
  }
}
