// The file of --web.config.file, as in Prometheus' exporter toolkit: TLS, client certificates, basic auth with bcrypt
// hashes, response headers. Beyond it: a role per user and bearer tokens. Read again when it changes; a version that does not
// load is reported and the one before stays in force.

import { createHash, timingSafeEqual } from 'node:crypto';
import path from 'node:path';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import { loadYaml } from '#base/config/load.ts';
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
  secret,
  string,
  withDefault,
} from '#base/config/schema.ts';
import type { Disk } from '#base/disk/disk.ts';
import { UserError } from '#base/errors.ts';
import type { Identity, WebConfig } from './access.ts';
import type { Role } from './http.ts';

const VERSIONS = { TLS10: 'TLSv1', TLS11: 'TLSv1.1', TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' } as const;
const version = () => oneOf('TLS13', 'TLS12', 'TLS11', 'TLS10');
const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'P-256',
  CurveP384: 'P-384',
  CurveP521: 'P-521',
  X25519: 'X25519',
};

const tlsSchema = object(
  {
    cert_file: optional(string()),
    key_file: optional(string()),
    cert: optional(string()),
    key: optional(secret()),
    client_auth_type: withDefault(
      oneOf(
        'NoClientCert',
        'RequestClientCert',
        'RequireAnyClientCert',
        'VerifyClientCertIfGiven',
        'RequireAndVerifyClientCert',
        '',
      ),
      'NoClientCert',
    ),
    client_ca_file: optional(string()),
    client_ca: optional(string()),
    client_allowed_sans: list(string()),
    min_version: withDefault(version(), 'TLS12'),
    max_version: withDefault(version(), 'TLS13'),
    cipher_suites: list(string()),
    prefer_server_cipher_suites: withDefault(boolean(), true),
    curve_preferences: list(
      map(string(), (name) => {
        const curve = CURVES[name];
        if (!curve) throw new Error(`expected one of ${Object.keys(CURVES).join(', ')}, got ${name}`);
        return curve;
      }),
    ),
  },
  (tls, report) => {
    if (!tls.cert && !tls.cert_file) report('cert_file', 'one of cert or cert_file is required');
    if (!tls.key && !tls.key_file) report('key_file', 'one of key or key_file is required');
    if (tls.cert && tls.cert_file) report('cert', 'at most one of cert and cert_file may be given');
    if (tls.key && tls.key_file) report('key', 'at most one of key and key_file may be given');
    if (tls.client_ca && tls.client_ca_file)
      report('client_ca', 'at most one of client_ca and client_ca_file may be given');
    const verifies = /Verify/.test(tls.client_auth_type);
    if (verifies && !tls.client_ca && !tls.client_ca_file) {
      report('client_auth_type', `${tls.client_auth_type} needs client_ca_file`);
    }
    if (!verifies && tls.client_allowed_sans.length > 0) {
      report('client_allowed_sans', 'needs a client_auth_type that verifies the client certificate');
    }
  },
);

const HEADERS = [
  'Strict-Transport-Security',
  'X-Content-Type-Options',
  'X-Frame-Options',
  'X-XSS-Protection',
  'Content-Security-Policy',
] as const;
const ROLES = ['read', 'write', 'admin'] as const;

const webSchema = object({
  tls_server_config: optional(tlsSchema),
  http_server_config: optional(
    object({
      http2: withDefault(boolean(), true),
      headers: optional(object(Object.fromEntries(HEADERS.map((name) => [name, optional(string())])))),
    }),
  ),
  basic_auth_users: record(
    map(secret(), (hash) => {
      if (!/^\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash)) throw new Error('expected a bcrypt hash');
      return hash;
    }),
  ),
  /** What each user may do; a user without an entry may do everything, as in Prometheus. */
  roles: record(oneOf(...ROLES)),
  bearer_tokens: list(object({ name: string(), token: secret(), role: withDefault(oneOf(...ROLES), 'read') })),
  /** A bucket that holds `burst` requests and gains one every `interval`. */
  rate_limit: optional(object({ interval: withDefault(duration(), 0), burst: withDefault(integer(1), 1) })),
});

type WebFile = Infer<typeof webSchema>;

export function loadWebConfig(file: string, disk: Disk): WebConfig {
  const content: WebFile = loadYaml(new TextDecoder().decode(disk.readFile(file)), webSchema, file);
  const tls = content.tls_server_config;
  for (const user of Object.keys(content.roles)) {
    if (!Object.hasOwn(content.basic_auth_users, user))
      throw new UserError(`roles: there is no user ${user} in basic_auth_users`, file);
  }
  const protectedAccess = Object.keys(content.basic_auth_users).length > 0 || content.bearer_tokens.length > 0;
  return {
    tls: tls && tlsOptions(tls, (name) => disk.readFile(path.resolve(path.dirname(file), name))),
    http2: content.http_server_config?.http2 ?? true,
    headers: Object.fromEntries(
      Object.entries(content.http_server_config?.headers ?? {}).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      ),
    ),
    allowedSans: tls?.client_allowed_sans ?? [],
    rateLimit: content.rate_limit?.interval ? content.rate_limit : undefined,
    authentication: protectedAccess
      ? new Authentication(content.basic_auth_users, content.roles, content.bearer_tokens)
      : undefined,
  };
}

function tlsOptions(tls: Infer<typeof tlsSchema>, readFile: (name: string) => Uint8Array): TlsOptions {
  const content = (inline: string | undefined, name: string | undefined) =>
    inline ?? (name === undefined ? undefined : Buffer.from(readFile(name)));
  const ca = content(tls.client_ca, tls.client_ca_file);
  const cert = content(tls.cert, tls.cert_file);
  const key = content(tls.key, tls.key_file);
  const requestCert = tls.client_auth_type !== 'NoClientCert' && tls.client_auth_type !== '';
  return {
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(ca === undefined ? {} : { ca }),
    requestCert,
    // Presence is checked per request, so that "if given" and "any" can be told from "required".
    rejectUnauthorized: tls.client_auth_type === 'RequireAndVerifyClientCert',
    minVersion: VERSIONS[tls.min_version] as NonNullable<SecureContextOptions['minVersion']>,
    maxVersion: VERSIONS[tls.max_version] as NonNullable<SecureContextOptions['maxVersion']>,
    honorCipherOrder: tls.prefer_server_cipher_suites,
    ...(tls.cipher_suites.length > 0 ? { ciphers: tls.cipher_suites.map(openSslName).join(':') } : {}),
    ...(tls.curve_preferences.length > 0 ? { ecdhCurve: tls.curve_preferences.join(':') } : {}),
  };
}

/** Go's names of cipher suites in OpenSSL's spelling: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 -> ECDHE-RSA-AES128-GCM-SHA256. */
export function openSslName(name: string): string {
  if (/^TLS_(AES|CHACHA20)_/.test(name)) return name;
  return name
    .replace(/^TLS_/, '')
    .replace(/^RSA_WITH_/, '')
    .replace('_WITH_', '_')
    .replace(/AES_(\d+)/, 'AES$1')
    .replace(/_CBC(?=_SHA)/, '')
    .replace(/CHACHA20_POLY1305_SHA256/, 'CHACHA20-POLY1305')
    .replaceAll('_', '-');
}

/** At most so many verified passwords are remembered, as bcrypt is slow by design. */
const VERIFIED_LIMIT = 1000;
/** Compared when the user is unknown, so that the answer takes as long as for a known one. */
const UNKNOWN_USER_HASH = '$2b$10$CwTycUXWue0Thq9StjUM0uJ8eJ7g2i8eYv5x4XqQ3Q1r1r1r1r1rO';

/** Who is asking, by basic auth or bearer token. */
export class Authentication {
  readonly #users: Readonly<Record<string, string>>;
  readonly #roles: Readonly<Record<string, Role>>;
  readonly #tokens: readonly { readonly name: string; readonly digest: Buffer; readonly role: Role }[];
  readonly #verified = new Map<string, boolean>();

  constructor(
    users: Readonly<Record<string, string>>,
    roles: Readonly<Record<string, Role>>,
    tokens: readonly { readonly name: string; readonly token: string; readonly role: Role }[],
  ) {
    this.#users = users;
    this.#roles = roles;
    this.#tokens = tokens.map(({ name, token, role }) => ({ name, role, digest: sha256(token) }));
  }

  /** Undefined when the header proves nobody. */
  async identify(header: string | undefined): Promise<Identity | undefined> {
    const [scheme = '', credentials = ''] = (header ?? '').split(/ +/, 2);
    if (/^bearer$/i.test(scheme)) {
      const digest = sha256(credentials);
      const token = this.#tokens.find((t) => timingSafeEqual(t.digest, digest));
      return token && { user: token.name, role: token.role };
    }
    if (!/^basic$/i.test(scheme)) return undefined;
    const decoded = Buffer.from(credentials, 'base64').toString('utf8');
    const colon = decoded.indexOf(':');
    if (colon < 0) return undefined;
    const user = decoded.slice(0, colon);
    const known = Object.hasOwn(this.#users, user);
    const hash = known ? this.#users[user]! : UNKNOWN_USER_HASH;
    const matches = await this.#verify(hash, decoded.slice(colon + 1));
    return known && matches ? { user, role: this.#roles[user] ?? 'admin' } : undefined;
  }

  async #verify(hash: string, password: string): Promise<boolean> {
    const key = sha256(`${hash}\0${password}`).toString('base64');
    const remembered = this.#verified.get(key);
    if (remembered !== undefined) return remembered;
    const { default: bcrypt } = await import('bcryptjs');
    const matches = await bcrypt.compare(password, hash);
    if (this.#verified.size >= VERIFIED_LIMIT) this.#verified.clear();
    this.#verified.set(key, matches);
    return matches;
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
