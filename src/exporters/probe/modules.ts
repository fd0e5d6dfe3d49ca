// The modules of probes: blackbox_exporter's file, so that one written for it works here. What cannot be right in a module is
// refused when the file is loaded, not when it is probed.

import type { Node } from 'yaml';
import {
  boolean,
  duration,
  type Infer,
  integer,
  list,
  map,
  object,
  oneOf,
  optional,
  record,
  type Schema,
  size,
  string,
  withDefault,
} from '#base/config/schema.ts';
import { re2 } from '#base/regex/engine.ts';
import { checkHttpClient, httpClientFields, type RawHttpClient, tlsFields } from '#clients/http/config.ts';
import { compileCel } from './cel.ts';
import { DNS_TYPES } from './dns-message.ts';

/** A regular expression; kept as text, compiled when it is used. */
const pattern = (): Schema<string> =>
  map(string(), (text) => {
    re2().compile(text);
    return text;
  });

/** An expression over the body; kept as text, compiled when it is used. */
const cel = (): Schema<string> =>
  map(string(), (text) => {
    if (text !== '') compileCel(text);
    return text;
  });

/** Text or !!binary as bytes, one character each. */
const bytes = (): Schema<string> => {
  const text = string();
  return {
    ...text,
    read(node: Node, path, reading) {
      if (reading.kinds.isScalar(node) && node.tag === 'tag:yaml.org,2002:binary')
        return Buffer.from(String(node.source ?? node.value), 'base64').toString('latin1');
      const value = text.read(node, path, reading);
      return value === undefined ? undefined : Buffer.from(value).toString('latin1');
    },
  };
};

const headerMatch = object({
  header: string(),
  regexp: pattern(),
  allow_missing: withDefault(boolean(), false),
});

const ip = {
  preferred_ip_protocol: withDefault(oneOf('ip4', 'ip6'), 'ip6'),
  ip_protocol_fallback: withDefault(boolean(), true),
};

type Report = (field: string, message: string) => void;

const http = object(
  {
    ...httpClientFields,
    valid_status_codes: withDefault(list(integer(0)), []),
    valid_http_versions: withDefault(list(string()), []),
    method: withDefault(string(), 'GET'),
    headers: withDefault(record(string()), {}),
    body: withDefault(string(), ''),
    body_file: withDefault(string(), ''),
    body_size_limit: withDefault(size(), 0),
    compression: withDefault(oneOf('', 'gzip', 'br', 'deflate', 'identity'), ''),
    no_follow_redirects: withDefault(boolean(), false),
    skip_resolve_phase_with_proxy: withDefault(boolean(), false),
    enable_http3: withDefault(boolean(), false),
    fail_if_ssl: withDefault(boolean(), false),
    fail_if_not_ssl: withDefault(boolean(), false),
    fail_if_body_json_matches_cel: withDefault(cel(), ''),
    fail_if_body_json_not_matches_cel: withDefault(cel(), ''),
    fail_if_body_matches_regexp: withDefault(list(pattern()), []),
    fail_if_body_not_matches_regexp: withDefault(list(pattern()), []),
    fail_if_header_matches: withDefault(list(headerMatch), []),
    fail_if_header_not_matches: withDefault(list(headerMatch), []),
    ...ip,
  },
  (module, report) => {
    checkHttpClient(module, report);
    if (module.body !== '' && module.body_file !== '')
      report('body_file', 'setting body and body_file both are not allowed');
    if (module.enable_http3 && module.enable_http2)
      report('enable_http3', 'http3 cannot be enabled when http2 is enabled');
    if (module.enable_http3 && module.valid_http_versions.some((version) => !version.startsWith('HTTP/3')))
      report('valid_http_versions', 'with enable_http3 only HTTP/3.0 can be valid');
    checkCompression(module.compression, module.headers, report);
  },
);

/** What a module asks for that cannot be had here; the file is taken, probes of such a module fail with this. */
export const lackOf = ({ prober, http: options }: ProbeModule): string | undefined =>
  prober === 'http' && options?.enable_http3
    ? 'HTTP/3 cannot be probed: the runtime has no QUIC; leave enable_http3 out to probe over HTTP/2 or 1.1'
    : undefined;

/** The algorithm to be undone must be one that the request accepts. */
function checkCompression(compression: string, headers: Readonly<Record<string, string>>, report: Report): void {
  const accepted = Object.entries(headers).find(([name]) => name.toLowerCase() === 'accept-encoding')?.[1];
  if (compression === '' || accepted === undefined) return;
  const weights = new Map(
    accepted.split(',').map((part) => {
      const [name = '', q = 'q=1'] = part
        .trim()
        .toLowerCase()
        .split(/\s*;\s*/);
      return [name, Number(q.replace(/^q=/, ''))] as const;
    }),
  );
  const weight = weights.get(compression) ?? weights.get('*') ?? (compression === 'identity' ? 1 : 0);
  if (!(weight > 0))
    report('compression', `invalid configuration: compression ${compression} is not in Accept-Encoding "${accepted}"`);
}

const queryResponse = withDefault(
  list(
    object(
      {
        expect: withDefault(pattern(), ''),
        expect_bytes: withDefault(bytes(), ''),
        labels: withDefault(list(object({ name: string(), value: withDefault(string(), '') })), []),
        send: withDefault(bytes(), ''),
        starttls: withDefault(boolean(), false),
      },
      (step, report) => {
        if (step.expect !== '' && step.expect_bytes !== '')
          report('expect_bytes', 'expect and expect_bytes cannot both be set');
      },
    ),
  ),
  [],
);

const tcp = object({
  query_response: queryResponse,
  tls: withDefault(boolean(), false),
  tls_config: optional(tlsFields),
  source_ip_address: optional(string()),
  ...ip,
});

const unix = object({
  query_response: queryResponse,
  tls: withDefault(boolean(), false),
  tls_config: optional(tlsFields),
});

const grpc = object({
  service: withDefault(string(), ''),
  metadata: withDefault(record(list(string())), {}),
  tls: withDefault(boolean(), false),
  tls_config: optional(tlsFields),
  ...ip,
});

/** As text, or as values, secrets and files. */
const header = (): Schema<readonly string[]> => {
  const text = string();
  const many = list(string());
  return {
    expected: 'text or a list of texts',
    read(node, path, reading) {
      if (reading.kinds.isScalar(node)) {
        const value = text.read(node, path, reading);
        return value === undefined ? undefined : [value];
      }
      return many.read(node, path, reading);
    },
  };
};

const websocket = object({
  http_config: optional(object(httpClientFields, checkHttpClient)),
  headers: withDefault(record(header()), {}),
  query_response: queryResponse,
  ...ip,
});

const rrs = object({
  fail_if_matches_regexp: withDefault(list(pattern()), []),
  fail_if_all_match_regexp: withDefault(list(pattern()), []),
  fail_if_not_matches_regexp: withDefault(list(pattern()), []),
  fail_if_none_matches_regexp: withDefault(list(pattern()), []),
});

const dns = object(
  {
    query_name: string(),
    query_type: withDefault(
      map(string(), (name) => {
        if (!(name.toUpperCase() in DNS_TYPES)) throw new Error(`query type '${name}' is not valid`);
        return name.toUpperCase();
      }),
      'ANY',
    ),
    query_class: withDefault(oneOf('IN', 'CH', 'HS', 'ANY'), 'IN'),
    transport_protocol: withDefault(oneOf('udp', 'tcp'), 'udp'),
    dns_over_tls: withDefault(boolean(), false),
    tls_config: optional(tlsFields),
    recursion_desired: withDefault(boolean(), true),
    valid_rcodes: withDefault(list(string()), ['NOERROR']),
    validate_answer_rrs: optional(rrs),
    validate_authority_rrs: optional(rrs),
    validate_additional_rrs: optional(rrs),
    source_ip_address: optional(string()),
    ...ip,
  },
  (module, report) => {
    if (module.dns_over_tls && module.transport_protocol !== 'tcp')
      report('dns_over_tls', 'DNS over TLS needs transport_protocol tcp');
  },
);

const icmp = object({
  payload_size: withDefault(integer(0, 65_507), 56),
  ttl: withDefault(integer(0, 255), 0),
  dont_fragment: withDefault(boolean(), false),
  source_ip_address: optional(string()),
  ...ip,
});

export const PROBERS = ['http', 'tcp', 'dns', 'icmp', 'grpc', 'unix', 'websocket'] as const;

export const moduleSchema = object(
  {
    prober: oneOf(...PROBERS),
    timeout: withDefault(duration(), 0),
    http: optional(http),
    tcp: optional(tcp),
    dns: optional(dns),
    icmp: optional(icmp),
    grpc: optional(grpc),
    unix: optional(unix),
    websocket: optional(websocket),
  },
  (module, report) => {
    if (module.prober === 'dns' && !module.dns) report('dns', 'a dns module needs its section with query_name');
  },
);
export const modulesSchema = record(moduleSchema);

export type ProbeModule = Infer<typeof moduleSchema>;
export type HttpModule = Infer<typeof http>;
export type TcpModule = Infer<typeof tcp>;
export type UnixModule = Infer<typeof unix>;
export type DnsModule = Infer<typeof dns>;
export type IcmpModule = Infer<typeof icmp>;
export type GrpcModule = Infer<typeof grpc>;
export type WebsocketModule = Infer<typeof websocket>;
export type QueryResponse = TcpModule['query_response'];
export type TlsModule = Infer<typeof tlsFields>;
export type RrChecks = Infer<typeof rrs>;

const NO_CLIENT: RawHttpClient = {
  basic_auth: undefined,
  authorization: undefined,
  oauth2: undefined,
  bearer_token: undefined,
  bearer_token_file: undefined,
  tls_config: undefined,
  follow_redirects: true,
  enable_http2: true,
  proxy_url: undefined,
  no_proxy: undefined,
  proxy_from_environment: false,
  proxy_connect_header: {},
  http_headers: {},
};
const ANY_IP = { preferred_ip_protocol: 'ip6', ip_protocol_fallback: true } as const;

export const DEFAULT_HTTP: HttpModule = {
  ...NO_CLIENT,
  ...ANY_IP,
  valid_status_codes: [],
  valid_http_versions: [],
  method: 'GET',
  headers: {},
  body: '',
  body_file: '',
  body_size_limit: 0,
  compression: '',
  no_follow_redirects: false,
  skip_resolve_phase_with_proxy: false,
  enable_http3: false,
  fail_if_ssl: false,
  fail_if_not_ssl: false,
  fail_if_body_json_matches_cel: '',
  fail_if_body_json_not_matches_cel: '',
  fail_if_body_matches_regexp: [],
  fail_if_body_not_matches_regexp: [],
  fail_if_header_matches: [],
  fail_if_header_not_matches: [],
};
export const DEFAULT_UNIX: UnixModule = { query_response: [], tls: false, tls_config: undefined };
export const DEFAULT_TCP: TcpModule = { ...DEFAULT_UNIX, ...ANY_IP, source_ip_address: undefined };
export const DEFAULT_ICMP: IcmpModule = {
  ...ANY_IP,
  payload_size: 56,
  ttl: 0,
  dont_fragment: false,
  source_ip_address: undefined,
};
export const DEFAULT_GRPC: GrpcModule = { ...ANY_IP, service: '', metadata: {}, tls: false, tls_config: undefined };
export const DEFAULT_WEBSOCKET: WebsocketModule = {
  ...ANY_IP,
  http_config: undefined,
  headers: {},
  query_response: [],
};
