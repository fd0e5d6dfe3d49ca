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
  map,
  number,
  object,
  oneOf,
  optional,
  type Schema,
  size,
  sizeWithUnit,
  string,
  withDefault,
} from '#base/config/schema.ts';
import type { Disk } from '#base/disk/disk.ts';
import { UserError } from '#base/errors.ts';
import { type TracingConfig, tracingConfig, tracingSection } from '#clients/otlp/config.ts';
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
import { type RemoteReadConfig, remoteReadConfigs, remoteReadSections } from '#collect/read/config.ts';
import { NO_RECEIVERS, type ReceiveSection, receiveSection } from '#collect/receive/config.ts';
import { DEFAULT_OTLP, type OtlpSection, otlpSection } from '#collect/receive/otlp/config.ts';
import { hasWebScheme, repeatedNames } from '#collect/send/address.ts';
import { type RemoteConfig, remoteConfigs, remoteWriteSections } from '#collect/send/config.ts';

const storageSection = object({
  tsdb: optional(
    object({
      out_of_order_time_window: withDefault(duration(), 0),
      /** Accepted as Prometheus has it; see notesOf. */
      stale_series_compaction_threshold: optional(number()),
      chunk_encoding: optional(object({ floats: optional(oneOf('xor', 'xor2')) })),
      /** How often what was acknowledged is synced to disk; 0s: before it is acknowledged. */
      log_sync_interval: withDefault(duration(), 1000),
      retention: optional(
        object(
          { time: optional(duration()), size: optional(sizeWithUnit()), percentage: optional(number()) },
          ({ percentage = 0 }, report) => {
            if (percentage >= 0 && percentage <= 100) return;
            report('percentage', "'storage.tsdb.retention.percentage' must be in the range [0, 100]");
          },
        ),
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

/** A file, or a pattern with one `*` in its last part. */
const filePattern = (what: string): Schema<string> =>
  map(string(), (text) => {
    if (!/^[^*]*(\*[^/]*)?$/.test(text)) throw new Error(`invalid ${what} file path ${JSON.stringify(text)}`);
    return text;
  });

const schemaFor = (resolve: (file: string) => string) =>
  object(
    {
      global: optional(globalSection),
      runtime: optional(object({ gogc: optional(integer()) })),
      scrape_configs: list(jobSection(resolve)),
      scrape_config_files: list(filePattern('scrape config')),
      rule_files: list(filePattern('rule')),
      alerting: optional(alertingSection(resolve)),
      storage: optional(storageSection),
      remote_write: remoteWriteSections,
      remote_read: remoteReadSections,
      tracing: optional(tracingSection),
      otlp: optional(otlpSection),
      /** Ours: series folded while they come in. */
      aggregate: aggregateRules,
      /** Ours: protocols of other systems. */
      receive: optional(receiveSection),
    },
    ({ global, otlp, remote_write, remote_read }, report) => {
      const strategy = otlp?.translation_strategy ?? '';
      if (global?.metric_name_validation_scheme === 'legacy' && /^No(Translation|UTF8)/.test(strategy)) {
        report('otlp', `OTLP translation strategy "${strategy}" is not allowed when UTF8 is disabled`);
      }
      const names = (sections: readonly { readonly name: string }[]) => sections.map(({ name }) => name);
      repeatedNames(names(remote_write), (_, name) =>
        report('remote_write', `found multiple remote write configs with job name ${JSON.stringify(name)}`),
      );
      repeatedNames(names(remote_read), (_, name) =>
        report('remote_read', `found multiple remote read configs with job name ${JSON.stringify(name)}`),
      );
    },
  );

type RawConfig = Infer<ReturnType<typeof schemaFor>>;

export type ServerConfig = {
  readonly global: Infer<typeof globalSection>;
  readonly jobs: readonly ScrapeJob[];
  readonly ruleFiles: readonly string[];
  /** Patterns of the files with further jobs. */
  readonly scrapeConfigFiles: readonly string[];
  readonly alerting: AlertingSection;
  readonly storage: Infer<typeof storageSection> | undefined;
  readonly remotes: readonly RemoteConfig[];
  readonly reads: readonly RemoteReadConfig[];
  readonly tracing: TracingConfig | undefined;
  readonly otlp: OtlpSection;
  readonly aggregate: readonly AggregateRule[];
  readonly receive: ReceiveSection;
  /** As written, with secrets hidden. */
  readonly shown: string;
  /** The files with further jobs, likewise. */
  readonly shownFiles: readonly (() => string)[];
  /** What the file asks for that means something else or nothing here; for the log. */
  readonly notes: readonly string[];
};

/** Reads the file and everything it names. */
export function loadServerConfig(
  file: string,
  disk: Disk,
  environment: Readonly<Record<string, string | undefined>>,
  features: ScrapeFeatures,
): ServerConfig {
  if (!disk.exists(file)) throw new UserError(`cannot read the configuration: there is no file ${file}`);
  return parseServerConfig(textOf(disk.readFile(file), file), file, disk, environment, features);
}

/** Throws at what an agent has no use for. */
export function refuseForAgent({ ruleFiles, alerting, reads }: ServerConfig, file: string): void {
  const refuse = (field: string) => new UserError(`field ${field} is not allowed in agent mode`, file);
  if (ruleFiles.length > 0) throw refuse('rule_files');
  if (alerting.alertmanagers.length > 0 || alerting.alertRelabelRules.length > 0) throw refuse('alerting');
  if (reads.length > 0) throw refuse('remote_read');
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
  const sections = raw.scrape_configs.map((section, index) => ({ section, file, index }));
  const files: (() => string)[] = [];
  for (const pattern of raw.scrape_config_files) {
    for (const name of globFiles(resolve(pattern), disk)) {
      const fileText = textOf(disk.readFile(name), name);
      const fileSchema = scrapeConfigFile((f) => path.resolve(path.dirname(name), f));
      const more = loadYaml(fileText, fileSchema, name);
      files.push(() => displayYaml(fileText, fileSchema, name));
      more.scrape_configs.forEach((section, index) => {
        sections.push({ section, file: name, index });
      });
    }
  }
  const problems = new Map<string, Problem[]>();
  const jobs = jobsFrom(
    sections.map(({ section }) => section),
    expanded,
    features,
    (at, message) => {
      const { section, file, index } = sections[at]!;
      const found = problems.get(file) ?? [];
      found.push({ position: section.position, field: `scrape_configs[${index}]`, message });
      problems.set(file, found);
    },
  );
  for (const [file, found] of problems) throw new ConfigError(file, found);
  return {
    global: expanded,
    jobs,
    ruleFiles: raw.rule_files.map(resolve),
    scrapeConfigFiles: raw.scrape_config_files.map(resolve),
    alerting: raw.alerting ?? NO_ALERTING,
    storage: raw.storage,
    remotes: remoteConfigs(raw.remote_write, resolve),
    reads: remoteReadConfigs(raw.remote_read, resolve),
    tracing: raw.tracing && tracingConfig(raw.tracing, resolve),
    otlp: raw.otlp ?? DEFAULT_OTLP,
    aggregate: raw.aggregate,
    receive: raw.receive ?? NO_RECEIVERS,
    shown: displayYaml(text, schema, file),
    shownFiles: files,
    notes: notesOf(raw),
  };
}

/** Settings that are taken because Prometheus has them, and what they do here. */
function notesOf({ runtime, storage, remote_write, remote_read }: RawConfig): string[] {
  const notes: string[] = [];
  if (runtime?.gogc !== undefined) {
    notes.push(
      'runtime.gogc has no effect: samples lie outside the garbage collector; limit memory with storage.limits.memory',
    );
  }
  if (storage?.tsdb?.chunk_encoding?.floats === 'xor2') {
    notes.push('storage.tsdb.chunk_encoding.floats: xor2 is read; what is written is xor, which every version reads');
  }
  if (storage?.tsdb?.stale_series_compaction_threshold) {
    notes.push(
      'storage.tsdb.stale_series_compaction_threshold has no effect: series that ended leave with their block',
    );
  }
  for (const { url } of [...remote_write, ...remote_read]) {
    if (!hasWebScheme(url))
      notes.push(`${JSON.stringify(url)} does not begin with http:// or https://: nothing gets there`);
  }
  return notes;
}

function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Lines before the one that does not decode tell where it is.
    let line = 1;
    let start = 0;
    for (let i = 0; i <= bytes.length; i++) {
      if (i < bytes.length && bytes[i] !== 0x0a) continue;
      const { length } = new TextDecoder()
        .decode(bytes.subarray(start, i))
        .matchAll(/\ufffd/g)
        .toArray();
      if (length > 0) break;
      line++;
      start = i + 1;
    }
    throw new UserError('the file is not UTF-8', file, { line, column: 1 });
  }
}

/** Files that match a pattern with `*` and `?` in its last parts, sorted. A pattern without them is the file itself. */
export function globFiles(pattern: string, disk: Disk): string[] {
  if (!/[*?[]/.test(pattern)) return [pattern];
  let found = ['/'];
  const parts = pattern.split('/').filter(Boolean);
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
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
        .filter((entry) => test.test(entry.name) && (isLast || entry.isFolder))
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
