// The modules of probes: blackbox_exporter's file, so that one written for it works here.

import {
  boolean,
  duration,
  type Infer,
  integer,
  list,
  object,
  oneOf,
  optional,
  record,
  secret,
  size,
  string,
  withDefault,
} from '#base/config/schema.ts';

const tls = object({
  insecure_skip_verify: withDefault(boolean(), false),
  ca_file: optional(string()),
  cert_file: optional(string()),
  key_file: optional(string()),
  server_name: optional(string()),
});

const headerMatch = object({
  header: string(),
  regexp: string(),
  allow_missing: withDefault(boolean(), false),
});

const ip = {
  preferred_ip_protocol: withDefault(oneOf('ip4', 'ip6'), 'ip6'),
  ip_protocol_fallback: withDefault(boolean(), true),
};

const http = object({
  valid_status_codes: withDefault(list(integer(0)), []),
  valid_http_versions: withDefault(list(string()), []),
  method: withDefault(string(), 'GET'),
  headers: withDefault(record(string()), {}),
  body: withDefault(string(), ''),
  body_size_limit: withDefault(size(), 0),
  compression: withDefault(string(), ''),
  follow_redirects: withDefault(boolean(), true),
  no_follow_redirects: withDefault(boolean(), false),
  fail_if_ssl: withDefault(boolean(), false),
  fail_if_not_ssl: withDefault(boolean(), false),
  fail_if_body_matches_regexp: withDefault(list(string()), []),
  fail_if_body_not_matches_regexp: withDefault(list(string()), []),
  fail_if_header_matches: withDefault(list(headerMatch), []),
  fail_if_header_not_matches: withDefault(list(headerMatch), []),
  basic_auth: optional(object({ username: string(), password: withDefault(secret(), '') })),
  bearer_token: optional(secret()),
  tls_config: optional(tls),
  ...ip,
});

const tcp = object({
  query_response: withDefault(
    list(
      object({
        expect: withDefault(string(), ''),
        send: withDefault(string(), ''),
        starttls: withDefault(boolean(), false),
      }),
    ),
    [],
  ),
  tls: withDefault(boolean(), false),
  tls_config: optional(tls),
  source_ip_address: optional(string()),
  ...ip,
});

const rrs = object({
  fail_if_matches_regexp: withDefault(list(string()), []),
  fail_if_all_match_regexp: withDefault(list(string()), []),
  fail_if_not_matches_regexp: withDefault(list(string()), []),
  fail_if_none_matches_regexp: withDefault(list(string()), []),
});

const dns = object({
  query_name: string(),
  query_type: withDefault(string(), 'ANY'),
  query_class: withDefault(oneOf('IN', 'CH', 'HS', 'ANY'), 'IN'),
  transport_protocol: withDefault(oneOf('udp', 'tcp'), 'udp'),
  recursion_desired: withDefault(boolean(), true),
  valid_rcodes: withDefault(list(string()), ['NOERROR']),
  validate_answer_rrs: optional(rrs),
  validate_authority_rrs: optional(rrs),
  validate_additional_rrs: optional(rrs),
  source_ip_address: optional(string()),
  ...ip,
});

const icmp = object({
  payload_size: withDefault(integer(0, 65_507), 56),
  ttl: withDefault(integer(0, 255), 0),
  dont_fragment: withDefault(boolean(), false),
  source_ip_address: optional(string()),
  ...ip,
});

export const moduleSchema = object({
  prober: oneOf('http', 'tcp', 'dns', 'icmp'),
  timeout: withDefault(duration(), 0),
  http: optional(http),
  tcp: optional(tcp),
  dns: optional(dns),
  icmp: optional(icmp),
});
export const modulesSchema = record(moduleSchema);

export type ProbeModule = Infer<typeof moduleSchema>;
export type HttpModule = Infer<typeof http>;
export type TcpModule = Infer<typeof tcp>;
export type DnsModule = Infer<typeof dns>;
export type IcmpModule = Infer<typeof icmp>;
export type TlsModule = Infer<typeof tls>;
type RrModule = Infer<typeof rrs>;
export type RrChecks = RrModule;

export const DEFAULT_HTTP: HttpModule = {
  valid_status_codes: [],
  valid_http_versions: [],
  method: 'GET',
  headers: {},
  body: '',
  body_size_limit: 0,
  compression: '',
  follow_redirects: true,
  no_follow_redirects: false,
  fail_if_ssl: false,
  fail_if_not_ssl: false,
  fail_if_body_matches_regexp: [],
  fail_if_body_not_matches_regexp: [],
  fail_if_header_matches: [],
  fail_if_header_not_matches: [],
  basic_auth: undefined,
  bearer_token: undefined,
  tls_config: undefined,
  preferred_ip_protocol: 'ip6',
  ip_protocol_fallback: true,
};
export const DEFAULT_TCP: TcpModule = {
  query_response: [],
  tls: false,
  tls_config: undefined,
  source_ip_address: undefined,
  preferred_ip_protocol: 'ip6',
  ip_protocol_fallback: true,
};
export const DEFAULT_ICMP: IcmpModule = {
  payload_size: 56,
  ttl: 0,
  dont_fragment: false,
  source_ip_address: undefined,
  preferred_ip_protocol: 'ip6',
  ip_protocol_fallback: true,
};
