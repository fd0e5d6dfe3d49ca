// Encrypted connections of data sources: how far the server's certificate is checked, and what is shown to it. Texts are
// PEM, or the path of a file on this server; the key is a secret like a password.

import type { Disk } from '#base/disk/disk.ts';
import { errorText, UserError } from '#base/errors.ts';
import { createHttpClient, type HttpClient, type HttpEnvironment } from '#clients/http/client.ts';
import { DEFAULT_HTTP_CLIENT, type TlsConfig } from '#clients/http/config.ts';
import { tlsOptions } from '#clients/http/tls.ts';
import type { Source } from './source.ts';

/** 'full': the chain and the name; 'chain': only who signed it; 'none': encrypted, but anybody could be at the other end. */
export const TLS_CHECKS = ['full', 'chain', 'none'] as const;
export type TlsCheck = (typeof TLS_CHECKS)[number];

export type SourceTls = {
  readonly check: TlsCheck;
  /** Who must have signed the server's certificate; the system's authorities when absent. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name that the certificate must be for, where it is not that of the address. */
  readonly serverName?: string;
};

export function readTls(value: unknown): SourceTls | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object') throw new UserError('cannot read the data source: "tls" is not an object');
  const { check = 'full', ...given } = value as Record<string, unknown>;
  if (!TLS_CHECKS.includes(check as TlsCheck))
    throw new UserError(
      `cannot read the data source: "tls.check" is ${JSON.stringify(check)}, expected one of ${TLS_CHECKS.join(', ')}`,
    );
  const texts = (['ca', 'cert', 'key', 'serverName'] as const).flatMap((name): [string, string][] => {
    const one = given[name];
    if (one === undefined || one === '') return [];
    if (typeof one !== 'string') throw new UserError(`cannot read the data source: "tls.${name}" must be a text`);
    const isPem = one.trimStart().startsWith('-----BEGIN ');
    if (name !== 'serverName' && !isPem && !one.startsWith('/'))
      throw new UserError(
        `cannot read the data source: "tls.${name}" must be PEM ("-----BEGIN ...") or the path of a file on the server`,
      );
    return [[name, one]];
  });
  return { check: check as TlsCheck, ...Object.fromEntries(texts) };
}

const configOf = (tls: SourceTls): TlsConfig => {
  const place = (name: 'ca' | 'cert' | 'key') => {
    const text = tls[name];
    if (text === undefined) return {};
    return text.startsWith('/') ? { [`${name}File`]: text } : { [name]: text };
  };
  return {
    ...{ ...place('ca'), ...place('cert'), ...place('key') },
    ...(tls.serverName ? { serverName: tls.serverName } : {}),
    insecureSkipVerify: tls.check === 'none',
  };
};

/** Certificates and the chain, as Node's TLS takes them; undefined for a plain connection. */
export function databaseTls({ name, tls }: Source, disk: Disk): Record<string, unknown> | undefined {
  if (!tls) return undefined;
  try {
    return tlsOptions(configOf(tls), disk);
  } catch (error) {
    throw new UserError(`cannot reach data source "${name}": ${errorText(error)}`);
  }
}

/** Clients by what they say and check: sources with the same TLS share one. */
export class SourceClients {
  readonly #environment: HttpEnvironment;
  readonly #clients = new Map<string, HttpClient>();

  constructor(environment: HttpEnvironment) {
    this.#environment = environment;
  }

  of({ tls }: Source): HttpClient {
    const key = JSON.stringify(tls ?? null);
    const known = this.#clients.get(key);
    if (known) return known;
    const made = createHttpClient(tls && { ...DEFAULT_HTTP_CLIENT, tls: configOf(tls) }, this.#environment);
    if (this.#clients.size >= MAX_CLIENTS) {
      const [oldest, client] = this.#clients.entries().next().value!;
      this.#clients.delete(oldest);
      client.close();
    }
    this.#clients.set(key, made);
    return made;
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }
}

const MAX_CLIENTS = 100;
