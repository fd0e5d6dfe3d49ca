// The section event_recorder of an alertmanager's configuration: where events go.

import {
  boolean,
  duration,
  type Infer,
  integer,
  list,
  object,
  optional,
  type Schema,
  string,
  withDefault,
} from '#base/config/schema.ts';
import {
  type HttpClientConfig,
  httpClientFrom,
  httpClientSection,
  type TlsConfig,
  tlsFields,
  tlsFrom,
} from '#clients/http/config.ts';
import { secretUrl } from '../route/url.ts';
import { COMPRESSIONS, type Compression } from './record-batch.ts';

const BATCH_FIELDS = ['batch_max_events', 'batch_max_bytes', 'batch_flush_interval'] as const;

const webhookSection = object(
  {
    url: secretUrl(),
    http_config: optional(httpClientSection),
    timeout: withDefault(duration(), 0),
    workers: withDefault(integer(), 0),
    max_retries: withDefault(integer(), 0),
    retry_backoff: withDefault(duration(), 0),
    batch: withDefault(boolean(), false),
    batch_max_events: withDefault(integer(), 0),
    batch_max_bytes: withDefault(integer(), 0),
    batch_flush_interval: withDefault(duration(), 0),
  },
  (value, report) => {
    if (value.url === '<secret>') report('url', 'event_recorder webhook output requires an absolute http(s) url');
    for (const name of BATCH_FIELDS) {
      if (value[name] < 0) report(name, 'event_recorder webhook batch settings cannot be negative');
      if (value[name] !== 0 && !value.batch) report(name, 'event_recorder webhook batch settings require batch: true');
    }
  },
);

const fileSection = object({ path: string() }, ({ path }, report) => {
  if (path === '') report('path', 'event_recorder file output requires a path');
});

/** An entry without fields. */
const stdoutSection: Schema<Record<never, never>> = {
  ...object({}),
  expected: 'an empty mapping',
};

const ACKS = { none: 0, leader: 1, all: -1 } as const;

const kafkaSection = object(
  {
    brokers: list(string()),
    topic: withDefault(string(), ''),
    client_id: withDefault(string(), 'alertmanager'),
    format: withDefault(string(), 'json'),
    acks: withDefault(string(), 'leader'),
    compression: withDefault(string(), 'none'),
    buffer_size: withDefault(integer(), 0),
    tls_config: optional(tlsFields),
  },
  ({ brokers, topic, format, acks, compression }, report) => {
    const wrong = (field: string, why: string) => report(field, `event_recorder kafka: ${why}`);
    if (brokers.length === 0) wrong('brokers', 'at least one broker is required');
    if (brokers.includes('')) wrong('brokers', 'broker entries must be non-empty');
    if (topic === '') report('topic', 'event_recorder kafka output requires a topic');
    if (format === 'protobuf') wrong('format', 'events are written as JSON here: leave format out');
    else if (format !== 'json') wrong('format', `unknown format "${format}", must be "json" or "protobuf"`);
    if (!Object.hasOwn(ACKS, acks)) wrong('acks', `unknown acks "${acks}", must be "none", "leader", or "all"`);
    if (compression === 'snappy' || compression === 'lz4')
      wrong('compression', `there is no ${compression} here: take one of ${COMPRESSIONS.join(', ')}`);
    else if (!COMPRESSIONS.some((one) => one === compression))
      wrong('compression', `unknown compression "${compression}"`);
  },
);

export const eventRecorderSection = object({
  file_outputs: list(fileSection),
  webhook_outputs: list(webhookSection),
  kafka_outputs: list(kafkaSection),
  stdout_outputs: list(stdoutSection),
});

export type WebhookOutputConfig = {
  readonly url: string;
  readonly http: HttpClientConfig | undefined;
  readonly timeoutMs: number;
  readonly workers: number;
  readonly maxAttempts: number;
  readonly backoffMs: number;
  readonly batch:
    | { readonly maxEvents: number; readonly maxBytes: number; readonly flushIntervalMs: number }
    | undefined;
};

export type KafkaSettings = {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly clientId: string;
  readonly acks: 0 | 1 | -1;
  readonly compression: Compression;
  readonly bufferSize: number;
  readonly tls: TlsConfig | undefined;
};

const KAFKA_BUFFER = 1024;

export type EventOutputs = {
  readonly kafkas: readonly KafkaSettings[];
  readonly files: readonly string[];
  readonly webhooks: readonly WebhookOutputConfig[];
  /** How often every event is written to standard output. */
  readonly stdouts: number;
};

export function eventRecorderFrom(
  raw: Infer<typeof eventRecorderSection> | undefined,
  resolve: (file: string) => string,
): EventOutputs {
  return {
    files: (raw?.file_outputs ?? []).map(({ path }) => resolve(path)),
    webhooks: (raw?.webhook_outputs ?? []).map((one) => ({
      url: one.url,
      http: one.http_config && httpClientFrom(one.http_config, resolve),
      timeoutMs: one.timeout || 10_000,
      workers: Math.max(0, one.workers) || 4,
      maxAttempts: Math.max(0, one.max_retries) || 3,
      backoffMs: one.retry_backoff || 500,
      batch: one.batch
        ? {
            maxEvents: one.batch_max_events || 100,
            maxBytes: one.batch_max_bytes || 1 << 20,
            flushIntervalMs: one.batch_flush_interval || 100,
          }
        : undefined,
    })),
    kafkas: (raw?.kafka_outputs ?? []).map((one) => ({
      brokers: one.brokers,
      topic: one.topic,
      clientId: one.client_id,
      acks: ACKS[one.acks as keyof typeof ACKS],
      compression: one.compression as Compression,
      bufferSize: one.buffer_size > 0 ? one.buffer_size : KAFKA_BUFFER,
      tls: tlsFrom(one.tls_config && withFiles(one.tls_config, resolve)),
    })),
    stdouts: raw?.stdout_outputs.length ?? 0,
  };
}

function withFiles(raw: Infer<typeof tlsFields>, resolve: (file: string) => string): Infer<typeof tlsFields> {
  const { ca_file, cert_file, key_file } = raw;
  return {
    ...raw,
    ca_file: ca_file && resolve(ca_file),
    cert_file: cert_file && resolve(cert_file),
    key_file: key_file && resolve(key_file),
  };
}
