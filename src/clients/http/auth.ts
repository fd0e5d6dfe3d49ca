// Who a request says it is: basic auth, authorization, extra headers, and OAuth 2 tokens that are fetched and kept until
// shortly before they expire. Secrets in files are read at every use, so that rotating them needs no restart.

import { createSign, randomUUID } from 'node:crypto';
import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText, OperatingError } from '#base/errors.ts';
import { type HttpClientConfig, JWT_BEARER, type OAuth2Config, type Secret } from './config.ts';

export function readSecret(secret: Secret, disk: Disk): string {
  if ('text' in secret) return secret.text;
  try {
    return Buffer.from(disk.readFile(secret.file)).toString('utf8').trim();
  } catch (error) {
    throw new OperatingError('secret', `unable to read file ${secret.file}: ${errorText(error)}`, { cause: error });
  }
}

/** Whether the headers may be others at the next request. */
export function hasSecretFiles(config: HttpClientConfig): boolean {
  const secrets = [
    ...Object.values(config.headers).flat(),
    config.basicAuth?.username,
    config.basicAuth?.password,
    config.authorization?.credentials,
  ];
  return secrets.some((secret) => secret !== undefined && 'file' in secret);
}

/** Headers that the configuration adds to every request; not to be sent to another origin. */
export function configuredHeaders(config: HttpClientConfig, disk: Disk): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, values] of Object.entries(config.headers)) {
    headers[name.toLowerCase()] = values.map((value) => readSecret(value, disk)).join(', ');
  }
  if (config.basicAuth) {
    const { username, password } = config.basicAuth;
    const pair = `${readSecret(username, disk)}:${password ? readSecret(password, disk) : ''}`;
    headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
  } else if (config.authorization) {
    const { type, credentials } = config.authorization;
    headers['authorization'] = credentials ? `${type} ${readSecret(credentials, disk)}` : type;
  }
  return headers;
}

/** How long before its end a token is renewed. */
const TOKEN_MARGIN_MS = 10_000;
/** A token whose lifetime the server does not tell is used this long. */
const TOKEN_DEFAULT_MS = 3_600_000;

export type TokenRequest = (
  url: string,
  body: string,
  headers: Record<string, string>,
) => Promise<{ status: number; body: Buffer }>;

export class TokenSource {
  readonly #config: OAuth2Config;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #send: TokenRequest;
  #token = '';
  #secret = '';
  #expires = 0;
  #inFlight: Promise<string> | undefined;

  constructor(config: OAuth2Config, disk: Disk, clock: Clock, send: TokenRequest) {
    this.#config = config;
    this.#disk = disk;
    this.#clock = clock;
    this.#send = send;
  }

  /** The value of the authorization header. */
  async authorization(): Promise<string> {
    const secret = this.#config.clientSecret ? readSecret(this.#config.clientSecret, this.#disk) : '';
    if (this.#token !== '' && secret === this.#secret && this.#clock.now() < this.#expires) return this.#token;
    this.#inFlight ??= this.#renew(secret).finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #renew(secret: string): Promise<string> {
    const { clientId, scopes, endpointParams, tokenUrl, grantType } = this.#config;
    const form = new URLSearchParams({ grant_type: grantType });
    const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
    if (grantType === JWT_BEARER) form.set('assertion', this.#assertion());
    else {
      const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`;
      headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
    }
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    for (const [name, value] of Object.entries(endpointParams)) form.set(name, value);
    const reply = await this.#send(tokenUrl, form.toString(), headers);
    const text = reply.body.toString('utf8');
    if (reply.status < 200 || reply.status > 299) {
      throw new OperatingError('oauth2', `oauth2: cannot fetch token: ${reply.status}: ${text.slice(0, 200)}`);
    }
    let parsed: { access_token?: unknown; token_type?: unknown; expires_in?: unknown };
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      throw new OperatingError('oauth2', `oauth2: cannot parse json: ${errorText(error)}`, { cause: error });
    }
    if (typeof parsed.access_token !== 'string' || parsed.access_token === '') {
      throw new OperatingError('oauth2', 'oauth2: server response missing access_token');
    }
    const type = typeof parsed.token_type === 'string' && parsed.token_type !== '' ? parsed.token_type : 'Bearer';
    const lifetimeMs = Number(parsed.expires_in) > 0 ? Number(parsed.expires_in) * 1000 : TOKEN_DEFAULT_MS;
    this.#token = `${/^bearer$/i.test(type) ? 'Bearer' : type} ${parsed.access_token}`;
    this.#secret = secret;
    this.#expires = this.#clock.now() + Math.max(0, lifetimeMs - TOKEN_MARGIN_MS);
    return this.#token;
  }

  /** A signed JSON web token that stands for the client. */
  #assertion(): string {
    const { clientId, claims, issuer, audience, key, keyId, tokenUrl } = this.#config;
    const algorithm = this.#config.signatureAlgorithm ?? 'RS256';
    const now = Math.floor(this.#clock.now() / 1000);
    const header = { alg: algorithm, typ: 'JWT', ...(keyId && { kid: keyId }) };
    const payload = {
      iss: issuer || clientId,
      sub: clientId,
      aud: audience || tokenUrl,
      iat: now,
      exp: now + 3600,
      jti: randomUUID(),
      ...claims,
    };
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${encode(header)}.${encode(payload)}`;
    const signer = createSign(`RSA-SHA${algorithm.slice(2)}`).update(signed);
    return `${signed}.${signer.sign(readSecret(key!, this.#disk), 'base64url')}`;
  }
}
