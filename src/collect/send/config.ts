// The remote_write section of prometheus.yml, every field of 3.14, and the plain data that a remote is made from.

import {
  boolean,
  duration,
  integer,
  list,
  object,
  oneOf,
  optional,
  record,
  type Schema,
  size,
  string,
  withDefault,
} from '#base/config/schema.ts';
import { azureFrom, azureSection, googleFrom, googleSection, sigv4From, sigv4Section } from '#clients/cloud/config.ts';
import {
  checkHttpClient,
  type HttpClientConfig,
  httpClientFields,
  httpClientFrom,
  type RawHttpClient,
} from '#clients/http/config.ts';
import { checkHeaders } from '#clients/http/headers.ts';
import { relabelConfigs } from '../relabel/config.ts';
import type { RelabelRule } from '../relabel/relabel.ts';
import { nameOfAddress, remoteUrl } from './address.ts';
import type { WriteVersion } from './batches.ts';

const DEFAULT_DISK_BYTES = 16 * 1024 ** 3;

const queueFields = object(
  {
    capacity: withDefault(integer(1), 10_000),
    max_shards: withDefault(integer(1), 50),
    min_shards: withDefault(integer(1), 1),
    max_samples_per_send: withDefault(integer(1), 2000),
    batch_send_deadline: withDefault(duration(), 5000),
    min_backoff: withDefault(duration(), 30),
    max_backoff: withDefault(duration(), 5000),
    retry_on_http_429: withDefault(boolean(), false),
    sample_age_limit: withDefault(duration(), 0),
    /** Ours: how much an outage may pile up on disk, in all shards together. */
    max_disk_size: withDefault(size(), DEFAULT_DISK_BYTES),
  },
  (queue, report) => {
    if (queue.min_shards > queue.max_shards) {
      report('min_shards', 'remote write queue min_shards must not be greater than max_shards');
    }
    if (queue.max_backoff < queue.min_backoff) {
      report('max_backoff', 'remote write queue max_backoff must not be less than min_backoff');
    }
  },
);

const metadataFields = object({
  send: withDefault(boolean(), true),
  send_interval: withDefault(duration(), 60_000),
  max_samples_per_send: withDefault(integer(1), 2000),
  max_samples_per_send_bytes: optional(size()),
});

const CLOUD_WAYS = new Set<string>(['sigv4', 'azuread', 'google_iam']);

export const remoteWriteSection = object(
  {
    url: remoteUrl('remote_write'),
    remote_timeout: withDefault(duration(), 30_000),
    headers: record(string()),
    write_relabel_configs: relabelConfigs,
    name: withDefault(string(), ''),
    send_exemplars: withDefault(boolean(), false),
    send_native_histograms: withDefault(boolean(), false),
    round_robin_dns: withDefault(boolean(), false),
    protobuf_message: withDefault(
      oneOf('prometheus.WriteRequest', 'io.prometheus.write.v2.Request'),
      'prometheus.WriteRequest',
    ),
    failed_request_logging: withDefault(boolean(), false),
    queue_config: optional(queueFields),
    metadata_config: optional(metadataFields),
    sigv4: optional(sigv4Section),
    azuread: optional(azureSection),
    google_iam: optional(googleSection),
    ...httpClientFields,
  },
  (value, report) => {
    checkHttpClient(value as unknown as RawHttpClient, report as (field: string, message: string) => void);
    checkHeaders(value.headers, (message) => report('headers', message));
    const ways = ['basic_auth', 'authorization', 'oauth2', 'sigv4', 'azuread', 'google_iam'] as const;
    const given = ways.filter((way) => (value as Readonly<Record<string, unknown>>)[way] !== undefined);
    if (given.length > 1 && given.some((way) => CLOUD_WAYS.has(way))) {
      report(
        given.at(-1)! as 'sigv4',
        `at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured. Currently configured: [${given.join(' ')}]`,
      );
    }
  },
);
export type RemoteWriteSection = typeof remoteWriteSection extends Schema<infer T> ? T : never;

/** Remotes have names that differ: theirs, or a number made from their content. */
export const remoteWriteSections = list(remoteWriteSection);

/** A remote as shards run it; plain data, so that it crosses threads. */
export type RemoteConfig = {
  /** For metrics and for the queue's folder. */
  readonly name: string;
  readonly url: string;
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly relabel: readonly RelabelRule[];
  readonly sendExemplars: boolean;
  readonly sendHistograms: boolean;
  readonly version: WriteVersion;
  readonly queue: {
    readonly capacity: number;
    readonly maxShards: number;
    readonly minShards: number;
    readonly maxPerSend: number;
    readonly deadlineMs: number;
    readonly minBackoffMs: number;
    readonly maxBackoffMs: number;
    readonly retryOnTooManyRequests: boolean;
    readonly ageLimitMs: number;
    readonly maxDiskBytes: number;
  };
  readonly metadata: { readonly send: boolean; readonly intervalMs: number; readonly maxPerSend: number };
  /** Each new connection goes to the next address that the name has. */
  readonly roundRobinDns: boolean;
  /** At level debug, with what was in them; for version 2.0. */
  readonly logFailedRequests: boolean;
  readonly http: HttpClientConfig;
};

const DEFAULT_QUEUE = {
  capacity: 10_000,
  max_shards: 50,
  min_shards: 1,
  max_samples_per_send: 2000,
  batch_send_deadline: 5000,
  min_backoff: 30,
  max_backoff: 5000,
  retry_on_http_429: false,
  sample_age_limit: 0,
  max_disk_size: DEFAULT_DISK_BYTES,
};

export function remoteConfigs(
  sections: readonly RemoteWriteSection[],
  resolve: (file: string) => string,
): readonly RemoteConfig[] {
  const names = new Set<string>();
  return sections.map((section) => {
    const config = remoteConfig(section, resolve);
    let { name } = config;
    for (let i = 2; names.has(name); i++) name = `${config.name}-${i}`;
    names.add(name);
    return { ...config, name };
  });
}

function remoteConfig(section: RemoteWriteSection, resolve: (file: string) => string): RemoteConfig {
  const queue = section.queue_config ?? DEFAULT_QUEUE;
  return {
    name: section.name || nameOfAddress(section.url),
    url: section.url,
    timeoutMs: section.remote_timeout,
    headers: section.headers,
    relabel: section.write_relabel_configs,
    sendExemplars: section.send_exemplars,
    sendHistograms: section.send_native_histograms,
    version: section.protobuf_message === 'prometheus.WriteRequest' ? 1 : 2,
    queue: {
      capacity: queue.capacity,
      maxShards: queue.max_shards,
      minShards: queue.min_shards,
      maxPerSend: queue.max_samples_per_send,
      deadlineMs: queue.batch_send_deadline,
      minBackoffMs: queue.min_backoff,
      maxBackoffMs: queue.max_backoff,
      retryOnTooManyRequests: queue.retry_on_http_429,
      ageLimitMs: queue.sample_age_limit,
      maxDiskBytes: queue.max_disk_size,
    },
    metadata: {
      send: section.metadata_config?.send ?? true,
      intervalMs: section.metadata_config?.send_interval ?? 60_000,
      maxPerSend: section.metadata_config?.max_samples_per_send ?? 2000,
    },
    roundRobinDns: section.round_robin_dns,
    logFailedRequests: section.failed_request_logging,
    http: {
      ...httpClientFrom(section as unknown as RawHttpClient, resolve),
      ...(section.sigv4 && { cloud: sigv4From(section.sigv4) }),
      ...(section.azuread && { cloud: azureFrom(section.azuread, resolve) }),
      ...(section.google_iam && { cloud: googleFrom(section.google_iam, resolve) }),
    },
  };
}
