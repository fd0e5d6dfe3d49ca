// The whole configuration file of the server, put together from the sections that the rooms declare. Loading either gives a
// complete configuration or throws every problem with its position; nothing half-read gets out.

import path from 'node:path';
import { type AlertingSection, alertingSection, NO_ALERTING } from '#alert/send/config.ts';
import { ConfigError, displayYaml, expandEnvironment, loadYaml, type Problem } from '#base/config/load.ts';
import {
  duration,
  type Infer,
  integer,
  list,
  number,
  object,
  optional,
  type Schema,
  size,
  string,
  withDefault,
} from '#base/config/schema.ts';
import type { Disk } from '#base/disk/disk.ts';
import { UserError } from '#base/errors.ts';
import { type AggregateRule, aggregateRules } from '#collect/aggregate/config.ts';
import {
  DEFAULT_GLOBAL,
  globalSection,
  jobSection,
  jobsFrom,
  type ScrapeFeatures,
  type ScrapeJob,
  scrapeConfigFile,
} from '#collect/config.ts';
import { NO_RECEIVERS, type ReceiveSection, receiveSection } from '#collect/receive/config.ts';
import { DEFAULT_OTLP, type OtlpSection, otlpSection } from '#collect/receive/otlp/config.ts';
import { type RemoteConfig, remoteConfigs, remoteWriteSections } from '#collect/send/config.ts';

const storageSection = object({
  tsdb: optional(
    object({
      out_of_order_time_window: withDefault(duration(), 0),
      /** How often what was acknowledged is synced to disk; 0s: before it is acknowledged. */
      log_sync_interval: withDefault(duration(), 100),
      retention: optional(
        object({ time: optional(duration()), size: optional(size()), percentage: optional(number()) }),
      ),
    }),
  ),
  exemplars: optional(object({ max_exemplars: withDefault(integer(), 100_000) })),
  /** What the whole server refuses to grow beyond; 0 is no limit. */
  limits: optional(
    object({
      series: withDefault(integer(0), 0),
      series_per_metric: withDefault(integer(0), 0),
      series_per_target: withDefault(integer(0), 0),
      target_label: withDefault(string(), 'instance'),
      memory: optional(size()),
    }),
  ),
  /** Keep some series longer or shorter than the rest. */
  retention: list(object({ match: string(), time: duration() })),
});

const schemaFor = (resolve: (file: string) => string) =>
  object({
    global: optional(globalSection),
    scrape_configs: list(jobSection(resolve)),
    scrape_config_files: list(string()),
    rule_files: list(string()),
    alerting: optional(alertingSection(resolve)),
    storage: optional(storageSection),
    remote_write: remoteWriteSections,
    otlp: optional(otlpSection),
    /** Ours: series folded while they come in. */
    aggregate: aggregateRules,
    /** Ours: protocols of other systems. */
    receive: optional(receiveSection),
  });

type RawConfig = Infer<ReturnType<typeof schemaFor>>;

export type ServerConfig = {
  readonly global: Infer<typeof globalSection>;
  readonly jobs: readonly ScrapeJob[];
  readonly ruleFiles: readonly string[];
  readonly alerting: AlertingSection;
  readonly storage: Infer<typeof storageSection> | undefined;
  readonly remotes: readonly RemoteConfig[];
  readonly otlp: OtlpSection;
  readonly aggregate: readonly AggregateRule[];
  readonly receive: ReceiveSection;
  /** As written, with secrets hidden. */
  readonly shown: string;
};

/** Reads the file and everything it names. */
export function loadServerConfig(
  file: string,
  disk: Disk,
  environment: Readonly<Record<string, string | undefined>>,
  features: ScrapeFeatures,
): ServerConfig {
  if (!disk.exists(file)) throw new UserError(`cannot read the configuration: there is no file ${file}`);
  return parseServerConfig(new TextDecoder().decode(disk.readFile(file)), file, disk, environment, features);
}

export function parseServerConfig(
  text: string,
  file: string,
  disk: Disk,
  environment: Readonly<Record<string, string | undefined>>,
  features: ScrapeFeatures,
): ServerConfig {
  const resolve = (name: string) => path.resolve(path.dirname(file), name);
  const schema: Schema<RawConfig> = schemaFor(resolve);
  const raw = loadYaml(text, schema, file);
  const global = raw.global ?? DEFAULT_GLOBAL;
  const external = Object.fromEntries(
    Object.entries(global.external_labels).map(([name, value]) => [name, expandEnvironment(value, environment)]),
  );
  const log = global.query_log_file;
  const expanded = { ...global, external_labels: external, query_log_file: log === '' ? '' : resolve(log) };
  const origins = raw.scrape_configs.map((_, index) => `scrape_configs[${index}]`);
  const sections = [...raw.scrape_configs];
  for (const pattern of raw.scrape_config_files) {
    for (const name of globFiles(resolve(pattern), disk)) {
      const more = loadYaml(
        new TextDecoder().decode(disk.readFile(name)),
        scrapeConfigFile((f) => path.resolve(path.dirname(name), f)),
        name,
      );
      more.scrape_configs.forEach((section, index) => {
        sections.push(section);
        origins.push(`${name}: scrape_configs[${index}]`);
      });
    }
  }
  const problems: Problem[] = [];
  const jobs = jobsFrom(sections, expanded, features, (index, message) => {
    problems.push({ position: { line: 1, column: 1 }, field: origins[index] ?? '', message });
  });
  if (problems.length > 0) throw new ConfigError(file, problems);
  return {
    global: expanded,
    jobs,
    ruleFiles: raw.rule_files.map(resolve),
    alerting: raw.alerting ?? NO_ALERTING,
    storage: raw.storage,
    remotes: remoteConfigs(raw.remote_write, resolve),
    otlp: raw.otlp ?? DEFAULT_OTLP,
    aggregate: raw.aggregate,
    receive: raw.receive ?? NO_RECEIVERS,
    shown: displayYaml(text, schema, file),
  };
}

/** Files that match a pattern with `*` and `?` in its last parts, sorted. A pattern without them is the file itself. */
export function globFiles(pattern: string, disk: Disk): string[] {
  if (!/[*?[]/.test(pattern)) return [pattern];
  let found = ['/'];
  for (const part of pattern.split('/').filter(Boolean)) {
    if (!/[*?[]/.test(part)) {
      found = found.map((folder) => path.join(folder, part));
      continue;
    }
    const test = new RegExp(
      `^${part
        .replace(/[.+^${}()|\\]/g, '\\$&')
        .replace(/\*/g, '[^/]*')
        .replace(/\?/g, '[^/]')}$`,
    );
    found = found.flatMap((folder) =>
      disk
        .list(folder)
        .filter((entry) => test.test(entry.name))
        .map((entry) => path.join(folder, entry.name)),
    );
  }
  return found.filter((name) => disk.exists(name)).sort();
}

/** What `pharos up` runs when it is given no file: it scrapes itself and what is in the box. */
export const defaultConfig = (address: string, prefix: string, moreJobs: string): string =>
  `# What runs when no configuration file is given: this process scrapes itself and this host.
global:
  scrape_interval: 15s
  evaluation_interval: 15s

scrape_configs:
  - job_name: pharos
    metrics_path: ${prefix}/metrics
    static_configs:
      - targets: ['${address}']
${moreJobs}`;
