// Makes the headers with which a request to a cloud provider says who it is. Tokens and temporary keys are fetched through
// plain requests and kept until shortly before they end.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { OperatingError } from '#base/errors.ts';
import { AwsCredentials, signV4 } from './aws.ts';
import { azureToken } from './azure.ts';
import type { CloudAuth } from './config.ts';
import { execToken } from './exec.ts';
import { googleToken } from './google.ts';

export type CloudCall = (
  url: string,
  options: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string },
) => Promise<{ readonly status: number; readonly body: Buffer }>;

export type CloudParts = {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly call: CloudCall;
};

export type SignedRequest = {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
};

export interface CloudSigner {
  headers(request: SignedRequest): Promise<Record<string, string>>;
}

/** A token and the time, in milliseconds since 1970, at which it is no longer taken. */
export type Token = { readonly text: string; readonly expires: number };

/** What remote write is for Amazon's signatures. */
const SERVICE = 'aps';

export function createSigner(config: CloudAuth, parts: CloudParts): CloudSigner {
  if (config.kind === 'sigv4') {
    const credentials = new AwsCredentials(config, parts);
    return {
      async headers(request) {
        const { keys, region } = await credentials.get();
        return signV4(request, keys, { region, service: SERVICE }, parts.clock.now());
      },
    };
  }
  const kept = new KeptToken(parts.clock, () => {
    switch (config.kind) {
      case 'azuread':
        return azureToken(config, parts);
      case 'google_iam':
        return googleToken(config.credentials?.file, parts);
      case 'exec':
        return execToken(config, parts);
    }
  });
  return { headers: async () => ({ authorization: `Bearer ${await kept.get()}` }) };
}

/** Tokens are renewed after half of their life, so that a renewal that fails can be tried again. */
class KeptToken {
  readonly #clock: Clock;
  readonly #fetch: () => Promise<Token>;
  #token: Token | undefined;
  #renewAt = 0;
  #renewing: Promise<string> | undefined;

  constructor(clock: Clock, fetchToken: () => Promise<Token>) {
    this.#clock = clock;
    this.#fetch = fetchToken;
  }

  async get(): Promise<string> {
    const now = this.#clock.now();
    if (this.#token && now < this.#renewAt) return this.#token.text;
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    try {
      return await this.#renewing;
    } catch (error) {
      if (this.#token && now < this.#token.expires) return this.#token.text;
      throw error;
    }
  }

  async #renew(): Promise<string> {
    const token = await this.#fetch();
    const now = this.#clock.now();
    if (token.expires <= now) throw new OperatingError('token', 'the access token that was given has ended already');
    this.#token = token;
    this.#renewAt = now + (token.expires - now) / 2;
    return token.text;
  }
}

/** A reply that has to be JSON with a token in it, as OAuth 2 has it. */
export function tokenFrom(reply: { readonly status: number; readonly body: Buffer }, now: number, who: string): Token {
  const text = reply.body.toString('utf8');
  if (reply.status !== 200) {
    throw new OperatingError('token', `${who} gave no access token: ${reply.status}: ${text.slice(0, 300).trim()}`);
  }
  let parsed: { access_token?: unknown; expires_in?: unknown };
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new OperatingError('token', `${who} gave no access token: the answer is not JSON`, { cause: error });
  }
  if (typeof parsed.access_token !== 'string' || parsed.access_token === '') {
    throw new OperatingError('token', `${who} gave no access token: the answer has none`);
  }
  const seconds = Number(parsed.expires_in);
  return { text: parsed.access_token, expires: now + (seconds > 0 ? seconds : 3600) * 1000 };
}
