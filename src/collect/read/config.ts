// The remote_read section of prometheus.yml, every field of 3.14, and the plain data that a reader is made from.

import {
  boolean,
  duration,
  integer,
  list,
  object,
  record,
  type Schema,
  string,
  withDefault,
} from '#base/config/schema.ts';
import {
  checkHttpClient,
  type HttpClientConfig,
  httpClientFields,
  httpClientFrom,
  type RawHttpClient,
} from '#clients/http/config.ts';
import { checkHeaders } from '#clients/http/headers.ts';
import { type Labels, labelsOf } from '#model/labels.ts';
import { nameOfAddress, remoteUrl } from '../send/address.ts';

const DEFAULT_FRAME_BYTES = 50_000_000;

const remoteReadSection = object(
  {
    url: remoteUrl('remote_read'),
    remote_timeout: withDefault(duration(), 60_000),
    chunked_read_limit: withDefault(integer(0), DEFAULT_FRAME_BYTES),
    headers: record(string()),
    read_recent: withDefault(boolean(), false),
    name: withDefault(string(), ''),
    required_matchers: record(string()),
    filter_external_labels: withDefault(boolean(), true),
    ...httpClientFields,
  },
  (value, report) => {
    checkHttpClient(value as unknown as RawHttpClient, report as (field: string, message: string) => void);
    checkHeaders(value.headers, (message) => report('headers', message));
    for (const name of Object.keys(value.required_matchers)) {
      if (name === '') report('required_matchers', `${JSON.stringify(name)} is not a valid label name`);
    }
  },
);
export type RemoteReadSection = typeof remoteReadSection extends Schema<infer T> ? T : never;

export const remoteReadSections = list(remoteReadSection);

/** A server that is read from; plain data, so that it crosses threads. */
export type RemoteReadConfig = {
  readonly name: string;
  readonly url: string;
  readonly timeoutMs: number;
  /** The largest frame of streamed chunks that is taken. */
  readonly maxFrameBytes: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Asked even for times that the own store has. */
  readonly readRecent: boolean;
  /** Selectors that do not have all of these equalities are not sent there. */
  readonly required: Labels;
  readonly filterExternalLabels: boolean;
  readonly http: HttpClientConfig;
};

export const remoteReadConfigs = (
  sections: readonly RemoteReadSection[],
  resolve: (file: string) => string,
): readonly RemoteReadConfig[] =>
  sections.map((section) => ({
    name: section.name || nameOfAddress(section.url),
    url: section.url,
    timeoutMs: section.remote_timeout,
    maxFrameBytes: section.chunked_read_limit || DEFAULT_FRAME_BYTES,
    headers: section.headers,
    readRecent: section.read_recent,
    required: labelsOf(section.required_matchers),
    filterExternalLabels: section.filter_external_labels,
    http: httpClientFrom(section as unknown as RawHttpClient, resolve),
  }));
