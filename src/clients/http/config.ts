// The HTTP client section of configuration files, shared by scraping, discovery, remote write and notifications: fields as
// in Prometheus, checks between fields, and the plain data that a client is made from. Secrets in files are read when used.

import {
  boolean,
  list,
  object,
  oneOf,
  optional,
  record,
  type Schema,
  secret,
  string,
  withDefault,
} from '#base/config/schema.ts';
import type { CloudAuth } from '../cloud/config.ts';

export type TlsConfig = {
  readonly ca?: string;
  readonly caFile?: string;
  readonly cert?: string;
  readonly certFile?: string;
  readonly key?: string;
  readonly keyFile?: string;
  readonly serverName?: string;
  readonly insecureSkipVerify: boolean;
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
};
export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** A secret given in place or in a file. */
export type Secret = { readonly text: string } | { readonly file: string };

export type ProxyConfig = {
  readonly url?: string;
  readonly noProxy?: string;
  readonly fromEnvironment: boolean;
  readonly connectHeaders: Readonly<Record<string, readonly string[]>>;
};

export type OAuth2Config = {
  readonly clientId: string;
  readonly clientSecret?: Secret;
  /** 'client_credentials', or the JWT bearer grant with a signing key. */
  readonly grantType: string;
  readonly key?: Secret;
  readonly keyId?: string;
  readonly signatureAlgorithm?: string;
  readonly issuer?: string;
  readonly audience?: string;
  readonly claims: Readonly<Record<string, string>>;
  readonly scopes: readonly string[];
  readonly tokenUrl: string;
  readonly endpointParams: Readonly<Record<string, string>>;
  readonly tls: TlsConfig | undefined;
  readonly proxy: ProxyConfig;
};

export type HttpClientConfig = {
  readonly basicAuth?: { readonly username: Secret; readonly password: Secret | undefined };
  readonly authorization?: { readonly type: string; readonly credentials: Secret | undefined };
  readonly oauth2?: OAuth2Config;
  /** A cloud provider's own way to say who asks. */
  readonly cloud?: CloudAuth;
  readonly tls?: TlsConfig;
  readonly proxy: ProxyConfig;
  readonly followRedirects: boolean;
  readonly enableHttp2: boolean;
  readonly headers: Readonly<Record<string, readonly Secret[]>>;
};

export const DEFAULT_HTTP_CLIENT: HttpClientConfig = {
  proxy: { fromEnvironment: false, connectHeaders: {} },
  followRedirects: true,
  enableHttp2: true,
  headers: {},
};

const TLS_VERSIONS: Readonly<Record<string, TlsVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
};

export const tlsFields = object(
  {
    ca: optional(string()),
    ca_file: optional(string()),
    ca_ref: optional(string()),
    cert: optional(string()),
    cert_file: optional(string()),
    cert_ref: optional(string()),
    key: optional(secret()),
    key_file: optional(string()),
    key_ref: optional(string()),
    server_name: optional(string()),
    insecure_skip_verify: withDefault(boolean(), false),
    min_version: optional(oneOf('TLS10', 'TLS11', 'TLS12', 'TLS13')),
    max_version: optional(oneOf('TLS10', 'TLS11', 'TLS12', 'TLS13')),
  },
  (tls, report) => {
    if (tls.ca_ref !== undefined) report('ca_ref', NO_REFERENCES);
    if (tls.cert_ref !== undefined) report('cert_ref', NO_REFERENCES);
    if (tls.key_ref !== undefined) report('key_ref', NO_REFERENCES);
    if (tls.ca && tls.ca_file) report('ca', 'at most one of ca, ca_file & ca_ref must be configured');
    if (tls.cert && tls.cert_file) report('cert', 'at most one of cert, cert_file & cert_ref must be configured');
    if (tls.key && tls.key_file) report('key', 'at most one of key, key_file & key_ref must be configured');
    const hasCert = Boolean(tls.cert || tls.cert_file);
    const hasKey = Boolean(tls.key || tls.key_file);
    if (hasCert && !hasKey)
      report('key', 'exactly one of key or key_file must be configured when a client certificate is configured');
    if (hasKey && !hasCert)
      report('cert', 'exactly one of cert or cert_file must be configured when a client key is configured');
  },
);
const NO_REFERENCES = 'secret references need a secret manager, which there is none; use the _file form';

export function tlsFrom(raw: Parsed<typeof tlsFields> | undefined): TlsConfig | undefined {
  if (!raw) return undefined;
  return {
    insecureSkipVerify: raw.insecure_skip_verify,
    ...(raw.ca && { ca: raw.ca }),
    ...(raw.ca_file && { caFile: raw.ca_file }),
    ...(raw.cert && { cert: raw.cert }),
    ...(raw.cert_file && { certFile: raw.cert_file }),
    ...(raw.key && { key: raw.key }),
    ...(raw.key_file && { keyFile: raw.key_file }),
    ...(raw.server_name && { serverName: raw.server_name }),
    ...(raw.min_version && { minVersion: TLS_VERSIONS[raw.min_version]! }),
    ...(raw.max_version && { maxVersion: TLS_VERSIONS[raw.max_version]! }),
  };
}

type Parsed<S> = S extends Schema<infer T> ? T : never;

const proxyFields = {
  proxy_url: optional(string()),
  no_proxy: optional(string()),
  proxy_from_environment: withDefault(boolean(), false),
  proxy_connect_header: record(list(secret())),
};

const oauth2Fields = object(
  {
    client_id: withDefault(string(), ''),
    client_secret: optional(secret()),
    client_secret_file: optional(string()),
    client_secret_ref: optional(string()),
    client_certificate_key_id: optional(string()),
    client_certificate_key: optional(secret()),
    client_certificate_key_file: optional(string()),
    client_certificate_key_ref: optional(string()),
    grant_type: withDefault(string(), 'client_credentials'),
    signature_algorithm: optional(oneOf('RS256', 'RS384', 'RS512')),
    iss: optional(string()),
    audience: optional(string()),
    claims: record(string()),
    scopes: list(string()),
    token_url: withDefault(string(), ''),
    endpoint_params: record(string()),
    tls_config: optional(tlsFields),
    ...proxyFields,
  },
  (oauth2, report) => {
    if (oauth2.client_id === '') report('client_id', 'oauth2 client_id must be configured');
    if (oauth2.token_url === '') report('token_url', 'oauth2 token_url must be configured');
    if (oauth2.client_secret_ref !== undefined) report('client_secret_ref', NO_REFERENCES);
    if (oauth2.client_certificate_key_ref !== undefined) report('client_certificate_key_ref', NO_REFERENCES);
    const isBearer = oauth2.grant_type === JWT_BEARER;
    if (!isBearer && oauth2.grant_type !== 'client_credentials') {
      report('grant_type', `expected client_credentials or ${JWT_BEARER}`);
    }
    const secrets = [oauth2.client_secret, oauth2.client_secret_file].filter((s) => s !== undefined).length;
    const keys = [oauth2.client_certificate_key, oauth2.client_certificate_key_file].filter(
      (s) => s !== undefined,
    ).length;
    if (secrets > 1) {
      report(
        'client_secret',
        'at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials',
      );
    }
    if (isBearer && keys !== 1) {
      report(
        'client_certificate_key',
        'exactly one of oauth2 client_certificate_key & client_certificate_key_file must be configured using grant-type=jwt-bearer',
      );
    }
    checkProxy(oauth2, report);
  },
);
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** The fields, for sections that hold them beside their own (`object({ ...httpClientFields, ... }, check)`). */
export const httpClientFields = {
  basic_auth: optional(
    object(
      {
        username: optional(string()),
        username_file: optional(string()),
        username_ref: optional(string()),
        password: optional(secret()),
        password_file: optional(string()),
        password_ref: optional(string()),
      },
      (auth, report) => {
        if (auth.username_ref !== undefined) report('username_ref', NO_REFERENCES);
        if (auth.password_ref !== undefined) report('password_ref', NO_REFERENCES);
        if (auth.username && auth.username_file) {
          report('username', 'at most one of basic_auth username, username_file & username_ref must be configured');
        }
        if (auth.password && auth.password_file) {
          report('password', 'at most one of basic_auth password, password_file & password_ref must be configured');
        }
      },
    ),
  ),
  authorization: optional(
    object(
      {
        type: withDefault(string(), 'Bearer'),
        credentials: optional(secret()),
        credentials_file: optional(string()),
        credentials_ref: optional(string()),
      },
      (auth, report) => {
        if (auth.credentials_ref !== undefined) report('credentials_ref', NO_REFERENCES);
        if (auth.type.trim().toLowerCase() === 'basic') {
          report('type', 'authorization type cannot be set to "basic", use "basic_auth" instead');
        }
        if (auth.credentials && auth.credentials_file) {
          report('credentials', 'at most one of authorization credentials & credentials_file must be configured');
        }
      },
    ),
  ),
  oauth2: optional(oauth2Fields),
  bearer_token: optional(secret()),
  bearer_token_file: optional(string()),
  tls_config: optional(tlsFields),
  follow_redirects: withDefault(boolean(), true),
  enable_http2: withDefault(boolean(), true),
  ...proxyFields,
  http_headers: record(object({ values: list(string()), secrets: list(secret()), files: list(string()) })),
};

const section = object(httpClientFields);
export type RawHttpClient = Parsed<typeof section>;

type Report = (field: string, message: string) => void;
type RawProxy = Pick<RawHttpClient, 'proxy_url' | 'no_proxy' | 'proxy_from_environment' | 'proxy_connect_header'>;

/** What the fields must not say together. */
export function checkHttpClient(raw: RawHttpClient, report: Report): void {
  if (raw.bearer_token && raw.bearer_token_file) {
    report('bearer_token', 'at most one of bearer_token & bearer_token_file must be configured');
  }
  const hasBearer = Boolean(raw.bearer_token || raw.bearer_token_file);
  if (raw.basic_auth && hasBearer) {
    report('basic_auth', 'at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured');
  }
  if (raw.authorization && hasBearer) {
    report('authorization', 'authorization is not compatible with bearer_token & bearer_token_file');
  }
  if (raw.authorization && (raw.basic_auth || raw.oauth2)) {
    report('authorization', 'at most one of basic_auth, oauth2 & authorization must be configured');
  }
  if (raw.basic_auth && raw.oauth2) {
    report('oauth2', 'at most one of basic_auth, oauth2 & authorization must be configured');
  }
  for (const name of Object.keys(raw.http_headers)) {
    if (RESERVED_HEADERS.has(name.toLowerCase()))
      report('http_headers', `setting header ${JSON.stringify(name)} is not allowed`);
  }
  checkProxy(raw, report);
}

const RESERVED_HEADERS = new Set([
  'accept-encoding',
  'authorization',
  'host',
  'content-encoding',
  'content-length',
  'content-type',
  'user-agent',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'www-authenticate',
  'x-prometheus-remote-write-version',
  'x-prometheus-remote-read-version',
  'x-prometheus-scrape-timeout-seconds',
]);

function checkProxy(raw: RawProxy, report: Report): void {
  if (raw.proxy_from_environment && raw.proxy_url) {
    report('proxy_url', 'if proxy_from_environment is configured, proxy_url must not be configured');
  }
  if (raw.proxy_from_environment && raw.no_proxy) {
    report('no_proxy', 'if proxy_from_environment is configured, no_proxy must not be configured');
  }
  if (raw.no_proxy && !raw.proxy_url)
    report('no_proxy', 'if no_proxy is configured, proxy_url must also be configured');
  if (Object.keys(raw.proxy_connect_header).length > 0 && !raw.proxy_url && !raw.proxy_from_environment) {
    report(
      'proxy_connect_header',
      'if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured',
    );
  }
  // Without a scheme it is http, as for the environment's.
  if (raw.proxy_url && !URL.canParse(raw.proxy_url) && !URL.canParse(`http://${raw.proxy_url}`))
    report('proxy_url', `cannot parse ${JSON.stringify(raw.proxy_url)} as URL`);
}

/** `resolve` turns a file name of the configuration into one the program can open (relative to the configuration's folder). */
export function httpClientFrom(raw: RawHttpClient, resolve: (file: string) => string): HttpClientConfig {
  const secretOf = (text: string | undefined, file: string | undefined): Secret | undefined =>
    file ? { file: resolve(file) } : text !== undefined ? { text } : undefined;
  const bearer = secretOf(raw.bearer_token, raw.bearer_token_file);
  const basic = raw.basic_auth;
  const tls = resolveTls(tlsFrom(raw.tls_config), resolve);
  const headers: Record<string, Secret[]> = {};
  for (const [name, sources] of Object.entries(raw.http_headers)) {
    headers[name] = [
      ...sources.values.map((text) => ({ text })),
      ...sources.secrets.map((text) => ({ text })),
      ...sources.files.map((file) => ({ file: resolve(file) })),
    ];
  }
  return {
    ...(basic && {
      basicAuth: {
        username: secretOf(basic.username, basic.username_file) ?? { text: '' },
        password: secretOf(basic.password, basic.password_file),
      },
    }),
    ...(raw.authorization
      ? {
          authorization: {
            type: raw.authorization.type.trim() || 'Bearer',
            credentials: secretOf(raw.authorization.credentials, raw.authorization.credentials_file),
          },
        }
      : bearer && { authorization: { type: 'Bearer', credentials: bearer } }),
    ...(raw.oauth2 && { oauth2: oauth2From(raw.oauth2, secretOf, resolve) }),
    ...(tls && { tls }),
    proxy: proxyFrom(raw),
    followRedirects: raw.follow_redirects,
    enableHttp2: raw.enable_http2,
    headers,
  };
}

function oauth2From(
  raw: Parsed<typeof oauth2Fields>,
  secretOf: (text: string | undefined, file: string | undefined) => Secret | undefined,
  resolve: (file: string) => string,
): OAuth2Config {
  const clientSecret = secretOf(raw.client_secret, raw.client_secret_file);
  const key = secretOf(raw.client_certificate_key, raw.client_certificate_key_file);
  return {
    clientId: raw.client_id,
    ...(clientSecret && { clientSecret }),
    grantType: raw.grant_type,
    ...(key && { key }),
    ...(raw.client_certificate_key_id && { keyId: raw.client_certificate_key_id }),
    ...(raw.signature_algorithm && { signatureAlgorithm: raw.signature_algorithm }),
    ...(raw.iss && { issuer: raw.iss }),
    ...(raw.audience && { audience: raw.audience }),
    claims: raw.claims,
    scopes: raw.scopes,
    tokenUrl: raw.token_url,
    endpointParams: raw.endpoint_params,
    tls: resolveTls(tlsFrom(raw.tls_config), resolve),
    proxy: proxyFrom(raw),
  };
}

export function resolveTls(tls: TlsConfig | undefined, resolve: (file: string) => string): TlsConfig | undefined {
  if (!tls) return undefined;
  return {
    ...tls,
    ...(tls.caFile && { caFile: resolve(tls.caFile) }),
    ...(tls.certFile && { certFile: resolve(tls.certFile) }),
    ...(tls.keyFile && { keyFile: resolve(tls.keyFile) }),
  };
}

function proxyFrom(raw: RawProxy): ProxyConfig {
  return {
    ...(raw.proxy_url && { url: raw.proxy_url }),
    ...(raw.no_proxy && { noProxy: raw.no_proxy }),
    fromEnvironment: raw.proxy_from_environment,
    connectHeaders: raw.proxy_connect_header,
  };
}

/** The whole section under one key: `http_config`. */
export const httpClientSection = object(httpClientFields, checkHttpClient);
