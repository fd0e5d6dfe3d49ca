// The global and scrape_config sections of prometheus.yml: every field of Prometheus 3.14, what fields must not say
// together, and the jobs that come out with the global values filled in.

import {
  boolean,
  duration,
  integer,
  list,
  map,
  number,
  object,
  oneOf,
  optional,
  positioned,
  record,
  type Schema,
  sizeWithUnit,
  string,
  withDefault,
} from '#base/config/schema.ts';
import type { Position } from '#base/errors.ts';
import { checkHttpClient, httpClientFields, httpClientFrom, type RawHttpClient } from '#clients/http/config.ts';
import { isLegacyLabelName } from '#model/labels.ts';
import {
  ESCAPING_SCHEMES,
  type EscapingScheme,
  SCRAPE_PROTOCOLS,
  type ScrapeProtocol,
} from '#wire/exposition/formats.ts';
import type { ResolvePath } from './discovery/provider.ts';
import { type DiscoveryConfig, discoveriesOf, discoveryFields } from './discovery/providers.ts';
import { legacyProblem, relabelConfigs } from './relabel/config.ts';
import type { NameValidation, RelabelRule } from './relabel/relabel.ts';
import type { JobSpec } from './scrape/spec.ts';

const protocols: Schema<readonly ScrapeProtocol[]> = map(list(oneOf(...SCRAPE_PROTOCOLS)), (chosen) => {
  if (chosen.length === 0) throw new Error('scrape_protocols cannot be empty');
  if (new Set(chosen).size < chosen.length) {
    throw new Error(`duplicated protocol in scrape_protocols, got [${chosen.join(' ')}]`);
  }
  return chosen;
});

/** Fields that a job has and that have a value for all jobs in `global`. */
const sharedFields = {
  scrape_interval: optional(duration()),
  scrape_timeout: optional(duration()),
  scrape_protocols: optional(protocols),
  scrape_failure_log_file: optional(string()),
  body_size_limit: withDefault(sizeWithUnit(), 0),
  sample_limit: withDefault(integer(0), 0),
  target_limit: withDefault(integer(0), 0),
  label_limit: withDefault(integer(0), 0),
  label_name_length_limit: withDefault(integer(0), 0),
  label_value_length_limit: withDefault(integer(0), 0),
  keep_dropped_targets: withDefault(integer(0), 0),
  metric_name_validation_scheme: optional(oneOf('utf8', 'legacy')),
  metric_name_escaping_scheme: optional(oneOf(...ESCAPING_SCHEMES)),
  scrape_native_histograms: optional(boolean()),
  convert_classic_histograms_to_nhcb: optional(boolean()),
  always_scrape_classic_histograms: optional(boolean()),
  extra_scrape_metrics: optional(boolean()),
};

export const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 10_000;

export const globalSection = object(
  {
    ...sharedFields,
    evaluation_interval: withDefault(duration(), DEFAULT_INTERVAL_MS),
    rule_query_offset: withDefault(duration(), 0),
    query_log_file: withDefault(string(), ''),
    external_labels: record(string()),
  },
  (value, report) => {
    const interval = value.scrape_interval || DEFAULT_INTERVAL_MS;
    if ((value.scrape_timeout ?? 0) > interval) {
      report('scrape_timeout', 'global scrape timeout greater than scrape interval');
    }
    for (const name of Object.keys(value.external_labels)) {
      const isValid = value.metric_name_validation_scheme === 'legacy' ? isLegacyLabelName(name) : name !== '';
      if (!isValid) report('external_labels', `${JSON.stringify(name)} is not a valid label name`);
    }
  },
);
export type GlobalSection = typeof globalSection extends Schema<infer T> ? T : never;

/** What an absent `global` section means. */
export const DEFAULT_GLOBAL: GlobalSection = {
  scrape_interval: DEFAULT_INTERVAL_MS,
  scrape_timeout: undefined,
  scrape_protocols: undefined,
  scrape_failure_log_file: undefined,
  body_size_limit: 0,
  sample_limit: 0,
  target_limit: 0,
  label_limit: 0,
  label_name_length_limit: 0,
  label_value_length_limit: 0,
  keep_dropped_targets: 0,
  metric_name_validation_scheme: undefined,
  metric_name_escaping_scheme: undefined,
  scrape_native_histograms: undefined,
  convert_classic_histograms_to_nhcb: undefined,
  always_scrape_classic_histograms: undefined,
  extra_scrape_metrics: undefined,
  evaluation_interval: DEFAULT_INTERVAL_MS,
  rule_query_offset: 0,
  query_log_file: '',
  external_labels: {},
};

/** A job as the program runs it. */
export type ScrapeJob = {
  readonly spec: JobSpec;
  readonly scheme: 'http' | 'https';
  readonly metricsPath: string;
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly nativeHistograms: boolean;
  readonly alwaysClassicHistograms: boolean;
  readonly convertClassicHistograms: boolean;
  readonly relabelRules: readonly RelabelRule[];
  readonly targetLimit: number;
  readonly keepDroppedTargets: number;
  readonly discoveries: readonly DiscoveryConfig[];
};

const jobFields = {
  ...sharedFields,
  job_name: string(),
  honor_labels: withDefault(boolean(), false),
  honor_timestamps: withDefault(boolean(), true),
  track_timestamps_staleness: withDefault(boolean(), false),
  params: record(list(string())),
  fallback_scrape_protocol: optional(oneOf(...SCRAPE_PROTOCOLS)),
  metrics_path: withDefault(string(), '/metrics'),
  scheme: withDefault(oneOf('http', 'https'), 'http'),
  enable_compression: withDefault(boolean(), true),
  native_histogram_bucket_limit: withDefault(integer(0), 0),
  native_histogram_min_bucket_factor: withDefault(number(), 0),
  relabel_configs: relabelConfigs,
  metric_relabel_configs: relabelConfigs,
  ...httpClientFields,
};
const plainJob = object(jobFields);
type RawJob = typeof plainJob extends Schema<infer T> ? T : never;

/** A job as it is written, before the global values are known. */
export type JobSection = {
  readonly raw: RawJob;
  readonly discoveries: readonly DiscoveryConfig[];
  readonly resolve: ResolvePath;
  readonly position: Position;
};

/** One entry of `scrape_configs`. */
export function jobSection(resolve: ResolvePath): Schema<JobSection> {
  const schema = object({ ...jobFields, ...discoveryFields(resolve) }, (value, report) => {
    const raw = value as unknown as RawJob;
    if (raw.job_name === '') report('job_name', 'job_name is empty');
    if (raw.scrape_interval && (raw.scrape_timeout ?? 0) > raw.scrape_interval) {
      report('scrape_timeout', timeoutMessage(raw.job_name));
    }
    checkHttpClient(raw as RawHttpClient, report);
    if (raw.relabel_configs.length === 0) checkStaticTargets(value, report);
  });
  return map(positioned(schema), ({ value, position }) => ({
    raw: value as unknown as RawJob,
    discoveries: discoveriesOf(value),
    resolve,
    position,
  }));
}

/** A file of `scrape_config_files`. */
export const scrapeConfigFile = (resolve: ResolvePath) => object({ scrape_configs: list(jobSection(resolve)) });

const timeoutMessage = (job: string) =>
  `scrape timeout greater than scrape interval for scrape config with job name ${JSON.stringify(job)}`;

function checkStaticTargets(
  value: Readonly<Record<string, unknown>>,
  report: (field: string, message: string) => void,
): void {
  for (const group of (value['static_configs'] ?? []) as readonly { targets: readonly string[] }[]) {
    for (const address of group.targets) {
      if (address.includes('/')) report('static_configs', addressProblem(address));
    }
  }
}

export const addressProblem = (address: string) => `${JSON.stringify(address)} is not a valid hostname`;

/** Features that change the defaults of jobs. */
export type ScrapeFeatures = {
  readonly startTimestamps?: boolean;
  readonly extraScrapeMetrics?: boolean;
  readonly typeAndUnitLabels?: boolean;
};

/**
 * Jobs from their sections; `report` takes the index of the section and what is wrong between it and `global`.
 * Names must be unique over all sections, those from other files included.
 */
export function jobsFrom(
  sections: readonly JobSection[],
  global: GlobalSection,
  features: ScrapeFeatures,
  report: (index: number, message: string) => void,
): ScrapeJob[] {
  const names = new Set<string>();
  return sections.flatMap((section, index) => {
    const name = section.raw.job_name;
    if (names.has(name)) report(index, `found multiple scrape configs with job name ${JSON.stringify(name)}`);
    names.add(name);
    const job = jobFrom(section, global, features);
    if (typeof job !== 'string') return [job];
    report(index, job);
    return [];
  });
}

/** The job, or what is wrong. */
function jobFrom(
  { raw, discoveries, resolve }: JobSection,
  global: GlobalSection,
  features: ScrapeFeatures,
): ScrapeJob | string {
  const globalInterval = global.scrape_interval || DEFAULT_INTERVAL_MS;
  const globalTimeout = global.scrape_timeout || Math.min(DEFAULT_TIMEOUT_MS, globalInterval);
  const intervalMs = raw.scrape_interval || globalInterval;
  if ((raw.scrape_timeout ?? 0) > intervalMs) return timeoutMessage(raw.job_name);
  const timeoutMs = raw.scrape_timeout || Math.min(globalTimeout, intervalMs);
  const nativeHistograms = raw.scrape_native_histograms ?? global.scrape_native_histograms ?? false;
  const protoFirst = nativeHistograms || features.startTimestamps === true;
  const chosen = raw.scrape_protocols ?? global.scrape_protocols;
  const names = namesOf(raw, global);
  if (typeof names === 'string') return names;
  const withValidation = (rule: RelabelRule): RelabelRule => ({ ...rule, nameValidation: names.validation });
  const relabelRules = raw.relabel_configs.map(withValidation);
  const metricRelabelRules = raw.metric_relabel_configs.map(withValidation);
  if (names.validation === 'legacy') {
    const problem = [...relabelRules, ...metricRelabelRules].map(legacyProblem).find((p) => p !== undefined);
    if (problem) return problem;
  }
  const logFile = raw.scrape_failure_log_file || global.scrape_failure_log_file;
  return {
    spec: {
      name: raw.job_name,
      protocols: chosen ?? (protoFirst ? SCRAPE_PROTOCOLS : SCRAPE_PROTOCOLS.slice(1)),
      fallbackProtocol: raw.fallback_scrape_protocol,
      escaping: names.escaping,
      nameValidation: names.validation,
      enableCompression: raw.enable_compression,
      honorLabels: raw.honor_labels,
      honorTimestamps: raw.honor_timestamps,
      trackTimestampsStaleness: raw.track_timestamps_staleness,
      extraMetrics: raw.extra_scrape_metrics ?? global.extra_scrape_metrics ?? features.extraScrapeMetrics ?? false,
      limits: {
        bodySizeBytes: raw.body_size_limit || global.body_size_limit,
        samples: raw.sample_limit || global.sample_limit,
        labels: raw.label_limit || global.label_limit,
        labelNameLength: raw.label_name_length_limit || global.label_name_length_limit,
        labelValueLength: raw.label_value_length_limit || global.label_value_length_limit,
        histogramBuckets: raw.native_histogram_bucket_limit,
        histogramMinBucketFactor: raw.native_histogram_min_bucket_factor,
      },
      metricRelabelRules,
      http: httpClientFrom(raw, resolve),
      failureLogFile: logFile ? resolve(logFile) : undefined,
      startTimestamps: features.startTimestamps === true,
      typeAndUnitLabels: features.typeAndUnitLabels === true,
    },
    scheme: raw.scheme,
    metricsPath: raw.metrics_path || '/metrics',
    params: raw.params,
    intervalMs,
    timeoutMs,
    nativeHistograms,
    alwaysClassicHistograms: raw.always_scrape_classic_histograms ?? global.always_scrape_classic_histograms ?? false,
    convertClassicHistograms:
      raw.convert_classic_histograms_to_nhcb ?? global.convert_classic_histograms_to_nhcb ?? false,
    relabelRules,
    targetLimit: raw.target_limit || global.target_limit,
    keepDroppedTargets: raw.keep_dropped_targets || global.keep_dropped_targets,
    discoveries,
  };
}

/** Escaping follows validation unless it is said: legacy names cannot be asked for in UTF-8. */
function namesOf(
  raw: RawJob,
  global: GlobalSection,
): { validation: NameValidation; escaping: EscapingScheme } | string {
  const globalValidation = global.metric_name_validation_scheme ?? 'utf8';
  const defaultEscaping = (validation: NameValidation): EscapingScheme =>
    validation === 'legacy' ? 'underscores' : 'allow-utf-8';
  const validation = raw.metric_name_validation_scheme ?? globalValidation;
  const inherited = global.metric_name_escaping_scheme ?? defaultEscaping(globalValidation);
  const escaping =
    raw.metric_name_escaping_scheme ??
    (raw.metric_name_validation_scheme === undefined ? inherited : defaultEscaping(validation));
  if (escaping === 'allow-utf-8' && validation !== 'utf8') {
    return 'utf8 metric names requested but validation scheme is not set to UTF8';
  }
  return { validation, escaping };
}
