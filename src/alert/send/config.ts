// The `alerting` section of prometheus.yml: which Alertmanagers alerts are sent to, and what is done to their labels first.

import { duration, list, map, object, oneOf, optional, type Schema, string, withDefault } from '#base/config/schema.ts';
import { sigv4From, sigv4Section } from '#clients/cloud/config.ts';
import {
  checkHttpClient,
  type HttpClientConfig,
  httpClientFields,
  httpClientFrom,
  type RawHttpClient,
} from '#clients/http/config.ts';
import type { ResolvePath } from '#collect/discovery/provider.ts';
import { type DiscoveryConfig, discoveriesOf, discoveryFields } from '#collect/discovery/providers.ts';
import { relabelConfigs } from '#collect/relabel/config.ts';
import type { RelabelRule } from '#collect/relabel/relabel.ts';

/** One entry of `alertmanagers`: where they are found and how they are called. */
export type AlertmanagerConfig = {
  readonly scheme: 'http' | 'https';
  readonly pathPrefix: string;
  readonly timeoutMs: number;
  readonly relabelRules: readonly RelabelRule[];
  /** Applied to alerts for these Alertmanagers only, after the ones for all. */
  readonly alertRelabelRules: readonly RelabelRule[];
  readonly discoveries: readonly DiscoveryConfig[];
  readonly http: HttpClientConfig;
};

export type AlertingSection = {
  readonly alertRelabelRules: readonly RelabelRule[];
  readonly alertmanagers: readonly AlertmanagerConfig[];
};

export const NO_ALERTING: AlertingSection = { alertRelabelRules: [], alertmanagers: [] };

const ownFields = {
  scheme: withDefault(oneOf('http', 'https'), 'http'),
  path_prefix: withDefault(string(), ''),
  timeout: withDefault(duration(), 10_000),
  api_version: withDefault(oneOf('v2'), 'v2'),
  relabel_configs: relabelConfigs,
  alert_relabel_configs: relabelConfigs,
  sigv4: optional(sigv4Section),
  ...httpClientFields,
};
const plain = object(ownFields);
type Raw = typeof plain extends Schema<infer T> ? T : never;

function alertmanagerSection(resolve: ResolvePath): Schema<AlertmanagerConfig> {
  const schema = object({ ...ownFields, ...discoveryFields(resolve) }, (value, report) =>
    checkHttpClient(value as unknown as RawHttpClient, report),
  );
  return map(schema, (value) => {
    const raw = value as unknown as Raw;
    return {
      scheme: raw.scheme,
      pathPrefix: raw.path_prefix,
      timeoutMs: raw.timeout,
      relabelRules: raw.relabel_configs,
      alertRelabelRules: raw.alert_relabel_configs,
      discoveries: discoveriesOf(value),
      http: {
        ...httpClientFrom(raw as unknown as RawHttpClient, resolve),
        ...(raw.sigv4 && { cloud: sigv4From(raw.sigv4) }),
      },
    };
  });
}

export const alertingSection = (resolve: ResolvePath): Schema<AlertingSection> =>
  map(
    object({ alert_relabel_configs: relabelConfigs, alertmanagers: list(alertmanagerSection(resolve)) }),
    (value) => ({
      alertRelabelRules: value.alert_relabel_configs,
      alertmanagers: value.alertmanagers,
    }),
  );
