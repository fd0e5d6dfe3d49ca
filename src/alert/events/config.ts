// The section event_recorder of an alertmanager's configuration: where events go.

import {
  anything,
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
import { type HttpClientConfig, httpClientFrom, httpClientSection } from '#clients/http/config.ts';
import { secretUrl } from '../route/url.ts';

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

export const eventRecorderSection = object(
  {
    file_outputs: list(fileSection),
    webhook_outputs: list(webhookSection),
    kafka_outputs: list(anything()),
    stdout_outputs: list(stdoutSection),
  },
  ({ kafka_outputs }, report) => {
    if (kafka_outputs.length > 0)
      report('kafka_outputs', 'there is no output to Kafka here: send events to a webhook that passes them on');
  },
);

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

export type EventOutputs = {
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
    stdouts: raw?.stdout_outputs.length ?? 0,
  };
}
