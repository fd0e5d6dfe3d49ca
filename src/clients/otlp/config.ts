// The tracing section of prometheus.yml: where spans are sent and how many of them.

import {
  boolean,
  duration,
  number,
  object,
  oneOf,
  optional,
  record,
  type Schema,
  string,
  withDefault,
} from '#base/config/schema.ts';
import { resolveTls, type TlsConfig, tlsFields, tlsFrom } from '../http/config.ts';
import { checkHeaders } from '../http/headers.ts';

const section = object(
  {
    client_type: withDefault(oneOf('grpc', 'http'), 'grpc'),
    endpoint: withDefault(string(), ''),
    sampling_fraction: withDefault(number(), 0),
    insecure: withDefault(boolean(), false),
    tls_config: optional(tlsFields),
    headers: record(string()),
    compression: withDefault(string(), ''),
    timeout: withDefault(duration(), 0),
  },
  (value, report) => {
    const refusal = 'custom authorization header configuration is not yet supported';
    checkHeaders(value.headers, (message) => report('headers', message), refusal);
    if (value.endpoint === '') report('endpoint', 'tracing endpoint must be set');
    if (value.compression !== '' && value.compression !== 'gzip') {
      report('compression', `invalid compression type ${value.compression} provided, valid options: gzip`);
    }
  },
);
type Raw = typeof section extends Schema<infer T> ? T : never;

/** Plain data, so that it crosses threads. */
export type TracingConfig = {
  readonly protocol: 'grpc' | 'http';
  /** host:port, or a whole address. */
  readonly endpoint: string;
  readonly fraction: number;
  readonly insecure: boolean;
  readonly tls: TlsConfig | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly gzip: boolean;
  readonly timeoutMs: number;
};

export const tracingSection = section;
const DEFAULT_TIMEOUT_MS = 10_000;

export const tracingConfig = (raw: Raw, resolve: (file: string) => string): TracingConfig => ({
  protocol: raw.client_type,
  endpoint: raw.endpoint,
  fraction: raw.sampling_fraction,
  insecure: raw.insecure,
  tls: resolveTls(tlsFrom(raw.tls_config), resolve),
  headers: raw.headers,
  gzip: raw.compression === 'gzip',
  timeoutMs: raw.timeout || DEFAULT_TIMEOUT_MS,
});
